//! Pure functions over API types that several components share: what a pod requests, which
//! nodes a selector selects, which taints a pod tolerates, what a ready pod is, how a rollout
//! counts.
//!
//! It knows the object model and the ground below it. It must never read cluster state, keep
//! anything between calls, or know which component asks.

pub mod controller_ref;
pub mod disruption;
pub mod host_ports;
pub mod node_affinity;
pub mod pod_status;
pub mod pod_template;
pub mod quota;
pub mod resources;
pub mod rollout;
pub mod taints;
