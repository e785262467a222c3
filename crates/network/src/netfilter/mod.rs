//! netfilter: what a namespace asks at each hook, in Linux's order, and what comes of it.

mod parse;
mod rule;
mod table;
mod traverse;

#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;
use std::sync::Arc;

use sim::{OrdMap, Stream, Time};

pub use parse::RestoreError;
pub(crate) use rule::Hook;
pub use rule::{AddressType, Is, Match, Recent, RejectWith, Rule, States, TableName, Target};
pub(crate) use table::Table;
pub use table::{Operation, TableUpdate};
use traverse::{Asked, Decision, RecentList};

use crate::Ipv4Packet;
use crate::conntrack::{Conntrack, Flow, Track, set_destination, set_source};
use crate::namespace::Namespace;

/// The tables of a namespace and its connections. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Netfilter {
    tables: [Table; 4],
    recent: OrdMap<Arc<str>, RecentList>,
    pub(crate) conntrack: Conntrack,
}

/// What is known where a packet is.
pub(crate) struct Environment<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) input: Option<&'a str>,
    pub(crate) output: Option<&'a str>,
    /// The address that the packet would leave with, were it from here.
    pub(crate) masquerade: Ipv4Addr,
    pub(crate) now: Time,
}

/// A rule that decided: its table, chain and number.
pub(crate) type By = (TableName, u32, u32);

/// What came of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pass,
    Drop(Option<By>),
    Reject(RejectWith, By),
    /// There is no port left to tell the connection's answers from others', or no room.
    Full,
}

impl Netfilter {
    pub(crate) fn new() -> Self {
        Netfilter {
            tables: TableName::ALL.map(Table::new),
            recent: OrdMap::new(),
            conntrack: Conntrack::default(),
        }
    }

    pub(crate) fn table(&self, name: TableName) -> &Table {
        &self.tables[name as usize]
    }

    /// Changes tables, all or none of them.
    pub(crate) fn update(
        &mut self,
        updates: Vec<TableUpdate>,
        noflush: bool,
    ) -> Result<(), RestoreError> {
        let mut tables = self.tables.clone();
        for TableUpdate { table, operations } in updates {
            let changed = tables[table as usize].updated(operations, noflush)?;
            tables[table as usize] = changed;
        }
        self.tables = tables;
        Ok(())
    }

    pub(crate) fn restore(&mut self, text: &str, noflush: bool) -> Result<(), RestoreError> {
        self.update(parse::parse(text)?, noflush)
    }

    /// Asks the tables of a hook about a packet. The last element says which rule rewrote it.
    pub(crate) fn run(
        &mut self,
        hook: Hook,
        packet: &mut Ipv4Packet,
        track: &mut Track,
        environment: &Environment<'_>,
        stream: &mut Stream,
    ) -> (Outcome, Option<By>) {
        let mut by = None;
        let outcome = self.visit(hook, packet, track, environment, stream, &mut by);
        (outcome, by)
    }

    fn visit(
        &mut self,
        hook: Hook,
        packet: &mut Ipv4Packet,
        track: &mut Track,
        environment: &Environment<'_>,
        stream: &mut Stream,
        by: &mut Option<By>,
    ) -> Outcome {
        use TableName::{Filter, Mangle, Nat, Raw};
        let begins = matches!(hook, Hook::Prerouting | Hook::Output);
        if begins {
            if let Some(outcome) = self.ask(Raw, hook, packet, track, environment, stream) {
                return outcome;
            }
            if matches!(track, Track::Unseen) {
                *track = self.conntrack.look(packet, environment.now);
            }
        }
        if let Some(outcome) = self.ask(Mangle, hook, packet, track, environment, stream) {
            return outcome;
        }
        if begins && !self.rewrite_destination(hook, packet, track, environment, stream, by) {
            return Outcome::Full;
        }
        let filters = matches!(hook, Hook::Input | Hook::Forward | Hook::Output);
        if filters && let Some(outcome) = self.ask(Filter, hook, packet, track, environment, stream)
        {
            return outcome;
        }
        if matches!(hook, Hook::Input | Hook::Postrouting) {
            let nat = self.ends(hook, packet, track, environment, stream, by);
            debug_assert!(Nat.hooks().contains(&hook));
            return nat;
        }
        Outcome::Pass
    }

    /// Asks one table; `None` if the packet passes it.
    fn ask(
        &mut self,
        table: TableName,
        hook: Hook,
        packet: &mut Ipv4Packet,
        track: &mut Track,
        environment: &Environment<'_>,
        stream: &mut Stream,
    ) -> Option<Outcome> {
        if self.table(table).is_idle(hook) {
            return None;
        }
        let (decision, by) = self.decide(table, hook, packet, track, environment, stream);
        match decision {
            Decision::Drop => Some(Outcome::Drop(by)),
            Decision::Reject(with) => {
                Some(by.map_or(Outcome::Drop(None), |by| Outcome::Reject(with, by)))
            }
            Decision::Notrack => {
                *track = Track::Untracked;
                None
            }
            // Addresses are rewritten in the table nat alone.
            _ => None,
        }
    }

    fn decide(
        &mut self,
        table: TableName,
        hook: Hook,
        packet: &mut Ipv4Packet,
        track: &Track,
        environment: &Environment<'_>,
        stream: &mut Stream,
    ) -> (Decision, Option<By>) {
        let asked = Asked { environment, states: track.states() };
        let tables = &mut self.tables[table as usize];
        let (decision, place) = tables.traverse(hook, packet, &asked, &mut self.recent, stream);
        (decision, place.map(|(chain, rule)| (table, chain, rule)))
    }

    /// The table nat where a packet begins. False if it could not be rewritten.
    fn rewrite_destination(
        &mut self,
        hook: Hook,
        packet: &mut Ipv4Packet,
        track: &mut Track,
        environment: &Environment<'_>,
        stream: &mut Stream,
        by: &mut Option<By>,
    ) -> bool {
        match track {
            Track::New(flow) if !flow.destination_natted => {
                let mut flow = *flow;
                if self.table(TableName::Nat).is_idle(hook) {
                    return true;
                }
                let (decision, place) =
                    self.decide(TableName::Nat, hook, packet, track, environment, stream);
                if let Decision::Dnat { address, port } = decision {
                    flow.rewrite_destination(address, port);
                    *by = place;
                    if let Some(to) = flow.destination_of(false) {
                        set_destination(packet, to);
                    }
                    *track = Track::New(flow);
                }
            }
            Track::Known { flow, reply } => {
                if let Some(to) = flow.destination_of(*reply) {
                    set_destination(packet, to);
                }
            }
            _ => {}
        }
        true
    }

    /// The table nat where a packet leaves or arrives; here a connection is remembered.
    fn ends(
        &mut self,
        hook: Hook,
        packet: &mut Ipv4Packet,
        track: &mut Track,
        environment: &Environment<'_>,
        stream: &mut Stream,
        by: &mut Option<By>,
    ) -> Outcome {
        match track {
            Track::New(flow) => {
                let mut flow = *flow;
                if !self.table(TableName::Nat).is_idle(hook) {
                    let (decision, place) =
                        self.decide(TableName::Nat, hook, packet, track, environment, stream);
                    if !self.rewrite_source(&mut flow, packet, decision, environment, stream) {
                        return Outcome::Full;
                    }
                    if flow.source_natted {
                        *by = place;
                    }
                }
                match self.conntrack.confirm(flow, packet, environment.now) {
                    Some(flow) => *track = Track::Known { flow, reply: false },
                    None => return Outcome::Full,
                }
            }
            Track::Known { flow, reply } => {
                if let Some(from) = flow.source_of(*reply) {
                    set_source(packet, from);
                }
            }
            _ => {}
        }
        Outcome::Pass
    }

    fn rewrite_source(
        &mut self,
        flow: &mut Flow,
        packet: &mut Ipv4Packet,
        decision: Decision,
        environment: &Environment<'_>,
        stream: &mut Stream,
    ) -> bool {
        let (address, random) = match decision {
            Decision::Snat { address, random } => (address, random),
            Decision::Masquerade { random } => (environment.masquerade, random),
            _ => return true,
        };
        let port = flow.original.source().1;
        let stream = random.then_some(stream);
        let done = self.conntrack.rewrite_source(flow, (address, port), stream, environment.now);
        if let Some(from) = flow.source_of(false) {
            set_source(packet, from);
        }
        done.is_some()
    }
}
