//! The DaemonSet controller: keeps one pod of a DaemonSet on every node that it is meant for.
//!
//! Changes of DaemonSets, pods, nodes and revisions come in as keys of DaemonSets; pods created or
//! deleted, revisions and the DaemonSet's status go out.
//!
//! Upstream: pkg/controller/daemon/daemon_controller.go

use std::sync::Arc;

use api::Key;
use api::labels::Selector;
use api::openapi::api::apps::v1::{ControllerRevision, DaemonSet};
use api::openapi::api::core::v1::{Node, Pod};
use api::openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use client::EventType;
use component_helpers::pod_status::{is_pod_ready, is_pod_terminal, phase, ready_since};
use sim::{Digest, Duration, OrdMap};

use crate::claim::claim_objects;
use crate::owners::{owner_of, wake_owners};
use crate::{Action, Change, Controller, Enqueue, Error, SyncContext, Watch};

mod backoff;
mod history;
mod manage;
mod pods;
mod rolling;
#[cfg(test)]
mod rolling_tests;
mod status;
#[cfg(test)]
mod tests;

use backoff::Backoff;
use pods::{Eligibility, by_node};

/// How many pods are created or deleted in one sync. Upstream: BurstReplicas.
const BURST_REPLICAS: usize = 250;

/// The pods of a DaemonSet, by the nodes that they are on or meant for.
type PodsByNode = OrdMap<String, Vec<Arc<Pod>>>;

/// The DaemonSet controller.
#[derive(Clone, Debug, Default)]
pub struct DaemonSetController {
    failed_pods: Backoff,
}

impl Controller for DaemonSetController {
    const NAME: &'static str = "daemonset-controller";
    const SERVICE_ACCOUNT: &'static str = "daemon-set-controller";

    fn watches() -> &'static [Watch<Self>] {
        const {
            &[
                Watch::on::<DaemonSet>(on_daemon_set),
                Watch::on::<Pod>(on_pod),
                Watch::on::<Node>(on_node),
                Watch::on::<ControllerRevision>(on_revision),
            ]
        }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some(daemon_set) = cx.informers.get::<DaemonSet>(key) else {
            return Ok(Action::Done);
        };
        if daemon_set.spec.selector == LabelSelector::default() {
            let message =
                "This daemon set is selecting all pods. A non-empty selector is required.";
            cx.event(daemon_set, EventType::Warning, "SelectingAll", message);
            return Ok(Action::Done);
        }
        // The garbage collector may have taken the revisions of a DaemonSet that goes away, so
        // nothing can be said of its pods any more.
        if daemon_set.metadata.deletion_timestamp.is_some() {
            return Ok(Action::Done);
        }
        let Ok(selector) = Selector::from_label_selector(Some(&daemon_set.spec.selector)) else {
            return Ok(Action::Done);
        };
        let (current, old) = history::construct(cx, daemon_set, &selector)?;
        let hash = history::hash_of(&current);
        let mut sync = Sync {
            daemon_set,
            selector,
            hash,
            eligibility: Eligibility::of(daemon_set),
            nodes: cx.informers.all::<Node>().collect(),
            failed_pods: &mut self.failed_pods,
            next: None,
        };
        let updated = sync.update(cx, &old);
        let reported = sync.report(cx);
        updated?;
        reported?;
        Ok(sync.next.map_or(Action::Done, Action::RequeueAfter))
    }

    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.failed_pods);
    }
}

/// One sync of a DaemonSet.
struct Sync<'a> {
    daemon_set: &'a DaemonSet,
    selector: Selector,
    /// What tells the pods of the current template from others.
    hash: String,
    eligibility: Eligibility,
    nodes: Vec<&'a Node>,
    failed_pods: &'a mut Backoff,
    /// When to look again.
    next: Option<Duration>,
}

impl Sync<'_> {
    fn min_ready_seconds(&self) -> i32 {
        self.daemon_set.spec.min_ready_seconds.unwrap_or(0)
    }

    fn look_again_after(&mut self, delay: Duration) {
        self.next = Some(self.next.map_or(delay, |next| next.min(delay)));
    }

    /// The pods of the DaemonSet by node, after adopting and releasing. Those that have ended and
    /// are on their way out count only where it is asked for.
    fn pods(
        &self,
        cx: &mut SyncContext<'_, '_>,
        with_deleted_terminal: bool,
    ) -> Result<PodsByNode, Error> {
        let mut pods = claim_objects::<Pod, _>(cx, self.daemon_set, &self.selector, &|_| true)?;
        pods.retain(|pod| {
            with_deleted_terminal
                || !is_pod_terminal(pod)
                || pod.metadata.deletion_timestamp.is_none()
        });
        Ok(by_node(pods))
    }

    /// Upstream: updateDaemonSet.
    fn update(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        old: &[Arc<ControllerRevision>],
    ) -> Result<(), Error> {
        // What was just created or deleted is not seen yet, and a rollout has to count it.
        if !self.manage(cx)? && self.is_rolling() {
            self.rolling_update(cx)?;
        }
        self.clean_up_history(cx, old)
    }

    fn is_rolling(&self) -> bool {
        let strategy = self.daemon_set.spec.update_strategy.as_ref();
        strategy.and_then(|it| it.type_.as_deref()) == Some("RollingUpdate")
    }
}

fn on_daemon_set(_: &mut DaemonSetController, change: &Change, enqueue: &mut Enqueue<'_>) {
    enqueue.add(change.key.clone());
}

fn selector(daemon_set: &DaemonSet) -> Option<&LabelSelector> {
    Some(&daemon_set.spec.selector)
}

/// Whether a sync would see the two pods as the same. Upstream looks at every change; most of a
/// kubelet's reports change nothing that counts here, and a sync looks at every node.
fn look_the_same(old: &Pod, new: &Pod) -> bool {
    let (was, is) = (&old.metadata, &new.metadata);
    was.labels == is.labels
        && was.owner_references == is.owner_references
        && was.deletion_timestamp == is.deletion_timestamp
        && phase(old) == phase(new)
        && is_pod_ready(old) == is_pod_ready(new)
        && ready_since(old) == ready_since(new)
}

fn on_pod(_: &mut DaemonSetController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let (old, new) = (change.old::<Pod>(), change.new::<Pod>());
    if old.zip(new).is_some_and(|(old, new)| look_the_same(old, new)) {
        return;
    }
    let metas = [old, new].map(|pod| pod.map(|pod| &pod.metadata));
    wake_owners(selector, metas[0], metas[1], enqueue);
    // A pod that came to be ready counts as available later, and a little more for safety.
    let (Some(old), Some(new)) = (old, new) else { return };
    if is_pod_ready(old) || !is_pod_ready(new) {
        return;
    }
    let Some(key) = owner_of::<DaemonSet>(enqueue.informers, &new.metadata) else { return };
    let daemon_set = enqueue.informers.get::<DaemonSet>(&key);
    let seconds = daemon_set.and_then(|it| it.spec.min_ready_seconds).unwrap_or(0);
    if let Some(seconds) = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0) {
        enqueue.add_after(key, Duration::from_secs(seconds + 1));
    }
}

fn on_revision(_: &mut DaemonSetController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let meta = |revision: Option<&'_ ControllerRevision>| revision.map(|it| it.metadata.clone());
    let old = meta(change.old::<ControllerRevision>());
    let new = meta(change.new::<ControllerRevision>());
    wake_owners(selector, old.as_ref(), new.as_ref(), enqueue);
}

/// Wakes the DaemonSets for which the node came to be, or ceased to be, one of theirs.
fn on_node(_: &mut DaemonSetController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let (old, new) = (change.old::<Node>(), change.new::<Node>());
    let Some(new) = new else { return };
    let taints = |node: &Node| node.spec.as_ref().and_then(|spec| spec.taints.clone());
    let same =
        |old: &Node| old.metadata.labels == new.metadata.labels && taints(old) == taints(new);
    if old.is_some_and(same) {
        return;
    }
    let mut keys = Vec::new();
    for daemon_set in enqueue.informers.all::<DaemonSet>() {
        let eligibility = Eligibility::of(daemon_set);
        let before = old.map_or((false, false), |old| eligibility.of_node(old));
        let after = eligibility.of_node(new);
        let is_concerned = if old.is_some() { before != after } else { after.0 };
        if is_concerned {
            keys.push(Key::of(&daemon_set.metadata));
        }
    }
    keys.into_iter().for_each(|key| enqueue.add(key));
}
