//! Upstream: pkg/controller/endpointslicemirroring/{endpointslicemirroring_controller,
//! reconciler}_test.go

use std::sync::Arc;

use api::openapi::api::core::v1::{Endpoints, Service};
use api::openapi::api::discovery::v1::EndpointSlice;
use serde_json::{Value, json};

use super::mirror::mirror;
use crate::testing::World;

fn service(selector: Value) -> Service {
    serde_json::from_value(json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "db"}, "spec": {"ports": [{"port": 80}], "selector": selector}}))
    .expect("a Service")
}

fn endpoints(meta: Value, subsets: Value) -> Endpoints {
    let mut object = json!({"apiVersion": "v1", "kind": "Endpoints",
        "metadata": {"name": "db", "namespace": "default"}, "subsets": subsets});
    for (field, value) in meta.as_object().expect("fields") {
        object["metadata"][field] = value.clone();
    }
    serde_json::from_value(object).expect("Endpoints")
}

fn subset(ready: &[&str], not_ready: &[&str], port: i32) -> Value {
    let list = |ips: &[&str]| ips.iter().map(|ip| json!({ "ip": ip })).collect::<Vec<_>>();
    json!({"addresses": list(ready), "notReadyAddresses": list(not_ready),
        "ports": [{"port": port, "protocol": "TCP"}]})
}

fn mirrored(world: &mut World) -> Vec<Arc<EndpointSlice>> {
    let mut slices = world.list::<EndpointSlice>();
    slices.retain(|slice| {
        slice.metadata.labels.as_ref().is_some_and(|labels| {
            labels["endpointslice.kubernetes.io/managed-by"]
                == "endpointslicemirroring-controller.k8s.io"
        })
    });
    slices
}

/// Every endpoint as its address and whether it is ready.
fn texts(slices: &[Arc<EndpointSlice>]) -> Vec<String> {
    let endpoints = slices.iter().flat_map(|slice| slice.endpoints.clone().unwrap_or_default());
    let text = |endpoint: api::openapi::api::discovery::v1::Endpoint| {
        let ready = endpoint.conditions.and_then(|conditions| conditions.ready);
        format!("{} {}", endpoint.addresses.join(","), ready == Some(true))
    };
    endpoints.map(text).collect()
}

/// Upstream: TestSyncEndpoints and TestReconcile.
#[test]
fn endpoints_without_a_selector_are_mirrored() {
    let mut world = World::new();
    world.create(service(Value::Null));
    let meta = json!({"labels": {"team": "a"}, "annotations": {"note": "b",
        "endpoints.kubernetes.io/last-change-trigger-time": "2026-01-01T00:00:00Z"}});
    world.create(endpoints(meta, json!([subset(&["10.0.0.2", "10.0.0.1"], &["10.0.0.3"], 81)])));
    world.run(100);
    let slices = mirrored(&mut world);
    assert_eq!(texts(&slices), ["10.0.0.1 true", "10.0.0.2 true", "10.0.0.3 false"]);
    let meta = &slices[0].metadata;
    assert_eq!(meta.annotations, Some([("note".to_string(), "b".to_string())].into()));
    assert_eq!(meta.labels.as_ref().map(|labels| labels["team"].as_str()), Some("a"));
    let owner = meta.owner_references.as_ref().map(|owners| owners[0].kind.clone());
    assert_eq!(owner.as_deref(), Some("Endpoints"));
    // Changes are followed in place.
    world.change::<Endpoints>("db", |endpoints| {
        endpoints.subsets =
            serde_json::from_value(json!([subset(&["10.0.0.9"], &[], 82)])).expect("subsets");
    });
    world.run(100);
    let changed = mirrored(&mut world);
    assert_eq!(texts(&changed), ["10.0.0.9 true"]);
    assert_eq!(changed[0].metadata.name, slices[0].metadata.name);
    let version = changed[0].metadata.resource_version.clone();
    world.run_seconds(2);
    assert_eq!(mirrored(&mut world)[0].metadata.resource_version, version);
    // What somebody deletes comes back, and goes for good with the Endpoints.
    let name = changed[0].metadata.name.clone().expect("named");
    world.delete::<EndpointSlice>(&name, None);
    world.run(100);
    assert_eq!(texts(&mirrored(&mut world)), ["10.0.0.9 true"]);
    world.delete::<Endpoints>("db", None);
    world.run(100);
    assert!(mirrored(&mut world).is_empty());
}

/// Upstream: TestShouldMirror, and the cases of TestSyncEndpoints without a mirror.
#[test]
fn some_endpoints_are_not_mirrored() {
    let addresses = || json!([subset(&["10.0.0.1"], &[], 80)]);
    for (name, selector, meta) in [
        (
            "Endpoints with skip label true",
            Value::Null,
            json!({"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}),
        ),
        (
            "Endpoints with leader election annotation",
            Value::Null,
            json!({"annotations": {"control-plane.alpha.kubernetes.io/leader": "x"}}),
        ),
        ("Service with selector", json!({"app": "db"}), json!({})),
    ] {
        let mut world = World::new();
        world.create(endpoints(meta, addresses()));
        world.run(50);
        world.create(service(selector));
        world.run(200);
        assert!(mirrored(&mut world).is_empty(), "{name}");
    }
    let mut world = World::new();
    world.create(endpoints(json!({}), addresses()));
    world.run(100);
    assert!(mirrored(&mut world).is_empty(), "no Service");
    world.create(service(Value::Null));
    world.run(100);
    assert_eq!(mirrored(&mut world).len(), 1);
    world.change::<Service>("db", |service| {
        let selector = [("app".to_string(), "db".to_string())].into();
        service.spec.get_or_insert_default().selector = Some(selector);
    });
    world.run(200);
    assert!(mirrored(&mut world).is_empty(), "a Service that came to have a selector");
}

/// Upstream: TestReconcile, the cases of several subsets and of too many addresses.
#[test]
fn every_subset_and_type_of_addresses_has_a_slice() {
    let of = |subsets: Value| mirror(&endpoints(json!({}), subsets), &[]);
    let lengths = |subsets: Value| -> Vec<(String, usize)> {
        let slices = of(subsets).0.create.into_iter();
        slices.map(|it| (it.address_type, it.endpoints.map_or(0, |list| list.len()))).collect()
    };
    assert_eq!(lengths(json!([])), []);
    let two = json!([subset(&["10.0.0.1"], &[], 80), subset(&["10.0.0.2"], &["10.0.0.3"], 81)]);
    assert_eq!(lengths(two), [("IPv4".to_string(), 1), ("IPv4".to_string(), 2)]);
    let both = json!([subset(&["10.0.0.1", "2001:db8::1"], &[], 80)]);
    assert_eq!(lengths(both), [("IPv4".to_string(), 1), ("IPv6".to_string(), 1)]);
    let ips: Vec<String> = (0..1005).map(|n| format!("10.1.{}.{}", n / 250, n % 250 + 1)).collect();
    let many: Vec<&str> = ips.iter().map(String::as_str).collect();
    let (plan, skipped) = of(json!([subset(&many, &[], 80)]));
    let length = plan.create[0].endpoints.as_ref().map_or(0, Vec::len);
    assert_eq!((length, skipped), (1000, 5));
}
