//! One container of a pod: its attempts to run, each an instance with its own id, log and files.

use std::sync::Arc;

use api::openapi::api::core::v1::{Container, ResourceRequirements};
use network::{NamespaceId, Owner};
use runtime::{ContainerLog, Environment, Files, Image, Process, ProcessEvent, Signal};
use sim::{Digest, Digestible, Time};

use crate::backoff::Backoff;
use crate::pod_worker::Sandbox;
use crate::prober::{ProbeKind, ProbeState};
use crate::resources::amounts;
use crate::task::{Room, Task, World};

/// What part a container plays in its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Runs to its end before the next begins.
    Init,
    /// An init container that goes on running: `restartPolicy: Always`.
    Sidecar,
    /// A regular container.
    Main,
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) code: i32,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) time: Time,
}

/// One attempt to run a container.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    /// 64 hexadecimal digits.
    pub(crate) id: String,
    /// The sandbox it runs in.
    pub(crate) sandbox_id: String,
    /// The network namespace of its pod.
    pub(crate) namespace: NamespaceId,
    pub(crate) attempt: u32,
    pub(crate) image: Arc<Image>,
    /// The image's whole name.
    pub(crate) image_name: String,
    /// The image as the specification named it.
    pub(crate) requested_image: String,
    pub(crate) environment: Arc<Environment>,
    pub(crate) created: Time,
    /// When it began to run; `None` for one that is created only.
    pub(crate) started: Option<Time>,
    pub(crate) exit: Option<Exit>,
    /// The running program; `None` before it starts and after it ended.
    task: Option<Task>,
    pub(crate) files: Files,
    pub(crate) log: ContainerLog,
    /// The file whose content becomes the termination message.
    pub(crate) termination_message_path: String,
    pub(crate) message_from_log: bool,
    /// How many bytes of memory it may hold.
    memory_limit: u64,
}

/// What an instance is made from.
pub(crate) struct Blueprint {
    pub(crate) id: String,
    pub(crate) sandbox: Sandbox,
    pub(crate) attempt: u32,
    pub(crate) image: Arc<Image>,
    pub(crate) image_name: String,
    pub(crate) environment: Environment,
    pub(crate) files: Files,
    /// What its pod and its machine leave it of memory, in bytes.
    pub(crate) memory: u64,
}

impl Instance {
    pub(crate) fn create(blueprint: Blueprint, container: &Container, now: Time) -> Self {
        let Blueprint { id, sandbox, attempt, image, image_name, environment, files, memory } =
            blueprint;
        Instance {
            id,
            sandbox_id: sandbox.id,
            namespace: sandbox.namespace,
            attempt,
            image,
            image_name,
            requested_image: container.image.clone().unwrap_or_default(),
            environment: Arc::new(environment),
            created: now,
            started: None,
            exit: None,
            task: None,
            files,
            log: ContainerLog::new(),
            termination_message_path: container
                .termination_message_path
                .clone()
                .unwrap_or_else(|| "/dev/termination-log".to_string()),
            message_from_log: container.termination_message_policy.as_deref()
                == Some("FallbackToLogsOnError"),
            memory_limit: memory_limit(container.resources.as_ref()).unwrap_or(memory).min(memory),
        }
    }

    /// Begins to run the program of the pod of that UID.
    pub(crate) fn start(&mut self, process: Box<dyn Process>, uid: &Arc<str>, world: &mut World) {
        self.started = Some(world.now);
        self.task = Some(Task::new(process, uid, world));
        self.deliver(ProcessEvent::Started, world);
    }

    /// Records that the program could not be started.
    pub(crate) fn fail_to_start(&mut self, code: i32, message: String, now: Time) {
        self.exit = Some(Exit { code, reason: "StartError", message, time: now });
    }

    pub(crate) fn is_running(&self) -> bool {
        self.started.is_some() && self.exit.is_none()
    }

    /// When its program wants to be woken.
    pub(crate) fn timer(&self) -> Option<Time> {
        self.task.as_ref()?.timer
    }

    /// Who its program is to the network.
    pub(crate) fn owner(&self) -> Option<Owner> {
        self.task.as_ref().map(|task| task.owner)
    }

    /// Wakes the program if the instant has come that it waits for.
    pub(crate) fn run_timer(&mut self, world: &mut World<'_>) {
        if self.task.as_mut().is_some_and(|task| task.take_timer(world.now)) {
            self.deliver(ProcessEvent::Timer, world);
        }
    }

    /// Sends a signal. `SIGKILL` ends the program whatever it does.
    pub(crate) fn signal(&mut self, signal: Signal, world: &mut World<'_>) {
        if !self.is_running() {
            return;
        }
        if signal == Signal::Kill {
            self.end(signal.exit_code(), "Error", world);
        } else {
            self.deliver(ProcessEvent::Signal(signal), world);
        }
    }

    /// Tells the program what happened.
    pub(crate) fn deliver(&mut self, event: ProcessEvent, world: &mut World<'_>) {
        let Some(task) = &mut self.task else { return };
        let room = Room {
            environment: &self.environment,
            files: &mut self.files,
            log: &mut self.log,
            namespace: self.namespace,
        };
        let code = task.on(event, room, world);
        let too_large = task.memory() > self.memory_limit;
        match code {
            Some(code) => self.end(code, if code == 0 { "Completed" } else { "Error" }, world),
            // All its processes are killed together.
            // Upstream: pkg/kubelet/kuberuntime/kuberuntime_container_linux.go, memory.oom.group.
            None if too_large => self.end(Signal::Kill.exit_code(), "OOMKilled", world),
            None => {}
        }
    }

    /// The machine failed under it. Nobody was there to see how it ended.
    /// Upstream: containerd, internal/cri/store/container/status.go, unknownExitCode.
    pub(crate) fn lose(&mut self, world: &mut World<'_>) {
        if self.exit.is_none() {
            self.end_task(world);
            let message = String::new();
            self.exit = Some(Exit { code: 255, reason: "Unknown", message, time: world.now });
        }
    }

    fn end(&mut self, code: i32, reason: &'static str, world: &mut World<'_>) {
        self.end_task(world);
        let message = self.termination_message(code);
        self.exit = Some(Exit { code, reason, message, time: world.now });
    }

    fn end_task(&mut self, world: &mut World<'_>) {
        if let Some(task) = self.task.take() {
            task.end(world);
        }
    }

    /// Upstream: kuberuntime_container.go, getTerminationMessage; the log's tail is at most 80
    /// lines and 2048 bytes, the file's head 4096 bytes.
    fn termination_message(&self, code: i32) -> String {
        let written = self.files.read(&self.termination_message_path).unwrap_or_default();
        if !written.is_empty() {
            let head = &written[..written.len().min(4096)];
            return String::from_utf8_lossy(head).into_owned();
        }
        if !self.message_from_log || code == 0 {
            return String::new();
        }
        let mut tail: Vec<&str> = Vec::new();
        let mut bytes = 0;
        for line in self.log.lines().rev().take(80) {
            bytes += line.text.len() + 1;
            if bytes > 2048 {
                break;
            }
            tail.push(&line.text);
        }
        tail.reverse();
        tail.iter().flat_map(|line| [*line, "\n"]).collect()
    }
}

/// The bytes of memory that a container or pod is limited to.
pub(crate) fn memory_limit(resources: Option<&ResourceRequirements>) -> Option<u64> {
    amounts(resources?.limits.as_ref()).get("memory").copied().filter(|bytes| *bytes > 0)
}

impl Digestible for Instance {
    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.id);
        digest.u64(self.namespace.0);
        digest.add(&self.attempt);
        digest.str(&self.image_name);
        digest.add(&self.created);
        digest.add(&self.started);
        digest.add(&self.exit.as_ref().map(|exit| exit.time));
        digest.add(&self.exit.as_ref().map(|exit| exit.code));
        digest.add(&self.task);
        digest.add(&*self.environment);
        digest.add(&self.files);
        digest.add(&self.log);
    }
}

/// Why a container is not running yet: what the kubelet met when it last tried to start it.
/// Upstream: pkg/kubelet/reason_cache.go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StartFailure {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// A container of a pod over all its attempts.
#[derive(Clone, Debug)]
pub(crate) struct ContainerRecord {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// The newest attempt.
    pub(crate) current: Option<Instance>,
    /// The attempt before, which has ended.
    pub(crate) previous: Option<Instance>,
    pub(crate) failure: Option<StartFailure>,
    pub(crate) restart_backoff: Backoff,
    pub(crate) pull_backoff: Backoff,
    /// What went wrong with the last pull, for the message while in back-off.
    pub(crate) pull_failure: String,
    /// What the probes found, by [`crate::prober::ProbeKind`].
    pub(crate) probes: [ProbeState; 3],
    /// Whether the kubelet has seen the newest attempt's end.
    pub(crate) exit_seen: bool,
}

impl ContainerRecord {
    pub(crate) fn new(name: &str, role: Role) -> Self {
        ContainerRecord {
            name: name.to_string(),
            role,
            current: None,
            previous: None,
            failure: None,
            restart_backoff: Backoff::default(),
            pull_backoff: Backoff::default(),
            pull_failure: String::new(),
            probes: Default::default(),
            exit_seen: false,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.current.as_ref().is_some_and(Instance::is_running)
    }

    /// How the newest attempt ended.
    pub(crate) fn exit(&self) -> Option<&Exit> {
        self.current.as_ref()?.exit.as_ref()
    }

    /// Whether the newest attempt ended well.
    pub(crate) fn has_succeeded(&self) -> bool {
        self.exit().is_some_and(|exit| exit.code == 0)
    }

    /// Forgets what only the kubelet's memory held: why it could not start, how often it failed.
    pub(crate) fn forget(&mut self) {
        self.failure = None;
        self.restart_backoff = Backoff::default();
        self.pull_backoff = Backoff::default();
        self.pull_failure = String::new();
        for (kind, state) in ProbeKind::ALL.into_iter().zip(&mut self.probes) {
            state.forget(kind);
        }
    }

    /// Puts a new attempt in place of the newest, which has ended.
    pub(crate) fn begin_attempt(&mut self, instance: Instance) {
        self.previous = self.current.replace(instance);
        self.exit_seen = false;
    }
}

impl Digestible for ContainerRecord {
    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.name);
        digest.add(&self.current);
        digest.add(&self.previous);
        digest.bool(self.failure.is_some());
        if let Some(failure) = &self.failure {
            digest.str(failure.reason);
            digest.str(&failure.message);
        }
        digest.add(&self.restart_backoff);
        digest.add(&self.pull_backoff);
        self.probes.iter().for_each(|state| digest.add(state));
        digest.bool(self.exit_seen);
    }
}
