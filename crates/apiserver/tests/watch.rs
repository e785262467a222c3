//! What a watch guarantees, over random histories: it is ordered, unique, reliable, resumable
//! and bookmarkable, its selector synthesises additions and deletions, and a list with the watch
//! that follows it is the list of now.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{Key, KindId, Object};
use apiserver::{
    DeleteOptions, EventType, Identity, ListOptions, Selection, Subresource, WatchEvent, WatchId,
    WatchSelector,
};
use common::{Server, config_map};
use serde_json::json;
use sim::{Duration, Stream, Time};

const KIND: KindId = KindId::CONFIG_MAP;
const OWNER: u32 = 7;

/// One random change: of a map that exists or not, with or without the label.
fn step(server: &mut Server, stream: &mut Stream) {
    server.now += Duration::from_millis(stream.below(3));
    let name = format!("map-{}", stream.below(6));
    let label = ["yes", "no"][usize::try_from(stream.below(2)).expect("small")];
    match server.get(KIND, &name) {
        Err(_) => {
            let mut value = config_map(&name);
            value["metadata"]["labels"] = json!({"watched": label});
            server.create(value).expect("created");
        }
        Ok(object) if stream.below(3) > 0 => {
            let value = stream.below(100).to_string();
            server
                .change(&object, Subresource::None, move |object| {
                    let meta = object.meta_mut();
                    let labels = meta.labels.get_or_insert_default();
                    labels.insert("watched".into(), label.into());
                    labels.insert("value".into(), value);
                })
                .expect("changed");
        }
        Ok(_) => {
            server.delete(KIND, &name, DeleteOptions::default()).expect("deleted");
        }
    }
}

fn labelled() -> WatchSelector {
    let label_selector = api::labels::Selector::parse("watched=yes").ok();
    let options = ListOptions { label_selector, ..ListOptions::default() };
    WatchSelector::Selected(Arc::new(Selection::of("default", &options)))
}

fn revisions(events: &[Arc<WatchEvent>]) -> Vec<u64> {
    events.iter().map(|event| event.revision).collect()
}

/// What a client that only gets `ADDED`, `MODIFIED` and `DELETED` makes of the events.
fn replay(
    objects: &mut BTreeMap<Key, Object>,
    events: &[Arc<WatchEvent>],
    selector: &WatchSelector,
) {
    for event in events {
        let (event_type, object) = event.seen_by(selector).expect("it concerns the watch");
        let version = object.meta().resource_version.clone();
        assert_eq!(version, Some(event.revision.to_string()), "{event_type:?}");
        let known = match event_type {
            EventType::Deleted => objects.remove(&object.key()),
            _ => objects.insert(object.key(), object),
        };
        assert_eq!(known.is_some(), event_type != EventType::Added, "{event_type:?}");
    }
}

fn selected(server: &Server, selector: &WatchSelector) -> BTreeMap<Key, Object> {
    let snapshot = server.server.snapshot(KIND);
    let objects = snapshot.iter().filter(|object| selector.matches(object));
    objects.map(|object| (object.key(), object.clone())).collect()
}

struct Follower {
    id: WatchId,
    selector: WatchSelector,
    objects: BTreeMap<Key, Object>,
    seen: Vec<Arc<WatchEvent>>,
}

impl Follower {
    fn start(server: &mut Server, selector: WatchSelector) -> Self {
        let administrator = Identity::administrator();
        let (id, snapshot, _) = server.server.watch(&administrator, OWNER, KIND, selector.clone());
        let objects = snapshot
            .iter()
            .filter(|object| selector.matches(object))
            .map(|object| (object.key(), object.clone()))
            .collect();
        Follower { id, selector, objects, seen: Vec::new() }
    }

    fn poll(&mut self, server: &mut Server, before: Time) {
        let events = server.server.poll_watch(self.id, before);
        replay(&mut self.objects, &events, &self.selector);
        self.seen.extend(events);
    }
}

#[test]
fn watches_are_ordered_unique_reliable_and_lead_to_the_list_of_now() {
    for seed in 0..20 {
        let mut stream = Stream::new(seed, "watch");
        let mut server = Server::new();
        for _ in 0..10 {
            step(&mut server, &mut stream);
        }
        let start = server.server.revision();
        let selectors = [
            WatchSelector::Everything,
            labelled(),
            WatchSelector::Name(Key::new("default", "map-3")),
        ];
        let mut followers: Vec<Follower> =
            selectors.into_iter().map(|selector| Follower::start(&mut server, selector)).collect();
        for _ in 0..100 {
            step(&mut server, &mut stream);
            let follower = &mut followers[usize::try_from(stream.below(3)).expect("small")];
            let now = server.now;
            follower.poll(&mut server, now);
            let mark = server.server.bookmark(follower.id).expect("open");
            let last = follower.seen.last().map_or(start, |event| event.revision);
            assert!(mark >= last, "a bookmark is not behind what was delivered");
            let missed = server.server.changes_after(last).expect("kept");
            let missed = missed.iter().filter(|(revision, _, key, _)| {
                *revision <= mark && follower.selector == WatchSelector::Name(key.clone())
            });
            assert_eq!(missed.count(), 0, "everything up to a bookmark was delivered");
        }
        for follower in &mut followers {
            follower.poll(&mut server, Time::MAX);
            let seen = revisions(&follower.seen);
            assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "ordered, unique: {seen:?}");
            assert_eq!(follower.objects, selected(&server, &follower.selector), "seed {seed}");
        }
        let log = server.server.changes_after(start).expect("kept");
        let log: Vec<u64> = log.iter().map(|(revision, ..)| *revision).collect();
        assert_eq!(revisions(&followers[0].seen), log, "reliable");
    }
}

#[test]
fn a_watch_resumes_with_exactly_the_rest_or_says_it_cannot() {
    for seed in 0..10 {
        let mut stream = Stream::new(seed, "resume");
        let mut server = Server::new();
        let selector = if seed % 2 == 0 { WatchSelector::Everything } else { labelled() };
        let mut follower = Follower::start(&mut server, selector.clone());
        for _ in 0..60 {
            step(&mut server, &mut stream);
        }
        follower.poll(&mut server, Time::MAX);
        let administrator = Identity::administrator();
        for at in [0, follower.seen.len() / 2, follower.seen.len() - 1] {
            let seen = follower.seen[at].clone();
            let call = (KIND, selector.clone());
            let now = server.now;
            let id = server
                .server
                .watch_from(now, &administrator, OWNER, call, seen.revision)
                .expect("kept");
            let rest = server.server.poll_watch(id, Time::MAX);
            assert_eq!(revisions(&rest), revisions(&follower.seen[at + 1..]));
            for (again, first) in rest.iter().zip(&follower.seen[at + 1..]) {
                assert_eq!((&again.old, &again.new), (&first.old, &first.new));
                let objects = |event: &WatchEvent| -> Vec<Object> {
                    event.snapshot.iter().cloned().collect()
                };
                assert_eq!(objects(again), objects(first), "snapshots are the same again");
            }
        }
    }
}

#[test]
fn a_watch_from_a_compacted_revision_is_expired() {
    let mut server = Server::new();
    let mut stream = Stream::new(3, "compaction");
    for _ in 0..20 {
        step(&mut server, &mut stream);
    }
    server.now = Time::ZERO;
    server.advance(300);
    server.server.wake(server.now);
    let compacted = server.server.revision();
    step(&mut server, &mut stream);
    server.advance(300);
    server.server.wake(server.now);
    let administrator = Identity::administrator();
    let mut open = |revision| {
        let call = (KIND, WatchSelector::Everything);
        server.server.watch_from(server.now, &administrator, OWNER, call, revision)
    };
    let status = open(compacted - 1).expect_err("compacted");
    assert_eq!((status.code(), status.reason()), (410, "Expired"));
    let words = format!("too old resource version: {} ({compacted})", compacted - 1);
    assert_eq!(status.message(), words);
    let id = open(compacted).expect("nothing behind it is compacted");
    assert_eq!(server.server.poll_watch(id, Time::MAX).len(), 1);
}

#[test]
fn history_is_bounded() {
    let mut server = Server::new();
    let created = server.create(config_map("a")).expect("created");
    let first = server.server.revision();
    for number in 0..5000 {
        let change = move |object: &mut Object| {
            let labels = object.meta_mut().labels.get_or_insert_default();
            labels.insert("number".into(), number.to_string());
        };
        server.change(&created, Subresource::None, change).expect("changed");
    }
    assert_eq!(server.server.changes_after(first), None);
    let last = server.server.revision();
    assert_eq!(server.server.changes_after(last - 4096).map(|changes| changes.len()), Some(4096));
    assert_eq!(server.server.changes_after(last - 4097), None);
}

#[test]
fn a_watch_announces_itself_once_until_it_is_released() {
    let mut server = Server::new();
    server.server.schedule_deliveries();
    let follower = Follower::start(&mut server, WatchSelector::Everything);
    server.create(config_map("a")).expect("created");
    server.create(config_map("b")).expect("created");
    assert_eq!(server.server.take_announcements(), [(follower.id, OWNER)]);
    server.advance(1);
    assert!(server.server.poll_watch(follower.id, Time::MAX).is_empty(), "still under way");
    server.create(config_map("c")).expect("created");
    assert!(server.server.take_announcements().is_empty(), "announced already");
    let now = server.now;
    server.server.release_watch(follower.id, now);
    assert_eq!(server.server.take_announcements(), [(follower.id, OWNER)], "there is more");
    assert_eq!(server.server.poll_watch(follower.id, Time::MAX).len(), 2);
}

#[test]
fn snapshots_find_objects_by_owner_and_by_node() {
    let mut server = Server::new();
    for (name, node, owner) in [("a", "node-1", "u1"), ("b", "node-2", "u1"), ("c", "node-1", "u2")]
    {
        let mut pod = common::pod(name);
        pod["spec"]["nodeName"] = json!(node);
        pod["metadata"]["ownerReferences"] = json!([
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": owner}
        ]);
        server.create(pod).expect("created");
    }
    let names = |objects: Vec<&Object>| -> Vec<String> {
        objects.iter().map(|object| object.name().to_string()).collect()
    };
    let snapshot = server.server.snapshot(KindId::POD);
    assert_eq!(names(snapshot.on_node("node-1").collect()), ["a", "c"]);
    assert_eq!(names(snapshot.owned_by("u1").collect()), ["a", "b"]);
    let orphan = server.get(KindId::POD, "a").expect("read");
    server
        .change(&orphan, Subresource::None, |object| object.meta_mut().owner_references = None)
        .expect("changed");
    server.delete(KindId::POD, "c", common::grace(0)).expect("deleted");
    let snapshot = server.server.snapshot(KindId::POD);
    assert_eq!(names(snapshot.owned_by("u1").collect()), ["b"]);
    assert_eq!(names(snapshot.on_node("node-1").collect()), ["a"]);
    assert_eq!(names(snapshot.owned_by("u2").collect()), Vec::<String>::new());
}
