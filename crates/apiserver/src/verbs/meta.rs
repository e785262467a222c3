//! What holds for the metadata of every kind.
//!
//! Upstream: staging/src/k8s.io/apimachinery/pkg/api/validation/objectmeta.go

use api::Object;
use api::field::{Error, ErrorList, Path};
use serde_json::Value;
use sim::Sort;

/// What an update may not change of any object's metadata.
/// Upstream: ValidateObjectMetaAccessorUpdate.
pub(super) fn validate_update(new: &Object, old: &Object) -> ErrorList {
    let (new, old) = (new.meta(), old.meta());
    let metadata = Path::new("metadata");
    let mut errors = ErrorList::new();
    if old.deletion_timestamp.is_some() {
        errors.extend(new_finalizers(new.finalizers.as_deref(), old.finalizers.as_deref()));
    }
    let mut immutable = |name: &str, same: bool, value: &dyn Fn() -> Value| {
        if !same {
            errors.push(Error::invalid(&metadata.child(name), value(), "field is immutable"));
        }
    };
    immutable("name", new.name == old.name, &|| new.name.clone().into());
    immutable("namespace", new.namespace == old.namespace, &|| new.namespace.clone().into());
    immutable("uid", new.uid == old.uid, &|| new.uid.clone().into());
    let time = || new.deletion_timestamp.as_ref().map(|time| time.0.to_string());
    let same = new.deletion_timestamp == old.deletion_timestamp;
    immutable("deletionTimestamp", same, &|| time().into());
    let grace = new.deletion_grace_period_seconds;
    let same = grace == old.deletion_grace_period_seconds;
    immutable("deletionGracePeriodSeconds", same, &|| grace.into());
    errors
}

/// Upstream: ValidateNoNewFinalizers.
fn new_finalizers(new: Option<&[String]>, old: Option<&[String]>) -> Option<Error> {
    let old = old.unwrap_or_default();
    let mut extra: Vec<&String> =
        new.unwrap_or_default().iter().filter(|name| !old.contains(name)).collect();
    extra.order();
    extra.dedup();
    if extra.is_empty() {
        return None;
    }
    let quoted: Vec<String> = extra.iter().map(|name| format!("{name:?}")).collect();
    let words = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers \
         []string{{{}}}",
        quoted.join(", ")
    );
    Some(Error::forbidden(&Path::new("metadata").child("finalizers"), &words))
}
