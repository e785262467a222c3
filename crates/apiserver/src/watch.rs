//! The watch cache: one persistent snapshot per kind, and the watches that follow it.
//!
//! A watch is a queue of the changes it has still to deliver. What a client has of a kind is
//! the snapshot of the change it was delivered last: shared, never copied.
//! Upstream: staging/src/k8s.io/apiserver/pkg/storage/cacher

use std::sync::Arc;

use api::{Key, KindId, Object};
use sim::{Digest, Digestible, List, OrdMap, Time};

use crate::snapshot::node_of;
use crate::{ListOptions, Snapshot};

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

/// What a change is to a watch. Upstream: apimachinery/pkg/watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// The object came to be among those that the watch follows.
    Added,
    /// The object changed and stays among them.
    Modified,
    /// The object is no longer among them.
    Deleted,
}

impl EventType {
    /// The word that a watch sends: `ADDED`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            EventType::Added => "ADDED",
            EventType::Modified => "MODIFIED",
            EventType::Deleted => "DELETED",
        }
    }
}

impl WatchEvent {
    /// What the change is to a watch with that selector, and the object it sends: an object that
    /// is gone, or no longer selected, is sent as it was, with the revision of the change.
    /// `None` when the change does not concern the watch.
    ///
    /// Upstream: staging/src/k8s.io/apiserver/pkg/storage/cacher/cache_watcher.go,
    /// convertToWatchEvent
    #[must_use]
    pub fn seen_by(&self, selector: &WatchSelector) -> Option<(EventType, Object)> {
        let old = self.old.as_ref().filter(|object| selector.matches(object));
        let new = self.new.as_ref().filter(|object| selector.matches(object));
        match (old, new) {
            (None, Some(new)) => Some((EventType::Added, new.clone())),
            (Some(_), Some(new)) => Some((EventType::Modified, new.clone())),
            (Some(old), None) => {
                let mut object = old.clone();
                object.meta_mut().resource_version = Some(self.revision.to_string());
                Some((EventType::Deleted, object))
            }
            (None, None) => None,
        }
    }
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
    /// Those of a namespace (of all, when it is empty) that the selectors of a list select.
    Selected(Arc<Selection>),
}

/// A namespace and the selectors of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The namespace; empty for all.
    pub namespace: String,
    /// Which labels.
    pub label_selector: Option<api::labels::Selector>,
    /// Which fields.
    pub field_selector: Option<api::fields::Selector>,
}

impl Selection {
    /// What a list of that namespace with those options selects.
    #[must_use]
    pub fn of(namespace: &str, options: &ListOptions) -> Self {
        Selection {
            namespace: namespace.to_string(),
            label_selector: options.label_selector.clone(),
            field_selector: options.field_selector.clone(),
        }
    }

    /// Whether the object is selected.
    #[must_use]
    pub fn matches(&self, object: &Object) -> bool {
        (self.namespace.is_empty() || self.namespace == object.namespace())
            && selectors_match(self.label_selector.as_ref(), self.field_selector.as_ref(), object)
    }
}

/// Whether an object has the labels and the fields that two selectors ask for.
pub(crate) fn selectors_match(
    labels: Option<&api::labels::Selector>,
    fields: Option<&api::fields::Selector>,
    object: &Object,
) -> bool {
    let none = std::collections::BTreeMap::new();
    let own_labels = object.meta().labels.as_ref().unwrap_or(&none);
    labels.is_none_or(|selector| selector.matches(own_labels))
        && fields.is_none_or(|selector| {
            selector.matches(|field| match field {
                "metadata.name" => Some(object.name().to_string()),
                "metadata.namespace" => Some(object.namespace().to_string()),
                _ => (object.behaviour().selectable_field)(object, field),
            })
        })
}

impl WatchSelector {
    /// Whether the watch follows the object.
    #[must_use]
    pub fn matches(&self, object: &Object) -> bool {
        match self {
            WatchSelector::Everything => true,
            WatchSelector::Node(node) => node_of(object) == Some(&**node),
            WatchSelector::Name(key) => {
                *object.name() == *key.name && *object.namespace() == *key.namespace
            }
            WatchSelector::Selected(selection) => selection.matches(object),
        }
    }
}

#[derive(Clone, Debug)]
struct Watch {
    owner: u32,
    kind: KindId,
    selector: WatchSelector,
    pending: List<Arc<WatchEvent>>,
    announced: bool,
    /// What was committed before this instant may be delivered.
    released: Time,
}

#[derive(Clone, Debug, Default)]
struct KindWatches {
    snapshot: Snapshot,
    everything: Vec<WatchId>,
    by_node: OrdMap<Arc<str>, Vec<WatchId>>,
    by_name: OrdMap<Key, Vec<WatchId>>,
    selected: Vec<WatchId>,
}

impl KindWatches {
    fn add(&mut self, selector: &WatchSelector, id: WatchId) {
        match selector {
            WatchSelector::Everything => self.everything.push(id),
            WatchSelector::Node(node) => {
                self.by_node.entry(node.clone()).or_default().push(id);
            }
            WatchSelector::Name(key) => {
                self.by_name.entry(key.clone()).or_default().push(id);
            }
            WatchSelector::Selected(_) => self.selected.push(id),
        }
    }

    fn remove(&mut self, selector: &WatchSelector, id: WatchId) {
        match selector {
            WatchSelector::Everything => self.everything.retain(|other| *other != id),
            WatchSelector::Selected(_) => self.selected.retain(|other| *other != id),
            WatchSelector::Node(node) => remove_from(&mut self.by_node, node, id),
            WatchSelector::Name(key) => remove_from(&mut self.by_name, key, id),
        }
    }

    /// The watches that an event may concern: those that followed the object before, or do now.
    fn candidates(&self, event: &WatchEvent) -> Vec<WatchId> {
        let mut ids: Vec<WatchId> = self.everything.to_vec();
        ids.extend(self.by_name.get(&event.key).into_iter().flatten());
        ids.extend(&self.selected);
        if !self.by_node.is_empty() {
            let old = event.old.as_ref().and_then(node_of);
            let new = event.new.as_ref().and_then(node_of);
            ids.extend(old.and_then(|node| self.by_node.get(node)).into_iter().flatten());
            if new != old {
                ids.extend(new.and_then(|node| self.by_node.get(node)).into_iter().flatten());
            }
        }
        ids
    }
}

fn remove_from<K: Ord + Clone>(map: &mut OrdMap<K, Vec<WatchId>>, key: &K, id: WatchId) {
    let Some(ids) = map.get_mut(key) else { return };
    ids.retain(|other| *other != id);
    if ids.is_empty() {
        map.remove(key);
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
        watch.released = watch.released.max(before);
        watch.announced = watch.pending.back().is_some_and(|event| event.time >= before);
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

    /// Opens a watch that has `pending` to deliver at first.
    pub(crate) fn open(
        &mut self,
        owner: u32,
        kind: KindId,
        selector: WatchSelector,
        pending: List<Arc<WatchEvent>>,
    ) -> WatchId {
        let id = WatchId(self.next_id);
        self.next_id += 1;
        self.kinds.entry(kind).or_default().add(&selector, id);
        let released = if self.deliveries_are_scheduled { Time::ZERO } else { Time::MAX };
        let announced = !pending.is_empty();
        if announced {
            self.announcements.push((id, owner));
        }
        self.watches.insert(id, Watch { owner, kind, selector, pending, announced, released });
        id
    }

    pub(crate) fn close(&mut self, id: WatchId) {
        let Some(watch) = self.watches.remove(&id) else { return };
        if let Some(kind) = self.kinds.get_mut(&watch.kind) {
            kind.remove(&watch.selector, id);
        }
    }

    pub(crate) fn close_all_of(&mut self, owner: u32) {
        let of_owner = |(id, watch): (&WatchId, &Watch)| (watch.owner == owner).then_some(*id);
        let ids: Vec<WatchId> = self.watches.iter().filter_map(of_owner).collect();
        for id in ids {
            self.close(id);
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
        for id in watches.candidates(&event) {
            let Some(watch) = self.watches.get_mut(&id) else { continue };
            if !concerns(&event, &watch.selector) {
                continue;
            }
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
        if !self.deliveries_are_scheduled && watch.pending.is_empty() {
            watch.announced = false;
        }
        delivered
    }

    /// The newest revision up to which the watch has delivered everything, when the store is at
    /// `revision`. `None` when there is no such watch.
    pub(crate) fn bookmark(&self, id: WatchId, revision: u64) -> Option<u64> {
        let watch = self.watches.get(&id)?;
        Some(watch.pending.front().map_or(revision, |event| event.revision.saturating_sub(1)))
    }
}

/// Whether an event concerns a watch: the object was among those it follows, or is now.
pub(crate) fn concerns(event: &WatchEvent, selector: &WatchSelector) -> bool {
    [&event.old, &event.new].into_iter().flatten().any(|object| selector.matches(object))
}

impl Digestible for WatchCache {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.next_id);
        digest.bool(self.deliveries_are_scheduled);
        digest.u64(self.announcements.len() as u64);
        for (id, owner) in &self.announcements {
            digest.add(id);
            digest.u64(u64::from(*owner));
        }
        digest.u64(self.watches.len() as u64);
        for (id, watch) in &self.watches {
            digest.add(id);
            digest.u64(u64::from(watch.owner));
            digest.add(&watch.kind);
            digest.bool(watch.announced);
            digest.add(&watch.released);
            digest.u64(watch.pending.len() as u64);
            for event in &watch.pending {
                digest.u64(event.revision);
                digest.add(&event.time);
            }
        }
    }
}
