//! The watch cache: one persistent snapshot per kind, and the watches that follow it.
//!
//! A watch is a queue of the changes it has still to deliver. What a client has of a kind is
//! the snapshot of the change it was delivered last: shared, never copied.
//! Upstream: staging/src/k8s.io/apiserver/pkg/storage/cacher

use std::sync::Arc;

use api::openapi::api::core::v1::Pod;
use api::{Key, KindId, Object};
use imbl::{OrdMap, Vector};
use sim::{Digest, Digestible, Time};

/// All objects of a kind at one revision, with the indexes that components look them up by.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    objects: OrdMap<Key, Object>,
    by_owner: OrdMap<(Arc<str>, Key), Object>,
    by_node: OrdMap<(Arc<str>, Key), Object>,
}

impl Snapshot {
    /// The object of that key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Object> {
        self.objects.get(key)
    }

    /// All objects, by namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The objects of a namespace, by name.
    pub fn in_namespace<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Object> {
        self.objects
            .range(Key::new(namespace, "")..)
            .take_while(move |(key, _)| &*key.namespace == namespace)
            .map(|(_, object)| object)
    }

    /// The objects that name the UID among their owners.
    pub fn owned_by<'a>(&'a self, uid: &'a str) -> impl Iterator<Item = &'a Object> {
        indexed(&self.by_owner, uid)
    }

    /// The pods bound to a node.
    pub fn on_node<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a Object> {
        indexed(&self.by_node, node)
    }

    /// Takes a change in.
    pub fn apply(&mut self, key: &Key, old: Option<&Object>, new: Option<&Object>) {
        if let Some(old) = old {
            for uid in owners(old) {
                self.by_owner.remove(&(uid, key.clone()));
            }
            if let Some(node) = node_of(old) {
                self.by_node.remove(&(node, key.clone()));
            }
        }
        let Some(new) = new else {
            self.objects.remove(key);
            return;
        };
        for uid in owners(new) {
            self.by_owner.insert((uid, key.clone()), new.clone());
        }
        if let Some(node) = node_of(new) {
            self.by_node.insert((node, key.clone()), new.clone());
        }
        self.objects.insert(key.clone(), new.clone());
    }
}

fn indexed<'a>(
    index: &'a OrdMap<(Arc<str>, Key), Object>,
    value: &'a str,
) -> impl Iterator<Item = &'a Object> {
    index
        .range((Arc::from(value), Key::new("", ""))..)
        .take_while(move |((indexed, _), _)| &**indexed == value)
        .map(|(_, object)| object)
}

fn owners(object: &Object) -> impl Iterator<Item = Arc<str>> {
    object.meta().owner_references.iter().flatten().map(|owner| Arc::from(owner.uid.as_str()))
}

fn node_of(object: &Object) -> Option<Arc<str>> {
    let pod = object.get::<Pod>()?;
    pod.spec.as_ref()?.node_name.as_deref().map(Arc::from)
}

/// One change of one object, as watches deliver it.
#[derive(Clone, Debug)]
pub struct WatchEvent {
    /// The revision that the change made.
    pub revision: u64,
    /// When it was committed.
    pub time: Time,
    /// The object's key.
    pub key: Key,
    /// The object before, unless it came into being.
    pub old: Option<Object>,
    /// The object after, unless it was deleted.
    pub new: Option<Object>,
    /// All objects of the kind after the change.
    pub snapshot: Snapshot,
}

/// Names an open watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchId(pub(crate) u64);

impl Digestible for WatchId {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.0);
    }
}

/// Which objects of a kind a watch follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchSelector {
    /// All of them.
    Everything,
    /// The pods bound to a node: `spec.nodeName=…`.
    Node(Arc<str>),
    /// One object: `metadata.name=…`.
    Name(Key),
}

impl WatchSelector {
    /// Whether the watch follows the object.
    #[must_use]
    pub fn matches(&self, object: &Object) -> bool {
        match self {
            WatchSelector::Everything => true,
            WatchSelector::Node(node) => node_of(object).as_ref() == Some(node),
            WatchSelector::Name(key) => object.key() == *key,
        }
    }
}

#[derive(Clone, Debug)]
struct Watch {
    owner: u32,
    kind: KindId,
    selector: WatchSelector,
    pending: Vector<Arc<WatchEvent>>,
    announced: bool,
    /// What was committed before this instant may be delivered.
    released: Time,
}

#[derive(Clone, Debug, Default)]
struct KindWatches {
    snapshot: Snapshot,
    everything: Vector<WatchId>,
    by_node: OrdMap<Arc<str>, Vector<WatchId>>,
    by_name: OrdMap<Key, Vector<WatchId>>,
}

impl KindWatches {
    fn list_mut(&mut self, selector: &WatchSelector) -> &mut Vector<WatchId> {
        match selector {
            WatchSelector::Everything => &mut self.everything,
            WatchSelector::Node(node) => self.by_node.entry(node.clone()).or_default(),
            WatchSelector::Name(key) => self.by_name.entry(key.clone()).or_default(),
        }
    }

    /// The watches that an event concerns: those that followed the object before, or do now.
    fn concerned(&self, event: &WatchEvent) -> Vec<WatchId> {
        let mut ids: Vec<WatchId> = self.everything.iter().copied().collect();
        ids.extend(self.by_name.get(&event.key).into_iter().flatten());
        if !self.by_node.is_empty() {
            let old = event.old.as_ref().and_then(node_of);
            let new = event.new.as_ref().and_then(node_of);
            ids.extend(old.iter().filter_map(|node| self.by_node.get(node)).flatten());
            if new != old {
                ids.extend(new.iter().filter_map(|node| self.by_node.get(node)).flatten());
            }
        }
        ids
    }
}

/// All snapshots and all open watches.
#[derive(Clone, Debug, Default)]
pub(crate) struct WatchCache {
    kinds: OrdMap<KindId, KindWatches>,
    watches: OrdMap<WatchId, Watch>,
    next_id: u64,
    announcements: Vec<(WatchId, u32)>,
    deliveries_are_scheduled: bool,
}

impl WatchCache {
    /// From now on, new watches deliver only what is released.
    pub(crate) fn schedule_deliveries(&mut self) {
        self.deliveries_are_scheduled = true;
    }

    /// Lets a watch deliver what was committed before `before`. If there is more, the watch is
    /// announced again.
    pub(crate) fn release(&mut self, id: WatchId, before: Time) {
        let Some(watch) = self.watches.get_mut(&id) else { return };
        watch.released = before;
        watch.announced = watch.pending.last().is_some_and(|event| event.time >= before);
        if watch.announced {
            self.announcements.push((id, watch.owner));
        }
    }

    pub(crate) fn snapshot(&self, kind: KindId) -> Snapshot {
        self.kinds.get(&kind).map(|kind| kind.snapshot.clone()).unwrap_or_default()
    }

    pub(crate) fn snapshot_ref(&self, kind: KindId) -> Option<&Snapshot> {
        self.kinds.get(&kind).map(|kind| &kind.snapshot)
    }

    pub(crate) fn open(&mut self, owner: u32, kind: KindId, selector: WatchSelector) -> WatchId {
        let id = WatchId(self.next_id);
        self.next_id += 1;
        self.kinds.entry(kind).or_default().list_mut(&selector).push_back(id);
        let released = if self.deliveries_are_scheduled { Time::ZERO } else { Time::MAX };
        let pending = Vector::new();
        let watch = Watch { owner, kind, selector, pending, announced: false, released };
        self.watches.insert(id, watch);
        id
    }

    pub(crate) fn close(&mut self, id: WatchId) {
        let Some(watch) = self.watches.remove(&id) else { return };
        if let Some(kind) = self.kinds.get_mut(&watch.kind) {
            kind.list_mut(&watch.selector).retain(|other| *other != id);
        }
    }

    /// Puts a change into its kind's snapshot and before the watches it concerns.
    pub(crate) fn publish(
        &mut self,
        kind: KindId,
        (revision, time): (u64, Time),
        key: Key,
        (old, new): (Option<Object>, Option<Object>),
    ) {
        let watches = self.kinds.entry(kind).or_default();
        watches.snapshot.apply(&key, old.as_ref(), new.as_ref());
        let snapshot = watches.snapshot.clone();
        let event = Arc::new(WatchEvent { revision, time, key, old, new, snapshot });
        for id in watches.concerned(&event) {
            let Some(watch) = self.watches.get_mut(&id) else { continue };
            watch.pending.push_back(event.clone());
            if !watch.announced {
                watch.announced = true;
                self.announcements.push((id, watch.owner));
            }
        }
    }

    /// The watches that came to have something to deliver since this was last asked, with their
    /// owners.
    pub(crate) fn take_announcements(&mut self) -> Vec<(WatchId, u32)> {
        std::mem::take(&mut self.announcements)
    }

    /// Takes what the watch has to deliver, of what was committed before `before` and released.
    pub(crate) fn poll(&mut self, id: WatchId, before: Time) -> Vec<Arc<WatchEvent>> {
        let Some(watch) = self.watches.get_mut(&id) else { return Vec::new() };
        let before = before.min(watch.released);
        let mut delivered = Vec::new();
        while watch.pending.front().is_some_and(|event| event.time < before) {
            delivered.extend(watch.pending.pop_front());
        }
        delivered
    }
}

impl Digestible for WatchCache {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.next_id);
        digest.u64(self.watches.len() as u64);
        for (id, watch) in &self.watches {
            digest.add(id);
            digest.u64(u64::from(watch.owner));
            digest.bool(watch.announced);
            digest.add(&watch.released);
            digest.u64(watch.pending.len() as u64);
            for event in &watch.pending {
                digest.u64(event.revision);
            }
        }
    }
}
