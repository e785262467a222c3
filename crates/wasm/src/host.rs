//! What a worker does with a cluster: takes requests, paces virtual time by the wall clock, and
//! gathers messages for the page. It has no JavaScript in it, so that it is tested natively.

use cluster::{
    Cluster, Command as ClusterCommand, KUBERNETES_VERSION, Options, Outcome, Parts, TrafficSource,
};
use kubectl::{DocumentResult, Done, Mark, Refusal};
use projection::Projection;
use protocol::{
    Action, AppliedObject, Batch, Booted, Command, CommandResult, Detail, Message, ObjectRef,
    Problem, Request,
};
use serde::{Deserialize, Serialize};
use sim::{Duration, Time};
use trace::What;

use crate::handover::Arriving;
use crate::inspection::Inspection;

/// How many events are handled between two looks at the wall clock.
const EVENTS_PER_LOOK: u64 = 64;
/// While time flows, the page gets the clock at least this often, in milliseconds.
const CLOCK_INTERVAL_MS: f64 = 100.0;
/// While traffic runs, the page gets its counts this often, in milliseconds.
const COUNT_INTERVAL_MS: f64 = 200.0;
/// How many events a step to the next packet handles at most.
const MOST_STEPS: u32 = 20_000;
/// The longest that a slice is put off while time flows, in milliseconds.
const LONGEST_PAUSE_MS: f64 = 250.0;

/// How virtual time goes on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Mode {
    /// It stands.
    Paused,
    /// It follows the wall clock.
    Playing,
    /// As fast as it can until the cluster is quiet, or until that instant; then as before.
    UntilQuiet { end_nanos: u64, resume: bool },
}

/// Where virtual and wall time were the same.
#[derive(Clone, Copy, Debug, Default)]
struct Anchor {
    wall_ms: f64,
    time: Time,
}

/// A cluster that is shown.
pub(crate) struct Shown {
    pub(crate) cluster: Cluster,
    pub(crate) projection: Projection,
    pub(crate) mode: Mode,
    pub(crate) speed: f64,
    anchor: Anchor,
    measured: Anchor,
    speed_achieved: f64,
    behind: bool,
    pub(crate) sequence: u64,
    pub(crate) reset: bool,
    sent_ms: f64,
    counted_ms: f64,
    sent_state: Option<(bool, bool, bool)>,
    pub(crate) selected: Option<ObjectRef>,
    detail: Option<Detail>,
    detail_at: Option<u64>,
    pub(crate) inspection: Inspection,
}

/// What this build of the engine holds.
const PARTS: Parts = if cfg!(feature = "full") { Parts::FULL } else { Parts::CORE };

/// The owner of at most one cluster.
pub struct Host {
    pub(crate) parts: Parts,
    pub(crate) shown: Option<Shown>,
    pub(crate) messages: Vec<Message>,
    /// What was asked for and waits for an engine that holds what it needs.
    pub(crate) waiting: Vec<Request>,
    /// A cluster on its way from another engine.
    pub(crate) arriving: Option<Arriving>,
    pub(crate) wall_ms: f64,
}

impl Default for Host {
    fn default() -> Self {
        Host::of(PARTS)
    }
}

impl Host {
    /// A host whose clusters are made of no more than these parts.
    #[must_use]
    pub fn of(parts: Parts) -> Host {
        Host {
            parts,
            shown: None,
            messages: Vec::new(),
            waiting: Vec::new(),
            arriving: None,
            wall_ms: 0.0,
        }
    }

    /// Takes one request of the page, as bytes of the protocol.
    pub fn command(&mut self, request: &[u8], now_ms: f64) {
        self.wall_ms = now_ms;
        match protocol::decode_request(request) {
            Ok(request) => self.run(request, now_ms),
            Err(error) => self.messages.push(Message::Fatal { message: error.to_string() }),
        }
    }

    /// Does what a request asks for.
    pub fn run(&mut self, request: Request, now_ms: f64) {
        if let Command::Boot { seed, nodes } = request.command {
            self.boot(Cluster::of(self.parts, Options::new(seed, nodes)), now_ms);
            return;
        }
        let Some(shown) = &mut self.shown else {
            let message = "there is no cluster yet: boot one first".to_string();
            self.messages.push(Message::Fatal { message });
            return;
        };
        if shown.is_lacking() {
            self.waiting.push(request);
        } else if let Some(command) = cluster_command(&request.command) {
            shown.catch_up(now_ms);
            let outcome = shown.cluster.execute(command);
            if shown.is_lacking() {
                self.waiting.push(request);
            } else {
                self.messages.push(Message::Result(result(request.id, &outcome)));
            }
        } else {
            let is_step = request.command == Command::Step;
            shown.control(request.command.clone(), now_ms);
            if is_step && shown.is_lacking() {
                self.waiting.push(request);
            }
        }
    }

    pub(crate) fn boot(&mut self, cluster: Cluster, now_ms: f64) {
        let options = &cluster.session().options;
        self.messages.clear();
        self.waiting.clear();
        self.messages.push(Message::Booted(Booted {
            kubernetes_version: KUBERNETES_VERSION.to_string(),
            seed: options.seed,
            nodes: u32::try_from(options.nodes.len()).unwrap_or(u32::MAX),
            epoch_ms: options.epoch_seconds * 1000,
        }));
        let before = self.shown.take();
        let speed = before.map_or(1.0, |shown| shown.speed);
        self.shown = Some(Shown { speed, ..Shown::new(cluster, now_ms) });
    }

    /// Works for at most `slice_ms` milliseconds. Returns after how many milliseconds it wants
    /// the next slice; a negative number when only a command gives it something to do.
    pub fn slice(&mut self, now_ms: f64, slice_ms: f64, wall: &dyn Fn() -> f64) -> f64 {
        self.wall_ms = now_ms;
        let Some(shown) = &mut self.shown else { return -1.0 };
        shown.run(now_ms, now_ms + slice_ms, wall)
    }

    /// Takes what there is to tell the page, as bytes of the protocol.
    pub fn take_messages(&mut self) -> Option<Vec<u8>> {
        if let Some(shown) = &mut self.shown {
            shown.gather(self.wall_ms, &mut self.messages);
        }
        if self.messages.is_empty() {
            return None;
        }
        let messages = std::mem::take(&mut self.messages);
        match protocol::encode(&messages) {
            Ok(bytes) => Some(bytes),
            Err(error) => protocol::encode(&[Message::Fatal { message: error.to_string() }]).ok(),
        }
    }

    /// The digest of the cluster's state.
    pub fn state_hash(&mut self) -> Option<String> {
        self.shown.as_mut().map(|shown| shown.cluster.state_hash().to_string())
    }

    /// Lets virtual time pass at once.
    pub fn advance(&mut self, milliseconds: f64) {
        if let Some(shown) = &mut self.shown {
            shown.cluster.run(from_ms(milliseconds));
            shown.set_anchor(self.wall_ms);
        }
    }

    /// Lets virtual time pass at once until nothing moves, or for that long.
    pub fn run_until_quiet(&mut self, bound_milliseconds: f64) {
        if let Some(shown) = &mut self.shown {
            shown.cluster.run_until_quiet(from_ms(bound_milliseconds));
            shown.set_anchor(self.wall_ms);
        }
    }

    /// The session of the cluster, as JSON.
    #[must_use]
    pub fn session(&self) -> Option<String> {
        let shown = self.shown.as_ref()?;
        serde_json::to_string(shown.cluster.session()).ok()
    }

    /// Panics in the middle of a change, as a defect would.
    pub fn trap(&mut self) {
        if let Some(shown) = &mut self.shown {
            shown.cluster.run_until(Time::MAX, 1);
        }
        panic!("the engine was told to trap");
    }
}

impl Shown {
    pub(crate) fn new(cluster: Cluster, now_ms: f64) -> Shown {
        let anchor = Anchor { wall_ms: now_ms, time: cluster.now() };
        Shown {
            cluster,
            projection: Projection::default(),
            mode: Mode::Playing,
            speed: 1.0,
            anchor,
            measured: anchor,
            speed_achieved: 0.0,
            behind: false,
            sequence: 0,
            reset: true,
            sent_ms: f64::MIN,
            counted_ms: f64::MIN,
            sent_state: None,
            selected: None,
            detail: None,
            detail_at: None,
            inspection: Inspection::default(),
        }
    }

    pub(crate) fn look_at_packets(&mut self, shown: bool, packet: Option<u64>) {
        self.inspection.ask(shown, packet);
        self.projection.keep_packets(shown);
    }

    /// Whether the cluster stands still until another engine takes it over.
    fn is_lacking(&self) -> bool {
        self.cluster.lacking().is_some()
    }

    fn set_anchor(&mut self, wall_ms: f64) {
        self.anchor = Anchor { wall_ms, time: self.cluster.now() };
        self.measured = self.anchor;
    }

    /// A command happens at the instant that the page shows, not at the last slice's.
    fn catch_up(&mut self, now_ms: f64) {
        if self.mode == Mode::Playing {
            let target = self.target(now_ms);
            self.cluster.run_until(target, EVENTS_PER_LOOK);
        }
    }

    fn control(&mut self, command: Command, now_ms: f64) {
        match command {
            Command::Play => self.mode = Mode::Playing,
            Command::Pause => {
                self.catch_up(now_ms);
                self.mode = Mode::Paused;
            }
            Command::Step => {
                self.mode = Mode::Paused;
                self.cluster.step();
                // The page hears of every step, also of one that changed nothing it shows.
                self.sent_state = None;
            }
            Command::SetSpeed(speed) if speed.is_finite() && speed > 0.0 => {
                self.catch_up(now_ms);
                self.speed = speed;
            }
            Command::RunUntilQuiet { bound_ms } => {
                let bound = Duration::from_millis(u64::try_from(bound_ms).unwrap_or(0));
                let resume = self.mode == Mode::Playing;
                let end_nanos = (self.cluster.now() + bound).as_nanos();
                self.mode = Mode::UntilQuiet { end_nanos, resume };
            }
            Command::Select { object } => {
                self.selected = Some(object);
                (self.detail, self.detail_at) = (None, None);
                return;
            }
            Command::Deselect => {
                (self.selected, self.detail) = (None, None);
                return;
            }
            Command::Packets { shown, packet } => {
                self.look_at_packets(shown, packet);
                return;
            }
            Command::StepPacket => {
                self.mode = Mode::Paused;
                self.cluster.explain(true);
                let last = self.cluster.trace().last_id();
                let moved = |record: &trace::Record| matches!(record.what, What::Packet { .. });
                for _ in 0..MOST_STEPS {
                    self.cluster.step();
                    if self.cluster.trace().since(last).any(moved) {
                        break;
                    }
                }
            }
            Command::Resubscribe => {
                self.reset = true;
                return;
            }
            _ => {}
        }
        self.behind = false;
        self.set_anchor(now_ms);
    }

    /// The instant at which virtual time should be.
    fn target(&self, now_ms: f64) -> Time {
        let wall = (now_ms - self.anchor.wall_ms).max(0.0);
        self.anchor.time + from_ms(wall * self.speed)
    }

    /// Runs until the slice ends. Returns after how many milliseconds the next one is wanted.
    fn run(&mut self, now_ms: f64, end_ms: f64, wall: &dyn Fn() -> f64) -> f64 {
        match self.mode {
            _ if self.is_lacking() => -1.0,
            Mode::Paused => -1.0,
            Mode::Playing => {
                let target = self.target(now_ms);
                let finished = self.run_to(target, end_ms, wall);
                self.measure(now_ms);
                self.behind = !finished;
                if !finished {
                    // What was missed is not made up for: the speed is a ceiling.
                    self.anchor = Anchor { wall_ms: now_ms, time: self.cluster.now() };
                    return 0.0;
                }
                self.until_next_event()
            }
            Mode::UntilQuiet { end_nanos, resume } => {
                let end = Time::from_nanos(end_nanos);
                self.run_until_quiet(end, resume, (now_ms, end_ms), wall);
                0.0
            }
        }
    }

    fn run_to(&mut self, target: Time, end_ms: f64, wall: &dyn Fn() -> f64) -> bool {
        loop {
            if self.cluster.run_until(target, EVENTS_PER_LOOK).finished {
                return true;
            }
            if wall() >= end_ms || self.is_lacking() {
                return false;
            }
        }
    }

    fn run_until_quiet(
        &mut self,
        end: Time,
        resume: bool,
        (now_ms, end_ms): (f64, f64),
        wall: &dyn Fn() -> f64,
    ) {
        loop {
            if self.cluster.moving().is_none() || self.cluster.now() >= end {
                self.mode = if resume { Mode::Playing } else { Mode::Paused };
                self.set_anchor(now_ms);
                return;
            }
            let next = self.cluster.next_event_time().unwrap_or(end);
            let pause = self.cluster.now() + Duration::from_secs(1);
            self.cluster.run_until(next.max(pause).min(end), EVENTS_PER_LOOK);
            if wall() >= end_ms || self.is_lacking() {
                self.measure(now_ms);
                return;
            }
        }
    }

    /// Milliseconds of the wall clock until something happens.
    fn until_next_event(&self) -> f64 {
        let next = self.cluster.next_event_time().unwrap_or(Time::MAX);
        let virtual_ms = to_ms(next.since(self.cluster.now()));
        (virtual_ms / self.speed).clamp(1.0, LONGEST_PAUSE_MS)
    }

    fn measure(&mut self, now_ms: f64) {
        let wall = now_ms - self.measured.wall_ms;
        if wall < 500.0 {
            return;
        }
        self.speed_achieved = to_ms(self.cluster.now().since(self.measured.time)) / wall;
        self.measured = Anchor { wall_ms: now_ms, time: self.cluster.now() };
    }

    /// Gathers what the page does not know yet.
    pub(crate) fn gather(&mut self, now_ms: f64, messages: &mut Vec<Message>) {
        if self.is_lacking() && self.cluster.point().is_behind {
            // What the cluster has come to is not what happens.
            return;
        }
        let reset = std::mem::take(&mut self.reset);
        let mut deltas = if reset {
            self.projection.reset(&mut self.cluster)
        } else {
            self.projection.changes(&mut self.cluster)
        };
        let held = self.mode == Mode::Paused || self.cluster.traffic().next().is_none();
        if reset || held || now_ms - self.counted_ms >= COUNT_INTERVAL_MS {
            self.counted_ms = now_ms;
            deltas.extend(self.projection.generators(&self.cluster));
        }
        let traffic = self.projection.traffic(&self.cluster, self.mode == Mode::Paused);
        let flows = !traffic.packets.is_empty() || !traffic.probes.is_empty();
        let running = self.mode != Mode::Paused;
        let quiet = self.cluster.moving().is_none();
        let state = Some((running, quiet, self.behind));
        let due = running && now_ms - self.sent_ms >= CLOCK_INTERVAL_MS;
        if reset || due || flows || !deltas.is_empty() || state != self.sent_state {
            self.sequence += 1;
            self.sent_ms = now_ms;
            self.sent_state = state;
            let clock = self.cluster.clock();
            messages.push(Message::Batch(Batch {
                sequence: self.sequence,
                reset,
                now_ms: clock.micro_timestamp(self.cluster.now()).as_millisecond(),
                running,
                speed_achieved: if running { self.speed_achieved } else { 0.0 },
                behind: self.behind,
                quiet,
                events_handled: self.cluster.events_handled(),
                deltas,
                packets: traffic.packets,
                packets_left_off: traffic.left_off,
                lanes: traffic.lanes,
                probes: traffic.probes,
            }));
        }
        self.cluster.explain(self.inspection.shown || self.mode == Mode::Paused);
        self.inspection.gather(&self.cluster, &self.projection, (now_ms, running), messages);
        self.gather_detail(messages);
    }

    fn gather_detail(&mut self, messages: &mut Vec<Message>) {
        let Some(selected) = &self.selected else { return };
        let handled = Some(self.cluster.events_handled());
        if self.detail.is_some() && self.detail_at == handled {
            return;
        }
        self.detail_at = handled;
        let detail = projection::detail(&self.cluster, selected);
        if self.detail.as_ref() != Some(&detail) {
            self.detail = Some(detail.clone());
            messages.push(Message::Detail(Box::new(detail)));
        }
    }
}

/// The command for the cluster, unless the request is about how it is shown.
fn cluster_command(command: &Command) -> Option<ClusterCommand> {
    Some(match command.clone() {
        Command::Apply { text } => ClusterCommand::Apply { text },
        Command::Delete { text } => ClusterCommand::Delete { text },
        Command::DeleteObject { object } => ClusterCommand::DeleteObject {
            api_version: object.api_version,
            kind: object.kind,
            namespace: object.namespace,
            name: object.name,
        },
        Command::ScaleObject { object, replicas } => ClusterCommand::Scale {
            api_version: object.api_version,
            kind: object.kind,
            namespace: object.namespace,
            name: object.name,
            replicas: i32::try_from(replicas).unwrap_or(i32::MAX),
        },
        Command::FailNode { name } => ClusterCommand::FailNode { name },
        Command::RecoverNode { name } => ClusterCommand::RecoverNode { name },
        Command::StopKubelet { node } => ClusterCommand::StopKubelet { node },
        Command::StartKubelet { node } => ClusterCommand::StartKubelet { node },
        Command::StopComponent { name } => ClusterCommand::StopComponent { name },
        Command::StartComponent { name } => ClusterCommand::StartComponent { name },
        Command::Traffic { name, from, url, rate_per_second } => {
            let pod =
                |pod: ObjectRef| TrafficSource::Pod { namespace: pod.namespace, name: pod.name };
            let from = from.map_or(TrafficSource::Outside, pod);
            ClusterCommand::Traffic { name, from, url, rate_per_second }
        }
        Command::StopTraffic { name } => ClusterCommand::StopTraffic { name },
        _ => return None,
    })
}

pub(crate) fn result(id: u64, outcome: &Outcome) -> CommandResult {
    let mut done = Vec::new();
    let mut problems = Vec::new();
    for result in &outcome.results {
        match &result.outcome {
            Ok(object) => done.push(applied(result, object)),
            Err(refusal) => problems.extend(refused(result, refusal)),
        }
    }
    CommandResult { id, done, problems }
}

fn applied(result: &DocumentResult, done: &Done) -> AppliedObject {
    AppliedObject {
        object: projection::reference(&done.object),
        title: result.title.clone(),
        action: match done.action {
            kubectl::Action::Created => Action::Created,
            kubectl::Action::Configured => Action::Configured,
            kubectl::Action::Unchanged => Action::Unchanged,
            kubectl::Action::Deleted => Action::Deleted,
            kubectl::Action::Scaled => Action::Scaled,
        },
        warnings: done.warnings.clone(),
    }
}

/// One problem for each place that the refusal is about, or one for the whole document.
fn refused(result: &DocumentResult, refusal: &Refusal) -> Vec<Problem> {
    let problem = |mark: Option<&Mark>| Problem {
        document: result.document,
        title: (!result.title.is_empty()).then(|| result.title.clone()),
        reason: refusal.reason.clone(),
        message: match mark {
            Some(mark) if refusal.marks.len() > 1 && !mark.message.is_empty() => {
                mark.message.clone()
            }
            _ => refusal.message.clone(),
        },
        field: mark.map(|mark| mark.field.clone()).filter(|field| !field.is_empty()),
        line: mark.map(|mark| mark.line),
        column: mark.map(|mark| mark.column),
    };
    match refusal.marks.as_slice() {
        [] => vec![problem(None)],
        marks => marks.iter().map(|mark| problem(Some(mark))).collect(),
    }
}

pub(crate) fn from_ms(milliseconds: f64) -> Duration {
    // A float's cast saturates, so that no number of milliseconds is out of range.
    Duration::from_nanos((milliseconds.max(0.0) * 1_000_000.0) as u64)
}

fn to_ms(span: Duration) -> f64 {
    span.as_nanos() as f64 / 1_000_000.0
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
