//! What holds of every change, over random requests: revisions, versions and UIDs, what never
//! changes, when the generation counts, and that refusals change nothing.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use api::openapi::api::apps::v1::Deployment;
use api::openapi::api::core::v1::Pod;
use api::{KindId, Object, Status};
use apiserver::{
    Binding, Body, Commit, DeleteOptions, Patch, Propagation, Response, Subresource, Verb,
};
use common::{Server, config_map, deployment, pod};
use serde_json::json;
use sim::Stream;

const KINDS: [KindId; 3] = [KindId::CONFIG_MAP, KindId::DEPLOYMENT, KindId::POD];

fn pick<T: Copy>(stream: &mut Stream, choices: &[T]) -> T {
    choices[usize::try_from(stream.below(choices.len() as u64)).expect("small")]
}

fn change_something(stream: &mut Stream) -> impl FnOnce(&mut Object) + 'static {
    let (choice, number) = (stream.below(6), stream.below(4));
    move |object: &mut Object| {
        let small = i32::try_from(number).expect("small");
        let meta = object.meta_mut();
        match choice {
            0 => {
                meta.labels.get_or_insert_default().insert("a".into(), number.to_string());
            }
            1 => meta.finalizers = Some(vec![format!("example.com/f{number}")]),
            2 => meta.finalizers = None,
            3 => meta.deletion_timestamp = None,
            _ => {}
        }
        if let Some(deployment) = object.get_mut::<Deployment>() {
            if choice == 4 {
                deployment.spec.replicas = Some(small);
            }
            deployment.status.get_or_insert_default().replicas = Some(small);
        } else if let Some(pod) = object.get_mut::<Pod>() {
            if choice == 4 {
                pod.spec.get_or_insert_default().containers[0].image = Some(format!("i:{number}"));
            }
            pod.status.get_or_insert_default().message = Some(number.to_string());
        }
    }
}

fn random_request(server: &mut Server, stream: &mut Stream, stale: &Object) -> Result<(), Status> {
    let kind = pick(stream, &KINDS);
    let name = format!("o-{}", stream.below(3));
    let call = |verb| (verb, kind);
    let at = ("default", name.as_str());
    let none = Subresource::None;
    let answer = match stream.below(7) {
        0 => {
            let value = match kind {
                KindId::CONFIG_MAP => config_map(&name),
                KindId::POD => pod(&name),
                _ => deployment(&name),
            };
            return server.create(value).map(|_| ());
        }
        1 | 2 => {
            let parts: &[Subresource] = match kind {
                KindId::CONFIG_MAP => &[Subresource::None],
                _ => &[Subresource::None, Subresource::Status],
            };
            let part = pick(stream, parts);
            let patch = Patch::Change(Box::new(change_something(stream)));
            server.request(call(Verb::Patch), at, part, Body::Patch(patch))
        }
        3 => {
            let patch = Patch::merge(
                json!({"metadata": {"annotations": {"b": stream.below(3).to_string()}}}),
            );
            server.request(call(Verb::Patch), at, none, Body::Patch(patch))
        }
        4 => {
            let propagation =
                pick(stream, &[None, Some(Propagation::Foreground), Some(Propagation::Background)]);
            let grace_period_seconds = pick(stream, &[None, Some(0), Some(5), Some(60)]);
            let options =
                DeleteOptions { propagation, grace_period_seconds, ..DeleteOptions::default() };
            server.request(call(Verb::Delete), at, none, Body::Delete(options))
        }
        5 => {
            let binding = Binding { node: "node-1".into(), uid: String::new() };
            let call = (Verb::Create, KindId::POD);
            server.request(call, at, Subresource::Binding, Body::Binding(binding))
        }
        _ => return server.update(stale.clone()).map(|_| ()),
    };
    answer.map(|_: Response| ())
}

/// What a change may do to one object.
fn check(commit: &Commit, seen: &mut BTreeMap<String, u64>, gone: &mut BTreeSet<String>) {
    let object = commit.new.as_ref().or(commit.old.as_ref()).expect("one of them");
    let uid = object.uid().to_string();
    assert!(!gone.contains(&uid), "a UID is never used again");
    let Some(new) = &commit.new else {
        gone.insert(uid);
        let meta = commit.old.as_ref().expect("it was there").meta();
        // Finalizers may be taken away by the very change that removes the object.
        assert!(meta.deletion_grace_period_seconds.unwrap_or(0) == 0, "grace was not over");
        return;
    };
    let version = new.meta().resource_version.as_deref().expect("set");
    let version: u64 = version.parse().expect("a number");
    assert!(seen.insert(uid, version).is_none_or(|before| before < version), "versions rise");
    let Some(old) = &commit.old else {
        assert_eq!(new.meta().deletion_timestamp, None);
        return;
    };
    assert_ne!(new, old, "no empty change is stored");
    let (new_meta, old_meta) = (new.meta(), old.meta());
    assert_eq!(new_meta.uid, old_meta.uid);
    assert_eq!(new_meta.creation_timestamp, old_meta.creation_timestamp);
    let deletion = |object: &Object| object.meta().deletion_timestamp.as_ref().map(|time| time.0);
    if let Some(before) = deletion(old) {
        assert!(deletion(new).is_some_and(|after| after <= before));
        let finalizers = |object: &Object| object.meta().finalizers.clone().unwrap_or_default();
        let old = finalizers(old);
        // A second deletion may still choose another policy, as upstream lets it.
        let is_added = |name: &String| !old.contains(name) && name != "foregroundDeletion";
        assert!(!finalizers(new).iter().any(is_added), "no finalizer is added");
    }
    if new.kind().has_generation {
        let first_deleted = deletion(old).is_none() && deletion(new).is_some();
        let counts = (new.behaviour().spec_changed)(new, old) || first_deleted;
        let binds = node_of(new) != node_of(old);
        let want = old_meta.generation.unwrap_or(0) + i64::from(counts && !binds);
        assert_eq!(new_meta.generation, Some(want), "{:?}", commit.key);
    }
}

fn node_of(object: &Object) -> Option<String> {
    object.get::<Pod>()?.spec.as_ref()?.node_name.clone()
}

#[test]
fn every_change_keeps_the_invariants() {
    for seed in 0..30 {
        let mut stream = Stream::new(seed, "invariants");
        let mut server = Server::new();
        let (mut seen, mut gone) = (BTreeMap::new(), BTreeSet::new());
        let (mut refused, mut done) = (0, 0);
        let mut stale = server.create(config_map("o-0")).expect("created");
        server.server.take_commits();
        for _ in 0..200 {
            server.advance(stream.below(3));
            server.dry_run = stream.below(8) == 0;
            let before = (server.server.revision(), server.fingerprint());
            let answer = random_request(&mut server, &mut stream, &stale);
            let commits = server.server.take_commits();
            let after = server.server.revision();
            assert_eq!(after - before.0, commits.len() as u64, "one revision for each change");
            if answer.is_err() || server.dry_run {
                assert!(commits.is_empty(), "seed {seed}: {answer:?}");
                assert_eq!(server.fingerprint(), before.1, "seed {seed}: {answer:?}");
            }
            match answer {
                Ok(()) => done += 1,
                Err(_) => refused += 1,
            }
            for commit in &commits {
                check(commit, &mut seen, &mut gone);
            }
            server.dry_run = false;
            if stream.below(5) == 0
                && let Ok(object) = server.get(pick(&mut stream, &KINDS), "o-1")
            {
                stale = object;
            }
        }
        assert!(done > 30 && refused > 30, "seed {seed}: {done} done, {refused} refused");
    }
}
