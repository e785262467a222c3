//! Upstream: pkg/controller/endpointslice/endpointslice_controller_test.go

use std::sync::Arc;

use api::openapi::api::core::v1::{Event, Node, Pod, Service};
use api::openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use serde_json::{Value, json};

use crate::testing::{World, meta, pod};

fn service(name: &str, spec: Value) -> Service {
    let mut whole = json!({"ports": [{"port": 80, "targetPort": 8080}], "selector": {"app": name}});
    for (field, value) in spec.as_object().expect("fields") {
        whole[field] = value.clone();
    }
    serde_json::from_value(json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "labels": {"team": "a"}}, "spec": whole}))
    .expect("a Service")
}

impl World {
    /// A node, and that many pods on it that are ready.
    fn with_pods(count: u32) -> Self {
        let mut world = World::new();
        let mut node = Node { metadata: meta("node-1", &[]), ..Node::default() };
        let zone = ("topology.kubernetes.io/zone".to_string(), "zone-a".to_string());
        node.metadata.labels = Some([zone].into());
        world.cluster.api::<Node>("").create(node).expect("created");
        for number in 0..count {
            world.add_pod(number);
        }
        world.run(50);
        world
    }

    fn add_pod(&mut self, number: u32) {
        let name = format!("pod-{number}");
        let mut created = pod(&name, &[("app", "web")]);
        created.spec.get_or_insert_default().node_name = Some("node-1".to_string());
        self.create(created);
        self.set_address(&name, &format!("10.244.{}.{}", number / 250, number % 250 + 1));
        self.set_pod(&name, "Running", true);
    }

    fn set_address(&mut self, name: &str, ip: &str) {
        let ip = ip.to_string();
        let patched = self.cluster.api::<Pod>("default").patch_status(name, move |pod| {
            let status = pod.status.get_or_insert_default();
            status.pod_ip = Some(ip.clone());
            let ips = json!([{ "ip": ip }]);
            status.pod_ips = serde_json::from_value(ips).expect("addresses");
        });
        patched.expect("patched");
    }

    fn slices(&mut self) -> Vec<Arc<EndpointSlice>> {
        self.list::<EndpointSlice>()
    }

    fn endpoints(&mut self) -> Vec<Endpoint> {
        self.slices().iter().flat_map(|slice| slice.endpoints.clone().unwrap_or_default()).collect()
    }
}

fn ready(endpoint: &Endpoint) -> (Option<bool>, Option<bool>, Option<bool>) {
    let conditions = endpoint.conditions.clone().unwrap_or_default();
    (conditions.ready, conditions.serving, conditions.terminating)
}

/// Upstream: TestSyncServiceFull.
#[test]
fn sync_service_full() {
    let mut world = World::with_pods(2);
    world.create(service("web", json!({})));
    world.run(50);
    let slices = world.slices();
    assert_eq!(slices.len(), 1);
    let slice = &slices[0];
    let labels = slice.metadata.labels.clone().unwrap_or_default();
    let labels: Vec<(&str, &str)> =
        labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        labels,
        [
            ("endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io"),
            ("kubernetes.io/service-name", "web"),
            ("team", "a"),
        ]
    );
    let annotations = slice.metadata.annotations.clone().unwrap_or_default();
    let created = world.get::<Service>("web").metadata.creation_timestamp.clone();
    assert_eq!(
        annotations.get("endpoints.kubernetes.io/last-change-trigger-time"),
        created.map(|time| time.0.to_string()).as_ref()
    );
    let endpoint = slice.endpoints.clone().unwrap_or_default().remove(0);
    assert_eq!(endpoint.addresses, ["10.244.0.1"]);
    assert_eq!(ready(&endpoint), (Some(true), Some(true), Some(false)));
    assert_eq!(endpoint.zone.as_deref(), Some("zone-a"));
    assert_eq!(endpoint.node_name.as_deref(), Some("node-1"));
    let target = endpoint.target_ref.expect("a target");
    assert_eq!((target.kind.as_deref(), target.name.as_deref()), (Some("Pod"), Some("pod-0")));
    let ports = serde_json::to_value(&slice.ports).expect("JSON");
    assert_eq!(ports, json!([{"name": "", "port": 8080, "protocol": "TCP"}]));
}

#[test]
fn endpoints_follow_the_readiness_and_the_end_of_their_pods() {
    let mut world = World::with_pods(3);
    world.create(service("web", json!({})));
    world.run(50);
    world.set_pod("pod-1", "Running", false);
    world.run(50);
    let conditions: Vec<_> = world.endpoints().iter().map(ready).collect();
    let is_ready = (Some(true), Some(true), Some(false));
    assert_eq!(conditions, [is_ready, (Some(false), Some(false), Some(false)), is_ready]);
    world.delete::<Pod>("pod-2", None);
    world.run(50);
    let conditions: Vec<_> = world.endpoints().iter().map(ready).collect();
    assert_eq!(conditions[2], (Some(false), Some(true), Some(true)));
    world.delete_with::<Pod>("pod-2", None, Some(0));
    world.set_pod("pod-0", "Failed", false);
    world.run(50);
    let left: Vec<Vec<String>> = world.endpoints().into_iter().map(|it| it.addresses).collect();
    assert_eq!(left, [["10.244.0.2"]]);
}

/// Upstream: TestReconcile1EndpointSlicePublishNotReadyAddresses.
#[test]
fn services_may_publish_addresses_that_are_not_ready() {
    let mut world = World::with_pods(1);
    world.set_pod("pod-0", "Running", false);
    let headless = json!({"publishNotReadyAddresses": true, "clusterIP": "None", "ports": null});
    world.create(service("web", headless));
    world.run(50);
    let endpoint = world.endpoints().remove(0);
    assert_eq!(ready(&endpoint), (Some(true), Some(false), Some(false)));
    let slice = world.slices().remove(0);
    let labels = slice.metadata.labels.clone().unwrap_or_default();
    assert_eq!(labels.get("service.kubernetes.io/headless").map(String::as_str), Some(""));
    assert!(slice.ports.as_ref().is_none_or(Vec::is_empty));
}

#[test]
fn a_slice_that_somebody_else_changed_or_deleted_is_set_right() {
    let mut world = World::with_pods(1);
    world.create(service("web", json!({})));
    world.run(50);
    let name = world.slices()[0].metadata.name.clone().unwrap_or_default();
    world.change::<EndpointSlice>(&name, |slice| slice.endpoints = Some(Vec::new()));
    assert!(world.endpoints().is_empty());
    world.run(50);
    assert_eq!(world.endpoints().len(), 1);
    world.delete::<EndpointSlice>(&name, None);
    world.run(50);
    assert_eq!(world.endpoints().len(), 1);
}

/// Upstream: TestSyncServiceMissing, TestSyncServicePodSelection and the sync of a Service
/// without a selector.
#[test]
fn slices_come_and_go_with_their_service() {
    let mut world = World::with_pods(1);
    world.create(service("none", json!({"selector": null})));
    world.create(service("name", json!({"type": "ExternalName", "externalName": "a.b"})));
    world.create(service("web", json!({})));
    world.create(service("other", json!({})));
    world.run(50);
    let mut services: Vec<(String, usize)> = world
        .slices()
        .iter()
        .map(|slice| {
            let labels = slice.metadata.labels.clone().unwrap_or_default();
            let count = slice.endpoints.as_ref().map_or(0, Vec::len);
            (labels["kubernetes.io/service-name"].clone(), count)
        })
        .collect();
    services.sort();
    assert_eq!(services, [("other".to_string(), 0), ("web".to_string(), 1)]);
    world.delete::<Service>("web", None);
    world.skip_seconds(5);
    assert_eq!(world.endpoints().len(), 0);
}

/// Upstream: TestReconcilerPodMissingNode.
#[test]
fn a_pod_without_a_node_is_left_out_until_the_node_is_there() {
    let mut world = World::with_pods(1);
    let mut lost = pod("lost", &[("app", "web")]);
    lost.spec.get_or_insert_default().node_name = Some("node-2".to_string());
    world.create(lost);
    world.set_address("lost", "10.244.9.9");
    world.create(service("web", json!({})));
    world.run(50);
    assert_eq!(world.endpoints().len(), 1);
    assert_eq!(
        world.messages("FailedToUpdateEndpointSlices")[0],
        "Error updating Endpoint Slices for Service default/web: skipping Pod lost for Service \
         default/web: Node node-2 Not Found"
    );
    let node = Node { metadata: meta("node-2", &[]), ..Node::default() };
    world.cluster.api::<Node>("").create(node).expect("created");
    world.skip_seconds(5);
    assert_eq!(world.endpoints().len(), 2);
}

#[test]
fn a_thousand_pods_fill_ten_slices_and_one_change_writes_one() {
    let mut world = World::with_pods(1000);
    world.create(service("web", json!({})));
    world.run_seconds(2);
    assert_eq!(world.slices().len(), 10);
    assert_eq!(world.endpoints().len(), 1000);
    let versions = |world: &mut World| -> Vec<Option<String>> {
        world.slices().iter().map(|slice| slice.metadata.resource_version.clone()).collect()
    };
    let before = versions(&mut world);
    world.set_pod("pod-500", "Running", false);
    world.run_seconds(2);
    let after = versions(&mut world);
    let changed = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    assert_eq!(changed, 1);
    assert!(world.list::<Event>().is_empty());
}
