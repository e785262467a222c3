//! `traceroute`, as BusyBox has it with `-I`. Upstream: busybox, networking/traceroute.c.

use std::net::Ipv4Addr;

use network::{SocketEvent, SocketId};
use runtime::{Flow, Io, Process, ProcessEvent};
use sim::{Digest, Duration, Time};

use super::ping::words;
use super::{Options, fail};
use crate::net::Lookup;

const PROBES: u16 = 3;

#[derive(Clone, Debug)]
struct Traceroute {
    host: String,
    most_hops: u8,
    patience: Duration,
    lookup: Option<Box<Lookup>>,
    address: Option<Ipv4Addr>,
    socket: Option<SocketId>,
    /// The probe that is under way: its number, when it was sent.
    probe: u16,
    sent: Time,
    /// Who answered for the hop last.
    last: Option<Ipv4Addr>,
    arrived: bool,
}

/// The program of `traceroute ARGS`.
pub(super) fn traceroute(args: &[String]) -> Box<dyn Process> {
    let options = Options::parse(args, "mwqfpstzig", &[]);
    let number = |name: &str| options.value(&[name]).and_then(|value| value.parse::<u8>().ok());
    Box::new(Traceroute {
        host: options.operands.first().cloned().unwrap_or_default(),
        most_hops: number("m").unwrap_or(30),
        patience: Duration::from_secs(u64::from(number("w").unwrap_or(5).max(1))),
        lookup: None,
        address: None,
        socket: None,
        probe: 0,
        sent: Time::ZERO,
        last: None,
        arrived: false,
    })
}

impl Traceroute {
    fn resolved(&mut self, addresses: &[Ipv4Addr], io: &mut Io<'_>) -> Flow {
        let Some(address) = addresses.first().copied() else { return self.unknown(io) };
        self.address = Some(address);
        self.socket = io.network.open_echo().ok();
        io.stdout(&format!(
            "traceroute to {} ({address}), {} hops max, 46 byte packets\n",
            self.host, self.most_hops
        ));
        self.send(io)
    }

    fn unknown(&self, io: &mut Io<'_>) -> Flow {
        fail(&format!("traceroute: bad address '{}'", self.host), 1, io)
    }

    fn send(&mut self, io: &mut Io<'_>) -> Flow {
        let hop = u8::try_from(self.probe / PROBES + 1).unwrap_or(u8::MAX);
        if self.probe.is_multiple_of(PROBES) {
            if self.arrived || hop > self.most_hops {
                return self.end(0, io);
            }
            self.last = None;
            io.stdout(&format!("{hop:>2}"));
        }
        let (Some(address), Some(socket)) = (self.address, self.socket) else {
            return self.end(1, io);
        };
        self.sent = io.now;
        if io.network.send_echo(socket, address, self.probe, hop).is_err() {
            io.stderr("traceroute: sendto: Network unreachable\n");
            return self.end(1, io);
        }
        Flow::WaitUntil(io.now + self.patience)
    }

    /// Prints what came of a probe and sends the next.
    fn next(&mut self, result: &str, io: &mut Io<'_>) -> Flow {
        self.probe += 1;
        let end = if self.probe.is_multiple_of(PROBES) { "\n" } else { "" };
        io.stdout(&format!("  {result}{end}"));
        self.send(io)
    }

    fn answered(&mut self, from: Ipv4Addr, kind: u8, io: &mut Io<'_>) -> Flow {
        self.arrived |= kind == 0 || Some(from) == self.address;
        let took = words((io.now - self.sent).as_nanos() / 1000);
        let name =
            if self.last == Some(from) { String::new() } else { format!("{from} ({from})  ") };
        self.last = Some(from);
        let mark = if kind == 3 && Some(from) != self.address { " !H" } else { "" };
        self.next(&format!("{name}{took} ms{mark}"), io)
    }

    fn end(&mut self, code: i32, io: &mut Io<'_>) -> Flow {
        if let Some(socket) = self.socket.take() {
            io.network.close(socket);
        }
        if let Some(lookup) = &mut self.lookup {
            lookup.cancel(io);
        }
        Flow::Exit(code)
    }
}

impl Process for Traceroute {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        if let Some(lookup) = &mut self.lookup {
            let Some(result) = lookup.poll(&event, io) else {
                return lookup.next_wake().map_or(Flow::Continue, Flow::WaitUntil);
            };
            self.lookup = None;
            return match result {
                Ok(addresses) => self.resolved(&addresses, io),
                Err(_) => self.unknown(io),
            };
        }
        match event {
            ProcessEvent::Started => match Lookup::begin(&self.host, io) {
                Ok(Ok(addresses)) => self.resolved(&addresses, io),
                Ok(Err(_)) => self.unknown(io),
                Err(lookup) => {
                    let wake = lookup.next_wake();
                    self.lookup = Some(lookup);
                    wake.map_or(Flow::Continue, Flow::WaitUntil)
                }
            },
            ProcessEvent::Signal(signal) => self.end(signal.exit_code(), io),
            ProcessEvent::Socket(id, SocketEvent::Icmp { from, kind, sequence, .. })
                if Some(id) == self.socket && sequence == self.probe =>
            {
                self.answered(from, kind, io)
            }
            ProcessEvent::Timer if io.now >= self.sent + self.patience => self.next("*", io),
            _ => Flow::Continue,
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.host);
        if let Some(lookup) = &self.lookup {
            digest.add(&**lookup);
        }
        digest.u64(u64::from(self.probe));
        digest.add(&self.sent);
        digest.bool(self.arrived);
    }
}
