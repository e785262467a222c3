//! Upstream: pkg/controller/job/pod_failure_policy_test.go, success_policy_test.go and
//! indexed_job_utils_test.go

use api::job_indexes::Indexes;
use api::openapi::api::batch::v1::{JobSpec, SuccessPolicy};
use api::openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::indexes::{assign, first_pending};
use super::policies::{Verdict, is_pod_failed, met_rule, verdict};

fn spec(fields: Value) -> JobSpec {
    let mut spec = fields;
    spec["template"] = json!({});
    serde_json::from_value(spec).expect("a specification")
}

fn failed(codes: &[(&str, i32)]) -> Pod {
    let container = |name: &str, code: i32| {
        json!({"name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": code}}})
    };
    let statuses: Vec<Value> = codes.iter().map(|(name, code)| container(name, *code)).collect();
    let pod = json!({"metadata": {"namespace": "default", "name": "mypod"},
        "status": {"phase": "Failed", "containerStatuses": statuses,
            "conditions": [{"type": "DisruptionTarget", "status": "True"}]}});
    serde_json::from_value(pod).expect("a pod")
}

/// Upstream: TestMatchPodFailurePolicy.
#[test]
fn match_pod_failure_policy() {
    let on_codes = |action: &str, operator: &str, values: &[i32]| json!({"action": action, "onExitCodes": {"operator": operator, "values": values}});
    let on_condition = |action: &str, status: &str| {
        json!({"action": action,
            "onPodConditions": [{"type": "DisruptionTarget", "status": status}]})
    };
    let fails = |why: &str| Verdict::FailJob(why.to_string());
    for (name, rules, codes, want) in [
        ("no rules", json!([]), vec![("main", 1)], Verdict::None),
        (
            "in",
            json!([on_codes("FailJob", "In", &[1, 2])]),
            vec![("main", 2)],
            fails(
                "Container main for pod default/mypod failed with exit code 2 matching FailJob \
                 rule at index 0",
            ),
        ),
        (
            "not listed",
            json!([on_codes("FailJob", "In", &[1, 2])]),
            vec![("main", 3)],
            Verdict::None,
        ),
        ("not in", json!([on_codes("Ignore", "NotIn", &[1])]), vec![("main", 3)], Verdict::Ignore),
        (
            "success is no failure",
            json!([on_codes("Ignore", "NotIn", &[1])]),
            vec![("main", 0)],
            Verdict::None,
        ),
        (
            "the first rule decides",
            json!([on_codes("Count", "In", &[1]), on_condition("FailJob", "True")]),
            vec![("main", 1)],
            Verdict::Count,
        ),
        (
            "condition",
            json!([on_condition("FailJob", "True")]),
            vec![("main", 1)],
            fails(
                "Pod default/mypod has condition DisruptionTarget matching FailJob rule at index 0",
            ),
        ),
        (
            "condition that does not hold",
            json!([on_condition("Ignore", "False")]),
            vec![("main", 1)],
            Verdict::None,
        ),
        (
            "index",
            json!([on_codes("FailIndex", "In", &[1])]),
            vec![("main", 1)],
            Verdict::FailIndex,
        ),
    ] {
        let spec = spec(json!({"podFailurePolicy": {"rules": rules}}));
        assert_eq!(verdict(&spec, &failed(&codes)), want, "{name}");
    }
}

/// Upstream: TestMatchSuccessPolicy.
#[test]
fn match_success_policy() {
    for (rules, succeeded, want) in [
        (json!([{"succeededCount": 2}]), vec![0], None),
        (json!([{"succeededCount": 2}]), vec![0, 4], Some(0)),
        (json!([{"succeededIndexes": "0-2"}]), vec![0, 1], None),
        (json!([{"succeededIndexes": "0-2"}]), vec![0, 1, 2, 3], Some(0)),
        (json!([{"succeededIndexes": "0-2", "succeededCount": 1}]), vec![2], Some(0)),
        (json!([{"succeededCount": 9}, {"succeededIndexes": "5"}]), vec![5], Some(1)),
    ] {
        let policy: SuccessPolicy =
            serde_json::from_value(json!({"rules": rules})).expect("a policy");
        let found = met_rule(Some(&policy), 10, &Indexes::of(succeeded));
        assert_eq!(found, want.map(|index| format!("Matched rules at index {index}")));
    }
    assert_eq!(met_rule(None, 10, &Indexes::of([0])), None);
}

/// Upstream: TestIsPodFailed.
#[test]
fn deleted_pods_count_as_failed_unless_the_job_waits_for_them() {
    let pod = |phase: &str| -> Pod {
        let pod = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"},
            "status": {"phase": phase}});
        serde_json::from_value(pod).expect("a pod")
    };
    let (at_once, later) = (spec(json!({})), spec(json!({"podReplacementPolicy": "Failed"})));
    for (phase, want, wanted_later) in
        [("Running", true, false), ("Failed", true, true), ("Succeeded", false, false)]
    {
        assert_eq!(is_pod_failed(&at_once, &pod(phase)), want);
        assert_eq!(is_pod_failed(&later, &pod(phase)), wanted_later);
    }
}

/// Upstream: TestFirstPendingIndexes.
#[test]
fn the_first_free_indexes_come_next() {
    for (busy, count, completions, want) in [
        (vec![], 3, 5, vec![0, 1, 2]),
        (vec![0, 2], 3, 5, vec![1, 3, 4]),
        (vec![1, 2, 3], 9, 5, vec![0, 4]),
        (vec![0, 1, 2, 3, 4], 1, 5, vec![]),
        (vec![3], 2, 3, vec![0, 1]),
    ] {
        assert_eq!(first_pending(&Indexes::of(busy), count, completions), want);
    }
}

/// Upstream: TestPodGenerateNameWithIndex and TestGetNewIndexFailureCounts.
#[test]
fn pods_of_an_index_are_called_after_it() {
    let mut pod = Pod::default();
    let spec = spec(json!({"backoffLimitPerIndex": 1}));
    let long = "a".repeat(63);
    assign(&long, &spec, &mut pod, 12, None);
    assert_eq!(pod.metadata.generate_name, Some(format!("{}-12-", "a".repeat(54))));
    let annotation = |pod: &Pod| {
        let annotations = pod.metadata.annotations.clone().unwrap_or_default();
        annotations["batch.kubernetes.io/job-index-failure-count"].clone()
    };
    assert_eq!(annotation(&pod), "0");
    let mut next = Pod::default();
    assign("job", &spec, &mut next, 12, Some(&pod));
    assert_eq!(annotation(&next), "1");
    assert_eq!(next.spec.and_then(|spec| spec.hostname).as_deref(), Some("job-12"));
}
