//! The tables of upstream's tests. A selector is written `key`, `!key`, `key=a,b` or `key!=a,b`,
//! several of them with `&` between.
//!
//! Upstream: pkg/scheduler/framework/plugins/interpodaffinity/{filtering,scoring,plugin}_test.go

use api::openapi::api::core::v1::{
    Affinity, Node, Pod, PodAffinity, PodAffinityTerm, PodAntiAffinity, WeightedPodAffinityTerm,
};
use api::openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::*;
use crate::framework::{Code, CycleState, Status};
use crate::plugins::world::{World, info};
use crate::tests::cluster;

mod hints;
mod multiple_nodes;
mod scores;
mod single_node;

const NAME: &str = "InterPodAffinity";

const OK: &str = "";
const NEAR: &str = "node(s) didn't match pod affinity rules";
const FAR: &str = "node(s) didn't match pod anti-affinity rules";
const EXISTING: &str = "node(s) didn't satisfy existing pods anti-affinity rules";

/// What the filter says: only that nothing is near is beyond what preemption could change.
fn status(reason: &'static str) -> Status {
    match reason {
        OK => Status::SUCCESS,
        NEAR => Status { code: Code::UnschedulableAndUnresolvable, ..Status::unresolvable(NEAR) },
        _ => Status::unschedulable(reason),
    }
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let words = text.split(' ').filter(|word| !word.is_empty());
    let pair = |word: &str| {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        (key.to_string(), value.to_string())
    };
    words.map(pair).collect()
}

fn node(name: &str, labels: &str) -> Node {
    let mut node = cluster::node(name, &[]);
    node.metadata.labels = Some(pairs(labels));
    node
}

fn selector(text: &str) -> LabelSelector {
    let requirement = |text: &str| {
        let listed = |values: &str| Some(values.split(',').map(str::to_string).collect());
        let (key, operator, values) = if let Some((key, values)) = text.split_once("!=") {
            (key, "NotIn", listed(values))
        } else if let Some((key, values)) = text.split_once('=') {
            (key, "In", listed(values))
        } else if let Some(key) = text.strip_prefix('!') {
            (key, "DoesNotExist", None)
        } else {
            (text, "Exists", None)
        };
        LabelSelectorRequirement { key: key.into(), operator: operator.into(), values }
    };
    let requirements = text.split('&').filter(|text| !text.is_empty()).map(requirement).collect();
    LabelSelector { match_expressions: Some(requirements), match_labels: None }
}

/// A term: which pods, and the key of the nodes' label.
fn term((pods, key): &(&str, &str)) -> PodAffinityTerm {
    PodAffinityTerm {
        label_selector: Some(selector(pods)),
        topology_key: (*key).to_string(),
        ..PodAffinityTerm::default()
    }
}

type Terms<'a> = &'a [(&'a str, &'a str)];

fn labelled(labels: &str) -> Pod {
    let mut pod = cluster::pod("p", &[]);
    pod.metadata.name = None;
    pod.metadata.labels = Some(pairs(labels));
    pod
}

/// A pod that requires others near and far.
fn requiring(labels: &str, near: Terms<'_>, far: Terms<'_>) -> Pod {
    let mut pod = labelled(labels);
    let terms = |terms: Terms<'_>| Some(terms.iter().map(term).collect());
    let near = PodAffinity {
        required_during_scheduling_ignored_during_execution: terms(near),
        ..PodAffinity::default()
    };
    let far = PodAntiAffinity {
        required_during_scheduling_ignored_during_execution: terms(far),
        ..PodAntiAffinity::default()
    };
    pod.spec.get_or_insert_default().affinity = Some(Affinity {
        pod_affinity: Some(near),
        pod_anti_affinity: Some(far),
        node_affinity: None,
    });
    pod
}

fn on(node: &str, mut pod: Pod) -> Pod {
    pod.spec.get_or_insert_default().node_name = Some(node.to_string());
    pod
}

fn within(namespace: &str, mut pod: Pod) -> Pod {
    pod.metadata.namespace = Some(namespace.to_string());
    pod
}

/// Changes the first required term of a pod's affinity.
fn with_near(mut pod: Pod, change: impl FnOnce(&mut PodAffinityTerm)) -> Pod {
    let affinity = pod.spec.as_mut().and_then(|spec| spec.affinity.as_mut());
    let near = affinity.and_then(|affinity| affinity.pod_affinity.as_mut()).expect("affinity");
    let terms = near.required_during_scheduling_ignored_during_execution.as_mut();
    change(&mut terms.expect("required")[0]);
    pod
}

fn create_namespaces(cluster: &mut client::testing::TestCluster) {
    use api::openapi::api::core::v1::Namespace;
    for (name, team) in [
        ("subteam1-team1", "team1"),
        ("subteam2-team1", "team1"),
        ("subteam1-team2", "team2"),
        ("subteam2-team2", "team2"),
    ] {
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.into());
        namespace.metadata.labels = Some(pairs(&format!("team={team}")));
        cluster.api::<Namespace>("").create(namespace).expect("created");
    }
}
