//! The statuses of containers. Upstream: pkg/kubelet/kubelet_pods.go,
//! convertToAPIContainerStatuses, and pkg/kubelet/prober/prober_manager.go, UpdatePodStatus.

use api::openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus, ContainerUser, LinuxContainerUser, Pod,
    ResourceRequirements, VolumeMount, VolumeMountStatus,
};
use api::openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;
use sim::{Clock, Time};

use crate::actions::should_be_restarted;
use crate::container::{ContainerRecord, Instance, Role};

fn meta_time(clock: Clock, time: Time) -> MetaTime {
    MetaTime(clock.timestamp(time))
}

fn waiting(reason: &str, message: &str) -> ContainerState {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_string());
    let waiting = ContainerStateWaiting { reason: text(reason), message: text(message) };
    ContainerState { waiting: Some(waiting), ..ContainerState::default() }
}

fn state(instance: &Instance, clock: Clock) -> ContainerState {
    let container_id = format!("containerd://{}", instance.id);
    match (&instance.exit, instance.started) {
        (Some(exit), started) => ContainerState {
            terminated: Some(ContainerStateTerminated {
                container_id: Some(container_id),
                exit_code: exit.code,
                reason: Some(exit.reason.to_string()),
                message: (!exit.message.is_empty()).then(|| exit.message.clone()),
                started_at: started.map(|time| meta_time(clock, time)),
                finished_at: Some(meta_time(clock, exit.time)),
                signal: None,
            }),
            ..ContainerState::default()
        },
        (None, Some(started)) => ContainerState {
            running: Some(ContainerStateRunning { started_at: Some(meta_time(clock, started)) }),
            ..ContainerState::default()
        },
        (None, None) => waiting("", ""),
    }
}

fn mount_status(mount: &VolumeMount) -> VolumeMountStatus {
    let read_only = mount.read_only == Some(true);
    VolumeMountStatus {
        name: mount.name.clone(),
        mount_path: mount.mount_path.clone(),
        read_only: read_only.then_some(true),
        recursive_read_only: read_only.then(|| "Disabled".to_string()),
        ..VolumeMountStatus::default()
    }
}

/// The resources as they are enforced: those of the specification.
fn resources(container: &Container) -> ResourceRequirements {
    let given = container.resources.clone().unwrap_or_default();
    ResourceRequirements { limits: given.limits, requests: given.requests, claims: None }
}

fn user(container: &Container, pod: &Pod, instance: &Instance) -> ContainerUser {
    let of_pod = pod.spec.as_ref().and_then(|spec| spec.security_context.as_ref());
    let own = container.security_context.as_ref();
    let uid = own
        .and_then(|context| context.run_as_user)
        .or(of_pod.and_then(|context| context.run_as_user))
        .unwrap_or(instance.image.user);
    let gid = own
        .and_then(|context| context.run_as_group)
        .or(of_pod.and_then(|context| context.run_as_group))
        .unwrap_or(if uid == instance.image.user { uid } else { 0 });
    let extra = of_pod.into_iter().flat_map(|context| {
        context.supplemental_groups.iter().flatten().chain(&context.fs_group).copied()
    });
    let mut groups = vec![gid];
    groups.extend(extra.filter(|group| *group != gid));
    let linux = LinuxContainerUser { uid, gid, supplemental_groups: Some(groups) };
    ContainerUser { linux: Some(linux) }
}

/// What the probes say of a container that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probed {
    /// It has started up.
    pub(crate) started: bool,
    /// It can serve.
    pub(crate) ready: bool,
}

/// The status of one container.
pub(crate) fn container_status(
    pod: &Pod,
    container: &Container,
    record: &ContainerRecord,
    probed: Probed,
    clock: Clock,
) -> ContainerStatus {
    let has_init = pod.spec.as_ref().is_some_and(|spec| {
        spec.init_containers.as_ref().is_some_and(|containers| !containers.is_empty())
    });
    let creating = if has_init { "PodInitializing" } else { "ContainerCreating" };
    let mounts = container.volume_mounts.iter().flatten().map(mount_status).collect::<Vec<_>>();
    let mut status = ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        state: Some(waiting(creating, "")),
        last_state: Some(ContainerState::default()),
        volume_mounts: (!mounts.is_empty()).then_some(mounts),
        ..ContainerStatus::default()
    };
    if let Some(instance) = &record.current {
        status.restart_count = i32::try_from(instance.attempt).unwrap_or(i32::MAX);
        status.image.clone_from(&instance.image_name);
        status.image_id = format!("{}@{}", instance.image.repository, instance.image.digest);
        status.container_id = Some(format!("containerd://{}", instance.id));
        status.state = Some(state(instance, clock));
        status.user = Some(user(container, pod, instance));
        let enforced = resources(container);
        status.allocated_resources.clone_from(&enforced.requests);
        status.resources = Some(enforced);
    }
    if let Some(instance) = &record.previous {
        status.last_state = Some(state(instance, clock));
    }
    let done = record.role == Role::Init && record.has_succeeded();
    if let Some(failure) = &record.failure
        && !done
        && should_be_restarted(pod, container, record)
    {
        if record.exit().is_some() {
            status.last_state = status.state.take();
        }
        status.state = Some(waiting(failure.reason, &failure.message));
    }
    let running = record.is_running();
    status.started = Some(running && probed.started);
    status.ready = match record.role {
        Role::Init => done,
        Role::Sidecar | Role::Main => running && probed.started && probed.ready,
    };
    status
}
