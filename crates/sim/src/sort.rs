//! Sorting with little code for each type.

use std::cmp::Ordering;

/// Sorts lists without an algorithm of its own for each type of item: for short lists, and where
/// time does not matter. What compares as equal stays in its order.
pub trait Sort<T> {
    /// Sorts by what `compare` says.
    fn order_by(&mut self, compare: impl FnMut(&T, &T) -> Ordering);

    /// Sorts by a key of each item.
    fn order_by_key<K: Ord>(&mut self, mut key: impl FnMut(&T) -> K) {
        self.order_by(|one, other| key(one).cmp(&key(other)));
    }

    /// Sorts by the items' own order.
    fn order(&mut self)
    where
        T: Ord,
    {
        self.order_by(T::cmp);
    }
}

impl<T> Sort<T> for [T] {
    fn order_by(&mut self, mut compare: impl FnMut(&T, &T) -> Ordering) {
        let mut order =
            order(self.len(), &mut |one, other| compare(&self[one], &self[other]).is_lt());
        arrange(&mut order, &mut |one, other| self.swap(one, other));
    }
}

/// The places of the items in the order of the items.
fn order(len: usize, is_less: &mut dyn FnMut(usize, usize) -> bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    // Equal items are told apart by their places, so that asking one way is enough.
    order.sort_by(|&one, &other| {
        let (first, second) = (one.min(other), one.max(other));
        let first_comes_first = !is_less(second, first);
        if first_comes_first == (one == first) { Ordering::Less } else { Ordering::Greater }
    });
    order
}

/// Brings to each place the item that belongs there, by swaps.
fn arrange(order: &mut [usize], swap: &mut dyn FnMut(usize, usize)) {
    for start in 0..order.len() {
        let mut place = start;
        while order[place] != start {
            let next = order[place];
            swap(place, next);
            order[place] = place;
            place = next;
        }
        order[place] = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stream;

    #[test]
    fn lists_are_sorted_as_the_standard_library_does() {
        let mut stream = Stream::new(5, "sort");
        for len in 0..80 {
            let list: Vec<(u64, u64)> = (0..len).map(|place| (stream.below(9), place)).collect();
            let (mut ours, mut want) = (list.clone(), list.clone());
            ours.order_by_key(|(key, _)| *key);
            want.sort_by_key(|(key, _)| *key);
            assert_eq!(ours, want, "equal keys keep their order");
            ours.order_by(|one, other| other.cmp(one));
            want.sort_by(|one, other| other.cmp(one));
            assert_eq!(ours, want);
            ours.order();
            want.sort();
            assert_eq!(ours, want);
        }
    }
}
