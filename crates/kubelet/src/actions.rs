//! What has to be done so that a pod runs as it should.
//!
//! Upstream: pkg/kubelet/kuberuntime/kuberuntime_manager.go, computePodActions, and
//! kuberuntime_container.go, computeInitContainerActions.

use api::openapi::api::core::v1::{Container, Pod};
use sim::Duration;

use crate::container::{ContainerRecord, Role};
use crate::pod_worker::PodWorker;

/// What to do next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PodActions {
    /// A sandbox is needed first.
    pub(crate) create_sandbox: bool,
    /// Containers to stop first.
    pub(crate) kill: Vec<Kill>,
    /// Containers to start, by their place among all, in order.
    pub(crate) start: Vec<usize>,
    /// Nothing runs and nothing will: the sandbox can go.
    pub(crate) kill_pod: bool,
}

/// A container to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kill {
    pub(crate) place: usize,
    /// Why, in the words of the Event.
    pub(crate) message: String,
    /// How long it may take, if that differs from the pod's grace.
    pub(crate) grace: Option<Duration>,
}

/// The containers of a pod in the order of their records: init containers first.
pub(crate) fn containers(pod: &Pod) -> impl Iterator<Item = (Role, &Container)> {
    let init = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten());
    let main = pod.spec.iter().flat_map(|spec| &spec.containers);
    init.map(|container| match container.restart_policy.as_deref() {
        Some("Always") => (Role::Sidecar, container),
        _ => (Role::Init, container),
    })
    .chain(main.map(|container| (Role::Main, container)))
}

/// A container's own restart policy, or its pod's.
pub(crate) fn restart_policy<'a>(pod: &'a Pod, container: &'a Container) -> &'a str {
    let of_pod = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
    container.restart_policy.as_deref().or(of_pod).unwrap_or("Always")
}

/// Whether a rule of the container asks for a restart after that exit code.
fn rule_restarts(container: &Container, code: i32) -> bool {
    container.restart_policy_rules.iter().flatten().any(|rule| {
        let codes = rule.exit_codes.as_ref();
        let matches = codes.is_some_and(|codes| {
            let listed = codes.values.as_ref().is_some_and(|values| values.contains(&code));
            if codes.operator == "NotIn" { !listed } else { listed }
        });
        rule.action == "Restart" && matches
    })
}

/// Whether a container that does not run should be started.
/// Upstream: pkg/kubelet/container/helpers.go, ShouldContainerBeRestarted.
pub(crate) fn should_be_restarted(
    pod: &Pod,
    container: &Container,
    record: &ContainerRecord,
) -> bool {
    if pod.metadata.deletion_timestamp.is_some() || record.is_running() {
        return false;
    }
    let Some(exit) = record.exit() else { return true };
    match restart_policy(pod, container) {
        _ if rule_restarts(container, exit.code) => true,
        "Never" => false,
        "OnFailure" => exit.code != 0,
        _ => true,
    }
}

/// Computes what to do next.
pub(crate) fn compute(worker: &PodWorker) -> PodActions {
    let (pod, records) = (&*worker.pod, &worker.containers[..]);
    let mut actions = PodActions::default();
    let Some(sandbox) = &worker.sandbox else { return without_sandbox(pod, records) };
    // What ran in a sandbox that is gone says nothing of this one.
    let initialized = records.iter().any(|record| {
        let current = record.current.as_ref();
        record.role == Role::Main && current.is_some_and(|i| i.sandbox_id == sandbox.id)
    });
    if !init_actions(worker, initialized, &mut actions) {
        return actions;
    }
    let (mut kept, mut started) = (0, 0);
    for (place, (role, container)) in containers(pod).enumerate() {
        let Some(record) = records.get(place).filter(|_| role == Role::Main) else { continue };
        if !record.is_running() {
            if should_be_restarted(pod, container, record) {
                actions.start.push(place);
                started += 1;
            }
        } else if let Some((kill, restart)) = reason_to_kill(worker, place, container) {
            actions.kill.push(kill);
            if restart {
                actions.start.push(place);
                started += 1;
            }
        } else {
            kept += 1;
        }
    }
    if kept == 0 && started == 0 && actions.kill.is_empty() {
        return PodActions { kill_pod: true, ..PodActions::default() };
    }
    actions
}

/// Why a container that runs must be stopped, and whether it is started again.
fn reason_to_kill(worker: &PodWorker, place: usize, container: &Container) -> Option<(Kill, bool)> {
    let instance = worker.containers.get(place)?.current.as_ref()?;
    let name = &container.name;
    let changed = container.image.as_deref() != Some(&*instance.requested_image);
    let (why, grace, restart) = if changed {
        (format!("Container {name} definition changed"), None, true)
    } else {
        let probe = worker.has_failed_probe(place)?;
        let spec = match probe {
            "liveness" => container.liveness_probe.as_ref(),
            _ => container.startup_probe.as_ref(),
        };
        let grace = spec.and_then(|spec| spec.termination_grace_period_seconds);
        let restart = restart_policy(&worker.pod, container) != "Never";
        let grace = grace.map(Duration::from_api_seconds);
        (format!("Container {name} failed {probe} probe"), grace, restart)
    };
    let message = if restart { format!("{why}, will be restarted") } else { why };
    Some((Kill { place, message, grace }, restart))
}

fn without_sandbox(pod: &Pod, records: &[ContainerRecord]) -> PodActions {
    let mut start = Vec::new();
    let mut has_init = false;
    for (place, (role, container)) in containers(pod).enumerate() {
        has_init |= role != Role::Main;
        let record = records.get(place);
        if role == Role::Main && record.is_some_and(|r| should_be_restarted(pod, container, r)) {
            start.push(place);
        }
    }
    if start.is_empty() {
        return PodActions { kill_pod: true, ..PodActions::default() };
    }
    if has_init {
        start = vec![0];
    }
    PodActions { create_sandbox: true, start, ..PodActions::default() }
}

/// Adds what the init containers need; says whether the regular containers may run.
fn init_actions(worker: &PodWorker, initialized: bool, actions: &mut PodActions) -> bool {
    let (pod, records) = (&*worker.pod, &worker.containers[..]);
    for (place, (role, container)) in containers(pod).enumerate() {
        let Some(record) = records.get(place) else { return false };
        match role {
            Role::Main => return true,
            Role::Sidecar if !record.is_running() => {
                if pod.metadata.deletion_timestamp.is_none() {
                    actions.start.push(place);
                }
                if !initialized {
                    return false;
                }
            }
            Role::Sidecar => {
                if let Some((kill, _)) = reason_to_kill(worker, place, container) {
                    actions.kill.push(kill);
                    actions.start.push(place);
                }
                if !initialized && !worker.is_started(place) {
                    return false;
                }
            }
            Role::Init if initialized || record.has_succeeded() => {}
            Role::Init if record.is_running() => return false,
            Role::Init => {
                let may_start =
                    record.exit().is_none() || should_be_restarted(pod, container, record);
                actions.kill_pod = !may_start;
                if may_start {
                    actions.start.push(place);
                }
                return false;
            }
        }
    }
    true
}
