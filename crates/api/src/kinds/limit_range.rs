//! LimitRanges: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::LimitRange;

use super::printing;
use crate::field::ErrorList;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of LimitRanges. Upstream: pkg/registry/core/limitrange/strategy.go
pub struct LimitRanges;

const COLUMNS: &[Column] = &[Column::NAME, Column::string("Created At")];

impl Strategy for LimitRanges {
    type Object = LimitRange;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "limitrange";
    const SHORT_NAMES: &'static [&'static str] = &["limits"];

    fn default(object: &mut LimitRange) {
        defaults::limit_range(object);
    }

    fn validate(object: &LimitRange) -> ErrorList {
        validation::limit_range(object)
    }

    fn validate_update(new: &LimitRange, old: &LimitRange) -> ErrorList {
        validation::limit_range_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &LimitRange, _: Timestamp) -> Vec<Cell> {
        let created = object.metadata.creation_timestamp.as_ref();
        let created = created.map_or_else(|| "<unknown>".to_string(), |time| time.0.to_string());
        vec![printing::name(&object.metadata), created.into()]
    }
}
