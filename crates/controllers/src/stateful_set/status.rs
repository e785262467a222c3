//! What a StatefulSet's status says.
//!
//! Upstream: pkg/controller/statefulset/stateful_set_control.go, updateStatus, and
//! stateful_set_utils.go, completeRollingUpdate

use std::sync::Arc;

use api::openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};
use api::openapi::api::core::v1::Pod;
use jiff::Timestamp;

use super::identity::{
    is_available, is_created, is_running_and_ready, is_terminating, replicas, revision_of,
};
use super::revisions::Revisions;
use crate::replica_set::unless_zero;
use crate::{Error, SyncContext};

/// The counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) replicas: i32,
    pub(super) ready: i32,
    pub(super) available: i32,
    pub(super) current: i32,
    pub(super) updated: i32,
}

impl Counts {
    /// Counts pods. Upstream: computeReplicaStatus.
    pub(super) fn of<'p>(
        set: &StatefulSet,
        revisions: &Revisions,
        pods: impl Iterator<Item = &'p Arc<Pod>>,
        now: Timestamp,
    ) -> Self {
        let mut counts = Counts::default();
        for pod in pods {
            counts.replicas += i32::from(is_created(pod));
            if is_running_and_ready(pod) {
                counts.ready += 1;
                counts.available += i32::from(is_available(set, pod, now));
            }
            if is_created(pod) && !is_terminating(pod) {
                counts.current += i32::from(revision_of(pod) == revisions.current_name());
                counts.updated += i32::from(revision_of(pod) == revisions.update_name());
            }
        }
        counts
    }
}

/// Writes the status if it changed.
pub(super) fn report(
    cx: &mut SyncContext<'_, '_>,
    set: &StatefulSet,
    revisions: &Revisions,
    mut counts: Counts,
) -> Result<(), Error> {
    let mut current = revisions.current_name();
    let strategy = set.spec.update_strategy.as_ref();
    let is_rolling = strategy.and_then(|it| it.type_.as_deref()) == Some("RollingUpdate");
    let all = [counts.updated, counts.ready, counts.replicas];
    // An update that is complete makes its revision the current one.
    if is_rolling && all.iter().all(|count| *count == replicas(set)) {
        counts.current = counts.updated;
        current = revisions.update_name();
    }
    let before = set.status.clone().unwrap_or_default();
    let status = StatefulSetStatus {
        replicas: counts.replicas,
        ready_replicas: unless_zero(counts.ready),
        available_replicas: Some(counts.available),
        current_replicas: unless_zero(counts.current),
        updated_replicas: unless_zero(counts.updated),
        current_revision: Some(current.to_string()),
        update_revision: Some(revisions.update_name().to_string()),
        collision_count: Some(revisions.collisions),
        observed_generation: set.metadata.generation,
        conditions: before.conditions.clone(),
    };
    if status != before {
        let mut updated = set.clone();
        updated.status = Some(status);
        cx.update_status(updated)?;
    }
    Ok(())
}
