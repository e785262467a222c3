//! The machine outside of the cluster, on the same link as its nodes: their gateway and name
//! server, and where clients are that come from outside. It knows no name and leads nowhere else.

use std::net::Ipv4Addr;
use std::sync::Arc;

use client::Context;
use network::{
    Cidr, DnsMessage, Frame, MacAddress, Machine, MachineOptions, NamespaceId, Owner, Payload,
    Ready, SocketEvent, Sockets, TransportProtocol,
};
use runtime::{ContainerLog, Environment, Files, Flow, Io, Process, ProcessEvent};
use sim::{Digest, Digestible, SmallMap, Time};

const NAME: &str = "outside";
/// The machine's address.
pub(crate) const ADDRESS: Cidr = Cidr { address: Ipv4Addr::new(172, 18, 0, 1), prefix: 16 };
const DNS_PORT: u16 = 53;
const NO_SUCH_NAME: u8 = 3;
/// How often what happens may make something else happen within one instant.
const MAX_ROUNDS: u32 = 32;

/// A program that runs there.
#[derive(Clone, Debug)]
struct Task {
    process: Box<dyn Process>,
    timer: Option<Time>,
}

/// The machine.
#[derive(Clone, Debug)]
pub(crate) struct Outside {
    machine: Machine,
    tasks: SmallMap<u64, Task>,
    next_owner: u64,
    environment: Environment,
    files: Files,
    log: ContainerLog,
    untold: Vec<Ready>,
}

/// Answers that there is no such name.
#[derive(Clone, Debug)]
struct NameServer;

impl Process for NameServer {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        match event {
            ProcessEvent::Started => {
                // Nobody else listens on this machine.
                let _listens = io.network.listen(TransportProtocol::Udp, None, DNS_PORT);
            }
            ProcessEvent::Socket(socket, SocketEvent::Datagram { from, payload }) => {
                if let Payload::Dns(question) = payload
                    && !question.is_response
                {
                    let answer = DnsMessage {
                        is_response: true,
                        code: NO_SUCH_NAME,
                        ..DnsMessage::clone(&question)
                    };
                    let payload = Payload::Dns(Arc::new(answer));
                    // Who asked may be gone.
                    let _sent = io.network.send_to(socket, from, payload);
                }
            }
            _ => {}
        }
        Flow::Continue
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("name server");
    }
}

impl Outside {
    pub(crate) fn new() -> Self {
        let options = MachineOptions { name: NAME.to_string(), address: ADDRESS };
        Outside {
            machine: Machine::new(options),
            tasks: SmallMap::new(),
            next_owner: 1,
            environment: Environment { hostname: NAME.to_string(), ..Environment::default() },
            files: Files::new(),
            log: ContainerLog::new(),
            untold: Vec::new(),
        }
    }

    pub(crate) fn mac_address(&self) -> MacAddress {
        self.machine.mac_address()
    }

    /// The machine is switched on.
    pub(crate) fn begin(&mut self, cx: &mut Context<'_>) {
        self.machine.set_seed(cx.streams.named(NAME).next_u64());
        self.start(Box::new(NameServer), cx);
    }

    /// Starts a program; the number it goes by.
    pub(crate) fn start(&mut self, process: Box<dyn Process>, cx: &mut Context<'_>) -> u64 {
        let owner = self.next_owner;
        self.next_owner += 1;
        self.tasks.insert(owner, Task { process, timer: None });
        self.deliver(owner, ProcessEvent::Started, cx);
        self.log = ContainerLog::new();
        owner
    }

    /// Ends a program.
    pub(crate) fn stop(&mut self, owner: u64, now: Time) {
        self.tasks.remove(&owner);
        self.machine.close_owner(Owner(owner), now);
    }

    /// What a program has counted; `None` if it does not run.
    pub(crate) fn counters(&self, owner: u64) -> Option<Vec<(&'static str, u64)>> {
        Some(self.tasks.get(&owner)?.process.counters())
    }

    fn deliver(&mut self, owner: u64, event: ProcessEvent, cx: &mut Context<'_>) {
        let Some(task) = self.tasks.get_mut(&owner) else { return };
        let (now, clock) = (cx.now, cx.clock);
        let network = Sockets {
            machine: &mut self.machine,
            namespace: NamespaceId::HOST,
            owner: Owner(owner),
            now,
        };
        let mut io = Io {
            now,
            clock,
            environment: &self.environment,
            files: &mut self.files,
            log: &mut self.log,
            network,
            cx: cx.reborrow(),
            stream: NAME,
        };
        match task.process.on(event, &mut io) {
            Flow::Continue => {}
            Flow::WaitUntil(time) => task.timer = Some(time),
            Flow::Exit(_) => self.stop(owner, now),
        }
    }

    /// A frame arrives.
    pub(crate) fn receive(&mut self, frame: Frame, cx: &mut Context<'_>) {
        self.machine.receive(frame, cx.now, cx.trace);
        self.advance(cx);
    }

    /// Does what is due.
    pub(crate) fn advance(&mut self, cx: &mut Context<'_>) {
        self.machine.advance(cx.now, cx.trace);
        let due = |task: &mut Task| task.timer.take_if(|time| *time <= cx.now).is_some();
        let woken: Vec<u64> =
            self.tasks.iter_mut().filter_map(|(owner, task)| due(task).then_some(*owner)).collect();
        for owner in woken {
            self.deliver(owner, ProcessEvent::Timer, cx);
        }
        for _ in 0..MAX_ROUNDS {
            self.untold.extend(self.machine.take_ready());
            if self.untold.is_empty() {
                break;
            }
            for Ready { owner, socket, event } in std::mem::take(&mut self.untold) {
                self.deliver(owner.0, ProcessEvent::Socket(socket, event), cx);
            }
        }
        self.machine.hand_over_records(cx.trace);
    }

    pub(crate) fn next_wake(&self, now: Time) -> Option<Time> {
        let timers = self.tasks.values().filter_map(|task| task.timer);
        let untold = (!self.untold.is_empty()).then_some(now);
        timers.chain(self.machine.next_wake()).chain(untold).min()
    }

    pub(crate) fn take_outgoing(&mut self) -> Vec<Frame> {
        self.machine.take_outgoing()
    }
}

impl Digestible for Outside {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.machine);
        digest.u64(self.next_owner);
        for (owner, task) in &self.tasks {
            digest.u64(*owner);
            digest.add(&task.timer);
            task.process.digest(digest);
        }
        digest.u64(self.untold.len() as u64);
    }
}
