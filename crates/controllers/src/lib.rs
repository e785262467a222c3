//! The controllers of kube-controller-manager: each brings what is stored nearer to what is
//! wanted, one key at a time.
//!
//! It knows the API through `client` and what peers share through `component-helpers`. It must
//! never read the store past its informers except by a request, know of another component, or
//! write when nothing has to change.

mod claim;
mod controller;
pub mod cron_job;
pub mod daemon;
pub mod deployment;
pub mod disruption;
pub mod endpoint_slice;
pub mod endpoint_slice_mirroring;
pub mod endpoints;
pub mod garbage_collector;
mod history;
mod informers;
pub mod job;
mod manager;
pub mod namespace;
pub mod node_ipam;
pub mod node_lifecycle;
mod owners;
mod pod_control;
pub mod pod_garbage_collector;
#[cfg(test)]
mod property_tests;
mod refusal;
pub mod replica_set;
pub mod resource_quota;
pub mod root_ca_publisher;
pub mod service_account;
mod service_pods;
pub mod stateful_set;
mod sync_context;
pub mod taint_eviction;
#[cfg(test)]
mod testing;
pub mod ttl;
pub mod ttl_after_finished;
mod worker;

pub use controller::{Action, Controller, Enqueue, Error, Watch, Watched};
pub use informers::{Change, SharedInformers};
pub use manager::{ControllerManager, Controllers};
pub use sync_context::SyncContext;
