//! Ending a pod: containers are asked to end, then made to; then the sandbox goes, then, if it
//! was deleted, the object.
//!
//! Upstream: pkg/kubelet/kubelet.go, SyncTerminatingPod and SyncTerminatedPod;
//! kuberuntime_container.go, killContainersWithSyncResult.

use std::collections::{BTreeMap, BTreeSet};

use api::openapi::api::core::v1::Pod;
use apiserver::DeleteOptions;
use client::{Context, EventType};
use runtime::Signal;
use sim::{Digest, Digestible, Duration, Time};

use crate::actions;
use crate::container::Role;
use crate::node::Node;
use crate::pod_worker::{PodWorker, Stage};
use crate::progress::before;

const STOP_SANDBOX: (Duration, Duration) = (Duration::from_millis(40), Duration::from_millis(120));
const DEFAULT_GRACE_SECONDS: i64 = 30;
/// What a program has after its hook, however long that took.
/// Upstream: kuberuntime_container.go, minimumGracePeriodInSeconds.
const MINIMUM_AFTER_HOOK: Duration = Duration::from_secs(2);

/// The end of a pod under way.
#[derive(Clone, Debug)]
pub(crate) struct Termination {
    /// When what still runs is killed.
    deadline: Time,
    /// When the hooks end that run before the signal.
    hooks: BTreeMap<u64, Time>,
    /// The containers that were asked to end.
    signalled: BTreeSet<u64>,
    /// When the sandbox is gone; `None` while containers run.
    sandbox_gone: Option<Time>,
}

impl Termination {
    pub(crate) fn next_wake(&self, worker: &PodWorker) -> Option<Time> {
        match self.sandbox_gone {
            Some(time) => Some(time),
            // A program that has ended is noticed at once: its runtime waits for it.
            None if !worker.any_running() => Some(Time::ZERO),
            None => {
                let hook_ends = |place| self.hooks.get(&(place as u64)).copied();
                let next = self.unsignalled(worker).map(|p| hook_ends(p).unwrap_or(Time::ZERO));
                next.chain([self.deadline]).min()
            }
        }
    }

    /// From when to when the containers have to end.
    pub(crate) fn span(&self, worker: &PodWorker) -> (Time, Time) {
        (before(self.deadline, worker.grace()), self.deadline)
    }

    /// The containers to ask next: regular ones together; sidecars when those have ended, the
    /// last first. Upstream: kuberuntime_termination_order.go.
    fn unsignalled<'a>(&'a self, worker: &'a PodWorker) -> impl Iterator<Item = usize> + 'a {
        let running = |role: Role| {
            worker.containers.iter().any(move |record| record.role == role && record.is_running())
        };
        let only_sidecars = !running(Role::Main) && !running(Role::Init);
        let last_sidecar = worker
            .containers
            .iter()
            .rposition(|record| record.role == Role::Sidecar && record.is_running());
        worker.containers.iter().enumerate().filter_map(move |(place, record)| {
            let turn = match record.role {
                Role::Sidecar => only_sidecars && Some(place) == last_sidecar,
                Role::Init | Role::Main => true,
            };
            let asked = self.signalled.contains(&(place as u64));
            (record.is_running() && turn && !asked).then_some(place)
        })
    }
}

impl Digestible for Termination {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.deadline);
        digest.add(&self.hooks);
        digest.add(&self.signalled);
        digest.add(&self.sandbox_gone);
    }
}

impl PodWorker {
    /// How long the containers may take to end.
    pub(crate) fn grace(&self) -> Duration {
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
        let deadline = cx.now + self.grace();
        let (hooks, signalled) = (BTreeMap::new(), BTreeSet::new());
        self.stage =
            Stage::Terminating(Termination { deadline, hooks, signalled, sandbox_gone: None });
        for place in 0..self.containers.len() {
            let Some(record) = self.containers.get(place).filter(|r| r.is_running()) else {
                continue;
            };
            let message = format!("Stopping container {}", record.name);
            self.event(node, cx, Some(place), (EventType::Normal, "Killing", &message));
        }
    }

    /// Shortens the grace if a second deletion asks for less.
    pub(crate) fn shorten_grace(&mut self, now: Time) {
        let deadline = now + self.grace();
        if let Stage::Terminating(termination) = &mut self.stage {
            termination.deadline = termination.deadline.min(deadline);
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
        let turn: Vec<usize> = termination.unsignalled(self).collect();
        for place in &turn {
            self.pre_stop(node, cx, *place, &mut termination);
        }
        let expired = termination.deadline <= cx.now;
        for (place, record) in self.containers.iter_mut().enumerate() {
            let Some(instance) = record.current.as_mut().filter(|i| i.is_running()) else {
                continue;
            };
            let hook_ends = termination.hooks.get(&(place as u64));
            if expired {
                instance.signal(Signal::Kill, &mut node.world(cx, &mut self.volumes));
            } else if turn.contains(&place) && hook_ends.is_none_or(|time| *time <= cx.now) {
                termination.signalled.insert(place as u64);
                let signal = instance.image.stop_signal;
                instance.signal(signal, &mut node.world(cx, &mut self.volumes));
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

    /// Runs the hook that comes before the signal, once.
    /// Upstream: kuberuntime_container.go, executePreStopHook.
    fn pre_stop(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        place: usize,
        termination: &mut Termination,
    ) {
        let container = actions::containers(&self.pod).nth(place).map(|(_, container)| container);
        let lifecycle = container.and_then(|container| container.lifecycle.as_ref());
        let Some(handler) = lifecycle.and_then(|hooks| hooks.pre_stop.clone()) else { return };
        if termination.hooks.contains_key(&(place as u64)) {
            return;
        }
        let limit = termination.deadline - cx.now;
        let took = match self.run_hook(node, cx, place, (&handler, limit)) {
            Ok(took) => took,
            Err(_) => {
                let event = (EventType::Warning, "FailedPreStopHook", "PreStopHook failed");
                self.event(node, cx, Some(place), event);
                Duration::ZERO
            }
        };
        let ends = cx.now + took;
        termination.hooks.insert(place as u64, ends);
        termination.deadline = termination.deadline.max(ends + MINIMUM_AFTER_HOOK);
    }

    fn finish_termination(&mut self, node: &mut Node, cx: &mut Context<'_>) {
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
