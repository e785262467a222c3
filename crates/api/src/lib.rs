//! Kubernetes' object model: what an object is, which kinds there are, and everything that can
//! be said of an object without knowing the rest of the cluster: defaults, validation,
//! selectors, quantities, patches, columns and the errors an API server answers with.
//!
//! It knows `k8s-openapi`'s types and plain data. It must never read cluster state, know of a
//! request's identity, or keep anything between calls.

pub mod cron;
pub mod decode;
mod defaults;
pub mod duration;
pub mod encode;
pub mod endpoints;
pub mod field;
pub mod fields;
pub mod job_indexes;
pub mod kind;
pub mod kinds;
pub mod labels;
pub mod object;
pub mod patch;
pub mod priority;
pub mod quantity;
pub mod quota;
pub mod services;
pub mod status;
mod validation;
pub mod yaml;

pub use kind::{Behaviour, Cell, Column, Kind, KindId, Scope, Strategy};
pub use kinds::Kinded;
pub use object::{AnyObject, Key, Object, Resource};
pub use status::Status;

/// `k8s-openapi`'s typed kinds, under the one name that the engine uses for them.
pub use k8s_openapi as openapi;
