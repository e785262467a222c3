//! Probes: whether containers have started up, can serve, and are alive.
//!
//! Upstream: pkg/kubelet/prober/{worker,prober,prober_manager}.go.

use api::openapi::api::core::v1::{Container, Probe};
use client::{Context, EventType};
use runtime::Request;
use sim::{Digest, Digestible, Duration, Time};

use crate::actions;
use crate::exec::port_number;
use crate::node::Node;
use crate::pod_worker::PodWorker;

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProbeKind {
    Startup,
    Readiness,
    Liveness,
}

impl ProbeKind {
    pub(crate) const ALL: [ProbeKind; 3] =
        [ProbeKind::Startup, ProbeKind::Readiness, ProbeKind::Liveness];

    fn word(self) -> &'static str {
        match self {
            ProbeKind::Startup => "Startup",
            ProbeKind::Readiness => "Readiness",
            ProbeKind::Liveness => "Liveness",
        }
    }

    pub(crate) fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            ProbeKind::Startup => container.startup_probe.as_ref(),
            ProbeKind::Readiness => container.readiness_probe.as_ref(),
            ProbeKind::Liveness => container.liveness_probe.as_ref(),
        }
    }
}

/// What is known from one probe of one container.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProbeState {
    /// Which instance it is about.
    container_id: String,
    /// When it is tried next.
    next: Option<Time>,
    /// What counts: unknown until a threshold is reached.
    pub(crate) result: Option<bool>,
    /// The last outcome and how often it came in a row.
    last: Option<bool>,
    run: i32,
    /// It waits for its container to be restarted.
    on_hold: bool,
}

impl Digestible for ProbeState {
    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.container_id);
        digest.add(&self.next);
        digest.add(&self.result);
        digest.add(&self.last);
        digest.add(&self.run);
        digest.bool(self.on_hold);
    }
}

/// What one try of a probe found.
enum Tried {
    Success,
    Failure(String),
    /// Nothing could be found out.
    Error(String),
}

fn period(probe: &Probe) -> Duration {
    Duration::from_api_seconds(i64::from(probe.period_seconds.unwrap_or(10).max(1)))
}

fn seconds(value: Option<i32>, default: i32) -> Duration {
    Duration::from_api_seconds(i64::from(value.unwrap_or(default)))
}

impl PodWorker {
    /// The outcome that counts of a probe; `None` when there is no such probe.
    fn probe_result(&self, place: usize, kind: ProbeKind) -> Option<Option<bool>> {
        let (_, container) = actions::containers(&self.pod).nth(place)?;
        kind.of(container)?;
        let record = self.containers.get(place)?;
        let state = record.probes.get(kind as usize)?;
        let id = record.current.as_ref().map(|instance| instance.id.as_str());
        Some(state.result.filter(|_| id == Some(&state.container_id)))
    }

    /// Whether a container runs and has started up, so that the next may begin.
    pub(crate) fn is_started(&self, place: usize) -> bool {
        self.containers.get(place).is_some_and(|record| record.is_running())
            && self.probe_result(place, ProbeKind::Startup).is_none_or(|r| r == Some(true))
    }

    /// Whether a container that has started up can serve.
    pub(crate) fn is_ready(&self, place: usize) -> bool {
        self.probe_result(place, ProbeKind::Readiness).is_none_or(|r| r == Some(true))
    }

    /// Which probe has found that a container must be restarted.
    pub(crate) fn has_failed_probe(&self, place: usize) -> Option<&'static str> {
        if self.probe_result(place, ProbeKind::Liveness) == Some(Some(false)) {
            return Some("liveness");
        }
        (self.probe_result(place, ProbeKind::Startup) == Some(Some(false))).then_some("startup")
    }

    /// When a probe is due next.
    pub(crate) fn next_probe(&self) -> Option<Time> {
        let running = self.containers.iter().filter(|record| record.is_running());
        running.flat_map(|record| &record.probes).filter_map(|state| state.next).min()
    }

    /// Begins to probe an instance that has just begun to run.
    pub(crate) fn begin_probes(&mut self, place: usize, now: Time) {
        let Some((_, container)) = actions::containers(&self.pod).nth(place) else { return };
        let first = |kind: ProbeKind| {
            kind.of(container).map(|probe| now + seconds(probe.initial_delay_seconds, 0))
        };
        let firsts = ProbeKind::ALL.map(first);
        let Some(record) = self.containers.get_mut(place) else { return };
        let id = record.current.as_ref().map(|instance| instance.id.clone()).unwrap_or_default();
        for (state, next) in record.probes.iter_mut().zip(firsts) {
            *state = ProbeState { container_id: id.clone(), next, ..ProbeState::default() };
        }
    }

    /// Tries the probes that are due.
    pub(crate) fn run_probes(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        for place in 0..self.containers.len() {
            for kind in ProbeKind::ALL {
                let record = self.containers.get(place).filter(|record| record.is_running());
                let due = record.and_then(|record| record.probes.get(kind as usize)?.next);
                if due.is_some_and(|time| time <= cx.now) {
                    self.run_probe(node, cx, place, kind);
                }
            }
        }
    }

    fn run_probe(&mut self, node: &mut Node, cx: &mut Context<'_>, place: usize, kind: ProbeKind) {
        let pod = self.pod.clone();
        let Some((_, container)) = actions::containers(&pod).nth(place) else { return };
        let Some(probe) = kind.of(container) else { return };
        let started = self.is_started(place);
        let waits = (kind == ProbeKind::Startup) == started;
        let Some(state) = self.probe_mut(place, kind) else { return };
        state.next = Some(cx.now + period(probe));
        if state.on_hold || waits {
            return;
        }
        let outcome = match self.try_probe(node, cx, place, (container, probe)) {
            Tried::Success => true,
            Tried::Failure(output) => {
                let message = format!("{} probe failed: {output}", kind.word());
                self.event(node, cx, Some(place), (EventType::Warning, "Unhealthy", &message));
                false
            }
            Tried::Error(error) => {
                let message =
                    format!("{} probe errored and resulted in unknown state: {error}", kind.word());
                self.event(node, cx, Some(place), (EventType::Warning, "Unhealthy", &message));
                return;
            }
        };
        if self.count(place, kind, probe, outcome) {
            self.act_on_probe(node, cx, place, (kind, outcome));
        }
    }

    fn probe_mut(&mut self, place: usize, kind: ProbeKind) -> Option<&mut ProbeState> {
        self.containers.get_mut(place)?.probes.get_mut(kind as usize)
    }

    /// Counts an outcome; says whether what counts has changed by it.
    fn count(&mut self, place: usize, kind: ProbeKind, probe: &Probe, outcome: bool) -> bool {
        let Some(state) = self.probe_mut(place, kind) else { return false };
        state.run = if state.last == Some(outcome) { state.run + 1 } else { 1 };
        state.last = Some(outcome);
        let threshold = match outcome {
            true => probe.success_threshold.unwrap_or(1),
            false => probe.failure_threshold.unwrap_or(3),
        };
        if state.run < threshold {
            return false;
        }
        if !outcome && kind != ProbeKind::Readiness {
            state.on_hold = true;
            state.run = 0;
        }
        state.result.replace(outcome) != Some(outcome)
    }

    fn act_on_probe(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        place: usize,
        (kind, outcome): (ProbeKind, bool),
    ) {
        match (kind, outcome) {
            (ProbeKind::Liveness, true) => {}
            (ProbeKind::Liveness | ProbeKind::Startup, false) => self.request_sync(cx.now),
            (ProbeKind::Readiness, _) => {
                self.publish_status(node, cx, false);
            }
            (ProbeKind::Startup, true) => {
                // The others begin now, unless their own delay is longer.
                for kind in [ProbeKind::Readiness, ProbeKind::Liveness] {
                    if let Some(state) = self.probe_mut(place, kind) {
                        state.next = state.next.map(|_| cx.now);
                    }
                }
                self.request_sync(cx.now);
            }
        }
    }

    fn try_probe(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        place: usize,
        (container, probe): (&Container, &Probe),
    ) -> Tried {
        if let Some(action) = &probe.exec {
            let command = action.command.clone().unwrap_or_default();
            let limit = seconds(probe.timeout_seconds, 1);
            return match self.execute(node, cx, place, (&command, limit)) {
                Ok(done) if done.code == Some(0) => Tried::Success,
                Ok(done) if done.code.is_none() => Tried::Failure(format!(
                    "command timed out: {:?} timed out after {limit}",
                    command.join(" ")
                )),
                Ok(done) => Tried::Failure(done.output),
                Err(error) => Tried::Error(error),
            };
        }
        if let Some(action) = &probe.http_get {
            return match self.http_get(node, cx, container, action) {
                Ok((200..400, _)) => Tried::Success,
                Ok((status, _)) => {
                    Tried::Failure(format!("HTTP probe failed with statuscode: {status}"))
                }
                Err(error) => Tried::Failure(error),
            };
        }
        let address = self.address.clone().unwrap_or_default();
        let port = match (&probe.tcp_socket, &probe.grpc) {
            (Some(action), _) => port_number(container, &action.port),
            (None, Some(action)) => u16::try_from(action.port).ok(),
            (None, None) => return Tried::Error("missing probe handler".to_string()),
        };
        let Some(port) = port else {
            return Tried::Error("couldn't find the named port of the container".to_string());
        };
        match self.request(node, cx, &Request { port, path: None }) {
            Some(_) => Tried::Success,
            None if probe.grpc.is_some() => Tried::Failure(format!(
                "timeout: failed to connect service \"{address}:{port}\" within {}: context \
                 deadline exceeded",
                seconds(probe.timeout_seconds, 1)
            )),
            None => {
                Tried::Failure(format!("dial tcp {address}:{port}: connect: connection refused"))
            }
        }
    }
}
