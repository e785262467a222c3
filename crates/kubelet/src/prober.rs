//! Probes: whether containers have started up, can serve, and are alive.
//!
//! Upstream: pkg/kubelet/prober/{worker,prober,prober_manager}.go.

use api::openapi::api::core::v1::{Container, Probe};
use client::{Context, EventType};
use sim::{Digest, Digestible, Duration, Time};
use trace::What;

use crate::actions;
use crate::activity::{Errand, Finding, Purpose};
use crate::dial::Answer;
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

    /// Whether it is tried no longer when its container is asked to end.
    pub(crate) fn ends_with_the_grace(self) -> bool {
        self != ProbeKind::Readiness
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
    /// Its period ended while a try was under way.
    late: bool,
}

impl Digestible for ProbeState {
    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.container_id);
        digest.add(&self.next);
        digest.add(&self.result);
        digest.add(&self.last);
        digest.add(&self.run);
        digest.bool(self.on_hold);
        digest.bool(self.late);
    }
}

/// What one try of a probe found.
enum Tried {
    Success,
    Failure(String),
    /// It can serve, but something is odd.
    Warning(String),
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

    /// Tries the probes that are due. Those that could end a container are not tried while the
    /// pod ends; whether it can serve is asked until it has ended.
    pub(crate) fn run_probes(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        let ends = self.is_terminating();
        for place in 0..self.containers.len() {
            for kind in ProbeKind::ALL {
                let record = self.containers.get(place).filter(|record| record.is_running());
                let due = record.and_then(|record| record.probes.get(kind as usize)?.next);
                if due.is_none_or(|time| time > cx.now) {
                    continue;
                }
                if ends && kind.ends_with_the_grace() {
                    if let Some(state) = self.probe_mut(place, kind) {
                        state.next = None;
                    }
                } else {
                    self.tick_probe(node, cx, (place, kind));
                }
            }
        }
    }

    /// A probe's period is over. A try that is still under way is not doubled; the next follows
    /// at once when it ends, as from a ticker of Go.
    fn tick_probe(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        (place, kind): (usize, ProbeKind),
    ) {
        let probe = self.container(place).and_then(|container| kind.of(container));
        let Some(period) = probe.map(period) else { return };
        let started = self.is_started(place);
        let waits = (kind == ProbeKind::Startup) == started;
        let under_way = self.is_under_way(place, Purpose::Probe(kind));
        let Some(state) = self.probe_mut(place, kind) else { return };
        state.next = Some(cx.now + period);
        if under_way {
            state.late = true;
        } else if !state.on_hold && !waits {
            self.try_probe(node, cx, (place, kind));
        }
    }

    fn try_probe(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        (place, kind): (usize, ProbeKind),
    ) {
        let pod = self.pod.clone();
        let Some((_, container)) = actions::containers(&pod).nth(place) else { return };
        let Some(probe) = kind.of(container) else { return };
        let limit = seconds(probe.timeout_seconds, 1);
        let command = probe.exec.as_ref().and_then(|exec| exec.command.clone()).unwrap_or_default();
        let errand = if probe.exec.is_some() {
            Ok(Errand::Command(&command))
        } else if let Some(action) = &probe.http_get {
            Ok(Errand::Page(action))
        } else if let Some(action) = &probe.tcp_socket {
            PodWorker::port_errand(container, action.host.as_deref(), &action.port)
        } else if let Some(action) = &probe.grpc {
            let service = action.service.as_deref().unwrap_or_default();
            Ok(Errand::Health(u16::try_from(action.port).unwrap_or_default(), service))
        } else {
            Err(format!("missing probe handler for {}", self.format()))
        };
        let finding = match errand {
            Ok(errand) => {
                self.begin_activity(node, cx, (place, Purpose::Probe(kind)), (errand, limit))
            }
            Err(why) => Some(Finding::Error(why)),
        };
        if let Some(finding) = finding {
            self.finish_probe(node, cx, (place, kind), finding);
        }
    }

    /// A try of a probe is over.
    pub(crate) fn finish_probe(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        (place, kind): (usize, ProbeKind),
        finding: Finding,
    ) {
        let tried = tried(finding);
        self.record_probe(cx, (place, kind), &tried);
        let word = kind.word();
        let (reason, message) = match &tried {
            Tried::Success => ("", String::new()),
            Tried::Warning(output) => ("ProbeWarning", format!("{word} probe warning: {output}")),
            Tried::Failure(output) => ("Unhealthy", format!("{word} probe failed: {output}")),
            Tried::Error(error) => (
                "Unhealthy",
                format!("{word} probe errored and resulted in unknown state: {error}"),
            ),
        };
        if !reason.is_empty() {
            self.event(node, cx, Some(place), (EventType::Warning, reason, &message));
        }
        let outcome = match tried {
            Tried::Success | Tried::Warning(_) => Some(true),
            Tried::Failure(_) => Some(false),
            Tried::Error(_) => None,
        };
        let probe = self.container(place).and_then(|container| kind.of(container)).cloned();
        if let (Some(outcome), Some(probe)) = (outcome, probe)
            && self.count(place, kind, &probe, outcome)
        {
            self.act_on_probe(node, cx, place, (kind, outcome));
        }
        let late = self.probe_mut(place, kind).is_some_and(|state| {
            std::mem::take(&mut state.late) && !state.on_hold && state.next.is_some()
        });
        if late && let Some(state) = self.probe_mut(place, kind) {
            state.next = Some(cx.now);
        }
    }

    /// Puts what a probe found into the trace.
    fn record_probe(&self, cx: &mut Context<'_>, (place, kind): (usize, ProbeKind), tried: &Tried) {
        let Some(record) = self.containers.get(place).filter(|_| cx.trace.is_on()) else { return };
        let (pod, container) = (self.key.to_string(), record.name.clone());
        let success = matches!(tried, Tried::Success | Tried::Warning(_));
        let probe = kind.word().to_string();
        cx.record(What::Probe { pod, container, probe, success });
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
}

/// What a finding says to a probe. Upstream: pkg/kubelet/prober/prober.go, runProbe.
fn tried(finding: Finding) -> Tried {
    match finding {
        Finding::Exited { code: 0, .. } | Finding::Answered(Answer::Fine) => Tried::Success,
        Finding::Exited { output, .. } => Tried::Failure(output),
        Finding::TimedOut(words) | Finding::Answered(Answer::Failed(words)) => {
            Tried::Failure(words)
        }
        Finding::Answered(Answer::Page(response)) => match response.status {
            200..300 => Tried::Success,
            300..400 => Tried::Warning(format!(
                "Probe terminated redirects, Response body: {}",
                response.body
            )),
            status => Tried::Failure(format!("HTTP probe failed with statuscode: {status}")),
        },
        Finding::Error(why) => Tried::Error(why),
    }
}
