//! A container's program: a state machine that is told what happened and says what it waits for.

use std::collections::BTreeMap;
use std::fmt;

use client::Context;
use network::{SocketEvent, SocketId, Sockets};
use sim::{Clock, Digest, Digestible, Stream, Time};

use crate::{ContainerLog, Files, OutputStream};

/// Anything that runs in a container. Its whole state is explicit and can be copied.
pub trait Process: Send + Sync {
    /// Takes an event and says how to go on.
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow;

    /// Whether it watches the API server: then it is told whenever a watch of its machine has
    /// something to deliver.
    fn watches(&self) -> bool {
        false
    }

    /// Which component of the control plane runs exactly while this process does, if any.
    fn component(&self) -> Option<&'static str> {
        None
    }

    /// How many bytes of memory it holds, as far as it says so: what a container may hold at most
    /// ends it.
    fn memory(&self) -> u64 {
        0
    }

    /// What it has counted, for whoever looks at it; nothing in the cluster goes by it.
    fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// The process is gone, whatever ended it: its connections to the API server end with it. It
    /// closes its watches and can do nothing else.
    fn disconnect(&mut self, cx: &mut Context<'_>) {
        let _ = cx;
    }

    /// A copy of the process as it stands.
    fn clone_box(&self) -> Box<dyn Process>;

    /// Adds everything its future depends on.
    fn digest(&self, digest: &mut Digest);
}

// Not the programs' own way: the module would carry that of every program.
impl fmt::Debug for dyn Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Process")
    }
}

impl Clone for Box<dyn Process> {
    fn clone(&self) -> Self {
        self.clone_box()
    }
}

/// What a process is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    /// It begins.
    Started,
    /// The instant has come that it asked to be woken at.
    Timer,
    /// It received a signal. `SIGKILL` is never delivered: the process is simply gone.
    Signal(Signal),
    /// Something happened to one of its sockets.
    Socket(SocketId, SocketEvent),
    /// One of its watches may have something to take.
    Delivered,
}

/// A Unix signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// `SIGHUP`
    Hup,
    /// `SIGINT`
    Int,
    /// `SIGQUIT`
    Quit,
    /// `SIGTERM`
    Term,
    /// `SIGKILL`
    Kill,
    /// `SIGUSR1`
    User1,
    /// `SIGUSR2`
    User2,
}

impl Signal {
    /// The signal's number on Linux.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Signal::Hup => 1,
            Signal::Int => 2,
            Signal::Quit => 3,
            Signal::Kill => 9,
            Signal::User1 => 10,
            Signal::User2 => 12,
            Signal::Term => 15,
        }
    }

    /// The exit code that a shell and a container runtime report of a process which the signal
    /// ended.
    #[must_use]
    pub fn exit_code(self) -> i32 {
        128 + self.number()
    }

    /// The signal of that name, with or without `SIG`.
    #[must_use]
    pub fn named(name: &str) -> Option<Signal> {
        match name.strip_prefix("SIG").unwrap_or(name) {
            "HUP" => Some(Signal::Hup),
            "INT" => Some(Signal::Int),
            "QUIT" => Some(Signal::Quit),
            "TERM" => Some(Signal::Term),
            "KILL" => Some(Signal::Kill),
            "USR1" => Some(Signal::User1),
            "USR2" => Some(Signal::User2),
            _ => None,
        }
    }
}

/// How a process goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It waits for an event from outside, and keeps the timer it had.
    Continue,
    /// It waits for an event from outside, or for the instant given.
    WaitUntil(Time),
    /// It has ended with the exit code given.
    Exit(i32),
}

/// What a process is started with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The command and its arguments.
    pub argv: Vec<String>,
    /// The environment variables.
    pub variables: BTreeMap<String, String>,
    /// The host's name.
    pub hostname: String,
    /// Where it starts.
    pub working_directory: String,
    /// The TCP ports that its container is declared with: all that is known of where a program
    /// listens that is not described.
    pub ports: Vec<u16>,
}

impl Digestible for Environment {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.argv);
        digest.add(&self.variables);
        digest.str(&self.hostname);
        digest.str(&self.working_directory);
        self.ports.iter().for_each(|port| digest.u64(u64::from(*port)));
    }
}

/// What a process can see and touch while it handles an event.
pub struct Io<'a> {
    /// The virtual instant.
    pub now: Time,
    /// The calendar.
    pub clock: Clock,
    /// What it was started with.
    pub environment: &'a Environment,
    /// The container's files.
    pub files: &'a mut Files,
    /// Where its output goes.
    pub log: &'a mut ContainerLog,
    /// The network from where it runs.
    pub network: Sockets<'a>,
    /// The API server, for programs that are its clients; they name their own identity.
    pub cx: Context<'a>,
    /// The name of the stream that its random numbers come from.
    pub stream: &'a str,
}

impl Io<'_> {
    /// Random numbers of the machine it runs on.
    pub fn random(&mut self) -> &mut Stream {
        self.cx.streams.named(self.stream)
    }

    /// Writes to standard output.
    pub fn stdout(&mut self, text: &str) {
        self.log.write(self.now, OutputStream::Stdout, text);
    }

    /// Writes to standard error.
    pub fn stderr(&mut self, text: &str) {
        self.log.write(self.now, OutputStream::Stderr, text);
    }
}
