//! Ending a pod: containers are asked to end, then made to; then the sandbox goes, then, if it
//! was deleted, the object.
//!
//! Upstream: pkg/kubelet/kubelet.go, SyncTerminatingPod and SyncTerminatedPod;
//! kuberuntime_container.go, killContainersWithSyncResult.

use api::openapi::api::core::v1::Pod;
use apiserver::DeleteOptions;
use client::{Context, EventType};
use sim::{Digest, Digestible, Duration, SmallMap, Time};

use crate::container::Role;
use crate::ending::Ending;
use crate::node::Node;
use crate::pod_worker::{PodWorker, Stage};
use crate::progress::before;

const STOP_SANDBOX: (Duration, Duration) = (Duration::from_millis(40), Duration::from_millis(120));
const DEFAULT_GRACE_SECONDS: i64 = 30;
/// Upstream: pkg/kubelet/eviction/eviction_manager.go, immediateEvictionGracePeriodSeconds.
const EVICTION_GRACE: Duration = Duration::from_secs(1);

/// The end of a pod under way.
#[derive(Clone, Debug)]
pub(crate) struct Termination {
    /// How long it may take, and when that is over.
    grace: Duration,
    deadline: Time,
    /// The ends of the containers that ran, by their place.
    endings: SmallMap<u64, Ending>,
    /// When the sandbox is gone; `None` while containers run.
    sandbox_gone: Option<Time>,
}

impl Termination {
    pub(crate) fn next_wake(&self, worker: &PodWorker) -> Option<Time> {
        if self.sandbox_gone.is_some() {
            return self.sandbox_gone;
        }
        if !worker.any_running() {
            // A program that has ended is noticed at once: its runtime waits for it.
            return Some(Time::ZERO);
        }
        let running = (0..worker.containers.len()).filter(|place| worker.runs(*place));
        let next = |place: usize| match self.endings.get(&(place as u64)) {
            Some(ending) => worker.next_of_ending(place, worker.may_end(place), ending),
            None => Some(Time::ZERO),
        };
        running.filter_map(next).min()
    }

    /// From when to when the containers have to end.
    pub(crate) fn span(&self) -> (Time, Time) {
        (before(self.deadline, self.grace), self.deadline)
    }
}

impl Digestible for Termination {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.grace);
        digest.add(&self.deadline);
        digest.add(&self.endings);
        digest.add(&self.sandbox_gone);
    }
}

impl PodWorker {
    /// How long the containers may take to end.
    pub(crate) fn grace(&self) -> Duration {
        if self.is_evicted {
            return EVICTION_GRACE;
        }
        let spec = self.pod.spec.as_ref();
        let of_spec = spec.and_then(|spec| spec.termination_grace_period_seconds);
        let of_spec = of_spec.unwrap_or(DEFAULT_GRACE_SECONDS);
        let seconds = match self.pod.metadata.deletion_grace_period_seconds {
            Some(seconds) if self.pod.metadata.deletion_timestamp.is_some() => seconds,
            _ => of_spec,
        };
        // Every container has a second, so that a forced deletion does not skip the signal.
        Duration::from_api_seconds(seconds.max(1))
    }

    pub(crate) fn begin_termination(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        self.run = None;
        self.next_sync = None;
        self.stage = Stage::Terminating(Termination {
            grace: self.grace(),
            deadline: cx.now + self.grace(),
            endings: SmallMap::new(),
            sandbox_gone: None,
        });
        self.announce_the_end(node, cx);
        // What waited to be started again does not any more.
        if !self.is_orphan {
            self.publish_status(node, cx, false);
        }
    }

    /// Shortens the grace if a second deletion asks for less.
    /// Upstream: pkg/kubelet/pod_workers.go, calculateEffectiveGracePeriod.
    pub(crate) fn shorten_grace(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        let (now, grace) = (cx.now, self.grace());
        if let Stage::Terminating(termination) = &mut self.stage {
            if termination.sandbox_gone.is_some() || termination.grace <= grace {
                return;
            }
            termination.grace = grace;
            termination.deadline = now + grace;
            for ending in termination.endings.values_mut() {
                ending.shorten(now, grace);
            }
        }
        self.announce_the_end(node, cx);
    }

    /// Says that the containers are asked to end.
    fn announce_the_end(&self, node: &mut Node, cx: &mut Context<'_>) {
        for place in (0..self.containers.len()).filter(|place| self.runs(*place)) {
            let name = self.containers.get(place).map(|record| record.name.as_str());
            let message = format!("Stopping container {}", name.unwrap_or_default());
            self.event(node, cx, Some(place), (EventType::Normal, "Killing", &message));
        }
    }

    pub(crate) fn advance_termination(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        let Stage::Terminating(termination) = &self.stage else { return };
        let mut termination = termination.clone();
        self.next_sync = None;
        match termination.sandbox_gone {
            Some(time) if time <= cx.now => return self.finish_termination(node, cx),
            Some(_) => return,
            None => {}
        }
        for place in 0..self.containers.len() {
            let known = termination.endings.contains_key(&(place as u64));
            if !known && self.runs(place) {
                let ending = self.begin_ending(node, cx, place, termination.grace);
                termination.endings.insert(place as u64, ending);
            }
        }
        for place in 0..self.containers.len() {
            let turn = self.may_end(place);
            if let Some(ending) = termination.endings.get_mut(&(place as u64)) {
                self.advance_ending(node, cx, (place, turn), ending);
            }
        }
        if !self.any_running() {
            let span = node.random(cx).between(STOP_SANDBOX.0, STOP_SANDBOX.1);
            let span = if self.sandbox.is_some() { span } else { Duration::ZERO };
            termination.sandbox_gone = Some(cx.now + span);
        }
        self.notice_at = None;
        self.stage = Stage::Terminating(termination);
    }

    /// Whether it is a container's turn to end: a sidecar waits for the regular containers and for
    /// the sidecars that began after it. Upstream: kuberuntime_termination_order.go.
    fn may_end(&self, place: usize) -> bool {
        let Some(record) = self.containers.get(place).filter(|r| r.role == Role::Sidecar) else {
            return true;
        };
        let mut others = self.containers.iter().enumerate().filter(|(other, record)| {
            record.role == Role::Main || record.role == Role::Sidecar && *other > place
        });
        record.is_running() && !others.any(|(_, other)| other.is_running())
    }

    pub(crate) fn is_terminating(&self) -> bool {
        matches!(self.stage, Stage::Terminating(_))
    }

    fn finish_termination(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        self.cancel_activities(node, cx);
        self.remove_sandbox(node, cx.now);
        for record in &mut self.containers {
            // Created, but never started: its runtime object is gone with the sandbox.
            if record.current.as_ref().is_some_and(|i| i.started.is_none() && i.exit.is_none()) {
                record.current = record.previous.take();
            }
            record.exit_seen = true;
        }
        self.stage = Stage::Terminated;
        self.notice_at = None;
        self.next_sync = None;
        if !self.is_orphan {
            self.publish_status(node, cx, true);
            self.delete_if_asked(node, cx);
        }
    }

    /// Takes the object away when nothing is left of a deleted pod.
    /// Upstream: pkg/kubelet/status/status_manager.go, canBeDeleted.
    pub(crate) fn delete_if_asked(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        let asked = self.pod.metadata.deletion_timestamp.is_some();
        if !asked || self.is_static || !self.has_ended() {
            return;
        }
        let options = DeleteOptions {
            grace_period_seconds: Some(0),
            uid: Some(self.uid.to_string()),
            ..DeleteOptions::default()
        };
        let identity = node.identity.clone();
        // It may be gone already: a forced deletion can come in between.
        let _gone = cx.api::<Pod>(&identity, &self.key.namespace).delete(&self.key.name, options);
    }
}
