//! What the server gives a Service when it is created or changed: addresses of the cluster and
//! ports of the nodes. A Service comes in as a client wrote it and goes out with what it was
//! given, or is refused.
//!
//! What is taken is always what the stored Services say: a commit takes and releases, so that a
//! request that fails, or is a dry run, leaves nothing behind.
//!
//! Upstream: pkg/registry/core/service/storage/alloc.go and storage.go

use api::field::ErrorList;
use api::openapi::api::core::v1::{Service, ServiceSpec};
use api::services::{needs_health_check, needs_node_port, service_type};
use api::{KindId, Object, Status};
use sim::{Digest, Digestible, OrdSet, Stream};

mod addresses;
mod families;
mod ports;

use addresses::address_number;

/// The addresses and ports that Services have, and where new ones are drawn from.
#[derive(Clone, Debug)]
pub(crate) struct Allocations {
    addresses: OrdSet<u32>,
    ports: OrdSet<i32>,
    pub(crate) draws: Draws,
}

/// The streams of random numbers that addresses and ports are drawn from.
#[derive(Clone, Debug)]
pub(crate) struct Draws {
    addresses: Stream,
    ports: Stream,
}

impl Allocations {
    pub(crate) fn new(seed: u64) -> Self {
        Allocations {
            addresses: OrdSet::new(),
            ports: OrdSet::new(),
            draws: Draws {
                addresses: Stream::new(seed, "kube-apiserver/service-addresses"),
                ports: Stream::new(seed, "kube-apiserver/node-ports"),
            },
        }
    }

    /// Takes in that a Service changed.
    pub(crate) fn changed(&mut self, old: Option<&Object>, new: Option<&Object>) {
        if let Some(spec) = old.and_then(spec_of) {
            for address in taken_addresses(spec) {
                self.addresses.remove(&address);
            }
            for port in taken_ports(spec) {
                self.ports.remove(&port);
            }
        }
        if let Some(spec) = new.and_then(spec_of) {
            for address in taken_addresses(spec) {
                self.addresses.insert(address);
            }
            for port in taken_ports(spec) {
                self.ports.insert(port);
            }
        }
    }

    /// Gives a new Service what it needs. Upstream: beginCreate.
    pub(crate) fn create(&mut self, object: &mut Object, dry_run: bool) -> Result<(), Status> {
        let Some(service) = object.get_mut::<Service>() else { return Ok(()) };
        let name = service.metadata.name.clone().unwrap_or_default();
        let spec = service.spec.get_or_insert_default();
        if spec.cluster_ips.is_none() {
            spec.cluster_ips = spec.cluster_ip.clone().map(|ip| vec![ip]);
        }
        let given = families::init(spec, None)
            .and_then(|()| self.give_addresses(spec, dry_run))
            .and_then(|()| self.give_ports(spec, None, dry_run));
        given.map_err(|refusal| refusal.status(&name))
    }

    /// Gives a changed Service what it had, and what it now needs. Upstream: beginUpdate.
    pub(crate) fn update(
        &mut self,
        new: &mut Object,
        old: &Object,
        dry_run: bool,
    ) -> Result<(), Status> {
        let Some(old) = spec_of(old) else { return Ok(()) };
        let Some(service) = new.get_mut::<Service>() else { return Ok(()) };
        let name = service.metadata.name.clone().unwrap_or_default();
        let new = service.spec.get_or_insert_default();
        patch_allocated(new, old);
        families::normalize(new, old);
        let given = families::init(new, Some(old))
            .and_then(|()| self.update_addresses(new, old, dry_run))
            .and_then(|()| self.give_ports(new, Some(old), dry_run));
        given.map_err(|refusal| refusal.status(&name))
    }

    /// On a cluster with one family, only a Service that comes to have addresses gets any.
    /// Upstream: updateClusterIPs.
    fn update_addresses(
        &mut self,
        new: &mut ServiceSpec,
        old: &ServiceSpec,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        if service_type(old) == "ExternalName" && service_type(new) != "ExternalName" {
            return self.give_addresses(new, dry_run);
        }
        Ok(())
    }
}

impl Digestible for Allocations {
    fn digest(&self, digest: &mut Digest) {
        // What is taken follows from the stored Services.
        digest.add(&self.draws.addresses);
        digest.add(&self.draws.ports);
    }
}

/// Why a Service gets nothing.
#[derive(Debug)]
enum Refusal {
    Invalid(ErrorList),
    Internal(String),
    /// An error without a form of its own.
    Unknown(String),
}

impl Refusal {
    fn status(self, name: &str) -> Status {
        match self {
            Refusal::Invalid(errors) => Status::invalid(KindId::SERVICE.get(), name, &errors),
            Refusal::Internal(error) => Status::internal(&error),
            Refusal::Unknown(error) => Status::unknown(&error),
        }
    }
}

fn spec_of(object: &Object) -> Option<&ServiceSpec> {
    object.get::<Service>().and_then(|service| service.spec.as_ref())
}

fn taken_addresses(spec: &ServiceSpec) -> impl Iterator<Item = u32> {
    spec.cluster_ips.iter().flatten().filter_map(|ip| address_number(ip))
}

fn taken_ports(spec: &ServiceSpec) -> impl Iterator<Item = i32> {
    let ports = spec.ports.iter().flatten().filter_map(|port| port.node_port);
    ports.chain(spec.health_check_node_port).filter(|port| *port != 0)
}

/// What a client that replaces a Service may leave out, because it was given.
/// Upstream: patchAllocatedValues.
fn patch_allocated(new: &mut ServiceSpec, old: &ServiceSpec) {
    let has_address = |spec: &ServiceSpec| service_type(spec) != "ExternalName";
    if has_address(old) && has_address(new) {
        if new.cluster_ip.is_none() {
            new.cluster_ip.clone_from(&old.cluster_ip);
        }
        if new.cluster_ips.is_none() && new.cluster_ip == old.cluster_ip {
            new.cluster_ips.clone_from(&old.cluster_ips);
        }
    }
    if needs_node_port(old) && needs_node_port(new) {
        ports::patch(new, old);
    }
    if needs_health_check(old) && needs_health_check(new) && new.health_check_node_port.is_none() {
        new.health_check_node_port = old.health_check_node_port;
    }
}
