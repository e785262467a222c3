//! Pods: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use crate::{Cell, Scope, Strategy};

/// The strategy of Pods.
pub struct Pods;

impl Strategy for Pods {
    type Object = Pod;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "pod";
    const RETURNS_DELETED_OBJECT: bool = true;
    const SHORT_NAMES: &'static [&'static str] = &["po"];
    const CATEGORIES: &'static [&'static str] = &["all"];
    const SUBRESOURCES: &'static [&'static str] = &["status", "binding", "log"];

    fn row(object: &Pod, _now: Timestamp) -> Vec<Cell> {
        vec![object.metadata.name.clone().unwrap_or_default().into()]
    }
}
