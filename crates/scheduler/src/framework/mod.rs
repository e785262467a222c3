//! The extension points of the scheduling framework, and what runs through them.
//!
//! Upstream: staging/src/k8s.io/kube-scheduler/framework/interface.go

mod affinity_term;
mod cycle_state;
mod events;
mod fit_error;
mod pod_groups;
mod runtime;
mod status;
mod types;

pub use affinity_term::{AffinityTerm, WeightedAffinityTerm};
pub use cycle_state::CycleState;
pub use events::{
    ActionType, ClusterEvent, EventObject, EventWithHint, Hint, Resource as EventResource,
    node_scheduling_properties_change, pod_scheduling_properties_change,
};
pub use fit_error::{Diagnosis, NO_NODES_AVAILABLE, NodeToStatus, fit_error_message};
pub use pod_groups::{MatchingGroups, PodGroups};
pub use runtime::{Framework, NodePluginScores};
pub use status::{Code, Status};
pub use types::{NodeInfo, PodInfo, QueuedPodInfo, Resource, TopologyKey, pod_priority};

use crate::cache::Snapshot;
use crate::listers::Listers;
use sim::SmallSet;

/// The highest score a plugin gives a node.
pub const MAX_NODE_SCORE: i64 = 100;

/// A plugin: its name, its weight among the scores, what may make a pod that it turned away
/// schedulable, and the extension points it takes part in.
pub trait Plugin: Sync {
    /// Upstream's name of the plugin.
    fn name(&self) -> &'static str;

    /// The weight of its score.
    fn weight(&self) -> i64 {
        1
    }

    /// The cluster events that may help a pod that it turned away.
    fn events_to_register(&self) -> &'static [EventWithHint] {
        &[]
    }

    /// The plugin before a pod enters the active queue.
    fn as_pre_enqueue(&self) -> Option<&dyn PreEnqueuePlugin> {
        None
    }

    /// The plugin that sorts the queue. Exactly one does.
    fn as_queue_sort(&self) -> Option<&dyn QueueSortPlugin> {
        None
    }

    /// The plugin before the filters.
    fn as_pre_filter(&self) -> Option<&dyn PreFilterPlugin> {
        None
    }

    /// The plugin as a filter.
    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        None
    }

    /// The plugin when no node passed.
    fn as_post_filter(&self) -> Option<&dyn PostFilterPlugin> {
        None
    }

    /// The plugin before the scores.
    fn as_pre_score(&self) -> Option<&dyn PreScorePlugin> {
        None
    }

    /// The plugin as a score.
    fn as_score(&self) -> Option<&dyn ScorePlugin> {
        None
    }

    /// The plugin when a node was chosen.
    fn as_reserve(&self) -> Option<&dyn ReservePlugin> {
        None
    }

    /// The plugin that may hold back or refuse a binding.
    fn as_permit(&self) -> Option<&dyn PermitPlugin> {
        None
    }

    /// The plugin before the binding.
    fn as_pre_bind(&self) -> Option<&dyn PreBindPlugin> {
        None
    }

    /// The plugin that binds.
    fn as_bind(&self) -> Option<&dyn BindPlugin> {
        None
    }

    /// The plugin after the binding.
    fn as_post_bind(&self) -> Option<&dyn PostBindPlugin> {
        None
    }
}

/// Decides whether a pod may enter the active queue at all.
pub trait PreEnqueuePlugin: Sync {
    /// Rejects a pod that is not to be scheduled yet.
    fn pre_enqueue(&self, pod: &PodInfo) -> Status;
}

/// Sorts the active queue.
pub trait QueueSortPlugin: Sync {
    /// Where the pod stands in the queue: least first.
    fn position(&self, pod: &QueuedPodInfo) -> (i64, sim::Time);
}

/// What a plugin can look at beside the pod and a node.
#[derive(Clone, Copy)]
pub struct Handle<'a> {
    /// All nodes, with the pods on them.
    pub snapshot: &'a Snapshot,
    /// The objects of other kinds.
    pub listers: &'a Listers,
}

/// Looks at the pod before the filters run.
pub trait PreFilterPlugin: Sync {
    /// Computes what its filter needs, and names the nodes that alone can pass, if it knows
    /// them. `Skip` leaves its filter out of this cycle.
    fn pre_filter(
        &self,
        handle: Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
    ) -> (Option<SmallSet<String>>, Status);

    /// Brings what was computed up to date when `other` is taken to be on the node.
    fn add_pod(&self, state: &mut CycleState, pod: &PodInfo, other: &PodInfo, node: &NodeInfo) {
        let _ = (state, pod, other, node);
    }

    /// Brings what was computed up to date when `other` is taken to be gone from the node.
    fn remove_pod(&self, state: &mut CycleState, pod: &PodInfo, other: &PodInfo, node: &NodeInfo) {
        let _ = (state, pod, other, node);
    }
}

/// Decides whether a pod may run on a node.
pub trait FilterPlugin: Sync {
    /// Rejects a node that cannot run the pod.
    fn filter(&self, state: &CycleState, pod: &PodInfo, node: &NodeInfo) -> Status;
}

/// What a PostFilter plugin sees.
pub struct PostFilterContext<'a> {
    /// The plugins of the profile.
    pub framework: &'a Framework,
    /// The nodes.
    pub snapshot: &'a Snapshot,
    /// Pods that were promised a node.
    pub nominated: &'a crate::queue::Nominator,
    /// Where in the list of nodes to begin.
    pub offset: u64,
}

/// What a PostFilter plugin proposes.
#[derive(Clone, Debug, Default)]
pub struct PostFilterResult {
    /// The node to promise to the pod: `Some(None)` takes a promise back.
    pub nominated_node: Option<Option<String>>,
    /// Pods to delete so that the pod fits.
    pub victims: Vec<std::sync::Arc<PodInfo>>,
}

/// Tries to make room for a pod that no node could take.
pub trait PostFilterPlugin: Sync {
    /// Proposes how the pod could be scheduled later.
    fn post_filter(
        &self,
        cx: &PostFilterContext<'_>,
        state: &CycleState,
        pod: &PodInfo,
        statuses: &NodeToStatus,
    ) -> (PostFilterResult, Status);
}

/// Looks at the pod and the feasible nodes before they are scored.
pub trait PreScorePlugin: Sync {
    /// Computes what its score needs. `Skip` leaves its score out of this cycle.
    fn pre_score(
        &self,
        handle: Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        nodes: &[&NodeInfo],
    ) -> Status;
}

/// Scores nodes.
pub trait ScorePlugin: Sync {
    /// How well the pod would do on the node: 0 to [`MAX_NODE_SCORE`], or any number that
    /// `normalize_score` brings there.
    fn score(&self, state: &CycleState, pod: &PodInfo, node: &NodeInfo) -> i64;

    /// Brings the scores of the nodes between 0 and [`MAX_NODE_SCORE`].
    fn normalize_score(&self, state: &CycleState, nodes: &[&NodeInfo], scores: &mut [i64]) {
        let _ = (state, nodes, scores);
    }
}

/// Keeps account of what a pod will use.
pub trait ReservePlugin: Sync {
    /// Reserves for the pod.
    fn reserve(&self, state: &mut CycleState, pod: &PodInfo, node: &str) -> Status;
    /// Takes the reservation back.
    fn unreserve(&self, state: &mut CycleState, pod: &PodInfo, node: &str);
}

/// Allows or refuses the binding.
pub trait PermitPlugin: Sync {
    /// Rejects a binding.
    fn permit(&self, state: &CycleState, pod: &PodInfo, node: &str) -> Status;
}

/// Prepares the binding.
pub trait PreBindPlugin: Sync {
    /// Does what must be done before the pod is bound.
    fn pre_bind(&self, cx: &mut client::Context<'_>, pod: &PodInfo, node: &str) -> Status;
}

/// Binds.
pub trait BindPlugin: Sync {
    /// Binds the pod to the node.
    fn bind(
        &self,
        cx: &mut client::Context<'_>,
        identity: &apiserver::Identity,
        pod: &PodInfo,
        node: &str,
    ) -> Status;
}

/// Is told of the binding.
pub trait PostBindPlugin: Sync {
    /// The pod is bound.
    fn post_bind(&self, pod: &PodInfo, node: &str);
}

/// Scales scores so that the highest becomes [`MAX_NODE_SCORE`], or turns them around.
/// Upstream: pkg/scheduler/framework/plugins/helper/normalize_score.go
pub fn default_normalize_score(reverse: bool, scores: &mut [i64]) {
    let highest = scores.iter().copied().max().unwrap_or(0).max(0);
    for score in scores.iter_mut() {
        let scaled = if highest == 0 { 0 } else { MAX_NODE_SCORE * *score / highest };
        *score = match (reverse, highest) {
            (true, _) => MAX_NODE_SCORE - scaled,
            (false, 0) => *score,
            (false, _) => scaled,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::default_normalize_score;

    // Upstream: TestDefaultNormalizeScore.
    #[test]
    fn scores_are_scaled_to_the_highest_and_turned_around() {
        for (reverse, scores, want) in [
            (false, [1, 2, 3, 4], [25, 50, 75, 100]),
            (true, [1, 2, 3, 4], [75, 50, 25, 0]),
            (false, [1000, 10, 20, 30], [100, 1, 2, 3]),
            (true, [1000, 10, 20, 30], [0, 99, 98, 97]),
            (false, [1, 1, 1, 1], [100; 4]),
            (true, [1, 1, 1, 1], [0; 4]),
            (false, [0; 4], [0; 4]),
            (true, [0; 4], [100; 4]),
        ] {
            let mut normalized = scores;
            default_normalize_score(reverse, &mut normalized);
            assert_eq!(normalized, want, "{scores:?}, reverse {reverse}");
        }
    }
}
