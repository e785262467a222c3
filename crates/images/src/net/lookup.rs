//! From a name to addresses, as the C library does it: `/etc/hosts`, then the name servers of
//! `/etc/resolv.conf` with its search list. Upstream: resolv.conf(5), resolver(3).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use network::{
    DnsMessage, DnsQuestion, DnsRecord, Payload, SocketEvent, SocketId, TransportProtocol,
};
use runtime::{Files, Io, ProcessEvent};
use sim::{Digest, Digestible, Duration, Time};

/// The port of name servers.
const PORT: u16 = 53;
/// The C library looks at no more name servers than that.
const MAX_SERVERS: usize = 3;

/// What `/etc/resolv.conf` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolv {
    pub(crate) servers: Vec<Ipv4Addr>,
    pub(crate) search: Vec<String>,
    ndots: usize,
    timeout: Duration,
    attempts: u32,
}

impl Resolv {
    /// Reads the file.
    pub(crate) fn read(files: &Files) -> Resolv {
        let mut resolv = Resolv {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
        };
        let content = files.read("/etc/resolv.conf").unwrap_or_default();
        for line in String::from_utf8_lossy(content).lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => {
                    resolv
                        .servers
                        .extend(words.next().and_then(|word| word.parse::<Ipv4Addr>().ok()));
                }
                Some("search" | "domain") => {
                    resolv.search = words.map(|word| word.trim_end_matches('.').into()).collect();
                }
                Some("options") => words.for_each(|word| resolv.option(word)),
                _ => {}
            }
        }
        resolv.servers.truncate(MAX_SERVERS);
        resolv
    }

    fn option(&mut self, word: &str) {
        let Some((name, value)) = word.split_once(':') else { return };
        let Ok(value) = value.parse::<u32>() else { return };
        match name {
            "ndots" => self.ndots = value.min(15) as usize,
            "timeout" => self.timeout = Duration::from_secs(u64::from(value.clamp(1, 30))),
            "attempts" => self.attempts = value.clamp(1, 5),
            _ => {}
        }
    }

    /// The full names to ask for, in their order.
    pub(crate) fn candidates(&self, name: &str) -> Vec<String> {
        let name = name.to_ascii_lowercase();
        if name.ends_with('.') {
            return vec![name];
        }
        let own = format!("{name}.");
        let mut names: Vec<String> =
            self.search.iter().map(|domain| format!("{name}.{domain}.")).collect();
        let place = if name.matches('.').count() >= self.ndots { 0 } else { names.len() };
        names.insert(place, own);
        names
    }
}

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookupError {
    /// The name servers say that there is no such name, or no address of it.
    NotFound,
    /// No name server answered, or none could.
    NoAnswer,
}

/// A name on its way to become addresses.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    resolv: Resolv,
    names: Vec<String>,
    place: usize,
    tries: u32,
    socket: Option<SocketId>,
    id: u16,
    deadline: Time,
    failure: LookupError,
}

fn in_hosts(files: &Files, name: &str) -> Option<Ipv4Addr> {
    let content = files.read("/etc/hosts").unwrap_or_default();
    let content = String::from_utf8_lossy(content);
    content.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then_some(address)
    })
}

/// A question to a name server.
pub(crate) fn query(id: u16, name: &str, record_type: &str) -> Payload {
    let question =
        DnsQuestion { name: name.to_ascii_lowercase(), record_type: record_type.to_string() };
    Payload::Dns(Arc::new(DnsMessage {
        id,
        is_response: false,
        code: 0,
        authoritative: false,
        question,
        answers: Vec::new(),
    }))
}

impl Lookup {
    /// Begins; the addresses come at once when no name server need be asked.
    pub(crate) fn begin(name: &str, io: &mut Io<'_>) -> Result<Vec<Ipv4Addr>, Box<Lookup>> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        if let Some(address) = in_hosts(io.files, name.trim_end_matches('.')) {
            return Ok(vec![address]);
        }
        if name == "localhost" {
            return Ok(vec![Ipv4Addr::LOCALHOST]);
        }
        let resolv = Resolv::read(io.files);
        let names = resolv.candidates(name);
        let mut lookup = Box::new(Lookup {
            resolv,
            names,
            place: 0,
            tries: 0,
            socket: io.network.listen(TransportProtocol::Udp, None, 0).ok(),
            id: 0,
            deadline: io.now,
            failure: LookupError::NotFound,
        });
        lookup.ask(io);
        Err(lookup)
    }

    /// Asks for the name whose turn it is.
    fn ask(&mut self, io: &mut Io<'_>) {
        let server =
            self.resolv.servers.get(self.tries as usize % self.resolv.servers.len().max(1));
        let (Some(socket), Some(server), Some(name)) =
            (self.socket, server, self.names.get(self.place))
        else {
            self.failure = LookupError::NoAnswer;
            self.place = self.names.len();
            self.deadline = io.now;
            return;
        };
        let to = SocketAddrV4::new(*server, PORT);
        self.id = (io.random().next_u64() & 0xffff) as u16;
        self.deadline = io.now + self.resolv.timeout;
        // Without a route there is no answer either; the deadline says so.
        let _ = io.network.send_to(socket, to, query(self.id, name, "A"));
    }

    /// When it has to be polled with a timer.
    pub(crate) fn next_wake(&self) -> Time {
        self.deadline
    }

    /// Takes an event. The result comes once.
    pub(crate) fn poll(
        &mut self,
        event: &ProcessEvent,
        io: &mut Io<'_>,
    ) -> Option<Result<Vec<Ipv4Addr>, LookupError>> {
        match event {
            ProcessEvent::Socket(
                id,
                SocketEvent::Datagram { payload: Payload::Dns(answer), .. },
            ) if Some(*id) == self.socket && answer.id == self.id && answer.is_response => {
                let addresses: Vec<Ipv4Addr> = answer.answers.iter().filter_map(address).collect();
                if !addresses.is_empty() {
                    self.cancel(io);
                    return Some(Ok(addresses));
                }
                if !matches!(answer.code, 0 | 3) {
                    self.failure = LookupError::NoAnswer;
                }
                self.place += 1;
                self.tries = 0;
                self.ask_or_fail(io)
            }
            ProcessEvent::Socket(id, SocketEvent::Refused | SocketEvent::Unreachable)
                if Some(*id) == self.socket =>
            {
                self.try_again(io)
            }
            ProcessEvent::Timer if io.now >= self.deadline => self.try_again(io),
            _ => None,
        }
    }

    /// Nobody answered: the next server or attempt, until all have been asked.
    fn try_again(&mut self, io: &mut Io<'_>) -> Option<Result<Vec<Ipv4Addr>, LookupError>> {
        self.tries += 1;
        let servers = u32::try_from(self.resolv.servers.len()).unwrap_or(u32::MAX);
        if self.tries >= self.resolv.attempts.saturating_mul(servers) {
            self.failure = LookupError::NoAnswer;
            self.place = self.names.len();
        }
        self.ask_or_fail(io)
    }

    fn ask_or_fail(&mut self, io: &mut Io<'_>) -> Option<Result<Vec<Ipv4Addr>, LookupError>> {
        if self.place >= self.names.len() {
            self.cancel(io);
            return Some(Err(self.failure));
        }
        self.ask(io);
        None
    }

    /// Gives up.
    pub(crate) fn cancel(&mut self, io: &mut Io<'_>) {
        if let Some(socket) = self.socket.take() {
            io.network.close(socket);
        }
    }
}

fn address(record: &DnsRecord) -> Option<Ipv4Addr> {
    match record {
        DnsRecord::A { address, .. } => Some(*address),
        _ => None,
    }
}

impl Digestible for Lookup {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.names);
        digest.u64(self.place as u64);
        digest.u64(u64::from(self.tries));
        digest.u64(u64::from(self.id));
        digest.add(&self.deadline);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_list_comes_first_for_names_with_few_dots() {
        let mut files = Files::new();
        let text = "search default.svc.cluster.local svc.cluster.local cluster.local\n\
                    nameserver 10.96.0.10\noptions ndots:5\n";
        files.write("/etc/resolv.conf", text.as_bytes());
        let resolv = Resolv::read(&files);
        assert_eq!(resolv.servers, [Ipv4Addr::new(10, 96, 0, 10)]);
        for (name, want) in [
            (
                "web",
                "web.default.svc.cluster.local. web.svc.cluster.local. web.cluster.local. web.",
            ),
            (
                "a.b.c.d.e.f",
                "a.b.c.d.e.f. a.b.c.d.e.f.default.svc.cluster.local. \
                 a.b.c.d.e.f.svc.cluster.local. a.b.c.d.e.f.cluster.local.",
            ),
            ("Web.", "web."),
        ] {
            assert_eq!(resolv.candidates(name).join(" "), want, "{name}");
        }
    }
}
