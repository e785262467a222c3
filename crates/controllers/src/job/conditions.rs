//! The conditions of a Job.
//!
//! Upstream: pkg/controller/job/util/utils.go and job_controller.go

use api::openapi::api::batch::v1::{Job, JobCondition, JobStatus};
use api::openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;

pub(crate) const COMPLETE: &str = "Complete";
pub(crate) const FAILED: &str = "Failed";
pub(super) const FAILURE_TARGET: &str = "FailureTarget";
pub(super) const SUCCESS_CRITERIA_MET: &str = "SuccessCriteriaMet";
pub(super) const SUSPENDED: &str = "Suspended";

/// A condition that holds since now.
pub(super) fn new(type_: &str, reason: &str, message: &str, now: &MetaTime) -> JobCondition {
    let text = |text: &str| Some(text.to_string()).filter(|text| !text.is_empty());
    JobCondition {
        type_: type_.to_string(),
        status: "True".to_string(),
        last_probe_time: Some(now.clone()),
        last_transition_time: Some(now.clone()),
        reason: text(reason),
        message: text(message),
    }
}

/// The condition of that type, if it holds.
pub(super) fn find<'s>(status: &'s JobStatus, type_: &str) -> Option<&'s JobCondition> {
    let mut conditions = status.conditions.iter().flatten();
    conditions.find(|condition| condition.type_ == type_ && condition.status == "True")
}

/// The condition that ended the Job. Upstream: IsJobFinished.
pub(crate) fn finished(job: &Job) -> Option<&JobCondition> {
    let status = job.status.as_ref()?;
    find(status, COMPLETE).or_else(|| find(status, FAILED))
}

/// Whether the Job is over.
pub(crate) fn is_finished(job: &Job) -> bool {
    finished(job).is_some()
}

/// Puts a condition in place of the one of its type; one that does not hold is not added. Whether
/// anything changed. Upstream: ensureJobConditionStatus.
pub(super) fn ensure(status: &mut JobStatus, wanted: JobCondition) -> bool {
    let conditions = status.conditions.get_or_insert_default();
    let Some(known) = conditions.iter_mut().find(|known| known.type_ == wanted.type_) else {
        let holds = wanted.status != "False";
        if holds {
            conditions.push(wanted);
        } else if conditions.is_empty() {
            status.conditions = None;
        }
        return holds;
    };
    let said = |condition: &JobCondition| {
        (condition.status.clone(), condition.reason.clone(), condition.message.clone())
    };
    if said(known) == said(&wanted) {
        return false;
    }
    *known = wanted;
    true
}
