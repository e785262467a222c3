//! Ordered collections for few entries: sorted vectors, whose changes move what comes after. They
//! are for what one object, one machine or one request bounds; where a cluster's size does,
//! [`crate::OrdMap`] is right. Keys and values lie apart, so that most of the code is for one type
//! of key or of value and not for each pair: the standard library's maps were a sixth of the
//! engine.

mod map;
mod set;

pub use map::{SmallEntry, SmallMap, SmallMapIter, SmallMapIterMut};
pub use set::SmallSet;

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::ops::{Bound, Range, RangeBounds};

/// Where the key is, or else where it belongs.
pub(crate) fn place<K: Borrow<Q>, Q: Ord + ?Sized>(keys: &[K], key: &Q) -> Result<usize, usize> {
    let (mut start, mut end) = (0, keys.len());
    while start < end {
        let middle = start + (end - start) / 2;
        match keys[middle].borrow().cmp(key) {
            Ordering::Less => start = middle + 1,
            Ordering::Equal => return Ok(middle),
            Ordering::Greater => end = middle,
        }
    }
    Err(start)
}

/// The places of the keys that are in the range.
fn places<K: Borrow<Q>, Q: Ord + ?Sized>(keys: &[K], range: &impl RangeBounds<Q>) -> Range<usize> {
    let before = |key: &Q| place(keys, key).unwrap_or_else(|place| place);
    let behind = |key: &Q| place(keys, key).map_or_else(|place| place, |place| place + 1);
    let start = match range.start_bound() {
        Bound::Unbounded => 0,
        Bound::Included(key) => before(key),
        Bound::Excluded(key) => behind(key),
    };
    let end = match range.end_bound() {
        Bound::Unbounded => keys.len(),
        Bound::Included(key) => behind(key),
        Bound::Excluded(key) => before(key),
    };
    start..end.max(start)
}

#[cfg(test)]
mod tests;
