//! What the server gives Services.
//!
//! Upstream: pkg/registry/core/service/storage/rest_test.go,
//! pkg/registry/core/service/ipallocator/ipallocator_test.go and
//! pkg/registry/core/service/portallocator/allocator_test.go

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;

use api::openapi::api::core::v1::{Endpoints, Service, ServiceSpec};
use api::openapi::api::discovery::v1::EndpointSlice;
use api::{KindId, Object, Status};
use apiserver::{DeleteOptions, Patch};
use common::Server;
use serde_json::{Value, json};
use sim::{Duration, Time};
use tests::{conditional, corpus};

fn service(name: &str, spec: Value) -> Value {
    let mut whole = json!({"ports": [{"port": 80}], "selector": {"app": name}});
    for (field, value) in spec.as_object().expect("fields") {
        whole[field] = value.clone();
    }
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "default"}, "spec": whole})
}

fn spec(object: &Object) -> ServiceSpec {
    object.get::<Service>().and_then(|service| service.spec.clone()).expect("a specification")
}

fn address(object: &Object) -> String {
    spec(object).cluster_ip.unwrap_or_default()
}

fn node_ports(object: &Object) -> Vec<i32> {
    spec(object).ports.iter().flatten().filter_map(|port| port.node_port).collect()
}

fn message(answer: Result<Object, Status>) -> String {
    answer.expect_err("a refusal").message().to_string()
}

fn patched(server: &mut Server, name: &str, spec: Value) -> Object {
    let patch = Patch::merge(json!({ "spec": spec }));
    server.patch(KindId::SERVICE, name, patch).expect("patched")
}

#[test]
fn addresses_come_from_the_upper_band_and_no_two_are_alike() {
    let mut server = Server::new();
    let mut seen = BTreeSet::new();
    for number in 0..300 {
        let created = server.create(service(&format!("s{number}"), json!({}))).expect("created");
        let spec = spec(&created);
        assert_eq!(spec.cluster_ips, Some(vec![address(&created)]));
        assert_eq!(spec.ip_families, Some(vec!["IPv4".to_string()]));
        assert_eq!(spec.ip_family_policy.as_deref(), Some("SingleStack"));
        let ip: Ipv4Addr = address(&created).parse().expect("an address");
        assert!(
            ip >= Ipv4Addr::new(10, 96, 1, 1) && ip <= Ipv4Addr::new(10, 111, 255, 254),
            "{ip}"
        );
        assert!(seen.insert(ip), "{ip}");
    }
}

#[test]
fn an_address_that_is_asked_for_is_given_once_and_released_on_delete() {
    let mut server = Server::new();
    let asked = |name: &str, ip: &str| service(name, json!({"clusterIP": ip}));
    let created = server.create(asked("a", "10.96.0.10")).expect("created");
    assert_eq!(address(&created), "10.96.0.10");
    for (ip, why) in [
        ("10.96.0.10", "provided IP is already allocated"),
        ("10.1.2.3", "the provided network does not match the current range"),
        (
            "10.96.0.0",
            "the provided IP (10.96.0.0) is not in the valid range. The range of valid IPs is \
             10.96.0.0/12",
        ),
    ] {
        assert_eq!(
            message(server.create(asked("b", ip))),
            format!(
                "Service \"b\" is invalid: spec.clusterIPs: Invalid value: [\"{ip}\"]: failed to \
                 allocate IP {ip}: {why}"
            )
        );
    }
    server.delete(KindId::SERVICE, "a", DeleteOptions::default()).expect("deleted");
    server.create(asked("b", "10.96.0.10")).expect("the address is free again");
}

#[test]
fn headless_and_named_services_have_no_address() {
    let mut server = Server::new();
    let headless = server.create(service("a", json!({"clusterIP": "None"}))).expect("created");
    assert_eq!(spec(&headless).cluster_ips, Some(vec!["None".to_string()]));
    assert_eq!(spec(&headless).ip_families, Some(vec!["IPv4".to_string()]));
    // Without a selector it may have endpoints of both families.
    let free = json!({"clusterIP": "None", "selector": null});
    let free = server.create(service("b", free)).expect("created");
    assert_eq!(spec(&free).ip_families, Some(vec!["IPv4".to_string(), "IPv6".to_string()]));
    assert_eq!(spec(&free).ip_family_policy.as_deref(), Some("RequireDualStack"));
    let named = json!({"type": "ExternalName", "externalName": "example.com"});
    let named = server.create(service("c", named)).expect("created");
    assert_eq!((spec(&named).cluster_ip, spec(&named).ip_families), (None, None));
    // It gets an address when its type changes, and gives it back when it changes again.
    let changed = patched(&mut server, "c", json!({"type": "ClusterIP", "externalName": null}));
    let taken = address(&changed);
    assert!(taken.starts_with("10."), "{taken}");
    let named = json!({"type": "ExternalName", "externalName": "example.com"});
    assert_eq!(spec(&patched(&mut server, "c", named)).cluster_ips, None);
    server.create(service("d", json!({"clusterIP": taken}))).expect("the address is free again");
}

#[test]
fn families_that_the_cluster_does_not_have_are_refused() {
    let mut server = Server::new();
    for (given, want) in [
        (
            json!({"ipFamilyPolicy": "RequireDualStack"}),
            "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not \
             configured for dual-stack services",
        ),
        (
            json!({"ipFamilies": ["IPv6"]}),
            "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster",
        ),
        (
            json!({"clusterIP": "2001:db8::1"}),
            "spec.clusterIPs[0]: Invalid value: [\"2001:db8::1\"]: IPv6 is not configured on this \
             cluster",
        ),
        (
            json!({"clusterIPs": ["10.96.0.7"]}),
            "spec.clusterIPs: Invalid value: [\"10.96.0.7\"]: must be empty when `clusterIP` is \
             not specified",
        ),
    ] {
        let words = message(server.create(service("a", given)));
        assert_eq!(words, format!("Service \"a\" is invalid: {want}"));
    }
    let preferring = json!({"ipFamilyPolicy": "PreferDualStack"});
    let created = server.create(service("a", preferring)).expect("created");
    assert_eq!(spec(&created).ip_families, Some(vec!["IPv4".to_string()]));
}

#[test]
fn node_ports_are_given_from_the_upper_band_or_as_asked() {
    let mut server = Server::new();
    let created = server.create(service("a", json!({"type": "NodePort"}))).expect("created");
    let given = node_ports(&created);
    assert!(matches!(given.as_slice(), [port] if (30_086..=32_767).contains(port)), "{given:?}");
    let asked = |port: i32| json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": port}]});
    for (port, why) in [
        (given[0], "provided port is already allocated"),
        (8080, "provided port is not in the valid range. The range of valid ports is 30000-32767"),
    ] {
        assert_eq!(
            message(server.create(service("b", asked(port)))),
            format!(
                "Service \"b\" is invalid: spec.ports[0].nodePort: Invalid value: {port}: {why}"
            )
        );
    }
    server.create(service("b", asked(30_000))).expect("created");
    // One number of a port has one port of the nodes, whatever its protocols.
    let both = json!({"type": "NodePort", "ports": [
        {"name": "tcp", "port": 53, "protocol": "TCP"},
        {"name": "udp", "port": 53, "protocol": "UDP", "nodePort": 30_053},
    ]});
    let created = server.create(service("c", both)).expect("created");
    assert_eq!(node_ports(&created), [30_053, 30_053]);
}

/// Upstream: TestAllocateReserved and TestAllocate of the port allocator.
#[test]
fn the_lower_band_of_node_ports_is_given_last() {
    let mut server = Server::new();
    let with_ports = |count: i32| {
        let ports = (1..=count).map(|port| json!({"name": format!("p{port}"), "port": port}));
        json!({"type": "NodePort", "ports": ports.collect::<Vec<_>>()})
    };
    let upper = server.create(service("a", with_ports(2682))).expect("created");
    let given: BTreeSet<i32> = node_ports(&upper).into_iter().collect();
    assert_eq!(given, (30_086..=32_767).collect());
    let lower = server.create(service("b", with_ports(86))).expect("created");
    let given: BTreeSet<i32> = node_ports(&lower).into_iter().collect();
    assert_eq!(given, (30_000..30_086).collect());
    assert_eq!(
        message(server.create(service("c", with_ports(1)))),
        "Internal error occurred: failed to allocate a nodePort: range is full"
    );
}

#[test]
fn node_ports_stay_with_their_service_until_its_type_changes() {
    let mut server = Server::new();
    let created = server.create(service("a", json!({"type": "NodePort"}))).expect("created");
    let port = node_ports(&created)[0];
    // A client that replaces the Service need not know its ports.
    let mut plain = created.clone();
    let typed = plain.get_mut::<Service>().expect("a Service");
    let fields = typed.spec.as_mut().expect("a specification");
    fields.cluster_ip = None;
    fields.cluster_ips = None;
    fields.ports.as_mut().expect("ports")[0].node_port = None;
    let replaced = server.update(plain).expect("replaced");
    assert_eq!((address(&replaced), node_ports(&replaced)), (address(&created), vec![port]));
    let internal = patched(&mut server, "a", json!({"type": "ClusterIP"}));
    assert_eq!((address(&internal), node_ports(&internal)), (address(&created), vec![]));
    let asked = json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": port}]});
    server.create(service("b", asked)).expect("the port is free again");
}

#[test]
fn load_balancers_that_keep_traffic_local_have_a_port_for_health_checks() {
    let mut server = Server::new();
    let local = json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"});
    let created = server.create(service("a", local)).expect("created");
    let checked = spec(&created).health_check_node_port.unwrap_or(0);
    assert!((30_000..=32_767).contains(&checked) && !node_ports(&created).contains(&checked));
    assert_eq!(spec(&created).allocate_load_balancer_node_ports, Some(true));
    let cluster = patched(&mut server, "a", json!({"externalTrafficPolicy": "Cluster"}));
    assert_eq!(spec(&cluster).health_check_node_port, None);
    let without = json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false});
    let created = server.create(service("b", without)).expect("created");
    assert_eq!(node_ports(&created), Vec::<i32>::new());
}

#[test]
fn an_address_does_not_change_once_set() {
    let mut server = Server::new();
    let created = server.create(service("a", json!({}))).expect("created");
    let patch = Patch::merge(json!({"spec": {"clusterIP": "10.96.7.7"}}));
    let words = message(server.patch(KindId::SERVICE, "a", patch));
    assert!(words.contains("may not change once set"), "{words}");
    let now = server.get(KindId::SERVICE, "a").expect("found");
    assert_eq!(address(&now), address(&created));
}

#[test]
fn a_dry_run_and_a_refusal_leave_nothing_behind() {
    let mut server = Server::new();
    let before = server.fingerprint();
    server.dry_run = true;
    let dry = server.create(service("a", json!({"type": "NodePort"}))).expect("would be created");
    assert_eq!((address(&dry).as_str(), node_ports(&dry)), ("10.96.0.0", vec![32_769]));
    server.dry_run = false;
    message(server.create(service("a", json!({"ports": [{"port": 0}]}))));
    assert_eq!(server.fingerprint(), before);
}

#[test]
fn the_server_keeps_its_own_service_and_endpoints() {
    let mut server = Server::new();
    server.server.advertise(Time::ZERO, "172.18.0.2");
    let own = server.get(KindId::SERVICE, "kubernetes").expect("found");
    assert_eq!(address(&own), "10.96.0.1");
    let slice = server.get(KindId::ENDPOINT_SLICE, "kubernetes").expect("found");
    let slice = slice.get::<EndpointSlice>().expect("an EndpointSlice");
    let endpoints = slice.endpoints.as_deref().unwrap_or_default();
    assert_eq!(endpoints[0].addresses, ["172.18.0.2"]);
    assert_eq!(slice.ports.as_ref().and_then(|ports| ports[0].port), Some(6443));
    for kind in [KindId::SERVICE, KindId::ENDPOINTS, KindId::ENDPOINT_SLICE] {
        server.delete(kind, "kubernetes", DeleteOptions::default()).expect("deleted");
    }
    let next = Time::ZERO + Duration::from_secs(10);
    assert_eq!(server.server.next_wake(), next);
    server.server.wake(next);
    let own = server.get(KindId::SERVICE, "kubernetes").expect("found again");
    assert_eq!(address(&own), "10.96.0.1");
    let found = server.get(KindId::ENDPOINTS, "kubernetes").expect("found again");
    assert!(found.get::<Endpoints>().is_some_and(|found| found.subsets.is_some()));
    let revision = server.server.revision();
    server.server.wake(next + Duration::from_secs(10));
    assert_eq!(server.server.revision(), revision);
}

/// Fields that the server of the golden answers did not know yet, or was told not to set.
const NEWER: [&str; 6] = [
    "clusterIP",
    "clusterIPs",
    "ipFamilies",
    "ipFamilyPolicy",
    "internalTrafficPolicy",
    "allocateLoadBalancerNodePorts",
];

fn comparable(mut spec: Value) -> Value {
    let fields = spec.as_object_mut().expect("fields");
    NEWER.iter().for_each(|name| drop(fields.remove(*name)));
    spec
}

#[test]
fn a_dry_run_gives_what_a_real_server_gives() {
    conditional("corpus/golden-services", corpus("golden-defaults.jsonl"), |file| {
        let text = fs::read_to_string(file).expect("readable");
        let mut server = Server::new();
        server.dry_run = true;
        let mut compared = 0;
        for line in text.lines() {
            let entry: Value = serde_json::from_str(line).expect("JSON");
            let mut request = entry["request"].clone();
            if request["kind"] != "Service" || request["apiVersion"] != "v1" || entry["code"] != 201
            {
                continue;
            }
            // It knew one family only, and dropped what was said of others.
            if request["spec"]["ipFamilies"].to_string().contains("IPv6") {
                continue;
            }
            request["metadata"]["namespace"] = "default".into();
            let created = server.create(request).unwrap_or_else(|status| panic!("{status}"));
            let ours = comparable(created.to_value()["spec"].clone());
            assert_eq!(ours, comparable(entry["response"]["spec"].clone()), "{}", entry["file"]);
            compared += 1;
        }
        assert!(compared > 100, "only {compared} Services compared");
    });
}
