//! Prefers nodes near pods that the pod, or a pod that runs already, wants near, and far from
//! those that it wants far.
//!
//! Upstream: pkg/scheduler/framework/plugins/interpodaffinity/scoring.go

use std::collections::BTreeMap;

use api::openapi::api::core::v1::Pod;
use sim::SmallMap;

use super::{HARD_POD_AFFINITY_WEIGHT, InterPodAffinity, NO_LABELS};
use crate::framework::{
    AffinityTerm, CycleState, Handle, MAX_NODE_SCORE, MatchingGroups, NodeInfo, PodInfo,
    PreScorePlugin, ScorePlugin, Status, WeightedAffinityTerm,
};

const PRE_SCORE_STATE: &str = "PreScoreInterPodAffinity";

/// What is won or lost at nodes with a label, by its key and value.
#[derive(Debug, Default)]
struct TopologyScore(SmallMap<String, SmallMap<String, i64>>);

impl TopologyScore {
    fn add(&mut self, node: &NodeInfo, term: &AffinityTerm, weight: i64) {
        let key = &term.topology_key;
        let Some(value) = node.labels().get(key) else { return };
        let values = self.0.entry(key.clone()).or_default();
        *values.entry(value.clone()).or_default() += weight;
    }

    /// What a pod on the node wants of this one: what it requires counts as well, since the
    /// requirement does not hold for this pod.
    fn add_existing(
        &mut self,
        other: &PodInfo,
        node: &NodeInfo,
        (pod, namespace_labels): (&Pod, &BTreeMap<String, String>),
    ) {
        for term in other.required_affinity() {
            if term.matches(pod, namespace_labels) {
                self.add(node, term, HARD_POD_AFFINITY_WEIGHT);
            }
        }
        for (terms, sign) in
            [(other.preferred_affinity(), 1), (other.preferred_anti_affinity(), -1)]
        {
            for WeightedAffinityTerm { term, weight } in terms {
                if term.matches(pod, namespace_labels) {
                    self.add(node, term, sign * weight);
                }
            }
        }
    }
}

/// What this pod prefers: near what the weight is positive for, far from the rest.
fn preferences(handle: Handle<'_>, pod: &PodInfo) -> Vec<WeightedAffinityTerm> {
    let near = pod.preferred_affinity().iter().map(|weighted| (weighted, 1));
    let far = pod.preferred_anti_affinity().iter().map(|weighted| (weighted, -1));
    let resolve = |(weighted, sign): (&WeightedAffinityTerm, i64)| {
        let mut term = weighted.term.clone();
        term.resolve_namespaces(|selector| handle.listers.namespaces(selector));
        WeightedAffinityTerm { term, weight: sign * weighted.weight }
    };
    near.chain(far).map(resolve).collect()
}

impl PreScorePlugin for InterPodAffinity {
    fn pre_score(
        &self,
        handle: Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        _nodes: &[&NodeInfo],
    ) -> Status {
        let mut score = TopologyScore::default();
        let mut with_affinity = handle.snapshot.with_affinity().peekable();
        if with_affinity.peek().is_some() {
            let labels = handle.listers.namespace_labels(&pod.key.namespace);
            for node in with_affinity {
                let keys = node.pods_with_affinity.iter();
                for other in keys.filter_map(|key| node.pods.get(key)) {
                    score.add_existing(other, node, (&pod.pod, &labels));
                }
            }
        }
        for WeightedAffinityTerm { term, weight } in preferences(handle, pod) {
            let mut groups = MatchingGroups::default();
            for node in handle.snapshot.nodes() {
                let count = groups.count(&node.groups, |other| term.matches(other, &NO_LABELS));
                if count > 0 {
                    score.add(node, &term, weight * count);
                }
            }
        }
        if score.0.is_empty() {
            return Status::SKIP;
        }
        state.write(PRE_SCORE_STATE, score);
        Status::SUCCESS
    }
}

impl ScorePlugin for InterPodAffinity {
    fn score(&self, state: &CycleState, _pod: &PodInfo, node: &NodeInfo) -> i64 {
        let Some(score) = state.read::<TopologyScore>(PRE_SCORE_STATE) else { return 0 };
        let won = score.0.iter().filter_map(|(key, values)| values.get(node.labels().get(key)?));
        won.sum()
    }

    fn normalize_score(&self, _: &CycleState, _: &[&NodeInfo], scores: &mut [i64]) {
        let least = scores.iter().copied().min().unwrap_or(0);
        let most = scores.iter().copied().max().unwrap_or(0);
        let span = most - least;
        for score in scores {
            let part = if span > 0 { (*score - least) as f64 / span as f64 } else { 0.0 };
            *score = (MAX_NODE_SCORE as f64 * part) as i64;
        }
    }
}
