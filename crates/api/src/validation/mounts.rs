//! Mounts of volumes and devices in containers.

use k8s_openapi::api::core::v1::{Container, Volume, VolumeDevice, VolumeMount};
use sim::{SmallMap, SmallSet};

use super::paths::{has_backsteps, local_descending};
use super::{list, text};
use crate::field::{Error, ErrorList, Path};

/// The volumes of a pod that are valid, by name.
pub(super) type Volumes<'a> = SmallMap<&'a str, &'a Volume>;

/// Upstream: ValidateVolumeMounts.
pub(super) fn volume_mounts(
    container: &Container,
    volumes: &Volumes<'_>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let devices = list(&container.volume_devices);
    let mut mount_paths = SmallSet::new();
    for (index, mount) in list(&container.volume_mounts).iter().enumerate() {
        let index_path = path.index(index);
        let name_path = index_path.child("name");
        let mount_path = index_path.child("mountPath");
        super::require(&mount.name, &name_path, errors);
        let volume = volumes.get(mount.name.as_str());
        if volume.is_none() {
            errors.push(Error::not_found(&name_path, mount.name.as_str()));
        }
        super::require(&mount.mount_path, &mount_path, errors);
        let target = mount.mount_path.as_str();
        if !mount_paths.insert(target) {
            errors.push(Error::invalid(&mount_path, target, "must be unique"));
        }
        if devices.iter().any(|device| device.name == mount.name) {
            let message = "must not already exist in volumeDevices";
            errors.push(Error::invalid(&name_path, mount.name.as_str(), message));
        }
        if devices.iter().any(|device| device.device_path == target) {
            let message = "must not already exist as a path in volumeDevices";
            errors.push(Error::invalid(&mount_path, target, message));
        }
        let in_image = volume.is_some_and(|volume| volume.image.is_some());
        sub_paths(mount, in_image, path, &index_path, errors);
        propagation(mount, container, &path.child("mountPropagation"), errors);
        recursive_read_only(mount, &path.child("recursiveReadOnly"), errors);
    }
}

fn sub_paths(
    mount: &VolumeMount,
    in_image: bool,
    path: &Path,
    index_path: &Path,
    errors: &mut ErrorList,
) {
    let (plain, expression) = (text(&mount.sub_path), text(&mount.sub_path_expr));
    if in_image {
        for (name, value) in [("subPath", plain), ("subPathExpr", expression)] {
            if !value.is_empty() {
                let message = "not allowed in image volume sources";
                errors.push(Error::invalid(&index_path.child(name), value, message));
            }
        }
    }
    if !plain.is_empty() {
        local_descending(plain, &path.child("subPath"), errors);
    }
    if expression.is_empty() {
        return;
    }
    if !plain.is_empty() {
        let message = "subPathExpr and subPath are mutually exclusive";
        errors.push(Error::invalid(&index_path.child("subPathExpr"), expression, message));
    }
    local_descending(expression, &path.child("subPathExpr"), errors);
}

/// Upstream: validateMountPropagation.
fn propagation(mount: &VolumeMount, container: &Container, path: &Path, errors: &mut ErrorList) {
    let Some(mode) = mount.mount_propagation.as_deref() else { return };
    super::supported(mode, &["Bidirectional", "HostToContainer", "None"], path, errors);
    let security = container.security_context.as_ref();
    let is_privileged = security.and_then(|context| context.privileged).unwrap_or(false);
    if mode == "Bidirectional" && !is_privileged {
        let message = "Bidirectional mount propagation is available only to privileged containers";
        errors.push(Error::forbidden(path, message));
    }
}

/// Upstream: validateMountRecursiveReadOnly.
fn recursive_read_only(mount: &VolumeMount, path: &Path, errors: &mut ErrorList) {
    match mount.recursive_read_only.as_deref() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if mount.read_only != Some(true) {
                let message = "may only be specified when readOnly is true";
                errors.push(Error::forbidden(path, message));
            }
            if mount.mount_propagation.as_deref().is_some_and(|mode| mode != "None") {
                let message =
                    "may only be specified when mountPropagation is None or not specified";
                errors.push(Error::forbidden(path, message));
            }
        }
        Some(other) => {
            let known = ["Disabled", "Enabled", "IfPossible"];
            errors.push(Error::not_supported(path, other, &known));
        }
    }
}

/// Upstream: ValidateVolumeDevices.
pub(super) fn volume_devices(
    container: &Container,
    volumes: &Volumes<'_>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let mounts = list(&container.volume_mounts);
    let mut device_names = SmallSet::new();
    let mut device_paths = SmallSet::new();
    for (index, device) in list(&container.volume_devices).iter().enumerate() {
        let name_path = path.index(index).child("name");
        let device_path = path.index(index).child("devicePath");
        let VolumeDevice { name, device_path: target } = device;
        let (name, target) = (name.as_str(), target.as_str());
        super::require(name, &name_path, errors);
        if device_names.contains(name) {
            errors.push(Error::invalid(&name_path, name, "must be unique"));
        }
        match volumes.get(name) {
            Some(volume)
                if volume.persistent_volume_claim.is_none() && volume.ephemeral.is_none() =>
            {
                let message = "can only use volume source type of PersistentVolumeClaim or \
                               Ephemeral for block mode";
                errors.push(Error::invalid(&name_path, name, message));
            }
            Some(_) => {}
            None => errors.push(Error::not_found(&name_path, name)),
        }
        super::require(target, &device_path, errors);
        if device_paths.contains(target) {
            errors.push(Error::invalid(&device_path, target, "must be unique"));
        }
        if has_backsteps(target) {
            let message = "can not contain backsteps ('..')";
            errors.push(Error::invalid(&device_path, target, message));
        } else {
            device_paths.insert(target);
        }
        if mounts.iter().any(|mount| mount.name == name) {
            let message = "must not already exist in volumeMounts";
            errors.push(Error::invalid(&name_path, name, message));
        }
        if mounts.iter().any(|mount| mount.mount_path == target) {
            let message = "must not already exist as a path in volumeMounts";
            errors.push(Error::invalid(&device_path, target, message));
        }
        if !name.is_empty() {
            device_names.insert(name);
        }
    }
}
