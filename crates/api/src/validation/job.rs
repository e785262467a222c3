//! Jobs: what may be created and what may be changed.
//!
//! Upstream: pkg/apis/batch/validation/validation.go

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{Job, JobSpec, JobTemplateSpec};
use k8s_openapi::api::core::v1::{Affinity, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{immutable, job_policies, json, meta, names, non_negative, pod_spec, supported, text};
use crate::field::{Error, ErrorList, Path};
use crate::labels::Selector;

/// The most that an indexed Job may run at once, and the most indexes that may fail.
const INDEXED_LIMIT: i32 = 100_000;
/// Beyond so many completions, less is allowed of the rest.
const COMPLETIONS_SOFT_LIMIT: i32 = 100_000;
const HIGH_COMPLETIONS_LIMIT: i32 = 10_000;
const MANAGED_BY_LIMIT: usize = 63;

/// The labels of a Job's pods that say which Job they are of: those with a prefix, and those of
/// old.
const UID_LABELS: [&str; 2] = ["controller-uid", "batch.kubernetes.io/controller-uid"];
const NAME_LABELS: [&str; 2] = ["job-name", "batch.kubernetes.io/job-name"];

/// Upstream: ValidateJob.
pub(crate) fn job(job: &Job) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&job.metadata, true, names::dns_subdomain, &mut errors);
    let Some(spec) = &job.spec else { return errors };
    generated_selector(job, spec, &mut errors);
    job_spec(spec, &Path::new("spec"), &mut errors);
    if is_indexed(spec)
        && let Some(completions) = spec.completions.filter(|completions| *completions > 0)
    {
        // The name of the last pod's host, which is the longest.
        let hostname = format!("{}-{}", text(&job.metadata.name), completions - 1);
        if !names::dns_label(&hostname).is_empty() {
            let message = format!("will not able to create pod with invalid DNS label: {hostname}");
            let path = Path::new("metadata").child("name");
            errors.push(Error::invalid(&path, text(&job.metadata.name), message));
        }
    }
    errors
}

pub(super) fn is_indexed(spec: &JobSpec) -> bool {
    text(&spec.completion_mode) == "Indexed"
}

/// Upstream: validateGeneratedSelector.
fn generated_selector(job: &Job, spec: &JobSpec, errors: &mut ErrorList) {
    let Some(selector) = &spec.selector else { return };
    if spec.manual_selector == Some(true) {
        return;
    }
    let (uid, name) = (text(&job.metadata.uid), text(&job.metadata.name));
    if uid.is_empty() {
        errors.push(Error::required(&Path::new("metadata").child("uid"), ""));
    }
    let path = Path::new("spec").child("template").child("metadata").child("labels");
    let labels = spec.template.metadata.as_ref().and_then(|meta| meta.labels.as_ref());
    let mut expected = BTreeMap::new();
    for (key, value) in UID_LABELS
        .into_iter()
        .zip(NAME_LABELS)
        .flat_map(|(uid_key, name_key)| [(uid_key, uid), (name_key, name)])
    {
        expected.insert(key.to_string(), value.to_string());
        let message = format!("must be '{value}'");
        match labels.and_then(|labels| labels.get(key)) {
            None => errors.push(Error::required(&path.key(key), &message)),
            Some(found) if found != value => {
                errors.push(Error::invalid(&path.key(key), json(&labels), message));
            }
            Some(_) => {}
        }
    }
    let read = Selector::from_label_selector(Some(selector));
    if read.is_ok_and(|read| !read.matches(&expected)) {
        let path = Path::new("spec").child("selector");
        errors.push(Error::invalid(&path, json(selector), "`selector` not auto-generated"));
    }
}

/// Upstream: ValidateJobSpec.
fn job_spec(spec: &JobSpec, path: &Path, errors: &mut ErrorList) {
    common_spec(spec, path, errors);
    match &spec.selector {
        None => errors.push(Error::required(&path.child("selector"), "")),
        Some(selector) => meta::label_selector(selector, &path.child("selector"), errors),
    }
    let labels = spec.template.metadata.as_ref().and_then(|meta| meta.labels.clone());
    let selector = Selector::from_label_selector(spec.selector.as_ref());
    if selector.is_ok_and(|it| !it.matches(&labels.clone().unwrap_or_default())) {
        let path = path.child("template").child("metadata").child("labels");
        let message = "`selector` does not match template `labels`";
        errors.push(Error::invalid(&path, json(&labels), message));
    }
}

/// Upstream: ValidateJobTemplateSpec.
pub(super) fn job_template(template: &JobTemplateSpec, path: &Path, errors: &mut ErrorList) {
    let none = JobSpec::default();
    let spec = template.spec.as_ref().unwrap_or(&none);
    let path = path.child("spec");
    common_spec(spec, &path, errors);
    if let Some(selector) = &spec.selector {
        let message = "`selector` will be auto-generated";
        errors.push(Error::invalid(&path.child("selector"), json(selector), message));
    }
    if spec.manual_selector == Some(true) {
        let mut error = Error::not_supported(&path.child("manualSelector"), "", &["nil", "false"]);
        error.bad_value = true.into();
        errors.push(error);
    }
}

/// Upstream: validateJobSpec.
fn common_spec(spec: &JobSpec, path: &Path, errors: &mut ErrorList) {
    for (name, number) in [
        ("parallelism", spec.parallelism.map(i64::from)),
        ("completions", spec.completions.map(i64::from)),
        ("activeDeadlineSeconds", spec.active_deadline_seconds),
        ("backoffLimit", spec.backoff_limit.map(i64::from)),
        ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished.map(i64::from)),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index.map(i64::from)),
        ("maxFailedIndexes", spec.max_failed_indexes.map(i64::from)),
    ] {
        non_negative(number.unwrap_or_default(), &path.child(name), errors);
    }
    if spec.max_failed_indexes.is_some() && spec.backoff_limit_per_index.is_none() {
        let path = path.child("backoffLimitPerIndex");
        errors.push(Error::required(&path, "when maxFailedIndexes is specified"));
    }
    if let Some(managed_by) = &spec.managed_by {
        manager(managed_by, &path.child("managedBy"), errors);
    }
    completion_mode(spec, path, errors);
    job_policies::pod_failure_policy(spec, &path.child("podFailurePolicy"), errors);
    job_policies::success_policy(spec, &path.child("successPolicy"), errors);
    if let Some(policy) = &spec.pod_replacement_policy {
        let known: &[&str] = match spec.pod_failure_policy {
            Some(_) => &["Failed"],
            None => &["Failed", "TerminatingOrFailed"],
        };
        supported(policy, known, &path.child("podReplacementPolicy"), errors);
    }
    let template_path = path.child("template");
    pod_spec::pod_template(&spec.template, &template_path, errors);
    let pod = spec.template.spec.as_ref();
    let policy = pod.map_or("", |pod| text(&pod.restart_policy));
    let path = template_path.child("spec").child("restartPolicy");
    match policy {
        "Always" | "" => {
            errors.push(Error::required(&path, "valid values: \"OnFailure\", \"Never\""));
        }
        "Never" => {}
        "OnFailure" if spec.pod_failure_policy.is_some() => {
            let message = "only \"Never\" is supported when podFailurePolicy is specified";
            errors.push(Error::invalid(&path, policy, message));
        }
        _ => supported(policy, &["OnFailure", "Never"], &path, errors),
    }
}

/// Upstream: IsDomainPrefixedPath.
fn manager(name: &str, path: &Path, errors: &mut ErrorList) {
    match name.split_once('/') {
        _ if name.is_empty() => errors.push(Error::required(path, "")),
        Some((host, rest)) if !host.is_empty() && !rest.is_empty() => {
            super::invalid_each(names::dns_subdomain(host), path, host, errors);
            let is_valid =
                |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte);
            if !rest.bytes().all(is_valid) {
                let message = "Invalid path (regex used for validation is \
                               '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
                errors.push(Error::invalid(path, rest, message));
            }
        }
        _ => {
            let message = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            errors.push(Error::invalid(path, name, message));
        }
    }
    if name.len() > MANAGED_BY_LIMIT {
        errors.push(Error::too_long(path, i64::try_from(MANAGED_BY_LIMIT).unwrap_or(i64::MAX)));
    }
}

/// What goes together with the completion mode.
fn completion_mode(spec: &JobSpec, path: &Path, errors: &mut ErrorList) {
    if let Some(mode) = &spec.completion_mode {
        supported(mode, &["NonIndexed", "Indexed"], &path.child("completionMode"), errors);
    }
    if !is_indexed(spec) {
        for (name, number) in [
            ("backoffLimitPerIndex", spec.backoff_limit_per_index),
            ("maxFailedIndexes", spec.max_failed_indexes),
        ] {
            let is_other = !matches!(text(&spec.completion_mode), "" | "NonIndexed");
            if let Some(number) = number.filter(|_| !is_other) {
                let message = "requires indexed completion mode";
                errors.push(Error::invalid(&path.child(name), number, message));
            }
        }
        return;
    }
    let (parallelism_path, failed_path) =
        (path.child("parallelism"), path.child("maxFailedIndexes"));
    let at_most = |number: Option<i32>, most: i32, path: &Path, words: &str| {
        let number = number.filter(|number| *number > most)?;
        let message = format!("must be less than or equal to {most}{words}");
        Some(Error::invalid(path, number, message))
    };
    if spec.completions.is_none() {
        let message = "when completion mode is Indexed";
        errors.push(Error::required(&path.child("completions"), message));
    }
    let words = " when completion mode is Indexed";
    errors.extend(at_most(spec.parallelism, INDEXED_LIMIT, &parallelism_path, words));
    if let (Some(completions), Some(failed)) = (spec.completions, spec.max_failed_indexes)
        && failed > completions
    {
        let message = "must be less than or equal to completions";
        errors.push(Error::invalid(&failed_path, failed, message));
    }
    errors.extend(at_most(spec.max_failed_indexes, INDEXED_LIMIT, &failed_path, ""));
    let is_high = spec.completions.is_some_and(|it| it > COMPLETIONS_SOFT_LIMIT);
    if !is_high || spec.backoff_limit_per_index.is_none() {
        return;
    }
    if spec.max_failed_indexes.is_none() {
        let message =
            format!("must be specified when completions is above {COMPLETIONS_SOFT_LIMIT}");
        errors.push(Error::required(&failed_path, &message));
    }
    let words = format!(
        " when completions are above {COMPLETIONS_SOFT_LIMIT} and used with backoff limit per \
         index"
    );
    let limit = HIGH_COMPLETIONS_LIMIT;
    errors.extend(at_most(spec.parallelism, limit, &parallelism_path, &words));
    errors.extend(at_most(spec.max_failed_indexes, limit, &failed_path, &words));
}

/// Upstream: ValidateJobUpdate.
pub(crate) fn job_update(new: &Job, old: &Job) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let (Some(new_spec), Some(old_spec)) = (&new.spec, &old.spec) else { return errors };
    let path = Path::new("spec");
    job_spec(new_spec, &path, &mut errors);
    completions_update(new_spec, old_spec, &path.child("completions"), &mut errors);
    immutable(&new_spec.selector, &old_spec.selector, &path.child("selector"), &mut errors);
    template_update(new_spec, old, old_spec, &path.child("template"), &mut errors);
    macro_rules! immutable_fields {
        ($($field:ident: $name:literal,)*) => {$(
            immutable(&new_spec.$field, &old_spec.$field, &path.child($name), &mut errors);
        )*};
    }
    immutable_fields! {
        completion_mode: "completionMode",
        pod_failure_policy: "podFailurePolicy",
        backoff_limit_per_index: "backoffLimitPerIndex",
        managed_by: "managedBy",
        success_policy: "successPolicy",
    }
    errors
}

/// Indexed Jobs may grow and shrink. Upstream: validateCompletions.
fn completions_update(new: &JobSpec, old: &JobSpec, path: &Path, errors: &mut ErrorList) {
    if !is_indexed(new) {
        immutable(&new.completions, &old.completions, path, errors);
        return;
    }
    if new.completions == old.completions {
        return;
    }
    if let Some(completions) = new.completions
        && new.parallelism != Some(completions)
    {
        let message = "can only be modified in tandem with spec.parallelism";
        errors.push(Error::invalid(path, completions, message));
    }
}

/// As long as a Job waits, it may still be said where its pods are to run and what they need.
/// Upstream: validatePodTemplateUpdate.
fn template_update(
    new: &JobSpec,
    old_job: &Job,
    old: &JobSpec,
    path: &Path,
    errors: &mut ErrorList,
) {
    let status = old_job.status.as_ref();
    let has_started = status.is_some_and(|status| status.start_time.is_some());
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let is_stopped = conditions.iter().any(|it| it.type_ == "Suspended" && it.status == "True");
    let waits = old.suspend == Some(true) && (!has_started || is_stopped);
    if new.template == old.template {
        return;
    }
    if !waits {
        immutable(&new.template, &old.template, path, errors);
        return;
    }
    let mut allowed = old.template.clone();
    allow_directives(&mut allowed, &new.template);
    immutable(&new.template, &allowed, path, errors);
}

/// Takes over what may be changed.
fn allow_directives(allowed: &mut PodTemplateSpec, new: &PodTemplateSpec) {
    let none = ObjectMeta::default();
    let new_meta = new.metadata.as_ref().unwrap_or(&none);
    let meta = allowed.metadata.get_or_insert_default();
    meta.labels.clone_from(&new_meta.labels);
    meta.annotations.clone_from(&new_meta.annotations);
    if new.metadata.is_none() && *meta == none {
        allowed.metadata = None;
    }
    let (Some(pod), Some(new)) = (&mut allowed.spec, &new.spec) else { return };
    let node_affinity = new.affinity.as_ref().and_then(|it| it.node_affinity.clone());
    let affinity = pod.affinity.get_or_insert_default();
    affinity.node_affinity = node_affinity;
    if new.affinity.is_none() && *affinity == Affinity::default() {
        pod.affinity = None;
    }
    pod.node_selector.clone_from(&new.node_selector);
    pod.tolerations.clone_from(&new.tolerations);
    pod.scheduling_gates.clone_from(&new.scheduling_gates);
    for (container, new) in pod.containers.iter_mut().zip(&new.containers) {
        container.resources.clone_from(&new.resources);
    }
    let inits = pod.init_containers.iter_mut().flatten();
    for (container, new) in inits.zip(new.init_containers.iter().flatten()) {
        container.resources.clone_from(&new.resources);
    }
}
