//! The scheduler against an API server, as other components see it.

mod cluster;
mod placement;
