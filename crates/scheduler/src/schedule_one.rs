//! Finds a node for one pod: which nodes can take it, which of them is best.
//!
//! Upstream: pkg/scheduler/schedule_one.go

use std::sync::Arc;

use sim::{SmallSet, Sort, Stream};

use crate::cache::Snapshot;
use crate::framework::{
    CycleState, Diagnosis, Framework, Handle, NodeInfo, NodePluginScores, PodInfo, Status,
};
use crate::queue::Nominator;

/// Upstream: minFeasibleNodesToFind and minFeasibleNodesPercentageToFind.
const MIN_FEASIBLE_NODES: usize = 100;
const MIN_FEASIBLE_PERCENTAGE: usize = 5;

/// What a cycle works with.
#[derive(Clone, Copy)]
pub(crate) struct Cycle<'a> {
    pub framework: &'a Framework,
    pub handle: Handle<'a>,
    pub nominated: &'a Nominator,
}

/// Which nodes can take the pod.
#[derive(Default)]
pub(crate) struct Fit {
    /// The places in the snapshot of the nodes that can.
    pub feasible: Vec<usize>,
    /// Why the others cannot, of those that were looked at.
    pub diagnosis: Diagnosis,
    /// What plugins computed on the way.
    pub state: CycleState,
}

impl Fit {
    /// How many nodes were looked at.
    pub fn processed(&self) -> usize {
        self.feasible.len() + self.diagnosis.node_to_status.len()
    }
}

/// Looks for nodes that can take the pod, beginning at place `start`, until there are enough.
/// Upstream: findNodesThatFitPod.
pub(crate) fn find_nodes_that_fit(cycle: Cycle<'_>, pod: &PodInfo, start: usize) -> Fit {
    let Cycle { framework, handle, nominated } = cycle;
    let snapshot = handle.snapshot;
    let mut fit = Fit::default();
    let (names, status, naming) = framework.run_pre_filters(handle, &mut fit.state, pod);
    if !status.is_success() {
        fit.diagnosis.pre_filter_message = status.message();
        fit.diagnosis.add_plugin_status(&status);
        fit.diagnosis.node_to_status.set_absent(status);
        return fit;
    }
    // A node that was promised to the pod is tried before all others.
    if let Some(place) = nominated.node_of(&pod.key).and_then(|node| snapshot.place(node)) {
        let node = &snapshot.nodes()[place];
        let status = framework.run_filters_with_nominated_pods(&fit.state, pod, node, nominated);
        if status.is_success() {
            fit.feasible.push(place);
            return fit;
        }
    }
    let places = candidate_places(snapshot, names.as_ref(), start);
    if names.is_some() {
        let mut naming = naming;
        naming.order();
        let reason = format!("node(s) didn't satisfy plugin(s) [{}]", naming.join(" "));
        fit.diagnosis.node_to_status.set_absent(Status::unresolvable(reason));
        fit.diagnosis.unschedulable_plugins.extend(naming);
    }
    let enough = feasible_nodes_to_find(places.len());
    for place in places {
        if fit.feasible.len() == enough {
            break;
        }
        let Some(node) = snapshot.nodes().get(place) else { continue };
        let status = framework.run_filters_with_nominated_pods(&fit.state, pod, node, nominated);
        if status.is_success() {
            fit.feasible.push(place);
        } else {
            fit.diagnosis.add_plugin_status(&status);
            fit.diagnosis.node_to_status.set(place, status);
        }
    }
    fit
}

/// The places to look at, in their order: all of them or only the nodes named, from `start`.
fn candidate_places(
    snapshot: &Snapshot,
    names: Option<&SmallSet<String>>,
    start: usize,
) -> Vec<usize> {
    let mut places: Vec<usize> = match names {
        None => (0..snapshot.len()).collect(),
        Some(names) => names.iter().filter_map(|name| snapshot.place(name)).collect(),
    };
    if !places.is_empty() {
        let count = places.len();
        places.rotate_left(start % count);
    }
    places
}

/// How many feasible nodes are enough. Upstream: numFeasibleNodesToFind, adaptive.
pub(crate) fn feasible_nodes_to_find(nodes: usize) -> usize {
    if nodes < MIN_FEASIBLE_NODES {
        return nodes;
    }
    let percentage = 50_usize.saturating_sub(nodes / 125).max(MIN_FEASIBLE_PERCENTAGE);
    (nodes * percentage / 100).max(MIN_FEASIBLE_NODES)
}

/// Scores the feasible nodes. Upstream: prioritizeNodes.
pub(crate) fn prioritize(cycle: Cycle<'_>, fit: &mut Fit, pod: &PodInfo) -> Vec<NodePluginScores> {
    let Cycle { framework, handle, .. } = cycle;
    let snapshot = handle.snapshot;
    let nodes: Vec<&NodeInfo> = fit
        .feasible
        .iter()
        .filter_map(|place| snapshot.nodes().get(*place))
        .map(Arc::as_ref)
        .collect();
    framework.run_pre_scores(handle, &mut fit.state, pod, &nodes);
    framework.run_scores(&fit.state, pod, &nodes)
}

/// The weighted sum of the scores of each node.
pub(crate) fn totals(scores: &[NodePluginScores], nodes: usize) -> Vec<i64> {
    let mut totals = vec![0; nodes];
    for plugin in scores {
        for (total, score) in totals.iter_mut().zip(&plugin.normalized) {
            *total += score * plugin.weight;
        }
    }
    totals
}

/// Chooses one of the nodes with the highest score, each with the same probability: the n-th
/// of them replaces the choice with probability 1/n. Upstream: selectHost.
pub(crate) fn select_host(totals: &[i64], stream: &mut Stream) -> Option<usize> {
    let highest = totals.iter().max()?;
    let mut best = totals.iter().enumerate().filter(|(_, total)| *total == highest);
    let (mut chosen, _) = best.next()?;
    for (count, (index, _)) in (2..).zip(best) {
        if stream.below(count) == 0 {
            chosen = index;
        }
    }
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Upstream: TestNumFeasibleNodesToFind.
    #[test]
    fn the_larger_the_cluster_the_smaller_the_part_that_is_looked_at() {
        for (nodes, want) in [(10, 10), (99, 99), (100, 100), (1000, 420), (5000, 500), (6000, 300)]
        {
            assert_eq!(feasible_nodes_to_find(nodes), want, "{nodes} nodes");
        }
    }

    // Upstream: TestSelectHost.
    #[test]
    fn every_node_with_the_highest_score_is_chosen_now_and_then() {
        let mut stream = Stream::new(1, "test");
        let totals = [1, 3, 2, 3, 3];
        let mut chosen = [0; 5];
        for _ in 0..300 {
            chosen[select_host(&totals, &mut stream).expect("not empty")] += 1;
        }
        assert_eq!((chosen[0], chosen[2]), (0, 0));
        assert!([1, 3, 4].iter().all(|place| chosen[*place] > 60), "{chosen:?}");
        assert_eq!(select_host(&[], &mut stream), None);
    }
}
