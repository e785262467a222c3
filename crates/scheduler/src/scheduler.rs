//! The component: it takes what its watches deliver, finds a node for one pod at a time, and
//! binds the pod or says why it cannot.
//!
//! Upstream: pkg/scheduler/{scheduler,schedule_one}.go

use std::sync::Arc;

use api::openapi::api::core::v1::{Node, Pod};
use apiserver::{Identity, WatchSelector};
use client::{Component, Context, EventRecorder, EventType, Informer, object_reference};
use sim::{Digest, Digestible as _, Duration, Sort, Time};
use trace::What;

use crate::cache::{Cache, Snapshot};
use crate::framework::{
    CycleState, Diagnosis, Framework, Handle, NO_NODES_AVAILABLE, PodInfo, PostFilterContext,
    PostFilterResult, QueuedPodInfo, fit_error_message,
};
use crate::listers::Listers;
use crate::plugins;
use crate::queue::SchedulingQueue;
use crate::schedule_one::{Cycle, Fit, find_nodes_that_fit, prioritize, select_host, totals};

const NAME: &str = "kube-scheduler";
const USER: &str = "system:kube-scheduler";
/// The name that events give as their source.
const EVENT_SOURCE: &str = "default-scheduler";
/// How long it takes to find a node: a fixed part, and a part for every node looked at.
const CYCLE: Duration = Duration::from_micros(500);
const CYCLE_PER_NODE: Duration = Duration::from_micros(5);
/// How many of the best nodes a trace names.
const TOP_SCORES: usize = 5;

/// How an attempt to find a node ended.
#[derive(Clone)]
enum Outcome {
    /// There is a node.
    Bind { node: Arc<str>, state: CycleState },
    /// No node can take the pod.
    Unschedulable { message: String, result: PostFilterResult },
}

/// An attempt to find a node: decided on the snapshot at its beginning, carried out when its
/// time is over.
#[derive(Clone)]
struct Attempt {
    info: QueuedPodInfo,
    due: Time,
    outcome: Outcome,
    summary: Option<What>,
}

/// kube-scheduler.
#[derive(Clone)]
pub struct Scheduler {
    pub(crate) identity: Identity,
    pub(crate) framework: Arc<Framework>,
    pub(crate) pods: Informer<Pod>,
    nodes: Informer<Node>,
    pub(crate) listers: Listers,
    pub(crate) queue: SchedulingQueue,
    pub(crate) cache: Cache,
    pub(crate) snapshot: Snapshot,
    pub(crate) recorder: EventRecorder,
    pub(crate) next_start_node_index: usize,
    attempt: Option<Attempt>,
}

impl Scheduler {
    /// A scheduler with the plugins that come with it, which has seen nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let identity = Identity::new(USER, &[]);
        let framework = Arc::new(Framework::new(plugins::in_tree()));
        Scheduler {
            pods: Informer::new(identity.clone(), WatchSelector::Everything),
            nodes: Informer::new(identity.clone(), WatchSelector::Everything),
            listers: Listers::new(&identity),
            queue: SchedulingQueue::new(framework.clone()),
            cache: Cache::default(),
            snapshot: Snapshot::default(),
            recorder: EventRecorder::new(identity.clone(), EVENT_SOURCE, None),
            next_start_node_index: 0,
            attempt: None,
            identity,
            framework,
        }
    }

    fn sync(&mut self, cx: &mut Context<'_>) {
        self.listers.sync(cx);
        for change in self.nodes.sync(cx) {
            self.handle_node(change, cx.now);
        }
        for change in self.pods.sync(cx) {
            self.handle_pod(change, cx.now);
        }
    }

    /// Takes the next pod and decides on the present snapshot.
    fn begin_attempt(&mut self, cx: &mut Context<'_>) {
        let Some(info) = self.queue.pop(cx.now) else { return };
        if self.skip(cx, &info) {
            self.queue.done();
            return;
        }
        self.cache.update_snapshot(&mut self.snapshot);
        let nodes = self.snapshot.len();
        let fit = find_nodes_that_fit(self.cycle(), &info.pod, self.next_start_node_index);
        let processed = fit.processed();
        if nodes > 0 {
            self.next_start_node_index = (self.next_start_node_index + processed) % nodes;
        }
        let due = cx.now + CYCLE + CYCLE_PER_NODE * (processed as u64);
        let attempt = if fit.feasible.is_empty() {
            self.fail(cx, info, fit)
        } else {
            self.choose(cx, info, fit)
        };
        self.attempt = Some(Attempt { due, ..attempt });
    }

    fn cycle(&self) -> Cycle<'_> {
        Cycle {
            framework: &self.framework,
            handle: Handle { snapshot: &self.snapshot, listers: &self.listers },
            nominated: &self.queue.nominator,
        }
    }

    /// Whether there is nothing to decide. Upstream: skipPodSchedule.
    fn skip(&mut self, cx: &mut Context<'_>, info: &QueuedPodInfo) -> bool {
        if info.pod.pod.metadata.deletion_timestamp.is_some() {
            let message = format!("skip schedule deleting pod: {}", info.pod.key);
            let about = object_reference(&*info.pod.pod);
            self.recorder.event(cx, &about, EventType::Warning, "FailedScheduling", &message);
            return true;
        }
        self.cache.is_assumed(&info.pod.key)
    }

    /// Chooses among the feasible nodes.
    fn choose(&mut self, cx: &mut Context<'_>, info: QueuedPodInfo, mut fit: Fit) -> Attempt {
        // A single node needs no score.
        let scores = match fit.feasible.len() {
            1 => Vec::new(),
            _ => prioritize(self.cycle(), &mut fit, &info.pod),
        };
        let totals = totals(&scores, fit.feasible.len());
        let chosen = select_host(&totals, cx.random(NAME)).unwrap_or(0);
        let node = self.snapshot.nodes()[fit.feasible[chosen]].name.clone();
        let summary = cx.trace.is_on().then(|| {
            let totals = if scores.is_empty() { &[][..] } else { &totals };
            self.summary(&info.pod, Some(&node), &fit, totals)
        });
        let outcome = Outcome::Bind { node, state: fit.state };
        Attempt { info, due: cx.now, outcome, summary }
    }

    /// No node can take the pod: lets the PostFilter plugins look for a way, and says why.
    fn fail(&mut self, cx: &mut Context<'_>, mut info: QueuedPodInfo, fit: Fit) -> Attempt {
        let nodes = self.snapshot.len();
        let summary = cx.trace.is_on().then(|| self.summary(&info.pod, None, &fit, &[]));
        let (message, result) = if nodes == 0 {
            (NO_NODES_AVAILABLE.to_string(), PostFilterResult::default())
        } else {
            let context = PostFilterContext {
                framework: &self.framework,
                snapshot: &self.snapshot,
                nominated: &self.queue.nominator,
                offset: cx.random(NAME).next_u64(),
            };
            let statuses = &fit.diagnosis.node_to_status;
            let (result, status) =
                self.framework.run_post_filters(&context, &fit.state, &info.pod, statuses);
            let post_filter_message = status.message();
            let diagnosis = Diagnosis { post_filter_message, ..fit.diagnosis };
            let message = fit_error_message(nodes, &diagnosis);
            info.unschedulable_plugins = diagnosis.unschedulable_plugins;
            info.pending_plugins = diagnosis.pending_plugins;
            (message, result)
        };
        let outcome = Outcome::Unschedulable { message, result };
        Attempt { info, due: cx.now, outcome, summary }
    }

    fn summary(&self, pod: &PodInfo, node: Option<&str>, fit: &Fit, totals: &[i64]) -> What {
        let mut rejected: Vec<(String, u64)> = Vec::new();
        for (_, status) in fit.diagnosis.node_to_status.iter() {
            match rejected.iter_mut().find(|(plugin, _)| plugin == status.plugin) {
                Some((_, count)) => *count += 1,
                None => rejected.push((status.plugin.to_string(), 1)),
            }
        }
        let name = |place: &usize| self.snapshot.nodes()[*place].name.to_string();
        let mut top_scores: Vec<(String, i64)> =
            fit.feasible.iter().map(name).zip(totals.iter().copied()).collect();
        top_scores.order_by_key(|(_, score)| std::cmp::Reverse(*score));
        top_scores.truncate(TOP_SCORES);
        What::Scheduled {
            pod: pod.key.to_string(),
            node: node.map(str::to_string),
            nodes: self.snapshot.len() as u64,
            feasible: fit.feasible.len() as u64,
            rejected,
            top_scores,
        }
    }

    /// Carries out what was decided.
    fn finish_attempt(&mut self, cx: &mut Context<'_>, attempt: Attempt) {
        if let Some(summary) = attempt.summary {
            cx.record(summary);
        }
        match attempt.outcome {
            Outcome::Bind { node, state } => self.bind(cx, attempt.info, &node, state),
            Outcome::Unschedulable { message, result } => {
                if !result.victims.is_empty() {
                    self.preempt(cx, &attempt.info.pod, &result);
                }
                let nominated = result.nominated_node;
                self.handle_failure(cx, attempt.info, "Unschedulable", &message, nominated);
            }
        }
    }
}

impl Default for Scheduler {
    fn default() -> Self {
        Scheduler::new()
    }
}

impl Component for Scheduler {
    fn name(&self) -> &str {
        NAME
    }

    fn wake(&mut self, cx: &mut Context<'_>) {
        self.sync(cx);
        if let Some(attempt) = self.attempt.take_if(|attempt| attempt.due <= cx.now) {
            self.finish_attempt(cx, attempt);
        }
        if self.attempt.is_none() {
            self.begin_attempt(cx);
        }
    }

    fn next_wake(&self) -> Option<Time> {
        if !self.pods.has_synced() {
            return Some(Time::ZERO);
        }
        match &self.attempt {
            Some(attempt) => Some(attempt.due),
            None => self.queue.next_due(),
        }
    }

    fn busy(&self, _now: Time) -> Option<String> {
        if let Some(attempt) = &self.attempt {
            return Some(format!("finding a node for pod {}", attempt.info.pod.key));
        }
        // What waits out a back-off after an error is tried again within seconds, for as long as
        // it takes: that alone says nothing of the cluster's coming to rest.
        self.queue.is_ready().then(|| "pods wait in the scheduling queue".to_string())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.pods);
        digest.add(&self.nodes);
        digest.add(&self.listers);
        digest.add(&self.queue);
        self.cache.digest(digest);
        digest.add(&self.recorder);
        digest.u64(self.next_start_node_index as u64);
        digest.bool(self.attempt.is_some());
        if let Some(attempt) = &self.attempt {
            digest.add(&attempt.info);
            digest.add(&attempt.due);
            match &attempt.outcome {
                Outcome::Bind { node, .. } => digest.str(node),
                Outcome::Unschedulable { message, result } => {
                    digest.str(message);
                    digest.add(&result.nominated_node.clone().flatten());
                    digest.u64(result.victims.len() as u64);
                    result.victims.iter().for_each(|victim| digest.add(&victim.key));
                }
            }
        }
    }
}
