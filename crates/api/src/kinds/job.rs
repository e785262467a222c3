//! Jobs: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobSpec, JobStatus};

use super::printing;
use crate::duration::human_duration;
use crate::field::ErrorList;
use crate::kind::keep;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of Jobs. Upstream: pkg/registry/batch/job/strategy.go
pub struct Jobs;

const COLUMNS: &[Column] = &[
    Column::NAME,
    Column::string("Status"),
    Column::string("Completions"),
    Column::string("Duration"),
    Column::AGE,
    Column::string("Containers").wide(),
    Column::string("Images").wide(),
    Column::string("Selector").wide(),
];

const SUCCESSFUL: &str = "status.successful";
/// The labels that carry the Job's name, and those that carry its UID: the first of each are
/// those of old.
const NAME_LABELS: [&str; 2] = ["job-name", "batch.kubernetes.io/job-name"];
const UID_LABELS: [&str; 2] = ["controller-uid", "batch.kubernetes.io/controller-uid"];

impl Strategy for Jobs {
    type Object = Job;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "job";
    const CATEGORIES: &'static [&'static str] = &["all"];
    const SUBRESOURCES: &'static [&'static str] = &["status"];
    const HAS_GENERATION: bool = true;
    const ORPHANS_DEPENDENTS: bool = true;
    const SELECTABLE_FIELDS: &'static [&'static str] = &[SUCCESSFUL];

    fn default(object: &mut Job) {
        defaults::job(object);
    }

    fn prepare_for_create(object: &mut Job) {
        generate_selector(object);
        // What was generated counts as what the template had, when the labels have their default.
        if object.metadata.labels.is_none() {
            let template = object.spec.as_ref().and_then(|spec| spec.template.metadata.as_ref());
            object.metadata.labels = template.and_then(|meta| meta.labels.clone());
        }
        object.status = Some(JobStatus::default());
        object.spec.iter_mut().for_each(drop_disabled);
    }

    fn prepare_for_update(new: &mut Job, old: &Job) {
        keep(&mut new.status, &old.status);
        new.spec.iter_mut().for_each(drop_disabled);
    }

    fn prepare_for_status_update(new: &mut Job, old: &Job) {
        keep(&mut new.spec, &old.spec);
    }

    fn spec_changed(new: &Job, old: &Job) -> bool {
        new.spec != old.spec
    }

    fn validate(object: &Job) -> ErrorList {
        validation::job(object)
    }

    fn validate_update(new: &Job, old: &Job) -> ErrorList {
        validation::job_update(new, old)
    }

    fn validate_status_update(new: &Job, old: &Job) -> ErrorList {
        validation::job_status_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &Job, now: Timestamp) -> Vec<Cell> {
        let (spec, status) =
            (object.spec.clone().unwrap_or_default(), object.status.clone().unwrap_or_default());
        let template = spec.template.spec.as_ref();
        let containers = template.map_or(&[][..], |spec| &spec.containers);
        let [names, images] = printing::container_cells(containers);
        let selector = spec.selector.as_ref();
        vec![
            printing::name(&object.metadata),
            word(object, &status).into(),
            completions(&spec, &status).into(),
            duration(&status, now).into(),
            printing::age(&object.metadata, now),
            names,
            images,
            selector.map_or_else(|| "<none>".to_string(), printing::label_selector).into(),
        ]
    }

    fn selectable_field(object: &Job, field: &str) -> Option<String> {
        let succeeded = object.status.as_ref().and_then(|status| status.succeeded);
        (field == SUCCESSFUL).then(|| succeeded.unwrap_or_default().to_string())
    }
}

/// Fields of features that are alpha.
pub(super) fn drop_disabled(spec: &mut JobSpec) {
    spec.scheduling = None;
    super::disabled::template(&mut spec.template);
}

/// The pods of a Job are those with its UID, unless its maker says otherwise.
/// Upstream: generateSelectorIfNeeded.
fn generate_selector(job: &mut Job) {
    let (name, uid) = (job.metadata.name.clone(), job.metadata.uid.clone());
    let spec = job.spec.get_or_insert_default();
    if spec.manual_selector == Some(true) {
        return;
    }
    let labels = spec.template.metadata.get_or_insert_default().labels.get_or_insert_default();
    for (keys, value) in [(NAME_LABELS, &name), (UID_LABELS, &uid)] {
        for key in keys {
            let value = value.clone().unwrap_or_default();
            labels.entry(key.to_string()).or_insert(value);
        }
    }
    let selector = spec.selector.get_or_insert_default().match_labels.get_or_insert_default();
    selector.entry(UID_LABELS[1].to_string()).or_insert_with(|| uid.unwrap_or_default());
}

fn word(job: &Job, status: &JobStatus) -> &'static str {
    let has = |condition: &str| {
        let mut conditions = status.conditions.iter().flatten();
        conditions.any(|it| it.type_ == condition && it.status == "True")
    };
    match () {
        () if has("Complete") => "Complete",
        () if has("Failed") => "Failed",
        () if job.metadata.deletion_timestamp.is_some() => "Terminating",
        () if has("Suspended") => "Suspended",
        () if has("FailureTarget") => "FailureTarget",
        () if has("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}

fn completions(spec: &JobSpec, status: &JobStatus) -> String {
    let succeeded = status.succeeded.unwrap_or_default();
    match (spec.completions, spec.parallelism.unwrap_or_default()) {
        (Some(completions), _) => format!("{succeeded}/{completions}"),
        (None, parallelism @ 2..) => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    }
}

fn duration(status: &JobStatus, now: Timestamp) -> String {
    let Some(started) = &status.start_time else { return String::new() };
    let end = status.completion_time.as_ref().map_or(now, |completed| completed.0);
    human_duration(end.duration_since(started.0))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn job(spec: Value, status: Value) -> Job {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "job1", "uid": "1a2b"}, "spec": spec, "status": status});
        serde_json::from_value(job).expect("a Job")
    }

    fn template() -> Value {
        json!({"spec": {"containers": []}})
    }

    /// Upstream: pkg/printers/internalversion/printers_test.go, TestPrintJob.
    #[test]
    fn print_job() {
        let minutes = |from: &str| json!(format!("2026-01-01T00:{from}:00Z"));
        let condition = |name: &str| json!([{"type": name, "status": "True"}]);
        let now: Timestamp = "2026-01-01T01:00:00Z".parse().expect("a time");
        for (spec, status, want) in [
            (json!({"completions": 2}), json!({"succeeded": 1}), ["Running", "1/2", ""]),
            (json!({}), json!({}), ["Running", "0/1", ""]),
            (json!({"parallelism": 20}), json!({}), ["Running", "0/1 of 20", ""]),
            (
                json!({"completions": 1}),
                json!({"startTime": minutes("10"), "completionTime": minutes("41"),
                    "succeeded": 1, "conditions": condition("Complete")}),
                ["Complete", "1/1", "31m"],
            ),
            (
                json!({"completions": 1}),
                json!({"startTime": minutes("40"), "conditions": condition("Failed")}),
                ["Failed", "0/1", "20m"],
            ),
            (
                json!({"completions": 1}),
                json!({"conditions": condition("Suspended")}),
                ["Suspended", "0/1", ""],
            ),
        ] {
            let mut spec = spec;
            spec["template"] = template();
            let row = Jobs::row(&job(spec, status), now);
            let cells: Vec<String> = row[1..4].iter().map(ToString::to_string).collect();
            assert_eq!(cells, want);
        }
    }

    /// Upstream: pkg/registry/batch/job/strategy_test.go, TestJobStrategy_GetAttrs and
    /// TestGenerateSelector.
    #[test]
    fn a_selector_is_generated() {
        let mut generated = job(json!({"template": template()}), json!({"active": 1}));
        Jobs::prepare_for_create(&mut generated);
        assert_eq!(generated.status, Some(JobStatus::default()));
        let spec = serde_json::to_value(&generated.spec).expect("JSON");
        assert_eq!(
            spec["template"]["metadata"]["labels"],
            json!({"controller-uid": "1a2b", "batch.kubernetes.io/controller-uid": "1a2b",
                "job-name": "job1", "batch.kubernetes.io/job-name": "job1"})
        );
        assert_eq!(
            spec["selector"],
            json!({"matchLabels": {"batch.kubernetes.io/controller-uid": "1a2b"}})
        );
        let manual = json!({"template": template(), "manualSelector": true});
        let mut kept = job(manual, json!({}));
        Jobs::prepare_for_create(&mut kept);
        assert_eq!(kept.spec.and_then(|spec| spec.selector), None);
    }
}
