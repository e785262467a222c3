//! A table with its chains, how it is changed as a whole, and how it is printed.

use std::fmt::Write as _;
use std::sync::Arc;

use sim::{List, OrdMap};

use super::parse::RestoreError;
use super::rule::{Hook, Match, Rule, TableName, Target};

/// Chains of fewer rules are looked through one by one.
const SHORTEST_INDEXED: usize = 16;
/// How many rules a table may have.
const MOST_RULES: usize = 1_000_000;

/// A change of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `:CHAIN POLICY`: makes a chain or empties it; a built-in chain keeps its rules and gets
    /// the policy, true for ACCEPT.
    Chain {
        /// Which.
        chain: Arc<str>,
        /// The policy of a built-in chain.
        policy: Option<bool>,
    },
    /// `-A`
    Append {
        /// Where.
        chain: Arc<str>,
        /// What.
        rule: Rule,
    },
    /// `-I`
    Insert {
        /// Where.
        chain: Arc<str>,
        /// Before which rule, from 0.
        position: u32,
        /// What.
        rule: Rule,
    },
    /// `-D`: the first rule that is equal.
    Delete {
        /// Where.
        chain: Arc<str>,
        /// What.
        rule: Rule,
    },
    /// `-F`
    Flush {
        /// Which.
        chain: Arc<str>,
    },
    /// `-N`
    New {
        /// Which.
        chain: Arc<str>,
    },
    /// `-X`
    Remove {
        /// Which.
        chain: Arc<str>,
    },
}

/// The changes of one table, which take effect together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableUpdate {
    /// Which table.
    pub table: TableName,
    /// What changes, in order.
    pub operations: Vec<Operation>,
}

/// How many packets and bytes a rule has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counter {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// A rule with the place of the chain that it jumps to.
#[derive(Clone, Debug)]
pub(crate) struct Installed {
    pub(crate) rule: Arc<Rule>,
    pub(crate) jump: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) name: Arc<str>,
    /// Of a built-in chain.
    pub(crate) policy: Option<bool>,
    pub(crate) rules: Vec<Installed>,
    pub(crate) index: Option<Index>,
    /// In their order.
    pub(crate) rows: Vec<Row>,
}

impl Chain {
    /// The parts of the rules from `number` on that ask for nothing but a draw.
    pub(crate) fn draws_from(&self, number: u32) -> Option<&[u32]> {
        let at = self.rows.partition_point(|row| row.first <= number).checked_sub(1)?;
        let row = &self.rows[at];
        row.parts.get((number - row.first) as usize..).filter(|parts| !parts.is_empty())
    }
}

/// Rules one after the other that ask for nothing but a draw: how a Service's traffic is spread
/// over its endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The number of its first rule.
    first: u32,
    /// What each of them wants, in parts of 2^31.
    parts: Vec<u32>,
}

impl Row {
    fn all(rules: &[Installed]) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        let mut open = false;
        for (number, installed) in rules.iter().enumerate() {
            let Some(part) = only_draw(&installed.rule) else {
                open = false;
                continue;
            };
            match rows.last_mut().filter(|_| open) {
                Some(row) => row.parts.push(part),
                None => {
                    let first = u32::try_from(number).unwrap_or(u32::MAX);
                    rows.push(Row { first, parts: vec![part] });
                }
            }
            open = true;
        }
        rows
    }
}

/// The part of 2^31 that a rule wants, if a draw is all that it asks for.
fn only_draw(rule: &Rule) -> Option<u32> {
    let Rule { source, destination, in_interface, out_interface, protocol, matches, .. } = rule;
    let of_all = source.is_none()
        && destination.is_none()
        && in_interface.is_none()
        && out_interface.is_none()
        && protocol.is_none();
    let mut wanted = matches.iter().filter(|wanted| !matches!(wanted, Match::Comment(_)));
    match (of_all, wanted.next(), wanted.next()) {
        (true, Some(Match::Random(part)), None) if !part.not => Some(part.value),
        _ => None,
    }
}

/// Which rules of a long chain can match a destination at all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// Rules that want one destination address.
    by_address: Vec<(u32, u32)>,
    /// Rules that want one destination port, and no one address.
    by_port: Vec<(u16, u32)>,
    others: Vec<u32>,
}

impl Index {
    fn of(rules: &[Installed]) -> Self {
        let mut index = Index::default();
        for (number, installed) in rules.iter().enumerate() {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let rule = &installed.rule;
            match &rule.destination {
                Some(wanted) if !wanted.not && wanted.value.prefix == 32 => {
                    index.by_address.push((u32::from(wanted.value.address), number));
                }
                _ => match only_port(rule) {
                    Some(port) => index.by_port.push((port, number)),
                    None => index.others.push(number),
                },
            }
        }
        index.by_address.sort_unstable();
        index.by_port.sort_unstable();
        index
    }

    /// The first rule at `from` or behind it that a packet for that address and port may match.
    pub(crate) fn candidate(&self, from: u32, address: u32, port: u16) -> Option<u32> {
        let at = self.by_address.partition_point(|entry| *entry < (address, from));
        let first = self.by_address.get(at).filter(|(known, _)| *known == address);
        let at = self.by_port.partition_point(|entry| *entry < (port, from));
        let second = self.by_port.get(at).filter(|(known, _)| *known == port);
        let at = self.others.partition_point(|number| *number < from);
        let third = self.others.get(at).copied();
        [first.map(|(_, number)| *number), second.map(|(_, number)| *number), third]
            .into_iter()
            .flatten()
            .min()
    }
}

/// The counters of a chain's new rules. A rule that stays is the very same one.
fn kept_counters(
    chain: &Chain,
    counters: Option<&Arc<Vec<Counter>>>,
    rules: &[Installed],
) -> Vec<Counter> {
    let stays = |installed: &Installed| Arc::strong_count(&installed.rule) > 1;
    let Some(counters) = counters.filter(|_| rules.iter().any(stays)) else {
        return vec![Counter::default(); rules.len()];
    };
    let known = chain.rules.iter().zip(counters.iter());
    let known: OrdMap<*const Rule, Counter> =
        known.map(|(old, counter)| (Arc::as_ptr(&old.rule), *counter)).collect();
    let kept = |new: &Installed| known.get(&Arc::as_ptr(&new.rule)).copied().unwrap_or_default();
    rules.iter().map(kept).collect()
}

/// The one destination port that a rule wants. A rule whose earlier matches remember something
/// must be asked every time.
fn only_port(rule: &Rule) -> Option<u16> {
    let remembers = |wanted: &Match| matches!(wanted, Match::Random(_) | Match::Recent(_));
    if rule.matches.iter().any(remembers) {
        return None;
    }
    rule.matches.iter().find_map(|wanted| match wanted {
        Match::Ports { destination: Some(port), .. }
            if !port.not && port.value.0 == port.value.1 =>
        {
            Some(port.value.0)
        }
        _ => None,
    })
}

/// A table. Cloning shares the chains.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    name: TableName,
    pub(crate) chains: List<Option<Arc<Chain>>>,
    names: OrdMap<Arc<str>, u32>,
    pub(crate) counters: List<Arc<Vec<Counter>>>,
    /// How many rules jump to a chain.
    references: List<u32>,
    free: List<u32>,
    rules: usize,
}

/// The rules of the chains that an update touches.
type Edits = OrdMap<u32, Vec<Arc<Rule>>>;

/// The chain that was found last. Rules of one chain come one after the other, and many of them
/// jump to the same.
#[derive(Default)]
struct LastFound(Option<(Arc<str>, u32)>);

impl LastFound {
    fn find(&mut self, table: &Table, name: &Arc<str>) -> Result<u32, String> {
        if let Some((_, at)) = self.0.as_ref().filter(|(known, _)| known == name) {
            return Ok(*at);
        }
        let at = table.find(name)?;
        self.0 = Some((name.clone(), at));
        Ok(at)
    }
}

impl Table {
    pub(crate) fn new(name: TableName) -> Self {
        let mut table = Table {
            name,
            chains: List::new(),
            names: OrdMap::new(),
            counters: List::new(),
            references: List::new(),
            free: List::new(),
            rules: 0,
        };
        for hook in name.hooks() {
            let at = table.make(hook.chain().into());
            table.set_policy(at, true);
        }
        table
    }

    /// The chain of a hook: built-in chains are the first, in the order of the hooks.
    pub(crate) fn base(&self, hook: Hook) -> Option<u32> {
        let at = self.name.hooks().iter().position(|known| *known == hook)?;
        u32::try_from(at).ok()
    }

    pub(crate) fn chain(&self, at: u32) -> Option<&Arc<Chain>> {
        self.chains.get(at as usize)?.as_ref()
    }

    /// Whether the hook has anything to ask here.
    pub(crate) fn is_idle(&self, hook: Hook) -> bool {
        let chain = self.base(hook).and_then(|at| self.chain(at));
        chain.is_none_or(|chain| chain.rules.is_empty() && chain.policy != Some(false))
    }

    fn is_built_in(&self, at: u32) -> bool {
        (at as usize) < self.name.hooks().len()
    }

    fn make(&mut self, name: Arc<str>) -> u32 {
        let (policy, rules, index, rows) = (None, Vec::new(), None, Vec::new());
        let chain = Some(Arc::new(Chain { name: name.clone(), policy, rules, index, rows }));
        let at = match self.free.pop_front() {
            Some(at) => {
                self.chains.set(at as usize, chain);
                self.counters.set(at as usize, Arc::default());
                self.references.set(at as usize, 0);
                at
            }
            None => {
                self.chains.push_back(chain);
                self.counters.push_back(Arc::default());
                self.references.push_back(0);
                u32::try_from(self.chains.len() - 1).unwrap_or(u32::MAX)
            }
        };
        self.names.insert(name, at);
        at
    }

    fn set_policy(&mut self, at: u32, accept: bool) {
        if let Some(Some(chain)) = self.chains.get_mut(at as usize) {
            Arc::make_mut(chain).policy = Some(accept);
        }
    }

    fn find(&self, name: &str) -> Result<u32, String> {
        let known = self.names.get(name).copied();
        known.ok_or_else(|| format!("Chain '{name}' does not exist"))
    }

    fn rules_of(&self, at: u32) -> Vec<Arc<Rule>> {
        let rules = self.chain(at).map(|chain| chain.rules.iter().map(|known| known.rule.clone()));
        rules.into_iter().flatten().collect()
    }

    pub(crate) fn has_rule(&self, chain: &str, rule: &Rule) -> bool {
        let chain = self.names.get(chain).and_then(|at| self.chain(*at));
        chain.is_some_and(|chain| chain.rules.iter().any(|known| *known.rule == *rule))
    }

    pub(crate) fn has_chain(&self, chain: &str) -> bool {
        self.names.contains_key(chain)
    }

    /// The table after an update. Without `noflush` everything goes first.
    pub(crate) fn updated(
        &self,
        operations: Vec<Operation>,
        noflush: bool,
    ) -> Result<Table, RestoreError> {
        let mut table = if noflush { self.clone() } else { Table::new(self.name) };
        let mut edits = Edits::new();
        let mut removed = Vec::new();
        let mut last = LastFound::default();
        for operation in operations {
            let done = table.operate(operation, &mut edits, &mut removed, &mut last);
            done.map_err(|message| RestoreError { line: 0, message })?;
        }
        table.install(edits, removed).map_err(|message| RestoreError { line: 0, message })?;
        Ok(table)
    }

    fn operate(
        &mut self,
        operation: Operation,
        edits: &mut Edits,
        removed: &mut Vec<u32>,
        last: &mut LastFound,
    ) -> Result<(), String> {
        match operation {
            Operation::Chain { chain, policy } => match self.names.get(&chain).copied() {
                Some(at) if self.is_built_in(at) => {
                    if let Some(accept) = policy {
                        self.set_policy(at, accept);
                    }
                }
                Some(at) => {
                    removed.retain(|gone| *gone != at);
                    edits.insert(at, Vec::new());
                }
                None => {
                    let at = self.make(chain);
                    edits.insert(at, Vec::new());
                }
            },
            Operation::New { chain } => {
                if self.names.contains_key(&chain) {
                    return Err("Chain already exists.".to_string());
                }
                self.make(chain);
            }
            Operation::Append { chain, rule } => {
                let at = last.find(self, &chain)?;
                edits.entry(at).or_insert_with(|| self.rules_of(at)).push(Arc::new(rule));
            }
            Operation::Insert { chain, position, rule } => {
                let at = self.find(&chain)?;
                let rules = edits.entry(at).or_insert_with(|| self.rules_of(at));
                let position = position as usize;
                if position > rules.len() {
                    return Err("Index of insertion too big.".to_string());
                }
                rules.insert(position, Arc::new(rule));
            }
            Operation::Delete { chain, rule } => {
                let at = self.find(&chain)?;
                let rules = edits.entry(at).or_insert_with(|| self.rules_of(at));
                let found = rules.iter().position(|known| **known == rule);
                let found = found
                    .ok_or("Bad rule (does a matching rule exist in that chain?).".to_string())?;
                rules.remove(found);
            }
            Operation::Flush { chain } => {
                let at = self.find(&chain)?;
                edits.insert(at, Vec::new());
            }
            Operation::Remove { chain } => {
                let at = self.find(&chain)?;
                if self.is_built_in(at) {
                    return Err(format!("built-in chain {chain} cannot be deleted"));
                }
                removed.push(at);
            }
        }
        Ok(())
    }

    /// Puts edited chains in place: jumps find their chains, and rules that were there keep
    /// their counters.
    fn install(&mut self, edits: Edits, removed: Vec<u32>) -> Result<(), String> {
        let mut last = LastFound::default();
        for (at, rules) in edits {
            let mut installed = Vec::with_capacity(rules.len());
            for rule in rules {
                let jump = match &rule.target {
                    Some(Target::Jump(to)) => last.find(self, to).map_err(|_| {
                        format!("Couldn't load target `{to}':No such file or directory")
                    })?,
                    _ => u32::MAX,
                };
                self.count_reference(jump, 1);
                installed.push(Installed { rule, jump });
            }
            self.put(at, installed)?;
        }
        for at in removed {
            let Some(chain) = self.chain(at) else { continue };
            if !chain.rules.is_empty() {
                return Err(format!("Chain '{}' is not empty", chain.name));
            }
            if self.references[at as usize] > 0 {
                return Err(format!("Chain '{}' is still referenced", chain.name));
            }
            let name = chain.name.clone();
            self.names.remove(&name);
            self.chains.set(at as usize, None);
            self.free.push_back(at);
        }
        Ok(())
    }

    fn count_reference(&mut self, to: u32, by: i32) {
        if let Some(count) = self.references.get_mut(to as usize) {
            *count = count.saturating_add_signed(by);
        }
    }

    fn put(&mut self, at: u32, rules: Vec<Installed>) -> Result<(), String> {
        let Some(Some(chain)) = self.chains.get(at as usize) else { return Ok(()) };
        let old: Vec<u32> = chain.rules.iter().map(|known| known.jump).collect();
        let counters = kept_counters(chain, self.counters.get(at as usize), &rules);
        let (name, policy) = (chain.name.clone(), chain.policy);
        for jump in &old {
            self.count_reference(*jump, -1);
        }
        self.rules = self.rules - old.len() + rules.len();
        if self.rules > MOST_RULES {
            return Err("too many rules".to_string());
        }
        self.counters.set(at as usize, Arc::new(counters));
        let index = (rules.len() >= SHORTEST_INDEXED).then(|| Index::of(&rules));
        let rows = Row::all(&rules);
        self.chains.set(at as usize, Some(Arc::new(Chain { name, policy, rules, index, rows })));
        Ok(())
    }

    pub(crate) fn count(&mut self, chain: u32, rule: u32, bytes: u64) {
        if let Some(counters) = self.counters.get_mut(chain as usize)
            && let Some(counter) = Arc::make_mut(counters).get_mut(rule as usize)
        {
            counter.packets += 1;
            counter.bytes += bytes;
        }
    }

    /// A rule as `iptables-save` prints it, with its chain.
    pub(crate) fn text(&self, chain: u32, rule: u32) -> String {
        let Some(chain) = self.chain(chain) else { return String::new() };
        match chain.rules.get(rule as usize) {
            Some(installed) => {
                format!("{}: -A {}{}", self.name.name(), chain.name, installed.rule)
            }
            None => format!("{}: policy of {}", self.name.name(), chain.name),
        }
    }

    /// The whole table as `iptables-save` prints it, with counters if asked.
    pub(crate) fn save(&self, counters: bool, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "*{}", self.name.name());
        let built_in = self.name.hooks().len();
        let base = (0..built_in).filter_map(|at| u32::try_from(at).ok());
        let others = self.names.values().copied().filter(|at| !self.is_built_in(*at));
        let order: Vec<u32> = base.chain(others).collect();
        for at in &order {
            let Some(chain) = self.chain(*at) else { continue };
            let policy = match chain.policy {
                Some(true) => "ACCEPT",
                Some(false) => "DROP",
                None => "-",
            };
            let _ = writeln!(out, ":{} {policy} [0:0]", chain.name);
        }
        for at in &order {
            let Some(chain) = self.chain(*at) else { continue };
            for (number, installed) in chain.rules.iter().enumerate() {
                let counted = self.counters.get(*at as usize).and_then(|all| all.get(number));
                if let Some(Counter { packets, bytes }) = counted.filter(|_| counters) {
                    let _ = write!(out, "[{packets}:{bytes}] ");
                }
                let _ = writeln!(out, "-A {}{}", chain.name, installed.rule);
            }
        }
        out.push_str("COMMIT\n");
    }
}
