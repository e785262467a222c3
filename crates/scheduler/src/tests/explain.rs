//! Explanations say what a cycle does, and change nothing.

use client::Component as _;
use trace::What;

use super::cluster::{Cluster, node, pod, tainted};
use crate::{PluginVerdict, Verdict};

fn three_nodes() -> Cluster {
    let (small, large) = ([("cpu", "1"), ("memory", "8Gi")], [("cpu", "4"), ("memory", "8Gi")]);
    Cluster::new(vec![
        tainted(
            node("control-plane", &large),
            "node-role.kubernetes.io/control-plane",
            "NoSchedule",
        ),
        node("large-1", &large),
        node("large-2", &large),
        node("small", &small),
    ])
}

fn verdict<'d>(filters: &'d [PluginVerdict], plugin: &str) -> &'d Verdict {
    let found = filters.iter().find(|verdict| verdict.plugin == plugin);
    &found.expect("present").verdict
}

#[test]
fn every_verdict_and_every_score_of_every_node_is_there() {
    let mut cluster = three_nodes();
    cluster.settle();
    let before = cluster.state();
    let decision = cluster.scheduler.explain(&pod("web", &[("cpu", "2"), ("memory", "4Gi")]));
    assert_eq!(cluster.state(), before, "looking changes nothing");
    assert_eq!(decision.candidates, ["large-1", "large-2"]);
    let node = |name: &str| decision.nodes.iter().find(|node| node.node == name).expect("present");
    let tainted = node("control-plane");
    let reasons = vec!["node(s) had untolerated taint(s)".to_string()];
    let rejected = Verdict::Rejected { reasons, resolvable: false };
    assert_eq!(verdict(&tainted.filters, "NodeName"), &Verdict::Passed);
    assert_eq!(verdict(&tainted.filters, "TaintToleration"), &rejected);
    assert_eq!(verdict(&tainted.filters, "NodeResourcesFit"), &Verdict::NotEvaluated);
    assert!(tainted.scores.iter().all(|score| score.score.is_none()));
    let small = &node("small").filters;
    let reasons = vec!["Insufficient cpu".to_string()];
    assert_eq!(
        verdict(small, "NodeResourcesFit"),
        &Verdict::Rejected { reasons, resolvable: false }
    );
    assert_eq!(verdict(small, "NodePorts"), &Verdict::Skipped);
    let large = node("large-1");
    let scores: Vec<_> =
        large.scores.iter().map(|score| (score.plugin, score.weight, score.score)).collect();
    assert_eq!(
        scores,
        [
            ("TaintToleration", 3, Some((0, 100))),
            ("NodeAffinity", 2, None),
            ("NodeResourcesFit", 1, Some((50, 50))),
            ("PodTopologySpread", 2, None),
            ("InterPodAffinity", 2, None),
            ("NodeResourcesBalancedAllocation", 1, Some((75, 75))),
            ("ImageLocality", 1, Some((0, 0)))
        ]
    );
    assert_eq!(large.total, Some(425));
}

#[test]
fn where_one_node_is_left_nothing_is_scored() {
    let (one, other) = ([("cpu", "1"), ("memory", "8Gi")], [("cpu", "4"), ("memory", "8Gi")]);
    let mut cluster = Cluster::new(vec![node("one", &one), node("other", &other)]);
    cluster.settle();
    let decision = cluster.scheduler.explain(&pod("web", &[("cpu", "2")]));
    assert_eq!(decision.candidates, ["other"]);
    assert!(decision.nodes.iter().all(|node| node.total.is_none()));
}

#[test]
fn a_bound_pod_is_explained_as_if_it_had_no_node() {
    let mut cluster = Cluster::new(vec![node("node-1", &[("cpu", "1"), ("memory", "8Gi")])]);
    cluster.create(pod("web", &[("cpu", "800m")]));
    cluster.settle();
    let bound = cluster.pod("web");
    assert!(bound.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()));
    assert_eq!(cluster.scheduler.explain(&bound).candidates, ["node-1"]);
}

#[test]
fn each_decision_leaves_a_summary_in_the_trace() {
    let mut cluster = three_nodes();
    cluster.create(pod("web", &[("cpu", "2"), ("memory", "4Gi")]));
    cluster.settle();
    let chosen = cluster.node_of("web");
    let mut records = cluster.api.trace.records();
    let summary = records.find_map(|record| match &record.what {
        What::Scheduled { pod, node, nodes, feasible, rejected, top_scores } => Some((
            pod.clone(),
            node.clone(),
            *nodes,
            *feasible,
            rejected.clone(),
            top_scores.clone(),
        )),
        _ => None,
    });
    let (pod, node, nodes, feasible, rejected, top_scores) = summary.expect("recorded");
    assert_eq!((pod.as_str(), node, nodes, feasible), ("default/web", chosen, 4, 2));
    let count = |plugin: &str| (plugin.to_string(), 1);
    assert_eq!(rejected, [count("TaintToleration"), count("NodeResourcesFit")]);
    assert_eq!(top_scores, [("large-1".to_string(), 425), ("large-2".to_string(), 425)]);
    assert!(cluster.scheduler.busy(cluster.api.now).is_none());
}
