//! A packet's way through the chains of one table.

use std::net::Ipv4Addr;
use std::sync::Arc;

use sim::{Duration, OrdMap, Stream, Time};

use super::rule::{AddressType, Is, Match, Recent, RejectWith, Rule, States, Target};
use super::table::{Chain, Table};
use super::{Environment, Hook};
use crate::Ipv4Packet;

/// How deep chains may jump into each other; deeper, the packet is dropped.
const DEEPEST: usize = 32;
/// How many rules one packet may be asked of in one table; beyond it the packet is dropped.
const MOST_STEPS: usize = 1_000_000;
/// Linux's `ip_list_tot`: how many addresses one list of `-m recent` holds.
const MOST_RECENT: usize = 100;

/// When the addresses of a list of `-m recent` were seen last.
pub(crate) type RecentList = OrdMap<u32, Time>;

/// What rules can ask of a packet beyond its headers.
pub(crate) struct Asked<'a> {
    pub(crate) environment: &'a Environment<'a>,
    pub(crate) states: States,
}

/// What a table decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Accept,
    Drop,
    Reject(RejectWith),
    Dnat { address: Ipv4Addr, port: Option<u16> },
    Snat { address: Ipv4Addr, random: bool },
    Masquerade { random: bool },
    Notrack,
}

impl Table {
    /// Asks the chain of a hook, and the chains that it jumps to. Says which rule decided; the
    /// number behind the last rule stands for the policy.
    pub(crate) fn traverse(
        &mut self,
        hook: Hook,
        packet: &mut Ipv4Packet,
        asked: &Asked<'_>,
        recent: &mut OrdMap<Arc<str>, RecentList>,
        stream: &mut Stream,
    ) -> (Decision, Option<(u32, u32)>) {
        let Some(mut at) = self.base(hook) else { return (Decision::Accept, None) };
        let mut stack = [(0_u32, 0_u32); DEEPEST];
        let (mut depth, mut from) = (0_usize, 0_u32);
        let bytes = packet.length();
        let ends = (u32::from(packet.destination), packet.transport.ports().1);
        let mut steps = 0_usize;
        while steps < MOST_STEPS {
            steps += 1;
            let Some(chain) = self.chain(at) else { return (Decision::Drop, None) };
            let Some(mut number) = candidate(chain, from, ends) else {
                // The chain's end.
                if depth == 0 {
                    return policy(chain, at);
                }
                depth -= 1;
                (at, from) = stack[depth];
                continue;
            };
            if let Some(parts) = chain.draws_from(number) {
                let hit = stream.first_hit(parts);
                let missed = hit.unwrap_or(parts.len());
                steps += missed;
                number += u32::try_from(missed).unwrap_or(0);
                from = number + u32::from(hit.is_some());
                if hit.is_none() {
                    continue;
                }
            } else {
                from = number + 1;
                let rule = &chain.rules[number as usize].rule;
                if !matches_rule(rule, packet, asked, recent, stream) {
                    continue;
                }
            }
            let installed = &chain.rules[number as usize];
            let (target, jump, place) =
                (installed.rule.target.clone_light(), installed.jump, (at, number));
            let accepts = chain.policy != Some(false);
            self.count(at, number, bytes);
            match target {
                Light::Next => {}
                Light::Mark { value, mask } => packet.mark = (packet.mark & !mask) ^ value,
                Light::Return if depth == 0 => {
                    let decision = if accepts { Decision::Accept } else { Decision::Drop };
                    return (decision, Some(place));
                }
                Light::Return => {
                    depth -= 1;
                    (at, from) = stack[depth];
                }
                Light::Jump => {
                    if depth == DEEPEST {
                        return (Decision::Drop, Some(place));
                    }
                    stack[depth] = (at, from);
                    depth += 1;
                    (at, from) = (jump, 0);
                }
                Light::Decide(decision) => return (decision, Some(place)),
            }
        }
        (Decision::Drop, None)
    }
}

fn policy(chain: &Chain, at: u32) -> (Decision, Option<(u32, u32)>) {
    match chain.policy {
        Some(false) => {
            (Decision::Drop, Some((at, u32::try_from(chain.rules.len()).unwrap_or(u32::MAX))))
        }
        _ => (Decision::Accept, None),
    }
}

/// The next rule that may match.
fn candidate(chain: &Chain, from: u32, (address, port): (u32, u16)) -> Option<u32> {
    match &chain.index {
        Some(index) => index.candidate(from, address, port),
        None => ((from as usize) < chain.rules.len()).then_some(from),
    }
}

/// A target without what only its text needs.
enum Light {
    Next,
    Return,
    Jump,
    Mark { value: u32, mask: u32 },
    Decide(Decision),
}

trait CloneLight {
    fn clone_light(&self) -> Light;
}

impl CloneLight for Option<Target> {
    fn clone_light(&self) -> Light {
        Light::Decide(match self {
            None => return Light::Next,
            Some(Target::Return) => return Light::Return,
            Some(Target::Jump(_)) => return Light::Jump,
            Some(Target::Mark { value, mask }) => {
                return Light::Mark { value: *value, mask: *mask };
            }
            Some(Target::Accept) => Decision::Accept,
            Some(Target::Drop) => Decision::Drop,
            Some(Target::Reject(with)) => Decision::Reject(*with),
            Some(Target::Dnat { address, port }) => {
                Decision::Dnat { address: *address, port: *port }
            }
            Some(Target::Snat { address, random }) => {
                Decision::Snat { address: *address, random: *random }
            }
            Some(Target::Masquerade { random }) => Decision::Masquerade { random: *random },
            Some(Target::Notrack) => Decision::Notrack,
        })
    }
}

fn wants<T>(is: &Option<Is<T>>, test: impl FnOnce(&T) -> bool) -> bool {
    is.as_ref().is_none_or(|is| test(&is.value) != is.not)
}

fn is_device(name: &str, wanted: &str) -> bool {
    match wanted.strip_suffix('+') {
        Some(prefix) => name.starts_with(prefix),
        None => name == wanted,
    }
}

fn matches_rule(
    rule: &Rule,
    packet: &Ipv4Packet,
    asked: &Asked<'_>,
    recent: &mut OrdMap<Arc<str>, RecentList>,
    stream: &mut Stream,
) -> bool {
    let environment = asked.environment;
    wants(&rule.source, |range| range.contains(packet.source))
        && wants(&rule.destination, |range| range.contains(packet.destination))
        && wants(&rule.in_interface, |name| {
            environment.input.is_some_and(|device| is_device(device, name))
        })
        && wants(&rule.out_interface, |name| {
            environment.output.is_some_and(|device| is_device(device, name))
        })
        && wants(&rule.protocol, |number| packet.transport.number() == *number)
        && rule.matches.iter().all(|wanted| matches_one(wanted, packet, asked, recent, stream))
}

fn matches_one(
    wanted: &Match,
    packet: &Ipv4Packet,
    asked: &Asked<'_>,
    recent: &mut OrdMap<Arc<str>, RecentList>,
    stream: &mut Stream,
) -> bool {
    let (from, to) = packet.transport.ports();
    let within = |port: u16, range: &(u16, u16)| range.0 <= port && port <= range.1;
    match wanted {
        Match::Ports { source, destination } => {
            wants(source, |range| within(from, range))
                && wants(destination, |range| within(to, range))
        }
        Match::DestinationPorts(is) => is.value.iter().any(|range| within(to, range)) != is.not,
        Match::Comment(_) => true,
        Match::State(is) => is.value.meets(asked.states) != is.not,
        Match::Random(is) => {
            let drawn = u32::try_from(stream.next_u64() >> 33).unwrap_or(0);
            (drawn < is.value) != is.not
        }
        Match::SourceType(is) => is_of_type(asked, packet.source, is.value) != is.not,
        Match::DestinationType(is) => is_of_type(asked, packet.destination, is.value) != is.not,
        Match::Mark(is) => {
            let (value, mask) = is.value;
            (packet.mark & mask == value) != is.not
        }
        Match::Recent(is) => {
            was_recent(&is.value, packet.source, asked.environment.now, recent) != is.not
        }
    }
}

fn is_of_type(asked: &Asked<'_>, address: Ipv4Addr, kind: AddressType) -> bool {
    let local = asked.environment.namespace.is_local(address);
    match kind {
        AddressType::Local => local,
        AddressType::Broadcast => address.is_broadcast(),
        AddressType::Multicast => address.is_multicast(),
        AddressType::Unicast => !local && !address.is_broadcast() && !address.is_multicast(),
    }
}

/// Upstream: Linux, net/netfilter/xt_recent.c.
fn was_recent(
    wanted: &Recent,
    source: Ipv4Addr,
    now: Time,
    recent: &mut OrdMap<Arc<str>, RecentList>,
) -> bool {
    let source = u32::from(source);
    if wanted.set {
        let list = recent.entry(wanted.name.clone()).or_default();
        if !list.contains_key(&source) && list.len() >= MOST_RECENT {
            let oldest = list.iter().min_by_key(|(_, seen)| **seen).map(|(address, _)| *address);
            if let Some(oldest) = oldest {
                list.remove(&oldest);
            }
        }
        list.insert(source, now);
        return true;
    }
    let Some(seen) = recent.get(&wanted.name).and_then(|list| list.get(&source)).copied() else {
        return false;
    };
    let span = Duration::from_secs(u64::from(wanted.seconds.unwrap_or(0)));
    let counts = wanted.seconds.is_none() || seen + span >= now;
    if !counts
        && wanted.reap
        && let Some(list) = recent.get_mut(&wanted.name)
    {
        list.remove(&source);
    }
    counts
}
