//! Commands that talk to other hosts.

use runtime::{Flow, Io, Process};

mod curl;
mod nc;
mod nslookup;
mod ping;
mod show;
mod traceroute;
mod wget;

pub(crate) use curl::curl;
pub(crate) use show::show;

/// Options with their values, and what is left.
pub(super) struct Options {
    given: Vec<(String, String)>,
    pub(super) operands: Vec<String>,
}

impl Options {
    /// Takes the words after the command apart. `with_value` holds the letters and `long` the
    /// names whose value follows.
    pub(super) fn parse(args: &[String], with_value: &str, long: &[&str]) -> Options {
        let mut options = Options { given: Vec::new(), operands: Vec::new() };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            if let Some(name) = word.strip_prefix("--").filter(|name| !name.is_empty()) {
                let (name, value) = match name.split_once('=') {
                    Some((name, value)) => (name, value.to_string()),
                    None if long.contains(&name) => {
                        (name, words.next().cloned().unwrap_or_default())
                    }
                    None => (name, String::new()),
                };
                options.given.push((name.to_string(), value));
                continue;
            }
            let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
                options.operands.push(word.clone());
                continue;
            };
            for (at, letter) in letters.char_indices() {
                let rest = &letters[at + letter.len_utf8()..];
                if with_value.contains(letter) {
                    let value = match rest {
                        "" => words.next().cloned().unwrap_or_default(),
                        rest => rest.to_string(),
                    };
                    options.given.push((letter.to_string(), value));
                    break;
                }
                options.given.push((letter.to_string(), String::new()));
            }
        }
        options
    }

    /// The last value of an option by any of its names.
    pub(super) fn value(&self, names: &[&str]) -> Option<&str> {
        let named = self.given.iter().rev().find(|(name, _)| names.contains(&name.as_str()));
        named.map(|(_, value)| value.as_str())
    }

    /// All values of an option.
    pub(super) fn values<'a>(&'a self, names: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
        let named = self.given.iter().filter(|(name, _)| names.contains(&name.as_str()));
        named.map(|(_, value)| value.as_str())
    }

    /// Whether an option is given by any of its names.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.value(names).is_some()
    }
}

/// The program of a command that talks to other hosts; `None` if it is not one.
pub(crate) fn program(name: &str, argv: &[String], input: &str) -> Option<Box<dyn Process>> {
    let args = argv.get(1..).unwrap_or_default();
    match name {
        "wget" => Some(wget::wget(args)),
        "nslookup" => Some(nslookup::nslookup(args, false)),
        "nc" | "telnet" => Some(nc::nc(name, args, input)),
        "ping" => Some(ping::ping(args)),
        "traceroute" => Some(traceroute::traceroute(args)),
        _ => None,
    }
}

/// `nslookup` as BusyBox had it up to version 1.28.
pub(crate) fn old_nslookup(argv: &[String]) -> Box<dyn Process> {
    nslookup::nslookup(argv.get(1..).unwrap_or_default(), true)
}

/// Prints an error and ends.
fn fail(text: &str, code: i32, io: &mut Io<'_>) -> Flow {
    io.stderr(&format!("{text}\n"));
    Flow::Exit(code)
}

/// Whole seconds, possibly with a fraction, as milliseconds.
fn milliseconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    Some(whole.saturating_mul(1000).saturating_add(digits.parse().ok()?))
}
