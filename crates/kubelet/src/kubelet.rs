//! The kubelet as a component: it wakes, takes in what changed, does what is due.

use std::fmt;
use std::sync::Arc;

use api::Key;
use api::openapi::api::core::v1::{Node as NodeObject, Pod};
use apiserver::{Identity, WatchSelector};
use client::{Change, Component, Context, Informer};
use network::{Frame, MacAddress, Owner, Ready};
use runtime::{ContainerLog, ImageCatalogue, Process, ProcessEvent};
use sim::{Digest, Duration, OrdMap, SmallSet, Time};

use crate::admission::{self, NodeView};
use crate::agenda::Agenda;
use crate::container::Instance;
use crate::node::Node;
use crate::node_spec::NodeSpec;
use crate::pod_worker::{PodWorker, Stage};
use crate::resources::amounts;
use crate::static_pods;

/// How long to wait before the mirror of a static pod is tried again.
const MIRROR_RETRY: Duration = Duration::from_secs(1);

/// How often what happens on the network may make something else happen on it within one instant.
/// What is left after that happens in the next.
const MAX_ROUNDS: u32 = 32;

/// The kubelet of one node, together with the node's container runtime.
#[derive(Clone)]
pub struct Kubelet {
    node: Node,
    pods: Informer<Pod>,
    own_node: Informer<NodeObject>,
    workers: OrdMap<Arc<str>, Arc<PodWorker>>,
    /// Whether it should run, and whether it does.
    wanted: bool,
    running: bool,
    /// Whether the machine should be on, and whether it is.
    power_wanted: bool,
    powered: bool,
    next_mirrors: Option<Time>,
    /// The static pods whose manifests were taken out.
    withdrawn: SmallSet<String>,
    static_pods_changed: bool,
    /// When the pods have something to do, if the kubelet looks at them or not.
    agenda: Agenda,
    looks: bool,
    /// What happened on the network and was not told to anybody yet.
    untold: Vec<Ready>,
    next_wake: Option<Time>,
}

impl fmt::Debug for Kubelet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kubelet({}, {} pods)", self.node.spec.name, self.workers.len())
    }
}

impl Kubelet {
    /// The kubelet of a node that is switched on when it is first woken.
    #[must_use]
    pub fn new(spec: NodeSpec, catalogue: Arc<dyn ImageCatalogue>) -> Self {
        let identity = Identity::node(&spec.name);
        let own = WatchSelector::Name(Key::cluster(&spec.name));
        let bound = WatchSelector::Node(spec.name.as_str().into());
        Kubelet {
            node: Node::new(Arc::new(spec), catalogue),
            pods: Informer::new(identity.clone(), bound),
            own_node: Informer::new(identity, own),
            workers: OrdMap::new(),
            wanted: true,
            running: false,
            power_wanted: true,
            powered: true,
            next_mirrors: None,
            withdrawn: SmallSet::new(),
            static_pods_changed: false,
            agenda: Agenda::default(),
            looks: false,
            untold: Vec::new(),
            next_wake: Some(Time::ZERO),
        }
    }

    /// The node's name.
    #[must_use]
    pub fn node_name(&self) -> &str {
        &self.node.spec.name
    }

    /// Stops the kubelet or starts it again. While it is stopped, containers go on running, but
    /// nobody looks at them and the node's lease is not renewed.
    pub fn set_running(&mut self, running: bool) {
        self.wanted = running;
        self.next_wake = Some(Time::ZERO);
    }

    /// Switches the machine off, without a word to anybody, or on again. Whatever ran on it is
    /// gone; images and what the API server knows remain.
    pub fn set_powered(&mut self, powered: bool) {
        self.power_wanted = powered;
        self.next_wake = Some(Time::ZERO);
    }

    /// Whether the machine should be on.
    #[must_use]
    pub fn has_power(&self) -> bool {
        self.power_wanted
    }

    /// Whether the kubelet should run.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.wanted && self.power_wanted
    }

    /// From when to when the pod of that UID waits for what it waits for: its image, its
    /// back-off, its end. `None` when that has no known end.
    #[must_use]
    pub fn progress(&self, uid: &str, now: Time) -> Option<(Time, Time)> {
        self.workers.get(uid)?.progress(now)
    }

    /// What a container has written: its newest attempt, or the one before.
    #[must_use]
    pub fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
    ) -> Option<&ContainerLog> {
        let key = Key::new(namespace, pod);
        let workers = self.workers.values().filter(|worker| worker.key == key);
        // Of two pods of one name, the one that does not end is meant.
        let worker = workers.min_by_key(|worker| !matches!(worker.stage, Stage::Syncing))?;
        let record = worker.containers.iter().find(|record| record.name == container)?;
        let instance: Option<&Instance> = match previous {
            true => record.previous.as_ref(),
            false => record.current.as_ref(),
        };
        instance.map(|instance| &instance.log)
    }

    fn start(&mut self, cx: &mut Context<'_>) {
        self.running = true;
        self.node.start(cx);
        self.sync_static_pods(cx);
        // What a kubelet finds when it begins it syncs once.
        for uid in self.workers.keys().cloned().collect::<Vec<_>>() {
            self.with(&uid, |worker, _| worker.request_sync(cx.now));
        }
    }

    /// Whether the machine has the manifest of a static pod of that name, in its directory or
    /// beside it.
    #[must_use]
    pub fn has_static_pod(&self, name: &str) -> bool {
        let pods = &self.node.spec.static_pods;
        pods.iter().any(|pod| pod.metadata.name.as_deref() == Some(name))
    }

    /// Puts the manifest of a static pod into the directory that the kubelet watches, or takes
    /// it out.
    pub fn set_static_pod(&mut self, name: &str, present: bool) {
        match present {
            true => self.withdrawn.remove(name),
            false => self.withdrawn.insert(name.to_string()),
        };
        self.static_pods_changed = true;
        self.next_wake = Some(Time::ZERO);
    }

    /// Runs the static pods whose manifests are there, and ends the others.
    fn sync_static_pods(&mut self, cx: &mut Context<'_>) {
        self.static_pods_changed = false;
        let spec = self.node.spec.clone();
        for pod in &spec.static_pods {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            let present = !self.withdrawn.contains(name);
            let applied = static_pods::applied(pod, &self.node, cx);
            let uid: Arc<str> = applied.metadata.uid.as_deref().unwrap_or_default().into();
            match (present, self.workers.get(&uid)) {
                (true, None) => self.insert(PodWorker::new(applied, true, cx.now)),
                (false, Some(worker)) if !worker.is_orphan => self.forget_pod(cx, &uid),
                _ => {}
            }
        }
        self.next_mirrors = (!spec.static_pods.is_empty()).then_some(cx.now);
    }

    /// A static pod whose manifest went has ended: so does its mirror. The manifest may be back.
    fn end_static_pod(&mut self, cx: &mut Context<'_>, key: &Key) {
        let mirror = self.pods.get_ref(key).is_some_and(static_pods::is_mirror);
        if mirror {
            let options = apiserver::DeleteOptions {
                grace_period_seconds: Some(0),
                ..apiserver::DeleteOptions::default()
            };
            let identity = self.node.identity.clone();
            let _gone = cx.api::<Pod>(&identity, &key.namespace).delete(&key.name, options);
        }
        self.sync_static_pods(cx);
    }

    /// Starts a program in the namespaces of a pod, beside its containers; the number it goes
    /// by. It ends with the container beside which it runs.
    pub fn start_guest(
        &mut self,
        key: &Key,
        process: Box<dyn Process>,
        cx: &mut Context<'_>,
    ) -> Option<u64> {
        let runs = |worker: &&Arc<PodWorker>| worker.key == *key && worker.any_running();
        let uid = self.workers.values().find(runs)?.uid.clone();
        let owner = self.with(&uid, |worker, node| worker.begin_guest(node, cx, process))??;
        self.next_wake = self.compute_next_wake(cx.now);
        Some(owner.0)
    }

    /// Ends a program that was started beside a pod's containers.
    pub fn stop_guest(&mut self, process: u64, cx: &mut Context<'_>) {
        let owner = Owner(process);
        if let Some(uid) = self.node.owners.pod(owner) {
            self.with(&uid, |worker, node| worker.end_guest(node, cx, owner));
            self.next_wake = self.compute_next_wake(cx.now);
        }
    }

    /// What such a program has counted; `None` when it does not run any more.
    #[must_use]
    pub fn guest_counters(&self, process: u64) -> Option<Vec<(&'static str, u64)>> {
        let uid = self.node.owners.pod(Owner(process))?;
        self.workers.get(&uid)?.guest_counters(Owner(process))
    }

    /// The components of the control plane that run on the machine.
    pub fn components(&self) -> impl Iterator<Item = &'static str> {
        self.node.owners.components()
    }

    /// Whether components of the control plane began or ended since this was last asked.
    pub fn take_components_changed(&mut self) -> bool {
        self.node.owners.take_components_changed()
    }

    /// The kubelet ends: what it had in its memory is lost, the containers go on.
    fn stop(&mut self, cx: &mut Context<'_>) {
        self.running = false;
        self.pods.stop(cx.server);
        self.own_node.stop(cx.server);
        self.node.services.stop(cx.server);
        for uid in self.workers.keys().cloned().collect::<Vec<_>>() {
            self.with(&uid, |worker, node| {
                worker.run = None;
                worker.cancel_activities(node, cx);
                for record in &mut worker.containers {
                    record.forget();
                }
            });
        }
    }

    fn switch_power(&mut self, cx: &mut Context<'_>) {
        self.powered = self.power_wanted;
        if self.powered {
            return self.node.reboot(cx);
        }
        for uid in self.workers.keys().cloned().collect::<Vec<_>>() {
            self.with(&uid, |worker, node| worker.lose_power(node, cx));
        }
        self.untold.clear();
        self.node.power_off();
    }

    /// Where frames for the machine go.
    #[must_use]
    pub fn mac_address(&self) -> MacAddress {
        self.node.network.mac_address()
    }

    /// The frames that left the machine since this was last asked, in order.
    pub fn take_outgoing(&mut self) -> Vec<Frame> {
        self.node.network.take_outgoing()
    }

    /// A frame arrives at the machine. One that is off does not see it.
    pub fn receive(&mut self, frame: Frame, cx: &mut Context<'_>) {
        if self.powered {
            self.node.network.receive(frame, cx.now, cx.trace);
            self.advance(cx);
        }
    }

    /// Does what is due, without a look at what the API server has to deliver.
    pub fn tick(&mut self, cx: &mut Context<'_>) {
        let settled = self.power_wanted == self.powered && !self.static_pods_changed;
        if settled && (self.wanted && self.powered) == self.running {
            self.advance(cx);
        } else {
            self.wake(cx);
        }
    }

    /// Changes a worker in place.
    fn with<R>(
        &mut self,
        uid: &Arc<str>,
        change: impl FnOnce(&mut PodWorker, &mut Node) -> R,
    ) -> Option<R> {
        let worker = Arc::make_mut(self.workers.get_mut(uid)?);
        let result = change(worker, &mut self.node);
        self.agenda.set(uid, worker.next_wake(self.looks));
        Some(result)
    }

    fn insert(&mut self, worker: PodWorker) {
        self.agenda.set(&worker.uid, worker.next_wake(self.looks));
        self.workers.insert(worker.uid.clone(), Arc::new(worker));
    }

    fn remove(&mut self, uid: &Arc<str>) {
        self.agenda.set(uid, None);
        self.workers.remove(uid);
    }

    /// Whether the kubelet looks at its pods; their programs run in any case.
    fn look(&mut self) {
        let looks = self.running;
        if looks != self.looks {
            self.looks = looks;
            for worker in self.workers.values() {
                self.agenda.set(&worker.uid, worker.next_wake(looks));
            }
        }
    }

    fn take_pod_changes(&mut self, cx: &mut Context<'_>) {
        let listing = !self.pods.has_synced();
        for change in self.pods.sync(cx) {
            self.take_pod_change(cx, change);
        }
        if listing {
            self.end_unknown_pods(cx);
        }
    }

    fn take_pod_change(&mut self, cx: &mut Context<'_>, change: Change<Pod>) {
        let Change { old, new, .. } = change;
        let gone =
            old.filter(|old| new.as_ref().is_none_or(|new| new.metadata.uid != old.metadata.uid));
        if let Some(gone) = gone {
            if static_pods::is_mirror(&gone) {
                self.next_mirrors = Some(cx.now);
            } else {
                let uid: Arc<str> = gone.metadata.uid.as_deref().unwrap_or_default().into();
                self.forget_pod(cx, &uid);
            }
        }
        let Some(new) = new else { return };
        if static_pods::is_mirror(&new) {
            self.take_mirror(cx, &new);
        } else {
            self.take_pod(cx, new);
        }
    }

    /// The mirror of a static pod changed: the pod's status must be told to a new one.
    fn take_mirror(&mut self, cx: &mut Context<'_>, mirror: &Pod) {
        let key = Key::of(&mirror.metadata);
        let deleted = mirror.metadata.deletion_timestamp.is_some();
        let worker = self.workers.values().find(|worker| worker.is_static && worker.key == key);
        let fresh = mirror.status.as_ref().is_none_or(|status| status.start_time.is_none());
        let Some(uid) = worker.map(|worker| worker.uid.clone()) else { return };
        if deleted {
            let options = apiserver::DeleteOptions {
                grace_period_seconds: Some(0),
                ..apiserver::DeleteOptions::default()
            };
            let identity = self.node.identity.clone();
            let _gone = cx.api::<Pod>(&identity, &key.namespace).delete(&key.name, options);
        } else if fresh {
            self.with(&uid, |worker, _| {
                worker.status = None;
                worker.request_sync(cx.now);
            });
        }
    }

    fn take_pod(&mut self, cx: &mut Context<'_>, pod: Arc<Pod>) {
        let uid: Arc<str> = pod.metadata.uid.as_deref().unwrap_or_default().into();
        if self.workers.contains_key(&uid) {
            self.with(&uid, |worker, node| worker.update(node, cx, pod));
            return;
        }
        let mut worker = PodWorker::new(pod, false, cx.now);
        let phase = worker.pod.status.as_ref().and_then(|status| status.phase.as_deref());
        if matches!(phase, Some("Succeeded" | "Failed")) {
            worker.stage = Stage::Terminated;
            worker.delete_if_asked(&mut self.node, cx);
        } else if worker.pod.metadata.deletion_timestamp.is_none()
            && let Err(rejection) = self.admit(&worker)
        {
            worker.reject(&mut self.node, cx, &rejection.reason, &rejection.message);
            worker.stage = Stage::Terminated;
        }
        self.insert(worker);
    }

    fn admit(&self, worker: &PodWorker) -> Result<(), admission::Rejection> {
        let Some(node) = &self.node.object else { return Ok(()) };
        let allocatable = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
        let others = self.workers.values().filter(|other| !other.has_ended());
        let view = NodeView {
            node,
            allocatable: amounts(allocatable),
            others: others.map(|other| &*other.pod).collect(),
        };
        admission::admit(&worker.pod, worker.is_static, &view)
    }

    /// The API server has no such pod any more.
    fn forget_pod(&mut self, cx: &mut Context<'_>, uid: &Arc<str>) {
        let Some(worker) = self.workers.get(uid) else { return };
        if worker.has_ended() {
            let static_key = worker.is_static.then(|| worker.key.clone());
            self.remove(uid);
            if let Some(key) = static_key {
                self.end_static_pod(cx, &key);
            }
            return;
        }
        self.with(uid, |worker, node| {
            worker.is_orphan = true;
            if matches!(worker.stage, Stage::Syncing) {
                worker.begin_termination(node, cx);
            }
        });
    }

    /// Ends the pods that went while the kubelet did not look.
    fn end_unknown_pods(&mut self, cx: &mut Context<'_>) {
        let known = |worker: &PodWorker| {
            self.pods
                .get_ref(&worker.key)
                .is_some_and(|pod| pod.metadata.uid.as_deref() == Some(&*worker.uid))
        };
        let unknown: Vec<Arc<str>> = self
            .workers
            .values()
            .filter(|worker| !worker.is_static && !known(worker))
            .map(|worker| worker.uid.clone())
            .collect();
        for uid in unknown {
            self.forget_pod(cx, &uid);
        }
    }

    /// Makes the mirrors that are missing.
    fn create_mirrors(&mut self, cx: &mut Context<'_>) {
        if !self.node.is_registered() || self.next_mirrors.is_none_or(|time| time > cx.now) {
            return;
        }
        let static_workers = self.workers.values().filter(|w| w.is_static && !w.is_orphan);
        let pods: Vec<Arc<Pod>> = static_workers.map(|worker| worker.pod.clone()).collect();
        let mut all = true;
        for pod in pods {
            all &= self.pods.get_ref(&Key::of(&pod.metadata)).is_some()
                || static_pods::create_mirror(&pod, &self.node, cx);
        }
        self.next_mirrors = (!all).then(|| cx.now + MIRROR_RETRY);
    }

    fn advance_workers(&mut self, cx: &mut Context<'_>) {
        let looks = self.looks;
        for uid in self.agenda.due(cx.now) {
            let ended = self.with(&uid, |worker, node| {
                worker.advance(node, cx, looks);
                let ended = worker.is_orphan && worker.has_ended();
                ended.then(|| worker.is_static.then(|| worker.key.clone()))
            });
            if let Some(Some(static_key)) = ended {
                self.remove(&uid);
                if let Some(key) = static_key {
                    self.end_static_pod(cx, &key);
                }
            }
        }
    }

    /// Tells processes what happened to their sockets.
    fn tell(&mut self, cx: &mut Context<'_>) {
        self.node.network.advance(cx.now, cx.trace);
        for _ in 0..MAX_ROUNDS {
            self.untold.extend(self.node.network.take_ready());
            if self.untold.is_empty() {
                return;
            }
            for Ready { owner, socket, event } in std::mem::take(&mut self.untold) {
                let Some(uid) = self.node.owners.pod(owner) else { continue };
                let event = ProcessEvent::Socket(socket, event);
                self.with(&uid, |worker, node| worker.deliver(node, cx, owner, event));
            }
        }
        self.untold.extend(self.node.network.take_ready());
    }

    /// Tells the programs that watch the API server that there may be something for them.
    fn tell_watchers(&mut self, cx: &mut Context<'_>) {
        for (owner, uid) in self.node.owners.watching() {
            let event = ProcessEvent::Delivered;
            self.with(&uid, |worker, node| worker.deliver(node, cx, owner, event));
        }
    }

    /// Does what is due.
    fn advance(&mut self, cx: &mut Context<'_>) {
        if self.running && self.node.next_wake().is_some_and(|time| time <= cx.now) {
            self.node.advance(cx);
        }
        self.look();
        if self.running {
            self.create_mirrors(cx);
        }
        self.tell(cx);
        self.advance_workers(cx);
        self.tell(cx);
        self.node.network.hand_over_records(cx.trace);
        self.next_wake = self.compute_next_wake(cx.now);
    }

    fn compute_next_wake(&self, now: Time) -> Option<Time> {
        let node = self.node.next_wake().filter(|_| self.running);
        let mirrors = self.next_mirrors.filter(|_| self.running && self.node.is_registered());
        let network = self.node.network.next_wake().filter(|_| self.powered);
        let untold = (!self.untold.is_empty()).then_some(now);
        [node, mirrors, self.agenda.next(), network, untold].into_iter().flatten().min()
    }
}

impl Component for Kubelet {
    fn name(&self) -> &str {
        "kubelet"
    }

    fn wake(&mut self, cx: &mut Context<'_>) {
        if self.power_wanted != self.powered {
            self.switch_power(cx);
        }
        match (self.wanted && self.powered, self.running) {
            (true, false) => self.start(cx),
            (false, true) => self.stop(cx),
            _ => {}
        }
        if self.running {
            self.node.advance(cx);
            self.look();
            self.node.services.sync(cx);
            for change in self.own_node.sync(cx) {
                self.node.observe(cx, change.new);
            }
            self.take_pod_changes(cx);
            if self.static_pods_changed {
                self.sync_static_pods(cx);
            }
        }
        self.tell_watchers(cx);
        self.advance(cx);
    }

    fn next_wake(&self) -> Option<Time> {
        self.next_wake
    }

    fn busy(&self, _now: Time) -> Option<String> {
        if !self.running {
            return None;
        }
        if !self.node.is_ready() {
            return Some(format!("node {} is starting", self.node.spec.name));
        }
        self.workers.values().find_map(|worker| worker.busy())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.node);
        digest.add(&self.pods);
        digest.add(&self.own_node);
        digest.add(&self.node.services);
        digest.u64(self.workers.len() as u64);
        for worker in self.workers.values() {
            digest.add(&**worker);
        }
        for flag in [self.wanted, self.running, self.power_wanted, self.powered] {
            digest.bool(flag);
        }
        digest.add(&self.next_mirrors);
        digest.add(&self.withdrawn);
        digest.bool(self.static_pods_changed);
        digest.u64(self.untold.len() as u64);
    }
}
