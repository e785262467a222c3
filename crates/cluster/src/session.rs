//! A session: all that is needed to have the same cluster again.

use serde::{Deserialize, Serialize};
use sim::Time;

use crate::{Cluster, Command, Options};

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
        if self.format_version != FORMAT_VERSION {
            return Err(SessionError::Format(self.format_version));
        }
        let mut cluster = Cluster::new(self.options.clone());
        for (index, logged) in (0..).zip(&self.commands) {
            let time = Time::from_nanos(logged.time_nanos);
            let events = logged.event_index.saturating_sub(cluster.events_handled());
            cluster.run_events(time, events);
            if cluster.events_handled() != logged.event_index {
                return Err(SessionError::Diverged {
                    index,
                    expected: logged.event_index,
                    found: cluster.events_handled(),
                });
            }
            cluster.execute(logged.command.clone());
        }
        Ok(cluster)
    }
}
