//! kube-scheduler: it finds a node for every pod that has none, and binds the pod to it.
//!
//! It knows pods, nodes and the objects that say which pods belong together as its watches
//! deliver them, and what it has assumed itself. It must never bind a pod to a node that did not
//! pass every filter in its own snapshot, write anything but bindings, pod status and events, or
//! know of a peer.
//!
//! Upstream: pkg/scheduler

mod cache;
mod event_handlers;
mod explain;
pub mod framework;
mod listers;
mod outcome;
pub mod plugins;
mod preemption;
mod queue;
mod schedule_one;
mod scheduler;
#[cfg(test)]
mod tests;

pub use explain::{Decision, NodeDecision, PluginScore, PluginVerdict, Verdict};
pub use scheduler::Scheduler;
