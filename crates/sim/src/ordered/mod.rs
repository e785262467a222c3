//! Persistent ordered collections: a copy is a pointer, and a change copies only the nodes on its
//! way. They say less than other libraries' so that each use adds little code: the engine has
//! dozens of them, and their code was an eighth of it.

mod map;
mod node;
mod set;

pub use map::{OrdMap, OrdMapIntoIter, OrdMapIter};
pub use node::Value;
pub use set::{OrdSet, OrdSetIntoIter};

#[cfg(test)]
mod tests;
