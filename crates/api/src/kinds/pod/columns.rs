//! The table of pods: which containers are ready, the one word that sums up the status, and
//! how often containers restarted.
//!
//! Upstream: printPod in pkg/printers/internalversion/printers.go

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodSpec, PodStatus,
};

use super::super::printing;
use super::pod_ip;
use crate::{Cell, Column};

pub(super) const COLUMNS: &[Column] = &[
    Column::NAME,
    Column::string("Ready"),
    Column::string("Status"),
    Column::string("Restarts"),
    Column::AGE,
    Column::string("IP").wide(),
    Column::string("Node").wide(),
    Column::string("Nominated Node").wide(),
    Column::string("Readiness Gates").wide(),
];

pub(super) fn row(pod: &Pod, now: Timestamp) -> Vec<Cell> {
    let no_spec = PodSpec::default();
    let no_status = PodStatus::default();
    let spec = pod.spec.as_ref().unwrap_or(&no_spec);
    let status = pod.status.as_ref().unwrap_or(&no_status);
    let summary = Summary::of(pod, spec, status);
    let sidecars = spec.init_containers.iter().flatten().filter(|it| is_restartable(it)).count();
    let total = spec.containers.len() + sidecars;
    vec![
        printing::name(&pod.metadata),
        format!("{}/{total}", summary.ready).into(),
        summary.reason.into(),
        summary.restarts.text(now).into(),
        printing::age(&pod.metadata, now),
        printing::or_none(pod_ip(status)).into(),
        printing::or_none(spec.node_name.as_deref()).into(),
        printing::or_none(status.nominated_node_name.as_deref()).into(),
        readiness_gates(spec, status).into(),
    ]
}

/// How often containers restarted, and when the last of them ended.
#[derive(Default)]
struct Restarts {
    count: i32,
    last: Option<Timestamp>,
}

impl Restarts {
    fn add(&mut self, container: &ContainerStatus) {
        self.count += container.restart_count;
        let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
        let finished = last.and_then(|terminated| terminated.finished_at.as_ref());
        self.last = self.last.max(finished.map(|time| time.0));
    }

    fn text(&self, now: Timestamp) -> String {
        match self.last {
            Some(last) if self.count != 0 => {
                format!("{} ({} ago)", self.count, printing::since(Some(last), now))
            }
            _ => self.count.to_string(),
        }
    }
}

/// What a row says of a pod's containers.
struct Summary {
    ready: usize,
    reason: String,
    restarts: Restarts,
}

impl Summary {
    fn of(pod: &Pod, spec: &PodSpec, status: &PodStatus) -> Self {
        let mut summary =
            Summary { ready: 0, reason: phase_or_reason(status), restarts: Restarts::default() };
        let (initializing, sidecar_restarts) = summary.add_init_containers(spec, status);
        if !initializing || has_condition(status, "Initialized") {
            summary.restarts = sidecar_restarts;
            summary.add_containers(status);
        }
        let phase = status.phase.as_deref().unwrap_or_default();
        if pod.metadata.deletion_timestamp.is_some() {
            if status.reason.as_deref() == Some("NodeLost") {
                summary.reason = "Unknown".to_string();
            } else if !matches!(phase, "Succeeded" | "Failed") {
                summary.reason = "Terminating".to_string();
            }
        }
        summary
    }

    /// Goes through the init containers as far as they have come. Returns whether the pod is
    /// still initializing, and the restarts of sidecars.
    fn add_init_containers(&mut self, spec: &PodSpec, status: &PodStatus) -> (bool, Restarts) {
        let init_containers = spec.init_containers.as_deref().unwrap_or_default();
        let mut sidecar_restarts = Restarts::default();
        let statuses = status.init_container_statuses.iter().flatten();
        for (index, container) in statuses.enumerate() {
            self.restarts.add(container);
            let named = init_containers.iter().find(|it| it.name == container.name);
            let is_sidecar = named.is_some_and(is_restartable);
            if is_sidecar {
                sidecar_restarts.add(container);
            }
            let none = ContainerState::default();
            let state = container.state.as_ref().unwrap_or(&none);
            if state.terminated.as_ref().is_some_and(|terminated| terminated.exit_code == 0) {
                continue;
            }
            if is_sidecar && container.started == Some(true) {
                self.ready += usize::from(container.ready);
                continue;
            }
            let waiting = state.waiting.as_ref().and_then(|waiting| waiting.reason.as_deref());
            self.reason = match (&state.terminated, waiting) {
                (Some(terminated), _) => format!("Init:{}", ending(terminated)),
                (None, Some(reason)) if !reason.is_empty() && reason != "PodInitializing" => {
                    format!("Init:{reason}")
                }
                _ => format!("Init:{index}/{}", init_containers.len()),
            };
            return (true, sidecar_restarts);
        }
        (false, sidecar_restarts)
    }

    fn add_containers(&mut self, status: &PodStatus) {
        let mut has_running = false;
        for container in status.container_statuses.iter().flatten().rev() {
            self.restarts.add(container);
            let none = ContainerState::default();
            let state = container.state.as_ref().unwrap_or(&none);
            let waiting = state.waiting.as_ref().and_then(|waiting| waiting.reason.as_deref());
            if let Some(reason) = waiting.filter(|reason| !reason.is_empty()) {
                self.reason = reason.to_string();
            } else if let Some(terminated) = &state.terminated {
                self.reason = ending(terminated);
            } else if container.ready && state.running.is_some() {
                has_running = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" && has_running {
            let ready = has_condition(status, "Ready");
            self.reason = if ready { "Running" } else { "NotReady" }.to_string();
        }
    }
}

/// The phase, the reason the status gives instead, or that gates hold the pod.
fn phase_or_reason(status: &PodStatus) -> String {
    let gated = status.conditions.iter().flatten().any(|condition| {
        condition.type_ == "PodScheduled" && condition.reason.as_deref() == Some("SchedulingGated")
    });
    if gated {
        return "SchedulingGated".to_string();
    }
    let reason = status.reason.as_ref().filter(|reason| !reason.is_empty());
    reason.or(status.phase.as_ref()).cloned().unwrap_or_default()
}

/// The reason a container ended, else its signal or exit code.
fn ending(terminated: &ContainerStateTerminated) -> String {
    match (terminated.reason.as_deref(), terminated.signal) {
        (Some(reason), _) if !reason.is_empty() => reason.to_string(),
        (_, Some(signal)) if signal != 0 => format!("Signal:{signal}"),
        _ => format!("ExitCode:{}", terminated.exit_code),
    }
}

fn is_restartable(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn has_condition(status: &PodStatus, condition_type: &str) -> bool {
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|condition| condition.type_ == condition_type && condition.status == "True")
}

/// How many of the pod's readiness gates are open.
fn readiness_gates(spec: &PodSpec, status: &PodStatus) -> String {
    let gates = spec.readiness_gates.as_deref().unwrap_or_default();
    if gates.is_empty() {
        return "<none>".to_string();
    }
    let open = gates.iter().filter(|gate| has_condition(status, &gate.condition_type)).count();
    format!("{open}/{}", gates.len())
}
