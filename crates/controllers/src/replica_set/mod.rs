//! The ReplicaSet controller: keeps as many pods as a ReplicaSet asks for.
//!
//! Changes of ReplicaSets and pods come in as keys of ReplicaSets; pods created or deleted and
//! the ReplicaSet's status go out.
//! Upstream: pkg/controller/replicaset/replica_set.go

use std::sync::Arc;

use api::labels::Selector;
use api::openapi::api::apps::v1::ReplicaSet;
use api::openapi::api::core::v1::Pod;
use api::openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use api::{Key, Kinded};
use component_helpers::controller_ref::{controller_of, is_controlled_by, new_controller_ref};
use component_helpers::pod_status::{is_pod_active, is_pod_ready, is_pod_terminating, ready_since};
use component_helpers::pod_template;

use crate::claim::claim_objects;
use crate::pod_control;
use crate::{Action, Change, Controller, Enqueue, Error, SharedInformers, SyncContext, Watch};

mod census;
mod ranking;
mod status;
mod tally;
use census::Censuses;
use sim::OrdMap;
pub(crate) use status::unless_zero;
use tally::Tally;
#[cfg(test)]
mod tests;

/// How many pods are created or deleted in one sync.
const BURST_REPLICAS: usize = 500;

/// The ReplicaSet controller.
#[derive(Clone, Debug, Default)]
pub struct ReplicaSetController {
    censuses: Censuses,
}

impl Controller for ReplicaSetController {
    const NAME: &'static str = "replicaset-controller";

    fn watches() -> &'static [Watch<Self>] {
        const { &[Watch::on::<ReplicaSet>(on_replica_set), Watch::on::<Pod>(on_pod)] }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some(replica_set) = cx.informers.get::<ReplicaSet>(key) else {
            return Ok(Action::Done);
        };
        self.sync_replica_set(cx, replica_set)
    }
}

fn on_replica_set(
    controller: &mut ReplicaSetController,
    change: &Change,
    enqueue: &mut Enqueue<'_>,
) {
    controller.censuses.on_replica_set(change);
    enqueue.add(change.key.clone());
}

/// Whether a sync would see the two pods as the same. Upstream looks at every change; most of a
/// kubelet's reports change nothing that counts here.
fn look_the_same(old: &Pod, new: &Pod) -> bool {
    let ready = |pod| (is_pod_ready(pod), ready_since(pod));
    let (was, is) = (&old.metadata, &new.metadata);
    was.labels == is.labels
        && was.owner_references == is.owner_references
        && is_pod_active(old) == is_pod_active(new)
        && is_pod_terminating(old) == is_pod_terminating(new)
        && ready(old) == ready(new)
}

/// Wakes the ReplicaSet that a pod belongs to, or those that may adopt it.
fn on_pod(controller: &mut ReplicaSetController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let (old, new) = (change.old::<Pod>(), change.new::<Pod>());
    if old.zip(new).is_some_and(|(old, new)| look_the_same(old, new)) {
        return;
    }
    controller.censuses.on_pod(old, new);
    let namespace = &*change.key.namespace;
    let reference = |pod: Option<&Pod>| {
        pod.and_then(|pod| controller_of(&pod.metadata))
            .map(|owner| (owner.kind.clone(), owner.name.clone(), owner.uid.clone()))
    };
    let (old_owner, new_owner) = (reference(old), reference(new));
    for (kind, name, uid) in [&old_owner, &new_owner].into_iter().flatten() {
        let key = Key::new(namespace, name);
        if kind == ReplicaSet::ID.get().kind && is_named(enqueue.informers, &key, uid) {
            enqueue.add(key);
        }
    }
    let Some(new) = new else { return };
    if new_owner.is_some() || new.metadata.deletion_timestamp.is_some() {
        return;
    }
    let changed =
        old.is_none_or(|old| old.metadata.labels != new.metadata.labels || old_owner != new_owner);
    if changed {
        let matching = enqueue.informers.in_namespace::<ReplicaSet>(namespace);
        let matching = matching.filter(|replica_set| {
            selector(replica_set).is_some_and(|selector| selector.matches_meta(&new.metadata))
        });
        let keys: Vec<Key> = matching.map(|replica_set| Key::of(&replica_set.metadata)).collect();
        keys.into_iter().for_each(|key| enqueue.add(key));
    }
}

fn is_named(informers: &SharedInformers, key: &Key, uid: &str) -> bool {
    let replica_set = informers.get::<ReplicaSet>(key);
    replica_set.is_some_and(|found| found.metadata.uid.as_deref() == Some(uid))
}

/// The selector; a ReplicaSet whose selector is invalid or empty selects nothing.
fn selector(replica_set: &ReplicaSet) -> Option<Selector> {
    let selector = Selector::from_label_selector(Some(&replica_set.spec.selector)).ok()?;
    (!selector.is_everything()).then_some(selector)
}

/// How many pods are wanted.
pub(crate) fn replicas(replica_set: &ReplicaSet) -> i32 {
    replica_set.spec.replicas.unwrap_or(1)
}

impl ReplicaSetController {
    fn sync_replica_set(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        replica_set: &ReplicaSet,
    ) -> Result<Action, Error> {
        let Some(selector) = selector(replica_set) else { return Ok(Action::Done) };
        let now = cx.now_on_calendar();
        let wanted = usize::try_from(replicas(replica_set)).unwrap_or(0);
        let is_deleting = replica_set.metadata.deletion_timestamp.is_some();
        let settled = self.censuses.settled(cx.informers, replica_set, &selector, now);
        let (tally, managed) = match settled {
            Some(tally) if tally.active == wanted || is_deleting => (tally, Ok(())),
            _ => {
                let pods = claim_objects::<Pod, _>(cx, replica_set, &selector, &is_pod_active)?;
                let mut tally = Tally::new(replica_set, now);
                pods.iter().for_each(|pod| tally.add(pod));
                tally.terminating = terminating_pods(cx.informers, replica_set, &selector);
                let managed =
                    if is_deleting { Ok(()) } else { manage_replicas(cx, replica_set, &pods) };
                (tally, managed)
            }
        };
        let status = status::calculate(replica_set, &tally, managed.as_ref().err(), cx);
        status::update(cx, replica_set, status)?;
        managed?;
        // Upstream: pkg/controller/controller_utils.go, FindMinNextPodAvailabilityCheck.
        let next = tally.next_available;
        Ok(next.map_or(Action::Done, |instant| Action::RequeueAfter(cx.until(instant))))
    }
}

/// The pods on their way out that the ReplicaSet still counts as terminating.
fn terminating_pods(
    informers: &SharedInformers,
    replica_set: &ReplicaSet,
    selector: &Selector,
) -> usize {
    let uid = replica_set.metadata.uid.as_deref().unwrap_or_default();
    let owned = informers.owned_by::<Pod>(uid);
    owned
        .filter(|pod| {
            is_pod_terminating(pod)
                && is_controlled_by(&pod.metadata, uid)
                && selector.matches_meta(&pod.metadata)
        })
        .count()
}

/// Creates the pods that are missing, or deletes those that are too many.
fn manage_replicas(
    cx: &mut SyncContext<'_, '_>,
    replica_set: &ReplicaSet,
    pods: &[Arc<Pod>],
) -> Result<(), Error> {
    let wanted = usize::try_from(replicas(replica_set)).unwrap_or(0);
    if pods.len() < wanted {
        let missing = (wanted - pods.len()).min(BURST_REPLICAS);
        let owner = new_controller_ref(replica_set);
        return pod_control::slow_start_batch(missing, || create_pod(cx, replica_set, &owner)).1;
    }
    let surplus = (pods.len() - wanted).min(BURST_REPLICAS);
    if surplus == 0 {
        return Ok(());
    }
    let mut outcome = Ok(());
    for pod in pods_to_delete(cx, replica_set, pods, surplus) {
        let deleted = pod_control::delete_pod(cx, replica_set, &pod);
        outcome = outcome.and(deleted);
    }
    outcome
}

fn create_pod(
    cx: &mut SyncContext<'_, '_>,
    replica_set: &ReplicaSet,
    owner: &OwnerReference,
) -> Result<(), Error> {
    let namespace = replica_set.metadata.namespace.as_deref().unwrap_or_default();
    let template = replica_set.spec.template.as_ref();
    let Some(template) = template else { return Ok(()) };
    pod_control::create_pod(cx, replica_set, pod_template::pod_of(template, owner, namespace))
}

/// The pods to delete: those that are least worth keeping come first.
fn pods_to_delete(
    cx: &SyncContext<'_, '_>,
    replica_set: &ReplicaSet,
    pods: &[Arc<Pod>],
    surplus: usize,
) -> Vec<Arc<Pod>> {
    if surplus >= pods.len() {
        return pods.to_vec();
    }
    let related = related_pods_per_node(cx.informers, replica_set);
    let mut ranked = ranking::rank(pods, &related);
    ranking::sort(&mut ranked, cx.now_on_calendar());
    ranked.into_iter().take(surplus).map(|ranked| ranked.pod).collect()
}

/// The pods, those that are least worth keeping first. Upstream: controller.ActivePods.
pub(crate) fn for_deletion(pods: &[Arc<Pod>], now: jiff::Timestamp) -> Vec<Arc<Pod>> {
    let mut ranked = ranking::rank(pods, &OrdMap::new());
    ranking::sort(&mut ranked, now);
    ranked.into_iter().map(|ranked| ranked.pod).collect()
}

/// How many active pods each node has of all ReplicaSets that have the same owner as this one.
/// Upstream: getIndirectlyRelatedPods.
fn related_pods_per_node(
    informers: &SharedInformers,
    replica_set: &ReplicaSet,
) -> OrdMap<String, u32> {
    let mut per_node = OrdMap::new();
    let Some(owner) = controller_of(&replica_set.metadata) else { return per_node };
    let siblings = informers.owned_by::<ReplicaSet>(&owner.uid);
    for sibling in siblings.filter(|sibling| is_controlled_by(&sibling.metadata, &owner.uid)) {
        let Some(selector) = selector(sibling) else { continue };
        let namespace = sibling.metadata.namespace.as_deref().unwrap_or_default();
        let pods = informers.in_namespace::<Pod>(namespace);
        for pod in pods.filter(|pod| is_pod_active(pod) && selector.matches_meta(&pod.metadata)) {
            let node = component_helpers::pod_status::node_name(pod).to_string();
            *per_node.entry(node).or_default() += 1;
        }
    }
    per_node
}
