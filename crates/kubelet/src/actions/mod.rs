//! What has to be done so that a pod runs as it should.
//!
//! Upstream: pkg/kubelet/kuberuntime/kuberuntime_manager.go, computePodActions, and
//! kuberuntime_container.go, computeInitContainerActions.

use api::openapi::api::core::v1::{Container, Pod, Probe};
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

/// Whether the first rule of the container that is about that exit code asks for a restart.
/// Upstream: pkg/api/v1/pod/util.go, findMatchingContainerRestartRule.
fn rule_restarts(container: &Container, code: i32) -> bool {
    let mut rules = container.restart_policy_rules.iter().flatten();
    let rule = rules.find(|rule| {
        rule.exit_codes.as_ref().is_some_and(|codes| {
            let listed = codes.values.as_ref().is_some_and(|values| values.contains(&code));
            if codes.operator == "NotIn" { !listed } else { listed }
        })
    });
    rule.is_some_and(|rule| rule.action == "Restart")
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
    record.exit().is_none_or(|exit| restarts_after(pod, container, exit.code))
}

/// Whether a container is started again after it has ended with that exit code.
/// Upstream: pkg/api/v1/pod/util.go, ContainerShouldRestart.
pub(crate) fn restarts_after(pod: &Pod, container: &Container, code: i32) -> bool {
    match restart_policy(pod, container) {
        _ if rule_restarts(container, code) => true,
        "Never" => false,
        "OnFailure" => code != 0,
        _ => true,
    }
}

/// Computes what to do next.
pub(crate) fn compute(worker: &PodWorker) -> PodActions {
    let (pod, records) = (&*worker.pod, &worker.containers[..]);
    let mut actions = PodActions::default();
    let Some(sandbox) = &worker.sandbox else { return without_sandbox(pod, records) };
    if !init_actions(worker, &sandbox.id, &mut actions) {
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
    if kept == 0 && started == 0 {
        // What has to be stopped is stopped with the pod, and sidecars are not started for it.
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

/// A pod that never restarts gets no second sandbox. In any other, only those stay away that have
/// done what they are to do once.
fn without_sandbox(pod: &Pod, records: &[ContainerRecord]) -> PodActions {
    let of_pod = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
    let main = containers(pod).enumerate().filter(|(_, (role, _))| *role == Role::Main);
    let had_sandbox = records.iter().any(|record| record.current.is_some());
    let may_start = |(place, (_, container)): (usize, (Role, &Container))| {
        let done = restart_policy(pod, container) == "OnFailure"
            && records.get(place).is_some_and(ContainerRecord::has_succeeded);
        (!done).then_some(place)
    };
    let mut start: Vec<usize> = main.filter_map(may_start).collect();
    if start.is_empty() || of_pod == Some("Never") && had_sandbox {
        return PodActions { kill_pod: true, ..PodActions::default() };
    }
    if records.iter().any(|record| record.role != Role::Main) {
        start = vec![0];
    }
    PodActions { create_sandbox: true, start, ..PodActions::default() }
}

/// Adds what the init containers need; says whether the regular containers may run. The last init
/// container of which something is known says how far the pod has come.
fn init_actions(worker: &PodWorker, sandbox: &str, actions: &mut PodActions) -> bool {
    let (pod, records) = (&*worker.pod, &worker.containers[..]);
    let count = records.iter().filter(|record| record.role != Role::Main).count();
    let Some(last) = count.checked_sub(1) else { return true };
    // What ran in a sandbox that is gone says nothing of this one.
    let mut initialized = records.iter().any(|record| {
        let current = record.current.as_ref().filter(|_| record.role == Role::Main);
        current.is_some_and(|i| i.sandbox_id == sandbox && i.exit.is_none())
    });
    let mut known = initialized;
    let inits: Vec<_> = containers(pod).enumerate().take(count).collect();
    for (place, (role, container)) in inits.into_iter().rev() {
        let Some(record) = records.get(place) else { continue };
        let Some(instance) = &record.current else {
            if known && role == Role::Sidecar {
                actions.start.push(place);
            }
            continue;
        };
        if known && role != Role::Sidecar {
            continue;
        }
        if role == Role::Sidecar && instance.is_running() {
            initialized |= keep_sidecar(worker, (place, last), (container, known), actions);
        } else if role == Role::Sidecar || instance.exit.is_none() && !instance.is_running() {
            actions.start.push(place);
        } else if record.has_succeeded() {
            initialized |= place == last;
            actions.start.extend((place != last).then_some(place + 1));
        } else if instance.exit.is_some() {
            if !should_be_restarted(pod, container, record) {
                *actions = PodActions { kill_pod: true, ..PodActions::default() };
                return false;
            }
            actions.start.push(place);
        }
        known = true;
    }
    if !known {
        actions.start.push(0);
    }
    actions.start.reverse();
    initialized
}

/// Adds what a sidecar that runs needs, and what may begin because it runs; says whether it is
/// the last of the init containers and has started up.
fn keep_sidecar(
    worker: &PodWorker,
    (place, last): (usize, usize),
    (container, known): (&Container, bool),
    actions: &mut PodActions,
) -> bool {
    let instance = worker.containers.get(place).and_then(|record| record.current.as_ref());
    let changed = instance.is_some_and(|i| container.image.as_deref() != Some(&*i.requested_image));
    let failed = worker.has_failed_probe(place);
    let name = &container.name;
    let grace = |probe: Option<&Probe>| {
        let seconds = probe.and_then(|probe| probe.termination_grace_period_seconds);
        seconds.map(Duration::from_api_seconds)
    };
    let mut kill = |what: &str, grace: Option<Duration>| {
        let message = format!("Init container {name} {what}");
        actions.kill.push(Kill { place, message, grace });
    };
    if !worker.is_started(place) {
        if worker.startup_has_failed(place) {
            kill("failed startup probe", grace(container.startup_probe.as_ref()));
            actions.start.push(place);
        }
        return false;
    }
    let again = if changed {
        kill("definition changed", None);
        true
    } else if failed == Some("liveness") {
        kill("failed liveness probe", grace(container.liveness_probe.as_ref()));
        true
    } else {
        false
    };
    if place != last && !known {
        actions.start.push(place + 1);
    }
    actions.start.extend(again.then_some(place));
    place == last
}

#[cfg(test)]
mod tests;
