//! One file for each command.

mod apply;
mod delete;

pub use apply::apply;
pub use delete::delete;
