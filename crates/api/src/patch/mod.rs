//! Patches: what a client sends to change an object, applied to the object as JSON; and the
//! patch that makes one value out of another. Three kinds are served, as upstream serves them.
//!
//! Patches come from users: the work is bounded by the size of patch and object, and nesting
//! by the reader of the request.

use serde_json::Value;

mod go_format;
pub mod json_patch;
pub mod last_applied;
pub mod merge;
mod patch_meta;
pub mod strategic;

pub use patch_meta::PatchMeta;

/// Why a patch cannot be applied or made, in upstream's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch is malformed: the API server answers 400 with this text.
    #[error("{0}")]
    Malformed(String),
    /// The patch does not fit the object: the API server answers 422, with this text as the
    /// cause.
    #[error("{0}")]
    Unprocessable(String),
    /// The patch asks for too much: the API server answers 413 with this text.
    #[error("{0}")]
    TooLarge(String),
    /// Anything else: the API server answers 500 with this text.
    #[error("{0}")]
    Failed(String),
}

/// The nesting beyond which a patch's result is refused.
pub(crate) const MAX_DEPTH: usize = 128;

/// How deep a value nests: a scalar is 1 deep.
pub(crate) fn depth_of(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth_of).max().unwrap_or(0),
        _ => 1,
    }
}
