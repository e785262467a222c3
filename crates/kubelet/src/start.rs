//! Starting a container: back-off, image, configuration, creation, start.
//!
//! Upstream: pkg/kubelet/kuberuntime/kuberuntime_container.go, startContainer;
//! pkg/kubelet/images/image_manager.go, EnsureImageExists.

use std::sync::Arc;

use api::openapi::api::core::v1::Container;
use client::{Context, EventType};
use runtime::{Image, ImageReference};
use sim::{Digest, Digestible, Duration, Time};

use crate::activity::{Errand, Finding, Purpose};
use crate::backoff::Backoff;
use crate::container::{Blueprint, Instance, StartFailure, memory_limit};
use crate::ending::LONGEST_HOOK;
use crate::environment::secret;
use crate::image_service::Pull;
use crate::node::Node;
use crate::pod_worker::PodWorker;
use crate::sync::{Progress, Step};
use crate::volumes::mounts;

const CREATE: (Duration, Duration) = (Duration::from_millis(30), Duration::from_millis(90));
const START: (Duration, Duration) = (Duration::from_millis(30), Duration::from_millis(80));
/// The exit code of a container whose program could not be started.
/// Upstream: containerd, internal/cri/server/container_start.go, errorStartExitCode.
const START_ERROR_EXIT_CODE: i32 = 128;

/// A container on its way to run.
#[derive(Clone, Debug)]
pub(crate) struct Starting {
    pub(crate) place: usize,
    pub(crate) until: Time,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    Pulling { asked: Time, reference: ImageReference, pull: Pull },
    Creating { blueprint: Box<Instance> },
    Starting,
    PostStart(Option<Finding>),
}

impl Starting {
    /// From when to when the image is pulled, if it is.
    pub(crate) fn pull_span(&self) -> Option<(Time, Time)> {
        match &self.stage {
            Stage::Pulling { asked, pull, .. } => Some((*asked, pull.ends)),
            Stage::Creating { .. } | Stage::Starting | Stage::PostStart(_) => None,
        }
    }
}

impl Digestible for Starting {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.place as u64);
        digest.add(&self.until);
        match &self.stage {
            Stage::Pulling { reference, .. } => digest.str(&reference.familiar),
            Stage::Creating { blueprint } => digest.add(&**blueprint),
            Stage::Starting => digest.u64(2),
            Stage::PostStart(finding) => digest.u64(if finding.is_some() { 4 } else { 3 }),
        }
    }
}

impl PodWorker {
    pub(crate) fn begin_starting(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        place: usize,
    ) -> Progress {
        if let Some(ends) = self.restart_back_off(node, cx, place) {
            return self.fail(place, Some(ends));
        }
        self.ensure_image(node, cx, place)
    }

    fn fail(&self, place: usize, back_off_ends: Option<Time>) -> Progress {
        Progress::Failed { back_off_ends, place, acted: false }
    }

    /// Remembers why the container does not run.
    fn set_failure(&mut self, place: usize, reason: &'static str, message: &str) {
        if let Some(record) = self.containers.get_mut(place) {
            record.failure = Some(StartFailure { reason, message: message.to_string() });
        }
    }

    /// When the container may be started again, if that is later than now.
    /// Upstream: kuberuntime_manager.go, doBackOff.
    fn restart_back_off(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        place: usize,
    ) -> Option<Time> {
        let image = self.container(place).and_then(|container| container.image.clone());
        let record = self.containers.get_mut(place)?;
        let finished = record.exit()?.time;
        // Another image is another container: what became of the last says nothing of it.
        // Upstream: pkg/kubelet/kuberuntime/helpers.go, GetBackoffKey.
        if record.current.as_ref().map(|ended| &ended.requested_image) != image.as_ref() {
            record.restart_backoff = Backoff::default();
        }
        let Some(ends) = record.restart_backoff.ends_since(finished, cx.now) else {
            record.restart_backoff.next(finished, cx.now);
            return None;
        };
        let (name, delay) = (record.name.clone(), record.restart_backoff.delay());
        let pod = self.format();
        let message = format!("Back-off restarting failed container {name} in pod {pod}");
        self.event(node, cx, Some(place), (EventType::Warning, "BackOff", &message));
        let message = format!("back-off {delay} restarting failed container={name} pod={pod}");
        self.set_failure(place, "CrashLoopBackOff", &message);
        Some(ends)
    }

    fn ensure_image(&mut self, node: &mut Node, cx: &mut Context<'_>, place: usize) -> Progress {
        let Some(container) = self.container(place) else { return self.fail(place, None) };
        let name = container.image.clone().unwrap_or_default();
        let policy = container.image_pull_policy.clone().unwrap_or_default();
        let reference = match ImageReference::parse(&name) {
            Ok(reference) => reference,
            Err(error) => {
                let message = format!("Failed to apply default image tag {name:?}: {error}");
                self.event(node, cx, Some(place), (EventType::Warning, "InspectFailed", &message));
                return self.fail_image(node, cx, place, ("InvalidImageName", &message), None);
            }
        };
        let present = match policy.as_str() {
            "Always" => None,
            _ => node.images.present(&reference, cx.now),
        };
        if let Some(image) = present {
            let message = format!(
                "Container image {name:?} already present on machine and can be accessed by the \
                 pod"
            );
            self.event(node, cx, Some(place), (EventType::Normal, "Pulled", &message));
            return self.configure(node, cx, place, &reference, image);
        }
        if policy == "Never" {
            let message =
                format!("Container image {name:?} is not present with pull policy of Never");
            self.event(node, cx, Some(place), (EventType::Warning, "ErrImageNeverPull", &message));
            return self.fail_image(node, cx, place, ("ErrImageNeverPull", &message), None);
        }
        self.pull(node, cx, place, (name, reference))
    }

    /// The first container with the image of another: the containers of a pod wait together for
    /// an image. Upstream: image_manager.go, backOffKey.
    fn first_of_image(&self, place: usize) -> usize {
        let image = |place: usize| self.container(place)?.image.as_deref();
        let same = |other: &usize| image(*other) == image(place);
        (0..self.containers.len()).find(same).unwrap_or(place)
    }

    /// Upstream: pkg/kubelet/kubelet_pods.go, getPullSecretsForPod.
    pub(crate) fn announce_missing_pull_secrets(&self, node: &mut Node, cx: &mut Context<'_>) {
        let references = self.pod.spec.iter().flat_map(|s| s.image_pull_secrets.iter().flatten());
        let names = references.map(|reference| reference.name.as_str());
        let missing: Vec<&str> = names
            .filter(|name| !name.is_empty())
            .filter(|name| secret(node, cx, &self.key.namespace, name).is_none())
            .collect();
        if !missing.is_empty() {
            let message = format!(
                "Unable to retrieve some image pull secrets ({}); attempting to pull the image \
                 may not succeed.",
                missing.join(", ")
            );
            let reason = "FailedToRetrieveImagePullSecret";
            self.event(node, cx, None, (EventType::Warning, reason, &message));
        }
    }

    /// Upstream: image_manager.go, pullImage.
    fn pull(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        place: usize,
        (name, reference): (String, ImageReference),
    ) -> Progress {
        let record = self.containers.get(self.first_of_image(place));
        let ends = record.and_then(|record| record.pull_backoff.ends_since_update(cx.now));
        if let (Some(ends), Some(record)) = (ends, record) {
            let mut message = format!("Back-off pulling image {name:?}");
            let detail = record.pull_failure.clone();
            self.event(node, cx, Some(place), (EventType::Normal, "BackOff", &message));
            if !detail.is_empty() {
                message = format!("{message}: {detail}");
            }
            let failure = ("ImagePullBackOff", message.as_str());
            return self.fail_image(node, cx, place, failure, Some(ends));
        }
        let message = format!("Pulling image {name:?}");
        self.event(node, cx, Some(place), (EventType::Normal, "Pulling", &message));
        let asked = cx.now;
        let pull = node.pull(cx, &reference);
        let until = pull.ends;
        Progress::Waits(Starting { place, until, stage: Stage::Pulling { asked, reference, pull } })
    }

    /// Records that the image is missing.
    fn fail_image(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        place: usize,
        (reason, message): (&'static str, &str),
        back_off_ends: Option<Time>,
    ) -> Progress {
        let event = format!("Error: {reason}");
        self.event(node, cx, Some(place), (EventType::Warning, "Failed", &event));
        self.set_failure(place, reason, message);
        self.fail(place, back_off_ends)
    }

    pub(crate) fn go_on_starting(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        starting: Starting,
    ) -> Progress {
        let Starting { place, stage, .. } = starting;
        match stage {
            Stage::Pulling { asked, reference, pull } => {
                self.finish_pull(node, cx, place, (asked, reference, pull))
            }
            Stage::Creating { blueprint } => {
                if let Some(record) = self.containers.get_mut(place) {
                    record.begin_attempt(*blueprint);
                }
                self.event(
                    node,
                    cx,
                    Some(place),
                    (EventType::Normal, "Created", "Container created"),
                );
                let until = cx.now + node.random(cx).between(START.0, START.1);
                Progress::Waits(Starting { place, until, stage: Stage::Starting })
            }
            Stage::Starting => self.start_program(node, cx, place),
            Stage::PostStart(None) => Progress::Done,
            Stage::PostStart(Some(finding)) => self.after_post_start(node, cx, place, &finding),
        }
    }

    fn finish_pull(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        place: usize,
        (asked, reference, pull): (Time, ImageReference, Pull),
    ) -> Progress {
        let name = &reference.familiar;
        let name = self.container(place).and_then(|c| c.image.clone()).unwrap_or(name.clone());
        match pull.result {
            Ok(image) => {
                let whole = |span: Duration| Duration::from_millis(span.as_millis());
                let message = format!(
                    "Successfully pulled image {name:?} in {} ({} including waiting). Image \
                     size: {} bytes.",
                    whole(pull.ends - pull.began),
                    whole(pull.ends - asked),
                    image.size_bytes
                );
                self.event(node, cx, Some(place), (EventType::Normal, "Pulled", &message));
                node.images_changed = true;
                self.configure(node, cx, place, &reference, image)
            }
            Err(error) => {
                let message = format!("Failed to pull image {name:?}: {}", error.message);
                self.event(node, cx, Some(place), (EventType::Warning, "Failed", &message));
                let first = self.first_of_image(place);
                if let Some(record) = self.containers.get_mut(first) {
                    record.pull_backoff.next(cx.now, cx.now);
                    record.pull_failure = format!("ErrImagePull: {}", error.message);
                }
                self.fail_image(node, cx, place, ("ErrImagePull", &error.message), None)
            }
        }
    }

    /// Makes the container's configuration and begins to create it.
    fn configure(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        place: usize,
        reference: &ImageReference,
        image: Arc<Image>,
    ) -> Progress {
        let Some(container) = self.container(place).cloned() else {
            return self.fail(place, None);
        };
        let verified = self.verify_non_root(&container, &image);
        let environment = verified.and_then(|()| self.environment(node, cx, &container, &image));
        let prepared = environment.and_then(|environment| {
            let files = mounts(&self.pod, &container, &environment)?;
            Ok((environment, files))
        });
        let (environment, mut files) = match prepared {
            Ok(prepared) => prepared,
            Err(message) => {
                let event = format!("Error: {message}");
                self.event(node, cx, Some(place), (EventType::Warning, "Failed", &event));
                self.set_failure(place, "CreateContainerConfigError", &message);
                return self.fail(place, None);
            }
        };
        if let Err(message) = self.seccomp(&container) {
            let event = format!("Error: {message}");
            self.event(node, cx, Some(place), (EventType::Warning, "Failed", &event));
            self.set_failure(place, "CreateContainerError", &message);
            return self.fail(place, None);
        }
        self.keep_sub_paths(&container);
        let attempt = self.containers.get(place).and_then(|record| record.current.as_ref());
        let Some(sandbox) = self.sandbox.clone() else { return self.fail(place, None) };
        let of_pod = self.pod.spec.as_ref().and_then(|spec| spec.resources.as_ref());
        let memory = node.spec.memory_bytes;
        let memory = memory_limit(of_pod).map_or(memory, |limit| limit.min(memory));
        image.files.iter().for_each(|(path, content)| files.install(path, content));
        self.write_name_files(node, &mut files);
        let blueprint = Blueprint {
            id: node.container_id(cx),
            sandbox,
            attempt: attempt.map_or(0, |instance| instance.attempt + 1),
            image,
            image_name: reference.to_string(),
            environment,
            files,
            memory,
        };
        let until = cx.now + node.random(cx).between(CREATE.0, CREATE.1);
        let instance = Box::new(Instance::create(blueprint, &container, until));
        Progress::Waits(Starting { place, until, stage: Stage::Creating { blueprint: instance } })
    }

    /// Refuses a container that must not run as root and would.
    /// Upstream: pkg/kubelet/kuberuntime/security_context_others.go, verifyRunAsNonRoot.
    fn verify_non_root(&self, container: &Container, image: &Image) -> Result<(), String> {
        let of_pod = self.pod.spec.as_ref().and_then(|spec| spec.security_context.as_ref());
        let own = container.security_context.as_ref();
        let required = own
            .and_then(|context| context.run_as_non_root)
            .or(of_pod.and_then(|context| context.run_as_non_root));
        let user = own
            .and_then(|context| context.run_as_user)
            .or(of_pod.and_then(|context| context.run_as_user));
        let place = format!("(pod: {:?}, container: {})", self.format(), container.name);
        match (required, user) {
            (Some(true), Some(0)) => {
                Err(format!("container's runAsUser breaks non-root policy {place}"))
            }
            (Some(true), None) if image.user == 0 => {
                Err(format!("container has runAsNonRoot and image will run as root {place}"))
            }
            _ => Ok(()),
        }
    }

    /// The nodes hold no seccomp profiles of their own, so none can be loaded.
    /// Upstream: containerd, pkg/cri/server/container_create_linux.go, generateSeccompSpecOpts.
    fn seccomp(&self, container: &Container) -> Result<(), String> {
        let of_pod = self.pod.spec.as_ref().and_then(|spec| spec.security_context.as_ref());
        let own = container.security_context.as_ref();
        if own.is_some_and(|context| context.privileged == Some(true)) {
            return Ok(());
        }
        let profile = own
            .and_then(|context| context.seccomp_profile.as_ref())
            .or(of_pod.and_then(|context| context.seccomp_profile.as_ref()))
            .and_then(|profile| profile.localhost_profile.as_deref());
        let Some(profile) = profile else { return Ok(()) };
        let path = format!("/var/lib/kubelet/seccomp/{profile}");
        Err(format!(
            "failed to create containerd container: cannot load seccomp profile {path:?}: open \
             {path}: no such file or directory"
        ))
    }

    fn start_program(&mut self, node: &mut Node, cx: &mut Context<'_>, place: usize) -> Progress {
        let record = self.containers.get_mut(place);
        let Some(instance) = record.and_then(|record| record.current.as_mut()) else {
            return self.fail(place, None);
        };
        let program = node.images.catalogue().start(&instance.image, &instance.environment);
        match program {
            Ok(process) => {
                instance.start(process, &self.uid, &mut node.world(cx, &mut self.volumes));
                if let Some(record) = self.containers.get_mut(place) {
                    record.failure = None;
                }
                self.cancel_probes(node, cx, |at, _| at == place);
                self.event(
                    node,
                    cx,
                    Some(place),
                    (EventType::Normal, "Started", "Container started"),
                );
                self.post_start(node, cx, place)
            }
            Err(error) => {
                if error.is_undecided {
                    cx.lack(format!("a program of the image {}", instance.image.repository));
                }
                let message = error.message;
                instance.fail_to_start(START_ERROR_EXIT_CODE, message.clone(), cx.now);
                let event = format!("Error: {message}");
                self.event(node, cx, Some(place), (EventType::Warning, "Failed", &event));
                self.set_failure(place, "RunContainerError", &message);
                Progress::Failed { back_off_ends: None, place, acted: true }
            }
        }
    }

    /// Runs the hook that follows the start. A container whose hook fails is killed.
    fn post_start(&mut self, node: &mut Node, cx: &mut Context<'_>, place: usize) -> Progress {
        let lifecycle = self.container(place).and_then(|container| container.lifecycle.as_ref());
        let Some(handler) = lifecycle.and_then(|hooks| hooks.post_start.clone()) else {
            return Progress::Done;
        };
        let waits = |until: Time, stage: Stage| Progress::Waits(Starting { place, until, stage });
        if let Some(action) = &handler.sleep {
            let until = cx.now + Duration::from_api_seconds(action.seconds);
            return waits(until, Stage::PostStart(None));
        }
        let command = handler.exec.and_then(|action| action.command).unwrap_or_default();
        let errand = match &handler.http_get {
            Some(action) => Errand::Page(action),
            None => Errand::Command(&command),
        };
        let begun =
            self.begin_activity(node, cx, (place, Purpose::PostStart), (errand, LONGEST_HOOK));
        match begun {
            Some(finding) => self.after_post_start(node, cx, place, &finding),
            None => waits(cx.now + LONGEST_HOOK + LONGEST_HOOK, Stage::PostStart(None)),
        }
    }

    /// The hook that follows the start of a container is over: the start goes on.
    pub(crate) fn finish_post_start(&mut self, now: Time, place: usize, finding: Finding) {
        let run = self.run.as_mut();
        if let Some(Step::Container(starting)) = run.map(|run| &mut run.step)
            && starting.place == place
            && matches!(starting.stage, Stage::PostStart(None))
        {
            starting.stage = Stage::PostStart(Some(finding));
            starting.until = now;
        }
    }

    fn after_post_start(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        place: usize,
        finding: &Finding,
    ) -> Progress {
        let why = self.hook_failure(place, Purpose::PostStart, finding);
        let Some(why) = why else { return Progress::Done };
        let event = (EventType::Warning, "FailedPostStartHook", "PostStartHook failed");
        self.event(node, cx, Some(place), event);
        self.set_failure(place, "PostStartHookError", &why);
        let event = (EventType::Normal, "Killing", "FailedPostStartHook");
        self.event(node, cx, Some(place), event);
        if !self.runs(place) {
            return Progress::Failed { back_off_ends: None, place, acted: true };
        }
        let ending = self.begin_ending(node, cx, place, self.grace());
        Progress::Killing { place, ending }
    }
}
