//! Upstream: plugin_test.go, Test_isSchedulableAfterPodChange and
//! Test_isSchedulableAfterNodeChange.

use std::sync::Arc;

use super::*;

fn running(text: Option<&str>) -> Option<Arc<Pod>> {
    text.map(|text| Arc::new(on("machine", labelled(text))))
}

#[test]
fn pods_help_that_come_near_or_go_far() {
    let near = requiring("", &[("service=securityscan,value2", "region")], &[]);
    let far = requiring("", &[], &[("service=securityscan,value2", "region")]);
    let two = requiring("", &[("foo", "region"), ("bar", "region")], &[]);
    let scan = Some("service=securityscan");
    for (name, pod, old, new, want) in [
        ("add a pod which doesn't match the pod affinity", &near, None, Some("aaa=a"), Hint::Skip),
        ("add a pod which matches the pod affinity", &near, None, scan, Hint::Queue),
        ("add a pod which matches the pod anti-affinity", &far, None, scan, Hint::Skip),
        (
            "update a pod from non-match to match pod affinity",
            &near,
            Some("aaa=a"),
            scan,
            Hint::Queue,
        ),
        (
            "the updating pod matches target pod's affinity both before and after label change",
            &near,
            scan,
            Some("service=value2"),
            Hint::Skip,
        ),
        (
            "an update makes the pod match one of several terms only",
            &two,
            Some("foo="),
            Some("bar="),
            Hint::Skip,
        ),
        (
            "an update makes the pod match all terms",
            &two,
            Some("foo="),
            Some("bar= foo="),
            Hint::Queue,
        ),
        (
            "modify pod label to change it from satisfying pod anti-affinity to not satisfying",
            &far,
            Some("aaa=a"),
            scan,
            Hint::Skip,
        ),
        (
            "modify pod label to change it from not satisfying pod anti-affinity to satisfying",
            &far,
            scan,
            Some("aaa=a"),
            Hint::Queue,
        ),
        ("delete a pod which matches the pod anti-affinity", &far, scan, None, Hint::Queue),
        ("delete a pod which doesn't match it", &far, Some("aaa=a"), None, Hint::Skip),
    ] {
        let object = EventObject::Pod(running(old), running(new));
        assert_eq!(after_pod_change(&info(pod.clone()), &object), want, "{name}");
    }
    let unscheduled = Arc::new(labelled("service=securityscan"));
    let object = EventObject::Pod(None, Some(unscheduled));
    assert_eq!(after_pod_change(&info(near), &object), Hint::Skip, "add an un-scheduled pod");
}

fn check_nodes(pod: &Pod, cases: &[(&str, Option<&str>, &str, Hint)]) {
    for (name, old, new, want) in cases {
        let node = |labels: &str| Arc::new(node("node", labels));
        let object = EventObject::Node(old.map(node), Some(node(new)));
        assert_eq!(after_node_change(&info(pod.clone()), &object), *want, "{name}");
    }
}

#[test]
fn nodes_help_that_come_to_a_domain() {
    let near = requiring("", &[("service", "zone")], &[]);
    let (no, z1, other) = (Some("aaa=a"), Some("zone=z1"), "zone=z1 a=b");
    let cases = [
        ("add a new node with matched pod affinity topologyKey", None, "zone=z1", Hint::Queue),
        ("add a new node without matched topologyKey", None, "region=r1", Hint::Skip),
        ("update node label but not topologyKey", no, "aaa=b", Hint::Skip),
        ("update node label that isn't related to the pod affinity", z1, other, Hint::Skip),
        ("update node with different affinity topologyKey value", z1, "zone=z2", Hint::Queue),
        ("update node to have the affinity topology label", no, "zone=z1", Hint::Queue),
        ("update node to lose it", z1, "aaa=a", Hint::Skip),
    ];
    check_nodes(&near, &cases);
}

#[test]
fn nodes_help_that_leave_a_domain() {
    let far = requiring("", &[], &[("service", "zone")]);
    let (no, z1, other) = (Some("aaa=a"), Some("zone=z1"), "zone=z1 a=b");
    let cases = [
        ("add a new node with matched pod anti-affinity topologyKey", None, "zone=z1", Hint::Queue),
        ("add a new node without matched pod anti-affinity topologyKey", None, "a=b", Hint::Queue),
        ("update node to change a label not in pod anti-affinity", z1, other, Hint::Skip),
        ("update node to have the anti-affinity topology label", no, "zone=z1", Hint::Skip),
        ("update node to lose the anti-affinity topology label", z1, "aaa=a", Hint::Queue),
        ("update node with different anti-affinity topologyKey value", z1, "zone=z2", Hint::Queue),
    ];
    check_nodes(&far, &cases);
}
