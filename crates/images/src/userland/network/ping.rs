//! `ping`, as BusyBox has it. Upstream: busybox, networking/ping.c.

use runtime::{Flow, Io, Process, ProcessEvent};
use sim::Digest;

use super::{Options, fail};
use crate::net::Lookup;

#[derive(Clone, Debug)]
struct Ping {
    host: String,
    lookup: Option<Box<Lookup>>,
}

/// The program of `ping ARGS`.
pub(super) fn ping(args: &[String]) -> Box<dyn Process> {
    let options = Options::parse(args, "cwWsiIt", &[]);
    let host = options.operands.first().cloned().unwrap_or_default();
    Box::new(Ping { host, lookup: None })
}

impl Ping {
    fn unknown(&self, io: &mut Io<'_>) -> Flow {
        fail(&format!("ping: bad address '{}'", self.host), 1, io)
    }

    fn resolved(&self, io: &mut Io<'_>) -> Flow {
        fail("ping: permission denied (are you root?)", 1, io)
    }
}

impl Process for Ping {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        if event == ProcessEvent::Started {
            return match Lookup::begin(&self.host, io) {
                Ok(Ok(_)) => self.resolved(io),
                Ok(Err(_)) => self.unknown(io),
                Err(lookup) => {
                    let wake = lookup.next_wake();
                    self.lookup = Some(lookup);
                    wake.map_or(Flow::Continue, Flow::WaitUntil)
                }
            };
        }
        let Some(lookup) = &mut self.lookup else { return Flow::Continue };
        match lookup.poll(&event, io) {
            None => lookup.next_wake().map_or(Flow::Continue, Flow::WaitUntil),
            Some(Ok(_)) => self.resolved(io),
            Some(Err(_)) => self.unknown(io),
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
    }
}
