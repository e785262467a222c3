//! ResourceQuotas: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ResourceQuota, ResourceQuotaStatus};

use super::printing;
use crate::field::ErrorList;
use crate::kind::keep;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of ResourceQuotas. Upstream: pkg/registry/core/resourcequota/strategy.go
pub struct ResourceQuotas;

const COLUMNS: &[Column] =
    &[Column::NAME, Column::string("Request"), Column::string("Limit"), Column::AGE];

impl Strategy for ResourceQuotas {
    type Object = ResourceQuota;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "resourcequota";
    const SHORT_NAMES: &'static [&'static str] = &["quota"];
    const SUBRESOURCES: &'static [&'static str] = &["status"];
    const RETURNS_DELETED_OBJECT: bool = true;

    fn default(object: &mut ResourceQuota) {
        defaults::resource_quota(object);
    }

    fn prepare_for_create(object: &mut ResourceQuota) {
        object.status = Some(ResourceQuotaStatus::default());
    }

    fn prepare_for_update(new: &mut ResourceQuota, old: &ResourceQuota) {
        keep(&mut new.status, &old.status);
    }

    fn prepare_for_status_update(new: &mut ResourceQuota, old: &ResourceQuota) {
        keep(&mut new.spec, &old.spec);
    }

    fn validate(object: &ResourceQuota) -> ErrorList {
        validation::resource_quota(object)
    }

    fn validate_update(new: &ResourceQuota, old: &ResourceQuota) -> ErrorList {
        validation::resource_quota_update(new, old)
    }

    fn validate_status_update(new: &ResourceQuota, old: &ResourceQuota) -> ErrorList {
        validation::resource_quota_status_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &ResourceQuota, now: Timestamp) -> Vec<Cell> {
        let status = object.status.clone().unwrap_or_default();
        let used = status.used.unwrap_or_default();
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        for (name, hard) in status.hard.iter().flatten() {
            let used = used.get(name).map_or("0", |used| used.0.as_str());
            let cells = if name.starts_with("limits") { &mut limits } else { &mut requests };
            cells.push(format!("{name}: {used}/{}", hard.0));
        }
        vec![
            printing::name(&object.metadata),
            requests.join(", ").into(),
            limits.join(", ").into(),
            printing::age(&object.metadata, now),
        ]
    }
}
