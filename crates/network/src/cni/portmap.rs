//! The plugin `portmap`: host ports of a pod.
//!
//! Upstream: github.com/containernetworking/plugins, plugins/meta/portmap/portmap_iptables.go.

use std::net::Ipv4Addr;
use std::sync::Arc;

use sim::{Digest, Time};

use crate::{
    Cidr, Is, Machine, Match, NamespaceId, Operation, Rule, TableName, TableUpdate, Target,
    TransportProtocol,
};

const HOST_PORTS: &str = "CNI-HOSTPORT-DNAT";
const SET_MARK: &str = "CNI-HOSTPORT-SETMARK";
const MASQUERADE: &str = "CNI-HOSTPORT-MASQ";
/// The packet mark that asks for masquerading.
const MARK: u32 = 0x2000;
/// How many ports one rule of `-m multiport` holds.
const MOST_PORTS: usize = 15;

/// A port of the machine that leads to one of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortMapping {
    /// TCP or UDP.
    pub protocol: TransportProtocol,
    /// The address of the machine that it is for; all of them without one.
    pub host_address: Option<Ipv4Addr>,
    /// The port of the machine.
    pub host_port: u16,
    /// The port of the pod.
    pub container_port: u16,
}

impl TransportProtocol {
    /// The number in an IP header.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            TransportProtocol::Tcp => 6,
            TransportProtocol::Udp => 17,
        }
    }
}

/// The name of a pod's chain; iptables takes 28 letters.
fn chain_of(sandbox: &str) -> Arc<str> {
    let digest = Digest::of(&sandbox).to_string();
    format!("CNI-DN-{}", &digest[..21]).into()
}

fn text(rule: &str) -> Rule {
    rule.parse().unwrap_or_default()
}

impl Machine {
    fn port_rule(mapping: &PortMapping) -> Rule {
        let host = mapping.host_address.filter(|address| !address.is_unspecified());
        Rule {
            destination: host.map(|address| Is::just(Cidr::host(address))),
            protocol: Some(Is::just(mapping.protocol.number())),
            matches: vec![Match::Ports {
                source: None,
                destination: Some(Is::just((mapping.host_port, mapping.host_port))),
            }],
            ..Rule::default()
        }
    }

    /// The rules that lead to a pod's chain.
    fn entry_rules(sandbox: &str, mappings: &[PortMapping]) -> Vec<Rule> {
        let comment: Arc<str> = format!("dnat name: \"cbr0\" id: \"{sandbox}\"").into();
        let mut rules = Vec::new();
        for protocol in [TransportProtocol::Tcp, TransportProtocol::Udp] {
            let ports = mappings.iter().filter(|mapping| mapping.protocol == protocol);
            let ports: Vec<(u16, u16)> =
                ports.map(|mapping| (mapping.host_port, mapping.host_port)).collect();
            for some in ports.chunks(MOST_PORTS) {
                rules.push(Rule {
                    protocol: Some(Is::just(protocol.number())),
                    matches: vec![
                        Match::Comment(comment.clone()),
                        Match::DestinationPorts(Is::just(some.to_vec())),
                    ],
                    target: Some(Target::Jump(chain_of(sandbox))),
                    ..Rule::default()
                });
            }
        }
        rules
    }

    /// The chains that all pods share, where they are not there yet.
    fn shared_chains(&self, operations: &mut Vec<Operation>) {
        let host = NamespaceId::HOST;
        let missing = |chain: &str| !self.has_chain(host, TableName::Nat, chain);
        if missing(SET_MARK) {
            let mark = Target::Mark { value: MARK, mask: MARK };
            let comment = Match::Comment("CNI portfwd masquerade mark".into());
            let rule = Rule { matches: vec![comment], target: Some(mark), ..Rule::default() };
            operations.push(Operation::New { chain: SET_MARK.into() });
            operations.push(Operation::Append { chain: SET_MARK.into(), rule });
        }
        if missing(MASQUERADE) {
            operations.push(Operation::New { chain: MASQUERADE.into() });
            operations.push(Operation::Append {
                chain: MASQUERADE.into(),
                rule: text("-m mark --mark 0x2000/0x2000 -j MASQUERADE"),
            });
            operations.push(Operation::Insert {
                chain: "POSTROUTING".into(),
                position: 0,
                rule: text(
                    "-m comment --comment \"CNI portfwd requiring masquerade\" -j \
                     CNI-HOSTPORT-MASQ",
                ),
            });
        }
        if missing(HOST_PORTS) {
            operations.push(Operation::New { chain: HOST_PORTS.into() });
            for chain in ["PREROUTING", "OUTPUT"] {
                let rule = text("-m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT");
                operations.push(Operation::Append { chain: chain.into(), rule });
            }
        }
    }

    /// CNI ADD of the plugin: lets ports of the machine lead to a pod.
    ///
    /// # Errors
    /// The tables cannot be changed, in iptables' words.
    pub fn add_port_mappings(
        &mut self,
        sandbox: &str,
        pod: Ipv4Addr,
        mappings: &[PortMapping],
    ) -> Result<(), String> {
        if mappings.is_empty() {
            return Ok(());
        }
        self.history.digest_of(&format!("{sandbox} {pod} {mappings:?}"));
        let mut operations = Vec::new();
        self.shared_chains(&mut operations);
        let chain = chain_of(sandbox);
        operations.push(Operation::Chain { chain: chain.clone(), policy: None });
        let prefix = self.pod_range().map_or(32, |range| range.prefix);
        for mapping in mappings {
            let base = Machine::port_rule(mapping);
            // A pod that reaches itself, and the machine by its loopback address.
            for source in [Cidr { address: pod, prefix }, Cidr::host(Ipv4Addr::LOCALHOST)] {
                let rule = Rule {
                    source: Some(Is::just(source)),
                    target: Some(Target::Jump(SET_MARK.into())),
                    ..base.clone()
                };
                operations.push(Operation::Append { chain: chain.clone(), rule });
            }
            let to = Target::Dnat { address: pod, port: Some(mapping.container_port) };
            let rule = Rule { target: Some(to), ..base };
            operations.push(Operation::Append { chain: chain.clone(), rule });
        }
        for rule in Machine::entry_rules(sandbox, mappings).into_iter().rev() {
            operations.push(Operation::Insert { chain: HOST_PORTS.into(), position: 0, rule });
        }
        self.set_route_localnet(NamespaceId::HOST, true);
        let update = TableUpdate { table: TableName::Nat, operations };
        let done = self.update_tables(NamespaceId::HOST, vec![update], true);
        done.map_err(|why| format!("unable to setup DNAT: {}", why.message))
    }

    /// CNI DEL of the plugin. What was remembered of datagrams to the ports goes as well.
    pub fn remove_port_mappings(&mut self, sandbox: &str, mappings: &[PortMapping], now: Time) {
        let host = NamespaceId::HOST;
        let chain = chain_of(sandbox);
        if mappings.is_empty() || !self.has_chain(host, TableName::Nat, &chain) {
            return;
        }
        self.history.digest_of(&format!("{sandbox} {mappings:?}"));
        let mut operations = vec![Operation::Flush { chain: chain.clone() }];
        for rule in Machine::entry_rules(sandbox, mappings) {
            if self.has_rule(host, TableName::Nat, HOST_PORTS, &rule) {
                operations.push(Operation::Delete { chain: HOST_PORTS.into(), rule });
            }
        }
        operations.push(Operation::Remove { chain });
        let update = TableUpdate { table: TableName::Nat, operations };
        // Somebody may have flushed the table meanwhile; then nothing is left to take away.
        let _ = self.update_tables(host, vec![update], true);
        self.delete_flows(host, now, |flow| {
            let port = |mapping: &PortMapping| {
                mapping.protocol == TransportProtocol::Udp
                    && mapping.host_port == flow.destination.1
            };
            flow.protocol == 17 && mappings.iter().any(port)
        });
    }
}
