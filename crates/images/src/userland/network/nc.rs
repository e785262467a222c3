//! `nc` and `telnet`, as BusyBox has them. Upstream: busybox, networking/{nc,telnet}.c.

use std::sync::Arc;

use network::{Payload, SocketEvent, SocketId};
use runtime::{Flow, Io, Process, ProcessEvent};
use sim::{Digest, Duration, Time};

use super::{Options, fail, milliseconds};
use crate::net::{Dial, DialError, Listener, reason};

#[derive(Clone, Debug)]
struct Netcat {
    name: String,
    host: String,
    port: Option<u16>,
    listen: bool,
    keep: bool,
    zero: bool,
    verbose: bool,
    limit: Option<Duration>,
    deadline: Option<Time>,
    input: String,
    dial: Option<Dial>,
    listener: Listener,
    connection: Option<SocketId>,
}

/// The program of `nc ARGS` or `telnet ARGS`.
pub(super) fn nc(name: &str, args: &[String], input: &str) -> Box<dyn Process> {
    let options = Options::parse(args, "wpseiqo", &[]);
    let listen = options.has(&["l"]);
    let mut operands = options.operands.iter();
    let host = if listen { String::new() } else { operands.next().cloned().unwrap_or_default() };
    let default = if name == "telnet" { Some("23") } else { None };
    let port =
        options.value(&["p"]).filter(|_| listen).or(operands.next_back().map(|s| s.as_str()));
    Box::new(Netcat {
        name: name.to_string(),
        host,
        port: port.or(default).and_then(|port| port.parse().ok()),
        listen,
        keep: options.has(&["k"]),
        zero: options.has(&["z"]),
        verbose: options.has(&["v"]),
        limit: options.value(&["w"]).and_then(milliseconds).map(Duration::from_millis),
        deadline: None,
        input: input.to_string(),
        dial: None,
        listener: Listener::default(),
        connection: None,
    })
}

impl Netcat {
    fn begin(&mut self, io: &mut Io<'_>) -> Flow {
        let Some(port) = self.port else {
            return fail("BusyBox: nc [OPTIONS] HOST PORT", 1, io);
        };
        if self.listen {
            if !self.listener.listen(port, io) {
                return fail("nc: bind: Address already in use", 1, io);
            }
            return Flow::Continue;
        }
        self.deadline = self.limit.map(|limit| io.now + limit);
        self.dial = Some(Dial::begin(&self.host, port, io));
        self.wait()
    }

    fn wait(&self) -> Flow {
        let dial = self.dial.as_ref().and_then(Dial::next_wake);
        dial.into_iter().chain(self.deadline).min().map_or(Flow::Continue, Flow::WaitUntil)
    }

    fn end(&mut self, code: i32, io: &mut Io<'_>) -> Flow {
        if let Some(dial) = &mut self.dial {
            dial.cancel(io);
        }
        if let Some(connection) = self.connection.take() {
            io.network.close(connection);
        }
        self.listener.close_all(io);
        Flow::Exit(code)
    }

    fn failed(&mut self, error: &DialError, io: &mut Io<'_>) -> Flow {
        let cannot = |name: &str, peer: &std::net::SocketAddrV4, why: &str| {
            format!("{name}: can't connect to remote host ({}): {why}\n", peer.ip())
        };
        let words = match error {
            DialError::Name(_) => format!("{}: bad address '{}'\n", self.name, self.host),
            DialError::Refused(peer) => cannot(&self.name, peer, "Connection refused"),
            DialError::Unreachable(peer) => cannot(&self.name, peer, "No route to host"),
            DialError::TimedOut(peer) => cannot(&self.name, peer, "Connection timed out"),
        };
        // `nc -z` is asked for its exit code only.
        if !self.zero || self.verbose || matches!(error, DialError::Name(_)) {
            io.stderr(&words);
        }
        self.end(1, io)
    }

    fn connected(
        &mut self,
        socket: SocketId,
        peer: std::net::SocketAddrV4,
        io: &mut Io<'_>,
    ) -> Flow {
        self.dial = None;
        self.deadline = None;
        self.connection = Some(socket);
        if self.name == "telnet" {
            io.stdout(&format!("\nConnected to {}\n\nEntering character mode\n", self.host));
        } else if self.verbose {
            io.stderr(&format!("{} ({peer}) open\n", self.host));
        }
        if self.zero {
            return self.end(0, io);
        }
        self.say(socket, io);
        // What is said over an empty input is only listened to.
        Flow::Continue
    }

    fn say(&mut self, socket: SocketId, io: &mut Io<'_>) {
        if !self.input.is_empty() {
            let bytes: Arc<[u8]> = self.input.as_bytes().into();
            // When the connection is gone an event says so.
            let _ = io.network.send(socket, Payload::Bytes(bytes));
        }
    }

    fn print(&mut self, payload: &Payload, io: &mut Io<'_>) {
        let text = match payload {
            Payload::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Payload::HttpRequest(request) => {
                let headers = request.headers.iter();
                let headers: String =
                    headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                format!("{} {} HTTP/1.1\r\n{headers}\r\n", request.method, request.path)
            }
            Payload::HttpResponse(response) => format!(
                "HTTP/1.1 {} {}\r\n\r\n{}",
                response.status,
                reason(response.status),
                response.body
            ),
            Payload::Empty | Payload::Dns(_) => return,
        };
        io.stdout(&text);
    }

    fn on_listener(&mut self, event: &ProcessEvent, io: &mut Io<'_>) -> Flow {
        if let Some(arrived) = self.listener.take(event, io) {
            if arrived.payload.is_empty() {
                self.connection = Some(arrived.connection);
                return Flow::Continue;
            }
            self.print(&arrived.payload, io);
            // What came over the input is the answer; then the input is at its end.
            if !self.input.is_empty() {
                self.say(arrived.connection, io);
                self.listener.close(arrived.connection, io);
                if !self.keep {
                    return self.end(0, io);
                }
            }
            return Flow::Continue;
        }
        let closed = self.connection.is_some_and(|connection| !self.listener.is_open(connection));
        if closed && !self.keep {
            return self.end(0, io);
        }
        Flow::Continue
    }
}

impl Process for Netcat {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        match &event {
            ProcessEvent::Started => return self.begin(io),
            ProcessEvent::Signal(signal) => return self.end(signal.exit_code(), io),
            ProcessEvent::Timer if self.deadline.is_some_and(|deadline| deadline <= io.now) => {
                io.stderr(&format!("{}: timed out\n", self.name));
                return self.end(1, io);
            }
            _ => {}
        }
        if self.listen {
            return self.on_listener(&event, io);
        }
        if let Some(dial) = &mut self.dial {
            return match dial.poll(&event, io) {
                None => self.wait(),
                Some(Ok((socket, peer))) => self.connected(socket, peer, io),
                Some(Err(error)) => self.failed(&error, io),
            };
        }
        match event {
            ProcessEvent::Socket(id, SocketEvent::Received(payload))
                if Some(id) == self.connection =>
            {
                self.print(&payload, io);
                Flow::Continue
            }
            ProcessEvent::Socket(id, SocketEvent::Closed) if Some(id) == self.connection => {
                self.end(0, io)
            }
            ProcessEvent::Socket(id, SocketEvent::Reset) if Some(id) == self.connection => {
                self.end(1, io)
            }
            _ => Flow::Continue,
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.host);
        digest.str(&self.input);
        digest.add(&self.deadline);
        if let Some(dial) = &self.dial {
            digest.add(dial);
        }
        digest.add(&self.listener);
        digest.u64(self.connection.map_or(0, |connection| connection.0));
    }
}
