//! Keeps a pod from nodes on which another pod has taken its host ports.
//!
//! Upstream: pkg/scheduler/framework/plugins/nodeports/node_ports.go

use component_helpers::host_ports::{UsedPorts, host_ports};
use sim::SmallSet;

use crate::framework::{
    ActionType, ClusterEvent, CycleState, EventObject, EventResource, EventWithHint, FilterPlugin,
    Handle, Hint, NodeInfo, Plugin, PodInfo, PreFilterPlugin, Status,
};

/// The plugin.
pub struct NodePorts;

impl Plugin for NodePorts {
    fn name(&self) -> &'static str {
        "NodePorts"
    }

    fn events_to_register(&self) -> &'static [EventWithHint] {
        const EVENTS: &[EventWithHint] = &[
            EventWithHint {
                event: ClusterEvent::new(EventResource::Pod, ActionType::DELETE),
                hint: Some(after_pod_deleted),
            },
            EventWithHint {
                event: ClusterEvent::new(EventResource::Node, ActionType::ADD),
                hint: None,
            },
        ];
        EVENTS
    }

    fn as_pre_filter(&self) -> Option<&dyn PreFilterPlugin> {
        Some(self)
    }

    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        Some(self)
    }
}

impl PreFilterPlugin for NodePorts {
    fn pre_filter(
        &self,
        _handle: Handle<'_>,
        _state: &mut CycleState,
        pod: &PodInfo,
    ) -> (Option<SmallSet<String>>, Status) {
        (None, if pod.host_ports().is_empty() { Status::SKIP } else { Status::SUCCESS })
    }
}

impl FilterPlugin for NodePorts {
    fn filter(&self, _state: &CycleState, pod: &PodInfo, node: &NodeInfo) -> Status {
        if pod.host_ports().iter().any(|port| node.used_ports.conflicts(port)) {
            let reason = "node(s) didn't have free ports for the requested pod ports";
            return Status::unschedulable(reason);
        }
        Status::SUCCESS
    }
}

fn after_pod_deleted(pod: &PodInfo, object: &EventObject) -> Hint {
    let EventObject::Pod(Some(deleted), None) = object else { return Hint::Queue };
    if deleted.spec.as_ref().is_none_or(|spec| spec.node_name.is_none()) {
        return Hint::Skip;
    }
    let mut freed = UsedPorts::default();
    host_ports(deleted).iter().for_each(|port| freed.add(port));
    let helps = pod.host_ports().iter().any(|port| freed.conflicts(port));
    if helps { Hint::Queue } else { Hint::Skip }
}
