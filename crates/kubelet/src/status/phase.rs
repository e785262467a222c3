//! The phase of a pod. Upstream: pkg/kubelet/kubelet_pods.go, getPhase.

use api::openapi::api::core::v1::{Container, ContainerState, ContainerStatus, Pod};

use crate::actions::restarts_after;

#[derive(Default)]
struct Counts {
    pending_initialization: u32,
    failed_initialization: u32,
    /// Containers that have ended and are to be started again.
    restarting: u32,
    unknown: u32,
    running: u32,
    waiting: u32,
    stopped: u32,
    succeeded: u32,
}

fn has_terminated(state: Option<&ContainerState>) -> bool {
    state.is_some_and(|state| state.terminated.is_some())
}

fn exit_code(state: &ContainerState) -> Option<i32> {
    state.terminated.as_ref().map(|terminated| terminated.exit_code)
}

impl Counts {
    fn add_init(&mut self, pod: &Pod, container: &Container, status: Option<&ContainerStatus>) {
        let fails = |code: i32| code != 0 && !restarts_after(pod, container, code);
        let Some((status, state)) = status.and_then(|s| Some((s, s.state.as_ref()?))) else {
            self.pending_initialization += 1;
            self.unknown += 1;
            return;
        };
        if state.running.is_some() {
            self.pending_initialization += 1;
        } else if let Some(code) = exit_code(state) {
            self.failed_initialization += u32::from(fails(code));
        } else if state.waiting.is_some() {
            match status.last_state.as_ref().and_then(exit_code) {
                Some(code) => self.failed_initialization += u32::from(fails(code)),
                None => self.pending_initialization += 1,
            }
        } else {
            self.pending_initialization += 1;
            self.unknown += 1;
        }
    }

    fn add_sidecar(&mut self, status: Option<&ContainerStatus>) {
        let Some((status, state)) = status.and_then(|s| Some((s, s.state.as_ref()?))) else {
            self.unknown += 1;
            return;
        };
        if state.running.is_some() {
            self.pending_initialization += u32::from(status.started != Some(true));
            self.running += 1;
        } else if state.waiting.is_some() && !has_terminated(status.last_state.as_ref()) {
            self.pending_initialization += 1;
            self.waiting += 1;
        } else if state.waiting.is_none() && state.terminated.is_none() {
            self.pending_initialization += 1;
            self.unknown += 1;
        }
    }

    fn add_main(&mut self, pod: &Pod, container: &Container, status: Option<&ContainerStatus>) {
        let Some((status, state)) = status.and_then(|s| Some((s, s.state.as_ref()?))) else {
            self.unknown += 1;
            return;
        };
        if state.running.is_some() {
            self.running += 1;
        } else if let Some(code) = exit_code(state) {
            self.stopped += 1;
            self.succeeded += u32::from(code == 0);
            self.restarting += u32::from(restarts_after(pod, container, code));
        } else if state.waiting.is_some() && has_terminated(status.last_state.as_ref()) {
            self.stopped += 1;
            self.restarting += 1;
        } else if state.waiting.is_some() {
            self.waiting += 1;
        } else {
            self.unknown += 1;
        }
    }
}

/// Whether a regular container runs or has run, so that the pod has been initialised before.
/// Upstream: pkg/kubelet/container/helpers.go, HasAnyRegularContainerStarted.
pub(crate) fn has_any_regular_container_started(pod: &Pod, statuses: &[ContainerStatus]) -> bool {
    let Some(spec) = &pod.spec else { return false };
    spec.containers.iter().any(|container| {
        let status = statuses.iter().find(|status| status.name == container.name);
        let state = status.and_then(|status| status.state.as_ref());
        state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
            || status.is_some_and(|status| has_terminated(status.last_state.as_ref()))
    })
}

/// The phase that follows from the containers' statuses. `terminal` says that nothing will be
/// restarted any more, whatever the restart policy; `is_static` pods never end.
pub(crate) fn phase(
    pod: &Pod,
    statuses: &[ContainerStatus],
    terminal: bool,
    is_static: bool,
) -> &'static str {
    let Some(spec) = &pod.spec else { return "Pending" };
    let find = |name: &str| statuses.iter().find(|status| status.name == name);
    let mut counts = Counts::default();
    for container in spec.init_containers.iter().flatten() {
        match container.restart_policy.as_deref() {
            Some("Always") => counts.add_sidecar(find(&container.name)),
            _ => counts.add_init(pod, container, find(&container.name)),
        }
    }
    for container in &spec.containers {
        counts.add_main(pod, container, find(&container.name));
    }
    if counts.failed_initialization > 0 {
        return "Failed";
    }
    let uninitialized =
        counts.pending_initialization > 0 && !has_any_regular_container_started(pod, statuses);
    if uninitialized || counts.waiting > 0 {
        return "Pending";
    }
    if counts.running > 0 && counts.unknown == 0 {
        return "Running";
    }
    if counts.running > 0 || counts.stopped == 0 || counts.unknown > 0 {
        return "Pending";
    }
    let all_succeeded = counts.stopped == counts.succeeded;
    let restarts = counts.restarting > 0 && (!terminal || is_static);
    match (restarts, all_succeeded) {
        (true, _) => "Running",
        (false, true) => "Succeeded",
        (false, false) => "Failed",
    }
}
