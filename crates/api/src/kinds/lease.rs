//! Leases: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;

use super::printing;
use crate::field::ErrorList;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of Leases. Upstream: pkg/registry/coordination/lease/strategy.go
pub struct Leases;

const COLUMNS: &[Column] = &[Column::NAME, Column::string("Holder"), Column::AGE];

impl Strategy for Leases {
    type Object = Lease;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "lease";
    const ALLOWS_UNCONDITIONAL_UPDATE: bool = false;

    fn default(object: &mut Lease) {
        defaults::meta(&mut object.metadata);
        object.spec.get_or_insert_default();
    }

    fn validate(object: &Lease) -> ErrorList {
        validation::lease(object)
    }

    fn validate_update(new: &Lease, old: &Lease) -> ErrorList {
        validation::lease_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &Lease, now: Timestamp) -> Vec<Cell> {
        let holder = object.spec.as_ref().and_then(|spec| spec.holder_identity.clone());
        vec![
            printing::name(&object.metadata),
            holder.unwrap_or_default().into(),
            printing::age(&object.metadata, now),
        ]
    }
}
