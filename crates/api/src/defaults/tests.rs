//! Upstream: pkg/apis/core/v1/defaults_test.go and pkg/apis/apps/v1/defaults_test.go

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

/// The spec of a pod with that spec, with its defaults.
fn defaulted(spec: Value) -> Value {
    let mut pod: Pod = serde_json::from_value(json!({"spec": spec})).expect("a pod");
    super::pod(&mut pod);
    let once = pod.clone();
    super::pod(&mut pod);
    assert_eq!(pod, once, "defaults are set once");
    serde_json::to_value(pod.spec).expect("a spec")
}

#[test]
fn defaults_of_a_bare_pod() {
    assert_eq!(
        defaulted(json!({"containers": [{"name": "a", "image": "nginx"}]})),
        json!({
            "containers": [{
                "name": "a",
                "image": "nginx",
                "imagePullPolicy": "Always",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }],
            "dnsPolicy": "ClusterFirst",
            "enableServiceLinks": true,
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "securityContext": {},
            "terminationGracePeriodSeconds": 30,
        })
    );
}

#[test]
fn set_default_image_pull_policy() {
    for (image, want) in
        [("nginx", "Always"), ("nginx:latest", "Always"), ("nginx:1.27", "IfNotPresent")]
    {
        let spec = defaulted(json!({"containers": [{"name": "a", "image": image}]}));
        assert_eq!(spec["containers"][0]["imagePullPolicy"], want, "{image}");
    }
}

#[test]
fn set_default_request_is_the_limit() {
    let spec = defaulted(json!({
        "containers": [{"name": "a", "resources": {
            "limits": {"cpu": "0.5", "memory": "1024Mi"}, "requests": {"cpu": "100000u"},
        }}],
        "initContainers": [{"name": "b", "resources": {"limits": {"cpu": "1"}}}],
    }));
    assert_eq!(
        spec["containers"][0]["resources"],
        json!({
            "limits": {"cpu": "500m", "memory": "1Gi"},
            "requests": {"cpu": "100m", "memory": "1Gi"},
        })
    );
    let init = &spec["initContainers"][0]["resources"];
    assert_eq!(init["requests"], json!({"cpu": "1"}));
}

#[test]
fn quantities_are_rounded_up_to_milli() {
    let spec = defaulted(json!({"containers": [{"name": "a", "resources": {
        "requests": {"cpu": "1.1n", "memory": "100.035Ki"},
    }}]}));
    let requests = &spec["containers"][0]["resources"]["requests"];
    assert_eq!(*requests, json!({"cpu": "1m", "memory": "102435840m"}));
}

#[test]
fn set_defaults_probe() {
    let spec = defaulted(json!({"containers": [{"name": "a",
        "livenessProbe": {"httpGet": {"port": 80}},
        "readinessProbe": {"grpc": {"port": 9000}, "failureThreshold": 7},
        "lifecycle": {"preStop": {"httpGet": {"port": "web", "path": "/stop"}}},
    }]}));
    let container = &spec["containers"][0];
    assert_eq!(
        container["livenessProbe"],
        json!({
            "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
            "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
        })
    );
    assert_eq!(container["readinessProbe"]["grpc"], json!({"port": 9000, "service": ""}));
    assert_eq!(container["readinessProbe"]["failureThreshold"], 7);
    let stop = &container["lifecycle"]["preStop"]["httpGet"];
    assert_eq!(*stop, json!({"path": "/stop", "port": "web", "scheme": "HTTP"}));
}

#[test]
fn set_default_host_network_ports() {
    let container = json!({"name": "a", "ports": [{"containerPort": 80}]});
    let spec = defaulted(json!({"hostNetwork": true, "containers": [container]}));
    let ports = &spec["containers"][0]["ports"];
    assert_eq!(*ports, json!([{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]));
    let spec = defaulted(json!({"containers": [container]}));
    let ports = &spec["containers"][0]["ports"];
    assert_eq!(*ports, json!([{"containerPort": 80, "protocol": "TCP"}]));
}

#[test]
fn defaults_of_volumes() {
    for (volume, want) in [
        (json!({}), json!({"emptyDir": {}})),
        (
            json!({"secret": {"secretName": "s"}}),
            json!({"secret": {"secretName": "s", "defaultMode": 420}}),
        ),
        (
            json!({"configMap": {"name": "c", "defaultMode": 256}}),
            json!({"configMap": {"name": "c", "defaultMode": 256}}),
        ),
        (json!({"hostPath": {"path": "/a"}}), json!({"hostPath": {"path": "/a", "type": ""}})),
        (
            json!({"downwardAPI": {"items": [
                {"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}}),
            json!({"downwardAPI": {"defaultMode": 420, "items": [
                {"path": "l", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels"}}]}}),
        ),
        (
            json!({"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}),
            json!({"projected": {"defaultMode": 420, "sources": [
                {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}]}}),
        ),
        (
            json!({"image": {"reference": "a:1"}}),
            json!({"image": {"reference": "a:1", "pullPolicy": "IfNotPresent"}}),
        ),
        (
            json!({"rbd": {"monitors": ["m"], "image": "i"}}),
            json!({"rbd": {"monitors": ["m"], "image": "i", "pool": "rbd", "user": "admin",
                "keyring": "/etc/ceph/keyring"}}),
        ),
    ] {
        let mut volume = volume;
        volume["name"] = json!("v");
        let mut want = want;
        want["name"] = json!("v");
        let spec = defaulted(json!({"containers": [], "volumes": [volume]}));
        assert_eq!(spec["volumes"][0], want);
    }
}

#[test]
fn the_old_name_of_the_service_account_is_kept_in_step() {
    for spec in [json!({"serviceAccountName": "a"}), json!({"serviceAccount": "a"})] {
        let mut spec = spec;
        spec["containers"] = json!([]);
        let spec = defaulted(spec);
        assert_eq!(spec["serviceAccountName"], "a");
        assert_eq!(spec["serviceAccount"], "a");
    }
}

/// Upstream: TestPodResourcesDefaults.
#[test]
fn pod_resources_defaults() {
    let container = |requests: Value, limits: Value| json!({"name": "a", "resources": {"requests": requests, "limits": limits}});
    for (resources, containers, want) in [
        (
            json!({"limits": {"cpu": "2", "memory": "1Gi"}}),
            vec![container(json!({}), json!({}))],
            json!({
                "limits": {"cpu": "2", "memory": "1Gi"},
                "requests": {"cpu": "2", "memory": "1Gi"},
            }),
        ),
        (
            json!({"limits": {"cpu": "2", "memory": "1Gi"}}),
            vec![
                container(json!({"cpu": "500m"}), json!({})),
                container(json!({"cpu": "1"}), json!({})),
            ],
            json!({
                "limits": {"cpu": "2", "memory": "1Gi"},
                "requests": {"cpu": "1500m", "memory": "1Gi"},
            }),
        ),
        (
            json!({"requests": {"cpu": "1"}}),
            vec![container(json!({}), json!({"hugepages-2Mi": "4Mi"}))],
            json!({
                "requests": {"cpu": "1", "hugepages-2Mi": "4Mi"},
                "limits": {"hugepages-2Mi": "4Mi"},
            }),
        ),
        (
            json!({"requests": {"cpu": "1"}}),
            vec![
                container(json!({}), json!({"cpu": "2"})),
                container(json!({}), json!({"cpu": "3"})),
            ],
            json!({"requests": {"cpu": "1"}, "limits": {"cpu": "5"}}),
        ),
        (
            json!({"requests": {"cpu": "1"}}),
            vec![container(json!({}), json!({"cpu": "2"})), container(json!({}), json!({}))],
            json!({"requests": {"cpu": "1"}}),
        ),
    ] {
        let spec = defaulted(json!({"containers": containers, "resources": resources}));
        assert_eq!(spec["resources"], want, "{resources}");
    }
}

/// Upstream: TestSetDefaultDeployment.
#[test]
fn set_default_deployment() {
    let template = json!({"spec": {"containers": [
        {"name": "a", "image": "nginx", "resources": {"limits": {"cpu": "1000m"}}}]}});
    for (spec, strategy) in [
        (
            json!({}),
            json!({
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
            }),
        ),
        (
            json!({"strategy": {"rollingUpdate": {"maxSurge": 1}}}),
            json!({
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"},
            }),
        ),
        (json!({"strategy": {"type": "Recreate"}}), json!({"type": "Recreate"})),
    ] {
        let mut spec = spec;
        spec["selector"] = json!({});
        spec["template"] = template.clone();
        let mut object: Deployment =
            serde_json::from_value(json!({"spec": spec})).expect("a deployment");
        super::deployment(&mut object);
        let got = serde_json::to_value(object.spec).expect("a spec");
        assert_eq!(got["strategy"], strategy);
        assert_eq!(got["replicas"], 1);
        assert_eq!(got["revisionHistoryLimit"], 10);
        assert_eq!(got["progressDeadlineSeconds"], 600);
        let pod = &got["template"]["spec"];
        assert_eq!(pod["restartPolicy"], "Always");
        assert_eq!(pod.get("enableServiceLinks"), None, "only pods have it");
        let resources = &pod["containers"][0]["resources"];
        assert_eq!(*resources, json!({"limits": {"cpu": "1"}}), "only pods request their limits");
    }
}

/// Upstream: TestSetDefaultReplicaSetReplicas.
#[test]
fn set_default_replica_set_replicas() {
    for (replicas, want) in [(json!(null), 1), (json!(0), 0), (json!(3), 3)] {
        let spec = json!({"selector": {}, "replicas": replicas});
        let mut object: ReplicaSet =
            serde_json::from_value(json!({"spec": spec})).expect("a replica set");
        super::replica_set(&mut object);
        assert_eq!(object.spec.replicas, Some(want));
    }
}

#[test]
fn what_says_nothing_is_not_stored() {
    let spec = defaulted(json!({
        "hostNetwork": false, "nodeName": "", "nodeSelector": {}, "tolerations": [],
        "hostUsers": false,
        "containers": [{
            "name": "a", "command": [], "tty": false,
            "env": [{"name": "EMPTY", "value": ""}],
            "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": false, "subPath": ""}],
            "securityContext": {"privileged": false, "capabilities": {"add": []}},
            "resources": {"limits": {}},
        }],
    }));
    for name in ["hostNetwork", "nodeName", "nodeSelector", "tolerations"] {
        assert_eq!(spec.get(name), None, "{name}");
    }
    assert_eq!(spec["hostUsers"], false, "a pointer upstream");
    let container = &spec["containers"][0];
    assert_eq!(container.get("command"), None);
    assert_eq!(container.get("tty"), None);
    assert_eq!(container["env"], json!([{"name": "EMPTY"}]));
    assert_eq!(container["volumeMounts"], json!([{"name": "v", "mountPath": "/v"}]));
    assert_eq!(container["securityContext"], json!({"privileged": false, "capabilities": {}}));
    assert_eq!(container["resources"], json!({}));
}

/// The object with its defaults, as JSON.
fn whole(object: Value) -> Value {
    let (version, kind) = (object["apiVersion"].clone(), object["kind"].clone());
    let kind = crate::Kind::named(version.as_str().unwrap(), kind.as_str().unwrap()).unwrap();
    let mut object = kind.decode(object).unwrap();
    (object.behaviour().default)(&mut object);
    let once = object.clone();
    (object.behaviour().default)(&mut object);
    assert_eq!(object, once, "defaults are set once");
    object.to_value()
}

/// Upstream: pkg/apis/apps/v1/defaults_test.go, TestSetDefaultStatefulSet.
#[test]
fn set_default_stateful_set() {
    let stateful_set = whole(json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {},
        "spec": {"selector": {}, "template": {}, "volumeClaimTemplates": [{
            "metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]},
    }));
    let mut spec = stateful_set["spec"].clone();
    spec["template"].take();
    assert_eq!(
        spec,
        json!({
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate",
                "rollingUpdate": {"partition": 0, "maxUnavailable": 1}},
            "persistentVolumeClaimRetentionPolicy":
                {"whenDeleted": "Retain", "whenScaled": "Retain"},
            "replicas": 1, "revisionHistoryLimit": 10, "serviceName": "", "selector": {},
            "template": null,
            "volumeClaimTemplates": [{
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {},
                    "volumeMode": "Filesystem"},
                "status": {"phase": "Pending"},
            }],
        })
    );
    let on_delete = whole(json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {},
        "spec": {"selector": {}, "template": {}, "updateStrategy": {"type": "OnDelete"}},
    }));
    assert_eq!(on_delete["spec"]["updateStrategy"], json!({"type": "OnDelete"}));
}

/// Upstream: pkg/apis/batch/v1/defaults_test.go, TestSetDefaultJob and TestSetDefaultCronJob.
#[test]
fn set_default_job() {
    for (spec, want) in [
        (json!({}), json!({"completions": 1, "parallelism": 1, "backoffLimit": 6})),
        (json!({"parallelism": 2}), json!({"parallelism": 2, "backoffLimit": 6})),
        (
            json!({"completions": 3, "backoffLimitPerIndex": 1}),
            json!({"completions": 3, "parallelism": 1, "backoffLimit": i32::MAX,
                "backoffLimitPerIndex": 1}),
        ),
        (
            json!({"podFailurePolicy": {"rules": [{"action": "Ignore",
                "onPodConditions": [{"type": "DisruptionTarget"}]}]}}),
            json!({"completions": 1, "parallelism": 1, "backoffLimit": 6,
                "podReplacementPolicy": "Failed",
                "podFailurePolicy": {"rules": [{"action": "Ignore",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]}}),
        ),
    ] {
        let mut sent = spec;
        sent["template"] = json!({"metadata": {"labels": {"a": "b"}}});
        let job = whole(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {},
            "spec": sent}));
        assert_eq!(job["metadata"]["labels"], json!({"a": "b"}));
        let mut spec = job["spec"].clone();
        spec.as_object_mut().unwrap().remove("template");
        let mut wanted = json!({"completionMode": "NonIndexed", "suspend": false,
            "manualSelector": false, "podReplacementPolicy": "TerminatingOrFailed"});
        for (name, value) in want.as_object().unwrap() {
            wanted[name] = value.clone();
        }
        assert_eq!(spec, wanted);
    }
    let cron_job = whole(json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {},
        "spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": {}}}}}));
    let spec = &cron_job["spec"];
    assert_eq!(spec["concurrencyPolicy"], "Allow");
    assert_eq!((&spec["suspend"], &spec["successfulJobsHistoryLimit"]), (&json!(false), &json!(3)));
    assert_eq!(spec["failedJobsHistoryLimit"], 1);
    assert_eq!(spec["jobTemplate"]["spec"].get("backoffLimit"), None);
}

/// Upstream: pkg/apis/core/v1/defaults_test.go, TestSetDefaultLimitRangeItem,
/// TestSetDefaultPersistentVolume and TestSetDefaultPersistentVolumeClaim;
/// pkg/apis/storage/v1/defaults_test.go.
#[test]
fn set_default_limits_and_storage() {
    let range = whole(json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {},
        "spec": {"limits": [{"type": "Container", "max": {"cpu": "0.1"},
            "min": {"memory": "100Mi"}, "default": {}, "defaultRequest": {}}]}}));
    let item = &range["spec"]["limits"][0];
    assert_eq!(item["default"], json!({"cpu": "100m"}));
    assert_eq!(item["defaultRequest"], json!({"cpu": "100m", "memory": "100Mi"}));
    let volume = whole(json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {},
        "spec": {"hostPath": {"path": "/a"}}}));
    assert_eq!(
        volume["spec"],
        json!({"hostPath": {"path": "/a", "type": ""}, "volumeMode": "Filesystem",
            "persistentVolumeReclaimPolicy": "Retain"})
    );
    assert_eq!(volume["status"], json!({"phase": "Pending"}));
    let class = whole(json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {}, "provisioner": "a/b"}));
    assert_eq!(class["reclaimPolicy"], "Delete");
    assert_eq!(class["volumeBindingMode"], "Immediate");
}
