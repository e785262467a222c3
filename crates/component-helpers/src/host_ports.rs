//! The ports of its node that a pod takes.
//!
//! Upstream: pkg/scheduler/util/utils.go (GetHostPorts) and
//! staging/src/k8s.io/kube-scheduler/framework/types.go (HostPortInfo)

use api::openapi::api::core::v1::{Container, Pod};
use sim::SmallSet;

use crate::resources::is_restartable_init_container;

/// The address that stands for every address of a node.
const EVERY_ADDRESS: &str = "0.0.0.0";

/// One port of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// The protocol: `TCP`, `UDP`, `SCTP`.
    pub protocol: String,
    /// The number.
    pub port: i32,
    /// The node's address, `0.0.0.0` for every address.
    pub ip: String,
}

/// The host ports of a pod's containers and sidecars.
#[must_use]
pub fn host_ports(pod: &Pod) -> Vec<HostPort> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let sidecars = spec.init_containers.iter().flatten();
    let sidecars = sidecars.filter(|container| is_restartable_init_container(container));
    spec.containers.iter().chain(sidecars).flat_map(ports_of).collect()
}

fn ports_of(container: &Container) -> impl Iterator<Item = HostPort> {
    container.ports.iter().flatten().filter_map(|port| {
        let number = port.host_port.filter(|number| *number > 0)?;
        let or = |text: &Option<String>, default: &str| match text.as_deref() {
            None | Some("") => default.to_string(),
            Some(text) => text.to_string(),
        };
        Some(HostPort {
            protocol: or(&port.protocol, "TCP"),
            port: number,
            ip: or(&port.host_ip, EVERY_ADDRESS),
        })
    })
}

/// The ports in use on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsedPorts(SmallSet<HostPort>);

impl UsedPorts {
    /// Takes a port.
    pub fn add(&mut self, port: &HostPort) {
        self.0.insert(port.clone());
    }

    /// Gives a port back.
    pub fn remove(&mut self, port: &HostPort) {
        self.0.remove(port);
    }

    /// Whether nobody could take the port any more: it is taken on the same address, or one of
    /// the two means every address.
    #[must_use]
    pub fn conflicts(&self, wanted: &HostPort) -> bool {
        self.0.iter().any(|used| {
            used.port == wanted.port
                && used.protocol == wanted.protocol
                && (used.ip == wanted.ip || used.ip == EVERY_ADDRESS || wanted.ip == EVERY_ADDRESS)
        })
    }

    /// How many ports are taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no port is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(ip: &str, protocol: &str, port: i32) -> HostPort {
        HostPort { protocol: protocol.into(), port, ip: ip.into() }
    }

    // Upstream: TestHostPortInfo_Check.
    #[test]
    fn a_port_conflicts_on_the_same_address_or_on_every_address() {
        let specific = [port("127.0.0.1", "TCP", 80)];
        let every = [port("0.0.0.0", "TCP", 80), port("0.0.0.0", "TCP", 79)];
        for (used, wanted, want) in [
            (&specific[..], port("127.0.0.1", "TCP", 80), true),
            (&specific[..], port("127.0.0.2", "TCP", 80), false),
            (&specific[..], port("127.0.0.1", "UDP", 80), false),
            (&specific[..], port("127.0.0.1", "TCP", 81), false),
            (&specific[..], port("0.0.0.0", "TCP", 80), true),
            (&every[..], port("127.0.0.1", "TCP", 80), true),
            (&every[..], port("127.0.0.1", "UDP", 80), false),
            (&every[..], port("0.0.0.0", "TCP", 79), true),
        ] {
            let mut ports = UsedPorts::default();
            used.iter().for_each(|used| ports.add(used));
            assert_eq!(ports.conflicts(&wanted), want, "{wanted:?} among {used:?}");
            used.iter().for_each(|used| ports.remove(used));
            assert!(ports.is_empty());
        }
    }

    #[test]
    fn containers_and_sidecars_count_and_empty_fields_mean_tcp_on_every_address() {
        use api::openapi::api::core::v1::{ContainerPort, PodSpec};
        let container = |host_port, restart: Option<&str>| Container {
            ports: Some(vec![ContainerPort {
                container_port: 1,
                host_port,
                ..ContainerPort::default()
            }]),
            restart_policy: restart.map(str::to_string),
            ..Container::default()
        };
        let pod = Pod {
            spec: Some(PodSpec {
                containers: vec![container(Some(80), None), container(None, None)],
                init_containers: Some(vec![
                    container(Some(81), None),
                    container(Some(82), Some("Always")),
                ]),
                ..PodSpec::default()
            }),
            ..Pod::default()
        };
        assert_eq!(host_ports(&pod), [port("0.0.0.0", "TCP", 80), port("0.0.0.0", "TCP", 82)]);
    }
}
