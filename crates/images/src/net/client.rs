//! One exchange from a client's side, of HTTP or anything else that answers what it is asked, as
//! a state machine that a program embeds.

use std::net::SocketAddrV4;
use std::sync::Arc;

use network::{HttpResponse, Payload, SocketEvent, SocketId};
use runtime::{Io, ProcessEvent, ResolveError};
use sim::{Digest, Digestible, Duration, Time};

use super::dial::{Dial, DialError};

/// What an address of the web consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) secure: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// With the query.
    pub(crate) path: String,
}

impl Url {
    /// Takes an address apart; without a scheme it is HTTP.
    pub(crate) fn parse(text: &str) -> Option<Url> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, if secure { 443 } else { 80 }),
        };
        if host.is_empty() {
            return None;
        }
        let path = if path.starts_with('/') { path.to_string() } else { format!("/{path}") };
        Some(Url { secure, host: host.to_string(), port, path })
    }

    /// Host and port as a request names them.
    pub(crate) fn authority(&self) -> String {
        let default = if self.secure { 443 } else { 80 };
        match self.port {
            port if port == default => self.host.clone(),
            port => format!("{}:{port}", self.host),
        }
    }
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// There was no connection.
    Dial(DialError),
    /// The connection broke off before the response.
    Broken(SocketAddrV4),
    /// The time was up.
    Deadline(Option<SocketAddrV4>),
}

impl CallError {
    /// The words of Go's standard library, without the operation around them.
    pub(crate) fn go_words(&self, host: &str) -> String {
        match self {
            CallError::Dial(DialError::Name(error)) => {
                let why = match error {
                    ResolveError::NoSuchHost => "no such host",
                    ResolveError::TimedOut => "i/o timeout",
                    ResolveError::ServerFailure => "server misbehaving",
                };
                format!("dial tcp: lookup {host}: {why}")
            }
            CallError::Dial(DialError::Refused(peer)) => {
                format!("dial tcp {peer}: connect: connection refused")
            }
            CallError::Dial(DialError::Unreachable(peer)) => {
                format!("dial tcp {peer}: connect: no route to host")
            }
            CallError::Dial(DialError::TimedOut(peer)) => {
                format!("dial tcp {peer}: connect: connection timed out")
            }
            CallError::Broken(_) => "EOF".to_string(),
            CallError::Deadline(_) => "context deadline exceeded".to_string(),
        }
    }
}

#[derive(Clone, Debug)]
enum Stage {
    Dialing(Dial),
    Waiting(SocketId, SocketAddrV4),
    Over,
}

/// A request under way.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    stage: Stage,
    request: Payload,
    deadline: Option<Time>,
    /// Whether it uses a connection that an earlier call opened.
    pub(crate) reused: bool,
    connected: bool,
}

/// What a call comes to: what was answered and the connection it came over, which stays open.
pub(crate) type CallResult = Result<(Payload, SocketId, SocketAddrV4), CallError>;

impl Call {
    /// Begins: resolves, connects, and sends the request.
    pub(crate) fn begin(
        (host, port): (&str, u16),
        request: Payload,
        limit: Option<Duration>,
        io: &mut Io<'_>,
    ) -> Call {
        let dial = Dial::begin(host, port, io);
        let deadline = limit.map(|limit| io.now + limit);
        Call { stage: Stage::Dialing(dial), request, deadline, reused: false, connected: false }
    }

    /// Sends the request over a connection that stands.
    pub(crate) fn over(
        (socket, peer): (SocketId, SocketAddrV4),
        request: Payload,
        limit: Option<Duration>,
        io: &mut Io<'_>,
    ) -> Option<Call> {
        io.network.send(socket, request.clone()).ok()?;
        let deadline = limit.map(|limit| io.now + limit);
        let stage = Stage::Waiting(socket, peer);
        Some(Call { stage, request, deadline, reused: true, connected: true })
    }

    /// Where it goes, as soon as that is known.
    pub(crate) fn target(&self) -> Option<SocketAddrV4> {
        match &self.stage {
            Stage::Dialing(dial) => dial.target(),
            Stage::Waiting(_, peer) => Some(*peer),
            Stage::Over => None,
        }
    }

    /// Whether the connection stands, or stood.
    pub(crate) fn was_connected(&self) -> bool {
        self.connected
    }

    /// Sets another deadline.
    pub(crate) fn extend(&mut self, deadline: Option<Time>) {
        self.deadline = deadline;
    }

    /// When it has to be polled with a timer.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        let dial = match &self.stage {
            Stage::Dialing(dial) => dial.next_wake(),
            Stage::Waiting(..) => None,
            Stage::Over => return None,
        };
        dial.into_iter().chain(self.deadline).min()
    }

    /// Takes an event. The result comes once; the connection is the caller's then.
    pub(crate) fn poll(&mut self, event: &ProcessEvent, io: &mut Io<'_>) -> Option<CallResult> {
        let result = self.step(event, io);
        if result.is_some() {
            self.stage = Stage::Over;
        } else if matches!(event, ProcessEvent::Timer)
            && self.deadline.is_some_and(|deadline| io.now >= deadline)
            && !matches!(self.stage, Stage::Over)
        {
            let target = self.target();
            self.cancel(io);
            return Some(Err(CallError::Deadline(target)));
        }
        result
    }

    fn step(&mut self, event: &ProcessEvent, io: &mut Io<'_>) -> Option<CallResult> {
        match &mut self.stage {
            Stage::Dialing(dial) => match dial.poll(event, io)? {
                Ok((socket, peer)) => {
                    self.stage = Stage::Waiting(socket, peer);
                    self.connected = true;
                    let sent = io.network.send(socket, self.request.clone());
                    sent.err().map(|_| Err(CallError::Broken(peer)))
                }
                Err(error) => Some(Err(CallError::Dial(error))),
            },
            Stage::Waiting(socket, peer) => {
                let ProcessEvent::Socket(id, event) = event else { return None };
                if id != socket {
                    return None;
                }
                match event {
                    SocketEvent::Received(payload) => Some(Ok((payload.clone(), *socket, *peer))),
                    SocketEvent::Closed
                    | SocketEvent::Reset
                    | SocketEvent::TimedOut
                    | SocketEvent::Unreachable => {
                        io.network.close(*socket);
                        Some(Err(CallError::Broken(*peer)))
                    }
                    _ => None,
                }
            }
            Stage::Over => None,
        }
    }

    /// Gives up and closes what is open.
    pub(crate) fn cancel(&mut self, io: &mut Io<'_>) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Dialing(mut dial) => dial.cancel(io),
            Stage::Waiting(socket, _) => io.network.close(socket),
            Stage::Over => {}
        }
    }
}

/// What was answered, if it is HTTP; somebody may have written it by hand.
pub(crate) fn http_response(payload: &Payload) -> Option<Arc<HttpResponse>> {
    match payload {
        Payload::HttpResponse(response) => Some(response.clone()),
        Payload::Bytes(bytes) if bytes.starts_with(b"HTTP/") => {
            Some(Arc::new(parse(&String::from_utf8_lossy(bytes))))
        }
        _ => None,
    }
}

fn parse(text: &str) -> HttpResponse {
    let end = text.find("\r\n\r\n").map(|at| (at, 4)).or(text.find("\n\n").map(|at| (at, 2)));
    let (at, gap) = end.unwrap_or((text.len(), 0));
    let (head, body) = (&text[..at], &text[at + gap..]);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(':'));
    HttpResponse {
        status: status.unwrap_or(200),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_string()))
            .collect(),
        body: body.to_string(),
    }
}

impl Digestible for Call {
    fn digest(&self, digest: &mut Digest) {
        match &self.stage {
            Stage::Dialing(dial) => digest.add(dial),
            Stage::Waiting(socket, _) => digest.u64(socket.0),
            Stage::Over => digest.u64(0),
        }
        digest.add(&self.request);
        digest.add(&self.deadline);
        digest.bool(self.reused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (text, want) in [
            ("http://web", Some((false, "web", 80, "/"))),
            ("web:8080/a?b=c#d", Some((false, "web", 8080, "/a?b=c"))),
            ("https://user@web/x", Some((true, "web", 443, "/x"))),
            ("http://web?q", Some((false, "web", 80, "/?q"))),
            ("ftp://web", None),
            ("http://:80/", None),
            ("http://web:http/", None),
        ] {
            let url = Url::parse(text);
            let got = url.as_ref().map(|u| (u.secure, u.host.as_str(), u.port, u.path.as_str()));
            assert_eq!(got, want, "{text}");
        }
    }
}
