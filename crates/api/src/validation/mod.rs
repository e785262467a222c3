//! Validation: everything wrong with an object, in the API server's words and order. Objects
//! come in with their defaults set; errors go out with the path of the field.
//!
//! Upstream: pkg/apis/core/validation/validation.go, pkg/apis/apps/validation/validation.go,
//! pkg/apis/coordination/validation/validation.go and
//! staging/src/k8s.io/apimachinery/pkg/api/validation

use serde::Serialize;
use serde_json::Value;

use crate::encode;
use crate::field::{Error, ErrorList, Path};

mod apps;
mod claim;
mod cluster;
mod config;
mod containers;
mod cron_job;
mod daemon_set;
mod disruption_budget;
mod endpoints;
mod environment;
mod ephemeral;
mod job;
mod job_policies;
mod job_status;
mod limit_range;
mod meta;
mod mounts;
mod names;
mod paths;
mod pod;
mod pod_spec;
mod pod_status;
mod priority_class;
mod probes;
mod projected;
mod quota;
mod records;
mod resources;
mod scheduling;
mod security;
mod service;
mod service_addresses;
mod spec_diff;
mod spread;
mod stateful_set;
mod storage;
mod volume_sources;
mod volumes;

#[cfg(test)]
mod tests;

pub(crate) use apps::{
    deployment, deployment_status_update, deployment_update, replica_set,
    replica_set_status_update, replica_set_update,
};
pub(crate) use claim::{
    persistent_volume_claim, persistent_volume_claim_status_update, persistent_volume_claim_update,
};
pub(crate) use cluster::{
    namespace, namespace_status_update, namespace_update, node, node_update, service_account,
    service_account_update,
};
pub(crate) use config::{config_map, config_map_update, secret, secret_update};
pub(crate) use cron_job::{cron_job, cron_job_update};
pub(crate) use daemon_set::{
    controller_revision, controller_revision_update, daemon_set, daemon_set_status_update,
    daemon_set_update,
};
pub(crate) use disruption_budget::{
    pod_disruption_budget, pod_disruption_budget_status_update, pod_disruption_budget_update,
};
pub(crate) use endpoints::{endpoint_slice, endpoint_slice_update, endpoints, endpoints_update};
pub(crate) use job::{job, job_update};
pub(crate) use job_status::job_status_update;
pub(crate) use limit_range::{limit_range, limit_range_update};
pub(crate) use pod::{pod_create, pod_update};
pub(crate) use pod_status::pod_status_update;
pub(crate) use priority_class::{priority_class, priority_class_update};
pub(crate) use quota::{resource_quota, resource_quota_status_update, resource_quota_update};
pub(crate) use records::{event, lease, lease_update};
pub(crate) use service::{service, service_status_update, service_update};
pub(crate) use service_addresses::service_addresses;
pub(crate) use stateful_set::{stateful_set, stateful_set_status_update, stateful_set_update};
pub(crate) use storage::{
    persistent_volume, persistent_volume_status_update, persistent_volume_update, storage_class,
    storage_class_update,
};

const IS_NEGATIVE: &str = "must be greater than or equal to 0";
const IS_NOT_POSITIVE: &str = "must be greater than zero";
const IS_IMMUTABLE: &str = "field is immutable";

/// The text, empty when it is not set.
fn text(field: &Option<String>) -> &str {
    field.as_deref().unwrap_or_default()
}

/// The list, empty when it is not set.
fn list<T>(field: &Option<Vec<T>>) -> &[T] {
    field.as_deref().unwrap_or_default()
}

/// A value as errors show it.
fn json<T: Serialize>(value: &T) -> Value {
    encode::to_value(value)
}

/// One error for each message.
fn invalid_each(messages: Vec<String>, path: &Path, value: &str, errors: &mut ErrorList) {
    errors.extend(messages.into_iter().map(|message| Error::invalid(path, value, message)));
}

/// An error unless the text is set.
fn require(value: &str, path: &Path, errors: &mut ErrorList) {
    if value.is_empty() {
        errors.push(Error::required(path, ""));
    }
}

/// Upstream: ValidateNonnegativeField.
fn non_negative(value: i64, path: &Path, errors: &mut ErrorList) {
    if value < 0 {
        errors.push(Error::invalid(path, value, IS_NEGATIVE));
    }
}

/// Upstream: ValidateImmutableField.
fn immutable<T: PartialEq + Serialize>(new: &T, old: &T, path: &Path, errors: &mut ErrorList) {
    if new != old {
        errors.push(Error::invalid(path, json(new), IS_IMMUTABLE));
    }
}

/// Upstream: ValidateDNS1123Label.
fn dns_label(value: &str, path: &Path, errors: &mut ErrorList) {
    invalid_each(names::dns_label(value), path, value, errors);
}

/// Upstream: ValidateDNS1123Subdomain.
fn dns_subdomain(value: &str, path: &Path, errors: &mut ErrorList) {
    invalid_each(names::dns_subdomain(value), path, value, errors);
}

/// Upstream: ValidateQualifiedName.
fn qualified_name(value: &str, path: &Path, errors: &mut ErrorList) {
    invalid_each(crate::labels::label_key_errors(value), path, value, errors);
}

/// An error unless the value is one of those supported, which are given sorted.
fn supported(value: &str, values: &[&str], path: &Path, errors: &mut ErrorList) {
    if !values.contains(&value) {
        errors.push(Error::not_supported(path, value, values));
    }
}
