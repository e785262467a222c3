//! Bringing a pod to what its specification says: status, volumes, sandbox, containers.
//!
//! Upstream: pkg/kubelet/kubelet.go, SyncPod; pkg/kubelet/kuberuntime/kuberuntime_manager.go,
//! SyncPod; pkg/kubelet/pod_workers.go, completeWork.

use std::collections::VecDeque;

use client::{Context, EventType};
use network::NamespaceId;
use sim::{Digest, Digestible, Duration, Time};

use crate::actions::{self, Kill, PodActions};
use crate::container::{ContainerRecord, Role};
use crate::ending::Ending;
use crate::host_ports::port_mappings;
use crate::node::Node;
use crate::node_status::NETWORK_NOT_READY;
use crate::pod_worker::{PodWorker, Sandbox, Stage};
use crate::start::Starting;

/// How long a sandbox takes to be made, with its network.
const SANDBOX: (Duration, Duration) = (Duration::from_millis(150), Duration::from_millis(400));
/// Upstream: pkg/kubelet/kubelet.go, backOffPeriod.
const BACK_OFF_PERIOD: Duration = Duration::from_secs(10);
/// Upstream: pod_workers.go, backOffOnTransientErrorPeriod.
const BACK_OFF_TRANSIENT: Duration = Duration::from_secs(1);
/// Upstream: KubeletConfiguration.syncFrequency.
const RESYNC_INTERVAL: Duration = Duration::from_secs(60);

/// What a sync is doing.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The sandbox is being made.
    Sandbox { until: Time },
    /// A container is being stopped: to be started again, or because its start failed.
    Killing { place: usize, ending: Ending, failed: bool },
    /// A container is being started.
    Container(Starting),
}

/// A sync under way.
#[derive(Clone, Debug)]
pub(crate) struct SyncRun {
    pub(crate) step: Step,
    /// Containers still to stop.
    pub(crate) kill: VecDeque<Kill>,
    /// Containers still to start.
    pub(crate) queue: VecDeque<usize>,
    pub(crate) outcome: Outcome,
}

/// What came of a sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Something changed that the kubelet will see when it looks at the containers.
    pub(crate) acted: bool,
    /// Something failed.
    pub(crate) failed: bool,
    /// When the first back-off ends.
    pub(crate) back_off_ends: Option<Time>,
}

impl SyncRun {
    /// When the step ends, unless it ends sooner of its own.
    pub(crate) fn until(&self, worker: &PodWorker) -> Time {
        match &self.step {
            Step::Sandbox { until } => *until,
            Step::Killing { place, .. } if !worker.runs(*place) => Time::ZERO,
            Step::Killing { place, ending, .. } => {
                worker.next_of_ending(*place, true, ending).unwrap_or(Time::ZERO)
            }
            Step::Container(starting) => starting.until,
        }
    }
}

impl Digestible for SyncRun {
    fn digest(&self, digest: &mut Digest) {
        match &self.step {
            Step::Sandbox { until } => digest.add(until),
            Step::Killing { place, ending, failed } => {
                digest.u64(*place as u64);
                digest.add(ending);
                digest.bool(*failed);
            }
            Step::Container(starting) => digest.add(starting),
        }
        self.kill.iter().for_each(|kill| digest.u64(kill.place as u64));
        digest.u64(self.queue.len() as u64);
        self.queue.iter().for_each(|place| digest.u64(*place as u64));
        digest.bool(self.outcome.acted);
        digest.bool(self.outcome.failed);
        digest.add(&self.outcome.back_off_ends);
    }
}

impl PodWorker {
    pub(crate) fn advance_sync(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        match &self.run {
            Some(run) if run.until(self) <= cx.now => self.finish_step(node, cx),
            None if self.next_sync.is_some_and(|time| time <= cx.now) => self.begin(node, cx),
            _ => {}
        }
    }

    fn begin(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        self.next_sync = None;
        if self.pod.metadata.deletion_timestamp.is_some() && !self.is_static {
            return self.begin_termination(node, cx);
        }
        if self.enforce_deadline(node, cx) {
            return;
        }
        let phase = self.publish_status(node, cx, false);
        if matches!(phase.as_str(), "Succeeded" | "Failed") {
            return self.begin_termination(node, cx);
        }
        if !self.is_host_network() && !node.is_ready() {
            return self.wait_for_network(node, cx);
        }
        if !self.mount_volumes(node, cx) {
            return;
        }
        self.announce_missing_pull_secrets(node, cx);
        self.add_probes(node, cx);
        let actions = actions::compute(self);
        let PodActions { create_sandbox, kill, start, kill_pod } = actions;
        if kill_pod {
            return self.begin_termination(node, cx);
        }
        let (kill, queue) = (kill.into(), start.into());
        let outcome = Outcome::default();
        if create_sandbox {
            self.announce_sandbox_change(node, cx);
            self.announce_dns_limits(node, cx);
            let until = cx.now + node.random(cx).between(SANDBOX.0, SANDBOX.1);
            self.run = Some(SyncRun { step: Step::Sandbox { until }, kill, queue, outcome });
        } else {
            self.go_on(node, cx, (kill, queue), outcome);
        }
    }

    /// Without a network there is no sandbox; there may be one soon.
    /// Upstream: kubelet.go, SyncPod; pod_workers.go, completeWork.
    fn wait_for_network(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        let message = format!("network is not ready: {NETWORK_NOT_READY}");
        self.event(node, cx, None, (EventType::Warning, "NetworkNotReady", &message));
        let jitter = node.random(cx).between(Duration::ZERO, half(BACK_OFF_TRANSIENT));
        self.next_sync = Some(cx.now + BACK_OFF_TRANSIENT + jitter);
    }

    /// Says that the pod had a sandbox before, and forgets the initialisation that ran in it.
    fn announce_sandbox_change(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        if self.containers.iter().all(|record| record.current.is_none()) {
            return;
        }
        let message = "Pod sandbox changed, it will be killed and re-created.";
        self.event(node, cx, None, (EventType::Normal, "SandboxChanged", message));
        for record in self.containers.iter_mut().filter(|record| record.role != Role::Main) {
            record.current = None;
            record.previous = None;
        }
    }

    /// Stops the next container that has to be stopped, or else starts the next.
    fn go_on(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        (mut kill, queue): (VecDeque<Kill>, VecDeque<usize>),
        outcome: Outcome,
    ) {
        let Some(Kill { place, message, grace }) = kill.pop_front() else {
            return self.start_next(node, cx, queue, outcome);
        };
        self.event(node, cx, Some(place), (EventType::Normal, "Killing", &message));
        let grace = grace.unwrap_or_else(|| self.grace());
        let ending = self.begin_ending(node, cx, place, grace);
        let step = Step::Killing { place, ending, failed: false };
        self.run = Some(SyncRun { step, kill, queue, outcome });
    }

    pub(crate) fn runs(&self, place: usize) -> bool {
        self.containers.get(place).is_some_and(|record| record.is_running())
    }

    fn finish_step(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        let Some(SyncRun { step, kill, queue, mut outcome }) = self.run.take() else { return };
        match step {
            Step::Killing { place, mut ending, failed } if self.runs(place) => {
                self.advance_ending(node, cx, (place, true), &mut ending);
                let step = Step::Killing { place, ending, failed };
                self.run = Some(SyncRun { step, kill, queue, outcome });
            }
            Step::Killing { place, failed: true, .. } => {
                outcome.acted = true;
                outcome.fail(None);
                let queue = self.queue_after_failure(place, queue);
                self.start_next(node, cx, queue, outcome);
            }
            Step::Killing { .. } => {
                outcome.acted = true;
                self.go_on(node, cx, (kill, queue), outcome);
            }
            Step::Sandbox { .. } => {
                if self.finish_sandbox(node, cx) {
                    outcome.acted = true;
                    self.publish_status(node, cx, false);
                    self.start_next(node, cx, queue, outcome);
                } else {
                    self.complete(node, cx, Outcome { failed: true, ..outcome });
                }
            }
            Step::Container(starting) => match self.go_on_starting(node, cx, starting) {
                Progress::Waits(starting) => {
                    let step = Step::Container(starting);
                    self.run = Some(SyncRun { step, kill, queue, outcome });
                }
                Progress::Done => {
                    outcome.acted = true;
                    self.start_next(node, cx, queue, outcome);
                }
                Progress::Killing { place, ending } => {
                    let step = Step::Killing { place, ending, failed: true };
                    self.run = Some(SyncRun { step, kill, queue, outcome });
                }
                Progress::Failed { back_off_ends, place, acted } => {
                    outcome.acted |= acted;
                    outcome.fail(back_off_ends);
                    let queue = self.queue_after_failure(place, queue);
                    self.start_next(node, cx, queue, outcome);
                }
            },
        }
    }

    /// An init container that cannot start keeps everything behind it waiting.
    fn queue_after_failure(&self, place: usize, queue: VecDeque<usize>) -> VecDeque<usize> {
        match self.containers.get(place).map(|record| record.role) {
            Some(Role::Init) => VecDeque::new(),
            _ => queue,
        }
    }

    /// Makes the sandbox with its network. Says whether that was possible.
    fn finish_sandbox(&mut self, node: &mut Node, cx: &mut Context<'_>) -> bool {
        let id = node.container_id(cx);
        let made = match self.is_host_network() {
            true => Ok((NamespaceId::HOST, node.spec.address.clone())),
            false => node.add_pod_network(&id, &port_mappings(&self.pod), cx.now),
        };
        match made {
            Ok((namespace, address)) => {
                self.address = Some(address);
                self.sandbox = Some(Sandbox { id, namespace });
                true
            }
            Err(why) => {
                let message = format!(
                    "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to \
                     setup network for sandbox {id:?}: {why}"
                );
                let event = (EventType::Warning, "FailedCreatePodSandBox", message.as_str());
                self.event(node, cx, None, event);
                false
            }
        }
    }

    /// Starts the next container of the queue, or ends the sync.
    fn start_next(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        mut queue: VecDeque<usize>,
        mut outcome: Outcome,
    ) {
        while let Some(place) = queue.pop_front() {
            match self.begin_starting(node, cx, place) {
                Progress::Waits(starting) => {
                    let step = Step::Container(starting);
                    let kill = VecDeque::new();
                    self.run = Some(SyncRun { step, kill, queue, outcome });
                    return;
                }
                Progress::Killing { place, ending } => {
                    let step = Step::Killing { place, ending, failed: true };
                    let kill = VecDeque::new();
                    self.run = Some(SyncRun { step, kill, queue, outcome });
                    return;
                }
                Progress::Done => outcome.acted = true,
                Progress::Failed { back_off_ends, acted, .. } => {
                    outcome.acted |= acted;
                    outcome.fail(back_off_ends);
                    queue = self.queue_after_failure(place, queue);
                }
            }
        }
        self.complete(node, cx, outcome);
    }

    /// Decides when to sync again.
    fn complete(&mut self, node: &mut Node, cx: &mut Context<'_>, outcome: Outcome) {
        self.run = None;
        if outcome.failed {
            let now = cx.now;
            let wait = outcome.back_off_ends.map_or(BACK_OFF_PERIOD, |ends| ends - now);
            let wait = wait.min(RESYNC_INTERVAL);
            let jitter = node.random(cx).between(Duration::ZERO, half(wait));
            let again = now + wait + jitter;
            self.next_sync = Some(self.next_sync.map_or(again, |time| time.min(again)));
        }
        // The kubelet looks at the containers at once after it has changed something and nothing
        // has failed. Upstream: kubelet.go, SyncPod, RequestPodRelist.
        let unseen = |record: &ContainerRecord| record.exit().is_some() && !record.exit_seen;
        if outcome.acted && !outcome.failed {
            self.notice_at = Some(cx.now);
        } else if outcome.acted || self.containers.iter().any(unseen) {
            self.notice_at = Some(node.next_relist(cx.now));
        }
        if let Some(deadline) = self.deadline() {
            self.next_sync = Some(self.next_sync.map_or(deadline, |time| time.min(deadline)));
        }
    }

    /// When the pod has been active for too long.
    fn deadline(&self) -> Option<Time> {
        let seconds = self.pod.spec.as_ref()?.active_deadline_seconds?;
        Some(self.started_at + Duration::from_api_seconds(seconds))
    }

    /// Fails a pod that has been active for too long.
    /// Upstream: pkg/kubelet/active_deadline.go.
    fn enforce_deadline(&mut self, node: &mut Node, cx: &mut Context<'_>) -> bool {
        if self.deadline().is_none_or(|deadline| cx.now < deadline) {
            return false;
        }
        let message = "Pod was active on the node longer than the specified deadline";
        self.event(node, cx, None, (EventType::Normal, "DeadlineExceeded", message));
        self.fail_pod(node, cx, "DeadlineExceeded", message);
        self.begin_termination(node, cx);
        true
    }

    /// Looks at the pod again now, unless that is about to happen.
    pub(crate) fn request_sync(&mut self, now: Time) {
        if !matches!(self.stage, Stage::Terminated) {
            self.next_sync = Some(now);
        }
    }
}

fn half(span: Duration) -> Duration {
    Duration::from_nanos(span.as_nanos() / 2)
}

impl Outcome {
    fn fail(&mut self, back_off_ends: Option<Time>) {
        self.failed = true;
        self.back_off_ends = match (self.back_off_ends, back_off_ends) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (left, right) => left.or(right),
        };
    }
}

/// How far the start of a container has come.
pub(crate) enum Progress {
    /// It goes on later.
    Waits(Starting),
    /// The container runs.
    Done,
    /// It runs and must not: it is being stopped.
    Killing {
        /// Which container.
        place: usize,
        /// How far its end has come.
        ending: Ending,
    },
    /// It cannot be started now.
    Failed {
        /// When to try again, if that is known.
        back_off_ends: Option<Time>,
        /// Which container.
        place: usize,
        /// Whether there is a container now, although it does not run.
        acted: bool,
    },
}
