//! Spreads pods evenly over zones, hosts or whatever else nodes' labels set apart.
//!
//! Upstream: pkg/scheduler/framework/plugins/podtopologyspread/plugin.go

mod common;
mod filtering;
mod scoring;

use api::openapi::api::core::v1::{Node, Pod};
use component_helpers::pod_status::node_name;

use self::common::{Constraint, DO_NOT_SCHEDULE, constraints_of, label};
use crate::framework::{
    ActionType, ClusterEvent, EventObject, EventResource, EventWithHint, FilterPlugin, Hint,
    Plugin, PodInfo, PreFilterPlugin, PreScorePlugin, ScorePlugin,
};

/// The plugin, with the constraints that the system gives to pods that have none.
pub struct PodTopologySpread;

impl Plugin for PodTopologySpread {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn weight(&self) -> i64 {
        2
    }

    fn events_to_register(&self) -> &'static [EventWithHint] {
        const POD: ActionType = ActionType::ADD
            .or(ActionType::UPDATE_POD_LABEL)
            .or(ActionType::UPDATE_POD_TOLERATION)
            .or(ActionType::DELETE);
        const NODE: ActionType = ActionType::ADD
            .or(ActionType::DELETE)
            .or(ActionType::UPDATE_NODE_LABEL)
            .or(ActionType::UPDATE_NODE_TAINT);
        const EVENTS: &[EventWithHint] = &[
            EventWithHint {
                event: ClusterEvent::new(EventResource::Pod, POD),
                hint: Some(after_pod_change),
            },
            EventWithHint {
                event: ClusterEvent::new(EventResource::Node, NODE),
                hint: Some(after_node_change),
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

    fn as_pre_score(&self) -> Option<&dyn PreScorePlugin> {
        Some(self)
    }

    fn as_score(&self) -> Option<&dyn ScorePlugin> {
        Some(self)
    }
}

/// Whether what happens to `pod` can matter for how `spread` is spread: it is that pod, or one of
/// its namespace that has a node.
fn is_involved(pod: &Pod, spread: &Pod) -> bool {
    pod.metadata.uid == spread.metadata.uid
        || !node_name(pod).is_empty() && pod.metadata.namespace == spread.metadata.namespace
}

fn after_pod_change(pod: &PodInfo, object: &EventObject) -> Hint {
    let EventObject::Pod(old, new) = object else { return Hint::Queue };
    let spread = &*pod.pod;
    if [old, new].into_iter().flatten().any(|changed| !is_involved(changed, spread)) {
        return Hint::Skip;
    }
    let constraints = constraints_of(spread, DO_NOT_SCHEDULE);
    let helps = match (old, new) {
        (Some(old), Some(new)) => update_helps(spread, &constraints, old, new),
        (None, Some(pod)) | (Some(pod), None) => {
            constraints.iter().any(|constraint| constraint.selector.matches_meta(&pod.metadata))
        }
        (None, None) => true,
    };
    if helps { Hint::Queue } else { Hint::Skip }
}

fn update_helps(spread: &Pod, constraints: &[Constraint], old: &Pod, new: &Pod) -> bool {
    let tolerations = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.tolerations.clone());
    let is_itself = new.metadata.uid == spread.metadata.uid;
    if is_itself
        && tolerations(new) != tolerations(old)
        && constraints.iter().any(|constraint| constraint.honors_taints)
    {
        return true;
    }
    constraints.iter().any(|constraint| {
        let matches = |pod: &Pod| constraint.selector.matches_meta(&pod.metadata);
        matches(old) != matches(new)
    })
}

fn after_node_change(pod: &PodInfo, object: &EventObject) -> Hint {
    let EventObject::Node(old, new) = object else { return Hint::Queue };
    let constraints = constraints_of(&pod.pod, DO_NOT_SCHEDULE);
    let fits = |node: &Node| {
        constraints.iter().all(|constraint| label(node, &constraint.topology_key).is_some())
    };
    let helps = match (old, new) {
        (Some(old), Some(new)) => {
            let taints = |node: &Node| node.spec.as_ref().and_then(|spec| spec.taints.clone());
            let has_moved = || {
                constraints.iter().any(|constraint| {
                    let key = &constraint.topology_key;
                    label(old, key) != label(new, key)
                })
            };
            fits(old) != fits(new) || fits(new) && (has_moved() || taints(old) != taints(new))
        }
        (None, Some(node)) | (Some(node), None) => fits(node),
        (None, None) => true,
    };
    if helps { Hint::Queue } else { Hint::Skip }
}

#[cfg(test)]
mod tests;
