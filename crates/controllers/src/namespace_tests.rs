use api::openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod, Secret, ServiceAccount};
use apiserver::{DeleteOptions, ListOptions};
use client::Component;

use super::*;
use crate::testing::{World, meta, pod, replica_set};

const DOOMED: &str = "doomed";

fn world() -> World {
    let mut world = World::new();
    world.create_namespace(DOOMED);
    world.run(20);
    world
}

fn config_map(name: &str) -> ConfigMap {
    ConfigMap { metadata: meta(name, &[]), ..ConfigMap::default() }
}

fn delete(world: &mut World) {
    world.cluster.api::<Namespace>("").delete(DOOMED, DeleteOptions::default()).expect("deleted");
}

fn is_there(world: &mut World) -> bool {
    world.cluster.api::<Namespace>("").get(DOOMED).is_ok()
}

fn condition(world: &mut World, condition_type: &str) -> NamespaceCondition {
    let found = world.cluster.api::<Namespace>("").get(DOOMED).expect("found");
    let conditions = found.status.clone().and_then(|status| status.conditions);
    let mut conditions = conditions.into_iter().flatten();
    conditions.find(|condition| condition.type_ == condition_type).expect("condition")
}

#[test]
fn a_namespace_goes_with_everything_in_it() {
    let mut world = world();
    let mut api = world.cluster.api::<ConfigMap>(DOOMED);
    api.create(config_map("settings")).expect("created");
    let mut set = replica_set("web", 3);
    set.metadata.namespace = Some(DOOMED.into());
    world.cluster.api(DOOMED).create(set).expect("created");
    world.create(config_map("elsewhere"));
    world.run(50);
    assert_eq!(world.cluster.api::<Pod>(DOOMED).list(ListOptions::default()).expect("ok").len(), 3);
    delete(&mut world);
    world.skip_seconds(4);
    assert!(is_there(&mut world), "what was being created has time to be seen");
    world.skip_seconds(30);
    assert!(!is_there(&mut world));
    for kind in Kind::all().filter(|kind| kind.is_namespaced()) {
        let left = world.cluster.server.snapshot(kind.id).in_namespace(DOOMED).count();
        assert_eq!(left, 0, "{}", kind.plural);
    }
    assert_eq!(world.manager.busy(world.cluster.now), None, "and nothing is left to do");
    assert!(world.exists::<ConfigMap>("elsewhere"));
    assert!(world.exists::<ServiceAccount>("default"));
}

/// Upstream: status_condition_utils_test.go and namespaced_resources_deleter_test.go.
#[test]
fn conditions_tell_what_a_namespace_waits_for() {
    let mut world = world();
    let mut held = config_map("held");
    held.metadata.finalizers = Some(vec!["example.com/hold".into()]);
    world.cluster.api::<ConfigMap>(DOOMED).create(held).expect("created");
    delete(&mut world);
    world.skip_seconds(8);
    let found = condition(&mut world, "NamespaceContentRemaining");
    assert_eq!(
        (found.status.as_str(), found.reason.as_deref()),
        ("True", Some("SomeResourcesRemain"))
    );
    let message = "Some resources are remaining: configmaps. has 1 resource instances";
    assert_eq!(found.message.as_deref(), Some(message));
    let found = condition(&mut world, "NamespaceFinalizersRemaining");
    let message = "Some content in the namespace has finalizers remaining: example.com/hold in 1 \
                   resource instances";
    assert_eq!(found.message.as_deref(), Some(message));
    let found = condition(&mut world, "NamespaceDeletionContentFailure");
    assert_eq!((found.status.as_str(), found.reason.as_deref()), ("False", Some("ContentDeleted")));
    let change = |held: &mut ConfigMap| held.metadata.finalizers = None;
    world.cluster.api::<ConfigMap>(DOOMED).patch("held", change).expect("patched");
    world.skip_seconds(20);
    assert!(!is_there(&mut world));
}

/// Upstream: the feature OrderedNamespaceDeletion.
#[test]
fn pods_go_before_everything_else() {
    let mut world = world();
    let node = Node { metadata: meta("node-1", &[]), ..Node::default() };
    world.cluster.api::<Node>("").create(node).expect("created");
    let mut running = pod("running", &[]);
    running.spec.as_mut().expect("spec").node_name = Some("node-1".into());
    world.cluster.api::<Pod>(DOOMED).create(running).expect("created");
    let secret = Secret { metadata: meta("secret", &[]), ..Secret::default() };
    world.cluster.api::<Secret>(DOOMED).create(secret).expect("created");
    delete(&mut world);
    world.skip_seconds(10);
    assert!(world.cluster.api::<Secret>(DOOMED).get("secret").is_ok());
    let found = condition(&mut world, "NamespaceContentRemaining");
    let message = "Some resources are remaining: pods. has 1 resource instances";
    assert_eq!(found.message.as_deref(), Some(message));
    let at_once = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    world.cluster.api::<Pod>(DOOMED).delete("running", at_once).expect("deleted");
    world.skip_seconds(30);
    assert!(!is_there(&mut world));
}
