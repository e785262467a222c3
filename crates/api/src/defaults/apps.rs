//! Defaults of the kinds that keep pods running.
//!
//! Upstream: pkg/apis/apps/v1/defaults.go

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::pod_spec::pod_template;
use super::{omitted, storage, text};

/// Upstream: SetDefaults_Deployment.
pub(crate) fn deployment(deployment: &mut Deployment) {
    omitted::meta(&mut deployment.metadata);
    let spec = &mut deployment.spec;
    omitted::number(&mut spec.min_ready_seconds);
    omitted::flag(&mut spec.paused);
    omitted::label_selector(&mut spec.selector);
    spec.replicas.get_or_insert(1);
    let strategy = spec.strategy.get_or_insert_default();
    text(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let quarter = || IntOrString::String("25%".to_string());
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling.max_unavailable.get_or_insert_with(quarter);
        rolling.max_surge.get_or_insert_with(quarter);
    }
    spec.revision_history_limit.get_or_insert(10);
    spec.progress_deadline_seconds.get_or_insert(600);
    pod_template(&mut spec.template);
}

/// Upstream: SetDefaults_ReplicaSet.
pub(crate) fn replica_set(replica_set: &mut ReplicaSet) {
    omitted::meta(&mut replica_set.metadata);
    let spec = &mut replica_set.spec;
    omitted::number(&mut spec.min_ready_seconds);
    omitted::label_selector(&mut spec.selector);
    spec.replicas.get_or_insert(1);
    pod_template(spec.template.get_or_insert_default());
}

/// Upstream: SetDefaults_DaemonSet.
pub(crate) fn daemon_set(daemon_set: &mut DaemonSet) {
    omitted::meta(&mut daemon_set.metadata);
    let spec = &mut daemon_set.spec;
    omitted::number(&mut spec.min_ready_seconds);
    omitted::label_selector(&mut spec.selector);
    let strategy = spec.update_strategy.get_or_insert_default();
    text(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling.max_unavailable.get_or_insert(IntOrString::Int(1));
        rolling.max_surge.get_or_insert(IntOrString::Int(0));
    }
    spec.revision_history_limit.get_or_insert(10);
    pod_template(&mut spec.template);
}

/// Upstream: SetDefaults_StatefulSet.
pub(crate) fn stateful_set(stateful_set: &mut StatefulSet) {
    omitted::meta(&mut stateful_set.metadata);
    let spec = &mut stateful_set.spec;
    omitted::number(&mut spec.min_ready_seconds);
    omitted::label_selector(&mut spec.selector);
    omitted::list(&mut spec.volume_claim_templates);
    // These two are written even when they say nothing.
    spec.service_name.get_or_insert_default();
    if let Some(ordinals) = &mut spec.ordinals {
        ordinals.start.get_or_insert(0);
    }
    text(&mut spec.pod_management_policy, "OrderedReady");
    let strategy = spec.update_strategy.get_or_insert_default();
    if strategy.type_.as_deref().unwrap_or_default().is_empty() {
        strategy.type_ = Some("RollingUpdate".to_string());
        strategy.rolling_update.get_or_insert_default();
    }
    if strategy.type_.as_deref() == Some("RollingUpdate")
        && let Some(rolling) = &mut strategy.rolling_update
    {
        rolling.partition.get_or_insert(0);
        rolling.max_unavailable.get_or_insert(IntOrString::Int(1));
    }
    let retention = spec.persistent_volume_claim_retention_policy.get_or_insert_default();
    text(&mut retention.when_deleted, "Retain");
    text(&mut retention.when_scaled, "Retain");
    spec.replicas.get_or_insert(1);
    spec.revision_history_limit.get_or_insert(10);
    let claims = spec.volume_claim_templates.iter_mut().flatten();
    claims.for_each(storage::persistent_volume_claim);
    pod_template(&mut spec.template);
}
