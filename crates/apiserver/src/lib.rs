//! The API server: every request runs authentication, authorization, admission, validation and
//! storage, in this order, and every change reaches the watches.
//!
//! It knows objects, identities and the store below it. It must never know a component by name,
//! call a component, or let anybody past the chain; the store is reached from here only.

pub mod admission;
mod auth;
mod cache;
mod names;
mod request;
mod server;
mod verbs;

pub use auth::{Identity, Usage};
pub use cache::{Snapshot, WatchEvent, WatchId, WatchSelector};
pub use request::{
    Binding, Body, DeleteOptions, List, ListOptions, ObjectChange, Patch, Propagation, Request,
    Response, Subresource, Verb,
};
pub use server::{ApiServer, Commit};
