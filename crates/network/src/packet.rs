//! Packets as plain values.

use std::net::Ipv4Addr;

use crate::{MacAddress, Payload};

/// An Ethernet frame with an IPv4 packet in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The station that sends it on this link.
    pub source: MacAddress,
    /// The station that shall receive it on this link.
    pub destination: MacAddress,
    /// What it carries.
    pub packet: Ipv4Packet,
}

/// An IPv4 packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv4Packet {
    /// Stays the same over all hops and rewriting, so that its path can be shown.
    pub id: u64,
    /// Where it says it comes from.
    pub source: Ipv4Addr,
    /// Where it goes.
    pub destination: Ipv4Addr,
    /// How many routers it may still pass.
    pub time_to_live: u8,
    /// The transport's header.
    pub transport: Transport,
    /// What it carries; empty for a tunnel's outer packet.
    pub payload: Payload,
    /// The frame that a tunnel put into it.
    pub encapsulated: Option<Box<Frame>>,
    /// The packet mark of netfilter; not on the wire.
    pub mark: u32,
}

/// The header of the transport layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp {
        /// The sender's port.
        source: u16,
        /// The receiver's port.
        destination: u16,
        /// What the segment is.
        flags: TcpFlags,
        /// Counted in messages, not bytes.
        sequence: u32,
        /// The next message expected.
        acknowledgement: u32,
    },
    /// UDP.
    Udp {
        /// The sender's port.
        source: u16,
        /// The receiver's port.
        destination: u16,
    },
    /// ICMP.
    Icmp {
        /// 0 echo reply, 3 unreachable, 8 echo, 11 time exceeded.
        kind: u8,
        /// For 3: 0 net, 1 host, 3 port, 13 prohibited.
        code: u8,
        /// Ties an echo's reply to it.
        identifier: u16,
    },
}

/// The flags of a TCP segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags {
    /// Opens a connection.
    pub syn: bool,
    /// Confirms what came.
    pub ack: bool,
    /// The sender has nothing more to say.
    pub fin: bool,
    /// There is no such connection.
    pub rst: bool,
}
