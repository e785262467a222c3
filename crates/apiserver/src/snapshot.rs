//! All objects of a kind at one revision, with the indexes that components look them up by.
//!
//! A snapshot is persistent: the watch cache, every event on its way and every informer that
//! was delivered it hold the same nodes.

use std::sync::Arc;

use api::openapi::api::core::v1::Pod;
use api::{Key, Object};
use sim::{OrdMap, OrdSet};

/// The keys of objects by something they name. Most writes change nothing of it, and then an
/// index costs nothing.
type Index = OrdMap<Arc<str>, OrdSet<Key>>;

/// All objects of a kind at one revision, with the indexes that components look them up by.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    objects: OrdMap<Key, Object>,
    by_owner: Index,
    by_node: Index,
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
        self.after(namespace, None).take_while(move |object| object.namespace() == namespace)
    }

    /// The objects behind a key, by namespace and name; from the beginning of the namespace when
    /// there is no name.
    pub(crate) fn after<'a>(
        &'a self,
        namespace: &str,
        name: Option<&str>,
    ) -> impl Iterator<Item = &'a Object> + use<'a> {
        let start = Key::new(namespace, name.unwrap_or_default());
        let skipped = name.is_some().then(|| start.clone());
        self.objects
            .range(start..)
            .filter(move |(key, _)| skipped.as_ref() != Some(*key))
            .map(|(_, object)| object)
    }

    /// The objects that name the UID among their owners.
    pub fn owned_by<'a>(&'a self, uid: &'a str) -> impl Iterator<Item = &'a Object> {
        let keys = self.by_owner.get(uid).into_iter().flatten();
        keys.filter_map(|key| self.objects.get(key))
    }

    /// The pods bound to a node.
    pub fn on_node<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a Object> {
        let keys = self.by_node.get(node).into_iter().flatten();
        keys.filter_map(|key| self.objects.get(key))
    }

    /// Takes a change in.
    pub fn apply(&mut self, key: &Key, old: Option<&Object>, new: Option<&Object>) {
        reindex(&mut self.by_owner, key, (old, new), |object| owners(object).collect());
        reindex(&mut self.by_node, key, (old, new), |object| node_of(object).into_iter().collect());
        match new {
            Some(new) => self.objects.insert(key.clone(), new.clone()),
            None => self.objects.remove(key),
        };
    }
}

fn reindex(
    index: &mut Index,
    key: &Key,
    (old, new): (Option<&Object>, Option<&Object>),
    values_of: fn(&Object) -> Vec<&str>,
) {
    let before = old.map(values_of).unwrap_or_default();
    let after = new.map(values_of).unwrap_or_default();
    for value in before.iter().filter(|value| !after.contains(value)) {
        let Some(keys) = index.get_mut(*value) else { continue };
        keys.remove(key);
        if keys.is_empty() {
            index.remove(*value);
        }
    }
    for value in after.iter().filter(|value| !before.contains(value)) {
        match index.get_mut(*value) {
            Some(keys) => drop(keys.insert(key.clone())),
            None => drop(index.insert((*value).into(), OrdSet::unit(key.clone()))),
        }
    }
}

fn owners(object: &Object) -> impl Iterator<Item = &str> {
    object.meta().owner_references.iter().flatten().map(|owner| owner.uid.as_str())
}

/// The node that an object is bound to, if it is a pod that is.
pub(crate) fn node_of(object: &Object) -> Option<&str> {
    object.get::<Pod>()?.spec.as_ref()?.node_name.as_deref()
}
