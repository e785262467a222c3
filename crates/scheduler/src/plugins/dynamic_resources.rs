//! Finds devices for the resource claims of pods. No kind of claim is served here, so none exists
//! that a pod could name: pods that do wait for it, and of all others the plugin says only that it
//! has no claim to give up for them.
//!
//! Upstream: pkg/scheduler/framework/plugins/dynamicresources/dynamicresources.go

use crate::framework::{
    CycleState, NodeToStatus, Plugin, PodInfo, PostFilterContext, PostFilterPlugin,
    PostFilterResult, PreEnqueuePlugin, Status,
};

/// The plugin.
pub struct DynamicResources;

impl Plugin for DynamicResources {
    fn name(&self) -> &'static str {
        "DynamicResources"
    }

    fn as_pre_enqueue(&self) -> Option<&dyn PreEnqueuePlugin> {
        Some(self)
    }

    fn as_post_filter(&self) -> Option<&dyn PostFilterPlugin> {
        Some(self)
    }
}

impl PreEnqueuePlugin for DynamicResources {
    fn pre_enqueue(&self, pod: &PodInfo) -> Status {
        let claims = pod.pod.spec.as_ref().and_then(|spec| spec.resource_claims.as_ref());
        let Some(claim) = claims.and_then(|claims| claims.first()) else { return Status::SUCCESS };
        let name = claim.resource_claim_name.as_ref().unwrap_or(&claim.name);
        Status::unresolvable(format!("resourceclaim {name:?} not found"))
    }
}

impl PostFilterPlugin for DynamicResources {
    fn post_filter(
        &self,
        _cx: &PostFilterContext<'_>,
        _state: &CycleState,
        _pod: &PodInfo,
        _statuses: &NodeToStatus,
    ) -> (PostFilterResult, Status) {
        (PostFilterResult::default(), Status::unschedulable("no new claims to deallocate"))
    }
}
