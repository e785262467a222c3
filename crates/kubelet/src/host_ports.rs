//! The ports of the machine that lead to a pod's.
//!
//! Upstream: pkg/kubelet/container/helpers.go, MakePortMappings.

use api::openapi::api::core::v1::Pod;
use network::{PortMapping, TransportProtocol};

/// What a pod's containers, sidecars among them, ask for. A protocol that the network does not
/// carry has no mapping.
pub(crate) fn port_mappings(pod: &Pod) -> Vec<PortMapping> {
    let containers = pod.spec.iter().flat_map(|spec| {
        let sidecars = spec.init_containers.iter().flatten();
        let sidecars = sidecars.filter(|c| c.restart_policy.as_deref() == Some("Always"));
        spec.containers.iter().chain(sidecars)
    });
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    let mapping = ports.filter_map(|port| {
        let protocol = match port.protocol.as_deref() {
            None | Some("TCP") => TransportProtocol::Tcp,
            Some("UDP") => TransportProtocol::Udp,
            Some(_) => return None,
        };
        Some(PortMapping {
            protocol,
            host_address: port.host_ip.as_deref().and_then(|address| address.parse().ok()),
            host_port: u16::try_from(port.host_port?).ok().filter(|number| *number > 0)?,
            container_port: u16::try_from(port.container_port).ok()?,
        })
    });
    mapping.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ports_with_a_host_port_are_mapped() {
        let pod = r#"{"spec":{"containers":[{"name":"a","ports":[{"containerPort":80},
            {"containerPort":53,"hostPort":5353,"protocol":"UDP","hostIP":"127.0.0.1"},
            {"containerPort":9,"hostPort":9,"protocol":"SCTP"}]}],"initContainers":[
            {"name":"b","ports":[{"containerPort":1,"hostPort":1}]},
            {"name":"c","restartPolicy":"Always","ports":[{"containerPort":2,"hostPort":2}]}]}}"#;
        let pod: Pod = serde_json::from_str(pod).unwrap();
        let mapped = port_mappings(&pod);
        let ports: Vec<_> = mapped.iter().map(|m| (m.host_port, m.container_port)).collect();
        assert_eq!(ports, [(5353, 53), (2, 2)]);
        assert_eq!(mapped[0].protocol, TransportProtocol::Udp);
        assert_eq!(mapped[0].host_address, Some(std::net::Ipv4Addr::LOCALHOST));
    }
}
