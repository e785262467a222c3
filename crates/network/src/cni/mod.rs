//! CNI drivers: what gives a pod its namespace and address, and what connects the machines.

mod bridge;
mod flannel;
mod portmap;

pub(crate) use bridge::AddressPool;
pub use flannel::{FlannelBackend, RemoteNode};
pub use portmap::PortMapping;
