//! kube-controller-manager: the shared informers, and the controllers that act on them.

use apiserver::{ApiServer, Identity};
use client::{Component, Context};
use sim::{Digest, Duration, Time};

use crate::cron_job::CronJobController;
use crate::daemon::DaemonSetController;
use crate::deployment::DeploymentController;
use crate::disruption::DisruptionController;
use crate::endpoint_slice::EndpointSliceController;
use crate::endpoint_slice_mirroring::EndpointSliceMirroringController;
use crate::endpoints::EndpointsController;
use crate::garbage_collector::GarbageCollector;
use crate::job::JobController;
use crate::job::orphans::JobOrphanController;
use crate::namespace::NamespaceController;
use crate::node_ipam::NodeIpamController;
use crate::node_lifecycle::NodeLifecycleController;
use crate::pod_garbage_collector::PodGarbageCollector;
use crate::replica_set::ReplicaSetController;
use crate::resource_quota::ResourceQuotaController;
use crate::root_ca_publisher::RootCaPublisher;
use crate::service_account::ServiceAccountController;
use crate::stateful_set::StatefulSetController;
use crate::taint_eviction::TaintEvictionController;
use crate::ttl::TtlController;
use crate::ttl_after_finished::TtlAfterFinishedController;
use crate::worker::{Work, Worker};
use crate::{Controller, SharedInformers};

/// How long a worker is busy with a key.
const SYNC_TIME: Duration = Duration::from_millis(1);
/// How many keys are reconciled at once. Upstream: the default of most
/// `--concurrent-…-syncs`.
const WORKERS: u64 = 5;
/// How long it is from the beginning of one sync to the next.
const SYNC_INTERVAL: Duration = Duration::from_nanos(SYNC_TIME.as_nanos() / WORKERS);

/// Makes one controller's worker.
type Make = fn() -> Box<dyn Work>;

/// A controller.
const fn whole<C: Controller>() -> Make {
    || Box::new(Worker::<C>::new(Some(C::sync)))
}

/// A controller that has nothing to do while a cluster boots: it sees and remembers what it sees,
/// and is lacking when a key is due.
const fn watching<C: Controller>() -> Make {
    || Box::new(Worker::<C>::new(None))
}

/// The controllers of a manager, in the order of their turns.
#[derive(Clone, Copy, Debug)]
pub struct Controllers(&'static [Make]);

macro_rules! controllers {
    ($($controller:ty: $at_boot:ident,)*) => {
        impl Controllers {
            /// Every controller.
            pub const ALL: Controllers = Controllers(&[$(whole::<$controller>(),)*]);

            /// The same, without the code of those that do nothing while a cluster boots.
            pub const BOOT: Controllers = Controllers(&[$($at_boot::<$controller>(),)*]);
        }
    };
}

// Every controller: a file or folder, and a line here. `watching` is enough of one that has
// nothing to do while a cluster boots.
controllers! {
    NamespaceController: watching,
    ServiceAccountController: whole,
    RootCaPublisher: whole,
    NodeIpamController: whole,
    NodeLifecycleController: whole,
    TaintEvictionController: watching,
    TtlController: whole,
    DeploymentController: whole,
    ReplicaSetController: whole,
    DaemonSetController: whole,
    StatefulSetController: watching,
    JobController: watching,
    JobOrphanController: watching,
    TtlAfterFinishedController: watching,
    CronJobController: watching,
    DisruptionController: watching,
    ResourceQuotaController: watching,
    EndpointsController: whole,
    EndpointSliceController: whole,
    EndpointSliceMirroringController: whole,
    PodGarbageCollector: whole,
    GarbageCollector: watching,
}

impl Controllers {
    fn start(self) -> Vec<Box<dyn Work>> {
        self.0.iter().map(|make| make()).collect()
    }
}

/// The controller manager. One wake reconciles at most one key.
#[derive(Clone, Debug)]
pub struct ControllerManager {
    informers: SharedInformers,
    controllers: Vec<Box<dyn Work>>,
    /// Whose turn it is: the controllers take turns, so that a long queue starves no other.
    turn: u32,
    next_sync: Time,
}

impl ControllerManager {
    /// A controller manager that has not started: its first wake lists everything.
    #[must_use]
    pub fn new(controllers: Controllers) -> Self {
        ControllerManager {
            informers: SharedInformers::new(Identity::new("system:kube-controller-manager", &[])),
            controllers: controllers.start(),
            turn: 0,
            next_sync: Time::ZERO,
        }
    }

    /// Stops and forgets everything, as a process does that ends: the next wake starts anew.
    pub fn stop(&mut self, server: &mut ApiServer) {
        self.informers.stop(server);
        for worker in &mut self.controllers {
            worker.stop();
        }
    }

    fn take_changes(&mut self, cx: &mut Context<'_>) {
        let starting = !self.informers.have_synced();
        let changes = self.informers.sync(cx);
        if changes.is_empty() && !starting {
            return;
        }
        for worker in &mut self.controllers {
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

impl Component for ControllerManager {
    fn name(&self) -> &str {
        "kube-controller-manager"
    }

    fn wake(&mut self, cx: &mut Context<'_>) {
        self.take_changes(cx);
        if cx.now < self.next_sync {
            return;
        }
        let count = u32::try_from(self.controllers.len()).unwrap_or(u32::MAX);
        for _ in 0..count {
            let index = usize::try_from(self.turn % count).unwrap_or(0);
            self.turn = (self.turn + 1) % count;
            if self.controllers[index].work(cx, &self.informers) {
                self.next_sync = cx.now + SYNC_INTERVAL;
                return;
            }
        }
    }

    fn next_wake(&self) -> Option<Time> {
        if !self.informers.have_synced() {
            return Some(Time::ZERO);
        }
        let due = self.controllers.iter().filter_map(|worker| worker.next_due()).min()?;
        Some(due.max(self.next_sync))
    }

    fn busy(&self, _now: Time) -> Option<String> {
        self.controllers.iter().find_map(|worker| worker.busy())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.informers);
        digest.u64(u64::from(self.turn));
        digest.add(&self.next_sync);
        for worker in &self.controllers {
            worker.digest(digest);
        }
    }
}
