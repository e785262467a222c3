//! StorageClasses: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::storage::v1::StorageClass;

use super::printing;
use crate::field::ErrorList;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of StorageClasses. Upstream: pkg/registry/storage/storageclass/strategy.go
pub struct StorageClasses;

const COLUMNS: &[Column] = &[
    Column::NAME,
    Column::string("Provisioner"),
    Column::string("ReclaimPolicy"),
    Column::string("VolumeBindingMode"),
    Column::string("AllowVolumeExpansion"),
    Column::AGE,
];

/// The annotations that make a class the default; the second is that of old.
/// Upstream: pkg/apis/storage/util/helpers.go
const DEFAULT_ANNOTATIONS: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

impl Strategy for StorageClasses {
    type Object = StorageClass;
    const SCOPE: Scope = Scope::Cluster;
    const SINGULAR: &'static str = "storageclass";
    const SHORT_NAMES: &'static [&'static str] = &["sc"];

    fn default(object: &mut StorageClass) {
        defaults::storage_class(object);
    }

    fn validate(object: &StorageClass) -> ErrorList {
        validation::storage_class(object)
    }

    fn validate_update(new: &StorageClass, old: &StorageClass) -> ErrorList {
        validation::storage_class_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &StorageClass, now: Timestamp) -> Vec<Cell> {
        let name = object.metadata.name.clone().unwrap_or_default();
        let annotations = object.metadata.annotations.as_ref();
        let is_true = |key: &&str| {
            annotations.and_then(|all| all.get(*key)).is_some_and(|value| value == "true")
        };
        let is_default = DEFAULT_ANNOTATIONS.iter().any(is_true);
        let expands = object.allow_volume_expansion.unwrap_or(false);
        vec![
            if is_default { format!("{name} (default)") } else { name }.into(),
            object.provisioner.clone().into(),
            object.reclaim_policy.clone().unwrap_or_default().into(),
            object.volume_binding_mode.clone().unwrap_or_default().into(),
            expands.to_string().into(),
            printing::age(&object.metadata, now),
        ]
    }
}
