//! Explains a decision: every verdict and every score of every node, computed on demand from
//! what the scheduler knows, with no effect on it. What a cycle would leave out is marked as
//! not evaluated.

use std::sync::Arc;

use api::Key;
use api::openapi::api::core::v1::Pod;

use crate::Scheduler;
use crate::framework::{Code, CycleState, Handle, NodeInfo, NodePluginScores, PodInfo, Status};
use crate::schedule_one::{Cycle, Fit, find_nodes_that_fit, prioritize, totals};

/// What a filter says of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The pod may run there.
    Passed,
    /// It may not.
    Rejected {
        /// Why.
        reasons: Vec<String>,
        /// Whether deleting other pods might help.
        resolvable: bool,
    },
    /// The plugin has nothing to say about this pod.
    Skipped,
    /// The cycle does not get that far.
    NotEvaluated,
}

/// What one filter plugin says of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginVerdict {
    /// The plugin.
    pub plugin: &'static str,
    /// What it says.
    pub verdict: Verdict,
}

/// How one plugin scores a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginScore {
    /// The plugin.
    pub plugin: &'static str,
    /// How much its score counts.
    pub weight: i64,
    /// The score as the plugin gave it and as it was brought between 0 and 100; `None` when it
    /// was not evaluated.
    pub score: Option<(i64, i64)>,
}

/// What is said of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeDecision {
    /// The node.
    pub node: String,
    /// The filters, in their order.
    pub filters: Vec<PluginVerdict>,
    /// The scores, in the plugins' order.
    pub scores: Vec<PluginScore>,
    /// The weighted sum of the scores.
    pub total: Option<i64>,
}

/// The decision on a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// `namespace/name` of the pod.
    pub pod: String,
    /// The plugin that keeps it from the queue, if one does.
    pub gated_by: Option<&'static str>,
    /// What a PreFilter plugin says against it, whatever the node.
    pub pre_filter: Option<String>,
    /// The nodes, in the order in which the next cycle would look at them.
    pub nodes: Vec<NodeDecision>,
    /// The nodes that share the highest score: one of them is chosen at random.
    pub candidates: Vec<String>,
}

impl Scheduler {
    /// What the scheduler would decide about the pod now. A pod that has a node is looked at as
    /// if it had none.
    #[must_use]
    pub fn explain(&self, pod: &Pod) -> Decision {
        let mut pod = pod.clone();
        if let Some(spec) = &mut pod.spec {
            spec.node_name = None;
        }
        let pod = PodInfo::new(Arc::new(pod));
        let snapshot = self.snapshot_without(&pod.key);
        let start = self.next_start_node_index;
        let cycle = Cycle {
            framework: &self.framework,
            handle: Handle { snapshot: &snapshot, listers: &self.listers },
            nominated: &self.queue.nominator,
        };
        let mut fit = find_nodes_that_fit(cycle, &pod, start);
        let scores = match fit.feasible.len() {
            0 | 1 => Vec::new(),
            _ => prioritize(cycle, &mut fit, &pod),
        };
        let sums = totals(&scores, fit.feasible.len());
        let pre_filter = &fit.diagnosis.pre_filter_message;
        let count = snapshot.len();
        let places = (0..count).map(|index| (start + index) % count);
        let nodes = places
            .map(|place| self.explain_node(&fit, &scores, &sums, (place, &snapshot.nodes()[place])))
            .collect();
        let highest = sums.iter().max();
        let best = fit.feasible.iter().zip(&sums).filter(|(_, sum)| Some(*sum) == highest);
        Decision {
            pod: pod.key.to_string(),
            gated_by: self.framework.run_pre_enqueue(&pod),
            pre_filter: (!pre_filter.is_empty()).then(|| pre_filter.clone()),
            nodes,
            candidates: best.map(|(place, _)| snapshot.nodes()[*place].name.to_string()).collect(),
        }
    }

    fn snapshot_without(&self, key: &Key) -> crate::cache::Snapshot {
        let mut cache = self.cache.clone();
        cache.remove_pod(key);
        let mut snapshot = self.snapshot.clone();
        cache.update_snapshot(&mut snapshot);
        snapshot
    }

    fn explain_node(
        &self,
        fit: &Fit,
        scores: &[NodePluginScores],
        sums: &[i64],
        (place, node): (usize, &NodeInfo),
    ) -> NodeDecision {
        let feasible = fit.feasible.iter().position(|feasible| *feasible == place);
        let mut statuses = fit.diagnosis.node_to_status.iter();
        let rejection = statuses.find(|(other, _)| *other == place).map(|(_, status)| status);
        let is_evaluated = feasible.is_some() || rejection.is_some();
        let scores_of = self.framework.score_plugins().map(|(plugin, weight)| {
            let given = scores.iter().find(|scores| scores.plugin == plugin);
            let score = given
                .zip(feasible)
                .map(|(scores, index)| (scores.raw[index], scores.normalized[index]));
            PluginScore { plugin, weight, score }
        });
        NodeDecision {
            node: node.name.to_string(),
            filters: self.explain_filters(&fit.state, is_evaluated, rejection),
            scores: scores_of.collect(),
            total: feasible.filter(|_| !scores.is_empty()).map(|index| sums[index]),
        }
    }

    /// The filters up to the one that rejected the node, if one did.
    fn explain_filters(
        &self,
        state: &CycleState,
        is_evaluated: bool,
        rejection: Option<&Status>,
    ) -> Vec<PluginVerdict> {
        let mut reached = is_evaluated;
        let filters = self.framework.filters();
        filters
            .map(|plugin| {
                let verdict = match rejection.filter(|status| status.plugin == plugin) {
                    _ if !reached => Verdict::NotEvaluated,
                    Some(status) => {
                        reached = false;
                        let reasons = status.reasons.iter().map(ToString::to_string).collect();
                        Verdict::Rejected {
                            reasons,
                            resolvable: status.code == Code::Unschedulable,
                        }
                    }
                    None if state.skips_filter(plugin) => Verdict::Skipped,
                    None => Verdict::Passed,
                };
                PluginVerdict { plugin, verdict }
            })
            .collect()
    }
}
