//! What a ReplicaSet's status says, and writing it.
//!
//! Upstream: pkg/controller/replicaset/replica_set_utils.go

use api::openapi::api::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use api::{Key, status::Reason};

use super::{Tally, replicas};
use crate::{Error, SyncContext};

const REPLICA_FAILURE: &str = "ReplicaFailure";

/// The status that follows from the pods and from how creating or deleting pods failed.
pub(super) fn calculate(
    replica_set: &ReplicaSet,
    tally: &Tally<'_>,
    failure: Option<&Error>,
    cx: &SyncContext<'_, '_>,
) -> ReplicaSetStatus {
    let old = replica_set.status.clone().unwrap_or_default();
    let mut conditions = old.conditions.unwrap_or_default();
    let failed = conditions.iter().any(is_replica_failure);
    match failure {
        Some(error) if !failed => {
            let reason = if number(tally.active) < replicas(replica_set) {
                "FailedCreate"
            } else {
                "FailedDelete"
            };
            conditions.push(ReplicaSetCondition {
                type_: Some(REPLICA_FAILURE.to_string()),
                status: Some("True".to_string()),
                last_transition_time: Some(cx.timestamp()),
                reason: Some(reason.to_string()),
                message: Some(error.to_string()),
            });
        }
        None => conditions.retain(|condition| !is_replica_failure(condition)),
        Some(_) => {}
    }
    ReplicaSetStatus {
        replicas: number(tally.active),
        fully_labeled_replicas: unless_zero(number(tally.fully_labeled)),
        ready_replicas: unless_zero(number(tally.ready)),
        available_replicas: unless_zero(number(tally.available)),
        terminating_replicas: Some(number(tally.terminating)),
        observed_generation: replica_set.metadata.generation,
        conditions: (!conditions.is_empty()).then_some(conditions),
    }
}

fn is_replica_failure(condition: &ReplicaSetCondition) -> bool {
    condition.type_.as_deref() == Some(REPLICA_FAILURE)
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Counters of zero are left out of the stored object, as upstream's `omitempty` does.
pub(crate) fn unless_zero(count: i32) -> Option<i32> {
    (count != 0).then_some(count)
}

/// Writes the status unless it is stored already. A conflict is tried once more on the object
/// as it is stored.
pub(super) fn update(
    cx: &mut SyncContext<'_, '_>,
    replica_set: &ReplicaSet,
    status: ReplicaSetStatus,
) -> Result<(), Error> {
    if replica_set.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let with_status = |replica_set: &ReplicaSet| ReplicaSet {
        status: Some(status.clone()),
        ..replica_set.clone()
    };
    match cx.update_status(with_status(replica_set)) {
        Err(refused) if refused.is(Reason::Conflict) => {
            let fresh = cx.get_live::<ReplicaSet>(&Key::of(&replica_set.metadata))?;
            if fresh.metadata.uid == replica_set.metadata.uid {
                cx.update_status(with_status(&fresh))?;
            }
            Ok(())
        }
        answer => Ok(answer.map(|_| ())?),
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
