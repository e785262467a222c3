//! What programs see of the network: sockets.

use std::net::{Ipv4Addr, SocketAddrV4};

use sim::Time;

use crate::{Machine, Payload};

/// A network namespace of a machine; the machine's own is [`NamespaceId::HOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamespaceId(pub u64);

impl NamespaceId {
    /// The machine's own namespace.
    pub const HOST: NamespaceId = NamespaceId(0);
}

/// A socket of a machine. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketId(pub u64);

/// Who is told what happens to a socket: a number that the owner chose for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner(pub u64);

/// TCP or UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransportProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// Why a call on a socket failed at once, in errno's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketError {
    /// `address already in use`
    AddressInUse,
    /// `network is unreachable`
    NetworkUnreachable,
    /// `broken pipe`: the connection is gone.
    BrokenPipe,
    /// `cannot assign requested address`
    AddressNotAvailable,
    /// `no buffer space available`: too much is under way.
    NoBufferSpace,
    /// `too many open files`
    TooManyOpenFiles,
}

/// What happens to a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketEvent {
    /// A listener has a new connection; it belongs to the listener's owner.
    Accepted {
        /// The new connection.
        connection: SocketId,
        /// Who connects, as seen here.
        peer: SocketAddrV4,
    },
    /// The connection stands.
    Connected,
    /// `connection refused`
    Refused,
    /// `no route to host` or another ICMP error.
    Unreachable,
    /// `connection timed out`
    TimedOut,
    /// A message came.
    Received(Payload),
    /// A datagram came.
    Datagram {
        /// From where.
        from: SocketAddrV4,
        /// What.
        payload: Payload,
    },
    /// The other side has nothing more to say.
    Closed,
    /// `connection reset by peer`
    Reset,
    /// Something came back for an echo.
    Icmp {
        /// Who answers.
        from: Ipv4Addr,
        /// 0 echo reply, 3 unreachable, 11 time exceeded.
        kind: u8,
        /// For 3: 0 net, 1 host, 3 port, 13 prohibited.
        code: u8,
        /// How many routers the answer might still have passed.
        time_to_live: u8,
        /// Which of the echoes.
        sequence: u16,
    },
}

/// An event for an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Whose.
    pub owner: Owner,
    /// The socket; for `Accepted`, the listener.
    pub socket: SocketId,
    /// What happened.
    pub event: SocketEvent,
}

/// The network as one program sees it: its machine, its namespace and itself.
#[derive(Debug)]
pub struct Sockets<'a> {
    /// The machine that the program runs on.
    pub machine: &'a mut Machine,
    /// The program's network namespace.
    pub namespace: NamespaceId,
    /// Who is told what happens.
    pub owner: Owner,
    /// The instant.
    pub now: Time,
}

impl Sockets<'_> {
    /// The namespace's own address: `eth0` of a pod, the machine's on the host.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.machine.address_of(self.namespace)
    }

    /// Listens at a port, on all addresses unless one is given.
    ///
    /// # Errors
    /// The port is taken.
    pub fn listen(
        &mut self,
        protocol: TransportProtocol,
        address: Option<Ipv4Addr>,
        port: u16,
    ) -> Result<SocketId, SocketError> {
        self.machine.listen(self.namespace, self.owner, protocol, (address, port))
    }

    /// Begins to connect; `Connected`, `Refused`, `Unreachable` or `TimedOut` follows.
    ///
    /// # Errors
    /// There is no route or no free port.
    pub fn connect(&mut self, to: SocketAddrV4) -> Result<SocketId, SocketError> {
        self.machine.connect(self.namespace, self.owner, to, self.now)
    }

    /// Sends a message over a connection.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn send(&mut self, socket: SocketId, payload: Payload) -> Result<(), SocketError> {
        self.machine.send(socket, payload, self.now)
    }

    /// Sends a datagram; `socket` was made by [`Sockets::listen`] with UDP, where port 0 takes
    /// any free one.
    ///
    /// # Errors
    /// There is no route.
    pub fn send_to(
        &mut self,
        socket: SocketId,
        to: SocketAddrV4,
        payload: Payload,
    ) -> Result<(), SocketError> {
        self.machine.send_to(socket, to, payload, self.now)
    }

    /// Opens a socket for ICMP echoes.
    ///
    /// # Errors
    /// There are too many sockets.
    pub fn open_echo(&mut self) -> Result<SocketId, SocketError> {
        self.machine.open_echo(self.namespace, self.owner)
    }

    /// Sends an echo request with its number and its time to live.
    ///
    /// # Errors
    /// There is no route.
    pub fn send_echo(
        &mut self,
        socket: SocketId,
        to: Ipv4Addr,
        sequence: u16,
        time_to_live: u8,
    ) -> Result<(), SocketError> {
        self.machine.send_echo(socket, to, (sequence, time_to_live), self.now)
    }

    /// Says that nothing more will be sent over a connection; it still receives.
    pub fn shutdown(&mut self, socket: SocketId) {
        self.machine.shutdown(socket, self.now);
    }

    /// Closes a socket: a listener listens no longer, a connection ends in order.
    pub fn close(&mut self, socket: SocketId) {
        self.machine.close(socket, self.now);
    }
}
