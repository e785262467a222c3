//! Sources of volumes that need little said: paths on the node, CSI drivers, and the storage
//! systems that Kubernetes once knew by name.

use k8s_openapi::api::core::v1::{
    AWSElasticBlockStoreVolumeSource, AzureDiskVolumeSource, AzureFileVolumeSource,
    CSIVolumeSource, CephFSVolumeSource, CinderVolumeSource, FCVolumeSource, FlexVolumeSource,
    FlockerVolumeSource, GCEPersistentDiskVolumeSource, GitRepoVolumeSource, GlusterfsVolumeSource,
    HostPathVolumeSource, ISCSIVolumeSource, LocalObjectReference, NFSVolumeSource,
    PhotonPersistentDiskVolumeSource, PortworxVolumeSource, QuobyteVolumeSource, RBDVolumeSource,
    ScaleIOVolumeSource, StorageOSVolumeSource, VsphereVirtualDiskVolumeSource,
};

use super::{dns_label, invalid_each, json, list, names, paths, require, supported, text};
use crate::field::{Error, ErrorList, Path};

/// Upstream: validateHostPathVolumeSource.
pub(super) fn host_path(source: &HostPathVolumeSource, path: &Path, errors: &mut ErrorList) {
    require(&source.path, &path.child("path"), errors);
    if source.path.is_empty() {
        return;
    }
    paths::no_backsteps(&source.path, &path.child("path"), errors);
    if let Some(host_path_type) = &source.type_ {
        let known = [
            "",
            "BlockDevice",
            "CharDevice",
            "Directory",
            "DirectoryOrCreate",
            "File",
            "FileOrCreate",
            "Socket",
        ];
        supported(host_path_type, &known, &path.child("type"), errors);
    }
}

pub(super) fn git_repo(source: &GitRepoVolumeSource, path: &Path, errors: &mut ErrorList) {
    require(&source.repository, &path.child("repository"), errors);
    paths::local_descending(text(&source.directory), &path.child("directory"), errors);
}

pub(super) fn gce_persistent_disk(
    source: &GCEPersistentDiskVolumeSource,
    path: &Path,
    errors: &mut ErrorList,
) {
    require(&source.pd_name, &path.child("pdName"), errors);
    partition(source.partition, path, errors);
}

pub(super) fn aws_elastic_block_store(
    source: &AWSElasticBlockStoreVolumeSource,
    path: &Path,
    errors: &mut ErrorList,
) {
    require(&source.volume_id, &path.child("volumeID"), errors);
    partition(source.partition, path, errors);
}

fn partition(partition: Option<i32>, path: &Path, errors: &mut ErrorList) {
    if let Some(partition) = partition.filter(|partition| !(0..=255).contains(partition)) {
        let message = names::inclusive_range(1, 255);
        errors.push(Error::invalid(&path.child("partition"), partition, message));
    }
}

pub(super) fn nfs(source: &NFSVolumeSource, path: &Path, errors: &mut ErrorList) {
    require(&source.server, &path.child("server"), errors);
    require(&source.path, &path.child("path"), errors);
    if !source.path.starts_with('/') {
        let message = "must be an absolute path";
        errors.push(Error::invalid(&path.child("path"), source.path.as_str(), message));
    }
}

pub(super) fn iscsi(source: &ISCSIVolumeSource, path: &Path, errors: &mut ErrorList) {
    require(&source.target_portal, &path.child("targetPortal"), errors);
    require(&source.iqn, &path.child("iqn"), errors);
    if !source.iqn.is_empty() {
        initiator(&source.iqn, &path.child("iqn"), errors);
    }
    if !(0..=255).contains(&source.lun) {
        let message = names::inclusive_range(0, 255);
        errors.push(Error::invalid(&path.child("lun"), source.lun, message));
    }
    let authenticates =
        source.chap_auth_discovery == Some(true) || source.chap_auth_session == Some(true);
    if authenticates && source.secret_ref.is_none() {
        errors.push(Error::required(&path.child("secretRef"), ""));
    }
    if let Some(name) = &source.initiator_name {
        initiator(name, &path.child("initiatorname"), errors);
    }
}

fn initiator(name: &str, path: &Path, errors: &mut ErrorList) {
    let letters_after = |prefix: &str, count: usize| {
        let rest = name.strip_prefix(prefix).and_then(|rest| rest.get(1..)).unwrap_or_default();
        rest.len() == count && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let message = if name.starts_with("iqn") {
        (!is_qualified_initiator(name)).then_some("must be valid format")
    } else if name.starts_with("eui") {
        (!letters_after("eui", 16)).then_some("must be valid format")
    } else if name.starts_with("naa") {
        (!letters_after("naa", 32)).then_some("must be valid format")
    } else {
        Some("must be valid format starting with iqn, eui, or naa")
    };
    if let Some(message) = message {
        errors.push(Error::invalid(path, name, message));
    }
}

/// `iqn.2001-04.com.example:storage`.
fn is_qualified_initiator(name: &str) -> bool {
    let Some((authority, unit)) = name.split_once(':') else { return false };
    let mut parts = authority.splitn(3, '.');
    let is_date = |date: &str| {
        let bytes = date.as_bytes();
        bytes.len() == 7
            && bytes
                .iter()
                .enumerate()
                .all(|(index, byte)| if index == 4 { *byte == b'-' } else { byte.is_ascii_digit() })
    };
    let is_domain = |domain: &str| {
        !domain.is_empty()
            && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
    };
    parts.next() == Some("iqn")
        && parts.next().is_some_and(is_date)
        && parts.next().is_some_and(is_domain)
        && !unit.is_empty()
        && !unit.contains([',', ';', '*', '&', '$', '|', ' ', '\t', '\n'])
}

pub(super) fn glusterfs(source: &GlusterfsVolumeSource, path: &Path, errors: &mut ErrorList) {
    require(&source.endpoints, &path.child("endpoints"), errors);
    require(&source.path, &path.child("path"), errors);
}

pub(super) fn flocker(source: &FlockerVolumeSource, path: &Path, errors: &mut ErrorList) {
    let (name, uuid) = (text(&source.dataset_name), text(&source.dataset_uuid));
    if name.is_empty() && uuid.is_empty() {
        errors.push(Error::required(path, "one of datasetName and datasetUUID is required"));
    }
    if !name.is_empty() && !uuid.is_empty() {
        let message = "datasetName and datasetUUID can not be specified simultaneously";
        errors.push(Error::invalid(path, "resource", message));
    }
    if name.contains('/') {
        errors.push(Error::invalid(&path.child("datasetName"), name, "must not contain '/'"));
    }
}

pub(super) fn rbd(source: &RBDVolumeSource, path: &Path, errors: &mut ErrorList) {
    if source.monitors.is_empty() {
        errors.push(Error::required(&path.child("monitors"), ""));
    }
    require(&source.image, &path.child("image"), errors);
}

pub(super) fn cinder(source: &CinderVolumeSource, path: &Path, errors: &mut ErrorList) {
    require(&source.volume_id, &path.child("volumeID"), errors);
    secret_name(source.secret_ref.as_ref(), path, errors);
}

fn secret_name(secret: Option<&LocalObjectReference>, path: &Path, errors: &mut ErrorList) {
    if let Some(secret) = secret {
        require(&secret.name, &path.child("secretRef").child("name"), errors);
    }
}

pub(super) fn cephfs(source: &CephFSVolumeSource, path: &Path, errors: &mut ErrorList) {
    if source.monitors.is_empty() {
        errors.push(Error::required(&path.child("monitors"), ""));
    }
}

pub(super) fn quobyte(source: &QuobyteVolumeSource, path: &Path, errors: &mut ErrorList) {
    let message = "must be a host:port pair or multiple pairs separated by commas";
    let registry = source.registry.as_str();
    if registry.is_empty() {
        errors.push(Error::required(&path.child("registry"), message));
    } else if text(&source.tenant).len() >= 65 {
        let message = "must be a UUID and may not exceed a length of 64 characters";
        errors.push(Error::required(&path.child("tenant"), message));
    } else {
        for _ in registry.split(',').filter(|pair| pair.matches(':').count() != 1) {
            errors.push(Error::invalid(&path.child("registry"), registry, message));
        }
    }
    require(&source.volume, &path.child("volume"), errors);
}

pub(super) fn fibre_channel(source: &FCVolumeSource, path: &Path, errors: &mut ErrorList) {
    let (targets, ids) = (list(&source.target_wwns), list(&source.wwids));
    let targets_path = path.child("targetWWNs");
    if targets.is_empty() && ids.is_empty() {
        let message = "must specify either targetWWNs or wwids, but not both";
        errors.push(Error::required(&targets_path, message));
    }
    if !targets.is_empty() && !ids.is_empty() {
        let message = "targetWWNs and wwids can not be specified simultaneously";
        errors.push(Error::invalid(&targets_path, json(&targets), message));
    }
    if targets.is_empty() {
        return;
    }
    match source.lun {
        None => {
            let message = "lun is required if targetWWNs is specified";
            errors.push(Error::required(&path.child("lun"), message));
        }
        Some(lun) if !(0..=255).contains(&lun) => {
            let message = names::inclusive_range(0, 255);
            errors.push(Error::invalid(&path.child("lun"), lun, message));
        }
        Some(_) => {}
    }
}

pub(super) fn flex_volume(source: &FlexVolumeSource, path: &Path, errors: &mut ErrorList) {
    require(&source.driver, &path.child("driver"), errors);
    for key in source.options.iter().flatten().map(|(key, _)| key.as_str()) {
        let namespace = key.split_once('/').map_or(key, |(namespace, _)| namespace);
        let normalized = format!(".{}", namespace.to_lowercase());
        if normalized.ends_with(".kubernetes.io") || normalized.ends_with(".k8s.io") {
            let message = "kubernetes.io and k8s.io namespaces are reserved";
            errors.push(Error::invalid(&path.child("options").key(key), key, message));
        }
    }
}

pub(super) fn azure_file(source: &AzureFileVolumeSource, path: &Path, errors: &mut ErrorList) {
    require(&source.secret_name, &path.child("secretName"), errors);
    require(&source.share_name, &path.child("shareName"), errors);
}

pub(super) fn vsphere(
    source: &VsphereVirtualDiskVolumeSource,
    path: &Path,
    errors: &mut ErrorList,
) {
    require(&source.volume_path, &path.child("volumePath"), errors);
}

pub(super) fn photon_persistent_disk(
    source: &PhotonPersistentDiskVolumeSource,
    path: &Path,
    errors: &mut ErrorList,
) {
    require(&source.pd_id, &path.child("pdID"), errors);
}

pub(super) fn portworx(source: &PortworxVolumeSource, path: &Path, errors: &mut ErrorList) {
    require(&source.volume_id, &path.child("volumeID"), errors);
}

pub(super) fn azure_disk(source: &AzureDiskVolumeSource, path: &Path, errors: &mut ErrorList) {
    require(&source.disk_name, &path.child("diskName"), errors);
    require(&source.disk_uri, &path.child("diskURI"), errors);
    if let Some(mode) = &source.caching_mode {
        let known = ["None", "ReadOnly", "ReadWrite"];
        supported(mode, &known, &path.child("cachingMode"), errors);
    }
    let Some(kind) = &source.kind else { return };
    supported(kind, &["Dedicated", "Managed", "Shared"], &path.child("kind"), errors);
    let (prefix, known) = if kind == "Managed" {
        (
            "/subscriptions/",
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/\
             disks/{disk-id}",
        )
    } else {
        (
            "https://",
            "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",
        )
    };
    if !source.disk_uri.starts_with(prefix) {
        errors.push(Error::not_supported(&path.child("diskURI"), &source.disk_uri, &[known]));
    }
}

pub(super) fn storage_os(source: &StorageOSVolumeSource, path: &Path, errors: &mut ErrorList) {
    let (name, namespace) = (text(&source.volume_name), text(&source.volume_namespace));
    if name.is_empty() {
        errors.push(Error::required(&path.child("volumeName"), ""));
    } else {
        dns_label(name, &path.child("volumeName"), errors);
    }
    if !namespace.is_empty() {
        dns_label(namespace, &path.child("volumeNamespace"), errors);
    }
    secret_name(source.secret_ref.as_ref(), path, errors);
}

pub(super) fn scale_io(source: &ScaleIOVolumeSource, path: &Path, errors: &mut ErrorList) {
    require(&source.gateway, &path.child("gateway"), errors);
    require(&source.system, &path.child("system"), errors);
    require(text(&source.volume_name), &path.child("volumeName"), errors);
}

/// Upstream: ValidateCSIDriverName.
pub(super) fn csi_driver(driver: &str, path: &Path, errors: &mut ErrorList) {
    require(driver, path, errors);
    if driver.len() > 63 {
        errors.push(Error::too_long(path, 63));
    }
    invalid_each(names::dns_subdomain(&driver.to_lowercase()), path, driver, errors);
}

/// Upstream: validateCSIVolumeSource.
pub(super) fn csi(source: &CSIVolumeSource, path: &Path, errors: &mut ErrorList) {
    csi_driver(&source.driver, &path.child("driver"), errors);
    let Some(secret) = &source.node_publish_secret_ref else { return };
    if secret.name.is_empty() {
        errors.push(Error::required(&path.child("nodePublishSecretRef").child("name"), ""));
    } else {
        invalid_each(names::dns_subdomain(&secret.name), &path.child("name"), &secret.name, errors);
    }
}
