//! A Deployment's status, and whether it gets ahead.
//!
//! Upstream: pkg/controller/deployment/progress.go and sync.go, calculateStatus

use api::openapi::api::apps::v1::{
    Deployment, DeploymentCondition, DeploymentStatus, ReplicaSetCondition,
};
use jiff::{SignedDuration, Timestamp};
use sim::Duration;

use super::replica_sets::{available, counted, desired, max_unavailable, wanted};
use super::{Rollout, Split, conditions};
use crate::replica_set::unless_zero;
use crate::{Action, Error};

/// The deadline within which a Deployment must get ahead. Upstream: HasProgressDeadline.
fn progress_deadline(deployment: &Deployment) -> Option<i32> {
    deployment.spec.progress_deadline_seconds.filter(|seconds| *seconds != i32::MAX)
}

/// Whether a deadline is set at all.
pub(super) fn has_progress_deadline(deployment: &Deployment) -> bool {
    progress_deadline(deployment).is_some()
}

/// Whether every pod is of the new template and available. Upstream: DeploymentComplete.
pub(super) fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let desired = desired(deployment);
    status.updated_replicas.unwrap_or(0) == desired
        && status.replicas.unwrap_or(0) == desired
        && status.available_replicas.unwrap_or(0) == desired
        && status.observed_generation >= deployment.metadata.generation
}

/// Whether the new status is ahead of the stored one. Upstream: DeploymentProgressing.
pub(super) fn is_progressing(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    let count = |counter: Option<i32>| counter.unwrap_or(0);
    let outdated =
        |status: &DeploymentStatus| count(status.replicas) - count(status.updated_replicas);
    count(new.updated_replicas) > count(old.updated_replicas)
        || outdated(new) < outdated(old)
        || count(new.ready_replicas) > count(old.ready_replicas)
        || count(new.available_replicas) > count(old.available_replicas)
}

/// Whether nothing got ahead for longer than the deadline. Upstream: DeploymentTimedOut.
pub(super) fn is_timed_out(
    deployment: &Deployment,
    status: &DeploymentStatus,
    now: Timestamp,
) -> bool {
    let Some(deadline) = progress_deadline(deployment) else { return false };
    let condition = conditions::get(status, conditions::PROGRESSING);
    // A rollout that is complete does not time out when a pod of it fails.
    if conditions::has_reason(condition, conditions::NEW_REPLICA_SET_AVAILABLE) {
        return false;
    }
    if conditions::has_reason(condition, conditions::TIMED_OUT) {
        return true;
    }
    let updated = condition.and_then(|condition| condition.last_update_time.as_ref());
    updated.is_some_and(|updated| due(updated.0, deadline) < now)
}

fn due(from: Timestamp, seconds: i32) -> Timestamp {
    from.saturating_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(from)
}

impl Rollout<'_, '_, '_> {
    /// Whether the stored status says that the rollout is complete.
    pub(super) fn is_complete(&self) -> bool {
        self.deployment.status.as_ref().is_some_and(|status| is_complete(&self.deployment, status))
    }

    /// Updates the status during a rollout, with what there is to say of its progress.
    pub(super) fn sync_rollout_status(&mut self, split: &Split) -> Result<Action, Error> {
        let mut status = self.calculate_status(split);
        if !has_progress_deadline(&self.deployment) {
            conditions::remove(&mut status, conditions::PROGRESSING);
        } else if !self.was_completed(&status) {
            self.estimate_progress(split, &mut status);
        }
        match replica_failure(split) {
            Some(condition) => conditions::set(&mut status, condition),
            None => conditions::remove(&mut status, conditions::REPLICA_FAILURE),
        }
        if self.deployment.status.as_ref() == Some(&status) {
            return Ok(self.requeue_stuck(&status));
        }
        self.store_status(status)?;
        Ok(Action::Done)
    }

    /// Whether the latest rollout was reported as complete, so that there is no progress to
    /// estimate.
    fn was_completed(&self, status: &DeploymentStatus) -> bool {
        let current = conditions::progressing(&self.deployment);
        status.replicas == status.updated_replicas
            && conditions::has_reason(current, conditions::NEW_REPLICA_SET_AVAILABLE)
    }

    fn estimate_progress(&self, split: &Split, status: &mut DeploymentStatus) {
        let subject = match &split.new {
            Some(new) => format!("ReplicaSet {:?}", new.metadata.name.as_deref().unwrap_or("")),
            None => {
                format!("Deployment {:?}", self.deployment.metadata.name.as_deref().unwrap_or(""))
            }
        };
        let now = self.cx.timestamp();
        let progressing = |truth, reason, message| {
            conditions::new(&now, conditions::PROGRESSING, truth, reason, message)
        };
        let old = self.deployment.status.clone().unwrap_or_default();
        if is_complete(&self.deployment, status) {
            let message = format!("{subject} has successfully progressed.");
            let reason = conditions::NEW_REPLICA_SET_AVAILABLE;
            conditions::set(status, progressing("True", reason, message));
        } else if is_progressing(&old, status) {
            let message = format!("{subject} is progressing.");
            let mut condition = progressing("True", conditions::REPLICA_SET_UPDATED, message);
            // The condition is replaced even when its reason stays: the time of its update is
            // what the deadline counts from.
            if let Some(current) = conditions::progressing(&self.deployment)
                && current.status == condition.status
            {
                condition.last_transition_time.clone_from(&current.last_transition_time);
            }
            conditions::remove(status, conditions::PROGRESSING);
            conditions::set(status, condition);
        } else if is_timed_out(&self.deployment, status, self.cx.now_on_calendar()) {
            let message = format!("{subject} has timed out progressing.");
            conditions::set(status, progressing("False", conditions::TIMED_OUT, message));
        }
    }

    /// Comes back when the deadline may have passed. Upstream: requeueStuckDeployment.
    pub(super) fn requeue_stuck(&self, status: &DeploymentStatus) -> Action {
        let current = conditions::progressing(&self.deployment);
        let updated = current.and_then(|condition| condition.last_update_time.as_ref());
        let (Some(deadline), Some(updated)) = (progress_deadline(&self.deployment), updated) else {
            return Action::Done;
        };
        if is_complete(&self.deployment, status)
            || conditions::has_reason(current, conditions::TIMED_OUT)
        {
            return Action::Done;
        }
        let second = Duration::from_secs(1);
        let after = self.cx.until(due(updated.0, deadline));
        if after < second {
            Action::RequeueRateLimited
        } else {
            Action::RequeueAfter(after + second)
        }
    }

    /// The status that follows from the ReplicaSets.
    pub(super) fn calculate_status(&self, split: &Split) -> DeploymentStatus {
        let old = self.deployment.status.clone().unwrap_or_default();
        let available_replicas = counted(split.all(), available);
        let unavailable = (wanted(split.all()) - available_replicas).max(0);
        let terminating = terminating(split);
        let mut status = DeploymentStatus {
            observed_generation: self.deployment.metadata.generation,
            replicas: unless_zero(counted(split.all(), |status| status.replicas)),
            updated_replicas: unless_zero(counted(split.new.as_deref(), |status| status.replicas)),
            ready_replicas: unless_zero(counted(split.all(), |status| {
                status.ready_replicas.unwrap_or(0)
            })),
            available_replicas: unless_zero(available_replicas),
            unavailable_replicas: unless_zero(unavailable),
            terminating_replicas: terminating,
            collision_count: old.collision_count,
            conditions: old.conditions,
        };
        let enough = desired(&self.deployment) - max_unavailable(&self.deployment);
        let (truth, reason, message) = if available_replicas >= enough {
            let message = "Deployment has minimum availability.";
            ("True", conditions::MINIMUM_REPLICAS_AVAILABLE, message)
        } else {
            let message = "Deployment does not have minimum availability.";
            ("False", conditions::MINIMUM_REPLICAS_UNAVAILABLE, message)
        };
        let now = self.cx.timestamp();
        let condition =
            conditions::new(&now, conditions::AVAILABLE, truth, reason, message.to_string());
        conditions::set(&mut status, condition);
        status
    }

    /// Writes a status, and goes on with the Deployment as it is stored then.
    pub(super) fn store_status(&mut self, status: DeploymentStatus) -> Result<(), Error> {
        self.deployment.status = Some(status);
        let stored = self.cx.update_status(self.deployment.clone())?;
        self.deployment = (*stored).clone();
        Ok(())
    }
}

/// How many pods are on their way out; `None` when a ReplicaSet does not say although its
/// controller has seen it. Upstream: GetTerminatingReplicaCountForReplicaSets.
fn terminating(split: &Split) -> Option<i32> {
    let statuses = split.all().filter_map(|replica_set| replica_set.status.as_ref());
    statuses
        .filter(|status| {
            status.observed_generation.unwrap_or(0) > 0 || status.terminating_replicas.is_some()
        })
        .map(|status| status.terminating_replicas)
        .sum()
}

/// The failure of a ReplicaSet as a condition of the Deployment; the new one's goes first.
/// Upstream: getReplicaFailures.
fn replica_failure(split: &Split) -> Option<DeploymentCondition> {
    let mut failures =
        split.new.as_deref().into_iter().chain(split.all()).flat_map(|replica_set| {
            replica_set
                .status
                .as_ref()
                .and_then(|status| status.conditions.as_ref())
                .into_iter()
                .flatten()
        });
    let is_failure = |condition: &&ReplicaSetCondition| {
        condition.type_.as_deref() == Some(conditions::REPLICA_FAILURE)
    };
    failures.find(is_failure).map(|condition| DeploymentCondition {
        type_: condition.type_.clone(),
        status: condition.status.clone(),
        last_update_time: condition.last_transition_time.clone(),
        last_transition_time: condition.last_transition_time.clone(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
    })
}
