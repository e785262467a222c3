//! Upstream: pkg/controller/daemon/update_test.go

use std::sync::Arc;

use api::openapi::api::apps::v1::DaemonSet;
use api::openapi::api::core::v1::Pod;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::PodsByNode;
use super::manage::Todo;
use super::rolling::{Limits, OnNode, Rollout, allows_surge, limits};

fn daemon_set(rolling: Value) -> DaemonSet {
    serde_json::from_value(json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "foo", "namespace": "default", "uid": "ds"},
        "spec": {"selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling}},
    }))
    .expect("a DaemonSet")
}

fn pod(name: &str, hash: &str, ready: bool) -> Arc<Pod> {
    Arc::new(
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": {"controller-revision-hash": hash}},
            "status": {"conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" },
                "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
        }))
        .expect("a pod"),
    )
}

/// Nodes by what they have: `n` a new pod, `o` an old one, upper case when it is ready.
fn nodes(texts: &[&str]) -> PodsByNode {
    let pod_of = |node: usize, letter: char| {
        let hash = if letter.eq_ignore_ascii_case(&'n') { "new" } else { "old" };
        pod(&format!("{letter}{node}"), hash, letter.is_ascii_uppercase())
    };
    let entry = |(node, text): (usize, &&str)| {
        (format!("node-{node}"), text.chars().map(|letter| pod_of(node, letter)).collect())
    };
    texts.iter().enumerate().map(entry).collect()
}

fn names(todo: &Todo) -> (Vec<String>, Vec<String>) {
    let pods = todo.pods.iter().filter_map(|pod| pod.metadata.name.clone()).collect();
    (todo.nodes.clone(), pods)
}

fn rollout<'a>(
    daemon_set: &'a DaemonSet,
    nodes: usize,
    should_run: &'a dyn Fn(&str) -> bool,
) -> Rollout<'a> {
    let limits = limits(daemon_set, nodes).expect("limits");
    let now: Timestamp = "2026-01-01T01:00:00Z".parse().expect("a time");
    Rollout { daemon_set, hash: "new", limits, now, should_run }
}

/// Upstream: TestDaemonSetUpdatesPods, TestDaemonSetUpdatesWhenNewPosIsNotReady and
/// TestDaemonSetUpdatesAllOldPodsNotReady.
#[test]
fn old_pods_go_as_far_as_may_be_unavailable() {
    for (unavailable, has, want) in [
        (json!(2), vec!["O", "O", "O", "O", "O"], vec!["O0", "O1"]),
        (json!(2), vec!["N", "N", "O", "O", "O"], vec!["O2", "O3"]),
        (json!(2), vec!["n", "n", "O", "O", "O"], vec![]),
        (json!(2), vec!["n", "N", "O", "O", "O"], vec!["O2"]),
        (json!(3), vec!["o", "o", "o", "o", "o"], vec!["o0", "o1", "o2", "o3", "o4"]),
        (json!(1), vec!["o", "O", "O"], vec!["o0"]),
        (json!(1), vec!["", "O", "O"], vec![]),
        (json!("50%"), vec!["O", "O", "O"], vec!["O0", "O1"]),
        (json!(1), vec!["OO", "O"], vec![]),
        (json!(1), vec!["N", "N"], vec![]),
    ] {
        let daemon_set = daemon_set(json!({"maxUnavailable": unavailable, "maxSurge": 0}));
        let todo = rollout(&daemon_set, has.len(), &|_| true).replace(&nodes(&has));
        assert_eq!(names(&todo), (vec![], want.into_iter().map(String::from).collect()), "{has:?}");
    }
}

/// Upstream: TestDaemonSetUpdatesPodsWithMaxSurge, TestDaemonSetUpdatesAllOldPodsNotReadyMaxSurge
/// and TestDaemonSetUpdatesWhenNewPosIsNotReady.
#[test]
fn new_pods_come_beside_old_ones_as_far_as_may_surge() {
    for (surge, has, want_nodes, want_pods) in [
        (json!(2), vec!["O", "O", "O"], vec!["node-0", "node-1"], vec![]),
        (json!(2), vec!["On", "On", "O"], vec![], vec![]),
        (json!(2), vec!["ON", "On", "O"], vec!["node-2"], vec!["O0"]),
        (json!(1), vec!["N", "N", "N"], vec![], vec![]),
        (json!(1), vec!["o", "o", "O"], vec!["node-0", "node-1", "node-2"], vec![]),
        (json!(1), vec!["oo", "O"], vec![], vec![]),
        (json!(1), vec!["", "O"], vec!["node-1"], vec![]),
    ] {
        let daemon_set = daemon_set(json!({"maxUnavailable": 0, "maxSurge": surge}));
        let todo = rollout(&daemon_set, has.len(), &|_| true).surge(&nodes(&has));
        let text = |list: Vec<&str>| list.into_iter().map(String::from).collect::<Vec<_>>();
        assert_eq!(names(&todo), (text(want_nodes), text(want_pods)), "{has:?}");
    }
}

/// Upstream: TestDaemonSetUpdatesPodsNotMatchTainstWithMaxSurge.
#[test]
fn pods_on_nodes_that_shall_have_none_wait_for_others() {
    let daemon_set = daemon_set(json!({"maxUnavailable": 0, "maxSurge": 1}));
    let should_run = |node: &str| node != "node-0";
    for (has, want) in
        [(vec!["O", "N"], vec!["O0"]), (vec!["O", "n"], vec![]), (vec!["o", "n"], vec!["o0"])]
    {
        let todo = rollout(&daemon_set, 1, &should_run).surge(&nodes(&has));
        assert_eq!(names(&todo), (vec![], want.into_iter().map(String::from).collect()), "{has:?}");
    }
}

/// Upstream: TestGetUnavailableNumbers and the surge counts of update_test.go.
#[test]
fn limits_are_rounded_up_and_never_both_nothing() {
    for (rolling, desired, surge, unavailable) in [
        (json!({"maxUnavailable": 0}), 0, 0, 0),
        (json!({"maxUnavailable": 1, "maxSurge": 0}), 2, 0, 1),
        (json!({"maxUnavailable": "50%", "maxSurge": 0}), 3, 0, 2),
        (json!({"maxSurge": "25%", "maxUnavailable": 0}), 5, 2, 0),
        (json!({"maxSurge": 0, "maxUnavailable": 0}), 2, 0, 1),
    ] {
        let found = limits(&daemon_set(rolling), desired).expect("limits");
        assert_eq!(found, Limits { surge, unavailable, desired });
    }
    assert!(limits(&daemon_set(json!({"maxUnavailable": "oops"})), 2).is_err());
    assert!(allows_surge(&daemon_set(json!({"maxSurge": "1%", "maxUnavailable": 0}))));
    assert!(!allows_surge(&daemon_set(json!({"maxSurge": 0, "maxUnavailable": 1}))));
}

#[test]
fn pods_of_an_older_controller_count_by_the_number_of_the_template() {
    let mut daemon_set = daemon_set(json!({"maxUnavailable": 1}));
    let generation = ("deprecated.daemonset.template.generation".to_string(), "3".to_string());
    daemon_set.metadata.annotations = Some([generation].into());
    let mut old = (*pod("a", "other", true)).clone();
    let labels = old.metadata.labels.get_or_insert_default();
    labels.insert("pod-template-generation".to_string(), "3".to_string());
    let rollout = rollout(&daemon_set, 1, &|_| true);
    let found = rollout.replace(&PodsByNode::unit("n".to_string(), vec![Arc::new(old)]));
    assert!(found.pods.is_empty());
    assert!(OnNode::find(&daemon_set, &[pod("a", "x", true), pod("b", "x", true)], "n").is_none());
}
