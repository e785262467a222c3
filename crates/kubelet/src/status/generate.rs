//! The conditions of a pod that the kubelet owns. Upstream: pkg/kubelet/status/generate.go

use api::openapi::api::core::v1::{ContainerStatus, Pod, PodCondition};

use super::phase::has_any_regular_container_started;

const UNKNOWN_CONTAINER_STATUSES: &str = "UnknownContainerStatuses";
const CONTAINERS_NOT_READY: &str = "ContainersNotReady";
const CONTAINERS_NOT_INITIALIZED: &str = "ContainersNotInitialized";
const READINESS_GATES_NOT_READY: &str = "ReadinessGatesNotReady";

/// The conditions that the kubelet owns, in the order in which it writes them.
pub(crate) const OWNED: [&str; 5] =
    ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];

/// A condition's value before it is given its times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) holds: bool,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl Verdict {
    pub(crate) fn holds() -> Self {
        Verdict { holds: true, ..Verdict::default() }
    }

    pub(crate) fn fails(reason: &'static str, message: String) -> Self {
        Verdict { holds: false, reason, message }
    }

    pub(crate) fn condition(self, kind: &str, generation: Option<i64>) -> PodCondition {
        PodCondition {
            type_: kind.to_string(),
            status: if self.holds { "True" } else { "False" }.to_string(),
            reason: (!self.reason.is_empty()).then(|| self.reason.to_string()),
            message: (!self.message.is_empty()).then_some(self.message),
            observed_generation: generation,
            ..PodCondition::default()
        }
    }
}

fn find<'a>(statuses: &'a [ContainerStatus], name: &str) -> Option<&'a ContainerStatus> {
    statuses.iter().find(|status| status.name == name)
}

/// Names as Go prints a slice of strings.
fn list(names: &[&str]) -> String {
    format!("[{}]", names.join(" "))
}

fn explain(unknown: &[&str], others: &[&str], what: &str) -> String {
    let mut parts = Vec::new();
    if !unknown.is_empty() {
        parts.push(format!("containers with unknown status: {}", list(unknown)));
    }
    if !others.is_empty() {
        parts.push(format!("containers with {what} status: {}", list(others)));
    }
    parts.join(", ")
}

/// Whether all containers and sidecars are ready. `statuses` is `None` when nothing is known.
pub(crate) fn containers_ready(
    pod: &Pod,
    statuses: Option<&[ContainerStatus]>,
    phase: &str,
) -> Verdict {
    let (Some(statuses), Some(spec)) = (statuses, &pod.spec) else {
        return Verdict::fails(UNKNOWN_CONTAINER_STATUSES, String::new());
    };
    let sidecars = spec.init_containers.iter().flatten();
    let sidecars =
        sidecars.filter(|container| container.restart_policy.as_deref() == Some("Always"));
    let (mut unknown, mut unready) = (Vec::new(), Vec::new());
    for container in sidecars.chain(&spec.containers) {
        match find(statuses, &container.name) {
            None => unknown.push(container.name.as_str()),
            Some(status) if !status.ready => unready.push(container.name.as_str()),
            Some(_) => {}
        }
    }
    match phase {
        "Succeeded" if unknown.is_empty() => return Verdict::fails("PodCompleted", String::new()),
        "Failed" => return Verdict::fails("PodFailed", String::new()),
        _ => {}
    }
    match explain(&unknown, &unready, "unready") {
        message if message.is_empty() => Verdict::holds(),
        message => Verdict::fails(CONTAINERS_NOT_READY, message),
    }
}

/// Whether all containers are ready and all readiness gates open.
pub(crate) fn pod_ready(
    pod: &Pod,
    conditions: &[PodCondition],
    statuses: Option<&[ContainerStatus]>,
    phase: &str,
) -> Verdict {
    let containers = containers_ready(pod, statuses, phase);
    if !containers.holds {
        return containers;
    }
    let mut messages = Vec::new();
    let gates = pod.spec.iter().flat_map(|spec| spec.readiness_gates.iter().flatten());
    for gate in gates {
        let gate = &gate.condition_type;
        match conditions.iter().find(|condition| condition.type_ == *gate) {
            None => messages.push(format!(
                "corresponding condition of pod readiness gate {gate:?} does not exist."
            )),
            Some(condition) if condition.status != "True" => messages.push(format!(
                "the status of pod readiness gate {gate:?} is not \"True\", but {}",
                condition.status
            )),
            Some(_) => {}
        }
    }
    if messages.is_empty() {
        return Verdict::holds();
    }
    Verdict::fails(READINESS_GATES_NOT_READY, messages.join(", "))
}

/// Whether all init containers are done, and sidecars started.
pub(crate) fn pod_initialized(
    pod: &Pod,
    statuses: Option<&[ContainerStatus]>,
    phase: &str,
) -> Verdict {
    let Some(spec) = &pod.spec else { return Verdict::holds() };
    let init_containers = spec.init_containers.as_deref().unwrap_or_default();
    if statuses.is_none() && !init_containers.is_empty() {
        return Verdict::fails(UNKNOWN_CONTAINER_STATUSES, String::new());
    }
    let statuses = statuses.unwrap_or_default();
    let (mut unknown, mut incomplete) = (Vec::new(), Vec::new());
    for container in init_containers {
        let sidecar = container.restart_policy.as_deref() == Some("Always");
        match find(statuses, &container.name) {
            None => unknown.push(container.name.as_str()),
            Some(status) if sidecar && status.started == Some(true) => {}
            Some(status) if !sidecar && status.ready => {}
            Some(_) => incomplete.push(container.name.as_str()),
        }
    }
    if phase == "Succeeded" && unknown.is_empty() {
        return Verdict { holds: true, reason: "PodCompleted", message: String::new() };
    }
    if has_any_regular_container_started(pod, statuses) {
        return Verdict::holds();
    }
    match explain(&unknown, &incomplete, "incomplete") {
        message if message.is_empty() => Verdict::holds(),
        message => Verdict::fails(CONTAINERS_NOT_INITIALIZED, message),
    }
}
