//! The program of an image that is not described: a server that runs until it is asked to end.

use std::sync::Arc;

use network::{HttpRequest, HttpResponse, Payload};
use runtime::{Flow, Io, Process, ProcessEvent, Signal};
use sim::Digest;

use crate::net::{Arrived, Host, Reply, Service, header, text};

/// The command that such an image runs unless the pod gives one.
pub(crate) const ENTRYPOINT: &str = "/entrypoint";

/// A size that stays the same for a repository, between 20 and 120 MB.
pub(crate) fn size_bytes(repository: &str) -> u64 {
    let mut sum: u64 = 0;
    for byte in repository.bytes() {
        sum = sum.wrapping_mul(31).wrapping_add(u64::from(byte));
    }
    20_000_000 + sum % 100_000_000
}

/// The server, if the command is the image's own.
pub(crate) fn program(command: &str) -> Option<Box<dyn Process>> {
    (command == ENTRYPOINT).then(|| Host::start(Server))
}

/// The answer to a gRPC call: a status and, if that is 0, a message.
pub(crate) fn grpc(status: u16, message: &str, body: &str) -> Payload {
    let headers = [
        header("content-type", "application/grpc"),
        header("grpc-status", &status.to_string()),
        header("grpc-message", message),
    ];
    Payload::HttpResponse(Arc::new(HttpResponse {
        status: 200,
        headers: headers.into(),
        body: body.to_string(),
    }))
}

/// Whether a request is a gRPC call.
pub(crate) fn is_grpc(request: &HttpRequest) -> bool {
    request.headers.get("content-type").is_some_and(|kind| kind.starts_with("application/grpc"))
}

/// Answers wherever it can be expected to listen: at the port that its environment names, else
/// at the ports that its container is declared with. What the real program would answer is not
/// known, so it says no more than that all is well.
#[derive(Clone, Debug)]
struct Server;

impl Service for Server {
    fn begin(&mut self, io: &mut Io<'_>) -> Result<Vec<u16>, i32> {
        let named = io.environment.variables.get("PORT").and_then(|port| port.parse().ok());
        Ok(named.map_or_else(|| io.environment.ports.clone(), |port| vec![port]))
    }

    fn serve(&mut self, arrived: &Arrived, _io: &mut Io<'_>) -> Reply {
        match &arrived.payload {
            Payload::HttpRequest(request) if is_grpc(request) => {
                Reply::Send(grpc(0, "", r#"{"status":"SERVING"}"#))
            }
            Payload::HttpRequest(_) => Reply::Send(text(200, "")),
            _ => Reply::Silence,
        }
    }

    fn clone_service(&self) -> Box<dyn Service> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("server");
    }
}

/// Does nothing until it is asked to end: what holds a pod's namespaces, and what stands for a
/// component of the control plane.
#[derive(Clone, Debug)]
pub(crate) struct Idle;

impl Process for Idle {
    fn on(&mut self, event: ProcessEvent, _io: &mut Io<'_>) -> Flow {
        match event {
            ProcessEvent::Signal(Signal::Term | Signal::Int | Signal::Quit) => Flow::Exit(0),
            _ => Flow::Continue,
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("idle");
    }
}
