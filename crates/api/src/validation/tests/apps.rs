//! Deployments and ReplicaSets.

use serde_json::{Value, json};

use super::{errors, merged, status_errors, update_errors};

fn deployment(spec: Value) -> Value {
    workload("Deployment", spec)
}

fn workload(kind: &str, spec: Value) -> Value {
    let workload = json!({
        "apiVersion": "apps/v1", "kind": kind,
        "metadata": {"name": "abc", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"name": "abc"}},
            "template": {
                "metadata": {"labels": {"name": "abc"}},
                "spec": {"containers": [{"name": "nginx", "image": "nginx"}]},
            },
        },
    });
    merged(workload, json!({ "spec": spec }))
}

fn strategy(strategy: Value) -> Value {
    deployment(json!({ "strategy": strategy }))
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn validate_deployment() {
    let percent = "a valid percent string must be a numeric string followed by an ending '%' \
                   (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
    let rolling = |surge: Value, unavailable: Value| {
        strategy(json!({"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}))
    };
    let table: Vec<(Value, Vec<String>)> = vec![
        (deployment(json!({})), vec![]),
        (rolling(json!(1), json!(0)), vec![]),
        (rolling(json!("0%"), json!("100%")), vec![]),
        (
            deployment(json!({"selector": null})),
            vec![
                "spec.selector: Required value".into(),
                "spec.template.metadata.labels: Invalid value: {\"name\":\"abc\"}: `selector` \
                 does not match template `labels`"
                    .into(),
            ],
        ),
        (
            deployment(json!({"template": {"metadata": {"labels": {"name": "xyz"}}}})),
            vec![
                "spec.template.metadata.labels: Invalid value: {\"name\":\"xyz\"}: `selector` \
                 does not match template `labels`"
                    .into(),
            ],
        ),
        (
            deployment(json!({"template": {"spec": {"restartPolicy": "OnFailure"}}})),
            vec![
                "spec.template.spec.restartPolicy: Unsupported value: \"OnFailure\": supported \
                 values: \"Always\""
                    .into(),
            ],
        ),
        (
            strategy(json!({"type": "Recreate", "rollingUpdate": {}})),
            vec![
                "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy \
                 `type` is 'Recreate'"
                    .into(),
            ],
        ),
        (
            rolling(json!("20Percent"), json!(1)),
            vec![format!(
                "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"20Percent\": {percent}"
            )],
        ),
        (
            rolling(json!(0), json!(0)),
            vec![
                "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when \
                 `maxSurge` is 0"
                    .into(),
            ],
        ),
        (
            rolling(json!(1), json!("110%")),
            vec![
                "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"110%\": must not be \
                 greater than 100%"
                    .into(),
            ],
        ),
        (
            rolling(json!(-1), json!(1)),
            vec![
                "spec.strategy.rollingUpdate.maxSurge: Invalid value: -1: must be greater than or \
                 equal to 0"
                    .into(),
            ],
        ),
        (
            strategy(json!({"type": "Magic"})),
            vec![
                "spec.strategy: Unsupported value: {\"RollingUpdate\":null,\"Type\":\"Magic\"}: \
                 supported values: \"Recreate\", \"RollingUpdate\""
                    .into(),
            ],
        ),
        (
            deployment(json!({"minReadySeconds": 600})),
            vec![
                "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than \
                 minReadySeconds"
                    .into(),
            ],
        ),
        (
            deployment(json!({"replicas": -1, "revisionHistoryLimit": -2})),
            vec![
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0".into(),
                "spec.revisionHistoryLimit: Invalid value: -2: must be greater than or equal to 0"
                    .into(),
            ],
        ),
        (
            deployment(json!({"template": {"spec": {"containers": null}}})),
            vec!["spec.template.spec.containers: Required value".into()],
        ),
    ];
    for (object, want) in table {
        let spec = object["spec"].clone();
        assert_eq!(errors(object), want, "{spec}");
    }
}

#[test]
fn validate_deployment_update() {
    let labels = |value: &str| {
        json!({
            "selector": {"matchLabels": {"name": value}},
            "template": {"metadata": {"labels": {"name": value}}},
        })
    };
    assert_eq!(
        update_errors(deployment(labels("a")), deployment(labels("b"))),
        ["spec.selector: Invalid value: {\"matchLabels\":{\"name\":\"b\"}}: field is immutable"]
    );
    assert_eq!(update_errors(deployment(json!({})), deployment(json!({"replicas": 7}))), [""; 0]);
}

#[test]
fn validate_deployment_status() {
    let with = |status: Value| merged(deployment(json!({})), json!({ "status": status }));
    for (status, want) in [
        (
            json!({"replicas": 3, "updatedReplicas": 3, "readyReplicas": 2, "availableReplicas": 1}),
            vec![],
        ),
        (
            json!({"unavailableReplicas": -3}),
            vec![
                "status.unavailableReplicas: Invalid value: -3: must be greater than or equal to 0",
            ],
        ),
        (
            json!({"replicas": 3, "updatedReplicas": 4}),
            vec![
                "status.updatedReplicas: Invalid value: 4: cannot be greater than status.replicas",
            ],
        ),
        (
            json!({"replicas": 3, "readyReplicas": 1, "availableReplicas": 2}),
            vec![
                "status.availableReplicas: Invalid value: 2: cannot be greater than readyReplicas",
            ],
        ),
    ] {
        assert_eq!(status_errors(with(json!({})), with(status.clone())), want, "{status}");
    }
    assert_eq!(
        status_errors(with(json!({"collisionCount": 2})), with(json!({"collisionCount": 1}))),
        ["status.collisionCount: Invalid value: 1: cannot be decremented"]
    );
}

#[test]
fn validate_replica_set() {
    let replica_set = |spec: Value| workload("ReplicaSet", spec);
    for (spec, want) in [
        (json!({}), vec![]),
        (
            json!({"replicas": -1, "minReadySeconds": -1}),
            vec![
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                "spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0",
            ],
        ),
        (
            json!({"selector": {"matchExpressions": [
                {"key": "name", "operator": "Like", "values": ["a"]}]}}),
            vec![
                "spec.selector.matchExpressions[0].operator: Invalid value: \"Like\": not a valid \
                 selector operator",
                "spec.selector: Invalid value: {\"matchExpressions\":[{\"key\":\"name\",\
                 \"operator\":\"Like\",\"values\":[\"a\"]}],\"matchLabels\":{\"name\":\"abc\"}}: \
                 invalid label selector",
            ],
        ),
        (
            json!({"template": {"spec": {"activeDeadlineSeconds": 5}}}),
            vec![
                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in \
                 ReplicaSet is not Supported",
            ],
        ),
    ] {
        assert_eq!(errors(replica_set(spec.clone())), want, "{spec}");
    }
    let with = |status: Value| merged(replica_set(json!({})), json!({ "status": status }));
    assert_eq!(
        status_errors(
            with(json!({"replicas": 1})),
            with(json!({"replicas": 1, "fullyLabeledReplicas": 2}))
        ),
        ["status.fullyLabeledReplicas: Invalid value: 2: cannot be greater than status.replicas"]
    );
}
