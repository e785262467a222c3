//! The kubelet of one node: it registers the node and keeps it alive, runs the pods bound to it
//! in virtual time, and reports what became of them.
//!
//! It knows the API server through `client` and containers through `runtime`, whose catalogue of
//! images the cluster hands to it. It must never know a controller, the scheduler or a single
//! image, nor write anything but what a kubelet writes.

mod actions;
mod activity;
mod admission;
mod agenda;
mod backoff;
mod container;
mod dial;
mod dns;
mod ending;
mod environment;
mod host_ports;
mod image_service;
mod kubelet;
mod node;
mod node_spec;
mod node_status;
mod owners;
mod pod_worker;
mod prober;
mod progress;
mod resources;
mod service_variables;
mod start;
mod static_pods;
mod status;
mod sync;
mod task;
mod termination;
mod volumes;

pub use kubelet::Kubelet;
pub use node_spec::NodeSpec;
