//! ServiceAccounts: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ServiceAccount;

use crate::{Cell, Scope, Strategy};

/// The strategy of ServiceAccounts.
pub struct ServiceAccounts;

impl Strategy for ServiceAccounts {
    type Object = ServiceAccount;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "serviceaccount";
    const RETURNS_DELETED_OBJECT: bool = true;
    const SHORT_NAMES: &'static [&'static str] = &["sa"];
    const CATEGORIES: &'static [&'static str] = &[];
    const SUBRESOURCES: &'static [&'static str] = &[];

    fn row(object: &ServiceAccount, _now: Timestamp) -> Vec<Cell> {
        vec![object.metadata.name.clone().unwrap_or_default().into()]
    }
}
