//! Upstream: filtering_test.go, TestRequiredAffinityMultipleNodes.

use super::*;

struct Case<'a>(&'a str, Pod, Vec<Pod>, Vec<Node>, &'a [&'static str]);

fn check(cases: Vec<Case<'_>>) {
    for Case(name, pod, pods, nodes, want) in cases {
        let world = World::new(nodes, pods);
        let want: Vec<Status> = want.iter().map(|reason| status(reason)).collect();
        assert_eq!(world.filter(NAME, pod), want, "{name}");
    }
}

fn regions() -> Vec<Node> {
    vec![
        node("nodeA", "region=China"),
        node("nodeB", "region=China az=az1"),
        node("nodeC", "region=India"),
    ]
}

/// Nodes of one region, in those zones.
fn zones(zones: &[&str]) -> Vec<Node> {
    let names = ["nodeA", "nodeB", "nodeC"].iter().zip(zones);
    names
        .map(|(name, zone)| node(name, &format!("region=r1 zone={zone} hostname={name}")))
        .collect()
}

fn near(labels: &str, terms: Terms<'_>) -> Pod {
    requiring(labels, terms, &[])
}

fn far(labels: &str, terms: Terms<'_>) -> Pod {
    requiring(labels, &[], terms)
}

#[test]
fn domains_have_several_nodes() {
    let two = vec![node("nodeA", "zone=az1 hostname=h1"), node("nodeB", "zone=az2 hostname=h2")];
    let other_namespace = on("nodeC", within("NS2", far("", &[("foo=123", "region")])));
    check(vec![
        Case(
            "A pod can be scheduled onto all the nodes that have the same topology key & label \
             value with one of them has an existing pod that matches the affinity rules",
            near("", &[("foo=bar", "region")]),
            vec![on("nodeA", labelled("foo=bar"))],
            regions(),
            &[OK, OK, NEAR],
        ),
        Case(
            "The affinity rule is to schedule all of the pods of this collection to the same \
             zone. The first pod of the collection should not be blocked from being scheduled \
             onto any node, even there's no existing pod that matches the rule anywhere.",
            near(
                "foo=bar service=securityscan",
                &[("foo=bar", "zone"), ("service=securityscan", "zone")],
            ),
            vec![on("nodeA", labelled("foo=bar"))],
            two,
            &[OK, OK],
        ),
        Case(
            "NodeA and nodeB have same topologyKey and label value. NodeA has an existing pod \
             that matches the inter pod affinity rule. The pod can not be scheduled onto nodeA \
             and nodeB.",
            far("", &[("foo=abc", "region")]),
            vec![on("nodeA", labelled("foo=abc"))],
            zones(&["z1", "z2"]),
            &[FAR, FAR],
        ),
        Case(
            "This test ensures that anti-affinity matches a pod when any term of the \
             anti-affinity rule matches a pod.",
            far("", &[("foo=abc", "region"), ("service=securityscan", "zone")]),
            vec![on("nodeA", labelled("foo=abc service=securityscan"))],
            zones(&["z1", "z2"]),
            &[FAR, FAR],
        ),
        Case(
            "The pod can not be scheduled onto nodeA and nodeB but can be scheduled onto nodeC",
            far("", &[("foo=abc", "region")]),
            vec![on("nodeA", labelled("foo=abc"))],
            regions(),
            &[FAR, FAR, OK],
        ),
        Case(
            "NodeC has an existing pod that match the inter pod affinity rule but in different \
             namespace",
            within("NS1", far("foo=123", &[("foo=bar", "region")])),
            vec![on("nodeA", within("NS1", labelled("foo=bar"))), other_namespace],
            regions(),
            &[FAR, FAR, OK],
        ),
    ]);
}

#[test]
fn keys_and_selectors_must_both_match() {
    let run = |node, terms: Terms<'_>| on(node, far("", terms));
    let both = || labelled("foo= bar=");
    let existing = "Test existing pod's anti-affinity";
    let incoming = "Test incoming pod's anti-affinity";
    let (bad, zone, region) = ("invalid-node-label", "zone", "region");
    let same = || zones(&["z1", "z1"]);
    let apart = || zones(&["z1", "z2"]);
    check(vec![
        Case(existing, labelled("foo="), vec![run("nodeA", &[("foo", bad)])], same(), &[OK, OK]),
        Case(
            incoming,
            far("", &[("foo", bad)]),
            vec![on("nodeA", labelled("foo="))],
            same(),
            &[OK, OK],
        ),
        Case(
            "incoming pod wouldn't considered as a fit as it violates each existingPod's terms \
             on all nodes",
            both(),
            vec![run("nodeA", &[("foo", zone)]), run("nodeA", &[("bar", region)])],
            apart(),
            &[EXISTING, EXISTING],
        ),
        Case(
            "incoming pod wouldn't considered as a fit as it at least violates one anti-affinity \
             rule of existingPod",
            far("", &[("foo", zone), ("bar", region)]),
            vec![on("nodeA", labelled("foo=")), on("nodeB", labelled("bar="))],
            apart(),
            &[FAR, FAR],
        ),
    ]);
}

#[test]
fn only_when_both_match_it_is_counted_as_a_term_match() {
    let run = |node, terms: Terms<'_>| on(node, far("", terms));
    let both = || labelled("foo= bar=");
    let (bad, zone, region) = ("invalid-node-label", "zone", "region");
    let apart = || zones(&["z1", "z2"]);
    check(vec![
        Case(
            "existing, case when one term has invalid topologyKey",
            both(),
            vec![run("nodeA", &[("foo", bad), ("bar", zone)])],
            apart(),
            &[EXISTING, OK],
        ),
        Case(
            "incoming, case when one term has invalid topologyKey",
            far("", &[("foo", bad), ("bar", zone)]),
            vec![on("nodeA", both())],
            apart(),
            &[FAR, OK],
        ),
        Case(
            "existing, case when all terms have valid topologyKey",
            both(),
            vec![run("nodeA", &[("foo", region), ("bar", zone)])],
            apart(),
            &[EXISTING, EXISTING],
        ),
        Case(
            "incoming, case when all terms have valid topologyKey",
            far("", &[("foo", region), ("bar", zone)]),
            vec![on("nodeA", both())],
            apart(),
            &[FAR, FAR],
        ),
        Case(
            "existingPod on nodeA and nodeB has at least one anti-affinity term matches incoming \
             pod, so incoming pod can only be scheduled to nodeC",
            both(),
            vec![
                run("nodeA", &[("foo", zone), ("labelA", zone)]),
                run("nodeB", &[("bar", zone), ("labelB", zone)]),
            ],
            zones(&["z1", "z2", "z3"]),
            &[EXISTING, EXISTING, OK],
        ),
    ]);
}

#[test]
fn one_pod_must_match_all_terms_of_affinity() {
    let incoming = || near("", &[("foo", "region"), ("bar", "zone")]);
    check(vec![
        Case(
            "Test incoming pod's affinity: firstly check if all affinityTerms match, and then \
             check if all topologyKeys match",
            incoming(),
            vec![on("nodeA", labelled("foo= bar="))],
            zones(&["z1", "z1"]),
            &[OK, OK],
        ),
        Case(
            "Test incoming pod's affinity: each pod matches one term only",
            incoming(),
            vec![on("nodeA", labelled("foo=")), on("nodeB", labelled("bar="))],
            zones(&["z1", "z2"]),
            &[NEAR, NEAR],
        ),
    ]);
}
