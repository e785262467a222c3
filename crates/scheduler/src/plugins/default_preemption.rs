//! Makes room for a pod by deleting pods of lower priority.
//!
//! Upstream: pkg/scheduler/framework/plugins/defaultpreemption/default_preemption.go

use crate::framework::{
    CycleState, NodeToStatus, Plugin, PodInfo, PostFilterContext, PostFilterPlugin,
    PostFilterResult, Status,
};
use crate::preemption;

/// The plugin.
pub struct DefaultPreemption;

impl Plugin for DefaultPreemption {
    fn name(&self) -> &'static str {
        "DefaultPreemption"
    }

    fn as_post_filter(&self) -> Option<&dyn PostFilterPlugin> {
        Some(self)
    }
}

impl PostFilterPlugin for DefaultPreemption {
    fn post_filter(
        &self,
        cx: &PostFilterContext<'_>,
        state: &CycleState,
        pod: &PodInfo,
        statuses: &NodeToStatus,
    ) -> (PostFilterResult, Status) {
        let (result, status) = preemption::preempt(cx, state, pod, statuses);
        let message = status.message();
        if message.is_empty() {
            return (result, status);
        }
        (result, Status::new(status.code, format!("preemption: {message}")))
    }
}
