//! The map does what the standard library's does, whatever is done to it.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::{OrdMap, OrdSet};
use crate::{Digest, Stream};

fn check(map: &OrdMap<u64, u64>, like: &BTreeMap<u64, u64>, stream: &mut Stream, keys: u64) {
    assert!(map.iter().eq(like.iter()), "{map:?} {like:?}");
    assert_eq!(map.len(), like.len());
    assert_eq!(map.is_empty(), like.is_empty());
    assert_eq!(map.get_min().map(|(key, _)| key), like.keys().next());
    for _ in 0..20 {
        let (one, other) = (stream.below(keys), stream.below(keys));
        assert_eq!(map.get(&one), like.get(&one));
        assert_eq!(map.contains_key(&one), like.contains_key(&one));
        let (low, high) = (one.min(other), one.max(other));
        assert!(map.range(low..high).eq(like.range(low..high)));
        assert!(map.range(low..=high).eq(like.range(low..=high)));
        assert!(map.range(low..).eq(like.range(low..)));
        if low < high {
            let bounds = (Bound::Excluded(low), Bound::Included(high));
            assert!(map.range(bounds).eq(like.range(bounds)));
        }
    }
}

#[test]
fn maps_do_what_the_standard_librarys_do() {
    for (seed, keys) in [(1, 8), (2, 100), (3, 5000)] {
        let mut stream = Stream::new(seed, "ordered");
        let (mut map, mut like) = (OrdMap::new(), BTreeMap::new());
        let mut copies = Vec::new();
        // Filled, then emptied, and so on.
        for round in 0..8_u64 {
            for _ in 0..1500 {
                let (key, value) = (stream.below(keys), stream.below(1000));
                if stream.below(4) == round % 2 * 2 {
                    assert_eq!(map.remove(&key), like.remove(&key));
                } else if round % 2 == 0 {
                    assert_eq!(map.insert(key, value), like.insert(key, value));
                } else {
                    assert_eq!(map.remove(&key), like.remove(&key));
                }
                if let (Some(one), Some(other)) = (map.get_mut(&value), like.get_mut(&value)) {
                    *one += 1;
                    *other += 1;
                }
            }
            *map.entry(7).or_default() += round;
            *like.entry(7).or_default() += round;
            check(&map, &like, &mut stream, keys);
            copies.push((map.clone(), like.clone()));
        }
        for (map, like) in &copies {
            check(map, like, &mut stream, keys);
        }
        map.retain(|key, value| (key + value) % 3 == 0);
        like.retain(|key, value| (*key + *value) % 3 == 0);
        check(&map, &like, &mut stream, keys);
        map.change_all(|key, value| *value += key);
        like.iter_mut().for_each(|(key, value)| *value += key);
        check(&map, &like, &mut stream, keys);
        assert_eq!(Digest::of(&map), Digest::of(&like));
        assert!(map.clone().into_iter().eq(like.clone()));
        assert_eq!(map.clone().pop_first(), like.clone().pop_first());
        let again: OrdMap<u64, u64> = like.iter().map(|(key, value)| (*key, *value)).collect();
        assert_eq!(again, map);
    }
}

#[test]
fn queues_grow_at_one_end_and_shrink_at_the_other() {
    let mut map = OrdMap::new();
    for key in 0..10_000_u64 {
        map.insert(key, ());
        if key >= 500 {
            assert_eq!(map.get_min().map(|(key, ())| *key), Some(key - 500));
            assert_eq!(map.remove(&(key - 500)), Some(()));
        }
    }
    assert_eq!(map.len(), 500);
    for key in (9500..10_000).rev() {
        assert_eq!(map.remove(&key), Some(()));
    }
    assert!(map.is_empty() && map.ptr_eq(&OrdMap::new()));
}

#[test]
fn a_copy_keeps_what_it_had() {
    let mut set: OrdSet<u32> = (0..100).collect();
    let copy = set.clone();
    assert_eq!(set.insert(3), Some(()));
    assert_eq!(set.insert(100), None);
    assert_eq!((set.remove(&5), set.remove(&5)), (Some(5), None));
    assert!(copy.contains(&5) && !copy.contains(&100) && set.contains(&100));
    assert_eq!((copy.len(), set.len()), (100, 100));
    assert!(set.range(4..7).eq(&[4, 6]));
    assert_ne!(set, copy);
    set.extend([7, 200]);
    assert!(set.clone().into_iter().eq(set.iter().copied()));
    assert_eq!((set.len(), set.contains(&200)), (101, true));
}
