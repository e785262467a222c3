//! Keeps pods from nodes that were cordoned.
//!
//! Upstream: pkg/scheduler/framework/plugins/nodeunschedulable/node_unschedulable.go

use api::openapi::api::core::v1::{Node, Taint};
use component_helpers::taints::{NO_SCHEDULE, tolerations_tolerate_taint};

use crate::framework::{
    ActionType, ClusterEvent, CycleState, EventObject, EventResource, EventWithHint, FilterPlugin,
    Hint, NodeInfo, Plugin, PodInfo, Status,
};

/// The plugin.
pub struct NodeUnschedulable;

impl Plugin for NodeUnschedulable {
    fn name(&self) -> &'static str {
        "NodeUnschedulable"
    }

    fn events_to_register(&self) -> &'static [EventWithHint] {
        const NODE: ActionType = ActionType::ADD.or(ActionType::UPDATE_NODE_TAINT);
        const POD: ActionType = ActionType::UPDATE_POD_TOLERATION;
        const EVENTS: &[EventWithHint] = &[
            EventWithHint {
                event: ClusterEvent::new(EventResource::Node, NODE),
                hint: Some(after_node_change),
            },
            EventWithHint {
                event: ClusterEvent::new(EventResource::Pod, POD),
                hint: Some(super::taint_toleration::after_pod_toleration_change),
            },
        ];
        EVENTS
    }

    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        Some(self)
    }
}

fn is_unschedulable(node: &Node) -> bool {
    node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false)
}

impl FilterPlugin for NodeUnschedulable {
    fn filter(&self, _state: &CycleState, pod: &PodInfo, node: &NodeInfo) -> Status {
        if !node.node.as_ref().is_some_and(|node| is_unschedulable(node)) {
            return Status::SUCCESS;
        }
        let taint = Taint {
            key: "node.kubernetes.io/unschedulable".to_string(),
            effect: NO_SCHEDULE.to_string(),
            ..Taint::default()
        };
        if tolerations_tolerate_taint(super::taint_toleration::tolerations(pod), &taint) {
            return Status::SUCCESS;
        }
        Status::unresolvable("node(s) were unschedulable")
    }
}

fn after_node_change(_pod: &PodInfo, object: &EventObject) -> Hint {
    let EventObject::Node(old, Some(new)) = object else { return Hint::Queue };
    let was = old.as_ref().is_none_or(|old| is_unschedulable(old));
    if was && !is_unschedulable(new) { Hint::Queue } else { Hint::Skip }
}
