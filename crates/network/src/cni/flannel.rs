//! flannel: how packets for pods of other machines leave this one.
//!
//! Upstream: github.com/flannel-io/flannel, pkg/backend/vxlan/vxlan_network.go and
//! pkg/backend/hostgw/hostgw.go.

use std::net::Ipv4Addr;

use crate::namespace::{DeviceKind, Forwarding, Neighbour};
use crate::{
    Cidr, MacAddress, Machine, NamespaceId, Operation, Route, Rule, TableName, TableUpdate,
};

/// The tunnel's device; the number is its network identifier.
const TUNNEL: &str = "flannel.1";
const IDENTIFIER: u32 = 1;

/// How flannel carries packets between machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlannelBackend {
    /// In UDP packets.
    #[default]
    Vxlan,
    /// By routes to the other machine, which must be on the same link.
    HostGateway,
}

/// What flannel knows of another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteNode {
    /// The machine's address (`flannel.alpha.coreos.com/public-ip`).
    pub address: Ipv4Addr,
    /// Its tunnel's Ethernet address (`flannel.alpha.coreos.com/backend-data`).
    pub tunnel: MacAddress,
    /// The range of its pods' addresses.
    pub pod_range: Cidr,
}

impl Machine {
    /// The Ethernet address of this machine's `flannel.1`.
    #[must_use]
    pub fn tunnel_address(&self) -> MacAddress {
        let [a, b, c, d] = self.address.address.octets();
        MacAddress([0x0e, 0xf1, a, b, c, d])
    }

    /// Makes `flannel.1` for the machine's range of pods.
    pub fn add_tunnel(&mut self, pod_range: Cidr) {
        self.history.digest_of(&pod_range);
        if self.host.device_named(TUNNEL).is_some() {
            return;
        }
        let local = self.address.address;
        let kind = DeviceKind::Vxlan { local, identifier: IDENTIFIER };
        let tunnel = self.host.add_device(TUNNEL, self.tunnel_address(), kind);
        self.host.add_address(tunnel, Cidr::host(pod_range.network()));
    }

    /// flannel's rules: packets of pods leave the cluster with the machine's address, and what
    /// is forwarded for pods passes. Rules that are there already stay.
    ///
    /// Upstream: pkg/trafficmngr/iptables/iptables.go, masqRules and forwardRules.
    pub fn add_flannel_rules(&mut self, cluster: Cidr, pods: Cidr) {
        self.history.digest_of(&(cluster, pods));
        let masquerade = "-m comment --comment \"flanneld masq\"";
        let forward = "-m comment --comment \"flanneld forward\"";
        let nat = [
            ("POSTROUTING", format!("{masquerade} -j FLANNEL-POSTRTG")),
            ("FLANNEL-POSTRTG", format!("-m mark --mark 0x4000/0x4000 {masquerade} -j RETURN")),
            ("FLANNEL-POSTRTG", format!("-s {pods} -d {cluster} {masquerade} -j RETURN")),
            ("FLANNEL-POSTRTG", format!("-s {cluster} -d {pods} {masquerade} -j RETURN")),
            ("FLANNEL-POSTRTG", format!("! -s {cluster} -d {pods} {masquerade} -j RETURN")),
            (
                "FLANNEL-POSTRTG",
                format!("-s {cluster} ! -d 224.0.0.0/4 {masquerade} -j MASQUERADE --random-fully"),
            ),
            (
                "FLANNEL-POSTRTG",
                format!("! -s {cluster} -d {cluster} {masquerade} -j MASQUERADE --random-fully"),
            ),
        ];
        let filter = [
            ("FORWARD", format!("{forward} -j FLANNEL-FWD")),
            ("FLANNEL-FWD", format!("-s {cluster} {forward} -j ACCEPT")),
            ("FLANNEL-FWD", format!("-d {cluster} {forward} -j ACCEPT")),
        ];
        let updates = vec![
            self.missing_rules(TableName::Nat, "FLANNEL-POSTRTG", &nat),
            self.missing_rules(TableName::Filter, "FLANNEL-FWD", &filter),
        ];
        // Every chain that is named is built in or made by the update itself.
        let _ = self.update_tables(NamespaceId::HOST, updates, true);
    }

    fn missing_rules(&self, table: TableName, own: &str, rules: &[(&str, String)]) -> TableUpdate {
        let mut operations = vec![Operation::Chain { chain: own.into(), policy: None }];
        for (chain, rule) in rules {
            let Ok(rule) = rule.parse::<Rule>() else { continue };
            if *chain == own || !self.has_rule(NamespaceId::HOST, table, chain, &rule) {
                operations.push(Operation::Append { chain: (*chain).into(), rule });
            }
        }
        TableUpdate { table, operations }
    }

    /// Takes `flannel.1` away with everything that goes through it.
    pub fn remove_tunnel(&mut self) {
        self.history.note(15, 0);
        if let Some(tunnel) = self.host.device_named(TUNNEL) {
            self.host.remove_device(tunnel);
        }
    }

    /// Lets packets for pods of another machine go there.
    pub fn add_remote_node(&mut self, backend: FlannelBackend, remote: RemoteNode) {
        let RemoteNode { address, tunnel: mac, pod_range } = remote;
        self.history.digest_of(&format!("{backend:?} {remote:?}"));
        let via = pod_range.network();
        let (gateway, device) = match backend {
            FlannelBackend::Vxlan => (via, TUNNEL),
            FlannelBackend::HostGateway => (address, "eth0"),
        };
        let onlink = backend == FlannelBackend::Vxlan;
        if onlink && let Some(tunnel) = self.host.device_named(TUNNEL) {
            self.host.set_neighbour(tunnel, via, Neighbour { mac, permanent: true });
            self.host.set_forwarding(tunnel, mac, Forwarding::Remote(address));
        }
        let route = Route {
            destination: Cidr { address: via, prefix: pod_range.prefix },
            gateway: Some(gateway),
            device: device.into(),
            onlink,
            source: None,
        };
        // Without the device there is nothing to route by, as when the agent was never started.
        let _ = self.add_route(NamespaceId::HOST, route);
    }

    /// Forgets another machine.
    pub fn remove_remote_node(&mut self, remote: RemoteNode) {
        self.history.digest_of(&format!("remove {remote:?}"));
        self.host.delete_route(remote.pod_range);
        if let Some(tunnel) = self.host.device_named(TUNNEL) {
            self.host.remove_neighbour(tunnel, remote.pod_range.network());
            self.host.remove_forwarding(tunnel, remote.tunnel);
        }
    }
}
