//! Upstream: pkg/controller/endpoint/endpoints_controller_test.go

use api::openapi::api::core::v1::{Endpoints, Pod, Service};
use serde_json::{Value, json};

use super::subsets;
use crate::testing::{World, pod};

fn service(spec: Value) -> Service {
    let mut whole = json!({"ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}],
        "selector": {"app": "web"}});
    for (field, value) in spec.as_object().expect("fields") {
        whole[field] = value.clone();
    }
    serde_json::from_value(json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"}, "spec": whole}))
    .expect("a Service")
}

fn running(name: &str, ip: &str, ready: &str, extra: Value) -> Pod {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": name, "labels": {"app": "web"}},
        "spec": {"nodeName": "n", "containers": [{"name": "c"}]},
        "status": {"podIP": ip, "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": ready}]}});
    for (field, value) in extra.as_object().expect("fields") {
        for (name, value) in value.as_object().expect("fields") {
            pod[field][name] = value.clone();
        }
    }
    serde_json::from_value(pod).expect("a pod")
}

/// The addresses of every subset, those that are not ready behind a bar, and its ports.
fn texts(service: &Service, pods: &[Pod]) -> Vec<String> {
    let pods: Vec<&Pod> = pods.iter().collect();
    let text = |list: &Option<Vec<api::openapi::api::core::v1::EndpointAddress>>| -> String {
        let ips = list.iter().flatten().map(|address| address.ip.clone());
        ips.collect::<Vec<_>>().join(",")
    };
    let subset = |subset: &api::openapi::api::core::v1::EndpointSubset| {
        let ports = subset.ports.iter().flatten().map(|port| port.port.to_string());
        format!(
            "{}|{}:{}",
            text(&subset.addresses),
            text(&subset.not_ready_addresses),
            ports.collect::<Vec<_>>().join(",")
        )
    };
    subsets(service, &pods).iter().map(subset).collect()
}

/// Upstream: TestSyncEndpointsItems… and TestShouldPodBeInEndpoints.
#[test]
fn subsets_list_the_pods_that_belong() {
    let ready = |name: &str, ip: &str| running(name, ip, "True", json!({}));
    let deleted = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
    let two_ports = json!({"ports": [
        {"name": "a", "port": 80, "targetPort": 8080, "protocol": "TCP"},
        {"name": "b", "port": 81, "targetPort": 8088, "protocol": "TCP"},
    ]});
    for (name, spec, pods, want) in [
        ("none", json!({}), vec![], vec![]),
        (
            "all pods are in one subset, sorted",
            json!({}),
            vec![ready("a", "1.2.3.6"), ready("b", "1.2.3.4"), ready("c", "1.2.3.5")],
            vec!["1.2.3.4,1.2.3.5,1.2.3.6|:8080"],
        ),
        (
            "ready and not ready",
            json!({}),
            vec![ready("a", "1.2.3.4"), running("b", "1.2.3.5", "False", json!({}))],
            vec!["1.2.3.4|1.2.3.5:8080"],
        ),
        ("two ports", two_ports, vec![ready("a", "1.2.3.4")], vec!["1.2.3.4|:8080,8088"]),
        (
            "publishing what is not ready",
            json!({"publishNotReadyAddresses": true}),
            vec![
                running("a", "1.2.3.4", "False", json!({})),
                running("b", "1.2.3.5", "True", deleted.clone()),
            ],
            vec!["1.2.3.4,1.2.3.5|:8080"],
        ),
        (
            "terminating and terminal pods are left out",
            json!({}),
            vec![
                running("a", "1.2.3.4", "True", deleted),
                running("b", "1.2.3.5", "False", json!({"status": {"phase": "Failed"}})),
                running("c", "1.2.3.6", "False", json!({"status": {"phase": "Succeeded"}})),
            ],
            vec![],
        ),
        (
            "headless without ports",
            json!({"ports": null, "clusterIP": "None"}),
            vec![ready("a", "1.2.3.4")],
            vec!["1.2.3.4|:"],
        ),
    ] {
        assert_eq!(texts(&service(spec), &pods), want, "{name}");
    }
}

/// A name stands for another number in each pod.
#[test]
fn named_ports_may_split_subsets() {
    let with_port = |name: &str, ip: &str, port: i32| {
        let containers = json!([{"name": "c", "ports": [
            {"name": "p", "containerPort": port, "protocol": "TCP"}]}]);
        running(name, ip, "True", json!({"spec": {"containers": containers}}))
    };
    let named = json!({"ports": [
        {"name": "x", "port": 80, "targetPort": "p", "protocol": "TCP"},
        {"name": "y", "port": 81, "targetPort": 9090, "protocol": "TCP"},
    ]});
    let pods = [with_port("a", "1.2.3.4", 8080), with_port("b", "1.2.3.5", 8081)];
    let mut found = texts(&service(named), &pods);
    found.sort();
    assert_eq!(found, ["1.2.3.4,1.2.3.5|:9090", "1.2.3.4|:8080", "1.2.3.5|:8081"]);
}

#[test]
fn endpoints_come_and_go_with_their_service() {
    let mut world = World::new();
    let mut bound = pod("a", &[("app", "web")]);
    bound.spec.get_or_insert_default().node_name = Some("node-1".to_string());
    world.create(bound);
    let patched = world.cluster.api::<Pod>("default").patch_status("a", |pod| {
        let status = pod.status.get_or_insert_default();
        status.pod_ip = Some("10.244.0.2".to_string());
        status.pod_ips = serde_json::from_value(json!([{"ip": "10.244.0.2"}])).expect("addresses");
    });
    patched.expect("patched");
    world.set_pod("a", "Running", true);
    world.create(service(json!({})));
    world.run(100);
    let made = world.get::<Endpoints>("web");
    let labels = made.metadata.labels.clone().unwrap_or_default();
    assert_eq!(labels["endpoints.kubernetes.io/managed-by"], "endpoint-controller");
    let subsets = serde_json::to_value(&made.subsets).expect("JSON");
    assert_eq!(subsets[0]["addresses"][0]["ip"], "10.244.0.2");
    assert_eq!(subsets[0]["ports"], json!([{"port": 8080, "protocol": "TCP"}]));
    world.set_pod("a", "Running", false);
    world.run(200);
    let subsets = serde_json::to_value(&world.get::<Endpoints>("web").subsets).expect("JSON");
    assert_eq!(subsets[0]["notReadyAddresses"][0]["targetRef"]["name"], "a");
    world.delete::<Endpoints>("web", None);
    world.run(200);
    assert!(world.exists::<Endpoints>("web"));
    world.delete::<Service>("web", None);
    world.run(200);
    assert!(!world.exists::<Endpoints>("web"));
}

/// Upstream: TestCheckLeftoverEndpoints.
#[test]
fn what_was_left_behind_is_deleted_when_the_controller_starts() {
    let mut world = World::new();
    let endpoints = |name: &str, annotations: Value| -> Endpoints {
        serde_json::from_value(json!({"apiVersion": "v1", "kind": "Endpoints",
            "metadata": {"name": name, "annotations": annotations},
            "subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]}))
        .expect("Endpoints")
    };
    world.create(endpoints("foo", json!({})));
    let lock = json!({"control-plane.alpha.kubernetes.io/leader": "x"});
    world.create(endpoints("lock", lock));
    world.run(200);
    assert!(world.exists::<Endpoints>("foo"));
    world.manager.stop(&mut world.cluster.server);
    world.manager = crate::ControllerManager::new(crate::Controllers::ALL);
    world.run(200);
    assert!(!world.exists::<Endpoints>("foo"));
    assert!(world.exists::<Endpoints>("lock"));
}
