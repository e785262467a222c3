//! PersistentVolumeClaims: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimStatus};

use super::printing;
use crate::field::ErrorList;
use crate::kind::keep;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of PersistentVolumeClaims.
/// Upstream: pkg/registry/core/persistentvolumeclaim/strategy.go
pub struct PersistentVolumeClaims;

const COLUMNS: &[Column] = &[
    Column::NAME,
    Column::string("Status"),
    Column::string("Volume"),
    Column::string("Capacity"),
    Column::string("Access Modes"),
    Column::string("StorageClass"),
    Column::string("VolumeAttributesClass"),
    Column::AGE,
    Column::string("VolumeMode").wide(),
];

impl Strategy for PersistentVolumeClaims {
    type Object = PersistentVolumeClaim;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "persistentvolumeclaim";
    const SHORT_NAMES: &'static [&'static str] = &["pvc"];
    const SUBRESOURCES: &'static [&'static str] = &["status"];
    const RETURNS_DELETED_OBJECT: bool = true;

    fn default(object: &mut PersistentVolumeClaim) {
        defaults::persistent_volume_claim(object);
    }

    fn prepare_for_create(object: &mut PersistentVolumeClaim) {
        let phase = Some("Pending".to_string());
        object.status = Some(PersistentVolumeClaimStatus { phase, ..Default::default() });
    }

    fn prepare_for_update(new: &mut PersistentVolumeClaim, old: &PersistentVolumeClaim) {
        keep(&mut new.status, &old.status);
    }

    fn prepare_for_status_update(new: &mut PersistentVolumeClaim, old: &PersistentVolumeClaim) {
        keep(&mut new.spec, &old.spec);
    }

    fn validate(object: &PersistentVolumeClaim) -> ErrorList {
        validation::persistent_volume_claim(object)
    }

    fn validate_update(new: &PersistentVolumeClaim, old: &PersistentVolumeClaim) -> ErrorList {
        validation::persistent_volume_claim_update(new, old)
    }

    fn validate_status_update(
        new: &PersistentVolumeClaim,
        old: &PersistentVolumeClaim,
    ) -> ErrorList {
        validation::persistent_volume_claim_status_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &PersistentVolumeClaim, now: Timestamp) -> Vec<Cell> {
        let spec = object.spec.clone().unwrap_or_default();
        let status = object.status.clone().unwrap_or_default();
        let volume = spec.volume_name.unwrap_or_default();
        let is_bound = !volume.is_empty();
        let modes = status.access_modes.filter(|_| is_bound).unwrap_or_default();
        let capacity = status.capacity.and_then(|mut capacity| capacity.remove("storage"));
        let zero = if is_bound { "0" } else { "" };
        let capacity = capacity.filter(|_| is_bound).map_or(zero.to_string(), |it| it.0);
        vec![
            printing::name(&object.metadata),
            printing::phase(&object.metadata, status.phase.as_deref()).into(),
            volume.into(),
            capacity.into(),
            printing::access_modes(&modes).into(),
            spec.storage_class_name.unwrap_or_default().into(),
            printing::or_unset(spec.volume_attributes_class_name).into(),
            printing::age(&object.metadata, now),
            printing::or_unset(spec.volume_mode).into(),
        ]
    }
}
