//! kube-controller-manager: the shared informers, and the controllers that act on them.

use apiserver::{ApiServer, Identity};
use client::{Component, Context};
use sim::{Digest, Duration, Time};

use crate::SharedInformers;
use crate::daemon::DaemonSetController;
use crate::deployment::DeploymentController;
use crate::endpoint_slice::EndpointSliceController;
use crate::endpoint_slice_mirroring::EndpointSliceMirroringController;
use crate::endpoints::EndpointsController;
use crate::garbage_collector::GarbageCollector;
use crate::namespace::NamespaceController;
use crate::node_ipam::NodeIpamController;
use crate::node_lifecycle::NodeLifecycleController;
use crate::pod_garbage_collector::PodGarbageCollector;
use crate::replica_set::ReplicaSetController;
use crate::root_ca_publisher::RootCaPublisher;
use crate::service_account::ServiceAccountController;
use crate::taint_eviction::TaintEvictionController;
use crate::ttl::TtlController;
use crate::worker::{Work, Worker};

/// How long a worker is busy with a key.
const SYNC_TIME: Duration = Duration::from_millis(1);
/// How many keys are reconciled at once. Upstream: the default of most
/// `--concurrent-…-syncs`.
const WORKERS: u64 = 5;
/// How long it is from the beginning of one sync to the next.
const SYNC_INTERVAL: Duration = Duration::from_nanos(SYNC_TIME.as_nanos() / WORKERS);

macro_rules! controllers {
    ($($field:ident: $controller:ty,)*) => {
        #[derive(Clone, Debug)]
        struct Controllers { $($field: Worker<$controller>,)* }

        impl Controllers {
            fn new() -> Self {
                Controllers { $($field: Worker::new(),)* }
            }

            const COUNT: usize = [$(stringify!($field),)*].len();

            fn all(&self) -> [&dyn Work; Self::COUNT] {
                [$(&self.$field,)*]
            }

            fn all_mut(&mut self) -> [&mut dyn Work; Self::COUNT] {
                [$(&mut self.$field,)*]
            }
        }
    };
}

// Every controller: a file or folder, and a line here.
controllers! {
    namespace: NamespaceController,
    service_account: ServiceAccountController,
    root_ca_publisher: RootCaPublisher,
    node_ipam: NodeIpamController,
    node_lifecycle: NodeLifecycleController,
    taint_eviction: TaintEvictionController,
    ttl: TtlController,
    deployment: DeploymentController,
    replica_set: ReplicaSetController,
    daemon: DaemonSetController,
    endpoints: EndpointsController,
    endpoint_slice: EndpointSliceController,
    endpoint_slice_mirroring: EndpointSliceMirroringController,
    pod_garbage_collector: PodGarbageCollector,
    garbage_collector: GarbageCollector,
}

/// The controller manager. One wake reconciles at most one key.
#[derive(Clone, Debug)]
pub struct ControllerManager {
    informers: SharedInformers,
    controllers: Controllers,
    /// Whose turn it is: the controllers take turns, so that a long queue starves no other.
    turn: u32,
    next_sync: Time,
}

impl ControllerManager {
    /// A controller manager that has not started: its first wake lists everything.
    #[must_use]
    pub fn new() -> Self {
        ControllerManager {
            informers: SharedInformers::new(Identity::new("system:kube-controller-manager", &[])),
            controllers: Controllers::new(),
            turn: 0,
            next_sync: Time::ZERO,
        }
    }

    /// Stops and forgets everything, as a process does that ends: the next wake starts anew.
    pub fn stop(&mut self, server: &mut ApiServer) {
        self.informers.stop(server);
        for worker in self.controllers.all_mut() {
            worker.stop();
        }
    }

    fn take_changes(&mut self, cx: &mut Context<'_>) {
        let starting = !self.informers.have_synced();
        let changes = self.informers.sync(cx);
        if changes.is_empty() && !starting {
            return;
        }
        for worker in self.controllers.all_mut() {
            if starting {
                worker.start(cx.now, &self.informers);
            }
            for change in &changes {
                worker.deliver(cx.now, &self.informers, change);
            }
            worker.catch_up(&self.informers);
        }
    }
}

impl Default for ControllerManager {
    fn default() -> Self {
        ControllerManager::new()
    }
}

impl Component for ControllerManager {
    fn name(&self) -> &str {
        "kube-controller-manager"
    }

    fn wake(&mut self, cx: &mut Context<'_>) {
        self.take_changes(cx);
        if cx.now < self.next_sync {
            return;
        }
        let workers = self.controllers.all_mut();
        let count = u32::try_from(workers.len()).unwrap_or(u32::MAX);
        for _ in 0..count {
            let index = usize::try_from(self.turn % count).unwrap_or(0);
            self.turn = (self.turn + 1) % count;
            if workers[index].work(cx, &self.informers) {
                self.next_sync = cx.now + SYNC_INTERVAL;
                return;
            }
        }
    }

    fn next_wake(&self) -> Option<Time> {
        if !self.informers.have_synced() {
            return Some(Time::ZERO);
        }
        let due = self.controllers.all().iter().filter_map(|worker| worker.next_due()).min()?;
        Some(due.max(self.next_sync))
    }

    fn busy(&self, _now: Time) -> Option<String> {
        self.controllers.all().iter().find_map(|worker| worker.busy())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.informers);
        digest.u64(u64::from(self.turn));
        digest.add(&self.next_sync);
        for worker in self.controllers.all() {
            worker.digest(digest);
        }
    }
}
