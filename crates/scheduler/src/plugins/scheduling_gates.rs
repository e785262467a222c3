//! Keeps a pod from the queue as long as it has scheduling gates.
//!
//! Upstream: pkg/scheduler/framework/plugins/schedulinggates/scheduling_gates.go

use crate::framework::{
    ActionType, ClusterEvent, EventObject, EventResource, EventWithHint, Hint, Plugin, PodInfo,
    PreEnqueuePlugin, Status,
};

/// The plugin.
pub struct SchedulingGates;

impl Plugin for SchedulingGates {
    fn name(&self) -> &'static str {
        "SchedulingGates"
    }

    fn events_to_register(&self) -> &'static [EventWithHint] {
        const EVENT: ClusterEvent = ClusterEvent::new(
            EventResource::Pod,
            ActionType::UPDATE_POD_SCHEDULING_GATES_ELIMINATED,
        );
        const EVENTS: &[EventWithHint] =
            &[EventWithHint { event: EVENT, hint: Some(after_gates_eliminated) }];
        EVENTS
    }

    fn as_pre_enqueue(&self) -> Option<&dyn PreEnqueuePlugin> {
        Some(self)
    }
}

impl PreEnqueuePlugin for SchedulingGates {
    fn pre_enqueue(&self, pod: &PodInfo) -> Status {
        let gates = pod.pod.spec.as_ref().and_then(|spec| spec.scheduling_gates.as_deref());
        let gates: Vec<&str> =
            gates.unwrap_or_default().iter().map(|gate| gate.name.as_str()).collect();
        if gates.is_empty() {
            return Status::SUCCESS;
        }
        Status::unresolvable(format!("waiting for scheduling gates: [{}]", gates.join(" ")))
    }
}

fn after_gates_eliminated(pod: &PodInfo, object: &EventObject) -> Hint {
    match object {
        EventObject::Pod(_, Some(new)) if new.metadata.uid == pod.pod.metadata.uid => Hint::Queue,
        _ => Hint::Skip,
    }
}
