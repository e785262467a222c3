//! The server itself: what it holds, and the way of a request through it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::openapi::api::core::v1::Event;
use api::{Key, KindId, Kinded, Object, Status};
use etcd::Etcd;
use sim::{Clock, Digest, Duration, Fingerprint, Stream, Time};
use trace::{Trace, What};

use crate::admission::{self, AdmissionPlugin};
use crate::auth::authorize;
use crate::cache::WatchCache;
use crate::verbs::Operation;
use crate::{Request, Response, Snapshot, Usage, Verb, WatchEvent, WatchId, WatchSelector};

/// How long an Event object lives. Upstream: kube-apiserver's `--event-ttl`.
const EVENT_TTL: Duration = Duration::from_secs(3600);
/// How often old revisions are compacted. Upstream: kube-apiserver's
/// `--etcd-compaction-interval`.
const COMPACTION_INTERVAL: Duration = Duration::from_secs(300);

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
    pub(crate) admission: Arc<[Arc<dyn AdmissionPlugin>]>,
    usages: BTreeSet<Usage>,
    event_expiries: BTreeMap<Time, Vec<Key>>,
    compactions: (Time, u64),
    commits: Vec<Commit>,
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
            admission: admission::chain(),
            usages: BTreeSet::new(),
            event_expiries: BTreeMap::new(),
            compactions: (Time::ZERO + COMPACTION_INTERVAL, 1),
            commits: Vec::new(),
        }
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
        self.note_usage(&request);
        let described = trace.is_on().then(|| describe(&request));
        let kind = request.kind.get();
        let answer = authorize(&request, kind)
            .and_then(|()| Operation { server: self, now, kind }.run(request));
        if let Some((user, verb, resource, object)) = described {
            let code = match &answer {
                Ok(_) => 200,
                Err(status) => status.code(),
            };
            let verb = verb.to_string();
            trace.record(What::ApiCall { user, verb, resource, object, code });
        }
        answer
    }

    fn note_usage(&mut self, request: &Request) {
        let usage = Usage::of(request);
        if !self.usages.contains(&usage) {
            self.usages.insert(usage);
        }
    }

    /// Opens a watch for the component `owner` and returns what it begins with: the objects of
    /// the kind, and the revision at which they are read.
    pub fn watch(
        &mut self,
        identity: &crate::Identity,
        owner: u32,
        kind: KindId,
        selector: WatchSelector,
    ) -> (WatchId, Snapshot, u64) {
        for verb in [Verb::List, Verb::Watch] {
            self.note_usage(&Request {
                identity: identity.clone(),
                verb,
                kind,
                namespace: String::new(),
                name: String::new(),
                subresource: crate::Subresource::None,
                body: crate::Body::None,
                dry_run: false,
            });
        }
        let id = self.cache.open(owner, kind, selector);
        (id, self.cache.snapshot(kind), self.etcd.revision())
    }

    /// Closes a watch.
    pub fn close_watch(&mut self, id: WatchId) {
        self.cache.close(id);
    }

    /// Takes what a watch delivers of the changes committed before `before`.
    pub fn poll_watch(&mut self, id: WatchId, before: Time) -> Vec<Arc<WatchEvent>> {
        self.cache.poll(id, before)
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
    pub fn usages(&self) -> &BTreeSet<Usage> {
        &self.usages
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
        let expiry = self.event_expiries.first_key_value().map_or(Time::MAX, |(time, _)| *time);
        expiry.min(self.compactions.0)
    }

    /// Does what is due: lets old Event objects expire, and compacts the store's history.
    pub fn wake(&mut self, now: Time) {
        while let Some(entry) = self.event_expiries.first_entry() {
            if *entry.key() > now {
                break;
            }
            for key in entry.remove() {
                self.expire_event(now, key);
            }
        }
        let (due, revision) = self.compactions;
        if due <= now {
            self.etcd.compact(revision);
            self.compactions = (now + COMPACTION_INTERVAL, self.etcd.revision());
        }
    }

    fn expire_event(&mut self, now: Time, key: Key) {
        let store_key = (KindId::EVENT, key.clone());
        let Some(kv) = self.etcd.get(&store_key) else { return };
        if self.expiry_of(&kv.value) > now {
            let expiry = self.expiry_of(&kv.value);
            self.event_expiries.entry(expiry).or_default().push(key);
            return;
        }
        let (object, revision) = (kv.value.clone(), kv.mod_revision);
        self.remove(now, &object, revision);
    }

    /// An Event lives for its time to live after it was last written.
    fn expiry_of(&self, event: &Object) -> Time {
        let typed = event.get::<Event>();
        let last = typed.and_then(|event| event.last_timestamp.as_ref()).map(|time| time.0);
        let created = event.meta().creation_timestamp.as_ref().map(|time| time.0);
        last.or(created).map_or(Time::MAX, |timestamp| self.clock.time(timestamp) + EVENT_TTL)
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
        let key = object.key();
        let event = self.etcd.put((kind, key.clone()), expect, object.clone())?;
        if kind == Event::ID && event.previous.is_none() {
            let expiry = self.expiry_of(&object);
            self.event_expiries.entry(expiry).or_default().push(key.clone());
        }
        let old = event.previous.map(|kv| kv.value);
        self.publish(Commit { time: now, kind, key, old, new: Some(object.clone()) }, revision);
        Ok(object)
    }

    /// Takes an object that is at `revision` out of the store and publishes that.
    pub(crate) fn remove(&mut self, now: Time, object: &Object, revision: u64) {
        let (kind, key) = (object.kind_id(), object.key());
        if let Ok(event) = self.etcd.delete((kind, key.clone()), revision) {
            let commit = Commit { time: now, kind, key, old: Some(object.clone()), new: None };
            self.publish(commit, event.revision);
        }
    }

    fn publish(&mut self, commit: Commit, revision: u64) {
        let changed = (commit.old.clone(), commit.new.clone());
        self.cache.publish(commit.kind, (revision, commit.time), commit.key.clone(), changed);
        self.commits.push(commit);
    }

    /// The digest of everything the server's future depends on.
    pub fn fingerprint(&mut self) -> Fingerprint {
        let mut digest = Digest::new();
        digest.add(&self.etcd.fingerprint());
        digest.add(&self.cache);
        digest.add(&self.uids);
        digest.add(&self.names);
        digest.add(&self.compactions.0);
        digest.u64(self.compactions.1);
        digest.u64(self.event_expiries.len() as u64);
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
        crate::Body::Object(object) if request.name.is_empty() => object.name(),
        _ => &request.name,
    };
    let object = match request.namespace.as_str() {
        "" => name.to_string(),
        namespace => format!("{namespace}/{name}"),
    };
    (request.identity.user.clone(), request.verb.word(), resource, object)
}
