//! The map and the set do what the standard library's do, whatever is done to them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::{SmallMap, SmallSet};
use crate::{Digest, Stream};

type Map = SmallMap<u64, u64>;
type Like = BTreeMap<u64, u64>;

fn check(map: &Map, like: &Like, stream: &mut Stream) {
    assert!(map.iter().eq(like.iter()), "{map:?} {like:?}");
    assert!(map.keys().eq(like.keys()) && map.values().eq(like.values()));
    assert!(map.clone().into_iter().eq(like.clone()));
    assert!(map.clone().into_keys().eq(like.clone().into_keys()));
    assert!(map.clone().into_values().eq(like.clone().into_values()));
    assert_eq!((map.len(), map.is_empty()), (like.len(), like.is_empty()));
    assert_eq!(map.first_key_value(), like.first_key_value());
    assert_eq!(map.last_key_value(), like.last_key_value());
    assert_eq!(Digest::of(map), Digest::of(like));
    assert_eq!(format!("{map:?}"), format!("{like:?}"));
    for _ in 0..20 {
        let (one, other) = (stream.below(40), stream.below(40));
        assert_eq!(map.get(&one), like.get(&one));
        assert_eq!(map.get_key_value(&one), like.get_key_value(&one));
        assert_eq!(map.contains_key(&one), like.contains_key(&one));
        let (low, high) = (one.min(other), one.max(other));
        assert!(map.range(low..high).eq(like.range(low..high)));
        assert!(map.range(low..=high).eq(like.range(low..=high)));
        assert!(map.range(..high).eq(like.range(..high)));
        if low < high {
            let bounds = (Bound::Excluded(low), Bound::Included(high));
            assert!(map.range(bounds).eq(like.range(bounds)));
        }
    }
}

fn change(map: &mut Map, like: &mut Like, stream: &mut Stream) {
    let (key, value) = (stream.below(40), stream.below(1000));
    match stream.below(10) {
        0..=3 => assert_eq!(map.insert(key, value), like.insert(key, value)),
        4 => assert_eq!(map.remove(&key), like.remove(&key)),
        5 => assert_eq!(map.get_mut(&key), like.get_mut(&key)),
        6 => {
            *map.entry(key).and_modify(|it| *it *= 2).or_insert_with(|| value) += 1;
            *like.entry(key).and_modify(|it| *it *= 2).or_insert_with(|| value) += 1;
        }
        7 => assert_eq!(map.pop_first(), like.pop_first()),
        8 => assert_eq!(map.pop_last(), like.pop_last()),
        _ => {
            let keep = |key: &u64, it: &mut u64| {
                *it += 1;
                !(*key + *it).is_multiple_of(5)
            };
            map.retain(keep);
            like.retain(keep);
        }
    }
}

#[test]
fn maps_do_what_the_standard_librarys_do() {
    let mut stream = Stream::new(1, "small");
    for _ in 0..200 {
        let entries: Vec<(u64, u64)> =
            (0..stream.below(60)).map(|at| (stream.below(40), at)).collect();
        let mut map: Map = entries.iter().copied().collect();
        let mut like: Like = entries.iter().copied().collect();
        check(&map, &like, &mut stream);
        let (before, like_before) = (map.clone(), like.clone());
        for _ in 0..20 {
            change(&mut map, &mut like, &mut stream);
        }
        check(&map, &like, &mut stream);
        assert_eq!(map.cmp(&before), like.cmp(&like_before));
        assert_eq!(map == before, like == like_before);
        for ((_, value), (_, other)) in map.iter_mut().zip(&mut like) {
            *value += 3;
            *other += 3;
        }
        check(&map, &like, &mut stream);
    }
}

#[test]
fn sets_do_what_the_standard_librarys_do() {
    let mut stream = Stream::new(2, "small");
    for _ in 0..200 {
        let mut members = || -> Vec<u64> {
            let count = stream.below(30);
            (0..count).map(|_| stream.below(40)).collect()
        };
        let (one, other) = (members(), members());
        let mut sets: [SmallSet<u64>; 2] =
            [one.iter().copied().collect(), other.into_iter().collect()];
        let mut likes = sets.clone().map(|set| set.into_iter().collect::<BTreeSet<u64>>());
        assert!(sets[0].iter().eq(&likes[0]));
        assert!(one.iter().all(|key| sets[0].contains(key)));
        assert!(sets[0].difference(&sets[1]).eq(likes[0].difference(&likes[1])));
        assert!(sets[0].intersection(&sets[1]).eq(likes[0].intersection(&likes[1])));
        assert_eq!(sets[0].is_subset(&sets[1]), likes[0].is_subset(&likes[1]));
        assert_eq!(sets[0].is_superset(&sets[1]), likes[0].is_superset(&likes[1]));
        assert_eq!(sets[0].is_disjoint(&sets[1]), likes[0].is_disjoint(&likes[1]));
        assert!(sets[0].range(5..20).eq(likes[0].range(5..20)));
        for _ in 0..20 {
            let key = stream.below(40);
            let (set, like) = (&mut sets[0], &mut likes[0]);
            match stream.below(4) {
                0 => assert_eq!(set.remove(&key), like.remove(&key)),
                1 => assert_eq!(set.pop_first(), like.pop_first()),
                _ => assert_eq!(set.insert(key), like.insert(key)),
            }
            assert_eq!((set.first(), set.last()), (like.first(), like.last()));
            assert_eq!(set.get(&key), like.get(&key));
            assert_eq!(Digest::of(set), Digest::of(like));
        }
        assert!(sets[0].iter().eq(&likes[0]));
    }
}
