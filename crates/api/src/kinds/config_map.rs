//! ConfigMaps: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use std::collections::BTreeMap;

use super::printing;
use crate::field::ErrorList;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of ConfigMaps. Upstream: pkg/registry/core/configmap/strategy.go
pub struct ConfigMaps;

const COLUMNS: &[Column] = &[Column::NAME, Column::string("Data"), Column::AGE];

impl Strategy for ConfigMaps {
    type Object = ConfigMap;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "configmap";
    const SHORT_NAMES: &'static [&'static str] = &["cm"];

    fn default(object: &mut ConfigMap) {
        defaults::meta(&mut object.metadata);
    }

    fn validate(object: &ConfigMap) -> ErrorList {
        validation::config_map(object)
    }

    fn validate_update(new: &ConfigMap, old: &ConfigMap) -> ErrorList {
        validation::config_map_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &ConfigMap, now: Timestamp) -> Vec<Cell> {
        let texts = object.data.as_ref().map_or(0, BTreeMap::len);
        let binaries = object.binary_data.as_ref().map_or(0, BTreeMap::len);
        vec![
            printing::name(&object.metadata),
            Cell::Integer(i64::try_from(texts + binaries).unwrap_or(i64::MAX)),
            printing::age(&object.metadata, now),
        ]
    }
}
