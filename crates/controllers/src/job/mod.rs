//! The Job controller: runs pods until enough of them have succeeded, or too many have failed.
//!
//! Changes of Jobs and pods come in as keys of Jobs; pods and the Job's status go out. A pod
//! carries a finalizer until the status has counted it, so that none is forgotten.
//!
//! Upstream: pkg/controller/job/job_controller.go

use std::sync::Arc;

use api::Key;
use api::labels::Selector;
use api::openapi::api::batch::v1::{Job, JobSpec, JobStatus};
use api::openapi::api::core::v1::Pod;
use api::openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use client::EventType;
use component_helpers::controller_ref::controller_of;
use sim::{Digest, Duration, OrdMap};

use crate::claim::claim_objects;
use crate::owners::wake_owners;
use crate::{Action, Change, Controller, Enqueue, Error, SyncContext, Watch};

mod backoff;
mod conditions;
mod context;
mod indexes;
mod manage;
pub mod orphans;
mod policies;
#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod tests;
mod track;

use backoff::Record;
pub(crate) use conditions::finished as finished_condition;
use context::Context;

/// A pod carries it until the status has counted it.
pub(crate) const TRACKING_FINALIZER: &str = "batch.kubernetes.io/job-tracking";
/// Which controller looks after a Job that names none.
const CONTROLLER_NAME: &str = "kubernetes.io/job-controller";
/// How long changes of pods are collected before their Job is looked at.
/// Upstream: SyncJobBatchPeriod.
const BATCH_PERIOD: Duration = Duration::from_secs(1);

/// The Job controller.
#[derive(Clone, Debug, Default)]
pub struct JobController {
    /// How often the pods of each Job failed since one last succeeded.
    backoff: OrdMap<Key, Record>,
}

impl Controller for JobController {
    const NAME: &'static str = "job-controller";

    fn watches() -> &'static [Watch<Self>] {
        const { &[Watch::on::<Job>(on_job), Watch::on::<Pod>(on_pod)] }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some(job) = cx.informers.get::<Job>(key) else {
            self.backoff.remove(key);
            return Ok(Action::Done);
        };
        if is_managed_elsewhere(job) {
            return Ok(Action::Done);
        }
        if conditions::is_finished(job) {
            self.backoff.remove(key);
            return Ok(Action::Done);
        }
        let mode = spec(job).and_then(|spec| spec.completion_mode.as_deref());
        if !matches!(mode, None | Some("NonIndexed" | "Indexed")) {
            let message = "Skipped Job sync because completion mode is unknown";
            cx.event(job, EventType::Warning, "UnknownCompletionMode", message);
            return Ok(Action::Done);
        }
        self.sync_job(cx, key, job)
    }

    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.backoff.len() as u64);
        for (key, record) in &self.backoff {
            digest.add(key);
            record.digest(digest);
        }
    }
}

impl JobController {
    /// Upstream: syncJob.
    fn sync_job(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        key: &Key,
        job: &Job,
    ) -> Result<Action, Error> {
        let pods = pods_of(cx, job)?;
        let known = self.backoff.get(key).cloned().unwrap_or_default();
        let mut context = Context::new(cx, job, pods, &known);
        context.evaluate(cx);
        let managed = context.act(cx);
        let flushed = context.track(cx);
        if context.counted {
            self.backoff.insert(key.clone(), context.backoff.clone());
        }
        flushed?;
        managed?;
        Ok(context.next.map_or(Action::Done, Action::RequeueAfter))
    }
}

fn spec(job: &Job) -> Option<&JobSpec> {
    job.spec.as_ref()
}

fn status(job: &Job) -> JobStatus {
    job.status.clone().unwrap_or_default()
}

fn is_indexed(spec: &JobSpec) -> bool {
    spec.completion_mode.as_deref() == Some("Indexed")
}

fn is_suspended(spec: &JobSpec) -> bool {
    spec.suspend == Some(true)
}

/// Upstream: managedByExternalController.
pub(crate) fn is_managed_elsewhere(job: &Job) -> bool {
    let manager = spec(job).and_then(|spec| spec.managed_by.as_deref());
    manager.is_some_and(|manager| manager != CONTROLLER_NAME)
}

pub(crate) fn has_tracking_finalizer(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == TRACKING_FINALIZER)
}

/// The pods of a Job, after adopting and releasing; one that is adopted is tracked as well.
/// Upstream: getPodsForJob.
fn pods_of(cx: &mut SyncContext<'_, '_>, job: &Job) -> Result<Vec<Arc<Pod>>, Error> {
    let selector = spec(job).and_then(|spec| spec.selector.as_ref());
    let selector = Selector::from_label_selector(selector)
        .map_err(|error| Error::Other(format!("couldn't convert Job selector: {}", error.0)))?;
    let mut pods = claim_objects::<Pod, _>(cx, job, &selector, &|_| true)?;
    for pod in &mut pods {
        let key = Key::of(&pod.metadata);
        let was_orphan = cx
            .informers
            .get::<Pod>(&key)
            .is_some_and(|known| controller_of(&known.metadata).is_none());
        if was_orphan && !has_tracking_finalizer(pod) {
            *pod = cx.patch::<Pod>(&key, |pod| {
                let finalizers = pod.metadata.finalizers.get_or_insert_default();
                finalizers.push(TRACKING_FINALIZER.to_string());
            })?;
        }
    }
    Ok(pods)
}

fn selector(job: &Job) -> Option<&LabelSelector> {
    job.spec.as_ref()?.selector.as_ref()
}

/// Upstream: addJob, updateJob and deleteJob.
fn on_job(_: &mut JobController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let (old, new) = (change.old::<Job>(), change.new::<Job>());
    let same =
        old.zip(new).is_some_and(|(old, new)| old.metadata.generation == new.metadata.generation);
    if same {
        enqueue.add_after(change.key.clone(), BATCH_PERIOD);
    } else {
        enqueue.add(change.key.clone());
    }
}

/// Upstream: addPod, updatePod and deletePod.
fn on_pod(_: &mut JobController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let [old, new] =
        [change.old::<Pod>(), change.new::<Pod>()].map(|pod| pod.map(|pod| &pod.metadata));
    let (now, informers) = (enqueue.now, enqueue.informers);
    let mut woken = client::WorkQueue::new();
    let mut collected = Enqueue { now, informers, queue: &mut woken };
    wake_owners(selector, old, new, &mut collected);
    while let Some(key) = woken.pop(now) {
        enqueue.add_after(key, BATCH_PERIOD);
    }
}
