//! One controller at work: its queue, its identity, and the keys that wait until the informers
//! have caught up with the controller's own writes.

use std::fmt;

use api::{Key, KindId};
use apiserver::Identity;
use client::{Context, EventRecorder, WorkQueue};
use sim::{Digest, Duration, OrdMap, SmallMap, Time};
use trace::What;

use crate::{Action, Change, Controller, Enqueue, Error, SharedInformers, SyncContext, Watched};

/// How long a worker is busy with a key for which it wrote something: requests take their time,
/// and no key is with two workers at once. So changes that come in bursts are looked at together.
const WRITE_TIME: Duration = Duration::from_millis(10);

/// How many finished writes are remembered before they are looked through.
const WRITES_LIMIT: usize = 64;

/// What the manager needs of a controller, whatever its type.
pub(crate) trait Work: Send + Sync {
    /// Adds the keys to begin with.
    fn start(&mut self, now: Time, informers: &SharedInformers);
    /// Shows it a change.
    fn deliver(&mut self, now: Time, informers: &SharedInformers, change: &Change);
    /// Lets go of the keys whose writes the informers have seen.
    fn catch_up(&mut self, informers: &SharedInformers);
    /// Reconciles one key, if one is due.
    fn work(&mut self, cx: &mut Context<'_>, informers: &SharedInformers) -> bool;
    /// When the next key is due.
    fn next_due(&self) -> Option<Time>;
    /// What it has still to do of its own accord.
    fn busy(&self) -> Option<String>;
    /// Forgets everything, as a process does that ends.
    fn stop(&mut self);
    /// Adds everything its future depends on.
    fn digest(&self, digest: &mut Digest);
    /// A copy of it as it stands.
    fn clone_box(&self) -> Box<dyn Work>;
}

impl Clone for Box<dyn Work> {
    fn clone(&self) -> Self {
        self.clone_box()
    }
}

impl fmt::Debug for dyn Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Work")
    }
}

/// How a controller reconciles a key.
type Reconcile<C> = fn(&mut C, &mut SyncContext<'_, '_>, &Key) -> Result<Action, Error>;

#[derive(Clone)]
pub(crate) struct Worker<C> {
    controller: C,
    /// `None` in an engine that holds no more of the controller than what it watches.
    sync: Option<Reconcile<C>>,
    queue: WorkQueue,
    identity: Identity,
    recorder: EventRecorder,
    /// What each key that was written for waits for before it may be reconciled again.
    writes: OrdMap<Key, Writes>,
    /// How many entries `writes` may have before those that nothing waits for are dropped.
    writes_limit: usize,
    /// The keys that are due and wait for a revision of a kind.
    waiting: OrdMap<(KindId, u64), Vec<Key>>,
}

/// The writes of the last sync of a key. A controller must not act on a cache that is older than
/// its own last write.
#[derive(Clone, Debug)]
struct Writes {
    /// Until when the worker is busy with them.
    until: Time,
    /// The revisions that they made, by kind.
    revisions: SmallMap<KindId, u64>,
}

impl<C: Controller> Worker<C> {
    pub(crate) fn new(sync: Option<Reconcile<C>>) -> Self {
        let identity = Identity::service_account("kube-system", C::SERVICE_ACCOUNT);
        let recorder = EventRecorder::new(identity.clone(), C::EVENT_SOURCE, None);
        Worker {
            controller: C::default(),
            sync,
            queue: WorkQueue::new(),
            identity,
            recorder,
            writes: OrdMap::new(),
            writes_limit: WRITES_LIMIT,
            waiting: OrdMap::new(),
        }
    }

    /// The first write of the key that the informers have not seen.
    fn unseen_write(&mut self, key: &Key, informers: &SharedInformers) -> Option<(KindId, u64)> {
        let revisions = &mut self.writes.get_mut(key)?.revisions;
        revisions.retain(|kind, revision| informers.revision(*kind) < *revision);
        if let Some((kind, revision)) = revisions.first_key_value() {
            return Some((*kind, *revision));
        }
        self.writes.remove(key);
        None
    }

    /// Drops the writes that have been seen, of keys that were not reconciled since.
    fn forget_seen_writes(&mut self, now: Time, informers: &SharedInformers) {
        if self.writes.len() <= self.writes_limit {
            return;
        }
        self.writes.retain(|_, writes| {
            let mut revisions = writes.revisions.iter();
            let seen = revisions.all(|(kind, revision)| informers.revision(*kind) >= *revision);
            !seen || writes.until > now
        });
        self.writes_limit = 2 * self.writes.len() + WRITES_LIMIT;
    }

    fn next_key(&mut self, now: Time, informers: &SharedInformers) -> Option<Key> {
        while let Some(key) = self.queue.pop(now) {
            if let Some(writes) = self.writes.get(&key).filter(|writes| writes.until > now) {
                self.queue.add_at(key, writes.until);
                continue;
            }
            match self.unseen_write(&key, informers) {
                None => return Some(key),
                Some(write) => {
                    let keys = self.waiting.entry(write).or_default();
                    if !keys.contains(&key) {
                        keys.push(key);
                    }
                }
            }
        }
        None
    }
}

impl<C: Controller> Work for Worker<C> {
    fn start(&mut self, now: Time, informers: &SharedInformers) {
        self.controller.start(&mut Enqueue { now, informers, queue: &mut self.queue });
    }

    fn deliver(&mut self, now: Time, informers: &SharedInformers, change: &Change) {
        for watch in C::watches() {
            let concerned = match watch.watched {
                Watched::Kind(kind) => kind == change.kind,
                Watched::Everything => true,
            };
            if concerned {
                let enqueue = &mut Enqueue { now, informers, queue: &mut self.queue };
                (watch.handle)(&mut self.controller, change, enqueue);
            }
        }
    }

    fn catch_up(&mut self, informers: &SharedInformers) {
        let seen = |(kind, revision): &(KindId, u64)| informers.revision(*kind) >= *revision;
        let due: Vec<(KindId, u64)> =
            self.waiting.keys().filter(|write| seen(write)).copied().collect();
        for write in due {
            for key in self.waiting.remove(&write).unwrap_or_default() {
                self.queue.add(key);
            }
        }
    }

    fn work(&mut self, cx: &mut Context<'_>, informers: &SharedInformers) -> bool {
        let Some(key) = self.next_key(cx.now, informers) else { return false };
        let Some(reconcile) = self.sync else {
            cx.lack(format!("the controller {}", C::NAME));
            return true;
        };
        if cx.trace.is_on() {
            cx.record(What::Reconcile { controller: C::NAME.to_string(), key: key.to_string() });
        }
        let now = cx.now;
        let mut sync = SyncContext {
            cx,
            informers,
            identity: &self.identity,
            recorder: &mut self.recorder,
            writes: SmallMap::new(),
            also: Vec::new(),
        };
        // What this sync knows of the key is newer than what an earlier one set a timer for.
        self.queue.cancel(&key);
        let outcome = reconcile(&mut self.controller, &mut sync, &key);
        for (key, time) in std::mem::take(&mut sync.also) {
            self.queue.add_at(key, time);
        }
        if !sync.writes.is_empty() {
            let writes = Writes { until: now + WRITE_TIME, revisions: sync.writes };
            self.writes.insert(key.clone(), writes);
            self.forget_seen_writes(now, informers);
        }
        match outcome {
            Ok(Action::Done) => self.queue.forget(&key),
            Ok(Action::RequeueAfter(delay)) => {
                self.queue.forget(&key);
                self.queue.add_at(key, now + delay);
            }
            Ok(Action::RequeueRateLimited) | Err(_) => self.queue.add_rate_limited(key, now),
        }
        true
    }

    fn next_due(&self) -> Option<Time> {
        self.queue.next_due()
    }

    fn busy(&self) -> Option<String> {
        let waiting: usize = self.waiting.values().map(Vec::len).sum();
        let ready = self.queue.next_due() == Some(Time::ZERO);
        if waiting > 0 || ready || !(C::TIMERS_ARE_IDLE || self.queue.is_empty()) {
            return Some(format!("{}: {} keys", C::NAME, self.queue.len() + waiting));
        }
        None
    }

    fn stop(&mut self) {
        *self = Worker::new(self.sync);
    }

    fn digest(&self, digest: &mut Digest) {
        self.controller.digest(digest);
        digest.add(&self.queue);
        digest.add(&self.recorder);
        digest.u64(self.writes_limit as u64);
        digest.u64(self.writes.len() as u64);
        for (key, writes) in &self.writes {
            digest.add(key);
            digest.add(&writes.until);
            digest.add(&writes.revisions);
        }
        digest.u64(self.waiting.len() as u64);
        for ((kind, revision), keys) in &self.waiting {
            digest.add(kind);
            digest.u64(*revision);
            digest.add(keys);
        }
    }

    fn clone_box(&self) -> Box<dyn Work> {
        Box::new(self.clone())
    }
}
