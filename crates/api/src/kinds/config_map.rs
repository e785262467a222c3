//! ConfigMaps: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;

use crate::{Cell, Scope, Strategy};

/// The strategy of ConfigMaps.
pub struct ConfigMaps;

impl Strategy for ConfigMaps {
    type Object = ConfigMap;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "configmap";
    const SHORT_NAMES: &'static [&'static str] = &["cm"];
    const CATEGORIES: &'static [&'static str] = &[];
    const SUBRESOURCES: &'static [&'static str] = &[];

    fn row(object: &ConfigMap, _now: Timestamp) -> Vec<Cell> {
        vec![object.metadata.name.clone().unwrap_or_default().into()]
    }
}
