//! kubectl: commands that a person gives, carried out as requests to the API server under that
//! person's identity, and the tables in which kubectl prints objects.
//!
//! It knows the object model, the API server's requests and the client. It must never read the
//! store past the API server, know of a component, or keep anything between commands.

mod commands;
mod manifest;
mod printers;
mod result;

pub use commands::{apply, delete};
pub use printers::{table, table_of_namespaces};
pub use result::{Action, DocumentResult, Done, Mark, Refusal, title};
