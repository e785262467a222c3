use api::openapi::api::core::v1::{NodeCondition, NodeSpec, NodeStatus, Taint};

use super::*;
use crate::testing::{World, meta, pod};

fn create_node(world: &mut World, name: &str) {
    let node = Node { metadata: meta(name, &[]), ..Node::default() };
    world.cluster.api::<Node>("").create(node).expect("created");
}

fn create_pod(world: &mut World, name: &str, node: &str) {
    let mut created = pod(name, &[]);
    created.spec.as_mut().expect("spec").node_name = Some(node.into());
    world.create(created);
}

/// Upstream: gc_controller_test.go, TestGCOrphaned.
#[test]
fn pods_of_a_node_that_is_gone_go_after_a_while() {
    let mut world = World::new();
    create_node(&mut world, "node-1");
    create_pod(&mut world, "orphaned", "node-1");
    create_node(&mut world, "node-2");
    create_pod(&mut world, "fine", "node-2");
    world.skip_seconds(1);
    world.delete::<Node>("node-1", None);
    world.skip_seconds(39);
    assert!(world.exists::<Pod>("orphaned"), "the node may come back");
    world.skip_seconds(42);
    assert!(!world.exists::<Pod>("orphaned"));
    assert!(world.exists::<Pod>("fine"));
}

/// Upstream: TestGCTerminating and TestGCUnscheduledTerminating.
#[test]
fn pods_that_nobody_ends_are_ended() {
    let mut world = World::new();
    create_node(&mut world, "node-1");
    create_pod(&mut world, "stuck", "node-1");
    world.delete::<Pod>("stuck", None);
    world.skip_seconds(21);
    assert!(world.exists::<Pod>("stuck"), "its kubelet may be slow");
    let taint =
        Taint { key: OUT_OF_SERVICE.into(), effect: "NoSchedule".into(), ..Taint::default() };
    let change = move |node: &mut Node| {
        node.spec.get_or_insert_default().taints = Some(vec![taint]);
    };
    world.cluster.api::<Node>("").patch("node-1", change).expect("patched");
    world.skip_seconds(21);
    assert!(!world.exists::<Pod>("stuck"));
}

#[test]
fn a_node_is_out_of_service_only_when_it_is_not_ready() {
    let node = |ready: &str, key: &str| Node {
        spec: Some(NodeSpec {
            taints: Some(vec![Taint { key: key.into(), ..Taint::default() }]),
            ..NodeSpec::default()
        }),
        status: Some(NodeStatus {
            conditions: Some(vec![NodeCondition {
                type_: "Ready".into(),
                status: ready.into(),
                ..NodeCondition::default()
            }]),
            ..NodeStatus::default()
        }),
        ..Node::default()
    };
    assert!(is_out_of_service(&node("False", OUT_OF_SERVICE)));
    assert!(is_out_of_service(&node("Unknown", OUT_OF_SERVICE)));
    assert!(!is_out_of_service(&node("True", OUT_OF_SERVICE)));
    assert!(!is_out_of_service(&node("False", "other")));
}
