//! Counting the pods that have ended: their UIDs come into the status, their finalizers go, and
//! then they count.
//!
//! Upstream: pkg/controller/job/job_controller.go, trackJobStatusAndRemoveFinalizers

use std::sync::Arc;

use api::Key;
use api::openapi::api::batch::v1::{Job, JobStatus};
use api::openapi::api::core::v1::Pod;
use client::EventType;
use component_helpers::pod_status::phase;
use sim::Sort;

use super::context::{Context, failed_for};
use super::policies::{is_pod_failed, verdict};
use super::{TRACKING_FINALIZER, conditions, has_tracking_finalizer, indexes, is_indexed};
use crate::refusal::is_not_found;
use crate::{Error, SyncContext};

/// How many pods are counted at once. Upstream: MaxUncountedPods.
const MOST_UNCOUNTED: usize = 500;

/// Takes the finalizer from a pod.
pub(super) fn remove_finalizer(cx: &mut SyncContext<'_, '_>, pod: &Pod) -> Result<(), Error> {
    if !has_tracking_finalizer(pod) {
        return Ok(());
    }
    let uid = pod.metadata.uid.clone();
    let patched = cx.patch::<Pod>(&Key::of(&pod.metadata), move |pod| {
        // The UID is the condition under which the patch applies.
        pod.metadata.uid = uid;
        if let Some(finalizers) = &mut pod.metadata.finalizers {
            finalizers.retain(|finalizer| finalizer != TRACKING_FINALIZER);
        }
    });
    match patched {
        Err(status) if !is_not_found(&status) => Err(status.into()),
        _ => Ok(()),
    }
}

fn uid(pod: &Pod) -> String {
    pod.metadata.uid.clone().unwrap_or_default()
}

fn contains(list: &Option<Vec<String>>, uid: &str) -> bool {
    list.iter().flatten().any(|known| known == uid)
}

/// Counts the pods whose finalizers are gone. Whether there were any.
/// Upstream: cleanUncountedPodsWithoutFinalizers.
fn count_released(status: &mut JobStatus, held: &[String]) -> bool {
    let Some(uncounted) = &mut status.uncounted_terminated_pods else { return false };
    let count = |list: &mut Option<Vec<String>>, counter: &mut Option<i32>| {
        let before = list.as_ref().map_or(0, Vec::len);
        list.iter_mut().for_each(|list| list.retain(|uid| held.contains(uid)));
        let released = before - list.as_ref().map_or(0, Vec::len);
        list.take_if(|list| list.is_empty());
        if released > 0 {
            let released = i32::try_from(released).unwrap_or(i32::MAX);
            *counter = Some(counter.unwrap_or(0) + released);
        }
        released > 0
    };
    let succeeded = count(&mut uncounted.succeeded, &mut status.succeeded);
    count(&mut uncounted.failed, &mut status.failed) || succeeded
}

impl Context {
    /// Writes what is known of the pods into the status, as far as it has to.
    pub(super) fn track(&mut self, cx: &mut SyncContext<'_, '_>) -> Result<(), Error> {
        if is_indexed(&self.spec) {
            self.pods.order_by_key(|pod| indexes::index_of(pod).unwrap_or(-1));
        }
        let mut held: Vec<String> =
            self.pods.iter().filter(|it| has_tracking_finalizer(it)).map(|it| uid(it)).collect();
        self.needs_flush |= count_released(self.status_mut(), &held);
        let (released, is_full) = self.note_finished();
        self.announce(cx);
        if self.needs_flush {
            self.write(cx, "adding uncounted pods to status")?;
            self.counted = true;
            self.needs_flush = false;
        }
        let mut outcome = Ok(());
        for pod in &released {
            match remove_finalizer(cx, pod) {
                Ok(()) => held.retain(|known| *known != uid(pod)),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        self.needs_flush |= count_released(self.status_mut(), &held);
        let is_finished = outcome.is_ok() && !is_full && self.finish();
        self.needs_flush |= is_finished;
        if self.needs_flush {
            self.write(cx, "removing uncounted pods from status")?;
            if is_finished {
                self.record_finish(cx);
            }
        }
        outcome
    }

    fn write(&mut self, cx: &mut SyncContext<'_, '_>, what: &str) -> Result<(), Error> {
        let written = cx
            .update_status(self.job.clone())
            .map_err(|status| Error::Other(format!("tracking status: {what}: {status}")))?;
        let job: &Job = &written;
        self.job = job.clone();
        self.status_mut().uncounted_terminated_pods.get_or_insert_default();
        Ok(())
    }

    /// Puts the pods that have ended into the status. Says which finalizers can go, and whether
    /// there are more such pods. Upstream: trackJobStatusAndRemoveFinalizers.
    fn note_finished(&mut self) -> (Vec<Arc<Pod>>, bool) {
        let mut released = Vec::new();
        let mut new_indexes = Vec::new();
        let mut uncounted = self.status_mut().uncounted_terminated_pods.take().unwrap_or_default();
        let before = uncounted.clone();
        let mut is_full = false;
        for pod in self.pods.iter().filter(|pod| has_tracking_finalizer(pod)) {
            let is_failed = is_pod_failed(&self.spec, pod);
            if !self.can_release(pod, is_failed) {
                continue;
            }
            released.push(pod.clone());
            let uid = uid(pod);
            let was_failed = contains(&before.failed, &uid);
            let index = indexes::valid_index(&self.spec, pod);
            if phase(pod) == "Succeeded" && !was_failed {
                if is_indexed(&self.spec) {
                    new_indexes.extend(index.filter(|it| !self.previous_indexes.contains(*it)));
                } else if !contains(&before.succeeded, &uid) {
                    uncounted.succeeded.get_or_insert_default().push(uid);
                }
            } else if is_failed || self.has_failed() {
                let counts = self.is_valid(pod) && verdict(&self.spec, pod).counts();
                if counts && !was_failed {
                    uncounted.failed.get_or_insert_default().push(uid);
                }
            }
            let count = |list: &Option<Vec<String>>| list.as_ref().map_or(0, Vec::len);
            let all = new_indexes.len() + count(&uncounted.succeeded) + count(&uncounted.failed);
            if all >= MOST_UNCOUNTED {
                is_full = true;
                break;
            }
        }
        self.needs_flush |= uncounted != before || !new_indexes.is_empty();
        self.status_mut().uncounted_terminated_pods = Some(uncounted);
        if is_indexed(&self.spec) {
            self.note_indexes(&new_indexes);
        }
        (released, is_full)
    }

    /// Whether every pod that has not succeeded counts as failed.
    fn has_failed(&self) -> bool {
        let met = conditions::SUCCESS_CRITERIA_MET;
        self.finished.as_ref().is_some_and(|finished| finished.type_ != met)
    }

    /// Upstream: canRemoveFinalizer.
    fn can_release(&self, pod: &Pod, is_failed: bool) -> bool {
        let is_over = self.job.metadata.deletion_timestamp.is_some() || self.finished.is_some();
        if is_over || phase(pod) == "Succeeded" {
            return true;
        }
        let is_delayed = indexes::index_of(pod)
            .and_then(|index| self.delayed.get(&index))
            .is_some_and(|delayed| delayed.metadata.uid == pod.metadata.uid);
        is_failed && !is_delayed
    }

    fn note_indexes(&mut self, new: &[i32]) {
        self.succeeded_indexes = self.succeeded_indexes.with(new);
        let completed = self.succeeded_indexes.to_string();
        let (total, failed) =
            (self.succeeded_indexes.total(), self.failed_indexes.as_ref().map(ToString::to_string));
        let status = self.status_mut();
        let before =
            (status.completed_indexes.clone(), status.failed_indexes.clone(), status.succeeded);
        status.succeeded = Some(total).filter(|total| *total != 0);
        status.completed_indexes = Some(completed).filter(|text| !text.is_empty());
        status.failed_indexes = failed;
        let after =
            (status.completed_indexes.clone(), status.failed_indexes.clone(), status.succeeded);
        self.needs_flush |= before != after;
    }

    /// Says in the status how the Job will end, before the pods are let go.
    fn announce(&mut self, cx: &SyncContext<'_, '_>) {
        let now = cx.timestamp();
        let Some(finished) = self.finished.clone() else { return };
        let last = match finished.type_.as_str() {
            conditions::FAILURE_TARGET => failed_for(&finished, &now),
            conditions::SUCCESS_CRITERIA_MET => {
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                let (reason, message) = (text(&finished.reason), text(&finished.message));
                conditions::new(conditions::COMPLETE, &reason, &message, &now)
            }
            _ => return,
        };
        if conditions::find(self.status(), &finished.type_).is_none() {
            self.status_mut().conditions.get_or_insert_default().push(finished);
            self.needs_flush = true;
        }
        self.finished = Some(last);
    }

    /// Ends the Job, unless there are pods that do not count yet or are on their way out. Whether
    /// it has ended. Upstream: enactJobFinished.
    fn finish(&mut self) -> bool {
        let Some(finished) = self.finished.clone() else { return false };
        let uncounted = self.status().uncounted_terminated_pods.clone().unwrap_or_default();
        let has_some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|it| !it.is_empty());
        let is_waiting = has_some(&uncounted.succeeded) || has_some(&uncounted.failed);
        if is_waiting || self.terminating > 0 {
            return false;
        }
        let status = self.status_mut();
        if finished.type_ == conditions::COMPLETE {
            status.completion_time.clone_from(&finished.last_transition_time);
        }
        conditions::ensure(status, finished);
        true
    }

    /// Upstream: recordJobFinished.
    fn record_finish(&self, cx: &mut SyncContext<'_, '_>) {
        let Some(finished) = &self.finished else { return };
        if finished.type_ != conditions::COMPLETE {
            let (reason, message) = (finished.reason.as_deref(), finished.message.as_deref());
            let (reason, message) = (reason.unwrap_or_default(), message.unwrap_or_default());
            cx.event(&self.job, EventType::Warning, reason, message);
            return;
        }
        let succeeded = self.status().succeeded.unwrap_or(0);
        if self.spec.completions.is_some_and(|completions| succeeded > completions) {
            let message = "Too many succeeded pods running after completion count reached";
            cx.event(&self.job, EventType::Warning, "TooManySucceededPods", message);
        }
        cx.event(&self.job, EventType::Normal, "Completed", "Job completed");
    }
}
