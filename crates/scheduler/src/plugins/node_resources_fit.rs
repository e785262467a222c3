//! Keeps a pod from nodes that have too little left of what it requests, and prefers those that
//! have more left.
//!
//! Upstream: pkg/scheduler/framework/plugins/noderesources/{fit,least_allocated,resource_allocation}.go

use std::borrow::Cow;

use api::openapi::api::core::v1::Node;

use crate::framework::{
    ActionType, ClusterEvent, Code, CycleState, EventObject, EventResource, EventWithHint,
    FilterPlugin, Hint, MAX_NODE_SCORE, NodeInfo, Plugin, PodInfo, Resource, ScorePlugin, Status,
};

/// The plugin, with the strategy LeastAllocated over CPU and memory.
pub struct NodeResourcesFit;

impl Plugin for NodeResourcesFit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn events_to_register(&self) -> &'static [EventWithHint] {
        const POD: ActionType = ActionType::DELETE.or(ActionType::UPDATE_POD_SCALE_DOWN);
        const NODE: ActionType = ActionType::ADD.or(ActionType::UPDATE_NODE_ALLOCATABLE);
        const EVENTS: &[EventWithHint] = &[
            EventWithHint {
                event: ClusterEvent::new(EventResource::Pod, POD),
                hint: Some(after_pod_event),
            },
            EventWithHint {
                event: ClusterEvent::new(EventResource::Node, NODE),
                hint: Some(after_node_change),
            },
        ];
        EVENTS
    }

    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        Some(self)
    }

    fn as_score(&self) -> Option<&dyn ScorePlugin> {
        Some(self)
    }
}

/// A resource of which a node has too little.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsufficientResource {
    /// In words.
    pub reason: Cow<'static, str>,
    /// Whether the node could never give that much.
    pub unresolvable: bool,
}

/// Everything a node has too little of. Upstream: fitsRequest.
#[must_use]
pub fn insufficient_resources(pod: &Resource, node: &NodeInfo) -> Vec<InsufficientResource> {
    let mut insufficient = Vec::new();
    let mut need = |reason: Cow<'static, str>, unresolvable| {
        insufficient.push(InsufficientResource { reason, unresolvable });
    };
    let pods = i64::try_from(node.pods.len()).unwrap_or(i64::MAX);
    if pods + 1 > node.allocatable.allowed_pod_number {
        need(Cow::Borrowed("Too many pods"), false);
    }
    let (allocatable, requested) = (&node.allocatable, &node.requested);
    for (wanted, capacity, used, reason) in [
        (pod.milli_cpu, allocatable.milli_cpu, requested.milli_cpu, "Insufficient cpu"),
        (pod.memory, allocatable.memory, requested.memory, "Insufficient memory"),
        (
            pod.ephemeral_storage,
            allocatable.ephemeral_storage,
            requested.ephemeral_storage,
            "Insufficient ephemeral-storage",
        ),
    ] {
        if wanted > 0 && wanted > capacity - used {
            need(Cow::Borrowed(reason), wanted > capacity);
        }
    }
    for (name, wanted) in &pod.scalar {
        if *wanted == 0 {
            continue;
        }
        let capacity = allocatable.scalar.get(name).copied().unwrap_or(0);
        let used = requested.scalar.get(name).copied().unwrap_or(0);
        if *wanted > capacity - used {
            need(Cow::Owned(format!("Insufficient {name}")), *wanted > capacity);
        }
    }
    insufficient
}

impl FilterPlugin for NodeResourcesFit {
    fn filter(&self, _state: &CycleState, pod: &PodInfo, node: &NodeInfo) -> Status {
        let insufficient = insufficient_resources(pod.resource(), node);
        if insufficient.is_empty() {
            return Status::SUCCESS;
        }
        let never = insufficient.iter().any(|resource| resource.unresolvable);
        let code = if never { Code::UnschedulableAndUnresolvable } else { Code::Unschedulable };
        let reasons = insufficient.into_iter().map(|resource| resource.reason).collect();
        Status { code, reasons, plugin: "" }
    }
}

impl ScorePlugin for NodeResourcesFit {
    /// The mean, over CPU and memory, of the part that would be left of the node.
    fn score(&self, _state: &CycleState, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let cpu = node.non_zero_milli_cpu + pod.non_zero_milli_cpu();
        let memory = node.non_zero_memory + pod.non_zero_memory();
        let resources = [(cpu, node.allocatable.milli_cpu), (memory, node.allocatable.memory)];
        let (mut score, mut weight) = (0, 0);
        for (requested, capacity) in resources {
            if capacity != 0 {
                score += least_requested_score(requested, capacity);
                weight += 1;
            }
        }
        if weight == 0 { 0 } else { score / weight }
    }
}

/// Upstream: leastRequestedScore.
fn least_requested_score(requested: i64, capacity: i64) -> i64 {
    if capacity == 0 || requested > capacity {
        return 0;
    }
    let score = i128::from(capacity - requested) * i128::from(MAX_NODE_SCORE);
    i64::try_from(score / i128::from(capacity)).unwrap_or(0)
}

/// Whether a pod that went or shrank may have left room.
fn after_pod_event(pod: &PodInfo, object: &EventObject) -> Hint {
    let EventObject::Pod(Some(old), new) = object else { return Hint::Queue };
    let has_node = |pod: &api::openapi::api::core::v1::Pod| {
        pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some())
    };
    let Some(new) = new else {
        return if has_node(old) { Hint::Queue } else { Hint::Skip };
    };
    if new.metadata.uid == pod.pod.metadata.uid {
        return Hint::Queue;
    }
    if !has_node(new) {
        return Hint::Skip;
    }
    let (old, new) = (PodInfo::new(old.clone()), PodInfo::new(new.clone()));
    if has_shrunk(pod.resource(), old.resource(), new.resource()) {
        Hint::Queue
    } else {
        Hint::Skip
    }
}

/// Whether less is used of anything that is wanted.
fn has_shrunk(wanted: &Resource, old: &Resource, new: &Resource) -> bool {
    let scalar = |resource: &Resource, name| resource.scalar.get(name).copied().unwrap_or(0);
    (wanted.milli_cpu > 0 && old.milli_cpu > new.milli_cpu)
        || (wanted.memory > 0 && old.memory > new.memory)
        || (wanted.ephemeral_storage > 0 && old.ephemeral_storage > new.ephemeral_storage)
        || wanted
            .scalar
            .iter()
            .any(|(name, wanted)| *wanted > 0 && scalar(old, name) > scalar(new, name))
}

/// Whether the pod fits the node when it is empty, and the node has more to give than before.
fn after_node_change(pod: &PodInfo, object: &EventObject) -> Hint {
    let EventObject::Node(old, Some(new)) = object else { return Hint::Queue };
    let fits = |node: &Node| {
        let mut empty = NodeInfo::new("");
        empty.allocatable = Resource::allocatable(node);
        insufficient_resources(pod.resource(), &empty).is_empty()
    };
    if !fits(new) {
        return Hint::Skip;
    }
    let Some(old) = old else { return Hint::Queue };
    let (old, new) = (Resource::allocatable(old), Resource::allocatable(new));
    let more_pods = new.allowed_pod_number > old.allowed_pod_number;
    // What is free has grown if, the other way around, it would have shrunk.
    if more_pods || has_shrunk(pod.resource(), &new, &old) { Hint::Queue } else { Hint::Skip }
}
