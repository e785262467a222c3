//! A program that sends HTTP requests to a URL at a rate and counts what comes of them. It runs
//! in a pod's namespace or on the machine outside, as any other program there.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use network::{HttpRequest, Payload, SocketEvent, SocketId};
use runtime::{Flow, Io, Process, ProcessEvent, Resolved, Resolver, Signal};
use sim::{Digest, Duration, SmallMap, Time};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a name's addresses are used before they are asked for again.
const NAME_LIFETIME: Duration = Duration::from_secs(5);
/// How many requests may be under way; more are counted as failed at once.
const MAX_UNDER_WAY: usize = 8192;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
}

impl Target {
    /// Reads `http://host:port/path`.
    pub(crate) fn parse(url: &str) -> Option<Target> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let default_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, default_port),
        };
        let known = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-');
        (!host.is_empty() && host.chars().all(known)).then(|| Target {
            host: host.to_string(),
            port,
            path: path.to_string(),
        })
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    sent: u64,
    succeeded: u64,
    refused: u64,
    timed_out: u64,
    reset: u64,
    unresolved: u64,
    bad_status: u64,
    /// Answers by the first digit of their status.
    classes: [u64; 5],
    latency_micros: u64,
    latency_micros_max: u64,
}

/// The program.
#[derive(Clone, Debug)]
pub(crate) struct Generator {
    target: Target,
    /// Between two requests, on average.
    interval: Duration,
    next: Time,
    resolver: Option<Box<Resolver>>,
    addresses: Vec<Ipv4Addr>,
    resolved_at: Option<Time>,
    /// When each request under way was begun.
    under_way: SmallMap<SocketId, Time>,
    /// The same in the order in which they are given up.
    expiries: VecDeque<(Time, SocketId)>,
    counts: Counts,
}

impl Generator {
    pub(crate) fn new(target: Target, rate_per_second: u32) -> Self {
        let rate = u64::from(rate_per_second.max(1));
        Generator {
            target,
            interval: Duration::from_nanos(NANOS_PER_SECOND / rate),
            next: Time::ZERO,
            resolver: None,
            addresses: Vec::new(),
            resolved_at: None,
            under_way: SmallMap::new(),
            expiries: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// Half to one and a half of the interval.
    fn pause(&self, io: &mut Io<'_>) -> Duration {
        let nanos = self.interval.as_nanos();
        Duration::from_nanos(nanos / 2 + io.random().below(nanos + 1))
    }

    fn resolve(&mut self, io: &mut Io<'_>) {
        let old = self.resolved_at.is_none_or(|time| io.now.since(time) >= NAME_LIFETIME);
        if self.resolver.is_some() || !old {
            return;
        }
        let (resolver, resolved) = Resolver::start(&self.target.host, io);
        self.resolver = Some(Box::new(resolver));
        self.take_resolved(resolved, io.now);
    }

    fn take_resolved(&mut self, resolved: Resolved, now: Time) {
        self.addresses = match resolved {
            Resolved::Pending => return,
            Resolved::Addresses(addresses) => addresses,
            Resolved::Failed(_) => Vec::new(),
        };
        self.resolver = None;
        self.resolved_at = Some(now);
    }

    fn begin_request(&mut self, io: &mut Io<'_>) {
        self.counts.sent += 1;
        let place = self.counts.sent % (self.addresses.len() as u64).max(1);
        let Some(address) = self.addresses.get(usize::try_from(place).unwrap_or(0)).copied() else {
            self.counts.unresolved += 1;
            return;
        };
        if self.under_way.len() >= MAX_UNDER_WAY {
            self.counts.timed_out += 1;
            return;
        }
        match io.network.connect(SocketAddrV4::new(address, self.target.port)) {
            Ok(socket) => {
                self.under_way.insert(socket, io.now);
                self.expiries.push_back((io.now + PATIENCE, socket));
            }
            Err(_) => self.counts.refused += 1,
        }
    }

    fn give_up(&mut self, io: &mut Io<'_>) {
        while let Some((_, socket)) = self.expiries.pop_front_if(|(time, _)| *time <= io.now) {
            if self.under_way.remove(&socket).is_some() {
                self.counts.timed_out += 1;
                io.network.close(socket);
            }
        }
    }

    fn take_event(&mut self, socket: SocketId, event: &SocketEvent, io: &mut Io<'_>) {
        let Some(begun) = self.under_way.get(&socket).copied() else { return };
        match event {
            SocketEvent::Connected => {
                let headers = [
                    ("host", format!("{}:{}", self.target.host, self.target.port)),
                    ("user-agent", "traffic".to_string()),
                    ("connection", "close".to_string()),
                ];
                let headers = headers.map(|(name, value)| (name.to_string(), value));
                let request = HttpRequest {
                    method: "GET".to_string(),
                    path: self.target.path.clone(),
                    headers: headers.into(),
                    body: String::new(),
                };
                let payload = Payload::HttpRequest(Arc::new(request));
                if io.network.send(socket, payload).is_ok() {
                    return;
                }
                self.counts.reset += 1;
            }
            SocketEvent::Received(Payload::HttpResponse(response)) => {
                let micros = io.now.since(begun).as_nanos() / 1000;
                self.counts.latency_micros += micros;
                self.counts.latency_micros_max = self.counts.latency_micros_max.max(micros);
                let class = usize::from(response.status / 100);
                if let Some(count) = self.counts.classes.get_mut(class.wrapping_sub(1)) {
                    *count += 1;
                }
                match response.status {
                    200..400 => self.counts.succeeded += 1,
                    _ => self.counts.bad_status += 1,
                }
            }
            SocketEvent::Refused | SocketEvent::Unreachable => self.counts.refused += 1,
            SocketEvent::TimedOut => self.counts.timed_out += 1,
            SocketEvent::Received(_) | SocketEvent::Closed | SocketEvent::Reset => {
                self.counts.reset += 1;
            }
            _ => return,
        }
        self.under_way.remove(&socket);
        io.network.close(socket);
    }

    fn next_wake(&self) -> Time {
        let expiry = self.expiries.front().map(|(time, _)| *time);
        let resolver = self.resolver.as_ref().and_then(|resolver| resolver.wakes_at());
        [expiry, resolver].into_iter().flatten().fold(self.next, Time::min)
    }
}

impl Process for Generator {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        if let ProcessEvent::Signal(Signal::Term | Signal::Int | Signal::Quit) = event {
            return Flow::Exit(0);
        }
        if let Some(resolver) = &mut self.resolver
            && let Some(resolved) = resolver.on(&event, io)
        {
            self.take_resolved(resolved, io.now);
        }
        match &event {
            ProcessEvent::Started => {
                self.resolve(io);
                self.next = io.now + self.pause(io);
            }
            ProcessEvent::Timer => {
                self.give_up(io);
                self.resolve(io);
                if self.next <= io.now {
                    self.begin_request(io);
                    self.next = io.now + self.pause(io);
                }
            }
            ProcessEvent::Socket(socket, event) => self.take_event(*socket, event, io),
            _ => {}
        }
        Flow::WaitUntil(self.next_wake())
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let counts = &self.counts;
        let [informational, successful, redirection, client_error, server_error] = counts.classes;
        vec![
            ("sent", counts.sent),
            ("succeeded", counts.succeeded),
            ("refused", counts.refused),
            ("timed_out", counts.timed_out),
            ("reset", counts.reset),
            ("unresolved", counts.unresolved),
            ("bad_status", counts.bad_status),
            ("1xx", informational),
            ("2xx", successful),
            ("3xx", redirection),
            ("4xx", client_error),
            ("5xx", server_error),
            ("latency_micros", counts.latency_micros),
            ("latency_micros_max", counts.latency_micros_max),
        ]
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.target.host);
        digest.add(&self.interval);
        digest.add(&self.next);
        digest.u64(self.under_way.len() as u64);
        for (socket, time) in &self.under_way {
            digest.u64(socket.0);
            digest.add(time);
        }
        for (_, count) in self.counters() {
            digest.u64(count);
        }
        digest.add(&self.resolved_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_where_requests_go() {
        let parse = |url: &str| Target::parse(url).map(|t| (t.host, t.port, t.path));
        let of = |host: &str, port, path: &str| Some((host.to_string(), port, path.to_string()));
        assert_eq!(parse("http://web"), of("web", 80, "/"));
        assert_eq!(parse("web.shop:8080/a?b=1"), of("web.shop", 8080, "/a?b=1"));
        assert_eq!(parse("https://10.0.0.1/"), of("10.0.0.1", 443, "/"));
        assert_eq!(parse("ftp://web"), None);
        assert_eq!(parse("http://:80/"), None);
        assert_eq!(parse("http://a b/"), None);
    }
}
