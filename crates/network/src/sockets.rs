//! The table of a machine's sockets and how they are found.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};

use sim::{Duration, List, OrdMap, OrdSet, Time};

use crate::{NamespaceId, Owner, Payload, SocketId, TransportProtocol};

/// Linux's `net.ipv4.ip_local_port_range`.
pub(crate) const FIRST_EPHEMERAL_PORT: u16 = 32768;
pub(crate) const LAST_EPHEMERAL_PORT: u16 = 60999;
/// How many sockets a machine may have.
pub(crate) const MOST_SOCKETS: usize = 262_144;
/// Linux's `net.ipv4.tcp_max_tw_buckets`: beyond it a connection ends without its wait.
const MOST_TIME_WAITS: usize = 32_768;
/// How long a port pair rests after a connection.
const TIME_WAIT: Duration = Duration::from_secs(60);
/// When a new connection of this side may use it again (`net.ipv4.tcp_tw_reuse`).
const TIME_WAIT_REUSE: Duration = Duration::from_secs(1);

/// Where a TCP connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TcpState {
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
}

/// What was sent and not yet confirmed.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) sequence: u32,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) payload: Payload,
}

/// One side of a TCP connection.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) local: SocketAddrV4,
    pub(crate) remote: SocketAddrV4,
    pub(crate) state: TcpState,
    /// The sequence of the next new segment.
    pub(crate) send_next: u32,
    /// The next sequence expected from the other side.
    pub(crate) receive_next: u32,
    pub(crate) unconfirmed: VecDeque<Segment>,
    pub(crate) retries: u32,
    /// When to send again, or to give up waiting.
    pub(crate) retransmit_at: Option<Time>,
    /// When to confirm at the latest what came.
    pub(crate) confirm_at: Option<Time>,
    /// The listener that it came through, until it is accepted.
    pub(crate) listener: Option<SocketId>,
    /// Nobody holds it any more; the kernel ends it in order.
    pub(crate) orphan: bool,
    /// The program has shut its sending side.
    pub(crate) shut: bool,
}

/// What a socket is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Listener { local: (Option<Ipv4Addr>, u16), waiting: u32 },
    Connection(Connection),
    Datagram { local: (Option<Ipv4Addr>, u16) },
    Echo { identifier: u16 },
}

/// A socket.
#[derive(Clone, Debug)]
pub(crate) struct Socket {
    pub(crate) namespace: NamespaceId,
    pub(crate) owner: Owner,
    pub(crate) kind: Kind,
}

/// The two ends of a connection in a namespace, as one comparable number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ConnectionKey(u128);

impl ConnectionKey {
    fn of(namespace: NamespaceId, local: SocketAddrV4, remote: SocketAddrV4) -> Self {
        let ports = u128::from(local.port()) << 16 | u128::from(remote.port());
        let ips =
            u128::from(u32::from(*local.ip())) << 64 | u128::from(u32::from(*remote.ip())) << 32;
        // Namespaces are counted from zero; a machine never has 2^32 of them.
        ConnectionKey(u128::from(namespace.0) << 96 | ips | ports)
    }
}

/// A listening place: namespace, protocol, port, and the address or 0 for all.
type ListenKey = (NamespaceId, TransportProtocol, u16, u32);

fn listen_key(
    namespace: NamespaceId,
    protocol: TransportProtocol,
    (address, port): (Option<Ipv4Addr>, u16),
) -> ListenKey {
    (namespace, protocol, port, address.map_or(0, u32::from))
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeWait {
    since: Time,
    pub(crate) send_next: u32,
    pub(crate) receive_next: u32,
}

/// Why a timer of a socket fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    Retransmit,
    Confirm,
}

/// All sockets of a machine. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct SocketTable {
    sockets: OrdMap<SocketId, Socket>,
    next: u64,
    connections: OrdMap<ConnectionKey, SocketId>,
    listeners: OrdMap<ListenKey, SocketId>,
    echoes: OrdMap<(NamespaceId, u16), SocketId>,
    owners: OrdSet<(Owner, SocketId)>,
    timers: OrdSet<(Time, SocketId, Timer)>,
    time_waits: OrdMap<ConnectionKey, TimeWait>,
    resting: List<(Time, ConnectionKey)>,
}

impl SocketTable {
    pub(crate) fn new() -> Self {
        SocketTable {
            sockets: OrdMap::new(),
            next: 1,
            connections: OrdMap::new(),
            listeners: OrdMap::new(),
            echoes: OrdMap::new(),
            owners: OrdSet::new(),
            timers: OrdSet::new(),
            time_waits: OrdMap::new(),
            resting: List::new(),
        }
    }

    pub(crate) fn get(&self, id: SocketId) -> Option<&Socket> {
        self.sockets.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: SocketId) -> Option<&mut Socket> {
        self.sockets.get_mut(&id)
    }

    pub(crate) fn connection(&mut self, id: SocketId) -> Option<&mut Connection> {
        match self.sockets.get_mut(&id).map(|socket| &mut socket.kind) {
            Some(Kind::Connection(connection)) => Some(connection),
            _ => None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.sockets.len() >= MOST_SOCKETS
    }

    pub(crate) fn insert(&mut self, socket: Socket) -> SocketId {
        let id = SocketId(self.next);
        self.next += 1;
        let namespace = socket.namespace;
        match &socket.kind {
            Kind::Listener { local, .. } => {
                let key = listen_key(namespace, TransportProtocol::Tcp, *local);
                self.listeners.insert(key, id);
            }
            Kind::Datagram { local, .. } => {
                let key = listen_key(namespace, TransportProtocol::Udp, *local);
                self.listeners.insert(key, id);
            }
            Kind::Connection(connection) => {
                let key = ConnectionKey::of(namespace, connection.local, connection.remote);
                self.time_waits.remove(&key);
                self.connections.insert(key, id);
            }
            Kind::Echo { identifier } => {
                self.echoes.insert((namespace, *identifier), id);
            }
        }
        self.owners.insert((socket.owner, id));
        self.sockets.insert(id, socket);
        id
    }

    pub(crate) fn remove(&mut self, id: SocketId) -> Option<Socket> {
        let socket = self.sockets.remove(&id)?;
        self.owners.remove(&(socket.owner, id));
        let namespace = socket.namespace;
        match &socket.kind {
            Kind::Listener { local, .. } => {
                self.listeners.remove(&listen_key(namespace, TransportProtocol::Tcp, *local));
            }
            Kind::Datagram { local, .. } => {
                self.listeners.remove(&listen_key(namespace, TransportProtocol::Udp, *local));
            }
            Kind::Connection(connection) => {
                let key = ConnectionKey::of(namespace, connection.local, connection.remote);
                self.connections.remove(&key);
                for (time, timer) in [
                    (connection.retransmit_at, Timer::Retransmit),
                    (connection.confirm_at, Timer::Confirm),
                ] {
                    if let Some(time) = time {
                        self.timers.remove(&(time, id, timer));
                    }
                }
            }
            Kind::Echo { identifier } => {
                self.echoes.remove(&(namespace, *identifier));
            }
        }
        Some(socket)
    }

    /// Nobody holds the socket any more.
    pub(crate) fn disown(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get(&id) {
            self.owners.remove(&(socket.owner, id));
        }
    }

    pub(crate) fn of_owner(&self, owner: Owner) -> Vec<SocketId> {
        let mine = self.owners.range((owner, SocketId(0))..=(owner, SocketId(u64::MAX)));
        mine.map(|(_, id)| *id).collect()
    }

    pub(crate) fn of_namespace(&self, namespace: NamespaceId) -> Vec<SocketId> {
        let mine = self.sockets.iter().filter(|(_, socket)| socket.namespace == namespace);
        mine.map(|(id, _)| *id).collect()
    }

    /// The connection of that listener which wait to be accepted.
    pub(crate) fn waiting_at(&self, listener: SocketId) -> Vec<SocketId> {
        let waits = |socket: &Socket| match &socket.kind {
            Kind::Connection(connection) => connection.listener == Some(listener),
            _ => false,
        };
        self.sockets.iter().filter(|(_, socket)| waits(socket)).map(|(id, _)| *id).collect()
    }

    pub(crate) fn find_connection(
        &self,
        namespace: NamespaceId,
        local: SocketAddrV4,
        remote: SocketAddrV4,
    ) -> Option<SocketId> {
        self.connections.get(&ConnectionKey::of(namespace, local, remote)).copied()
    }

    /// The socket that listens at an address: one of that very address before one of all.
    pub(crate) fn find_listener(
        &self,
        namespace: NamespaceId,
        protocol: TransportProtocol,
        local: SocketAddrV4,
    ) -> Option<SocketId> {
        let exact = listen_key(namespace, protocol, (Some(*local.ip()), local.port()));
        let any = listen_key(namespace, protocol, (None, local.port()));
        self.listeners.get(&exact).or_else(|| self.listeners.get(&any)).copied()
    }

    pub(crate) fn find_echo(&self, namespace: NamespaceId, identifier: u16) -> Option<SocketId> {
        self.echoes.get(&(namespace, identifier)).copied()
    }

    /// Whether a port can be listened at: nobody has it at that address, nor at all of them.
    pub(crate) fn is_free(
        &self,
        namespace: NamespaceId,
        protocol: TransportProtocol,
        local: (Option<Ipv4Addr>, u16),
    ) -> bool {
        if local.0.is_some() {
            return !self.listeners.contains_key(&listen_key(namespace, protocol, local))
                && !self.listeners.contains_key(&listen_key(namespace, protocol, (None, local.1)));
        }
        let port = (namespace, protocol, local.1, 0)..=(namespace, protocol, local.1, u32::MAX);
        self.listeners.range(port).next().is_none()
    }

    /// Whether a new connection of this side may have those ends.
    pub(crate) fn may_connect(
        &self,
        namespace: NamespaceId,
        local: SocketAddrV4,
        remote: SocketAddrV4,
        now: Time,
    ) -> bool {
        let key = ConnectionKey::of(namespace, local, remote);
        let rested = |wait: &TimeWait| wait.since + TIME_WAIT_REUSE <= now;
        !self.connections.contains_key(&key)
            && self.time_waits.get(&key).is_none_or(rested)
            && self.is_free(namespace, TransportProtocol::Tcp, (None, local.port()))
    }

    /// Sets or clears a timer of a connection.
    pub(crate) fn set_timer(&mut self, id: SocketId, timer: Timer, at: Option<Time>) {
        let Some(connection) = self.connection(id) else { return };
        let slot = match timer {
            Timer::Retransmit => &mut connection.retransmit_at,
            Timer::Confirm => &mut connection.confirm_at,
        };
        let before = std::mem::replace(slot, at);
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.timers.remove(&(before, id, timer));
        }
        if let Some(at) = at {
            self.timers.insert((at, id, timer));
        }
    }

    /// Takes the next timer, which is due.
    pub(crate) fn take_timer(&mut self) -> Option<(SocketId, Timer)> {
        let (time, id, timer) = self.next_timer()?;
        self.timers.remove(&(time, id, timer));
        self.set_timer(id, timer, None);
        Some((id, timer))
    }

    pub(crate) fn next_timer(&self) -> Option<(Time, SocketId, Timer)> {
        self.timers.get_min().copied()
    }

    /// Ends a connection and lets its ends rest.
    pub(crate) fn rest(&mut self, id: SocketId, now: Time) {
        let Some(Socket { namespace, kind: Kind::Connection(connection), .. }) = self.remove(id)
        else {
            return;
        };
        self.expire_time_waits(now);
        if self.resting.len() >= MOST_TIME_WAITS {
            return;
        }
        let key = ConnectionKey::of(namespace, connection.local, connection.remote);
        let wait = TimeWait {
            since: now,
            send_next: connection.send_next,
            receive_next: connection.receive_next,
        };
        self.time_waits.insert(key, wait);
        self.resting.push_back((now, key));
    }

    fn expire_time_waits(&mut self, now: Time) {
        while let Some((since, key)) = self.resting.front().copied() {
            if since + TIME_WAIT > now {
                break;
            }
            self.resting.pop_front();
            if self.time_waits.get(&key).is_some_and(|wait| wait.since == since) {
                self.time_waits.remove(&key);
            }
        }
    }

    pub(crate) fn time_wait(
        &self,
        namespace: NamespaceId,
        local: SocketAddrV4,
        remote: SocketAddrV4,
        now: Time,
    ) -> Option<TimeWait> {
        let wait = self.time_waits.get(&ConnectionKey::of(namespace, local, remote)).copied();
        wait.filter(|wait| wait.since + TIME_WAIT > now)
    }
}
