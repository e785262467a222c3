//! What kube-controller-manager knows of the cluster: one informer per kind, shared by all
//! controllers.
//!
//! What comes in are the changes that the watches deliver; what goes out are the same changes
//! to the controllers, and the objects as they were after the last of them.

use api::openapi::api::core::v1::Event;
use api::{Key, Kind, KindId, Kinded, Object};
use apiserver::{Identity, Snapshot, WatchId, WatchSelector};
use client::Context;
use component_helpers::controller_ref::controller_of;
use sim::{Digest, Digestible, OrdMap, OrdSet, SmallMap};

/// One change as an event handler sees it: what came into being has no `old`, what is gone has
/// no `new`.
#[derive(Clone, Debug)]
pub struct Change {
    /// The object's kind.
    pub kind: KindId,
    /// The object's key.
    pub key: Key,
    /// The object before.
    pub old: Option<Object>,
    /// The object after.
    pub new: Option<Object>,
}

impl Change {
    /// The object before, as its type.
    #[must_use]
    pub fn old<T: Kinded>(&self) -> Option<&T> {
        self.old.as_ref().and_then(Object::get)
    }

    /// The object after, as its type.
    #[must_use]
    #[expect(clippy::new_ret_no_self, reason = "the counterpart of `old`")]
    pub fn new<T: Kinded>(&self) -> Option<&T> {
        self.new.as_ref().and_then(Object::get)
    }

    /// The object after, or before when it is gone.
    #[must_use]
    pub fn object(&self) -> Option<&Object> {
        self.new.as_ref().or(self.old.as_ref())
    }
}

#[derive(Clone, Debug)]
struct KindInformer {
    watch: WatchId,
    snapshot: Snapshot,
    revision: u64,
    /// The objects that no controller owns, by namespace.
    orphans: OrdMap<String, OrdSet<Key>>,
}

impl KindInformer {
    fn note_orphan(&mut self, change: &Change) {
        let is_orphan = |object: &Option<Object>| {
            object.as_ref().is_some_and(|o| controller_of(o.meta()).is_none())
        };
        match (is_orphan(&change.old), is_orphan(&change.new)) {
            (false, true) => {
                let namespace = change.key.namespace.to_string();
                self.orphans.entry(namespace).or_default().insert(change.key.clone());
            }
            (true, false) => {
                if let Some(keys) = self.orphans.get_mut(&*change.key.namespace) {
                    keys.remove(&change.key);
                    if keys.is_empty() {
                        self.orphans.remove(&*change.key.namespace);
                    }
                }
            }
            _ => {}
        }
    }
}

/// One informer per kind. Events have none: no controller acts on them.
#[derive(Clone, Debug)]
pub struct SharedInformers {
    identity: Identity,
    kinds: SmallMap<KindId, KindInformer>,
    nothing: Snapshot,
}

impl SharedInformers {
    pub(crate) fn new(identity: Identity) -> Self {
        SharedInformers { identity, kinds: SmallMap::new(), nothing: Snapshot::default() }
    }

    /// Whether they have listed.
    pub(crate) fn have_synced(&self) -> bool {
        !self.kinds.is_empty()
    }

    /// Takes what the watches have delivered, and returns the changes in their order. The first
    /// call lists, and returns every object as added.
    pub(crate) fn sync(&mut self, cx: &mut Context<'_>) -> Vec<Change> {
        if !self.have_synced() {
            return self.start(cx);
        }
        let mut changes = Vec::new();
        for (kind, informer) in &mut self.kinds {
            for event in cx.server.poll_watch(informer.watch, cx.now) {
                let (old, new) = (event.old.clone(), event.new.clone());
                let change = Change { kind: *kind, key: event.key.clone(), old, new };
                informer.revision = event.revision;
                informer.snapshot = event.snapshot.clone();
                informer.note_orphan(&change);
                changes.push(change);
            }
        }
        changes
    }

    fn start(&mut self, cx: &mut Context<'_>) -> Vec<Change> {
        let mut changes = Vec::new();
        for kind in Kind::all().filter(|kind| kind.id != Event::ID) {
            let (watch, snapshot, revision) =
                cx.server.watch(&self.identity, cx.owner, kind.id, WatchSelector::Everything);
            let orphans = OrdMap::new();
            let mut informer = KindInformer { watch, snapshot, revision, orphans };
            let listed = informer.snapshot.clone();
            for object in listed.iter() {
                let new = Some(object.clone());
                let change = Change { kind: kind.id, key: object.key(), old: None, new };
                informer.note_orphan(&change);
                changes.push(change);
            }
            self.kinds.insert(kind.id, informer);
        }
        changes
    }

    /// Stops watching and forgets everything.
    pub(crate) fn stop(&mut self, server: &mut apiserver::ApiServer) {
        for informer in self.kinds.values() {
            server.close_watch(informer.watch);
        }
        self.kinds.clear();
    }

    /// The revision of the change of that kind that was delivered last.
    #[must_use]
    pub fn revision(&self, kind: KindId) -> u64 {
        self.kinds.get(&kind).map_or(0, |informer| informer.revision)
    }

    /// Whether a kind is followed.
    #[must_use]
    pub fn follow(&self, kind: KindId) -> bool {
        self.kinds.contains_key(&kind)
    }

    /// The kinds that are followed.
    pub fn kinds(&self) -> impl Iterator<Item = KindId> {
        self.kinds.keys().copied()
    }

    /// All objects of a kind.
    #[must_use]
    pub fn objects(&self, kind: KindId) -> &Snapshot {
        self.kinds.get(&kind).map_or(&self.nothing, |informer| &informer.snapshot)
    }

    /// The object of that key.
    #[must_use]
    pub fn get<T: Kinded>(&self, key: &Key) -> Option<&T> {
        self.objects(T::ID).get(key).and_then(Object::get)
    }

    /// All objects of a kind, by namespace and name.
    pub fn all<T: Kinded>(&self) -> impl Iterator<Item = &T> {
        self.objects(T::ID).iter().filter_map(Object::get)
    }

    /// The objects of a namespace, by name.
    pub fn in_namespace<'a, T: Kinded>(
        &'a self,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a T> {
        self.objects(T::ID).in_namespace(namespace).filter_map(Object::get)
    }

    /// The objects that name the UID among their owners.
    pub fn owned_by<'a, T: Kinded>(&'a self, uid: &'a str) -> impl Iterator<Item = &'a T> {
        self.objects(T::ID).owned_by(uid).filter_map(Object::get)
    }

    /// The objects of a namespace that no controller owns.
    pub fn orphans<'a, T: Kinded>(&'a self, namespace: &str) -> impl Iterator<Item = &'a T> {
        let informer = self.kinds.get(&T::ID);
        let keys = informer.and_then(|informer| informer.orphans.get(namespace));
        keys.into_iter().flatten().filter_map(|key| self.get(key))
    }

    /// The pods bound to a node; nothing for other kinds.
    pub fn on_node<'a, T: Kinded>(&'a self, node: &'a str) -> impl Iterator<Item = &'a T> {
        self.objects(T::ID).on_node(node).filter_map(Object::get)
    }
}

impl Digestible for SharedInformers {
    /// Which watches they are and how far they have come says everything: the objects follow
    /// from the store's history.
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.kinds.len() as u64);
        for (kind, informer) in &self.kinds {
            digest.add(kind);
            digest.add(&informer.watch);
            digest.u64(informer.revision);
        }
    }
}
