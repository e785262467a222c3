//! What the kubelet has under way in or towards the containers of a pod: commands of probes and
//! hooks, each a process in its container, and questions of probes and hooks over the network.
//!
//! Upstream: pkg/probe/exec; pkg/kubelet/prober/prober.go; pkg/kubelet/lifecycle/handlers.go.

use std::net::SocketAddrV4;
use std::sync::Arc;

use api::openapi::api::core::v1::{Container, HTTPGetAction};
use client::Context;
use network::{NamespaceId, Owner, SocketEvent, SocketId, Sockets};
use runtime::{ContainerLog, Environment, OutputStream, Process, ProcessEvent};
use sim::{Digest, Digestible, Duration, Time};

use crate::actions;
use crate::dial::{Answer, Dial, port_number};
use crate::node::Node;
use crate::pod_worker::PodWorker;
use crate::prober::ProbeKind;
use crate::task::{Room, Task};

/// How long a program may run that somebody has brought: longer than anybody looks.
const GUEST_LIMIT: Duration = Duration::from_secs(1 << 32);

/// What for something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A probe.
    Probe(ProbeKind),
    /// The hook that follows the start of a container.
    PostStart,
    /// The hook that comes before its end.
    PreStop,
    /// A program that somebody has brought, which runs until it is ended.
    Guest,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// A command ended.
    Exited {
        /// Its exit code.
        code: i32,
        /// What it wrote, on both streams.
        output: String,
        /// What it wrote to standard error.
        errors: String,
    },
    /// A command did not end in time.
    TimedOut(String),
    /// A question was answered, or was not.
    Answered(Answer),
    /// It could not be begun.
    Error(String),
}

/// A command that runs in a container.
#[derive(Clone, Debug)]
struct Command {
    task: Task,
    environment: Arc<Environment>,
    log: ContainerLog,
}

#[derive(Clone, Debug)]
enum What {
    Command(Box<Command>),
    Dial(Box<Dial>),
}

/// Something under way.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    owner: Owner,
    /// The container.
    pub(crate) place: usize,
    pub(crate) purpose: Purpose,
    deadline: Time,
    limit: Duration,
    what: What,
}

/// What is to be begun.
pub(crate) enum Errand<'a> {
    /// A command.
    Command(&'a [String]),
    /// A page.
    Page(&'a HTTPGetAction),
    /// Whether a port is open: its host, if that is not the pod, and its port.
    Port(Option<&'a str>, u16),
    /// Whether a gRPC service is healthy: its port and its name.
    Health(u16, &'a str),
}

impl Activity {
    /// When it wants to be looked at.
    fn next(&self) -> Time {
        match &self.what {
            What::Command(command) => {
                command.task.timer.map_or(self.deadline, |time| time.min(self.deadline))
            }
            What::Dial(_) => self.deadline,
        }
    }
}

impl Command {
    fn finding(&self, code: i32) -> Finding {
        let of = |stream: OutputStream| -> String {
            let lines = self.log.lines().filter(|line| line.stream == stream);
            lines.flat_map(|line| [&*line.text, if line.complete { "\n" } else { "" }]).collect()
        };
        // Upstream: kuberuntime_container.go, RunInContainer: one stream after the other.
        let errors = of(OutputStream::Stderr);
        Finding::Exited { code, output: of(OutputStream::Stdout) + &errors, errors }
    }
}

/// The network as the kubelet itself sees it.
fn sockets<'a>(node: &'a mut Node, owner: Owner, now: Time) -> Sockets<'a> {
    Sockets { machine: &mut node.network, namespace: NamespaceId::HOST, owner, now }
}

impl PodWorker {
    /// Begins something. If it ends at once, what came of it is returned; otherwise it is under
    /// way, and [`PodWorker::finish`] is told when it ends.
    pub(crate) fn begin_activity(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        (place, purpose): (usize, Purpose),
        (errand, limit): (Errand<'_>, Duration),
    ) -> Option<Finding> {
        let deadline = cx.now + limit;
        let what = match self.prepare(node, cx, (place, purpose), errand) {
            Ok(what) => what,
            Err(finding) => return Some(finding),
        };
        let owner = match &what {
            What::Command(command) => command.task.owner,
            What::Dial(_) => node.owners.add(&self.uid, false),
        };
        let mut activity = Activity { owner, place, purpose, deadline, limit, what };
        let finding = match &mut activity.what {
            What::Command(_) => self.run(node, cx, &mut activity, ProcessEvent::Started),
            What::Dial(dial) => {
                dial.start(&mut sockets(node, owner, cx.now)).map(Finding::Answered)
            }
        };
        match finding {
            None => self.activities.push(activity),
            Some(_) => self.end_activity(node, cx, activity),
        }
        finding
    }

    fn prepare(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        (place, purpose): (usize, Purpose),
        errand: Errand<'_>,
    ) -> Result<What, Finding> {
        let own = self.address.clone().unwrap_or_default();
        let address = |host: Option<&str>, port: u16| {
            let host = host.filter(|host| !host.is_empty()).unwrap_or(&own);
            let address = host.parse().map_err(|_| {
                let why = format!("dial tcp: lookup {host}: no such host");
                Finding::Answered(Answer::Failed(why))
            })?;
            Ok(SocketAddrV4::new(address, port))
        };
        let dial = match errand {
            Errand::Command(command) => return self.command(node, cx, place, command),
            Errand::Port(host, port) => Dial::tcp(address(host, port)?),
            Errand::Health(port, service) => Dial::grpc(address(None, port)?, service),
            Errand::Page(action) => {
                let container = self.container(place).ok_or(Finding::Error(String::new()))?;
                let agent = match purpose {
                    Purpose::Probe(_) => "probe",
                    Purpose::PostStart | Purpose::PreStop | Purpose::Guest => "lifecycle",
                };
                Dial::http(container, action, &own, agent).map_err(Finding::Error)?
            }
        };
        Ok(What::Dial(Box::new(dial)))
    }

    fn command(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        place: usize,
        command: &[String],
    ) -> Result<What, Finding> {
        let instance = self.containers.get(place).and_then(|record| record.current.as_ref());
        let Some(instance) = instance.filter(|instance| instance.is_running()) else {
            return Err(Finding::Error("container not running".to_string()));
        };
        let environment =
            Environment { argv: command.to_vec(), ..Environment::clone(&instance.environment) };
        let started = node.images.catalogue().start(&instance.image, &environment);
        let process = started.map_err(|error| {
            let id = node.container_id(cx);
            if error.is_undecided {
                cx.lack(format!("a program of the image {}", instance.image.repository));
            }
            let why = error.message.split("container init: ").last().unwrap_or_default();
            Finding::Error(format!(
                "rpc error: code = Unknown desc = failed to exec in container: failed to start \
                 exec {id:?}: OCI runtime exec failed: exec failed: unable to start container process: \
                 {why}"
            ))
        })?;
        let task = Task::new(process, &self.uid, &mut node.world(cx, &mut self.volumes));
        let environment = Arc::new(environment);
        Ok(What::Command(Box::new(Command { task, environment, log: ContainerLog::new() })))
    }

    /// Starts a program beside the first container that runs; the number it goes by.
    pub(crate) fn begin_guest(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        process: Box<dyn Process>,
    ) -> Option<Owner> {
        let place = (0..self.containers.len()).rev().find(|place| self.runs(*place))?;
        let environment = self.containers.get(place)?.current.as_ref()?.environment.clone();
        let task = Task::new(process, &self.uid, &mut node.world(cx, &mut self.volumes));
        let owner = task.owner;
        let command = Command { task, environment, log: ContainerLog::new() };
        let (deadline, limit) = (cx.now + GUEST_LIMIT, GUEST_LIMIT);
        let what = What::Command(Box::new(command));
        let purpose = Purpose::Guest;
        let mut activity = Activity { owner, place, purpose, deadline, limit, what };
        match self.run(node, cx, &mut activity, ProcessEvent::Started) {
            None => self.activities.push(activity),
            Some(_) => self.end_activity(node, cx, activity),
        }
        Some(owner)
    }

    /// Ends a program that was brought.
    pub(crate) fn end_guest(&mut self, node: &mut Node, cx: &mut Context<'_>, owner: Owner) {
        if let Some(at) = self.activities.iter().position(|activity| activity.owner == owner) {
            let activity = self.activities.remove(at);
            self.end_activity(node, cx, activity);
        }
    }

    /// What a program has counted that was brought.
    pub(crate) fn guest_counters(&self, owner: Owner) -> Option<Vec<(&'static str, u64)>> {
        let activity = self.activities.iter().find(|activity| activity.owner == owner)?;
        match &activity.what {
            What::Command(command) => Some(command.task.counters()),
            What::Dial(_) => None,
        }
    }

    /// Tells a command what happened.
    fn run(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        activity: &mut Activity,
        event: ProcessEvent,
    ) -> Option<Finding> {
        let What::Command(command) = &mut activity.what else { return None };
        let instance = self.containers.get_mut(activity.place)?.current.as_mut()?;
        let room = Room {
            environment: &command.environment,
            files: &mut instance.files,
            log: &mut command.log,
            namespace: instance.namespace,
        };
        let code = command.task.on(event, room, &mut node.world(cx, &mut self.volumes))?;
        Some(command.finding(code))
    }

    /// Takes away what something under way held.
    fn end_activity(&mut self, node: &mut Node, cx: &mut Context<'_>, activity: Activity) {
        match activity.what {
            What::Command(command) => command.task.end(&mut node.world(cx, &mut self.volumes)),
            What::Dial(_) => {
                node.network.close_owner(activity.owner, cx.now);
                node.owners.remove(activity.owner);
            }
        }
    }

    /// Tells whatever has that number what happened. Says whether there is such a thing.
    pub(crate) fn deliver_to_activity(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        owner: Owner,
        event: &ProcessEvent,
    ) -> bool {
        let Some(at) = self.activities.iter().position(|activity| activity.owner == owner) else {
            return false;
        };
        let mut activity = self.activities.remove(at);
        let finding = match (&mut activity.what, event) {
            (What::Dial(dial), ProcessEvent::Socket(socket, event)) => {
                answer(dial, (*socket, event), &mut sockets(node, owner, cx.now))
            }
            (What::Dial(_), _) => None,
            (What::Command(_), _) => self.run(node, cx, &mut activity, event.clone()),
        };
        self.go_on_with(node, cx, at, activity, finding);
        true
    }

    fn go_on_with(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        at: usize,
        activity: Activity,
        finding: Option<Finding>,
    ) {
        let (place, purpose) = (activity.place, activity.purpose);
        match finding {
            None => self.activities.insert(at.min(self.activities.len()), activity),
            Some(finding) => {
                self.end_activity(node, cx, activity);
                self.finish(node, cx, place, (purpose, finding));
            }
        }
    }

    /// When the first of what is under way wants to be looked at.
    pub(crate) fn next_activity(&self) -> Option<Time> {
        self.activities.iter().map(Activity::next).min()
    }

    /// Wakes the commands whose instant has come, and ends what has run out of time.
    pub(crate) fn run_activities(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        while let Some(at) = self.activities.iter().position(|a| a.next() <= cx.now) {
            let mut activity = self.activities.remove(at);
            let expired = activity.deadline <= cx.now;
            let limit = activity.limit;
            let finding = match &mut activity.what {
                What::Dial(dial) => Some(Finding::Answered(dial.time_out(limit))),
                What::Command(command) => {
                    let due = command.task.take_timer(cx.now);
                    let words = command.environment.argv.join(" ");
                    let over = Finding::TimedOut(format!(
                        "command timed out: {words:?} timed out after {limit}"
                    ));
                    let ran = due.then(|| self.run(node, cx, &mut activity, ProcessEvent::Timer));
                    ran.flatten().or(expired.then_some(over))
                }
            };
            self.go_on_with(node, cx, at, activity, finding);
        }
    }

    /// Ends what is under way for containers that do not run any more: a command ends with the
    /// container it runs in, and nobody asks for what the others would have found.
    pub(crate) fn end_idle_activities(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        while let Some(at) = self.activities.iter().position(|a| !self.runs(a.place)) {
            let activity = self.activities.remove(at);
            let (place, purpose) = (activity.place, activity.purpose);
            self.end_activity(node, cx, activity);
            if !matches!(purpose, Purpose::Probe(_)) {
                let gone = Finding::Error("container not running".to_string());
                self.finish(node, cx, place, (purpose, gone));
            }
        }
    }

    /// Forgets the probes that are under way and meet `which`.
    pub(crate) fn cancel_probes(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        which: impl Fn(usize, ProbeKind) -> bool,
    ) {
        let meets = |activity: &Activity| match activity.purpose {
            Purpose::Probe(kind) => which(activity.place, kind),
            Purpose::PostStart | Purpose::PreStop | Purpose::Guest => false,
        };
        while let Some(at) = self.activities.iter().position(meets) {
            let activity = self.activities.remove(at);
            self.end_activity(node, cx, activity);
        }
    }

    /// Forgets everything that is under way.
    pub(crate) fn cancel_activities(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        for activity in std::mem::take(&mut self.activities) {
            self.end_activity(node, cx, activity);
        }
    }

    /// Whether something is under way for a container.
    pub(crate) fn is_under_way(&self, place: usize, purpose: Purpose) -> bool {
        self.activities.iter().any(|a| a.place == place && a.purpose == purpose)
    }

    /// Something that was under way has ended.
    fn finish(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        place: usize,
        (purpose, finding): (Purpose, Finding),
    ) {
        match purpose {
            Purpose::Probe(kind) => self.finish_probe(node, cx, (place, kind), finding),
            Purpose::PostStart => self.finish_post_start(cx.now, place, finding),
            Purpose::PreStop => self.finish_pre_stop(node, cx, place, &finding),
            Purpose::Guest => {}
        }
    }

    pub(crate) fn container(&self, place: usize) -> Option<&Container> {
        actions::containers(&self.pod).nth(place).map(|(_, container)| container)
    }

    /// The errand of a probe or hook over a TCP port that is given by number or by name.
    pub(crate) fn port_errand<'a>(
        container: &Container,
        host: Option<&'a str>,
        port: &api::openapi::apimachinery::pkg::util::intstr::IntOrString,
    ) -> Result<Errand<'a>, String> {
        port_number(container, port).map(|port| Errand::Port(host, port))
    }
}

fn answer(
    dial: &mut Dial,
    (socket, event): (SocketId, &SocketEvent),
    sockets: &mut Sockets<'_>,
) -> Option<Finding> {
    dial.on(socket, event, sockets).map(Finding::Answered)
}

impl Digestible for Activity {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.owner.0);
        digest.u64(self.place as u64);
        digest.u64(match self.purpose {
            Purpose::Probe(kind) => kind as u64,
            Purpose::PostStart => 10,
            Purpose::PreStop => 11,
            Purpose::Guest => 12,
        });
        digest.add(&self.deadline);
        match &self.what {
            What::Command(command) => {
                digest.add(&command.task);
                digest.add(&command.log);
            }
            What::Dial(dial) => digest.add(&**dial),
        }
    }
}
