//! Pods: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodStatus};

use crate::field::ErrorList;
use crate::kind::keep;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

mod columns;
mod prepare;
pub(crate) mod qos;

/// The strategy of Pods. Upstream: pkg/registry/core/pod/strategy.go
pub struct Pods;

impl Strategy for Pods {
    type Object = Pod;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "pod";
    const SHORT_NAMES: &'static [&'static str] = &["po"];
    const CATEGORIES: &'static [&'static str] = &["all"];
    const SUBRESOURCES: &'static [&'static str] = &["status", "binding", "eviction", "log"];
    const HAS_GENERATION: bool = true;
    const RETURNS_DELETED_OBJECT: bool = true;
    const SELECTABLE_FIELDS: &'static [&'static str] = &[
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ];

    /// Upstream: CheckGracefulDelete.
    fn default_grace_period_seconds(object: &Pod) -> Option<i64> {
        let spec = object.spec.as_ref();
        let is_scheduled = spec
            .and_then(|spec| spec.node_name.as_deref())
            .is_some_and(|node_name| !node_name.is_empty());
        let phase = object.status.as_ref().and_then(|status| status.phase.as_deref());
        if !is_scheduled || matches!(phase, Some("Succeeded" | "Failed")) {
            return Some(0);
        }
        let period = spec.and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(0);
        Some(if period < 0 { 1 } else { period })
    }

    fn default(object: &mut Pod) {
        defaults::pod(object);
    }

    fn prepare_for_create(object: &mut Pod) {
        object.status = Some(PodStatus {
            phase: Some("Pending".to_string()),
            qos_class: Some(qos::class(object).to_string()),
            ..PodStatus::default()
        });
        object.spec.iter_mut().for_each(super::disabled::pod_spec);
        prepare::apply_scheduling_gated_condition(object);
        prepare::merge_label_keys(object);
        prepare::apply_app_armor_annotations(object);
    }

    fn prepare_for_update(new: &mut Pod, old: &Pod) {
        keep(&mut new.status, &old.status);
        new.spec.iter_mut().for_each(super::disabled::pod_spec);
    }

    fn prepare_for_status_update(new: &mut Pod, old: &Pod) {
        keep(&mut new.spec, &old.spec);
        new.metadata.deletion_timestamp.clone_from(&old.metadata.deletion_timestamp);
        // Kubelets may not touch owners: garbage collection depends on them.
        new.metadata.owner_references.clone_from(&old.metadata.owner_references);
        prepare::keep_quality_of_service(new, old);
        prepare::keep_observed_generations(new, old);
    }

    fn spec_changed(new: &Pod, old: &Pod) -> bool {
        new.spec != old.spec
    }

    fn validate(object: &Pod) -> ErrorList {
        validation::pod_create(object)
    }

    fn validate_update(new: &Pod, old: &Pod) -> ErrorList {
        validation::pod_update(new, old)
    }

    fn validate_status_update(new: &Pod, old: &Pod) -> ErrorList {
        validation::pod_status_update(new, old)
    }

    fn columns() -> &'static [Column] {
        columns::COLUMNS
    }

    fn row(object: &Pod, now: Timestamp) -> Vec<Cell> {
        columns::row(object, now)
    }

    /// Upstream: ToSelectableFields.
    fn selectable_field(object: &Pod, field: &str) -> Option<String> {
        let spec = object.spec.as_ref();
        let status = object.status.as_ref();
        let value = match field {
            "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()),
            "spec.restartPolicy" => spec.and_then(|spec| spec.restart_policy.clone()),
            "spec.schedulerName" => spec.and_then(|spec| spec.scheduler_name.clone()),
            "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.clone()),
            "spec.hostNetwork" => {
                let host_network = spec.and_then(|spec| spec.host_network).unwrap_or(false);
                Some(host_network.to_string())
            }
            "status.phase" => status.and_then(|status| status.phase.clone()),
            "status.podIP" => status.and_then(pod_ip).map(str::to_string),
            "status.nominatedNodeName" => {
                status.and_then(|status| status.nominated_node_name.clone())
            }
            _ => return None,
        };
        Some(value.unwrap_or_default())
    }
}

/// The first of the pod's addresses.
fn pod_ip(status: &PodStatus) -> Option<&str> {
    let first = status.pod_ips.as_ref().and_then(|addresses| addresses.first());
    first.map(|address| address.ip.as_str()).or(status.pod_ip.as_deref())
}

#[cfg(test)]
mod tests;
