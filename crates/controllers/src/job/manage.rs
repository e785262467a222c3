//! Creating and deleting the pods of a Job.
//!
//! Upstream: pkg/controller/job/job_controller.go, manageJob and deleteActivePods

use std::sync::Arc;

use api::Key;
use api::openapi::api::core::v1::Pod;
use client::EventType;
use component_helpers::controller_ref::new_controller_ref;
use component_helpers::pod_status::{is_pod_ready, is_pod_terminating};
use component_helpers::pod_template::pod_of;
use sim::{Duration, SmallMap};

use super::context::Context;
use super::policies::only_replaces_failed;
use super::track::remove_finalizer;
use super::{TRACKING_FINALIZER, backoff, conditions, indexes, is_indexed, is_suspended};
use crate::replica_set::for_deletion;
use crate::{Error, SyncContext, pod_control};

/// How many pods are created or deleted in one sync. Upstream: MaxPodCreateDeletePerSync.
const MOST_PER_SYNC: usize = 500;

impl Context {
    /// Brings the pods to what they should be, and the counts of the status with them.
    pub(super) fn act(&mut self, cx: &mut SyncContext<'_, '_>) -> Result<(), Error> {
        let before = self.status().clone();
        let mut active = i32::try_from(self.active_pods.len()).unwrap_or(i32::MAX);
        let outcome = if self.finished.is_some() {
            self.delete_active(cx, &mut active)
        } else {
            self.run(cx, &mut active)
        };
        let (ready, terminating) = (self.ready, self.terminating);
        let status = self.status_mut();
        status.active = Some(active).filter(|active| *active != 0);
        status.ready = Some(ready);
        status.terminating = Some(terminating);
        self.needs_flush |= *status != before;
        outcome
    }

    /// Deletes what still runs of a Job that is over. It is only when none is left.
    fn delete_active(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        active: &mut i32,
    ) -> Result<(), Error> {
        let pods = self.active_pods.clone();
        let mut outcome = Ok(());
        for pod in &pods {
            match pod_control::delete_pod(cx, &self.job, pod) {
                Ok(()) => self.count_deletion(pod, active),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        if *active > 0 {
            self.finished = None;
        }
        outcome
    }

    fn count_deletion(&mut self, pod: &Pod, active: &mut i32) {
        *active -= 1;
        self.terminating += 1;
        self.ready -= i32::from(is_pod_ready(pod));
    }

    fn run(&mut self, cx: &mut SyncContext<'_, '_>, active: &mut i32) -> Result<(), Error> {
        let is_deleting = self.job.metadata.deletion_timestamp.is_some();
        let managed = if is_deleting { Ok(()) } else { self.manage(cx, active) };
        let now = cx.timestamp();
        let is_complete = match self.spec.completions {
            None => self.succeeded > 0,
            Some(completions) => self.succeeded >= completions,
        };
        if is_complete && *active == 0 {
            let message = "Reached expected number of succeeded pods";
            let met = conditions::SUCCESS_CRITERIA_MET;
            self.finished = Some(conditions::new(met, "CompletionsReached", message, &now));
        } else if !is_deleting {
            self.suspend_or_resume(cx);
        }
        managed
    }

    fn suspend_or_resume(&mut self, cx: &mut SyncContext<'_, '_>) {
        let now = cx.timestamp();
        let suspended = is_suspended(&self.spec);
        let (reason, message) = match suspended {
            true => ("JobSuspended", "Job suspended"),
            false => ("JobResumed", "Job resumed"),
        };
        let mut condition = conditions::new(conditions::SUSPENDED, reason, message, &now);
        if !suspended {
            condition.status = "False".to_string();
        }
        if !conditions::ensure(self.status_mut(), condition) {
            return;
        }
        self.needs_flush = true;
        let reason = if suspended { "Suspended" } else { "Resumed" };
        cx.event(&self.job, EventType::Normal, reason, message);
        if !suspended {
            // The deadline counts from now on.
            self.status_mut().start_time = Some(now);
        }
    }

    /// Upstream: manageJob.
    fn manage(&mut self, cx: &mut SyncContext<'_, '_>, active: &mut i32) -> Result<(), Error> {
        if is_suspended(&self.spec) {
            let surplus = self.for_removal(cx, self.active_pods.len());
            return self.delete(cx, &surplus, active);
        }
        let parallelism = self.spec.parallelism.unwrap_or(1);
        let wanted = match self.spec.completions {
            // After one has succeeded, those that run may finish.
            None if self.succeeded > 0 => *active,
            None => parallelism,
            Some(completions) => (completions - self.succeeded).min(parallelism).max(0),
        };
        let at_least = usize::try_from(*active - wanted).unwrap_or(0);
        let mut surplus = self.for_removal(cx, at_least);
        surplus.truncate(MOST_PER_SYNC);
        if !surplus.is_empty() {
            return self.delete(cx, &surplus, active);
        }
        let waits = only_replaces_failed(&self.spec);
        let terminating = if waits { self.terminating } else { 0 };
        let Ok(missing) = usize::try_from(wanted - terminating - *active) else { return Ok(()) };
        if missing == 0 {
            return Ok(());
        }
        if self.spec.backoff_limit_per_index.is_none() {
            let remaining = self.backoff.remaining(|time| cx.since(time));
            if remaining > Duration::ZERO {
                self.look_again_after(remaining);
                return Ok(());
            }
        }
        self.create(cx, missing.min(MOST_PER_SYNC), active)
    }

    /// The pods to delete, those that are least worth keeping first.
    /// Upstream: activePodsForRemoval.
    fn for_removal(&self, cx: &SyncContext<'_, '_>, at_least: usize) -> Vec<Arc<Pod>> {
        let now = cx.now_on_calendar();
        let order = |pods: &mut Vec<Arc<Pod>>| *pods = for_deletion(pods, now);
        let (mut surplus, mut left) = if is_indexed(&self.spec) {
            indexes::duplicates(&self.spec, &self.active_pods, order)
        } else {
            (Vec::new(), self.active_pods.clone())
        };
        if surplus.len() < at_least {
            order(&mut left);
            let more = at_least - surplus.len();
            surplus.extend(left.into_iter().take(more));
        }
        surplus
    }

    /// Deletes pods that the status need not count. Upstream: deleteJobPods.
    fn delete(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        pods: &[Arc<Pod>],
        active: &mut i32,
    ) -> Result<(), Error> {
        let mut outcome = Ok(());
        for pod in pods {
            let removed = remove_finalizer(cx, pod)
                .and_then(|()| pod_control::delete_pod(cx, &self.job, pod));
            match removed {
                Ok(()) => self.count_deletion(pod, active),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    /// The indexes that get a pod now, or how long they have to wait.
    fn pending(&mut self, cx: &SyncContext<'_, '_>, missing: usize) -> Vec<i32> {
        let mut busy = self.succeeded_indexes.with(&indexes::indexes_of(self.active_pods.iter()));
        if only_replaces_failed(&self.spec) {
            let terminating = self.pods.iter().filter(|pod| is_pod_terminating(pod));
            busy = busy.with(&indexes::indexes_of(terminating));
        }
        if let Some(failed) = &self.failed_indexes {
            let all: Vec<i32> =
                failed.intervals().iter().flat_map(|(first, last)| *first..=*last).collect();
            busy = busy.with(&all);
        }
        let completions = self.spec.completions.unwrap_or(0);
        let mut pending = indexes::first_pending(&busy, missing, completions);
        if self.spec.backoff_limit_per_index.is_none() {
            return pending;
        }
        let mut shortest: Option<Duration> = None;
        let delayed = &self.delayed;
        pending.retain(|index| {
            let Some(pod) = delayed.get(index) else { return true };
            let failures = indexes::absolute_failure_count(pod) + 1;
            let ago = cx.since(backoff::finish_time(pod));
            let left = backoff::remaining(u32::try_from(failures).unwrap_or(0), ago);
            if left > Duration::ZERO {
                shortest = Some(shortest.map_or(left, |shortest| shortest.min(left)));
            }
            left == Duration::ZERO
        });
        if let Some(shortest) = shortest {
            self.look_again_after(shortest);
        }
        pending
    }

    fn create(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        missing: usize,
        active: &mut i32,
    ) -> Result<(), Error> {
        let indexed = is_indexed(&self.spec);
        let pending = if indexed { self.pending(cx, missing) } else { Vec::new() };
        let count = if indexed { pending.len() } else { missing };
        let mut template = self.spec.template.clone();
        if indexed {
            indexes::add_variables(&mut template);
        }
        let finalizers =
            template.metadata.get_or_insert_default().finalizers.get_or_insert_default();
        if !finalizers.iter().any(|finalizer| finalizer == TRACKING_FINALIZER) {
            finalizers.push(TRACKING_FINALIZER.to_string());
        }
        let (job, spec) = (&self.job, &self.spec);
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let key = Key::of(&job.metadata);
        let owner = new_controller_ref(job);
        let delayed: &SmallMap<i32, Arc<Pod>> = &self.delayed;
        let mut next = pending.into_iter();
        let (created, outcome) = pod_control::slow_start_batch(count, || {
            let mut pod = pod_of(&template, &owner, &key.namespace);
            if let Some(index) = next.next() {
                let replaced = delayed.get(&index).map(|pod| &**pod);
                indexes::assign(name, spec, &mut pod, index, replaced);
            }
            pod_control::create_pod(cx, job, pod)
        });
        *active += i32::try_from(created).unwrap_or(i32::MAX);
        outcome
    }
}
