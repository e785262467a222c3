//! What one sync of a Job knows, and what it concludes from that.
//!
//! Upstream: pkg/controller/job/job_controller.go, syncJob

use std::sync::Arc;

use api::job_indexes::Indexes;
use api::openapi::api::batch::v1::{Job, JobCondition, JobSpec, JobStatus};
use api::openapi::api::core::v1::Pod;
use component_helpers::pod_status::{is_pod_active, is_pod_ready, is_pod_terminating, phase};
use sim::{Duration, SmallMap};

use super::backoff::Record;
use super::policies::{Verdict, is_pod_failed, met_rule, verdict};
use super::{conditions, has_tracking_finalizer, indexes, is_indexed, is_suspended};
use crate::SyncContext;

/// One sync of a Job.
pub(super) struct Context {
    /// The Job, with the status as it becomes.
    pub(super) job: Job,
    pub(super) spec: JobSpec,
    pub(super) pods: Vec<Arc<Pod>>,
    pub(super) active_pods: Vec<Arc<Pod>>,
    pub(super) ready: i32,
    pub(super) terminating: i32,
    pub(super) succeeded: i32,
    pub(super) failed: i32,
    pub(super) previous_indexes: Indexes,
    pub(super) succeeded_indexes: Indexes,
    pub(super) failed_indexes: Option<Indexes>,
    /// Failed pods that stay until another has their index.
    pub(super) delayed: SmallMap<i32, Arc<Pod>>,
    pub(super) backoff: Record,
    /// The condition that ends the Job, or announces that it will.
    pub(super) finished: Option<JobCondition>,
    /// Whether the status has to be written whatever else happens.
    pub(super) needs_flush: bool,
    /// Whether the status that counts the pods was written, and the back-off with it.
    pub(super) counted: bool,
    /// When to look again.
    pub(super) next: Option<Duration>,
}

impl Context {
    pub(super) fn new(
        cx: &SyncContext<'_, '_>,
        job: &Job,
        pods: Vec<Arc<Pod>>,
        known: &Record,
    ) -> Self {
        let mut job = job.clone();
        let spec = job.spec.clone().unwrap_or_default();
        let status = job.status.get_or_insert_default();
        status.uncounted_terminated_pods.get_or_insert_default();
        let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
        let active_pods: Vec<Arc<Pod>> =
            pods.iter().filter(|pod| is_pod_active(pod)).cloned().collect();
        let (succeeded, failed) = newly_finished(&spec, status, &pods);
        let counted_failures = failed.iter().filter(|pod| verdict(&spec, pod).counts()).count();
        let uncounted = status.uncounted_terminated_pods.clone().unwrap_or_default();
        let uids = |list: &Option<Vec<String>>| list.as_ref().map_or(0, Vec::len);
        let of_success = succeeded.len() + uids(&uncounted.succeeded);
        let of_failure = counted_failures + uids(&uncounted.failed);
        let (success, failure) = (
            status.succeeded.unwrap_or(0) + count(of_success),
            status.failed.unwrap_or(0) + count(of_failure),
        );
        if status.start_time.is_none() && !is_suspended(&spec) {
            status.start_time = Some(cx.timestamp());
        }
        Context {
            ready: count(active_pods.iter().filter(|pod| is_pod_ready(pod)).count()),
            terminating: count(pods.iter().filter(|pod| is_pod_terminating(pod)).count()),
            succeeded: success,
            failed: failure,
            previous_indexes: Indexes::default(),
            succeeded_indexes: Indexes::default(),
            failed_indexes: None,
            delayed: SmallMap::new(),
            backoff: known.after(&succeeded, &failed),
            finished: None,
            needs_flush: false,
            counted: false,
            next: None,
            active_pods,
            pods,
            spec,
            job,
        }
    }

    pub(super) fn status(&self) -> &JobStatus {
        self.job.status.as_ref().expect("set when the sync began")
    }

    pub(super) fn status_mut(&mut self) -> &mut JobStatus {
        self.job.status.get_or_insert_default()
    }

    pub(super) fn look_again_after(&mut self, delay: Duration) {
        self.next = Some(self.next.map_or(delay, |next| next.min(delay)));
    }

    /// Finds out whether the Job is over.
    pub(super) fn evaluate(&mut self, cx: &SyncContext<'_, '_>) {
        let now = cx.timestamp();
        self.finished = self.standing(cx);
        if self.finished.is_none() {
            self.finished = self.failure(cx);
        }
        if !is_indexed(&self.spec) {
            return;
        }
        let (previous, succeeded) = indexes::succeeded(&self.job, &self.spec, &self.pods);
        self.succeeded = succeeded.total();
        (self.previous_indexes, self.succeeded_indexes) = (previous, succeeded);
        self.failed_indexes = indexes::failed(&self.job, &self.spec, &self.pods);
        let completions = self.spec.completions.unwrap_or(0);
        if let Some(failed) = &self.failed_indexes {
            let (failures, done) = (failed.total(), failed.total() + self.succeeded);
            let most = self.spec.max_failed_indexes;
            let why = if most.is_some_and(|most| failures > most) {
                Some((
                    "MaxFailedIndexesExceeded",
                    "Job has exceeded the specified maximal number of failed indexes",
                ))
            } else if failures > 0 && done >= completions {
                Some(("FailedIndexes", "Job has failed indexes"))
            } else {
                None
            };
            if let Some((reason, message)) = why.filter(|_| self.finished.is_none()) {
                let target = conditions::FAILURE_TARGET;
                self.finished = Some(conditions::new(target, reason, message, &now));
            }
            let active = indexes::indexes_of(self.active_pods.iter());
            let tracked = self.pods.iter().filter(|pod| has_tracking_finalizer(pod));
            let is_done = |index| self.succeeded_indexes.contains(index) || failed.contains(index);
            self.delayed = indexes::delayed(&self.spec, tracked, &active, is_done);
        }
        if self.finished.is_none() {
            let policy = self.spec.success_policy.as_ref();
            let met = met_rule(policy, completions, &self.succeeded_indexes);
            let type_ = conditions::SUCCESS_CRITERIA_MET;
            self.finished =
                met.map(|message| conditions::new(type_, "SuccessPolicy", &message, &now));
        }
    }

    /// What an earlier sync concluded, or what a failed pod alone decides.
    fn standing(&self, cx: &SyncContext<'_, '_>) -> Option<JobCondition> {
        let now = cx.timestamp();
        if let Some(met) = conditions::find(self.status(), conditions::SUCCESS_CRITERIA_MET) {
            return Some(met.clone());
        }
        if let Some(target) = conditions::find(self.status(), conditions::FAILURE_TARGET) {
            return Some(failed_for(target, &now));
        }
        let mut failed = self.pods.iter().filter(|pod| is_pod_failed(&self.spec, pod));
        let why = failed.find_map(|pod| match verdict(&self.spec, pod) {
            Verdict::FailJob(why) => Some(why),
            _ => None,
        })?;
        let target = conditions::FAILURE_TARGET;
        Some(conditions::new(target, "PodFailurePolicy", &why, &now))
    }

    /// Whether the limits of the Job are exceeded.
    fn failure(&mut self, cx: &SyncContext<'_, '_>) -> Option<JobCondition> {
        let now = cx.timestamp();
        let target = |reason: &str, message: &str| {
            Some(conditions::new(conditions::FAILURE_TARGET, reason, message, &now))
        };
        let limit = self.spec.backoff_limit.unwrap_or(6);
        if self.failed > limit || self.restarted_too_often(limit) {
            let message = "Job has reached the specified backoff limit";
            return target("BackoffLimitExceeded", message);
        }
        let deadline = self.spec.active_deadline_seconds.and_then(|it| u64::try_from(it).ok())?;
        let started = self.status().start_time.as_ref().map(|time| time.0)?;
        if is_suspended(&self.spec) {
            return None;
        }
        let left = Duration::from_secs(deadline).saturating_sub(cx.since(started));
        if left == Duration::ZERO {
            let message = "Job was active longer than specified deadline";
            return target("DeadlineExceeded", message);
        }
        self.look_again_after(left);
        None
    }

    /// Whether the containers of running pods were restarted too often, where they are.
    /// Upstream: pastBackoffLimitOnFailure.
    fn restarted_too_often(&self, limit: i32) -> bool {
        let pod = self.spec.template.spec.as_ref();
        if pod.and_then(|pod| pod.restart_policy.as_deref()) != Some("OnFailure") {
            return false;
        }
        let running = self.pods.iter().filter(|pod| matches!(phase(pod), "Running" | "Pending"));
        let restarts: i32 = running
            .filter_map(|pod| pod.status.as_ref())
            .flat_map(|status| {
                let inits = status.init_container_statuses.iter().flatten();
                inits.chain(status.container_statuses.iter().flatten())
            })
            .map(|container| container.restart_count)
            .sum();
        if limit == 0 { restarts > 0 } else { restarts >= limit }
    }

    /// The pods that are tracked still and belong to an index of the Job, where it has indexes.
    pub(super) fn is_valid(&self, pod: &Pod) -> bool {
        is_valid(&self.spec, pod)
    }
}

/// The condition that follows the one that announced it.
pub(super) fn failed_for(
    target: &JobCondition,
    now: &api::openapi::apimachinery::pkg::apis::meta::v1::Time,
) -> JobCondition {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    conditions::new(conditions::FAILED, &text(&target.reason), &text(&target.message), now)
}

fn is_valid(spec: &JobSpec, pod: &Pod) -> bool {
    has_tracking_finalizer(pod) && (!is_indexed(spec) || indexes::valid_index(spec, pod).is_some())
}

/// The pods that have succeeded and failed and that the status does not know of.
/// Upstream: getNewFinishedPods.
fn newly_finished(
    spec: &JobSpec,
    status: &JobStatus,
    pods: &[Arc<Pod>],
) -> (Vec<Arc<Pod>>, Vec<Arc<Pod>>) {
    let uncounted = status.uncounted_terminated_pods.clone().unwrap_or_default();
    let known = |list: &Option<Vec<String>>, pod: &Pod| {
        let uid = pod.metadata.uid.as_ref();
        list.iter().flatten().any(|known| Some(known) == uid)
    };
    let (mut succeeded, mut failed) = (Vec::new(), Vec::new());
    for pod in pods.iter().filter(|pod| is_valid(spec, pod)) {
        if phase(pod) == "Succeeded" && !known(&uncounted.succeeded, pod) {
            succeeded.push(pod.clone());
        }
        if is_pod_failed(spec, pod) && !known(&uncounted.failed, pod) {
            failed.push(pod.clone());
        }
    }
    (succeeded, failed)
}
