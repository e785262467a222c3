//! `nslookup` in the two forms that BusyBox has had: up to 1.28 over the C library, later by
//! queries of its own. Upstream: busybox, networking/nslookup.c.

use std::net::{Ipv4Addr, SocketAddrV4};

use network::{DnsMessage, DnsRecord, Payload, SocketEvent, SocketId, TransportProtocol};
use runtime::{Flow, Io, Process, ProcessEvent, ResolverConfig};
use sim::{Digest, Duration, Time};

use super::fail;
use crate::net::query;

const TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPTS: u32 = 2;

#[derive(Clone, Debug)]
struct Question {
    name: String,
    record_type: &'static str,
    id: u16,
    answered: bool,
}

#[derive(Clone, Debug)]
struct Nslookup {
    name: String,
    server: Option<String>,
    types: Vec<&'static str>,
    old: bool,
    /// The old form: which of the name's candidates is asked for, and who the answers are.
    stage: Stage,
    socket: Option<SocketId>,
    to: Option<Ipv4Addr>,
    questions: Vec<Question>,
    attempt: u32,
    deadline: Time,
    header_printed: bool,
    code: i32,
}

/// What the old form is at: it asks for one thing after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    ServerName,
    Candidates(Vec<String>),
    Names(Vec<Ipv4Addr>, u32),
}

const TYPES: [&str; 8] = ["a", "aaaa", "srv", "ptr", "cname", "txt", "ns", "soa"];
const UPPER: [&str; 8] = ["A", "AAAA", "SRV", "PTR", "CNAME", "TXT", "NS", "SOA"];

/// The program of `nslookup ARGS`.
pub(super) fn nslookup(args: &[String], old: bool) -> Box<dyn Process> {
    let words: Vec<&String> = args.iter().filter(|word| !word.starts_with('-')).collect();
    let types = args.iter().filter_map(|word| {
        let (name, value) = word.strip_prefix('-')?.split_once('=')?;
        let place = TYPES.iter().position(|known| value.eq_ignore_ascii_case(known))?;
        name.starts_with(['t', 'q']).then(|| UPPER[place])
    });
    Box::new(Nslookup {
        name: words.first().map(|word| word.to_string()).unwrap_or_default(),
        server: words.get(1).map(|word| word.to_string()),
        types: types.collect(),
        old,
        stage: Stage::ServerName,
        socket: None,
        to: None,
        questions: Vec::new(),
        attempt: 0,
        deadline: Time::ZERO,
        header_printed: false,
        code: 0,
    })
}

/// The name under which the owner of an address is asked for.
fn reverse(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{d}.{c}.{b}.{a}.in-addr.arpa.")
}

fn bare(name: &str) -> &str {
    name.trim_end_matches('.')
}

impl Nslookup {
    fn begin(&mut self, io: &mut Io<'_>) -> Flow {
        if self.name.is_empty() {
            return fail("BusyBox: nslookup [-type=QUERY_TYPE] HOST [DNS_SERVER]", 1, io);
        }
        let resolv = ResolverConfig::read(io.files);
        let given = self.server.as_ref().and_then(|server| server.parse().ok());
        self.to = given.or(resolv.nameservers.first().copied());
        self.socket = io.network.listen(TransportProtocol::Udp, None, 0).ok();
        if self.old {
            self.ask_server_name(io)
        } else {
            let questions = self.new_questions(&resolv);
            self.ask(questions, io)
        }
    }

    /// Upstream: add_query_with_search: a name without dots is asked for in every domain of the
    /// search list, and any other as it is.
    fn new_questions(&self, resolv: &ResolverConfig) -> Vec<(String, &'static str)> {
        if let Ok(address) = self.name.parse::<Ipv4Addr>() {
            return vec![(reverse(address), "PTR")];
        }
        let types = if self.types.is_empty() { vec!["A", "AAAA"] } else { self.types.clone() };
        let names: Vec<String> = if self.name.contains('.') || resolv.search.is_empty() {
            vec![format!("{}.", bare(&self.name))]
        } else {
            resolv.search.iter().map(|domain| format!("{}.{domain}.", self.name)).collect()
        };
        types
            .iter()
            .flat_map(|record_type| names.iter().map(move |name| (name.clone(), *record_type)))
            .collect()
    }

    fn ask(&mut self, questions: Vec<(String, &'static str)>, io: &mut Io<'_>) -> Flow {
        self.questions = questions
            .into_iter()
            .map(|(name, record_type)| {
                let id = (io.random().next_u64() & 0xffff) as u16;
                Question { name, record_type, id, answered: false }
            })
            .collect();
        self.attempt = 0;
        self.send(io)
    }

    fn send(&mut self, io: &mut Io<'_>) -> Flow {
        self.deadline = io.now + TIMEOUT;
        if let (Some(socket), Some(to)) = (self.socket, self.to) {
            for question in self.questions.iter().filter(|question| !question.answered) {
                let payload = query(question.id, &question.name, question.record_type);
                // Without a route there is no answer; the deadline says so.
                let _ = io.network.send_to(socket, SocketAddrV4::new(to, 53), payload);
            }
        } else {
            self.attempt = ATTEMPTS;
            self.deadline = io.now;
        }
        Flow::WaitUntil(self.deadline)
    }

    fn end(&mut self, code: i32, io: &mut Io<'_>) -> Flow {
        if let Some(socket) = self.socket.take() {
            io.network.close(socket);
        }
        Flow::Exit(code)
    }

    fn timed_out(&mut self, io: &mut Io<'_>) -> Flow {
        self.attempt += 1;
        if self.attempt < ATTEMPTS {
            return self.send(io);
        }
        if self.old {
            return self.old_answer(None, io);
        }
        if !self.header_printed {
            io.stdout(";; connection timed out; no servers could be reached\n\n");
            return self.end(1, io);
        }
        for question in self.questions.iter().filter(|question| !question.answered) {
            io.stdout(&format!("*** Can't find {}: No answer\n", bare(&question.name)));
        }
        io.stdout("\n");
        self.end(1, io)
    }

    fn answer(&mut self, message: &DnsMessage, io: &mut Io<'_>) -> Flow {
        let found = self.questions.iter_mut().find(|q| q.id == message.id && !q.answered);
        let Some(question) = found else { return Flow::Continue };
        question.answered = true;
        if self.old {
            return self.old_answer(Some(message), io);
        }
        if !self.header_printed {
            self.header_printed = true;
            let server = self.to.map(|to| to.to_string()).unwrap_or_default();
            io.stdout(&format!("Server:\t\t{server}\nAddress:\t{server}:53\n\n"));
        }
        if message.code != 0 {
            let codes = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
            let word = codes.get(usize::from(message.code)).unwrap_or(&"SERVFAIL");
            let name = bare(&question.name);
            io.stdout(&format!("** server can't find {name}: {word}\n"));
            self.code = 1;
        }
        for record in &message.answers {
            io.stdout(&record_words(record));
        }
        io.stdout("\n");
        if self.questions.iter().all(|question| question.answered) {
            return self.end(self.code, io);
        }
        Flow::Continue
    }

    fn ask_server_name(&mut self, io: &mut Io<'_>) -> Flow {
        let Some(to) = self.to else { return self.old_answer(None, io) };
        self.ask(vec![(reverse(to), "PTR")], io)
    }

    /// The old form: prints what has been found out and asks for the next thing.
    fn old_answer(&mut self, message: Option<&DnsMessage>, io: &mut Io<'_>) -> Flow {
        let name_of = |message: Option<&DnsMessage>| {
            let records = message.into_iter().flat_map(|message| &message.answers);
            let mut targets = records.filter_map(|record| match record {
                DnsRecord::Ptr { target, .. } => Some(format!(" {}", bare(target))),
                _ => None,
            });
            targets.next().unwrap_or_default()
        };
        match std::mem::replace(&mut self.stage, Stage::ServerName) {
            Stage::ServerName => {
                let server = self.to.map(|to| to.to_string()).unwrap_or_default();
                io.stdout(&format!(
                    "Server:    {server}\nAddress 1: {server}{}\n\n",
                    name_of(message)
                ));
                if let Ok(address) = self.name.parse::<Ipv4Addr>() {
                    return self.found(vec![address], io);
                }
                self.next_candidate(ResolverConfig::read(io.files).candidates(&self.name), io)
            }
            Stage::Candidates(mut names) => {
                let records = message.into_iter().flat_map(|message| &message.answers);
                let addresses: Vec<Ipv4Addr> = records
                    .filter_map(|record| match record {
                        DnsRecord::A { address, .. } => Some(*address),
                        _ => None,
                    })
                    .collect();
                if !addresses.is_empty() {
                    return self.found(addresses, io);
                }
                match message {
                    Some(_) => names.remove(0),
                    None => return self.old_failure(io),
                };
                self.next_candidate(names, io)
            }
            Stage::Names(mut addresses, number) => {
                let address = addresses.remove(0);
                io.stdout(&format!("Address {number}: {address}{}\n", name_of(message)));
                self.next_name(addresses, number + 1, io)
            }
        }
    }

    fn old_failure(&mut self, io: &mut Io<'_>) -> Flow {
        io.stderr(&format!("nslookup: can't resolve '{}'\n", self.name));
        self.end(1, io)
    }

    fn next_candidate(&mut self, names: Vec<String>, io: &mut Io<'_>) -> Flow {
        let Some(name) = names.first().cloned() else { return self.old_failure(io) };
        self.stage = Stage::Candidates(names);
        self.ask(vec![(name, "A")], io)
    }

    fn found(&mut self, addresses: Vec<Ipv4Addr>, io: &mut Io<'_>) -> Flow {
        io.stdout(&format!("Name:      {}\n", self.name));
        self.next_name(addresses, 1, io)
    }

    fn next_name(&mut self, addresses: Vec<Ipv4Addr>, number: u32, io: &mut Io<'_>) -> Flow {
        let Some(address) = addresses.first().copied() else { return self.end(0, io) };
        self.stage = Stage::Names(addresses, number);
        self.ask(vec![(reverse(address), "PTR")], io)
    }
}

fn record_words(record: &DnsRecord) -> String {
    match record {
        DnsRecord::A { name, address, .. } => {
            format!("Name:\t{}\nAddress: {address}\n", bare(name))
        }
        DnsRecord::Cname { name, target, .. } => {
            format!("{}\tcanonical name = {}\n", bare(name), bare(target))
        }
        DnsRecord::Srv { name, priority, weight, port, target, .. } => {
            format!("{}\tservice = {priority} {weight} {port} {}\n", bare(name), bare(target))
        }
        DnsRecord::Ptr { name, target, .. } => {
            format!("{}\tname = {}\n", bare(name), bare(target))
        }
    }
}

impl Process for Nslookup {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        match event {
            ProcessEvent::Started => self.begin(io),
            ProcessEvent::Timer if io.now >= self.deadline => self.timed_out(io),
            ProcessEvent::Signal(signal) => self.end(signal.exit_code(), io),
            ProcessEvent::Socket(id, event) if Some(id) == self.socket => match event {
                SocketEvent::Datagram { payload: Payload::Dns(message), .. }
                    if message.is_response =>
                {
                    self.answer(&message, io)
                }
                SocketEvent::Refused | SocketEvent::Unreachable => {
                    self.attempt = ATTEMPTS;
                    self.timed_out(io)
                }
                _ => Flow::Continue,
            },
            _ => Flow::Continue,
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.name);
        digest.u64(u64::from(self.attempt));
        digest.add(&self.deadline);
        digest.bool(self.header_printed);
        for question in &self.questions {
            digest.str(&question.name);
            digest.u64(u64::from(question.id));
            digest.bool(question.answered);
        }
    }
}
