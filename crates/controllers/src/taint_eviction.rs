//! The taint eviction controller: deletes pods from nodes whose NoExecute taints they do not
//! tolerate, or no longer.
//!
//! Changes of nodes and pods come in as keys of pods; deletions go out.
//! Upstream: pkg/controller/tainteviction/taint_eviction.go

use api::openapi::api::core::v1::{
    Node, ObjectReference, Pod, PodCondition, PodSpec, Taint, Toleration,
};
use api::{Key, Kinded};
use apiserver::DeleteOptions;
use client::EventType;
use component_helpers::pod_status::{node_name, update_condition};
use component_helpers::taints::tolerates_taint;
use sim::{Digest, Duration, OrdMap, Time};

use crate::refusal::is_not_found;
use crate::{Action, Change, Controller, Enqueue, Error, SharedInformers, SyncContext, Watch};

const REASON: &str = "TaintManagerEviction";

/// The taint eviction controller.
#[derive(Clone, Debug, Default)]
pub struct TaintEvictionController {
    /// When each pod that tolerates its node's taints for a while is to be deleted.
    scheduled: OrdMap<Key, Time>,
}

impl Controller for TaintEvictionController {
    const NAME: &'static str = "taint-eviction-controller";
    const SERVICE_ACCOUNT: &'static str = "node-controller";

    fn watches() -> &'static [Watch<Self>] {
        const { &[Watch::on::<Node>(on_node), Watch::on::<Pod>(on_pod)] }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some(pod) = cx.informers.get::<Pod>(key) else {
            self.cancel(cx, key);
            return Ok(Action::Done);
        };
        let taints = taints_of_node(cx.informers, node_name(pod));
        if pod.metadata.deletion_timestamp.is_some() {
            self.scheduled.remove(key);
            return Ok(Action::Done);
        }
        let tolerations = pod.spec.as_ref().and_then(|spec| spec.tolerations.as_deref());
        match tolerance(&taints, tolerations.unwrap_or_default()) {
            Tolerance::None => self.evict(cx, key),
            Tolerance::Forever => {
                self.cancel(cx, key);
                Ok(Action::Done)
            }
            Tolerance::For(span) => {
                let due = *self.scheduled.entry(key.clone()).or_insert(cx.now() + span);
                // A shorter tolerance counts from now; a longer one does not put it off.
                let due = due.min(cx.now() + span);
                self.scheduled.insert(key.clone(), due);
                if due <= cx.now() {
                    return self.evict(cx, key);
                }
                Ok(Action::RequeueAfter(due - cx.now()))
            }
        }
    }

    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.scheduled);
    }
}

impl TaintEvictionController {
    fn cancel(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) {
        if self.scheduled.remove(key).is_some() {
            let message = format!("Cancelling deletion of Pod {key}");
            cx.event_about(&reference(key), EventType::Normal, REASON, &message);
        }
    }

    fn evict(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let message = format!("Marking for deletion Pod {key}");
        cx.event_about(&reference(key), EventType::Normal, REASON, &message);
        self.scheduled.remove(key);
        match add_condition_and_delete(cx, key) {
            Err(Error::Refused(status)) if is_not_found(&status) => Ok(Action::Done),
            Err(error) => Err(error),
            Ok(()) => Ok(Action::Done),
        }
    }
}

fn add_condition_and_delete(cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<(), Error> {
    let now = cx.timestamp();
    cx.patch_status::<Pod>(key, move |pod| {
        let condition = PodCondition {
            type_: "DisruptionTarget".to_string(),
            status: "True".to_string(),
            reason: Some("DeletionByTaintManager".to_string()),
            message: Some("Taint manager: deleting due to NoExecute taint".to_string()),
            observed_generation: pod.metadata.generation,
            ..PodCondition::default()
        };
        update_condition(pod.status.get_or_insert_default(), condition, &now);
    })?;
    Ok(cx.delete::<Pod>(key, DeleteOptions::default())?)
}

/// Events about a pod that is evicted name it without its UID, as upstream.
fn reference(key: &Key) -> ObjectReference {
    ObjectReference {
        api_version: Some(Pod::ID.get().api_version.to_string()),
        kind: Some(Pod::ID.get().kind.to_string()),
        namespace: Some(key.namespace.to_string()),
        name: Some(key.name.to_string()),
        ..ObjectReference::default()
    }
}

fn no_execute(node: &Node) -> Vec<Taint> {
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    let taints = taints.into_iter().flatten();
    taints.filter(|taint| taint.effect == "NoExecute").cloned().collect()
}

fn taints_of_node(informers: &SharedInformers, name: &str) -> Vec<Taint> {
    informers.get::<Node>(&Key::cluster(name)).map(no_execute).unwrap_or_default()
}

/// How long a pod may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tolerance {
    /// Not at all.
    None,
    /// For that time.
    For(Duration),
    /// As long as it likes.
    Forever,
}

/// Upstream: GetMatchingTolerations and getMinTolerationTime.
fn tolerance(taints: &[Taint], tolerations: &[Toleration]) -> Tolerance {
    let mut shortest: Option<i64> = None;
    for taint in taints {
        let Some(used) = tolerations.iter().find(|toleration| tolerates_taint(toleration, taint))
        else {
            return Tolerance::None;
        };
        if let Some(seconds) = used.toleration_seconds {
            shortest = Some(shortest.map_or(seconds, |shortest| shortest.min(seconds)));
        }
    }
    match shortest {
        None => Tolerance::Forever,
        Some(..=0) => Tolerance::None,
        Some(seconds) => Tolerance::For(Duration::from_api_seconds(seconds)),
    }
}

fn on_node(_: &mut TaintEvictionController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let (old, new) = (change.old::<Node>().map(no_execute), change.new::<Node>().map(no_execute));
    if old.unwrap_or_default() == new.unwrap_or_default() {
        return;
    }
    let pods = enqueue.informers.on_node::<Pod>(&change.key.name);
    let keys: Vec<Key> = pods.map(|pod| Key::of(&pod.metadata)).collect();
    keys.into_iter().for_each(|key| enqueue.add(key));
}

fn on_pod(controller: &mut TaintEvictionController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let (old, new) = (change.old::<Pod>(), change.new::<Pod>());
    let same_tolerations = |one: &Pod, other: &Pod| {
        fn of(spec: &PodSpec) -> Option<&Vec<Toleration>> {
            spec.tolerations.as_ref()
        }
        one.spec.as_ref().and_then(of) == other.spec.as_ref().and_then(of)
    };
    if let (Some(old), Some(new)) = (old, new)
        && node_name(old) == node_name(new)
        && same_tolerations(old, new)
    {
        return;
    }
    let node = new.map(node_name).unwrap_or_default();
    let concerned = controller.scheduled.contains_key(&change.key)
        || !taints_of_node(enqueue.informers, node).is_empty();
    if concerned {
        enqueue.add(change.key.clone());
    }
}

#[cfg(test)]
#[path = "taint_eviction_tests.rs"]
mod tests;
