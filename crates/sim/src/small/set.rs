//! An ordered set of few members.

use std::borrow::Borrow;
use std::fmt;
use std::ops::RangeBounds;
use std::slice;
use std::vec;

use super::{place, places};
use crate::{Digest, Digestible};

/// A set of few members, in their order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SmallSet<K>(Vec<K>);

impl<K> SmallSet<K> {
    /// An empty set.
    #[must_use]
    pub const fn new() -> Self {
        SmallSet(Vec::new())
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

    /// The members in their order.
    #[must_use]
    pub fn as_slice(&self) -> &[K] {
        &self.0
    }

    /// The members in their order.
    pub fn iter(&self) -> slice::Iter<'_, K> {
        self.0.iter()
    }

    /// The smallest member.
    #[must_use]
    pub fn first(&self) -> Option<&K> {
        self.0.first()
    }

    /// The largest member.
    #[must_use]
    pub fn last(&self) -> Option<&K> {
        self.0.last()
    }

    /// Whether it has the member.
    #[must_use]
    pub fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        place(&self.0, key).is_ok()
    }

    /// The member that is like the one given.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&K>
    where
        K: Borrow<Q>,
    {
        place(&self.0, key).ok().map(|place| &self.0[place])
    }

    /// The members that are in the range.
    pub fn range<Q: Ord + ?Sized>(&self, range: impl RangeBounds<Q>) -> slice::Iter<'_, K>
    where
        K: Borrow<Q>,
    {
        self.0[places(&self.0, &range)].iter()
    }

    /// Takes a member out, and says whether it was there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.take(key).is_some()
    }

    /// Takes a member out, and gives it if it was there.
    pub fn take<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<K>
    where
        K: Borrow<Q>,
    {
        place(&self.0, key).ok().map(|place| self.0.remove(place))
    }

    /// Takes the smallest member out.
    pub fn pop_first(&mut self) -> Option<K> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// Takes the largest member out.
    pub fn pop_last(&mut self) -> Option<K> {
        self.0.pop()
    }

    /// Drops the members for which `keep` says no.
    pub fn retain(&mut self, keep: impl FnMut(&K) -> bool) {
        self.0.retain(keep);
    }

    /// Drops all members.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<K: Ord> SmallSet<K> {
    /// Puts a member in, and says whether it is new. One like it that was there stays.
    pub fn insert(&mut self, key: K) -> bool {
        let place = place(&self.0, &key);
        if let Err(place) = place {
            self.0.insert(place, key);
        }
        place.is_err()
    }

    /// Whether the other has all members of this.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|key| other.contains(key))
    }

    /// Whether this has all members of the other.
    #[must_use]
    pub fn is_superset(&self, other: &Self) -> bool {
        other.is_subset(self)
    }

    /// Whether they have no member in common.
    #[must_use]
    pub fn is_disjoint(&self, other: &Self) -> bool {
        !self.iter().any(|key| other.contains(key))
    }

    /// The members that the other does not have.
    pub fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a K> {
        self.iter().filter(|key| !other.contains(*key))
    }

    /// The members that the other has as well.
    pub fn intersection<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a K> {
        self.iter().filter(|key| other.contains(*key))
    }
}

impl<K> Default for SmallSet<K> {
    fn default() -> Self {
        SmallSet::new()
    }
}

impl<K: Ord> FromIterator<K> for SmallSet<K> {
    fn from_iter<I: IntoIterator<Item = K>>(members: I) -> Self {
        let mut set = SmallSet::new();
        set.extend(members);
        set
    }
}

impl<K: Ord, const N: usize> From<[K; N]> for SmallSet<K> {
    fn from(members: [K; N]) -> Self {
        members.into_iter().collect()
    }
}

impl<K: Ord> Extend<K> for SmallSet<K> {
    fn extend<I: IntoIterator<Item = K>>(&mut self, members: I) {
        for key in members {
            self.insert(key);
        }
    }
}

impl<K> IntoIterator for SmallSet<K> {
    type Item = K;
    type IntoIter = vec::IntoIter<K>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, K> IntoIterator for &'a SmallSet<K> {
    type Item = &'a K;
    type IntoIter = slice::Iter<'a, K>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: Digestible> Digestible for SmallSet<K> {
    fn digest(&self, digest: &mut Digest) {
        self.0.digest(digest);
    }
}

impl<K: fmt::Debug> fmt::Debug for SmallSet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
