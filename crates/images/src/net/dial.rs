//! From a host's name to a connection.

use std::net::{Ipv4Addr, SocketAddrV4};

use network::{SocketEvent, SocketId};
use runtime::{Io, ProcessEvent, ResolveError};
use sim::{Digest, Digestible, Time};

use super::lookup::Lookup;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DialError {
    /// The name has no address.
    Name(ResolveError),
    /// Nobody listens there.
    Refused(SocketAddrV4),
    /// There is no way there.
    Unreachable(SocketAddrV4),
    /// Nothing came back.
    TimedOut(SocketAddrV4),
}

/// A connection on its way.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    port: u16,
    lookup: Option<Box<Lookup>>,
    addresses: Vec<Ipv4Addr>,
    place: usize,
    socket: Option<SocketId>,
    failure: Option<(DialError, Time)>,
}

impl Dial {
    /// Begins to resolve and to connect.
    pub(crate) fn begin(host: &str, port: u16, io: &mut Io<'_>) -> Dial {
        let mut dial = Dial {
            port,
            lookup: None,
            addresses: Vec::new(),
            place: 0,
            socket: None,
            failure: None,
        };
        match Lookup::begin(host, io) {
            Ok(Ok(addresses)) => {
                dial.addresses = addresses;
                dial.connect(io);
            }
            // The poll that follows at once says so.
            Ok(Err(error)) => dial.failure = Some((DialError::Name(error), io.now)),
            Err(lookup) => dial.lookup = Some(lookup),
        }
        dial
    }

    fn peer(&self) -> SocketAddrV4 {
        let address = self.addresses.get(self.place).copied();
        SocketAddrV4::new(address.unwrap_or(Ipv4Addr::UNSPECIFIED), self.port)
    }

    /// Where it connects to, as soon as that is known.
    pub(crate) fn target(&self) -> Option<SocketAddrV4> {
        (!self.addresses.is_empty()).then(|| self.peer())
    }

    fn connect(&mut self, io: &mut Io<'_>) {
        match io.network.connect(self.peer()) {
            Ok(socket) => self.socket = Some(socket),
            // The poll that follows at once says so.
            Err(_) => self.failure = Some((DialError::Unreachable(self.peer()), io.now)),
        }
    }

    /// When it has to be polled with a timer.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        let failed = self.failure.as_ref().map(|(_, time)| *time);
        failed.or(self.lookup.as_ref().and_then(|lookup| lookup.next_wake()))
    }

    /// Takes an event. The result comes once.
    pub(crate) fn poll(
        &mut self,
        event: &ProcessEvent,
        io: &mut Io<'_>,
    ) -> Option<Result<(SocketId, SocketAddrV4), DialError>> {
        if let Some((failure, _)) = self.failure.take() {
            return self.fail(failure, io);
        }
        if let Some(lookup) = &mut self.lookup {
            match lookup.poll(event, io)? {
                Ok(addresses) => {
                    self.lookup = None;
                    self.addresses = addresses;
                    self.connect(io);
                    let (failure, _) = self.failure.take()?;
                    return self.fail(failure, io);
                }
                Err(error) => return Some(Err(DialError::Name(error))),
            }
        }
        let ProcessEvent::Socket(id, event) = event else { return None };
        let socket = self.socket.filter(|socket| socket == id)?;
        match event {
            SocketEvent::Connected => {
                self.socket = None;
                Some(Ok((socket, self.peer())))
            }
            SocketEvent::Refused | SocketEvent::Reset | SocketEvent::Closed => {
                self.fail(DialError::Refused(self.peer()), io)
            }
            SocketEvent::Unreachable => self.fail(DialError::Unreachable(self.peer()), io),
            SocketEvent::TimedOut => self.fail(DialError::TimedOut(self.peer()), io),
            _ => None,
        }
    }

    /// Tries the next address, or fails with the last one's failure.
    fn fail(
        &mut self,
        failure: DialError,
        io: &mut Io<'_>,
    ) -> Option<Result<(SocketId, SocketAddrV4), DialError>> {
        self.cancel(io);
        if self.place + 1 < self.addresses.len() {
            self.place += 1;
            self.connect(io);
            return None;
        }
        Some(Err(failure))
    }

    /// Gives up.
    pub(crate) fn cancel(&mut self, io: &mut Io<'_>) {
        if let Some(lookup) = &mut self.lookup {
            lookup.cancel(io);
        }
        if let Some(socket) = self.socket.take() {
            io.network.close(socket);
        }
    }
}

impl Digestible for Dial {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(u64::from(self.port));
        if let Some(lookup) = &self.lookup {
            digest.add(&**lookup);
        }
        digest.u64(self.place as u64);
        for address in &self.addresses {
            digest.u64(u64::from(u32::from(*address)));
        }
        digest.u64(self.socket.map_or(0, |socket| socket.0));
        digest.add(&self.next_wake());
    }
}
