//! What has to be done so that a pod runs as it should.
//!
//! Upstream: pkg/kubelet/kuberuntime/kuberuntime_manager.go, computePodActions, and
//! kuberuntime_container.go, computeInitContainerActions.

use api::openapi::api::core::v1::{Container, Pod};

use crate::container::{ContainerRecord, Role};

/// What to do next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PodActions {
    /// A sandbox is needed first.
    pub(crate) create_sandbox: bool,
    /// Containers to start, by their place among all, in order.
    pub(crate) start: Vec<usize>,
    /// Nothing runs and nothing will: the sandbox can go.
    pub(crate) kill_pod: bool,
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

/// Computes what to do next. `has_sandbox` says whether the pod's sandbox is ready, `started`
/// whether a sidecar has started up.
pub(crate) fn compute(
    pod: &Pod,
    records: &[ContainerRecord],
    has_sandbox: bool,
    started: impl Fn(usize) -> bool,
) -> PodActions {
    let mut actions = PodActions::default();
    if !has_sandbox {
        return without_sandbox(pod, records);
    }
    let initialized =
        records.iter().any(|record| record.role == Role::Main && record.current.is_some());
    if !init_actions(pod, records, initialized, started, &mut actions) {
        return actions;
    }
    let mut kept = 0;
    for (place, (role, container)) in containers(pod).enumerate() {
        if role != Role::Main {
            continue;
        }
        match records.get(place) {
            Some(record) if record.is_running() => kept += 1,
            Some(record) if should_be_restarted(pod, container, record) => {
                actions.start.push(place);
            }
            _ => {}
        }
    }
    let starts_main = actions
        .start
        .iter()
        .any(|place| records.get(*place).is_some_and(|record| record.role == Role::Main));
    if kept == 0 && !starts_main {
        return PodActions { kill_pod: true, ..PodActions::default() };
    }
    actions
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
    PodActions { create_sandbox: true, start, kill_pod: false }
}

/// Adds what the init containers need; says whether the regular containers may run.
fn init_actions(
    pod: &Pod,
    records: &[ContainerRecord],
    initialized: bool,
    started: impl Fn(usize) -> bool,
    actions: &mut PodActions,
) -> bool {
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
                if !initialized && !started(place) {
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
