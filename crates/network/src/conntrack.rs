//! Connection tracking: which packets belong together, in which state they are, and how their
//! addresses are rewritten in both directions.
//!
//! Upstream: Linux, net/netfilter/nf_conntrack_core.c, nf_conntrack_proto_tcp.c, nf_nat_core.c;
//! the timeouts that kube-proxy sets (pkg/proxy/conntrack, cmd/kube-proxy/app/conntrack.go).

use std::fmt;
use std::net::Ipv4Addr;

use sim::{Duration, OrdMap, Stream, Time};

use crate::netfilter::States;
use crate::packet::ECHO;
use crate::{Ipv4Packet, TcpFlags, Transport};

/// Linux's `nf_conntrack_max` on a machine of two processors and more.
const MOST_FLOWS: usize = 262_144;
/// How many flows are looked at for their end whenever one is added.
const SWEEP: usize = 4;
/// How many ports are tried for a rewritten source.
const PORT_ATTEMPTS: u16 = 128;

/// The ends of a packet as one comparable number: protocol, addresses, ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tuple(u128);

impl Tuple {
    fn new(protocol: u8, from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) -> Self {
        let addresses = u128::from(u32::from(from.0)) << 64 | u128::from(u32::from(to.0)) << 32;
        let ports = u128::from(from.1) << 16 | u128::from(to.1);
        Tuple(u128::from(protocol) << 96 | addresses | ports)
    }

    /// An echo's identifier stands for both ports.
    pub(crate) fn of(packet: &Ipv4Packet) -> Self {
        let (from, to) = match packet.transport {
            Transport::Icmp { identifier, .. } => (identifier, identifier),
            transport => transport.ports(),
        };
        let ends = ((packet.source, from), (packet.destination, to));
        Tuple::new(packet.transport.number(), ends.0, ends.1)
    }

    pub(crate) fn protocol(self) -> u8 {
        (self.0 >> 96) as u8
    }

    pub(crate) fn source(self) -> (Ipv4Addr, u16) {
        (Ipv4Addr::from((self.0 >> 64) as u32), (self.0 >> 16) as u16)
    }

    pub(crate) fn destination(self) -> (Ipv4Addr, u16) {
        (Ipv4Addr::from((self.0 >> 32) as u32), self.0 as u16)
    }

    /// The tuple of an answer.
    pub(crate) fn inverse(self) -> Self {
        let (from, to) = (self.source(), self.destination());
        Tuple::new(self.protocol(), to, from)
    }
}

/// Where the connection of a flow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlowState {
    SynSent,
    SynReceived,
    Established,
    FinWait,
    CloseWait,
    LastAck,
    TimeWait,
    Close,
    /// Not TCP.
    Other,
}

/// A connection as netfilter sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) original: Tuple,
    /// What an answer has, as it arrives: the inverse of the original after rewriting.
    pub(crate) reply: Tuple,
    state: FlowState,
    expires: Time,
    replied: bool,
    /// The side that ended first sent in the reply's direction.
    fin_by_reply: bool,
    pub(crate) source_natted: bool,
    pub(crate) destination_natted: bool,
}

/// What is known of a packet's connection while the packet is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Track {
    /// Nobody has looked yet.
    #[default]
    Unseen,
    Untracked,
    Invalid,
    /// The packet begins the connection, which is remembered when it has passed everything.
    New(Flow),
    /// It belongs to this connection, which does not change while the packet is under way.
    Known {
        flow: Flow,
        reply: bool,
    },
    /// An error of a connection, already rewritten.
    Related,
}

/// All connections of a namespace. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conntrack {
    index: OrdMap<Tuple, (u64, bool)>,
    flows: OrdMap<u64, Flow>,
    next: u64,
    swept: u64,
}

/// A connection, for those who list or delete some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowView {
    /// The protocol's number.
    pub protocol: u8,
    /// Who began it.
    pub source: (Ipv4Addr, u16),
    /// What it was sent to.
    pub destination: (Ipv4Addr, u16),
    /// Who answers.
    pub reply_source: (Ipv4Addr, u16),
    /// To whom the answers are sent.
    pub reply_destination: (Ipv4Addr, u16),
}

impl fmt::Display for FlowView {
    /// As `conntrack -L` prints it, without timeout and state.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.protocol {
            1 => "icmp",
            6 => "tcp",
            17 => "udp",
            _ => "unknown",
        };
        write!(f, "{name} {}", self.protocol)?;
        for (from, to) in
            [(self.source, self.destination), (self.reply_source, self.reply_destination)]
        {
            write!(f, " src={} dst={} sport={} dport={}", from.0, to.0, from.1, to.1)?;
        }
        Ok(())
    }
}

fn timeout(state: FlowState, protocol: u8, replied: bool) -> Duration {
    Duration::from_secs(match state {
        FlowState::SynSent => 120,
        FlowState::SynReceived => 60,
        // kube-proxy: --conntrack-tcp-timeout-established, --conntrack-tcp-timeout-close-wait.
        FlowState::Established => 86_400,
        FlowState::CloseWait => 3_600,
        FlowState::FinWait | FlowState::TimeWait => 120,
        FlowState::LastAck => 30,
        FlowState::Close => 10,
        FlowState::Other if protocol == 17 && replied => 120,
        FlowState::Other => 30,
    })
}

impl Conntrack {
    pub(crate) fn views(&self, now: Time) -> impl Iterator<Item = (u64, FlowView)> + '_ {
        let alive = self.flows.iter().filter(move |(_, flow)| flow.expires > now);
        alive.map(|(id, flow)| {
            let view = FlowView {
                protocol: flow.original.protocol(),
                source: flow.original.source(),
                destination: flow.original.destination(),
                reply_source: flow.reply.source(),
                reply_destination: flow.reply.destination(),
            };
            (*id, view)
        })
    }

    pub(crate) fn delete(&mut self, id: u64) {
        if let Some(flow) = self.flows.remove(&id) {
            for tuple in [flow.original, flow.reply] {
                if self.index.get(&tuple).is_some_and(|(known, _)| *known == id) {
                    self.index.remove(&tuple);
                }
            }
        }
    }

    fn find(&mut self, tuple: Tuple, now: Time) -> Option<(u64, bool)> {
        let (id, reply) = *self.index.get(&tuple)?;
        if self.flows.get(&id).is_some_and(|flow| flow.expires > now) {
            return Some((id, reply));
        }
        self.delete(id);
        None
    }

    /// What connection a packet belongs to. An error of one is rewritten at once.
    pub(crate) fn look(&mut self, packet: &mut Ipv4Packet, now: Time) -> Track {
        if packet.is_icmp_error() {
            return self.look_at_error(packet, now);
        }
        let tuple = Tuple::of(packet);
        let flags = match packet.transport {
            Transport::Tcp { flags, .. } => Some(flags),
            _ => None,
        };
        if let Some((id, reply)) = self.index.get(&tuple).copied() {
            if let Some(flow) = self.flows.get_mut(&id).filter(|flow| flow.goes_on(flags, now)) {
                flow.see(reply, flags, now);
                return Track::Known { flow: *flow, reply };
            }
            self.delete(id);
        }
        let state = match (packet.transport, flags) {
            (_, Some(TcpFlags { rst: true, .. } | TcpFlags { fin: true, .. })) => {
                return Track::Invalid;
            }
            (_, Some(TcpFlags { syn: true, ack: true, .. })) => return Track::Invalid,
            (_, Some(TcpFlags { syn: true, .. })) => FlowState::SynSent,
            // A connection from before the table was there is taken up in its middle.
            (_, Some(_)) => FlowState::Established,
            (Transport::Icmp { kind, .. }, _) if kind != ECHO => return Track::Invalid,
            _ => FlowState::Other,
        };
        Track::New(Flow {
            original: tuple,
            reply: tuple.inverse(),
            state,
            expires: now + timeout(state, tuple.protocol(), false),
            replied: false,
            fin_by_reply: false,
            source_natted: false,
            destination_natted: false,
        })
    }

    /// An error speaks of a packet that went the other way.
    fn look_at_error(&mut self, packet: &mut Ipv4Packet, now: Time) -> Track {
        let Some(frame) = &mut packet.encapsulated else { return Track::Invalid };
        let inner = &mut frame.packet;
        let Some((id, reply)) = self.find(Tuple::of(inner).inverse(), now) else {
            return Track::Invalid;
        };
        let Some(flow) = self.flows.get(&id) else { return Track::Invalid };
        // As the one who is told sent it.
        let sent = if reply { flow.original } else { flow.reply };
        let reporter_is_target = packet.source == inner.destination;
        set_source(inner, sent.source());
        set_destination(inner, sent.destination());
        packet.destination = sent.source().0;
        if reporter_is_target {
            packet.source = sent.destination().0;
        }
        Track::Related
    }

    /// Remembers a connection whose first packet has passed everything. False when there is no
    /// room, or no port that would tell its answers from others'.
    pub(crate) fn confirm(
        &mut self,
        mut flow: Flow,
        packet: &mut Ipv4Packet,
        now: Time,
    ) -> Option<Flow> {
        self.sweep(now);
        if self.flows.len() >= MOST_FLOWS {
            return None;
        }
        if self.find(flow.reply, now).is_some() {
            let (address, port) = flow.reply.destination();
            self.rewrite_source(&mut flow, (address, port), None, now)?;
            set_source(packet, flow.reply.destination());
        }
        self.next += 1;
        self.index.insert(flow.original, (self.next, false));
        self.index.insert(flow.reply, (self.next, true));
        self.flows.insert(self.next, flow);
        Some(flow)
    }

    fn sweep(&mut self, now: Time) {
        let some = self.flows.range(self.swept + 1..).take(SWEEP);
        let some: [Option<(u64, bool)>; SWEEP] = {
            let mut some = some.map(|(id, flow)| (*id, flow.expires <= now));
            std::array::from_fn(|_| some.next())
        };
        // At the end it begins anew; following what is added would never come round.
        self.swept = some[SWEEP - 1].map_or(0, |(id, _)| id);
        for (id, _) in some.into_iter().flatten().filter(|(_, over)| *over) {
            self.delete(id);
        }
    }

    /// Gives a flow the source that its packets shall leave with, and a port of it that no other
    /// flow to the same place has. With a stream the port is drawn.
    pub(crate) fn rewrite_source(
        &mut self,
        flow: &mut Flow,
        (address, port): (Ipv4Addr, u16),
        stream: Option<&mut Stream>,
        now: Time,
    ) -> Option<()> {
        let icmp = flow.original.protocol() == 1;
        let (first, last) = match port {
            _ if icmp => (0, u16::MAX),
            0..512 => (1, 511),
            512..1024 => (600, 1023),
            _ => (1024, u16::MAX),
        };
        let span = u32::from(last - first) + 1;
        let start = match stream {
            Some(stream) if !icmp => u32::try_from(stream.below(u64::from(span))).unwrap_or(0),
            _ => u32::from(port.clamp(first, last) - first),
        };
        for step in 0..PORT_ATTEMPTS {
            let offset = (start + u32::from(step)) % span;
            let port = first + u16::try_from(offset).unwrap_or(0);
            let (mut from, protocol) = (flow.reply.source(), flow.reply.protocol());
            if icmp {
                from.1 = port;
            }
            let reply = Tuple::new(protocol, from, (address, port));
            if self.find(reply, now).is_none() {
                flow.reply = reply;
                flow.source_natted = true;
                return Some(());
            }
        }
        None
    }
}

impl Track {
    /// What a packet's connection is to rules.
    pub(crate) fn states(&self) -> States {
        let natted = |flow: &Flow| {
            let source = if flow.source_natted { States::SNAT } else { States::default() };
            let destination =
                if flow.destination_natted { States::DNAT } else { States::default() };
            source.or(destination)
        };
        match self {
            Track::Unseen | Track::Untracked => States::UNTRACKED,
            Track::Invalid => States::INVALID,
            Track::Related => States::RELATED,
            Track::Known { flow, reply } if *reply || flow.replied => {
                States::ESTABLISHED.or(natted(flow))
            }
            Track::New(flow) | Track::Known { flow, .. } => States::NEW.or(natted(flow)),
        }
    }
}

impl Flow {
    /// Whether a packet with those flags belongs to it, and does not begin another between the
    /// same ends.
    fn goes_on(&self, flags: Option<TcpFlags>, now: Time) -> bool {
        let over =
            matches!(self.state, FlowState::TimeWait | FlowState::Close | FlowState::LastAck);
        let begins = flags.is_some_and(|flags| flags.syn && !flags.ack);
        self.expires > now && !(begins && over)
    }

    /// Takes in a packet of it.
    fn see(&mut self, reply: bool, flags: Option<TcpFlags>, now: Time) {
        self.replied |= reply;
        if let Some(flags) = flags {
            self.state = match self.state {
                _ if flags.rst => FlowState::Close,
                FlowState::SynSent if flags.syn && flags.ack && reply => FlowState::SynReceived,
                FlowState::SynReceived | FlowState::Established | FlowState::SynSent
                    if flags.fin =>
                {
                    self.fin_by_reply = reply;
                    FlowState::FinWait
                }
                FlowState::SynReceived if !reply => FlowState::Established,
                FlowState::FinWait | FlowState::CloseWait if reply != self.fin_by_reply => {
                    if flags.fin { FlowState::LastAck } else { FlowState::CloseWait }
                }
                FlowState::LastAck if !flags.fin && reply == self.fin_by_reply => {
                    FlowState::TimeWait
                }
                state => state,
            };
        }
        self.expires = now + timeout(self.state, self.original.protocol(), self.replied);
    }

    /// Gives the flow another destination.
    pub(crate) fn rewrite_destination(&mut self, address: Ipv4Addr, port: Option<u16>) {
        let (to, protocol) = (self.reply.destination(), self.reply.protocol());
        let old = self.reply.source().1;
        let port = port.filter(|_| protocol != 1).unwrap_or(old);
        self.reply = Tuple::new(protocol, (address, port), to);
        self.destination_natted = true;
    }

    /// What a packet of the flow in that direction has as its destination, where it is
    /// rewritten.
    pub(crate) fn destination_of(&self, reply: bool) -> Option<(Ipv4Addr, u16)> {
        match reply {
            false if self.destination_natted => Some(self.reply.source()),
            true if self.source_natted => Some(self.original.source()),
            _ => None,
        }
    }

    /// The same for its source.
    pub(crate) fn source_of(&self, reply: bool) -> Option<(Ipv4Addr, u16)> {
        match reply {
            false if self.source_natted => Some(self.reply.destination()),
            true if self.destination_natted => Some(self.original.destination()),
            _ => None,
        }
    }
}

/// Rewrites a packet's source.
pub(crate) fn set_source(packet: &mut Ipv4Packet, (address, port): (Ipv4Addr, u16)) {
    packet.source = address;
    match &mut packet.transport {
        Transport::Tcp { source, .. } | Transport::Udp { source, .. } => *source = port,
        Transport::Icmp { identifier, .. } => *identifier = port,
    }
}

/// Rewrites a packet's destination.
pub(crate) fn set_destination(packet: &mut Ipv4Packet, (address, port): (Ipv4Addr, u16)) {
    packet.destination = address;
    match &mut packet.transport {
        Transport::Tcp { destination, .. } | Transport::Udp { destination, .. } => {
            *destination = port;
        }
        Transport::Icmp { identifier, .. } => *identifier = port,
    }
}

#[cfg(test)]
#[path = "conntrack_tests.rs"]
mod tests;
