//! The slices that say what Endpoints say: one for each subset and type of addresses.
//!
//! Upstream: pkg/controller/endpointslicemirroring/{reconciler,reconciler_helpers,utils}.go

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::openapi::api::core::v1::{EndpointAddress, EndpointPort, Endpoints};
use api::openapi::api::discovery::v1::{
    Endpoint, EndpointConditions, EndpointPort as SlicePort, EndpointSlice,
};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use component_helpers::controller_ref::new_controller_ref;
use sim::SmallMap;

use super::MANAGER;
use crate::endpoint_slice::ANNOTATION_TRIGGER_TIME;
use crate::endpoint_slice::endpoint::{EndpointKey, Ports, equal_beyond_key};
use crate::endpoint_slice::labels::{LABEL_MANAGED_BY, LABEL_SERVICE_NAME, slice_prefix};

/// How many addresses of a subset are mirrored. Upstream:
/// `--mirroring-max-endpoints-per-subset`.
pub(super) const MAX_ENDPOINTS_PER_SUBSET: usize = 1000;
/// Upstream: v1.LastAppliedConfigAnnotation.
const ANNOTATION_LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

type Texts = BTreeMap<String, String>;

/// What to do with slices.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) create: Vec<EndpointSlice>,
    pub(super) update: Vec<EndpointSlice>,
    pub(super) delete: Vec<EndpointSlice>,
}

#[derive(Default)]
struct Group {
    ports: Vec<SlicePort>,
    endpoints: SmallMap<EndpointKey, Endpoint>,
}

type GroupKey = (&'static str, Ports);

/// What to do so that the slices say what the Endpoints say, and how many addresses are left out.
pub(super) fn mirror(endpoints: &Endpoints, existing: &[&EndpointSlice]) -> (Plan, usize) {
    let (desired, skipped) = desired(endpoints);
    let mut by_key: SmallMap<GroupKey, Vec<&EndpointSlice>> = SmallMap::new();
    for slice in existing {
        let address_type = if slice.address_type == "IPv6" { "IPv6" } else { "IPv4" };
        let key = (address_type, Ports::of(slice.ports.as_ref()));
        by_key.entry(key).or_default().push(slice);
    }
    let mut plan = Plan::default();
    for ((address_type, ports), group) in desired {
        let slices = by_key.remove(&(address_type, ports)).unwrap_or_default();
        by_port_mapping(endpoints, address_type, &slices, group, &mut plan);
    }
    plan.delete.extend(by_key.into_values().flatten().cloned());
    recycle(&mut plan);
    (plan, skipped)
}

fn desired(endpoints: &Endpoints) -> (SmallMap<GroupKey, Group>, usize) {
    let mut desired: SmallMap<GroupKey, Group> = SmallMap::new();
    let mut skipped = 0;
    for subset in endpoints.subsets.iter().flatten() {
        let ports: Vec<SlicePort> = subset.ports.iter().flatten().map(slice_port).collect();
        let key = Ports::of(Some(&ports));
        let ready = subset.addresses.iter().flatten().map(|address| (address, true));
        let not_ready = subset.not_ready_addresses.iter().flatten().map(|it| (it, false));
        for (count, (address, is_ready)) in ready.chain(not_ready).enumerate() {
            if count >= MAX_ENDPOINTS_PER_SUBSET {
                skipped += 1;
                continue;
            }
            let Some((address_type, endpoint)) = endpoint_of(address, is_ready) else { continue };
            let group = desired.entry((address_type, key.clone())).or_default();
            group.ports.clone_from(&ports);
            group.endpoints.insert(EndpointKey::of(&endpoint), endpoint);
        }
    }
    (desired, skipped)
}

fn slice_port(port: &EndpointPort) -> SlicePort {
    SlicePort {
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(port.port),
        protocol: port.protocol.clone(),
        app_protocol: port.app_protocol.clone(),
    }
}

/// Upstream: addressToEndpoint.
fn endpoint_of(address: &EndpointAddress, is_ready: bool) -> Option<(&'static str, Endpoint)> {
    let ip: IpAddr = address.ip.parse().ok()?;
    let endpoint = Endpoint {
        addresses: vec![ip.to_string()],
        conditions: Some(EndpointConditions {
            ready: Some(is_ready),
            ..EndpointConditions::default()
        }),
        target_ref: address.target_ref.clone(),
        node_name: address.node_name.clone(),
        hostname: address.hostname.clone().filter(|hostname| !hostname.is_empty()),
        ..Endpoint::default()
    };
    Some((if ip.is_ipv6() { "IPv6" } else { "IPv4" }, endpoint))
}

/// Upstream: reconcileByPortMapping.
fn by_port_mapping(
    endpoints: &Endpoints,
    address_type: &str,
    existing: &[&EndpointSlice],
    group: Group,
    plan: &mut Plan,
) {
    let first = existing.first();
    plan.delete.extend(existing.iter().skip(1).map(|slice| (*slice).clone()));
    if first.is_some_and(|slice| says_the_same(slice, endpoints, &group.endpoints)) {
        return;
    }
    let mut slice = new_slice(endpoints, address_type, group.ports);
    slice.endpoints = Some(group.endpoints.into_values().collect());
    match first {
        Some(first) => {
            slice.metadata.name.clone_from(&first.metadata.name);
            slice.metadata.generate_name = None;
            plan.update.push(slice);
        }
        None => plan.create.push(slice),
    }
}

fn says_the_same(
    slice: &EndpointSlice,
    endpoints: &Endpoints,
    desired: &SmallMap<EndpointKey, Endpoint>,
) -> bool {
    let found = slice.endpoints.as_deref().unwrap_or_default();
    let is_desired = |endpoint: &Endpoint| {
        let wanted = desired.get(&EndpointKey::of(endpoint));
        wanted.is_some_and(|wanted| equal_beyond_key(wanted, endpoint))
    };
    let is_own = |key: &&String| *key != LABEL_MANAGED_BY && *key != LABEL_SERVICE_NAME;
    let own = slice.metadata.labels.iter().flatten().filter(|(key, _)| is_own(key));
    found.len() == desired.len()
        && found.iter().all(is_desired)
        && own.eq(endpoints.metadata.labels.iter().flatten())
        && slice.metadata.annotations.clone().unwrap_or_default() == annotations(endpoints)
}

/// The annotations that a mirror has, too.
fn annotations(endpoints: &Endpoints) -> Texts {
    let mut annotations = endpoints.metadata.annotations.clone().unwrap_or_default();
    annotations.remove(ANNOTATION_TRIGGER_TIME);
    annotations.remove(ANNOTATION_LAST_APPLIED);
    annotations
}

/// Upstream: newEndpointSlice.
fn new_slice(endpoints: &Endpoints, address_type: &str, ports: Vec<SlicePort>) -> EndpointSlice {
    let meta = &endpoints.metadata;
    let name = meta.name.clone().unwrap_or_default();
    let mut labels = meta.labels.clone().unwrap_or_default();
    let prefix = slice_prefix(&name);
    labels.insert(LABEL_SERVICE_NAME.to_string(), name);
    labels.insert(LABEL_MANAGED_BY.to_string(), MANAGER.to_string());
    EndpointSlice {
        metadata: ObjectMeta {
            generate_name: Some(prefix),
            namespace: meta.namespace.clone(),
            labels: Some(labels),
            annotations: Some(annotations(endpoints)),
            owner_references: Some(vec![new_controller_ref(endpoints)]),
            ..ObjectMeta::default()
        },
        address_type: address_type.to_string(),
        ports: Some(ports),
        endpoints: None,
    }
}

/// A slice that would be deleted takes the place of one that would be created.
/// Upstream: recycleSlices.
fn recycle(plan: &mut Plan) {
    let mut create = Vec::new();
    for mut slice in std::mem::take(&mut plan.create) {
        let same = plan.delete.iter().position(|old| old.address_type == slice.address_type);
        match same.map(|index| plan.delete.remove(index)) {
            Some(old) => {
                slice.metadata.name = old.metadata.name;
                slice.metadata.generate_name = None;
                plan.update.push(slice);
            }
            None => create.push(slice),
        }
    }
    plan.create = create;
}
