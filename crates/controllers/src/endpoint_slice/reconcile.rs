//! How slices change so that they hold the endpoints wanted with as few writes as possible.
//!
//! What comes in are the slices as they are and the endpoints wanted, by their ports; what goes
//! out are the slices to create, update and delete. Endpoints that are known to be as they
//! should need not come in again: they are kept where they are.
//!
//! Upstream: staging/src/k8s.io/endpointslice/reconciler.go

use std::cmp::Reverse;

use api::openapi::api::core::v1::Service;
use api::openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use component_helpers::controller_ref::new_controller_ref;
use sim::{OrdMap, OrdSet, SmallMap, Sort};

use super::endpoint::{EndpointKey, Ports, equal_beyond_key};
use super::hints::Distribution;
use super::labels::{slice_labels, slice_prefix};

/// The endpoints wanted that have the same ports.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) ports: Vec<EndpointPort>,
    pub(super) endpoints: OrdMap<EndpointKey, Endpoint>,
}

/// The endpoints wanted, by their ports.
pub(super) type Desired = SmallMap<Ports, Group>;

/// What to do with slices.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) create: Vec<EndpointSlice>,
    pub(super) update: Vec<EndpointSlice>,
    pub(super) delete: Vec<EndpointSlice>,
}

/// What is the same for all slices of one type of addresses.
pub(super) struct Reconciler<'a> {
    pub(super) service: &'a Service,
    pub(super) address_type: &'static str,
    pub(super) max_endpoints_per_slice: usize,
    /// Whether an endpoint is known to be as it should be.
    pub(super) keeps: &'a dyn Fn(&Endpoint) -> bool,
}

fn endpoints(slice: &EndpointSlice) -> &[Endpoint] {
    slice.endpoints.as_deref().unwrap_or_default()
}

fn name(slice: &EndpointSlice) -> &str {
    slice.metadata.name.as_deref().unwrap_or_default()
}

/// Whether the slice names the Service among its owners. Upstream: ownedBy.
fn is_owned_by(slice: &EndpointSlice, service: &Service) -> bool {
    let uid = service.metadata.uid.as_deref().unwrap_or_default();
    let mut owners = slice.metadata.owner_references.iter().flatten();
    owners.any(|owner| owner.uid == uid && owner.kind == "Service" && owner.api_version == "v1")
}

impl Reconciler<'_> {
    /// Upstream: reconcileByAddressType.
    pub(super) fn reconcile(&self, existing: &[&EndpointSlice], mut desired: Desired) -> Plan {
        let mut plan = Plan::default();
        let mut by_ports: SmallMap<Ports, Vec<&EndpointSlice>> = SmallMap::new();
        for slice in existing {
            if is_owned_by(slice, self.service) {
                by_ports.entry(Ports::of(slice.ports.as_ref())).or_default().push(slice);
            } else {
                plan.delete.push((*slice).clone());
            }
        }
        // Ports whose endpoints are all kept are still wanted.
        for (ports, slices) in &by_ports {
            let kept = slices.iter().flat_map(|it| endpoints(it)).any(|it| (self.keeps)(it));
            if kept && !desired.contains_key(ports) {
                let of_slice = slices.first().and_then(|slice| slice.ports.clone());
                let group = Group { ports: of_slice.unwrap_or_default(), endpoints: OrdMap::new() };
                desired.insert(ports.clone(), group);
            }
        }
        for (ports, group) in desired {
            let slices = by_ports.remove(&ports).unwrap_or_default();
            self.by_port_mapping(&slices, group, &mut plan);
        }
        plan.delete.extend(by_ports.into_values().flatten().cloned());
        self.place_holder(existing.len(), &mut plan);
        self.distribute(existing, &mut plan);
        self.recycle(&mut plan);
        plan
    }

    /// A Service without endpoints has one empty slice.
    fn place_holder(&self, existing: usize, plan: &mut Plan) {
        if existing != plan.delete.len() || !plan.create.is_empty() {
            return;
        }
        let slice = self.new_slice(Vec::new());
        let is_there =
            matches!(plan.delete.as_slice(), [only] if is_same_place_holder(only, &slice));
        if is_there {
            plan.delete.clear();
        } else {
            plan.create.push(slice);
        }
    }

    /// Gives endpoints their hints, also those of slices that would stay as they are.
    fn distribute(&self, existing: &[&EndpointSlice], plan: &mut Plan) {
        let distribution = Distribution::of(self.service);
        let changed: OrdSet<&str> = plan.update.iter().chain(&plan.delete).map(name).collect();
        let unchanged = existing.iter().filter(|slice| !changed.contains(name(slice)));
        let stale: Vec<EndpointSlice> = unchanged
            .filter(|slice| distribution.needs_update(slice))
            .map(|slice| (*slice).clone())
            .collect();
        plan.update.extend(stale);
        let slices = plan.create.iter_mut().chain(&mut plan.update);
        slices.for_each(|slice| distribution.update(slice));
    }

    /// A slice that would be deleted takes the place of one that would be created.
    /// Upstream: finalize.
    fn recycle(&self, plan: &mut Plan) {
        let mut index = 0;
        while let Some(old) = plan.delete.get(index) {
            let Some(new) = plan.create.last() else { break };
            if old.address_type != new.address_type || !is_owned_by(old, self.service) {
                index += 1;
                continue;
            }
            let old = plan.delete.remove(index);
            if let Some(mut new) = plan.create.pop() {
                new.metadata.name = old.metadata.name;
                new.metadata.generate_name = None;
                plan.update.push(new);
            }
        }
    }

    /// Upstream: newEndpointSlice.
    fn new_slice(&self, ports: Vec<EndpointPort>) -> EndpointSlice {
        let meta = &self.service.metadata;
        let (labels, _) = slice_labels(None, self.service);
        EndpointSlice {
            metadata: ObjectMeta {
                labels: Some(labels),
                generate_name: Some(slice_prefix(meta.name.as_deref().unwrap_or_default())),
                owner_references: Some(vec![new_controller_ref(self.service)]),
                namespace: meta.namespace.clone(),
                ..ObjectMeta::default()
            },
            address_type: self.address_type.to_string(),
            ports: Some(ports),
            endpoints: Some(Vec::new()),
        }
    }

    /// Upstream: reconcileByPortMapping.
    fn by_port_mapping(&self, existing: &[&EndpointSlice], group: Group, plan: &mut Plan) {
        let Group { ports, endpoints: mut wanted } = group;
        let (mut changed, mut unchanged) = (Vec::new(), Vec::new());
        for slice in existing {
            match self.refreshed(slice, &mut wanted) {
                Refreshed::Unchanged => unchanged.push(*slice),
                Refreshed::Changed(slice) => changed.push(*slice),
                Refreshed::Empty => plan.delete.push((*slice).clone()),
            }
        }
        // Slices that are written anyway are filled first, the fullest before the others.
        changed.order_by_key(|slice| Reverse(endpoints(slice).len()));
        changed.iter_mut().for_each(|slice| self.fill(slice, &mut wanted));
        while !wanted.is_empty() {
            let mut slice = match self.slice_to_fill(&unchanged, wanted.len()) {
                Some(index) => unchanged.remove(index).clone(),
                None => self.new_slice(ports.clone()),
            };
            self.fill(&mut slice, &mut wanted);
            if name(&slice).is_empty() {
                plan.create.push(slice);
            } else {
                changed.push(slice);
            }
        }
        changed.order_by(|a, b| name(a).cmp(name(b)));
        plan.update.append(&mut changed);
    }

    /// A slice with the endpoints that are still wanted, which are taken from those that are to
    /// be placed.
    fn refreshed(
        &self,
        slice: &EndpointSlice,
        wanted: &mut OrdMap<EndpointKey, Endpoint>,
    ) -> Refreshed {
        let old = endpoints(slice);
        // Which of the old stay as they are, and what takes the place of others.
        let mut replaced: SmallMap<usize, Option<Endpoint>> = SmallMap::new();
        for (index, endpoint) in old.iter().enumerate() {
            if (self.keeps)(endpoint) {
                continue;
            }
            match wanted.remove(&EndpointKey::of(endpoint)) {
                Some(new) if equal_beyond_key(&new, endpoint) => {}
                new => drop(replaced.insert(index, new)),
            }
        }
        let labels = slice.metadata.labels.as_ref();
        let (labels, labels_changed) = slice_labels(labels, self.service);
        if replaced.is_empty() && !labels_changed {
            return Refreshed::Unchanged;
        }
        let kept = old.iter().enumerate().filter_map(|(index, endpoint)| {
            replaced.remove(&index).unwrap_or_else(|| Some(endpoint.clone()))
        });
        let kept: Vec<Endpoint> = kept.collect();
        if kept.is_empty() && !old.is_empty() {
            return Refreshed::Empty;
        }
        Refreshed::Changed(Box::new(EndpointSlice {
            metadata: ObjectMeta { labels: Some(labels), ..slice.metadata.clone() },
            address_type: slice.address_type.clone(),
            ports: slice.ports.clone(),
            endpoints: Some(kept),
        }))
    }

    fn fill(&self, slice: &mut EndpointSlice, wanted: &mut OrdMap<EndpointKey, Endpoint>) {
        let endpoints = slice.endpoints.get_or_insert_default();
        while endpoints.len() < self.max_endpoints_per_slice {
            let Some((_, endpoint)) = wanted.pop_first() else { break };
            endpoints.push(endpoint);
        }
    }

    /// The slice that will be closest to full with that many more endpoints.
    /// Upstream: getSliceToFill.
    fn slice_to_fill(&self, slices: &[&EndpointSlice], count: usize) -> Option<usize> {
        let most = self.max_endpoints_per_slice;
        if count >= most {
            return None;
        }
        let room = |slice: &EndpointSlice| most.checked_sub(count + endpoints(slice).len());
        let rooms = slices.iter().enumerate().filter_map(|(index, it)| Some((room(it)?, index)));
        rooms.filter(|(room, _)| *room < most).min().map(|(_, index)| index)
    }
}

/// What became of a slice.
enum Refreshed {
    Unchanged,
    Changed(Box<EndpointSlice>),
    Empty,
}

/// Upstream: placeholderSliceCompare.
fn is_same_place_holder(a: &EndpointSlice, b: &EndpointSlice) -> bool {
    let is_empty = |slice: &EndpointSlice| {
        endpoints(slice).is_empty() && slice.ports.as_ref().is_none_or(Vec::is_empty)
    };
    is_empty(a)
        && is_empty(b)
        && a.address_type == b.address_type
        && a.metadata.namespace == b.metadata.namespace
        && a.metadata.labels == b.metadata.labels
        && a.metadata.owner_references == b.metadata.owner_references
}
