//! Secrets: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use crate::{Cell, Scope, Strategy};

/// The strategy of Secrets.
pub struct Secrets;

impl Strategy for Secrets {
    type Object = Secret;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "secret";
    const SHORT_NAMES: &'static [&'static str] = &[];
    const CATEGORIES: &'static [&'static str] = &[];
    const SUBRESOURCES: &'static [&'static str] = &[];

    fn row(object: &Secret, _now: Timestamp) -> Vec<Cell> {
        vec![object.metadata.name.clone().unwrap_or_default().into()]
    }
}
