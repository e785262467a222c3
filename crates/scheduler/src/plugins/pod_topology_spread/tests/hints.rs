//! Upstream: plugin_test.go, Test_isSchedulableAfterNodeChange and
//! Test_isSchedulableAfterPodChange.

use std::sync::Arc;

use super::*;

fn waiting() -> PodInfo {
    info(spread(&["foo"], vec![constraint(1, "zone", "foo"), constraint(1, "node", "bar")]))
}

fn after_node(old: Option<&str>, new: Option<&str>) -> Hint {
    let node = |text: Option<&str>| text.map(|text| Arc::new(node(text)));
    after_node_change(&waiting(), &EventObject::Node(node(old), node(new)))
}

#[test]
fn nodes_help_that_change_the_domains() {
    let (full, moved) = ("a zone=zone1 node=node1", "a zone=zone2 node=node1");
    let lacking = "a zone=zone1";
    for (name, old, new, want) in [
        ("node with matched labels is created", None, Some(full), Hint::Queue),
        ("create node with non-related labels", None, Some("a foo=bar"), Hint::Skip),
        ("a node that lacks a key is created", None, Some(lacking), Hint::Skip),
        ("a node gets all keys", Some(lacking), Some(full), Hint::Queue),
        ("a node loses a key", Some(full), Some(lacking), Hint::Queue),
        ("a node's domain changes", Some(full), Some(moved), Hint::Queue),
        ("an unrelated label changes", Some(full), Some("a zone=zone1 node=node1 b=c"), Hint::Skip),
        ("a node with all keys is deleted", Some(full), None, Hint::Queue),
        ("a node that lacks a key is deleted", Some(lacking), None, Hint::Skip),
    ] {
        assert_eq!(after_node(old, new), want, "{name}");
    }
    let (old, new) = (node(full), cluster::tainted(node(full), "key", "NoSchedule"));
    let object = EventObject::Node(Some(Arc::new(old)), Some(Arc::new(new)));
    assert_eq!(after_node_change(&waiting(), &object), Hint::Queue, "taints change");
}

#[test]
fn pods_help_that_change_the_counts() {
    let spread = waiting();
    for (name, old, new, want) in [
        (
            "add pod with labels match topologySpreadConstraints selector",
            None,
            Some("n foo"),
            Hint::Queue,
        ),
        ("add un-scheduled pod", None, Some(" foo"), Hint::Skip),
        ("add pod with different namespace", None, Some("other/n foo"), Hint::Skip),
        ("add pod with labels that match nothing", None, Some("n baz"), Hint::Skip),
        ("update pod with new labels", Some("n foo"), Some("n foo bar"), Hint::Queue),
        ("update pod with the same selection", Some("n foo"), Some("n foo baz"), Hint::Skip),
        ("delete pod with matching labels", Some("n foo"), None, Hint::Queue),
        ("delete pod without", Some("n baz"), None, Hint::Skip),
    ] {
        let pod = |text: Option<&str>| text.map(|text| Arc::new(running(text)));
        let object = EventObject::Pod(pod(old), pod(new));
        assert_eq!(after_pod_change(&spread, &object), want, "{name}");
    }
}

#[test]
fn a_toleration_of_its_own_helps_where_taints_are_honored() {
    let toleration = Toleration { key: Some("key".into()), ..Toleration::default() };
    for (policy, want) in [(Some("Honor"), Hint::Queue), (None, Hint::Skip)] {
        let mut constraint = constraint(1, "zone", "foo");
        constraint.node_taints_policy = policy.map(str::to_string);
        let old = spread(&["foo"], vec![constraint]);
        let mut new = old.clone();
        new.spec.get_or_insert_default().tolerations = Some(vec![toleration.clone()]);
        let object = EventObject::Pod(Some(Arc::new(old)), Some(Arc::new(new.clone())));
        assert_eq!(after_pod_change(&info(new), &object), want, "{policy:?}");
    }
}
