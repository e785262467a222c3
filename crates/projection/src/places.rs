//! Who has which address: pods, nodes, the machine outside, and Services.

use std::net::{Ipv4Addr, SocketAddrV4};

use api::openapi::api::core::v1::{Node, Pod, Service};
use api::{KindId, Object};
use cluster::Cluster;
use protocol::Station;
use sim::{OrdMap, SmallMap};

/// Addresses, as they are at one instant.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    stations: OrdMap<Ipv4Addr, Station>,
    services: SmallMap<SocketAddrV4, String>,
    node_ports: SmallMap<u16, String>,
}

impl Places {
    pub(crate) fn of(cluster: &Cluster) -> Places {
        let mut stations = OrdMap::unit(cluster.outside_address(), Station::Outside);
        for pod in cluster.snapshot(KindId::POD).iter() {
            if let Some(address) = own_address(pod) {
                stations.insert(address, Station::Pod(pod.uid().to_string()));
            }
        }
        for node in cluster.snapshot(KindId::NODE).iter() {
            let status = node.get::<Node>().and_then(|node| node.status.as_ref());
            let addresses = status.into_iter().flat_map(|status| status.addresses.iter().flatten());
            let internal = addresses.filter(|address| address.type_ == "InternalIP");
            for address in internal.filter_map(|address| address.address.parse().ok()) {
                stations.insert(address, Station::Node(node.name().to_string()));
            }
        }
        let mut places =
            Places { stations, services: SmallMap::default(), node_ports: SmallMap::default() };
        for service in cluster.snapshot(KindId::SERVICE).iter() {
            places.add_service(service);
        }
        places
    }

    fn add_service(&mut self, object: &Object) {
        let Some(service) = object.get::<Service>() else { return };
        let Some(spec) = &service.spec else { return };
        let balancer = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
        let ingress = balancer.into_iter().flat_map(|balancer| balancer.ingress.iter().flatten());
        let addresses = spec
            .cluster_ips
            .iter()
            .flatten()
            .chain(spec.external_ips.iter().flatten())
            .chain(ingress.filter_map(|ingress| ingress.ip.as_ref()));
        let addresses: Vec<Ipv4Addr> = addresses.filter_map(|text| text.parse().ok()).collect();
        let number = |port: i32| u16::try_from(port).unwrap_or(0);
        for port in spec.ports.iter().flatten() {
            for address in &addresses {
                let address = SocketAddrV4::new(*address, number(port.port));
                self.services.insert(address, object.uid().to_string());
            }
            if let Some(node_port) = port.node_port {
                self.node_ports.insert(number(node_port), object.uid().to_string());
            }
        }
    }

    /// Who has an address.
    pub(crate) fn at(&self, address: Ipv4Addr) -> Option<&Station> {
        self.stations.get(&address)
    }

    /// The Service that has an address, or whose node port this is.
    pub(crate) fn service(&self, address: SocketAddrV4) -> Option<&str> {
        let by_address = self.services.get(&address);
        let is_node = || matches!(self.stations.get(address.ip()), Some(Station::Node(_)));
        let found =
            by_address.or_else(|| self.node_ports.get(&address.port()).filter(|_| is_node()));
        found.map(String::as_str)
    }
}

/// The address that only this pod has.
fn own_address(object: &Object) -> Option<Ipv4Addr> {
    let pod = object.get::<Pod>()?;
    let shared = pod.spec.as_ref().is_some_and(|spec| spec.host_network == Some(true));
    let address = pod.status.as_ref()?.pod_ip.as_ref()?;
    if shared { None } else { address.parse().ok() }
}
