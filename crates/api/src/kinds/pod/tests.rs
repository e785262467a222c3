//! Upstream: TestPrintPod and its neighbours in
//! pkg/printers/internalversion/printers_test.go, TestGetPodQOS in
//! pkg/apis/core/helper/qos/qos_test.go, and pkg/registry/core/pod/strategy_test.go

use serde_json::{Value, json};

use super::*;

fn pod(value: Value) -> Pod {
    serde_json::from_value(value).expect("a pod")
}

fn now() -> Timestamp {
    "2026-01-01T00:10:00Z".parse().expect("a time")
}

/// Ready, Status and Restarts of a pod with that spec and status.
fn cells(spec: Value, status: Value, deleted: bool) -> [String; 3] {
    let mut object = pod(json!({"metadata": {"name": "test"}, "spec": spec, "status": status}));
    if deleted {
        object.metadata.deletion_timestamp = Some(now().into());
    }
    let row = Pods::row(&object, now());
    [row[1].to_string(), row[2].to_string(), row[3].to_string()]
}

fn two_containers() -> Value {
    json!({"containers": [{"name": "a"}, {"name": "b"}]})
}

fn running(ready: bool, restarts: i32) -> Value {
    json!({
        "name": "a", "image": "", "imageID": "", "ready": ready, "restartCount": restarts,
        "state": {"running": {}},
    })
}

fn in_state(state: Value, restarts: i32) -> Value {
    json!({
        "name": "a", "image": "", "imageID": "", "ready": false, "restartCount": restarts,
        "state": state,
    })
}

#[test]
fn print_pod() {
    let waiting = json!({"waiting": {"reason": "ContainerWaitingReason"}});
    let terminated = json!({"terminated": {"exitCode": 1, "reason": "ContainerTerminatedReason"}});
    for (status, deleted, want) in [
        (
            json!({"phase": "podPhase", "containerStatuses": [
                running(true, 6), in_state(json!({}), 3)]}),
            false,
            ["1/2", "podPhase", "9"],
        ),
        (
            json!({"phase": "podPhase", "containerStatuses": [running(true, 6), waiting]}),
            false,
            ["1/2", "ContainerWaitingReason", "9"],
        ),
        (
            json!({"phase": "podPhase", "containerStatuses": [running(true, 6), terminated]}),
            false,
            ["1/2", "ContainerTerminatedReason", "9"],
        ),
        (
            json!({"phase": "podPhase", "containerStatuses": [
                running(true, 6), json!({"terminated": {"exitCode": 4}})]}),
            false,
            ["1/2", "ExitCode:4", "9"],
        ),
        (
            json!({"phase": "podPhase", "containerStatuses": [
                running(true, 6), json!({"terminated": {"exitCode": 4, "signal": 11}})]}),
            false,
            ["1/2", "Signal:11", "9"],
        ),
        (
            json!({"phase": "Running", "containerStatuses": [
                running(true, 6), json!({"terminated": {"exitCode": 0, "reason": "Completed"}})]}),
            false,
            ["1/2", "NotReady", "9"],
        ),
        (
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [running(true, 6),
                    json!({"terminated": {"exitCode": 0, "reason": "Completed"}})]}),
            false,
            ["1/2", "Running", "9"],
        ),
        (json!({"phase": "podPhase", "reason": "Evicted"}), false, ["0/2", "Evicted", "0"]),
        (json!({"phase": "Running", "containerStatuses": []}), true, ["0/2", "Terminating", "0"]),
        (json!({"phase": "Running", "reason": "NodeLost"}), true, ["0/2", "Unknown", "0"]),
        (json!({"phase": "Failed"}), true, ["0/2", "Failed", "0"]),
        (
            json!({"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}),
            false,
            ["0/2", "SchedulingGated", "0"],
        ),
    ] {
        let mut status = status;
        // A bare state stands for the second container.
        for entry in status["containerStatuses"].as_array_mut().into_iter().flatten() {
            if entry.get("name").is_none() {
                *entry = in_state(entry.clone(), 3);
            }
        }
        assert_eq!(cells(two_containers(), status.clone(), deleted), want, "{status}");
    }
}

#[test]
fn print_pod_with_init_containers() {
    let spec = json!({
        "containers": [{"name": "a"}],
        "initContainers": [{"name": "i1"}, {"name": "i2"}],
    });
    let init = |state: Value, restarts: i32| {
        let mut status = in_state(state, restarts);
        status["name"] = json!("i1");
        status
    };
    let done = json!({"terminated": {"exitCode": 0}});
    for (statuses, conditions, want) in [
        (vec![init(json!({"running": {}}), 0)], json!([]), ["0/1", "Init:0/2", "0"]),
        (
            vec![init(done.clone(), 0), init(json!({"running": {}}), 2)],
            json!([]),
            ["0/1", "Init:1/2", "2"],
        ),
        (
            vec![init(json!({"waiting": {"reason": "CrashLoopBackOff"}}), 5)],
            json!([]),
            ["0/1", "Init:CrashLoopBackOff", "5"],
        ),
        (
            vec![init(json!({"waiting": {"reason": "PodInitializing"}}), 0)],
            json!([]),
            ["0/1", "Init:0/2", "0"],
        ),
        (
            vec![init(json!({"terminated": {"exitCode": 3}}), 1)],
            json!([]),
            ["0/1", "Init:ExitCode:3", "1"],
        ),
        (
            vec![init(json!({"terminated": {"exitCode": 3, "signal": 9}}), 1)],
            json!([]),
            ["0/1", "Init:Signal:9", "1"],
        ),
        (
            vec![init(json!({"terminated": {"exitCode": 3, "reason": "Error"}}), 1)],
            json!([]),
            ["0/1", "Init:Error", "1"],
        ),
        (
            vec![init(json!({"running": {}}), 1)],
            json!([{"type": "Initialized", "status": "True"}]),
            ["1/1", "Init:0/2", "4"],
        ),
        (vec![init(done.clone(), 7), init(done, 7)], json!([]), ["1/1", "Running", "4"]),
    ] {
        let status = json!({
            "phase": "Running", "initContainerStatuses": statuses, "conditions": conditions,
            "containerStatuses": [running(true, 4)],
        });
        let want = want.map(str::to_string);
        assert_eq!(cells(spec.clone(), status.clone(), false), want, "{status}");
    }
}

#[test]
fn print_pod_with_restartable_init_containers() {
    let spec = json!({
        "containers": [{"name": "a"}],
        "initContainers": [{"name": "sidecar", "restartPolicy": "Always"}, {"name": "i2"}],
    });
    let mut sidecar = running(true, 3);
    sidecar["name"] = json!("sidecar");
    sidecar["started"] = json!(true);
    let mut second = in_state(json!({"terminated": {"exitCode": 0}}), 8);
    second["name"] = json!("i2");
    let status = json!({
        "phase": "Running", "initContainerStatuses": [sidecar, second],
        "containerStatuses": [running(true, 4)],
    });
    assert_eq!(cells(spec, status, false), ["2/2", "Running", "7"]);
}

#[test]
fn restarts_say_when_the_last_was() {
    let mut container = in_state(json!({"waiting": {"reason": "CrashLoopBackOff"}}), 3);
    container["lastState"] =
        json!({"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:09:50Z"}});
    let status = json!({"phase": "Running", "containerStatuses": [container]});
    let want = ["0/2", "CrashLoopBackOff", "3 (10s ago)"];
    assert_eq!(cells(two_containers(), status, false), want);
}

#[test]
fn print_podwide() {
    let object = pod(json!({
        "metadata": {"name": "test1", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "containers": [{"name": "a"}], "nodeName": "test1",
            "readinessGates": [{"conditionType": "one"}, {"conditionType": "two"}],
        },
        "status": {
            "phase": "Running", "podIPs": [{"ip": "1.1.1.1"}, {"ip": "2001:db8::"}],
            "nominatedNodeName": "node1",
            "conditions": [{"type": "one", "status": "True"}, {"type": "two", "status": "False"}],
        },
    }));
    let row: Vec<String> = Pods::row(&object, now()).iter().map(ToString::to_string).collect();
    let want = ["test1", "0/1", "Running", "0", "10m", "1.1.1.1", "test1", "node1", "1/2"];
    assert_eq!(row, want);
    let bare = pod(json!({"metadata": {"name": "bare"}}));
    let row: Vec<String> = Pods::row(&bare, now()).iter().map(ToString::to_string).collect();
    let want = ["bare", "0/0", "", "0", "<unknown>", "<none>", "<none>", "<none>", "<none>"];
    assert_eq!(row, want);
    assert_eq!(row.len(), Pods::columns().len());
}

#[test]
fn get_pod_qos() {
    let resources = |requests: Value, limits: Value| json!({"name": "a", "resources": {"requests": requests, "limits": limits}});
    let both = json!({"cpu": "100m", "memory": "100Mi"});
    let cpu = json!({"cpu": "100m"});
    let none = json!({});
    for (name, containers, init, want) in [
        ("guaranteed", vec![resources(both.clone(), both.clone())], vec![], "Guaranteed"),
        (
            "guaranteed with extended resource",
            vec![resources(
                json!({"cpu": "100m", "memory": "100Mi", "example.com/a": "1"}),
                both.clone(),
            )],
            vec![],
            "Guaranteed",
        ),
        (
            "guaranteed and best effort",
            vec![resources(both.clone(), both.clone()), resources(none.clone(), none.clone())],
            vec![],
            "Burstable",
        ),
        ("best effort", vec![resources(none.clone(), none.clone())], vec![], "BestEffort"),
        (
            "only an extended resource",
            vec![resources(json!({"example.com/a": "1"}), none.clone())],
            vec![],
            "BestEffort",
        ),
        ("limits of cpu only", vec![resources(cpu.clone(), cpu.clone())], vec![], "Burstable"),
        (
            "requests below limits",
            vec![resources(both.clone(), json!({"cpu": "200m", "memory": "100Mi"}))],
            vec![],
            "Burstable",
        ),
        (
            "init containers count",
            vec![resources(none.clone(), none.clone())],
            vec![resources(cpu, none.clone())],
            "Burstable",
        ),
        (
            "same amount, written differently",
            vec![resources(both, json!({"cpu": "0.1", "memory": "102400Ki"}))],
            vec![],
            "Guaranteed",
        ),
    ] {
        let object = pod(json!({"spec": {"containers": containers, "initContainers": init}}));
        assert_eq!(qos::class(&object), want, "{name}");
    }
}

#[test]
fn get_pod_qos_with_pod_level_resources() {
    let both = json!({"cpu": "1", "memory": "1Gi"});
    for (resources, want) in [
        (json!({"requests": both, "limits": both}), "Guaranteed"),
        (json!({"requests": both}), "Burstable"),
        (json!({"limits": {"cpu": "1"}}), "Burstable"),
    ] {
        let object = pod(json!({"spec": {"containers": [{"name": "a"}], "resources": resources}}));
        assert_eq!(qos::class(&object), want, "{resources}");
    }
}

#[test]
fn creation_clears_the_status_and_says_what_gates_hold() {
    let mut object = pod(json!({
        "spec": {"containers": [{"name": "a"}], "schedulingGates": [{"name": "gate"}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1"},
    }));
    Pods::prepare_for_create(&mut object);
    let status = serde_json::to_value(object.status).expect("a status");
    assert_eq!(
        status,
        json!({
            "phase": "Pending",
            "qosClass": "BestEffort",
            "conditions": [{
                "type": "PodScheduled", "status": "False", "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
            }],
        })
    );
}

/// Upstream: TestMutatePodAffinity and TestMutateTopologySpreadConstraints.
#[test]
fn label_keys_are_merged_into_selectors() {
    let term = json!({
        "topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}},
        "matchLabelKeys": ["version", "missing"], "mismatchLabelKeys": ["tenant"],
    });
    let mut object = pod(json!({
        "metadata": {"labels": {"app": "web", "version": "2", "tenant": "t"}},
        "spec": {
            "containers": [{"name": "a"}],
            "affinity": {"podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [term],
            }},
            "topologySpreadConstraints": [{
                "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
                "matchLabelKeys": ["version"],
            }],
        },
    }));
    Pods::prepare_for_create(&mut object);
    let spec = serde_json::to_value(object.spec).expect("a spec");
    let merged = &spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        [0]["labelSelector"];
    assert_eq!(
        merged["matchExpressions"],
        json!([
            {"key": "version", "operator": "In", "values": ["2"]},
            {"key": "tenant", "operator": "NotIn", "values": ["t"]},
        ])
    );
    let constraint = &spec["topologySpreadConstraints"][0];
    assert_eq!(constraint.get("labelSelector"), None);
}

/// Upstream: TestCheckGracefulDelete.
#[test]
fn check_graceful_delete() {
    for (spec, phase, want) in [
        (json!({"nodeName": "n", "terminationGracePeriodSeconds": 30}), "Running", 30),
        (json!({"terminationGracePeriodSeconds": 30}), "Pending", 0),
        (json!({"nodeName": "n", "terminationGracePeriodSeconds": 30}), "Failed", 0),
        (json!({"nodeName": "n", "terminationGracePeriodSeconds": 30}), "Succeeded", 0),
        (json!({"nodeName": "n", "terminationGracePeriodSeconds": -4}), "Running", 1),
    ] {
        let mut spec = spec;
        spec["containers"] = json!([]);
        let object = pod(json!({"spec": spec, "status": {"phase": phase}}));
        assert_eq!(Pods::default_grace_period_seconds(&object), Some(want), "{phase}");
    }
}

/// Upstream: TestPodStatusUpdateObservedGeneration and TestNodeLabelSelectors' neighbours.
#[test]
fn status_updates_keep_what_they_may_not_change() {
    let old = pod(json!({
        "metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"containers": [{"name": "a"}], "nodeName": "n"},
        "status": {
            "qosClass": "Burstable", "observedGeneration": 4,
            "conditions": [{"type": "Ready", "status": "False", "observedGeneration": 4}],
        },
    }));
    let mut new = pod(json!({
        "metadata": {"name": "a"},
        "spec": {"containers": [], "nodeName": "other"},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }));
    Pods::prepare_for_status_update(&mut new, &old);
    assert_eq!(new.spec, old.spec);
    assert_eq!(new.metadata.deletion_timestamp, old.metadata.deletion_timestamp);
    assert_eq!(
        serde_json::to_value(new.status).expect("a status"),
        json!({
            "phase": "Running", "qosClass": "Burstable", "observedGeneration": 4,
            "conditions": [{"type": "Ready", "status": "True", "observedGeneration": 4}],
        })
    );
}

#[test]
fn selectable_fields_have_values() {
    let object = pod(json!({
        "spec": {"containers": [], "nodeName": "n", "hostNetwork": true},
        "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.7"}]},
    }));
    for (field, want) in [
        ("spec.nodeName", Some("n")),
        ("spec.hostNetwork", Some("true")),
        ("spec.schedulerName", Some("")),
        ("status.phase", Some("Running")),
        ("status.podIP", Some("10.0.0.7")),
        ("status.nominatedNodeName", Some("")),
        ("spec.hostname", None),
    ] {
        assert_eq!(Pods::selectable_field(&object, field).as_deref(), want, "{field}");
    }
}
