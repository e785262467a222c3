//! Prefers nodes whose CPU and memory the pod would bring closer to being used alike.
//!
//! Upstream: pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go

use crate::framework::{
    CycleState, Handle, MAX_NODE_SCORE, NodeInfo, Plugin, PodInfo, PreScorePlugin, ScorePlugin,
    Status,
};

/// The plugin, over CPU and memory.
pub struct NodeResourcesBalancedAllocation;

impl Plugin for NodeResourcesBalancedAllocation {
    fn name(&self) -> &'static str {
        "NodeResourcesBalancedAllocation"
    }

    fn as_pre_score(&self) -> Option<&dyn PreScorePlugin> {
        Some(self)
    }

    fn as_score(&self) -> Option<&dyn ScorePlugin> {
        Some(self)
    }
}

impl PreScorePlugin for NodeResourcesBalancedAllocation {
    /// A pod that requests nothing changes no balance.
    fn pre_score(
        &self,
        _handle: Handle<'_>,
        _state: &mut CycleState,
        pod: &PodInfo,
        _nodes: &[&NodeInfo],
    ) -> Status {
        let resource = pod.resource();
        if resource.milli_cpu == 0 && resource.memory == 0 { Status::SKIP } else { Status::SUCCESS }
    }
}

impl ScorePlugin for NodeResourcesBalancedAllocation {
    fn score(&self, _state: &CycleState, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let (used, wanted) = (&node.requested, pod.resource());
        let balance = |milli_cpu, memory| {
            balance_score([
                (milli_cpu, node.allocatable.milli_cpu),
                (memory, node.allocatable.memory),
            ])
        };
        let with_pod = balance(used.milli_cpu + wanted.milli_cpu, used.memory + wanted.memory);
        let without_pod = balance(used.milli_cpu, used.memory);
        let half = MAX_NODE_SCORE / 2;
        half + (half + with_pod - without_pod) / 2
    }
}

/// How alike the parts in use are: one less their standard deviation, out of 100.
fn balance_score(resources: [(i64, i64); 2]) -> i64 {
    let fractions: Vec<f64> = resources
        .iter()
        .filter(|(_, capacity)| *capacity != 0)
        .map(|(requested, capacity)| (*requested as f64 / *capacity as f64).min(1.0))
        .collect();
    let deviation = match fractions.as_slice() {
        [first, second] => ((first - second) / 2.0).abs(),
        _ => 0.0,
    };
    ((1.0 - deviation) * MAX_NODE_SCORE as f64) as i64
}
