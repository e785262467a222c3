//! Pure functions over API types that several components share: what a pod requests, which
//! nodes a selector selects, which taints a pod tolerates, which host ports it takes.
//!
//! It knows the object model and nothing else. It must never read cluster state, keep anything
//! between calls, or know which component asks.

pub mod host_ports;
pub mod node_affinity;
pub mod resources;
pub mod taints;
