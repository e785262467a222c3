//! What a component knows of a kind: the objects that its watch delivered, and the changes that
//! it has not looked at yet.
//!
//! An informer over everything holds no copy: it points into the watch cache's snapshot at the
//! revision delivered last. Upstream: client-go/tools/cache/shared_informer.go

use std::marker::PhantomData;
use std::sync::Arc;

use api::{Key, Kinded, Object};
use apiserver::{ApiServer, Identity, Snapshot, WatchEvent, WatchId, WatchSelector};
use sim::{Digest, Digestible};

use crate::Context;

/// One change as an event handler sees it: added has no `old`, deleted has no `new`.
#[derive(Clone, Debug)]
pub struct Change<T> {
    /// The object's key.
    pub key: Key,
    /// The object before.
    pub old: Option<Arc<T>>,
    /// The object after.
    pub new: Option<Arc<T>>,
}

/// A component's view of one kind.
#[derive(Clone, Debug)]
pub struct Informer<T> {
    identity: Identity,
    selector: WatchSelector,
    watch: Option<WatchId>,
    snapshot: Snapshot,
    revision: u64,
    kind: PhantomData<T>,
}

impl<T: Kinded> Informer<T> {
    /// An informer that has not started: its first [`Informer::sync`] lists and watches.
    #[must_use]
    pub fn new(identity: Identity, selector: WatchSelector) -> Self {
        Informer {
            identity,
            selector,
            watch: None,
            snapshot: Snapshot::default(),
            revision: 0,
            kind: PhantomData,
        }
    }

    /// Takes what the watch has delivered and returns the changes in their order. The first
    /// call lists, and returns every object as added.
    pub fn sync(&mut self, cx: &mut Context<'_>) -> Vec<Change<T>> {
        let Some(watch) = self.watch else { return self.start(cx.owner, cx.server) };
        let events = cx.server.poll_watch(watch, cx.now);
        events.iter().filter_map(|event| self.take(event)).collect()
    }

    fn start(&mut self, owner: u32, server: &mut ApiServer) -> Vec<Change<T>> {
        let (watch, snapshot, revision) =
            server.watch(&self.identity, owner, T::ID, self.selector.clone());
        self.watch = Some(watch);
        self.revision = revision;
        if self.selector == WatchSelector::Everything {
            self.snapshot = snapshot;
        } else {
            self.snapshot = Snapshot::default();
            for object in snapshot.iter().filter(|object| self.selector.matches(object)) {
                self.snapshot.apply(&object.key(), None, Some(object));
            }
        }
        self.snapshot
            .iter()
            .map(|object| Change { key: object.key(), old: None, new: object.typed() })
            .collect()
    }

    fn take(&mut self, event: &WatchEvent) -> Option<Change<T>> {
        self.revision = event.revision;
        if self.selector == WatchSelector::Everything {
            self.snapshot = event.snapshot.clone();
            let (old, new) = (typed(event.old.as_ref()), typed(event.new.as_ref()));
            return Some(Change { key: event.key.clone(), old, new });
        }
        let old = self.snapshot.get(&event.key).cloned();
        let new = event.new.as_ref().filter(|object| self.selector.matches(object));
        self.snapshot.apply(&event.key, old.as_ref(), new);
        if old.is_none() && new.is_none() {
            return None;
        }
        Some(Change { key: event.key.clone(), old: typed(old.as_ref()), new: typed(new) })
    }

    /// Stops watching and forgets everything, as a component does that crashes.
    pub fn stop(&mut self, server: &mut ApiServer) {
        if let Some(watch) = self.watch.take() {
            server.close_watch(watch);
        }
        self.snapshot = Snapshot::default();
        self.revision = 0;
    }

    /// Whether it has listed.
    #[must_use]
    pub fn has_synced(&self) -> bool {
        self.watch.is_some()
    }

    /// The revision of the change delivered last. Later changes may exist.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The object of that key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Arc<T>> {
        typed(self.snapshot.get(key))
    }

    /// The object of that key, borrowed.
    #[must_use]
    pub fn get_ref(&self, key: &Key) -> Option<&T> {
        self.snapshot.get(key).and_then(Object::get)
    }

    /// All objects, by namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.snapshot.iter().filter_map(Object::get)
    }

    /// The objects of a namespace, by name.
    pub fn in_namespace<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a T> {
        self.snapshot.in_namespace(namespace).filter_map(Object::get)
    }

    /// The objects that name the UID among their owners.
    pub fn owned_by<'a>(&'a self, uid: &'a str) -> impl Iterator<Item = &'a T> {
        self.snapshot.owned_by(uid).filter_map(Object::get)
    }

    /// The pods bound to a node; nothing for other kinds.
    pub fn on_node<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a T> {
        self.snapshot.on_node(node).filter_map(Object::get)
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.snapshot.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.snapshot.is_empty()
    }

    /// The objects as the watch cache holds them.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}

fn typed<T: Kinded>(object: Option<&Object>) -> Option<Arc<T>> {
    object.and_then(Object::typed)
}

impl<T> Digestible for Informer<T> {
    /// Which watch it is and how far it has come says everything: the objects follow from the
    /// store's history.
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.watch);
        digest.u64(self.revision);
    }
}
