//! Rules as typed values, and how `iptables-save` prints them.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::Cidr;

/// A table of netfilter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableName {
    /// Before connection tracking.
    Raw,
    /// Alters packets.
    Mangle,
    /// Rewrites addresses of new connections.
    Nat,
    /// Lets packets pass or not.
    Filter,
}

impl TableName {
    /// All tables, in the order in which a hook visits them.
    pub(crate) const ALL: [TableName; 4] =
        [TableName::Raw, TableName::Mangle, TableName::Nat, TableName::Filter];

    /// `nat`
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TableName::Raw => "raw",
            TableName::Mangle => "mangle",
            TableName::Nat => "nat",
            TableName::Filter => "filter",
        }
    }

    /// The table of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<TableName> {
        TableName::ALL.into_iter().find(|table| table.name() == name)
    }

    /// The hooks that have a chain in the table.
    pub(crate) fn hooks(self) -> &'static [Hook] {
        use Hook::{Forward, Input, Output, Postrouting, Prerouting};
        match self {
            TableName::Raw => &[Prerouting, Output],
            TableName::Mangle => &[Prerouting, Input, Forward, Output, Postrouting],
            TableName::Nat => &[Prerouting, Input, Output, Postrouting],
            TableName::Filter => &[Input, Forward, Output],
        }
    }
}

/// A place on a packet's way where tables are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hook {
    Prerouting,
    Input,
    Forward,
    Output,
    Postrouting,
}

impl Hook {
    pub(crate) fn chain(self) -> &'static str {
        match self {
            Hook::Prerouting => "PREROUTING",
            Hook::Input => "INPUT",
            Hook::Forward => "FORWARD",
            Hook::Output => "OUTPUT",
            Hook::Postrouting => "POSTROUTING",
        }
    }
}

/// Something that shall be, or with `not` shall not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Is<T> {
    /// The opposite is wanted.
    pub not: bool,
    /// What.
    pub value: T,
}

impl<T> Is<T> {
    /// Wanted as it is.
    pub fn just(value: T) -> Self {
        Is { not: false, value }
    }
}

/// A rule of a chain: what it wants of a packet, and what it does with one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// `-s`
    pub source: Option<Is<Cidr>>,
    /// `-d`
    pub destination: Option<Is<Cidr>>,
    /// `-i`; a `+` at the end stands for any ending.
    pub in_interface: Option<Is<Arc<str>>>,
    /// `-o`
    pub out_interface: Option<Is<Arc<str>>>,
    /// `-p`, as the number in an IP header.
    pub protocol: Option<Is<u8>>,
    /// `-m …`, in order.
    pub matches: Vec<Match>,
    /// `-j`; without one the rule only counts.
    pub target: Option<Target>,
}

/// What an extension wants of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// `-m tcp` or `-m udp`: from and to these ports, first and last.
    Ports {
        /// `--sport`
        source: Option<Is<(u16, u16)>>,
        /// `--dport`
        destination: Option<Is<(u16, u16)>>,
    },
    /// `-m multiport --dports`
    DestinationPorts(Is<Vec<(u16, u16)>>),
    /// `-m comment --comment`: nothing.
    Comment(Arc<str>),
    /// `-m conntrack --ctstate`
    State(Is<States>),
    /// `-m statistic --mode random --probability`, in parts of 2^31.
    Random(Is<u32>),
    /// `-m addrtype --src-type`
    SourceType(Is<AddressType>),
    /// `-m addrtype --dst-type`
    DestinationType(Is<AddressType>),
    /// `-m mark --mark value/mask`
    Mark(Is<(u32, u32)>),
    /// `-m recent`: whether the source address was seen.
    Recent(Is<Recent>),
}

/// States of a connection, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct States(pub u8);

impl States {
    /// It belongs to no connection that can be.
    pub const INVALID: States = States(1);
    /// It begins one.
    pub const NEW: States = States(2);
    /// It is an error of one.
    pub const RELATED: States = States(4);
    /// Both sides have spoken.
    pub const ESTABLISHED: States = States(8);
    /// Nobody looks.
    pub const UNTRACKED: States = States(16);
    /// The source was rewritten.
    pub const SNAT: States = States(32);
    /// The destination was rewritten.
    pub const DNAT: States = States(64);

    /// In the order in which they are printed.
    pub(crate) const NAMES: [(States, &'static str); 7] = [
        (States::INVALID, "INVALID"),
        (States::NEW, "NEW"),
        (States::RELATED, "RELATED"),
        (States::ESTABLISHED, "ESTABLISHED"),
        (States::UNTRACKED, "UNTRACKED"),
        (States::SNAT, "SNAT"),
        (States::DNAT, "DNAT"),
    ];

    /// Both sets together.
    #[must_use]
    pub const fn or(self, other: States) -> States {
        States(self.0 | other.0)
    }

    /// Whether the sets have something in common.
    #[must_use]
    pub const fn meets(self, other: States) -> bool {
        self.0 & other.0 != 0
    }
}

/// What an address is to the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressType {
    /// One of its own.
    Local,
    /// One of somebody.
    Unicast,
    /// `255.255.255.255`
    Broadcast,
    /// `224.0.0.0/4`
    Multicast,
}

/// What `-m recent` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recent {
    /// The list's name.
    pub name: Arc<str>,
    /// Notes the address, which always matches; otherwise asks for it.
    pub set: bool,
    /// Only what was noted within so many seconds counts.
    pub seconds: Option<u32>,
    /// Older entries are forgotten.
    pub reap: bool,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The packet passes this table.
    Accept,
    /// The packet is gone.
    Drop,
    /// Back to the chain that jumped here.
    Return,
    /// The packet is gone, and its sender is told.
    Reject(RejectWith),
    /// On in another chain.
    Jump(Arc<str>),
    /// `MARK --set-xmark value/mask`: clears the mask's bits and flips the value's.
    Mark {
        /// The bits to flip.
        value: u32,
        /// The bits to clear.
        mask: u32,
    },
    /// Rewrites the destination.
    Dnat {
        /// The new address.
        address: Ipv4Addr,
        /// The new port; the old one stays without.
        port: Option<u16>,
    },
    /// Rewrites the source.
    Snat {
        /// The new address.
        address: Ipv4Addr,
        /// `--random-fully`
        random: bool,
    },
    /// Rewrites the source to the address of the device that the packet leaves by.
    Masquerade {
        /// `--random-fully`
        random: bool,
    },
    /// `CT --notrack`: the packet's connection is not looked at.
    Notrack,
}

/// How a sender is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RejectWith {
    /// `icmp-port-unreachable`
    #[default]
    PortUnreachable,
    /// `icmp-net-unreachable`
    NetUnreachable,
    /// `icmp-host-unreachable`
    HostUnreachable,
    /// `icmp-admin-prohibited`
    AdminProhibited,
    /// `tcp-reset`
    TcpReset,
}

impl RejectWith {
    pub(crate) const NAMES: [(RejectWith, &'static str); 5] = [
        (RejectWith::PortUnreachable, "icmp-port-unreachable"),
        (RejectWith::NetUnreachable, "icmp-net-unreachable"),
        (RejectWith::HostUnreachable, "icmp-host-unreachable"),
        (RejectWith::AdminProhibited, "icmp-admin-prohibited"),
        (RejectWith::TcpReset, "tcp-reset"),
    ];

    /// The code of the ICMP message; a reset has none.
    pub(crate) fn code(self) -> Option<u8> {
        match self {
            RejectWith::NetUnreachable => Some(0),
            RejectWith::HostUnreachable => Some(1),
            RejectWith::PortUnreachable => Some(3),
            RejectWith::AdminProhibited => Some(13),
            RejectWith::TcpReset => None,
        }
    }
}

impl AddressType {
    pub(crate) const NAMES: [(AddressType, &'static str); 4] = [
        (AddressType::Local, "LOCAL"),
        (AddressType::Unicast, "UNICAST"),
        (AddressType::Broadcast, "BROADCAST"),
        (AddressType::Multicast, "MULTICAST"),
    ];
}

fn name_of<T: PartialEq + Copy>(names: &[(T, &'static str)], value: T) -> &'static str {
    names.iter().find(|(known, _)| *known == value).map_or("", |(_, name)| name)
}

/// The names of protocols that rules use.
pub(crate) const PROTOCOLS: [(u8, &str); 4] = [(6, "tcp"), (17, "udp"), (1, "icmp"), (132, "sctp")];

fn not<T>(f: &mut fmt::Formatter<'_>, is: &Is<T>) -> fmt::Result {
    if is.not { f.write_str(" !") } else { Ok(()) }
}

fn ports(f: &mut fmt::Formatter<'_>, (first, last): (u16, u16)) -> fmt::Result {
    if first == last { write!(f, "{first}") } else { write!(f, "{first}:{last}") }
}

impl fmt::Display for Rule {
    /// What follows the chain's name in `iptables-save`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (flag, range) in [("-s", &self.source), ("-d", &self.destination)] {
            if let Some(range) = range {
                not(f, range)?;
                write!(f, " {flag} {}/{}", range.value.network(), range.value.prefix)?;
            }
        }
        for (flag, name) in [("-i", &self.in_interface), ("-o", &self.out_interface)] {
            if let Some(name) = name {
                not(f, name)?;
                write!(f, " {flag} {}", name.value)?;
            }
        }
        let mut protocol = None;
        if let Some(number) = &self.protocol {
            not(f, number)?;
            protocol = PROTOCOLS.iter().find(|(known, _)| *known == number.value);
            match protocol {
                Some((_, name)) => write!(f, " -p {name}")?,
                None => write!(f, " -p {}", number.value)?,
            }
        }
        for wanted in &self.matches {
            if matches!(wanted, Match::Ports { .. }) {
                write!(f, " -m {}", protocol.map_or("tcp", |(_, name)| name))?;
            }
            wanted.fmt(f)?;
        }
        match &self.target {
            Some(target) => write!(f, " -j {target}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Match::Ports { source, destination } => {
                for (flag, wanted) in [("--sport", source), ("--dport", destination)] {
                    if let Some(wanted) = wanted {
                        not(f, wanted)?;
                        write!(f, " {flag} ")?;
                        ports(f, wanted.value)?;
                    }
                }
                Ok(())
            }
            Match::DestinationPorts(wanted) => {
                f.write_str(" -m multiport")?;
                not(f, wanted)?;
                f.write_str(" --dports ")?;
                for (index, range) in wanted.value.iter().enumerate() {
                    f.write_str(if index > 0 { "," } else { "" })?;
                    ports(f, *range)?;
                }
                Ok(())
            }
            Match::Comment(text) => write!(f, " -m comment --comment {}", quoted(text)),
            Match::State(wanted) => {
                f.write_str(" -m conntrack")?;
                not(f, wanted)?;
                let names = States::NAMES.iter().filter(|(state, _)| state.meets(wanted.value));
                let names: Vec<&str> = names.map(|(_, name)| *name).collect();
                write!(f, " --ctstate {}", names.join(","))
            }
            Match::Random(wanted) => {
                f.write_str(" -m statistic --mode random")?;
                not(f, wanted)?;
                write!(f, " --probability {:.11}", f64::from(wanted.value) / f64::from(1_u32 << 31))
            }
            Match::SourceType(wanted) | Match::DestinationType(wanted) => {
                let source = matches!(self, Match::SourceType(_));
                f.write_str(" -m addrtype")?;
                not(f, wanted)?;
                let flag = if source { "--src-type" } else { "--dst-type" };
                write!(f, " {flag} {}", name_of(&AddressType::NAMES, wanted.value))
            }
            Match::Mark(wanted) => {
                f.write_str(" -m mark")?;
                not(f, wanted)?;
                match wanted.value {
                    (value, u32::MAX) => write!(f, " --mark {value:#x}"),
                    (value, mask) => write!(f, " --mark {value:#x}/{mask:#x}"),
                }
            }
            Match::Recent(wanted) => recent(f, wanted),
        }
    }
}

fn recent(f: &mut fmt::Formatter<'_>, wanted: &Is<Recent>) -> fmt::Result {
    f.write_str(" -m recent")?;
    not(f, wanted)?;
    let Recent { name, set, seconds, reap } = &wanted.value;
    f.write_str(if *set { " --set" } else { " --rcheck" })?;
    if let Some(seconds) = seconds {
        write!(f, " --seconds {seconds}")?;
    }
    f.write_str(if *reap { " --reap" } else { "" })?;
    write!(f, " --name {name} --mask 255.255.255.255 --rsource")
}

/// Text as `iptables-save` quotes it: not at all where a shell would not need it.
fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_string();
    }
    let mut out = String::from("\"");
    for letter in text.chars() {
        if matches!(letter, '"' | '\\' | '\'') {
            out.push('\\');
        }
        out.push(letter);
    }
    out.push('"');
    out
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let random = |random: bool| if random { " --random-fully" } else { "" };
        match self {
            Target::Accept => f.write_str("ACCEPT"),
            Target::Drop => f.write_str("DROP"),
            Target::Return => f.write_str("RETURN"),
            Target::Reject(with) => {
                write!(f, "REJECT --reject-with {}", name_of(&RejectWith::NAMES, *with))
            }
            Target::Jump(chain) => f.write_str(chain),
            Target::Mark { value, mask } => write!(f, "MARK --set-xmark {value:#x}/{mask:#x}"),
            Target::Dnat { address, port: None } => write!(f, "DNAT --to-destination {address}"),
            Target::Dnat { address, port: Some(port) } => {
                write!(f, "DNAT --to-destination {address}:{port}")
            }
            Target::Snat { address, random: fully } => {
                write!(f, "SNAT --to-source {address}{}", random(*fully))
            }
            Target::Masquerade { random: fully } => write!(f, "MASQUERADE{}", random(*fully)),
            Target::Notrack => f.write_str("CT --notrack"),
        }
    }
}
