//! PersistentVolumes: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeStatus};

use super::printing;
use crate::field::ErrorList;
use crate::kind::keep;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of PersistentVolumes. Upstream: pkg/registry/core/persistentvolume/strategy.go
pub struct PersistentVolumes;

const COLUMNS: &[Column] = &[
    Column::NAME,
    Column::string("Capacity"),
    Column::string("Access Modes"),
    Column::string("Reclaim Policy"),
    Column::string("Status"),
    Column::string("Claim"),
    Column::string("StorageClass"),
    Column::string("VolumeAttributesClass"),
    Column::string("Reason"),
    Column::AGE,
    Column::string("VolumeMode").wide(),
];

impl Strategy for PersistentVolumes {
    type Object = PersistentVolume;
    const SCOPE: Scope = Scope::Cluster;
    const SINGULAR: &'static str = "persistentvolume";
    const SHORT_NAMES: &'static [&'static str] = &["pv"];
    const SUBRESOURCES: &'static [&'static str] = &["status"];
    const RETURNS_DELETED_OBJECT: bool = true;

    fn default(object: &mut PersistentVolume) {
        defaults::persistent_volume(object);
    }

    fn prepare_for_create(object: &mut PersistentVolume) {
        let phase = Some("Pending".to_string());
        object.status = Some(PersistentVolumeStatus { phase, ..Default::default() });
    }

    fn prepare_for_update(new: &mut PersistentVolume, old: &PersistentVolume) {
        keep(&mut new.status, &old.status);
    }

    fn prepare_for_status_update(new: &mut PersistentVolume, old: &PersistentVolume) {
        keep(&mut new.spec, &old.spec);
    }

    fn validate(object: &PersistentVolume) -> ErrorList {
        validation::persistent_volume(object)
    }

    fn validate_update(new: &PersistentVolume, old: &PersistentVolume) -> ErrorList {
        validation::persistent_volume_update(new, old)
    }

    fn validate_status_update(new: &PersistentVolume, old: &PersistentVolume) -> ErrorList {
        validation::persistent_volume_status_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &PersistentVolume, now: Timestamp) -> Vec<Cell> {
        let spec = object.spec.clone().unwrap_or_default();
        let status = object.status.clone().unwrap_or_default();
        let capacity = spec.capacity.and_then(|mut capacity| capacity.remove("storage"));
        let claim = spec.claim_ref.map_or_else(String::new, |claim| {
            let part = |text: Option<String>| text.unwrap_or_default();
            format!("{}/{}", part(claim.namespace), part(claim.name))
        });
        vec![
            printing::name(&object.metadata),
            capacity.map_or_else(|| "0".to_string(), |capacity| capacity.0).into(),
            printing::access_modes(&spec.access_modes.unwrap_or_default()).into(),
            spec.persistent_volume_reclaim_policy.unwrap_or_default().into(),
            printing::phase(&object.metadata, status.phase.as_deref()).into(),
            claim.into(),
            spec.storage_class_name.unwrap_or_default().into(),
            printing::or_unset(spec.volume_attributes_class_name).into(),
            status.reason.unwrap_or_default().into(),
            printing::age(&object.metadata, now),
            printing::or_unset(spec.volume_mode).into(),
        ]
    }
}
