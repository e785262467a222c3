//! ReplicaSets: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;

use crate::{Cell, Scope, Strategy};

/// The strategy of ReplicaSets.
pub struct ReplicaSets;

impl Strategy for ReplicaSets {
    type Object = ReplicaSet;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "replicaset";
    const SHORT_NAMES: &'static [&'static str] = &["rs"];
    const CATEGORIES: &'static [&'static str] = &["all"];
    const SUBRESOURCES: &'static [&'static str] = &["status", "scale"];

    fn row(object: &ReplicaSet, _now: Timestamp) -> Vec<Cell> {
        vec![object.metadata.name.clone().unwrap_or_default().into()]
    }
}
