//! Leases: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;

use crate::{Cell, Scope, Strategy};

/// The strategy of Leases.
pub struct Leases;

impl Strategy for Leases {
    type Object = Lease;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "lease";
    const ALLOWS_UNCONDITIONAL_UPDATE: bool = false;
    const SHORT_NAMES: &'static [&'static str] = &[];
    const CATEGORIES: &'static [&'static str] = &[];
    const SUBRESOURCES: &'static [&'static str] = &[];

    fn row(object: &Lease, _now: Timestamp) -> Vec<Cell> {
        vec![object.metadata.name.clone().unwrap_or_default().into()]
    }
}
