use api::openapi::api::coordination::v1::{Lease, LeaseSpec};
use api::openapi::api::core::v1::{Namespace, NodeStatus, Taint, Toleration};

use super::*;
use crate::testing::{NAMESPACE, World, meta, pod};

const LEASES: &str = "kube-node-lease";

/// A cluster with nodes whose kubelets the test plays.
fn world(nodes: &[&str]) -> World {
    let mut world = World::new();
    if world.cluster.api::<Namespace>("").get(LEASES).is_err() {
        world.create_namespace(LEASES);
    }
    for name in nodes {
        let node = Node { metadata: meta(name, &[]), ..Node::default() };
        world.cluster.api::<Node>("").create(node).expect("created");
        let lease = Lease { metadata: meta(name, &[]), spec: Some(LeaseSpec::default()) };
        world.cluster.api::<Lease>(LEASES).create(lease).expect("created");
        set_ready(&mut world, name, "True");
        renew(&mut world, name);
    }
    world.run(100);
    world
}

fn renew(world: &mut World, name: &str) {
    let now = world.cluster.context(0).micro_timestamp();
    let change = move |lease: &mut Lease| {
        lease.spec.get_or_insert_default().renew_time = Some(now);
    };
    world.cluster.api::<Lease>(LEASES).patch(name, change).expect("renewed");
}

fn set_ready(world: &mut World, name: &str, status: &'static str) {
    let now = world.cluster.context(0).timestamp();
    let change = move |node: &mut Node| {
        let ready = NodeCondition {
            type_: "Ready".into(),
            status: status.into(),
            reason: Some("KubeletReady".into()),
            last_heartbeat_time: Some(now.clone()),
            last_transition_time: Some(now),
            ..NodeCondition::default()
        };
        let status: &mut NodeStatus = node.status.get_or_insert_default();
        status.conditions = Some(vec![ready]);
    };
    world.cluster.api::<Node>("").patch_status(name, change).expect("patched");
}

/// Lets time pass while the kubelets named renew their leases.
fn pass(world: &mut World, seconds: u64, alive: &[&str]) {
    for second in 0..seconds {
        if second % 10 == 0 {
            alive.iter().for_each(|name| renew(world, name));
        }
        world.skip_seconds(1);
    }
}

fn node(world: &mut World, name: &str) -> Node {
    (*world.cluster.api::<Node>("").get(name).expect("found")).clone()
}

fn ready(world: &mut World, name: &str) -> NodeCondition {
    condition(&node(world, name), "Ready").cloned().expect("condition")
}

fn taints(world: &mut World, name: &str) -> Vec<(String, String)> {
    let taints = node(world, name).spec.and_then(|spec| spec.taints);
    let mut taints: Vec<_> =
        taints.into_iter().flatten().map(|taint: Taint| (taint.key, taint.effect)).collect();
    taints.sort();
    taints
}

fn create_pod(world: &mut World, name: &str, node: &str, tolerate_seconds: i64) {
    let mut created = pod(name, &[]);
    let spec = created.spec.as_mut().expect("spec");
    spec.node_name = Some(node.into());
    spec.tolerations = Some(vec![Toleration {
        operator: Some("Exists".into()),
        effect: Some("NoExecute".into()),
        toleration_seconds: Some(tolerate_seconds),
        ..Toleration::default()
    }]);
    world.create(created);
    world.set_pod(name, "Running", true);
}

/// Upstream: node_lifecycle_controller_test.go, TestMonitorNodeHealthUpdateStatus,
/// TestMonitorNodeHealthMarkPodsNotReady and TestApplyNoExecuteTaints.
#[test]
fn a_silent_node_becomes_unknown_and_loses_its_pods() {
    let mut world = world(&["node-1", "node-2"]);
    create_pod(&mut world, "web", "node-1", 30);
    pass(&mut world, 45, &["node-2"]);
    assert_eq!(ready(&mut world, "node-1").status, "True", "within the grace period");
    pass(&mut world, 11, &["node-2"]);
    let found = ready(&mut world, "node-1");
    assert_eq!(found.status, "Unknown");
    assert_eq!(found.reason.as_deref(), Some("NodeStatusUnknown"));
    assert_eq!(found.message.as_deref(), Some("Kubelet stopped posting node status."));
    let pressure = condition(&node(&mut world, "node-1"), "MemoryPressure").cloned();
    let pressure = pressure.expect("added");
    assert_eq!(pressure.reason.as_deref(), Some("NodeStatusNeverUpdated"));
    assert_eq!(pressure.message.as_deref(), Some("Kubelet never posted node status."));
    let pod = world.get::<Pod>("web");
    assert_eq!(ready_condition(&pod).map(|ready| ready.status.as_str()), Some("False"));
    let messages = world.messages("NodeNotReady");
    assert!(messages.contains(&"Node node-1 status is now: NodeNotReady".into()), "{messages:?}");
    assert!(messages.contains(&"Node is not ready".into()), "{messages:?}");
    pass(&mut world, 7, &["node-2"]);
    let unreachable = "node.kubernetes.io/unreachable";
    let both =
        [(unreachable.into(), "NoExecute".into()), (unreachable.into(), "NoSchedule".into())];
    assert_eq!(taints(&mut world, "node-1"), both);
    assert!(taints(&mut world, "node-2").is_empty());
    assert!(world.get::<Pod>("web").metadata.deletion_timestamp.is_none());
    pass(&mut world, 31, &["node-2"]);
    assert!(world.get::<Pod>("web").metadata.deletion_timestamp.is_some(), "evicted");
}

/// Upstream: TestReconcileNodeLabels and TestTaintsNodeByCondition.
#[test]
fn a_node_that_comes_back_loses_its_taints() {
    let mut world = world(&["node-1", "node-2"]);
    pass(&mut world, 70, &["node-2"]);
    assert_eq!(taints(&mut world, "node-1").len(), 2);
    set_ready(&mut world, "node-1", "True");
    pass(&mut world, 12, &["node-1", "node-2"]);
    assert!(taints(&mut world, "node-1").is_empty());
    set_ready(&mut world, "node-1", "False");
    pass(&mut world, 6, &["node-1", "node-2"]);
    let not_ready = "node.kubernetes.io/not-ready";
    let both = [(not_ready.into(), "NoExecute".into()), (not_ready.into(), "NoSchedule".into())];
    pass(&mut world, 20, &["node-1", "node-2"]);
    assert_eq!(taints(&mut world, "node-1"), both);
}

/// Upstream: TestMonitorNodeHealthEvictPodsWithDisruption.
#[test]
fn when_no_node_is_heard_of_none_loses_its_pods() {
    let mut world = world(&["node-1", "node-2"]);
    create_pod(&mut world, "web", "node-1", 1);
    pass(&mut world, 120, &[]);
    assert_eq!(ready(&mut world, "node-1").status, "Unknown");
    let effects: Vec<_> =
        taints(&mut world, "node-1").into_iter().map(|(_, effect)| effect).collect();
    assert_eq!(effects, ["NoSchedule"]);
    assert!(world.get::<Pod>("web").metadata.deletion_timestamp.is_none());
}

#[test]
fn healthy_nodes_are_left_in_peace() {
    let mut world = world(&["node-1", "node-2"]);
    pass(&mut world, 10, &["node-1", "node-2"]);
    let messages = world.messages("RegisteredNode");
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0], "Node node-1 event: Registered Node node-1 in Controller");
    let revision = world.cluster.server.revision();
    pass(&mut world, 100, &["node-1", "node-2"]);
    assert_eq!(world.cluster.server.revision(), revision + 20, "nothing but leases is written");
}

#[test]
fn labels_and_cordons_are_followed() {
    let mut world = world(&["node-1"]);
    let change = |node: &mut Node| {
        node.metadata.labels = crate::testing::labels(&[("kubernetes.io/os", "linux")]);
        node.spec.get_or_insert_default().unschedulable = Some(true);
    };
    world.cluster.api::<Node>("").patch("node-1", change).expect("patched");
    world.run(50);
    let labels = node(&mut world, "node-1").metadata.labels.expect("labels");
    assert_eq!(labels.get("beta.kubernetes.io/os").map(String::as_str), Some("linux"));
    let unschedulable = ("node.kubernetes.io/unschedulable".into(), "NoSchedule".into());
    assert_eq!(taints(&mut world, "node-1"), [unschedulable]);
    let change = |node: &mut Node| node.spec.get_or_insert_default().unschedulable = None;
    world.cluster.api::<Node>("").patch("node-1", change).expect("patched");
    world.run(50);
    assert!(taints(&mut world, "node-1").is_empty());
}

#[test]
fn a_pod_that_comes_to_a_silent_node_is_not_ready() {
    let mut world = world(&["node-1", "node-2"]);
    pass(&mut world, 60, &["node-2"]);
    let mut created = pod("late", &[]);
    created.spec.as_mut().expect("spec").node_name = Some("node-1".into());
    world.create(created);
    world.set_pod("late", "Running", true);
    world.run(50);
    let pod = world.cluster.api::<Pod>(NAMESPACE).get("late").expect("found");
    assert_eq!(ready_condition(&pod).map(|ready| ready.status.as_str()), Some("False"));
}
