//! PodDisruptionBudgets.
//!
//! Upstream: pkg/apis/policy/validation/validation.go

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};

use super::apps::{percent_value, positive_int_or_percent};
use super::{json, meta, names, non_negative, supported};
use crate::field::{Error, ErrorList, Path};

/// Upstream: ValidatePodDisruptionBudget. The name may be anything that a path may hold.
pub(crate) fn pod_disruption_budget(budget: &PodDisruptionBudget) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&budget.metadata, true, names::path_segment, &mut errors);
    if let Some(own) = &budget.spec {
        spec(own, &Path::new("spec"), &mut errors);
    }
    errors
}

/// Upstream: the strategy's ValidateUpdate.
pub(crate) fn pod_disruption_budget_update(
    new: &PodDisruptionBudget,
    old: &PodDisruptionBudget,
) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    if let Some(own) = &new.spec {
        spec(own, &Path::new("spec"), &mut errors);
    }
    errors
}

/// Upstream: ValidatePodDisruptionBudgetSpec.
fn spec(spec: &PodDisruptionBudgetSpec, path: &Path, errors: &mut ErrorList) {
    if spec.min_available.is_some() && spec.max_unavailable.is_some() {
        let message = "minAvailable and maxUnavailable cannot be both set";
        errors.push(Error::invalid(path, json(spec), message));
    }
    for (name, value) in
        [("minAvailable", &spec.min_available), ("maxUnavailable", &spec.max_unavailable)]
    {
        let Some(value) = value else { continue };
        let path = path.child(name);
        positive_int_or_percent(value, &path, errors);
        if percent_value(value).is_some_and(|percent| percent > 100) {
            errors.push(Error::invalid(&path, json(value), "must not be greater than 100%"));
        }
    }
    if let Some(selector) = &spec.selector {
        meta::label_selector(selector, &path.child("selector"), errors);
    }
    if let Some(policy) = &spec.unhealthy_pod_eviction_policy {
        let known = ["AlwaysAllow", "IfHealthyBudget"];
        supported(policy, &known, &path.child("unhealthyPodEvictionPolicy"), errors);
    }
}

/// Upstream: ValidatePodDisruptionBudgetStatusUpdate.
pub(crate) fn pod_disruption_budget_status_update(
    new: &PodDisruptionBudget,
    old: &PodDisruptionBudget,
) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let Some(status) = &new.status else { return errors };
    let path = Path::new("status");
    for (name, count) in [
        ("disruptionsAllowed", status.disruptions_allowed),
        ("currentHealthy", status.current_healthy),
        ("desiredHealthy", status.desired_healthy),
        ("expectedPods", status.expected_pods),
    ] {
        non_negative(i64::from(count.unwrap_or_default()), &path.child(name), &mut errors);
    }
    errors
}
