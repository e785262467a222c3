//! Keeps pods from nodes with taints that they do not tolerate, and prefers nodes with fewer of
//! those that only ask them to stay away.
//!
//! Upstream: pkg/scheduler/framework/plugins/tainttoleration/taint_toleration.go

use api::openapi::api::core::v1::{Node, Toleration};
use component_helpers::taints::{
    PREFER_NO_SCHEDULE, find_untolerated_taint, keeps_new_pods_away, tolerations_tolerate_taint,
};

use crate::framework::{
    ActionType, ClusterEvent, CycleState, EventObject, EventResource, EventWithHint, FilterPlugin,
    Handle, Hint, NodeInfo, Plugin, PodInfo, PreScorePlugin, ScorePlugin, Status,
    default_normalize_score,
};

const PRE_SCORE_STATE: &str = "PreScoreTaintToleration";

/// The plugin.
pub struct TaintToleration;

impl Plugin for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn weight(&self) -> i64 {
        3
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
                hint: Some(after_pod_toleration_change),
            },
        ];
        EVENTS
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

/// The tolerations of a pod.
pub(super) fn tolerations(pod: &PodInfo) -> &[Toleration] {
    let spec = pod.pod.spec.as_ref();
    spec.and_then(|spec| spec.tolerations.as_deref()).unwrap_or_default()
}

impl FilterPlugin for TaintToleration {
    fn filter(&self, _state: &CycleState, pod: &PodInfo, node: &NodeInfo) -> Status {
        match find_untolerated_taint(node.taints(), tolerations(pod), keeps_new_pods_away) {
            None => Status::SUCCESS,
            Some(_) => Status::unresolvable("node(s) had untolerated taint(s)"),
        }
    }
}

impl PreScorePlugin for TaintToleration {
    fn pre_score(
        &self,
        _handle: Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        _nodes: &[&NodeInfo],
    ) -> Status {
        let concerns_score = |toleration: &&Toleration| match toleration.effect.as_deref() {
            None | Some("") => true,
            Some(effect) => effect == PREFER_NO_SCHEDULE,
        };
        let tolerations: Vec<Toleration> =
            tolerations(pod).iter().filter(concerns_score).cloned().collect();
        state.write(PRE_SCORE_STATE, tolerations);
        Status::SUCCESS
    }
}

impl ScorePlugin for TaintToleration {
    /// The number of taints that ask the pod to stay away.
    fn score(&self, state: &CycleState, _pod: &PodInfo, node: &NodeInfo) -> i64 {
        let tolerations = state.read::<Vec<Toleration>>(PRE_SCORE_STATE);
        let tolerations = tolerations.map(Vec::as_slice).unwrap_or_default();
        let taints = node.taints().iter().filter(|taint| taint.effect == PREFER_NO_SCHEDULE);
        let untolerated = taints.filter(|taint| !tolerations_tolerate_taint(tolerations, taint));
        i64::try_from(untolerated.count()).unwrap_or(i64::MAX)
    }

    fn normalize_score(&self, _: &CycleState, _: &[&NodeInfo], scores: &mut [i64]) {
        default_normalize_score(true, scores);
    }
}

fn after_node_change(pod: &PodInfo, object: &EventObject) -> Hint {
    let EventObject::Node(old, Some(new)) = object else { return Hint::Queue };
    let is_tolerated = |node: &Node| {
        let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_deref());
        let taints = taints.unwrap_or_default();
        find_untolerated_taint(taints, tolerations(pod), keeps_new_pods_away).is_none()
    };
    let was_tolerated = old.as_ref().is_some_and(|old| is_tolerated(old));
    if !was_tolerated && is_tolerated(new) { Hint::Queue } else { Hint::Skip }
}

/// Whether the pod itself came to tolerate more.
pub(super) fn after_pod_toleration_change(pod: &PodInfo, object: &EventObject) -> Hint {
    match object {
        EventObject::Pod(_, Some(new)) if new.metadata.uid == pod.pod.metadata.uid => Hint::Queue,
        _ => Hint::Skip,
    }
}
