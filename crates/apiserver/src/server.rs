//! The server itself: what it holds, and the way of a request through it.

use std::sync::Arc;

use api::openapi::api::core::v1::Event;
use api::{Key, KindId, Kinded, Object, Status};
use etcd::Etcd;
use sim::{Clock, Digest, Duration, Fingerprint, List, SmallSet, Stream, Time};
use trace::{Trace, What};

use crate::admission::{self, AdmissionPlugin};
use crate::audit::Audit;
use crate::auth::authorize;
use crate::expiry::Expiries;
use crate::kubernetes_service::KubernetesService;
use crate::services::Allocations;
use crate::verbs::Operation;
use crate::watch::{WatchCache, concerns};
use crate::{
    Body, Identity, Request, Response, Snapshot, Subresource, Usage, Verb, WatchEvent, WatchId,
    WatchSelector,
};

/// How often old revisions are compacted. Upstream: kube-apiserver's
/// `--etcd-compaction-interval`.
const COMPACTION_INTERVAL: Duration = Duration::from_secs(300);

/// How many changes the store's history holds at most. Every version of an object is kept as long
/// as its change is; upstream's watch cache is bounded for the same reason.
/// Upstream: storage/cacher/watch_cache.go, defaultUpperBoundCapacity
const MAX_HISTORY: u64 = 4096;

/// The key of an object in the store.
pub(crate) type StoreKey = (KindId, Key);

/// The API server with its store.
#[derive(Clone)]
pub struct ApiServer {
    pub(crate) etcd: Etcd<StoreKey, Object>,
    pub(crate) cache: WatchCache,
    pub(crate) clock: Clock,
    pub(crate) uids: Stream,
    pub(crate) names: Stream,
    pub(crate) services: Allocations,
    pub(crate) admission: Arc<[Arc<dyn AdmissionPlugin>]>,
    audit: Audit,
    expiries: Expiries,
    pub(crate) kubernetes_service: Option<KubernetesService>,
    /// When to compact next, and up to which revision.
    compaction: (Time, u64),
    commits: Vec<Commit>,
    lacking: Option<String>,
}

/// A change that was committed: what hosts follow the cluster by.
#[derive(Clone, Debug)]
pub struct Commit {
    /// When.
    pub time: Time,
    /// The object's kind.
    pub kind: KindId,
    /// The object's key.
    pub key: Key,
    /// The object before, unless it came into being.
    pub old: Option<Object>,
    /// The object after, unless it was deleted.
    pub new: Option<Object>,
}

impl ApiServer {
    /// A server with an empty store, whose UIDs and generated names come from `seed`.
    #[must_use]
    pub fn new(seed: u64, clock: Clock) -> Self {
        ApiServer {
            etcd: Etcd::new(),
            cache: WatchCache::default(),
            clock,
            uids: Stream::new(seed, "kube-apiserver/uids"),
            names: Stream::new(seed, "kube-apiserver/names"),
            services: Allocations::new(seed),
            admission: admission::chain(),
            audit: Audit::default(),
            expiries: Expiries::default(),
            kubernetes_service: None,
            compaction: (Time::ZERO + COMPACTION_INTERVAL, 1),
            commits: Vec::new(),
            lacking: None,
        }
    }

    /// Says that something came up which this build does not hold: what happens from here on is
    /// not what would happen in a whole engine.
    pub fn lack(&mut self, what: String) {
        self.lacking.get_or_insert(what);
    }

    /// What came up first that this build does not hold.
    #[must_use]
    pub fn lacking(&self) -> Option<&str> {
        self.lacking.as_deref()
    }

    /// Runs one request through the whole chain.
    ///
    /// # Errors
    /// The status that upstream would answer with; nothing has changed then.
    pub fn handle(
        &mut self,
        now: Time,
        trace: &mut Trace,
        request: Request,
    ) -> Result<Response, Status> {
        let described = trace.is_on().then(|| describe(&request));
        let answer = self.answer(now, request);
        if let Some((user, verb, resource, object)) = described {
            let code = match &answer {
                Ok(_) if verb == "create" => 201,
                Ok(_) => 200,
                Err(status) => status.code(),
            };
            let verb = verb.to_string();
            trace.record(What::ApiCall { user, verb, resource, object, code });
        }
        answer
    }

    pub(crate) fn answer(&mut self, now: Time, request: Request) -> Result<Response, Status> {
        self.audit.note(&request);
        let kind = request.kind.get();
        authorize(&request.identity)?;
        // What leaves nothing in the store leaves nothing in the streams either.
        let streams = (self.uids.clone(), self.names.clone(), self.services.draws.clone());
        let dry_run = request.dry_run;
        let answer = Operation { server: self, now, kind }.run(request);
        if dry_run || answer.is_err() {
            (self.uids, self.names, self.services.draws) = streams;
        }
        answer
    }

    /// Opens a watch for the component `owner` and returns what it begins with: the objects of
    /// the kind, and the revision at which they are read.
    pub fn watch(
        &mut self,
        identity: &Identity,
        owner: u32,
        kind: KindId,
        selector: WatchSelector,
    ) -> (WatchId, Snapshot, u64) {
        for verb in [Verb::List, Verb::Watch] {
            self.audit.note_use(identity, verb, kind, Subresource::None);
        }
        let id = self.cache.open(owner, kind, selector, List::new());
        (id, self.cache.snapshot(kind), self.etcd.revision())
    }

    /// Opens a watch that goes on behind `revision`, as a client does that has seen everything
    /// up to there: the changes since then are delivered like new ones.
    ///
    /// # Errors
    /// `Expired` when some of these changes are compacted away: the client has to list again.
    pub fn watch_from(
        &mut self,
        now: Time,
        identity: &Identity,
        owner: u32,
        (kind, selector): (KindId, WatchSelector),
        revision: u64,
    ) -> Result<WatchId, Status> {
        self.audit.note_use(identity, Verb::Watch, kind, Subresource::None);
        authorize(identity)?;
        let changes: Vec<_> = match self.etcd.changes_after(revision) {
            Ok(changes) => changes.filter(|change| change.key.0 == kind).cloned().collect(),
            // Upstream: storage/cacher/watch_cache.go, getAllEventsSinceLocked.
            Err(_) => {
                let oldest = self.etcd.compacted_revision();
                let words = format!("too old resource version: {revision} ({oldest})");
                return Err(Status::expired(words));
            }
        };
        let mut snapshot = self.cache.snapshot(kind);
        for change in changes.iter().rev() {
            let (current, previous) = (change.current.as_ref(), change.previous.as_ref());
            let (current, previous) = (current.map(|kv| &kv.value), previous.map(|kv| &kv.value));
            snapshot.apply(&change.key.1, current, previous);
        }
        let mut pending = List::new();
        for change in changes {
            let (old, new) =
                (change.previous.map(|kv| kv.value), change.current.map(|kv| kv.value));
            let (revision, key) = (change.revision, change.key.1);
            snapshot.apply(&key, old.as_ref(), new.as_ref());
            let snapshot = snapshot.clone();
            let event = WatchEvent { revision, time: now, key, old, new, snapshot };
            if concerns(&event, &selector) {
                pending.push_back(Arc::new(event));
            }
        }
        Ok(self.cache.open(owner, kind, selector, pending))
    }

    /// Closes a watch.
    pub fn close_watch(&mut self, id: WatchId) {
        self.cache.close(id);
    }

    /// Closes every watch of a component, as happens when its process ends.
    pub fn close_watches_of(&mut self, owner: u32) {
        self.cache.close_all_of(owner);
    }

    /// Takes what a watch delivers of the changes committed before `before`.
    pub fn poll_watch(&mut self, id: WatchId, before: Time) -> Vec<Arc<WatchEvent>> {
        self.cache.poll(id, before)
    }

    /// A bookmark of a watch: the newest revision up to which it has delivered everything that
    /// concerns it. `None` when the watch is closed.
    #[must_use]
    pub fn bookmark(&self, id: WatchId) -> Option<u64> {
        self.cache.bookmark(id, self.etcd.revision())
    }

    /// From now on, new watches deliver only what [`ApiServer::release_watch`] releases: the
    /// cluster decides how long a change is under way.
    pub fn schedule_deliveries(&mut self) {
        self.cache.schedule_deliveries();
    }

    /// Lets a watch deliver what was committed before `before`.
    pub fn release_watch(&mut self, id: WatchId, before: Time) {
        self.cache.release(id, before);
    }

    /// The changes that were committed since this was last asked, oldest first. They are kept
    /// until they are taken.
    pub fn take_commits(&mut self) -> Vec<Commit> {
        std::mem::take(&mut self.commits)
    }

    /// The watches that came to have something to deliver, with the components that own them.
    pub fn take_announcements(&mut self) -> Vec<(WatchId, u32)> {
        self.cache.take_announcements()
    }

    /// The current objects of a kind, without any lag: for hosts and tests, never for
    /// components, which act on what their watches delivered.
    #[must_use]
    pub fn snapshot(&self, kind: KindId) -> Snapshot {
        self.cache.snapshot(kind)
    }

    /// The revision of the last change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.etcd.revision()
    }

    /// What every identity has used of the API so far.
    #[must_use]
    pub fn usages(&self) -> SmallSet<Usage> {
        self.audit.usages()
    }

    /// The changes after `revision`, oldest first: (revision, kind, key, deleted). `None` when
    /// they are compacted away.
    #[must_use]
    pub fn changes_after(&self, revision: u64) -> Option<Vec<(u64, KindId, Key, bool)>> {
        let changes = self.etcd.changes_after(revision).ok()?;
        Some(
            changes
                .map(|event| {
                    let (kind, key) = event.key.clone();
                    (event.revision, kind, key, event.current.is_none())
                })
                .collect(),
        )
    }

    /// When the server next has something to do of its own accord.
    #[must_use]
    pub fn next_wake(&self) -> Time {
        let reconciled = self.kubernetes_service.as_ref().map_or(Time::MAX, |it| it.next);
        self.expiries.next().min(self.compaction.0).min(reconciled)
    }

    /// Does what is due: lets old Event objects expire, compacts the store's history, and sees
    /// to the Service `kubernetes`.
    pub fn wake(&mut self, now: Time) {
        while let Some(key) = self.expiries.expired(now) {
            self.expiries.forget(&key);
            let stored = self.etcd.get(&(Event::ID, key)).cloned();
            if let Some(kv) = stored {
                self.remove(now, &kv.value, kv.mod_revision);
            }
        }
        let (due, revision) = self.compaction;
        if due <= now {
            self.etcd.compact(revision);
            self.compaction = (now + COMPACTION_INTERVAL, self.etcd.revision());
        }
        self.reconcile_kubernetes_service(now);
    }

    /// Commits an object whose key must be at `expect`, gives it its resource version, and
    /// publishes the change.
    pub(crate) fn commit(
        &mut self,
        now: Time,
        mut object: Object,
        expect: etcd::Expect,
    ) -> Result<Object, etcd::Error> {
        let kind = object.kind_id();
        let revision = self.etcd.revision() + 1;
        object.meta_mut().resource_version = Some(revision.to_string());
        let sought = (kind, object.key());
        // The stored key is shared by all that hold it: one allocation per object, not per write.
        let stored = self.etcd.get_key_value(&sought).map(|(key, _)| key.clone());
        let store_key = stored.unwrap_or(sought);
        let key = store_key.1.clone();
        let event = self.etcd.put(store_key, expect, object.clone())?;
        if kind == Event::ID {
            self.expiries.renew(&key, now);
        }
        let old = event.previous.map(|kv| kv.value);
        self.publish(Commit { time: now, kind, key, old, new: Some(object.clone()) }, revision);
        Ok(object)
    }

    /// Takes an object that is at `revision` out of the store and publishes that.
    pub(crate) fn remove(&mut self, now: Time, object: &Object, revision: u64) {
        let (kind, key) = (object.kind_id(), object.key());
        if let Ok(event) = self.etcd.delete((kind, key.clone()), revision) {
            if kind == Event::ID {
                self.expiries.forget(&key);
            }
            let old = event.previous.map(|kv| kv.value);
            self.publish(Commit { time: now, kind, key, old, new: None }, event.revision);
        }
    }

    fn publish(&mut self, commit: Commit, revision: u64) {
        if commit.kind == KindId::SERVICE {
            self.services.changed(commit.old.as_ref(), commit.new.as_ref());
        }
        let changed = (commit.old.clone(), commit.new.clone());
        self.cache.publish(commit.kind, (revision, commit.time), commit.key.clone(), changed);
        self.commits.push(commit);
        let oldest_kept = revision.saturating_sub(MAX_HISTORY);
        if oldest_kept > self.etcd.compacted_revision() {
            self.etcd.compact(oldest_kept);
        }
    }

    /// The digest of everything the server's future depends on.
    pub fn fingerprint(&mut self) -> Fingerprint {
        let mut digest = Digest::new();
        digest.add(&self.etcd.fingerprint());
        digest.add(&self.cache);
        digest.add(&self.uids);
        digest.add(&self.names);
        digest.add(&self.services);
        digest.add(&self.kubernetes_service);
        digest.add(&self.compaction.0);
        digest.u64(self.compaction.1);
        digest.add(&self.expiries);
        digest.finish()
    }
}

fn describe(request: &Request) -> (Arc<str>, &'static str, String, String) {
    let kind = request.kind.get();
    let resource = match request.subresource.word() {
        "" => kind.plural.to_string(),
        word => format!("{}/{word}", kind.plural),
    };
    let name = match &request.body {
        Body::Object(object) if request.name.is_empty() => object.name(),
        _ => &request.name,
    };
    let object = match request.namespace.as_str() {
        "" => name.to_string(),
        namespace => format!("{namespace}/{name}"),
    };
    (request.identity.user.clone(), request.verb.word(), resource, object)
}
