//! What a machine records of packets, until it is handed to the trace. Nothing here may decide
//! anything, and nothing of it is in a digest.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use trace::{Trace, Verdict, What};

use crate::{Ipv4Packet, Transport};

/// How many records wait at most to be handed over.
const MOST_RECORDS: usize = 16_384;

/// How much is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Detail {
    /// Nothing.
    Off,
    /// One record for each way of a packet through the machine.
    Ways,
    /// Every hop as well.
    Hops,
}

impl Detail {
    pub(crate) fn of(trace: &Trace) -> Self {
        match (trace.is_on(), trace.explains()) {
            (false, _) => Detail::Off,
            (true, false) => Detail::Ways,
            (true, true) => Detail::Hops,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Records {
    machine: Arc<str>,
    pub(crate) detail: Detail,
    waiting: Vec<What>,
}

impl Records {
    pub(crate) fn new(machine: Arc<str>) -> Self {
        Records { machine, detail: Detail::Off, waiting: Vec::new() }
    }

    pub(crate) fn hops(&self) -> bool {
        self.detail == Detail::Hops
    }

    pub(crate) fn hand_over(&mut self, trace: &mut Trace) {
        for what in self.waiting.drain(..) {
            trace.record(what);
        }
    }

    fn push(&mut self, what: What) {
        if self.waiting.len() < MOST_RECORDS {
            self.waiting.push(what);
        }
    }

    /// Call it only when [`Records::hops`] says so: its arguments cost.
    pub(crate) fn hop(
        &mut self,
        packet: &Ipv4Packet,
        place: String,
        verdict: Verdict,
        rule: Option<String>,
    ) {
        let (machine, summary) = (self.machine.clone(), packet.to_string());
        self.push(What::PacketHop { packet: packet.id, machine, place, verdict, rule, summary });
    }

    pub(crate) fn way(
        &mut self,
        packet: &Ipv4Packet,
        (from, to): (Option<Ipv4Addr>, Option<Ipv4Addr>),
        original: Option<SocketAddrV4>,
        verdict: Verdict,
    ) {
        if self.detail == Detail::Off {
            return;
        }
        self.push(What::Packet {
            id: packet.id,
            machine: self.machine.clone(),
            from,
            to,
            source: packet.from(),
            destination: packet.to(),
            original,
            kind: content(packet).kind(),
            verdict,
        });
    }
}

/// What a packet is about: of one in a tunnel, what the tunnel carries.
fn content(packet: &Ipv4Packet) -> &Ipv4Packet {
    match (&packet.transport, &packet.encapsulated) {
        (Transport::Udp { .. }, Some(frame)) => &frame.packet,
        _ => packet,
    }
}
