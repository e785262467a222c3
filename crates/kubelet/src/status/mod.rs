//! What the API server is told of a pod.

pub(crate) mod containers;
pub(crate) mod generate;
pub(crate) mod phase;
mod publish;
#[cfg(test)]
mod tests;
