//! PriorityClasses.
//!
//! Upstream: pkg/apis/scheduling/validation/validation.go

use k8s_openapi::api::scheduling::v1::PriorityClass;

use super::{immutable, meta, names, pod_spec, text};
use crate::field::{Error, ErrorList, Path};
use crate::priority::SYSTEM_PRIORITY_CLASSES;

/// Upstream: HighestUserDefinablePriority.
const HIGHEST_USER_DEFINABLE: i32 = 1_000_000_000;
const SYSTEM_PREFIX: &str = "system-";

/// Upstream: ValidatePriorityClass.
pub(crate) fn priority_class(class: &PriorityClass) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&class.metadata, false, names::dns_subdomain, &mut errors);
    let value = class.value.unwrap_or(0);
    if text(&class.metadata.name).starts_with(SYSTEM_PREFIX) {
        if let Some(why) = unknown_system_class(class) {
            let message = format!(
                "priority class names with '{SYSTEM_PREFIX}' prefix are reserved for system use \
                 only. error: {why}"
            );
            let path = Path::new("metadata").child("name");
            errors.push(Error::forbidden(&path, &message));
        }
    } else if value > HIGHEST_USER_DEFINABLE {
        let message =
            format!("maximum allowed value of a user defined priority is {HIGHEST_USER_DEFINABLE}");
        errors.push(Error::forbidden(&Path::new("value"), &message));
    }
    if let Some(policy) = &class.preemption_policy {
        pod_spec::preemption_policy(policy, &Path::new("preemptionPolicy"), &mut errors);
    }
    errors
}

/// Upstream: IsKnownSystemPriorityClass.
fn unknown_system_class(class: &PriorityClass) -> Option<String> {
    let name = text(&class.metadata.name);
    let known = SYSTEM_PRIORITY_CLASSES.iter().find(|(known, _, _)| *known == name);
    let Some((_, value, _)) = known else {
        return Some(format!("{name} is not a known system priority class"));
    };
    if class.value != Some(*value) {
        return Some(format!("value of {name} PriorityClass must be {value}"));
    }
    if class.global_default == Some(true) {
        return Some(format!("globalDefault of {name} PriorityClass must be false"));
    }
    None
}

/// Upstream: ValidatePriorityClassUpdate.
pub(crate) fn priority_class_update(new: &PriorityClass, old: &PriorityClass) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    if new.value.unwrap_or(0) != old.value.unwrap_or(0) {
        errors.push(Error::forbidden(&Path::new("value"), "may not be changed in an update."));
    }
    let path = Path::new("preemptionPolicy");
    immutable(&new.preemption_policy, &old.preemption_policy, &path, &mut errors);
    errors
}
