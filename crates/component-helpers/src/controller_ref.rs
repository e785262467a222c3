//! Who controls an object, and who may come to.
//!
//! Upstream: staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/controller_ref.go and
//! pkg/controller/controller_ref_manager.go

use api::Kinded;
use api::openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

/// The reference to the object's controller, if it has one.
#[must_use]
pub fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// Whether the object with that UID controls this one.
#[must_use]
pub fn is_controlled_by(meta: &ObjectMeta, uid: &str) -> bool {
    controller_of(meta).is_some_and(|controller| controller.uid == uid)
}

/// A reference that makes `owner` the controller of whatever carries it.
#[must_use]
pub fn new_controller_ref<T: Kinded>(owner: &T) -> OwnerReference {
    let kind = T::ID.get();
    let meta = owner.metadata();
    OwnerReference {
        api_version: kind.api_version.to_string(),
        kind: kind.kind.to_string(),
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// What a controller does with an object that it may own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the controller's already.
    Owned,
    /// Nobody controls it and the selector matches: take it.
    Adopt,
    /// It is the controller's but the selector matches no longer: let it go.
    Release,
    /// It is none of the controller's business.
    Ignore,
}

/// What `controller` does with `object`, given whether its selector matches.
#[must_use]
pub fn claim(controller: &ObjectMeta, object: &ObjectMeta, matches: bool) -> Claim {
    let uid = controller.uid.as_deref().unwrap_or_default();
    let deleting = controller.deletion_timestamp.is_some();
    match controller_of(object) {
        Some(owner) if owner.uid != uid => Claim::Ignore,
        Some(_) if matches => Claim::Owned,
        // The selector is immutable, so the labels must have changed. A controller that is
        // being deleted leaves it to the garbage collector.
        Some(_) if deleting => Claim::Ignore,
        Some(_) => Claim::Release,
        None if deleting || !matches || object.deletion_timestamp.is_some() => Claim::Ignore,
        None if controller.namespace != object.namespace => Claim::Ignore,
        None => Claim::Adopt,
    }
}

#[cfg(test)]
mod tests {
    use api::openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn meta(uid: &str) -> ObjectMeta {
        ObjectMeta {
            uid: Some(uid.into()),
            namespace: Some("default".into()),
            ..ObjectMeta::default()
        }
    }

    fn owned_by(uid: &str) -> ObjectMeta {
        let owner =
            OwnerReference { uid: uid.into(), controller: Some(true), ..OwnerReference::default() };
        ObjectMeta { owner_references: Some(vec![owner]), ..meta("object") }
    }

    /// Upstream: pkg/controller/controller_ref_manager_test.go, TestClaimPods.
    #[test]
    fn objects_are_claimed_by_reference_first_and_by_selector_second() {
        let deleted = Time(jiff::Timestamp::UNIX_EPOCH);
        let controller = meta("1");
        let dying = ObjectMeta { deletion_timestamp: Some(deleted.clone()), ..meta("1") };
        let orphan = meta("object");
        let dying_orphan = ObjectMeta { deletion_timestamp: Some(deleted), ..meta("object") };
        let elsewhere = ObjectMeta { namespace: Some("other".into()), ..meta("object") };
        let cases = [
            ("Claim pods with correct label", &controller, &orphan, true, Claim::Adopt),
            (
                "Controller marked for deletion can not claim new pods",
                &dying,
                &orphan,
                true,
                Claim::Ignore,
            ),
            (
                "Controller marked for deletion can keep its pods",
                &dying,
                &owned_by("1"),
                true,
                Claim::Owned,
            ),
            (
                "Controller can not claim pods owned by another controller",
                &controller,
                &owned_by("2"),
                true,
                Claim::Ignore,
            ),
            (
                "Controller releases claimed pods when selector doesn't match",
                &controller,
                &owned_by("1"),
                false,
                Claim::Release,
            ),
            (
                "Controller marked for deletion does not release",
                &dying,
                &owned_by("1"),
                false,
                Claim::Ignore,
            ),
            (
                "Controller does not claim orphaned pods marked for deletion",
                &controller,
                &dying_orphan,
                true,
                Claim::Ignore,
            ),
            (
                "Controller can not claim pods of another namespace",
                &controller,
                &elsewhere,
                true,
                Claim::Ignore,
            ),
            ("Labels that do not match", &controller, &orphan, false, Claim::Ignore),
        ];
        for (name, controller, object, matches, want) in cases {
            assert_eq!(claim(controller, object, matches), want, "{name}");
        }
    }
}
