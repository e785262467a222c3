//! The API server: every request runs authentication, authorization, admission, validation and
//! storage, in this order, and every change reaches the watches.
//!
//! It knows objects, identities and the store below it. It must never know a component by name,
//! call a component, or let anybody past the chain; the store is reached from here only.

pub mod admission;
mod audit;
mod auth;
mod expiry;
mod kubernetes_service;
mod names;
mod request;
mod response;
mod server;
mod services;
mod snapshot;
mod verbs;
mod watch;

pub use audit::Usage;
pub use auth::Identity;
pub use request::{
    Binding, Body, DeleteOptions, ListOptions, ObjectChange, Patch, Propagation, Request,
    Subresource, Verb,
};
pub use response::{List, Response};
pub use server::{ApiServer, Commit};
pub use snapshot::Snapshot;
pub use verbs::DocumentPatch;
pub use watch::{EventType, Selection, WatchEvent, WatchId, WatchSelector};
