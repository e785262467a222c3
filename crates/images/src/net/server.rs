//! The listening side: ports, connections, and what arrives over them.

use std::net::SocketAddrV4;
use std::sync::Arc;

use network::{HttpResponse, Payload, SocketEvent, SocketId, TransportProtocol};
use runtime::{Io, ProcessEvent};
use sim::{Digest, Digestible, SmallMap};

/// No program keeps more connections open than that; further ones are closed at once.
const MAX_CONNECTIONS: usize = 4096;

/// Something that arrived over a connection.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) connection: SocketId,
    /// The port that was connected to.
    pub(crate) port: u16,
    pub(crate) peer: SocketAddrV4,
    /// Empty when the connection has just been opened.
    pub(crate) payload: Payload,
}

/// The listeners and the open connections of a program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listener {
    listeners: SmallMap<SocketId, u16>,
    connections: SmallMap<SocketId, (u16, SocketAddrV4)>,
}

impl Listener {
    /// Listens at a TCP port; says whether it was free.
    pub(crate) fn listen(&mut self, port: u16, io: &mut Io<'_>) -> bool {
        let socket = io.network.listen(TransportProtocol::Tcp, None, port);
        self.listeners.extend(socket.iter().map(|socket| (*socket, port)));
        socket.is_ok()
    }

    /// Takes an event; what it means to the program, if anything.
    pub(crate) fn take(&mut self, event: &ProcessEvent, io: &mut Io<'_>) -> Option<Arrived> {
        let ProcessEvent::Socket(id, event) = event else { return None };
        match event {
            SocketEvent::Accepted { connection, peer } => {
                let port = *self.listeners.get(id)?;
                if self.connections.len() >= MAX_CONNECTIONS {
                    io.network.close(*connection);
                    return None;
                }
                self.connections.insert(*connection, (port, *peer));
                Some(Arrived {
                    connection: *connection,
                    port,
                    peer: *peer,
                    payload: Payload::Empty,
                })
            }
            SocketEvent::Received(payload) => {
                let (port, peer) = *self.connections.get(id)?;
                Some(Arrived { connection: *id, port, peer, payload: payload.clone() })
            }
            SocketEvent::Closed
            | SocketEvent::Reset
            | SocketEvent::TimedOut
            | SocketEvent::Unreachable => {
                self.connections.remove(id)?;
                io.network.close(*id);
                None
            }
            _ => None,
        }
    }

    /// Whether the connection is still there.
    pub(crate) fn is_open(&self, connection: SocketId) -> bool {
        self.connections.contains_key(&connection)
    }

    /// Sends over a connection, if it is still there.
    pub(crate) fn send(&mut self, connection: SocketId, payload: Payload, io: &mut Io<'_>) {
        if self.is_open(connection) && io.network.send(connection, payload).is_err() {
            self.connections.remove(&connection);
        }
    }

    /// Closes a connection.
    pub(crate) fn close(&mut self, connection: SocketId, io: &mut Io<'_>) {
        if self.connections.remove(&connection).is_some() {
            io.network.close(connection);
        }
    }

    /// Listens no longer; open connections stay.
    pub(crate) fn stop(&mut self, io: &mut Io<'_>) {
        for socket in std::mem::take(&mut self.listeners).into_keys() {
            io.network.close(socket);
        }
    }

    /// Closes everything.
    pub(crate) fn close_all(&mut self, io: &mut Io<'_>) {
        self.stop(io);
        for connection in std::mem::take(&mut self.connections).into_keys() {
            io.network.close(connection);
        }
    }
}

impl Digestible for Listener {
    fn digest(&self, digest: &mut Digest) {
        for (socket, port) in &self.listeners {
            digest.u64(socket.0);
            digest.u64(u64::from(*port));
        }
        digest.u64(self.connections.len() as u64);
        for (socket, (_, peer)) in &self.connections {
            digest.u64(socket.0);
            digest.u64(u64::from(u32::from(*peer.ip())));
            digest.u64(u64::from(peer.port()));
        }
    }
}

/// One header.
pub(crate) fn header(name: &str, value: &str) -> (String, String) {
    (name.to_string(), value.to_string())
}

/// An HTTP response with a body of that type.
pub(crate) fn page(status: u16, content_type: &str, body: impl Into<String>) -> HttpResponse {
    let body = body.into();
    let headers = std::collections::BTreeMap::from([
        header("content-type", content_type),
        header("content-length", &body.len().to_string()),
    ]);
    HttpResponse { status, headers, body }
}

/// An HTTP response of plain text, ready to be sent.
pub(crate) fn text(status: u16, body: impl Into<String>) -> Payload {
    Payload::HttpResponse(Arc::new(page(status, "text/plain; charset=utf-8", body)))
}

/// The words that go with a status.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}
