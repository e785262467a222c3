//! stress: a program that takes as much processor time and memory as it is told. What containers
//! use is not measured yet, so nothing stops it.

use runtime::{Flow, Io, Process, ProcessEvent, Signal};
use sim::Digest;

use super::{PLAIN, flag};
use crate::catalogue::ImageDefinition;

/// `polinux/stress`.
pub(crate) static IMAGE: ImageDefinition = ImageDefinition {
    repository: "docker.io/polinux/stress",
    sizes: &[("", 4_041_495)],
    command: &["stress", "--verbose"],
    program: |name, _| (name == "stress").then(|| Box::new(Stress) as _),
    ..PLAIN
};

#[derive(Clone, Debug)]
struct Stress;

impl Process for Stress {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        match event {
            ProcessEvent::Started => {
                let hogs = ["cpu", "io", "vm", "hdd"]
                    .map(|kind| format!("{} {kind}", flag(io.environment, kind).unwrap_or("0")));
                let line = format!("stress: info: [1] dispatching hogs: {}\n", hogs.join(", "));
                io.stdout(&line);
                Flow::Continue
            }
            ProcessEvent::Signal(signal @ (Signal::Term | Signal::Int)) => {
                Flow::Exit(signal.exit_code())
            }
            _ => Flow::Continue,
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("stress");
    }
}
