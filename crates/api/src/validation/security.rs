//! Security contexts of pods and containers.

use k8s_openapi::api::core::v1::{
    AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext, Sysctl,
};
use sim::SmallSet;

use super::{json, list, names, paths, supported};
use crate::field::{Error, ErrorList, Path};

/// Upstream: validatePodSpecSecurityContext.
pub(super) fn pod_context(
    context: &PodSecurityContext,
    spec: &PodSpec,
    path: &Path,
    errors: &mut ErrorList,
) {
    unix_id(context.fs_group, &path.child("fsGroup"), errors);
    unix_id(context.run_as_user, &path.child("runAsUser"), errors);
    unix_id(context.run_as_group, &path.child("runAsGroup"), errors);
    for (index, group) in list(&context.supplemental_groups).iter().enumerate() {
        unix_id(Some(*group), &path.child("supplementalGroups").index(index), errors);
    }
    if spec.host_pid == Some(true) && spec.share_process_namespace == Some(true) {
        let message = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.push(Error::invalid(&path.child("shareProcessNamespace"), true, message));
    }
    sysctls(list(&context.sysctls), spec, &path.child("sysctls"), errors);
    if let Some(policy) = &context.fs_group_change_policy {
        let known = ["Always", "OnRootMismatch"];
        supported(policy, &known, &path.child("fsGroupChangePolicy"), errors);
    }
    seccomp(context.seccomp_profile.as_ref(), &path.child("seccompProfile"), errors);
    app_armor(context.app_armor_profile.as_ref(), &path.child("appArmorProfile"), errors);
    if let Some(policy) = &context.supplemental_groups_policy {
        let known = ["Merge", "Strict"];
        supported(policy, &known, &path.child("supplementalGroupsPolicy"), errors);
    }
    if let Some(policy) = &context.se_linux_change_policy {
        let known = ["MountOption", "Recursive"];
        supported(policy, &known, &path.child("seLinuxChangePolicy"), errors);
    }
}

/// Upstream: ValidateSecurityContext.
pub(super) fn container_context(
    context: &SecurityContext,
    host_users: bool,
    path: &Path,
    errors: &mut ErrorList,
) {
    unix_id(context.run_as_user, &path.child("runAsUser"), errors);
    unix_id(context.run_as_group, &path.child("runAsGroup"), errors);
    if let Some(proc_mount) = &context.proc_mount {
        let path = path.child("procMount");
        supported(proc_mount, &["Default", "Unmasked"], &path, errors);
        if host_users && proc_mount == "Unmasked" {
            let message = "`hostUsers` must be false to use `Unmasked`";
            errors.push(Error::invalid(&path, proc_mount.as_str(), message));
        }
    }
    seccomp(context.seccomp_profile.as_ref(), &path.child("seccompProfile"), errors);
    if context.allow_privilege_escalation == Some(false) {
        if context.privileged == Some(true) {
            let message = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errors.push(Error::invalid(path, json(context), message));
        }
        let added = context.capabilities.iter().flat_map(|capabilities| list(&capabilities.add));
        for _ in added.filter(|capability| *capability == "CAP_SYS_ADMIN") {
            let message = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` \
                           CAP_SYS_ADMIN";
            errors.push(Error::invalid(path, json(context), message));
        }
    }
    app_armor(context.app_armor_profile.as_ref(), &path.child("appArmorProfile"), errors);
}

fn unix_id(id: Option<i64>, path: &Path, errors: &mut ErrorList) {
    if let Some(id) = id {
        let messages = names::unix_id(id).into_iter();
        errors.extend(messages.map(|message| Error::invalid(path, id, message)));
    }
}

/// Upstream: validateSysctls.
fn sysctls(sysctls: &[Sysctl], spec: &PodSpec, path: &Path, errors: &mut ErrorList) {
    let mut seen = SmallSet::new();
    for (index, sysctl) in sysctls.iter().enumerate() {
        let path = path.index(index).child("name");
        let name = sysctl.name.as_str();
        if name.is_empty() {
            errors.push(Error::required(&path, ""));
        } else if !is_sysctl(name) {
            let message = "must have at most 253 characters and match regex \
                           ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
            errors.push(Error::invalid(&path, name, message));
        } else if seen.contains(name) {
            errors.push(Error::duplicate(&path, name));
        }
        let dotted = name.replace('/', ".");
        let of_ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."]
            .into_iter()
            .any(|prefix| dotted.starts_with(prefix))
            || dotted == "kernel.sem";
        if spec.host_network == Some(true) && dotted.starts_with("net.") {
            let message = "may not be specified when 'hostNetwork' is true";
            errors.push(Error::invalid(&path, name, message));
        } else if spec.host_ipc == Some(true) && of_ipc {
            let message = "may not be specified when 'hostIPC' is true";
            errors.push(Error::invalid(&path, name, message));
        }
        seen.insert(name);
    }
}

fn is_sysctl(name: &str) -> bool {
    let edge = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let is_segment = |segment: &str| {
        let bytes = segment.as_bytes();
        let allowed = |byte: &u8| edge(Some(byte)) || matches!(byte, b'-' | b'_');
        edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(allowed)
    };
    name.len() <= 253 && name.split(['.', '/']).all(is_segment)
}

/// Upstream: validateSeccompProfileField.
fn seccomp(profile: Option<&SeccompProfile>, path: &Path, errors: &mut ErrorList) {
    let Some(profile) = profile else { return };
    let known = ["Localhost", "RuntimeDefault", "Unconfined"];
    let type_path = path.child("type");
    if profile.type_.is_empty() {
        let message = "type is required when seccompProfile is set";
        errors.push(Error::required(&type_path, message));
    } else {
        supported(&profile.type_, &known, &type_path, errors);
    }
    let path = path.child("localhostProfile");
    match (&profile.localhost_profile, profile.type_ == "Localhost") {
        (None, true) => {
            let message = "must be set when seccomp type is Localhost";
            errors.push(Error::required(&path, message));
        }
        (Some(local), true) => paths::local_descending(local, &path, errors),
        (Some(_), false) => {
            let message = "can only be set when seccomp type is Localhost";
            errors.push(Error::invalid(&path, json(profile), message));
        }
        (None, false) => {}
    }
}

/// Upstream: ValidateAppArmorProfileField.
fn app_armor(profile: Option<&AppArmorProfile>, path: &Path, errors: &mut ErrorList) {
    let Some(profile) = profile else { return };
    let local_path = path.child("localhostProfile");
    match (profile.type_.as_str(), profile.localhost_profile.as_deref()) {
        ("Localhost", None | Some("")) => {
            let message = "must be set when AppArmor type is Localhost";
            errors.push(Error::required(&local_path, message));
        }
        ("Localhost", Some(local)) => {
            if local != local.trim() {
                let message = "must not be padded with whitespace";
                errors.push(Error::invalid(&local_path, local, message));
            }
            if local.len() > 4095 {
                errors.push(Error::too_long(&local_path, 4095));
            }
        }
        ("RuntimeDefault" | "Unconfined", Some(local)) => {
            let message = "can only be set when AppArmor type is Localhost";
            errors.push(Error::invalid(&local_path, local, message));
        }
        ("RuntimeDefault" | "Unconfined", None) => {}
        ("", _) => {
            let message = "type is required when appArmorProfile is set";
            errors.push(Error::required(&path.child("type"), message));
        }
        (other, _) => {
            let known = ["Localhost", "RuntimeDefault", "Unconfined"];
            errors.push(Error::not_supported(&path.child("type"), other, &known));
        }
    }
}

/// A pod with users of its own shares no other namespace of the node.
/// Upstream: validateHostUsers.
pub(super) fn host_users(spec: &PodSpec, path: &Path, errors: &mut ErrorList) {
    if spec.host_users != Some(false) {
        return;
    }
    for (name, is_shared) in
        [("hostNetwork", spec.host_network), ("HostPID", spec.host_pid), ("HostIPC", spec.host_ipc)]
    {
        if is_shared == Some(true) {
            let message = "when `pod.Spec.HostUsers` is false";
            errors.push(Error::forbidden(&path.child(name), message));
        }
    }
}

/// What pods of an operating system may not set. Upstream: validateOS, validateWindows.
pub(super) fn operating_system(spec: &PodSpec, path: &Path, errors: &mut ErrorList) {
    let Some(os) = &spec.os else { return };
    let os_path = path.child("os");
    match os.name.as_str() {
        "" => errors.push(Error::required(&os_path.child("name"), "cannot be empty")),
        "linux" => {
            let context = spec.security_context.as_ref();
            if context.is_some_and(|context| context.windows_options.is_some()) {
                let path = path.child("securityContext").child("windowsOptions");
                let message = "windows options cannot be set for a linux pod";
                errors.push(Error::forbidden(&path, message));
            }
        }
        "windows" => windows(spec, path, errors),
        other => errors.push(Error::not_supported(&os_path, other, &["linux", "windows"])),
    }
}

fn windows(spec: &PodSpec, path: &Path, errors: &mut ErrorList) {
    let message = "cannot be set for a windows pod";
    for (name, is_set) in [
        ("hostUsers", spec.host_users.is_some()),
        ("hostPID", spec.host_pid == Some(true)),
        ("hostIPC", spec.host_ipc == Some(true)),
        ("shareProcessNamespace", spec.share_process_namespace.is_some()),
    ] {
        if is_set {
            errors.push(Error::forbidden(&path.child(name), message));
        }
    }
    let Some(context) = &spec.security_context else { return };
    let path = path.child("securityContext");
    for (name, is_set) in [
        ("appArmorProfile", context.app_armor_profile.is_some()),
        ("seLinuxOptions", context.se_linux_options.is_some()),
        ("seccompProfile", context.seccomp_profile.is_some()),
        ("fsGroup", context.fs_group.is_some()),
        ("fsGroupChangePolicy", context.fs_group_change_policy.is_some()),
        ("sysctls", !list(&context.sysctls).is_empty()),
        ("runAsUser", context.run_as_user.is_some()),
        ("runAsGroup", context.run_as_group.is_some()),
        ("supplementalGroups", context.supplemental_groups.is_some()),
        ("supplementalGroupsPolicy", context.supplemental_groups_policy.is_some()),
        ("seLinuxChangePolicy", context.se_linux_change_policy.is_some()),
    ] {
        if is_set {
            errors.push(Error::forbidden(&path.child(name), message));
        }
    }
}
