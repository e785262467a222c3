//! `ping`, as BusyBox has it. Upstream: busybox, networking/ping.c.

use runtime::{Flow, Io, Process, ProcessEvent};
use sim::{Digest, Time};

use super::{Options, fail};
use crate::net::Lookup;

#[derive(Clone, Debug)]
struct Ping {
    host: String,
    lookup: Option<Box<Lookup>>,
    until: Time,
}

/// The program of `ping ARGS`.
pub(super) fn ping(args: &[String]) -> Box<dyn Process> {
    let options = Options::parse(args, "cwWsiIt", &[]);
    let host = options.operands.first().cloned().unwrap_or_default();
    Box::new(Ping { host, lookup: None, until: Time::ZERO })
}

impl Ping {
    fn resolved(&self, io: &mut Io<'_>) -> Flow {
        fail("ping: permission denied (are you root?)", 1, io)
    }
}

impl Process for Ping {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        if event == ProcessEvent::Started {
            return match Lookup::begin(&self.host, io) {
                Ok(_) => self.resolved(io),
                Err(lookup) => {
                    self.until = lookup.next_wake();
                    self.lookup = Some(lookup);
                    Flow::WaitUntil(self.until)
                }
            };
        }
        let Some(lookup) = &mut self.lookup else { return Flow::Continue };
        match lookup.poll(&event, io) {
            None => Flow::WaitUntil(lookup.next_wake()),
            Some(Ok(_)) => self.resolved(io),
            Some(Err(_)) => fail(&format!("ping: bad address '{}'", self.host), 1, io),
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
