//! Keeps pods near pods that they want near, and far from those that they want far.
//!
//! Upstream: pkg/scheduler/framework/plugins/interpodaffinity/plugin.go

mod filtering;
mod scoring;

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{Node, Pod};
use component_helpers::pod_status::node_name;

use crate::framework::{
    ActionType, AffinityTerm, ClusterEvent, EventObject, EventResource, EventWithHint,
    FilterPlugin, Hint, Plugin, PodInfo, PreFilterPlugin, PreScorePlugin, ScorePlugin,
};

/// How much it counts that a pod which is there requires this one near.
/// Upstream: DefaultHardPodAffinityWeight.
const HARD_POD_AFFINITY_WEIGHT: i64 = 1;

/// What is said of the namespace of a pod whose terms name the namespaces themselves.
static NO_LABELS: BTreeMap<String, String> = BTreeMap::new();

/// The plugin.
pub struct InterPodAffinity;

impl Plugin for InterPodAffinity {
    fn name(&self) -> &'static str {
        "InterPodAffinity"
    }

    fn weight(&self) -> i64 {
        2
    }

    fn events_to_register(&self) -> &'static [EventWithHint] {
        const POD: ActionType =
            ActionType::ADD.or(ActionType::UPDATE_POD_LABEL).or(ActionType::DELETE);
        const NODE: ActionType = ActionType::ADD.or(ActionType::UPDATE_NODE_LABEL);
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

/// Whether there are terms and all of them select the pod: one pod must be near that satisfies
/// all of them at once. Upstream: podMatchesAllAffinityTerms.
fn matches_all(terms: &[AffinityTerm], pod: &Pod) -> bool {
    !terms.is_empty() && terms.iter().all(|term| term.matches(pod, &NO_LABELS))
}

fn after_pod_change(pod: &PodInfo, object: &EventObject) -> Hint {
    let EventObject::Pod(old, new) = object else { return Hint::Queue };
    if [old, new].into_iter().flatten().any(|changed| node_name(changed).is_empty()) {
        return Hint::Skip;
    }
    let near = |other: &Pod| matches_all(pod.required_affinity(), other);
    let far = |other: &Pod| matches_all(pod.required_anti_affinity(), other);
    let helps = match (old, new) {
        (Some(old), Some(new)) => !near(old) && near(new) || far(old) && !far(new),
        (None, Some(new)) => near(new),
        (Some(old), None) => far(old),
        (None, None) => true,
    };
    if helps { Hint::Queue } else { Hint::Skip }
}

fn after_node_change(pod: &PodInfo, object: &EventObject) -> Hint {
    let EventObject::Node(old, Some(new)) = object else { return Hint::Queue };
    let value = |node: &Node, term: &AffinityTerm| {
        let labels = node.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(&term.topology_key)).cloned()
    };
    // A pod that wants others near waits for a node to come to a domain; one that wants them far
    // waits for a node to leave it, and any new node may be in another.
    let near = |term: &AffinityTerm| {
        let is = value(new, term);
        is.is_some() && old.as_ref().is_none_or(|old| value(old, term) != is)
    };
    let far = |term: &AffinityTerm| {
        old.as_ref().is_none_or(|old| {
            let was = value(old, term);
            was.is_some() && was != value(new, term)
        })
    };
    let helps =
        pod.required_affinity().iter().any(near) || pod.required_anti_affinity().iter().any(far);
    if helps { Hint::Queue } else { Hint::Skip }
}

#[cfg(test)]
mod tests;
