//! Pods that are spread, and pods that want others near or far, against an API server.

use std::collections::BTreeMap;

use api::openapi::api::apps::v1::{ReplicaSet, ReplicaSetSpec};
use api::openapi::api::core::v1::{
    Affinity, Node, Pod, PodAffinity, PodAffinityTerm, PodAntiAffinity, PodTemplateSpec,
    TopologySpreadConstraint,
};
use api::openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use component_helpers::controller_ref::new_controller_ref;
use sim::Duration;

use super::cluster::{Cluster, metadata, node, pod, with_spec};
use crate::Verdict;

const HOST: &str = "kubernetes.io/hostname";

fn labels(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
    Some(pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect())
}

fn host(name: &str, zone: &str, cpu: &str) -> Node {
    let mut node = node(name, &[("cpu", cpu), ("memory", "64Gi")]);
    node.metadata.labels = labels(&[(HOST, name), ("topology.kubernetes.io/zone", zone)]);
    node
}

fn web(name: &str) -> Pod {
    let mut pod = pod(name, &[("cpu", "100m")]);
    pod.metadata.labels = labels(&[("app", "web")]);
    pod
}

fn selector() -> Option<LabelSelector> {
    Some(LabelSelector { match_labels: labels(&[("app", "web")]), match_expressions: None })
}

fn term() -> PodAffinityTerm {
    PodAffinityTerm {
        label_selector: selector(),
        topology_key: HOST.into(),
        ..PodAffinityTerm::default()
    }
}

fn spread_over_zones(name: &str) -> Pod {
    let constraint = TopologySpreadConstraint {
        max_skew: 1,
        topology_key: "topology.kubernetes.io/zone".into(),
        when_unsatisfiable: "DoNotSchedule".into(),
        label_selector: selector(),
        ..TopologySpreadConstraint::default()
    };
    with_spec(web(name), |spec| spec.topology_spread_constraints = Some(vec![constraint]))
}

fn repelling(name: &str) -> Pod {
    let far = PodAntiAffinity {
        required_during_scheduling_ignored_during_execution: Some(vec![term()]),
        ..PodAntiAffinity::default()
    };
    with_spec(web(name), |spec| {
        let affinity = Affinity { pod_anti_affinity: Some(far), ..Affinity::default() };
        spec.affinity = Some(affinity);
    })
}

#[test]
fn a_pod_that_would_make_the_spread_uneven_waits_for_another_zone() {
    let mut cluster = Cluster::new(vec![host("a", "1", "4"), host("b", "2", "250m")]);
    for name in ["one", "two", "three", "four"] {
        cluster.create(spread_over_zones(name));
        cluster.settle();
    }
    let mut nodes: Vec<_> = ["one", "two", "three", "four"]
        .iter()
        .map(|name| cluster.node_of(name).expect("placed"))
        .collect();
    nodes.sort();
    assert_eq!(nodes, ["a", "a", "b", "b"]);
    cluster.create(spread_over_zones("five"));
    cluster.create(spread_over_zones("six"));
    cluster.settle();
    assert_eq!(cluster.node_of("five").as_deref(), Some("a"), "3 and 2 are within the skew");
    let message = cluster.condition("six").message.unwrap_or_default();
    let words = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match pod \
                 topology spread constraints. ";
    assert!(message.starts_with(words), "{message}");
    let waiting = cluster.pod("six");
    let decision = cluster.scheduler.explain(&waiting);
    let on_a = decision.nodes.iter().find(|node| node.node == "a").expect("explained");
    let verdict = on_a.filters.iter().find(|verdict| verdict.plugin == "PodTopologySpread");
    let reasons = vec!["node(s) didn't match pod topology spread constraints".to_string()];
    assert_eq!(verdict.expect("present").verdict, Verdict::Rejected { reasons, resolvable: true });
    // A node of the other zone helps at once.
    cluster.add_node(host("c", "2", "4"));
    cluster.run(Duration::from_secs(3));
    assert_eq!(cluster.node_of("six").as_deref(), Some("c"));
}

#[test]
fn a_pod_waits_for_those_that_it_wants_near_and_for_others_to_go() {
    let mut cluster = Cluster::new(vec![host("a", "1", "4"), host("b", "2", "4")]);
    let near = PodAffinity {
        required_during_scheduling_ignored_during_execution: Some(vec![term()]),
        ..PodAffinity::default()
    };
    let follower = with_spec(pod("follower", &[("cpu", "100m")]), |spec| {
        spec.affinity = Some(Affinity { pod_affinity: Some(near), ..Affinity::default() });
    });
    cluster.create(follower);
    cluster.settle();
    assert_eq!(
        cluster.condition("follower").message.as_deref().map(|text| text.split(". ").next()),
        Some(Some("0/2 nodes are available: 2 node(s) didn't match pod affinity rules"))
    );
    cluster.create(web("web"));
    cluster.run(Duration::from_secs(3));
    assert!(cluster.node_of("web").is_some());
    assert_eq!(cluster.node_of("follower"), cluster.node_of("web"));
    for name in ["first", "second"] {
        cluster.create(repelling(name));
        cluster.settle();
    }
    let taken = cluster.node_of("web").expect("placed");
    let first = cluster.node_of("first").expect("placed");
    assert_ne!(first, taken);
    let message = cluster.condition("second").message.unwrap_or_default();
    let words = "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules. ";
    assert!(message.starts_with(words), "{message}");
    cluster.create(web("late"));
    cluster.settle();
    assert_eq!(cluster.node_of("late"), Some(taken), "the other node has a pod that repels it");
    cluster.delete_now("first");
    cluster.run(Duration::from_secs(3));
    assert_eq!(cluster.node_of("second"), Some(first));
}

/// What preemption tries takes in how going pods change the counts.
#[test]
fn a_pod_that_stands_in_the_way_by_its_labels_alone_is_preempted() {
    let mut cluster = Cluster::new(vec![host("a", "1", "4")]);
    cluster.create(web("web"));
    let mut bystander = web("bystander");
    bystander.metadata.labels = labels(&[("app", "other")]);
    cluster.create(bystander);
    cluster.settle();
    let urgent = with_spec(repelling("urgent"), |spec| {
        spec.priority_class_name = Some("system-cluster-critical".into());
    });
    cluster.create(urgent);
    cluster.settle();
    assert!(cluster.pod("web").metadata.deletion_timestamp.is_some());
    assert!(cluster.pod("bystander").metadata.deletion_timestamp.is_none());
    cluster.delete_now("web");
    cluster.run(Duration::from_secs(3));
    assert_eq!(cluster.node_of("urgent").as_deref(), Some("a"));
}

/// The system's defaults weigh more than that one node is far larger.
#[test]
fn pods_of_a_replica_set_are_spread_over_hosts() {
    let nodes = vec![host("large", "1", "64"), host("b", "1", "8"), host("c", "1", "8")];
    let mut cluster = Cluster::new(nodes);
    let template = web("template");
    let spec = ReplicaSetSpec {
        selector: selector().unwrap_or_default(),
        template: Some(PodTemplateSpec {
            metadata: Some(template.metadata.clone()),
            spec: template.spec,
        }),
        ..ReplicaSetSpec::default()
    };
    let replica_set = ReplicaSet { metadata: metadata("web"), spec, status: None };
    let created = cluster.api.api::<ReplicaSet>("default").create(replica_set).expect("created");
    for name in ["1", "2", "3", "4", "5", "6"] {
        let mut pod = web(name);
        pod.metadata.owner_references = Some(vec![new_controller_ref(&*created)]);
        cluster.create(pod);
        cluster.settle();
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for name in ["1", "2", "3", "4", "5", "6"] {
        *counts.entry(cluster.node_of(name).expect("placed")).or_default() += 1;
    }
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [2, 2, 2]);
}
