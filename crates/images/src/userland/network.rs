//! Commands that ask other hosts. No name can be resolved and nothing answers, and they say so as
//! they do on a host without a network.

use super::{Invocation, Outcome};

/// Runs a network command; `None` if it is not one.
pub(super) fn network(name: &str, args: &[String], invocation: &mut Invocation) -> Option<Outcome> {
    let operand = args.iter().find(|word| !word.starts_with('-')).map(String::as_str);
    let operand = operand.unwrap_or_default();
    let host = operand.split("://").last().unwrap_or_default();
    let host = host.split(['/', ':']).next().unwrap_or_default();
    let (words, code) = match name {
        "wget" => {
            // The last word is the address; the words before may belong to options.
            let address = args.last().map(String::as_str).unwrap_or_default();
            let host = address.split("://").last().unwrap_or_default();
            let host = host.split(['/', ':']).next().unwrap_or_default();
            (format!("wget: bad address '{host}'\n"), 1)
        }
        "nslookup" => (";; connection timed out; no servers could be reached\n\n".to_string(), 1),
        "ping" => (format!("ping: bad address '{host}'\n"), 1),
        "nc" | "telnet" => (format!("{name}: bad address '{host}'\n"), 1),
        _ => return None,
    };
    invocation.err = words;
    Some(Outcome::Done(code))
}
