//! What containers are made of: processes that live in virtual time, their files and logs, the
//! names of images, and the catalogue that says which images exist and what runs in them.
//!
//! It knows virtual time and the sockets of a machine, and nothing of Kubernetes' objects. It
//! must never know a single image or program by name: those are the crate `images`, which the
//! cluster hands to whoever runs containers.

mod catalogue;
mod files;
mod logs;
mod process;
mod reference;
mod resolver;

pub use catalogue::{Image, ImageCatalogue, PullError, StartError};
pub use files::{Files, Volume};
pub use logs::{ContainerLog, LogLine, OutputStream};
pub use process::{Environment, Flow, Io, Process, ProcessEvent, Signal};
pub use reference::{ImageReference, InvalidReference};
pub use resolver::{ResolveError, Resolved, Resolver, ResolverConfig, hosts_addresses};
