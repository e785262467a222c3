//! The program of an image that is not described: a server that runs until it is asked to end.

use runtime::{Flow, Io, Process, ProcessEvent, Request, Response, Signal};
use sim::Digest;

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
    (command == ENTRYPOINT).then(|| Box::new(Server) as Box<dyn Process>)
}

/// Runs until it is asked to end.
#[derive(Clone, Debug)]
pub(crate) struct Server;

impl Process for Server {
    fn on(&mut self, event: ProcessEvent, _io: &mut Io<'_>) -> Flow {
        match event {
            ProcessEvent::Signal(Signal::Term | Signal::Int | Signal::Quit) => Flow::Exit(0),
            _ => Flow::Continue,
        }
    }

    /// What the real program would listen to is not known, so it answers everywhere.
    fn serve(&mut self, request: &Request<'_>, _io: &mut Io<'_>) -> Option<Response> {
        let status = if request.path.is_some() { 200 } else { 0 };
        Some(Response { status, body: String::new() })
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("server");
    }
}
