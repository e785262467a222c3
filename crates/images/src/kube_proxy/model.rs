//! Service ports and their endpoints as kube-proxy sees them.
//!
//! Upstream: pkg/proxy/{serviceport,servicechangetracker,endpointslicecache,topology}.go.

use std::sync::Arc;

use api::openapi::api::core::v1::Service;
use api::openapi::api::discovery::v1::EndpointSlice;
use sim::OrdMap;

use super::hash::chain_hash;

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServicePort {
    /// `namespace/name:port`
    pub(super) name: String,
    /// The name of the port, which its endpoints' ports have too.
    pub(super) port_name: String,
    /// `tcp`, `udp`, `sctp`
    pub(super) protocol: String,
    pub(super) cluster_ip: String,
    pub(super) port: i32,
    pub(super) node_port: i32,
    pub(super) health_check_node_port: i32,
    pub(super) external_ips: Vec<String>,
    pub(super) load_balancer_vips: Vec<String>,
    pub(super) source_ranges: Vec<String>,
    pub(super) sticky_seconds: Option<i32>,
    pub(super) internal_local: bool,
    pub(super) external_local: bool,
    pub(super) hash: String,
}

/// An endpoint of a Service's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// `10.244.1.2:80`
    pub(super) target: String,
    pub(super) address: String,
    pub(super) chain: Arc<str>,
    pub(super) is_local: bool,
    ready: bool,
    serving: bool,
    terminating: bool,
    zones: Vec<String>,
    nodes: Vec<String>,
}

/// Which endpoints serve which traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Categories {
    pub(super) cluster: Vec<Endpoint>,
    pub(super) local: Vec<Endpoint>,
    pub(super) reachable: Vec<Endpoint>,
    pub(super) any: bool,
}

/// Who the proxy runs for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) node: String,
    pub(super) zone: String,
}

fn is_ipv4(address: &str) -> bool {
    address.parse::<std::net::Ipv4Addr>().is_ok()
}

/// The ports of a Service; none for one that has no address of its own.
pub(super) fn ports_of(service: &Service) -> Vec<ServicePort> {
    let (meta, Some(spec)) = (&service.metadata, &service.spec) else { return Vec::new() };
    let cluster_ip = spec.cluster_ip.clone().unwrap_or_default();
    if !is_ipv4(&cluster_ip) || spec.type_.as_deref() == Some("ExternalName") {
        return Vec::new();
    }
    let owner = |text: &Option<String>| text.clone().unwrap_or_default();
    let base = format!("{}/{}", owner(&meta.namespace), owner(&meta.name));
    let ingress = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let vips = ingress.and_then(|balancer| balancer.ingress.as_ref()).into_iter().flatten();
    let vips: Vec<String> = vips
        .filter(|ingress| ingress.ip_mode.as_deref() != Some("Proxy"))
        .filter_map(|ingress| ingress.ip.clone())
        .filter(|address| is_ipv4(address))
        .collect();
    let affine = spec.session_affinity.as_deref() == Some("ClientIP");
    let config = spec.session_affinity_config.as_ref();
    let seconds = config.and_then(|config| config.client_ip.as_ref()?.timeout_seconds);
    let external = spec.external_ips.clone().unwrap_or_default();
    let ports = spec.ports.iter().flatten().map(|port| {
        let port_name = port.name.clone().unwrap_or_default();
        let name = match port_name.as_str() {
            "" => base.clone(),
            port => format!("{base}:{port}"),
        };
        let protocol = port.protocol.as_deref().unwrap_or("TCP").to_ascii_lowercase();
        let hash = chain_hash(&format!("{name}{protocol}"));
        ServicePort {
            name,
            port_name,
            protocol,
            cluster_ip: cluster_ip.clone(),
            port: port.port,
            node_port: port.node_port.unwrap_or(0),
            health_check_node_port: spec.health_check_node_port.unwrap_or(0),
            external_ips: external.iter().filter(|ip| is_ipv4(ip)).cloned().collect(),
            load_balancer_vips: vips.clone(),
            source_ranges: spec.load_balancer_source_ranges.clone().unwrap_or_default(),
            sticky_seconds: affine.then(|| seconds.unwrap_or(10_800)),
            internal_local: spec.internal_traffic_policy.as_deref() == Some("Local"),
            external_local: spec.external_traffic_policy.as_deref() == Some("Local"),
            hash,
        }
    });
    ports.collect()
}

impl ServicePort {
    pub(super) fn externally_accessible(&self) -> bool {
        self.node_port != 0 || !self.load_balancer_vips.is_empty() || !self.external_ips.is_empty()
    }

    /// Even a port whose external traffic stays local needs all endpoints, for traffic that
    /// begins on the node itself.
    pub(super) fn uses_cluster(&self) -> bool {
        !self.internal_local || self.externally_accessible()
    }

    pub(super) fn uses_local(&self) -> bool {
        self.internal_local || (self.external_local && self.externally_accessible())
    }

    /// Its endpoints from all its slices, in the order of their addresses as text. Those that
    /// are `known` from before have their chains already.
    pub(super) fn endpoints<'a>(
        &self,
        slices: impl Iterator<Item = &'a EndpointSlice>,
        place: &Place,
        known: &[Endpoint],
    ) -> Vec<Endpoint> {
        let mut endpoints: OrdMap<String, Endpoint> = OrdMap::new();
        for slice in slices.filter(|slice| slice.address_type == "IPv4") {
            let ports = slice.ports.iter().flatten().filter(|port| {
                port.name.as_deref().unwrap_or_default() == self.port_name
                    && port
                        .protocol
                        .as_deref()
                        .unwrap_or("TCP")
                        .eq_ignore_ascii_case(&self.protocol)
            });
            for port in ports.filter_map(|port| port.port) {
                for endpoint in slice.endpoints.iter().flatten() {
                    let Some(address) = endpoint.addresses.first() else { continue };
                    let target = format!("{address}:{port}");
                    let conditions = endpoint.conditions.clone().unwrap_or_default();
                    let hints = endpoint.hints.as_ref();
                    let zones = hints.and_then(|hints| hints.for_zones.as_ref());
                    let nodes = hints.and_then(|hints| hints.for_nodes.as_ref());
                    let ready = conditions.ready != Some(false);
                    let before = known.binary_search_by(|e| e.target.as_str().cmp(&target));
                    let chain = before.ok().and_then(|at| known.get(at)).map(|e| e.chain.clone());
                    let chain = chain.unwrap_or_else(|| {
                        let name = format!("{}{}{target}", self.name, self.protocol);
                        format!("KUBE-SEP-{}", chain_hash(&name)).into()
                    });
                    let own = Endpoint {
                        address: address.clone(),
                        chain,
                        is_local: endpoint.node_name.as_deref() == Some(&place.node),
                        ready,
                        serving: conditions.serving.unwrap_or(ready),
                        terminating: conditions.terminating == Some(true),
                        zones: zones.into_iter().flatten().map(|z| z.name.clone()).collect(),
                        nodes: nodes.into_iter().flatten().map(|n| n.name.clone()).collect(),
                        target: target.clone(),
                    };
                    // While a pod's address is in two slices, the ready one counts.
                    if endpoints.get(&target).is_none_or(|known| !known.ready) {
                        endpoints.insert(target, own);
                    }
                }
            }
        }
        endpoints.into_iter().map(|(_, endpoint)| endpoint).collect()
    }

    /// Upstream: topology.go, CategorizeEndpoints.
    pub(super) fn categorize(&self, endpoints: &[Endpoint], place: &Place) -> Categories {
        let mut found = Categories::default();
        let filter = |which: &dyn Fn(&Endpoint) -> bool| -> Vec<Endpoint> {
            endpoints.iter().filter(|endpoint| which(endpoint)).cloned().collect()
        };
        let mut by_hints = Hints::None;
        if self.uses_cluster() {
            by_hints = Hints::of(endpoints, place);
            found.cluster = filter(&|e| e.ready && by_hints.allow(e, place));
            if found.cluster.is_empty() {
                found.cluster = filter(&|e| e.serving && e.terminating);
            }
            found.any = !found.cluster.is_empty();
        }
        if !self.uses_local() {
            found.reachable.clone_from(&found.cluster);
            return found;
        }
        found.any |= endpoints.iter().any(|e| e.ready || (e.serving && e.terminating));
        found.local = filter(&|e| e.is_local && e.ready);
        let mut fell_back = false;
        if found.local.is_empty() {
            found.local = filter(&|e| e.is_local && e.serving && e.terminating);
            fell_back = !found.local.is_empty();
        }
        if !self.uses_cluster() {
            found.reachable.clone_from(&found.local);
        } else if by_hints == Hints::None && !fell_back {
            found.reachable.clone_from(&found.cluster);
        } else {
            found.reachable = filter(&|e| found.cluster.contains(e) || found.local.contains(e));
        }
        found
    }
}

/// Which of the endpoints' hints are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hints {
    None,
    Zone,
    Node,
}

impl Hints {
    /// Upstream: topology.go, topologyModeFromHints: only when all ready endpoints have them and
    /// one is meant for this place.
    fn of(endpoints: &[Endpoint], place: &Place) -> Hints {
        let ready = || endpoints.iter().filter(|endpoint| endpoint.ready);
        let all = |have: fn(&Endpoint) -> bool| ready().next().is_some() && ready().all(have);
        if all(|e| !e.nodes.is_empty()) && ready().any(|e| e.nodes.contains(&place.node)) {
            return Hints::Node;
        }
        let here = !place.zone.is_empty() && ready().any(|e| e.zones.contains(&place.zone));
        if all(|e| !e.zones.is_empty()) && here { Hints::Zone } else { Hints::None }
    }

    fn allow(self, endpoint: &Endpoint, place: &Place) -> bool {
        match self {
            Hints::None => true,
            Hints::Zone => endpoint.zones.contains(&place.zone),
            Hints::Node => endpoint.nodes.contains(&place.node),
        }
    }
}
