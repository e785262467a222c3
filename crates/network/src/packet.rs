//! Packets as plain values.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

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
    /// The frame that a tunnel put into it, or the packet that an ICMP error speaks of.
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
        /// Counts the echoes of one identifier.
        sequence: u16,
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

/// The first time to live that Linux gives.
pub(crate) const TIME_TO_LIVE: u8 = 64;
/// ICMP: an answer to an echo.
pub(crate) const ECHO_REPLY: u8 = 0;
/// ICMP: the destination cannot be reached.
pub(crate) const UNREACHABLE: u8 = 3;
/// ICMP: please answer.
pub(crate) const ECHO: u8 = 8;
/// ICMP: too many routers.
pub(crate) const TIME_EXCEEDED: u8 = 11;

impl Ipv4Packet {
    /// Where it comes from, with the port if its transport has ports.
    #[must_use]
    pub fn from(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.source, self.transport.ports().0)
    }

    /// Where it goes to, with the port if its transport has ports.
    #[must_use]
    pub fn to(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.destination, self.transport.ports().1)
    }

    /// Whether it reports an error of another packet.
    pub(crate) fn is_icmp_error(&self) -> bool {
        matches!(self.transport, Transport::Icmp { kind: UNREACHABLE | TIME_EXCEEDED, .. })
    }

    /// How many bytes it would have, headers of 20 bytes each included.
    #[must_use]
    pub fn length(&self) -> u64 {
        let inner = self.encapsulated.as_ref().map_or(0, |frame| 14 + frame.packet.length());
        let header = match self.transport {
            Transport::Tcp { .. } => 40,
            Transport::Udp { .. } | Transport::Icmp { .. } => 28,
        };
        header + inner + self.payload.length()
    }

    /// What it is, in a few words: `SYN`, `HTTP GET /cart`, `DNS A example.com.`, `RST`.
    #[must_use]
    pub fn kind(&self) -> Cow<'static, str> {
        if let Some(words) = self.payload.summary() {
            return Cow::Owned(words);
        }
        Cow::Borrowed(match self.transport {
            Transport::Tcp { flags, .. } => flags.words(),
            Transport::Udp { .. } if self.encapsulated.is_some() => "VXLAN",
            Transport::Udp { .. } => "UDP",
            Transport::Icmp { kind, code, .. } => icmp_words(kind, code),
        })
    }
}

impl fmt::Display for Ipv4Packet {
    /// The headers in one line, as tcpdump has them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transport {
            Transport::Tcp { sequence, acknowledgement, flags, .. } => {
                write!(f, "TCP {} > {} {}", self.from(), self.to(), flags)?;
                write!(f, " seq {sequence}")?;
                if flags.ack {
                    write!(f, " ack {acknowledgement}")?;
                }
            }
            Transport::Udp { .. } => write!(f, "UDP {} > {}", self.from(), self.to())?,
            Transport::Icmp { kind, code, .. } => {
                let words = icmp_words(kind, code);
                write!(f, "ICMP {} > {} {words}", self.source, self.destination)?;
            }
        }
        write!(f, " ttl {}", self.time_to_live)?;
        if self.mark != 0 {
            write!(f, " mark {:#x}", self.mark)?;
        }
        if let Some(words) = self.payload.summary() {
            write!(f, ": {words}")?;
        }
        match &self.encapsulated {
            Some(frame) => write!(f, " [{}]", frame.packet),
            None => Ok(()),
        }
    }
}

fn icmp_words(kind: u8, code: u8) -> &'static str {
    match (kind, code) {
        (ECHO_REPLY, _) => "echo reply",
        (ECHO, _) => "echo request",
        (UNREACHABLE, 0) => "net unreachable",
        (UNREACHABLE, 1) => "host unreachable",
        (UNREACHABLE, 3) => "port unreachable",
        (UNREACHABLE, 13) => "admin prohibited",
        (UNREACHABLE, _) => "unreachable",
        (TIME_EXCEEDED, _) => "time exceeded",
        _ => "message",
    }
}

impl Transport {
    /// The ports of source and destination; zeros where there are none.
    #[must_use]
    pub fn ports(self) -> (u16, u16) {
        match self {
            Transport::Tcp { source, destination, .. } | Transport::Udp { source, destination } => {
                (source, destination)
            }
            Transport::Icmp { .. } => (0, 0),
        }
    }

    /// The protocol's number in an IP header.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Transport::Icmp { .. } => 1,
            Transport::Tcp { .. } => 6,
            Transport::Udp { .. } => 17,
        }
    }
}

impl TcpFlags {
    fn words(self) -> &'static str {
        match (self.syn, self.fin, self.rst, self.ack) {
            (_, _, true, _) => "RST",
            (true, _, _, false) => "SYN",
            (true, _, _, true) => "SYN-ACK",
            (_, true, _, _) => "FIN",
            _ => "ACK",
        }
    }
}

impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}
