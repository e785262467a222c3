//! What a Job's status may say, and how it may change.
//!
//! Upstream: validateJobStatus and ValidateJobStatusUpdate in
//! pkg/apis/batch/validation/validation.go

use k8s_openapi::api::batch::v1::{Job, JobSpec, JobStatus};

use super::job::is_indexed;
use super::{json, list, meta, non_negative, text};
use crate::field::{Error, ErrorList, Path};
use crate::job_indexes::Indexes;

fn has(status: &JobStatus, condition: &str) -> bool {
    list(&status.conditions).iter().any(|it| it.type_ == condition && it.status == "True")
}

/// Upstream: ValidateJobUpdateStatus.
pub(crate) fn job_status_update(new: &Job, old: &Job) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let (no_status, no_spec) = (JobStatus::default(), JobSpec::default());
    let status = new.status.as_ref().unwrap_or(&no_status);
    let old_status = old.status.as_ref().unwrap_or(&no_status);
    let spec = new.spec.as_ref().unwrap_or(&no_spec);
    let path = Path::new("status");
    counts(status, &path, &mut errors);
    uncounted(status, &path.child("uncountedTerminatedPods"), &mut errors);
    conditions(status, &path.child("conditions"), &mut errors);
    times(status, &path, &mut errors);
    finished(status, &path, &mut errors);
    indexes(spec, status, &path, &mut errors);
    changes(spec, (status, old_status), &path, &mut errors);
    errors
}

fn counts(status: &JobStatus, path: &Path, errors: &mut ErrorList) {
    for (name, count) in [
        ("active", status.active),
        ("succeeded", status.succeeded),
        ("failed", status.failed),
        ("ready", status.ready),
        ("terminating", status.terminating),
    ] {
        non_negative(i64::from(count.unwrap_or_default()), &path.child(name), errors);
    }
    if let Some(ready) = status.ready.filter(|ready| *ready > status.active.unwrap_or_default()) {
        let message = "cannot set more ready pods than active";
        errors.push(Error::invalid(&path.child("ready"), ready, message));
    }
}

fn uncounted(status: &JobStatus, path: &Path, errors: &mut ErrorList) {
    let Some(uncounted) = &status.uncounted_terminated_pods else { return };
    let mut seen: Vec<&String> = Vec::new();
    for (name, uids) in [("succeeded", &uncounted.succeeded), ("failed", &uncounted.failed)] {
        for (index, uid) in list(uids).iter().enumerate() {
            let path = path.child(name).index(index);
            if uid.is_empty() {
                errors.push(Error::invalid(&path, "", "must not be empty"));
            } else if seen.contains(&uid) {
                errors.push(Error::duplicate(&path, uid.as_str()));
            }
            seen.push(uid);
        }
    }
}

/// Conditions that contradict each other, or come before those that announce them.
fn conditions(status: &JobStatus, path: &Path, errors: &mut ErrorList) {
    let complete = has(status, "Complete");
    let failed = has(status, "Failed");
    let target = has(status, "FailureTarget");
    let success = has(status, "SuccessCriteriaMet");
    for (wrong, message) in [
        (complete && failed, "cannot set Complete=True and Failed=true conditions"),
        (complete && target, "cannot set Complete=True and FailureTarget=true conditions"),
        (
            failed && !target,
            "cannot set Failed=True condition without the FailureTarget=true condition",
        ),
        (
            complete && !success,
            "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        ),
        (success && failed, "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
        (success && target, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
    ] {
        if wrong {
            errors.push(Error::invalid_unshown(path, message));
        }
    }
}

fn times(status: &JobStatus, path: &Path, errors: &mut ErrorList) {
    let complete = has(status, "Complete");
    let path = path.child("completionTime");
    let Some(completed) = &status.completion_time else {
        if complete {
            let message = "completionTime is required for Complete jobs";
            errors.push(Error::required(&path, message));
        }
        return;
    };
    if !complete {
        let message = "cannot set completionTime when there is no Complete=True condition";
        errors.push(Error::invalid(&path, json(completed), message));
    }
    if status.start_time.as_ref().is_some_and(|started| completed.0 < started.0) {
        let message = "completionTime cannot be set before startTime";
        errors.push(Error::invalid(&path, json(completed), message));
    }
}

/// What a Job that is over no longer has.
fn finished(status: &JobStatus, path: &Path, errors: &mut ErrorList) {
    if !has(status, "Complete") && !has(status, "Failed") {
        return;
    }
    for (name, count, message) in [
        ("active", status.active, "active>0 is invalid for finished job"),
        ("terminating", status.terminating, "terminating>0 is invalid for finished job"),
    ] {
        if let Some(count) = count.filter(|count| *count > 0) {
            errors.push(Error::invalid(&path.child(name), count, message));
        }
    }
    if status.start_time.is_none() {
        let message = "startTime is required for finished job";
        errors.push(Error::required(&path.child("startTime"), message));
    }
    let uncounted = status.uncounted_terminated_pods.as_ref();
    let some =
        uncounted.filter(|it| !list(&it.failed).is_empty() || !list(&it.succeeded).is_empty());
    if let Some(some) = some {
        let message = "uncountedTerminatedPods needs to be empty for finished job";
        errors.push(Error::invalid(&path.child("uncountedTerminatedPods"), json(some), message));
    }
}

fn indexes(spec: &JobSpec, status: &JobStatus, path: &Path, errors: &mut ErrorList) {
    let completed = text(&status.completed_indexes);
    let (completed_path, failed_path) =
        (path.child("completedIndexes"), path.child("failedIndexes"));
    let mut read = |text: &str, name: &str, path: &Path| {
        let read = Indexes::parse(text, spec.completions?);
        let explain = |error| Error::invalid(path, text, format!("error parsing {name}: {error}"));
        read.map_err(|error| errors.push(explain(error))).ok()
    };
    let of_completed = read(completed, "completedIndexes", &completed_path);
    let failed = status.failed_indexes.as_deref();
    let of_failed = failed.and_then(|failed| read(failed, "failedIndexes", &failed_path));
    if !completed.is_empty() && !is_indexed(spec) {
        let message = "cannot set non-empty completedIndexes when non-indexed completion mode";
        errors.push(Error::invalid(&completed_path, completed, message));
    }
    let Some(failed) = failed else { return };
    if spec.backoff_limit_per_index.is_none() {
        let message = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
        errors.push(Error::invalid(&failed_path, failed, message));
    }
    let both = of_completed.zip(of_failed);
    if let Some(index) = both.and_then(|(completed, failed)| completed.overlap(&failed)) {
        let message = format!("failedIndexes and completedIndexes overlap at index: {index}");
        errors.push(Error::invalid(&failed_path, failed, message));
    }
}

fn changes(
    spec: &JobSpec,
    (new, old): (&JobStatus, &JobStatus),
    path: &Path,
    errors: &mut ErrorList,
) {
    let conditions_path = path.child("conditions");
    for condition in ["Failed", "Complete", "FailureTarget"] {
        if has(old, condition) && !has(new, condition) {
            let message = format!("cannot disable the terminal {condition}=True condition");
            errors.push(Error::invalid_unshown(&conditions_path, &message));
        }
    }
    // An indexed Job that was made smaller has succeeded less often.
    let counters =
        [("failed", new.failed, old.failed), ("succeeded", new.succeeded, old.succeeded)];
    let shown = if is_indexed(spec) { &counters[..1] } else { &counters[..] };
    for (name, new, old) in shown {
        if new.unwrap_or(0) < old.unwrap_or(0) {
            let message = format!("cannot decrease the {name} counter");
            errors.push(Error::invalid(&path.child(name), new.unwrap_or(0), message));
        }
    }
    if let (Some(new), Some(old)) = (&new.completion_time, &old.completion_time)
        && new != old
    {
        let message = "completionTime cannot be mutated";
        errors.push(Error::invalid(&path.child("completionTime"), json(new), message));
    }
    let restarted = old.start_time.is_some() && old.start_time != new.start_time;
    if restarted && spec.suspend != Some(true) {
        let message = "startTime cannot be removed for unsuspended job";
        errors.push(Error::required(&path.child("startTime"), message));
    }
    let (is_met, was_met) = (has(new, "SuccessCriteriaMet"), has(old, "SuccessCriteriaMet"));
    if was_met && !is_met {
        let message = "cannot disable the SuccessCriteriaMet=True condition";
        errors.push(Error::invalid_unshown(&conditions_path, message));
    }
    if has(old, "Complete") && !was_met && is_met {
        let message =
            "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions";
        errors.push(Error::invalid_unshown(&conditions_path, message));
    }
}
