//! Prefers nodes where a pod would make its pods' spread more even.
//!
//! Upstream: pkg/scheduler/framework/plugins/podtopologyspread/scoring.go

use std::sync::Arc;

use api::openapi::api::core::v1::Pod;
use sim::{OrdMap, OrdSet};

use super::PodTopologySpread;
use super::common::{
    Constraint, SCHEDULE_ANYWAY, constraints_of, default_constraints, has_own_constraints,
    is_in_every_domain,
};
use crate::framework::{
    CycleState, Handle, MAX_NODE_SCORE, MatchingGroups, NodeInfo, PodInfo, PreScorePlugin,
    ScorePlugin, Status, TopologyKey,
};

const PRE_SCORE_STATE: &str = "PreScorePodTopologySpread";

/// How the pods of one constraint are spread.
#[derive(Debug)]
struct Spread {
    constraint: Constraint,
    /// How many pods each domain of a feasible node has; not used for hosts, whose pods are
    /// counted when a node is scored.
    counts: OrdMap<String, i64>,
    /// Whether any of the nodes to be scored is in a domain.
    is_known: bool,
    /// How much a pod counts: more when there are more domains, each of which then has fewer.
    weight: f64,
    groups: MatchingGroups,
}

#[derive(Debug)]
struct PreScoreState {
    spreads: Vec<Spread>,
    /// The feasible nodes that lack a label which a constraint asks for.
    ignored: OrdSet<Arc<str>>,
}

impl Spread {
    fn new(constraint: Constraint, scored: &[&NodeInfo]) -> Self {
        let mut counts = OrdMap::new();
        let mut domains = scored.len();
        let mut is_known = true;
        if constraint.topology_key != TopologyKey::Hostname {
            is_known = false;
            let mut last = None;
            for node in scored {
                let place = node.place(&constraint.topology_key);
                is_known |= place.is_some();
                // Nodes of one place come one after the other, as all do that are in none.
                if last == Some(place) {
                    continue;
                }
                last = Some(place);
                let place = place.unwrap_or_default();
                if !counts.contains_key(place) {
                    counts.insert(place.to_string(), 0);
                }
            }
            domains = counts.len();
        }
        let groups = MatchingGroups::default();
        Spread { constraint, counts, is_known, weight: normalizing_weight(domains), groups }
    }

    /// Whether a pod is among those that are spread, for a pod of that namespace.
    fn selects(&self, namespace: Option<&str>, other: &Pod) -> bool {
        other.metadata.namespace.as_deref() == namespace
            && self.constraint.selector.matches_meta(&other.metadata)
    }

    /// Counts the pods of the domains. If every node is one, that is left until the node is
    /// scored; most pods there are like the one that is to be placed.
    fn count(&mut self, pod: &PodInfo, counted: &[&NodeInfo]) {
        let namespace = pod.pod.metadata.namespace.as_deref();
        let mut groups = MatchingGroups::default();
        groups.know(pod, self.selects(namespace, &pod.pod));
        let mut counts = std::mem::take(&mut self.counts);
        let key = &self.constraint.topology_key;
        if *key != TopologyKey::Hostname && self.is_known {
            for node in counted.iter().filter(|node| self.constraint.includes(pod, node)) {
                if let Some(count) = counts.get_mut(node.place(key).unwrap_or_default()) {
                    *count +=
                        groups.count_staying(&node.groups, |other| self.selects(namespace, other));
                }
            }
        }
        (self.counts, self.groups) = (counts, groups);
    }
}

/// Upstream: topologyNormalizingWeight.
fn normalizing_weight(domains: usize) -> f64 {
    libm::log((domains + 2) as f64)
}

impl PreScorePlugin for PodTopologySpread {
    fn pre_score(
        &self,
        handle: Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        nodes: &[&NodeInfo],
    ) -> Status {
        // Nodes without a zone are still spread over as hosts by the system's defaults.
        let require_all = has_own_constraints(&pod.pod);
        let constraints = if require_all {
            constraints_of(&pod.pod, SCHEDULE_ANYWAY)
        } else {
            default_constraints(handle, &pod.pod)
        };
        if constraints.is_empty() {
            return Status::SKIP;
        }
        let is_counted = |node: &NodeInfo| !require_all || is_in_every_domain(node, &constraints);
        let (scored, ignored): (Vec<&NodeInfo>, Vec<&NodeInfo>) =
            nodes.iter().partition(|node| is_counted(node));
        let ignored = ignored.into_iter().map(|node| node.name.clone()).collect();
        let all = handle.snapshot.nodes().iter().map(Arc::as_ref);
        let counted: Vec<&NodeInfo> = all.filter(|node| is_counted(node)).collect();
        let spread = |constraint| {
            let mut spread = Spread::new(constraint, &scored);
            spread.count(pod, &counted);
            spread
        };
        let spreads = constraints.clone().into_iter().map(spread).collect();
        state.write(PRE_SCORE_STATE, PreScoreState { spreads, ignored });
        Status::SUCCESS
    }
}

impl ScorePlugin for PodTopologySpread {
    /// How many pods are in the node's domains already: fewer is better.
    fn score(&self, state: &CycleState, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let Some(state) = state.read::<PreScoreState>(PRE_SCORE_STATE) else { return 0 };
        if state.ignored.contains(&node.name) {
            return 0;
        }
        let namespace = pod.pod.metadata.namespace.as_deref();
        let mut score = 0.0;
        for spread in state.spreads.iter().filter(|spread| spread.is_known) {
            let Spread { constraint, counts, weight, groups, .. } = spread;
            let Some(value) = node.place(&constraint.topology_key) else { continue };
            let count = if constraint.topology_key == TopologyKey::Hostname {
                groups.known_staying(&node.groups, |other| spread.selects(namespace, other))
            } else {
                counts.get(value).copied().unwrap_or(0)
            };
            // What a constraint tolerates is added everywhere: the more, the less differences
            // between domains matter.
            score += count as f64 * weight + (constraint.max_skew - 1) as f64;
        }
        score.round() as i64
    }

    fn normalize_score(&self, state: &CycleState, nodes: &[&NodeInfo], scores: &mut [i64]) {
        let Some(state) = state.read::<PreScoreState>(PRE_SCORE_STATE) else { return };
        let is_ignored = |node: &NodeInfo| state.ignored.contains(&node.name);
        let scored = nodes.iter().zip(scores.iter()).filter(|(node, _)| !is_ignored(node));
        let scored = scored.map(|(_, score)| *score);
        let (least, most) = (scored.clone().min().unwrap_or(0), scored.max().unwrap_or(0));
        for (node, score) in nodes.iter().zip(scores) {
            *score = match most {
                _ if is_ignored(node) => 0,
                0 => MAX_NODE_SCORE,
                most => MAX_NODE_SCORE * (most + least - *score) / most,
            };
        }
    }
}
