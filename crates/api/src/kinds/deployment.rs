//! Deployments: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;

use crate::{Cell, Scope, Strategy};

/// The strategy of Deployments.
pub struct Deployments;

impl Strategy for Deployments {
    type Object = Deployment;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "deployment";
    const SHORT_NAMES: &'static [&'static str] = &["deploy"];
    const CATEGORIES: &'static [&'static str] = &["all"];
    const SUBRESOURCES: &'static [&'static str] = &["status", "scale"];

    fn row(object: &Deployment, _now: Timestamp) -> Vec<Cell> {
        vec![object.metadata.name.clone().unwrap_or_default().into()]
    }
}
