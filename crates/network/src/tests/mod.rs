//! Machines on a cable, and what sockets on them see.

mod cni;
mod path;
pub(crate) mod services;
mod tcp;

use std::net::{Ipv4Addr, SocketAddrV4};

use sim::{Duration, Stream, Time};
use trace::{Trace, What};

use crate::{
    Cidr, FlannelBackend, Frame, Machine, MachineOptions, NamespaceId, Owner, Payload, Ready,
    RemoteNode, SocketError, SocketEvent, SocketId, Sockets, TransportProtocol,
};

/// How long a frame is on the cable.
const CABLE: Duration = Duration::from_micros(100);

/// Some machines, the cable between them, and what was told to whom.
pub(super) struct Net {
    pub(super) machines: Vec<Machine>,
    pub(super) now: Time,
    pub(super) trace: Trace,
    cable: Vec<(Time, Frame)>,
    /// Frames for it are lost.
    pub(super) cut: Option<usize>,
    /// Of ten frames as many are lost.
    pub(super) lossy: Option<(Stream, u64)>,
    /// Nobody is told what happens on it.
    pub(super) deaf: Option<usize>,
    pub(super) told: Vec<(Time, Ready)>,
    /// Every frame that was on the cable.
    pub(super) seen: Vec<Frame>,
}

/// A namespace of a machine.
pub(super) type Place = (usize, NamespaceId);

impl Net {
    /// Machines with pod ranges 10.244.N.0/24, connected by flannel.
    pub(super) fn new(count: u8) -> Self {
        let mut machines = Vec::new();
        for number in 1..=count {
            let mut machine = Machine::new(MachineOptions {
                name: format!("node-{number}"),
                address: format!("192.168.0.{number}/24").parse().unwrap(),
            });
            let range = format!("10.244.{number}.0/24").parse().unwrap();
            machine.set_pod_range(range);
            machine.add_tunnel(range);
            machines.push(machine);
        }
        let mut trace = Trace::new(100_000);
        trace.set_explain(true);
        let mut net = Net {
            machines,
            now: Time::ZERO,
            trace,
            cable: Vec::new(),
            cut: None,
            lossy: None,
            deaf: None,
            told: Vec::new(),
            seen: Vec::new(),
        };
        net.connect_by(FlannelBackend::Vxlan);
        net
    }

    pub(super) fn connect_by(&mut self, backend: FlannelBackend) {
        for at in 0..self.machines.len() {
            for other in (0..self.machines.len()).filter(|other| *other != at) {
                let remote = RemoteNode {
                    address: self.machines[other].address_of(NamespaceId::HOST),
                    tunnel: self.machines[other].tunnel_address(),
                    pod_range: self.machines[other].pod_range().unwrap(),
                };
                self.machines[at].add_remote_node(backend, remote);
            }
        }
    }

    pub(super) fn pod(&mut self, machine: usize) -> (Place, Ipv4Addr) {
        let (namespace, address) = self.machines[machine].add_pod("sandbox").unwrap();
        ((machine, namespace), address)
    }

    pub(super) fn sockets(&mut self, place: Place, owner: u64) -> Sockets<'_> {
        Sockets {
            machine: &mut self.machines[place.0],
            namespace: place.1,
            owner: Owner(owner),
            now: self.now,
        }
    }

    pub(super) fn listen(&mut self, place: Place, owner: u64, port: u16) -> SocketId {
        self.sockets(place, owner).listen(TransportProtocol::Tcp, None, port).unwrap()
    }

    pub(super) fn connect(
        &mut self,
        place: Place,
        owner: u64,
        to: (Ipv4Addr, u16),
    ) -> Result<SocketId, SocketError> {
        self.sockets(place, owner).connect(SocketAddrV4::new(to.0, to.1))
    }

    /// Moves on by a span, and carries everything that is due within it.
    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.collect();
            let machines = self.machines.iter().filter_map(Machine::next_wake);
            let next = machines.chain(self.cable.iter().map(|(time, _)| *time)).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.trace.begin(0, self.now.as_nanos());
            let (due, later) = self.cable.drain(..).partition(|(time, _)| *time <= next);
            self.cable = later;
            for (_, frame) in due {
                self.carry(frame);
            }
            for machine in &mut self.machines {
                machine.advance(self.now, &mut self.trace);
            }
        }
        self.now = end;
    }

    fn collect(&mut self) {
        for at in 0..self.machines.len() {
            let machine = &mut self.machines[at];
            if self.deaf != Some(at) {
                let ready = machine.take_ready();
                self.told.extend(ready.into_iter().map(|ready| (self.now, ready)));
            }
            for frame in machine.take_outgoing() {
                self.seen.push(frame.clone());
                self.cable.push((self.now + CABLE, frame));
            }
        }
    }

    fn carry(&mut self, frame: Frame) {
        let to =
            self.machines.iter().position(|machine| machine.mac_address() == frame.destination);
        if let Some((stream, of_ten)) = &mut self.lossy
            && stream.below(10) < *of_ten
        {
            return;
        }
        let cut = self.cut;
        if let Some(to) = to.filter(|to| Some(*to) != cut) {
            self.machines[to].receive(frame, self.now, &mut self.trace);
        }
    }

    /// What was told to an owner since this was last asked.
    pub(super) fn events(&mut self, owner: u64) -> Vec<SocketEvent> {
        self.run(Duration::ZERO);
        let (mine, others) =
            self.told.drain(..).partition(|(_, ready)| ready.owner == Owner(owner));
        self.told = others;
        let mine: Vec<(Time, Ready)> = mine;
        mine.into_iter().map(|(_, ready)| ready.event).collect()
    }

    /// The connection that an owner accepted, of what is not asked yet.
    pub(super) fn accepted(&mut self, owner: u64) -> (SocketId, SocketAddrV4) {
        let events = self.events(owner);
        let connection = events.iter().find_map(|event| match event {
            SocketEvent::Accepted { connection, peer } => Some((*connection, *peer)),
            _ => None,
        });
        connection.unwrap_or_else(|| panic!("nothing was accepted: {events:?}"))
    }

    /// A connection from a client to a server that stands: the ends of both.
    pub(super) fn established(
        &mut self,
        client: Place,
        server: Place,
        to: (Ipv4Addr, u16),
    ) -> (SocketId, SocketId) {
        self.listen(server, 2, to.1);
        let connection = self.connect(client, 1, to).unwrap();
        self.run(Duration::from_millis(50));
        assert_eq!(self.events(1), [SocketEvent::Connected]);
        (connection, self.accepted(2).0)
    }

    /// Where a packet was and what became of it, in order.
    pub(super) fn hops(&self) -> Vec<String> {
        let hops = self.trace.records().filter_map(|record| match &record.what {
            What::PacketHop { place, verdict, rule, .. } => {
                Some(format!("{place} {verdict:?} {}", rule.as_deref().unwrap_or("")))
            }
            _ => None,
        });
        hops.map(|hop| hop.trim_end().to_string()).collect()
    }
}

pub(super) fn message(text: &str) -> Payload {
    Payload::Bytes(text.as_bytes().into())
}

pub(super) fn received(text: &str) -> SocketEvent {
    SocketEvent::Received(message(text))
}
