//! Upstream: staging/src/k8s.io/endpointslice/reconciler_test.go

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{Node, Pod, Service};
use api::openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use component_helpers::controller_ref::new_controller_ref;
use serde_json::{Value, json};

use super::endpoint::{EndpointKey, Ports, endpoint_of, endpoint_ports};
use super::labels::slice_labels;
use super::reconcile::{Desired, Group, Plan, Reconciler};

fn service(spec: Value) -> Service {
    let mut whole = json!({
        "ports": [{"name": "portname1", "targetPort": 80, "protocol": "TCP", "port": 80}],
        "selector": {"foo": "bar"}, "ipFamilies": ["IPv4"], "clusterIP": "10.0.0.10",
    });
    for (field, value) in spec.as_object().expect("fields") {
        whole[field] = value.clone();
    }
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "foo", "namespace": "test", "uid": "service-uid"}, "spec": whole,
    }))
    .expect("a Service")
}

fn pod(number: usize, ready: bool) -> Pod {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("pod{number}"), "namespace": "test",
            "uid": format!("uid-{number}"), "labels": {"foo": "bar"}},
        "spec": {"containers": [{"name": "container-1"}], "nodeName": "node-1"},
        "status": {"podIP": format!("1.2.{}.{}", number / 250, number % 250 + 1),
            "podIPs": [{"ip": format!("1.2.{}.{}", number / 250, number % 250 + 1)}],
            "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]},
    }))
    .expect("a pod")
}

fn pods(count: usize) -> Vec<Pod> {
    (0..count).map(|number| pod(number, number % 3 != 0)).collect()
}

fn slice(number: usize, service: &Service, pods: &[&Pod]) -> EndpointSlice {
    let mut slice: EndpointSlice = serde_json::from_value(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": format!("foo-{number}"), "namespace": "test"},
    }))
    .expect("a slice");
    slice.metadata.labels = Some(slice_labels(None, service).0);
    slice.metadata.owner_references = Some(vec![new_controller_ref(service)]);
    slice.ports = Some(endpoint_ports(service, &pod(0, true)));
    slice.endpoints =
        Some(pods.iter().map(|pod| endpoint_of(pod, None, service, "IPv4")).collect());
    slice
}

fn desired(service: &Service, pods: &[&Pod]) -> Desired {
    let mut desired = Desired::new();
    for pod in pods {
        let ports = endpoint_ports(service, pod);
        let group = desired.entry(Ports::of(Some(&ports)));
        let group = group.or_insert_with(|| Group { ports, endpoints: sim::OrdMap::new() });
        let endpoint = endpoint_of(pod, None, service, "IPv4");
        group.endpoints.insert(EndpointKey::of(&endpoint), endpoint);
    }
    desired
}

fn reconcile_with(
    most: usize,
    service: &Service,
    existing: &[EndpointSlice],
    wanted: Desired,
    keeps: &dyn Fn(&Endpoint) -> bool,
) -> Plan {
    let existing: Vec<&EndpointSlice> = existing.iter().collect();
    let reconciler =
        Reconciler { service, address_type: "IPv4", max_endpoints_per_slice: most, keeps };
    reconciler.reconcile(&existing, wanted)
}

fn reconcile(service: &Service, existing: &[EndpointSlice], pods: &[Pod]) -> Plan {
    let pods: Vec<&Pod> = pods.iter().collect();
    reconcile_with(100, service, existing, desired(service, &pods), &|_| false)
}

/// The slices after a plan, by name; new ones get names that sort behind.
fn applied(existing: &[EndpointSlice], plan: &Plan) -> Vec<EndpointSlice> {
    let name = |slice: &EndpointSlice| slice.metadata.name.clone().unwrap_or_default();
    let mut slices: BTreeMap<String, EndpointSlice> =
        existing.iter().map(|slice| (name(slice), slice.clone())).collect();
    plan.delete.iter().for_each(|slice| drop(slices.remove(&name(slice))));
    slices.extend(plan.update.iter().map(|slice| (name(slice), slice.clone())));
    for (number, slice) in plan.create.iter().enumerate() {
        let mut slice = slice.clone();
        slice.metadata.name = Some(format!("new-{number}"));
        slices.insert(name(&slice), slice);
    }
    slices.into_values().collect()
}

fn lengths(slices: &[EndpointSlice]) -> Vec<usize> {
    let mut lengths: Vec<usize> =
        slices.iter().map(|slice| slice.endpoints.as_ref().map_or(0, Vec::len)).collect();
    lengths.sort_unstable();
    lengths
}

fn counts(plan: &Plan) -> (usize, usize, usize) {
    (plan.create.len(), plan.update.len(), plan.delete.len())
}

/// Upstream: TestReconcileEmpty and TestReconcile1EndpointSlice.
#[test]
fn without_pods_there_is_one_empty_slice() {
    let service = service(json!({}));
    let plan = reconcile(&service, &[], &[]);
    assert_eq!(counts(&plan), (1, 0, 0));
    let created = &plan.create[0];
    assert_eq!(created.metadata.generate_name.as_deref(), Some("foo-"));
    assert_eq!((&created.endpoints, &created.ports), (&Some(vec![]), &Some(vec![])));
    // It stays when it is there, and an emptied slice becomes it.
    let place_holder = applied(&[], &plan);
    assert_eq!(counts(&reconcile(&service, &place_holder, &[])), (0, 0, 0));
    let full = [slice(1, &service, &[&pod(1, true)])];
    let plan = reconcile(&service, &full, &[]);
    assert_eq!(counts(&plan), (0, 1, 0));
    assert_eq!(plan.update[0].metadata.name.as_deref(), Some("foo-1"));
    // Once there are pods, it is deleted or becomes a slice of theirs.
    let plan = reconcile(&service, &place_holder, &pods(1));
    assert_eq!(counts(&plan), (0, 1, 0));
    assert_eq!(lengths(&applied(&place_holder, &plan)), [1]);
}

/// Upstream: TestReconcileManyPods and TestReconcileMaxEndpointsPerSlice.
#[test]
fn pods_are_spread_over_as_few_slices_as_hold_them() {
    let service = service(json!({}));
    let pods = pods(250);
    let pods: Vec<&Pod> = pods.iter().collect();
    for (most, want) in [
        (50, vec![50; 5]),
        (80, vec![10, 80, 80, 80]),
        (100, vec![50, 100, 100]),
        (150, vec![100, 150]),
        (250, vec![250]),
        (500, vec![250]),
    ] {
        let plan = reconcile_with(most, &service, &[], desired(&service, &pods), &|_| false);
        assert_eq!(lengths(&plan.create), want, "{most}");
    }
}

/// Upstream: TestReconcileEndpointSlicesSomePreexisting and …WorseAllocation.
#[test]
fn one_slice_is_filled_and_others_are_made() {
    let service = service(json!({}));
    for (count, want_counts, want) in
        [(250, (1, 1, 0), vec![61, 89, 100]), (300, (2, 0, 0), vec![52, 74, 74, 100])]
    {
        let pods = pods(count);
        let every = |first: usize| -> Vec<&Pod> {
            (first..count - 4).step_by(4).map(|number| &pods[number]).collect()
        };
        let existing = [slice(1, &service, &every(1)), slice(2, &service, &every(3))];
        let plan = reconcile(&service, &existing, &pods);
        assert_eq!(counts(&plan), want_counts, "{count}");
        assert_eq!(lengths(&applied(&existing, &plan)), want, "{count}");
    }
}

/// Upstream: TestReconcileEndpointSlicesUpdating, …ServicesLabelsUpdating and
/// …ServicesReservedLabels.
#[test]
fn slices_follow_the_labels_of_their_service() {
    let mut service = service(json!({}));
    let pods = pods(250);
    let existing = applied(&[], &reconcile(&service, &[], &pods));
    assert_eq!(counts(&reconcile(&service, &existing, &pods)), (0, 0, 0));
    let mut changed = service.clone();
    let ports = changed.spec.as_mut().and_then(|spec| spec.ports.as_mut()).expect("ports");
    ports[0].target_port =
        Some(api::openapi::apimachinery::pkg::util::intstr::IntOrString::Int(81));
    let plan = reconcile(&changed, &existing, &pods);
    assert_eq!((counts(&plan), lengths(&plan.update)), ((0, 3, 0), vec![50, 100, 100]));
    let mut labelled = |key: &str| {
        service.metadata.labels = Some([(key.to_string(), "bar".to_string())].into());
        counts(&reconcile(&service, &existing, &pods))
    };
    assert_eq!(labelled("foo"), (0, 3, 0));
    for reserved in [
        "kubernetes.io/service-name",
        "endpointslice.kubernetes.io/managed-by",
        "service.kubernetes.io/headless",
    ] {
        assert_eq!(labelled(reserved), (0, 0, 0), "{reserved}");
    }
}

/// Upstream: TestReconcileEndpointSlicesRecycling.
#[test]
fn slices_with_other_ports_are_recycled() {
    let mut service = service(json!({}));
    let pods = pods(300);
    let existing: Vec<EndpointSlice> = pods
        .chunks(30)
        .enumerate()
        .map(|(number, pods)| slice(number, &service, &pods.iter().collect::<Vec<_>>()))
        .collect();
    assert_eq!(counts(&reconcile(&service, &existing, &pods)), (0, 0, 0));
    let ports = service.spec.as_mut().and_then(|spec| spec.ports.as_mut()).expect("ports");
    ports[0].target_port =
        Some(api::openapi::apimachinery::pkg::util::intstr::IntOrString::Int(81));
    let plan = reconcile(&service, &existing, &pods);
    assert_eq!(counts(&plan), (0, 3, 7));
    assert_eq!(lengths(&applied(&existing, &plan)), [100, 100, 100]);
}

/// Upstream: TestReconcileEndpointSlicesUpdatePacking.
#[test]
fn the_fuller_of_slices_that_are_written_anyway_is_filled() {
    let service = service(json!({}));
    let mut all: Vec<Pod> = (0..80).chain(100..120).map(|number| pod(number, true)).collect();
    let existing = [
        slice(1, &service, &all[..80].iter().collect::<Vec<_>>()),
        slice(2, &service, &all[80..].iter().collect::<Vec<_>>()),
    ];
    for index in (0..all.len()).step_by(10) {
        let conditions = all[index].status.as_mut().and_then(|it| it.conditions.as_mut());
        conditions.expect("conditions")[0].status = "False".to_string();
    }
    all.extend((200..215).map(|number| pod(number, true)));
    let plan = reconcile(&service, &existing, &all);
    assert_eq!(counts(&plan), (0, 2, 0));
    assert_eq!(lengths(&applied(&existing, &plan)), [20, 95]);
}

/// Upstream: TestReconcileEndpointSlicesRecreation.
#[test]
fn slices_of_another_service_of_the_name_are_replaced() {
    let service = service(json!({}));
    let mut other = slice(1, &service, &[&pod(0, true)]);
    for owner in other.metadata.owner_references.iter_mut().flatten() {
        owner.uid = "other".to_string();
    }
    let plan = reconcile(&service, &[other], &[pod(0, true)]);
    assert_eq!(counts(&plan), (1, 0, 1));
}

/// Upstream: TestReconcileEndpointSlicesNamedPorts.
#[test]
fn every_number_that_a_name_stands_for_has_slices_of_its_own() {
    let named = json!({"ports": [{"targetPort": "http", "protocol": "TCP", "port": 80}]});
    let service = service(named);
    let mut pods = pods(300);
    for (number, pod) in pods.iter_mut().enumerate() {
        let spec = pod.spec.as_mut().expect("a specification");
        let ports =
            json!([{"name": "http", "containerPort": 8080 + number % 5, "protocol": "TCP"}]);
        spec.containers[0].ports = serde_json::from_value(ports).expect("ports");
    }
    let plan = reconcile(&service, &[], &pods);
    assert_eq!((counts(&plan), lengths(&plan.create)), ((5, 0, 0), vec![60; 5]));
    let numbers: Vec<Option<i32>> =
        plan.create.iter().map(|slice| slice.ports.as_ref().and_then(|it| it[0].port)).collect();
    assert_eq!(numbers, [8080, 8081, 8082, 8083, 8084].map(Some));
}

/// Upstream: TestReconcile_TrafficDistribution.
#[test]
fn hints_follow_the_distribution_of_traffic() {
    let node: Node = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "node-1", "labels": {"topology.kubernetes.io/zone": "zone-a"}},
    }))
    .expect("a node");
    let hints_of = |distribution: Value| {
        let service = service(json!({ "trafficDistribution": distribution }));
        let mut existing = slice(1, &service, &[]);
        existing.endpoints = Some(vec![endpoint_of(&pod(1, true), Some(&node), &service, "IPv4")]);
        let plan = reconcile_with(100, &service, &[existing], Desired::new(), &|_| true);
        let updated = plan.update.first().and_then(|slice| slice.endpoints.clone());
        updated.map(|endpoints| serde_json::to_value(&endpoints[0].hints).expect("JSON"))
    };
    let zone = json!({"forZones": [{"name": "zone-a"}]});
    assert_eq!(hints_of(Value::Null), None);
    assert_eq!(hints_of(json!("PreferClose")), Some(zone.clone()));
    assert_eq!(hints_of(json!("PreferSameZone")), Some(zone));
    assert_eq!(
        hints_of(json!("PreferSameNode")),
        Some(json!({"forZones": [{"name": "zone-a"}], "forNodes": [{"name": "node-1"}]}))
    );
}

/// What a sync of a few pods comes to is what a sync of all comes to.
#[test]
fn endpoints_that_are_known_to_be_right_need_not_come_in_again() {
    let service = service(json!({}));
    let mut all = pods(250);
    let existing = applied(&[], &reconcile(&service, &[], &all));
    for number in [3, 120, 249] {
        all[number] = pod(number, number != 120);
    }
    all.remove(7);
    all.push(pod(300, true));
    let whole = reconcile(&service, &existing, &all);
    let dirty = ["pod3", "pod120", "pod249", "pod7", "pod300"];
    let is_dirty = |name: &Option<String>| dirty.contains(&name.as_deref().unwrap_or_default());
    let changed: Vec<&Pod> = all.iter().filter(|pod| is_dirty(&pod.metadata.name)).collect();
    let keeps =
        |endpoint: &Endpoint| !endpoint.target_ref.as_ref().is_some_and(|it| is_dirty(&it.name));
    let part = reconcile_with(100, &service, &existing, desired(&service, &changed), &keeps);
    assert!(counts(&part).1 > 0);
    assert_eq!(
        (&part.create, &part.update, &part.delete),
        (&whole.create, &whole.update, &whole.delete)
    );
}
