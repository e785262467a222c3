//! Endpoints and EndpointSlices.
//!
//! Upstream: pkg/apis/core/validation/validation.go, ValidateEndpoints, and
//! pkg/apis/discovery/validation/validation.go

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, Endpoints};
use k8s_openapi::api::discovery::v1::{
    Endpoint, EndpointHints, EndpointPort as SlicePort, EndpointSlice,
};
use sim::SmallSet;

use super::service::protocol;
use super::service_addresses::{ipv4, ipv6, non_special_ip, number_of_port};
use super::{
    dns_label, immutable, invalid_each, list, meta, names, qualified_name, supported, text,
};
use crate::field::{Error, ErrorList, Path};
use crate::labels::label_value_errors;

const ADDRESS_TYPES: [&str; 3] = ["FQDN", "IPv4", "IPv6"];
const MAX_ADDRESSES: usize = 100;
const MAX_ENDPOINTS: usize = 1000;
const MAX_PORTS: usize = 20_000;
const MAX_HINTS: usize = 8;

/// Upstream: ValidateEndpoints.
pub(crate) fn endpoints(endpoints: &Endpoints) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&endpoints.metadata, true, names::dns_subdomain, &mut errors);
    let path = Path::new("subsets");
    for (index, subset) in list(&endpoints.subsets).iter().enumerate() {
        let path = path.index(index);
        let (ready, not_ready) = (list(&subset.addresses), list(&subset.not_ready_addresses));
        if ready.is_empty() && not_ready.is_empty() {
            let message = "must specify `addresses` or `notReadyAddresses`";
            errors.push(Error::required(&path, message));
        }
        for (name, addresses) in [("addresses", ready), ("notReadyAddresses", not_ready)] {
            for (index, address) in addresses.iter().enumerate() {
                endpoint_address(address, &path.child(name).index(index), &mut errors);
            }
        }
        let ports = list(&subset.ports);
        for (index, port) in ports.iter().enumerate() {
            endpoint_port(port, ports.len() > 1, &path.child("ports").index(index), &mut errors);
        }
    }
    errors
}

/// Upstream: ValidateEndpointsUpdate.
pub(crate) fn endpoints_update(new: &Endpoints, old: &Endpoints) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    errors.extend(endpoints(new));
    errors
}

fn endpoint_address(address: &EndpointAddress, path: &Path, errors: &mut ErrorList) {
    let ip_path = path.child("ip");
    invalid_each(names::ip(&address.ip), &ip_path, &address.ip, errors);
    if !text(&address.hostname).is_empty() {
        dns_label(text(&address.hostname), &path.child("hostname"), errors);
    }
    node_name(address.node_name.as_ref(), &path.child("nodeName"), errors);
    non_special_ip(&address.ip, &ip_path, errors);
}

fn node_name(name: Option<&String>, path: &Path, errors: &mut ErrorList) {
    if let Some(name) = name {
        invalid_each(names::dns_subdomain(name), path, name, errors);
    }
}

fn endpoint_port(port: &EndpointPort, needs_name: bool, path: &Path, errors: &mut ErrorList) {
    let name = text(&port.name);
    if !name.is_empty() {
        dns_label(name, &path.child("name"), errors);
    } else if needs_name {
        errors.push(Error::required(&path.child("name"), ""));
    }
    number_of_port(port.port, &path.child("port"), errors);
    protocol(text(&port.protocol), &path.child("protocol"), errors);
    if let Some(protocol) = &port.app_protocol {
        qualified_name(protocol, &path.child("appProtocol"), errors);
    }
}

/// Upstream: ValidateEndpointSliceCreate.
pub(crate) fn endpoint_slice(slice: &EndpointSlice) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&slice.metadata, true, names::dns_subdomain, &mut errors);
    let address_type = slice.address_type.as_str();
    let path = Path::new("addressType");
    if address_type.is_empty() {
        errors.push(Error::required(&path, ""));
    } else {
        supported(address_type, &ADDRESS_TYPES, &path, &mut errors);
    }
    let path = Path::new("endpoints");
    let endpoints = list(&slice.endpoints);
    if !is_too_many(endpoints.len(), MAX_ENDPOINTS, &path, &mut errors) {
        for (index, endpoint) in endpoints.iter().enumerate() {
            slice_endpoint(endpoint, address_type, &path.index(index), &mut errors);
        }
    }
    let path = Path::new("ports");
    let ports = list(&slice.ports);
    if !is_too_many(ports.len(), MAX_PORTS, &path, &mut errors) {
        let mut port_names = SmallSet::new();
        for (index, port) in ports.iter().enumerate() {
            slice_port(port, &mut port_names, &path.index(index), &mut errors);
        }
    }
    errors
}

/// Upstream: ValidateEndpointSliceUpdate.
pub(crate) fn endpoint_slice_update(new: &EndpointSlice, old: &EndpointSlice) -> ErrorList {
    let mut errors = endpoint_slice(new);
    immutable(&new.address_type, &old.address_type, &Path::new("addressType"), &mut errors);
    errors
}

fn is_too_many(actual: usize, most: usize, path: &Path, errors: &mut ErrorList) -> bool {
    if actual > most {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        errors.push(Error::too_many(path, number(actual), number(most)));
    }
    actual > most
}

fn slice_endpoint(endpoint: &Endpoint, address_type: &str, path: &Path, errors: &mut ErrorList) {
    let addresses_path = path.child("addresses");
    if endpoint.addresses.is_empty() {
        errors.push(Error::required(&addresses_path, "must contain at least 1 address"));
    }
    is_too_many(endpoint.addresses.len(), MAX_ADDRESSES, &addresses_path, errors);
    for (index, address) in endpoint.addresses.iter().enumerate() {
        let path = addresses_path.index(index);
        match address_type {
            "IPv4" => {
                ipv4(address, &path, errors);
                non_special_ip(address, &path, errors);
            }
            "IPv6" => {
                ipv6(address, &path, errors);
                non_special_ip(address, &path, errors);
            }
            "FQDN" => domain_name(address, &path, errors),
            _ => {}
        }
    }
    node_name(endpoint.node_name.as_ref(), &path.child("nodeName"), errors);
    if let Some(hostname) = &endpoint.hostname {
        dns_label(hostname, &path.child("hostname"), errors);
    }
    if let Some(hints) = &endpoint.hints {
        endpoint_hints(hints, &path.child("hints"), errors);
    }
}

/// Upstream: IsFullyQualifiedDomainName.
fn domain_name(name: &str, path: &Path, errors: &mut ErrorList) {
    if name.is_empty() {
        errors.push(Error::required(path, ""));
        return;
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let messages = names::dns_subdomain(name);
    if !messages.is_empty() {
        errors.push(Error::invalid(path, name, messages.join(",")));
    } else if !name.contains('.') {
        let message = "should be a domain with at least two segments separated by dots";
        errors.push(Error::invalid(path, name, message));
    }
}

fn endpoint_hints(hints: &EndpointHints, path: &Path, errors: &mut ErrorList) {
    let zones = list(&hints.for_zones).iter().map(|zone| zone.name.as_str()).collect();
    hinted(zones, label_value_errors, &path.child("forZones"), errors);
    let nodes = list(&hints.for_nodes).iter().map(|node| node.name.as_str()).collect();
    hinted(nodes, names::dns_subdomain, &path.child("forNodes"), errors);
}

fn hinted(hints: Vec<&str>, check: fn(&str) -> Vec<String>, path: &Path, errors: &mut ErrorList) {
    if is_too_many(hints.len(), MAX_HINTS, path, errors) {
        return;
    }
    let mut seen = SmallSet::new();
    for (index, name) in hints.into_iter().enumerate() {
        let path = path.index(index).child("name");
        if !seen.insert(name) {
            errors.push(Error::duplicate(&path, name));
        }
        invalid_each(check(name), &path, name, errors);
    }
}

fn slice_port<'p>(
    port: &'p SlicePort,
    port_names: &mut SmallSet<&'p str>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let name = text(&port.name);
    if !name.is_empty() {
        dns_label(name, &path.child("name"), errors);
    }
    if !port_names.insert(name) {
        errors.push(Error::duplicate(&path.child("name"), name));
    }
    protocol(text(&port.protocol), &path.child("protocol"), errors);
    if let Some(protocol) = &port.app_protocol {
        qualified_name(protocol, &path.child("appProtocol"), errors);
    }
}
