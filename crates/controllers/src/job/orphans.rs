//! Pods whose Job is gone or over: nobody will count them, so that nothing is to hold them.
//!
//! Upstream: pkg/controller/job/job_controller.go, syncOrphanPod

use api::openapi::api::batch::v1::Job;
use api::openapi::api::core::v1::Pod;
use api::{Key, Kinded};
use component_helpers::controller_ref::{controller_of, is_controlled_by};

use super::track::remove_finalizer;
use super::{conditions, has_tracking_finalizer, is_managed_elsewhere};
use crate::owners::owner_of;
use crate::{Action, Change, Controller, Enqueue, Error, SharedInformers, SyncContext, Watch};

/// Lets the pods go whose Job will not count them any more. Its keys are those of pods.
#[derive(Clone, Debug, Default)]
pub struct JobOrphanController;

impl Controller for JobOrphanController {
    const NAME: &'static str = "job-controller-orphans";
    const SERVICE_ACCOUNT: &'static str = "job-controller";
    const EVENT_SOURCE: &'static str = "job-controller";

    fn watches() -> &'static [Watch<Self>] {
        const { &[Watch::on::<Job>(on_job), Watch::on::<Pod>(on_pod)] }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some(pod) = cx.informers.get::<Pod>(key) else { return Ok(Action::Done) };
        if is_orphan(cx.informers, pod) {
            remove_finalizer(cx, pod)?;
        }
        Ok(Action::Done)
    }
}

/// Whether the pod is held for a Job that is gone or over.
fn is_orphan(informers: &SharedInformers, pod: &Pod) -> bool {
    if !has_tracking_finalizer(pod) {
        return false;
    }
    let Some(owner) = controller_of(&pod.metadata) else { return true };
    if owner.kind != Job::ID.get().kind {
        return false;
    }
    let job = owner_of::<Job>(informers, &pod.metadata);
    let job = job.and_then(|key| informers.get::<Job>(&key));
    job.is_none_or(|job| !is_managed_elsewhere(job) && conditions::is_finished(job))
}

/// A Job that went, or that came to its end, leaves its pods.
fn on_job(_: &mut JobOrphanController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let is_over = change.new::<Job>().is_none_or(conditions::is_finished);
    let Some(object) = change.object().filter(|_| is_over) else { return };
    let informers = enqueue.informers;
    let pods = informers.owned_by::<Pod>(object.uid());
    let held = pods
        .filter(|pod| has_tracking_finalizer(pod) && is_controlled_by(&pod.metadata, object.uid()));
    let keys: Vec<Key> = held.map(|pod| Key::of(&pod.metadata)).collect();
    keys.into_iter().for_each(|key| enqueue.add(key));
}

fn on_pod(_: &mut JobOrphanController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let held = change.new::<Pod>().filter(|pod| is_orphan(enqueue.informers, pod));
    if held.is_some() {
        enqueue.add(change.key.clone());
    }
}
