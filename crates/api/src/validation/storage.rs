//! Volumes and their classes.
//!
//! Upstream: pkg/apis/core/validation/validation.go and pkg/apis/storage/validation/validation.go

use k8s_openapi::api::core::v1::{
    CSIPersistentVolumeSource, PersistentVolume, PersistentVolumeSpec, VolumeNodeAffinity,
};
use k8s_openapi::api::storage::v1::StorageClass;

use super::volumes::OneSource;
use super::{
    claim, dns_subdomain, immutable, invalid_each, json, list, meta, names, paths, require,
    resources, scheduling, spec_diff, supported, text, volume_sources as sources,
};
use crate::field::{Error, ErrorList, Path};

const MOST_PARAMETERS: usize = 512;
const MOST_PARAMETERS_BYTES: usize = 256 * 1024;

/// Upstream: ValidatePersistentVolume.
pub(crate) fn persistent_volume(volume: &PersistentVolume) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&volume.metadata, false, names::dns_subdomain, &mut errors);
    if let Some(spec) = &volume.spec {
        volume_spec(spec, &Path::new("spec"), &mut errors);
    }
    errors
}

/// Upstream: ValidatePersistentVolumeSpec.
fn volume_spec(spec: &PersistentVolumeSpec, path: &Path, errors: &mut ErrorList) {
    let modes = list(&spec.access_modes);
    let modes_path = path.child("accessModes");
    if modes.is_empty() {
        errors.push(Error::required(&modes_path, ""));
    }
    claim::access_modes(modes, &modes_path, errors);
    capacity(spec, &path.child("capacity"), errors);
    let policy = text(&spec.persistent_volume_reclaim_policy);
    let policy_path = path.child("persistentVolumeReclaimPolicy");
    if !policy.is_empty() {
        supported(policy, &["Delete", "Recycle", "Retain"], &policy_path, errors);
    }
    if let Some(affinity) = &spec.node_affinity {
        node_affinity(affinity, &path.child("nodeAffinity"), errors);
    }
    source(spec, path, errors);
    let is_root = |path: &str| path.split('/').all(|part| matches!(part, "" | "."));
    let host_path = spec.host_path.as_ref().filter(|host_path| is_root(&host_path.path));
    if host_path.is_some() && policy == "Recycle" {
        let message = "may not be 'recycle' for a hostPath mount of '/'";
        errors.push(Error::forbidden(&policy_path, message));
    }
    let class = text(&spec.storage_class_name);
    if !class.is_empty() {
        dns_subdomain(class, &path.child("storageClassName"), errors);
    }
    if let Some(mode) = &spec.volume_mode {
        supported(mode, &["Block", "Filesystem"], &path.child("volumeMode"), errors);
    }
    if let Some(class) = &spec.volume_attributes_class_name {
        let class_path = path.child("volumeAttributesClassName");
        if class.is_empty() {
            errors.push(Error::required(&class_path, "an empty string is disallowed"));
        } else {
            dns_subdomain(class, &class_path, errors);
        }
        if spec.csi.is_none() {
            let message = "has to be specified when using volumeAttributesClassName";
            errors.push(Error::required(&path.child("csi"), message));
        }
    }
}

fn capacity(spec: &PersistentVolumeSpec, path: &Path, errors: &mut ErrorList) {
    let none = crate::defaults::ResourceList::new();
    let capacity = spec.capacity.as_ref().unwrap_or(&none);
    if capacity.is_empty() {
        errors.push(Error::required(path, ""));
    }
    if !capacity.contains_key("storage") || capacity.len() > 1 {
        let mut error = Error::not_supported(path, "", &["storage"]);
        error.bad_value = json(capacity);
        errors.push(error);
    }
    for (name, quantity) in capacity {
        resources::positive(quantity, &path.key(name), errors);
    }
}

/// Upstream: validateVolumeNodeAffinity.
fn node_affinity(affinity: &VolumeNodeAffinity, path: &Path, errors: &mut ErrorList) {
    let path = path.child("required");
    match &affinity.required {
        Some(required) => scheduling::node_selector(required, &path, errors),
        None => errors.push(Error::required(&path, "must specify required node constraints")),
    }
}

/// One source. Of those that a pod's volume has as well the fields are looked at, and of those
/// that this cluster can mount.
fn source(spec: &PersistentVolumeSpec, path: &Path, errors: &mut ErrorList) {
    let mut one = OneSource::new(path, errors, "may not specify more than one volume type");
    macro_rules! check {
        ($($field:ident $name:literal $check:expr;)*) => {
            $(one.check(spec.$field.as_ref(), ($name, $name), $check);)*
        };
    }
    check! {
        host_path "hostPath" sources::host_path;
        gce_persistent_disk "gcePersistentDisk" sources::gce_persistent_disk;
        aws_elastic_block_store "awsElasticBlockStore" sources::aws_elastic_block_store;
        glusterfs "glusterfs" |source, path, errors| {
            require(&source.endpoints, &path.child("endpoints"), errors);
            require(&source.path, &path.child("path"), errors);
        };
        flocker "flocker" sources::flocker;
        nfs "nfs" sources::nfs;
        rbd "rbd" |source, path, errors| {
            require(&source.image, &path.child("image"), errors);
        };
        quobyte "quobyte" sources::quobyte;
        cephfs "cephfs" |_, _, _| {};
        iscsi "iscsi" |_, _, _| {};
        cinder "cinder" |source, path, errors| {
            require(&source.volume_id, &path.child("volumeID"), errors);
        };
        fc "fc" sources::fibre_channel;
        flex_volume "flexVolume" |source, path, errors| {
            require(&source.driver, &path.child("driver"), errors);
        };
        azure_file "azureFile" |_, _, _| {};
        vsphere_volume "vsphereVolume" sources::vsphere;
        photon_persistent_disk "photonPersistentDisk" sources::photon_persistent_disk;
        portworx_volume "portworxVolume" sources::portworx;
        azure_disk "azureDisk" sources::azure_disk;
        scale_io "scaleIO" |_, _, _| {};
        local "local" |source, path, errors| {
            require(&source.path, &path.child("path"), errors);
            paths::no_backsteps(&source.path, &path.child("path"), errors);
        };
        storageos "storageos" |_, _, _| {};
        csi "csi" csi;
    }
    let count = one.count();
    if spec.local.is_some() && spec.node_affinity.is_none() {
        let message = "Local volume requires node affinity";
        errors.push(Error::required(&path.child("nodeAffinity"), message));
    }
    if count == 0 {
        errors.push(Error::required(path, "must specify a volume type"));
    }
}

/// Upstream: validateCSIPersistentVolumeSource.
fn csi(source: &CSIPersistentVolumeSource, path: &Path, errors: &mut ErrorList) {
    sources::csi_driver(&source.driver, &path.child("driver"), errors);
    require(&source.volume_handle, &path.child("volumeHandle"), errors);
}

/// Upstream: ValidatePersistentVolumeUpdate.
pub(crate) fn persistent_volume_update(
    new: &PersistentVolume,
    old: &PersistentVolume,
) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let (Some(new_spec), Some(old_spec)) = (&new.spec, &old.spec) else { return errors };
    volume_spec(new_spec, &Path::new("spec"), &mut errors);
    let (new_source, old_source) = (source_of(new_spec), source_of(old_spec));
    if new_source != old_source {
        let message = format!(
            "spec.persistentvolumesource is immutable after creation\n{}",
            spec_diff::volume_source(&old_source, &new_source)
        );
        let path = Path::new("spec").child("persistentvolumesource");
        errors.push(Error::forbidden(&path, &message));
    }
    let path = Path::new("volumeMode");
    immutable(&new_spec.volume_mode, &old_spec.volume_mode, &path, &mut errors);
    if old_spec.node_affinity.is_some() {
        let path = Path::new("nodeAffinity");
        immutable(&new_spec.node_affinity, &old_spec.node_affinity, &path, &mut errors);
    }
    errors
}

/// The source alone.
fn source_of(spec: &PersistentVolumeSpec) -> PersistentVolumeSpec {
    PersistentVolumeSpec {
        access_modes: None,
        capacity: None,
        claim_ref: None,
        mount_options: None,
        node_affinity: None,
        persistent_volume_reclaim_policy: None,
        storage_class_name: None,
        volume_attributes_class_name: None,
        volume_mode: None,
        ..spec.clone()
    }
}

/// Upstream: ValidatePersistentVolumeStatusUpdate.
pub(crate) fn persistent_volume_status_update(
    new: &PersistentVolume,
    old: &PersistentVolume,
) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    errors
}

/// Upstream: ValidateStorageClass.
pub(crate) fn storage_class(class: &StorageClass) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&class.metadata, false, names::dns_subdomain, &mut errors);
    let path = Path::new("provisioner");
    require(&class.provisioner, &path, &mut errors);
    if !class.provisioner.is_empty() {
        let messages = crate::labels::label_key_errors(&class.provisioner.to_lowercase());
        invalid_each(messages, &path, &class.provisioner, &mut errors);
    }
    parameters(class, &Path::new("parameters"), &mut errors);
    if let Some(policy) = class.reclaim_policy.as_ref().filter(|policy| !policy.is_empty()) {
        supported(policy, &["Delete", "Retain"], &Path::new("reclaimPolicy"), &mut errors);
    }
    let path = Path::new("volumeBindingMode");
    match &class.volume_binding_mode {
        None => errors.push(Error::required(&path, "")),
        Some(mode) => supported(mode, &["Immediate", "WaitForFirstConsumer"], &path, &mut errors),
    }
    errors
}

fn parameters(class: &StorageClass, path: &Path, errors: &mut ErrorList) {
    let Some(parameters) = &class.parameters else { return };
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    if parameters.len() > MOST_PARAMETERS {
        errors.push(Error::too_long(path, number(MOST_PARAMETERS)));
        return;
    }
    if parameters.contains_key("") {
        errors.push(Error::invalid(path, "", "field can not be empty."));
    }
    let size: usize = parameters.iter().map(|(key, value)| key.len() + value.len()).sum();
    if size > MOST_PARAMETERS_BYTES {
        errors.push(Error::too_long(path, number(MOST_PARAMETERS_BYTES)));
    }
}

/// Upstream: ValidateStorageClassUpdate.
pub(crate) fn storage_class_update(new: &StorageClass, old: &StorageClass) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    for (name, changed) in [
        ("parameters", new.parameters != old.parameters),
        ("provisioner", new.provisioner != old.provisioner),
        ("reclaimPolicy", new.reclaim_policy != old.reclaim_policy),
    ] {
        if changed {
            let message = format!("updates to {name} are forbidden.");
            errors.push(Error::forbidden(&Path::new(name), &message));
        }
    }
    let path = Path::new("volumeBindingMode");
    immutable(&new.volume_binding_mode, &old.volume_binding_mode, &path, &mut errors);
    errors
}
