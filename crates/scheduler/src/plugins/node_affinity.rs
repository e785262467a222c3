//! Keeps a pod to the nodes that its node selector and node affinity select, and prefers those
//! that it prefers.
//!
//! Upstream: pkg/scheduler/framework/plugins/nodeaffinity/node_affinity.go

use component_helpers::node_affinity::required_node_names;
use sim::SmallSet;

use crate::framework::{
    ActionType, ClusterEvent, CycleState, EventObject, EventResource, EventWithHint, FilterPlugin,
    Handle, Hint, NodeInfo, Plugin, PodInfo, PreFilterPlugin, PreScorePlugin, ScorePlugin, Status,
    default_normalize_score,
};

/// The plugin.
pub struct NodeAffinity;

impl Plugin for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn weight(&self) -> i64 {
        2
    }

    fn events_to_register(&self) -> &'static [EventWithHint] {
        const NODE: ActionType = ActionType::ADD.or(ActionType::UPDATE_NODE_LABEL);
        const EVENTS: &[EventWithHint] = &[EventWithHint {
            event: ClusterEvent::new(EventResource::Node, NODE),
            hint: Some(after_node_change),
        }];
        EVENTS
    }

    fn as_pre_filter(&self) -> Option<&dyn PreFilterPlugin> {
        Some(self)
    }

    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        Some(self)
    }

    fn as_pre_score(&self) -> Option<&dyn PreScorePlugin> {
        Some(self)
    }

    fn as_score(&self) -> Option<&dyn ScorePlugin> {
        Some(self)
    }
}

impl PreFilterPlugin for NodeAffinity {
    fn pre_filter(
        &self,
        _handle: Handle<'_>,
        _state: &mut CycleState,
        pod: &PodInfo,
    ) -> (Option<SmallSet<String>>, Status) {
        if pod.required_node_affinity().is_empty() {
            return (None, Status::SKIP);
        }
        let names = pod.pod.spec.as_ref().and_then(required_node_names);
        if names.as_ref().is_some_and(SmallSet::is_empty) {
            return (None, Status::unresolvable("pod affinity terms conflict"));
        }
        (names, Status::SUCCESS)
    }
}

impl FilterPlugin for NodeAffinity {
    fn filter(&self, _state: &CycleState, pod: &PodInfo, node: &NodeInfo) -> Status {
        let required = pod.required_node_affinity();
        if node.node.as_ref().is_some_and(|node| required.matches(node)) {
            return Status::SUCCESS;
        }
        Status::unresolvable("node(s) didn't match Pod's node affinity/selector")
    }
}

impl PreScorePlugin for NodeAffinity {
    fn pre_score(
        &self,
        _handle: Handle<'_>,
        _state: &mut CycleState,
        pod: &PodInfo,
        _nodes: &[&NodeInfo],
    ) -> Status {
        if pod.preferred_node_affinity().is_empty() { Status::SKIP } else { Status::SUCCESS }
    }
}

impl ScorePlugin for NodeAffinity {
    /// The sum of the weights of the preferences that the node meets.
    fn score(&self, _state: &CycleState, pod: &PodInfo, node: &NodeInfo) -> i64 {
        node.node.as_ref().map_or(0, |node| pod.preferred_node_affinity().score(node))
    }

    fn normalize_score(&self, _: &CycleState, _: &[&NodeInfo], scores: &mut [i64]) {
        default_normalize_score(false, scores);
    }
}

fn after_node_change(pod: &PodInfo, object: &EventObject) -> Hint {
    let EventObject::Node(old, Some(new)) = object else { return Hint::Queue };
    let required = pod.required_node_affinity();
    let matched = old.as_ref().is_some_and(|old| required.matches(old));
    if !matched && required.matches(new) { Hint::Queue } else { Hint::Skip }
}
