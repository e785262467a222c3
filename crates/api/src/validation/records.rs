//! Events and leases: what components write about themselves and others.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::Event;

use super::{dns_subdomain, meta, names, qualified_name, require, text};
use crate::field::{Error, ErrorList, Path};

/// Upstream: legacyValidateEvent in pkg/apis/core/validation/events.go
pub(crate) fn event(event: &Event) -> ErrorList {
    let mut errors = ErrorList::new();
    let namespace = text(&event.metadata.namespace);
    let involved = text(&event.involved_object.namespace);
    let involved_path = Path::new("involvedObject").child("namespace");
    let agrees = match (&event.event_time, involved.is_empty()) {
        (None, true) => matches!(namespace, "" | "default"),
        (None, false) => namespace == involved,
        (Some(_), true) => matches!(namespace, "default" | "kube-system"),
        (Some(_), false) => true,
    };
    if !agrees {
        let message = "does not match event.namespace";
        errors.push(Error::invalid(&involved_path, involved, message));
    }
    if event.event_time.is_some() {
        new_event(event, &mut errors);
    }
    dns_subdomain(namespace, &Path::new("namespace"), &mut errors);
    errors
}

/// Events with a time of their own say who reports them and what was done.
fn new_event(event: &Event, errors: &mut ErrorList) {
    let controller = text(&event.reporting_component);
    let controller_path = Path::new("reportingComponent");
    require(controller, &controller_path, errors);
    qualified_name(controller, &controller_path, errors);
    for (name, value) in [
        ("reportingInstance", text(&event.reporting_instance)),
        ("action", text(&event.action)),
        ("reason", text(&event.reason)),
    ] {
        require(value, &Path::new(name), errors);
        at_most(value, 128, name, errors);
    }
    at_most(text(&event.message), 1024, "message", errors);
}

fn at_most(value: &str, most: usize, name: &str, errors: &mut ErrorList) {
    if value.len() > most {
        let message = format!("can have at most {most} characters");
        errors.push(Error::invalid(&Path::new(name), "", message));
    }
}

/// Upstream: ValidateLease in pkg/apis/coordination/validation/validation.go
pub(crate) fn lease(lease: &Lease) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&lease.metadata, true, names::dns_subdomain, &mut errors);
    lease_spec(lease, &mut errors);
    errors
}

/// Upstream: ValidateLeaseUpdate.
pub(crate) fn lease_update(new: &Lease, old: &Lease) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    lease_spec(new, &mut errors);
    errors
}

fn lease_spec(lease: &Lease, errors: &mut ErrorList) {
    let none = LeaseSpec::default();
    let spec = lease.spec.as_ref().unwrap_or(&none);
    let path = Path::new("spec");
    if let Some(seconds) = spec.lease_duration_seconds.filter(|seconds| *seconds <= 0) {
        let path = path.child("leaseDurationSeconds");
        errors.push(Error::invalid(&path, seconds, "must be greater than 0"));
    }
    if let Some(count) = spec.lease_transitions.filter(|count| *count < 0) {
        let path = path.child("leaseTransitions");
        errors.push(Error::invalid(&path, count, super::IS_NEGATIVE));
    }
    let has_strategy = !text(&spec.strategy).is_empty();
    if !text(&spec.preferred_holder).is_empty() && !has_strategy {
        let path = path.child("preferredHolder");
        let message = "may only be specified when `strategy` is defined";
        errors.push(Error::forbidden(&path, message));
    }
}
