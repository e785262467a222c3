use api::openapi::api::core::v1::{Node, NodeSpec};
use apiserver::ListOptions;

use super::*;
use crate::testing::{NAMESPACE, World, meta, pod};

fn taint() -> Taint {
    Taint { key: "testTaint".into(), effect: "NoExecute".into(), ..Taint::default() }
}

fn tolerate(seconds: Option<i64>) -> Toleration {
    Toleration {
        key: Some("testTaint".into()),
        operator: Some("Exists".into()),
        effect: Some("NoExecute".into()),
        toleration_seconds: seconds,
        ..Toleration::default()
    }
}

fn world() -> World {
    let mut world = World::new();
    let node = Node { metadata: meta("node-1", &[]), ..Node::default() };
    world.cluster.api::<Node>("").create(node).expect("created");
    world
}

fn create_pod(world: &mut World, name: &str, tolerations: Vec<Toleration>) {
    let mut created = pod(name, &[]);
    let spec = created.spec.as_mut().expect("spec");
    spec.node_name = Some("node-1".into());
    spec.tolerations = Some(tolerations);
    world.create(created);
}

fn set_taints(world: &mut World, taints: Vec<Taint>) {
    let change = move |node: &mut Node| {
        let spec: &mut NodeSpec = node.spec.get_or_insert_default();
        spec.taints = (!taints.is_empty()).then_some(taints);
    };
    world.cluster.api::<Node>("").patch("node-1", change).expect("patched");
}

fn is_evicted(world: &mut World, name: &str) -> bool {
    world.get::<Pod>(name).metadata.deletion_timestamp.is_some()
}

/// Upstream: taint_eviction_test.go, TestCreatePod and TestUpdateNode.
#[test]
fn pods_stay_as_long_as_they_tolerate() {
    let mut world = world();
    create_pod(&mut world, "intolerant", vec![]);
    create_pod(&mut world, "patient", vec![tolerate(Some(100))]);
    create_pod(&mut world, "tolerant", vec![tolerate(None)]);
    create_pod(&mut world, "impatient", vec![tolerate(Some(0))]);
    world.run(50);
    set_taints(&mut world, vec![taint()]);
    world.run(50);
    assert!(is_evicted(&mut world, "intolerant"));
    assert!(is_evicted(&mut world, "impatient"));
    world.skip_seconds(98);
    assert!(!is_evicted(&mut world, "patient"), "not before its time");
    world.skip_seconds(3);
    assert!(is_evicted(&mut world, "patient"));
    assert!(!is_evicted(&mut world, "tolerant"));
    let evicted = world.get::<Pod>("intolerant");
    let conditions = evicted.status.as_ref().and_then(|status| status.conditions.as_ref());
    let target = conditions.into_iter().flatten().find(|c| c.type_ == "DisruptionTarget");
    assert_eq!(target.and_then(|c| c.reason.as_deref()), Some("DeletionByTaintManager"));
    let messages = world.messages(REASON);
    assert!(messages.contains(&format!("Marking for deletion Pod {NAMESPACE}/intolerant")));
}

/// Upstream: TestUpdateNodeWithMultipleTaints and the cancelling in handleNodeUpdate.
#[test]
fn a_taint_that_goes_in_time_evicts_nobody() {
    let mut world = world();
    create_pod(&mut world, "patient", vec![tolerate(Some(10))]);
    set_taints(&mut world, vec![taint()]);
    world.skip_seconds(5);
    set_taints(&mut world, vec![]);
    world.skip_seconds(20);
    assert!(!is_evicted(&mut world, "patient"));
    let messages = world.messages(REASON);
    assert_eq!(messages, [format!("Cancelling deletion of Pod {NAMESPACE}/patient")]);
    assert_eq!(
        world.cluster.api::<Pod>(NAMESPACE).list(ListOptions::default()).expect("ok").len(),
        1
    );
}

#[test]
fn a_pod_that_comes_to_a_tainted_node_is_evicted() {
    let mut world = world();
    set_taints(&mut world, vec![taint()]);
    world.run(50);
    create_pod(&mut world, "late", vec![]);
    world.run(50);
    assert!(is_evicted(&mut world, "late"));
}

/// Upstream: taint_eviction_test.go, TestGetMinTolerationTime.
#[test]
fn the_shortest_toleration_counts() {
    let other = Taint { key: "other".into(), ..taint() };
    let any = |seconds| Toleration { key: None, ..tolerate(seconds) };
    let seconds = |seconds| Tolerance::For(Duration::from_secs(seconds));
    let cases = [
        (vec![], vec![], Tolerance::Forever),
        (vec![taint()], vec![], Tolerance::None),
        (vec![taint()], vec![tolerate(None)], Tolerance::Forever),
        (vec![taint()], vec![tolerate(Some(3))], seconds(3)),
        (vec![taint()], vec![tolerate(Some(-1))], Tolerance::None),
        (vec![taint(), other.clone()], vec![tolerate(Some(3))], Tolerance::None),
        (vec![taint(), other], vec![tolerate(Some(3)), any(Some(1))], seconds(1)),
    ];
    for (taints, tolerations, want) in cases {
        assert_eq!(tolerance(&taints, &tolerations), want, "{taints:?} {tolerations:?}");
    }
}
