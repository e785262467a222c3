//! Probes: whether containers have started up, can serve, and are alive.
//!
//! Upstream: pkg/kubelet/prober/{worker,prober,prober_manager}.go.

use api::openapi::api::core::v1::{Container, Probe};
use client::{Context, EventType};
use sim::{Digest, Digestible, Duration, Time};
use trace::What;

use crate::actions;
use crate::activity::{Errand, Finding, Purpose};
use crate::container::ContainerRecord;
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

/// What is known from one probe of one container, and when it is tried.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProbeState {
    /// Which instance it is about.
    container_id: String,
    /// When its period ends next; `None` while nobody probes.
    next: Option<Time>,
    /// Somebody wants to know now.
    asked: bool,
    /// Its period ended while a try was under way.
    late: bool,
    /// What counts: unknown until a threshold is reached.
    pub(crate) result: Option<bool>,
    /// The last outcome and how often it came in a row.
    last: Option<bool>,
    run: i32,
    /// It waits for its container to be restarted.
    on_hold: bool,
}

impl ProbeState {
    /// The kubelet ended. What it found of readiness stands until something else is found.
    /// Upstream: pkg/kubelet/prober/worker.go, where ChangeContainerStatusOnKubeletRestart is off.
    pub(crate) fn forget(&mut self, kind: ProbeKind) {
        let kept = kind != ProbeKind::Liveness;
        *self = ProbeState {
            container_id: std::mem::take(&mut self.container_id),
            result: self.result.filter(|_| kept),
            ..ProbeState::default()
        };
    }

    /// A probe that has found something of an instance.
    #[cfg(test)]
    pub(crate) fn found(container_id: &str, result: bool) -> Self {
        let container_id = container_id.to_string();
        ProbeState { container_id, result: Some(result), ..ProbeState::default() }
    }

    fn stop(&mut self) {
        self.next = None;
        self.asked = false;
        self.late = false;
    }
}

impl Digestible for ProbeState {
    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.container_id);
        digest.add(&self.next);
        digest.bool(self.asked);
        digest.bool(self.late);
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
        self.startup_has_failed(place).then_some("startup")
    }

    /// Whether a container has not started up in the time that its probe gives it.
    pub(crate) fn startup_has_failed(&self, place: usize) -> bool {
        self.probe_result(place, ProbeKind::Startup) == Some(Some(false))
    }

    /// When a probe is due next.
    pub(crate) fn next_probe(&self) -> Option<Time> {
        let places = self.containers.iter().enumerate();
        let due = |(place, record): (usize, &ContainerRecord)| {
            let states = ProbeKind::ALL.into_iter().zip(&record.probes);
            let due = states.filter_map(|(kind, state)| {
                let at_once =
                    (state.asked || state.late) && !self.is_under_way(place, Purpose::Probe(kind));
                if at_once { Some(Time::ZERO) } else { state.next }
            });
            due.min()
        };
        places.filter_map(due).min()
    }

    /// Begins to probe what the pod's containers are to be probed for. The periods go on whatever
    /// becomes of the containers. Shortly after the kubelet's own start the first is put off, so
    /// that not all come at once.
    /// Upstream: prober_manager.go, AddPod; worker.go, run.
    pub(crate) fn add_probes(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        let pod = self.pod.clone();
        for (place, (_, container)) in actions::containers(&pod).enumerate() {
            for kind in ProbeKind::ALL {
                let Some(probe) = kind.of(container) else { continue };
                let (span, age) = (period(probe), cx.now - node.started_at);
                let Some(record) = self.containers.get(place) else { continue };
                let idle = record.probes.get(kind as usize).is_some_and(|s| s.next.is_none());
                let over = record.exit().is_some()
                    && !actions::should_be_restarted(&pod, container, record);
                if !idle || over {
                    continue;
                }
                let delay = match span > age {
                    true => node.random(cx).between(Duration::ZERO, span),
                    false => Duration::ZERO,
                };
                if let Some(state) = self.probe_mut(place, kind) {
                    state.next = Some(cx.now + delay);
                }
            }
        }
    }

    /// Tries the readiness of the containers that have started up and are not known to be ready,
    /// as whenever somebody makes the pod's status.
    /// Upstream: prober_manager.go, UpdatePodStatus.
    pub(crate) fn ask_for_readiness(&mut self) {
        for place in 0..self.containers.len() {
            let state = self.probe_mut(place, ProbeKind::Readiness);
            let probed = state.is_some_and(|state| state.next.is_some());
            if probed
                && self.is_started(place)
                && !self.is_ready(place)
                && let Some(state) = self.probe_mut(place, ProbeKind::Readiness)
            {
                state.asked = true;
            }
        }
    }

    /// Tries the probes that are due. Those that could end a container are not tried while the
    /// pod ends; whether it can serve is asked until it has ended.
    pub(crate) fn run_probes(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        let idle = |record: &ContainerRecord| record.probes.iter().all(|s| s.next.is_none());
        if self.containers.iter().all(idle) {
            return;
        }
        let ends = self.is_terminating();
        for place in 0..self.containers.len() {
            for kind in ProbeKind::ALL {
                let under_way = self.is_under_way(place, Purpose::Probe(kind));
                let probe = self.container(place).and_then(|container| kind.of(container));
                let period = probe.map(period);
                let Some(state) = self.probe_mut(place, kind) else { continue };
                if state.next.is_none() {
                    continue;
                }
                let Some(period) = period.filter(|_| !(ends && kind.ends_with_the_grace())) else {
                    state.stop();
                    continue;
                };
                if let Some(time) = state.next.filter(|time| *time <= cx.now) {
                    // As from a ticker of Go: one period that ends during a try is made up for.
                    let next = time + period;
                    state.next = Some(if next > cx.now { next } else { cx.now + period });
                    state.late = true;
                }
                if under_way {
                    continue;
                }
                if std::mem::take(&mut state.asked) {
                    state.next = Some(cx.now + period);
                    state.late = true;
                }
                if std::mem::take(&mut state.late) {
                    self.tick_probe(node, cx, (place, kind));
                }
            }
        }
    }

    /// A probe looks at its container as the pod's status has it, and tries it if it should.
    /// Upstream: worker.go, doProbe.
    fn tick_probe(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        (place, kind): (usize, ProbeKind),
    ) {
        let Some(status) = self.status.clone() else { return };
        let pod = self.pod.clone();
        let Some((_, container)) = actions::containers(&pod).nth(place) else { return };
        let delay = kind.of(container).and_then(|probe| probe.initial_delay_seconds).unwrap_or(0);
        let all = status.container_statuses.iter().chain(&status.init_container_statuses);
        let seen = all.flatten().find(|seen| seen.name == container.name);
        let id = seen.and_then(|seen| seen.container_id.as_deref()?.split("//").last());
        let (Some(seen), Some(id)) = (seen, id) else { return };
        let over = self.containers.get(place).is_some_and(|record| {
            record.exit().is_some() && !actions::should_be_restarted(&pod, container, record)
        });
        let Some(state) = self.probe_mut(place, kind) else { return };
        if state.container_id != id {
            state.container_id = id.to_string();
            state.result = None;
            state.on_hold = false;
        }
        if state.on_hold {
            return;
        }
        let running = seen.state.as_ref().and_then(|state| state.running.as_ref());
        let Some(started_at) = running.and_then(|running| running.started_at.as_ref()) else {
            if over {
                state.stop();
            }
            return;
        };
        let age = cx.now - cx.clock.time(started_at.0);
        let waits = age < Duration::from_api_seconds(i64::from(delay));
        let started = seen.started == Some(true);
        if !waits && (kind == ProbeKind::Startup) != started && self.runs(place) {
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
            self.act_on_probe(node, cx, (kind, outcome));
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
        if kind == ProbeKind::Startup || kind == ProbeKind::Liveness && !outcome {
            state.on_hold = true;
            state.run = 0;
        }
        state.result.replace(outcome) != Some(outcome)
    }

    fn act_on_probe(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        (kind, outcome): (ProbeKind, bool),
    ) {
        match kind {
            ProbeKind::Liveness if outcome => {}
            ProbeKind::Liveness => self.request_sync(cx.now),
            ProbeKind::Readiness => {
                self.publish_status(node, cx, false);
            }
            ProbeKind::Startup => {
                self.publish_status(node, cx, false);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A worker whose one container has a probe with those thresholds.
    fn worker(kind: ProbeKind, success: i32, failure: i32) -> (PodWorker, Probe) {
        let name = kind.word().to_ascii_lowercase();
        let manifest = format!(
            r#"{{"spec":{{"containers":[{{"name":"main","{name}Probe":{{"exec":{{}},
            "successThreshold":{success},"failureThreshold":{failure}}}}}]}}}}"#
        );
        let pod: api::openapi::api::core::v1::Pod = serde_json::from_str(&manifest).expect("a pod");
        let container = &pod.spec.as_ref().expect("a spec").containers[0];
        let probe = kind.of(container).expect("a probe").clone();
        (PodWorker::new(Arc::new(pod), false, Time::ZERO), probe)
    }

    /// The results after each outcome, `+` and `-`, with `?` for none yet and `!` after one that
    /// puts the probe on hold.
    fn results(kind: ProbeKind, thresholds: (i32, i32), outcomes: &str) -> String {
        let (mut worker, probe) = worker(kind, thresholds.0, thresholds.1);
        let mut words = String::new();
        for outcome in outcomes.chars() {
            worker.count(0, kind, &probe, outcome == '+');
            let state = worker.probe_mut(0, kind).expect("a state");
            words.push(match state.result {
                None => '?',
                Some(true) => '+',
                Some(false) => '-',
            });
            if std::mem::take(&mut state.on_hold) {
                words.push('!');
            }
        }
        words
    }

    /// Upstream: pkg/kubelet/prober/worker_test.go, TestFailureThreshold, TestSuccessThreshold,
    /// TestOnHoldOnLivenessOrStartupCheckFailure, TestStartupProbeSuccessThreshold,
    /// TestStartupProbeFailureThreshold and TestResultRunOnLivenessCheckFailure.
    #[test]
    fn a_result_counts_when_it_came_often_enough_in_a_row() {
        use ProbeKind::{Liveness, Readiness, Startup};
        for (kind, thresholds, outcomes, want) in [
            (Readiness, (1, 3), "+--+---+", "++++++-+"),
            (Readiness, (3, 1), "+-++-+++", "?------+"),
            (Readiness, (2, 2), "--++--", "?--++-"),
            (Liveness, (1, 2), "+-+--", "++++-!"),
            (Liveness, (1, 1), "-", "-!"),
            (Liveness, (1, 3), "------", "??-!---!"),
            (Startup, (1, 3), "--+", "??+!"),
            (Startup, (1, 3), "---", "??-!"),
            (Startup, (2, 3), "+-++", "???+!"),
        ] {
            let found = results(kind, thresholds, outcomes);
            assert_eq!(found, want, "{kind:?} {thresholds:?} {outcomes}");
        }
    }

    /// Upstream: pkg/kubelet/prober/prober_test.go, TestProbe; pkg/probe/http/http_test.go,
    /// TestHTTPProbeChecker; pkg/probe/exec/exec_test.go, TestExec.
    #[test]
    fn findings_are_successes_failures_warnings_or_errors() {
        let page = |status: u16| {
            let body = "the body".to_string();
            let headers = Default::default();
            Finding::Answered(Answer::Page(Arc::new(network::HttpResponse {
                status,
                headers,
                body,
            })))
        };
        let exited = |code: i32| Finding::Exited {
            code,
            output: "what it said\n".to_string(),
            errors: String::new(),
        };
        for (finding, want) in [
            (page(200), "success"),
            (page(299), "success"),
            (page(302), "warning: Probe terminated redirects, Response body: the body"),
            (page(400), "failure: HTTP probe failed with statuscode: 400"),
            (page(503), "failure: HTTP probe failed with statuscode: 503"),
            (page(100), "failure: HTTP probe failed with statuscode: 100"),
            (exited(0), "success"),
            (exited(3), "failure: what it said\n"),
            (Finding::Answered(Answer::Fine), "success"),
            (Finding::Answered(Answer::Failed("refused".to_string())), "failure: refused"),
            (Finding::TimedOut("too late".to_string()), "failure: too late"),
            (Finding::Error("no such command".to_string()), "error: no such command"),
        ] {
            let found = match tried(finding) {
                Tried::Success => "success".to_string(),
                Tried::Failure(words) => format!("failure: {words}"),
                Tried::Warning(words) => format!("warning: {words}"),
                Tried::Error(words) => format!("error: {words}"),
            };
            assert_eq!(found, want);
        }
    }
}
