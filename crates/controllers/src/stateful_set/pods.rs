//! Creating, updating and deleting the pods of a StatefulSet and their claims, with the Events
//! that say so.
//!
//! Upstream: pkg/controller/statefulset/stateful_pod_control.go

use api::Key;
use api::openapi::api::apps::v1::StatefulSet;
use api::openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use api::status::Reason;
use apiserver::DeleteOptions;
use client::EventType;

use super::{claims, identity};
use crate::refusal::is_not_found;
use crate::{Error, SyncContext};

fn name(meta: &api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> &str {
    meta.name.as_deref().unwrap_or_default()
}

/// `Successful` or `Failed`, and what was done: `Create`.
fn reason(verb: &str, is_success: bool) -> String {
    let (first, rest) = verb.split_at(1);
    let outcome = if is_success { "Successful" } else { "Failed" };
    format!("{outcome}{}{rest}", first.to_uppercase())
}

/// Upstream: recordPodEvent.
fn record<T>(
    cx: &mut SyncContext<'_, '_>,
    verb: &str,
    set: &StatefulSet,
    pod: &Pod,
    outcome: &Result<T, Error>,
) {
    let words =
        format!("{verb} Pod {} in StatefulSet {}", name(&pod.metadata), name(&set.metadata));
    let reason = reason(verb, outcome.is_ok());
    match outcome {
        Ok(_) => {
            cx.event(set, EventType::Normal, &reason, &format!("{words} successful"));
        }
        Err(error) => {
            let message = format!("{words} failed error: {error}");
            cx.event(set, EventType::Warning, &reason, &message);
        }
    }
}

/// Upstream: recordClaimEvent.
fn record_claim(
    cx: &mut SyncContext<'_, '_>,
    set: &StatefulSet,
    pod: &Pod,
    claim: &str,
    error: Option<&Error>,
) {
    let (pod, set_name) = (name(&pod.metadata), name(&set.metadata));
    match error {
        None => {
            let message =
                format!("create Claim {claim} Pod {pod} in StatefulSet {set_name} success");
            cx.event(set, EventType::Normal, "SuccessfulCreate", &message);
        }
        Some(error) => {
            let message = format!(
                "create Claim {claim} for Pod {pod} in StatefulSet {set_name} failed error: {error}"
            );
            cx.event(set, EventType::Warning, "FailedCreate", &message);
        }
    }
}

/// Makes the claims of the pod that are missing. Upstream: createPersistentVolumeClaims.
pub(super) fn create_claims(
    cx: &mut SyncContext<'_, '_>,
    set: &StatefulSet,
    pod: &Pod,
) -> Result<(), Error> {
    let mut outcome = Ok(());
    for claim in identity::claims_of(set, pod) {
        let key = Key::of(&claim.metadata);
        if let Some(known) = cx.informers.get::<PersistentVolumeClaim>(&key) {
            if known.metadata.deletion_timestamp.is_some() {
                let words = format!("pvc {} is being deleted", key.name);
                outcome = outcome.and(Err(Error::Other(words)));
            }
            continue;
        }
        match cx.create(&key.namespace, claim) {
            Ok(_) => record_claim(cx, set, pod, &key.name, None),
            Err(status) => {
                let is_known = status.is(Reason::AlreadyExists);
                let words = format!("failed to create PVC {}: {status}", key.name);
                if !is_known {
                    record_claim(cx, set, pod, &key.name, Some(&Error::Refused(status)));
                }
                outcome = outcome.and(Err(Error::Other(words)));
            }
        }
    }
    outcome
}

/// Upstream: CreateStatefulPod.
pub(super) fn create(
    cx: &mut SyncContext<'_, '_>,
    set: &StatefulSet,
    pod: &Pod,
) -> Result<(), Error> {
    let claimed = create_claims(cx, set, pod);
    if claimed.is_err() {
        record(cx, "create", set, pod, &claimed);
        return claimed;
    }
    let namespace = set.metadata.namespace.as_deref().unwrap_or_default();
    let created = match cx.create(namespace, pod.clone()) {
        Err(status) if status.is(Reason::AlreadyExists) => return Err(status.into()),
        created => created.map(|_| ()).map_err(Error::from),
    };
    if let Err(error) = claims::update_for_policy(cx, set, pod) {
        let outcome = Err(error);
        record(cx, "update", set, pod, &outcome);
        return outcome;
    }
    record(cx, "create", set, pod, &created);
    created
}

/// Gives a pod back what makes it a pod of the set. Upstream: UpdateStatefulPod.
pub(super) fn update(
    cx: &mut SyncContext<'_, '_>,
    set: &StatefulSet,
    pod: &Pod,
) -> Result<(), Error> {
    let mut updated = pod.clone();
    let mut is_consistent = true;
    if !identity::identity_matches(set, pod) {
        identity::update_identity(&mut updated);
        is_consistent = false;
    }
    if !identity::storage_matches(set, pod) {
        identity::update_storage(set, &mut updated);
        is_consistent = false;
        let claimed = create_claims(cx, set, pod);
        if claimed.is_err() {
            record(cx, "update", set, pod, &claimed);
            return claimed;
        }
    }
    if !claims::match_policy(cx, set, pod) {
        let owned = claims::update_for_policy(cx, set, pod);
        if owned.is_err() {
            record(cx, "update", set, pod, &owned);
            return owned;
        }
        is_consistent = false;
    }
    if is_consistent {
        return Ok(());
    }
    let outcome = cx.update(updated).map(|_| ()).map_err(Error::from);
    record(cx, "update", set, pod, &outcome);
    outcome
}

/// Upstream: DeleteStatefulPod.
pub(super) fn delete(
    cx: &mut SyncContext<'_, '_>,
    set: &StatefulSet,
    pod: &Pod,
) -> Result<(), Error> {
    // The cache may show a pod whose name has a successor already.
    let options = DeleteOptions { uid: pod.metadata.uid.clone(), ..DeleteOptions::default() };
    let outcome = match cx.delete::<Pod>(&Key::of(&pod.metadata), options) {
        Err(status) if is_not_found(&status) => return Ok(()),
        outcome => outcome.map_err(Error::from),
    };
    record(cx, "delete", set, pod, &outcome);
    outcome
}
