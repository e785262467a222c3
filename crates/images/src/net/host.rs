//! The process around a service: it listens, hands over what arrives, waits and asks others on
//! the service's behalf, and ends in order.

use std::fmt;
use std::net::SocketAddrV4;
use std::sync::Arc;

use network::{HttpResponse, Payload, SocketEvent, SocketId};
use runtime::{Flow, Io, Process, ProcessEvent, Signal};
use sim::{Digest, Duration, SmallMap, Time};

use super::client::{Call, CallError, http_response};
use super::server::{Arrived, Listener};

/// How many exchanges one program has under way at most; what comes then is not answered.
const MAX_PENDING: usize = 2048;
/// How many idle connections a program keeps to one other.
const MAX_IDLE: usize = 8;

/// A request to another host, on behalf of one that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) request: Payload,
    /// What it is made for, in the service's own words.
    pub(crate) origin: &'static str,
}

impl Step {
    /// The path that is asked for, if it is HTTP.
    pub(crate) fn path(&self) -> &str {
        match &self.request {
            Payload::HttpRequest(request) => &request.path,
            _ => "",
        }
    }
}

/// Why a step did not lead to the next.
#[derive(Clone, Debug)]
pub(crate) enum StepFailure {
    /// There was no response.
    Call(CallError),
    /// The response reports a failure: a gRPC status that is not 0.
    Status(Arc<HttpResponse>),
}

/// What a service does about something that arrived.
pub(crate) enum Reply {
    /// Nothing.
    Silence,
    /// It answers at once.
    Send(Payload),
    /// It answers after a while.
    After(Duration, Payload),
    /// It asks others, one after the other, and then answers; with an empty payload, by what the
    /// last of them answered.
    Ask { steps: Vec<Step>, limit: Duration, then: Payload },
    /// It answers and closes the connection.
    Finish(Payload),
    /// The program ends.
    Exit(i32),
}

/// How a program ends when it is asked to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tidy {
    /// How long it goes on with what is under way.
    pub(crate) drain: Duration,
    /// Its exit code then.
    pub(crate) code: i32,
}

/// A program that does not handle signals otherwise than ending in order.
pub(crate) const TIDY: Tidy = Tidy { drain: Duration::from_millis(5), code: 0 };

/// What a server does.
pub(crate) trait Service: fmt::Debug + Send + Sync {
    /// Begins: reads its configuration and says at which ports it listens.
    ///
    /// # Errors
    /// The exit code, when it cannot begin.
    fn begin(&mut self, io: &mut Io<'_>) -> Result<Vec<u16>, i32>;

    /// Its words when a port is taken.
    fn port_taken(&self, port: u16, io: &mut Io<'_>) {
        io.stderr(&format!("listen tcp :{port}: bind: address already in use\n"));
    }

    /// Something arrived.
    fn serve(&mut self, arrived: &Arrived, io: &mut Io<'_>) -> Reply;

    /// How long it takes from its start until it listens.
    fn warm_up(&self) -> Duration {
        Duration::ZERO
    }

    /// It listens now.
    fn opened(&mut self, io: &mut Io<'_>) {
        let _ = io;
    }

    /// What it answers when another host failed it; `None` if it goes on all the same.
    fn failed(&mut self, step: &Step, failure: &StepFailure, io: &mut Io<'_>) -> Option<Payload> {
        let _ = (step, failure, io);
        Some(super::server::text(502, "Bad Gateway\n"))
    }

    /// What it answers when the last host asked has answered, unless it knew before.
    fn answered(&mut self, step: &Step, answer: Payload, io: &mut Io<'_>) -> Payload {
        let _ = (step, io);
        answer
    }

    /// How it ends on a signal; `None` if it goes on.
    fn signalled(&mut self, signal: Signal, io: &mut Io<'_>) -> Option<Tidy> {
        let _ = io;
        matches!(signal, Signal::Term | Signal::Int | Signal::Quit).then_some(TIDY)
    }

    /// A copy of it.
    fn clone_service(&self) -> Box<dyn Service>;

    /// Adds everything its future depends on.
    fn digest(&self, digest: &mut Digest);
}

#[derive(Clone, Debug)]
struct Pending {
    connection: SocketId,
    due: Option<Time>,
    steps: Vec<Step>,
    limit: Duration,
    then: Payload,
    call: Option<Call>,
}

/// A service as a process.
#[derive(Debug)]
pub(crate) struct Host {
    service: Box<dyn Service>,
    listener: Listener,
    pending: Vec<Pending>,
    idle: SmallMap<String, Vec<(SocketId, SocketAddrV4)>>,
    /// When it begins to listen, and where.
    opens: Option<(Time, Vec<u16>)>,
    ends: Option<(Time, i32)>,
}

impl Clone for Host {
    fn clone(&self) -> Self {
        Host {
            service: self.service.clone_service(),
            listener: self.listener.clone(),
            pending: self.pending.clone(),
            idle: self.idle.clone(),
            opens: self.opens.clone(),
            ends: self.ends,
        }
    }
}

impl Host {
    /// The process of a service.
    pub(crate) fn start(service: impl Service + 'static) -> Box<dyn Process> {
        Box::new(Host {
            service: Box::new(service),
            listener: Listener::default(),
            pending: Vec::new(),
            idle: SmallMap::new(),
            opens: None,
            ends: None,
        })
    }

    fn begin(&mut self, io: &mut Io<'_>) -> Result<(), i32> {
        let ports = self.service.begin(io)?;
        let warm_up = self.service.warm_up();
        if warm_up > Duration::ZERO {
            self.opens = Some((io.now + warm_up, ports));
            return Ok(());
        }
        self.open(ports, io)
    }

    fn open(&mut self, ports: Vec<u16>, io: &mut Io<'_>) -> Result<(), i32> {
        for port in ports {
            if !self.listener.listen(port, io) {
                self.service.port_taken(port, io);
                self.listener.close_all(io);
                return Err(1);
            }
        }
        self.service.opened(io);
        Ok(())
    }

    fn reply(&mut self, connection: SocketId, reply: Reply, io: &mut Io<'_>) -> Option<i32> {
        match reply {
            Reply::Silence => {}
            Reply::Send(payload) => self.listener.send(connection, payload, io),
            Reply::Finish(payload) => {
                if !payload.is_empty() {
                    self.listener.send(connection, payload, io);
                }
                self.listener.close(connection, io);
            }
            Reply::Exit(code) => return Some(code),
            Reply::After(span, then) => self.add(Pending {
                connection,
                due: Some(io.now + span),
                steps: Vec::new(),
                limit: span,
                then,
                call: None,
            }),
            Reply::Ask { mut steps, limit, then } => {
                steps.reverse();
                let mut pending = Pending { connection, due: None, steps, limit, then, call: None };
                self.call_next(&mut pending, io);
                self.add(pending);
            }
        }
        None
    }

    fn add(&mut self, pending: Pending) {
        if self.pending.len() < MAX_PENDING {
            self.pending.push(pending);
        }
    }

    /// Begins the step that stands last.
    fn call_next(&mut self, pending: &mut Pending, io: &mut Io<'_>) {
        let Some(step) = pending.steps.last() else { return };
        let limit = Some(pending.limit);
        let idle = self.idle.get_mut(&format!("{}:{}", step.host, step.port));
        let over = idle.and_then(Vec::pop);
        pending.call = over
            .and_then(|connection| Call::over(connection, step.request.clone(), limit, io))
            .or_else(|| {
                Some(Call::begin((&step.host, step.port), step.request.clone(), limit, io))
            });
    }

    /// Takes an event for one exchange; says whether it is over.
    fn advance(&mut self, pending: &mut Pending, event: &ProcessEvent, io: &mut Io<'_>) -> bool {
        if pending.due.is_some_and(|due| due <= io.now) {
            self.listener.send(pending.connection, pending.then.clone(), io);
            return true;
        }
        let Some(call) = &mut pending.call else { return pending.due.is_none() };
        let Some(result) = call.poll(event, io) else { return false };
        let reused = call.reused;
        pending.call = None;
        let Some(step) = pending.steps.pop() else { return true };
        let failure = match result {
            Ok((answer, socket, peer)) => {
                self.keep(&step, socket, peer, io);
                let refused = http_response(&answer).filter(|response| {
                    response.headers.get("grpc-status").is_some_and(|status| status != "0")
                });
                match refused {
                    Some(response) => StepFailure::Status(response),
                    None if !pending.steps.is_empty() => {
                        self.call_next(pending, io);
                        return false;
                    }
                    None => {
                        let then = match &pending.then {
                            Payload::Empty => self.service.answered(&step, answer, io),
                            then => then.clone(),
                        };
                        self.listener.send(pending.connection, then, io);
                        return true;
                    }
                }
            }
            // An idle connection may have been closed at the other end meanwhile.
            Err(CallError::Broken(_)) if reused => {
                pending.steps.push(step);
                self.call_next(pending, io);
                return false;
            }
            Err(error) => StepFailure::Call(error),
        };
        let payload = self.service.failed(&step, &failure, io);
        if payload.is_none() && !pending.steps.is_empty() {
            self.call_next(pending, io);
            return false;
        }
        let payload = payload.unwrap_or_else(|| pending.then.clone());
        self.listener.send(pending.connection, payload, io);
        true
    }

    /// Keeps a connection for the next call to the same host.
    fn keep(&mut self, step: &Step, socket: SocketId, peer: SocketAddrV4, io: &mut Io<'_>) {
        let idle = self.idle.entry(format!("{}:{}", step.host, step.port)).or_default();
        if idle.len() < MAX_IDLE {
            idle.push((socket, peer));
        } else {
            io.network.close(socket);
        }
    }

    /// Forgets an idle connection that the other side has closed.
    fn tend_idle(&mut self, event: &ProcessEvent, io: &mut Io<'_>) {
        let ProcessEvent::Socket(id, SocketEvent::Closed | SocketEvent::Reset) = event else {
            return;
        };
        for connections in self.idle.values_mut() {
            let before = connections.len();
            connections.retain(|(socket, _)| socket != id);
            if connections.len() < before {
                io.network.close(*id);
            }
        }
    }

    fn end(&mut self, code: i32, io: &mut Io<'_>) -> Flow {
        self.listener.close_all(io);
        for pending in &mut self.pending {
            if let Some(call) = &mut pending.call {
                call.cancel(io);
            }
        }
        for (socket, _) in std::mem::take(&mut self.idle).into_values().flatten() {
            io.network.close(socket);
        }
        Flow::Exit(code)
    }

    fn next_wake(&self) -> Option<Time> {
        let calls = self.pending.iter().filter_map(|p| p.call.as_ref()?.next_wake());
        let due = self.pending.iter().filter_map(|pending| pending.due);
        let opens = self.opens.as_ref().map(|(time, _)| *time);
        calls.chain(due).chain(opens).chain(self.ends.map(|(time, _)| time)).min()
    }
}

impl Process for Host {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        match &event {
            ProcessEvent::Started => {
                if let Err(code) = self.begin(io) {
                    return Flow::Exit(code);
                }
            }
            ProcessEvent::Signal(signal) => {
                if let Some(tidy) = self.service.signalled(*signal, io) {
                    self.listener.stop(io);
                    self.ends.get_or_insert((io.now + tidy.drain, tidy.code));
                }
            }
            _ => {}
        }
        if let Some((_, ports)) = self.opens.take_if(|(time, _)| *time <= io.now)
            && let Err(code) = self.open(ports, io)
        {
            return Flow::Exit(code);
        }
        if let Some(arrived) = self.listener.take(&event, io) {
            let connection = arrived.connection;
            let reply = self.service.serve(&arrived, io);
            if let Some(code) = self.reply(connection, reply, io) {
                return self.end(code, io);
            }
        }
        self.tend_idle(&event, io);
        if !self.pending.is_empty() {
            let mut pending = std::mem::take(&mut self.pending);
            pending.retain_mut(|pending| !self.advance(pending, &event, io));
            self.pending.append(&mut pending);
        }
        match self.ends {
            Some((time, code)) if time <= io.now => self.end(code, io),
            _ => self.next_wake().map_or(Flow::Continue, Flow::WaitUntil),
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        self.service.digest(digest);
        digest.add(&self.listener);
        digest.u64(self.pending.len() as u64);
        for pending in &self.pending {
            digest.u64(pending.connection.0);
            digest.add(&pending.due);
            digest.add(&pending.then);
            digest.u64(pending.steps.len() as u64);
            if let Some(call) = &pending.call {
                digest.add(call);
            }
        }
        for (name, connections) in &self.idle {
            digest.str(name);
            connections.iter().for_each(|(socket, _)| digest.u64(socket.0));
        }
        digest.add(&self.opens.as_ref().map(|(time, _)| *time));
        digest.add(&self.ends.map(|(time, _)| time));
    }
}
