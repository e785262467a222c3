//! The way of a packet through the namespaces of one machine, hop by hop, in Linux's order:
//! routing, netfilter's hooks, neighbours, bridges and tunnels.

use std::net::{Ipv4Addr, SocketAddrV4};

use std::sync::Arc;

use sim::Time;
use trace::Verdict;

use crate::conntrack::{Track, set_destination};

use crate::namespace::{DeviceIndex, DeviceKind, Forwarding, Hop, LOOPBACK, Namespace, Neighbour};
use crate::netfilter::{By, Environment, Hook, Netfilter, Outcome, RejectWith};
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
    /// What the present namespace knows of its connection.
    track: Track,
    /// Where it began: the address of its namespace, or `None` for the cable.
    from: Option<Ipv4Addr>,
    /// What its connection was sent to, once a namespace has been found that rewrites that.
    original: Option<SocketAddrV4>,
}

impl Journey {
    pub(crate) fn from_cable(packet: Ipv4Packet) -> Self {
        Journey { packet, input: None, track: Track::Unseen, from: None, original: None }
    }

    /// The packet as its sender knows it: rewriting that no connection remembers yet is undone.
    fn as_sent(&self) -> Ipv4Packet {
        let mut packet = self.packet.clone();
        if let Track::New(flow) = &self.track {
            set_destination(&mut packet, flow.original.destination());
        }
        packet
    }

    /// Notes what its connection was sent to, if the present namespace rewrites that.
    fn note_original(&mut self) {
        if let Track::New(flow) | Track::Known { flow, .. } = &self.track
            && flow.destination_natted
        {
            let (address, port) = flow.original.destination();
            self.original = Some(SocketAddrV4::new(address, port));
        }
    }

    /// It enters another namespace, which knows nothing of it.
    fn enter(&mut self) {
        self.packet.mark = 0;
        self.track = Track::Unseen;
    }

    pub(crate) fn local(packet: Ipv4Packet) -> Self {
        let from = Some(packet.source);
        Journey { packet, input: None, track: Track::Unseen, from, original: None }
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
                Stage::Switch(bridge, port, to) => {
                    self.switch((bridge, port), to, &mut journey, now)
                }
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
        self.records.way(&journey.packet, (journey.from, to), journey.original, Verdict::Dropped);
        Stage::Gone
    }

    fn output(&mut self, namespace: NamespaceId, journey: &mut Journey, now: Time) -> Stage {
        let to = journey.packet.destination;
        let Some(hop) = self.namespace(namespace).and_then(|known| known.route(to)) else {
            return self.refuse(namespace, None, journey, (UNREACHABLE, 0), "no route", now);
        };
        self.hop(namespace, Some(hop.device), &journey.packet, Verdict::Sent, |known| {
            known.route_text(to)
        });
        let mark = journey.packet.mark;
        if let Some(stage) = self.ask(namespace, Hook::Output, Some(hop), journey, now) {
            return stage;
        }
        if journey.packet.destination == to && journey.packet.mark == mark {
            return Stage::Leave(namespace, hop);
        }
        let to = journey.packet.destination;
        match self.namespace(namespace).and_then(|known| known.route(to)) {
            Some(hop) => Stage::Leave(namespace, hop),
            None => self.refuse(namespace, None, journey, (UNREACHABLE, 0), "no route", now),
        }
    }

    fn arrive(
        &mut self,
        namespace: NamespaceId,
        device: DeviceIndex,
        journey: &mut Journey,
        now: Time,
    ) -> Stage {
        journey.input = Some(device);
        if let Some(stage) = self.ask(namespace, Hook::Prerouting, None, journey, now) {
            return stage;
        }
        self.routed(namespace, device, journey, now)
    }

    /// Whether it is for this namespace or another.
    fn routed(
        &mut self,
        namespace: NamespaceId,
        device: DeviceIndex,
        journey: &mut Journey,
        now: Time,
    ) -> Stage {
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
        if let Some(stage) = self.ask(namespace, Hook::Input, None, journey, now) {
            return stage;
        }
        let packet = &mut journey.packet;
        if packet.transport.ports().1 == VXLAN_PORT
            && let Some(frame) = packet.encapsulated.take()
        {
            return self.decapsulate(namespace, *frame, journey);
        }
        let packet = journey.packet.clone();
        self.hop(namespace, Some(device), &packet, Verdict::Delivered, |_| None);
        let to = self.namespace(namespace).and_then(Namespace::first_address);
        self.records.way(&packet, (journey.from, to), journey.original, Verdict::Delivered);
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
        journey.enter();
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
            let why = "time to live exceeded";
            return self.refuse(namespace, Some(device), journey, (TIME_EXCEEDED, 0), why, now);
        }
        let to = journey.packet.destination;
        let Some(hop) = self.host.route(to) else {
            let why = "no route";
            return self.refuse(namespace, Some(device), journey, (UNREACHABLE, 0), why, now);
        };
        journey.packet.time_to_live -= 1;
        self.hop(namespace, Some(hop.device), &journey.packet, Verdict::Forwarded, |known| {
            known.route_text(to)
        });
        if let Some(stage) = self.ask(namespace, Hook::Forward, Some(hop), journey, now) {
            return stage;
        }
        Stage::Leave(namespace, hop)
    }

    fn leave(
        &mut self,
        namespace: NamespaceId,
        hop: Hop,
        journey: &mut Journey,
        now: Time,
    ) -> Stage {
        if let Some(stage) = self.ask(namespace, Hook::Postrouting, Some(hop), journey, now) {
            return stage;
        }
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
            self.records.way(
                &journey.packet,
                (journey.from, None),
                journey.original,
                Verdict::Dropped,
            );
            self.wait_for_neighbour(namespace, journey.packet.clone(), now);
            return Stage::Gone;
        };
        match kind {
            DeviceKind::Loopback => Stage::Arrive(namespace, LOOPBACK),
            DeviceKind::Cable => {
                let packet = journey.packet.clone();
                self.records.way(
                    &packet,
                    (journey.from, None),
                    journey.original,
                    Verdict::Forwarded,
                );
                self.history.note(packet.id, u64::from(u32::from(packet.destination)));
                let mark = Ipv4Packet { mark: 0, ..packet };
                self.outgoing.push(Frame { source: own, destination: station, packet: mark });
                Stage::Gone
            }
            DeviceKind::Veth { peer: (other, end) } => {
                journey.enter();
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
        journey.track = Track::Unseen;
        Stage::Output(namespace)
    }

    /// A frame that a port of a bridge received. What is switched is shown to netfilter as well
    /// (`net.bridge.bridge-nf-call-iptables`), or answers from a pod on the same bridge would
    /// never be rewritten.
    fn switch(
        &mut self,
        (bridge, port): (DeviceIndex, DeviceIndex),
        to: MacAddress,
        journey: &mut Journey,
        now: Time,
    ) -> Stage {
        let host = NamespaceId::HOST;
        if self.host.device(bridge).is_some_and(|device| device.mac == to) {
            return Stage::Arrive(host, bridge);
        }
        if self.host_filter.is_some() {
            journey.input = Some(bridge);
            let before = journey.packet.destination;
            if let Some(stage) = self.ask(host, Hook::Prerouting, None, journey, now) {
                return stage;
            }
            if journey.packet.destination != before {
                return self.routed(host, bridge, journey, now);
            }
            let source = self.host.address_on(bridge).unwrap_or(self.address.address);
            let hop = Hop { device: bridge, next: before, source };
            for hook in [Hook::Forward, Hook::Postrouting] {
                if let Some(stage) = self.ask(host, hook, Some(hop), journey, now) {
                    return stage;
                }
            }
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
        journey.enter();
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
                    Some(bridge) => self.who_has_on_bridge(bridge, next)?,
                    None => self.who_has(other, end, next)?,
                }
            }
            DeviceKind::Bridge => self.who_has_on_bridge(device, next)?,
            DeviceKind::Loopback | DeviceKind::Vxlan { .. } => return None,
        };
        self.hop(namespace, Some(device), packet, Verdict::Sent, |_| {
            Some(format!("ARP who-has {next}: is-at {mac}"))
        });
        let known = self.namespace_mut(namespace)?;
        known.set_neighbour(device, next, Neighbour { mac, permanent: false });
        Some(mac)
    }

    fn who_has(
        &self,
        namespace: NamespaceId,
        device: DeviceIndex,
        address: Ipv4Addr,
    ) -> Option<MacAddress> {
        let known = self.namespace(namespace)?;
        known.is_local(address).then(|| known.device(device).map(|device| device.mac))?
    }

    fn who_has_on_bridge(&mut self, bridge: DeviceIndex, address: Ipv4Addr) -> Option<MacAddress> {
        if let Some(mac) = self.who_has(NamespaceId::HOST, bridge, address) {
            return Some(mac);
        }
        let port = self.find_port(bridge, |known, _| known.is_local(address))?;
        let DeviceKind::Veth { peer: (namespace, end) } = self.host.device(port)?.kind else {
            return None;
        };
        let mac = self.who_has(namespace, end, address)?;
        // The reply crosses the bridge, which learns from it.
        self.learn(bridge, mac, port);
        Some(mac)
    }

    /// Asks netfilter; what comes next if the packet does not pass.
    fn ask(
        &mut self,
        namespace: NamespaceId,
        hook: Hook,
        out: Option<Hop>,
        journey: &mut Journey,
        now: Time,
    ) -> Option<Stage> {
        let (filter, known) = if namespace == NamespaceId::HOST {
            (self.host_filter.as_mut()?, &self.host)
        } else if self.pod_filters.is_empty() {
            return None;
        } else {
            (self.pod_filters.get_mut(&namespace)?, &**self.pods.get(&namespace)?)
        };
        let name = |device: DeviceIndex| known.device(device).map(|device| &*device.name);
        let environment = Environment {
            namespace: known,
            input: journey.input.and_then(name),
            output: out.and_then(|hop| name(hop.device)),
            masquerade: out
                .and_then(|hop| known.address_on(hop.device).or(Some(hop.source)))
                .unwrap_or(self.address.address),
            now,
        };
        let before = (journey.packet.from(), journey.packet.to());
        let (outcome, by) = Arc::make_mut(filter).run(
            hook,
            &mut journey.packet,
            &mut journey.track,
            &environment,
            &mut self.stream,
        );
        journey.note_original();
        let device = out.map(|hop| hop.device).or(journey.input);
        if self.records.hops() && (journey.packet.from(), journey.packet.to()) != before {
            let rule =
                by.map_or_else(|| "conntrack".to_string(), |by| self.rule_text(namespace, by));
            self.hop(namespace, device, &journey.packet, Verdict::Natted, |_| Some(rule));
        }
        match outcome {
            Outcome::Pass => None,
            Outcome::Drop(by) => {
                let rule = by.filter(|_| self.records.hops());
                let rule = rule.map(|by| self.rule_text(namespace, by)).unwrap_or_default();
                Some(self.drop_packet(namespace, device, journey, &rule))
            }
            Outcome::Full => Some(self.drop_packet(
                namespace,
                device,
                journey,
                "nf_conntrack: table full, dropping packet",
            )),
            Outcome::Reject(with, by) => {
                Some(self.reject(namespace, (device, with, by), journey, now))
            }
        }
    }

    fn rule_text(&self, namespace: NamespaceId, (table, chain, rule): By) -> String {
        let filter = self.filter(namespace);
        filter.map(|filter| filter.table(table).text(chain, rule)).unwrap_or_default()
    }

    /// The tables of a namespace, if it has any.
    pub(crate) fn filter(&self, namespace: NamespaceId) -> Option<&Netfilter> {
        let filter = match namespace {
            NamespaceId::HOST => self.host_filter.as_ref(),
            pod => self.pod_filters.get(&pod),
        };
        filter.map(|filter| &**filter)
    }

    /// The tables of a namespace, made if it has none.
    pub(crate) fn filter_mut(&mut self, namespace: NamespaceId) -> &mut Netfilter {
        let new = || Arc::new(Netfilter::new());
        let filter = match namespace {
            NamespaceId::HOST => self.host_filter.get_or_insert_with(new),
            pod => self.pod_filters.entry(pod).or_insert_with(new),
        };
        Arc::make_mut(filter)
    }

    fn reject(
        &mut self,
        namespace: NamespaceId,
        (device, with, by): (Option<DeviceIndex>, RejectWith, By),
        journey: &Journey,
        now: Time,
    ) -> Stage {
        let rule = self.records.hops().then(|| self.rule_text(namespace, by));
        self.hop(namespace, device, &journey.packet, Verdict::Rejected, |_| rule);
        let to = self.namespace(namespace).and_then(Namespace::first_address);
        self.records.way(&journey.packet, (journey.from, to), journey.original, Verdict::Rejected);
        match with.code() {
            Some(code) => {
                let sent = journey.as_sent();
                self.icmp_error(namespace, &sent, (UNREACHABLE, code), now);
            }
            None => self.send_reset(namespace, &journey.as_sent(), now),
        }
        Stage::Gone
    }

    fn send_reset(&mut self, namespace: NamespaceId, about: &Ipv4Packet, now: Time) {
        let Transport::Tcp { source, destination, sequence, flags, .. } = about.transport else {
            return;
        };
        if flags.rst {
            return;
        }
        let transport = Transport::Tcp {
            source: destination,
            destination: source,
            flags: crate::TcpFlags { rst: true, ack: true, ..crate::TcpFlags::default() },
            sequence: 0,
            acknowledgement: sequence + 1,
        };
        let reset = self.new_packet(about.to(), about.from(), transport, Payload::Empty);
        self.send_packet(namespace, reset, now);
    }

    /// Drops a packet and tells its sender why.
    fn refuse(
        &mut self,
        namespace: NamespaceId,
        device: Option<DeviceIndex>,
        journey: &Journey,
        error: (u8, u8),
        why: &str,
        now: Time,
    ) -> Stage {
        self.drop_packet(namespace, device, journey, why);
        self.icmp_error(namespace, &journey.as_sent(), error, now);
        Stage::Gone
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
