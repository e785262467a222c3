//! The status of pods: what a kubelet may write.

use k8s_openapi::api::core::v1::{
    ContainerStatus, Pod, PodCondition, PodResourceClaimStatus, PodSpec, PodStatus,
};
use sim::SmallSet;

use super::{
    dns_subdomain, immutable, invalid_each, json, list, meta, names, pod, qualified_name, text,
};
use crate::field::{Error, ErrorList, Path};

/// Upstream: ValidatePodStatusUpdate.
pub(crate) fn pod_status_update(new: &Pod, old: &Pod) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    pod::annotation_updates(new, old, &mut errors);
    let (no_status, no_spec) = (PodStatus::default(), PodSpec::default());
    let new_status = new.status.as_ref().unwrap_or(&no_status);
    let old_status = old.status.as_ref().unwrap_or(&no_status);
    let old_spec = old.spec.as_ref().unwrap_or(&no_spec);
    let conditions_path = Path::new("metadata").child("conditions");
    conditions(list(&new_status.conditions), &conditions_path, &mut errors);
    let path = Path::new("status");
    let nominated = text(&new_status.nominated_node_name);
    if nominated != text(&old_status.nominated_node_name) && !nominated.is_empty() {
        dns_subdomain(nominated, &path.child("nominatedNodeName"), &mut errors);
    }
    let (new_class, old_class) = (text(&new_status.qos_class), text(&old_status.qos_class));
    immutable(&new_class, &old_class, &path.child("qosClass"), &mut errors);
    state_transitions(new_status, old_status, old_spec, &path, &mut errors);
    let claims = list(&new_status.resource_claim_statuses);
    claim_statuses(claims, old_spec, &path.child("resourceClaimStatuses"), &mut errors);
    let pod_ips: Vec<&str> = list(&new_status.pod_ips).iter().map(|it| it.ip.as_str()).collect();
    let shown = || json(&new_status.pod_ips);
    addresses(&pod_ips, shown, &path.child("podIPs"), &mut errors);
    let host_ips: Vec<&str> = list(&new_status.host_ips).iter().map(|it| it.ip.as_str()).collect();
    let host_ips_path = path.child("hostIPs");
    if let Some(first) = host_ips.first().filter(|first| **first != text(&new_status.host_ip)) {
        let path = host_ips_path.index(0).child("ip");
        errors.push(Error::invalid(&path, *first, "must be equal to `hostIP`"));
    }
    addresses(&host_ips, || json(&new_status.host_ips), &host_ips_path, &mut errors);
    errors
}

/// Upstream: validatePodConditions.
fn conditions(conditions: &[PodCondition], path: &Path, errors: &mut ErrorList) {
    for (index, condition) in conditions.iter().enumerate() {
        if !matches!(condition.type_.as_str(), "PodScheduled" | "Ready" | "Initialized") {
            qualified_name(&condition.type_, &path.index(index).child("Type"), errors);
        }
    }
}

/// A container that ended for good stays ended.
/// Upstream: ValidateContainerStateTransition and ValidateInitContainerStateTransition.
fn state_transitions(
    new: &PodStatus,
    old: &PodStatus,
    spec: &PodSpec,
    path: &Path,
    errors: &mut ErrorList,
) {
    let pod_policy = text(&spec.restart_policy);
    for (name, new, old, policy) in [
        ("containerStatuses", &new.container_statuses, &old.container_statuses, pod_policy),
        (
            "initContainerStatuses",
            &new.init_container_statuses,
            &old.init_container_statuses,
            pod_policy,
        ),
        (
            "ephemeralContainerStatuses",
            &new.ephemeral_container_statuses,
            &old.ephemeral_container_statuses,
            "Never",
        ),
    ] {
        let path = path.child(name);
        if policy == "Always" {
            continue;
        }
        for (index, old) in list(old).iter().enumerate() {
            let Some(exit_code) = exit_code(old) else { continue };
            let may_restart = exit_code != 0 && policy == "OnFailure";
            if may_restart || restarts_by_its_own_policy(&old.name, spec) {
                continue;
            }
            let same = list(new).iter().filter(|new| new.name == old.name);
            for _ in same.filter(|new| self::exit_code(new).is_none()) {
                let path = path.index(index).child("state");
                let message = "may not be transitioned to non-terminated state";
                errors.push(Error::forbidden(&path, message));
            }
        }
    }
}

fn exit_code(status: &ContainerStatus) -> Option<i32> {
    let state = status.state.as_ref()?;
    state.terminated.as_ref().map(|terminated| terminated.exit_code)
}

fn restarts_by_its_own_policy(name: &str, spec: &PodSpec) -> bool {
    let mut containers = spec.containers.iter().chain(list(&spec.init_containers));
    let container = containers.find(|container| container.name == name);
    container.is_some_and(|container| {
        container.restart_policy.as_deref().is_some_and(|policy| policy != "Never")
            || !list(&container.restart_policy_rules).is_empty()
    })
}

/// Upstream: validatePodResourceClaimStatuses.
fn claim_statuses(
    statuses: &[PodResourceClaimStatus],
    spec: &PodSpec,
    path: &Path,
    errors: &mut ErrorList,
) {
    let mut seen = SmallSet::new();
    for (index, status) in statuses.iter().enumerate() {
        let path = path.index(index).child("name");
        if !list(&spec.resource_claims).iter().any(|claim| claim.name == status.name) {
            let message = "must match the name of an entry in `spec.resourceClaims`";
            errors.push(Error::invalid(&path, status.name.as_str(), message));
        }
        if !seen.insert(&status.name) {
            errors.push(Error::duplicate(&path, status.name.as_str()));
        }
        if let Some(name) = &status.resource_claim_name {
            dns_subdomain(name, &path, errors);
        }
    }
}

/// Upstream: validatePodIPs and validateHostIPs.
fn addresses(
    ips: &[&str],
    shown: impl Fn() -> serde_json::Value,
    path: &Path,
    errors: &mut ErrorList,
) {
    for (index, ip) in ips.iter().enumerate() {
        invalid_each(names::ip(ip), &path.index(index), ip, errors);
    }
    if ips.len() < 2 {
        return;
    }
    let v6 = ips.iter().filter(|ip| ip.contains(':')).count();
    if ips.len() > 2 || v6 != 1 {
        let message = "may specify no more than one IP for each IP family";
        errors.push(Error::invalid(path, shown(), message));
    }
    let mut seen = SmallSet::new();
    for (index, ip) in ips.iter().enumerate() {
        if !seen.insert(*ip) {
            let value = serde_json::json!({ "ip": ip });
            errors.push(Error::duplicate(&path.index(index), value));
        }
    }
}
