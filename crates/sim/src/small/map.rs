//! An ordered map of few entries.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::iter;
use std::mem;
use std::ops::{Index, RangeBounds};
use std::slice;
use std::vec;

use super::{place, places};
use crate::{Digest, Digestible};

/// A map of few entries, in the order of their keys.
#[derive(Clone, PartialEq, Eq)]
pub struct SmallMap<K, V> {
    keys: Vec<K>,
    /// As many as keys, in their order.
    values: Vec<V>,
}

/// The entries of a map in the order of their keys.
pub type SmallMapIter<'a, K, V> = iter::Zip<slice::Iter<'a, K>, slice::Iter<'a, V>>;
/// The entries of a map in the order of their keys, to change the values.
pub type SmallMapIterMut<'a, K, V> = iter::Zip<slice::Iter<'a, K>, slice::IterMut<'a, V>>;

impl<K, V> SmallMap<K, V> {
    /// An empty map.
    #[must_use]
    pub const fn new() -> Self {
        SmallMap { keys: Vec::new(), values: Vec::new() }
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether it has no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Drops all entries.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.values.clear();
    }

    /// The entries in the order of their keys.
    pub fn iter(&self) -> SmallMapIter<'_, K, V> {
        self.keys.iter().zip(&self.values)
    }

    /// The entries in the order of their keys, to change the values.
    pub fn iter_mut(&mut self) -> SmallMapIterMut<'_, K, V> {
        self.keys.iter().zip(&mut self.values)
    }

    /// The keys in their order.
    pub fn keys(&self) -> slice::Iter<'_, K> {
        self.keys.iter()
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> slice::Iter<'_, V> {
        self.values.iter()
    }

    /// The values in the order of their keys, to change them.
    pub fn values_mut(&mut self) -> slice::IterMut<'_, V> {
        self.values.iter_mut()
    }

    /// The keys alone, in their order.
    pub fn into_keys(self) -> vec::IntoIter<K> {
        self.keys.into_iter()
    }

    /// The values alone, in the order of their keys.
    pub fn into_values(self) -> vec::IntoIter<V> {
        self.values.into_iter()
    }

    /// The entry with the smallest key.
    #[must_use]
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// The entry with the largest key.
    #[must_use]
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        self.keys.last().zip(self.values.last())
    }

    /// Takes the entry with the smallest key out.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        (!self.is_empty()).then(|| (self.keys.remove(0), self.values.remove(0)))
    }

    /// Takes the entry with the largest key out.
    pub fn pop_last(&mut self) -> Option<(K, V)> {
        self.keys.pop().zip(self.values.pop())
    }

    /// The value under the key.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        place(&self.keys, key).ok().map(|place| &self.values[place])
    }

    /// The key as the map has it, and the value under it.
    #[must_use]
    pub fn get_key_value<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        place(&self.keys, key).ok().map(|place| (&self.keys[place], &self.values[place]))
    }

    /// The value under the key, to change it.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        place(&self.keys, key).ok().map(|place| &mut self.values[place])
    }

    /// Whether there is a value under the key.
    #[must_use]
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        place(&self.keys, key).is_ok()
    }

    /// The entries whose keys are in the range.
    pub fn range<Q: Ord + ?Sized>(&self, range: impl RangeBounds<Q>) -> SmallMapIter<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let places = places(&self.keys, &range);
        self.keys[places.clone()].iter().zip(&self.values[places])
    }

    /// Takes the value under the key out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.remove_entry(key).map(|(_, value)| value)
    }

    /// Takes the entry of the key out.
    pub fn remove_entry<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        let place = place(&self.keys, key).ok()?;
        Some((self.keys.remove(place), self.values.remove(place)))
    }

    /// Drops the entries for which `keep` says no.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        let mut place = 0;
        while place < self.keys.len() {
            if keep(&self.keys[place], &mut self.values[place]) {
                place += 1;
            } else {
                self.keys.remove(place);
                self.values.remove(place);
            }
        }
    }
}

impl<K: Ord, V> SmallMap<K, V> {
    /// Puts a value under the key, and gives the one that was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match place(&self.keys, &key) {
            Ok(place) => Some(mem::replace(&mut self.values[place], value)),
            Err(place) => {
                self.keys.insert(place, key);
                self.values.insert(place, value);
                None
            }
        }
    }

    /// The place of a key, with or without a value.
    pub fn entry(&mut self, key: K) -> SmallEntry<'_, K, V> {
        SmallEntry { place: place(&self.keys, &key), map: self, key }
    }
}

/// The place of a key in a map.
pub struct SmallEntry<'a, K, V> {
    map: &'a mut SmallMap<K, V>,
    key: K,
    place: Result<usize, usize>,
}

impl<'a, K, V> SmallEntry<'a, K, V> {
    /// The value, which is made when there is none.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        let place = match self.place {
            Ok(place) => place,
            Err(place) => {
                self.map.values.insert(place, make());
                self.map.keys.insert(place, self.key);
                place
            }
        };
        &mut self.map.values[place]
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

    /// Changes the value if there is one.
    #[must_use]
    pub fn and_modify(self, change: impl FnOnce(&mut V)) -> Self {
        if let Ok(place) = self.place {
            change(&mut self.map.values[place]);
        }
        self
    }
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        SmallMap::new()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SmallMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = SmallMap::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for SmallMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K: Ord, V> Extend<(K, V)> for SmallMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K, V> IntoIterator for SmallMap<K, V> {
    type Item = (K, V);
    type IntoIter = iter::Zip<vec::IntoIter<K>, vec::IntoIter<V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.keys.into_iter().zip(self.values)
    }
}

impl<'a, K, V> IntoIterator for &'a SmallMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = SmallMapIter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, K, V> IntoIterator for &'a mut SmallMap<K, V> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = SmallMapIterMut<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<K: Borrow<Q>, Q: Ord + ?Sized, V> Index<&Q> for SmallMap<K, V> {
    type Output = V;

    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("the map has no such key")
    }
}

impl<K: Ord, V: Ord> PartialOrd for SmallMap<K, V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord, V: Ord> Ord for SmallMap<K, V> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl<K: Digestible, V: Digestible> Digestible for SmallMap<K, V> {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.keys.len() as u64);
        for (key, value) in self {
            key.digest(digest);
            value.digest(digest);
        }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SmallMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
