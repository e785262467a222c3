//! The operations of the shell, one by one.

use std::sync::Arc;

use runtime::{ContainerLog, Io, OutputStream, ProcessEvent, Signal};
use sim::Duration;

use super::parse::{Op, Part, Program, Redirect, RedirectKind, Simple};
use super::{
    Frame, MAX_BACKGROUND, MAX_NESTING, MAX_TEXT_BYTES, Running, Shell, Subshell, Target, Waiting,
};
use crate::userland::{self, Invocation, Outcome};

impl Program {
    /// One command whose arguments are taken as they are.
    pub(crate) fn command(words: &[String]) -> Program {
        let words = words.iter().map(|word| vec![Part::Text(word.clone())]).collect();
        let simple = Simple { words, ..Simple::default() };
        Program { ops: vec![Op::Run(Arc::new(simple))] }
    }
}

impl Shell {
    /// Does the next operation.
    pub(super) fn step(&mut self, io: &mut Io<'_>) {
        let Some(frame) = self.frames.last_mut() else {
            self.finished = Some(self.status);
            return;
        };
        if frame.next >= frame.end {
            self.frames.pop();
            return;
        }
        let program = frame.program.clone();
        let place = frame.next;
        frame.next += 1;
        let Some(op) = program.ops.get(place) else { return };
        self.taken = 0;
        self.perform(op, &program, place, io);
        if !self.captures_wait() {
            self.captured.clear();
        } else if let Some(frame) = self.frames.last_mut() {
            // The command is expanded again when the output is there.
            frame.next = place;
        }
    }

    fn perform(&mut self, op: &Op, program: &Arc<Program>, place: usize, io: &mut Io<'_>) {
        match op {
            Op::Nop => {}
            Op::Run(simple) => self.run(simple, io),
            Op::Jump(target) => self.jump(*target, true),
            Op::JumpIfFail(target) => self.jump(*target, self.status != 0),
            Op::JumpIfOk(target) => self.jump(*target, self.status == 0),
            Op::Not => self.status = i32::from(self.status == 0),
            Op::Succeed => self.status = 0,
            Op::Spawn(end) => self.spawn(program, place + 1, *end, io),
            Op::PipeBegin => self.captures.push(String::new()),
            Op::PipeNext => {
                self.input = self.captures.pop();
                self.captures.push(String::new());
            }
            Op::PipeLast => self.input = self.captures.pop(),
            Op::PipeEnd => self.input = None,
            Op::Case(case, next) => {
                let text = self.expand_text(&case.0, io);
                let mut found = false;
                for pattern in &case.1 {
                    found = found || fits(&self.expand_text(pattern, io), &text);
                }
                if !self.captures_wait() {
                    self.status = 0;
                    self.jump(*next, !found);
                }
            }
            Op::ForBegin(words) => {
                let mut words = self.expand_words(words, io);
                if !self.captures_wait() {
                    words.reverse();
                    self.loops.push(words);
                }
            }
            Op::ForNext(name, end) => match self.loops.last_mut().and_then(Vec::pop) {
                Some(word) => {
                    self.variables.insert(name.clone(), word);
                }
                None => {
                    self.loops.pop();
                    self.jump(*end, true);
                }
            },
            Op::SubshellBegin(end) => self.subshells.push(Subshell {
                end: *end,
                depth: self.frames.len(),
                variables: self.variables.clone(),
                directory: self.directory.clone(),
            }),
            Op::SubshellEnd => {
                if let Some(subshell) = self.subshells.pop() {
                    self.variables = subshell.variables;
                    self.directory = subshell.directory;
                }
            }
        }
    }

    fn jump(&mut self, target: usize, condition: bool) {
        if condition && let Some(frame) = self.frames.last_mut() {
            frame.next = target;
        }
    }

    /// Runs a part of the script beside the rest.
    fn spawn(&mut self, program: &Arc<Program>, from: usize, end: usize, io: &mut Io<'_>) {
        self.jump(end, true);
        self.status = 0;
        if self.background.len() >= MAX_BACKGROUND || self.nesting >= MAX_NESTING {
            io.stderr("sh: can't fork: Resource temporarily unavailable\n");
            self.status = 2;
            return;
        }
        let mut child = self.child();
        child.traps.clear();
        child.frames = vec![Frame { program: program.clone(), next: from, end }];
        child.proceed(io);
        self.budget = child.budget;
        if child.finished.is_none() {
            self.background.push(child);
        }
    }

    fn run(&mut self, simple: &Simple, io: &mut Io<'_>) {
        let words = self.expand_words(&simple.words, io);
        for (name, value) in &simple.assignments {
            let value = self.expand_text(value, io);
            if self.captures_wait() {
                return;
            }
            if value.len() >= MAX_TEXT_BYTES {
                io.stderr("sh: out of memory\n");
                self.finished = Some(2);
                return;
            }
            self.variables.insert(name.clone(), value);
        }
        let targets = self.targets(&simple.redirects, io);
        if self.captures_wait() {
            return;
        }
        let Some(name) = words.first().cloned() else {
            // An assignment takes the status of the command whose output it takes.
            if self.captured.is_empty() {
                self.status = 0;
            }
            return;
        };
        let mut input = self.input.take().unwrap_or_default();
        for redirect in simple.redirects.iter().filter(|r| r.kind == RedirectKind::Read) {
            let path = self.expand_text(&redirect.target, io);
            let path = self.path(&path);
            match io.files.read(&path) {
                Some(content) => input = String::from_utf8_lossy(content).into_owned(),
                None if path == "/dev/null" => input.clear(),
                None => {
                    io.stderr(&format!("sh: can't open {path}: no such file\n"));
                    self.status = 1;
                    return;
                }
            }
        }
        let mut invocation = Invocation { words, input, out: String::new(), err: String::new() };
        let outcome = self.builtin(&name, &mut invocation, io);
        let Invocation { out, err, .. } = invocation;
        self.emit(&targets, &out, &err, io);
        self.finish_command(outcome, targets, io);
    }

    fn finish_command(&mut self, outcome: Outcome, targets: [Target; 2], io: &mut Io<'_>) {
        match outcome {
            Outcome::Done(code) => {
                self.status = code;
                if code != 0 && self.exit_on_error && !self.is_tested() {
                    self.exit(code);
                }
            }
            Outcome::Exit(code) => self.exit(code),
            Outcome::Sleep(span) => {
                self.status = 0;
                self.waiting = Some(Waiting::Until(io.now + span));
            }
            Outcome::Forever => self.waiting = Some(Waiting::Forever),
            Outcome::Program { process, exec, environment } => {
                let environment = *environment;
                let running = Running { process, timer: None, exec, environment, targets };
                self.waiting = Some(Waiting::Program(Box::new(running)));
                self.deliver(ProcessEvent::Started, io);
            }
        }
    }

    /// Whether what follows looks at the status, so that a failure does not end the script.
    pub(super) fn is_tested(&self) -> bool {
        let Some(frame) = self.frames.last() else { return false };
        let mut rest = frame.program.ops.iter().skip(frame.next);
        let next = rest.find(|op| !matches!(op, Op::Nop | Op::PipeEnd));
        matches!(
            next,
            Some(Op::JumpIfFail(_) | Op::JumpIfOk(_) | Op::Not | Op::PipeNext | Op::PipeLast)
        )
    }

    fn path(&self, path: &str) -> String {
        userland::absolute(&self.directory, path)
    }

    /// What the two descriptors stand for after the redirections. A file that is written to
    /// anew is emptied.
    fn targets(&mut self, redirects: &[Redirect], io: &mut Io<'_>) -> [Target; 2] {
        let mut targets = STREAMS;
        for redirect in redirects {
            let slot = usize::from(redirect.descriptor == 2);
            if redirect.kind == RedirectKind::Read || redirect.descriptor > 2 {
                continue;
            }
            let word = self.expand_text(&redirect.target, io);
            if self.captures_wait() {
                break;
            }
            let target = match (redirect.kind, word.as_str()) {
                (RedirectKind::Duplicate, "1") => targets[0].clone(),
                (RedirectKind::Duplicate, "2") => targets[1].clone(),
                (_, "/dev/stdout" | "/proc/1/fd/1") => STREAMS[0].clone(),
                (_, "/dev/stderr" | "/proc/1/fd/2") => STREAMS[1].clone(),
                (kind, _) => {
                    let path = self.path(&word);
                    if kind == RedirectKind::Write && path != "/dev/null" {
                        io.files.write(&path, b"");
                    }
                    Target::File(path)
                }
            };
            targets[slot] = target;
        }
        targets
    }

    /// Sends output where it belongs.
    pub(super) fn emit(&mut self, targets: &[Target; 2], out: &str, err: &str, io: &mut Io<'_>) {
        for (target, text) in targets.iter().zip([out, err]) {
            match target {
                _ if text.is_empty() => {}
                Target::Stream(stream) => self.write(io, *stream, text),
                Target::File(path) if path == "/dev/null" => {}
                Target::File(path) => {
                    if !io.files.append(path, text.as_bytes()) {
                        io.stderr("sh: write error: No space left on device\n");
                    }
                }
            }
        }
    }

    /// Runs what only the shell itself can do, or else a command.
    fn builtin(&mut self, name: &str, invocation: &mut Invocation, io: &mut Io<'_>) -> Outcome {
        let words = invocation.words.clone();
        let first = words.get(1).map(String::as_str);
        match name {
            "exit" => Outcome::Exit(first.and_then(|w| w.parse().ok()).unwrap_or(self.status)),
            "cd" => {
                self.directory = self.path(first.unwrap_or("/"));
                Outcome::Done(0)
            }
            "pwd" => {
                invocation.out = format!("{}\n", self.directory);
                Outcome::Done(0)
            }
            "export" | "readonly" | "local" => {
                for (name, value) in words.iter().skip(1).filter_map(|word| word.split_once('=')) {
                    self.variables.insert(name.to_string(), value.to_string());
                }
                Outcome::Done(0)
            }
            "unset" => {
                for name in words.iter().skip(1) {
                    self.variables.remove(name);
                }
                Outcome::Done(0)
            }
            "set" => {
                for word in words.iter().skip(1) {
                    match word.chars().next() {
                        Some('-') if word.contains('e') => self.exit_on_error = true,
                        Some('+') if word.contains('e') => self.exit_on_error = false,
                        _ => {}
                    }
                }
                Outcome::Done(0)
            }
            "trap" => self.trap(&words),
            "wait" => {
                if !self.background.is_empty() {
                    self.waiting = Some(Waiting::Background);
                }
                Outcome::Done(0)
            }
            "eval" => match super::parse::parse(&words.get(1..).unwrap_or_default().join(" ")) {
                Ok(program) => {
                    self.call(Arc::new(program));
                    Outcome::Done(self.status)
                }
                Err(why) => {
                    invocation.err = format!("sh: eval: {why}\n");
                    Outcome::Done(2)
                }
            },
            "exec" if words.len() > 1 => {
                invocation.words.remove(0);
                self.execute(invocation, io, true)
            }
            "read" => self.read(&words, &invocation.input),
            "shift" => {
                if self.parameters.len() > 1 {
                    self.parameters.remove(1);
                }
                Outcome::Done(0)
            }
            _ => self.execute(invocation, io, false),
        }
    }

    fn read(&mut self, words: &[String], input: &str) -> Outcome {
        let mut line = input.lines().next().unwrap_or_default().split_ascii_whitespace();
        let names: Vec<&String> = words.iter().skip(1).filter(|w| !w.starts_with('-')).collect();
        for (place, name) in names.iter().enumerate() {
            let value = if place + 1 == names.len() {
                line.by_ref().collect::<Vec<_>>().join(" ")
            } else {
                line.next().unwrap_or_default().to_string()
            };
            self.variables.insert((*name).clone(), value);
        }
        Outcome::Done(i32::from(input.is_empty()))
    }

    fn trap(&mut self, words: &[String]) -> Outcome {
        let handler = words.get(1).cloned().unwrap_or_default();
        for name in words.iter().skip(2) {
            let signal = Signal::named(name).or(match name.as_str() {
                "1" => Some(Signal::Hup),
                "2" => Some(Signal::Int),
                "3" => Some(Signal::Quit),
                "15" => Some(Signal::Term),
                _ => None,
            });
            let Some(signal) = signal else { continue };
            if handler == "-" {
                self.traps.remove(&signal);
            } else {
                self.traps.insert(signal, handler.clone());
            }
        }
        Outcome::Done(0)
    }

    /// Runs a command that is a program.
    fn execute(&mut self, invocation: &mut Invocation, io: &mut Io<'_>, exec: bool) -> Outcome {
        let command = invocation.words.first().cloned().unwrap_or_default();
        let name = command.rsplit('/').next().unwrap_or_default().to_string();
        let view = userland::View { directory: &self.directory, variables: &self.variables };
        if let Some(outcome) = userland::run(&name, invocation, &view, io) {
            return match (outcome, exec) {
                (Outcome::Done(code), true) => Outcome::Exit(code),
                (Outcome::Sleep(span), true) => {
                    self.frames.clear();
                    Outcome::Sleep(span)
                }
                (outcome, _) => outcome,
            };
        }
        let environment = runtime::Environment {
            argv: invocation.words.clone(),
            variables: self.variables.clone(),
            hostname: io.environment.hostname.clone(),
            working_directory: self.directory.clone(),
            ports: io.environment.ports.clone(),
        };
        let program = (self.lookup)(&name, &environment)
            .or_else(|| userland::network_program(&name, &environment.argv, &invocation.input))
            .or_else(|| userland::start(&command, &environment, self.lookup));
        match program {
            Some(process) => Outcome::Program { process, exec, environment: Box::new(environment) },
            None => {
                invocation.err = format!("sh: {command}: not found\n");
                if exec { Outcome::Exit(127) } else { Outcome::Done(127) }
            }
        }
    }
}

/// Whether a text fits a pattern with `*` and `?`.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut place) = (0, 0);
    // The last star, and how far the text was when it was met.
    let mut star: Option<(usize, usize)> = None;
    while place < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(letter) if *letter == '?' || *letter == text[place] => {
                at += 1;
                place += 1;
            }
            _ => match star {
                Some((back, from)) => {
                    star = Some((back, from + 1));
                    (at, place) = (back + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

/// Where output goes that is not redirected.
pub(super) const STREAMS: [Target; 2] =
    [Target::Stream(OutputStream::Stdout), Target::Stream(OutputStream::Stderr)];

/// What was written to one of the streams.
pub(super) fn stream_text(log: &ContainerLog, stream: OutputStream) -> String {
    let mut text = String::new();
    for line in log.lines().filter(|line| line.stream == stream) {
        text.push_str(&line.text);
        if line.complete {
            text.push('\n');
        }
    }
    text
}

/// The span that `sleep` is given: numbers with `s`, `m`, `h` or `d`, added up.
pub(crate) fn sleep_span(words: &[String]) -> Option<Duration> {
    let mut total = Duration::ZERO;
    for word in words {
        let end = word.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(word.len());
        let (number, unit) = word.split_at(end);
        if matches!(number, "") && matches!(unit, "inf" | "infinity") {
            return Some(Duration::from_secs(u64::MAX));
        }
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let milliseconds = whole.saturating_mul(1000).saturating_add(digits.parse().ok()?);
        let factor = match unit {
            "" | "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86400,
            _ => return None,
        };
        total = total + Duration::from_millis(milliseconds) * factor;
    }
    Some(total)
}
