//! Containers of a pod, and its init containers.

use k8s_openapi::api::core::v1::{Container, ContainerPort, ContainerResizePolicy, PodSpec};
use sim::SmallSet;

use super::mounts::{self, Volumes};
use super::{
    dns_label, environment, invalid_each, list, names, probes, require, resources, security, text,
};
use crate::field::{Error, ErrorList, Path};

/// What the containers of one pod share.
pub(super) struct Surroundings<'a> {
    pub(super) spec: &'a PodSpec,
    pub(super) volumes: Volumes<'a>,
    pub(super) claim_names: SmallSet<&'a str>,
}

impl Surroundings<'_> {
    pub(super) fn grace(&self) -> Option<i64> {
        self.spec.termination_grace_period_seconds
    }
}

/// Upstream: validateContainers.
pub(super) fn containers(around: &Surroundings<'_>, path: &Path, errors: &mut ErrorList) {
    let containers = &around.spec.containers;
    if containers.is_empty() {
        errors.push(Error::required(path, ""));
        return;
    }
    let mut names = SmallSet::new();
    for (index, container) in containers.iter().enumerate() {
        let path = path.index(index);
        common(container, around, &path, errors);
        if !names.insert(&container.name) {
            errors.push(Error::duplicate(&path.child("name"), container.name.as_str()));
        }
        lifecycle_and_probes(container, around, &path, errors);
        restart_policy(container, &path, errors);
    }
    host_port_conflicts(containers, path, errors);
}

/// Upstream: validateInitContainers.
pub(super) fn init_containers(around: &Surroundings<'_>, path: &Path, errors: &mut ErrorList) {
    let mut names: SmallSet<&str> =
        around.spec.containers.iter().map(|container| container.name.as_str()).collect();
    for (index, container) in list(&around.spec.init_containers).iter().enumerate() {
        let index_path = path.index(index);
        common(container, around, &index_path, errors);
        restart_policy(container, &index_path, errors);
        if names.contains(container.name.as_str()) {
            errors.push(Error::duplicate(&index_path.child("name"), container.name.as_str()));
        } else if !container.name.is_empty() {
            names.insert(&container.name);
        }
        // Init containers run one after the other, and so conflict with themselves only.
        host_port_conflicts(std::slice::from_ref(container), path, errors);
        if container.restart_policy.as_deref() == Some("Always") {
            lifecycle_and_probes(container, around, &index_path, errors);
            continue;
        }
        for (name, is_set) in [
            ("lifecycle", container.lifecycle.is_some()),
            ("livenessProbe", container.liveness_probe.is_some()),
            ("readinessProbe", container.readiness_probe.is_some()),
            ("startupProbe", container.startup_probe.is_some()),
        ] {
            if is_set {
                let message = "may not be set for init containers without restartPolicy=Always";
                errors.push(Error::forbidden(&index_path.child(name), message));
            }
        }
    }
}

fn lifecycle_and_probes(
    container: &Container,
    around: &Surroundings<'_>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let grace = around.grace();
    if let Some(lifecycle) = &container.lifecycle {
        probes::lifecycle(lifecycle, grace, &path.child("lifecycle"), errors);
    }
    let liveness = container.liveness_probe.as_ref();
    probes::liveness_or_startup(liveness, grace, &path.child("livenessProbe"), errors);
    let readiness = container.readiness_probe.as_ref();
    probes::readiness(readiness, grace, &path.child("readinessProbe"), errors);
    let startup = container.startup_probe.as_ref();
    probes::liveness_or_startup(startup, grace, &path.child("startupProbe"), errors);
}

/// What holds for every kind of container. Upstream: validateContainerCommon.
pub(super) fn common(
    container: &Container,
    around: &Surroundings<'_>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let name_path = path.child("name");
    require(&container.name, &name_path, errors);
    if !container.name.is_empty() {
        dns_label(&container.name, &name_path, errors);
    }
    require(text(&container.image), &path.child("image"), errors);
    let policy_path = path.child("terminationMessagePolicy");
    match text(&container.termination_message_policy) {
        "File" | "FallbackToLogsOnError" => {}
        "" => errors.push(Error::required(&policy_path, "")),
        other => {
            let known = ["File", "FallbackToLogsOnError"];
            errors.push(Error::not_supported(&policy_path, other, &known));
        }
    }
    ports(list(&container.ports), &path.child("ports"), errors);
    environment::variables(list(&container.env), &path.child("env"), errors);
    environment::sources(list(&container.env_from), &path.child("envFrom"), errors);
    mounts::volume_mounts(container, &around.volumes, &path.child("volumeMounts"), errors);
    mounts::volume_devices(container, &around.volumes, &path.child("volumeDevices"), errors);
    pull_policy(text(&container.image_pull_policy), &path.child("imagePullPolicy"), errors);
    if let Some(requirements) = &container.resources {
        let path = path.child("resources");
        resources::container_requirements(requirements, &around.claim_names, &path, errors);
    }
    let pod_policy = text(&around.spec.restart_policy);
    let resize = list(&container.resize_policy);
    resize_policy(resize, pod_policy, &path.child("resizePolicy"), errors);
    if let Some(context) = &container.security_context {
        let host_users = around.spec.host_users.unwrap_or(true);
        let path = path.child("securityContext");
        security::container_context(context, host_users, &path, errors);
    }
}

/// Upstream: validatePullPolicy.
fn pull_policy(policy: &str, path: &Path, errors: &mut ErrorList) {
    if policy.is_empty() {
        errors.push(Error::required(path, ""));
    } else {
        super::supported(policy, &["Always", "IfNotPresent", "Never"], path, errors);
    }
}

/// Upstream: validateContainerPorts.
fn ports(ports: &[ContainerPort], path: &Path, errors: &mut ErrorList) {
    let mut names_seen = SmallSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = text(&port.name);
        if !name.is_empty() {
            let messages = names::port_name(name);
            let is_valid = messages.is_empty();
            invalid_each(messages, &path.child("name"), name, errors);
            if is_valid && !names_seen.insert(name) {
                errors.push(Error::duplicate(&path.child("name"), name));
            }
        }
        let container_path = path.child("containerPort");
        if port.container_port == 0 {
            errors.push(Error::required(&container_path, ""));
        } else {
            port_number(port.container_port, &container_path, errors);
        }
        let host_port = port.host_port.unwrap_or_default();
        if host_port != 0 {
            port_number(host_port, &path.child("hostPort"), errors);
        }
        let protocol = text(&port.protocol);
        let protocol_path = path.child("protocol");
        if protocol.is_empty() {
            errors.push(Error::required(&protocol_path, ""));
        } else {
            super::supported(protocol, &["SCTP", "TCP", "UDP"], &protocol_path, errors);
        }
    }
}

fn port_number(port: i32, path: &Path, errors: &mut ErrorList) {
    let messages = names::port_number(port).into_iter();
    errors.extend(messages.map(|message| Error::invalid(path, port, message)));
}

/// Upstream: AccumulateUniqueHostPorts.
fn host_port_conflicts(containers: &[Container], path: &Path, errors: &mut ErrorList) {
    let mut taken = SmallSet::new();
    for (index, container) in containers.iter().enumerate() {
        for (port_index, port) in list(&container.ports).iter().enumerate() {
            let Some(host_port) = port.host_port.filter(|host_port| *host_port != 0) else {
                continue;
            };
            let key = format!("{}/{}/{host_port}", text(&port.protocol), text(&port.host_ip));
            if taken.contains(&key) {
                let path = path.index(index).child("ports").index(port_index).child("hostPort");
                errors.push(Error::duplicate(&path, key));
            } else {
                taken.insert(key);
            }
        }
    }
}

/// Upstream: validateResizePolicy.
fn resize_policy(
    policies: &[ContainerResizePolicy],
    pod_policy: &str,
    path: &Path,
    errors: &mut ErrorList,
) {
    let mut seen = SmallSet::new();
    for (index, policy) in policies.iter().enumerate() {
        let ContainerResizePolicy { resource_name, restart_policy } = policy;
        if !seen.insert(resource_name) {
            errors.push(Error::duplicate(&path.index(index), resource_name.as_str()));
        }
        for (value, known) in [
            (resource_name.as_str(), ["cpu", "memory"]),
            (restart_policy.as_str(), ["NotRequired", "RestartContainer"]),
        ] {
            if value.is_empty() {
                errors.push(Error::required(path, ""));
            } else {
                super::supported(value, &known, path, errors);
            }
        }
        if pod_policy == "Never" && restart_policy != "NotRequired" {
            let message = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            errors.push(Error::invalid(path, restart_policy.as_str(), message));
        }
    }
}

/// The container's own restart policy and its rules. Upstream: validateContainerRestartPolicy.
fn restart_policy(container: &Container, path: &Path, errors: &mut ErrorList) {
    let policy_path = path.child("restartPolicy");
    let rules = list(&container.restart_policy_rules);
    match container.restart_policy.as_deref() {
        None if rules.is_empty() => return,
        None => {
            let message = "must specify restartPolicy when restart rules are used";
            errors.push(Error::required(&policy_path, message));
        }
        Some(policy) => {
            super::supported(policy, &["Always", "Never", "OnFailure"], &policy_path, errors);
        }
    }
    let rules_path = path.child("restartPolicyRules");
    if rules.len() > 20 {
        let count = i64::try_from(rules.len()).unwrap_or(i64::MAX);
        errors.push(Error::too_many(&rules_path, count, 20));
    }
    for (index, rule) in rules.iter().enumerate() {
        let path = rules_path.index(index);
        let actions = ["Restart", "RestartAllContainers"];
        super::supported(&rule.action, &actions, &path.child("action"), errors);
        let exit_codes_path = path.child("exitCodes");
        let Some(exit_codes) = &rule.exit_codes else {
            errors.push(Error::required(&exit_codes_path, "must be specified"));
            continue;
        };
        let operator_path = exit_codes_path.child("operator");
        super::supported(&exit_codes.operator, &["In", "NotIn"], &operator_path, errors);
        let count = i64::try_from(list(&exit_codes.values).len()).unwrap_or(i64::MAX);
        if count > 255 {
            errors.push(Error::too_many(&exit_codes_path.child("values"), count, 255));
        }
    }
}

/// What holds in pods, but not in templates. Upstream: validateContainerOnlyForPod.
pub(super) fn only_for_pod(image: &str, path: &Path, errors: &mut ErrorList) {
    if image != image.trim() {
        let message = "must not have leading or trailing whitespace";
        errors.push(Error::invalid(&path.child("image"), image, message));
    }
}
