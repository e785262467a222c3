//! An ordered map.

use std::borrow::Borrow;
use std::fmt;
use std::iter;
use std::marker::PhantomData;
use std::mem;
use std::ops::{Bound, RangeBounds};
use std::slice;
use std::sync::Arc;

use super::node::{Leaves, Node, Value, values, values_mut};
use crate::{Digest, Digestible};

/// A persistent ordered map.
#[derive(Clone)]
pub struct OrdMap<K, V> {
    /// `None` when it was never filled.
    root: Option<Arc<Node<K>>>,
    len: usize,
    values: PhantomData<V>,
}

impl<K, V: 'static> OrdMap<K, V> {
    /// An empty map.
    #[must_use]
    pub const fn new() -> Self {
        OrdMap { root: None, len: 0, values: PhantomData }
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether both are one and the same, and so certainly equal.
    #[must_use]
    pub fn ptr_eq(&self, other: &Self) -> bool {
        match (&self.root, &other.root) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    /// The entry with the smallest key.
    #[must_use]
    pub fn get_min(&self) -> Option<(&K, &V)> {
        let (keys, leaf) = self.root.as_ref()?.first();
        keys.first().zip(values(leaf).first())
    }

    /// The key as the map has it, and the value under it.
    #[must_use]
    pub fn get_key_value<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let (key, leaf, place) = self.root.as_ref()?.find(key)?;
        Some((key, &values(leaf)[place]))
    }

    /// The value under the key.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.get_key_value(key).map(|(_, value)| value)
    }

    /// Whether there is a value under the key.
    #[must_use]
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.root.as_ref().is_some_and(|root| root.find(key).is_some())
    }

    /// The entries in the order of their keys.
    pub fn iter(&self) -> OrdMapIter<'_, K, V> {
        OrdMapIter {
            leaf: iter::zip(&[], &[]),
            leaves: self.root.as_ref().map(|root| Leaves::all(root)),
        }
    }

    /// The keys in their order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The entries whose keys are in the range.
    pub fn range<'a, Q, R>(
        &'a self,
        range: R,
    ) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, K, V, Q, R>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
        R: RangeBounds<Q>,
    {
        let mut items = OrdMapIter { leaf: iter::zip(&[], &[]), leaves: None };
        if let Some(root) = &self.root {
            let (mut leaves, start) = Leaves::from(root, range.start_bound());
            if let Some((keys, leaf)) = leaves.next() {
                items.leaf = iter::zip(&keys[start..], &values(leaf)[start..]);
            }
            items.leaves = Some(leaves);
        }
        let is_before_end = move |key: &Q| match range.end_bound() {
            Bound::Unbounded => true,
            Bound::Included(end) => key <= end,
            Bound::Excluded(end) => key < end,
        };
        items.take_while(move |(key, _)| is_before_end((*key).borrow()))
    }
}

/// The entries of a map in the order of their keys.
pub struct OrdMapIter<'a, K, V> {
    leaf: iter::Zip<slice::Iter<'a, K>, slice::Iter<'a, V>>,
    leaves: Option<Leaves<'a, K>>,
}

impl<'a, K, V: 'static> Iterator for OrdMapIter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.leaf.next() {
                return Some(entry);
            }
            let (keys, leaf) = self.leaves.as_mut()?.next()?;
            self.leaf = iter::zip(keys, values(leaf));
        }
    }
}

impl<K: Ord + Clone, V: Value> OrdMap<K, V> {
    /// A map with one entry.
    #[must_use]
    pub fn unit(key: K, value: V) -> Self {
        let mut map = OrdMap::new();
        map.insert(key, value);
        map
    }

    /// Puts a value under the key, and gives the one that was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let empty = || Arc::new(Node::Leaf(Vec::new(), Box::new(Vec::<V>::new())));
        let root = self.root.get_or_insert_with(empty);
        let (mut value, mut old) = (Some(value), None);
        let half = Arc::make_mut(root).insert(key, &mut |leaf, place| {
            let values = values_mut(leaf);
            match (place, value.take()) {
                (Ok(place), Some(value)) => old = Some(mem::replace(&mut values[place], value)),
                (Err(place), Some(value)) => values.insert(place, value),
                (_, None) => {}
            }
        });
        self.len += usize::from(old.is_none());
        if let Some((least, half)) = half {
            let nodes = vec![root.clone(), Arc::new(half)];
            *root = Arc::new(Node::Branch(vec![least.clone(), least], nodes));
        }
        old
    }

    /// Takes the value under the key out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.take(key).map(|(_, value)| value)
    }

    /// Takes the entry of the key out.
    pub(super) fn take<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        let root = self.root.as_mut()?;
        let mut value = None;
        let key = Arc::make_mut(root).remove(key, &mut |leaf, place| {
            value = Some(values_mut(leaf).remove(place));
        });
        while let Some(only) = root.only_child() {
            *root = only.clone();
        }
        self.len -= usize::from(value.is_some());
        if self.len == 0 {
            self.root = None;
        }
        key.zip(value)
    }

    /// Takes the entry with the smallest key out.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        let key = self.get_min()?.0.clone();
        self.take(&key)
    }

    /// Changes every value, in the order of the keys.
    pub fn change_all(&mut self, mut change: impl FnMut(&K, &mut V)) {
        if let Some(root) = &mut self.root {
            Arc::make_mut(root).change_all(&mut |keys, leaf| {
                iter::zip(keys, values_mut(leaf)).for_each(|(key, value)| change(key, value));
            });
        }
    }

    /// The value under the key, to change it.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (leaf, place) = Arc::make_mut(self.root.as_mut()?).find_mut(key)?;
        values_mut(leaf).get_mut(place)
    }

    /// The place of a key, with or without a value.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        Entry { map: self, key }
    }

    /// Drops the entries for which `keep` says no.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        let gone: Vec<K> = self
            .iter()
            .filter(|(key, value)| !keep(key, value))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.remove(&key);
        }
    }
}

/// The place of a key in a map.
pub struct Entry<'a, K, V> {
    map: &'a mut OrdMap<K, V>,
    key: K,
}

impl<'a, K: Ord + Clone, V: Value> Entry<'a, K, V> {
    /// The value, which is made when there is none.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        if !self.map.contains_key(&self.key) {
            self.map.insert(self.key.clone(), make());
        }
        self.map.get_mut(&self.key).expect("it was there or has just been put there")
    }

    /// The value, which is the given one when there was none.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// The value, which is the type's default when there was none.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }
}

impl<K, V: 'static> Default for OrdMap<K, V> {
    fn default() -> Self {
        OrdMap::new()
    }
}

impl<K: Ord + Clone, V: Value> FromIterator<(K, V)> for OrdMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = OrdMap::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord + Clone, V: Value> Extend<(K, V)> for OrdMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

/// The entries of a map, which is emptied by and by.
pub struct OrdMapIntoIter<K, V>(OrdMap<K, V>);

impl<K: Ord + Clone, V: Value> Iterator for OrdMapIntoIter<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.pop_first()
    }
}

impl<K: Ord + Clone, V: Value> IntoIterator for OrdMap<K, V> {
    type Item = (K, V);
    type IntoIter = OrdMapIntoIter<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        OrdMapIntoIter(self)
    }
}

impl<'a, K, V: 'static> IntoIterator for &'a OrdMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = OrdMapIter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: PartialEq, V: PartialEq + 'static> PartialEq for OrdMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && (self.ptr_eq(other) || self.iter().eq(other.iter()))
    }
}

impl<K: Eq, V: Eq + 'static> Eq for OrdMap<K, V> {}

impl<K: Digestible, V: Digestible + 'static> Digestible for OrdMap<K, V> {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.len as u64);
        for (key, value) in self {
            key.digest(digest);
            value.digest(digest);
        }
    }
}

impl<K: fmt::Debug, V: fmt::Debug + 'static> fmt::Debug for OrdMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
