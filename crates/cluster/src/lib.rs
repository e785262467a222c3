//! The whole cluster as one value: `Cluster::new(options)`, commands, and virtual time that
//! runs, steps, is cloned and replayed.
//!
//! This is the only crate that knows every component. It must never let a component reach
//! another but through the API server, and never do by itself what a component should do.

mod addons;
pub mod bench;
mod bootstrap;
mod command;
mod control_plane;
mod engine;
mod generator;
mod options;
mod outside;
mod parts;
mod quiet;
mod session;
mod traffic;
mod underlay;

pub use command::{Command, Outcome};
pub use engine::{Cluster, Ran};
pub use options::{NodeOptions, Options};
pub use parts::{Parts, Point};
pub use session::{ENGINE_VERSION, FORMAT_VERSION, LoggedCommand, Replay, Session, SessionError};
pub use traffic::{TrafficReport, TrafficSource};

/// The version of Kubernetes that the cluster behaves as.
pub const KUBERNETES_VERSION: &str = "v1.37.0";
