//! Changes of pods, and of what a kubelet reports of them.

use serde_json::{Value, json};

use super::{merged, pod, status_errors, update_errors};

fn versioned(object: Value) -> Value {
    let meta = json!({"resourceVersion": "1", "uid": "u"});
    merged(object, json!({ "metadata": meta }))
}

fn changed(old: Value, new: Value) -> Vec<String> {
    update_errors(versioned(pod(old)), versioned(pod(new)))
}

const NO_OTHER_FIELDS: &str = "spec: Forbidden: pod updates may not change fields other than \
    `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
    `spec.tolerations` (only additions to existing tolerations),\
    `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n";

#[test]
fn validate_pod_update_allows() {
    let image = |image: &str| json!({"containers": [{"name": "ctr", "image": image}]});
    let toleration = |seconds: i64| {
        json!({"tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute",
            "tolerationSeconds": seconds}]})
    };
    for (old, new) in [
        (json!({}), json!({})),
        (image("foo:V1"), image("foo:V2")),
        (json!({}), json!({"activeDeadlineSeconds": 5})),
        (json!({"activeDeadlineSeconds": 5}), json!({"activeDeadlineSeconds": 3})),
        (json!({}), toleration(10)),
        (toleration(10), toleration(20)),
        (json!({"terminationGracePeriodSeconds": -1}), json!({"terminationGracePeriodSeconds": 1})),
        (
            json!({"schedulingGates": [{"name": "a"}, {"name": "b"}]}),
            json!({"schedulingGates": [{"name": "b"}]}),
        ),
        (
            json!({"schedulingGates": [{"name": "a"}], "nodeSelector": {"a": "b"}}),
            json!({"schedulingGates": [{"name": "a"}], "nodeSelector": {"a": "b", "c": "d"}}),
        ),
        (
            json!({"schedulingGates": [{"name": "a"}]}),
            json!({"schedulingGates": [{"name": "a"}], "affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]}}}}),
        ),
    ] {
        assert_eq!(changed(old.clone(), new.clone()), [""; 0], "{old} to {new}");
    }
}

#[test]
fn validate_pod_update_refuses() {
    let two = json!([{"name": "ctr", "image": "i:1"}, {"name": "b", "image": "i:1"}]);
    let cases: Vec<(Value, Value, &str)> = vec![
        (
            json!({}),
            json!({ "containers": two }),
            "spec.containers: Forbidden: pod updates may not add or remove containers",
        ),
        (
            json!({"activeDeadlineSeconds": 3}),
            json!({"activeDeadlineSeconds": 5}),
            "spec.activeDeadlineSeconds: Invalid value: 5: must be less than or equal to \
             previous value",
        ),
        (
            json!({"activeDeadlineSeconds": 3}),
            json!({}),
            "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive \
             integer to nil value",
        ),
        (
            json!({"tolerations": [{"key": "a", "operator": "Exists"}]}),
            json!({"tolerations": [{"key": "b", "operator": "Exists"}]}),
            "spec.tolerations: Forbidden: existing toleration can not be modified except its \
             tolerationSeconds",
        ),
        (
            json!({"schedulingGates": [{"name": "a"}]}),
            json!({"schedulingGates": [{"name": "b"}]}),
            "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new \
             scheduling gate 'b'",
        ),
        (
            json!({"schedulingGates": [{"name": "a"}], "nodeSelector": {"a": "b"}}),
            json!({"schedulingGates": [{"name": "a"}], "nodeSelector": {"a": "c"}}),
            "spec.nodeSelector: Invalid value: {\"a\":\"c\"}: only additions are allowed (no \
             mutations or deletions)",
        ),
    ];
    for (old, new, want) in cases {
        assert_eq!(changed(old.clone(), new.clone()), [want], "{old} to {new}");
    }
}

#[test]
fn validate_pod_update_shows_what_differs() {
    let difference = |old: Value, new: Value| {
        let errors = changed(old, new);
        assert_eq!(errors.len(), 1);
        errors[0].strip_prefix(NO_OTHER_FIELDS).expect("the usual words").to_string()
    };
    let node = difference(json!({}), json!({"nodeName": "node-1"}));
    let want = [
        "  core.PodSpec{",
        "  \t... // 9 identical fields",
        "  \tServiceAccountName:           \"\",",
        "  \tAutomountServiceAccountToken: nil,",
        "- \tNodeName:                     \"\",",
        "+ \tNodeName:                     \"node-1\",",
        "  \tSecurityContext:              &{},",
        "  \tImagePullSecrets:             nil,",
        "  \t... // 21 identical fields",
        "  }",
    ];
    assert_eq!(node.lines().collect::<Vec<_>>(), want);
    let container = |port: i32| {
        json!({"containers": [
            {"name": "ctr", "image": "i:1", "ports": [{"containerPort": port}]}]})
    };
    let port = difference(container(80), container(81));
    let want = [
        "  core.PodSpec{",
        "  \tVolumes:        nil,",
        "  \tInitContainers: nil,",
        "  \tContainers: []core.Container{",
        "  \t\t{",
        "  \t\t\t... // 3 identical fields",
        "  \t\t\tArgs:       nil,",
        "  \t\t\tWorkingDir: \"\",",
        "  \t\t\tPorts: []core.ContainerPort{",
        "  \t\t\t\t{",
        "- \t\t\t\t\tContainerPort: 80,",
        "+ \t\t\t\t\tContainerPort: 81,",
        "  \t\t\t\t\tProtocol:      \"TCP\",",
        "  \t\t\t\t},",
        "  \t\t\t},",
        "  \t\t\tEnvFrom: nil,",
        "  \t\t\tEnv:     nil,",
        "  \t\t\t... // 17 identical fields",
        "  \t\t},",
        "  \t},",
        "  \tEphemeralContainers: nil,",
        "  \tRestartPolicy:       \"Always\",",
        "  \t... // 30 identical fields",
        "  }",
    ];
    assert_eq!(port.lines().collect::<Vec<_>>(), want);
}

#[test]
fn validate_pod_update_of_metadata() {
    let mirror = |value: Option<&str>| {
        let annotations = value.map(|value| json!({"kubernetes.io/config.mirror": value}));
        let meta = json!({"annotations": annotations.unwrap_or(json!({}))});
        merged(versioned(pod(json!({"nodeName": "n"}))), json!({ "metadata": meta }))
    };
    let path = "metadata.annotations[kubernetes.io/config.mirror]: Forbidden:";
    for (old, new, want) in [
        (Some("a"), Some("b"), "may not remove or update mirror pod annotation"),
        (None, Some("b"), "may not add mirror pod annotation"),
        (Some("a"), None, "may not remove or update mirror pod annotation"),
    ] {
        assert_eq!(update_errors(mirror(old), mirror(new)), [format!("{path} {want}")]);
    }
}

#[test]
fn validate_pod_status_update() {
    let with = |status: Value, policy: &str| {
        let pod = versioned(pod(json!({"nodeName": "node1", "restartPolicy": policy})));
        merged(pod, json!({ "status": status }))
    };
    let state = |state: Value| {
        json!({"containerStatuses": [{
            "name": "ctr", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": state}]})
    };
    let ended = |code: i32| state(json!({"terminated": {"exitCode": code}}));
    let running = state(json!({"running": {}}));
    let stays = "status.containerStatuses[0].state: Forbidden: may not be transitioned to \
                 non-terminated state";
    for (old, new, policy, want) in [
        (json!({}), json!({"phase": "Running", "podIP": "10.0.0.1"}), "Always", vec![]),
        (ended(0), running.clone(), "Always", vec![]),
        (ended(1), running.clone(), "OnFailure", vec![]),
        (ended(0), running.clone(), "OnFailure", vec![stays]),
        (ended(1), running, "Never", vec![stays]),
        (
            json!({"qosClass": "BestEffort"}),
            json!({"qosClass": "Burstable"}),
            "Always",
            vec!["status.qosClass: Invalid value: \"Burstable\": field is immutable"],
        ),
        (
            json!({}),
            json!({"podIPs": [{"ip": "1.1.1.1"}, {"ip": "1.1.1.2"}]}),
            "Always",
            vec![
                "status.podIPs: Invalid value: [{\"ip\":\"1.1.1.1\"},{\"ip\":\"1.1.1.2\"}]: may \
                 specify no more than one IP for each IP family",
            ],
        ),
        (
            json!({}),
            json!({"hostIP": "1.1.1.1", "hostIPs": [{"ip": "1.1.1.2"}]}),
            "Always",
            vec!["status.hostIPs[0].ip: Invalid value: \"1.1.1.2\": must be equal to `hostIP`"],
        ),
    ] {
        let errors = status_errors(with(old.clone(), policy), with(new.clone(), policy));
        assert_eq!(errors, want, "{old} to {new}");
    }
}
