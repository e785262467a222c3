//! The scheduler against an API server, as other components see it.

pub mod cluster;
mod explain;
mod placement;
mod preemption;
mod scale;
mod spreading;
