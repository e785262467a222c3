//! The row of a pod.

use api::openapi::api::core::v1::{Container, ContainerState as ApiState, ContainerStatus, Pod};
use api::openapi::api::core::v1::{Node, PodStatus};
use api::{Key, KindId, Object};
use cluster::Cluster;
use component_helpers::resources::{self, PodResourcesOptions};
use protocol::{ContainerRow, ContainerState, PodRow, PodState, Progress, Resources};
use sim::{SmallMap, Time};

use crate::rows::{count, created, milliseconds, owner};

/// The cells of an object's table row, by the names of their columns.
pub(crate) fn cells_by_name(object: &Object, cluster: &Cluster) -> SmallMap<&'static str, String> {
    let kind = object.kind();
    let now = cluster.clock().timestamp(cluster.now());
    let cells = (object.behaviour().row)(object, now);
    let columns = (kind.columns)().iter().map(|column| column.name);
    columns.zip(cells.iter().map(ToString::to_string)).collect()
}

/// Adds what a pod asks for, unless it has ended.
pub(crate) fn add_requests(object: &Object, sum: &mut Resources) {
    let Some(pod) = object.get::<Pod>() else { return };
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if matches!(phase, Some("Succeeded" | "Failed")) {
        return;
    }
    let requests = requests(pod);
    sum.cpu_milli += requests.cpu_milli;
    sum.memory_bytes += requests.memory_bytes;
    sum.pods += 1;
}

fn requests(pod: &Pod) -> Resources {
    let requests = resources::pod_requests(pod, &PodResourcesOptions::default());
    let amount = |name: &str| requests.get(name).copied().unwrap_or_default();
    Resources {
        cpu_milli: amount("cpu").milli_value(),
        memory_bytes: amount("memory").value(),
        pods: 1,
    }
}

/// The row of a pod; `None` for an object of another kind.
pub(crate) fn row(cluster: &Cluster, object: &Object) -> Option<PodRow> {
    let pod = object.get::<Pod>()?;
    let spec = pod.spec.clone().unwrap_or_default();
    let status = pod.status.clone().unwrap_or_default();
    let cells = cells_by_name(object, cluster);
    let cell = |name: &str| cells.get(name).cloned().unwrap_or_default();
    let (ready, total) = cell("Ready")
        .split_once('/')
        .map(|(ready, total)| (ready.parse().unwrap_or(0), total.parse().unwrap_or(0)))
        .unwrap_or_default();
    let state = state(cluster, pod, &status);
    let statuses = status.init_container_statuses.iter().chain(&status.container_statuses);
    let restarts = statuses.flatten().map(|container| count(Some(container.restart_count))).sum();
    let init = spec.init_containers.iter().flatten().map(|container| (container, true));
    let app = spec.containers.iter().map(|container| (container, false));
    Some(PodRow {
        uid: object.uid().to_string(),
        namespace: object.namespace().to_string(),
        name: object.name().to_string(),
        node: spec.node_name.clone().filter(|node| !node.is_empty()),
        status: cell("Status"),
        state,
        progress: progress(cluster, pod, state),
        message: message(&status),
        ready_containers: ready,
        total_containers: total,
        restarts,
        ip: status.pod_ip.clone().unwrap_or_default(),
        requests: requests(pod),
        owner: owner(object.meta()),
        created_ms: created(object.meta()),
        containers: init
            .chain(app)
            .map(|(container, init)| container_row(container, init, &status))
            .collect(),
    })
}

fn condition<'s>(status: &'s PodStatus, kind: &str) -> Option<(&'s str, Option<&'s String>)> {
    let mut conditions = status.conditions.iter().flatten();
    let found = conditions.find(|condition| condition.type_ == kind)?;
    Some((&found.status, found.message.as_ref()))
}

fn waiting_reasons(status: &PodStatus) -> impl Iterator<Item = &str> {
    let statuses = status.init_container_statuses.iter().chain(&status.container_statuses);
    statuses
        .flatten()
        .filter_map(|container| container.state.as_ref()?.waiting.as_ref()?.reason.as_deref())
}

/// Reasons for which a container cannot start, however long one waits.
/// Upstream: pkg/kubelet/images/types.go and pkg/kubelet/kuberuntime/kuberuntime_container.go
const CANNOT_START: [&str; 9] = [
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "RegistryUnavailable",
];

fn state(cluster: &Cluster, pod: &Pod, status: &PodStatus) -> PodState {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    let node = node.filter(|node| !node.is_empty());
    let phase = status.phase.as_deref().unwrap_or("Pending");
    if pod.metadata.deletion_timestamp.is_some() {
        return PodState::Terminating;
    }
    match phase {
        "Succeeded" => return PodState::Succeeded,
        "Failed" => return PodState::Failed,
        "Unknown" => return PodState::Unknown,
        _ => {}
    }
    let Some(node) = node else { return PodState::Unscheduled };
    if waiting_reasons(status).any(|reason| reason == "CrashLoopBackOff")
        || is_backing_off(cluster, pod, status)
    {
        return PodState::CrashLooping;
    }
    if waiting_reasons(status).any(|reason| CANNOT_START.contains(&reason)) {
        return PodState::Failed;
    }
    if node_is_silent(cluster, node) {
        return PodState::Unknown;
    }
    let ready = condition(status, "Ready").is_some_and(|(status, _)| status == "True");
    match (phase, ready) {
        ("Running", true) => PodState::Ready,
        ("Running", false) => PodState::RunningNotReady,
        _ => PodState::Creating,
    }
}

/// Whether a container has ended and its node holds it back. The status may still say how it
/// ended: the kubelet writes `CrashLoopBackOff` when it next looks.
fn is_backing_off(cluster: &Cluster, pod: &Pod, status: &PodStatus) -> bool {
    let statuses = status.init_container_statuses.iter().chain(&status.container_statuses);
    let ended = statuses.flatten().any(|container| {
        let state = container.state.as_ref();
        state.is_some_and(|state| state.terminated.is_some())
    });
    ended && node_progress(cluster, pod).is_some()
}

/// Whether nobody knows how the node is.
fn node_is_silent(cluster: &Cluster, node: &str) -> bool {
    let nodes = cluster.snapshot(KindId::NODE);
    let Some(node) = nodes.get(&Key::cluster(node)).and_then(Object::get::<Node>) else {
        return true;
    };
    let conditions = node.status.iter().flat_map(|status| &status.conditions).flatten();
    conditions.into_iter().any(|c| c.type_ == "Ready" && c.status == "Unknown")
}

/// What the pod's state waits for, when its node knows.
fn progress(cluster: &Cluster, pod: &Pod, state: PodState) -> Option<Progress> {
    let clock = cluster.clock();
    let milliseconds = |time| clock.micro_timestamp(time).as_millisecond();
    if !matches!(state, PodState::Creating | PodState::CrashLooping | PodState::Terminating) {
        return None;
    }
    let (from, until) = node_progress(cluster, pod)?;
    Some(Progress { from_ms: milliseconds(from), until_ms: milliseconds(until) })
}

/// From when to when the pod waits, as its node knows.
fn node_progress(cluster: &Cluster, pod: &Pod) -> Option<(Time, Time)> {
    let node = pod.spec.as_ref()?.node_name.as_deref()?;
    let kubelet = cluster.kubelets().find(|kubelet| kubelet.node_name() == node)?;
    kubelet.progress(pod.metadata.uid.as_deref()?, cluster.now())
}

/// Why the pod is as it is, in Kubernetes' words.
fn message(status: &PodStatus) -> String {
    if let Some(("False", Some(message))) = condition(status, "PodScheduled") {
        return message.clone();
    }
    let statuses = status.init_container_statuses.iter().chain(&status.container_statuses);
    let waiting = statuses
        .flatten()
        .find_map(|container| container.state.as_ref()?.waiting.as_ref()?.message.clone());
    waiting.or_else(|| status.message.clone()).unwrap_or_default()
}

fn container_row(container: &Container, init: bool, status: &PodStatus) -> ContainerRow {
    let statuses = if init { &status.init_container_statuses } else { &status.container_statuses };
    let mut statuses = statuses.iter().flatten();
    let found = statuses.find(|status| status.name == container.name);
    ContainerRow {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        init,
        ready: found.is_some_and(|status| status.ready),
        restarts: count(found.map(|status| status.restart_count)),
        state: container_state(found),
    }
}

fn container_state(status: Option<&ContainerStatus>) -> ContainerState {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match status.and_then(|status| status.state.as_ref()) {
        Some(ApiState { running: Some(running), .. }) => {
            ContainerState::Running { started_ms: milliseconds(running.started_at.as_ref()) }
        }
        Some(ApiState { terminated: Some(terminated), .. }) => ContainerState::Terminated {
            exit_code: terminated.exit_code,
            reason: text(&terminated.reason),
            finished_ms: milliseconds(terminated.finished_at.as_ref()),
        },
        Some(ApiState { waiting: Some(waiting), .. }) => ContainerState::Waiting {
            reason: text(&waiting.reason),
            message: text(&waiting.message),
        },
        _ => ContainerState::Waiting { reason: String::new(), message: String::new() },
    }
}
