use api::openapi::api::core::v1::{Affinity, NodeAffinity};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::*;

fn node(name: &str, labels: &[(&str, &str)]) -> Node {
    let labels = labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let metadata =
        ObjectMeta { name: Some(name.into()), labels: Some(labels), ..ObjectMeta::default() };
    Node { metadata, ..Node::default() }
}

fn requirement(key: &str, operator: &str, values: &[&str]) -> NodeSelectorRequirement {
    let values = values.iter().map(|value| value.to_string()).collect();
    NodeSelectorRequirement { key: key.into(), operator: operator.into(), values: Some(values) }
}

fn expressions(requirements: Vec<NodeSelectorRequirement>) -> NodeSelectorTerm {
    NodeSelectorTerm { match_expressions: Some(requirements), match_fields: None }
}

fn fields(requirements: Vec<NodeSelectorRequirement>) -> NodeSelectorTerm {
    NodeSelectorTerm { match_expressions: None, match_fields: Some(requirements) }
}

fn pod(node_selector: &[(&str, &str)], terms: Option<Vec<NodeSelectorTerm>>) -> Pod {
    let labels = node_selector.iter().map(|(key, value)| (key.to_string(), value.to_string()));
    let required = terms.map(|node_selector_terms| CoreNodeSelector { node_selector_terms });
    Pod {
        spec: Some(PodSpec {
            node_selector: Some(labels.collect()),
            affinity: Some(Affinity {
                node_affinity: Some(NodeAffinity {
                    required_during_scheduling_ignored_during_execution: required,
                    ..NodeAffinity::default()
                }),
                ..Affinity::default()
            }),
            ..PodSpec::default()
        }),
        ..Pod::default()
    }
}

// Upstream: TestPodMatchesNodeSelectorAndAffinityTerms and TestNodeSelectorMatch.
fn cases() -> Vec<(&'static str, Pod, bool)> {
    let in_bar = || requirement("foo", "In", &["bar", "value2"]);
    let one = |key, operator, values: &[&str]| {
        pod(&[], Some(vec![expressions(vec![requirement(key, operator, values)])]))
    };
    let named = |operator, name| {
        pod(&[], Some(vec![fields(vec![requirement("metadata.name", operator, &[name])])]))
    };
    vec![
        ("no selector", pod(&[], None), true),
        ("node selector fits", pod(&[("foo", "bar")], None), true),
        ("node selector misses", pod(&[("foo", "baz")], None), false),
        ("In", one("foo", "In", &["bar", "value2"]), true),
        ("Gt", one("count", "Gt", &["6"]), true),
        ("Lt misses", one("count", "Lt", &["6"]), false),
        ("NotIn on a label that the node lacks", one("gpu", "NotIn", &["old"]), true),
        ("Exists", one("foo", "Exists", &[]), true),
        ("an invalid term selects nothing", one("foo", "Gt", &["a", "b"]), false),
        ("no terms select nothing", pod(&[], Some(vec![])), false),
        ("an empty term selects nothing", pod(&[], Some(vec![expressions(vec![])])), false),
        (
            "requirements of a term are all needed",
            pod(
                &[],
                Some(vec![expressions(vec![in_bar(), requirement("foo", "NotIn", &["bar"])])]),
            ),
            false,
        ),
        (
            "one term of several is enough",
            pod(
                &[],
                Some(vec![
                    expressions(vec![requirement("foo", "In", &["other"])]),
                    expressions(vec![in_bar()]),
                ]),
            ),
            true,
        ),
        (
            "node selector and affinity are both needed",
            pod(&[("foo", "baz")], Some(vec![expressions(vec![in_bar()])])),
            false,
        ),
        ("name matches", named("In", "machine1"), true),
        ("name differs", named("In", "machine2"), false),
        ("name must not be", named("NotIn", "machine1"), false),
    ]
}

#[test]
fn selectors_and_affinity_select_as_upstream_says() {
    let bar = node("machine1", &[("foo", "bar"), ("count", "7")]);
    for (name, pod, want) in cases() {
        assert_eq!(RequiredNodeAffinity::of(&pod).matches(&bar), want, "{name}");
    }
}

#[test]
fn names_are_intersected_within_a_term_and_united_over_terms() {
    let name = |values: &[&str]| requirement("metadata.name", "In", values);
    let names = |terms| required_node_names(&pod(&[], Some(terms)).spec.expect("set"));
    let set = |names: &[&str]| Some(names.iter().map(|name| name.to_string()).collect());
    assert_eq!(
        names(vec![fields(vec![name(&["a"])]), fields(vec![name(&["b"])])]),
        set(&["a", "b"])
    );
    assert_eq!(names(vec![fields(vec![name(&["a"]), name(&["b"])])]), set(&[]));
    let any = expressions(vec![requirement("foo", "Exists", &[])]);
    assert_eq!(names(vec![fields(vec![name(&["a"])]), any]), None);
    assert_eq!(names(vec![]), None);
}

// Upstream: TestPreferredSchedulingTermsScore.
#[test]
fn preferences_add_the_weights_of_the_terms_that_select() {
    let term = |weight, requirements| PreferredSchedulingTerm {
        weight,
        preference: expressions(requirements),
    };
    let terms = PreferredTerms::new(&[
        term(5, vec![requirement("label_1", "In", &["label_1_val"])]),
        term(7, vec![requirement("unknown_label", "In", &["unknown_label_val"])]),
        term(3, vec![requirement("label_1", "Exists", &[])]),
        term(0, vec![requirement("label_1", "Exists", &[])]),
        term(9, vec![]),
    ]);
    assert_eq!(terms.score(&node("node-1", &[("label_1", "label_1_val")])), 8);
    assert_eq!(terms.score(&node("node-2", &[])), 0);
}
