//! The event loop: one queue, one event at a time, in virtual time.

use std::sync::Arc;

use api::openapi::api::core::v1::Pod;
use api::{Key, KindId};
use apiserver::{ApiServer, Snapshot, WatchId};
use client::{Component, Context};
use controllers::ControllerManager;
use kubelet::Kubelet;
use network::Frame;
use runtime::Process;
use scheduler::Scheduler;
use sim::{
    Clock, Digest, Digestible, Duration, EventQueue, Fingerprint, OrdSet, Scheduled, SmallMap,
    SmallSet, Stream, Streams, Time,
};
use trace::Trace;

use crate::outside::Outside;
use crate::quiet::Quiet;
use crate::traffic::Running;
use crate::underlay::{Underlay, digest_frame};
use crate::{Command, LoggedCommand, Options, Parts, Session, addons, bootstrap};

/// How long a change is under way from its commit to a watch: at least and at most.
const WATCH_LAG: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(5));
/// Upstream: cmd/kubeadm/app/constants, KubernetesAPICallRetryInterval.
const KUBEADM_RETRY: Duration = Duration::from_millis(500);
/// A component that wants to be woken at once is woken after this long, so that time goes on.
const SHORTEST_SLEEP: Duration = Duration::from_micros(1);

pub(crate) const CONTROLLER_MANAGER: u32 = 0;
pub(crate) const SCHEDULER: u32 = 1;
const FIRST_KUBELET: u32 = 2;

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    /// What a watch has to deliver reaches the component that owns it.
    Deliver { watch: WatchId, owner: u32 },
    /// A component wakes because it asked to.
    Wake { owner: u32 },
    /// The API server does what is due.
    ServerWake,
    /// A frame arrives at a machine.
    Frame { to: u32, frame: Frame },
}

impl Digestible for Event {
    fn digest(&self, digest: &mut Digest) {
        match self {
            Event::Deliver { watch, owner } => {
                digest.u64(0);
                digest.add(watch);
                digest.u64(u64::from(*owner));
            }
            Event::Wake { owner } => {
                digest.u64(1);
                digest.u64(u64::from(*owner));
            }
            Event::ServerWake => digest.u64(2),
            Event::Frame { to, frame } => {
                digest.u64(3);
                digest.add(to);
                digest_frame(frame, digest);
            }
        }
    }
}

/// What a component is woken with, borrowing nothing of the cluster but what it needs.
macro_rules! context {
    ($cluster:ident, $owner:expr) => {
        Context {
            now: $cluster.now,
            clock: $cluster.clock,
            owner: $owner,
            server: &mut $cluster.server,
            streams: &mut $cluster.streams,
            trace: &mut $cluster.trace,
        }
    };
}

/// Why a component is woken.
enum Waking {
    /// It asked to be.
    Timer,
    /// One of its watches has something to deliver.
    Watch,
    /// A frame arrives.
    Frame(Frame),
}

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran {
    /// How many events were handled.
    pub events: u64,
    /// Whether the run came to its end before its limit of events.
    pub finished: bool,
}

/// A whole cluster. Cloning it is a keyframe: the clone goes on by itself.
#[derive(Clone)]
pub struct Cluster {
    session: Session,
    pub(crate) parts: Parts,
    /// How many commands and events count, once something was lacking.
    pub(crate) sound: Option<(usize, u64)>,
    clock: Clock,
    now: Time,
    handled: u64,
    queue: EventQueue<Event>,
    /// The instant and the sequence of each component's wake in the queue.
    wakes: Vec<Option<(Time, u64)>>,
    server_wake: Option<(Time, u64)>,
    lags: Vec<Stream>,
    streams: Streams,
    trace: Trace,
    server: ApiServer,
    pub(crate) controller_manager: Arc<ControllerManager>,
    pub(crate) scheduler: Arc<Scheduler>,
    /// The number of whoever sets the cluster up, and has nothing to do after that.
    kubeadm: u32,
    /// Components whose processes do not run.
    pub(crate) stopped: SmallSet<u32>,
    kubelets: Vec<Arc<Kubelet>>,
    pub(crate) outside: Outside,
    /// Who sends traffic, by name.
    pub(crate) generators: SmallMap<String, Running>,
    underlay: Underlay,
    quiet: Quiet,
    /// What changed since a host last asked; kept only while a host follows.
    changed: Option<OrdSet<(KindId, Key)>>,
}

impl Cluster {
    /// A cluster at its very beginning: its nodes have not joined yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Cluster::of(Parts::FULL, options)
    }

    /// The same, made of no more than these parts.
    #[must_use]
    pub fn of(parts: Parts, options: Options) -> Self {
        let clock = Clock::new(options.epoch_seconds);
        let seed = options.seed;
        let specs = bootstrap::machines(&options);
        let server_node = specs.first().cloned();
        let kubelet = |spec| Arc::new(Kubelet::new(spec, (parts.catalogue)()));
        let kubelets: Vec<Arc<Kubelet>> = specs.into_iter().map(kubelet).collect();
        let kubeadm = FIRST_KUBELET + u32::try_from(kubelets.len()).unwrap_or(u32::MAX >> 1);
        let owners = kubeadm as usize + 2;
        let outside = Outside::new();
        // A component runs when its container does.
        let stopped = match options.control_plane {
            true => SmallSet::from([CONTROLLER_MANAGER, SCHEDULER]),
            false => SmallSet::from([kubeadm]),
        };
        let machines = (FIRST_KUBELET..).zip(kubelets.iter().map(|kubelet| kubelet.mac_address()));
        let machines = machines.chain([(kubeadm + 1, outside.mac_address())]);
        let underlay = Underlay::new(seed, machines);
        let lags = (0..owners).map(|owner| Stream::new(seed, &format!("watch/{owner}"))).collect();
        let mut cluster = Cluster {
            clock,
            now: Time::ZERO,
            handled: 0,
            queue: EventQueue::new(),
            wakes: vec![None; owners],
            server_wake: None,
            lags,
            streams: Streams::new(seed),
            trace: Trace::new(options.trace_capacity as usize),
            server: ApiServer::new(seed, clock),
            controller_manager: Arc::new(ControllerManager::new(parts.controllers)),
            scheduler: Arc::new(Scheduler::new()),
            kubeadm,
            stopped,
            kubelets,
            outside,
            generators: SmallMap::new(),
            underlay,
            quiet: Quiet::default(),
            changed: None,
            session: Session::new(options),
            parts,
            sound: None,
        };
        cluster.server.schedule_deliveries();
        bootstrap::objects_of_the_server(&mut cluster.host_context(), server_node.as_ref());
        if cluster.session.options.control_plane {
            addons::apply(&mut cluster.host_context());
        }
        cluster.with_outside(|outside, cx| outside.begin(cx));
        cluster.after_command();
        let stopped = cluster.stopped.clone();
        for owner in (0..).take(owners).filter(|owner| !stopped.contains(owner)) {
            let start = cluster.now + bootstrap::start_of(owner, &mut cluster.streams);
            cluster.set_wake(owner, Some(start));
        }
        cluster
    }

    /// What the cluster was made with and every command it was given.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The virtual instant.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// The calendar of the cluster.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// How many events have been handled since the beginning.
    #[must_use]
    pub fn events_handled(&self) -> u64 {
        self.handled
    }

    /// The objects of a kind as they are stored, without any lag: for hosts and tests.
    #[must_use]
    pub fn snapshot(&self, kind: KindId) -> Snapshot {
        self.server.snapshot(kind)
    }

    /// The API server, to look at.
    #[must_use]
    pub fn server(&self) -> &ApiServer {
        &self.server
    }

    /// What happened.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Whether every hop of every packet is recorded from now on. It changes nothing else.
    pub fn explain(&mut self, hops: bool) {
        self.trace.set_explain(hops);
    }

    /// The kubelets, to look at.
    pub fn kubelets(&self) -> impl Iterator<Item = &Kubelet> {
        self.kubelets.iter().map(|kubelet| &**kubelet)
    }

    /// The scheduler, to look at.
    #[must_use]
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// From now on, remembers which objects change.
    pub fn follow(&mut self) {
        self.changed.get_or_insert_default();
    }

    /// Which objects changed since this was last asked, by kind and key.
    pub fn take_changed(&mut self) -> OrdSet<(KindId, Key)> {
        self.changed.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// When the next event happens.
    #[must_use]
    pub fn next_event_time(&self) -> Option<Time> {
        self.queue.next_time()
    }

    /// Handles the next event and moves the clock to it. There always is one: leases are
    /// renewed for ever; but nothing is handled while something is lacking.
    pub fn step(&mut self) -> Option<Time> {
        if self.lacking().is_some() {
            return None;
        }
        let scheduled = self.queue.pop_until(Time::MAX)?;
        let time = scheduled.time;
        self.handle(scheduled);
        Some(time)
    }

    /// Handles every event up to and including `until`, at most `max_events` of them, and moves
    /// the clock there if it came that far. It stops when something is lacking.
    pub fn run_until(&mut self, until: Time, max_events: u64) -> Ran {
        let limit = self.handled.saturating_add(max_events);
        let begin = self.handled;
        while self.handled < limit && self.lacking().is_none() {
            let Some(scheduled) = self.queue.pop_until(until) else {
                self.now = self.now.max(until);
                return Ran { events: self.handled - begin, finished: true };
            };
            self.handle(scheduled);
        }
        Ran { events: self.handled - begin, finished: false }
    }

    /// Lets the time given pass.
    pub fn run(&mut self, span: Duration) {
        self.run_until(self.now + span, u64::MAX);
    }

    /// Handles exactly `events` events up to `time` and then, if it `arrives` there, moves the
    /// clock to `time`, as a replay does.
    pub(crate) fn run_events(&mut self, time: Time, events: u64, arrives: bool) {
        let limit = self.handled + events;
        while self.handled < limit && self.lacking().is_none() {
            let Some(scheduled) = self.queue.pop_until(time) else { return };
            self.handle(scheduled);
        }
        if arrives && self.handled == limit {
            self.now = self.now.max(time);
        }
    }

    /// Runs until the cluster is quiet, or for `bound` at most. `None` when it came to be quiet,
    /// else what still moves, in words.
    pub fn run_until_quiet(&mut self, bound: Duration) -> Option<String> {
        let end = self.now + bound;
        loop {
            let moving = self.moving();
            if moving.is_none() || self.now >= end || self.lacking().is_some() {
                return moving;
            }
            let next = self.queue.next_time().unwrap_or(end);
            let pause = Duration::from_millis(100);
            self.run_until(next.max(self.now + pause).min(end), u64::MAX);
        }
    }

    /// What still moves, in words; `None` when the cluster is quiet.
    #[must_use]
    pub fn moving(&self) -> Option<String> {
        if let Some(words) = self.quiet.moving(self.now) {
            return Some(words);
        }
        let components: [&dyn Component; 2] = [&*self.controller_manager, &*self.scheduler];
        let kubelets = self.kubelets.iter().map(|kubelet| &**kubelet as &dyn Component);
        components.into_iter().chain(kubelets).find_map(|component| component.busy(self.now))
    }

    /// The digest of everything that the cluster's future depends on. It is equal for equal
    /// sessions, on every platform.
    pub fn state_hash(&mut self) -> Fingerprint {
        let mut digest = Digest::new();
        digest.u64(self.handled);
        digest.add(&self.queue);
        digest.add(&self.server.fingerprint());
        digest.add(&self.streams);
        digest.add(&self.lags);
        self.controller_manager.digest(&mut digest);
        self.scheduler.digest(&mut digest);
        digest.u64(self.stopped.len() as u64);
        for owner in &self.stopped {
            digest.u64(u64::from(*owner));
        }
        for kubelet in &self.kubelets {
            kubelet.digest(&mut digest);
        }
        digest.add(&self.underlay);
        digest.add(&self.outside);
        digest.add(&self.generators);
        digest.finish()
    }

    fn handle(&mut self, scheduled: Scheduled<Event>) {
        let Scheduled { time, event, .. } = scheduled;
        self.now = time;
        self.handled += 1;
        self.trace.begin(self.handled, time.as_nanos());
        match event {
            Event::Wake { owner } => {
                if let Some(slot) = self.wakes.get_mut(owner as usize) {
                    *slot = None;
                }
                self.wake(owner, Waking::Timer);
            }
            Event::Deliver { watch, owner } => {
                self.server.release_watch(watch, time);
                self.wake(owner, Waking::Watch);
            }
            Event::ServerWake => {
                self.server_wake = None;
                self.server.wake(time);
            }
            Event::Frame { to, frame } => self.wake(to, Waking::Frame(frame)),
        }
        self.settle();
        if self.lacking().is_some() {
            self.tear(self.session.commands.len(), self.handled - 1);
        }
    }

    /// Something is lacking: remembers up to where what happened counts.
    pub(crate) fn tear(&mut self, commands: usize, events: u64) {
        self.sound.get_or_insert((commands, events));
    }

    fn wake(&mut self, owner: u32, waking: Waking) {
        if self.stopped.contains(&owner) {
            return;
        }
        let mut cx = Context {
            now: self.now,
            clock: self.clock,
            owner,
            server: &mut self.server,
            streams: &mut self.streams,
            trace: &mut self.trace,
        };
        let next = match owner {
            CONTROLLER_MANAGER => wake(&mut self.controller_manager, &mut cx),
            SCHEDULER => wake(&mut self.scheduler, &mut cx),
            owner if owner == self.kubeadm => {
                (!bootstrap::mark_control_plane(&mut cx)).then_some(self.now + KUBEADM_RETRY)
            }
            owner if owner == self.kubeadm + 1 => {
                match waking {
                    Waking::Frame(frame) => self.outside.receive(frame, &mut cx),
                    Waking::Timer | Waking::Watch => self.outside.advance(&mut cx),
                }
                let sent = self.outside.take_outgoing();
                self.transmit(sent);
                self.outside.next_wake(self.now)
            }
            _ => {
                let index = (owner - FIRST_KUBELET) as usize;
                let Some(kubelet) = self.kubelets.get_mut(index) else { return };
                let kubelet = Arc::make_mut(kubelet);
                match waking {
                    Waking::Timer => kubelet.tick(&mut cx),
                    Waking::Watch => kubelet.wake(&mut cx),
                    Waking::Frame(frame) => kubelet.receive(frame, &mut cx),
                }
                let sent = kubelet.take_outgoing();
                let next = kubelet.next_wake();
                if kubelet.take_components_changed() {
                    self.follow_containers();
                }
                self.transmit(sent);
                next
            }
        };
        let next = next.map(|next| next.max(self.now + SHORTEST_SLEEP));
        self.set_wake(owner, next);
    }

    /// Does something on the machine outside.
    fn with_outside<R>(&mut self, act: impl FnOnce(&mut Outside, &mut Context<'_>) -> R) -> R {
        let owner = self.kubeadm + 1;
        let mut cx = context!(self, owner);
        let result = act(&mut self.outside, &mut cx);
        let sent = self.outside.take_outgoing();
        self.transmit(sent);
        let next = self.outside.next_wake(self.now);
        self.set_wake(owner, next.map(|next| next.max(self.now + SHORTEST_SLEEP)));
        result
    }

    /// Does something on a node.
    fn with_kubelet<R>(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Kubelet, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let owner = FIRST_KUBELET + u32::try_from(index).ok()?;
        let mut cx = context!(self, owner);
        let kubelet = Arc::make_mut(self.kubelets.get_mut(index)?);
        let result = act(kubelet, &mut cx);
        let sent = kubelet.take_outgoing();
        let next = kubelet.next_wake();
        self.transmit(sent);
        self.set_wake(owner, next.map(|next| next.max(self.now + SHORTEST_SLEEP)));
        Some(result)
    }

    /// The kubelet at that place.
    pub(crate) fn kubelet(&self, index: usize) -> Option<&Kubelet> {
        self.kubelets.get(index).map(|kubelet| &**kubelet)
    }

    /// Starts a program on the machine outside; the number it goes by.
    pub(crate) fn start_outside(&mut self, process: Box<dyn Process>) -> u64 {
        self.with_outside(|outside, cx| outside.start(process, cx))
    }

    /// Ends a program on the machine outside.
    pub(crate) fn stop_outside(&mut self, process: u64) {
        self.with_outside(|outside, cx| outside.stop(process, cx.now));
    }

    /// Starts a program beside a pod's containers; the node's place and the number it goes by.
    pub(crate) fn start_guest(
        &mut self,
        pod: &Key,
        process: Box<dyn Process>,
    ) -> Option<(usize, u64)> {
        let pods = self.server.snapshot(KindId::POD);
        let node = pods.get(pod)?.get::<Pod>()?.spec.as_ref()?.node_name.clone()?;
        let index = self.kubelets.iter().position(|kubelet| kubelet.node_name() == node)?;
        let started = self.with_kubelet(index, |kubelet, cx| kubelet.start_guest(pod, process, cx));
        Some((index, started??))
    }

    /// Ends such a program.
    pub(crate) fn stop_guest(&mut self, index: usize, process: u64) {
        self.with_kubelet(index, |kubelet, cx| kubelet.stop_guest(process, cx));
    }

    /// Puts frames on the cable.
    fn transmit(&mut self, frames: Vec<Frame>) {
        for frame in frames {
            let Some((time, last, others)) = self.underlay.send(self.now, &frame) else { continue };
            for to in others {
                self.queue.schedule(time, Event::Frame { to, frame: frame.clone() });
            }
            self.queue.schedule(time, Event::Frame { to: last, frame });
        }
    }

    /// Sets when a component wakes of its own accord, instead of when it would have.
    pub(crate) fn set_wake(&mut self, owner: u32, time: Option<Time>) {
        let Some(slot) = self.wakes.get_mut(owner as usize) else { return };
        if slot.map(|(scheduled, _)| scheduled) == time {
            return;
        }
        if let Some((scheduled, sequence)) = slot.take() {
            self.queue.cancel(scheduled, sequence);
        }
        *slot = time.map(|time| (time, self.queue.schedule(time, Event::Wake { owner })));
    }

    /// After anything that may have committed: sets the deliveries of watches on their way, and
    /// notes what hosts and the measure of quiet go by.
    fn settle(&mut self) {
        for (watch, owner) in self.server.take_announcements() {
            let Some(stream) = self.lags.get_mut(owner as usize) else { continue };
            let lag = stream.between(WATCH_LAG.0, WATCH_LAG.1);
            self.queue.schedule(self.now + lag, Event::Deliver { watch, owner });
        }
        for commit in self.server.take_commits() {
            self.quiet.note(&commit);
            if let Some(changed) = &mut self.changed {
                changed.insert((commit.kind, commit.key));
            }
        }
        let next = self.server.next_wake();
        if self.server_wake.map(|(scheduled, _)| scheduled) != Some(next) {
            if let Some((scheduled, sequence)) = self.server_wake.take() {
                self.queue.cancel(scheduled, sequence);
            }
            self.server_wake = Some((next, self.queue.schedule(next, Event::ServerWake)));
        }
    }

    /// What the host acts with: requests as the administrator, outside of any component.
    pub(crate) fn host_context(&mut self) -> Context<'_> {
        Context {
            now: self.now,
            clock: self.clock,
            owner: u32::MAX,
            server: &mut self.server,
            streams: &mut self.streams,
            trace: &mut self.trace,
        }
    }

    pub(crate) fn log(&mut self, command: &Command) {
        self.session.commands.push(LoggedCommand {
            event_index: self.handled,
            time_nanos: self.now.as_nanos(),
            command: command.clone(),
        });
    }

    pub(crate) fn after_command(&mut self) {
        self.settle();
    }

    /// A component's process ends: nobody wakes it, and what it watched is watched no longer.
    pub(crate) fn end_process(&mut self, owner: u32) {
        self.set_wake(owner, None);
        self.server.close_watches_of(owner);
    }

    pub(crate) fn streams(&mut self) -> &mut Streams {
        &mut self.streams
    }

    /// A person has interfered: the cluster is not quiet.
    pub(crate) fn disturb(&mut self) {
        self.quiet.disturb(self.now);
    }

    /// Puts the manifest of a static pod on its node, or takes it away. Returns whether any node
    /// has it.
    pub(crate) fn set_static_pod(&mut self, name: &str, present: bool) -> bool {
        let mut found = None;
        for (owner, kubelet) in (FIRST_KUBELET..).zip(&mut self.kubelets) {
            if found.is_none() && kubelet.has_static_pod(name) {
                Arc::make_mut(kubelet).set_static_pod(name, present);
                found = Some(owner);
            }
        }
        if let Some(owner) = found {
            self.set_wake(owner, Some(self.now + SHORTEST_SLEEP));
        }
        found.is_some()
    }

    /// Breaks or mends something on a node. Returns whether there is such a node.
    pub(crate) fn with_node(&mut self, name: &str, act: impl FnOnce(&mut Kubelet)) -> bool {
        let found = (FIRST_KUBELET..)
            .zip(&mut self.kubelets)
            .find(|(_, kubelet)| kubelet.node_name() == name);
        let Some((owner, kubelet)) = found else { return false };
        act(Arc::make_mut(kubelet));
        self.disturb();
        self.set_wake(owner, Some(self.now + SHORTEST_SLEEP));
        true
    }
}

fn wake<C: Component + Clone>(component: &mut Arc<C>, cx: &mut Context<'_>) -> Option<Time> {
    let component = Arc::make_mut(component);
    component.wake(cx);
    component.next_wake()
}
