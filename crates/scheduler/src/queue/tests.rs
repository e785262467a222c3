use api::openapi::api::core::v1::{Node, PodSchedulingGate};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::*;
use crate::framework::{ActionType, EventResource};
use crate::plugins::in_tree;
use crate::tests::cluster::{node, pod, with_spec};

const NODE_ADD: ClusterEvent = ClusterEvent::new(EventResource::Node, ActionType::ADD);

fn queue() -> SchedulingQueue {
    SchedulingQueue::new(Arc::new(Framework::new(in_tree())))
}

fn waiting(name: &str, priority: i32) -> Pod {
    let pod = with_spec(pod(name, &[("cpu", "2")]), |spec| spec.priority = Some(priority));
    let metadata = ObjectMeta { uid: Some(name.into()), ..pod.metadata };
    Pod { metadata, ..pod }
}

fn info(name: &str, priority: i32) -> PodInfo {
    PodInfo::new(Arc::new(waiting(name, priority)))
}

fn at(milliseconds: u64) -> Time {
    Time::ZERO + Duration::from_millis(milliseconds)
}

/// Pops the next pod and ends its attempt.
fn next(queue: &mut SchedulingQueue, now: Time) -> Option<String> {
    let name = queue.pop(now).map(|info| info.pod.key.name.to_string());
    queue.done();
    name
}

/// Pops the next pod and puts it back as turned away by the plugin, or as failed.
fn fail(queue: &mut SchedulingQueue, plugin: Option<&'static str>, now: Time) {
    let mut info = queue.pop(now).expect("one is ready");
    info.unschedulable_plugins.extend(plugin);
    queue.add_unschedulable(info, now);
}

fn node_with(cpu: &str) -> EventObject {
    EventObject::Node(None, Some(Arc::new(node("node-1", &[("cpu", cpu)]))))
}

// Upstream: TestPriorityQueue_Add.
#[test]
fn the_highest_priority_comes_first_and_equals_in_their_order() {
    let mut queue = queue();
    for (name, priority) in [("low", 0), ("middle", 5), ("high", 10), ("late-middle", 5)] {
        queue.add(info(name, priority), at(0));
    }
    // A change of a pod that waits does not cost it its place.
    let changed = waiting("middle", 5);
    queue.update(Some(&Arc::new(changed.clone())), Arc::new(changed), at(1));
    let order: Vec<String> = std::iter::from_fn(|| next(&mut queue, at(2))).collect();
    assert_eq!(order, ["high", "middle", "late-middle", "low"]);
    assert_eq!(queue.next_due(), None);
}

// Upstream: TestPriorityQueue_AddUnschedulableIfNotPresent.
#[test]
fn a_pod_that_was_turned_away_waits_for_an_event_that_may_help() {
    let mut queue = queue();
    queue.add(info("web", 0), at(0));
    fail(&mut queue, Some("NodeResourcesFit"), at(0));
    assert_eq!(next(&mut queue, at(5000)), None);
    queue.move_all(NODE_ADD, &node_with("1"), at(5000));
    assert_eq!(next(&mut queue, at(5000)), None, "the node is too small");
    queue.move_all(NODE_ADD, &node_with("4"), at(5000));
    assert_eq!(next(&mut queue, at(5000)).as_deref(), Some("web"));
}

// Upstream: TestPopFromBackoffQ and TestBackoffFlow.
#[test]
fn a_pod_in_back_off_is_taken_early_only_when_nothing_is_active() {
    let mut queue = queue();
    queue.add(info("web", 10), at(100));
    fail(&mut queue, Some("NodeResourcesFit"), at(100));
    queue.move_all(NODE_ADD, &node_with("4"), at(200));
    queue.add(info("other", 0), at(200));
    assert_eq!(next(&mut queue, at(300)).as_deref(), Some("other"), "web backs off");
    assert_eq!(next(&mut queue, at(300)).as_deref(), Some("web"), "nothing else to do");
}

// Upstream: TestBackoffQueue_calculateBackoffDuration.
#[test]
fn back_off_doubles_up_to_ten_seconds() {
    let seconds: Vec<u64> =
        [0, 1, 2, 3, 4, 5, 16].map(|failures| backoff_duration(failures).as_secs()).into();
    assert_eq!(seconds, [0, 1, 2, 4, 8, 10, 10]);
}

#[test]
fn a_pod_whose_attempt_broke_is_tried_again_after_its_back_off_without_any_event() {
    let mut queue = queue();
    queue.add(info("web", 0), at(300));
    fail(&mut queue, None, at(300));
    // 1.3 s lie in the window of second 1, which is over at second 2.
    assert_eq!(queue.next_due(), Some(at(2000)));
    assert_eq!(next(&mut queue, at(1999)), None);
    assert_eq!(next(&mut queue, at(2000)).as_deref(), Some("web"));
}

// Upstream: TestHighPriorityFlushUnschedulablePodsLeftover.
#[test]
fn after_five_minutes_a_pod_is_tried_again_without_any_event() {
    let mut queue = queue();
    queue.add(info("web", 0), at(1000));
    fail(&mut queue, Some("NodeResourcesFit"), at(1000));
    assert_eq!(queue.next_due(), Some(at(330_000)));
    assert_eq!(next(&mut queue, at(300_000)), None);
    assert_eq!(next(&mut queue, at(330_000)).as_deref(), Some("web"));
}

// Upstream: Test_InFlightPods.
#[test]
fn events_during_an_attempt_count_for_it() {
    for (cpu, want) in [("1", None), ("4", Some("web"))] {
        let mut queue = queue();
        queue.add(info("web", 0), at(0));
        let mut attempt = queue.pop(at(0)).expect("one is ready");
        queue.move_all(NODE_ADD, &node_with(cpu), at(1));
        attempt.unschedulable_plugins.insert("NodeResourcesFit");
        queue.add_unschedulable(attempt, at(2));
        assert_eq!(next(&mut queue, at(3)).as_deref(), want, "a node with {cpu} CPUs came");
    }
}

// Upstream: TestPriorityQueue_Update and TestPriorityQueue_Delete.
#[test]
fn a_waiting_pod_is_tried_again_when_it_changes_so_that_it_may_fit() {
    let mut queue = queue();
    queue.add(info("web", 0), at(0));
    fail(&mut queue, Some("NodeResourcesFit"), at(0));
    let old = Arc::new(waiting("web", 0));
    let mut labelled = waiting("web", 0);
    labelled.metadata.labels = Some([("a".to_string(), "b".to_string())].into());
    queue.update(Some(&old), Arc::new(labelled.clone()), at(5000));
    assert_eq!(next(&mut queue, at(5000)), None, "a label does not make it smaller");
    let smaller = with_spec(labelled.clone(), |spec| spec.containers[0].resources = None);
    queue.update(Some(&Arc::new(labelled)), Arc::new(smaller), at(5000));
    assert_eq!(next(&mut queue, at(5000)).as_deref(), Some("web"));
    queue.add(info("web", 0), at(6000));
    queue.delete(&Key::new("", "web"));
    assert_eq!(next(&mut queue, at(6000)), None);
}

// Upstream: TestPriorityQueue_moveToActiveQ_PreEnqueueChecks.
#[test]
fn a_gated_pod_hears_of_nothing_but_its_gates() {
    let mut queue = queue();
    let gates = vec![PodSchedulingGate { name: "example.com/hold".into() }];
    let gated = with_spec(waiting("web", 0), |spec| spec.scheduling_gates = Some(gates));
    queue.add(PodInfo::new(Arc::new(gated.clone())), at(0));
    queue.move_all(NODE_ADD, &EventObject::Node(None, Some(Arc::new(Node::default()))), at(1));
    queue.move_all(ClusterEvent::WILDCARD, &EventObject::None, at(1));
    assert_eq!(next(&mut queue, at(600_000)), None);
    assert_eq!(queue.next_due(), None, "time does not help it");
    let free = waiting("web", 0);
    queue.update(Some(&Arc::new(gated)), Arc::new(free), at(600_000));
    assert_eq!(next(&mut queue, at(600_000)).as_deref(), Some("web"));
}

#[test]
fn promises_follow_the_pod_and_its_status() {
    let mut nominator = Nominator::default();
    let web = info("web", 0);
    nominator.add(&web, None);
    assert_eq!(nominator.node_of(&web.key), None);
    nominator.add(&web, Some("node-1"));
    nominator.add(&web, None);
    assert_eq!(nominator.node_of(&web.key), Some("node-1"), "kept until taken back");
    assert_eq!(nominator.pods_for_node("node-1").count(), 1);
    nominator.delete(&web.key);
    assert_eq!(nominator.pods_for_node("node-1").count(), 0);
}
