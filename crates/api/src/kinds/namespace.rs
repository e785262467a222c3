//! Namespaces: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;

use crate::{Cell, Scope, Strategy};

/// The strategy of Namespaces.
pub struct Namespaces;

impl Strategy for Namespaces {
    type Object = Namespace;
    const SCOPE: Scope = Scope::Cluster;
    const SINGULAR: &'static str = "namespace";
    const RETURNS_DELETED_OBJECT: bool = true;
    const SHORT_NAMES: &'static [&'static str] = &["ns"];
    const CATEGORIES: &'static [&'static str] = &[];
    const SUBRESOURCES: &'static [&'static str] = &["status", "finalize"];

    fn row(object: &Namespace, _now: Timestamp) -> Vec<Cell> {
        vec![object.metadata.name.clone().unwrap_or_default().into()]
    }
}
