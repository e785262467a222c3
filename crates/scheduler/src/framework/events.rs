//! Cluster events, and which of them may help a pod that was turned away.
//!
//! Upstream: staging/src/k8s.io/kube-scheduler/framework/types.go and
//! pkg/scheduler/framework/events.go

use std::ops::BitOr;
use std::sync::Arc;

use api::openapi::api::core::v1::{Node, Pod, PodSpec};

use super::types::{has_same_allocation, has_same_spec};
use super::{PodInfo, Resource as Amounts};

/// What happened to an object: a set of kinds of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionType(u32);

impl ActionType {
    /// It came into being.
    pub const ADD: ActionType = ActionType(1);
    /// It went.
    pub const DELETE: ActionType = ActionType(1 << 1);
    /// A node has other resources to give.
    pub const UPDATE_NODE_ALLOCATABLE: ActionType = ActionType(1 << 2);
    /// A node's labels changed.
    pub const UPDATE_NODE_LABEL: ActionType = ActionType(1 << 3);
    /// A node's taints changed, or it became schedulable.
    pub const UPDATE_NODE_TAINT: ActionType = ActionType(1 << 4);
    /// A node's conditions changed.
    pub const UPDATE_NODE_CONDITION: ActionType = ActionType(1 << 5);
    /// A node's annotations changed.
    pub const UPDATE_NODE_ANNOTATION: ActionType = ActionType(1 << 6);
    /// A pod's labels changed.
    pub const UPDATE_POD_LABEL: ActionType = ActionType(1 << 7);
    /// A pod requests less.
    pub const UPDATE_POD_SCALE_DOWN: ActionType = ActionType(1 << 8);
    /// A pod tolerates more.
    pub const UPDATE_POD_TOLERATION: ActionType = ActionType(1 << 9);
    /// A pod's last scheduling gate is gone.
    pub const UPDATE_POD_SCHEDULING_GATES_ELIMINATED: ActionType = ActionType(1 << 10);
    /// A pod changed otherwise.
    pub const UPDATE_POD_OTHER: ActionType = ActionType(1 << 11);
    /// Anything.
    pub const ALL: ActionType = ActionType((1 << 12) - 1);

    const fn meets(self, other: ActionType) -> bool {
        self.0 & other.0 != 0
    }

    /// Either change.
    #[must_use]
    pub const fn or(self, other: ActionType) -> ActionType {
        ActionType(self.0 | other.0)
    }
}

impl BitOr for ActionType {
    type Output = ActionType;
    fn bitor(self, other: ActionType) -> ActionType {
        self.or(other)
    }
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A pod: one with a node, or the pod itself that waits.
    Pod,
    /// A node.
    Node,
    /// Anything.
    Any,
}

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterEvent {
    /// What it is about.
    pub resource: Resource,
    /// What happened.
    pub action: ActionType,
}

impl ClusterEvent {
    /// An event.
    #[must_use]
    pub const fn new(resource: Resource, action: ActionType) -> Self {
        ClusterEvent { resource, action }
    }

    /// Anything may have happened.
    pub const WILDCARD: ClusterEvent = ClusterEvent::new(Resource::Any, ActionType::ALL);

    /// Whether a plugin that registered `self` wants to hear of `event`.
    #[must_use]
    pub fn matches(self, event: ClusterEvent) -> bool {
        let is_wildcard = |event: ClusterEvent| event == ClusterEvent::WILDCARD;
        is_wildcard(self)
            || is_wildcard(event)
            || (self.resource == event.resource && self.action.meets(event.action))
    }
}

/// The object of an event, before and after.
#[derive(Clone, Debug)]
pub enum EventObject {
    /// Nothing in particular.
    None,
    /// A pod.
    Pod(Option<Arc<Pod>>, Option<Arc<Pod>>),
    /// A node.
    Node(Option<Arc<Node>>, Option<Arc<Node>>),
}

/// Whether an event may help a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// It may.
    Queue,
    /// It cannot.
    Skip,
}

/// An event that a plugin registers, and how it judges it; without a judgement every such event
/// may help.
#[derive(Clone, Copy, Debug)]
pub struct EventWithHint {
    /// The event.
    pub event: ClusterEvent,
    /// The judgement.
    pub hint: Option<fn(&PodInfo, &EventObject) -> Hint>,
}

/// What changed of a node that may matter for scheduling. Upstream: NodeSchedulingPropertiesChange.
#[must_use]
pub fn node_scheduling_properties_change(new: &Node, old: &Node) -> Vec<ClusterEvent> {
    let mut actions = Vec::new();
    let unschedulable =
        |node: &Node| node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false);
    let taints =
        |node: &Node| node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
    let allocatable =
        |node: &Node| node.status.as_ref().and_then(|status| status.allocatable.clone());
    if unschedulable(old) && !unschedulable(new) || taints(old) != taints(new) {
        actions.push(ActionType::UPDATE_NODE_TAINT);
    }
    if allocatable(old) != allocatable(new) {
        actions.push(ActionType::UPDATE_NODE_ALLOCATABLE);
    }
    if old.metadata.labels != new.metadata.labels {
        actions.push(ActionType::UPDATE_NODE_LABEL);
    }
    if !conditions(old).eq(conditions(new)) {
        actions.push(ActionType::UPDATE_NODE_CONDITION);
    }
    if old.metadata.annotations != new.metadata.annotations {
        actions.push(ActionType::UPDATE_NODE_ANNOTATION);
    }
    actions.into_iter().map(|action| ClusterEvent::new(Resource::Node, action)).collect()
}

/// A node's conditions without their times.
fn conditions(node: &Node) -> impl Iterator<Item = (&str, &str)> {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .map(|condition| (condition.type_.as_str(), condition.status.as_str()))
}

/// What changed of a pod that may matter for scheduling. Upstream: PodSchedulingPropertiesChange.
#[must_use]
pub fn pod_scheduling_properties_change(new: &Pod, old: &Pod) -> Vec<ClusterEvent> {
    let mut actions = Vec::new();
    let (new_spec, old_spec) = (new.spec.as_ref(), old.spec.as_ref());
    if new.metadata.labels != old.metadata.labels {
        actions.push(ActionType::UPDATE_POD_LABEL);
    }
    let is_another = new.metadata.uid != old.metadata.uid;
    if is_another || !has_same_spec(new, old) || !has_same_allocation(old, new) {
        let (new, old) = (PodInfo::new(Arc::new(new.clone())), PodInfo::new(Arc::new(old.clone())));
        if is_smaller(new.resource(), old.resource()) {
            actions.push(ActionType::UPDATE_POD_SCALE_DOWN);
        }
    }
    let gates = |spec: Option<&PodSpec>| {
        spec.and_then(|spec| spec.scheduling_gates.as_ref()).map_or(0, Vec::len)
    };
    if gates(new_spec) == 0 && gates(old_spec) > 0 {
        actions.push(ActionType::UPDATE_POD_SCHEDULING_GATES_ELIMINATED);
    }
    let tolerations = |spec: Option<&PodSpec>| {
        spec.and_then(|spec| spec.tolerations.as_ref()).map_or(0, Vec::len)
    };
    if tolerations(new_spec) != tolerations(old_spec) {
        actions.push(ActionType::UPDATE_POD_TOLERATION);
    }
    if actions.is_empty() {
        actions.push(ActionType::UPDATE_POD_OTHER);
    }
    actions.into_iter().map(|action| ClusterEvent::new(Resource::Pod, action)).collect()
}

/// Whether anything is requested less than before.
fn is_smaller(new: &Amounts, old: &Amounts) -> bool {
    new.milli_cpu < old.milli_cpu
        || new.memory < old.memory
        || new.ephemeral_storage < old.ephemeral_storage
        || old.scalar.iter().any(|(name, old)| new.scalar.get(name).is_none_or(|new| new < old))
}
