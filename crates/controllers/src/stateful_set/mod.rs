//! The StatefulSet controller: keeps numbered pods, each with a name and claims of its own, and
//! replaces them in order.
//!
//! Changes of StatefulSets, pods and revisions come in as keys of StatefulSets; pods, claims,
//! revisions and the StatefulSet's status go out.
//!
//! Upstream: pkg/controller/statefulset/stateful_set.go

use api::Key;
use api::labels::Selector;
use api::openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use api::openapi::api::core::v1::Pod;
use api::openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use component_helpers::pod_status::is_pod_ready;
use sim::Duration;

use crate::claim::claim_objects;
use crate::owners::{owner_of, wake_owners};
use crate::{Action, Change, Controller, Enqueue, Error, SyncContext, Watch};

mod claims;
mod control;
mod identity;
mod pods;
mod revisions;
mod status;
#[cfg(test)]
mod tests;

/// The StatefulSet controller.
#[derive(Clone, Debug, Default)]
pub struct StatefulSetController;

impl Controller for StatefulSetController {
    const NAME: &'static str = "statefulset-controller";

    fn watches() -> &'static [Watch<Self>] {
        const {
            &[
                Watch::on::<StatefulSet>(on_stateful_set),
                Watch::on::<Pod>(on_pod),
                Watch::on::<ControllerRevision>(on_revision),
            ]
        }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some(set) = cx.informers.get::<StatefulSet>(key) else {
            return Ok(Action::Done);
        };
        let Ok(selector) = Selector::from_label_selector(Some(&set.spec.selector)) else {
            // It cannot get better by trying again.
            return Ok(Action::Done);
        };
        let all = claim_objects::<ControllerRevision, _>(cx, set, &selector, &|_| true)?;
        let is_member = |pod: &Pod| identity::is_member_of(set, pod);
        let pods = claim_objects::<Pod, _>(cx, set, &selector, &is_member)?;
        let available = control::update(cx, set, all, pods)?;
        // The last line of defence against clocks that differ.
        let seconds = u64::try_from(set.spec.min_ready_seconds.unwrap_or(0)).unwrap_or(0);
        if seconds > 0 && available != set.spec.replicas.unwrap_or(1) {
            return Ok(Action::RequeueAfter(Duration::from_secs(seconds)));
        }
        Ok(Action::Done)
    }
}

fn on_stateful_set(_: &mut StatefulSetController, change: &Change, enqueue: &mut Enqueue<'_>) {
    enqueue.add(change.key.clone());
}

fn selector(set: &StatefulSet) -> Option<&LabelSelector> {
    Some(&set.spec.selector)
}

fn on_pod(_: &mut StatefulSetController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let (old, new) = (change.old::<Pod>(), change.new::<Pod>());
    let [old_meta, new_meta] = [old, new].map(|pod| pod.map(|pod| &pod.metadata));
    wake_owners(selector, old_meta, new_meta, enqueue);
    // A pod that came to be ready counts as available later, and a little more for safety.
    let (Some(old), Some(new)) = (old, new) else { return };
    if is_pod_ready(old) || !is_pod_ready(new) {
        return;
    }
    let Some(key) = owner_of::<StatefulSet>(enqueue.informers, &new.metadata) else { return };
    let set = enqueue.informers.get::<StatefulSet>(&key);
    let seconds = set.and_then(|set| set.spec.min_ready_seconds).unwrap_or(0);
    if let Some(seconds) = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0) {
        enqueue.add_after(key, Duration::from_secs(seconds + 1));
    }
}

fn on_revision(_: &mut StatefulSetController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let meta = |object: &api::Object| -> ObjectMeta { object.meta().clone() };
    let (old, new) = (change.old.as_ref().map(meta), change.new.as_ref().map(meta));
    wake_owners(selector, old.as_ref(), new.as_ref(), enqueue);
}
