//! A network namespace: its devices, addresses, routes and neighbours.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use sim::OrdMap;

use crate::{Cidr, MacAddress, NamespaceId};

/// The place of a device in its namespace; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DeviceIndex(pub(crate) u32);

/// `lo` is the first device of every namespace.
pub(crate) const LOOPBACK: DeviceIndex = DeviceIndex(0);
/// `eth0` is the second.
pub(crate) const ETHERNET: DeviceIndex = DeviceIndex(1);

/// What a device does with what is sent through it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeviceKind {
    /// Hands it back to its own namespace.
    Loopback,
    /// Puts it on the cable between machines.
    Cable,
    /// Hands it to the other end of the pair.
    Veth { peer: (NamespaceId, DeviceIndex) },
    /// Switches it among its ports.
    Bridge,
    /// Puts it into a UDP packet to another machine.
    Vxlan { local: Ipv4Addr, identifier: u32 },
}

/// A network device.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) name: Arc<str>,
    pub(crate) mac: MacAddress,
    pub(crate) kind: DeviceKind,
    /// The bridge that it is a port of.
    pub(crate) master: Option<DeviceIndex>,
    pub(crate) addresses: Vec<Cidr>,
}

/// A route of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub destination: Cidr,
    /// The next router; `None` when the destination is on the link.
    pub gateway: Option<Ipv4Addr>,
    /// The device's name.
    pub device: Arc<str>,
    /// The gateway is taken to be on the link although no address says so.
    pub onlink: bool,
    /// The address that packets of this namespace go out with.
    pub source: Option<Ipv4Addr>,
}

impl fmt::Display for Route {
    /// As `ip route` prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.destination.prefix {
            0 => f.write_str("default")?,
            32 => write!(f, "{}", self.destination.network())?,
            prefix => write!(f, "{}/{prefix}", self.destination.network())?,
        }
        if let Some(gateway) = self.gateway {
            write!(f, " via {gateway}")?;
        }
        write!(f, " dev {}", self.device)?;
        if self.gateway.is_none() {
            f.write_str(" scope link")?;
        }
        if let Some(source) = self.source {
            write!(f, " src {source}")?;
        }
        if self.onlink { f.write_str(" onlink") } else { Ok(()) }
    }
}

/// What a namespace knows of a station on one of its links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neighbour {
    pub(crate) mac: MacAddress,
    /// Put there by a program, not learned.
    pub(crate) permanent: bool,
}

/// Where a bridge or tunnel sends frames for an Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forwarding {
    Port(DeviceIndex),
    Remote(Ipv4Addr),
}

/// A route as packets use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) device: DeviceIndex,
    /// Whom to hand the packet to on that link.
    pub(crate) next: Ipv4Addr,
    /// The address that own packets go out with.
    pub(crate) source: Ipv4Addr,
}

#[derive(Clone, Debug)]
struct InstalledRoute {
    device: DeviceIndex,
    route: Arc<Route>,
}

/// One network namespace. Cloning shares the large tables.
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    /// What it is called in records: the sandbox, or the machine.
    pub(crate) name: Arc<str>,
    devices: OrdMap<DeviceIndex, Arc<Device>>,
    next_device: u32,
    /// All own addresses, in the order in which they were added.
    local: Vec<(Ipv4Addr, DeviceIndex)>,
    routes: OrdMap<(u8, u32), InstalledRoute>,
    /// How many routes there are of each length of prefix.
    lengths: [u32; 33],
    /// The lengths of which there are any, as bits.
    present: u64,
    neighbours: OrdMap<(DeviceIndex, u32), Neighbour>,
    forwarding: OrdMap<(DeviceIndex, MacAddress), Forwarding>,
    /// Whether packets to 127.0.0.0/8 may leave and enter by other devices than `lo`.
    pub(crate) route_localnet: bool,
    next_port: u16,
}

impl Namespace {
    /// A namespace with `lo`.
    pub(crate) fn new(name: &str) -> Self {
        let mut namespace = Namespace {
            name: name.into(),
            devices: OrdMap::new(),
            next_device: 0,
            local: Vec::new(),
            routes: OrdMap::new(),
            lengths: [0; 33],
            present: 0,
            neighbours: OrdMap::new(),
            forwarding: OrdMap::new(),
            route_localnet: false,
            next_port: crate::sockets::FIRST_EPHEMERAL_PORT,
        };
        let loopback = namespace.add_device("lo", MacAddress::default(), DeviceKind::Loopback);
        namespace.add_address(loopback, Cidr { address: Ipv4Addr::LOCALHOST, prefix: 8 });
        namespace
    }

    pub(crate) fn add_device(
        &mut self,
        name: &str,
        mac: MacAddress,
        kind: DeviceKind,
    ) -> DeviceIndex {
        let index = DeviceIndex(self.next_device);
        self.next_device += 1;
        let device = Device { name: name.into(), mac, kind, master: None, addresses: Vec::new() };
        self.devices.insert(index, Arc::new(device));
        index
    }

    pub(crate) fn remove_device(&mut self, index: DeviceIndex) {
        self.devices.remove(&index);
        self.local.retain(|(_, device)| *device != index);
        keep(&mut self.neighbours, |(device, _), _| *device != index);
        keep(&mut self.forwarding, |(device, _), target| {
            *device != index && *target != Forwarding::Port(index)
        });
        let gone: Vec<_> = self.routes.iter().filter(|(_, r)| r.device == index).collect();
        let gone: Vec<_> = gone.into_iter().map(|(key, _)| *key).collect();
        for (length, network) in gone {
            self.take_route(length, network);
        }
    }

    pub(crate) fn device(&self, index: DeviceIndex) -> Option<&Arc<Device>> {
        self.devices.get(&index)
    }

    pub(crate) fn device_named(&self, name: &str) -> Option<DeviceIndex> {
        self.devices.iter().find(|(_, device)| &*device.name == name).map(|(index, _)| *index)
    }

    pub(crate) fn devices(&self) -> impl Iterator<Item = (DeviceIndex, &Arc<Device>)> {
        self.devices.iter().map(|(index, device)| (*index, device))
    }

    pub(crate) fn set_master(&mut self, index: DeviceIndex, bridge: DeviceIndex) {
        if let Some(device) = self.devices.get_mut(&index) {
            Arc::make_mut(device).master = Some(bridge);
        }
    }

    /// Gives a device an address and the route of its link.
    pub(crate) fn add_address(&mut self, index: DeviceIndex, address: Cidr) {
        let Some(device) = self.devices.get_mut(&index) else { return };
        if device.addresses.contains(&address) {
            return;
        }
        let device = Arc::make_mut(device);
        device.addresses.push(address);
        let (name, loopback) = (device.name.clone(), device.kind == DeviceKind::Loopback);
        self.local.push((address.address, index));
        if address.prefix < 32 && !loopback {
            self.add_route(Route {
                destination: Cidr { address: address.network(), prefix: address.prefix },
                gateway: None,
                device: name,
                onlink: false,
                source: Some(address.address),
            });
        }
    }

    /// Whether the address is one of the namespace's own.
    pub(crate) fn is_local(&self, address: Ipv4Addr) -> bool {
        address.is_loopback() || self.local.iter().any(|(local, _)| *local == address)
    }

    /// The first address that a device other than `lo` has.
    pub(crate) fn first_address(&self) -> Option<Ipv4Addr> {
        self.local.iter().find(|(_, device)| *device != LOOPBACK).map(|(address, _)| *address)
    }

    /// Puts a route in place of any other to the same destination; says whether there is such a
    /// device.
    pub(crate) fn add_route(&mut self, route: Route) -> bool {
        let Some(device) = self.device_named(&route.device) else { return false };
        let key = (route.destination.prefix.min(32), u32::from(route.destination.network()));
        let route = InstalledRoute { device, route: Arc::new(route) };
        if self.routes.insert(key, route).is_none() {
            self.lengths[usize::from(key.0)] += 1;
            self.present |= 1 << key.0;
        }
        true
    }

    /// Takes a route away; says whether there was one.
    pub(crate) fn delete_route(&mut self, destination: Cidr) -> bool {
        self.take_route(destination.prefix.min(32), u32::from(destination.network()))
    }

    fn take_route(&mut self, length: u8, network: u32) -> bool {
        let taken = self.routes.remove(&(length, network)).is_some();
        if taken {
            self.lengths[usize::from(length)] -= 1;
            if self.lengths[usize::from(length)] == 0 {
                self.present &= !(1 << length);
            }
        }
        taken
    }

    /// All routes, those of the shortest prefix first.
    pub(crate) fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.values().map(|installed| &*installed.route)
    }

    /// The route to an address: the one with the longest prefix that contains it.
    pub(crate) fn route(&self, to: Ipv4Addr) -> Option<Hop> {
        if self.is_local(to) {
            return Some(Hop { device: LOOPBACK, next: to, source: to });
        }
        let bits = u32::from(to);
        let mut lengths = self.present;
        while let Some(length) = lengths.checked_ilog2() {
            lengths &= !(1 << length);
            let length = u8::try_from(length).unwrap_or(0);
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            if let Some(InstalledRoute { device, route }) = self.routes.get(&(length, bits & mask))
            {
                let source = route.source.or_else(|| self.address_on(*device));
                return Some(Hop {
                    device: *device,
                    next: route.gateway.unwrap_or(to),
                    source: source.or_else(|| self.first_address())?,
                });
            }
        }
        None
    }

    /// The route that was chosen, for a record.
    pub(crate) fn route_text(&self, to: Ipv4Addr) -> Option<String> {
        let bits = u32::from(to);
        (0..=32_u8).rev().find_map(|length| {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            Some(self.routes.get(&(length, bits & mask))?.route.to_string())
        })
    }

    /// The first address of a device.
    pub(crate) fn address_on(&self, index: DeviceIndex) -> Option<Ipv4Addr> {
        self.local.iter().find(|(_, device)| *device == index).map(|(address, _)| *address)
    }

    pub(crate) fn neighbour(&self, device: DeviceIndex, address: Ipv4Addr) -> Option<MacAddress> {
        self.neighbours.get(&(device, u32::from(address))).map(|neighbour| neighbour.mac)
    }

    pub(crate) fn set_neighbour(
        &mut self,
        device: DeviceIndex,
        address: Ipv4Addr,
        neighbour: Neighbour,
    ) {
        self.neighbours.insert((device, u32::from(address)), neighbour);
    }

    pub(crate) fn remove_neighbour(&mut self, device: DeviceIndex, address: Ipv4Addr) {
        self.neighbours.remove(&(device, u32::from(address)));
    }

    /// Forgets what was learned of an Ethernet address that is no longer there.
    pub(crate) fn forget_station(&mut self, mac: MacAddress) {
        keep(&mut self.neighbours, |_, known| known.permanent || known.mac != mac);
    }

    pub(crate) fn neighbours(
        &self,
    ) -> impl Iterator<Item = (DeviceIndex, Ipv4Addr, Neighbour)> + '_ {
        self.neighbours
            .iter()
            .map(|((device, address), entry)| (*device, Ipv4Addr::from(*address), *entry))
    }

    pub(crate) fn forwarding(&self, device: DeviceIndex, mac: MacAddress) -> Option<Forwarding> {
        self.forwarding.get(&(device, mac)).copied()
    }

    pub(crate) fn set_forwarding(
        &mut self,
        device: DeviceIndex,
        mac: MacAddress,
        target: Forwarding,
    ) {
        self.forwarding.insert((device, mac), target);
    }

    pub(crate) fn remove_forwarding(&mut self, device: DeviceIndex, mac: MacAddress) {
        self.forwarding.remove(&(device, mac));
    }

    pub(crate) fn forwarding_table(
        &self,
    ) -> impl Iterator<Item = (DeviceIndex, MacAddress, Forwarding)> + '_ {
        self.forwarding.iter().map(|((device, mac), target)| (*device, *mac, *target))
    }

    /// The next ephemeral port to try.
    pub(crate) fn take_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = match port {
            crate::sockets::LAST_EPHEMERAL_PORT => crate::sockets::FIRST_EPHEMERAL_PORT,
            port => port + 1,
        };
        port
    }
}

/// Keeps those entries of a map alone.
pub(crate) fn keep<K: Ord + Clone, V: sim::Value>(
    map: &mut OrdMap<K, V>,
    stays: impl Fn(&K, &V) -> bool,
) {
    let gone: Vec<K> =
        map.iter().filter(|(key, value)| !stays(key, value)).map(|(key, _)| key.clone()).collect();
    for key in gone {
        map.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(destination: &str, gateway: Option<[u8; 4]>, device: &str) -> Route {
        Route {
            destination: destination.parse().unwrap(),
            gateway: gateway.map(Ipv4Addr::from),
            device: device.into(),
            onlink: false,
            source: None,
        }
    }

    #[test]
    fn the_longest_prefix_decides() {
        let mut namespace = Namespace::new("box");
        let eth0 = namespace.add_device("eth0", MacAddress::default(), DeviceKind::Cable);
        let other = namespace.add_device("eth1", MacAddress::default(), DeviceKind::Cable);
        namespace.add_address(eth0, "192.168.1.10/24".parse().unwrap());
        namespace.add_address(other, "10.0.0.1/32".parse().unwrap());
        assert!(namespace.add_route(route("0.0.0.0/0", Some([192, 168, 1, 1]), "eth0")));
        assert!(namespace.add_route(route("10.244.0.0/16", None, "eth1")));
        assert!(namespace.add_route(route("10.244.2.0/24", Some([10, 244, 2, 0]), "eth1")));
        assert!(!namespace.add_route(route("10.9.0.0/16", None, "no-such-device")));
        for (to, device, next, source) in [
            ([192, 168, 1, 10], LOOPBACK, [192, 168, 1, 10], [192, 168, 1, 10]),
            ([127, 0, 0, 5], LOOPBACK, [127, 0, 0, 5], [127, 0, 0, 5]),
            ([192, 168, 1, 20], eth0, [192, 168, 1, 20], [192, 168, 1, 10]),
            ([8, 8, 8, 8], eth0, [192, 168, 1, 1], [192, 168, 1, 10]),
            ([10, 244, 7, 7], other, [10, 244, 7, 7], [10, 0, 0, 1]),
            ([10, 244, 2, 7], other, [10, 244, 2, 0], [10, 0, 0, 1]),
        ] {
            let want = Hop { device, next: next.into(), source: source.into() };
            assert_eq!(namespace.route(to.into()), Some(want), "{to:?}");
        }
        assert!(namespace.delete_route("0.0.0.0/0".parse().unwrap()));
        assert_eq!(namespace.route([8, 8, 8, 8].into()), None);
    }

    #[test]
    fn routes_print_as_ip_route_prints_them() {
        let mut via = route("10.244.2.0/24", Some([10, 244, 2, 0]), "flannel.1");
        via.onlink = true;
        assert_eq!(via.to_string(), "10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink");
        let default = route("0.0.0.0/0", Some([10, 244, 1, 1]), "eth0");
        assert_eq!(default.to_string(), "default via 10.244.1.1 dev eth0");
    }

    #[test]
    fn a_device_takes_its_routes_and_stations_with_it() {
        let mut namespace = Namespace::new("box");
        let eth0 = namespace.add_device("eth0", MacAddress::default(), DeviceKind::Cable);
        namespace.add_address(eth0, "192.168.1.10/24".parse().unwrap());
        let neighbour = Neighbour { mac: MacAddress::BROADCAST, permanent: true };
        namespace.set_neighbour(eth0, [192, 168, 1, 1].into(), neighbour);
        namespace.remove_device(eth0);
        assert_eq!(namespace.route([192, 168, 1, 10].into()), None);
        assert_eq!(namespace.neighbours().count(), 0);
    }
}
