//! CronJobs.
//!
//! Upstream: pkg/apis/batch/validation/validation.go

use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec};

use super::{job, meta, names, non_negative, require, supported, text};
use crate::cron::{Schedule, time_zone};
use crate::field::{Error, ErrorList, Path};

/// The controller adds 11 characters to the name, and a label has 63.
const MOST_NAME_BYTES: usize = 52;

/// Upstream: ValidateCronJobCreate.
pub(crate) fn cron_job(cron_job: &CronJob) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&cron_job.metadata, true, names::dns_subdomain, &mut errors);
    spec(&cron_job.spec, None, &mut errors);
    let name = text(&cron_job.metadata.name);
    if name.len() > MOST_NAME_BYTES {
        let message = "must be no more than 52 characters";
        errors.push(Error::invalid(&Path::new("metadata").child("name"), name, message));
    }
    errors
}

/// Upstream: ValidateCronJobUpdate.
pub(crate) fn cron_job_update(new: &CronJob, old: &CronJob) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    spec(&new.spec, Some(&old.spec), &mut errors);
    errors
}

/// Upstream: validateCronJobSpec.
fn spec(spec: &CronJobSpec, old: Option<&CronJobSpec>, errors: &mut ErrorList) {
    let path = Path::new("spec");
    require(&spec.schedule, &path.child("schedule"), errors);
    if !spec.schedule.is_empty() {
        schedule(spec, old, &path.child("schedule"), errors);
    }
    let deadline = spec.starting_deadline_seconds.unwrap_or_default();
    non_negative(deadline, &path.child("startingDeadlineSeconds"), errors);
    if let Some(name) = &spec.time_zone
        && old.is_none_or(|old| old.time_zone != spec.time_zone)
    {
        zone(name, &path.child("timeZone"), errors);
    }
    let policy = text(&spec.concurrency_policy);
    let known = ["Allow", "Forbid", "Replace"];
    supported(policy, &known, &path.child("concurrencyPolicy"), errors);
    job::job_template(&spec.job_template, &path.child("jobTemplate"), errors);
    for (name, limit) in [
        ("successfulJobsHistoryLimit", spec.successful_jobs_history_limit),
        ("failedJobsHistoryLimit", spec.failed_jobs_history_limit),
    ] {
        non_negative(i64::from(limit.unwrap_or_default()), &path.child(name), errors);
    }
}

/// Upstream: validateScheduleFormat.
fn schedule(spec: &CronJobSpec, old: Option<&CronJobSpec>, path: &Path, errors: &mut ErrorList) {
    let text = spec.schedule.as_str();
    if let Err(error) = Schedule::parse(text) {
        errors.push(Error::invalid(path, text, error));
    }
    if !text.contains("TZ") {
        return;
    }
    let was_allowed = old.is_some_and(|old| old.schedule.contains("TZ"));
    let message = match was_allowed {
        true if spec.time_zone.is_none() => return,
        true => "cannot use both timeZone field and TZ or CRON_TZ in schedule",
        false => "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
    };
    errors.push(Error::invalid(path, text, message));
}

/// Upstream: validateTimeZone.
fn zone(name: &str, path: &Path, errors: &mut ErrorList) {
    if name.is_empty() {
        let message = "timeZone must be nil or non-empty string";
        errors.push(Error::invalid(path, name, message));
        return;
    }
    let unknown = format!("unknown time zone {name}");
    if !name.split('/').all(is_zone_part) {
        errors.push(Error::invalid(path, name, unknown));
        return;
    }
    if name.eq_ignore_ascii_case("Local") {
        let message = "timeZone must be an explicit time zone as defined in \
                       https://www.iana.org/time-zones";
        errors.push(Error::invalid(path, name, message));
    }
    if time_zone(name).is_none() && name != "Local" {
        errors.push(Error::invalid(path, name, unknown));
    }
}

fn is_zone_part(part: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte);
    (1..=14).contains(&part.len())
        && !part.starts_with('-')
        && part != "."
        && part != ".."
        && part.bytes().all(is_valid)
}
