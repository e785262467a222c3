//! DaemonSets, ControllerRevisions and PriorityClasses.
//!
//! Upstream: pkg/apis/apps/validation/validation_test.go, TestValidateDaemonSet and
//! TestValidateDaemonSetUpdateStrategy; pkg/apis/scheduling/validation/validation_test.go

use serde_json::{Value, json};

use super::{errors, merged, status_errors, update_errors};

fn daemon_set(spec: Value) -> Value {
    let valid = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "abc", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "abc", "image": "image"}]}},
        },
    });
    merged(valid, json!({ "spec": spec }))
}

#[test]
fn validate_daemon_set() {
    let rolling = |unavailable: Value, surge: Value| {
        json!({"updateStrategy": {"rollingUpdate":
            {"maxUnavailable": unavailable, "maxSurge": surge}}})
    };
    let mismatch = "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does \
                    not match template `labels`";
    for (name, spec, want) in [
        ("valid", json!({}), vec![]),
        ("on delete", json!({"updateStrategy": {"type": "OnDelete"}}), vec![]),
        ("missing selector", json!({"selector": null}), vec![mismatch]),
        (
            "the selector doesn't match",
            json!({"selector": {"matchLabels": {"a": "c"}}}),
            vec![mismatch],
        ),
        (
            "invalid restart policy and deadline",
            json!({"template": {"spec": {"restartPolicy": "OnFailure",
                "activeDeadlineSeconds": 5}}}),
            vec![
                "spec.template.spec.restartPolicy: Unsupported value: \"OnFailure\": supported \
                 values: \"Always\"",
                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in \
                 DaemonSet is not Supported",
            ],
        ),
        ("surge", rolling(json!(0), json!("25%")), vec![]),
        (
            "both",
            rolling(json!("10%"), json!(1)),
            vec![
                "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set \
                 when maxUnavailable is non-zero",
            ],
        ),
        (
            "neither",
            rolling(json!(0), json!("0%")),
            vec![
                "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 \
                 when maxSurge is 0",
            ],
        ),
        (
            "too much",
            rolling(json!("101%"), json!(0)),
            vec![
                "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: \"101%\": must \
                 not be greater than 100%",
            ],
        ),
        (
            "negative numbers",
            json!({"minReadySeconds": -1, "revisionHistoryLimit": -1}),
            vec![
                "spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0",
                "spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0",
            ],
        ),
    ] {
        assert_eq!(errors(daemon_set(spec)), want, "{name}");
    }
    let unknown = errors(daemon_set(json!({"updateStrategy": {"type": "Random"}})));
    assert!(unknown[0].ends_with("supported values: \"RollingUpdate\", \"OnDelete\""));
}

#[test]
fn validate_daemon_set_update() {
    let other = json!({"selector": {"matchLabels": {"a": "c"}},
        "template": {"metadata": {"labels": {"a": "c"}}}});
    let found = update_errors(daemon_set(json!({})), daemon_set(other));
    assert!(found[0].starts_with("spec.selector: Invalid value:"), "{found:?}");
    assert!(found[0].ends_with("field is immutable"), "{found:?}");
    let with_status = |count: i32| {
        let status = json!({"currentNumberScheduled": 1, "desiredNumberScheduled": 1,
            "numberMisscheduled": -1, "numberReady": 1, "collisionCount": count});
        merged(daemon_set(json!({})), json!({ "status": status }))
    };
    assert_eq!(
        status_errors(with_status(2), with_status(1)),
        [
            "status.numberMisscheduled: Invalid value: -1: must be greater than or equal to 0",
            "status.collisionCount: Invalid value: 1: cannot be decremented",
        ]
    );
}

#[test]
fn validate_controller_revision() {
    let revision = |data: Value, number: i64| {
        json!({"apiVersion": "apps/v1", "kind": "ControllerRevision",
            "metadata": {"name": "validname", "namespace": "default"},
            "data": data, "revision": number})
    };
    assert_eq!(errors(revision(json!({"a": 1}), 0)), Vec::<String>::new());
    assert_eq!(
        errors(revision(Value::Null, -1)),
        [
            "data: Required value: data is mandatory",
            "revision: Invalid value: -1: must be greater than or equal to 0",
        ]
    );
    assert_eq!(
        update_errors(revision(json!({"a": 1}), 0), revision(json!({"a": 2}), 1)),
        ["data: Invalid value: {\"a\":2}: field is immutable"]
    );
}

#[test]
fn validate_priority_class() {
    let class = |name: &str, value: i64, policy: &str| {
        json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
            "metadata": {"name": name}, "value": value, "preemptionPolicy": policy})
    };
    let lower = "PreemptLowerPriority";
    let reserved = "metadata.name: Forbidden: priority class names with 'system-' prefix are \
                    reserved for system use only. error: ";
    for (name, value, policy, want) in [
        ("tier1", 100, lower, vec![]),
        ("negative", -100, "Never", vec![]),
        ("system-cluster-critical", 2_000_000_000, lower, vec![]),
        (
            "system-cluster-critical",
            7,
            lower,
            vec![format!(
                "{reserved}value of system-cluster-critical PriorityClass must be 2000000000"
            )],
        ),
        (
            "system-high",
            7,
            lower,
            vec![format!("{reserved}system-high is not a known system priority class")],
        ),
        (
            "huge",
            1_000_000_001,
            lower,
            vec![
                "value: Forbidden: maximum allowed value of a user defined priority is 1000000000"
                    .to_string(),
            ],
        ),
        (
            "bad",
            1,
            "Sometimes",
            vec![
                "preemptionPolicy: Unsupported value: \"Sometimes\": supported values: \
                 \"PreemptLowerPriority\", \"Never\""
                    .to_string(),
            ],
        ),
    ] {
        assert_eq!(errors(class(name, value, policy)), want, "{name}");
    }
    assert_eq!(
        update_errors(class("tier1", 100, lower), class("tier1", 101, "Never")),
        [
            "value: Forbidden: may not be changed in an update.",
            "preemptionPolicy: Invalid value: \"Never\": field is immutable",
        ]
    );
}
