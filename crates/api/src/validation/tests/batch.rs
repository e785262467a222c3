//! Upstream: pkg/apis/batch/validation/validation_test.go

use serde_json::{Value, json};

use super::{errors, merged, status_errors, update_errors};

const UID: &str = "1a2b3c";

/// A Job as its strategy prepares it, with those changes to its specification.
fn job(spec: Value) -> Value {
    let labels = json!({"controller-uid": UID, "batch.kubernetes.io/controller-uid": UID,
        "job-name": "myjob", "batch.kubernetes.io/job-name": "myjob"});
    let valid = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "myjob", "namespace": "default", "uid": UID},
        "spec": {
            "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": UID}},
            "template": {"metadata": {"labels": labels}, "spec": {"restartPolicy": "Never",
                "containers": [{"name": "abc", "image": "image"}]}},
        },
    });
    merged(valid, json!({ "spec": spec }))
}

fn indexed(spec: Value) -> Value {
    job(merged(json!({"completionMode": "Indexed", "completions": 4}), spec))
}

fn failing(rule: Value) -> Value {
    job(json!({"podFailurePolicy": {"rules": [rule]}}))
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn validate_job() {
    let exit_codes = |codes: Value| json!({"action": "FailJob", "onExitCodes": codes});
    let rule = "spec.podFailurePolicy.rules[0]";
    let success = "spec.successPolicy.rules[0]";
    for (name, job, want) in [
        ("valid", job(json!({})), vec![]),
        (
            "valid indexed",
            indexed(json!({"backoffLimitPerIndex": 1, "maxFailedIndexes": 2})),
            vec![],
        ),
        (
            "restart policy",
            job(json!({"template": {"spec": {"restartPolicy": "Always"}}})),
            vec![
                "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \
                 \"Never\""
                    .to_string(),
            ],
        ),
        (
            "negative numbers",
            job(json!({"parallelism": -1, "ttlSecondsAfterFinished": -1})),
            ["parallelism", "ttlSecondsAfterFinished"]
                .map(|name| {
                    format!("spec.{name}: Invalid value: -1: must be greater than or equal to 0")
                })
                .to_vec(),
        ),
        (
            "labels of another job",
            job(json!({"template": {"metadata": {"labels": {"job-name": "other"}}}})),
            vec![format!(
                "spec.template.metadata.labels[job-name]: Invalid value: {{\"batch.kubernetes.\
                 io/controller-uid\":\"{UID}\",\"batch.kubernetes.io/job-name\":\"myjob\",\
                 \"controller-uid\":\"{UID}\",\"job-name\":\"other\"}}: must be 'myjob'"
            )],
        ),
        (
            "indexes without completions",
            job(json!({"completionMode": "Indexed", "parallelism": 2})),
            vec!["spec.completions: Required value: when completion mode is Indexed".to_string()],
        ),
        (
            "per index without indexes",
            job(json!({"backoffLimitPerIndex": 1})),
            vec![
                "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"
                    .to_string(),
            ],
        ),
        (
            "most failed indexes alone",
            indexed(json!({"maxFailedIndexes": 5})),
            vec![
                "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified"
                    .to_string(),
                "spec.maxFailedIndexes: Invalid value: 5: must be less than or equal to \
                 completions"
                    .to_string(),
            ],
        ),
        (
            "manager",
            job(json!({"managedBy": "nobody"})),
            vec![
                "spec.managedBy: Invalid value: \"nobody\": must be a domain-prefixed path \
                 (such as \"acme.io/foo\")"
                    .to_string(),
            ],
        ),
        (
            "exit codes",
            failing(exit_codes(json!({"operator": "In", "values": [3, 0, 3],
                "containerName": "xyz"}))),
            vec![
                format!(
                    "{rule}.onExitCodes.containerName: Invalid value: \"xyz\": must be one of \
                     the container or initContainer names in the pod template"
                ),
                format!(
                    "{rule}.onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In \
                     operator"
                ),
                format!("{rule}.onExitCodes.values[2]: Duplicate value: 3"),
                format!("{rule}.onExitCodes.values: Invalid value: [3,0,3]: must be ordered"),
            ],
        ),
        (
            "no requirement",
            failing(json!({"action": "Ignore"})),
            vec![format!(
                "{rule}: Invalid value: specifying one of OnExitCodes and OnPodConditions is \
                 required"
            )],
        ),
        (
            "action",
            failing(json!({"action": "FailIndex", "onPodConditions": [{"type": "a"}]})),
            vec![format!(
                "{rule}.action: Invalid value: \"FailIndex\": requires the backoffLimitPerIndex \
                 to be set"
            )],
        ),
        (
            "replacement while terminating",
            job(json!({"podFailurePolicy": {"rules": []},
                "podReplacementPolicy": "TerminatingOrFailed"})),
            vec![
                "spec.podReplacementPolicy: Unsupported value: \"TerminatingOrFailed\": \
                 supported values: \"Failed\""
                    .to_string(),
            ],
        ),
        (
            "success without indexes",
            job(json!({"successPolicy": {"rules": [{"succeededCount": 1}]}})),
            vec![
                "spec.successPolicy: Invalid value: {\"rules\":[{\"succeededCount\":1}]}: \
                 requires indexed completion mode"
                    .to_string(),
            ],
        ),
        (
            "success",
            indexed(json!({"successPolicy": {"rules": [
                {"succeededIndexes": "0-1", "succeededCount": 3}, {"succeededIndexes": "7"}]}})),
            vec![
                format!(
                    "{success}.succeededCount: Invalid value: 3: must be less than or equal to \
                     2 (the number of indexes in the specified succeededIndexes field)"
                ),
                "spec.successPolicy.rules[1].succeededIndexes: Invalid value: \"7\": error \
                 parsing succeededIndexes: too large index: \"7\""
                    .to_string(),
            ],
        ),
    ] {
        assert_eq!(errors(job), want, "{name}");
    }
    let long = "a".repeat(62);
    let mut named = indexed(json!({"manualSelector": true}));
    named["metadata"]["name"] = long.as_str().into();
    let want = format!(
        "metadata.name: Invalid value: \"{long}\": will not able to create pod with invalid DNS \
         label: {long}-3"
    );
    assert_eq!(errors(named), [want]);
}

#[test]
fn validate_job_update() {
    let immutable = "field is immutable";
    for (name, old, new, want) in [
        (
            "parallelism",
            job(json!({"completions": 1})),
            job(json!({"completions": 1, "parallelism": 5})),
            None,
        ),
        (
            "completions",
            job(json!({"completions": 1})),
            job(json!({"completions": 2})),
            Some("spec.completions: Invalid value: 2: field is immutable"),
        ),
        (
            "elastic",
            indexed(json!({"parallelism": 4})),
            indexed(json!({"completions": 5, "parallelism": 5})),
            None,
        ),
        (
            "not in tandem",
            indexed(json!({"parallelism": 4})),
            indexed(json!({"completions": 5})),
            Some(
                "spec.completions: Invalid value: 5: can only be modified in tandem with \
                  spec.parallelism",
            ),
        ),
        (
            "mode",
            job(json!({"completions": 4})),
            indexed(json!({})),
            Some("spec.completionMode: Invalid value: \"Indexed\": field is immutable"),
        ),
        (
            "manager",
            job(json!({})),
            job(json!({"managedBy": "a.b/c"})),
            Some("spec.managedBy: Invalid value: \"a.b/c\": field is immutable"),
        ),
    ] {
        let found = update_errors(old, new);
        assert_eq!(found, want.into_iter().collect::<Vec<_>>(), "{name}");
    }
    // A Job that waits may be told where to run.
    let directed = json!({"template": {"metadata": {"labels": {"x": "y"}}, "spec": {
        "nodeSelector": {"disk": "ssd"}, "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}}}}});
    let waiting = json!({"suspend": true});
    assert_eq!(
        update_errors(job(waiting.clone()), job(merged(waiting, directed.clone()))),
        [""; 0]
    );
    let found = update_errors(job(json!({})), job(directed));
    assert!(found.len() == 1 && found[0].ends_with(immutable), "{found:?}");
}

#[test]
fn validate_job_update_status() {
    let with = |spec: Value, status: Value| merged(indexed(spec), json!({"status": status}));
    let conditions = |names: &[&str]| {
        let all: Vec<Value> =
            names.iter().map(|name| json!({"type": name, "status": "True"})).collect();
        Value::Array(all)
    };
    let time = "2026-01-01T00:00:00Z";
    for (name, old, new, want) in [
        ("valid", json!({}), json!({"active": 1, "ready": 1, "startTime": time}), vec![]),
        (
            "complete",
            json!({"startTime": time}),
            json!({"startTime": time, "completionTime": time, "succeeded": 4,
                "completedIndexes": "0-3",
                "conditions": conditions(&["SuccessCriteriaMet", "Complete"])}),
            vec![],
        ),
        (
            "complete without its announcement",
            json!({"startTime": time}),
            json!({"startTime": time, "conditions": conditions(&["Complete"])}),
            vec![
                "status.conditions: Invalid value: cannot set Complete=True condition without \
                 the SuccessCriteriaMet=true condition",
                "status.completionTime: Required value: completionTime is required for Complete \
                 jobs",
            ],
        ),
        (
            "failed with pods",
            json!({"startTime": time}),
            json!({"startTime": time, "active": 1,
                "uncountedTerminatedPods": {"failed": ["a", "a"]},
                "conditions": conditions(&["FailureTarget", "Failed"])}),
            vec![
                "status.uncountedTerminatedPods.failed[1]: Duplicate value: \"a\"",
                "status.active: Invalid value: 1: active>0 is invalid for finished job",
                "status.uncountedTerminatedPods: Invalid value: {\"failed\":[\"a\",\"a\"]}: \
                 uncountedTerminatedPods needs to be empty for finished job",
            ],
        ),
        (
            "back to life",
            json!({"startTime": time, "failed": 1,
                "conditions": conditions(&["FailureTarget"])}),
            json!({"failed": 0}),
            vec![
                "status.conditions: Invalid value: cannot disable the terminal \
                 FailureTarget=True condition",
                "status.failed: Invalid value: 0: cannot decrease the failed counter",
                "status.startTime: Required value: startTime cannot be removed for unsuspended \
                 job",
            ],
        ),
        (
            "indexes",
            json!({}),
            json!({"completedIndexes": "1-3", "failedIndexes": "0,2", "active": 1, "ready": 2}),
            vec![
                "status.ready: Invalid value: 2: cannot set more ready pods than active",
                "status.failedIndexes: Invalid value: \"0,2\": failedIndexes and \
                 completedIndexes overlap at index: 2",
            ],
        ),
    ] {
        let spec = json!({"backoffLimitPerIndex": 1});
        let found = status_errors(with(spec.clone(), old), with(spec, new));
        assert_eq!(found, want, "{name}");
    }
}

fn cron_job(spec: Value) -> Value {
    let valid = json!({
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "mycronjob", "namespace": "default"},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": {
            "restartPolicy": "OnFailure", "containers": [{"name": "abc", "image": "image"}]}}}}},
    });
    merged(valid, json!({ "spec": spec }))
}

#[test]
fn validate_cron_job() {
    for (name, spec, want) in [
        ("basic", json!({}), vec![]),
        ("time zone", json!({"timeZone": "America/New_York", "schedule": "@daily"}), vec![]),
        ("no schedule", json!({"schedule": ""}), vec!["spec.schedule: Required value"]),
        (
            "bad schedule",
            json!({"schedule": "error"}),
            vec![
                "spec.schedule: Invalid value: \"error\": expected exactly 5 fields, found 1: \
                 [error]",
            ],
        ),
        (
            "zone in the schedule",
            json!({"schedule": "TZ=UTC 0 * * * *"}),
            vec![
                "spec.schedule: Invalid value: \"TZ=UTC 0 * * * *\": cannot use TZ or CRON_TZ in \
                 schedule, use timeZone field instead",
            ],
        ),
        (
            "unknown zone",
            json!({"timeZone": "Amerika/New_York"}),
            vec![
                "spec.timeZone: Invalid value: \"Amerika/New_York\": unknown time zone \
                 Amerika/New_York",
            ],
        ),
        (
            "negative numbers and policies",
            json!({"startingDeadlineSeconds": -1, "concurrencyPolicy": "All",
                "failedJobsHistoryLimit": -1}),
            vec![
                "spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal \
                 to 0",
                "spec.concurrencyPolicy: Unsupported value: \"All\": supported values: \
                 \"Allow\", \"Forbid\", \"Replace\"",
                "spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or equal \
                 to 0",
            ],
        ),
        (
            "manual selector",
            json!({"jobTemplate": {"spec": {"manualSelector": true,
                "selector": {"matchLabels": {"a": "b"}}}}}),
            vec![
                "spec.jobTemplate.spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"b\"}}: \
                 `selector` will be auto-generated",
                "spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported \
                 values: \"nil\", \"false\"",
            ],
        ),
    ] {
        assert_eq!(errors(cron_job(spec)), want, "{name}");
    }
    let mut long = cron_job(json!({}));
    long["metadata"]["name"] = "a".repeat(53).into();
    assert!(errors(long.clone())[0].ends_with("must be no more than 52 characters"));
    assert_eq!(update_errors(long.clone(), long), [""; 0]);
}
