//! The way of a packet through the namespaces of one machine, hop by hop, in Linux's order:
//! routing, netfilter's hooks, neighbours, bridges and tunnels.

use std::net::{Ipv4Addr, SocketAddrV4};

use sim::Time;
use trace::Verdict;

use crate::namespace::{DeviceIndex, DeviceKind, Forwarding, Hop, LOOPBACK, Namespace, Neighbour};
use crate::packet::{TIME_EXCEEDED, UNREACHABLE};
use crate::{Frame, Ipv4Packet, MacAddress, Machine, NamespaceId, Payload, Transport};

/// Linux's and flannel's port for VXLAN, which is not the assigned one.
pub(crate) const VXLAN_PORT: u16 = 8472;
/// A packet that passes more stations of one machine goes in a circle.
const MOST_STAGES: u32 = 256;

/// A packet on its way within the machine.
#[derive(Debug)]
pub(crate) struct Journey {
    pub(crate) packet: Ipv4Packet,
    /// The device of the present namespace that it came in by.
    pub(crate) input: Option<DeviceIndex>,
    /// Where it began: the address of its namespace, or `None` for the cable.
    from: Option<Ipv4Addr>,
}

impl Journey {
    pub(crate) fn from_cable(packet: Ipv4Packet) -> Self {
        Journey { packet, input: None, from: None }
    }

    pub(crate) fn local(packet: Ipv4Packet) -> Self {
        Journey { from: Some(packet.source), packet, input: None }
    }
}

/// Where the packet stands and what comes next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage {
    /// A socket of the namespace sent it.
    Output(NamespaceId),
    /// A device of the namespace received it.
    Arrive(NamespaceId, DeviceIndex),
    /// It leaves the namespace by a device.
    Leave(NamespaceId, Hop),
    /// A frame is on a bridge of the host, from a port, for a station.
    Switch(DeviceIndex, DeviceIndex, MacAddress),
    /// It is over.
    Gone,
}

impl Machine {
    /// Sends a packet that a socket or the kernel of a namespace made.
    pub(crate) fn send_packet(&mut self, namespace: NamespaceId, packet: Ipv4Packet, now: Time) {
        self.travel(Stage::Output(namespace), Journey::local(packet), now);
    }

    /// Moves a packet until it has left the machine, stands before a socket, or is gone.
    pub(crate) fn travel(&mut self, start: Stage, mut journey: Journey, now: Time) {
        let mut stage = start;
        for _ in 0..MOST_STAGES {
            stage = match stage {
                Stage::Output(namespace) => self.output(namespace, &mut journey, now),
                Stage::Arrive(namespace, device) => {
                    self.arrive(namespace, device, &mut journey, now)
                }
                Stage::Leave(namespace, hop) => self.leave(namespace, hop, &mut journey, now),
                Stage::Switch(bridge, port, to) => self.switch(bridge, port, to, &mut journey),
                Stage::Gone => return,
            };
        }
        self.drop_packet(NamespaceId::HOST, None, &journey, "it goes in a circle");
    }

    fn place(&self, namespace: NamespaceId, device: Option<DeviceIndex>) -> String {
        let Some(known) = self.namespace(namespace) else { return String::new() };
        match device.and_then(|device| known.device(device)) {
            Some(device) => format!("{} {}", known.name, device.name),
            None => known.name.to_string(),
        }
    }

    pub(crate) fn hop(
        &mut self,
        namespace: NamespaceId,
        device: Option<DeviceIndex>,
        packet: &Ipv4Packet,
        verdict: Verdict,
        rule: impl FnOnce(&Namespace) -> Option<String>,
    ) {
        if self.records.hops() {
            let place = self.place(namespace, device);
            let rule = self.namespace(namespace).and_then(rule);
            self.records.hop(packet, place, verdict, rule);
        }
    }

    pub(crate) fn drop_packet(
        &mut self,
        namespace: NamespaceId,
        device: Option<DeviceIndex>,
        journey: &Journey,
        why: &str,
    ) -> Stage {
        self.hop(namespace, device, &journey.packet, Verdict::Dropped, |_| Some(why.to_string()));
        let to = self.namespace(namespace).and_then(Namespace::first_address);
        self.records.way(&journey.packet, (journey.from, to), Verdict::Dropped);
        Stage::Gone
    }

    fn output(&mut self, namespace: NamespaceId, journey: &mut Journey, now: Time) -> Stage {
        let to = journey.packet.destination;
        let Some(hop) = self.namespace(namespace).and_then(|known| known.route(to)) else {
            self.drop_packet(namespace, None, journey, "no route");
            self.icmp_error(namespace, &journey.packet, (UNREACHABLE, 0), now);
            return Stage::Gone;
        };
        self.hop(namespace, Some(hop.device), &journey.packet, Verdict::Sent, |known| {
            known.route_text(to)
        });
        Stage::Leave(namespace, hop)
    }

    fn arrive(
        &mut self,
        namespace: NamespaceId,
        device: DeviceIndex,
        journey: &mut Journey,
        now: Time,
    ) -> Stage {
        journey.input = Some(device);
        let to = journey.packet.destination;
        let Some(known) = self.namespace(namespace) else { return Stage::Gone };
        if to.is_loopback() && device != LOOPBACK && !known.route_localnet {
            return self.drop_packet(namespace, Some(device), journey, "martian destination");
        }
        if known.is_local(to) {
            return self.input(namespace, device, journey, now);
        }
        self.forward(namespace, device, journey, now)
    }

    fn input(
        &mut self,
        namespace: NamespaceId,
        device: DeviceIndex,
        journey: &mut Journey,
        now: Time,
    ) -> Stage {
        let packet = &mut journey.packet;
        if packet.transport.ports().1 == VXLAN_PORT
            && let Some(frame) = packet.encapsulated.take()
        {
            return self.decapsulate(namespace, *frame, journey);
        }
        let packet = journey.packet.clone();
        self.hop(namespace, Some(device), &packet, Verdict::Delivered, |_| None);
        let to = self.namespace(namespace).and_then(Namespace::first_address);
        self.records.way(&packet, (journey.from, to), Verdict::Delivered);
        if !self.deliver(namespace, packet, now) {
            self.drop_packet(namespace, Some(device), journey, "the queue is full");
        }
        Stage::Gone
    }

    /// A tunnel's packet: what it carries comes in by the tunnel's device.
    fn decapsulate(
        &mut self,
        namespace: NamespaceId,
        frame: Frame,
        journey: &mut Journey,
    ) -> Stage {
        let tunnel = self.namespace(namespace).and_then(|known| {
            let is_it = |kind: &DeviceKind| matches!(kind, DeviceKind::Vxlan { .. });
            known
                .devices()
                .find(|(_, device)| is_it(&device.kind) && device.mac == frame.destination)
        });
        let Some(tunnel) = tunnel.map(|(index, _)| index) else {
            return self.drop_packet(namespace, None, journey, "no such tunnel");
        };
        journey.packet = frame.packet;
        self.hop(namespace, Some(tunnel), &journey.packet, Verdict::Forwarded, |_| {
            Some("decapsulated".to_string())
        });
        Stage::Arrive(namespace, tunnel)
    }

    fn forward(
        &mut self,
        namespace: NamespaceId,
        device: DeviceIndex,
        journey: &mut Journey,
        now: Time,
    ) -> Stage {
        // A pod's namespace is a host, not a router.
        if namespace != NamespaceId::HOST {
            return self.drop_packet(namespace, Some(device), journey, "not for this address");
        }
        if journey.packet.time_to_live <= 1 {
            self.drop_packet(namespace, Some(device), journey, "time to live exceeded");
            self.icmp_error(namespace, &journey.packet, (TIME_EXCEEDED, 0), now);
            return Stage::Gone;
        }
        let to = journey.packet.destination;
        let Some(hop) = self.host.route(to) else {
            self.drop_packet(namespace, Some(device), journey, "no route");
            self.icmp_error(namespace, &journey.packet, (UNREACHABLE, 0), now);
            return Stage::Gone;
        };
        journey.packet.time_to_live -= 1;
        self.hop(namespace, Some(hop.device), &journey.packet, Verdict::Forwarded, |known| {
            known.route_text(to)
        });
        Stage::Leave(namespace, hop)
    }

    fn leave(
        &mut self,
        namespace: NamespaceId,
        hop: Hop,
        journey: &mut Journey,
        now: Time,
    ) -> Stage {
        let Some(device) = self.namespace(namespace).and_then(|known| known.device(hop.device))
        else {
            return self.drop_packet(namespace, None, journey, "no such device");
        };
        if device.kind == DeviceKind::Loopback {
            return Stage::Arrive(namespace, LOOPBACK);
        }
        let (kind, own) = (device.kind.clone(), device.mac);
        let Some(station) = self.station(namespace, hop.device, hop.next, &journey.packet) else {
            self.hop(namespace, Some(hop.device), &journey.packet, Verdict::Dropped, |_| {
                Some(format!("nobody answers for {}", hop.next))
            });
            self.records.way(&journey.packet, (journey.from, None), Verdict::Dropped);
            self.wait_for_neighbour(namespace, journey.packet.clone(), now);
            return Stage::Gone;
        };
        match kind {
            DeviceKind::Loopback => Stage::Arrive(namespace, LOOPBACK),
            DeviceKind::Cable => {
                let packet = journey.packet.clone();
                self.records.way(&packet, (journey.from, None), Verdict::Forwarded);
                self.history.note(packet.id, u64::from(u32::from(packet.destination)));
                let mark = Ipv4Packet { mark: 0, ..packet };
                self.outgoing.push(Frame { source: own, destination: station, packet: mark });
                Stage::Gone
            }
            DeviceKind::Veth { peer: (other, end) } => {
                journey.packet.mark = 0;
                let master = self.namespace(other).and_then(|known| known.device(end)?.master);
                match master {
                    Some(bridge) => {
                        self.learn(bridge, own, end);
                        Stage::Switch(bridge, end, station)
                    }
                    None => Stage::Arrive(other, end),
                }
            }
            DeviceKind::Bridge => self.by_port(hop.device, None, station, journey),
            DeviceKind::Vxlan { local, .. } => {
                self.encapsulate(namespace, (hop.device, own, local), station, journey)
            }
        }
    }

    /// Puts the packet into one to the machine that the tunnel's table names.
    fn encapsulate(
        &mut self,
        namespace: NamespaceId,
        (tunnel, own, local): (DeviceIndex, MacAddress, Ipv4Addr),
        station: MacAddress,
        journey: &mut Journey,
    ) -> Stage {
        let known = self.namespace(namespace);
        let Some(Forwarding::Remote(remote)) =
            known.and_then(|known| known.forwarding(tunnel, station))
        else {
            return self.drop_packet(namespace, Some(tunnel), journey, "no remote for the station");
        };
        self.hop(namespace, Some(tunnel), &journey.packet, Verdict::Forwarded, |_| {
            Some(format!("encapsulated to {remote}"))
        });
        let inner = Ipv4Packet { mark: 0, ..journey.packet.clone() };
        let (from, to) = inner.transport.ports();
        // The source port tells flows apart on the way: from the inner headers, as Linux does.
        let flow = u32::from(inner.source)
            ^ u32::from(inner.destination)
            ^ u32::from(from)
            ^ (u32::from(to) << 3);
        let port = 32768 + u16::try_from(flow % 28_232).unwrap_or(0);
        let id = inner.id;
        let transport = Transport::Udp { source: port, destination: VXLAN_PORT };
        let ends = (SocketAddrV4::new(local, port), SocketAddrV4::new(remote, VXLAN_PORT));
        let outer = self.new_packet(ends.0, ends.1, transport, Payload::Empty);
        let frame = Frame { source: own, destination: station, packet: inner };
        journey.packet = Ipv4Packet { id, encapsulated: Some(Box::new(frame)), ..outer };
        journey.input = None;
        Stage::Output(namespace)
    }

    /// A frame that a port of a bridge received.
    fn switch(
        &mut self,
        bridge: DeviceIndex,
        port: DeviceIndex,
        to: MacAddress,
        journey: &mut Journey,
    ) -> Stage {
        if self.host.device(bridge).is_some_and(|device| device.mac == to) {
            return Stage::Arrive(NamespaceId::HOST, bridge);
        }
        self.by_port(bridge, Some(port), to, journey)
    }

    /// Hands a frame on a bridge to the port behind which its station is.
    fn by_port(
        &mut self,
        bridge: DeviceIndex,
        from: Option<DeviceIndex>,
        to: MacAddress,
        journey: &mut Journey,
    ) -> Stage {
        let host = NamespaceId::HOST;
        let port = match self.host.forwarding(bridge, to) {
            Some(Forwarding::Port(port)) => Some(port),
            // An unknown station: every port gets the frame, and only one takes it.
            _ => self.find_port(bridge, |known, end| {
                known.device(end).is_some_and(|device| device.mac == to)
            }),
        };
        let end = port.and_then(|port| match self.host.device(port)?.kind {
            DeviceKind::Veth { peer } => Some((port, peer)),
            _ => None,
        });
        let Some((port, (namespace, device))) = end else {
            return self.drop_packet(host, Some(bridge), journey, "no port for the station");
        };
        if from.is_some() {
            self.hop(host, Some(port), &journey.packet, Verdict::Forwarded, |_| {
                Some(format!("switched to {to}"))
            });
        }
        self.learn(bridge, to, port);
        journey.packet.mark = 0;
        Stage::Arrive(namespace, device)
    }

    fn learn(&mut self, bridge: DeviceIndex, mac: MacAddress, port: DeviceIndex) {
        if self.host.forwarding(bridge, mac) != Some(Forwarding::Port(port)) {
            self.host.set_forwarding(bridge, mac, Forwarding::Port(port));
        }
    }

    /// The port of a bridge whose other end is like that.
    fn find_port(
        &self,
        bridge: DeviceIndex,
        is_it: impl Fn(&Namespace, DeviceIndex) -> bool,
    ) -> Option<DeviceIndex> {
        let ports = self.host.devices().filter(|(_, device)| device.master == Some(bridge));
        let mut ends = ports.filter_map(|(port, device)| match device.kind {
            DeviceKind::Veth { peer: (namespace, end) } => Some((port, namespace, end)),
            _ => None,
        });
        let port = ends.find(|(_, namespace, end)| {
            self.namespace(*namespace).is_some_and(|known| is_it(known, *end))
        });
        port.map(|(port, ..)| port)
    }

    /// The Ethernet address of the next station, asked for where it is not known.
    fn station(
        &mut self,
        namespace: NamespaceId,
        device: DeviceIndex,
        next: Ipv4Addr,
        packet: &Ipv4Packet,
    ) -> Option<MacAddress> {
        let known = self.namespace(namespace)?;
        if let Some(mac) = known.neighbour(device, next) {
            return Some(mac);
        }
        let mac = match known.device(device)?.kind {
            // The fabric that the machines hang on answers for every address, as clouds' do.
            DeviceKind::Cable => return Some(MacAddress::of(next)),
            DeviceKind::Veth { peer: (other, end) } => {
                match self.namespace(other)?.device(end)?.master {
                    Some(bridge) => self.ask_on_bridge(bridge, next)?,
                    None => self.ask(other, end, next)?,
                }
            }
            DeviceKind::Bridge => self.ask_on_bridge(device, next)?,
            DeviceKind::Loopback | DeviceKind::Vxlan { .. } => return None,
        };
        self.hop(namespace, Some(device), packet, Verdict::Sent, |_| {
            Some(format!("ARP who-has {next}: is-at {mac}"))
        });
        let known = self.namespace_mut(namespace)?;
        known.set_neighbour(device, next, Neighbour { mac, permanent: false });
        Some(mac)
    }

    fn ask(
        &self,
        namespace: NamespaceId,
        device: DeviceIndex,
        for_: Ipv4Addr,
    ) -> Option<MacAddress> {
        let known = self.namespace(namespace)?;
        known.is_local(for_).then(|| known.device(device).map(|device| device.mac))?
    }

    fn ask_on_bridge(&mut self, bridge: DeviceIndex, for_: Ipv4Addr) -> Option<MacAddress> {
        if let Some(mac) = self.ask(NamespaceId::HOST, bridge, for_) {
            return Some(mac);
        }
        let port = self.find_port(bridge, |known, _| known.is_local(for_))?;
        let DeviceKind::Veth { peer: (namespace, end) } = self.host.device(port)?.kind else {
            return None;
        };
        let mac = self.ask(namespace, end, for_)?;
        // The reply crosses the bridge, which learns from it.
        self.learn(bridge, mac, port);
        Some(mac)
    }

    /// Tells the sender of a packet what became of it.
    pub(crate) fn icmp_error(
        &mut self,
        namespace: NamespaceId,
        about: &Ipv4Packet,
        (kind, code): (u8, u8),
        now: Time,
    ) {
        if about.is_icmp_error() {
            return;
        }
        let route = self.namespace(namespace).and_then(|known| known.route(about.source));
        let Some(hop) = route else { return };
        let ends = (SocketAddrV4::new(hop.source, 0), SocketAddrV4::new(about.source, 0));
        let transport = Transport::Icmp { kind, code, identifier: 0, sequence: 0 };
        let mut packet = self.new_packet(ends.0, ends.1, transport, Payload::Empty);
        let quoted = Ipv4Packet { payload: Payload::Empty, encapsulated: None, ..about.clone() };
        packet.encapsulated = Some(Box::new(Frame {
            source: MacAddress::default(),
            destination: MacAddress::default(),
            packet: quoted,
        }));
        self.send_packet(namespace, packet, now);
    }
}
