//! What a component of the cluster uses to reach the API server: typed requests under its own
//! identity, informers over the watch cache, work queues and the recorder of Events.
//!
//! It knows the API server's requests and nothing of any component. It must never give a
//! component a way to read the store that does not lag, or to write past the request path.

mod api_client;
mod component;
mod events;
mod informer;
#[cfg(test)]
mod informer_tests;
mod queue;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use api_client::Api;
pub use component::{Component, Context};
pub use events::{EventRecorder, EventType, object_reference};
pub use informer::{Change, Informer};
pub use queue::WorkQueue;
