//! Who a pod of a StatefulSet is: its number, its name, its labels and its volumes.
//!
//! Upstream: pkg/controller/statefulset/stateful_set_utils.go

use api::openapi::api::apps::v1::StatefulSet;
use api::openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume,
};
use component_helpers::controller_ref::new_controller_ref;
use component_helpers::pod_status::{is_pod_available, is_pod_ready, phase};
use component_helpers::pod_template::pod_of;
use jiff::Timestamp;

const LABEL_POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const LABEL_POD_INDEX: &str = "apps.kubernetes.io/pod-index";
const LABEL_REVISION: &str = "controller-revision-hash";

/// The name of the set that a pod's name means, and the pod's number.
fn parent_and_ordinal(pod: &Pod) -> Option<(&str, i32)> {
    let (parent, number) = pod.metadata.name.as_deref()?.rsplit_once('-')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    Some((parent, number.parse().ok().filter(|_| is_number)?))
}

/// The pod's number, if its name has one.
pub(super) fn ordinal_of(pod: &Pod) -> Option<i32> {
    parent_and_ordinal(pod).map(|(_, ordinal)| ordinal)
}

fn name_of(set: &StatefulSet) -> &str {
    set.metadata.name.as_deref().unwrap_or_default()
}

/// Whether the pod's name is that of a pod of the set.
pub(super) fn is_member_of(set: &StatefulSet, pod: &Pod) -> bool {
    parent_and_ordinal(pod).is_some_and(|(parent, _)| parent == name_of(set))
}

/// How many pods the set wants.
pub(super) fn replicas(set: &StatefulSet) -> i32 {
    set.spec.replicas.unwrap_or(1)
}

/// The number of the set's first pod.
pub(super) fn start_ordinal(set: &StatefulSet) -> i32 {
    set.spec.ordinals.as_ref().and_then(|ordinals| ordinals.start).unwrap_or(0)
}

/// Whether the pod is one that the set wants.
pub(super) fn is_in_range(set: &StatefulSet, pod: &Pod) -> bool {
    let place = ordinal_of(pod).map(|ordinal| ordinal - start_ordinal(set));
    place.is_some_and(|place| (0..replicas(set)).contains(&place))
}

/// The name of a pod's claim.
fn claim_name(set: &StatefulSet, template: &PersistentVolumeClaim, ordinal: i32) -> String {
    let name = template.metadata.name.as_deref().unwrap_or_default();
    format!("{name}-{}-{ordinal}", name_of(set))
}

fn templates(set: &StatefulSet) -> &[PersistentVolumeClaim] {
    set.spec.volume_claim_templates.as_deref().unwrap_or_default()
}

/// The claims of a pod. Upstream: getPersistentVolumeClaims.
pub(super) fn claims_of(set: &StatefulSet, pod: &Pod) -> Vec<PersistentVolumeClaim> {
    let Some(ordinal) = ordinal_of(pod) else { return Vec::new() };
    let make = |template: &PersistentVolumeClaim| {
        let mut claim = template.clone();
        let meta = &mut claim.metadata;
        meta.name = Some(claim_name(set, template, ordinal));
        meta.namespace.clone_from(&set.metadata.namespace);
        if let Some(matched) = &set.spec.selector.match_labels {
            let matched = matched.iter().map(|(key, value)| (key.clone(), value.clone()));
            meta.labels.get_or_insert_default().extend(matched);
        }
        claim
    };
    templates(set).iter().map(make).collect()
}

/// Whether the pod is called as its number says. Upstream: identityMatches.
pub(super) fn identity_matches(set: &StatefulSet, pod: &Pod) -> bool {
    let labels = pod.metadata.labels.as_ref();
    is_member_of(set, pod)
        && pod.metadata.namespace == set.metadata.namespace
        && labels.and_then(|labels| labels.get(LABEL_POD_NAME)) == pod.metadata.name.as_ref()
}

/// Gives the pod the labels that its number says. Upstream: updateIdentity.
pub(super) fn update_identity(pod: &mut Pod) {
    let ordinal = ordinal_of(pod).unwrap_or(0);
    let name = pod.metadata.name.clone().unwrap_or_default();
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(LABEL_POD_NAME.to_string(), name);
    labels.insert(LABEL_POD_INDEX.to_string(), ordinal.to_string());
}

/// Whether the pod has its claims as volumes. Upstream: storageMatches.
pub(super) fn storage_matches(set: &StatefulSet, pod: &Pod) -> bool {
    let Some(ordinal) = ordinal_of(pod) else { return false };
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    templates(set).iter().all(|template| {
        let named =
            volumes.iter().find(|volume| Some(&volume.name) == template.metadata.name.as_ref());
        let claim = named.and_then(|volume| volume.persistent_volume_claim.as_ref());
        claim.is_some_and(|claim| claim.claim_name == claim_name(set, template, ordinal))
    })
}

/// Gives the pod its claims as volumes, in place of others of their names.
/// Upstream: updateStorage.
pub(super) fn update_storage(set: &StatefulSet, pod: &mut Pod) {
    let Some(ordinal) = ordinal_of(pod) else { return };
    if templates(set).is_empty() {
        return;
    }
    let own = |template: &PersistentVolumeClaim| Volume {
        name: template.metadata.name.clone().unwrap_or_default(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim_name(set, template, ordinal),
            read_only: None,
        }),
        ..Volume::default()
    };
    let mut volumes: Vec<Volume> = templates(set).iter().map(own).collect();
    let before = pod.spec.get_or_insert_default().volumes.take().unwrap_or_default();
    let others =
        before.into_iter().filter(|volume| volumes.iter().all(|own| own.name != volume.name));
    let others: Vec<Volume> = others.collect();
    volumes.extend(others);
    pod.spec.get_or_insert_default().volumes = Some(volumes);
}

/// A pod that does not exist yet: it has no phase. Upstream: newStatefulSetPod.
pub(super) fn new_pod(
    set: &StatefulSet,
    template: &PodTemplateSpec,
    revision: &str,
    ordinal: i32,
) -> Pod {
    let namespace = set.metadata.namespace.as_deref().unwrap_or_default();
    let mut pod = pod_of(template, &new_controller_ref(set), namespace);
    let name = format!("{}-{ordinal}", name_of(set));
    pod.metadata.name = Some(name.clone());
    update_identity(&mut pod);
    let spec = pod.spec.get_or_insert_default();
    spec.hostname = Some(name);
    spec.subdomain.clone_from(&set.spec.service_name);
    update_storage(set, &mut pod);
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(LABEL_REVISION.to_string(), revision.to_string());
    pod
}

/// The name of the revision that the pod is of.
pub(super) fn revision_of(pod: &Pod) -> &str {
    let labels = pod.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(LABEL_REVISION)).map_or("", String::as_str)
}

pub(super) fn is_created(pod: &Pod) -> bool {
    !phase(pod).is_empty()
}

pub(super) fn is_terminating(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

pub(super) fn is_running_and_ready(pod: &Pod) -> bool {
    phase(pod) == "Running" && is_pod_ready(pod)
}

/// Whether the pod is ready for as long as the set asks for.
pub(super) fn is_available(set: &StatefulSet, pod: &Pod, now: Timestamp) -> bool {
    is_pod_available(pod, set.spec.min_ready_seconds.unwrap_or(0), now)
}
