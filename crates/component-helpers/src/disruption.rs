//! What a PodDisruptionBudget's status says of what it allows.
//!
//! Upstream: pkg/apis/policy/helper/helpers.go and
//! staging/src/k8s.io/component-helpers/apps/poddisruptionbudget/helpers.go

use api::openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use api::openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Whether one more pod may go.
const DISRUPTION_ALLOWED: &str = "DisruptionAllowed";

/// The condition that says whether one more pod may go.
#[must_use]
pub fn allowed_condition(status: &PodDisruptionBudgetStatus) -> Option<&Condition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == DISRUPTION_ALLOWED)
}

/// What the condition says when so many pods may go.
#[must_use]
pub fn wanted_condition(allowed: i32) -> (&'static str, &'static str) {
    if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") }
}

/// Sets the condition; the time of its transition is `now`, unless it stays what it was.
/// Upstream: meta.SetStatusCondition.
pub fn set_condition(
    budget: &mut PodDisruptionBudget,
    (holds, reason, message): (&str, &str, &str),
    now: &Time,
) {
    let status = budget.status.get_or_insert_default();
    let observed_generation = status.observed_generation;
    let conditions = status.conditions.get_or_insert_default();
    let known = conditions.iter_mut().find(|known| known.type_ == DISRUPTION_ALLOWED);
    let same = known.as_ref().filter(|known| known.status == holds);
    let last_transition_time =
        same.map_or_else(|| now.clone(), |known| known.last_transition_time.clone());
    let condition = Condition {
        type_: DISRUPTION_ALLOWED.to_string(),
        status: holds.to_string(),
        reason: reason.to_string(),
        message: message.to_string(),
        observed_generation,
        last_transition_time,
    };
    match known {
        Some(known) => *known = condition,
        None => conditions.push(condition),
    }
}

/// Upstream: UpdateDisruptionAllowedCondition.
pub fn update_allowed_condition(budget: &mut PodDisruptionBudget, now: &Time) {
    let status = budget.status.as_ref();
    let allowed = status.and_then(|status| status.disruptions_allowed).unwrap_or(0);
    let (holds, reason) = wanted_condition(allowed);
    set_condition(budget, (holds, reason, ""), now);
}
