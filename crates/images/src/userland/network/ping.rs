//! `ping`, as BusyBox has it. Upstream: busybox, networking/ping.c.

use std::net::Ipv4Addr;

use network::{SocketEvent, SocketId};
use runtime::{Flow, Io, Process, ProcessEvent, Signal};
use sim::{Digest, Duration, Time};

use super::{Options, fail};
use crate::net::Lookup;

const INTERVAL: Duration = Duration::from_secs(1);
/// How long the last answer is waited for.
const LAST_WAIT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
struct Ping {
    host: String,
    count: Option<u16>,
    limit: Option<Duration>,
    quiet: bool,
    time_to_live: u8,
    lookup: Option<Box<Lookup>>,
    address: Option<Ipv4Addr>,
    socket: Option<SocketId>,
    sent: u16,
    /// When the echoes were sent that are not answered yet, by their numbers.
    open: Vec<(u16, Time)>,
    /// The round trips, in microseconds.
    trips: Vec<u64>,
    next: Time,
    ends: Option<Time>,
}

/// The program of `ping ARGS`.
pub(super) fn ping(args: &[String]) -> Box<dyn Process> {
    let options = Options::parse(args, "cwWsiIt", &[]);
    let number = |name: &str| options.value(&[name]).and_then(|value| value.parse::<u16>().ok());
    Box::new(Ping {
        host: options.operands.first().cloned().unwrap_or_default(),
        count: number("c"),
        limit: number("w").map(|seconds| Duration::from_secs(u64::from(seconds))),
        quiet: options.has(&["q"]),
        time_to_live: number("t").and_then(|hops| u8::try_from(hops).ok()).unwrap_or(64),
        lookup: None,
        address: None,
        socket: None,
        sent: 0,
        open: Vec::new(),
        trips: Vec::new(),
        next: Time::ZERO,
        ends: None,
    })
}

/// Milliseconds with three digits after the point.
pub(super) fn words(micros: u64) -> String {
    format!("{}.{:03}", micros / 1000, micros % 1000)
}

impl Ping {
    fn resolved(&mut self, addresses: &[Ipv4Addr], io: &mut Io<'_>) -> Flow {
        let Some(address) = addresses.first().copied() else { return self.unknown(io) };
        self.address = Some(address);
        self.socket = io.network.open_echo().ok();
        self.ends = self.limit.map(|limit| io.now + limit);
        io.stdout(&format!("PING {} ({address}): 56 data bytes\n", self.host));
        self.send(io)
    }

    fn unknown(&self, io: &mut Io<'_>) -> Flow {
        fail(&format!("ping: bad address '{}'", self.host), 1, io)
    }

    fn send(&mut self, io: &mut Io<'_>) -> Flow {
        let (Some(address), Some(socket)) = (self.address, self.socket) else {
            return fail("ping: socket: Too many open files", 1, io);
        };
        if io.network.send_echo(socket, address, self.sent, self.time_to_live).is_err() {
            io.stderr("ping: sendto: Network unreachable\n");
            return self.end(1, io);
        }
        self.open.push((self.sent, io.now));
        self.sent = self.sent.wrapping_add(1);
        self.next = io.now + INTERVAL;
        if self.count.is_some_and(|count| self.sent >= count) {
            self.next = io.now + LAST_WAIT;
        }
        self.wait()
    }

    fn wait(&self) -> Flow {
        Flow::WaitUntil(self.ends.map_or(self.next, |ends| ends.min(self.next)))
    }

    fn answered(
        &mut self,
        from: Ipv4Addr,
        time_to_live: u8,
        sequence: u16,
        io: &mut Io<'_>,
    ) -> Flow {
        let Some(place) = self.open.iter().position(|(number, _)| *number == sequence) else {
            return self.wait();
        };
        let (_, sent) = self.open.remove(place);
        let micros = (io.now - sent).as_nanos() / 1000;
        self.trips.push(micros);
        if !self.quiet {
            io.stdout(&format!(
                "64 bytes from {from}: seq={sequence} ttl={time_to_live} time={} ms\n",
                words(micros)
            ));
        }
        let is_last = self.count.is_some_and(|count| self.sent >= count);
        if is_last && self.open.is_empty() {
            return self.summary(io);
        }
        self.wait()
    }

    fn summary(&mut self, io: &mut Io<'_>) -> Flow {
        let received = self.trips.len() as u64;
        let sent = u64::from(self.sent);
        let lost = (sent.saturating_sub(received) * 100).checked_div(sent).unwrap_or(0);
        io.stdout(&format!(
            "\n--- {} ping statistics ---\n{sent} packets transmitted, {received} packets \
             received, {lost}% packet loss\n",
            self.host
        ));
        if let (Some(least), Some(most)) = (self.trips.iter().min(), self.trips.iter().max()) {
            let mean = self.trips.iter().sum::<u64>() / received.max(1);
            io.stdout(&format!(
                "round-trip min/avg/max = {}/{}/{} ms\n",
                words(*least),
                words(mean),
                words(*most)
            ));
        }
        self.end(i32::from(received == 0), io)
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

    fn look_up(&mut self, event: &ProcessEvent, io: &mut Io<'_>) -> Flow {
        let Some(lookup) = &mut self.lookup else { return Flow::Continue };
        match lookup.poll(event, io) {
            None => lookup.next_wake().map_or(Flow::Continue, Flow::WaitUntil),
            Some(result) => {
                self.lookup = None;
                match result {
                    Ok(addresses) => self.resolved(&addresses, io),
                    Err(_) => self.unknown(io),
                }
            }
        }
    }
}

impl Process for Ping {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
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
            ProcessEvent::Signal(Signal::Int) if self.address.is_some() => self.summary(io),
            ProcessEvent::Signal(signal) => self.end(signal.exit_code(), io),
            event if self.lookup.is_some() => self.look_up(&event, io),
            ProcessEvent::Timer if self.ends.is_some_and(|ends| ends <= io.now) => self.summary(io),
            ProcessEvent::Timer if self.next <= io.now => {
                if self.count.is_some_and(|count| self.sent >= count) {
                    return self.summary(io);
                }
                self.send(io)
            }
            ProcessEvent::Socket(
                id,
                SocketEvent::Icmp { from, kind, time_to_live, sequence, .. },
            ) if Some(id) == self.socket => match kind {
                0 => self.answered(from, time_to_live, sequence, io),
                _ => self.wait(),
            },
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
        digest.u64(u64::from(self.sent));
        digest.u64(self.trips.len() as u64);
        digest.add(&self.next);
        digest.add(&self.ends);
        for (number, time) in &self.open {
            digest.u64(u64::from(*number));
            digest.add(time);
        }
    }
}
