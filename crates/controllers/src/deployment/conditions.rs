//! The conditions of a Deployment. Upstream: pkg/controller/deployment/util/deployment_util.go

use api::openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus};
use api::openapi::apimachinery::pkg::apis::meta::v1::Time;

pub(super) const AVAILABLE: &str = "Available";
pub(super) const PROGRESSING: &str = "Progressing";
pub(super) const REPLICA_FAILURE: &str = "ReplicaFailure";

pub(super) const MINIMUM_REPLICAS_AVAILABLE: &str = "MinimumReplicasAvailable";
pub(super) const MINIMUM_REPLICAS_UNAVAILABLE: &str = "MinimumReplicasUnavailable";
pub(super) const NEW_REPLICA_SET: &str = "NewReplicaSetCreated";
pub(super) const FOUND_NEW_REPLICA_SET: &str = "FoundNewReplicaSet";
pub(super) const NEW_REPLICA_SET_AVAILABLE: &str = "NewReplicaSetAvailable";
pub(super) const REPLICA_SET_UPDATED: &str = "ReplicaSetUpdated";
pub(super) const FAILED_CREATE: &str = "ReplicaSetCreateError";
pub(super) const TIMED_OUT: &str = "ProgressDeadlineExceeded";
pub(super) const PAUSED: &str = "DeploymentPaused";
pub(super) const RESUMED: &str = "DeploymentResumed";

/// A condition that begins now.
pub(super) fn new(
    now: &Time,
    condition_type: &str,
    status: &str,
    reason: &str,
    message: String,
) -> DeploymentCondition {
    DeploymentCondition {
        type_: Some(condition_type.to_string()),
        status: Some(status.to_string()),
        last_update_time: Some(now.clone()),
        last_transition_time: Some(now.clone()),
        reason: Some(reason.to_string()),
        message: Some(message),
    }
}

fn is_type(condition: &DeploymentCondition, condition_type: &str) -> bool {
    condition.type_.as_deref() == Some(condition_type)
}

/// The condition of that type.
pub(super) fn get<'s>(
    status: &'s DeploymentStatus,
    condition_type: &str,
) -> Option<&'s DeploymentCondition> {
    status.conditions.iter().flatten().find(|condition| is_type(condition, condition_type))
}

/// The condition Progressing as the Deployment stores it.
pub(super) fn progressing(deployment: &Deployment) -> Option<&DeploymentCondition> {
    deployment.status.as_ref().and_then(|status| get(status, PROGRESSING))
}

pub(super) fn has_reason(condition: Option<&DeploymentCondition>, reason: &str) -> bool {
    condition.is_some_and(|condition| condition.reason.as_deref() == Some(reason))
}

/// Puts a condition in place of the one of its type, unless status and reason stay what they
/// are. The time of the transition stays when the status does.
pub(super) fn set(status: &mut DeploymentStatus, mut condition: DeploymentCondition) {
    let condition_type = condition.type_.clone().unwrap_or_default();
    if let Some(current) = get(status, &condition_type)
        && current.status == condition.status
    {
        if current.reason == condition.reason {
            return;
        }
        condition.last_transition_time.clone_from(&current.last_transition_time);
    }
    remove(status, &condition_type);
    status.conditions.get_or_insert_default().push(condition);
}

pub(super) fn remove(status: &mut DeploymentStatus, condition_type: &str) {
    if let Some(conditions) = &mut status.conditions {
        conditions.retain(|condition| !is_type(condition, condition_type));
    }
    status.conditions = status.conditions.take().filter(|conditions| !conditions.is_empty());
}
