//! An ordered set.

use std::borrow::Borrow;
use std::fmt;
use std::ops::RangeBounds;

use super::map::OrdMap;
use crate::{Digest, Digestible};

/// A persistent ordered set.
#[derive(Clone, PartialEq, Eq)]
pub struct OrdSet<K>(OrdMap<K, ()>);

impl<K> OrdSet<K> {
    /// An empty set.
    #[must_use]
    pub const fn new() -> Self {
        OrdSet(OrdMap::new())
    }

    /// How many members it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest member.
    #[must_use]
    pub fn get_min(&self) -> Option<&K> {
        self.0.get_min().map(|(key, ())| key)
    }

    /// Whether it has the member.
    #[must_use]
    pub fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// The members in their order.
    pub fn iter(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    /// The members that are in the range.
    pub fn range<'a, Q, R>(&'a self, range: R) -> impl Iterator<Item = &'a K> + use<'a, K, Q, R>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
        R: RangeBounds<Q>,
    {
        self.0.range(range).map(|(key, ())| key)
    }
}

impl<K: Ord + Clone> OrdSet<K> {
    /// A set with one member.
    #[must_use]
    pub fn unit(key: K) -> Self {
        OrdSet(OrdMap::unit(key, ()))
    }

    /// Puts a member in, unless one like it is there, which stays; says so then.
    pub fn insert(&mut self, key: K) -> Option<()> {
        self.0.insert(key, ())
    }

    /// Takes a member out, and gives it if it was there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<K>
    where
        K: Borrow<Q>,
    {
        self.0.take(key).map(|(key, ())| key)
    }
}

/// The members of a set, which is emptied by and by.
pub struct OrdSetIntoIter<K>(OrdMap<K, ()>);

impl<K: Ord + Clone> Iterator for OrdSetIntoIter<K> {
    type Item = K;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.pop_first().map(|(key, ())| key)
    }
}

impl<K: Ord + Clone> IntoIterator for OrdSet<K> {
    type Item = K;
    type IntoIter = OrdSetIntoIter<K>;

    fn into_iter(self) -> Self::IntoIter {
        OrdSetIntoIter(self.0)
    }
}

impl<K: Ord + Clone> Extend<K> for OrdSet<K> {
    fn extend<I: IntoIterator<Item = K>>(&mut self, members: I) {
        for key in members {
            self.insert(key);
        }
    }
}

impl<K: Digestible> Digestible for OrdSet<K> {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.len() as u64);
        for key in self {
            key.digest(digest);
        }
    }
}

impl<K> Default for OrdSet<K> {
    fn default() -> Self {
        OrdSet::new()
    }
}

impl<K: Ord + Clone> FromIterator<K> for OrdSet<K> {
    fn from_iter<I: IntoIterator<Item = K>>(members: I) -> Self {
        OrdSet(members.into_iter().map(|key| (key, ())).collect())
    }
}

impl<'a, K> IntoIterator for &'a OrdSet<K> {
    type Item = &'a K;
    type IntoIter = Box<dyn Iterator<Item = &'a K> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl<K: fmt::Debug> fmt::Debug for OrdSet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
