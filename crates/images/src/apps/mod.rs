//! Programs of well-known images, most of them small servers: what they listen at, what they
//! answer and what they say.

use std::collections::BTreeMap;
use std::sync::Arc;

use network::{HttpRequest, Payload};
use runtime::{Environment, Io, Process, Signal};
use sim::{Digest, Duration, Time};

use crate::catalogue::ImageDefinition;
use crate::net::{Arrived, Host, Reply, Service, Step, StepFailure, Tidy, text};
use crate::tags::Tags;

pub(crate) mod agnhost;
pub(crate) mod base;
pub(crate) mod boutique;
pub(crate) mod database;
pub(crate) mod redis;
pub(crate) mod stress;
pub(crate) mod voting;
pub(crate) mod web;

/// What an image is unless it says otherwise.
pub(crate) const PLAIN: ImageDefinition = ImageDefinition {
    repository: "",
    tags: Tags::Any,
    sizes: &[("", 20_000_000)],
    entrypoint: &[],
    command: &[],
    variables: &[],
    stop_signal: Signal::Term,
    user: 0,
    has_userland: true,
    program: |_, _| None,
    by_tag: &[],
    files: &[],
};

/// What a site keeps while it runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) started: Time,
    pub(crate) values: BTreeMap<String, String>,
    /// How many requests it has taken.
    pub(crate) served: u64,
}

/// A server that needs no more than functions: where it listens, what it says at its start, and
/// what it answers.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) ports: fn(&mut Io<'_>) -> Result<Vec<u16>, i32>,
    pub(crate) answer: fn(&mut State, &Asked<'_>, &mut Io<'_>) -> Reply,
    pub(crate) failed: fn(&Step, &StepFailure, &mut Io<'_>) -> Option<Payload>,
    pub(crate) answered: fn(&str) -> Option<Payload>,
    pub(crate) tidy: Tidy,
    pub(crate) state: State,
}

/// A request with where it came from.
pub(crate) struct Asked<'a> {
    pub(crate) arrived: &'a Arrived,
    pub(crate) request: &'a Arc<HttpRequest>,
    /// Without the query.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
}

impl Asked<'_> {
    /// A value of the query.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| decode(value)).next_back()
    }
}

/// `%20` and `+` as they are meant.
fn decode(text: &str) -> String {
    let text = text.replace('+', " ");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let code = (*first == b'%').then(|| after.get(..2)).flatten();
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A site that listens at no port and answers nothing: what others are made from.
pub(crate) const SITE: Site = Site {
    name: "",
    ports: |_| Ok(Vec::new()),
    answer: |_, _, _| Reply::Send(text(404, "404 page not found\n")),
    failed: |_, _, _| Some(text(502, "Bad Gateway\n")),
    answered: |_| None,
    tidy: Tidy { drain: Duration::from_millis(5), code: 0 },
    state: State { started: Time::ZERO, values: BTreeMap::new(), served: 0 },
};

/// The value of a flag: `--name=value`, `--name value`, `-name=value`.
pub(crate) fn flag<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    let mut words = environment.argv.iter();
    while let Some(word) = words.next() {
        let Some(rest) = word.strip_prefix('-') else { continue };
        let Some(rest) = rest.trim_start_matches('-').strip_prefix(name) else { continue };
        if let Some(value) = rest.strip_prefix('=') {
            return Some(value);
        }
        if rest.is_empty() {
            return words.next().map(String::as_str);
        }
    }
    None
}

/// The port at the end of `:5678` or `5678`.
pub(crate) fn port_of(address: &str) -> Option<u16> {
    address.rsplit(':').next()?.parse().ok()
}

/// The port that a variable names, or else another.
pub(crate) fn port_from(environment: &Environment, name: &str, default: u16) -> u16 {
    environment.variables.get(name).and_then(|port| port.parse().ok()).unwrap_or(default)
}

/// Starts a site.
pub(crate) fn start(site: &Site) -> Option<Box<dyn Process>> {
    Some(Host::start(site.clone()))
}

/// The time as Go's `log` package prints it.
pub(crate) fn log_time(io: &Io<'_>) -> String {
    io.clock.timestamp(io.now).strftime("%Y/%m/%d %H:%M:%S").to_string()
}

impl Service for Site {
    fn begin(&mut self, io: &mut Io<'_>) -> Result<Vec<u16>, i32> {
        self.state.started = io.now;
        (self.ports)(io)
    }

    fn serve(&mut self, arrived: &Arrived, io: &mut Io<'_>) -> Reply {
        let Payload::HttpRequest(request) = &arrived.payload else { return Reply::Silence };
        self.state.served += 1;
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let path = path.split('#').next().unwrap_or_default();
        (self.answer)(&mut self.state, &Asked { arrived, request, path, query }, io)
    }

    fn failed(&mut self, step: &Step, failure: &StepFailure, io: &mut Io<'_>) -> Option<Payload> {
        (self.failed)(step, failure, io)
    }

    fn answered(&mut self, _step: &Step, answer: Payload, _io: &mut Io<'_>) -> Payload {
        let changed = match &answer {
            Payload::HttpResponse(response) => (self.answered)(&response.body),
            Payload::Bytes(bytes) => (self.answered)(&String::from_utf8_lossy(bytes)),
            _ => None,
        };
        changed.unwrap_or(answer)
    }

    fn signalled(&mut self, signal: Signal, _io: &mut Io<'_>) -> Option<Tidy> {
        matches!(signal, Signal::Term | Signal::Int | Signal::Quit).then_some(self.tidy)
    }

    fn clone_service(&self) -> Box<dyn Service> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str(self.name);
        digest.add(&self.state.started);
        digest.add(&self.state.values);
        digest.u64(self.state.served);
    }
}
