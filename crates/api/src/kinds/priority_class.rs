//! PriorityClasses: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::scheduling::v1::PriorityClass;

use super::printing;
use crate::field::ErrorList;
use crate::priority::PREEMPT_LOWER_PRIORITY;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of PriorityClasses. Upstream: pkg/registry/scheduling/priorityclass/strategy.go
pub struct PriorityClasses;

const COLUMNS: &[Column] = &[
    Column::NAME,
    Column::integer("Value"),
    Column { column_type: "boolean", ..Column::string("Global-Default") },
    Column::AGE,
    Column::string("PreemptionPolicy"),
];

impl Strategy for PriorityClasses {
    type Object = PriorityClass;
    const SCOPE: Scope = Scope::Cluster;
    const SINGULAR: &'static str = "priorityclass";
    const SHORT_NAMES: &'static [&'static str] = &["pc"];
    const HAS_GENERATION: bool = true;

    /// Upstream: SetDefaults_PriorityClass in pkg/apis/scheduling/v1/defaults.go
    fn default(object: &mut PriorityClass) {
        defaults::meta(&mut object.metadata);
        object.value.get_or_insert_default();
        object.global_default.take_if(|is_default| !*is_default);
        object.preemption_policy.get_or_insert_with(|| PREEMPT_LOWER_PRIORITY.to_string());
    }

    fn validate(object: &PriorityClass) -> ErrorList {
        validation::priority_class(object)
    }

    fn validate_update(new: &PriorityClass, old: &PriorityClass) -> ErrorList {
        validation::priority_class_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &PriorityClass, now: Timestamp) -> Vec<Cell> {
        vec![
            printing::name(&object.metadata),
            object.value.unwrap_or_default().into(),
            object.global_default.unwrap_or(false).to_string().into(),
            printing::age(&object.metadata, now),
            object.preemption_policy.clone().unwrap_or_default().into(),
        ]
    }
}
