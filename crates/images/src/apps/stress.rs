//! stress: a program that takes as much processor time and memory as it is told.

use runtime::{Environment, Flow, Io, Process, ProcessEvent, Signal};
use sim::{Digest, Duration};

use super::{PLAIN, flag};
use crate::catalogue::ImageDefinition;

/// `polinux/stress`.
pub(crate) static IMAGE: ImageDefinition = ImageDefinition {
    repository: "docker.io/polinux/stress",
    sizes: &[("", 4_041_495)],
    command: &["stress", "--verbose"],
    program: |name, _| (name == "stress").then(|| Box::new(Stress::default()) as _),
    ..PLAIN
};

/// How many bytes a worker of `--vm` takes unless it is told.
const DEFAULT_BYTES: u64 = 256 << 20;
/// How fast memory is taken.
const BYTES_PER_MILLISECOND: u64 = 2 << 20;

#[derive(Clone, Debug, Default)]
struct Stress {
    /// How many bytes its workers hold.
    held: u64,
}

/// An amount as the program takes it: `150M`.
fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let factor = match unit.to_ascii_uppercase().as_str() {
        "B" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// What the workers of `--vm` take together.
fn wanted(environment: &Environment) -> u64 {
    let workers = flag(environment, "vm").and_then(|count| count.parse().ok()).unwrap_or(0);
    let each = flag(environment, "vm-bytes");
    let each = each.and_then(|text| bytes(text).or(text.parse().ok())).unwrap_or(DEFAULT_BYTES);
    each.saturating_mul(workers)
}

impl Process for Stress {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        match event {
            ProcessEvent::Started => {
                let hogs = ["cpu", "io", "vm", "hdd"]
                    .map(|kind| format!("{} {kind}", flag(io.environment, kind).unwrap_or("0")));
                let line = format!("stress: info: [1] dispatching hogs: {}\n", hogs.join(", "));
                io.stdout(&line);
                match wanted(io.environment) {
                    0 => Flow::Continue,
                    bytes => {
                        let span = Duration::from_millis(1 + bytes / BYTES_PER_MILLISECOND);
                        Flow::WaitUntil(io.now + span.min(Duration::from_secs(60)))
                    }
                }
            }
            ProcessEvent::Timer => {
                self.held = wanted(io.environment);
                Flow::Continue
            }
            ProcessEvent::Signal(signal @ (Signal::Term | Signal::Int)) => {
                Flow::Exit(signal.exit_code())
            }
            _ => Flow::Continue,
        }
    }

    fn memory(&self) -> u64 {
        self.held
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("stress");
        digest.add(&self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_take_what_they_are_told() {
        for (words, want) in [
            ("stress --vm 1 --vm-bytes 150M --vm-hang 1", 150 << 20),
            ("stress --vm 2 --vm-bytes 1G", 2 << 30),
            ("stress --vm 2", 512 << 20),
            ("stress --vm 1 --vm-bytes 4096", 4096),
            ("stress --cpu 2", 0),
        ] {
            let argv = words.split_ascii_whitespace().map(str::to_string).collect();
            let environment = Environment { argv, ..Environment::default() };
            assert_eq!(wanted(&environment), want, "{words}");
        }
    }
}
