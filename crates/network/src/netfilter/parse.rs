//! The text of `iptables-restore` into typed values: the part of its language that kube-proxy,
//! flannel, the portmap plugin and `iptables-save` use.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::rule::{
    AddressType, Is, Match, PROTOCOLS, Recent, RejectWith, Rule, States, TableName, Target,
};
use super::table::{Operation, TableUpdate};
use crate::Cidr;

/// Longer texts are refused.
const LONGEST_TEXT: usize = 64 << 20;

/// Why a text could not be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreError {
    /// The line, from 1; 0 when the whole is meant.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "iptables-restore: {}", self.message)?;
        if self.line > 0 { write!(f, "\nError occurred at line: {}", self.line) } else { Ok(()) }
    }
}

/// Parses a whole text into the changes of each table.
pub(crate) fn parse(text: &str) -> Result<Vec<TableUpdate>, RestoreError> {
    if text.len() > LONGEST_TEXT {
        return Err(RestoreError { line: 0, message: "the text is too long".to_string() });
    }
    let mut updates = Vec::new();
    let mut open: Option<TableUpdate> = None;
    let mut last = 0;
    for (number, line) in text.lines().enumerate() {
        last = u32::try_from(number + 1).unwrap_or(u32::MAX);
        let fail = |message: String| RestoreError { line: last, message };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('*') {
            let table = TableName::named(name.trim());
            let table =
                table.ok_or_else(|| fail(format!("unable to initialize table '{name}'")))?;
            open = Some(TableUpdate { table, operations: Vec::new() });
        } else if line == "COMMIT" {
            let update = open.take().ok_or_else(|| fail("no command specified".to_string()))?;
            updates.push(update);
        } else {
            let update = open.as_mut().ok_or_else(|| fail("no command specified".to_string()))?;
            update.operations.push(operation(line).map_err(fail)?);
        }
    }
    match open {
        Some(_) => Err(RestoreError { line: last, message: "COMMIT expected".to_string() }),
        None => Ok(updates),
    }
}

fn operation(line: &str) -> Result<Operation, String> {
    if let Some(rest) = line.strip_prefix(':') {
        let mut words = rest.split_whitespace();
        let chain = words.next().ok_or("no chain name")?.into();
        let policy = match words.next() {
            Some("ACCEPT") => Some(true),
            Some("DROP") => Some(false),
            Some("-") => None,
            other => return Err(format!("Can't set policy `{}'", other.unwrap_or(""))),
        };
        return Ok(Operation::Chain { chain, policy });
    }
    let words = words(line)?;
    let mut words = words.iter().map(AsRef::as_ref).peekable();
    // Counters of `iptables-save -c`.
    if words.peek().is_some_and(|word| word.starts_with('[')) {
        words.next();
    }
    let command = words.next().unwrap_or_default();
    let chain: Arc<str> = words.next().ok_or("no chain name")?.into();
    let mut rest: Vec<&str> = words.collect();
    match command {
        "-A" | "--append" => Ok(Operation::Append { chain, rule: rule(&rest)? }),
        "-I" | "--insert" => {
            let position = rest.first().and_then(|word| word.parse::<u32>().ok());
            if position.is_some() {
                rest.remove(0);
            }
            let position = position.unwrap_or(1).saturating_sub(1);
            Ok(Operation::Insert { chain, position, rule: rule(&rest)? })
        }
        "-D" | "--delete" => Ok(Operation::Delete { chain, rule: rule(&rest)? }),
        "-F" | "--flush" => Ok(Operation::Flush { chain }),
        "-N" | "--new-chain" => Ok(Operation::New { chain }),
        "-X" | "--delete-chain" => Ok(Operation::Remove { chain }),
        other => Err(format!("unknown option \"{other}\"")),
    }
}

/// The words of a line, which are parts of it; quotes hold words together. `None` if a word is
/// not a part of the line as it stands, because something is escaped or half quoted.
fn plain_words(line: &str) -> Option<Vec<&str>> {
    if line.contains('\\') {
        return None;
    }
    let mut words = Vec::with_capacity(24);
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let word = if let Some(quoted) = rest.strip_prefix('"') {
            let (word, after) = quoted.split_once('"')?;
            rest = after;
            word
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            rest = after;
            word
        };
        let next = rest.trim_start();
        if (next.len() == rest.len() && !rest.is_empty()) || word.contains('"') {
            return None;
        }
        rest = next;
        words.push(word);
    }
    Some(words)
}

/// The words of a line; quotes hold words together.
fn words(line: &str) -> Result<Vec<Cow<'_, str>>, String> {
    if let Some(words) = plain_words(line) {
        return Ok(words.into_iter().map(Cow::Borrowed).collect());
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = false;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                quote = !quote;
                word.get_or_insert_default();
            }
            '\\' if quote => word.get_or_insert_default().extend(letters.next()),
            letter if letter.is_whitespace() && !quote => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    if quote {
        return Err("a quote is not closed".to_string());
    }
    Ok(words.into_iter().map(Cow::Owned).collect())
}

/// What stands between `-A CHAIN` and the end of the line.
pub(crate) fn rule(words: &[&str]) -> Result<Rule, String> {
    let mut parser = RuleParser { words, at: 0, rule: Rule::default(), not: false };
    while let Some(word) = parser.next() {
        if word == "!" {
            parser.not = true;
            continue;
        }
        parser.option(word)?;
        parser.not = false;
    }
    Ok(parser.rule)
}

impl FromStr for Rule {
    type Err = String;

    /// Parses what stands between `-A CHAIN` and the end of the line.
    fn from_str(text: &str) -> Result<Self, String> {
        let words = words(text)?;
        rule(&words.iter().map(AsRef::as_ref).collect::<Vec<_>>())
    }
}

struct RuleParser<'a> {
    words: &'a [&'a str],
    at: usize,
    rule: Rule,
    not: bool,
}

impl<'a> RuleParser<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.at).copied();
        self.at += 1;
        word
    }

    fn value(&mut self, option: &str) -> Result<&'a str, String> {
        self.next().ok_or_else(|| format!("option \"{option}\" requires an argument"))
    }

    fn is<T>(&self, value: T) -> Is<T> {
        Is { not: self.not, value }
    }

    fn option(&mut self, option: &'a str) -> Result<(), String> {
        match option {
            "-s" | "--source" | "--src" => {
                let range = range(self.value(option)?)?;
                // Every address is as good as none.
                self.rule.source = (range.prefix > 0 || self.not).then(|| self.is(range));
            }
            "-d" | "--destination" | "--dst" => {
                let range = range(self.value(option)?)?;
                // Every address is as good as none.
                self.rule.destination = (range.prefix > 0 || self.not).then(|| self.is(range));
            }
            "-i" | "--in-interface" => {
                let name = self.value(option)?.into();
                self.rule.in_interface = Some(self.is(name));
            }
            "-o" | "--out-interface" => {
                let name = self.value(option)?.into();
                self.rule.out_interface = Some(self.is(name));
            }
            "-p" | "--protocol" => {
                let name = self.value(option)?;
                if name != "all" {
                    let known = PROTOCOLS.iter().find(|(_, known)| *known == name);
                    let number = known.map(|(number, _)| *number).or_else(|| name.parse().ok());
                    let number = number.ok_or(format!("unknown protocol \"{name}\" specified"))?;
                    self.rule.protocol = Some(self.is(number));
                }
            }
            "-m" | "--match" => self.extension()?,
            "-j" | "--jump" => {
                let name = self.value(option)?;
                self.rule.target = Some(self.target(name)?);
            }
            "--sport" | "--source-port" | "--dport" | "--destination-port" => {
                let wanted = ports(self.value(option)?)?;
                self.port(option.starts_with("--s"), wanted);
            }
            other => return self.extension_option(other),
        }
        Ok(())
    }

    fn port(&mut self, is_source: bool, wanted: (u16, u16)) {
        let wanted = self.is(wanted);
        let has = |wanted: &Match| matches!(wanted, Match::Ports { .. });
        if !self.rule.matches.iter().any(has) {
            self.rule.matches.push(Match::Ports { source: None, destination: None });
        }
        let place = self.rule.matches.iter_mut().find_map(|known| match known {
            Match::Ports { source, .. } if is_source => Some(source),
            Match::Ports { destination, .. } => Some(destination),
            _ => None,
        });
        if let Some(place) = place {
            *place = Some(wanted);
        }
    }

    fn extension(&mut self) -> Result<(), String> {
        match self.value("-m")? {
            "tcp" | "udp" => {
                let has = |wanted: &Match| matches!(wanted, Match::Ports { .. });
                if !self.rule.matches.iter().any(has) {
                    self.rule.matches.push(Match::Ports { source: None, destination: None });
                }
            }
            "recent" => {
                let recent =
                    Recent { name: "DEFAULT".into(), set: false, seconds: None, reap: false };
                self.rule.matches.push(Match::Recent(Is::just(recent)));
            }
            "comment" | "conntrack" | "state" | "statistic" | "addrtype" | "mark" | "multiport" => {
            }
            other => {
                return Err(format!("Couldn't load match `{other}':No such file or directory"));
            }
        }
        Ok(())
    }

    fn recent(&mut self) -> Result<&mut Is<Recent>, String> {
        let last = self.rule.matches.iter_mut().rev().find_map(|known| match known {
            Match::Recent(recent) => Some(recent),
            _ => None,
        });
        last.ok_or_else(|| "unknown option".to_string())
    }

    fn extension_option(&mut self, option: &'a str) -> Result<(), String> {
        let wanted = match option {
            "--comment" => Match::Comment(self.value(option)?.into()),
            "--ctstate" | "--state" => {
                let states = states(self.value(option)?)?;
                Match::State(self.is(states))
            }
            "--mode" => {
                return match self.value(option)? {
                    "random" => Ok(()),
                    other => Err(format!("Bad mode \"{other}\"")),
                };
            }
            "--probability" => {
                let part = probability(self.value(option)?)?;
                Match::Random(self.is(part))
            }
            "--src-type" | "--dst-type" => {
                let name = self.value(option)?;
                let kind = find(&AddressType::NAMES, name);
                let kind = self.is(kind.ok_or(format!("bad type \"{name}\""))?);
                if option == "--src-type" {
                    Match::SourceType(kind)
                } else {
                    Match::DestinationType(kind)
                }
            }
            "--mark" => {
                let mark = masked(self.value(option)?)?;
                Match::Mark(self.is(mark))
            }
            "--dports" | "--destination-ports" => {
                let list = self.value(option)?.split(',').map(ports).collect::<Result<_, _>>()?;
                Match::DestinationPorts(self.is(list))
            }
            _ => return self.recent_option(option),
        };
        self.rule.matches.push(wanted);
        Ok(())
    }

    fn recent_option(&mut self, option: &'a str) -> Result<(), String> {
        let not = self.not;
        match option {
            "--set" | "--rcheck" => {
                let recent = self.recent()?;
                recent.not = not;
                recent.value.set = option == "--set";
            }
            "--seconds" => {
                let seconds = self.value(option)?.parse().map_err(|_| "bad value for seconds")?;
                self.recent()?.value.seconds = Some(seconds);
            }
            "--reap" => self.recent()?.value.reap = true,
            "--name" => {
                let name = self.value(option)?.into();
                self.recent()?.value.name = name;
            }
            "--rsource" => {
                self.recent()?;
            }
            "--mask" => {
                let mask = self.value(option)?;
                self.recent()?;
                if mask != "255.255.255.255" {
                    return Err(format!("mask {mask} is not supported"));
                }
            }
            other => return Err(format!("unknown option \"{other}\"")),
        }
        Ok(())
    }

    /// A target with its options, which end the rule.
    fn target(&mut self, name: &'a str) -> Result<Target, String> {
        Ok(match name {
            "ACCEPT" => Target::Accept,
            "DROP" => Target::Drop,
            "RETURN" => Target::Return,
            "REJECT" => match self.named("--reject-with")? {
                None => Target::Reject(RejectWith::default()),
                Some(with) => {
                    let known = find(&RejectWith::NAMES, with);
                    Target::Reject(known.ok_or(format!("unknown reject type \"{with}\""))?)
                }
            },
            "MARK" => self.mark_target()?,
            "DNAT" => {
                let to = self.named("--to-destination")?;
                let to = to.ok_or("DNAT: option \"--to-destination\" must be specified")?;
                let (address, port) = match to.split_once(':') {
                    Some((address, port)) => {
                        (address, Some(port.parse().map_err(|_| format!("Bad port \"{port}\""))?))
                    }
                    None => (to, None),
                };
                let address =
                    address.parse().map_err(|_| format!("Bad IP address \"{address}\""))?;
                Target::Dnat { address, port }
            }
            "SNAT" => {
                let to = self.named("--to-source")?;
                let to = to.ok_or("SNAT: option \"--to-source\" must be specified")?;
                let address = to.parse().map_err(|_| format!("Bad IP address \"{to}\""))?;
                Target::Snat { address, random: self.flag("--random-fully") }
            }
            "MASQUERADE" => Target::Masquerade { random: self.flag("--random-fully") },
            "CT" if self.flag("--notrack") => Target::Notrack,
            "NOTRACK" => Target::Notrack,
            chain => Target::Jump(chain.into()),
        })
    }

    fn named(&mut self, option: &str) -> Result<Option<&'a str>, String> {
        if self.words.get(self.at) == Some(&option) {
            self.at += 1;
            return self.value(option).map(Some);
        }
        Ok(None)
    }

    fn flag(&mut self, option: &str) -> bool {
        let is_there = self.words.get(self.at) == Some(&option);
        self.at += usize::from(is_there);
        is_there
    }

    /// All ways to say it are one: clear the mask's bits, flip the value's.
    fn mark_target(&mut self) -> Result<Target, String> {
        let option = self.next().ok_or("MARK: one option must be specified")?;
        let (value, mask) = masked(self.value(option)?)?;
        let (value, mask) = match option {
            "--set-xmark" => (value, mask),
            "--set-mark" => (value, value | mask),
            "--or-mark" => (value, value),
            "--xor-mark" => (value, 0),
            "--and-mark" => (0, !value),
            other => return Err(format!("unknown option \"{other}\"")),
        };
        Ok(Target::Mark { value, mask })
    }
}

fn find<T: Copy>(names: &[(T, &'static str)], name: &str) -> Option<T> {
    names.iter().find(|(_, known)| *known == name).map(|(value, _)| *value)
}

fn range(text: &str) -> Result<Cidr, String> {
    let parsed = match text.contains('/') {
        true => text.parse().ok(),
        false => text.parse().ok().map(Cidr::host),
    };
    let masked = parsed.map(|range: Cidr| Cidr { address: range.network(), ..range });
    masked.ok_or_else(|| format!("host/network `{text}' not found"))
}

fn ports(text: &str) -> Result<(u16, u16), String> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let parse = |text: &str| text.parse().map_err(|_| format!("invalid port/service `{text}'"));
    Ok((parse(first)?, parse(last)?))
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn masked(text: &str) -> Result<(u32, u32), String> {
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (number(value), number(mask)),
        None => (number(text), Some(u32::MAX)),
    };
    value.zip(mask).ok_or_else(|| format!("bad mark value \"{text}\""))
}

fn states(text: &str) -> Result<States, String> {
    text.split(',').try_fold(States::default(), |all, name| {
        let state = find(&States::NAMES, name);
        Ok(all.or(state.ok_or_else(|| format!("Bad ctstate \"{name}\""))?))
    })
}

fn probability(text: &str) -> Result<u32, String> {
    let part: f64 = text.parse().map_err(|_| format!("bad value for probability: {text}"))?;
    if !(0.0..=1.0).contains(&part) {
        return Err("--probability must be between 0 and 1".to_string());
    }
    // The product lies between 0 and 2^31.
    Ok((part * f64::from(1_u32 << 31)).round() as u32)
}
