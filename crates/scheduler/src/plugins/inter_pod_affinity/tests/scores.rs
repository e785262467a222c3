//! Upstream: scoring_test.go, TestPreferredAffinity and TestPreferredAffinityWithHardPodAffinitySymmetricWeight.

use super::*;

const S1: &str = "security=S1";
const S2: &str = "security=S2";

type Weighted<'a> = &'a [(i32, &'a str, &'a str)];

fn weighted((weight, pods, key): &(i32, &str, &str)) -> WeightedPodAffinityTerm {
    WeightedPodAffinityTerm { pod_affinity_term: term(&(*pods, *key)), weight: *weight }
}

/// A pod that prefers others near and far.
fn preferring(labels: &str, near: Weighted<'_>, far: Weighted<'_>) -> Pod {
    let mut pod = labelled(labels);
    let terms = |terms: Weighted<'_>| Some(terms.iter().map(weighted).collect());
    let near = PodAffinity {
        preferred_during_scheduling_ignored_during_execution: terms(near),
        ..PodAffinity::default()
    };
    let far = PodAntiAffinity {
        preferred_during_scheduling_ignored_during_execution: terms(far),
        ..PodAntiAffinity::default()
    };
    pod.spec.get_or_insert_default().affinity = Some(Affinity {
        pod_affinity: Some(near),
        pod_anti_affinity: Some(far),
        node_affinity: None,
    });
    pod
}

fn stay_with_s1(labels: &str) -> Pod {
    preferring(labels, &[(5, S1, "region")], &[])
}

fn stay_with_s2(labels: &str) -> Pod {
    preferring(labels, &[(6, S2, "region")], &[])
}

fn away_from_s1(labels: &str) -> Pod {
    preferring(labels, &[], &[(5, S1, "az")])
}

fn away_from_s2(labels: &str) -> Pod {
    preferring(labels, &[], &[(5, S2, "az")])
}

fn with_s1_away_from_s2(labels: &str) -> Pod {
    preferring(labels, &[(8, S1, "region")], &[(5, S2, "az")])
}

fn labels(labels: &[&str]) -> Vec<Node> {
    (1..).zip(labels).map(|(number, labels)| node(&format!("node{number}"), labels)).collect()
}

struct Case<'a>(&'a str, Pod, Vec<Pod>, &'a [&'a str], Option<&'a [i64]>);

fn check(cases: Vec<Case<'_>>) {
    for Case(name, pod, pods, nodes, want) in cases {
        let world = World::new(labels(nodes), pods).with_objects(create_namespaces);
        assert_eq!(world.score(NAME, pod), want.map(<[i64]>::to_vec), "{name}");
    }
}

const THREE: &[&str] = &["region=China", "region=India", "az=az1"];
const FIVE: &[&str] =
    &["region=China", "region=India", "region=China", "region=China", "region=India"];

#[test]
fn affinity() {
    let run = |node, labels| on(node, labelled(labels));
    let many = ["node1", "node1", "node2", "node3", "node4", "node5"].map(|node| run(node, S2));
    let mixed = || vec![run("node1", S1), run("node2", S2), run("node3", S1)];
    let operators = preferring(
        S1,
        &[(8, "security!=S1&security=S2", "region"), (2, "security&!wrongkey", "region")],
        &[],
    );
    check(vec![
        Case("all nodes are same priority as Affinity is nil", labelled(S1), vec![], THREE, None),
        Case(
            "Affinity: pod that matches topology key & pods in nodes will get high score \
             comparing to others which doesn't match either pods in nodes or in topology key",
            stay_with_s1(S1),
            mixed(),
            THREE,
            Some(&[100, 0, 0]),
        ),
        Case(
            "All the nodes that have the same topology key & label value with one of them has an \
             existing pod that match the affinity rules, have the same score",
            stay_with_s1(""),
            vec![run("node1", S1)],
            &["region=China", "region=China az=az1", "region=India"],
            Some(&[100, 100, 0]),
        ),
        Case(
            "Affinity: nodes in one region has more matching pods comparing to other region, so \
             the region which has more matches will get high score",
            stay_with_s2(S1),
            many.to_vec(),
            FIVE,
            Some(&[100, 0, 100, 100, 0]),
        ),
        Case(
            "Affinity: different Label operators and values for pod affinity scheduling \
             preference, including some match failures",
            operators,
            mixed(),
            THREE,
            Some(&[20, 100, 0]),
        ),
        Case(
            "Affinity symmetry: considered only the \
             preferredDuringSchedulingIgnoredDuringExecution in pod affinity symmetry",
            labelled(S2),
            vec![on("node1", stay_with_s1(S1)), on("node2", stay_with_s2(S2))],
            THREE,
            Some(&[0, 100, 0]),
        ),
        Case(
            "Affinity symmetry: considered RequiredDuringSchedulingIgnoredDuringExecution in pod \
             affinity symmetry",
            labelled(S1),
            ["node1", "node2"]
                .map(|node| {
                    let near: Terms<'_> =
                        &[("security=S1,value2", "region"), ("security&!wrongkey", "region")];
                    on(node, requiring(S1, near, &[]))
                })
                .to_vec(),
            THREE,
            Some(&[100, 100, 0]),
        ),
    ]);
}

#[test]
fn anti_affinity() {
    let run = |node, labels| on(node, labelled(labels));
    check(vec![
        Case(
            "Anti Affinity: pod that does not match existing pods in node will get high score",
            away_from_s1(S1),
            vec![run("node1", S1), run("node2", S2)],
            &["az=az1", "region=China"],
            Some(&[0, 100]),
        ),
        Case(
            "Anti Affinity: pod that does not match topology key & match the pods in nodes will \
             get higher score comparing to others",
            away_from_s1(S1),
            vec![run("node1", S1), run("node2", S1)],
            &["az=az1", "region=China"],
            Some(&[0, 100]),
        ),
        Case(
            "Anti Affinity: one node has more matching pods comparing to other node, so the node \
             which has more unmatches will get high score",
            away_from_s1(S1),
            vec![run("node1", S1), run("node1", S1), run("node2", S2)],
            &["az=az1", "region=India"],
            Some(&[0, 100]),
        ),
        Case(
            "Anti Affinity symmetry: the existing pods in node which has anti affinity match \
             will get high score",
            labelled(S2),
            vec![on("node1", away_from_s2(S1)), on("node2", away_from_s1(S2))],
            &["az=az1", "az=az2"],
            Some(&[0, 100]),
        ),
    ]);
}

#[test]
fn affinity_and_anti_affinity_and_symmetry() {
    let run = |node, labels| on(node, labelled(labels));
    let seven = ["node1", "node1", "node2", "node3", "node3", "node4", "node5"];
    let mut five = FIVE.to_vec();
    five[0] = "region=China az=az1";
    check(vec![
        Case(
            "Affinity and Anti Affinity: considered only \
             preferredDuringSchedulingIgnoredDuringExecution in both pod affinity & anti affinity",
            with_s1_away_from_s2(S1),
            vec![run("node1", S1), run("node2", S1)],
            &["region=China", "az=az1"],
            Some(&[100, 0]),
        ),
        Case(
            "Affinity and Anti Affinity: considering both affinity and anti-affinity, the pod to \
             schedule and existing pods have the same labels",
            with_s1_away_from_s2(S1),
            seven.map(|node| run(node, S1)).to_vec(),
            &five,
            Some(&[100, 0, 100, 100, 0]),
        ),
        Case(
            "Affinity and Anti Affinity and symmetry: considered only \
             preferredDuringSchedulingIgnoredDuringExecution in both pod affinity & anti affinity \
             & symmetry",
            with_s1_away_from_s2(S1),
            vec![
                run("node1", S1),
                run("node2", S2),
                on("node3", with_s1_away_from_s2("")),
                on("node4", away_from_s1("")),
            ],
            &["region=China", "az=az1", "region=India", "az=az2"],
            Some(&[100, 0, 100, 0]),
        ),
        Case(
            "Avoid panic when partial nodes in a topology don't have pods with affinity",
            labelled(S1),
            vec![run("node1", S1), on("node2", with_s1_away_from_s2(""))],
            &["region=China", "region=China"],
            Some(&[0, 0]),
        ),
    ]);
}

#[test]
fn namespaces() {
    let choosing = |mut pod: Pod| {
        let spec = pod.spec.as_mut().and_then(|spec| spec.affinity.as_mut());
        let affinity = spec.expect("affinity");
        let near = affinity.pod_affinity.iter_mut().flat_map(|near| {
            near.preferred_during_scheduling_ignored_during_execution.iter_mut().flatten()
        });
        let far = affinity.pod_anti_affinity.iter_mut().flat_map(|far| {
            far.preferred_during_scheduling_ignored_during_execution.iter_mut().flatten()
        });
        for term in near.chain(far) {
            term.pod_affinity_term.namespaces = Some(vec!["subteam2-team2".into()]);
            term.pod_affinity_term.namespace_selector = Some(selector("team=team1"));
        }
        pod
    };
    let near = || choosing(preferring(S1, &[(5, S1, "region")], &[]));
    let far = || choosing(preferring(S1, &[], &[(5, S1, "region")]));
    let own = |pod| within("subteam1-team1", pod);
    let run = |node, namespace| on(node, within(namespace, labelled(S1)));
    let two: &[&str] = &["region=China", "region=India"];
    let of_team = || {
        let others = [("node1", "subteam1-team1"), ("node1", "subteam2-team1")];
        let mut pods: Vec<Pod> = others.map(|(node, namespace)| run(node, namespace)).to_vec();
        pods.extend([run("node1", "subteam1-team2"), run("node2", "subteam2-team1")]);
        pods
    };
    check(vec![
        Case(
            "Affinity symmetry with namespace selector",
            own(labelled(S1)),
            vec![on("node1", near()), on("node2", stay_with_s2(S2))],
            THREE,
            Some(&[100, 0, 0]),
        ),
        Case(
            "AntiAffinity symmetry with namespace selector",
            own(labelled(S1)),
            vec![on("node1", far()), on("node2", stay_with_s2(S2))],
            THREE,
            Some(&[0, 100, 100]),
        ),
        Case(
            "Affinity with pods matching NamespaceSelector",
            own(near()),
            of_team(),
            two,
            Some(&[100, 0]),
        ),
        Case(
            "Affinity with pods matching both NamespaceSelector and Namespaces fields",
            own(near()),
            [of_team(), vec![run("node2", "subteam2-team2"), run("node2", "subteam2-team2")]]
                .concat(),
            two,
            Some(&[0, 100]),
        ),
        Case(
            "AntiAffinity with pods matching NamespaceSelector",
            own(far()),
            of_team(),
            two,
            Some(&[0, 100]),
        ),
    ]);
}
