//! The priority classes that every cluster has.
//!
//! Upstream: pkg/apis/scheduling/v1/helpers.go

use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// The policy of a pod whose class says nothing else.
pub const PREEMPT_LOWER_PRIORITY: &str = "PreemptLowerPriority";

/// Name, value and description of the classes that every cluster has.
pub const SYSTEM_PRIORITY_CLASSES: [(&str, i32, &str); 2] = [
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another \
         node if necessary.",
    ),
];

/// Whether every cluster has a class of that name.
#[must_use]
pub fn is_system_class(name: &str) -> bool {
    SYSTEM_PRIORITY_CLASSES.iter().any(|(known, _, _)| *known == name)
}

/// The classes that every cluster has.
#[must_use]
pub fn system_classes() -> Vec<PriorityClass> {
    let class = |(name, value, description): (&str, i32, &str)| PriorityClass {
        metadata: ObjectMeta { name: Some(name.to_string()), ..ObjectMeta::default() },
        value: Some(value),
        description: Some(description.to_string()),
        preemption_policy: Some(PREEMPT_LOWER_PRIORITY.to_string()),
        ..PriorityClass::default()
    };
    SYSTEM_PRIORITY_CLASSES.into_iter().map(class).collect()
}
