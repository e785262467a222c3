//! ServiceAccounts: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ObjectReference, ServiceAccount};

use super::printing;
use crate::field::ErrorList;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of ServiceAccounts. Upstream: pkg/registry/core/serviceaccount/strategy.go
pub struct ServiceAccounts;

const COLUMNS: &[Column] = &[Column::NAME, Column::string("Secrets"), Column::AGE];

impl Strategy for ServiceAccounts {
    type Object = ServiceAccount;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "serviceaccount";
    const SHORT_NAMES: &'static [&'static str] = &["sa"];
    const RETURNS_DELETED_OBJECT: bool = true;

    fn default(object: &mut ServiceAccount) {
        defaults::meta(&mut object.metadata);
    }

    fn prepare_for_create(object: &mut ServiceAccount) {
        clean_secret_references(object);
    }

    fn prepare_for_update(new: &mut ServiceAccount, _old: &ServiceAccount) {
        clean_secret_references(new);
    }

    fn validate(object: &ServiceAccount) -> ErrorList {
        validation::service_account(object)
    }

    fn validate_update(new: &ServiceAccount, old: &ServiceAccount) -> ErrorList {
        validation::service_account_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &ServiceAccount, now: Timestamp) -> Vec<Cell> {
        let count = object.secrets.as_ref().map_or(0, Vec::len);
        vec![
            printing::name(&object.metadata),
            Cell::Integer(i64::try_from(count).unwrap_or(i64::MAX)),
            printing::age(&object.metadata, now),
        ]
    }
}

/// A reference to a secret keeps nothing but the name.
fn clean_secret_references(object: &mut ServiceAccount) {
    for secret in object.secrets.iter_mut().flatten() {
        *secret = ObjectReference { name: secret.name.take(), ..ObjectReference::default() };
    }
}
