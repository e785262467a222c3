//! The tables of upstream's tests. A node is written `name key=value …`, a pod that runs
//! `node label …`, with `!` before a label that it ends and `namespace/` before the node.
//!
//! Upstream: pkg/scheduler/framework/plugins/podtopologyspread/{filtering,scoring,plugin}_test.go

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{
    Affinity, Node, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod,
    Toleration, TopologySpreadConstraint,
};
use api::openapi::apimachinery::pkg::apis::meta::v1::{
    LabelSelector, LabelSelectorRequirement, Time,
};

use super::*;
use crate::framework::{Code, CycleState};
use crate::plugins::world::{World, info};
use crate::tests::cluster;

mod hints;
mod scores;

const NAME: &str = "PodTopologySpread";

fn node(text: &str) -> Node {
    let mut words = text.split(' ');
    let mut node = cluster::node(words.next().expect("a name"), &[]);
    let labels = words.map(|word| word.split_once('=').expect("a label"));
    let labels = labels.map(|(key, value)| (key.to_string(), value.to_string()));
    node.metadata.labels = Some(labels.collect());
    node
}

fn nodes(texts: &[&str]) -> Vec<Node> {
    texts.iter().map(|text| node(text)).collect()
}

fn labelled(labels: &[&str]) -> Pod {
    let mut pod = cluster::pod("p", &[]);
    pod.metadata.uid = Some("p".into());
    let labels = labels.iter().map(|label| (label.to_string(), String::new()));
    pod.metadata.labels = Some(labels.collect());
    pod
}

/// A pod that runs.
fn running(text: &str) -> Pod {
    let mut words = text.split(' ');
    let place = words.next().expect("a node");
    let (namespace, node) = place.split_once('/').unwrap_or(("", place));
    let labels: Vec<&str> = words.map(|word| word.trim_start_matches('!')).collect();
    let mut pod = labelled(&labels);
    (pod.metadata.name, pod.metadata.uid) = (None, None);
    pod.metadata.namespace = (!namespace.is_empty()).then(|| namespace.to_string());
    pod.spec.get_or_insert_default().node_name = Some(node.to_string());
    if text.contains('!') {
        pod.metadata.deletion_timestamp = Some(Time(jiff_epoch()));
    }
    pod
}

fn jiff_epoch() -> api::openapi::jiff::Timestamp {
    api::openapi::jiff::Timestamp::UNIX_EPOCH
}

fn all_running(texts: &[&str]) -> Vec<Pod> {
    texts.iter().map(|text| running(text)).collect()
}

fn exists(label: &str) -> Option<LabelSelector> {
    let requirement = LabelSelectorRequirement {
        key: label.into(),
        operator: "Exists".into(),
        ..LabelSelectorRequirement::default()
    };
    Some(LabelSelector { match_expressions: Some(vec![requirement]), match_labels: None })
}

fn constraint(max_skew: i32, key: &str, selector: &str) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew,
        topology_key: key.into(),
        when_unsatisfiable: DO_NOT_SCHEDULE.into(),
        label_selector: exists(selector),
        ..TopologySpreadConstraint::default()
    }
}

fn spread(labels: &[&str], constraints: Vec<TopologySpreadConstraint>) -> Pod {
    let mut pod = labelled(labels);
    pod.spec.get_or_insert_default().topology_spread_constraints = Some(constraints);
    pod
}

fn affine_to(mut pod: Pod, key: &str, values: &[&str]) -> Pod {
    let requirement = NodeSelectorRequirement {
        key: key.into(),
        operator: "In".into(),
        values: Some(values.iter().map(ToString::to_string).collect()),
    };
    let term = NodeSelectorTerm {
        match_expressions: Some(vec![requirement]),
        ..NodeSelectorTerm::default()
    };
    let affinity = NodeAffinity {
        required_during_scheduling_ignored_during_execution: Some(NodeSelector {
            node_selector_terms: vec![term],
        }),
        ..NodeAffinity::default()
    };
    pod.spec.get_or_insert_default().affinity =
        Some(Affinity { node_affinity: Some(affinity), ..Affinity::default() });
    pod
}

const FOUR: &[&str] = &[
    "node-a zone=zone1 node=node-a",
    "node-b zone=zone1 node=node-b",
    "node-x zone=zone2 node=node-x",
    "node-y zone=zone2 node=node-y",
];
/// Two pods on node-a, one on node-b, none on node-x, three on node-y.
const TWO_ONE_NONE_THREE: &[&str] =
    &["node-a foo", "node-a foo", "node-b foo", "node-y foo", "node-y foo", "node-y foo"];

const OK: Code = Code::Success;
const NO: Code = Code::Unschedulable;
const NEVER: Code = Code::UnschedulableAndUnresolvable;

struct Case<'a> {
    name: &'a str,
    pod: Pod,
    nodes: &'a [&'a str],
    pods: &'a [&'a str],
    want: &'a [Code],
}

fn check(cases: Vec<Case<'_>>) {
    for case in cases {
        let world = World::new(nodes(case.nodes), all_running(case.pods));
        let statuses = world.filter(NAME, case.pod);
        let codes: Vec<Code> = statuses.iter().map(|status| status.code).collect();
        assert_eq!(codes, case.want, "{}", case.name);
        for status in statuses {
            let want = match status.code {
                Code::Success => "",
                Code::Unschedulable => "node(s) didn't match pod topology spread constraints",
                _ => {
                    "node(s) didn't match pod topology spread constraints (missing required label)"
                }
            };
            assert_eq!(status.message(), want, "{}", case.name);
        }
    }
}

// Upstream: TestSingleConstraint.
#[test]
fn single_constraint() {
    let foo = |key| spread(&["foo"], vec![constraint(1, key, "foo")]);
    let other = |own, key, selector| spread(&[own], vec![constraint(1, key, selector)]);
    let case = |name, pod, nodes, pods, want| Case { name, pod, nodes, pods, want };
    let no_zone_on_b = &[FOUR[0], "node-b zon=zone1 node=node-b", FOUR[2], FOUR[3]];
    check(vec![
        case("no existing pods", foo("zone"), FOUR, &[], &[OK; 4]),
        case(
            "no existing pods, incoming pod doesn't match itself",
            other("foo", "zone", "bar"),
            FOUR,
            &[],
            &[OK; 4],
        ),
        case(
            "existing pods in a different namespace do not count",
            foo("zone"),
            FOUR,
            &["ns1/node-a foo", "ns2/node-a foo", "node-x foo", "node-y foo"],
            &[OK, OK, NO, NO],
        ),
        case(
            "pods spread across zones as 3/3, all nodes fit",
            foo("zone"),
            FOUR,
            TWO_ONE_NONE_THREE,
            &[OK; 4],
        ),
        case(
            "pods spread across zones as 1/2 due to absence of label 'zone' on node-b",
            foo("zone"),
            no_zone_on_b,
            &["node-a foo", "node-b foo", "node-x foo", "node-y foo"],
            &[OK, NEVER, NO, NO],
        ),
        case(
            "pod cannot be scheduled as all nodes don't have label 'rack'",
            foo("rack"),
            &[FOUR[0], FOUR[2]],
            &[],
            &[NEVER; 2],
        ),
    ]);
}

#[test]
fn single_constraint_on_nodes() {
    let foo = |key| spread(&["foo"], vec![constraint(1, key, "foo")]);
    let wide = spread(&["foo"], vec![constraint(2, "node", "foo")]);
    let other = |own, key, selector| spread(&[own], vec![constraint(1, key, selector)]);
    let case = |name, pod, nodes, pods, want| Case { name, pod, nodes, pods, want };
    check(vec![
        case(
            "pods spread across nodes as 2/1/0/3, only node-x fits",
            foo("node"),
            FOUR,
            TWO_ONE_NONE_THREE,
            &[NO, NO, OK, NO],
        ),
        case(
            "pods spread across nodes as 2/1/0/3, maxSkew is 2, node-b and node-x fit",
            wide,
            FOUR,
            TWO_ONE_NONE_THREE,
            &[NO, OK, OK, NO],
        ),
        case(
            "pods spread across nodes as 2/1/0/3, but pod doesn't match itself",
            other("bar", "node", "foo"),
            FOUR,
            TWO_ONE_NONE_THREE,
            &[NO, OK, OK, NO],
        ),
        // Only node-a and node-y count; that node affinity excludes the others is not this
        // plugin's to say.
        case(
            "incoming pod has nodeAffinity, pods spread as 2/~1~/~0~/3, hence node-a fits",
            affine_to(foo("node"), "node", &["node-a", "node-y"]),
            FOUR,
            TWO_ONE_NONE_THREE,
            &[OK, OK, OK, NO],
        ),
        case(
            "terminating Pods should be excluded",
            foo("node"),
            &["node-a node=node-a", "node-b node=node-b"],
            &["node-a !foo", "node-b foo"],
            &[OK, NO],
        ),
    ]);
}

// Upstream: TestMultipleConstraints.
#[test]
fn multiple_constraints() {
    let two = |labels: &[&str], zone, node| {
        spread(labels, vec![constraint(1, "zone", zone), constraint(1, "node", node)])
    };
    let case = |name, pod, nodes, pods, want| Case { name, pod, nodes, pods, want };
    let mut two_one_none_four = TWO_ONE_NONE_THREE.to_vec();
    two_one_none_four.push("node-y foo");
    let no_node_on_x = &[FOUR[0], FOUR[1], "node-x zone=zone2", FOUR[3]];
    check(vec![
        case(
            "two Constraints on zone and node, spreads = [3/3, 2/1/0/3]",
            two(&["foo"], "foo", "foo"),
            FOUR,
            TWO_ONE_NONE_THREE,
            &[NO, NO, OK, NO],
        ),
        case(
            "two Constraints on zone and node, spreads = [3/4, 2/1/0/4]",
            two(&["foo"], "foo", "foo"),
            FOUR,
            &two_one_none_four,
            &[NO; 4],
        ),
        case(
            "Constraints hold different labelSelectors, spreads = [1/0, 1/0/0/1]",
            two(&["foo", "bar"], "foo", "bar"),
            FOUR,
            &["node-a foo", "node-y bar"],
            &[NO, NO, OK, NO],
        ),
        case(
            "Constraints hold different labelSelectors, spreads = [1/0, 0/0/1/1]",
            two(&["foo", "bar"], "foo", "bar"),
            FOUR,
            &["node-a foo", "node-x bar", "node-y bar"],
            &[NO; 4],
        ),
        case(
            "Constraints hold different labelSelectors, spreads = [2/3, 1/0/0/1]",
            two(&["foo", "bar"], "foo", "bar"),
            FOUR,
            &["node-a foo", "node-a foo bar", "node-y foo", "node-y foo bar", "node-y foo"],
            &[NO, OK, NO, NO],
        ),
        case(
            "Constraints hold different labelSelectors but pod doesn't match itself on 'zone' \
             constraint",
            two(&["bar"], "foo", "bar"),
            FOUR,
            &["node-a foo", "node-x bar", "node-y bar"],
            &[OK, OK, NO, NO],
        ),
        case(
            "two Constraints on zone and node, absence of label 'node' on node-x, spreads = \
             [1/1, 1/0/0/1]",
            two(&["foo"], "foo", "foo"),
            no_node_on_x,
            &["node-a foo", "node-y foo"],
            &[NO, OK, NEVER, NO],
        ),
    ]);
}

// Upstream: the cases of TestPreFilterState on minDomains and inclusion policies, as far as the
// filter shows them: fewer domains than asked for make the least count zero.
#[test]
fn domains_and_policies() {
    let with = |change: fn(&mut TopologySpreadConstraint)| {
        let mut constraint = constraint(1, "node", "foo");
        change(&mut constraint);
        spread(&["foo"], vec![constraint])
    };
    let one_each = &["node-a foo", "node-b foo", "node-x foo", "node-y foo"];
    let case = |name, pod, pods, want| Case { name, pod, nodes: FOUR, pods, want };
    check(vec![
        case(
            "the number of domains is 4, minDomains is 4",
            with(|constraint| constraint.min_domains = Some(4)),
            one_each,
            &[OK; 4],
        ),
        case(
            "the number of domains is 4, minDomains is 5",
            with(|constraint| constraint.min_domains = Some(5)),
            one_each,
            &[NO; 4],
        ),
        case(
            "NodeAffinityPolicy ignored: nodes that affinity excludes count",
            affine_to(
                with(|constraint| constraint.node_affinity_policy = Some("Ignore".into())),
                "node",
                &["node-a", "node-y"],
            ),
            TWO_ONE_NONE_THREE,
            &[NO, NO, OK, NO],
        ),
        case(
            "matchLabelKeys narrow the selector to the pod's own values",
            with(|constraint| constraint.match_label_keys = Some(vec!["foo".into()])),
            TWO_ONE_NONE_THREE,
            &[NO, NO, OK, NO],
        ),
    ]);
    let mut tainted = nodes(&FOUR[..2]);
    tainted.push(cluster::tainted(node(FOUR[2]), "key", "NoSchedule"));
    let honor = |policy: Option<&str>| {
        let mut constraint = constraint(1, "node", "foo");
        constraint.node_taints_policy = policy.map(str::to_string);
        spread(&["foo"], vec![constraint])
    };
    let pods = all_running(&["node-a foo", "node-b foo"]);
    let world = World::new(tainted, pods);
    let codes = |pod| world.filter(NAME, pod).iter().map(|status| status.code).collect::<Vec<_>>();
    assert_eq!(codes(honor(None)), [NO, NO, OK], "the tainted node has the fewest");
    assert_eq!(codes(honor(Some("Honor"))), [OK, OK, OK], "the tainted node does not count");
}

// Upstream: TestPreFilterStateAddPod and TestPreFilterStateRemovePod, seen through the filter.
#[test]
fn pods_that_come_and_go_are_counted() {
    let world = World::new(nodes(FOUR), all_running(&["node-a foo", "node-b foo", "node-x foo"]));
    let pod =
        info(spread(&["foo"], vec![constraint(1, "zone", "foo"), constraint(1, "node", "foo")]));
    let mut state = world.pre_filter(NAME, &pod).expect("has constraints");
    let codes = |state: &CycleState| {
        let names = ["node-a", "node-b", "node-x", "node-y"];
        names.map(|name| PodTopologySpread.filter(state, &pod, world.node(name)).code)
    };
    assert_eq!(codes(&state), [NO, NO, NO, OK]);
    let before = state.clone();
    let come = |state: &mut _, text: &str, node| {
        PodTopologySpread.add_pod(state, &pod, &info(running(text)), world.node(node));
    };
    come(&mut state, "node-y foo", "node-y");
    assert_eq!(codes(&state), [OK; 4], "zones have 2/2, nodes 1/1/1/1");
    come(&mut state, "node-y bar", "node-y");
    come(&mut state, "other/node-y foo", "node-y");
    assert_eq!(codes(&state), [OK; 4], "other pods do not count");
    let gone = info(running("node-y foo"));
    PodTopologySpread.remove_pod(&mut state, &pod, &gone, world.node("node-y"));
    assert_eq!(codes(&state), [NO, NO, NO, OK]);
    let gone = info(running("node-b foo"));
    PodTopologySpread.remove_pod(&mut state, &pod, &gone, world.node("node-b"));
    assert_eq!(codes(&state), [NO, OK, NO, OK], "zones have 1/1, nodes 1/0/1/0");
    assert_eq!(codes(&before), [NO, NO, NO, OK], "other copies of the state stay as they were");
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}
