//! DaemonSets and ControllerRevisions.
//!
//! Upstream: pkg/apis/apps/validation/validation.go

use k8s_openapi::api::apps::v1::{
    ControllerRevision, DaemonSet, DaemonSetSpec, DaemonSetStatus, DaemonSetUpdateStrategy,
    RollingUpdateDaemonSet,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json as json_value;

use super::apps::{int_or_percent_value, long_running_template, percent_value};
use super::{apps, immutable, json, meta, names, non_negative, text};
use crate::field::{Error, ErrorList, Path};
use crate::labels::Selector;

/// Upstream: ValidateDaemonSet.
pub(crate) fn daemon_set(daemon_set: &DaemonSet) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&daemon_set.metadata, true, names::dns_subdomain, &mut errors);
    daemon_set_spec(&daemon_set.spec, &Path::new("spec"), &mut errors);
    errors
}

/// Upstream: ValidateDaemonSetUpdate and the strategy's ValidateUpdate.
pub(crate) fn daemon_set_update(new: &DaemonSet, old: &DaemonSet) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let path = Path::new("spec");
    daemon_set_spec(&new.spec, &path, &mut errors);
    immutable(&new.spec.selector, &old.spec.selector, &path.child("selector"), &mut errors);
    errors
}

/// Upstream: ValidateDaemonSetStatusUpdate.
pub(crate) fn daemon_set_status_update(new: &DaemonSet, old: &DaemonSet) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let none = DaemonSetStatus::default();
    let status = new.status.as_ref().unwrap_or(&none);
    let path = Path::new("status");
    let count = |count: Option<i32>| i64::from(count.unwrap_or_default());
    for (name, count) in [
        ("currentNumberScheduled", i64::from(status.current_number_scheduled)),
        ("numberMisscheduled", i64::from(status.number_misscheduled)),
        ("desiredNumberScheduled", i64::from(status.desired_number_scheduled)),
        ("numberReady", i64::from(status.number_ready)),
        ("observedGeneration", status.observed_generation.unwrap_or_default()),
        ("updatedNumberScheduled", count(status.updated_number_scheduled)),
        ("numberAvailable", count(status.number_available)),
        ("numberUnavailable", count(status.number_unavailable)),
        ("collisionCount", count(status.collision_count)),
    ] {
        non_negative(count, &path.child(name), &mut errors);
    }
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

/// Upstream: ValidateDaemonSetSpec.
fn daemon_set_spec(spec: &DaemonSetSpec, path: &Path, errors: &mut ErrorList) {
    let selector_path = path.child("selector");
    meta::label_selector(&spec.selector, &selector_path, errors);
    // A selector without requirements cannot be told from one that is not set, which selects
    // nothing.
    let is_set = spec.selector != LabelSelector::default();
    let template_path = path.child("template");
    let labels = spec.template.metadata.as_ref().and_then(|meta| meta.labels.clone());
    let selector = Selector::from_label_selector(is_set.then_some(&spec.selector));
    if selector.is_ok_and(|it| !it.matches(&labels.clone().unwrap_or_default())) {
        let path = template_path.child("metadata").child("labels");
        let message = "`selector` does not match template `labels`";
        errors.push(Error::invalid(&path, json(&labels), message));
    }
    long_running_template(&spec.template, "DaemonSet", &template_path, errors);
    let min_ready = spec.min_ready_seconds.unwrap_or_default();
    non_negative(i64::from(min_ready), &path.child("minReadySeconds"), errors);
    if let Some(strategy) = &spec.update_strategy {
        update_strategy(strategy, &path.child("updateStrategy"), errors);
    }
    if let Some(limit) = spec.revision_history_limit {
        non_negative(i64::from(limit), &path.child("revisionHistoryLimit"), errors);
    }
}

/// Upstream: ValidateDaemonSetUpdateStrategy.
fn update_strategy(strategy: &DaemonSetUpdateStrategy, path: &Path, errors: &mut ErrorList) {
    let rolling_path = path.child("rollingUpdate");
    match (text(&strategy.type_), &strategy.rolling_update) {
        ("OnDelete", _) => {}
        ("RollingUpdate", None) => errors.push(Error::required(&rolling_path, "")),
        ("RollingUpdate", Some(rolling)) => rolling_update(rolling, &rolling_path, errors),
        (other, rolling) => {
            let mut error = Error::not_supported(path, other, &["RollingUpdate", "OnDelete"]);
            error.bad_value = json_value!({ "Type": other, "RollingUpdate": rolling });
            errors.push(error);
        }
    }
}

/// Upstream: ValidateRollingUpdateDaemonSet.
fn rolling_update(rolling: &RollingUpdateDaemonSet, path: &Path, errors: &mut ErrorList) {
    let zero = IntOrString::Int(0);
    let unavailable = rolling.max_unavailable.as_ref().unwrap_or(&zero);
    let surge = rolling.max_surge.as_ref().unwrap_or(&zero);
    let (unavailable_path, surge_path) = (path.child("maxUnavailable"), path.child("maxSurge"));
    for (value, path) in [(unavailable, &unavailable_path), (surge, &surge_path)] {
        apps::positive_int_or_percent(value, path, errors);
    }
    for (value, path) in [(unavailable, &unavailable_path), (surge, &surge_path)] {
        if percent_value(value).is_some_and(|percent| percent > 100) {
            errors.push(Error::invalid(path, json(value), "must not be greater than 100%"));
        }
    }
    match (int_or_percent_value(unavailable) != 0, int_or_percent_value(surge) != 0) {
        (true, true) => {
            let message = "may not be set when maxUnavailable is non-zero";
            errors.push(Error::invalid(&surge_path, json(surge), message));
        }
        (false, false) => {
            errors.push(Error::required(&unavailable_path, "cannot be 0 when maxSurge is 0"));
        }
        _ => {}
    }
}

/// Upstream: ValidateControllerRevisionCreate.
pub(crate) fn controller_revision(revision: &ControllerRevision) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&revision.metadata, true, names::dns_subdomain, &mut errors);
    if revision.data.0.is_null() {
        errors.push(Error::required(&Path::new("data"), "data is mandatory"));
    }
    let number = revision.revision.unwrap_or_default();
    non_negative(number, &Path::new("revision"), &mut errors);
    errors
}

/// Upstream: ValidateControllerRevisionUpdate.
pub(crate) fn controller_revision_update(
    new: &ControllerRevision,
    old: &ControllerRevision,
) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    errors.extend(controller_revision(new));
    immutable(&new.data, &old.data, &Path::new("data"), &mut errors);
    errors
}
