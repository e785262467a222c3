//! Defaults of volumes: an empty directory where no source is named, and the modes, types and
//! policies of the sources.

use k8s_openapi::api::core::v1::{
    AzureDiskVolumeSource, DownwardAPIVolumeFile, EphemeralVolumeSource, ImageVolumeSource,
    RBDVolumeSource, Volume, VolumeProjection,
};

use super::containers::{field_selector, resource_field_selector};
use super::image::default_pull_policy;
use super::{resources, text};

const MODE_READ_BY_ALL: i32 = 0o644;

/// Upstream: SetDefaults_Volume and the defaults of its sources.
pub(super) fn volume(volume: &mut Volume) {
    if has_no_source(volume) {
        volume.empty_dir = Some(Default::default());
    }
    if let Some(secret) = &mut volume.secret {
        secret.default_mode.get_or_insert(MODE_READ_BY_ALL);
    }
    if let Some(config_map) = &mut volume.config_map {
        config_map.default_mode.get_or_insert(MODE_READ_BY_ALL);
    }
    if let Some(downward) = &mut volume.downward_api {
        downward.default_mode.get_or_insert(MODE_READ_BY_ALL);
        downward.items.iter_mut().flatten().for_each(downward_file);
    }
    if let Some(projected) = &mut volume.projected {
        projected.default_mode.get_or_insert(MODE_READ_BY_ALL);
        projected.sources.iter_mut().flatten().for_each(projection);
    }
    if let Some(host_path) = &mut volume.host_path {
        host_path.type_.get_or_insert_default();
    }
    if let Some(size) = volume.empty_dir.as_mut().and_then(|dir| dir.size_limit.as_mut()) {
        resources::quantity(size);
    }
    if let Some(iscsi) = &mut volume.iscsi {
        text(&mut iscsi.iscsi_interface, "default");
    }
    if let Some(scale_io) = &mut volume.scale_io {
        text(&mut scale_io.storage_mode, "ThinProvisioned");
        text(&mut scale_io.fs_type, "xfs");
    }
    volume.image.iter_mut().for_each(image);
    volume.ephemeral.iter_mut().for_each(ephemeral);
    volume.azure_disk.iter_mut().for_each(azure_disk);
    volume.rbd.iter_mut().for_each(rbd);
}

/// Whether the volume names no source at all.
fn has_no_source(volume: &Volume) -> bool {
    *volume == Volume { name: volume.name.clone(), ..Volume::default() }
}

fn projection(projection: &mut VolumeProjection) {
    if let Some(token) = &mut projection.service_account_token {
        token.expiration_seconds.get_or_insert(60 * 60);
    }
    let files = projection.downward_api.iter_mut().flat_map(|source| source.items.iter_mut());
    files.flatten().for_each(downward_file);
}

fn downward_file(file: &mut DownwardAPIVolumeFile) {
    file.field_ref.iter_mut().for_each(field_selector);
    file.resource_field_ref.iter_mut().for_each(resource_field_selector);
}

fn image(image: &mut ImageVolumeSource) {
    let reference = image.reference.as_deref().unwrap_or_default();
    text(&mut image.pull_policy, default_pull_policy(reference));
}

/// Upstream: SetDefaults_PersistentVolumeClaimSpec.
fn ephemeral(source: &mut EphemeralVolumeSource) {
    let Some(template) = &mut source.volume_claim_template else { return };
    template.spec.volume_mode.get_or_insert_with(|| "Filesystem".to_string());
    let claimed = template.spec.resources.get_or_insert_default();
    resources::resource_list(&mut claimed.limits);
    resources::resource_list(&mut claimed.requests);
}

pub(super) fn azure_disk(disk: &mut AzureDiskVolumeSource) {
    disk.caching_mode.get_or_insert_with(|| "ReadWrite".to_string());
    disk.fs_type.get_or_insert_with(|| "ext4".to_string());
    disk.read_only.get_or_insert(false);
    disk.kind.get_or_insert_with(|| "Shared".to_string());
}

fn rbd(volume: &mut RBDVolumeSource) {
    text(&mut volume.pool, "rbd");
    text(&mut volume.user, "admin");
    text(&mut volume.keyring, "/etc/ceph/keyring");
}
