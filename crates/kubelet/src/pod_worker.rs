//! One pod on the node: its sandbox, its containers, and what the kubelet is doing for it.
//!
//! Upstream: pkg/kubelet/pod_workers.go. A worker is advanced to an instant: it runs the
//! containers' programs, notices what became of them, goes on with the work in progress, and
//! says when it wants to be advanced again.

use std::sync::Arc;

use api::Key;
use api::openapi::api::core::v1::{ObjectReference, Pod, PodStatus};
use client::{Context, EventType};
use network::{NamespaceId, Owner};
use runtime::ProcessEvent;
use sim::{Digest, Digestible, Time};

use crate::actions;
use crate::activity::Activity;
use crate::container::{ContainerRecord, Role};
use crate::host_ports::port_mappings;
use crate::node::Node;
use crate::sync::SyncRun;
use crate::termination::Termination;
use crate::volumes::VolumeState;

/// How far a pod has come on this node.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    /// It runs, or is on its way there.
    Syncing,
    /// Its containers are being stopped.
    Terminating(Termination),
    /// Nothing of it is left but its status.
    Terminated,
}

/// What holds a pod's network namespace.
#[derive(Clone, Debug)]
pub(crate) struct Sandbox {
    pub(crate) id: String,
    pub(crate) namespace: NamespaceId,
}

/// One pod on the node.
#[derive(Clone, Debug)]
pub(crate) struct PodWorker {
    pub(crate) pod: Arc<Pod>,
    pub(crate) key: Key,
    pub(crate) uid: Arc<str>,
    /// Whether the pod comes from the node's own files; the API server has its mirror.
    pub(crate) is_static: bool,
    /// Whether the API server holds no such pod any more.
    pub(crate) is_orphan: bool,
    /// Whether it took more of the node than it may.
    pub(crate) is_evicted: bool,
    pub(crate) stage: Stage,
    pub(crate) sandbox: Option<Sandbox>,
    /// The pod's address, kept after its sandbox is gone.
    pub(crate) address: Option<String>,
    pub(crate) containers: Vec<ContainerRecord>,
    /// What is under way in or towards them.
    pub(crate) activities: Vec<Activity>,
    pub(crate) volumes: VolumeState,
    /// The work that is under way.
    pub(crate) run: Option<SyncRun>,
    /// When to begin the next sync.
    pub(crate) next_sync: Option<Time>,
    /// When the kubelet will see what happened to the containers.
    pub(crate) notice_at: Option<Time>,
    /// The status as the API server was told last.
    pub(crate) status: Option<Arc<PodStatus>>,
    /// Since when the pod has been active, for its deadline.
    pub(crate) started_at: Time,
}

impl PodWorker {
    pub(crate) fn new(pod: Arc<Pod>, is_static: bool, now: Time) -> Self {
        let containers = actions::containers(&pod)
            .map(|(role, container)| ContainerRecord::new(&container.name, role))
            .collect();
        PodWorker {
            key: Key::of(&pod.metadata),
            uid: pod.metadata.uid.as_deref().unwrap_or_default().into(),
            is_static,
            is_orphan: false,
            is_evicted: false,
            stage: Stage::Syncing,
            sandbox: None,
            address: None,
            containers,
            activities: Vec::new(),
            volumes: VolumeState::default(),
            run: None,
            next_sync: Some(now),
            notice_at: None,
            status: None,
            started_at: now,
            pod,
        }
    }

    pub(crate) fn is_host_network(&self) -> bool {
        self.pod.spec.as_ref().is_some_and(|spec| spec.host_network == Some(true))
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Terminated)
    }

    /// `name_namespace(uid)`. Upstream: pkg/kubelet/util/format/pod.go.
    pub(crate) fn format(&self) -> String {
        format!("{}_{}({})", self.key.name, self.key.namespace, self.uid)
    }

    pub(crate) fn any_running(&self) -> bool {
        self.containers.iter().any(ContainerRecord::is_running)
    }

    /// The object that Events about the pod, or one of its containers, refer to.
    pub(crate) fn reference(&self, container: Option<usize>) -> ObjectReference {
        let mut reference = client::object_reference(&*self.pod);
        if let Some(record) = container.and_then(|place| self.containers.get(place)) {
            let field = match record.role {
                Role::Main => "containers",
                Role::Init | Role::Sidecar => "initContainers",
            };
            reference.field_path = Some(format!("spec.{field}{{{}}}", record.name));
        }
        reference
    }

    pub(crate) fn event(
        &self,
        node: &mut Node,
        cx: &mut Context<'_>,
        container: Option<usize>,
        (event_type, reason, message): (EventType, &str, &str),
    ) {
        let reference = self.reference(container);
        node.recorder.event(cx, &reference, event_type, reason, message);
    }

    /// Does everything that is due. `kubelet_runs` says whether anybody looks at the containers;
    /// their programs run in any case.
    pub(crate) fn advance(&mut self, node: &mut Node, cx: &mut Context<'_>, kubelet_runs: bool) {
        self.run_programs(node, cx);
        if !kubelet_runs {
            return;
        }
        // Each round does something that was due now; what it starts takes time.
        while self.next_work().is_some_and(|time| time <= cx.now) {
            self.do_due_work(node, cx);
        }
    }

    fn do_due_work(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        if self.notice_at.is_some_and(|time| time <= cx.now) {
            self.notice_at = None;
            for record in &mut self.containers {
                record.exit_seen |= record.exit().is_some();
            }
            self.next_sync = Some(cx.now);
        }
        if !matches!(self.stage, Stage::Terminated) {
            self.run_probes(node, cx);
        }
        match self.stage {
            Stage::Syncing => {
                self.refresh_volumes(node, cx);
                if !self.measure_volumes(node, cx) {
                    self.advance_sync(node, cx);
                }
            }
            Stage::Terminating(_) => self.advance_termination(node, cx),
            Stage::Terminated => self.next_sync = None,
        }
    }

    fn run_programs(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        for record in &mut self.containers {
            let Some(instance) = &mut record.current else { continue };
            instance.run_timer(&mut node.world(cx, &mut self.volumes));
        }
        self.run_activities(node, cx);
        self.after_programs(node, cx);
    }

    /// Tells one of the pod's processes what happened.
    pub(crate) fn deliver(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        owner: Owner,
        event: ProcessEvent,
    ) {
        if self.deliver_to_activity(node, cx, owner, &event) {
            return self.after_programs(node, cx);
        }
        let mut instances = self.containers.iter_mut().filter_map(|r| r.current.as_mut());
        let Some(instance) = instances.find(|instance| instance.owner() == Some(owner)) else {
            return;
        };
        instance.deliver(event, &mut node.world(cx, &mut self.volumes));
        self.after_programs(node, cx);
    }

    /// When a program has ended, the kubelet sees it when it looks at the containers next.
    fn after_programs(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        self.end_idle_activities(node, cx);
        let unseen = |record: &ContainerRecord| record.exit().is_some() && !record.exit_seen;
        let ended = self.containers.iter().any(unseen);
        if ended && self.notice_at.is_none() && self.run.is_none() {
            self.notice_at = Some(node.next_relist(cx.now));
        }
    }

    /// The machine fails under the pod: its programs and its sandbox are gone.
    pub(crate) fn lose_power(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        self.run = None;
        self.cancel_activities(node, cx);
        for record in &mut self.containers {
            if let Some(instance) = &mut record.current {
                instance.lose(&mut node.world(cx, &mut self.volumes));
            }
        }
        if self.sandbox.is_some() {
            self.remove_sandbox(node, cx.now);
            self.address = None;
        }
        self.notice_at = Some(cx.now);
    }

    /// Takes the sandbox away with its network.
    pub(crate) fn remove_sandbox(&mut self, node: &mut Node, now: Time) {
        if let Some(sandbox) = self.sandbox.take() {
            let ports = port_mappings(&self.pod);
            node.remove_pod_network((&sandbox.id, sandbox.namespace), &ports, now);
        }
    }

    /// Takes in how the API server has the pod now.
    pub(crate) fn update(&mut self, node: &mut Node, cx: &mut Context<'_>, pod: Arc<Pod>) {
        let old = std::mem::replace(&mut self.pod, pod);
        let (old, new) = (&old.metadata, &self.pod.metadata);
        let deleted = new.deletion_timestamp.is_some() && old.deletion_timestamp.is_none();
        let shortened = new.deletion_grace_period_seconds != old.deletion_grace_period_seconds;
        let changed = new.generation != old.generation
            || new.labels != old.labels
            || new.annotations != old.annotations
            || self.has_readiness_gates();
        match self.stage {
            Stage::Syncing if deleted => self.begin_termination(node, cx),
            Stage::Syncing if changed && self.run.is_none() => self.request_sync(cx.now),
            Stage::Terminating(_) if shortened => self.shorten_grace(node, cx),
            Stage::Terminated if deleted => self.delete_if_asked(node, cx),
            _ => {}
        }
    }

    fn has_readiness_gates(&self) -> bool {
        let spec = self.pod.spec.as_ref();
        spec.is_some_and(|spec| spec.readiness_gates.as_ref().is_some_and(|g| !g.is_empty()))
    }

    /// When the kubelet has something to do for the pod.
    fn next_work(&self) -> Option<Time> {
        let work = match &self.stage {
            Stage::Syncing => {
                let sync = match &self.run {
                    Some(run) => Some(run.until(self)),
                    None => self.next_sync,
                };
                let refresh = self.volumes.refresh_at;
                let measure = self.volumes.measured_at;
                [sync, self.next_probe(), refresh, measure].into_iter().flatten().min()
            }
            Stage::Terminating(termination) => {
                [termination.next_wake(self), self.next_probe()].into_iter().flatten().min()
            }
            Stage::Terminated => self.next_sync,
        };
        [work, self.notice_at].into_iter().flatten().min()
    }

    /// When the pod has something to do; `looks` says whether the kubelet looks at it.
    pub(crate) fn next_wake(&self, looks: bool) -> Option<Time> {
        let work = self.next_work().filter(|_| looks);
        [work, self.next_program()].into_iter().flatten().min()
    }

    /// When one of the containers' programs has something to do.
    fn next_program(&self) -> Option<Time> {
        let timers = self.containers.iter().filter_map(|record| record.current.as_ref()?.timer());
        timers.chain(self.next_activity()).min()
    }

    /// What is still to be done for the pod, in words, unless it only waits.
    pub(crate) fn busy(&self) -> Option<String> {
        let what = match (&self.stage, &self.run) {
            (Stage::Syncing, Some(_)) => "starting",
            (Stage::Terminating(_), _) => "stopping",
            _ => return None,
        };
        Some(format!("{what} pod {}", self.key))
    }
}

impl Digestible for PodWorker {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.key);
        digest.str(&self.uid);
        digest.bool(self.is_static);
        digest.bool(self.is_orphan);
        digest.bool(self.is_evicted);
        match &self.stage {
            Stage::Syncing => digest.u64(0),
            Stage::Terminating(termination) => {
                digest.u64(1);
                digest.add(termination);
            }
            Stage::Terminated => digest.u64(2),
        }
        digest.add(&self.sandbox.as_ref().map(|sandbox| &sandbox.id));
        digest.add(&self.address);
        digest.add(&self.containers);
        digest.add(&self.activities);
        digest.add(&self.volumes);
        digest.add(&self.run);
        digest.add(&self.next_sync);
        digest.add(&self.notice_at);
        digest.bool(self.status.is_some());
        digest.add(&self.started_at);
    }
}
