//! How a program finds the address of a name: `/etc/hosts`, then the name servers and the search
//! list of `/etc/resolv.conf`, as resolv.conf(5) describes them.
//!
//! A program that needs an address calls [`Resolver::start`], hands on every event it receives to
//! [`Resolver::on`] while the answer is pending, and wakes at [`Resolver::wakes_at`].

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use network::{
    DnsMessage, DnsQuestion, DnsRecord, Payload, SocketEvent, SocketId, TransportProtocol,
};
use sim::{Digest, Digestible, Duration, Time};

use crate::{Files, Io, ProcessEvent};

const DNS_PORT: u16 = 53;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const DEFAULT_ATTEMPTS: u32 = 2;
const MAX_NAMESERVERS: usize = 3;
const MAX_NDOTS: u32 = 15;
const MAX_SEARCHES: usize = 32;

/// What `/etc/resolv.conf` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolverConfig {
    /// The name servers, in the order in which they are asked.
    pub nameservers: Vec<Ipv4Addr>,
    /// The domains that are tried after a name.
    pub search: Vec<String>,
    /// A name with that many dots is first tried as it is.
    pub ndots: u32,
    /// How long one server is waited for.
    pub timeout: Duration,
    /// How often all servers are asked.
    pub attempts: u32,
}

impl ResolverConfig {
    /// Reads `/etc/resolv.conf`. Without one, the name server is the host itself.
    #[must_use]
    pub fn read(files: &Files) -> Self {
        let text = String::from_utf8_lossy(files.read("/etc/resolv.conf").unwrap_or_default());
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let mut config = ResolverConfig {
            nameservers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: DEFAULT_TIMEOUT,
            attempts: DEFAULT_ATTEMPTS,
        };
        for line in text.lines() {
            let mut words = line.split(['#', ';']).next().unwrap_or_default().split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address: Option<Ipv4Addr> = words.next().and_then(|word| word.parse().ok());
                    config.nameservers.extend(address);
                }
                Some("search" | "domain") => {
                    config.search = words.take(MAX_SEARCHES).map(str::to_string).collect();
                }
                Some("options") => words.for_each(|word| config.set_option(word)),
                _ => {}
            }
        }
        config.nameservers.truncate(MAX_NAMESERVERS);
        if config.nameservers.is_empty() {
            config.nameservers.push(Ipv4Addr::LOCALHOST);
        }
        config
    }

    fn set_option(&mut self, word: &str) {
        let Some((name, value)) = word.split_once(':') else { return };
        let Ok(value) = value.parse::<u32>() else { return };
        match name {
            "ndots" => self.ndots = value.min(MAX_NDOTS),
            "timeout" => self.timeout = Duration::from_secs(u64::from(value.clamp(1, 30))),
            "attempts" => self.attempts = value.clamp(1, 5),
            _ => {}
        }
    }

    /// The names to ask for, in order, each with a dot at its end.
    #[must_use]
    pub fn candidates(&self, name: &str) -> Vec<String> {
        let name = name.to_ascii_lowercase();
        if name.ends_with('.') {
            return vec![name];
        }
        let dots = name.matches('.').count();
        let searched = self.search.iter().map(|domain| match domain.trim_matches('.') {
            "" => format!("{name}."),
            domain => format!("{name}.{domain}."),
        });
        let absolute = format!("{name}.");
        let mut all: Vec<String> = searched.collect();
        if dots >= self.ndots as usize {
            all.insert(0, absolute);
        } else {
            all.push(absolute);
        }
        all
    }
}

/// The addresses that `/etc/hosts` has for a name.
#[must_use]
pub fn hosts_addresses(files: &Files, name: &str) -> Vec<Ipv4Addr> {
    let text = String::from_utf8_lossy(files.read("/etc/hosts").unwrap_or_default());
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let of_line = |line: &str| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let address: Ipv4Addr = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(&name)).then_some(address)
    };
    text.lines().filter_map(of_line).collect()
}

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolveError {
    /// `no such host`: the servers know no such name.
    NoSuchHost,
    /// No server answered.
    TimedOut,
    /// `server misbehaving`: a server could not say.
    ServerFailure,
}

/// How far the resolver has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// It waits for a server.
    Pending,
    /// The addresses, in the order of the answer; at least one.
    Addresses(Vec<Ipv4Addr>),
    /// There are none.
    Failed(ResolveError),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Ask { server: Ipv4Addr, name: String },
    Done(Resolved),
}

/// Which question comes after which.
#[derive(Clone, Debug)]
struct Plan {
    config: ResolverConfig,
    candidates: VecDeque<String>,
    /// How often a server was asked for the first candidate.
    asked: u32,
    had_failure: bool,
}

impl Plan {
    fn new(config: ResolverConfig, name: &str) -> Self {
        let candidates = config.candidates(name).into();
        Plan { config, candidates, asked: 0, had_failure: false }
    }

    fn next(&mut self) -> Step {
        let Some(name) = self.candidates.front() else {
            let error = match self.had_failure {
                true => ResolveError::ServerFailure,
                false => ResolveError::NoSuchHost,
            };
            return Step::Done(Resolved::Failed(error));
        };
        let servers = self.config.nameservers.len();
        if self.asked as usize >= servers * self.config.attempts as usize {
            return Step::Done(Resolved::Failed(ResolveError::TimedOut));
        }
        let server = self.config.nameservers.get(self.asked as usize % servers.max(1));
        let server = server.copied().unwrap_or(Ipv4Addr::LOCALHOST);
        self.asked += 1;
        Step::Ask { server, name: name.clone() }
    }

    /// Takes an answer to the question for the first candidate.
    fn answer(&mut self, message: &DnsMessage) -> Step {
        let address = |record: &DnsRecord| match record {
            DnsRecord::A { address, .. } => Some(*address),
            _ => None,
        };
        let addresses: Vec<Ipv4Addr> = message.answers.iter().filter_map(address).collect();
        if message.code == 0 && !addresses.is_empty() {
            return Step::Done(Resolved::Addresses(addresses));
        }
        // A server that cannot say does not keep the other domains from being tried.
        self.had_failure |= !matches!(message.code, 0 | 3);
        self.candidates.pop_front();
        self.asked = 0;
        self.next()
    }
}

/// Finds the address of one name.
#[derive(Clone, Debug)]
pub struct Resolver {
    plan: Plan,
    socket: Option<SocketId>,
    /// The question that is open.
    id: u16,
    deadline: Option<Time>,
}

impl Resolver {
    /// Begins to look for a name. An address, or a name of `/etc/hosts`, is found at once.
    #[must_use]
    pub fn start(name: &str, io: &mut Io<'_>) -> (Self, Resolved) {
        let plan = Plan::new(ResolverConfig::read(io.files), name);
        let mut resolver = Resolver { plan, socket: None, id: 0, deadline: None };
        if let Ok(address) = name.parse() {
            return (resolver, Resolved::Addresses(vec![address]));
        }
        let known = hosts_addresses(io.files, name);
        if !known.is_empty() {
            return (resolver, Resolved::Addresses(known));
        }
        let step = resolver.plan.next();
        let resolved = resolver.go(step, io);
        (resolver, resolved)
    }

    /// Takes an event of the program; `None` if it does not concern the resolver.
    pub fn on(&mut self, event: &ProcessEvent, io: &mut Io<'_>) -> Option<Resolved> {
        let step = match event {
            ProcessEvent::Timer if self.deadline.is_some_and(|time| time <= io.now) => {
                self.plan.next()
            }
            ProcessEvent::Socket(socket, event) if self.socket == Some(*socket) => match event {
                SocketEvent::Datagram { payload: Payload::Dns(message), .. }
                    if message.is_response && message.id == self.id =>
                {
                    self.plan.answer(message)
                }
                SocketEvent::Refused | SocketEvent::Unreachable => self.plan.next(),
                _ => return Some(Resolved::Pending),
            },
            _ => return None,
        };
        Some(self.go(step, io))
    }

    /// Gives up.
    pub fn cancel(&mut self, io: &mut Io<'_>) {
        self.deadline = None;
        if let Some(socket) = self.socket.take() {
            io.network.close(socket);
        }
    }

    /// When it wants to be told of [`ProcessEvent::Timer`]; `None` when it waits for nothing.
    #[must_use]
    pub fn wakes_at(&self) -> Option<Time> {
        self.deadline
    }

    fn go(&mut self, mut step: Step, io: &mut Io<'_>) -> Resolved {
        loop {
            match step {
                Step::Ask { server, name } => {
                    if self.ask(server, name, io) {
                        self.deadline = Some(io.now + self.plan.config.timeout);
                        return Resolved::Pending;
                    }
                    step = self.plan.next();
                }
                Step::Done(resolved) => {
                    self.deadline = None;
                    if let Some(socket) = self.socket.take() {
                        io.network.close(socket);
                    }
                    return resolved;
                }
            }
        }
    }

    /// Sends a question. Says whether there is a way to the server.
    fn ask(&mut self, server: Ipv4Addr, name: String, io: &mut Io<'_>) -> bool {
        if self.socket.is_none() {
            self.socket = io.network.listen(TransportProtocol::Udp, None, 0).ok();
        }
        let Some(socket) = self.socket else { return false };
        self.id = u16::try_from(io.random().below(1 << 16)).unwrap_or_default();
        let question = DnsMessage {
            id: self.id,
            is_response: false,
            code: 0,
            authoritative: false,
            question: DnsQuestion { name, record_type: "A".to_string() },
            answers: Vec::new(),
        };
        let payload = Payload::Dns(Arc::new(question));
        io.network.send_to(socket, SocketAddrV4::new(server, DNS_PORT), payload).is_ok()
    }
}

impl Digestible for Resolver {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.plan.candidates);
        digest.add(&self.plan.asked);
        digest.bool(self.plan.had_failure);
        digest.add(&self.socket.map(|socket| socket.0));
        digest.u64(u64::from(self.id));
        digest.add(&self.deadline);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER_FIRST: &str = "search default.svc.cluster.local svc.cluster.local cluster.local\n\
        nameserver 10.96.0.10\noptions ndots:5\n";

    fn message(code: u8, addresses: &[Ipv4Addr]) -> DnsMessage {
        let record = |address: &Ipv4Addr| DnsRecord::A {
            name: "x.".to_string(),
            ttl: 30,
            address: *address,
        };
        DnsMessage {
            id: 0,
            is_response: true,
            code,
            authoritative: true,
            question: DnsQuestion { name: "x.".to_string(), record_type: "A".to_string() },
            answers: addresses.iter().map(record).collect(),
        }
    }

    fn name(step: &Step) -> String {
        match step {
            Step::Ask { name, .. } => name.clone(),
            Step::Done(resolved) => format!("{resolved:?}"),
        }
    }

    /// resolv.conf(5), `search` and `ndots`.
    #[test]
    fn the_search_list_is_tried_in_the_order_that_ndots_says() {
        let config = ResolverConfig::parse(CLUSTER_FIRST);
        let short = config.candidates("redis");
        assert_eq!(
            short,
            [
                "redis.default.svc.cluster.local.",
                "redis.svc.cluster.local.",
                "redis.cluster.local.",
                "redis."
            ]
        );
        assert_eq!(config.candidates("Example.com.").as_slice(), ["example.com."]);
        let plain = ResolverConfig::parse("nameserver 1.1.1.1\nsearch a.example\n");
        assert_eq!(plain.candidates("x.y").as_slice(), ["x.y.", "x.y.a.example."]);
        assert_eq!(plain.candidates("x").as_slice(), ["x.a.example.", "x."]);
    }

    #[test]
    fn options_are_read_and_bounded() {
        let config = ResolverConfig::parse("options ndots:99 timeout:2 attempts:9 rotate # x\n");
        assert_eq!((config.ndots, config.attempts), (15, 5));
        assert_eq!(config.timeout, Duration::from_secs(2));
        assert_eq!(config.nameservers, [Ipv4Addr::LOCALHOST]);
    }

    #[test]
    fn a_name_that_is_not_there_is_asked_for_in_every_domain() {
        let mut plan = Plan::new(ResolverConfig::parse(CLUSTER_FIRST), "web");
        assert_eq!(name(&plan.next()), "web.default.svc.cluster.local.");
        assert_eq!(name(&plan.answer(&message(3, &[]))), "web.svc.cluster.local.");
        // A name without addresses is no better.
        assert_eq!(name(&plan.answer(&message(0, &[]))), "web.cluster.local.");
        assert_eq!(name(&plan.answer(&message(3, &[]))), "web.");
        let end = plan.answer(&message(3, &[]));
        assert_eq!(end, Step::Done(Resolved::Failed(ResolveError::NoSuchHost)));
    }

    #[test]
    fn a_server_that_fails_is_remembered_and_an_answer_ends_the_search() {
        let mut plan = Plan::new(ResolverConfig::parse(CLUSTER_FIRST), "web");
        plan.next();
        plan.answer(&message(2, &[]));
        let address = Ipv4Addr::new(10, 96, 0, 7);
        let end = plan.clone().answer(&message(0, &[address]));
        assert_eq!(end, Step::Done(Resolved::Addresses(vec![address])));
        plan.answer(&message(3, &[]));
        plan.answer(&message(3, &[]));
        let end = plan.answer(&message(3, &[]));
        assert_eq!(end, Step::Done(Resolved::Failed(ResolveError::ServerFailure)));
    }

    #[test]
    fn servers_that_do_not_answer_are_asked_in_turn_and_then_given_up() {
        let config = ResolverConfig::parse("nameserver 10.0.0.1\nnameserver 10.0.0.2\n");
        let mut plan = Plan::new(config, "web.");
        let servers: Vec<u8> = std::iter::from_fn(|| match plan.next() {
            Step::Ask { server, .. } => Some(server.octets()[3]),
            Step::Done(resolved) => {
                assert_eq!(resolved, Resolved::Failed(ResolveError::TimedOut));
                None
            }
        })
        .collect();
        assert_eq!(servers, [1, 2, 1, 2]);
    }

    #[test]
    fn hosts_come_before_servers() {
        let mut files = Files::new();
        files.write("/etc/hosts", b"127.0.0.1 localhost\n10.1.2.3 foo.local foo # bar\n");
        assert_eq!(hosts_addresses(&files, "FOO"), [Ipv4Addr::new(10, 1, 2, 3)]);
        assert!(hosts_addresses(&files, "bar").is_empty());
    }
}
