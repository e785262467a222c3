//! A list that grows at its end and shrinks at its beginning, and of which a copy is cheap.

use std::collections::VecDeque;
use std::fmt;
use std::ops::{Index, Range};
use std::sync::Arc;

/// How many items a piece has: a change after a copy copies one piece.
const PIECE: usize = 64;

/// A list in pieces that its copies share.
#[derive(Clone)]
pub struct List<T> {
    /// All but the last are full.
    pieces: VecDeque<Arc<Vec<T>>>,
    /// How many items of the first piece are gone.
    gone: usize,
    len: usize,
}

impl<T> List<T> {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        List { pieces: VecDeque::new(), gone: 0, len: 0 }
    }

    /// How many items it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The item at a place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&T> {
        if place >= self.len {
            return None;
        }
        let place = self.gone + place;
        self.pieces.get(place / PIECE)?.get(place % PIECE)
    }

    /// The first item.
    #[must_use]
    pub fn front(&self) -> Option<&T> {
        self.get(0)
    }

    /// The last item.
    #[must_use]
    pub fn back(&self) -> Option<&T> {
        self.get(self.len.wrapping_sub(1))
    }

    /// The items in their order.
    pub fn iter(&self) -> ListIter<'_, T> {
        ListIter { list: self, places: 0..self.len }
    }
}

impl<T: Clone> List<T> {
    /// The item at a place, to change it.
    pub fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        if place >= self.len {
            return None;
        }
        let place = self.gone + place;
        Arc::make_mut(self.pieces.get_mut(place / PIECE)?).get_mut(place % PIECE)
    }

    /// Puts an item in the place of another; nothing happens where there is none.
    pub fn set(&mut self, place: usize, item: T) {
        if let Some(old) = self.get_mut(place) {
            *old = item;
        }
    }

    /// Adds an item behind the last.
    pub fn push_back(&mut self, item: T) {
        if (self.gone + self.len).is_multiple_of(PIECE) {
            self.pieces.push_back(Arc::default());
        }
        if let Some(last) = self.pieces.back_mut() {
            Arc::make_mut(last).push(item);
            self.len += 1;
        }
    }

    /// Takes the first item out. Its piece keeps it until it has no items left.
    pub fn pop_front(&mut self) -> Option<T> {
        let item = self.get(0)?.clone();
        self.gone += 1;
        self.len -= 1;
        if self.gone == PIECE || self.len == 0 {
            self.pieces.pop_front();
            self.gone = 0;
        }
        Some(item)
    }

    /// Drops the items for which `keep` says no.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        if !self.iter().all(&mut keep) {
            *self = self.iter().filter(|item| keep(item)).cloned().collect();
        }
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List::new()
    }
}

impl<T> Index<usize> for List<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        self.get(place).expect("the list has no such place")
    }
}

impl<T: Clone> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut list = List::new();
        for item in items {
            list.push_back(item);
        }
        list
    }
}

impl<T: fmt::Debug> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// The items of a list in their order.
pub struct ListIter<'a, T> {
    list: &'a List<T>,
    places: Range<usize>,
}

impl<'a, T> Iterator for ListIter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        self.nth(0)
    }

    fn nth(&mut self, skipped: usize) -> Option<&'a T> {
        self.places.nth(skipped).and_then(|place| self.list.get(place))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.places.size_hint()
    }
}

impl<T> DoubleEndedIterator for ListIter<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.places.next_back().and_then(|place| self.list.get(place))
    }
}

impl<T> ExactSizeIterator for ListIter<'_, T> {}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = ListIter<'a, T>;

    fn into_iter(self) -> ListIter<'a, T> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stream;

    fn check(list: &List<u64>, like: &VecDeque<u64>) {
        assert!(list.iter().eq(like.iter()), "{list:?} {like:?}");
        assert!(list.iter().rev().eq(like.iter().rev()));
        assert!(list.iter().skip(70).eq(like.iter().skip(70)));
        assert_eq!((list.len(), list.is_empty()), (like.len(), like.is_empty()));
        assert_eq!((list.front(), list.back()), (like.front(), like.back()));
        for place in [0, 1, 63, 64, 65, 130, 1000] {
            assert_eq!(list.get(place), like.get(place));
        }
    }

    #[test]
    fn lists_do_what_the_standard_librarys_do() {
        let mut stream = Stream::new(3, "list");
        let (mut list, mut like) = (List::new(), VecDeque::new());
        let mut copies = Vec::new();
        for round in 0..60_u64 {
            for _ in 0..100 {
                let value = stream.below(1000);
                let place = stream.below(200) as usize;
                match stream.below(10) {
                    // Longer and longer, then shorter.
                    0..=4 if round % 20 < 10 => {
                        list.push_back(value);
                        like.push_back(value);
                    }
                    0..=6 => assert_eq!(list.pop_front(), like.pop_front()),
                    7 => {
                        list.push_back(value);
                        like.push_back(value);
                    }
                    _ => {
                        if place < like.len() {
                            list.set(place, value);
                            like[place] = value;
                            assert_eq!(list[place], value);
                        }
                        assert_eq!(list.get_mut(place), like.get_mut(place));
                    }
                }
            }
            check(&list, &like);
            copies.push((list.clone(), like.clone()));
            if round % 7 == 0 {
                list.retain(|item| !item.is_multiple_of(5));
                like.retain(|item| !item.is_multiple_of(5));
                check(&list, &like);
            }
        }
        for (list, like) in &copies {
            check(list, like);
        }
        let again: List<u64> = like.iter().copied().collect();
        check(&again, &like);
    }
}
