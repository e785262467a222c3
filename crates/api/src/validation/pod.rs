//! Pods: what may be created, and the little that may be changed.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, Container, NodeAffinity, NodeSelectorTerm, Pod, PodSchedulingGate, PodSpec,
    Toleration,
};

use super::containers::only_for_pod;
use super::{list, meta, names, pod_spec, scheduling, spec_diff, text};
use crate::field::{Error, ErrorList, Path};

const MIRROR: &str = "kubernetes.io/config.mirror";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const UPDATABLE_FIELDS: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,\
    `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
    `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

type Annotations = BTreeMap<String, String>;

/// Upstream: ValidatePodCreate.
pub(crate) fn pod_create(pod: &Pod) -> ErrorList {
    let mut errors = ErrorList::new();
    metadata_and_spec(pod, &mut errors);
    let Some(spec) = &pod.spec else { return errors };
    let path = Path::new("spec");
    if !list(&spec.ephemeral_containers).is_empty() {
        errors
            .push(Error::forbidden(&path.child("ephemeralContainers"), "cannot be set on create"));
    }
    if !text(&spec.node_name).is_empty() && !list(&spec.scheduling_gates).is_empty() {
        let message = "cannot be set until all schedulingGates have been cleared";
        errors.push(Error::forbidden(&path.child("nodeName"), message));
    }
    errors
}

/// Upstream: validatePodMetadataAndSpec.
fn metadata_and_spec(pod: &Pod, errors: &mut ErrorList) {
    meta::object_meta(&pod.metadata, true, names::dns_subdomain, errors);
    let no_spec = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&no_spec);
    let annotations_path = Path::new("metadata").child("annotations");
    specific_annotations(pod.metadata.annotations.as_ref(), spec, &annotations_path, errors);
    let path = Path::new("spec");
    pod_spec::pod_spec(spec, Some(&pod.metadata), &path, errors);
    if text(&spec.service_account_name).is_empty() {
        tokens_without_service_account(spec, &path.child("volumes"), errors);
    }
    for (name, containers) in [
        ("containers", spec.containers.as_slice()),
        ("initContainers", list(&spec.init_containers)),
    ] {
        for (index, container) in containers.iter().enumerate() {
            only_for_pod(text(&container.image), &path.child(name).index(index), errors);
        }
    }
}

fn tokens_without_service_account(spec: &PodSpec, path: &Path, errors: &mut ErrorList) {
    for (index, volume) in list(&spec.volumes).iter().enumerate() {
        let sources = volume.projected.iter().flat_map(|projected| list(&projected.sources));
        for (source_index, source) in sources.enumerate() {
            if source.service_account_token.is_some() {
                let path =
                    path.index(index).child("projected").child("sources").index(source_index);
                let message = "must not be specified when serviceAccountName is not set";
                errors.push(Error::forbidden(&path.child("serviceAccountToken"), message));
            }
        }
    }
}

/// Upstream: ValidatePodSpecificAnnotations.
pub(super) fn specific_annotations(
    annotations: Option<&Annotations>,
    spec: &PodSpec,
    path: &Path,
    errors: &mut ErrorList,
) {
    let Some(annotations) = annotations else { return };
    if let Some(mirror) = annotations.get(MIRROR)
        && text(&spec.node_name).is_empty()
    {
        let message = "must set spec.nodeName if mirror pod annotation is set";
        errors.push(Error::invalid(&path.key(MIRROR), mirror.as_str(), message));
    }
    if let Some(cost) = annotations.get(DELETION_COST) {
        // Go's parser takes no leading plus here, nor zeros.
        let digits = cost.strip_prefix('-').unwrap_or(cost);
        let has_odd_start = cost.starts_with('+') || (digits.len() > 1 && digits.starts_with('0'));
        if has_odd_start || cost.parse::<i32>().is_err() {
            let message = "must be a 32bit integer";
            errors.push(Error::invalid(&path.key(DELETION_COST), cost.as_str(), message));
        }
    }
}

/// Upstream: ValidatePodSpecificAnnotationUpdates.
pub(super) fn annotation_updates(new: &Pod, old: &Pod, errors: &mut ErrorList) {
    let path = Path::new("metadata").child("annotations");
    let mirror =
        |pod: &Pod| pod.metadata.annotations.as_ref().and_then(|it| it.get(MIRROR)).cloned();
    match (mirror(new), mirror(old)) {
        (new, Some(old)) if new.as_ref() != Some(&old) => {
            let message = "may not remove or update mirror pod annotation";
            errors.push(Error::forbidden(&path.key(MIRROR), message));
        }
        (Some(_), None) => {
            let message = "may not add mirror pod annotation";
            errors.push(Error::forbidden(&path.key(MIRROR), message));
        }
        _ => {}
    }
    let no_spec = PodSpec::default();
    let spec = new.spec.as_ref().unwrap_or(&no_spec);
    specific_annotations(new.metadata.annotations.as_ref(), spec, &path, errors);
}

/// Upstream: ValidatePodUpdate.
pub(crate) fn pod_update(new: &Pod, old: &Pod) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    metadata_and_spec(new, &mut errors);
    annotation_updates(new, old, &mut errors);
    let (Some(new_spec), Some(old_spec)) = (&new.spec, &old.spec) else { return errors };
    let path = Path::new("spec");
    for (name, new, old) in [
        ("containers", new_spec.containers.as_slice(), old_spec.containers.as_slice()),
        ("initContainers", list(&new_spec.init_containers), list(&old_spec.init_containers)),
    ] {
        if !container_updates(new, old, &path.child(name), &mut errors) {
            return errors;
        }
    }
    let deadline_path = path.child("activeDeadlineSeconds");
    if !active_deadline(new_spec, old_spec, &deadline_path, &mut errors) {
        return errors;
    }
    let (new_tolerations, old_tolerations) =
        (list(&new_spec.tolerations), list(&old_spec.tolerations));
    only_added_tolerations(
        new_tolerations,
        old_tolerations,
        &path.child("tolerations"),
        &mut errors,
    );
    let (new_gates, old_gates) =
        (list(&new_spec.scheduling_gates), list(&old_spec.scheduling_gates));
    only_deleted_gates(new_gates, old_gates, &path.child("schedulingGates"), &mut errors);
    if new_spec == old_spec {
        return errors;
    }
    let munged = munge(new_spec, old_spec, &path, &mut errors);
    if munged != *old_spec {
        let message = format!(
            "pod updates may not change fields other than {UPDATABLE_FIELDS}\n{}",
            spec_diff::pod_spec(old_spec, &munged)
        );
        errors.push(Error::forbidden(&path, &message));
    }
    errors
}

/// Upstream: ValidateContainerUpdates. Whether there is more to say.
fn container_updates(
    new: &[Container],
    old: &[Container],
    path: &Path,
    errors: &mut ErrorList,
) -> bool {
    if new.len() != old.len() {
        let message = "pod updates may not add or remove containers";
        errors.push(Error::forbidden(path, message));
        return false;
    }
    for (index, container) in new.iter().enumerate() {
        let path = path.index(index);
        super::require(text(&container.image), &path.child("image"), errors);
        only_for_pod(text(&container.image), &path, errors);
    }
    true
}

/// A deadline may be set and shortened. Whether there is more to say.
fn active_deadline(new: &PodSpec, old: &PodSpec, path: &Path, errors: &mut ErrorList) -> bool {
    let most = i64::from(i32::MAX);
    match (new.active_deadline_seconds, old.active_deadline_seconds) {
        (Some(new), _) if !(0..=most).contains(&new) => {
            errors.push(Error::invalid(path, new, names::inclusive_range(0, most)));
            false
        }
        (Some(new), Some(old)) if old < new => {
            let message = "must be less than or equal to previous value";
            errors.push(Error::invalid(path, new, message));
            false
        }
        (None, Some(_)) => {
            let message = "must not update from a positive integer to nil value";
            errors.push(Error::invalid(path, serde_json::Value::Null, message));
            true
        }
        _ => true,
    }
}

/// Upstream: validateOnlyAddedTolerations.
fn only_added_tolerations(
    new: &[Toleration],
    old: &[Toleration],
    path: &Path,
    errors: &mut ErrorList,
) {
    let is_kept = |old: &Toleration| {
        new.iter().any(|new| {
            let mut expected = old.clone();
            expected.toleration_seconds = new.toleration_seconds;
            expected == *new
        })
    };
    if !old.iter().all(is_kept) {
        let message = "existing toleration can not be modified except its tolerationSeconds";
        errors.push(Error::forbidden(path, message));
        return;
    }
    scheduling::tolerations(new, path, errors);
}

/// Upstream: validateOnlyDeletedSchedulingGates.
fn only_deleted_gates(
    new: &[PodSchedulingGate],
    old: &[PodSchedulingGate],
    path: &Path,
    errors: &mut ErrorList,
) {
    for (index, gate) in new.iter().enumerate().filter(|(_, gate)| !old.contains(gate)) {
        let name = &gate.name;
        let message = format!("only deletion is allowed, but found new scheduling gate '{name}'");
        errors.push(Error::forbidden(&path.index(index).child("name"), &message));
    }
}

/// The new specification with everything undone that may be changed.
fn munge(new: &PodSpec, old: &PodSpec, path: &Path, errors: &mut ErrorList) -> PodSpec {
    let mut munged = new.clone();
    let undo_images = |new: &mut [Container], old: &[Container]| {
        for (new, old) in new.iter_mut().zip(old) {
            new.image.clone_from(&old.image);
        }
    };
    undo_images(&mut munged.containers, &old.containers);
    undo_images(
        munged.init_containers.as_deref_mut().unwrap_or_default(),
        list(&old.init_containers),
    );
    munged.active_deadline_seconds = old.active_deadline_seconds;
    munged.scheduling_gates.clone_from(&old.scheduling_gates);
    munged.tolerations.clone_from(&old.tolerations);
    let was_negative = old.termination_grace_period_seconds.is_some_and(|seconds| seconds < 0);
    if was_negative && munged.termination_grace_period_seconds == Some(1) {
        munged.termination_grace_period_seconds = old.termination_grace_period_seconds;
    }
    if !list(&old.scheduling_gates).is_empty() {
        munge_gated(&mut munged, old, path, errors);
    }
    munged
}

/// A pod that gates hold may still be told more narrowly where to run.
fn munge_gated(munged: &mut PodSpec, old: &PodSpec, path: &Path, errors: &mut ErrorList) {
    if munged.node_selector != old.node_selector {
        let is_kept = |(key, value): (&String, &String)| {
            munged.node_selector.as_ref().and_then(|new| new.get(key)) == Some(value)
        };
        if !old.node_selector.iter().flatten().all(is_kept) {
            let message = "only additions are allowed (no mutations or deletions)";
            let selector = super::json(&munged.node_selector);
            errors.push(Error::invalid(&path.child("nodeSelector"), selector, message));
        }
        munged.node_selector.clone_from(&old.node_selector);
    }
    let node_affinity = |spec: &PodSpec| -> Option<NodeAffinity> {
        spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.clone())
    };
    let old_affinity = node_affinity(old);
    let new_affinity = node_affinity(munged);
    if new_affinity == old_affinity {
        return;
    }
    let path = path.child("affinity").child("nodeAffinity");
    node_affinity_mutation(new_affinity.as_ref(), old_affinity.as_ref(), &path, errors);
    munged.affinity.get_or_insert_default().node_affinity = old_affinity;
    if old.affinity.is_none() && munged.affinity == Some(Affinity::default()) {
        munged.affinity = None;
    }
}

/// Upstream: validateNodeAffinityMutation.
fn node_affinity_mutation(
    new: Option<&NodeAffinity>,
    old: Option<&NodeAffinity>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let terms = |affinity: Option<&NodeAffinity>| -> Option<Vec<NodeSelectorTerm>> {
        let affinity = affinity?;
        let required = affinity.required_during_scheduling_ignored_during_execution.as_ref()?;
        Some(required.node_selector_terms.clone())
    };
    let Some(old_terms) = terms(old) else { return };
    let path = path.child("requiredDuringSchedulingIgnoredDuringExecution");
    let path = path.child("nodeSelectorTerms");
    let new_terms = terms(new).unwrap_or_default();
    if !old_terms.is_empty() && old_terms.len() != new_terms.len() {
        let message = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        errors.push(Error::invalid(&path, super::json(&new_terms), message));
        return;
    }
    for (index, (new, old)) in new_terms.iter().zip(&old_terms).enumerate() {
        let narrows = |new: &Option<Vec<_>>, old: &Option<Vec<_>>| {
            list(new).len() >= list(old).len() && list(new).starts_with(list(old))
        };
        let kept = narrows(&new.match_expressions, &old.match_expressions)
            && narrows(&new.match_fields, &old.match_fields);
        let was_empty =
            list(&old.match_expressions).is_empty() && list(&old.match_fields).is_empty();
        if !kept || (was_empty && new != old) {
            let message = "only additions are allowed (no mutations or deletions)";
            errors.push(Error::invalid(&path.index(index), super::json(new), message));
        }
    }
}
