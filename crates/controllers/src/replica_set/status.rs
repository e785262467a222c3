//! What a ReplicaSet's status says, and writing it.
//!
//! Upstream: pkg/controller/replicaset/replica_set_utils.go

use std::collections::BTreeMap;
use std::sync::Arc;

use api::openapi::api::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use api::openapi::api::core::v1::Pod;
use api::{Key, status::Reason};
use component_helpers::pod_status::{is_pod_available, is_pod_ready};
use component_helpers::pod_template;

use super::replicas;
use crate::{Error, SyncContext};

const REPLICA_FAILURE: &str = "ReplicaFailure";

/// The status that follows from the active pods, the number of terminating ones and how
/// creating or deleting pods failed.
pub(super) fn calculate(
    replica_set: &ReplicaSet,
    pods: &[Arc<Pod>],
    terminating: usize,
    failure: Option<&Error>,
    cx: &SyncContext<'_, '_>,
) -> ReplicaSetStatus {
    let min_ready_seconds = replica_set.spec.min_ready_seconds.unwrap_or(0);
    let labels = replica_set.spec.template.as_ref().and_then(pod_template::labels);
    let now = cx.now_on_calendar();
    let (mut fully_labeled, mut ready, mut available) = (0, 0, 0);
    for pod in pods {
        fully_labeled += i32::from(is_labeled(pod, labels));
        if is_pod_ready(pod) {
            ready += 1;
            available += i32::from(is_pod_available(pod, min_ready_seconds, now));
        }
    }
    let old = replica_set.status.clone().unwrap_or_default();
    let mut conditions = old.conditions.unwrap_or_default();
    let failed = conditions.iter().any(is_replica_failure);
    match failure {
        Some(error) if !failed => {
            let reason = if number(pods.len()) < replicas(replica_set) {
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
        replicas: number(pods.len()),
        fully_labeled_replicas: unless_zero(fully_labeled),
        ready_replicas: unless_zero(ready),
        available_replicas: unless_zero(available),
        terminating_replicas: Some(number(terminating)),
        observed_generation: replica_set.metadata.generation,
        conditions: (!conditions.is_empty()).then_some(conditions),
    }
}

fn is_replica_failure(condition: &ReplicaSetCondition) -> bool {
    condition.type_.as_deref() == Some(REPLICA_FAILURE)
}

fn is_labeled(pod: &Pod, labels: Option<&BTreeMap<String, String>>) -> bool {
    let Some(labels) = labels else { return true };
    let Some(found) = pod.metadata.labels.as_ref() else { return labels.is_empty() };
    labels.iter().all(|(key, value)| found.get(key) == Some(value))
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
