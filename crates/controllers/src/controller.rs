//! What a controller is: which changes concern it, and what it does about a key.

use api::{Key, KindId, Kinded, Status};
use client::WorkQueue;
use sim::{Digest, Duration, Time};

use crate::{Change, SharedInformers, SyncContext};

/// A reconciler: one file or folder per controller, and one line in [`crate::manager`].
pub trait Controller: Clone + Default + Send + Sync + 'static {
    /// Its name.
    const NAME: &'static str;

    /// The service account in kube-system as which it acts.
    const SERVICE_ACCOUNT: &'static str = Self::NAME;

    /// What its Events name as their source.
    const EVENT_SOURCE: &'static str = Self::NAME;

    /// Whether its timers only make it look again at what may have changed meanwhile. Such a
    /// timer is no work: the cluster is quiet while it runs.
    const TIMERS_ARE_IDLE: bool = false;

    /// The changes that concern it, and what it does when it sees one: it adds keys.
    fn watches() -> &'static [Watch<Self>];

    /// Adds the keys to begin with, beside those that the first lists bring.
    fn start(&mut self, _enqueue: &mut Enqueue<'_>) {}

    /// Brings what the key names nearer to what is wanted.
    ///
    /// # Errors
    /// What stopped it. The key comes back after a delay that grows with every failure.
    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error>;

    /// Adds what its future depends on, beside its queue.
    fn digest(&self, _digest: &mut Digest) {}
}

/// What becomes of a key that was reconciled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing, until a change concerns it.
    Done,
    /// It comes back after that time.
    RequeueAfter(Duration),
    /// It comes back as a key that failed does, though nothing is wrong.
    RequeueRateLimited,
}

/// Why a key could not be reconciled. All of them are tried again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused a request.
    #[error(transparent)]
    Refused(#[from] Status),
    /// Something else, in upstream's words.
    #[error("{0}")]
    Other(String),
}

/// Which kinds a watch follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// One kind.
    Kind(KindId),
    /// Every kind that the informers know.
    Everything,
}

/// A kind that concerns a controller, and what it does when it sees a change.
pub struct Watch<C> {
    /// Which kinds.
    pub watched: Watched,
    /// Looks at a change and adds the keys that it concerns.
    pub handle: fn(&mut C, &Change, &mut Enqueue<'_>),
}

impl<C> Watch<C> {
    /// A watch on one kind.
    #[must_use]
    pub const fn on<T: Kinded>(handle: fn(&mut C, &Change, &mut Enqueue<'_>)) -> Self {
        Watch { watched: Watched::Kind(T::ID), handle }
    }

    /// A watch on every kind.
    #[must_use]
    pub const fn on_everything(handle: fn(&mut C, &Change, &mut Enqueue<'_>)) -> Self {
        Watch { watched: Watched::Everything, handle }
    }
}

/// What an event handler is given.
pub struct Enqueue<'a> {
    /// The virtual instant.
    pub now: Time,
    /// What is known of the cluster.
    pub informers: &'a SharedInformers,
    /// The controller's keys.
    pub queue: &'a mut WorkQueue,
}

impl Enqueue<'_> {
    /// Adds a key.
    pub fn add(&mut self, key: Key) {
        self.queue.add(key);
    }

    /// Adds a key after that time.
    pub fn add_after(&mut self, key: Key, delay: Duration) {
        self.queue.add_at(key, self.now + delay);
    }
}
