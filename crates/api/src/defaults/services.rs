//! Defaults of Services and of what lists their endpoints.
//!
//! Upstream: pkg/apis/core/v1/defaults.go, pkg/apis/discovery/v1/defaults.go

use k8s_openapi::api::core::v1::{
    ClientIPConfig, Endpoints, LoadBalancerStatus, Service, ServicePort, ServiceSpec,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{omitted, text};
use crate::services;

/// How long a client keeps its endpoint. Upstream: DefaultClientIPServiceAffinitySeconds.
const CLIENT_IP_AFFINITY_SECONDS: i32 = 10_800;

/// Upstream: SetDefaults_Service.
pub(crate) fn service(service: &mut Service) {
    omitted::meta(&mut service.metadata);
    let spec = service.spec.get_or_insert_default();
    omit(spec);
    text(&mut spec.session_affinity, "None");
    match spec.session_affinity.as_deref() {
        Some("None") => spec.session_affinity_config = None,
        Some("ClientIP") => {
            let config = spec.session_affinity_config.get_or_insert_default();
            let client: &mut ClientIPConfig = config.client_ip.get_or_insert_default();
            client.timeout_seconds.get_or_insert(CLIENT_IP_AFFINITY_SECONDS);
        }
        _ => {}
    }
    text(&mut spec.type_, "ClusterIP");
    spec.ports.iter_mut().flatten().for_each(port);
    if services::is_externally_accessible(spec) {
        text(&mut spec.external_traffic_policy, "Cluster");
    }
    let service_type = services::service_type(spec);
    let is_load_balancer = service_type == "LoadBalancer";
    if is_load_balancer || matches!(service_type, "NodePort" | "ClusterIP") {
        spec.internal_traffic_policy.get_or_insert_with(|| "Cluster".to_string());
    }
    if is_load_balancer {
        spec.allocate_load_balancer_node_ports.get_or_insert(true);
    }
    let status = service.status.get_or_insert_default();
    load_balancer(status.load_balancer.get_or_insert_default(), is_load_balancer);
}

fn load_balancer(status: &mut LoadBalancerStatus, is_load_balancer: bool) {
    omitted::list(&mut status.ingress);
    for ingress in status.ingress.iter_mut().flatten().filter(|_| is_load_balancer) {
        if ingress.ip.as_deref().is_some_and(|ip| !ip.is_empty()) {
            ingress.ip_mode.get_or_insert_with(|| "VIP".to_string());
        }
    }
}

fn omit(spec: &mut ServiceSpec) {
    omitted::list(&mut spec.ports);
    omitted::map(&mut spec.selector);
    omitted::text(&mut spec.cluster_ip);
    omitted::list(&mut spec.cluster_ips);
    omitted::text(&mut spec.type_);
    omitted::list(&mut spec.external_ips);
    omitted::text(&mut spec.session_affinity);
    omitted::text(&mut spec.load_balancer_ip);
    omitted::list(&mut spec.load_balancer_source_ranges);
    omitted::text(&mut spec.external_name);
    omitted::text(&mut spec.external_traffic_policy);
    omitted::number(&mut spec.health_check_node_port);
    omitted::flag(&mut spec.publish_not_ready_addresses);
    omitted::list(&mut spec.ip_families);
}

fn port(port: &mut ServicePort) {
    omitted::text(&mut port.name);
    omitted::number(&mut port.node_port);
    text(&mut port.protocol, "TCP");
    let says_nothing = match &port.target_port {
        None => true,
        Some(IntOrString::Int(number)) => *number == 0,
        Some(IntOrString::String(name)) => name.is_empty(),
    };
    if says_nothing {
        port.target_port = Some(IntOrString::Int(port.port));
    }
}

/// Upstream: SetDefaults_Endpoints.
pub(crate) fn endpoints(endpoints: &mut Endpoints) {
    omitted::meta(&mut endpoints.metadata);
    omitted::list(&mut endpoints.subsets);
    for subset in endpoints.subsets.iter_mut().flatten() {
        omitted::list(&mut subset.addresses);
        omitted::list(&mut subset.not_ready_addresses);
        omitted::list(&mut subset.ports);
        let addresses = subset.addresses.iter_mut().chain(&mut subset.not_ready_addresses);
        addresses.flatten().for_each(|address| omitted::text(&mut address.hostname));
        for port in subset.ports.iter_mut().flatten() {
            omitted::text(&mut port.name);
            text(&mut port.protocol, "TCP");
        }
    }
}

/// Upstream: SetDefaults_EndpointPort in pkg/apis/discovery/v1/defaults.go
pub(crate) fn endpoint_slice(slice: &mut EndpointSlice) {
    omitted::meta(&mut slice.metadata);
    for port in slice.ports.iter_mut().flatten() {
        port.name.get_or_insert_default();
        port.protocol.get_or_insert_with(|| "TCP".to_string());
    }
}
