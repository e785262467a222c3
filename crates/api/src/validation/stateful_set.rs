//! StatefulSets.
//!
//! Upstream: pkg/apis/apps/validation/validation.go

use k8s_openapi::api::apps::v1::{
    RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetSpec, StatefulSetStatus,
    StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{PersistentVolumeClaimVolumeSource, PodTemplateSpec, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::json as json_value;

use super::apps::{
    int_or_percent_value, long_running_template, not_more_than_replicas, percent_value,
    positive_int_or_percent,
};
use super::{dns_label, json, list, meta, names, non_negative, supported, text};
use crate::field::{Error, ErrorList, Path};
use crate::labels::Selector;

/// Upstream: ValidateStatefulSet.
pub(crate) fn stateful_set(stateful_set: &StatefulSet) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&stateful_set.metadata, true, names::dns_label, &mut errors);
    let path = Path::new("spec");
    let service = text(&stateful_set.spec.service_name);
    if !service.is_empty() {
        dns_label(service, &path.child("serviceName"), &mut errors);
    }
    spec(&stateful_set.spec, true, &path, &mut errors);
    errors
}

/// Upstream: ValidateStatefulSetUpdate.
pub(crate) fn stateful_set_update(new: &StatefulSet, old: &StatefulSet) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let path = Path::new("spec");
    // A template that was stored while nobody looked at templates does not stand in the way.
    let mut old_errors = ErrorList::new();
    template(&old.spec, &path.child("template"), &mut old_errors);
    spec(&new.spec, old_errors.is_empty(), &path, &mut errors);
    let kept = StatefulSetSpec {
        replicas: old.spec.replicas,
        template: old.spec.template.clone(),
        update_strategy: old.spec.update_strategy.clone(),
        min_ready_seconds: old.spec.min_ready_seconds,
        ordinals: old.spec.ordinals.clone(),
        revision_history_limit: old.spec.revision_history_limit,
        persistent_volume_claim_retention_policy: old
            .spec
            .persistent_volume_claim_retention_policy
            .clone(),
        ..new.spec.clone()
    };
    if kept != old.spec {
        let message = "updates to statefulset spec for fields other than 'replicas', \
                       'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', \
                       'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        errors.push(Error::forbidden(&path, message));
    }
    errors
}

/// Upstream: ValidateStatefulSetSpec.
fn spec(spec: &StatefulSetSpec, with_template: bool, path: &Path, errors: &mut ErrorList) {
    let policy = text(&spec.pod_management_policy);
    if !matches!(policy, "OrderedReady" | "Parallel") {
        let message = "must be 'OrderedReady' or 'Parallel'";
        errors.push(Error::invalid(&path.child("podManagementPolicy"), policy, message));
    }
    if let Some(strategy) = &spec.update_strategy {
        update_strategy(strategy, &path.child("updateStrategy"), errors);
    }
    if let Some(retention) = &spec.persistent_volume_claim_retention_policy {
        let path = path.child("persistentVolumeClaimRetentionPolicy");
        let known = ["Retain", "Delete"];
        supported(text(&retention.when_deleted), &known, &path.child("whenDeleted"), errors);
        supported(text(&retention.when_scaled), &known, &path.child("whenScaled"), errors);
    }
    let start = spec.ordinals.as_ref().and_then(|ordinals| ordinals.start);
    for (name, number) in [
        ("replicas", spec.replicas),
        ("minReadySeconds", spec.min_ready_seconds),
        ("ordinals.start", start),
        ("revisionHistoryLimit", spec.revision_history_limit),
    ] {
        non_negative(i64::from(number.unwrap_or_default()), &path.child(name), errors);
    }
    let selector_path = path.child("selector");
    // A selector without requirements cannot be told from one that is not set.
    if spec.selector == LabelSelector::default() {
        errors.push(Error::required(&selector_path, ""));
    } else {
        meta::label_selector(&spec.selector, &selector_path, errors);
    }
    let template_path = path.child("template");
    match Selector::from_label_selector(Some(&spec.selector)) {
        Err(_) => errors.push(Error::invalid(&selector_path, json(&spec.selector), "")),
        Ok(selector) => {
            let labels = spec.template.metadata.as_ref().and_then(|meta| meta.labels.clone());
            let is_met = selector.matches(&labels.clone().unwrap_or_default());
            if !selector.is_everything() && !is_met {
                let path = template_path.child("metadata").child("labels");
                let message = "`selector` does not match template `labels`";
                errors.push(Error::invalid(&path, json(&labels), message));
            }
        }
    }
    if with_template {
        template(spec, &template_path, errors);
    }
}

/// The pods have the claims that are made for them as volumes.
fn template(spec: &StatefulSetSpec, path: &Path, errors: &mut ErrorList) {
    let claims = list(&spec.volume_claim_templates);
    if claims.is_empty() {
        long_running_template(&spec.template, "StatefulSet", path, errors);
        return;
    }
    let names: Vec<&str> = claims.iter().map(|claim| text(&claim.metadata.name)).collect();
    let mut completed: PodTemplateSpec = spec.template.clone();
    let volumes = completed.spec.get_or_insert_default().volumes.get_or_insert_default();
    volumes.retain(|volume| !names.contains(&volume.name.as_str()));
    volumes.extend(names.iter().map(|name| Volume {
        name: (*name).to_string(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: (*name).to_string(),
            read_only: None,
        }),
        ..Volume::default()
    }));
    long_running_template(&completed, "StatefulSet", path, errors);
}

fn update_strategy(strategy: &StatefulSetUpdateStrategy, path: &Path, errors: &mut ErrorList) {
    let rolling_path = path.child("rollingUpdate");
    match (text(&strategy.type_), &strategy.rolling_update) {
        ("OnDelete", Some(rolling)) => {
            let message = "only allowed for updateStrategy 'RollingUpdate'";
            errors.push(Error::invalid(&rolling_path, json(rolling), message));
        }
        ("RollingUpdate", Some(rolling)) => rolling_update(rolling, &rolling_path, errors),
        ("OnDelete" | "RollingUpdate", None) => {}
        (other, rolling) => {
            let value = json_value!({ "Type": other, "RollingUpdate": rolling });
            let message = "must be 'RollingUpdate' or 'OnDelete'";
            errors.push(Error::invalid(path, value, message));
        }
    }
}

/// Upstream: validateRollingUpdateStatefulSet.
fn rolling_update(rolling: &RollingUpdateStatefulSetStrategy, path: &Path, errors: &mut ErrorList) {
    let partition = i64::from(rolling.partition.unwrap_or_default());
    non_negative(partition, &path.child("partition"), errors);
    let Some(unavailable) = &rolling.max_unavailable else { return };
    let path = path.child("maxUnavailable");
    positive_int_or_percent(unavailable, &path, errors);
    if int_or_percent_value(unavailable) == 0 {
        let message = "cannot be 0";
        errors.push(Error::invalid(&path, json(unavailable), message));
    }
    if percent_value(unavailable).is_some_and(|percent| percent > 100) {
        errors.push(Error::invalid(&path, json(unavailable), "must not be greater than 100%"));
    }
}

/// Upstream: ValidateStatefulSetStatusUpdate.
pub(crate) fn stateful_set_status_update(new: &StatefulSet, old: &StatefulSet) -> ErrorList {
    let mut errors = ErrorList::new();
    let none = StatefulSetStatus::default();
    let status = new.status.as_ref().unwrap_or(&none);
    let path = Path::new("status");
    let ready = status.ready_replicas.unwrap_or_default();
    let current = status.current_replicas.unwrap_or_default();
    let updated = status.updated_replicas.unwrap_or_default();
    let available = status.available_replicas.unwrap_or_default();
    for (name, count) in [
        ("replicas", status.replicas),
        ("readyReplicas", ready),
        ("currentReplicas", current),
        ("updatedReplicas", updated),
        ("availableReplicas", available),
    ] {
        non_negative(i64::from(count), &path.child(name), &mut errors);
    }
    let observed = status.observed_generation.unwrap_or_default();
    non_negative(observed, &path.child("observedGeneration"), &mut errors);
    let collisions = status.collision_count.unwrap_or_default();
    non_negative(i64::from(collisions), &path.child("collisionCount"), &mut errors);
    let counts = [
        ("readyReplicas", ready),
        ("currentReplicas", current),
        ("updatedReplicas", updated),
        ("availableReplicas", available),
    ];
    not_more_than_replicas(&counts, status.replicas, &path, &mut errors);
    if available > ready {
        let message = "cannot be greater than status.readyReplicas";
        errors.push(Error::invalid(&path.child("availableReplicas"), available, message));
    }
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let old_count = old.status.as_ref().and_then(|status| status.collision_count);
    if old_count.is_some_and(|count| collisions < count) {
        let message = "cannot be decremented";
        errors.push(Error::invalid(&path.child("collisionCount"), collisions, message));
    }
    errors
}
