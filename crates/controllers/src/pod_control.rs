//! Creating and deleting the pods of a controller, with the Events that say so.
//!
//! Upstream: pkg/controller/controller_utils.go, RealPodControl, and pkg/controller/replicaset,
//! slowStartBatch

use api::openapi::api::core::v1::Pod;
use api::{Key, Kinded};
use apiserver::DeleteOptions;
use client::EventType;

use crate::refusal::{is_namespace_terminating, is_not_found};
use crate::{Error, SyncContext};

/// How many pods the first batch of creations has.
const SLOW_START_INITIAL_BATCH_SIZE: usize = 1;

/// Creates a pod for `owner`.
pub(crate) fn create_pod<T: Kinded>(
    cx: &mut SyncContext<'_, '_>,
    owner: &T,
    pod: Pod,
) -> Result<(), Error> {
    if pod.metadata.labels.as_ref().is_none_or(std::collections::BTreeMap::is_empty) {
        return Err(Error::Other("unable to create pods, no labels".to_string()));
    }
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    match cx.create(&namespace, pod) {
        Ok(pod) => {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            let message = format!("Created pod: {name}");
            cx.event(owner, EventType::Normal, "SuccessfulCreate", &message);
            Ok(())
        }
        // Nothing can be created in a namespace that goes away: there is nothing to do.
        Err(status) if is_namespace_terminating(&status) => Ok(()),
        Err(status) => {
            let message = format!("Error creating: {status}");
            cx.event(owner, EventType::Warning, "FailedCreate", &message);
            Err(status.into())
        }
    }
}

/// Deletes a pod of `owner`.
pub(crate) fn delete_pod<T: Kinded>(
    cx: &mut SyncContext<'_, '_>,
    owner: &T,
    pod: &Pod,
) -> Result<(), Error> {
    let key = Key::of(&pod.metadata);
    // The cache may show a pod whose name has a successor already.
    let options = DeleteOptions { uid: pod.metadata.uid.clone(), ..DeleteOptions::default() };
    match cx.delete::<Pod>(&key, options) {
        Ok(()) => {
            let message = format!("Deleted pod: {}", key.name);
            cx.event(owner, EventType::Normal, "SuccessfulDelete", &message);
            Ok(())
        }
        Err(status) if is_not_found(&status) => Ok(()),
        Err(status) => {
            let message = format!("Error deleting: {status}");
            cx.event(owner, EventType::Warning, "FailedDelete", &message);
            Err(status.into())
        }
    }
}

/// Calls `create` that many times in batches that double as long as everything succeeds: what
/// fails for all pods for the same reason shall not be tried for each. Returns how many
/// succeeded and the first error.
pub(crate) fn slow_start_batch(
    count: usize,
    mut create: impl FnMut() -> Result<(), Error>,
) -> (usize, Result<(), Error>) {
    let (mut remaining, mut successes) = (count, 0);
    let mut batch = remaining.min(SLOW_START_INITIAL_BATCH_SIZE);
    while batch > 0 {
        let mut outcome = Ok(());
        for _ in 0..batch {
            match create() {
                Ok(()) => successes += 1,
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        if outcome.is_err() {
            return (successes, outcome);
        }
        remaining -= batch;
        batch = remaining.min(2 * batch);
    }
    (successes, Ok(()))
}
