//! A session: all that is needed to have the same cluster again.

use serde::{Deserialize, Serialize};
use sim::Time;

use crate::{Cluster, Command, Options, Parts};

/// The version of the session's own form.
pub const FORMAT_VERSION: u32 = 1;
/// The version of the engine. A session of another version may not replay to the same state.
pub const ENGINE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// A command and when it was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoggedCommand {
    /// How many events the cluster had handled by then.
    pub event_index: u64,
    /// The virtual instant, in nanoseconds since the cluster was created.
    pub time_nanos: u64,
    /// The command.
    pub command: Command,
}

/// Everything that a run depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// See [`FORMAT_VERSION`].
    pub format_version: u32,
    /// See [`ENGINE_VERSION`].
    pub engine_version: String,
    /// What the cluster was made with, the seed among it.
    pub options: Options,
    /// The commands, in the order in which they were given.
    pub commands: Vec<LoggedCommand>,
}

/// Why a session cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The session's form is not known.
    #[error("the session has format version {0}; this engine reads version {FORMAT_VERSION}")]
    Format(u32),
    /// The replay has not come to where a command was given.
    #[error("command {index} was given after {expected} events, the replay is at {found}")]
    Diverged {
        /// Which command.
        index: u64,
        /// The event index that the session says.
        expected: u64,
        /// The event index of the replay.
        found: u64,
    },
}

impl Session {
    /// A session without commands.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Session {
            format_version: FORMAT_VERSION,
            engine_version: ENGINE_VERSION.to_string(),
            options,
            commands: Vec::new(),
        }
    }

    /// Makes the cluster again and gives it every command at the instant at which it was given
    /// first.
    ///
    /// # Errors
    /// When the session is of another format, or the replay diverges because the engine that
    /// wrote it behaves differently.
    pub fn replay(&self) -> Result<Cluster, SessionError> {
        let last = self.commands.last();
        let events = last.map_or(0, |logged| logged.event_index);
        let time = last.map_or(Time::ZERO, |logged| Time::from_nanos(logged.time_nanos));
        let mut replay = Replay::new(Parts::FULL, self.clone(), (events, time))?;
        while !replay.run(u64::MAX)? {}
        Ok(replay.into_cluster())
    }

    /// Whether this is `earlier` with, perhaps, more commands.
    fn continues(&self, earlier: &Session) -> bool {
        let Session { format_version, engine_version, options, commands } = earlier;
        self.format_version == *format_version
            && self.engine_version == *engine_version
            && self.options == *options
            && self.commands.starts_with(commands)
    }
}

/// A session on its way to be a cluster again, in as many steps as one likes.
#[derive(Clone)]
pub struct Replay {
    session: Session,
    cluster: Cluster,
    /// How many of the commands have been given.
    given: usize,
    /// How many events are to be handled, and the instant after them.
    end: (u64, Time),
}

impl Replay {
    /// Begins to replay a session until as many events are handled and it is that instant.
    ///
    /// # Errors
    /// When the session is of another format.
    pub fn new(parts: Parts, session: Session, end: (u64, Time)) -> Result<Self, SessionError> {
        if session.format_version != FORMAT_VERSION {
            return Err(SessionError::Format(session.format_version));
        }
        let cluster = Cluster::of(parts, session.options.clone());
        Ok(Replay { session, cluster, given: 0, end })
    }

    /// Goes on to a later end of the same session. Returns whether it is the same.
    pub fn extend(&mut self, session: Session, end: (u64, Time)) -> bool {
        let is_same = session.continues(&self.session) && end >= self.end;
        if is_same {
            (self.session, self.end) = (session, end);
        }
        is_same
    }

    /// Handles at most `max_events` events. Returns whether it has come to the end.
    ///
    /// # Errors
    /// When the replay diverges: the engine that wrote the session behaves differently.
    pub fn run(&mut self, max_events: u64) -> Result<bool, SessionError> {
        let mut left = max_events;
        loop {
            let next = self.session.commands.get(self.given);
            let (events, time) = next.map_or(self.end, |logged| {
                (logged.event_index, Time::from_nanos(logged.time_nanos))
            });
            let missing = events.saturating_sub(self.cluster.events_handled());
            let wanted = missing.min(left);
            let target = self.cluster.events_handled() + wanted;
            self.cluster.run_events(time, wanted, wanted == missing);
            if self.cluster.events_handled() != target || target > events {
                let (index, found) = (self.given as u64, self.cluster.events_handled());
                return Err(SessionError::Diverged { index, expected: events, found });
            }
            left -= wanted;
            match next {
                _ if wanted < missing => return Ok(false),
                None => return Ok(true),
                Some(logged) => {
                    self.cluster.execute(logged.command.clone());
                    self.given += 1;
                }
            }
        }
    }

    /// The cluster as far as it has come.
    #[must_use]
    pub fn into_cluster(self) -> Cluster {
        self.cluster
    }
}
