//! PodDisruptionBudgets: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::printing;
use crate::field::ErrorList;
use crate::kind::keep;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of PodDisruptionBudgets.
/// Upstream: pkg/registry/policy/poddisruptionbudget/strategy.go
pub struct PodDisruptionBudgets;

const COLUMNS: &[Column] = &[
    Column::NAME,
    Column::string("Min Available"),
    Column::string("Max Unavailable"),
    Column::integer("Allowed Disruptions"),
    Column::AGE,
];

impl Strategy for PodDisruptionBudgets {
    type Object = PodDisruptionBudget;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "poddisruptionbudget";
    const SHORT_NAMES: &'static [&'static str] = &["pdb"];
    const SUBRESOURCES: &'static [&'static str] = &["status"];
    const HAS_GENERATION: bool = true;
    const ALLOWS_UNCONDITIONAL_UPDATE: bool = false;

    fn default(object: &mut PodDisruptionBudget) {
        defaults::pod_disruption_budget(object);
    }

    fn prepare_for_create(object: &mut PodDisruptionBudget) {
        // These are written even when they are zero.
        object.status = Some(PodDisruptionBudgetStatus {
            disruptions_allowed: Some(0),
            current_healthy: Some(0),
            desired_healthy: Some(0),
            expected_pods: Some(0),
            ..PodDisruptionBudgetStatus::default()
        });
    }

    fn prepare_for_update(new: &mut PodDisruptionBudget, old: &PodDisruptionBudget) {
        keep(&mut new.status, &old.status);
    }

    fn prepare_for_status_update(new: &mut PodDisruptionBudget, old: &PodDisruptionBudget) {
        keep(&mut new.spec, &old.spec);
    }

    fn spec_changed(new: &PodDisruptionBudget, old: &PodDisruptionBudget) -> bool {
        new.spec != old.spec
    }

    fn validate(object: &PodDisruptionBudget) -> ErrorList {
        validation::pod_disruption_budget(object)
    }

    fn validate_update(new: &PodDisruptionBudget, old: &PodDisruptionBudget) -> ErrorList {
        validation::pod_disruption_budget_update(new, old)
    }

    fn validate_status_update(new: &PodDisruptionBudget, old: &PodDisruptionBudget) -> ErrorList {
        validation::pod_disruption_budget_status_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &PodDisruptionBudget, now: Timestamp) -> Vec<Cell> {
        let spec = object.spec.clone().unwrap_or_default();
        let allowed = object.status.as_ref().and_then(|status| status.disruptions_allowed);
        vec![
            printing::name(&object.metadata),
            number(spec.min_available).into(),
            number(spec.max_unavailable).into(),
            allowed.unwrap_or_default().into(),
            printing::age(&object.metadata, now),
        ]
    }
}

fn number(value: Option<IntOrString>) -> String {
    match value {
        None => "N/A".to_string(),
        Some(IntOrString::Int(number)) => number.to_string(),
        Some(IntOrString::String(text)) => text,
    }
}
