//! Defaults of volumes, the claims on them, and their classes.
//!
//! Upstream: pkg/apis/core/v1/defaults.go and pkg/apis/storage/v1/defaults.go

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;

use super::resources::resource_list;
use super::{omitted, text, volumes};

fn filesystem(mode: &mut Option<String>) {
    mode.get_or_insert_with(|| "Filesystem".to_string());
}

/// Upstream: SetDefaults_PersistentVolumeClaim.
pub(crate) fn persistent_volume_claim(claim: &mut PersistentVolumeClaim) {
    omitted::meta(&mut claim.metadata);
    let spec = claim.spec.get_or_insert_default();
    omitted::list(&mut spec.access_modes);
    omitted::text(&mut spec.volume_name);
    spec.selector.iter_mut().for_each(omitted::label_selector);
    filesystem(&mut spec.volume_mode);
    let resources = spec.resources.get_or_insert_default();
    resource_list(&mut resources.limits);
    resource_list(&mut resources.requests);
    let status = claim.status.get_or_insert_default();
    text(&mut status.phase, "Pending");
    resource_list(&mut status.capacity);
    resource_list(&mut status.allocated_resources);
}

/// Upstream: SetDefaults_PersistentVolume.
pub(crate) fn persistent_volume(volume: &mut PersistentVolume) {
    omitted::meta(&mut volume.metadata);
    let spec = volume.spec.get_or_insert_default();
    omitted::map(&mut spec.capacity);
    omitted::list(&mut spec.access_modes);
    omitted::list(&mut spec.mount_options);
    omitted::text(&mut spec.storage_class_name);
    text(&mut spec.persistent_volume_reclaim_policy, "Retain");
    filesystem(&mut spec.volume_mode);
    resource_list(&mut spec.capacity);
    if let Some(host_path) = &mut spec.host_path {
        host_path.type_.get_or_insert_default();
    }
    if let Some(iscsi) = &mut spec.iscsi {
        text(&mut iscsi.iscsi_interface, "default");
    }
    if let Some(scale_io) = &mut spec.scale_io {
        text(&mut scale_io.storage_mode, "ThinProvisioned");
        text(&mut scale_io.fs_type, "xfs");
    }
    if let Some(rbd) = &mut spec.rbd {
        text(&mut rbd.pool, "rbd");
        text(&mut rbd.user, "admin");
        text(&mut rbd.keyring, "/etc/ceph/keyring");
    }
    spec.nfs.iter_mut().for_each(|nfs| omitted::flag(&mut nfs.read_only));
    spec.csi.iter_mut().for_each(|csi| omitted::flag(&mut csi.read_only));
    spec.azure_disk.iter_mut().for_each(volumes::azure_disk);
    text(&mut volume.status.get_or_insert_default().phase, "Pending");
}

/// Upstream: SetDefaults_StorageClass.
pub(crate) fn storage_class(class: &mut StorageClass) {
    omitted::meta(&mut class.metadata);
    omitted::map(&mut class.parameters);
    omitted::list(&mut class.mount_options);
    omitted::list(&mut class.allowed_topologies);
    class.reclaim_policy.get_or_insert_with(|| "Delete".to_string());
    class.volume_binding_mode.get_or_insert_with(|| "Immediate".to_string());
}
