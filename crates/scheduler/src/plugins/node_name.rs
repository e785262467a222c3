//! Keeps a pod that names its node to that node.
//!
//! Upstream: pkg/scheduler/framework/plugins/nodename/node_name.go

use crate::framework::{
    ActionType, ClusterEvent, CycleState, EventResource, EventWithHint, FilterPlugin, NodeInfo,
    Plugin, PodInfo, Status,
};

/// The plugin.
pub struct NodeName;

impl Plugin for NodeName {
    fn name(&self) -> &'static str {
        "NodeName"
    }

    fn events_to_register(&self) -> &'static [EventWithHint] {
        const EVENT: ClusterEvent = ClusterEvent::new(EventResource::Node, ActionType::ADD);
        const EVENTS: &[EventWithHint] = &[EventWithHint { event: EVENT, hint: None }];
        EVENTS
    }

    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        Some(self)
    }
}

impl FilterPlugin for NodeName {
    fn filter(&self, _state: &CycleState, pod: &PodInfo, node: &NodeInfo) -> Status {
        let name = pod.pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        match name {
            None | Some("") => Status::SUCCESS,
            Some(name) if *name == *node.name => Status::SUCCESS,
            Some(_) => Status::unresolvable("node(s) didn't match the requested node name"),
        }
    }
}
