//! The endpoint that a pod is of a Service.
//!
//! Upstream: staging/src/k8s.io/endpointslice/utils.go

use std::net::IpAddr;

use api::openapi::api::core::v1::{Node, ObjectReference, Pod, Service};
use api::openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort};
use api::services::{CLUSTER_IP_NONE, find_port};
use component_helpers::pod_status::{is_pod_ready, node_name};
use sim::Sort;

use crate::service_pods::{addresses, endpoint_hostname};

const LABEL_ZONE: &str = "topology.kubernetes.io/zone";

/// What tells one endpoint from another: the rest is changed in place. Upstream: hashEndpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EndpointKey {
    addresses: Vec<String>,
    hostname: String,
    namespace: String,
    name: String,
}

impl EndpointKey {
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let target = endpoint.target_ref.as_ref();
        let mut addresses = endpoint.addresses.clone();
        addresses.order();
        EndpointKey {
            addresses,
            hostname: text(&endpoint.hostname),
            namespace: target.map(|target| text(&target.namespace)).unwrap_or_default(),
            name: target.map(|target| text(&target.name)).unwrap_or_default(),
        }
    }
}

/// Whether two endpoints of the same key are equal. Upstream: EndpointsEqualBeyondHash.
pub(crate) fn equal_beyond_key(a: &Endpoint, b: &Endpoint) -> bool {
    let reference = |endpoint: &Endpoint| {
        endpoint
            .target_ref
            .clone()
            .map(|target| ObjectReference { resource_version: None, ..target })
    };
    a.node_name == b.node_name
        && a.zone == b.zone
        && a.conditions == b.conditions
        && reference(a) == reference(b)
}

type PortParts = (Option<String>, Option<i32>, Option<String>, Option<String>);

/// A set of ports, whatever the order of its ports: what slices are told apart by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ports(Vec<PortParts>);

impl Ports {
    pub(crate) fn of(ports: Option<&Vec<EndpointPort>>) -> Self {
        let parts = |port: &EndpointPort| {
            let EndpointPort { name, port, protocol, app_protocol } = port.clone();
            (name, port, protocol, app_protocol)
        };
        let mut ports: Vec<PortParts> = ports.into_iter().flatten().map(parts).collect();
        ports.order();
        Ports(ports)
    }
}

/// The endpoint that a pod is. Upstream: podToEndpoint.
pub(super) fn endpoint_of(
    pod: &Pod,
    node: Option<&Node>,
    service: &Service,
    address_type: &str,
) -> Endpoint {
    let publishes = service.spec.as_ref().and_then(|spec| spec.publish_not_ready_addresses);
    let serving = is_pod_ready(pod);
    let terminating = pod.metadata.deletion_timestamp.is_some();
    // Who looks at readiness alone shall not see a pod that goes away.
    let ready = publishes.unwrap_or(false) || (serving && !terminating);
    let labels = node.and_then(|node| node.metadata.labels.as_ref());
    let zone = labels.and_then(|labels| labels.get(LABEL_ZONE)).filter(|zone| !zone.is_empty());
    let node_name = Some(node_name(pod)).filter(|name| !name.is_empty());
    Endpoint {
        addresses: addresses_of(pod, address_type),
        conditions: Some(EndpointConditions {
            ready: Some(ready),
            serving: Some(serving),
            terminating: Some(terminating),
        }),
        hostname: endpoint_hostname(pod, service),
        node_name: node_name.map(str::to_string),
        target_ref: Some(ObjectReference {
            kind: Some("Pod".to_string()),
            namespace: pod.metadata.namespace.clone(),
            name: pod.metadata.name.clone(),
            uid: pod.metadata.uid.clone(),
            ..ObjectReference::default()
        }),
        zone: zone.cloned(),
        ..Endpoint::default()
    }
}

fn addresses_of(pod: &Pod, address_type: &str) -> Vec<String> {
    let parsed = addresses(pod).filter_map(|ip| ip.parse::<IpAddr>().ok());
    let wanted = parsed.filter(|ip| ip.is_ipv6() == (address_type == "IPv6"));
    wanted.map(|ip| ip.to_string()).collect()
}

/// The ports of a pod that the ports of a Service lead to. Upstream: getEndpointPorts.
pub(super) fn endpoint_ports(service: &Service, pod: &Pod) -> Vec<EndpointPort> {
    let ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
    let found = ports.filter_map(|port| {
        let number = find_port(pod, port)?;
        Some(EndpointPort {
            name: Some(port.name.clone().unwrap_or_default()),
            port: Some(number),
            protocol: port.protocol.clone(),
            app_protocol: port.app_protocol.clone(),
        })
    });
    found.collect()
}

/// The types of addresses that the endpoints of a Service have.
/// Upstream: getAddressTypesForService.
pub(super) fn address_types(service: &Service) -> Vec<&'static str> {
    let spec = service.spec.as_ref();
    let families = spec.and_then(|spec| spec.ip_families.as_deref()).unwrap_or_default();
    let known: Vec<&str> = ["IPv4", "IPv6"]
        .into_iter()
        .filter(|it| families.iter().any(|family| family == it))
        .collect();
    if !known.is_empty() {
        return known;
    }
    match spec.and_then(|spec| spec.cluster_ip.as_deref()) {
        Some(ip) if !ip.is_empty() && ip != CLUSTER_IP_NONE => {
            vec![if ip.contains(':') { "IPv6" } else { "IPv4" }]
        }
        _ => vec!["IPv4", "IPv6"],
    }
}
