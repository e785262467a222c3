//! A POSIX shell as far as manifests use one: a machine with explicit state that waits where its
//! commands wait.

use std::collections::BTreeMap;
use std::sync::Arc;

use network::Sockets;
use runtime::{ContainerLog, Environment, Flow, Io, OutputStream, Process, ProcessEvent, Signal};
use sim::{Digest, Duration, SmallMap, Time};

mod expand;
pub(crate) mod parse;
mod run;
#[cfg(test)]
mod tests;

pub(crate) use run::sleep_span;

use parse::Program;

use crate::userland::Lookup;

/// How many operations may run in one instant. Then the shell waits for [`BUSY_PAUSE`], so that
/// a loop without end takes time, and events go on.
const MAX_OPERATIONS: u32 = 2000;
const BUSY_PAUSE: Duration = Duration::from_millis(100);
/// How many commands may run in the background of one shell, and how deep shells may nest.
const MAX_BACKGROUND: usize = 16;
const MAX_NESTING: u32 = 3;
/// How many scripts may be under way within each other: `eval` and traps.
const MAX_FRAMES: usize = 64;
/// How long a variable, or what is collected of a command's output, may become.
const MAX_TEXT_BYTES: usize = 64 << 10;

/// Where the shell is in a script.
#[derive(Clone, Debug)]
struct Frame {
    program: Arc<Program>,
    next: usize,
    /// Where it ends; a command in the background ends before the script does.
    end: usize,
}

/// What the shell waits for.
#[derive(Clone, Debug)]
enum Waiting {
    /// An instant.
    Until(Time),
    /// For ever: `tail -f /dev/null`.
    Forever,
    /// A program that it started.
    Program(Box<Running>),
    /// What runs in the background.
    Background,
    /// A command whose output becomes part of the next.
    Capture(Box<Shell>),
}

/// A program in the foreground.
#[derive(Clone, Debug)]
struct Running {
    process: Box<dyn Process>,
    timer: Option<Time>,
    /// Whether it took the shell's place.
    exec: bool,
    environment: Environment,
    targets: [Target; 2],
}

/// What a file descriptor stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Stream(OutputStream),
    File(String),
}

/// A subshell under way: where it ends and what it began with.
#[derive(Clone, Debug)]
struct Subshell {
    end: usize,
    depth: usize,
    variables: BTreeMap<String, String>,
    directory: String,
}

/// A shell running a script.
#[derive(Clone, Debug)]
pub(crate) struct Shell {
    source: Source,
    frames: Vec<Frame>,
    loops: Vec<Vec<String>>,
    subshells: Vec<Subshell>,
    variables: BTreeMap<String, String>,
    parameters: Vec<String>,
    directory: String,
    status: i32,
    exit_on_error: bool,
    waiting: Option<Waiting>,
    /// Output that is collected, innermost last.
    captures: Vec<String>,
    input: Option<String>,
    traps: SmallMap<Signal, String>,
    pending: Vec<Signal>,
    background: Vec<Shell>,
    finished: Option<i32>,
    lookup: Lookup,
    /// The outputs that have been collected for the command that is next, and how many of them
    /// it has taken in.
    captured: Vec<String>,
    taken: usize,
    /// How many operations are left to this instant, shared by all that the shell runs.
    budget: u32,
    nesting: u32,
}

/// Where the script comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The text itself.
    Text(String),
    /// A file of the container.
    File(String),
    /// One command with its arguments, which are not expanded.
    Command(Vec<String>),
}

impl Shell {
    pub(crate) fn new(source: Source, parameters: Vec<String>, lookup: Lookup) -> Self {
        Shell {
            source,
            frames: Vec::new(),
            loops: Vec::new(),
            subshells: Vec::new(),
            variables: BTreeMap::new(),
            parameters,
            directory: "/".to_string(),
            status: 0,
            exit_on_error: false,
            waiting: None,
            captures: Vec::new(),
            input: None,
            traps: SmallMap::new(),
            pending: Vec::new(),
            background: Vec::new(),
            finished: None,
            captured: Vec::new(),
            taken: 0,
            lookup,
            budget: MAX_OPERATIONS,
            nesting: 0,
        }
    }

    fn begin(&mut self, io: &mut Io<'_>) {
        self.variables.clone_from(&io.environment.variables);
        self.directory.clone_from(&io.environment.working_directory);
        let parsed = match &self.source {
            Source::Text(text) => parse::parse(text),
            Source::File(path) => match io.files.read(path) {
                Some(content) => parse::parse(&String::from_utf8_lossy(content)),
                None => {
                    io.stderr(&format!("sh: can't open '{path}': No such file or directory\n"));
                    self.finished = Some(127);
                    return;
                }
            },
            Source::Command(words) => Ok(Program::command(words)),
        };
        match parsed {
            Ok(program) => self.call(Arc::new(program)),
            Err(why) => {
                io.stderr(&format!("sh: {why}\n"));
                self.finished = Some(2);
            }
        }
    }

    fn call(&mut self, program: Arc<Program>) {
        if self.frames.len() >= MAX_FRAMES {
            self.finished = Some(2);
            return;
        }
        let end = program.ops.len();
        self.frames.push(Frame { program, next: 0, end });
    }

    /// A shell that begins as a copy of this one.
    fn child(&self) -> Shell {
        let mut child = self.clone();
        child.frames.clear();
        child.background.clear();
        child.subshells.clear();
        child.captured.clear();
        child.taken = 0;
        child.waiting = None;
        child.nesting += 1;
        child
    }

    /// Runs a script and returns its output. If it has to wait, so does the shell: it expands
    /// the command again when the output is there, and takes what it has by then.
    fn capture(&mut self, program: &Arc<Program>, io: &mut Io<'_>) -> String {
        self.taken += 1;
        if let Some(text) = self.captured.get(self.taken - 1) {
            return text.clone();
        }
        if self.captures_wait() {
            return String::new();
        }
        if self.nesting >= MAX_NESTING {
            self.finished = Some(2);
            return String::new();
        }
        let mut inner = Box::new(self.child());
        inner.captures = vec![String::new()];
        inner.call(program.clone());
        self.go_on_capturing(inner, io);
        self.captured.get(self.taken - 1).cloned().unwrap_or_default()
    }

    fn go_on_capturing(&mut self, mut inner: Box<Shell>, io: &mut Io<'_>) {
        inner.proceed(io);
        self.budget = inner.budget;
        if inner.finished.is_none() {
            self.waiting = Some(Waiting::Capture(inner));
            return;
        }
        self.status = inner.finished.unwrap_or(inner.status);
        self.captured.push(inner.captures.into_iter().next().unwrap_or_default());
    }

    /// Whether the expansion of a command waits for output.
    fn captures_wait(&self) -> bool {
        matches!(self.waiting, Some(Waiting::Capture(_)))
    }

    fn write(&mut self, io: &mut Io<'_>, stream: OutputStream, text: &str) {
        match (stream, self.captures.last_mut()) {
            (OutputStream::Stdout, Some(capture)) => push_bounded(capture, text),
            (OutputStream::Stdout, None) => io.stdout(text),
            (OutputStream::Stderr, _) => io.stderr(text),
        }
    }

    /// Goes on until it waits or ends.
    fn proceed(&mut self, io: &mut Io<'_>) {
        while self.finished.is_none() && self.waiting.is_none() {
            if let Some(handler) = self.next_trap() {
                match parse::parse(&handler) {
                    Ok(program) => self.call(Arc::new(program)),
                    Err(why) => io.stderr(&format!("sh: trap: {why}\n")),
                }
            }
            let Some(budget) = self.budget.checked_sub(1) else {
                self.waiting = Some(Waiting::Until(io.now + BUSY_PAUSE));
                return;
            };
            self.budget = budget;
            self.step(io);
        }
    }

    fn next_trap(&mut self) -> Option<String> {
        if self.pending.is_empty() {
            return None;
        }
        let signal = self.pending.remove(0);
        self.traps.get(&signal).cloned()
    }

    /// Ends the innermost subshell, or everything.
    fn exit(&mut self, code: i32) {
        match self.subshells.last() {
            Some(subshell) if subshell.depth == self.frames.len() => {
                let end = subshell.end;
                self.status = code;
                if let Some(frame) = self.frames.last_mut() {
                    frame.next = end;
                }
            }
            _ => self.finished = Some(code),
        }
    }

    /// Takes an event that concerns it or something that it runs.
    fn on_event(&mut self, event: &ProcessEvent, io: &mut Io<'_>) {
        let is_timer = *event == ProcessEvent::Timer;
        let due = |time: Option<Time>| !is_timer || time.is_some_and(|time| time <= io.now);
        match &mut self.waiting {
            Some(Waiting::Until(time)) if is_timer && *time <= io.now => self.waiting = None,
            Some(Waiting::Program(running)) if due(running.timer) => {
                if is_timer {
                    running.timer = None;
                }
                self.deliver(event.clone(), io);
            }
            Some(Waiting::Capture(inner)) if due(inner.timer()) => {
                if let Some(Waiting::Capture(mut inner)) = self.waiting.take() {
                    inner.budget = self.budget;
                    inner.on_event(event, io);
                    self.go_on_capturing(inner, io);
                }
            }
            _ => {}
        }
        for child in &mut self.background {
            if !is_timer || child.timer().is_some_and(|time| time <= io.now) {
                child.budget = self.budget;
                child.on_event(event, io);
                child.proceed(io);
                self.budget = child.budget;
            }
        }
        self.background.retain(|child| child.finished.is_none());
        if self.background.is_empty() && matches!(self.waiting, Some(Waiting::Background)) {
            self.waiting = None;
            self.status = 0;
        }
    }

    /// Hands an event to the program that runs in the foreground.
    fn deliver(&mut self, event: ProcessEvent, io: &mut Io<'_>) {
        let Some(Waiting::Program(running)) = &mut self.waiting else { return };
        // What is collected or goes to a file is written aside first.
        let direct = self.captures.is_empty() && running.targets == run::STREAMS;
        let mut aside = ContainerLog::new();
        let mut inner = Io {
            now: io.now,
            clock: io.clock,
            environment: &running.environment,
            files: &mut *io.files,
            log: if direct { &mut *io.log } else { &mut aside },
            network: Sockets {
                machine: &mut *io.network.machine,
                namespace: io.network.namespace,
                owner: io.network.owner,
                now: io.now,
            },
            cx: io.cx.reborrow(),
            stream: io.stream,
        };
        let flow = running.process.on(event, &mut inner);
        let (exec, targets) = (running.exec, running.targets.clone());
        match flow {
            Flow::Continue => {}
            Flow::WaitUntil(time) => running.timer = Some(time),
            Flow::Exit(code) => {
                self.waiting = None;
                self.status = code;
                if exec {
                    self.finished = Some(code);
                } else if code != 0 && self.exit_on_error && !self.is_tested() {
                    self.exit(code);
                }
            }
        }
        if !direct {
            let text = |stream| run::stream_text(&aside, stream);
            let (out, err) = (text(OutputStream::Stdout), text(OutputStream::Stderr));
            self.emit(&targets, &out, &err, io);
        }
    }

    /// The first process of a container gets only the signals that it asked for; what runs in
    /// the foreground does not hear of them.
    fn on_signal(&mut self, signal: Signal, io: &mut Io<'_>) {
        if let Some(Waiting::Program(running)) = &self.waiting
            && running.exec
        {
            self.deliver(ProcessEvent::Signal(signal), io);
        } else if self.traps.contains_key(&signal) {
            self.pending.push(signal);
            if matches!(self.waiting, Some(Waiting::Background)) {
                self.waiting = None;
                self.status = signal.exit_code();
            }
        }
    }

    fn timer(&self) -> Option<Time> {
        let own = match &self.waiting {
            Some(Waiting::Until(time)) => Some(*time),
            Some(Waiting::Program(running)) => running.timer,
            Some(Waiting::Capture(inner)) => inner.timer(),
            _ => None,
        };
        self.background.iter().filter_map(Shell::timer).chain(own).min()
    }
}

/// Adds text up to the longest that is kept.
fn push_bounded(text: &mut String, more: &str) {
    let mut room = MAX_TEXT_BYTES.saturating_sub(text.len()).min(more.len());
    while !more.is_char_boundary(room) {
        room -= 1;
    }
    text.push_str(&more[..room]);
}

impl Process for Shell {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        self.budget = MAX_OPERATIONS;
        match event {
            ProcessEvent::Started => self.begin(io),
            ProcessEvent::Signal(signal) => self.on_signal(signal, io),
            event => self.on_event(&event, io),
        }
        self.proceed(io);
        match (self.finished, self.timer()) {
            (Some(code), _) => Flow::Exit(code),
            (None, Some(time)) => Flow::WaitUntil(time),
            (None, None) => Flow::Continue,
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.frames.len() as u64);
        for frame in &self.frames {
            digest.u64(frame.next as u64);
            digest.u64(frame.program.ops.len() as u64);
        }
        self.loops.iter().for_each(|words| digest.add(words));
        digest.add(&self.variables);
        digest.add(&self.parameters);
        digest.str(&self.directory);
        digest.add(&self.status);
        digest.bool(self.exit_on_error);
        digest.add(&self.timer());
        digest.bool(self.waiting.is_some());
        match &self.waiting {
            Some(Waiting::Program(running)) => running.process.digest(digest),
            Some(Waiting::Capture(inner)) => inner.digest(digest),
            _ => {}
        }
        digest.add(&self.captured);
        digest.add(&self.captures);
        digest.add(&self.input);
        digest.u64(self.traps.len() as u64);
        for (signal, handler) in &self.traps {
            digest.add(&signal.number());
            digest.str(handler);
        }
        self.pending.iter().for_each(|signal| digest.add(&signal.number()));
        digest.u64(self.background.len() as u64);
        self.background.iter().for_each(|child| child.digest(digest));
    }
}
