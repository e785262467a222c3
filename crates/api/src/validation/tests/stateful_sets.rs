//! Upstream: pkg/apis/apps/validation/validation_test.go, TestValidateStatefulSet,
//! TestValidateStatefulSetUpdate and TestValidateStatefulSetStatus

use serde_json::{Value, json};

use super::{errors, merged, status_errors, update_errors};

fn stateful_set(spec: Value) -> Value {
    let valid = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "abc", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "abc", "image": "image"}]}},
        },
    });
    merged(valid, json!({ "spec": spec }))
}

fn claim(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}}}})
}

fn mounting(volume: &str) -> Value {
    json!({"spec": {"containers": [{"name": "abc", "image": "image",
        "volumeMounts": [{"name": volume, "mountPath": "/data"}]}]}})
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn validate_stateful_set() {
    let negative =
        |name: &str| format!("spec.{name}: Invalid value: -1: must be greater than or equal to 0");
    let rolling = |changes: Value| json!({"updateStrategy": {"rollingUpdate": changes}});
    let unavailable = "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: ";
    for (name, spec, want) in [
        ("ordered ready policy", json!({"podManagementPolicy": "OrderedReady"}), vec![]),
        ("parallel pod management", json!({"podManagementPolicy": "Parallel"}), vec![]),
        ("ordinals.start positive value", json!({"ordinals": {"start": 2}}), vec![]),
        (
            "claims are volumes of the pods",
            json!({"template": mounting("data"), "volumeClaimTemplates": [claim("data")]}),
            vec![],
        ),
        (
            "no such volume",
            json!({"template": mounting("data"), "volumeClaimTemplates": [claim("other")]}),
            vec![
                "spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"data\""
                    .to_string(),
            ],
        ),
        (
            "invalid policy",
            json!({"podManagementPolicy": "Other"}),
            vec![
                "spec.podManagementPolicy: Invalid value: \"Other\": must be 'OrderedReady' or \
                 'Parallel'"
                    .to_string(),
            ],
        ),
        (
            "negative numbers",
            json!({"replicas": -1, "minReadySeconds": -1, "ordinals": {"start": -1}}),
            vec![negative("replicas"), negative("minReadySeconds"), negative("ordinals.start")],
        ),
        (
            "missing selector",
            json!({"selector": null}),
            vec!["spec.selector: Required value".to_string()],
        ),
        (
            "selector does not match template labels",
            json!({"selector": {"matchLabels": {"a": "c"}}}),
            vec![
                "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does \
                 not match template `labels`"
                    .to_string(),
            ],
        ),
        (
            "invalid restart policy",
            json!({"template": {"spec": {"restartPolicy": "Never",
                "activeDeadlineSeconds": 5}}}),
            vec![
                "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported \
                 values: \"Always\""
                    .to_string(),
                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in \
                 StatefulSet is not Supported"
                    .to_string(),
            ],
        ),
        ("partition", rolling(json!({"partition": 2, "maxUnavailable": "40%"})), vec![]),
        (
            "negative partition",
            rolling(json!({"partition": -1})),
            vec![negative("updateStrategy.rollingUpdate.partition")],
        ),
        (
            "none may be unavailable",
            rolling(json!({"maxUnavailable": 0})),
            vec![format!("{unavailable}0: cannot be 0")],
        ),
        (
            "too many may be unavailable",
            rolling(json!({"maxUnavailable": "101%"})),
            vec![format!("{unavailable}\"101%\": must not be greater than 100%")],
        ),
        (
            "retention",
            json!({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete",
                "whenScaled": "invalid"}}),
            vec![
                "spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: \
                 \"invalid\": supported values: \"Retain\", \"Delete\""
                    .to_string(),
            ],
        ),
    ] {
        assert_eq!(errors(stateful_set(spec)), want, "{name}");
    }
    let dotted = merged(stateful_set(json!({})), json!({"metadata": {"name": "abc.def"}}));
    assert_eq!(
        errors(dotted),
        ["metadata.name: Invalid value: \"abc.def\": must not contain dots",]
    );
}

#[test]
fn validate_stateful_set_update() {
    let forbidden = "spec: Forbidden: updates to statefulset spec for fields other than \
                     'replicas', 'ordinals', 'template', 'updateStrategy', \
                     'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                     'minReadySeconds' are forbidden";
    let old = || stateful_set(json!({"serviceName": "s"}));
    for (name, spec, want) in [
        ("replicas", json!({"replicas": 3}), vec![]),
        ("template", json!({"template": {"metadata": {"labels": {"x": "y"}}}}), vec![]),
        ("strategy", json!({"updateStrategy": {"type": "OnDelete"}}), vec![]),
        ("history", json!({"revisionHistoryLimit": 2, "ordinals": {"start": 1}}), vec![]),
        ("policy", json!({"podManagementPolicy": "Parallel"}), vec![forbidden]),
        ("service", json!({"serviceName": "t"}), vec![forbidden]),
        ("claims", json!({"volumeClaimTemplates": [claim("data")]}), vec![forbidden]),
    ] {
        assert_eq!(update_errors(old(), merged(old(), json!({"spec": spec}))), want, "{name}");
    }
}

#[test]
fn validate_stateful_set_status() {
    let with = |status: Value| merged(stateful_set(json!({})), json!({ "status": status }));
    let greater = |name: &str| {
        format!("status.{name}: Invalid value: 4: cannot be greater than status.replicas")
    };
    for (status, want) in [
        (json!({"replicas": 3, "readyReplicas": 3, "currentReplicas": 2}), vec![]),
        (
            json!({"replicas": 3, "readyReplicas": 4, "updatedReplicas": 4}),
            vec![greater("readyReplicas"), greater("updatedReplicas")],
        ),
        (
            json!({"replicas": 3, "readyReplicas": 1, "availableReplicas": 2,
                "collisionCount": 0}),
            vec![
                "status.availableReplicas: Invalid value: 2: cannot be greater than \
                 status.readyReplicas"
                    .to_string(),
                "status.collisionCount: Invalid value: 0: cannot be decremented".to_string(),
            ],
        ),
    ] {
        let collisions =
            if want.len() == 2 && status.get("collisionCount").is_some() { 1 } else { 0 };
        let old = with(json!({"replicas": 0, "collisionCount": collisions}));
        assert_eq!(status_errors(old, with(status)), want);
    }
}
