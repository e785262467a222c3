//! What sockets do: calls of programs, segments and datagrams that arrive, timers.
//!
//! The states and their changes are those of RFC 9293; the times are Linux's. One message is one
//! segment, and sequences count messages.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};

use sim::{Duration, Time};

use crate::packet::{ECHO, ECHO_REPLY, UNREACHABLE};
use crate::sockets::{Connection, Kind, Segment, Socket, TcpState, Timer};
use crate::{
    Ipv4Packet, Machine, NamespaceId, Owner, Payload, Ready, SocketError, SocketEvent, SocketId,
    TcpFlags, Transport, TransportProtocol,
};

/// `tcp_syn_retries`, `tcp_synack_retries`, `tcp_retries2`.
const SYN_RETRIES: u32 = 6;
const SYN_ACK_RETRIES: u32 = 5;
const DATA_RETRIES: u32 = 15;
/// The first waits before something is sent again, and the longest.
const SYN_TIMEOUT: Duration = Duration::from_secs(1);
const DATA_TIMEOUT: Duration = Duration::from_millis(200);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(120);
/// `tcp_fin_timeout`: how long a closed connection waits for the other side's end.
const FIN_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a confirmation waits for a segment that can carry it.
const DELAYED_ACK: Duration = Duration::from_millis(40);
/// The same where the other side can do nothing before it comes.
const HANDSHAKE_ACK: Duration = Duration::from_millis(1);
/// `somaxconn`, as most servers ask for: connections that may wait to be accepted.
const BACKLOG: u32 = 4096;
/// How many messages may be under way on one connection.
const SEND_BUFFER: usize = 4096;

const ACK: TcpFlags = TcpFlags { syn: false, ack: true, fin: false, rst: false };

impl Machine {
    /// Listens; see [`crate::Sockets::listen`].
    ///
    /// # Errors
    /// The port is taken.
    pub fn listen(
        &mut self,
        namespace: NamespaceId,
        owner: Owner,
        protocol: TransportProtocol,
        (address, port): (Option<Ipv4Addr>, u16),
    ) -> Result<SocketId, SocketError> {
        self.history.note(4, owner.0 << 16 | u64::from(port));
        let known = self.namespace(namespace).ok_or(SocketError::AddressNotAvailable)?;
        let address = address.filter(|address| !address.is_unspecified());
        if address.is_some_and(|address| !known.is_local(address)) {
            return Err(SocketError::AddressNotAvailable);
        }
        if self.sockets.is_full() {
            return Err(SocketError::TooManyOpenFiles);
        }
        let port = match port {
            0 => self
                .free_port(namespace, |machine, port| {
                    machine.sockets.is_free(namespace, protocol, (address, port))
                })
                .ok_or(SocketError::AddressInUse)?,
            port => port,
        };
        let local = (address, port);
        if !self.sockets.is_free(namespace, protocol, local) {
            return Err(SocketError::AddressInUse);
        }
        let kind = match protocol {
            TransportProtocol::Tcp => Kind::Listener { local, waiting: 0 },
            TransportProtocol::Udp => Kind::Datagram { local },
        };
        Ok(self.sockets.insert(Socket { namespace, owner, kind }))
    }

    fn free_port(
        &mut self,
        namespace: NamespaceId,
        is_free: impl Fn(&Machine, u16) -> bool,
    ) -> Option<u16> {
        let all = crate::sockets::LAST_EPHEMERAL_PORT - crate::sockets::FIRST_EPHEMERAL_PORT;
        for _ in 0..=all {
            let port = self.namespace_mut(namespace)?.take_port();
            if is_free(self, port) {
                return Some(port);
            }
        }
        None
    }

    /// Begins to connect; see [`crate::Sockets::connect`].
    ///
    /// # Errors
    /// There is no route or no free port.
    pub fn connect(
        &mut self,
        namespace: NamespaceId,
        owner: Owner,
        to: SocketAddrV4,
        now: Time,
    ) -> Result<SocketId, SocketError> {
        self.history.note(5, owner.0);
        self.history.note(u64::from(u32::from(*to.ip())), u64::from(to.port()));
        let known = self.namespace(namespace).ok_or(SocketError::NetworkUnreachable)?;
        // Linux connects 0.0.0.0 to the machine itself.
        let to = if to.ip().is_unspecified() {
            SocketAddrV4::new(Ipv4Addr::LOCALHOST, to.port())
        } else {
            to
        };
        let hop = known.route(*to.ip()).ok_or(SocketError::NetworkUnreachable)?;
        let source = if to.ip().is_loopback() { Ipv4Addr::LOCALHOST } else { hop.source };
        if self.sockets.is_full() {
            return Err(SocketError::TooManyOpenFiles);
        }
        let free = |machine: &Machine, port| {
            machine.sockets.may_connect(namespace, SocketAddrV4::new(source, port), to, now)
        };
        let port = self.free_port(namespace, free).ok_or(SocketError::AddressNotAvailable)?;
        let local = SocketAddrV4::new(source, port);
        let connection = Connection::new(local, to, TcpState::SynSent);
        let kind = Kind::Connection(connection);
        let id = self.sockets.insert(Socket { namespace, owner, kind });
        self.send_segment(id, (true, false), Payload::Empty, now);
        Ok(id)
    }

    /// Sends over a connection.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn send(
        &mut self,
        socket: SocketId,
        payload: Payload,
        now: Time,
    ) -> Result<(), SocketError> {
        self.history.note(6, socket.0);
        self.history.digest_of(&payload);
        let connection = self.sockets.connection(socket).ok_or(SocketError::BrokenPipe)?;
        let open = matches!(connection.state, TcpState::Established | TcpState::CloseWait);
        if !open || connection.shut {
            return Err(SocketError::BrokenPipe);
        }
        if connection.unconfirmed.len() >= SEND_BUFFER {
            return Err(SocketError::NoBufferSpace);
        }
        if !payload.is_empty() {
            self.send_segment(socket, (false, false), payload, now);
        }
        Ok(())
    }

    /// Sends a datagram.
    ///
    /// # Errors
    /// There is no route.
    pub fn send_to(
        &mut self,
        socket: SocketId,
        to: SocketAddrV4,
        payload: Payload,
        now: Time,
    ) -> Result<(), SocketError> {
        self.history.note(7, socket.0);
        self.history.digest_of(&payload);
        let Some(Socket { namespace, kind: Kind::Datagram { local, .. }, .. }) =
            self.sockets.get(socket)
        else {
            return Err(SocketError::BrokenPipe);
        };
        let (namespace, (address, port)) = (*namespace, *local);
        let route = self.namespace(namespace).and_then(|known| known.route(*to.ip()));
        let hop = route.ok_or(SocketError::NetworkUnreachable)?;
        let source = match address {
            Some(address) => address,
            None if to.ip().is_loopback() => Ipv4Addr::LOCALHOST,
            None => hop.source,
        };
        let transport = Transport::Udp { source: port, destination: to.port() };
        let packet = self.new_packet(SocketAddrV4::new(source, port), to, transport, payload);
        self.send_packet(namespace, packet, now);
        Ok(())
    }

    /// Opens a socket for ICMP echoes, as `ping` does.
    ///
    /// # Errors
    /// There are too many.
    pub fn open_echo(
        &mut self,
        namespace: NamespaceId,
        owner: Owner,
    ) -> Result<SocketId, SocketError> {
        self.history.note(8, owner.0);
        if self.sockets.is_full() {
            return Err(SocketError::TooManyOpenFiles);
        }
        let free = |machine: &Machine, identifier| {
            machine.sockets.find_echo(namespace, identifier).is_none()
        };
        let identifier = self.free_port(namespace, free);
        let identifier = identifier.ok_or(SocketError::AddressNotAvailable)?;
        Ok(self.sockets.insert(Socket { namespace, owner, kind: Kind::Echo { identifier } }))
    }

    /// Sends an echo request; [`SocketEvent::Icmp`] tells what comes back.
    ///
    /// # Errors
    /// There is no route.
    pub fn send_echo(
        &mut self,
        socket: SocketId,
        to: Ipv4Addr,
        (sequence, time_to_live): (u16, u8),
        now: Time,
    ) -> Result<(), SocketError> {
        self.history.note(9, socket.0 << 24 | u64::from(sequence) << 8 | u64::from(time_to_live));
        self.history.note(9, u64::from(u32::from(to)));
        let Some(Socket { namespace, kind: Kind::Echo { identifier }, .. }) =
            self.sockets.get(socket)
        else {
            return Err(SocketError::BrokenPipe);
        };
        let (namespace, identifier) = (*namespace, *identifier);
        let route = self.namespace(namespace).and_then(|known| known.route(to));
        let hop = route.ok_or(SocketError::NetworkUnreachable)?;
        let transport = Transport::Icmp { kind: ECHO, code: 0, identifier, sequence };
        let ends = (SocketAddrV4::new(hop.source, 0), SocketAddrV4::new(to, 0));
        let mut packet = self.new_packet(ends.0, ends.1, transport, Payload::Empty);
        packet.time_to_live = time_to_live;
        self.send_packet(namespace, packet, now);
        Ok(())
    }

    /// Ends the sending side of a connection; what the other side still says is received.
    pub fn shutdown(&mut self, socket: SocketId, now: Time) {
        self.history.note(12, socket.0);
        let Some(connection) = self.sockets.connection(socket) else { return };
        if !connection.shut {
            self.send_fin(socket, now);
        }
    }

    /// Closes a socket.
    pub fn close(&mut self, socket: SocketId, now: Time) {
        self.history.note(10, socket.0);
        self.close_quietly(socket, now);
    }

    fn close_quietly(&mut self, socket: SocketId, now: Time) {
        let unread = self.untell(|ready| ready.socket == socket);
        let Some(known) = self.sockets.get(socket) else { return };
        match &known.kind {
            Kind::Connection(connection) => match connection.state {
                TcpState::SynSent => {
                    self.sockets.remove(socket);
                }
                TcpState::SynReceived => self.abort(socket, now),
                _ if unread => self.abort(socket, now),
                _ => {
                    let shut = connection.shut;
                    self.sockets.disown(socket);
                    if let Some(connection) = self.sockets.connection(socket) {
                        connection.orphan = true;
                    }
                    if shut {
                        self.wait_for_end(socket, now);
                    } else {
                        self.send_fin(socket, now);
                    }
                }
            },
            Kind::Listener { .. } => {
                for waiting in self.sockets.waiting_at(socket) {
                    self.abort(waiting, now);
                }
                self.sockets.remove(socket);
            }
            Kind::Datagram { .. } | Kind::Echo { .. } => {
                self.sockets.remove(socket);
            }
        }
    }

    /// Closes everything of an owner, as the kernel does when a process ends.
    pub fn close_owner(&mut self, owner: Owner, now: Time) {
        self.history.note(13, owner.0);
        for socket in self.sockets.of_owner(owner) {
            self.close_quietly(socket, now);
        }
        self.untell(|ready| ready.owner == owner);
    }

    fn send_fin(&mut self, id: SocketId, now: Time) {
        let Some(connection) = self.sockets.connection(id) else { return };
        connection.state = match connection.state {
            TcpState::Established => TcpState::FinWait1,
            TcpState::CloseWait => TcpState::LastAck,
            _ => return,
        };
        connection.shut = true;
        self.send_segment(id, (false, true), Payload::Empty, now);
    }

    /// An orphan whose end is confirmed waits for the other side only so long.
    fn wait_for_end(&mut self, id: SocketId, now: Time) {
        let Some(connection) = self.sockets.connection(id) else { return };
        if connection.orphan && connection.state == TcpState::FinWait2 {
            self.sockets.set_timer(id, Timer::Retransmit, Some(now + FIN_TIMEOUT));
        }
    }

    /// Ends a connection with RST.
    fn abort(&mut self, id: SocketId, now: Time) {
        let Some(socket) = self.sockets.remove(id) else { return };
        let Kind::Connection(connection) = socket.kind else { return };
        self.no_longer_waiting(&connection);
        let flags = TcpFlags { rst: true, ack: true, ..TcpFlags::default() };
        let (sequence, confirmed) = (connection.send_next, connection.receive_next);
        let header = (flags, sequence, confirmed);
        self.send_tcp(
            socket.namespace,
            (connection.local, connection.remote),
            header,
            Payload::Empty,
            now,
        );
    }

    fn no_longer_waiting(&mut self, connection: &Connection) {
        let listener = connection.listener.and_then(|id| self.sockets.get_mut(id));
        if let Some(Socket { kind: Kind::Listener { waiting, .. }, .. }) = listener {
            *waiting = waiting.saturating_sub(1);
        }
    }

    fn send_tcp(
        &mut self,
        namespace: NamespaceId,
        (from, to): (SocketAddrV4, SocketAddrV4),
        (flags, sequence, acknowledgement): (TcpFlags, u32, u32),
        payload: Payload,
        now: Time,
    ) {
        let (source, destination) = (from.port(), to.port());
        let transport = Transport::Tcp { source, destination, flags, sequence, acknowledgement };
        let packet = self.new_packet(from, to, transport, payload);
        self.send_packet(namespace, packet, now);
    }

    /// Sends something new, which is kept until it is confirmed.
    fn send_segment(
        &mut self,
        id: SocketId,
        (syn, fin): (bool, bool),
        payload: Payload,
        now: Time,
    ) {
        let Some(connection) = self.sockets.connection(id) else { return };
        let segment = Segment { sequence: connection.send_next, syn, fin, payload };
        connection.send_next += 1;
        connection.unconfirmed.push_back(segment.clone());
        let timeout = connection.timeout();
        if connection.retransmit_at.is_none() {
            self.sockets.set_timer(id, Timer::Retransmit, Some(now + timeout));
        }
        self.transmit(id, segment, now);
    }

    fn transmit(&mut self, id: SocketId, segment: Segment, now: Time) {
        self.sockets.set_timer(id, Timer::Confirm, None);
        let Some(socket) = self.sockets.get(id) else { return };
        let Kind::Connection(connection) = &socket.kind else { return };
        let flags = TcpFlags {
            syn: segment.syn,
            fin: segment.fin,
            rst: false,
            ack: connection.state != TcpState::SynSent,
        };
        let header = (flags, segment.sequence, connection.receive_next);
        let ends = (connection.local, connection.remote);
        self.send_tcp(socket.namespace, ends, header, segment.payload, now);
    }

    /// Confirms what came.
    pub(crate) fn confirm(&mut self, id: SocketId, now: Time) {
        self.sockets.set_timer(id, Timer::Confirm, None);
        let Some(socket) = self.sockets.get(id) else { return };
        let Kind::Connection(connection) = &socket.kind else { return };
        let header = (ACK, connection.send_next, connection.receive_next);
        let ends = (connection.local, connection.remote);
        self.send_tcp(socket.namespace, ends, header, Payload::Empty, now);
    }

    /// Nothing confirmed what was sent: it is sent again, or given up.
    pub(crate) fn retransmit(&mut self, id: SocketId, now: Time) {
        self.sockets.set_timer(id, Timer::Retransmit, None);
        let Some(connection) = self.sockets.connection(id) else { return };
        if connection.unconfirmed.is_empty() {
            // The other side of a closed connection never ended it.
            self.sockets.remove(id);
            return;
        }
        connection.retries += 1;
        let most = match connection.state {
            TcpState::SynSent => SYN_RETRIES,
            TcpState::SynReceived => SYN_ACK_RETRIES,
            _ => DATA_RETRIES,
        };
        if connection.retries > most {
            return self.fail(id, SocketEvent::TimedOut);
        }
        let again: VecDeque<Segment> = connection.unconfirmed.clone();
        let at = now + connection.timeout();
        self.sockets.set_timer(id, Timer::Retransmit, Some(at));
        for segment in again {
            self.transmit(id, segment, now);
        }
    }

    /// A connection is over for a reason that its owner is told.
    fn fail(&mut self, id: SocketId, event: SocketEvent) {
        let Some(socket) = self.sockets.remove(id) else { return };
        let Kind::Connection(connection) = socket.kind else { return };
        self.no_longer_waiting(&connection);
        if !connection.orphan && connection.state != TcpState::SynReceived {
            self.tell(Ready { owner: socket.owner, socket: id, event });
        }
    }

    /// A packet reached its namespace: what sockets there make of it.
    pub(crate) fn socket_input(&mut self, namespace: NamespaceId, packet: Ipv4Packet, now: Time) {
        match packet.transport {
            Transport::Tcp { .. } => self.tcp_input(namespace, packet, now),
            Transport::Udp { .. } => self.udp_input(namespace, packet, now),
            Transport::Icmp { .. } => self.icmp_input(namespace, &packet, now),
        }
    }

    fn udp_input(&mut self, namespace: NamespaceId, packet: Ipv4Packet, now: Time) {
        let (local, from) = (packet.to(), packet.from());
        let id = self.sockets.find_listener(namespace, TransportProtocol::Udp, local);
        let Some((socket, owner)) = id.and_then(|id| Some((id, self.sockets.get(id)?.owner)))
        else {
            return self.icmp_error(namespace, &packet, (UNREACHABLE, 3), now);
        };
        let event = SocketEvent::Datagram { from, payload: packet.payload };
        self.tell(Ready { owner, socket, event });
    }

    fn icmp_input(&mut self, namespace: NamespaceId, packet: &Ipv4Packet, now: Time) {
        let Transport::Icmp { kind, code, identifier, sequence } = packet.transport else {
            return;
        };
        if kind == ECHO {
            let transport = Transport::Icmp { kind: ECHO_REPLY, code, identifier, sequence };
            let reply = self.new_packet(packet.to(), packet.from(), transport, Payload::Empty);
            return self.send_packet(namespace, reply, now);
        }
        let told = |sequence| SocketEvent::Icmp {
            from: packet.source,
            kind,
            code,
            time_to_live: packet.time_to_live,
            sequence,
        };
        if kind == ECHO_REPLY {
            return self.tell_echo(namespace, identifier, told(sequence));
        }
        let Some(about) = packet.encapsulated.as_ref().map(|frame| &frame.packet) else { return };
        let refused = (kind, code) == (UNREACHABLE, 3);
        let event = if refused { SocketEvent::Refused } else { SocketEvent::Unreachable };
        match about.transport {
            Transport::Icmp { identifier, sequence, .. } => {
                self.tell_echo(namespace, identifier, told(sequence));
            }
            // A connection that stands only takes note of such errors, and goes on trying.
            Transport::Tcp { .. } => {
                let ends = (about.from(), about.to());
                let id = self.sockets.find_connection(namespace, ends.0, ends.1);
                let connection = id.and_then(|id| Some((id, self.sockets.connection(id)?.state)));
                if let Some((id, TcpState::SynSent)) = connection
                    && kind == UNREACHABLE
                {
                    self.fail(id, event);
                }
            }
            Transport::Udp { .. } => {
                let local = about.from();
                let id = self.sockets.find_listener(namespace, TransportProtocol::Udp, local);
                if let Some(id) = id
                    && let Some(owner) = self.sockets.get(id).map(|socket| socket.owner)
                    && kind == UNREACHABLE
                {
                    self.tell(Ready { owner, socket: id, event });
                }
            }
        }
    }

    fn tell_echo(&mut self, namespace: NamespaceId, identifier: u16, event: SocketEvent) {
        let id = self.sockets.find_echo(namespace, identifier);
        if let Some(owner) = id.and_then(|id| self.sockets.get(id)).map(|socket| socket.owner)
            && let Some(socket) = id
        {
            self.tell(Ready { owner, socket, event });
        }
    }
}

/// What a segment says.
struct Arrived {
    flags: TcpFlags,
    sequence: u32,
    acknowledgement: u32,
    payload: Payload,
}

impl Machine {
    fn tcp_input(&mut self, namespace: NamespaceId, packet: Ipv4Packet, now: Time) {
        let (local, remote) = (packet.to(), packet.from());
        let Transport::Tcp { flags, sequence, acknowledgement, .. } = packet.transport else {
            return;
        };
        let arrived = Arrived { flags, sequence, acknowledgement, payload: packet.payload };
        if let Some(id) = self.sockets.find_connection(namespace, local, remote) {
            return self.segment(id, arrived, now);
        }
        let opens = flags.syn && !flags.ack && !flags.rst;
        let listener = self.sockets.find_listener(namespace, TransportProtocol::Tcp, local);
        if let Some(listener) = listener.filter(|_| opens) {
            return self.accept(listener, (local, remote), now);
        }
        if flags.rst {
            return;
        }
        if let Some(rests) = self.sockets.time_wait(namespace, local, remote, now) {
            // The last confirmation was lost.
            if flags.fin {
                let header = (ACK, rests.send_next, rests.receive_next);
                self.send_tcp(namespace, (local, remote), header, Payload::Empty, now);
            }
            return;
        }
        let carried =
            u32::from(flags.syn) + u32::from(flags.fin) + u32::from(!arrived.payload.is_empty());
        let header = if flags.ack {
            (TcpFlags { rst: true, ..TcpFlags::default() }, acknowledgement, 0)
        } else {
            (TcpFlags { rst: true, ..ACK }, 0, sequence + carried)
        };
        self.send_tcp(namespace, (local, remote), header, Payload::Empty, now);
    }

    /// A SYN for a listener.
    fn accept(
        &mut self,
        listener: SocketId,
        (local, remote): (SocketAddrV4, SocketAddrV4),
        now: Time,
    ) {
        if self.sockets.is_full() {
            return;
        }
        let Some(socket) = self.sockets.get_mut(listener) else { return };
        let (namespace, owner) = (socket.namespace, socket.owner);
        let Kind::Listener { waiting, .. } = &mut socket.kind else { return };
        // A full queue says nothing: the other side tries again.
        if *waiting >= BACKLOG {
            return;
        }
        *waiting += 1;
        let mut connection = Connection::new(local, remote, TcpState::SynReceived);
        connection.receive_next = 1;
        connection.listener = Some(listener);
        let kind = Kind::Connection(connection);
        let id = self.sockets.insert(Socket { namespace, owner, kind });
        self.send_segment(id, (true, false), Payload::Empty, now);
    }

    fn segment(&mut self, id: SocketId, arrived: Arrived, now: Time) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let owner = socket.owner;
        let Kind::Connection(connection) = &mut socket.kind else { return };
        let flags = arrived.flags;
        match connection.state {
            TcpState::SynSent => {
                if !flags.ack || arrived.acknowledgement != connection.send_next {
                    return;
                }
                if flags.rst {
                    return self.fail(id, SocketEvent::Refused);
                }
                if flags.syn {
                    connection.state = TcpState::Established;
                    connection.receive_next = arrived.sequence + 1;
                    self.confirmed(id, arrived.acknowledgement, now);
                    self.confirm_within(id, HANDSHAKE_ACK, now);
                    self.tell(Ready { owner, socket: id, event: SocketEvent::Connected });
                }
                return;
            }
            _ if flags.rst => return self.fail(id, SocketEvent::Reset),
            TcpState::SynReceived
                if flags.ack && arrived.acknowledgement == connection.send_next =>
            {
                connection.state = TcpState::Established;
                let peer = connection.remote;
                let ended = connection.clone();
                self.no_longer_waiting(&ended);
                let listener = ended.listener.unwrap_or(id);
                if let Some(connection) = self.sockets.connection(id) {
                    connection.listener = None;
                }
                let event = SocketEvent::Accepted { connection: id, peer };
                self.tell(Ready { owner, socket: listener, event });
            }
            TcpState::SynReceived => return,
            // The confirmation of the handshake was lost.
            _ if flags.syn => return self.confirm(id, now),
            _ => {}
        }
        if flags.ack {
            self.confirmed(id, arrived.acknowledgement, now);
        }
        self.contents(id, owner, arrived, now);
    }

    /// The other side has everything before `acknowledgement`.
    fn confirmed(&mut self, id: SocketId, acknowledgement: u32, now: Time) {
        let Some(connection) = self.sockets.connection(id) else { return };
        let before = connection.unconfirmed.len();
        let mut fin = false;
        while let Some(first) = connection.unconfirmed.front()
            && first.sequence < acknowledgement
        {
            fin |= first.fin;
            connection.unconfirmed.pop_front();
        }
        if connection.unconfirmed.len() == before {
            return;
        }
        connection.retries = 0;
        let again = (!connection.unconfirmed.is_empty()).then(|| now + connection.timeout());
        self.sockets.set_timer(id, Timer::Retransmit, again);
        if fin {
            self.end_confirmed(id, now);
        }
    }

    fn end_confirmed(&mut self, id: SocketId, now: Time) {
        let Some(connection) = self.sockets.connection(id) else { return };
        match connection.state {
            TcpState::FinWait1 => {
                connection.state = TcpState::FinWait2;
                self.wait_for_end(id, now);
            }
            TcpState::Closing => self.sockets.rest(id, now),
            TcpState::LastAck => {
                self.sockets.remove(id);
            }
            _ => {}
        }
    }

    /// The message and the end that a segment carries.
    fn contents(&mut self, id: SocketId, owner: Owner, arrived: Arrived, now: Time) {
        let Some(connection) = self.sockets.connection(id) else { return };
        let Arrived { flags, sequence, payload, .. } = arrived;
        if payload.is_empty() && !flags.fin {
            return;
        }
        // Something was lost or came twice: say what is expected.
        if sequence != connection.receive_next {
            return self.confirm(id, now);
        }
        if !payload.is_empty() {
            if connection.orphan {
                return self.abort(id, now);
            }
            connection.receive_next += 1;
            self.confirm_within(id, DELAYED_ACK, now);
            self.tell(Ready { owner, socket: id, event: SocketEvent::Received(payload) });
        }
        if flags.fin {
            self.ended(id, owner, now);
        }
    }

    /// The other side has nothing more to say.
    fn ended(&mut self, id: SocketId, owner: Owner, now: Time) {
        let Some(connection) = self.sockets.connection(id) else { return };
        connection.receive_next += 1;
        let told = !connection.orphan;
        match connection.state {
            TcpState::Established => {
                connection.state = TcpState::CloseWait;
                self.confirm_within(id, HANDSHAKE_ACK, now);
            }
            TcpState::FinWait1 => {
                connection.state = TcpState::Closing;
                self.confirm(id, now);
            }
            TcpState::FinWait2 => {
                self.confirm(id, now);
                self.sockets.rest(id, now);
            }
            _ => return,
        }
        if told {
            self.tell(Ready { owner, socket: id, event: SocketEvent::Closed });
        }
    }

    fn confirm_within(&mut self, id: SocketId, span: Duration, now: Time) {
        let Some(connection) = self.sockets.connection(id) else { return };
        let at = connection.confirm_at.map_or(now + span, |at| at.min(now + span));
        self.sockets.set_timer(id, Timer::Confirm, Some(at));
    }
}

impl Connection {
    fn new(local: SocketAddrV4, remote: SocketAddrV4, state: TcpState) -> Self {
        Connection {
            local,
            remote,
            state,
            send_next: 0,
            receive_next: 0,
            unconfirmed: VecDeque::new(),
            retries: 0,
            retransmit_at: None,
            confirm_at: None,
            listener: None,
            orphan: false,
            shut: false,
        }
    }

    /// How long to wait before what is not confirmed is sent again.
    fn timeout(&self) -> Duration {
        let first = match self.state {
            TcpState::SynSent | TcpState::SynReceived => SYN_TIMEOUT,
            _ => DATA_TIMEOUT,
        };
        (first * (1 << self.retries.min(16))).min(LONGEST_TIMEOUT)
    }
}
