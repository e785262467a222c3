//! The plugins `bridge` and `host-local`: a pod's namespace hangs on the bridge `cni0` by a veth
//! pair, and its address is the next one of the machine's range.
//!
//! Upstream: github.com/containernetworking/plugins, plugins/main/bridge/bridge.go and
//! plugins/ipam/host-local/backend/allocator/allocator.go.

use std::net::Ipv4Addr;

use sim::{OrdSet, Time};

use crate::namespace::{DeviceKind, ETHERNET};
use crate::{Cidr, MacAddress, Machine, NamespaceId, Route};

pub(crate) const BRIDGE: &str = "cni0";

/// A machine's range of pod addresses, handed out in turn, so that one is not used again at
/// once.
#[derive(Clone, Debug)]
pub(crate) struct AddressPool {
    range: Cidr,
    first: u32,
    last: u32,
    next: u32,
    used: OrdSet<u32>,
}

impl AddressPool {
    /// All addresses of a range but the network's own, the bridge's (the first) and the
    /// broadcast address.
    pub(crate) fn new(range: Cidr) -> Self {
        let network = u32::from(range.network());
        let last = (network | !range.mask()).saturating_sub(1);
        let first = network.saturating_add(2);
        AddressPool { range, first, last, next: first, used: OrdSet::new() }
    }

    /// The bridge's address, which pods go out by.
    pub(crate) fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.range.network()).saturating_add(1))
    }

    pub(crate) fn range(&self) -> Cidr {
        self.range
    }

    /// Takes the next free address.
    pub(crate) fn take(&mut self) -> Option<Ipv4Addr> {
        for _ in self.first..=self.last {
            let candidate = self.next;
            self.next = if candidate == self.last { self.first } else { candidate + 1 };
            if self.used.insert(candidate).is_none() {
                return Some(Ipv4Addr::from(candidate));
            }
        }
        None
    }

    /// Gives an address back.
    pub(crate) fn release(&mut self, address: Ipv4Addr) {
        self.used.remove(&u32::from(address));
    }
}

impl Machine {
    /// Sets the range that the CNI plugin hands out pod addresses from; makes the bridge.
    pub fn set_pod_range(&mut self, range: Cidr) {
        self.history.digest_of(&range);
        if self.pool.as_ref().is_some_and(|pool| pool.range() == range) {
            return;
        }
        let pool = AddressPool::new(range);
        if self.host.device_named(BRIDGE).is_none() {
            let mac = MacAddress::of(pool.gateway());
            let bridge = self.host.add_device(BRIDGE, mac, DeviceKind::Bridge);
            let address = Cidr { address: pool.gateway(), prefix: range.prefix };
            self.host.add_address(bridge, address);
        }
        self.pool = Some(pool);
    }

    /// The range that pods of this machine have their addresses from.
    #[must_use]
    pub fn pod_range(&self) -> Option<Cidr> {
        self.pool.as_ref().map(AddressPool::range)
    }

    /// CNI ADD: makes a namespace with `lo` and `eth0`, a veth pair to the bridge, an address.
    ///
    /// # Errors
    /// The plugin's words.
    pub fn add_pod(&mut self, sandbox: &str) -> Result<(NamespaceId, Ipv4Addr), String> {
        self.history.digest_of(&sandbox);
        const FAILED: &str = "plugin type=\"flannel\" failed (add): ";
        let bridge = self.host.device_named(BRIDGE);
        let (Some(pool), Some(bridge)) = (&mut self.pool, bridge) else {
            return Err(format!(
                "{FAILED}loadFlannelSubnetEnv failed: open /run/flannel/subnet.env: no such file \
                 or directory"
            ));
        };
        let Some(address) = pool.take() else {
            let (first, last) = (pool.gateway(), Ipv4Addr::from(pool.last));
            return Err(format!(
                "{FAILED}failed to delegate add: failed to allocate for range 0: no IP addresses \
                 available in range set: {first}-{last}"
            ));
        };
        let (gateway, prefix) = (pool.gateway(), pool.range.prefix);
        let id = self.add_namespace(sandbox);
        // Linux's names of devices have at most 15 letters.
        let name = format!("veth{:08x}", id.0.wrapping_mul(0x9e37_79b1) & 0xffff_ffff);
        let port = self.host.add_device(
            &name,
            MacAddress::default(),
            DeviceKind::Veth { peer: (id, ETHERNET) },
        );
        self.host.set_master(port, bridge);
        if let Some(pod) = self.namespace_mut(id) {
            let peer = (NamespaceId::HOST, port);
            let mac = MacAddress::of(address);
            let eth0 = pod.add_device("eth0", mac, DeviceKind::Veth { peer });
            pod.add_address(eth0, Cidr { address, prefix });
            pod.add_route(Route {
                destination: Cidr { address: Ipv4Addr::UNSPECIFIED, prefix: 0 },
                gateway: Some(gateway),
                device: "eth0".into(),
                onlink: false,
                source: None,
            });
        }
        Ok((id, address))
    }

    /// CNI DEL: takes the namespace away with everything in it.
    pub fn remove_pod(&mut self, namespace: NamespaceId, now: Time) {
        self.history.note(14, namespace.0);
        let _ = now;
        let Some(pod) = self.pods.remove(&namespace) else { return };
        self.pod_filters.remove(&namespace);
        for socket in self.sockets.of_namespace(namespace) {
            self.sockets.remove(socket);
            self.untell(|ready| ready.socket == socket);
        }
        self.forget_deliveries(namespace);
        if let Some(address) = pod.first_address() {
            if let Some(pool) = &mut self.pool {
                pool.release(address);
            }
            // An address comes back with the same Ethernet address but behind another port.
            self.host.forget_station(MacAddress::of(address));
        }
        if let Some(eth0) = pod.device(ETHERNET)
            && let DeviceKind::Veth { peer: (NamespaceId::HOST, port) } = eth0.kind
        {
            self.host.remove_device(port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_round_and_a_free_one_comes_back_last() {
        let mut pool = AddressPool::new("10.244.3.0/29".parse().unwrap());
        let all: Vec<Ipv4Addr> = std::iter::from_fn(|| pool.take()).collect();
        let want: Vec<Ipv4Addr> = (2..=6).map(|last| Ipv4Addr::new(10, 244, 3, last)).collect();
        assert_eq!(all, want);
        pool.release(want[2]);
        assert_eq!(pool.take(), Some(want[2]));
        assert_eq!(pool.take(), None);
    }

    #[test]
    fn a_range_without_room_has_no_addresses() {
        for range in ["10.244.3.0/31", "10.244.3.0/32", "255.255.255.255/32"] {
            assert_eq!(AddressPool::new(range.parse().unwrap()).take(), None, "{range}");
        }
    }
}
