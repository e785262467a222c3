//! Defaults: what the API server fills in where a manifest says nothing. An object comes in as
//! a client wrote it; it goes out with every default set and its quantities in canonical form.
//! Running it again changes nothing.
//!
//! Upstream: pkg/apis/{core,apps,batch,storage}/v1/defaults.go

mod apps;
mod batch;
mod containers;
mod image;
mod omitted;
mod pod_resources;
mod pod_spec;
mod quota;
mod resources;
mod services;
mod storage;
mod volumes;

#[cfg(test)]
mod tests;

pub(crate) use apps::{daemon_set, deployment, replica_set, stateful_set};
pub(crate) use batch::{cron_job, job};
pub(crate) use omitted::meta;
pub(crate) use pod_resources::aggregate;
pub(crate) use pod_spec::pod;
pub(crate) use quota::{limit_range, pod_disruption_budget, resource_quota};
pub(crate) use resources::{ResourceList, resource_list};
pub(crate) use services::{endpoint_slice, endpoints, service};
pub(crate) use storage::{persistent_volume, persistent_volume_claim, storage_class};

/// Sets a text that is not set or empty.
fn text(field: &mut Option<String>, default: &str) {
    if field.as_deref().unwrap_or_default().is_empty() {
        *field = Some(default.to_string());
    }
}

/// Sets a number that is not set or zero.
fn number(field: &mut Option<i32>, default: i32) {
    if field.unwrap_or_default() == 0 {
        *field = Some(default);
    }
}
