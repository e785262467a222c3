//! The tables of the plugins' tests. Expectations come from upstream's tables and formulas.

use std::sync::Arc;

use api::openapi::api::core::v1::{
    Affinity, ContainerPort, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm,
    Pod, PreferredSchedulingTerm, Toleration,
};

use crate::framework::{
    ClusterEvent, Code, CycleState, EventObject, EventResource, Framework, Hint, NodeInfo, Plugin,
    PodInfo, Status,
};
use crate::tests::cluster::{node, pod, tainted, with_spec};

use super::in_tree;
use super::world::World;

fn plugin(name: &str) -> &'static dyn Plugin {
    *in_tree().iter().find(|plugin| plugin.name() == name).expect("exists")
}

fn info(pod: Pod) -> PodInfo {
    PodInfo::new(Arc::new(pod))
}

fn node_info(node: api::openapi::api::core::v1::Node, pods: Vec<Pod>) -> NodeInfo {
    let mut info = NodeInfo::new(node.metadata.name.as_deref().unwrap_or_default());
    info.set_node(Arc::new(node));
    pods.into_iter().for_each(|pod| info.add_pod(self::info(pod)));
    info
}

/// Runs the plugin's PreFilter, if it has one, and its filter.
fn filter(name: &str, pod: Pod, node: &NodeInfo) -> Status {
    let (plugin, pod, world) = (plugin(name), info(pod), World::new(vec![], vec![]));
    let mut state = CycleState::default();
    if let Some(pre_filter) = plugin.as_pre_filter() {
        let (_, status) = pre_filter.pre_filter(world.handle(), &mut state, &pod);
        if status.is_skip() {
            return Status::SUCCESS;
        }
        if !status.is_success() {
            return status;
        }
    }
    plugin.as_filter().expect("a filter").filter(&state, &pod, node)
}

/// Runs the plugin's PreScore, its score and its normalisation; `None` when it skips.
fn score(name: &str, pod: Pod, nodes: &[NodeInfo]) -> Option<Vec<i64>> {
    let (plugin, pod, world) = (plugin(name), info(pod), World::new(vec![], vec![]));
    let mut state = CycleState::default();
    let nodes: Vec<&NodeInfo> = nodes.iter().collect();
    let skips = plugin
        .as_pre_score()
        .is_some_and(|plugin| plugin.pre_score(world.handle(), &mut state, &pod, &nodes).is_skip());
    if skips {
        return None;
    }
    let scorer = plugin.as_score().expect("a score");
    let mut scores: Vec<i64> = nodes.iter().map(|node| scorer.score(&state, &pod, node)).collect();
    scorer.normalize_score(&state, &nodes, &mut scores);
    Some(scores)
}

fn hint(name: &str, pod: Pod, resource: EventResource, object: EventObject) -> Hint {
    let framework = Framework::new(in_tree());
    let event = plugin(name)
        .events_to_register()
        .iter()
        .map(|registered| registered.event)
        .find(|event| event.resource == resource)
        .expect("registered");
    framework.hint(name, &info(pod), ClusterEvent::new(resource, event.action), &object)
}

fn reject(code: Code, reasons: &[&'static str]) -> Status {
    Status { code, reasons: reasons.iter().map(|reason| (*reason).into()).collect(), plugin: "" }
}

fn toleration(key: &str, operator: &str, value: &str, effect: &str) -> Toleration {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_string());
    Toleration {
        key: some(key),
        operator: some(operator),
        value: some(value),
        effect: some(effect),
        toleration_seconds: None,
    }
}

fn tolerating(tolerations: Vec<Toleration>) -> Pod {
    with_spec(pod("pod", &[]), |spec| spec.tolerations = Some(tolerations))
}

#[test]
fn plugins_run_in_upstreams_order_with_upstreams_weights() {
    let names: Vec<&str> = in_tree().iter().map(|plugin| plugin.name()).collect();
    assert_eq!(
        names,
        [
            "SchedulingGates",
            "PrioritySort",
            "NodeUnschedulable",
            "NodeName",
            "TaintToleration",
            "NodeAffinity",
            "NodePorts",
            "NodeResourcesFit",
            "PodTopologySpread",
            "InterPodAffinity",
            "DynamicResources",
            "DefaultPreemption",
            "NodeResourcesBalancedAllocation",
            "ImageLocality",
            "DefaultBinder"
        ]
    );
    let framework = Framework::new(in_tree());
    let scores: Vec<_> = framework.score_plugins().collect();
    assert_eq!(
        scores,
        [
            ("TaintToleration", 3),
            ("NodeAffinity", 2),
            ("NodeResourcesFit", 1),
            ("PodTopologySpread", 2),
            ("InterPodAffinity", 2),
            ("NodeResourcesBalancedAllocation", 1),
            ("ImageLocality", 1)
        ]
    );
}

// Upstream: nodename/node_name_test.go, TestNodeName.
#[test]
fn node_name_keeps_a_pod_to_the_node_it_names() {
    let named = |name: &str| {
        let name = (!name.is_empty()).then(|| name.to_string());
        with_spec(pod("pod", &[]), |spec| spec.node_name = name)
    };
    let foo = node_info(node("foo", &[]), vec![]);
    assert_eq!(filter("NodeName", named(""), &foo), Status::SUCCESS);
    assert_eq!(filter("NodeName", named("foo"), &foo), Status::SUCCESS);
    let status = filter("NodeName", named("bar"), &foo);
    let reason = "node(s) didn't match the requested node name";
    assert_eq!(status, reject(Code::UnschedulableAndUnresolvable, &[reason]));
}

// Upstream: nodeunschedulable/node_unschedulable_test.go, TestNodeUnschedulable and
// TestIsSchedulableAfterNodeChange.
#[test]
fn node_unschedulable_keeps_pods_from_cordoned_nodes() {
    let cordoned = |unschedulable| {
        let mut node = node("node-1", &[]);
        node.spec.get_or_insert_default().unschedulable = Some(unschedulable);
        node
    };
    let plugin = "NodeUnschedulable";
    let (open, closed) = (node_info(cordoned(false), vec![]), node_info(cordoned(true), vec![]));
    assert_eq!(filter(plugin, pod("pod", &[]), &open), Status::SUCCESS);
    let rejected = reject(Code::UnschedulableAndUnresolvable, &["node(s) were unschedulable"]);
    assert_eq!(filter(plugin, pod("pod", &[]), &closed), rejected);
    let tolerating = tolerating(vec![toleration(
        "node.kubernetes.io/unschedulable",
        "Exists",
        "",
        "NoSchedule",
    )]);
    assert_eq!(filter(plugin, tolerating, &closed), Status::SUCCESS);
    let change = |old: Option<bool>, new| {
        let old = old.map(|old| Arc::new(cordoned(old)));
        let object = EventObject::Node(old, Some(Arc::new(cordoned(new))));
        hint(plugin, pod("pod", &[]), EventResource::Node, object)
    };
    assert_eq!(change(None, false), Hint::Queue);
    assert_eq!(change(None, true), Hint::Skip);
    assert_eq!(change(Some(true), false), Hint::Queue);
    assert_eq!(change(Some(false), true), Hint::Skip);
    assert_eq!(change(Some(false), false), Hint::Skip);
}

// Upstream: tainttoleration/taint_toleration_test.go, TestTaintTolerationFilter.
#[test]
fn taint_toleration_keeps_pods_from_taints_that_they_do_not_tolerate() {
    let dedicated = |effect| {
        let mut node = tainted(node("node-1", &[]), "dedicated", effect);
        node.spec.get_or_insert_default().taints.get_or_insert_default()[0].value =
            Some("user1".into());
        node_info(node, vec![])
    };
    let none = || pod("pod", &[]);
    for (name, pod, effect, fits) in [
        ("no toleration", none(), "NoSchedule", false),
        (
            "the same value",
            tolerating(vec![toleration("dedicated", "", "user1", "NoSchedule")]),
            "NoSchedule",
            true,
        ),
        (
            "another value",
            tolerating(vec![toleration("dedicated", "Equal", "user2", "NoSchedule")]),
            "NoSchedule",
            false,
        ),
        (
            "Exists, any effect",
            tolerating(vec![toleration("dedicated", "Exists", "", "")]),
            "NoExecute",
            true,
        ),
        (
            "another effect",
            tolerating(vec![toleration("dedicated", "Equal", "user1", "PreferNoSchedule")]),
            "NoSchedule",
            false,
        ),
        ("only a wish", none(), "PreferNoSchedule", true),
    ] {
        let status = filter("TaintToleration", pod, &dedicated(effect));
        let reasons = ["node(s) had untolerated taint(s)"];
        let rejected = reject(Code::UnschedulableAndUnresolvable, &reasons);
        assert_eq!(status, if fits { Status::SUCCESS } else { rejected }, "{name}");
    }
}

// Upstream: TestTaintTolerationScore and TestIsSchedulableAfterNodeChange.
#[test]
fn taint_toleration_prefers_nodes_with_fewer_taints_that_are_not_tolerated() {
    let nodes = || {
        let wish = |name: &str, key: &str| tainted(node(name, &[]), key, "PreferNoSchedule");
        [
            node_info(node("clean", &[]), vec![]),
            node_info(wish("cpu", "cpu-type"), vec![]),
            node_info(wish("disk", "disk-type"), vec![]),
        ]
    };
    let cpu = vec![toleration("cpu-type", "Exists", "", "PreferNoSchedule")];
    assert_eq!(score("TaintToleration", tolerating(cpu), &nodes()), Some(vec![100, 100, 0]));
    let no_schedule = vec![toleration("cpu-type", "Exists", "", "NoSchedule")];
    assert_eq!(score("TaintToleration", tolerating(no_schedule), &nodes()), Some(vec![100, 0, 0]));
    let change = |old, new| {
        let object = EventObject::Node(old, Some(Arc::new(new)));
        hint("TaintToleration", pod("pod", &[]), EventResource::Node, object)
    };
    let dirty = || tainted(node("node-1", &[]), "foo", "NoSchedule");
    assert_eq!(change(Some(Arc::new(dirty())), node("node-1", &[])), Hint::Queue);
    assert_eq!(change(Some(Arc::new(dirty())), dirty()), Hint::Skip);
    assert_eq!(change(None, dirty()), Hint::Skip);
    assert_eq!(change(None, node("node-1", &[])), Hint::Queue);
}

fn affinity(
    required: Option<Vec<NodeSelectorTerm>>,
    preferred: Vec<PreferredSchedulingTerm>,
) -> Pod {
    let required = required.map(|node_selector_terms| NodeSelector { node_selector_terms });
    let node_affinity = NodeAffinity {
        required_during_scheduling_ignored_during_execution: required,
        preferred_during_scheduling_ignored_during_execution: Some(preferred),
    };
    with_spec(pod("pod", &[]), |spec| {
        spec.affinity =
            Some(Affinity { node_affinity: Some(node_affinity), ..Affinity::default() });
    })
}

fn requirement(key: &str, operator: &str, values: &[&str]) -> NodeSelectorRequirement {
    let values = Some(values.iter().map(|value| value.to_string()).collect());
    NodeSelectorRequirement { key: key.into(), operator: operator.into(), values }
}

fn labelled(name: &str, key: &str, value: &str) -> api::openapi::api::core::v1::Node {
    let mut node = node(name, &[]);
    node.metadata.labels = Some([(key.to_string(), value.to_string())].into());
    node
}

// Upstream: nodeaffinity/node_affinity_test.go, TestNodeAffinity and TestNodeAffinityPriority.
#[test]
fn node_affinity_keeps_pods_to_the_nodes_they_select_and_prefers_those_they_prefer() {
    let expression = |values: &[&str]| NodeSelectorTerm {
        match_expressions: Some(vec![requirement("foo", "In", values)]),
        match_fields: None,
    };
    let named = |names: &[&[&str]]| NodeSelectorTerm {
        match_expressions: None,
        match_fields: Some(
            names.iter().map(|names| requirement("metadata.name", "In", names)).collect(),
        ),
    };
    let bar = node_info(labelled("node-1", "foo", "bar"), vec![]);
    let name = "NodeAffinity";
    let required = |term| affinity(Some(vec![term]), vec![]);
    assert_eq!(filter(name, required(expression(&["bar"])), &bar), Status::SUCCESS);
    let reason = "node(s) didn't match Pod's node affinity/selector";
    let rejected = reject(Code::UnschedulableAndUnresolvable, &[reason]);
    assert_eq!(filter(name, required(expression(&["baz"])), &bar), rejected);
    let conflict = reject(Code::UnschedulableAndUnresolvable, &["pod affinity terms conflict"]);
    assert_eq!(filter(name, required(named(&[&["node-1"], &["node-2"]])), &bar), conflict);
    let mut state = CycleState::default();
    let pre_filter = plugin(name).as_pre_filter().expect("a PreFilter");
    let world = World::new(vec![], vec![]);
    let (names, status) =
        pre_filter.pre_filter(world.handle(), &mut state, &info(required(named(&[&["node-1"]]))));
    assert_eq!((names, status), (Some(["node-1".to_string()].into()), Status::SUCCESS));
    let (_, status) = pre_filter.pre_filter(world.handle(), &mut state, &info(pod("pod", &[])));
    assert_eq!(status, Status::SKIP);

    let preferred =
        |weight, value: &str| PreferredSchedulingTerm { weight, preference: expression(&[value]) };
    let nodes = [
        node_info(labelled("node-1", "foo", "bar"), vec![]),
        node_info(labelled("node-2", "foo", "baz"), vec![]),
        node_info(node("node-3", &[]), vec![]),
    ];
    let wishes = affinity(None, vec![preferred(2, "bar"), preferred(5, "baz")]);
    assert_eq!(score(name, wishes, &nodes), Some(vec![40, 100, 0]));
    assert_eq!(score(name, pod("pod", &[]), &nodes), None, "nothing preferred");
}

// Upstream: TestIsSchedulableAfterNodeChange of NodeAffinity.
#[test]
fn node_affinity_waits_for_a_node_that_comes_to_be_selected() {
    let selecting = || {
        with_spec(pod("pod", &[]), |spec| {
            spec.node_selector = Some([("foo".to_string(), "bar".to_string())].into());
        })
    };
    for (old, new, want) in [
        (None, labelled("node-1", "foo", "bar"), Hint::Queue),
        (None, node("node-1", &[]), Hint::Skip),
        (Some(node("node-1", &[])), labelled("node-1", "foo", "bar"), Hint::Queue),
        (Some(labelled("node-1", "foo", "bar")), labelled("node-1", "foo", "bar"), Hint::Skip),
        (Some(labelled("node-1", "foo", "bar")), node("node-1", &[]), Hint::Skip),
    ] {
        let object = EventObject::Node(old.map(Arc::new), Some(Arc::new(new)));
        assert_eq!(hint("NodeAffinity", selecting(), EventResource::Node, object), want);
    }
}

fn on_host_port(protocol: &str, ip: &str, port: i32) -> Pod {
    with_spec(pod("pod", &[]), |spec| {
        spec.containers[0].ports = Some(vec![ContainerPort {
            container_port: port,
            host_port: Some(port),
            host_ip: Some(ip.into()),
            protocol: Some(protocol.into()),
            ..ContainerPort::default()
        }]);
    })
}

// Upstream: nodeports/node_ports_test.go, TestNodePorts and TestIsSchedulableAfterPodDeleted.
#[test]
fn node_ports_keeps_pods_from_ports_that_are_taken() {
    let reason = "node(s) didn't have free ports for the requested pod ports";
    for (name, used, wanted, fits) in [
        ("other port", ("UDP", "127.0.0.1", 9090), ("UDP", "127.0.0.1", 8080), true),
        ("same port", ("UDP", "127.0.0.1", 8080), ("UDP", "127.0.0.1", 8080), false),
        ("other protocol", ("UDP", "127.0.0.1", 8080), ("TCP", "127.0.0.1", 8080), true),
        ("other address", ("TCP", "127.0.0.2", 8001), ("TCP", "127.0.0.1", 8001), true),
        ("every address wanted", ("TCP", "127.0.0.1", 8001), ("TCP", "0.0.0.0", 8001), false),
        ("every address used", ("TCP", "0.0.0.0", 8001), ("TCP", "127.0.0.1", 8001), false),
    ] {
        let port = |(protocol, ip, port)| on_host_port(protocol, ip, port);
        let status =
            filter("NodePorts", port(wanted), &node_info(node("node-1", &[]), vec![port(used)]));
        let rejected = reject(Code::Unschedulable, &[reason]);
        assert_eq!(status, if fits { Status::SUCCESS } else { rejected }, "{name}");
        let deleted = with_spec(port(used), |spec| spec.node_name = Some("node-1".into()));
        let object = EventObject::Pod(Some(Arc::new(deleted)), None);
        let want = if fits { Hint::Skip } else { Hint::Queue };
        assert_eq!(hint("NodePorts", port(wanted), EventResource::Pod, object), want, "{name}");
    }
    let unscheduled = Arc::new(on_host_port("TCP", "0.0.0.0", 80));
    let object = EventObject::Pod(Some(unscheduled), None);
    let waiting = on_host_port("TCP", "0.0.0.0", 80);
    assert_eq!(hint("NodePorts", waiting, EventResource::Pod, object), Hint::Skip);
}

mod resources {
    use super::*;

    fn using(amounts: &[(&str, &str)]) -> Pod {
        pod("used", amounts)
    }

    // Upstream: noderesources/fit_test.go, TestEnoughRequests.
    #[test]
    fn node_resources_fit_says_all_of_what_there_is_too_little() {
        let gpu = "example.com/aaa";
        let full = [("cpu", "10m"), ("memory", "20"), (gpu, "5"), ("ephemeral-storage", "20")];
        let never = Code::UnschedulableAndUnresolvable;
        for (name, used, wanted, want) in [
            (
                "nothing requested always fits",
                &[("cpu", "10m"), ("memory", "20")][..],
                &[][..],
                None,
            ),
            (
                "too much of both",
                &[("cpu", "10m"), ("memory", "20")],
                &[("cpu", "1m"), ("memory", "1")],
                Some((Code::Unschedulable, vec!["Insufficient cpu", "Insufficient memory"])),
            ),
            (
                "more than the node has",
                &[],
                &[("cpu", "11m"), ("memory", "1")],
                Some((never, vec!["Insufficient cpu"])),
            ),
            (
                "just enough",
                &[("cpu", "5m"), ("memory", "19")],
                &[("cpu", "5m"), ("memory", "1")],
                None,
            ),
            (
                "one resource only",
                &[("cpu", "5m"), ("memory", "20")],
                &[("cpu", "4m"), ("memory", "1")],
                Some((Code::Unschedulable, vec!["Insufficient memory"])),
            ),
            ("extended resource", &[(gpu, "2")], &[(gpu, "3")], None),
            (
                "extended resource in use",
                &[(gpu, "4")],
                &[(gpu, "3")],
                Some((Code::Unschedulable, vec!["Insufficient example.com/aaa"])),
            ),
            (
                "unknown extended resource",
                &[],
                &[("example.com/bbb", "1")],
                Some((never, vec!["Insufficient example.com/bbb"])),
            ),
            (
                "local storage",
                &[("ephemeral-storage", "10")],
                &[("ephemeral-storage", "15")],
                Some((Code::Unschedulable, vec!["Insufficient ephemeral-storage"])),
            ),
        ] {
            let node = node_info(node("node-1", &full), vec![using(used)]);
            let status = filter("NodeResourcesFit", pod("pod", wanted), &node);
            let want = want.map_or(Status::SUCCESS, |(code, reasons)| reject(code, &reasons));
            assert_eq!(status, want, "{name}");
        }
    }

    // Upstream: TestNotEnoughRequests.
    #[test]
    fn a_node_takes_only_so_many_pods() {
        let node = node_info(node("node-1", &[("pods", "1"), ("cpu", "1")]), vec![using(&[])]);
        let status = filter("NodeResourcesFit", pod("pod", &[]), &node);
        assert_eq!(status, reject(Code::Unschedulable, &["Too many pods"]));
    }

    // Upstream: noderesources/least_allocated_test.go, TestLeastAllocatedScoringStrategy.
    #[test]
    fn least_allocated_prefers_nodes_with_more_left() {
        let nodes = |sizes: [(&str, &str); 2], used: [Vec<Pod>; 2]| {
            let mut used = used.into_iter();
            sizes.map(|(cpu, memory)| {
                let node = node("node", &[("cpu", cpu), ("memory", memory)]);
                node_info(node, used.next().unwrap_or_default())
            })
        };
        let name = "NodeResourcesFit";
        let wanted = [("cpu", "3000m"), ("memory", "5000")];
        let sized = nodes([("4000m", "10000"), ("6000m", "10000")], [vec![], vec![]]);
        assert_eq!(score(name, pod("pod", &wanted), &sized), Some(vec![37, 50]));
        // What requests nothing counts as 100 thousandths of a CPU and 200 MiB.
        let sized = nodes([("400m", "400Mi"), ("200m", "800Mi")], [vec![], vec![]]);
        assert_eq!(score(name, pod("pod", &[]), &sized), Some(vec![62, 62]));
        let busy = || vec![using(&[("cpu", "6000m"), ("memory", "0")])];
        let full = || vec![using(&[("cpu", "3000m"), ("memory", "5000")])];
        let sized = nodes([("10000m", "20000"), ("10000m", "20000")], [busy(), full()]);
        let nothing = [("cpu", "0"), ("memory", "0")];
        assert_eq!(score(name, pod("pod", &nothing), &sized), Some(vec![70, 72]));
        let over = nodes([("1000m", "1000"), ("10000m", "20000")], [vec![], vec![]]);
        assert_eq!(score(name, pod("pod", &wanted), &over), Some(vec![0, 72]));
    }

    // Upstream: noderesources/balanced_allocation.go, balancedResourceScorer.
    #[test]
    fn balanced_allocation_rewards_what_the_pod_does_for_the_balance() {
        let sized = |cpu, memory, used: &[(&str, &str)]| {
            node_info(node("node", &[("cpu", cpu), ("memory", memory)]), vec![using(used)])
        };
        let nodes = [
            // 75 % and 50 % with the pod: a balance of 87, from 100 without it.
            sized("4000m", "10000", &[]),
            // 50 % and 50 %: as balanced as before.
            sized("6000m", "10000", &[]),
            // 0 % and 50 %, a balance of 75, becomes 30 % and 100 %: 65.
            sized("10000m", "10000", &[("memory", "5000")]),
            // 60 % and 0 %, a balance of 70, becomes 90 % and 50 %: 80.
            sized("10000m", "10000", &[("cpu", "6000m")]),
        ];
        let wanted = [("cpu", "3000m"), ("memory", "5000")];
        let name = "NodeResourcesBalancedAllocation";
        assert_eq!(score(name, pod("pod", &wanted), &nodes), Some(vec![68, 75, 70, 80]));
        assert_eq!(score(name, pod("pod", &[]), &nodes), None, "a pod that requests nothing");
    }

    // Upstream: TestFitIsSchedulableAfterNodeChange and TestIsSchedulableAfterPodEvent.
    #[test]
    fn node_resources_fit_waits_for_more_room() {
        let name = "NodeResourcesFit";
        let wanted = || pod("pod", &[("cpu", "2")]);
        let with = |cpu| Arc::new(node("node-1", &[("cpu", cpu)]));
        let change = |old, new| {
            let object = EventObject::Node(old, Some(with(new)));
            hint(name, wanted(), EventResource::Node, object)
        };
        assert_eq!(change(None, "1"), Hint::Skip);
        assert_eq!(change(None, "4"), Hint::Queue);
        assert_eq!(change(Some(with("1")), "4"), Hint::Queue);
        assert_eq!(change(Some(with("4")), "4"), Hint::Skip);
        assert_eq!(change(Some(with("4")), "3"), Hint::Skip);
        let assigned = |cpu| {
            let pod = with_spec(using(&[("cpu", cpu)]), |spec| spec.node_name = Some("n".into()));
            Some(Arc::new(Pod {
                metadata: api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                    uid: Some("another".into()),
                    ..pod.metadata
                },
                ..pod
            }))
        };
        let pod_event =
            |old, new| hint(name, wanted(), EventResource::Pod, EventObject::Pod(old, new));
        assert_eq!(pod_event(assigned("1"), None), Hint::Queue);
        assert_eq!(pod_event(Some(Arc::new(using(&[]))), None), Hint::Skip);
        assert_eq!(pod_event(assigned("2"), assigned("1")), Hint::Queue);
        assert_eq!(pod_event(assigned("1"), assigned("2")), Hint::Skip);
    }
}
