//! Services: types, ports, affinity, policies of traffic.
//!
//! Upstream: pkg/apis/core/validation/validation.go

use k8s_openapi::api::core::v1::{
    LoadBalancerStatus, Service, ServicePort, ServiceSpec, SessionAffinityConfig,
};
use serde_json::json as json_value;
use sim::SmallSet;

use super::{
    dns_label, dns_subdomain, invalid_each, list, meta, names, probes, qualified_name,
    service_addresses, supported, text,
};
use crate::field::{Error, ErrorList, Path};
use crate::services::{is_externally_accessible, is_headless, needs_health_check};

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const DISTRIBUTIONS: [&str; 3] = ["PreferClose", "PreferSameNode", "PreferSameZone"];
/// Where kubelets listen. Upstream: pkg/cluster/ports, KubeletPort.
const KUBELET_PORT: i32 = 10_250;
const MAX_AFFINITY_SECONDS: i32 = 86_400;
const ONLY_BALANCED: &str = "may only be used when `type` is 'LoadBalancer'";

const ANNOTATION_SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const ANNOTATION_TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const ANNOTATION_TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";

/// Upstream: ValidateServiceCreate.
pub(crate) fn service(service: &Service) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&service.metadata, true, names::dns_label, &mut errors);
    topology_annotations(service, &mut errors);
    let none = ServiceSpec::default();
    let spec = service.spec.as_ref().unwrap_or(&none);
    let path = Path::new("spec");
    of_type(spec, &path, &mut errors);
    let ports = list(&spec.ports);
    let mut port_names = SmallSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.child("ports").index(index);
        service_port(port, ports.len() > 1, &mut port_names, &path, &mut errors);
    }
    meta::labels(spec.selector.as_ref(), &path.child("selector"), &mut errors);
    affinity(spec, &path, &mut errors);
    errors.extend(service_addresses::service_addresses(spec));
    for (index, ip) in list(&spec.external_ips).iter().enumerate() {
        let path = path.child("externalIPs").index(index);
        service_addresses::public_ip(ip, &path, &mut errors);
    }
    let service_type = text(&spec.type_);
    if service_type.is_empty() {
        errors.push(Error::required(&path.child("type"), ""));
    } else {
        supported(service_type, &TYPES, &path.child("type"), &mut errors);
    }
    unique_ports(spec, &path, &mut errors);
    load_balancer(service, spec, &path, &mut errors);
    traffic(spec, &path, &mut errors);
    errors
}

/// Upstream: ValidateServiceUpdate.
pub(crate) fn service_update(new: &Service, old: &Service) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let none = ServiceSpec::default();
    let (old_spec, new_spec) =
        (old.spec.as_ref().unwrap_or(&none), new.spec.as_ref().unwrap_or(&none));
    service_addresses::address_update(new_spec, old_spec, &mut errors);
    let path = Path::new("spec");
    let is_balanced = |spec: &ServiceSpec| text(&spec.type_) == "LoadBalancer";
    let both_balanced = is_balanced(old_spec) && is_balanced(new_spec);
    if both_balanced && old_spec.load_balancer_class != new_spec.load_balancer_class {
        let class = new_spec.load_balancer_class.clone();
        let path = path.child("loadBalancerClass");
        errors.push(Error::invalid(&path, class, "may not change once set"));
    }
    let both_checked = needs_health_check(old_spec) && needs_health_check(new_spec);
    if both_checked && old_spec.health_check_node_port != new_spec.health_check_node_port {
        errors.push(Error::forbidden(&path.child("healthCheckNodePort"), super::IS_IMMUTABLE));
    }
    errors.extend(service(new));
    errors
}

/// Upstream: ValidateServiceStatusUpdate.
pub(crate) fn service_status_update(new: &Service, old: &Service) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let service_type = new.spec.as_ref().map(|spec| text(&spec.type_)).unwrap_or_default();
    let status = new.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    if let Some(status) = status {
        let path = Path::new("status").child("loadBalancer").child("ingress");
        load_balancer_status(status, service_type, &path, &mut errors);
    }
    errors
}

/// Upstream: ValidateLoadBalancerStatus.
fn load_balancer_status(
    status: &LoadBalancerStatus,
    service_type: &str,
    path: &Path,
    errors: &mut ErrorList,
) {
    let ingress = list(&status.ingress);
    if service_type != "LoadBalancer" && !ingress.is_empty() {
        let message = "may only be used when `spec.type` is 'LoadBalancer'";
        errors.push(Error::forbidden(path, message));
        return;
    }
    for (index, ingress) in ingress.iter().enumerate() {
        let path = path.index(index);
        let (ip, hostname) = (text(&ingress.ip), text(&ingress.hostname));
        if !ip.is_empty() {
            invalid_each(names::ip(ip), &path.child("ip"), ip, errors);
        }
        let mode_path = path.child("ipMode");
        match (ip.is_empty(), ingress.ip_mode.as_deref()) {
            (false, None) => {
                errors.push(Error::required(&mode_path, "must be specified when `ip` is set"));
            }
            (true, Some(_)) => {
                let message = "may not be specified when `ip` is not set";
                errors.push(Error::forbidden(&mode_path, message));
            }
            (false, Some(mode)) => supported(mode, &["Proxy", "VIP"], &mode_path, errors),
            (true, None) => {}
        }
        if !hostname.is_empty() {
            let path = path.child("hostname");
            invalid_each(names::dns_subdomain(hostname), &path, hostname, errors);
            if names::ip(hostname).is_empty() {
                let message = "must be a DNS name, not an IP address";
                errors.push(Error::invalid(&path, hostname, message));
            }
        }
    }
}

fn topology_annotations(service: &Service, errors: &mut ErrorList) {
    let annotation = |name: &str| service.metadata.annotations.as_ref()?.get(name);
    let (mode, hints) =
        (annotation(ANNOTATION_TOPOLOGY_MODE), annotation(ANNOTATION_TOPOLOGY_HINTS));
    if let (Some(mode), Some(hints)) = (mode, hints)
        && mode != hints
    {
        let path = Path::new("metadata").child("annotations").key(ANNOTATION_TOPOLOGY_MODE);
        let message =
            format!("must match annotations[{ANNOTATION_TOPOLOGY_HINTS}] when both are specified");
        errors.push(Error::invalid(&path, mode.as_str(), message));
    }
}

/// What the type asks for.
fn of_type(spec: &ServiceSpec, path: &Path, errors: &mut ErrorList) {
    let service_type = text(&spec.type_);
    let ports = list(&spec.ports);
    if ports.is_empty() && !is_headless(spec) && service_type != "ExternalName" {
        errors.push(Error::required(&path.child("ports"), ""));
    }
    if service_type == "LoadBalancer" {
        for (index, port) in ports.iter().enumerate().filter(|(_, it)| it.port == KUBELET_PORT) {
            let message = format!(
                "may not expose port {KUBELET_PORT} externally since it is used by kubelet"
            );
            errors.push(Error::invalid(&path.child("ports").index(index), port.port, message));
        }
    }
    if matches!(service_type, "LoadBalancer" | "NodePort") && is_headless(spec) {
        let message = format!("may not be set to 'None' for {service_type} services");
        errors.push(Error::invalid(&path.child("clusterIPs").index(0), "None", message));
    }
    if service_type == "ExternalName" {
        external_name(spec, path, errors);
    }
}

fn external_name(spec: &ServiceSpec, path: &Path, errors: &mut ErrorList) {
    let message = "may not be set for ExternalName services";
    for (name, is_set) in [
        ("clusterIPs", !list(&spec.cluster_ips).is_empty()),
        ("ipFamilies", !list(&spec.ip_families).is_empty()),
        ("ipFamilyPolicy", spec.ip_family_policy.is_some()),
    ] {
        if is_set {
            errors.push(Error::forbidden(&path.child(name), message));
        }
    }
    let name = text(&spec.external_name);
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        errors.push(Error::required(&path.child("externalName"), ""));
    } else {
        dns_subdomain(name, &path.child("externalName"), errors);
    }
}

/// Upstream: validateServicePort.
fn service_port<'p>(
    port: &'p ServicePort,
    needs_name: bool,
    port_names: &mut SmallSet<&'p str>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let name = text(&port.name);
    if !name.is_empty() {
        dns_label(name, &path.child("name"), errors);
        if !port_names.insert(name) {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
    } else if needs_name {
        errors.push(Error::required(&path.child("name"), ""));
    }
    service_addresses::number_of_port(port.port, &path.child("port"), errors);
    protocol(text(&port.protocol), &path.child("protocol"), errors);
    if let Some(target) = &port.target_port {
        probes::port(target, &path.child("targetPort"), errors);
    }
    if let Some(protocol) = &port.app_protocol {
        qualified_name(protocol, &path.child("appProtocol"), errors);
    }
}

pub(super) fn protocol(protocol: &str, path: &Path, errors: &mut ErrorList) {
    if protocol.is_empty() {
        errors.push(Error::required(path, ""));
    } else {
        supported(protocol, &PROTOCOLS, path, errors);
    }
}

fn affinity(spec: &ServiceSpec, path: &Path, errors: &mut ErrorList) {
    let affinity_path = path.child("sessionAffinity");
    let config_path = path.child("sessionAffinityConfig");
    let config = spec.session_affinity_config.as_ref();
    match text(&spec.session_affinity) {
        "" => errors.push(Error::required(&affinity_path, "")),
        "ClientIP" => client_affinity(config, &config_path, errors),
        "None" if config.is_some() => {
            let message = "must not be set when session affinity is None";
            errors.push(Error::forbidden(&config_path, message));
        }
        other => supported(other, &["ClientIP", "None"], &affinity_path, errors),
    }
}

/// Upstream: validateClientIPAffinityConfig.
fn client_affinity(config: Option<&SessionAffinityConfig>, path: &Path, errors: &mut ErrorList) {
    let message = "when session affinity type is ClientIP";
    let Some(config) = config else {
        errors.push(Error::required(path, message));
        return;
    };
    let path = path.child("clientIP");
    let Some(client) = &config.client_ip else {
        errors.push(Error::required(&path, message));
        return;
    };
    let path = path.child("timeoutSeconds");
    match client.timeout_seconds {
        None => errors.push(Error::required(&path, message)),
        Some(seconds) if seconds <= 0 || seconds > MAX_AFFINITY_SECONDS => {
            let message = format!("must be greater than 0 and less than {MAX_AFFINITY_SECONDS}");
            errors.push(Error::invalid(&path, seconds, message));
        }
        Some(_) => {}
    }
}

/// Ports of the nodes where they are allowed, and no port twice.
fn unique_ports(spec: &ServiceSpec, path: &Path, errors: &mut ErrorList) {
    let path = path.child("ports");
    let ports = list(&spec.ports);
    let node_port = |port: &ServicePort| port.node_port.filter(|number| *number != 0);
    if text(&spec.type_) == "ClusterIP" {
        for (index, _) in ports.iter().enumerate().filter(|(_, it)| node_port(it).is_some()) {
            let path = path.index(index).child("nodePort");
            errors.push(Error::forbidden(&path, "may not be used when `type` is 'ClusterIP'"));
        }
    }
    let mut seen = SmallSet::new();
    for (index, port) in ports.iter().enumerate() {
        let Some(number) = node_port(port) else { continue };
        if !seen.insert((text(&port.protocol), number)) {
            errors.push(Error::duplicate(&path.index(index).child("nodePort"), number));
        }
    }
    let mut seen = SmallSet::new();
    for (index, port) in ports.iter().enumerate() {
        let protocol = text(&port.protocol);
        if !seen.insert((protocol, port.port)) {
            let shown = json_value!({
                "name": "", "protocol": protocol, "port": port.port, "targetPort": 0, "nodePort": 0,
            });
            errors.push(Error::duplicate(&path.index(index), shown));
        }
    }
}

/// What only load balancers may have.
fn load_balancer(service: &Service, spec: &ServiceSpec, path: &Path, errors: &mut ErrorList) {
    let is_balanced = text(&spec.type_) == "LoadBalancer";
    let ranges = list(&spec.load_balancer_source_ranges);
    let annotations = service.metadata.annotations.as_ref();
    let annotation = annotations.and_then(|all| all.get(ANNOTATION_SOURCE_RANGES));
    if !ranges.is_empty() {
        let path = path.child("LoadBalancerSourceRanges");
        if !is_balanced {
            errors.push(Error::forbidden(&path, ONLY_BALANCED));
        }
        for (index, range) in ranges.iter().enumerate() {
            invalid_each(names::cidr(range.trim()), &path.index(index), range.trim(), errors);
        }
    } else if let Some(annotation) = annotation {
        let path = Path::new("metadata").child("annotations").key(ANNOTATION_SOURCE_RANGES);
        if !is_balanced {
            errors.push(Error::forbidden(&path, ONLY_BALANCED));
        }
        for range in annotation.trim().split(',').filter(|_| !annotation.trim().is_empty()) {
            invalid_each(names::cidr(range.trim()), &path, range.trim(), errors);
        }
    }
    match (spec.allocate_load_balancer_node_ports, is_balanced) {
        (Some(_), false) => {
            let path = path.child("allocateLoadBalancerNodePorts");
            errors.push(Error::forbidden(&path, ONLY_BALANCED));
        }
        (None, true) => {
            errors.push(Error::required(&Path::new("allocateLoadBalancerNodePorts"), ""));
        }
        _ => {}
    }
    let class_path = path.child("loadBalancerClass");
    match &spec.load_balancer_class {
        Some(class) if is_balanced => qualified_name(class, &class_path, errors),
        Some(_) => errors.push(Error::forbidden(&class_path, ONLY_BALANCED)),
        None => {}
    }
}

/// Where traffic goes. Upstream: validateServiceExternalTrafficPolicy,
/// validateServiceInternalTrafficFieldsValue and validateServiceTrafficDistribution.
fn traffic(spec: &ServiceSpec, path: &Path, errors: &mut ErrorList) {
    let external_path = path.child("externalTrafficPolicy");
    match (text(&spec.external_traffic_policy), is_externally_accessible(spec)) {
        ("", false) => {}
        ("", true) => errors.push(Error::required(&external_path, "")),
        (policy, true) => supported(policy, &["Cluster", "Local"], &external_path, errors),
        (policy, false) => {
            let message = "may only be set for externally-accessible services";
            errors.push(Error::invalid(&external_path, policy, message));
        }
    }
    let health_path = path.child("healthCheckNodePort");
    match (spec.health_check_node_port.unwrap_or(0), needs_health_check(spec)) {
        (0, false) => {}
        (0, true) => errors.push(Error::required(&health_path, "")),
        (port, true) => service_addresses::number_of_port(port, &health_path, errors),
        (port, false) => {
            let message = "may only be set when `type` is 'LoadBalancer' and \
                           `externalTrafficPolicy` is 'Local'";
            errors.push(Error::invalid(&health_path, port, message));
        }
    }
    let internal_path = path.child("internalTrafficPolicy");
    let needs_internal = matches!(text(&spec.type_), "NodePort" | "LoadBalancer" | "ClusterIP");
    match &spec.internal_traffic_policy {
        Some(policy) => supported(policy, &["Cluster", "Local"], &internal_path, errors),
        None if needs_internal => errors.push(Error::required(&internal_path, "")),
        None => {}
    }
    if let Some(distribution) = &spec.traffic_distribution {
        supported(distribution, &DISTRIBUTIONS, &path.child("trafficDistribution"), errors);
    }
}
