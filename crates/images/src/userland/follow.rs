//! `tail -f`: prints what is added to a file.

use runtime::{Flow, Io, Process, ProcessEvent};
use sim::{Digest, Duration};

/// How often the file is looked at.
const POLL: Duration = Duration::from_secs(1);

/// Follows a file.
#[derive(Clone, Debug)]
pub(super) struct Follow {
    pub(super) path: String,
    /// How many bytes were printed already.
    pub(super) offset: usize,
}

impl Process for Follow {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        if matches!(event, ProcessEvent::Signal(_)) {
            return Flow::Continue;
        }
        let content = io.files.read(&self.path).unwrap_or_default();
        // A file that became shorter was begun anew.
        let from = if content.len() < self.offset { 0 } else { self.offset };
        let added = String::from_utf8_lossy(&content[from..]).into_owned();
        self.offset = content.len();
        if !added.is_empty() {
            io.stdout(&added);
        }
        Flow::WaitUntil(io.now + POLL)
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.path);
        digest.u64(self.offset as u64);
    }
}
