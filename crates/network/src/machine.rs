//! One machine with its namespaces: what a kubelet, a program and the cable between machines
//! call.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use sim::{Digest, Digestible, Duration, List, OrdMap, Stream, Time};
use trace::Trace;

use crate::cni::AddressPool;
use crate::namespace::{DeviceIndex, DeviceKind, ETHERNET, Namespace, keep};
use crate::netfilter::Netfilter;
use crate::path::{Journey, Stage};
use crate::record::{Detail, Records};
use crate::sockets::{SocketTable, Timer};
use crate::{Cidr, Frame, Ipv4Packet, MacAddress, NamespaceId, Ready, Route, SocketEvent};

/// How long a packet needs within a machine, from socket to socket.
const LOCAL_LATENCY: Duration = Duration::from_micros(20);
/// How long Linux asks for a neighbour before it gives up: three times one second.
const RESOLUTION: Duration = Duration::from_secs(3);
/// How many packets may be under way within a machine.
const MOST_DELIVERIES: usize = 65_536;

/// What a machine is made with.
#[derive(Clone, Debug)]
pub struct MachineOptions {
    /// Its host name, which trace records show.
    pub name: String,
    /// The address of its `eth0` with the range of its link.
    pub address: Cidr,
}

/// A packet on its last few microseconds to a socket.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    time: Time,
    namespace: NamespaceId,
    packet: Ipv4Packet,
}

/// What went in and out, as a number that depends on all of it and on its order. A machine is a
/// function of that, so this is a digest of its state that costs little per packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct History(u64, u64);

impl History {
    pub(crate) fn note(&mut self, what: u64, more: u64) {
        let mix = |value: u64| {
            let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            value ^ (value >> 31)
        };
        self.0 = mix(self.0.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ what);
        self.1 = mix(self.1.rotate_left(17) ^ self.0 ^ more);
    }

    pub(crate) fn digest_of(&mut self, value: &impl Digestible) {
        let text = Digest::of(value).to_string();
        let half = |part: &str| u64::from_str_radix(part, 16).unwrap_or(0);
        self.note(half(&text[..16]), half(&text[16..]));
    }
}

/// The network of one machine. Cloning shares the tables.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(crate) name: Arc<str>,
    pub(crate) address: Cidr,
    pub(crate) host: Namespace,
    pub(crate) pods: OrdMap<NamespaceId, Arc<Namespace>>,
    /// The tables of the namespaces that have any.
    pub(crate) host_filter: Option<Arc<Netfilter>>,
    pub(crate) pod_filters: OrdMap<NamespaceId, Arc<Netfilter>>,
    next_namespace: u64,
    next_packet: u64,
    pub(crate) sockets: SocketTable,
    deliveries: List<Delivery>,
    /// Packets whose next station does not answer, by when that is given up.
    unresolved: OrdMap<(Time, u64), (NamespaceId, Ipv4Packet)>,
    ready: Vec<Ready>,
    pub(crate) outgoing: Vec<Frame>,
    pub(crate) pool: Option<AddressPool>,
    pub(crate) stream: Stream,
    pub(crate) history: History,
    pub(crate) records: Records,
}

impl Machine {
    /// A machine with `lo`, `eth0` and the route of its link.
    #[must_use]
    pub fn new(options: MachineOptions) -> Self {
        let MachineOptions { name, address } = options;
        let mut host = Namespace::new(&name);
        let mac = MacAddress::of(address.address);
        let eth0 = host.add_device("eth0", mac, DeviceKind::Cable);
        debug_assert_eq!(eth0, ETHERNET);
        host.add_address(eth0, address);
        let name: Arc<str> = name.into();
        Machine {
            stream: Stream::new(u64::from(u32::from(address.address)), &name),
            records: Records::new(name.clone()),
            name,
            address,
            host,
            pods: OrdMap::new(),
            host_filter: None,
            pod_filters: OrdMap::new(),
            next_namespace: 1,
            // Packets of different machines have different numbers.
            next_packet: u64::from(u32::from(address.address)) << 32,
            sockets: SocketTable::new(),
            deliveries: List::new(),
            unresolved: OrdMap::new(),
            ready: Vec::new(),
            outgoing: Vec::new(),
            pool: None,
            history: History(0, 0),
        }
    }

    /// Makes the machine's random draws those of a cluster's seed.
    pub fn set_seed(&mut self, seed: u64) {
        self.stream = Stream::new(seed, &format!("network/{}", self.name));
    }

    /// The Ethernet address of `eth0`.
    #[must_use]
    pub fn mac_address(&self) -> MacAddress {
        MacAddress::of(self.address.address)
    }

    /// The first address of a namespace's `eth0`.
    #[must_use]
    pub fn address_of(&self, namespace: NamespaceId) -> Ipv4Addr {
        let first = self.namespace(namespace).and_then(Namespace::first_address);
        first.unwrap_or(self.address.address)
    }

    pub(crate) fn namespace(&self, id: NamespaceId) -> Option<&Namespace> {
        if id == NamespaceId::HOST {
            return Some(&self.host);
        }
        self.pods.get(&id).map(|namespace| &**namespace)
    }

    pub(crate) fn namespace_mut(&mut self, id: NamespaceId) -> Option<&mut Namespace> {
        if id == NamespaceId::HOST {
            return Some(&mut self.host);
        }
        self.pods.get_mut(&id).map(Arc::make_mut)
    }

    /// Makes a namespace that is called `name` in records.
    pub(crate) fn add_namespace(&mut self, name: &str) -> NamespaceId {
        let id = NamespaceId(self.next_namespace);
        self.next_namespace += 1;
        self.pods.insert(id, Arc::new(Namespace::new(name)));
        id
    }

    /// The routes of a namespace, those of the shortest prefix first.
    #[must_use]
    pub fn routes(&self, namespace: NamespaceId) -> Vec<Route> {
        let routes = self.namespace(namespace).map(|namespace| namespace.routes().cloned());
        routes.into_iter().flatten().collect()
    }

    /// Adds a route, or replaces the one to the same destination.
    ///
    /// # Errors
    /// There is no such device.
    pub fn add_route(&mut self, namespace: NamespaceId, route: Route) -> Result<(), String> {
        self.history.digest_of(&route.to_string());
        let device = route.device.clone();
        let added = self.namespace_mut(namespace).is_some_and(|known| known.add_route(route));
        if added { Ok(()) } else { Err(format!("Cannot find device \"{device}\"")) }
    }

    /// Takes a route away.
    ///
    /// # Errors
    /// There is none.
    pub fn delete_route(&mut self, namespace: NamespaceId, to: Cidr) -> Result<(), String> {
        self.history.digest_of(&to);
        let known = self.namespace_mut(namespace);
        let deleted = known.is_some_and(|known| known.delete_route(to));
        if deleted { Ok(()) } else { Err("RTNETLINK answers: No such process".to_string()) }
    }

    /// The neighbours of a namespace, as `ip neighbour` prints them.
    #[must_use]
    pub fn neighbours(&self, namespace: NamespaceId) -> Vec<String> {
        let Some(known) = self.namespace(namespace) else { return Vec::new() };
        let name = |device: DeviceIndex| known.device(device).map_or("", |device| &device.name);
        known
            .neighbours()
            .map(|(device, address, neighbour)| {
                let state = if neighbour.permanent { "PERMANENT" } else { "REACHABLE" };
                format!("{address} dev {} lladdr {} {state}", name(device), neighbour.mac)
            })
            .collect()
    }

    /// The forwarding databases of bridges and tunnels, as `bridge fdb` prints them.
    #[must_use]
    pub fn forwarding_database(&self) -> Vec<String> {
        use crate::namespace::Forwarding;
        let name = |device: DeviceIndex| {
            self.host.device(device).map_or_else(String::new, |device| device.name.to_string())
        };
        self.host
            .forwarding_table()
            .map(|(device, mac, target)| match target {
                Forwarding::Port(port) => {
                    format!("{mac} dev {} master {}", name(port), name(device))
                }
                Forwarding::Remote(address) => {
                    format!("{mac} dev {} dst {address} self permanent", name(device))
                }
            })
            .collect()
    }

    /// Lets packets to 127.0.0.0/8 be rewritten to other machines
    /// (`net.ipv4.conf.all.route_localnet`), as kube-proxy does for node ports.
    pub fn set_route_localnet(&mut self, namespace: NamespaceId, on: bool) {
        self.history.note(11, u64::from(on));
        if let Some(known) = self.namespace_mut(namespace) {
            known.route_localnet = on;
        }
    }

    /// A frame arrives at `eth0`.
    pub fn receive(&mut self, frame: Frame, now: Time, trace: &mut Trace) {
        self.records.detail = Detail::of(trace);
        self.history.note(1, now.as_nanos());
        self.history.note(frame.packet.id, u64::from(u32::from(frame.packet.destination)));
        if frame.destination == self.mac_address() || frame.destination == MacAddress::BROADCAST {
            let journey = Journey::from_cable(frame.packet);
            self.travel(Stage::Arrive(NamespaceId::HOST, ETHERNET), journey, now);
        }
        self.records.hand_over(trace);
    }

    /// Does what is due: deliveries within the machine, retransmissions, timeouts.
    pub fn advance(&mut self, now: Time, trace: &mut Trace) {
        self.records.detail = Detail::of(trace);
        while let Some(time) = self.next_wake().filter(|time| *time <= now) {
            self.history.note(2, time.as_nanos());
            if self.deliveries.front().is_some_and(|delivery| delivery.time == time) {
                if let Some(delivery) = self.deliveries.pop_front() {
                    self.history.note(3, delivery.packet.id);
                    self.socket_input(delivery.namespace, delivery.packet, time);
                }
            } else if self.sockets.next_timer().is_some_and(|(due, ..)| due == time) {
                match self.sockets.take_timer() {
                    Some((id, Timer::Retransmit)) => self.retransmit(id, time),
                    Some((id, Timer::Confirm)) => self.confirm(id, time),
                    None => {}
                }
            } else if let Some(key) = self.unresolved.get_min().map(|(key, _)| *key)
                && let Some((namespace, packet)) = self.unresolved.remove(&key)
            {
                self.icmp_error(namespace, &packet, (crate::packet::UNREACHABLE, 1), time);
            }
        }
        self.records.hand_over(trace);
    }

    /// When [`Machine::advance`] has something to do next.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        let delivery = self.deliveries.front().map(|delivery| delivery.time);
        let timer = self.sockets.next_timer().map(|(time, ..)| time);
        let unresolved = self.unresolved.get_min().map(|((time, _), _)| *time);
        [delivery, timer, unresolved].into_iter().flatten().min()
    }

    /// What happened to sockets since this was last asked, in order.
    pub fn take_ready(&mut self) -> Vec<Ready> {
        std::mem::take(&mut self.ready)
    }

    /// The frames that left `eth0` since this was last asked, in order.
    pub fn take_outgoing(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.outgoing)
    }

    /// Moves what was recorded since the last advance into the trace: what programs sent.
    pub fn hand_over_records(&mut self, trace: &mut Trace) {
        self.records.hand_over(trace);
    }

    pub(crate) fn tell(&mut self, ready: Ready) {
        let kind = match &ready.event {
            SocketEvent::Accepted { .. } => 1,
            SocketEvent::Connected => 2,
            SocketEvent::Refused => 3,
            SocketEvent::Unreachable => 4,
            SocketEvent::TimedOut => 5,
            SocketEvent::Received(_) => 6,
            SocketEvent::Datagram { .. } => 7,
            SocketEvent::Closed => 8,
            SocketEvent::Reset => 9,
            SocketEvent::Icmp { .. } => 10,
        };
        self.history.note(ready.socket.0 << 4 | kind, ready.owner.0);
        self.ready.push(ready);
    }

    /// Takes back what was not told yet; says whether a message was among it.
    pub(crate) fn untell(&mut self, mut about: impl FnMut(&Ready) -> bool) -> bool {
        let mut unread = false;
        self.ready.retain(|ready| {
            let gone = about(ready);
            unread |= gone && matches!(ready.event, SocketEvent::Received(_));
            !gone
        });
        unread
    }

    pub(crate) fn packet_id(&mut self) -> u64 {
        self.next_packet += 1;
        self.next_packet
    }

    /// Puts a packet before its socket, a moment later. Says whether there was room.
    pub(crate) fn deliver(
        &mut self,
        namespace: NamespaceId,
        packet: Ipv4Packet,
        now: Time,
    ) -> bool {
        if self.deliveries.len() >= MOST_DELIVERIES {
            return false;
        }
        let earliest = self.deliveries.back().map_or(Time::ZERO, |last| last.time);
        let time = (now + LOCAL_LATENCY).max(earliest);
        self.deliveries.push_back(Delivery { time, namespace, packet });
        true
    }

    /// Keeps a packet whose next station does not answer until that is certain.
    pub(crate) fn wait_for_neighbour(
        &mut self,
        namespace: NamespaceId,
        packet: Ipv4Packet,
        now: Time,
    ) {
        if self.unresolved.len() < MOST_DELIVERIES {
            self.unresolved.insert((now + RESOLUTION, packet.id), (namespace, packet));
        }
    }

    /// What was under way within a namespace that is gone.
    pub(crate) fn forget_deliveries(&mut self, namespace: NamespaceId) {
        self.deliveries.retain(|delivery| delivery.namespace != namespace);
        keep(&mut self.unresolved, |_, (within, _)| *within != namespace);
    }

    /// A packet as the machine sends it.
    pub(crate) fn new_packet(
        &mut self,
        from: SocketAddrV4,
        to: SocketAddrV4,
        transport: crate::Transport,
        payload: crate::Payload,
    ) -> Ipv4Packet {
        Ipv4Packet {
            id: self.packet_id(),
            source: *from.ip(),
            destination: *to.ip(),
            time_to_live: crate::packet::TIME_TO_LIVE,
            transport,
            payload,
            encapsulated: None,
            mark: 0,
        }
    }
}

impl Digestible for Machine {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.history.0);
        digest.u64(self.history.1);
        digest.u64(self.next_packet);
        digest.u64(self.sockets.len() as u64);
        digest.u64(self.deliveries.len() as u64);
        digest.add(&self.stream);
    }
}
