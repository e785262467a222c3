//! Defaults of the kinds whose pods end.
//!
//! Upstream: pkg/apis/batch/v1/defaults.go

use k8s_openapi::api::batch::v1::{CronJob, Job, JobSpec};

use super::pod_spec::pod_template;
use super::{omitted, text};

const DEFAULT_BACKOFF_LIMIT: i32 = 6;

/// Upstream: SetDefaults_Job.
pub(crate) fn job(job: &mut Job) {
    omitted::meta(&mut job.metadata);
    let spec = job.spec.get_or_insert_default();
    common(spec);
    if spec.completions.is_none() && spec.parallelism.is_none() {
        spec.completions = Some(1);
    }
    spec.parallelism.get_or_insert(1);
    let limit =
        if spec.backoff_limit_per_index.is_some() { i32::MAX } else { DEFAULT_BACKOFF_LIMIT };
    spec.backoff_limit.get_or_insert(limit);
    if job.metadata.labels.is_none() {
        let template = spec.template.metadata.as_ref();
        job.metadata.labels = template.and_then(|meta| meta.labels.clone());
    }
    spec.completion_mode.get_or_insert_with(|| "NonIndexed".to_string());
    spec.suspend.get_or_insert(false);
    spec.manual_selector.get_or_insert(false);
    let replacement =
        if spec.pod_failure_policy.is_some() { "Failed" } else { "TerminatingOrFailed" };
    spec.pod_replacement_policy.get_or_insert_with(|| replacement.to_string());
}

/// What the template of a CronJob has as well.
fn common(spec: &mut JobSpec) {
    spec.selector.iter_mut().for_each(omitted::label_selector);
    let rules = spec.pod_failure_policy.iter_mut().flat_map(|policy| &mut policy.rules);
    for rule in rules {
        omitted::list(&mut rule.on_pod_conditions);
        let patterns = rule.on_pod_conditions.iter_mut().flatten();
        patterns.for_each(|pattern| text(&mut pattern.status, "True"));
    }
    pod_template(&mut spec.template);
}

/// Upstream: SetDefaults_CronJob.
pub(crate) fn cron_job(cron_job: &mut CronJob) {
    omitted::meta(&mut cron_job.metadata);
    let spec = &mut cron_job.spec;
    text(&mut spec.concurrency_policy, "Allow");
    spec.suspend.get_or_insert(false);
    spec.successful_jobs_history_limit.get_or_insert(3);
    spec.failed_jobs_history_limit.get_or_insert(1);
    spec.job_template.metadata.iter_mut().for_each(omitted::meta);
    common(spec.job_template.spec.get_or_insert_default());
}
