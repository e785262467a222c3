//! Deployments and ReplicaSets.
//!
//! Upstream: pkg/apis/apps/validation/validation.go

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStatus, DeploymentStrategy, ReplicaSet, ReplicaSetStatus,
    RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json as json_value;

use super::{immutable, json, meta, names, non_negative, pod_spec, text};
use crate::field::{Error, ErrorList, Path};
use crate::labels::Selector;

/// Upstream: ValidateDeployment.
pub(crate) fn deployment(deployment: &Deployment) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&deployment.metadata, true, names::dns_subdomain, &mut errors);
    deployment_spec(&deployment.spec, &Path::new("spec"), &mut errors);
    errors
}

/// Upstream: ValidateDeploymentUpdate and the strategy's ValidateUpdate.
pub(crate) fn deployment_update(new: &Deployment, old: &Deployment) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let path = Path::new("spec");
    deployment_spec(&new.spec, &path, &mut errors);
    immutable(&new.spec.selector, &old.spec.selector, &path.child("selector"), &mut errors);
    errors
}

/// Upstream: ValidateDeploymentStatusUpdate.
pub(crate) fn deployment_status_update(new: &Deployment, old: &Deployment) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let none = DeploymentStatus::default();
    let status = new.status.as_ref().unwrap_or(&none);
    let path = Path::new("status");
    deployment_status(status, &path, &mut errors);
    let old_count = old.status.as_ref().and_then(|status| status.collision_count);
    if let Some(old_count) = old_count
        && status.collision_count.is_none_or(|count| count < old_count)
    {
        let value = json(&status.collision_count);
        let message = "cannot be decremented";
        errors.push(Error::invalid(&path.child("collisionCount"), value, message));
    }
    errors
}

/// Upstream: ValidateDeploymentSpec.
fn deployment_spec(spec: &DeploymentSpec, path: &Path, errors: &mut ErrorList) {
    non_negative(i64::from(spec.replicas.unwrap_or_default()), &path.child("replicas"), errors);
    let selector = selector(&spec.selector, &path.child("selector"), errors);
    if let Some(selector) = selector {
        template(Some(&spec.template), &selector, &path.child("template"), errors);
    }
    if let Some(strategy) = &spec.strategy {
        deployment_strategy(strategy, &path.child("strategy"), errors);
    }
    let min_ready = spec.min_ready_seconds.unwrap_or_default();
    non_negative(i64::from(min_ready), &path.child("minReadySeconds"), errors);
    if let Some(limit) = spec.revision_history_limit {
        non_negative(i64::from(limit), &path.child("revisionHistoryLimit"), errors);
    }
    if let Some(deadline) = spec.progress_deadline_seconds {
        let path = path.child("progressDeadlineSeconds");
        non_negative(i64::from(deadline), &path, errors);
        if deadline <= min_ready {
            let message = "must be greater than minReadySeconds";
            errors.push(Error::invalid(&path, deadline, message));
        }
    }
}

/// Checks the selector of pods and reads it. A selector that is not set selects nothing, and
/// one without requirements cannot be told from one that is not set.
fn selector(selector: &LabelSelector, path: &Path, errors: &mut ErrorList) -> Option<Selector> {
    if *selector == LabelSelector::default() {
        errors.push(Error::required(path, ""));
        return Selector::from_label_selector(None).ok();
    }
    meta::label_selector(selector, path, errors);
    match Selector::from_label_selector(Some(selector)) {
        Ok(read) if read.is_everything() => {
            let message = "empty selector is invalid for deployment";
            errors.push(Error::invalid(path, json(selector), message));
            Some(read)
        }
        Ok(read) => Some(read),
        Err(_) => {
            errors.push(Error::invalid(path, json(selector), "invalid label selector"));
            None
        }
    }
}

/// A template whose pods run for ever.
/// Upstream: ValidatePodTemplateSpecForReplicaSet and ValidateDaemonSetSpec.
pub(super) fn long_running_template(
    template: &PodTemplateSpec,
    kind: &str,
    path: &Path,
    errors: &mut ErrorList,
) {
    pod_spec::pod_template(template, path, errors);
    let Some(spec) = &template.spec else { return };
    let path = path.child("spec");
    let policy = text(&spec.restart_policy);
    if policy != "Always" {
        errors.push(Error::not_supported(&path.child("restartPolicy"), policy, &["Always"]));
    }
    if spec.active_deadline_seconds.is_some() {
        let message = format!("activeDeadlineSeconds in {kind} is not Supported");
        errors.push(Error::forbidden(&path.child("activeDeadlineSeconds"), &message));
    }
}

fn template(
    template: Option<&PodTemplateSpec>,
    selector: &Selector,
    path: &Path,
    errors: &mut ErrorList,
) {
    let none = PodTemplateSpec::default();
    let template = template.unwrap_or(&none);
    if !selector.is_everything() {
        let labels = template.metadata.as_ref().and_then(|meta| meta.labels.clone());
        if !selector.matches(&labels.clone().unwrap_or_default()) {
            let path = path.child("metadata").child("labels");
            let message = "`selector` does not match template `labels`";
            errors.push(Error::invalid(&path, json(&labels), message));
        }
    }
    long_running_template(template, "ReplicaSet", path, errors);
}

/// Upstream: ValidateDeploymentStrategy.
fn deployment_strategy(strategy: &DeploymentStrategy, path: &Path, errors: &mut ErrorList) {
    let rolling_path = path.child("rollingUpdate");
    match (text(&strategy.type_), &strategy.rolling_update) {
        ("Recreate", Some(_)) => {
            let message = "may not be specified when strategy `type` is 'Recreate'";
            errors.push(Error::forbidden(&rolling_path, message));
        }
        ("Recreate", None) => {}
        ("RollingUpdate", Some(rolling)) => rolling_update(rolling, &rolling_path, errors),
        ("RollingUpdate", None) => {
            let message = "this should be defaulted and never be nil";
            errors.push(Error::required(&rolling_path, message));
        }
        (other, rolling) => {
            let mut error = Error::not_supported(path, other, &["Recreate", "RollingUpdate"]);
            error.bad_value = json_value!({ "Type": other, "RollingUpdate": rolling });
            errors.push(error);
        }
    }
}

/// Upstream: ValidateRollingUpdateDeployment.
fn rolling_update(rolling: &RollingUpdateDeployment, path: &Path, errors: &mut ErrorList) {
    let unavailable_path = path.child("maxUnavailable");
    let zero = IntOrString::Int(0);
    let unavailable = rolling.max_unavailable.as_ref().unwrap_or(&zero);
    let surge = rolling.max_surge.as_ref().unwrap_or(&zero);
    positive_int_or_percent(unavailable, &unavailable_path, errors);
    positive_int_or_percent(surge, &path.child("maxSurge"), errors);
    if int_or_percent_value(unavailable) == 0 && int_or_percent_value(surge) == 0 {
        let message = "may not be 0 when `maxSurge` is 0";
        errors.push(Error::invalid(&unavailable_path, json(unavailable), message));
    }
    if percent_value(unavailable).is_some_and(|percent| percent > 100) {
        let message = "must not be greater than 100%";
        errors.push(Error::invalid(&unavailable_path, json(unavailable), message));
    }
}

/// Upstream: ValidatePositiveIntOrPercent.
pub(super) fn positive_int_or_percent(value: &IntOrString, path: &Path, errors: &mut ErrorList) {
    match value {
        IntOrString::Int(number) => non_negative(i64::from(*number), path, errors),
        IntOrString::String(percent) => {
            super::invalid_each(names::percent(percent), path, percent, errors);
        }
    }
}

pub(super) fn percent_value(value: &IntOrString) -> Option<i64> {
    match value {
        IntOrString::String(percent) if names::percent(percent).is_empty() => {
            Some(percent.trim_end_matches('%').parse().unwrap_or(i64::MAX))
        }
        _ => None,
    }
}

/// A percentage counts as its number; a text that is neither counts as its digits.
pub(super) fn int_or_percent_value(value: &IntOrString) -> i64 {
    match value {
        IntOrString::Int(number) => i64::from(*number),
        IntOrString::String(text) => {
            percent_value(value).unwrap_or_else(|| text.parse().unwrap_or_default())
        }
    }
}

/// Upstream: ValidateDeploymentStatus.
fn deployment_status(status: &DeploymentStatus, path: &Path, errors: &mut ErrorList) {
    let observed = status.observed_generation.unwrap_or_default();
    non_negative(observed, &path.child("observedGeneration"), errors);
    let replicas = status.replicas.unwrap_or_default();
    let ready = status.ready_replicas.unwrap_or_default();
    let available = status.available_replicas.unwrap_or_default();
    let updated = status.updated_replicas.unwrap_or_default();
    for (name, count) in [
        ("replicas", replicas),
        ("updatedReplicas", updated),
        ("readyReplicas", ready),
        ("availableReplicas", available),
        ("unavailableReplicas", status.unavailable_replicas.unwrap_or_default()),
        ("terminatingReplicas", status.terminating_replicas.unwrap_or_default()),
        ("collisionCount", status.collision_count.unwrap_or_default()),
    ] {
        non_negative(i64::from(count), &path.child(name), errors);
    }
    let counts =
        [("updatedReplicas", updated), ("readyReplicas", ready), ("availableReplicas", available)];
    not_more_than_replicas(&counts, replicas, path, errors);
    not_more_available_than_ready(available, ready, path, errors);
}

pub(super) fn not_more_than_replicas(
    counts: &[(&str, i32)],
    replicas: i32,
    path: &Path,
    errors: &mut ErrorList,
) {
    for (name, count) in counts.iter().filter(|(_, count)| *count > replicas) {
        let message = "cannot be greater than status.replicas";
        errors.push(Error::invalid(&path.child(name), *count, message));
    }
}

fn not_more_available_than_ready(available: i32, ready: i32, path: &Path, errors: &mut ErrorList) {
    if available > ready {
        let message = "cannot be greater than readyReplicas";
        errors.push(Error::invalid(&path.child("availableReplicas"), available, message));
    }
}

/// Upstream: ValidateReplicaSet.
pub(crate) fn replica_set(replica_set: &ReplicaSet) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&replica_set.metadata, true, names::dns_subdomain, &mut errors);
    replica_set_spec(replica_set, &mut errors);
    errors
}

/// Upstream: ValidateReplicaSetUpdate and the strategy's ValidateUpdate.
pub(crate) fn replica_set_update(new: &ReplicaSet, old: &ReplicaSet) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    replica_set_spec(new, &mut errors);
    let path = Path::new("spec").child("selector");
    immutable(&new.spec.selector, &old.spec.selector, &path, &mut errors);
    errors
}

/// Upstream: ValidateReplicaSetSpec.
fn replica_set_spec(replica_set: &ReplicaSet, errors: &mut ErrorList) {
    let path = Path::new("spec");
    let spec = &replica_set.spec;
    non_negative(i64::from(spec.replicas.unwrap_or_default()), &path.child("replicas"), errors);
    let min_ready = spec.min_ready_seconds.unwrap_or_default();
    non_negative(i64::from(min_ready), &path.child("minReadySeconds"), errors);
    if let Some(selector) = selector(&spec.selector, &path.child("selector"), errors) {
        template(spec.template.as_ref(), &selector, &path.child("template"), errors);
    }
}

/// Upstream: ValidateReplicaSetStatusUpdate.
pub(crate) fn replica_set_status_update(new: &ReplicaSet, old: &ReplicaSet) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let none = ReplicaSetStatus::default();
    let status = new.status.as_ref().unwrap_or(&none);
    let path = Path::new("status");
    let ready = status.ready_replicas.unwrap_or_default();
    let available = status.available_replicas.unwrap_or_default();
    let fully_labeled = status.fully_labeled_replicas.unwrap_or_default();
    for (name, count) in [
        ("replicas", status.replicas),
        ("fullyLabeledReplicas", fully_labeled),
        ("readyReplicas", ready),
        ("availableReplicas", available),
        ("terminatingReplicas", status.terminating_replicas.unwrap_or_default()),
    ] {
        non_negative(i64::from(count), &path.child(name), &mut errors);
    }
    let observed = status.observed_generation.unwrap_or_default();
    non_negative(observed, &path.child("observedGeneration"), &mut errors);
    let counts = [
        ("fullyLabeledReplicas", fully_labeled),
        ("readyReplicas", ready),
        ("availableReplicas", available),
    ];
    not_more_than_replicas(&counts, status.replicas, &path, &mut errors);
    not_more_available_than_ready(available, ready, &path, &mut errors);
    errors
}
