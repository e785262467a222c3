//! What becomes of the claims of pods that are no longer wanted: owners make the garbage collector
//! delete them.
//!
//! Upstream: pkg/controller/statefulset/stateful_set_utils.go

use api::openapi::api::apps::v1::StatefulSet;
use api::openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use api::openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use api::{Key, Kinded};
use component_helpers::controller_ref::new_controller_ref;

use super::identity::{claims_of, is_in_range};
use crate::{Error, SyncContext};

/// Whether claims are deleted when the set is, and when it gets smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Deletes {
    with_set: bool,
    with_pod: bool,
}

impl Deletes {
    fn of(set: &StatefulSet) -> Self {
        let policy = set.spec.persistent_volume_claim_retention_policy.as_ref();
        let deletes = |word: Option<&String>| word.is_some_and(|word| word == "Delete");
        Deletes {
            with_set: deletes(policy.and_then(|policy| policy.when_deleted.as_ref())),
            with_pod: deletes(policy.and_then(|policy| policy.when_scaled.as_ref())),
        }
    }

    /// Whether the set, and whether the pod, is to own the pod's claims.
    fn owners(self, set: &StatefulSet, pod: &Pod) -> (bool, bool) {
        let is_surplus = !is_in_range(set, pod);
        (self.with_set && !(self.with_pod && is_surplus), self.with_pod && is_surplus)
    }
}

fn owners(claim: &PersistentVolumeClaim) -> &[OwnerReference] {
    claim.metadata.owner_references.as_deref().unwrap_or_default()
}

/// Whether a reference names an object by its kind and name.
fn names<T: Kinded>(reference: &OwnerReference, meta: &ObjectMeta) -> bool {
    let kind = T::ID.get();
    reference.api_version == kind.api_version
        && reference.kind == kind.kind
        && Some(&reference.name) == meta.name.as_ref()
}

fn is_uid(reference: &OwnerReference, meta: &ObjectMeta) -> bool {
    Some(&reference.uid) == meta.uid.as_ref()
}

fn has_owner(claim: &PersistentVolumeClaim, meta: &ObjectMeta) -> bool {
    owners(claim).iter().any(|owner| is_uid(owner, meta))
}

/// Whether the claim is owned by something of that name that is gone.
fn has_stale_owner<T: Kinded>(claim: &PersistentVolumeClaim, meta: &ObjectMeta) -> bool {
    let named = owners(claim).iter().find(|owner| names::<T>(owner, meta));
    named.is_some_and(|owner| !is_uid(owner, meta))
}

/// Whether somebody else controls the claim. Upstream: hasUnexpectedController.
fn has_unexpected_controller(claim: &PersistentVolumeClaim, set: &StatefulSet, pod: &Pod) -> bool {
    if Deletes::of(set) == (Deletes { with_set: false, with_pod: false }) {
        return false;
    }
    owners(claim).iter().any(|owner| {
        if names::<StatefulSet>(owner, &set.metadata) {
            return !is_uid(owner, &set.metadata);
        }
        if names::<Pod>(owner, &pod.metadata) {
            return !is_uid(owner, &pod.metadata);
        }
        owner.controller == Some(true)
    })
}

/// Whether the claim's owners are what the policy says. Upstream: isClaimOwnerUpToDate.
fn is_up_to_date(claim: &PersistentVolumeClaim, set: &StatefulSet, pod: &Pod) -> bool {
    let (set_meta, pod_meta) = (&set.metadata, &pod.metadata);
    if has_stale_owner::<StatefulSet>(claim, set_meta) || has_stale_owner::<Pod>(claim, pod_meta) {
        // It belongs to what was there before, and is left to the garbage collector.
        return true;
    }
    let owned = (has_owner(claim, set_meta), has_owner(claim, pod_meta));
    if has_unexpected_controller(claim, set, pod) {
        return owned == (false, false);
    }
    let is_ours = |owner: &OwnerReference| is_uid(owner, set_meta) || is_uid(owner, pod_meta);
    let mut ours = owners(claim).iter().filter(|owner| is_ours(owner));
    ours.all(|owner| owner.controller == Some(true)) && owned == Deletes::of(set).owners(set, pod)
}

/// Upstream: updateClaimOwnerRefForSetAndPod.
fn update_owners(claim: &mut PersistentVolumeClaim, set: &StatefulSet, pod: &Pod) {
    let unexpected = has_unexpected_controller(claim, set, pod);
    let references = claim.metadata.owner_references.get_or_insert_default();
    references.retain(|owner| {
        !names::<StatefulSet>(owner, &set.metadata) && !names::<Pod>(owner, &pod.metadata)
    });
    let (by_set, by_pod) = Deletes::of(set).owners(set, pod);
    if !unexpected {
        references.extend(by_set.then(|| new_controller_ref(set)));
        references.extend(by_pod.then(|| new_controller_ref(pod)));
    }
}

/// The claims of a pod as they are known.
fn known<'a>(
    cx: &SyncContext<'a, '_>,
    set: &StatefulSet,
    pod: &Pod,
) -> Vec<&'a PersistentVolumeClaim> {
    let informers = cx.informers;
    let keys = claims_of(set, pod).into_iter().map(|claim| Key::of(&claim.metadata));
    keys.filter_map(|key| informers.get::<PersistentVolumeClaim>(&key)).collect()
}

/// Upstream: ClaimsMatchRetentionPolicy.
pub(super) fn match_policy(cx: &SyncContext<'_, '_>, set: &StatefulSet, pod: &Pod) -> bool {
    known(cx, set, pod).into_iter().all(|claim| is_up_to_date(claim, set, pod))
}

/// Upstream: PodClaimIsStale.
pub(super) fn are_stale(cx: &SyncContext<'_, '_>, set: &StatefulSet, pod: &Pod) -> bool {
    let policy = Deletes::of(set);
    let claims = known(cx, set, pod);
    policy.with_pod && claims.into_iter().any(|it| has_stale_owner::<Pod>(it, &pod.metadata))
}

/// Upstream: UpdatePodClaimForRetentionPolicy.
pub(super) fn update_for_policy(
    cx: &mut SyncContext<'_, '_>,
    set: &StatefulSet,
    pod: &Pod,
) -> Result<(), Error> {
    for claim in known(cx, set, pod) {
        if is_up_to_date(claim, set, pod) {
            continue;
        }
        let mut updated = claim.clone();
        update_owners(&mut updated, set, pod);
        cx.update(updated).map_err(|status| {
            let name = claim.metadata.name.as_deref().unwrap_or_default();
            let words =
                format!("could not update claim {name} for delete policy ownerRefs: {status}");
            Error::Other(words)
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(deleted: &str, scaled: &str) -> StatefulSet {
        serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "web", "uid": "set"},
            "spec": {"replicas": 1, "selector": {}, "template": {},
                "persistentVolumeClaimRetentionPolicy":
                    {"whenDeleted": deleted, "whenScaled": scaled}},
        }))
        .expect("a StatefulSet")
    }

    /// Upstream: stateful_set_utils_test.go, TestIsClaimOwnerUpToDate and
    /// TestUpdateClaimOwnerRefForSetAndPod.
    #[test]
    fn owners_follow_the_policy() {
        for (deleted, scaled, ordinal, want) in [
            ("Retain", "Retain", 0, vec![]),
            ("Retain", "Retain", 1, vec![]),
            ("Delete", "Retain", 0, vec!["set"]),
            ("Delete", "Retain", 1, vec!["set"]),
            ("Retain", "Delete", 0, vec![]),
            ("Retain", "Delete", 1, vec!["pod"]),
            ("Delete", "Delete", 0, vec!["set"]),
            ("Delete", "Delete", 1, vec!["pod"]),
        ] {
            let set = set(deleted, scaled);
            let pod: Pod = serde_json::from_value(json!({
                "metadata": {"name": format!("web-{ordinal}"), "uid": "pod"}}))
            .expect("a pod");
            let mut claim = PersistentVolumeClaim::default();
            assert_eq!(is_up_to_date(&claim, &set, &pod), want.is_empty());
            update_owners(&mut claim, &set, &pod);
            let found: Vec<&str> = owners(&claim).iter().map(|it| it.uid.as_str()).collect();
            assert_eq!(found, want, "{deleted} {scaled} {ordinal}");
            assert!(is_up_to_date(&claim, &set, &pod));
            // What belongs to a pod of another time is left alone.
            let stale = OwnerReference { uid: "old".into(), ..new_controller_ref(&pod) };
            claim.metadata.owner_references = Some(vec![stale]);
            assert!(is_up_to_date(&claim, &set, &pod));
            assert!(has_stale_owner::<Pod>(&claim, &pod.metadata));
            // Somebody else's claims get no owners of ours.
            let other = OwnerReference { name: "other".into(), ..new_controller_ref(&pod) };
            let other = OwnerReference { uid: "other".into(), ..other };
            claim.metadata.owner_references = Some(vec![other]);
            update_owners(&mut claim, &set, &pod);
            let keeps = (deleted, scaled) == ("Retain", "Retain");
            assert!(keeps || owners(&claim).len() == 1);
        }
    }
}
