use api::Kinded;
use api::openapi::api::apps::v1::{Deployment, ReplicaSet};
use api::openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod};
use component_helpers::controller_ref::controller_of;
use sim::Stream;

use super::*;
use crate::testing::{World, deployment, meta};

fn owner<T: Kinded>(object: &T, blocks: bool) -> OwnerReference {
    OwnerReference {
        api_version: T::ID.get().api_version.into(),
        kind: T::ID.get().kind.into(),
        name: object.metadata().name.clone().expect("named"),
        uid: object.metadata().uid.clone().expect("stored"),
        block_owner_deletion: blocks.then_some(true),
        controller: None,
    }
}

fn config_map(name: &str, owners: Vec<OwnerReference>) -> ConfigMap {
    let mut metadata = meta(name, &[]);
    metadata.owner_references = (!owners.is_empty()).then_some(owners);
    ConfigMap { metadata, ..ConfigMap::default() }
}

fn absent(name: &str) -> OwnerReference {
    OwnerReference {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        name: name.into(),
        uid: "00000000-0000-4000-8000-000000000000".into(),
        ..OwnerReference::default()
    }
}

/// Upstream: test/integration/garbagecollector, TestCascadingDeletion.
#[test]
fn dependents_follow_their_last_owner() {
    let mut world = World::new();
    let first = world.create(config_map("first", vec![]));
    let second = world.create(config_map("second", vec![]));
    world.create(config_map("of-first", vec![owner(&*first, false)]));
    world.create(config_map("of-both", vec![owner(&*first, false), owner(&*second, false)]));
    world.create(config_map("of-nobody", vec![absent("never")]));
    world.create(config_map("independent", vec![]));
    world.run(50);
    assert!(!world.exists::<ConfigMap>("of-nobody"), "its owner never existed");
    world.delete::<ConfigMap>("first", Some(Propagation::Background));
    world.run(50);
    assert!(!world.exists::<ConfigMap>("of-first"));
    let left = world.get::<ConfigMap>("of-both");
    assert_eq!(references(&left.metadata), [owner(&*second, false)]);
    world.delete::<ConfigMap>("second", Some(Propagation::Background));
    world.run(50);
    assert!(!world.exists::<ConfigMap>("of-both"));
    assert!(world.exists::<ConfigMap>("independent"));
}

/// Upstream: TestClusterScopedOwners and the marker error for owners in a namespace.
#[test]
fn owners_may_be_of_the_cluster_but_not_in_a_namespace_for_those_that_are() {
    let mut world = World::new();
    let node = Node { metadata: meta("node-1", &[]), ..Node::default() };
    let node = world.cluster.api::<Node>("").create(node).expect("created");
    world.create(config_map("of-node", vec![owner(&*node, false)]));
    let mut other = Node { metadata: meta("node-2", &[]), ..Node::default() };
    other.metadata.owner_references = Some(vec![absent("in-a-namespace")]);
    world.cluster.api::<Node>("").create(other).expect("created");
    world.run(50);
    assert!(world.exists::<ConfigMap>("of-node"));
    assert!(world.cluster.api::<Node>("").get("node-2").is_ok());
    world.delete::<Node>("node-1", None);
    world.run(50);
    assert!(!world.exists::<ConfigMap>("of-node"));
}

#[test]
fn deleting_a_deployment_deletes_its_replica_sets_and_pods() {
    let mut world = World::new();
    world.create(deployment("web", 3, "25%", "25%"));
    world.settle();
    world.delete::<Deployment>("web", Some(Propagation::Background));
    assert!(!world.exists::<Deployment>("web"));
    world.settle();
    assert!(world.list::<ReplicaSet>().is_empty());
    assert!(world.list::<Pod>().is_empty());
}

/// Upstream: TestCreateWithNonBlockingOwner and e2e/apimachinery/garbage_collector.go, "should
/// keep the rc around until all its pods are deleted if the deleteOptions says so".
#[test]
fn an_owner_that_is_deleted_in_the_foreground_outlives_its_dependents() {
    let mut world = World::new();
    world.create(deployment("web", 2, "25%", "25%"));
    world.settle();
    let pod = world.list::<Pod>()[0].metadata.name.clone().expect("named");
    world.change::<Pod>(&pod, |pod| {
        pod.metadata.finalizers = Some(vec!["example.com/hold".into()]);
    });
    world.delete::<Deployment>("web", Some(Propagation::Foreground));
    for _ in 0..20 {
        world.run(20);
        world.finish_pods();
    }
    assert_eq!(world.list::<Pod>().len(), 1, "one pod is held");
    assert_eq!(world.list::<ReplicaSet>().len(), 1);
    assert!(world.exists::<Deployment>("web"));
    world.change::<Pod>(&pod, |pod| pod.metadata.finalizers = None);
    world.settle();
    assert!(world.list::<Pod>().is_empty());
    assert!(world.list::<ReplicaSet>().is_empty());
    assert!(!world.exists::<Deployment>("web"));
}

#[test]
fn dependents_that_do_not_block_do_not_hold_their_owner() {
    let mut world = World::new();
    let first = world.create(config_map("owner", vec![]));
    let mut held = config_map("dependent", vec![owner(&*first, false)]);
    held.metadata.finalizers = Some(vec!["example.com/hold".into()]);
    world.create(held);
    world.run(50);
    world.delete::<ConfigMap>("owner", Some(Propagation::Foreground));
    world.run(100);
    assert!(!world.exists::<ConfigMap>("owner"));
    let held = world.get::<ConfigMap>("dependent");
    assert!(held.metadata.deletion_timestamp.is_some());
}

/// Upstream: TestOrphaning.
#[test]
fn orphans_stay_and_name_no_owner() {
    let mut world = World::new();
    world.create(deployment("web", 2, "25%", "25%"));
    world.settle();
    world.delete::<Deployment>("web", Some(Propagation::Orphan));
    world.settle();
    assert!(!world.exists::<Deployment>("web"));
    let sets = world.list::<ReplicaSet>();
    assert_eq!(sets.len(), 1);
    assert!(controller_of(&sets[0].metadata).is_none());
    assert_eq!(world.list::<Pod>().len(), 2);
}

/// Upstream: TestDoubleDeletionWithFinalizer's neighbour, TestBlockingOwnerRefDoesBlock and the
/// circle in attemptToDeleteItem.
#[test]
fn two_that_own_each_other_do_not_wait_for_ever() {
    let mut world = World::new();
    let first = world.create(config_map("first", vec![]));
    let second = world.create(config_map("second", vec![owner(&*first, true)]));
    let back = owner(&*second, true);
    world.change::<ConfigMap>("first", move |map| map.metadata.owner_references = Some(vec![back]));
    world.run(50);
    world.delete::<ConfigMap>("first", Some(Propagation::Foreground));
    world.run(200);
    assert!(
        world
            .list::<ConfigMap>()
            .iter()
            .all(|map| map.metadata.name.as_deref() == Some("kube-root-ca.crt"))
    );
}

#[test]
fn an_owner_of_a_kind_that_nobody_knows_is_left_alone() {
    let mut world = World::new();
    let reference = OwnerReference {
        api_version: "example.com/v1".into(),
        kind: "Widget".into(),
        ..absent("some")
    };
    world.create(config_map("of-widget", vec![reference]));
    world.skip_seconds(60);
    assert!(world.exists::<ConfigMap>("of-widget"));
}

/// Upstream: e2e/apimachinery and TestCrossNamespaceReferencesWithWatchCache.
#[test]
fn an_owner_in_another_namespace_is_none() {
    let mut world = World::new();
    world.create_namespace("other");
    let map = config_map("elsewhere", vec![]);
    let elsewhere = world.cluster.api::<ConfigMap>("other").create(map).expect("created");
    let uid = elsewhere.metadata.uid.clone().expect("stored");
    world.run(50);
    world.create(config_map("confused", vec![owner(&*elsewhere, false)]));
    world.run(50);
    assert!(!world.exists::<ConfigMap>("confused"));
    assert!(world.cluster.api::<ConfigMap>("other").get("elsewhere").is_ok());
    let message = format!(
        "ownerRef [v1/ConfigMap, namespace: default, name: elsewhere, uid: {uid}] does not exist \
         in namespace \"default\""
    );
    assert_eq!(world.messages("OwnerRefInvalidNamespace"), [message]);
}

/// Random forests, random deletions: what names one living owner lives, what names only owners
/// that are gone goes, and what was to be orphaned stays.
#[test]
fn whatever_is_deleted_only_the_right_ones_follow() {
    for seed in 0..20 {
        let mut stream = Stream::new(seed, "garbage");
        let mut world = World::new();
        let mut made: Vec<std::sync::Arc<ConfigMap>> = Vec::new();
        for index in 0..12_u64 {
            let mut owners = Vec::new();
            for candidate in &made {
                if owners.len() < 2 && stream.below(4) == 0 {
                    owners.push(owner(&**candidate, stream.below(2) == 0));
                }
            }
            made.push(world.create(config_map(&format!("map-{index}"), owners)));
        }
        world.run(50);
        for _ in 0..3 {
            let victim = usize::try_from(stream.below(12)).expect("small");
            let name = format!("map-{victim}");
            let propagation = match stream.below(3) {
                0 => Propagation::Background,
                1 => Propagation::Foreground,
                _ => Propagation::Orphan,
            };
            if !world.exists::<ConfigMap>(&name) {
                continue;
            }
            let before: Vec<String> = names(&mut world);
            world.delete::<ConfigMap>(&name, Some(propagation));
            world.run(300);
            let after = names(&mut world);
            if propagation == Propagation::Orphan {
                let gone: Vec<_> = before.iter().filter(|name| !after.contains(name)).collect();
                assert_eq!(gone, [&name], "seed {seed}");
            }
            let left = world.list::<ConfigMap>();
            let uids: Vec<_> = left.iter().filter_map(|map| map.metadata.uid.clone()).collect();
            for map in &left {
                let owners = references(&map.metadata);
                let alive = owners.iter().all(|owner| uids.contains(&owner.uid));
                assert!(alive, "seed {seed}: {:?} names an owner that is gone", map.metadata.name);
            }
        }
        let revision = world.cluster.server.revision();
        world.run(200);
        assert_eq!(world.cluster.server.revision(), revision, "seed {seed}: not quiet");
    }
}

fn names(world: &mut World) -> Vec<String> {
    world.list::<ConfigMap>().iter().filter_map(|map| map.metadata.name.clone()).collect()
}

#[test]
fn namespaces_have_no_owners_and_stay() {
    let mut world = World::new();
    world.run(50);
    assert!(world.cluster.api::<Namespace>("").get("default").is_ok());
}
