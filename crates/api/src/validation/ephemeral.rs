//! Ephemeral containers: containers without anything that a pod should rely on.

use k8s_openapi::api::core::v1::{Container, EphemeralContainer};
use sim::SmallSet;

use super::containers::{self, Surroundings};
use super::{list, text};
use crate::field::{Error, ErrorList, Path};

const NOT_ALLOWED: &str = "cannot be set for an Ephemeral Container";

/// Upstream: validateEphemeralContainers.
pub(super) fn ephemeral_containers(around: &Surroundings<'_>, path: &Path, errors: &mut ErrorList) {
    let ephemeral = list(&around.spec.ephemeral_containers);
    if ephemeral.is_empty() {
        return;
    }
    let others = around.spec.containers.iter().chain(list(&around.spec.init_containers));
    let others: SmallSet<&str> = others.map(|container| container.name.as_str()).collect();
    let mut names = others.clone();
    for (index, container) in ephemeral.iter().enumerate() {
        let path = path.index(index);
        containers::common(&as_container(container), around, &path, errors);
        containers::only_for_pod(text(&container.image), &path, errors);
        if !names.insert(&container.name) {
            errors.push(Error::duplicate(&path.child("name"), container.name.as_str()));
        }
        let target = text(&container.target_container_name);
        if !target.is_empty() && !others.contains(target) {
            errors.push(Error::not_found(&path.child("targetContainerName"), target));
        }
        not_allowed(container, &path, errors);
    }
}

/// What an ephemeral container may not have. Upstream: allowedEphemeralContainerFields.
fn not_allowed(container: &EphemeralContainer, path: &Path, errors: &mut ErrorList) {
    let resources = container.resources.as_ref().is_some_and(|resources| {
        resources.limits.is_some() || resources.requests.is_some() || resources.claims.is_some()
    });
    for (name, is_set) in [
        ("ports", !list(&container.ports).is_empty()),
        ("resources", resources),
        ("resizePolicy", !list(&container.resize_policy).is_empty()),
        ("restartPolicy", container.restart_policy.is_some()),
        ("restartPolicyRules", !list(&container.restart_policy_rules).is_empty()),
        ("livenessProbe", container.liveness_probe.is_some()),
        ("readinessProbe", container.readiness_probe.is_some()),
        ("startupProbe", container.startup_probe.is_some()),
        ("lifecycle", container.lifecycle.is_some()),
    ] {
        if is_set {
            errors.push(Error::forbidden(&path.child(name), NOT_ALLOWED));
        }
    }
    for (index, mount) in list(&container.volume_mounts).iter().enumerate() {
        let path = path.child("volumeMounts").index(index);
        for (name, value) in [("subPath", &mount.sub_path), ("subPathExpr", &mount.sub_path_expr)] {
            if !text(value).is_empty() {
                errors.push(Error::forbidden(&path.child(name), NOT_ALLOWED));
            }
        }
    }
}

/// The container as far as it is like any other.
fn as_container(container: &EphemeralContainer) -> Container {
    let container = container.clone();
    Container {
        args: container.args,
        command: container.command,
        env: container.env,
        env_from: container.env_from,
        image: container.image,
        image_pull_policy: container.image_pull_policy,
        name: container.name,
        ports: container.ports,
        resize_policy: container.resize_policy,
        resources: container.resources,
        security_context: container.security_context,
        stdin: container.stdin,
        stdin_once: container.stdin_once,
        termination_message_path: container.termination_message_path,
        termination_message_policy: container.termination_message_policy,
        tty: container.tty,
        volume_devices: container.volume_devices,
        volume_mounts: container.volume_mounts,
        working_dir: container.working_dir,
        ..Container::default()
    }
}
