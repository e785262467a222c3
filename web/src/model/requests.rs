//! Which requests can be sent: to which ports of which Services, under which of their addresses,
//! and from where. Pure.

use std::rc::Rc;

use protocol::{Command, GeneratorRow, PodRow, PodState, ServiceRow};

use super::{Rows, Tables, is_of_the_system, ordered, pod_ref};

/// A port of a Service.
#[derive(Clone, PartialEq, Debug)]
pub struct RequestTarget {
    /// The Service.
    pub service: Rc<ServiceRow>,
    /// Its port.
    pub port: u16,
    /// The port of every node that leads there.
    pub node_port: Option<u16>,
}

/// One of the addresses that a Service has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Address {
    /// Its name, which the cluster's name server knows.
    Name,
    /// Its cluster IP.
    ClusterIp,
    /// A node's address and the node port.
    NodePort,
}

impl RequestTarget {
    /// A name for lists: `shop/cart:80`.
    pub fn id(&self) -> String {
        format!("{}/{}:{}", self.service.namespace, self.service.name, self.port)
    }

    /// The addresses that it has.
    pub fn addresses(&self) -> Vec<Address> {
        let mut addresses = vec![Address::Name];
        if self.service.cluster_ip.starts_with(|it: char| it.is_ascii_digit()) {
            addresses.push(Address::ClusterIp);
        }
        if self.node_port.is_some() {
            addresses.push(Address::NodePort);
        }
        addresses
    }

    /// The address that reaches it from a pod, or from outside if anything does.
    pub fn usual_address(&self, outside: bool) -> Address {
        let addresses = self.addresses();
        if outside { addresses.last().copied().unwrap_or(Address::Name) } else { Address::Name }
    }

    /// Host and port under an address; none if it has no such address.
    pub fn host(&self, address: Address, tables: &Tables) -> Option<String> {
        let ServiceRow { name, namespace, cluster_ip, .. } = &*self.service;
        let (host, port) = match address {
            Address::Name => (format!("{name}.{namespace}"), self.port),
            Address::ClusterIp => (cluster_ip.clone(), self.port),
            Address::NodePort => {
                let nodes = tables.nodes.values().filter(|node| !node.failed);
                (nodes.last()?.internal_ip.clone(), self.node_port?)
            }
        };
        Some(if port == 80 { host } else { format!("{host}:{port}") })
    }

    /// Whether a pod is one of those that the Service leads to.
    fn leads_to(&self, pod: &PodRow) -> bool {
        let pods = self.service.endpoints.iter().filter_map(|endpoint| endpoint.pod.as_ref());
        pods.into_iter().any(|uid| *uid == pod.uid)
    }

    /// Who asks unless somebody else is chosen: a machine outside (none) if the Service is open
    /// to it, else a pod that is not behind it, of its own namespace if possible.
    pub fn usual_sender(&self, senders: &[Rc<PodRow>]) -> Option<Rc<PodRow>> {
        if self.node_port.is_some() {
            return None;
        }
        let other = |pod: &&Rc<PodRow>| !self.leads_to(pod);
        let near = |pod: &&Rc<PodRow>| pod.namespace == self.service.namespace;
        let mut best = senders.iter().filter(other).filter(near);
        let found = best.next().or_else(|| senders.iter().find(other)).or(senders.first());
        found.cloned()
    }

    /// The command that sends requests there.
    pub fn command(
        &self,
        (address, path): (Address, &str),
        from: Option<&PodRow>,
        rate_per_second: u32,
        tables: &Tables,
    ) -> Option<Command> {
        let slash = if path.starts_with('/') { "" } else { "/" };
        let url = format!("http://{}{slash}{path}", self.host(address, tables)?);
        let name = free_name(&self.service, &tables.generators);
        Some(Command::Traffic { name, from: from.map(pod_ref), url, rate_per_second })
    }
}

/// Generators are called after the Service, by number from the second on.
fn free_name(service: &ServiceRow, generators: &Rows<GeneratorRow>) -> String {
    let stem = format!("{}/{}", service.namespace, service.name);
    let numbered = (2..).map(|number| format!("{stem} #{number}"));
    let mut names = std::iter::once(stem.clone()).chain(numbered);
    names.find(|name| !generators.contains(name)).unwrap_or(stem)
}

/// The generators that were started for a Service.
pub fn generators_of<'a>(
    service: &'a ServiceRow,
    tables: &'a Tables,
) -> impl Iterator<Item = &'a Rc<GeneratorRow>> {
    let stem = format!("{}/{}", service.namespace, service.name);
    tables.generators.values().filter(move |row| row.name.split(" #").next() == Some(stem.as_str()))
}

/// The ports of a Service, as kubectl prints them: `80:30080/TCP,53/UDP`.
pub fn ports_of(service: &Rc<ServiceRow>) -> impl Iterator<Item = RequestTarget> + use<'_> {
    let tcp = service.ports.split(',').filter_map(|port| port.strip_suffix("/TCP"));
    tcp.filter_map(|text| {
        let (port, node_port) = text.split_once(':').unwrap_or((text, ""));
        Some(RequestTarget {
            service: Rc::clone(service),
            port: port.parse().ok()?,
            node_port: node_port.parse().ok(),
        })
    })
}

/// Everything that requests can be sent to, by namespace and name.
pub fn targets(tables: &Tables) -> Vec<RequestTarget> {
    ordered(tables.services.values().flat_map(ports_of).collect(), RequestTarget::id)
}

/// Who can send requests: pods that run, but not the system's.
pub fn senders(tables: &Tables) -> Vec<Rc<PodRow>> {
    let runs = |pod: &&Rc<PodRow>| {
        matches!(pod.state, PodState::Ready | PodState::RunningNotReady) && !is_of_the_system(pod)
    };
    let pods = tables.pods.values().filter(runs).cloned().collect();
    ordered(pods, |pod: &Rc<PodRow>| format!("{}/{}", pod.namespace, pod.name))
}

#[cfg(test)]
mod tests {
    use protocol::{Delta, EndpointRow, EndpointState};

    use super::super::testing::{batch, node, pod};
    use super::*;

    fn service(ports: &str, pods: &[&str]) -> ServiceRow {
        let endpoint = |pod: &&str| EndpointRow {
            address: "10.244.1.2".into(),
            pod: Some((*pod).into()),
            state: EndpointState::Ready,
        };
        ServiceRow {
            uid: "1".into(),
            namespace: "default".into(),
            name: "web".into(),
            service_type: "NodePort".into(),
            cluster_ip: "10.96.0.7".into(),
            ports: ports.into(),
            total: 1,
            ready: 1,
            endpoints: pods.iter().map(endpoint).collect(),
            created_ms: 0,
        }
    }

    fn tables(service: ServiceRow) -> Tables {
        let mut world = crate::model::World::default();
        let deltas = vec![
            Delta::Service(Box::new(service)),
            Delta::Node(node("node-1")),
            Delta::Pod(Box::new(pod("client", Some("node-1"), PodState::Ready))),
            Delta::Pod(Box::new(pod("a-server", Some("node-1"), PodState::Ready))),
        ];
        world.apply(batch(1, deltas)).unwrap();
        world.tables
    }

    fn url(target: &RequestTarget, address: Address, path: &str, tables: &Tables) -> String {
        match target.command((address, path), None, 5, tables).unwrap() {
            Command::Traffic { url, .. } => url,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_service_has_a_name_a_cluster_ip_and_perhaps_a_node_port() {
        let tables = tables(service("80:30080/TCP,53/UDP,9090/TCP", &[]));
        let targets = targets(&tables);
        assert_eq!(targets.len(), 2, "UDP has no requests");
        assert_eq!(url(&targets[0], Address::Name, "", &tables), "http://web.default/");
        assert_eq!(url(&targets[0], Address::NodePort, "a", &tables), "http://10.0.0.1:30080/a");
        assert_eq!(url(&targets[1], Address::ClusterIp, "/b", &tables), "http://10.96.0.7:9090/b");
        assert_eq!(targets[1].command((Address::NodePort, "/"), None, 1, &tables), None);
        assert_eq!(targets[0].usual_address(true), Address::NodePort);
        assert_eq!(targets[1].usual_address(true), Address::ClusterIp);
    }

    #[test]
    fn who_asks_is_outside_or_a_pod_that_is_not_behind_the_service() {
        let sender = |ports: &str, behind: &[&str]| {
            let tables = tables(service(ports, behind));
            targets(&tables)[0].usual_sender(&senders(&tables)).map(|pod| pod.name.clone())
        };
        assert_eq!(sender("80:30080/TCP", &[]), None);
        assert_eq!(sender("80/TCP", &["a-server"]).as_deref(), Some("client"));
        assert_eq!(sender("80/TCP", &["a-server", "client"]).as_deref(), Some("a-server"));
    }
}
