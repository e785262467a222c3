//! What an engine holds of the world. A page loads a small engine first, which can boot a cluster
//! and show it, and a whole one after that.
//!
//! Both are this code over different lists, so the state of both is the same at every event until
//! something comes up that a list does not hold. Nothing is guessed then: the cluster says what it
//! is lacking ([`Cluster::lacking`]), what it did in that event counts for nothing, and a whole
//! engine takes the session over from the event before.

use std::sync::Arc;

use apiserver::Identity;
use client::Context;
use controllers::Controllers;
use kubectl::DocumentResult;
use runtime::{ImageCatalogue, Process};
use sim::Time;

use crate::generator::{Generator, Target};
use crate::{Cluster, Command, Session};

/// The lists. Code that no list names which a program uses is not in that program.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    pub(crate) catalogue: fn() -> Arc<dyn ImageCatalogue>,
    pub(crate) controllers: Controllers,
    pub(crate) commands: Option<Commands>,
}

/// A command of kubectl that takes a text.
pub(crate) type OfText = fn(&mut Context<'_>, &Identity, &str) -> Vec<DocumentResult>;

/// What commands need that no cluster needs to boot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Commands {
    pub(crate) apply: OfText,
    pub(crate) delete: OfText,
    pub(crate) generator: fn(Target, u32) -> Box<dyn Process>,
}

impl Parts {
    /// Everything.
    pub const FULL: Parts = Parts {
        catalogue: images::catalogue,
        controllers: Controllers::ALL,
        commands: Some(Commands {
            apply: kubectl::apply,
            delete: kubectl::delete,
            generator: |target, rate| Box::new(Generator::new(target, rate)),
        }),
    };

    /// What a cluster needs to boot, to be looked at and to fail.
    pub const CORE: Parts =
        Parts { catalogue: images::boot_catalogue, controllers: Controllers::BOOT, commands: None };

    /// What a command needs that is not there, in words.
    fn lacking(&self, command: &Command) -> Option<&'static str> {
        match command {
            Command::Apply { .. } | Command::Delete { .. } if self.commands.is_none() => {
                Some("what reads manifests")
            }
            Command::Traffic { .. } if self.commands.is_none() => Some("what sends traffic"),
            _ => None,
        }
    }
}

/// Where another engine is to take a session over.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The session up to there.
    pub session: Session,
    /// How many events count.
    pub events: u64,
    /// The instant.
    pub time: Time,
    /// Whether the cluster has gone astray since.
    pub is_behind: bool,
}

impl Cluster {
    /// What came up that this engine does not hold, if something did. The cluster stands still
    /// from then on, perhaps in a state that is of no use: a whole engine has to take over.
    #[must_use]
    pub fn lacking(&self) -> Option<&str> {
        self.server().lacking()
    }

    /// Where another engine is to take over: here, or before what could not be done.
    #[must_use]
    pub fn point(&self) -> Point {
        let mut session = self.session().clone();
        let (commands, events) =
            self.sound.unwrap_or((session.commands.len(), self.events_handled()));
        let is_behind = commands < session.commands.len() || events < self.events_handled();
        session.commands.truncate(commands);
        Point { session, events, time: self.now(), is_behind }
    }

    /// Whether the command cannot be carried out for want of what it needs.
    pub(crate) fn lacks_for(&mut self, command: &Command) -> bool {
        if let Some(what) = self.parts.lacking(command) {
            self.host_context().lack(what.to_string());
            self.tear(self.session().commands.len(), self.events_handled());
        }
        self.lacking().is_some()
    }
}
