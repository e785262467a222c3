//! CoreDNS: the name server of the cluster.
//!
//! Upstream: coredns/coredns.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use apiserver::{Identity, WatchSelector};
use client::{Context, Informer};
use network::{DnsMessage, DnsRecord, Payload, SocketEvent, SocketId, TransportProtocol};
use runtime::{Environment, Flow, Io, Process, ProcessEvent, ResolverConfig, Signal};
use sim::{Digest, Digestible, Duration, OrdMap, SmallMap, Time};

mod corefile;
mod records;
#[cfg(test)]
mod tests;

use corefile::{Corefile, Server, within};
use records::{Answer, Objects, Records};

use crate::apps::{PLAIN, flag};
use crate::catalogue::ImageDefinition;
use crate::net::{Arrived, Listener, text};
use crate::tags::Tags;

/// `registry.k8s.io/coredns/coredns`.
pub(crate) static IMAGE: ImageDefinition = ImageDefinition {
    repository: "registry.k8s.io/coredns/coredns",
    tags: Tags::Released { newest: &[(1, 14)], words: &[], variants: &[] },
    sizes: &[("", 22_000_000)],
    entrypoint: &["/coredns"],
    has_userland: false,
    user: 65532,
    program,
    ..PLAIN
};

/// The same, where the project itself publishes it.
pub(crate) static OF_DOCKER: ImageDefinition = ImageDefinition {
    repository: "docker.io/coredns/coredns",
    tags: Tags::Any,
    sizes: IMAGE.sizes,
    entrypoint: IMAGE.entrypoint,
    has_userland: false,
    user: 65532,
    program,
    ..PLAIN
};

/// How long an upstream server is waited for. Upstream: plugin/forward, defaultTimeout.
const FORWARD_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the file is looked at. Upstream: plugin/reload, default interval.
const RELOAD_INTERVAL: Duration = Duration::from_secs(30);
/// Upstream: plugin/cache, default capacity; here it is smaller.
const MAX_CACHED: usize = 1024;
const MAX_FORWARDED: usize = 1000;
/// How long a name that does not exist is remembered, unless the cache's own time is less.
const DENIAL_TTL: u32 = 30;

fn program(name: &str, environment: &Environment) -> Option<Box<dyn Process>> {
    let path = flag(environment, "conf").unwrap_or("Corefile").to_string();
    let identity = Identity::service_account("kube-system", "coredns");
    let everything = WatchSelector::Everything;
    (name == "coredns").then(|| {
        Box::new(CoreDns {
            path,
            text: Vec::new(),
            corefile: Corefile::default(),
            objects: Objects {
                services: Informer::new(identity.clone(), everything.clone()),
                slices: Informer::new(identity.clone(), everything.clone()),
                namespaces: Informer::new(identity.clone(), everything.clone()),
                pods: Informer::new(identity, everything),
            },
            udp: None,
            upstream: None,
            listener: Listener::default(),
            forwarded: SmallMap::new(),
            next_id: 1,
            cache: OrdMap::new(),
            reload_at: None,
            ends_at: None,
            answered: 0,
        }) as _
    })
}

/// Whom an answer goes to.
#[derive(Clone, Copy, Debug)]
enum Client {
    Udp(SocketAddrV4),
    Tcp(SocketId),
}

/// A question that was passed on.
#[derive(Clone, Debug)]
struct Forwarded {
    client: Client,
    question: Arc<DnsMessage>,
    /// The records that come before those of the answer: an alias.
    head: Vec<DnsRecord>,
    deadline: Time,
}

type CacheKey = (String, String);

/// The server.
#[derive(Clone, Debug)]
struct CoreDns {
    path: String,
    text: Vec<u8>,
    corefile: Corefile,
    objects: Objects,
    udp: Option<SocketId>,
    /// The socket that questions are passed on over.
    upstream: Option<SocketId>,
    listener: Listener,
    forwarded: SmallMap<u16, Forwarded>,
    next_id: u16,
    cache: OrdMap<CacheKey, (Time, Arc<DnsMessage>)>,
    reload_at: Option<Time>,
    ends_at: Option<Time>,
    answered: u64,
}

impl CoreDns {
    fn begin(&mut self, io: &mut Io<'_>) -> Flow {
        let path = crate::userland::absolute(&io.environment.working_directory, &self.path);
        // Without a file CoreDNS serves nothing but who it is.
        self.text = io.files.read(&path).map_or(b".:53 {\n whoami\n}\n".to_vec(), <[u8]>::to_vec);
        match Corefile::parse(&String::from_utf8_lossy(&self.text), &self.path) {
            Ok(corefile) => self.corefile = corefile,
            Err(why) => {
                io.stdout(&format!("{why}\n"));
                return Flow::Exit(1);
            }
        }
        let port = self.corefile.port;
        self.udp = io.network.listen(TransportProtocol::Udp, None, port).ok();
        if self.udp.is_none() || !self.listener.listen(port, io) {
            io.stdout(&format!("Listen: listen tcp :{port}: bind: address already in use\n"));
            return Flow::Exit(1);
        }
        self.upstream = io.network.listen(TransportProtocol::Udp, None, 0).ok();
        let others = [self.corefile.health, self.corefile.ready, self.corefile.metrics];
        for port in others.into_iter().flatten() {
            self.listener.listen(port, io);
        }
        if let Some(why) = self.finds_loop(io) {
            io.stdout(&why);
            return Flow::Exit(1);
        }
        self.take_deliveries(io);
        for server in &self.corefile.servers {
            for zone in &server.zones {
                io.stdout(&format!("{zone}:{port}\n"));
            }
        }
        let sum = Digest::of(&String::from_utf8_lossy(&self.text).into_owned());
        io.stdout(&format!(
            "[INFO] plugin/reload: Running configuration SHA512 = {sum}\nCoreDNS-1.14.0\n\
             linux/amd64, go1.25.5\n"
        ));
        self.reload_at = self.corefile.reload.then(|| io.now + RELOAD_INTERVAL);
        self.wait()
    }

    /// Upstream: plugin/loop: whoever passes questions on to himself does so for ever.
    fn finds_loop(&self, io: &Io<'_>) -> Option<String> {
        let own = io.network.address();
        let server = self.corefile.servers.iter().find(|server| {
            let targets = self.targets(server, io);
            server.loops && targets.iter().any(|to| to.ip().is_loopback() || *to.ip() == own)
        })?;
        let zone = server.zones.first().map_or(".", String::as_str);
        Some(format!(
            "[FATAL] plugin/loop: Loop ({own}:{0} -> :{0}) detected for zone \"{zone}\", see \
             https://coredns.io/plugins/loop#troubleshooting. Query: \"HINFO\"\n",
            self.corefile.port
        ))
    }

    /// The servers that questions are passed on to.
    fn targets(&self, server: &Server, io: &Io<'_>) -> Vec<SocketAddrV4> {
        let mut targets = Vec::new();
        for word in &server.forward {
            if word.starts_with('/') {
                let listed = ResolverConfig::read(io.files).nameservers;
                targets.extend(listed.into_iter().map(|address| SocketAddrV4::new(address, 53)));
                continue;
            }
            let word = word.split("://").last().unwrap_or_default();
            let address = word.parse().ok();
            let plain = word.parse::<Ipv4Addr>().ok().map(|ip| SocketAddrV4::new(ip, 53));
            targets.extend(address.or(plain));
        }
        targets
    }

    fn take_deliveries(&mut self, io: &mut Io<'_>) {
        if self.corefile.servers.iter().all(|server| server.kubernetes.is_none()) {
            return;
        }
        self.objects.services.sync(&mut io.cx);
        self.objects.slices.sync(&mut io.cx);
        self.objects.namespaces.sync(&mut io.cx);
        let verified = self.corefile.servers.iter().any(|server| {
            server.kubernetes.as_ref().is_some_and(|k| k.pods == corefile::Pods::Verified)
        });
        if verified {
            self.objects.pods.sync(&mut io.cx);
        }
    }

    fn question(&mut self, question: &Arc<DnsMessage>, client: Client, io: &mut Io<'_>) {
        self.answered += 1;
        let name = question.question.name.to_ascii_lowercase();
        let servers = self.corefile.servers.iter().enumerate();
        let zones =
            servers.flat_map(|(place, server)| server.zones.iter().map(move |z| (place, z)));
        let found =
            zones.filter(|(_, zone)| within(&name, zone)).max_by_key(|(_, zone)| zone.len());
        let Some((place, _)) = found else {
            return self.reply(question, client, (5, Vec::new()), io);
        };
        let Some(server) = self.corefile.servers.get(place).cloned() else { return };
        let key = (name, question.question.record_type.clone());
        if let Some((until, kept)) = self.cache.get(&key)
            && *until > io.now
            && server.cache.is_some()
        {
            let (code, answers) = (kept.code, kept.answers.clone());
            return self.reply(question, client, (code, answers), io);
        }
        self.resolve(&server, question, client, io);
    }

    fn resolve(
        &mut self,
        server: &Server,
        question: &Arc<DnsMessage>,
        client: Client,
        io: &mut Io<'_>,
    ) {
        let name = question.question.name.to_ascii_lowercase();
        let listed: Vec<DnsRecord> = server
            .hosts
            .iter()
            .filter(|(own, _)| *own == name && question.question.record_type == "A")
            .filter_map(|(_, address)| address.parse().ok())
            .map(|address| DnsRecord::A { name: name.clone(), ttl: 3600, address })
            .collect();
        if !listed.is_empty() {
            return self.reply(question, client, (0, listed), io);
        }
        let mut head = Vec::new();
        let mut target = name.clone();
        if let Some(config) = &server.kubernetes {
            let records = Records { objects: &self.objects, config };
            if let Some(zone) = records.zone(&name) {
                match records.answer(&name, zone, &question.question.record_type) {
                    Answer::Records(mut found) => {
                        if server.loadbalance {
                            shuffle(&mut found, io);
                        }
                        return self.finish(server, question, client, (0, found), io);
                    }
                    Answer::Alias(found, other) => (head, target) = (found, other),
                    Answer::NoName if config.fall.iter().any(|fall| within(&name, fall)) => {}
                    Answer::NoName => {
                        return self.finish(server, question, client, (3, Vec::new()), io);
                    }
                }
            }
        }
        self.forward(server, question, client, (head, target), io);
    }

    fn forward(
        &mut self,
        server: &Server,
        question: &Arc<DnsMessage>,
        client: Client,
        (head, name): (Vec<DnsRecord>, String),
        io: &mut Io<'_>,
    ) {
        let targets = self.targets(server, io);
        // An alias whose target nobody can resolve is still an alias.
        let code = if head.is_empty() { 2 } else { 0 };
        let full = self.forwarded.len() >= MAX_FORWARDED;
        let (Some(to), Some(socket), false) = (targets.first(), self.upstream, full) else {
            return self.reply(question, client, (code, head), io);
        };
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let payload = crate::net::query(id, &name, &question.question.record_type);
        if io.network.send_to(socket, *to, payload).is_err() {
            return self.reply(question, client, (code, head), io);
        }
        let deadline = io.now + FORWARD_TIMEOUT;
        let question = question.clone();
        self.forwarded.insert(id, Forwarded { client, question, head, deadline });
    }

    /// Keeps an answer as the cache says, and gives it.
    fn finish(
        &mut self,
        server: &Server,
        question: &Arc<DnsMessage>,
        client: Client,
        (code, answers): (u8, Vec<DnsRecord>),
        io: &mut Io<'_>,
    ) {
        let name = question.question.name.to_ascii_lowercase();
        if let Some(cache) = &server.cache {
            let is_denial = code == 3 || answers.is_empty();
            let disabled = if is_denial { &cache.no_denial } else { &cache.no_success };
            let own = answers.iter().map(ttl).min().unwrap_or(DENIAL_TTL);
            if !disabled.iter().any(|zone| within(&name, zone)) && matches!(code, 0 | 3) {
                if self.cache.len() >= MAX_CACHED {
                    let now = io.now;
                    self.cache.retain(|_, (until, _)| *until > now);
                }
                if self.cache.len() < MAX_CACHED {
                    let until = io.now + Duration::from_secs(u64::from(own.min(cache.ttl)));
                    let message =
                        DnsMessage { code, answers: answers.clone(), ..(**question).clone() };
                    let key = (name, question.question.record_type.clone());
                    self.cache.insert(key, (until, Arc::new(message)));
                }
            }
        }
        self.reply(question, client, (code, answers), io);
    }

    fn reply(
        &mut self,
        question: &Arc<DnsMessage>,
        client: Client,
        (code, answers): (u8, Vec<DnsRecord>),
        io: &mut Io<'_>,
    ) {
        if self.corefile.servers.iter().any(|server| server.log) {
            let peer = match client {
                Client::Udp(peer) => peer.to_string(),
                Client::Tcp(_) => "tcp".to_string(),
            };
            let asked = &question.question;
            let code = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"]
                .get(usize::from(code));
            io.stdout(&format!(
                "[INFO] {peer} - {} \"{} IN {} udp 64 false 512\" {} qr,aa,rd 128 0.0001s\n",
                question.id,
                asked.record_type,
                asked.name,
                code.unwrap_or(&"SERVFAIL")
            ));
        }
        let payload = Payload::Dns(Arc::new(DnsMessage {
            id: question.id,
            is_response: true,
            code,
            authoritative: true,
            question: question.question.clone(),
            answers,
        }));
        match client {
            // Who cannot be reached any more asks again.
            Client::Udp(peer) => {
                if let Some(socket) = self.udp {
                    let _ = io.network.send_to(socket, peer, payload);
                }
            }
            Client::Tcp(connection) => self.listener.send(connection, payload, io),
        }
    }

    fn upstream_answer(&mut self, message: &DnsMessage, io: &mut Io<'_>) {
        let Some(waiting) = self.forwarded.remove(&message.id) else { return };
        let name = waiting.question.question.name.to_ascii_lowercase();
        let mut answers = waiting.head;
        answers.extend(message.answers.iter().cloned());
        let servers = self
            .corefile
            .servers
            .iter()
            .filter(|server| server.zones.iter().any(|zone| within(&name, zone)));
        let server = servers.max_by_key(|s| s.zones.iter().map(String::len).max()).cloned();
        if let Some(server) = server {
            self.finish(&server, &waiting.question, waiting.client, (message.code, answers), io);
        }
    }

    /// Gives up the questions whose time is over.
    fn give_up(&mut self, now: Time, why: &str, io: &mut Io<'_>) {
        let late = self.forwarded.iter().filter(|(_, waiting)| waiting.deadline <= now);
        let late: Vec<u16> = late.map(|(id, _)| *id).collect();
        for id in late {
            let Some(waiting) = self.forwarded.remove(&id) else { continue };
            let asked = &waiting.question.question;
            io.stdout(&format!(
                "[ERROR] plugin/errors: 2 {} {}: read udp: {why}\n",
                asked.name, asked.record_type
            ));
            let code = if waiting.head.is_empty() { 2 } else { 0 };
            self.reply(&waiting.question, waiting.client, (code, waiting.head), io);
        }
    }

    fn on_timer(&mut self, io: &mut Io<'_>) {
        self.give_up(io.now, "i/o timeout", io);
        if self.reload_at.is_some_and(|time| time <= io.now) {
            self.reload_at = Some(io.now + RELOAD_INTERVAL);
            self.reload(io);
        }
    }

    /// Upstream: plugin/reload: a file that is wrong is not taken.
    fn reload(&mut self, io: &mut Io<'_>) {
        let path = crate::userland::absolute(&io.environment.working_directory, &self.path);
        let Some(content) = io.files.read(&path).filter(|content| *content != self.text) else {
            return;
        };
        self.text = content.to_vec();
        io.stdout("[INFO] Reloading\n");
        match Corefile::parse(&String::from_utf8_lossy(&self.text), &self.path) {
            Ok(corefile) => {
                self.corefile = corefile;
                self.cache = OrdMap::new();
                self.take_deliveries(io);
                io.stdout("[INFO] Reloading complete\n");
            }
            Err(why) => io.stdout(&format!("[ERROR] Corefile: {why}\n")),
        }
    }

    fn http(&self, port: u16) -> Payload {
        if Some(port) == self.corefile.ready {
            let waits = self.corefile.servers.iter().any(|server| server.kubernetes.is_some())
                && !self.objects.services.has_synced();
            return if waits { text(503, "kubernetes") } else { text(200, "OK") };
        }
        if Some(port) == self.corefile.metrics {
            let body = format!(
                "# HELP coredns_dns_requests_total Counter of DNS requests made per zone, \
                 protocol and family.\n# TYPE coredns_dns_requests_total counter\n\
                 coredns_dns_requests_total {}\n",
                self.answered
            );
            return text(200, body);
        }
        text(200, "OK")
    }

    fn arrived(&mut self, arrived: &Arrived, io: &mut Io<'_>) {
        match &arrived.payload {
            Payload::Dns(message) if !message.is_response => {
                self.question(message, Client::Tcp(arrived.connection), io);
            }
            Payload::HttpRequest(_) => {
                let payload = self.http(arrived.port);
                self.listener.send(arrived.connection, payload, io);
            }
            _ => {}
        }
    }

    fn end(&mut self, code: i32, io: &mut Io<'_>) -> Flow {
        self.disconnect(&mut io.cx);
        Flow::Exit(code)
    }

    fn wait(&self) -> Flow {
        let deadlines = self.forwarded.values().map(|waiting| waiting.deadline);
        let next = deadlines.chain(self.reload_at).chain(self.ends_at).min();
        next.map_or(Flow::Continue, Flow::WaitUntil)
    }
}

fn ttl(record: &DnsRecord) -> u32 {
    match record {
        DnsRecord::A { ttl, .. }
        | DnsRecord::Cname { ttl, .. }
        | DnsRecord::Srv { ttl, .. }
        | DnsRecord::Ptr { ttl, .. } => *ttl,
    }
}

/// Upstream: plugin/loadbalance, round_robin: aliases first, addresses in a random order.
fn shuffle(records: &mut [DnsRecord], io: &mut Io<'_>) {
    let first = records.iter().take_while(|r| matches!(r, DnsRecord::Cname { .. })).count();
    let rest = &mut records[first..];
    for place in (1..rest.len()).rev() {
        let other = io.random().below(place as u64 + 1);
        rest.swap(place, usize::try_from(other).unwrap_or(place));
    }
}

impl Process for CoreDns {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        match &event {
            ProcessEvent::Started => return self.begin(io),
            ProcessEvent::Delivered => self.take_deliveries(io),
            ProcessEvent::Timer => self.on_timer(io),
            ProcessEvent::Signal(Signal::Term | Signal::Int) if self.ends_at.is_none() => {
                io.stdout("[INFO] SIGTERM: Shutting down servers then terminating\n");
                let span = self.corefile.lameduck;
                if span > Duration::ZERO {
                    io.stdout(&format!(
                        "[INFO] plugin/health: Going into lameduck mode for {span}\n"
                    ));
                }
                self.ends_at = Some(io.now + span);
            }
            ProcessEvent::Socket(
                id,
                SocketEvent::Datagram { from, payload: Payload::Dns(message) },
            ) => {
                if Some(*id) == self.udp && !message.is_response {
                    self.question(message, Client::Udp(*from), io);
                } else if Some(*id) == self.upstream && message.is_response {
                    self.upstream_answer(message, io);
                }
            }
            // Nobody is there whom questions are passed on to.
            ProcessEvent::Socket(id, SocketEvent::Refused | SocketEvent::Unreachable)
                if Some(*id) == self.upstream =>
            {
                self.give_up(io.now + FORWARD_TIMEOUT, "no route to host", io);
            }
            _ => {
                if let Some(arrived) = self.listener.take(&event, io) {
                    self.arrived(&arrived, io);
                }
            }
        }
        match self.ends_at {
            Some(time) if time <= io.now => self.end(0, io),
            _ => self.wait(),
        }
    }

    fn watches(&self) -> bool {
        true
    }

    fn disconnect(&mut self, cx: &mut Context<'_>) {
        self.objects.services.stop(cx.server);
        self.objects.slices.stop(cx.server);
        self.objects.namespaces.stop(cx.server);
        self.objects.pods.stop(cx.server);
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("coredns");
        digest.bytes(&self.text);
        digest.add(&self.objects.services);
        digest.add(&self.objects.slices);
        digest.add(&self.objects.namespaces);
        digest.add(&self.objects.pods);
        digest.add(&self.listener);
        for (id, waiting) in &self.forwarded {
            digest.u64(u64::from(*id));
            digest.str(&waiting.question.question.name);
            waiting.deadline.digest(digest);
        }
        for ((name, record_type), (until, message)) in &self.cache {
            digest.str(name);
            digest.str(record_type);
            digest.add(until);
            digest.add(&Payload::Dns(message.clone()));
        }
        digest.u64(u64::from(self.next_id));
        digest.add(&self.reload_at);
        digest.add(&self.ends_at);
        digest.u64(self.answered);
    }
}
