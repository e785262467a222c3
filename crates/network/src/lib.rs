//! The network of the cluster as a simulation of packets: every machine has network namespaces
//! with devices, routes, neighbours, netfilter tables, connection tracking and sockets; a packet
//! goes from hop to hop by those tables and by nothing else.
//!
//! It knows virtual time and plain addresses. It must never know an API object: who programs its
//! tables (a CNI driver, kube-proxy) does so as on a real machine. It must never decide by a
//! name, and a packet that is shown was routed here.

mod address;
mod cni;
mod conntrack;
mod machine;
mod namespace;
mod netfilter;
mod packet;
mod path;
mod payload;
mod record;
mod socket;
mod sockets;
mod tables;
mod tcp;

pub use address::{Cidr, MacAddress};
pub use cni::{FlannelBackend, PortMapping, RemoteNode};
pub use conntrack::FlowView;
pub use machine::{Machine, MachineOptions};
pub use namespace::Route;
pub use netfilter::{
    AddressType, Is, Match, Operation, Recent, RejectWith, RestoreError, Rule, States, TableName,
    TableUpdate, Target,
};
pub use packet::{Frame, Ipv4Packet, TcpFlags, Transport};
pub use payload::{DnsMessage, DnsQuestion, DnsRecord, HttpRequest, HttpResponse, Payload};
pub use socket::{
    NamespaceId, Owner, Ready, SocketError, SocketEvent, SocketId, Sockets, TransportProtocol,
};

#[cfg(test)]
mod tests;
