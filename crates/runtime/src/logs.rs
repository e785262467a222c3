//! What a container has written: lines with their time, of bounded total size.
//!
//! Upstream: pkg/kubelet/logs/container_log_manager.go rotates files at 10 MiB and keeps five;
//! here the oldest lines leave one by one when the bound is reached.

use std::sync::Arc;

use sim::{Digest, Digestible, Fingerprint, List, Time};

/// How many bytes of text one container's log keeps.
const CAPACITY_BYTES: u64 = 256 << 10;
/// Longer lines are split, as the container runtime does.
const LONGEST_LINE_BYTES: usize = 16 << 10;

/// Where a line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub time: Time,
    /// Where it was written.
    pub stream: OutputStream,
    /// The line without its end.
    pub text: Arc<str>,
    /// Whether the line ended here; otherwise the next entry goes on with it.
    pub complete: bool,
}

/// The newest lines that a container has written. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct ContainerLog {
    lines: List<LogLine>,
    kept_bytes: u64,
    dropped_lines: u64,
    written: Fingerprint,
}

impl ContainerLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        ContainerLog::default()
    }

    /// Adds text, which may be a part of a line or several lines.
    pub fn write(&mut self, time: Time, stream: OutputStream, text: &str) {
        for part in text.split_inclusive('\n') {
            let complete = part.ends_with('\n');
            self.add(time, stream, part.trim_end_matches('\n'), complete);
        }
    }

    fn add(&mut self, time: Time, stream: OutputStream, mut text: &str, complete: bool) {
        while text.len() > LONGEST_LINE_BYTES {
            let mut at = LONGEST_LINE_BYTES;
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let (head, tail) = text.split_at(at);
            self.push(LogLine { time, stream, text: head.into(), complete: false });
            text = tail;
        }
        self.push(LogLine { time, stream, text: text.into(), complete });
    }

    fn push(&mut self, line: LogLine) {
        let mut digest = Digest::new();
        digest.add(&self.written);
        digest.add(&line.time);
        digest.bool(line.stream == OutputStream::Stderr);
        digest.str(&line.text);
        digest.bool(line.complete);
        self.written = digest.finish();
        self.kept_bytes += line.text.len() as u64 + 1;
        self.lines.push_back(line);
        while self.kept_bytes > CAPACITY_BYTES {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.kept_bytes -= oldest.text.len() as u64 + 1;
            self.dropped_lines += 1;
        }
    }

    /// The lines that are kept, oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &LogLine> + ExactSizeIterator {
        self.lines.iter()
    }

    /// How many lines were written and are not kept any more.
    #[must_use]
    pub fn dropped_lines(&self) -> u64 {
        self.dropped_lines
    }

    /// All text that is kept, as `kubectl logs` prints it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(&line.text);
            if line.complete {
                text.push('\n');
            }
        }
        text
    }
}

impl Digestible for ContainerLog {
    /// The fingerprint of the last line holds those of all before.
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_the_text_says_so() {
        let mut log = ContainerLog::new();
        log.write(Time::ZERO, OutputStream::Stdout, "a\nb");
        log.write(Time::ZERO, OutputStream::Stdout, "c\n");
        assert_eq!(log.text(), "a\nbc\n");
        assert_eq!(log.lines().len(), 3);
    }

    #[test]
    fn the_oldest_lines_leave_when_the_log_is_full() {
        let mut log = ContainerLog::new();
        let line = format!("{}\n", "x".repeat(1023));
        for _ in 0..300 {
            log.write(Time::ZERO, OutputStream::Stderr, &line);
        }
        assert_eq!(log.lines().len(), 256);
        assert_eq!(log.dropped_lines(), 44);
    }
}
