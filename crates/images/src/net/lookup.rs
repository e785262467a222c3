//! From a name to addresses, by the resolver that all programs share.

use std::net::Ipv4Addr;
use std::sync::Arc;

use network::{DnsMessage, DnsQuestion, Payload};
use runtime::{Io, ProcessEvent, ResolveError, Resolved, Resolver};
use sim::{Digest, Digestible, Time};

/// A name on its way to become addresses.
#[derive(Clone, Debug)]
pub(crate) struct Lookup(Resolver);

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

/// What a lookup comes to.
pub(crate) type LookupResult = Result<Vec<Ipv4Addr>, ResolveError>;

fn result(resolved: Resolved) -> Option<LookupResult> {
    match resolved {
        Resolved::Pending => None,
        Resolved::Addresses(addresses) => Some(Ok(addresses)),
        Resolved::Failed(error) => Some(Err(error)),
    }
}

impl Lookup {
    /// Begins; what is known without a name server comes at once.
    pub(crate) fn begin(name: &str, io: &mut Io<'_>) -> Result<LookupResult, Box<Lookup>> {
        let (resolver, resolved) = Resolver::start(name, io);
        result(resolved).ok_or_else(|| Box::new(Lookup(resolver)))
    }

    /// When it has to be polled with a timer.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.0.wakes_at()
    }

    /// Takes an event. The result comes once.
    pub(crate) fn poll(&mut self, event: &ProcessEvent, io: &mut Io<'_>) -> Option<LookupResult> {
        result(self.0.on(event, io)?)
    }

    /// Gives up.
    pub(crate) fn cancel(&mut self, io: &mut Io<'_>) {
        self.0.cancel(io);
    }
}

impl Digestible for Lookup {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.0);
    }
}
