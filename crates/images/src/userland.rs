//! The usual Unix commands, as BusyBox has them.

use std::collections::BTreeMap;

use runtime::{Environment, Io, Process};
use sim::Duration;

use crate::shell::{Shell, Source, sleep_span};

mod file_commands;
mod follow;
mod network;

pub(crate) use file_commands::copy;
use file_commands::files;
pub(crate) use network::{curl, old_nslookup, program as network_program, show};

/// How an image finds programs of its own, by the command's last path element.
pub(crate) type Lookup = fn(&str, &Environment) -> Option<Box<dyn Process>>;

/// The lookup of an image of which nothing is known: it may well have `curl`.
pub(crate) fn no_program(name: &str, environment: &Environment) -> Option<Box<dyn Process>> {
    (name == "curl").then(|| curl(&environment.argv))
}

/// A command that is being run: its words and input, and the output it makes.
pub(crate) struct Invocation {
    pub(crate) words: Vec<String>,
    pub(crate) input: String,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// What a command sees of the shell that runs it.
pub(crate) struct View<'a> {
    pub(crate) directory: &'a str,
    pub(crate) variables: &'a BTreeMap<String, String>,
}

/// What came of a command.
pub(crate) enum Outcome {
    /// It ended.
    Done(i32),
    /// It ended the shell.
    Exit(i32),
    /// It takes that long and then succeeds.
    Sleep(Duration),
    /// It never ends.
    Forever,
    /// It is a program that goes on running.
    Program {
        /// The program.
        process: Box<dyn Process>,
        /// Whether it takes the shell's place.
        exec: bool,
        /// What it is started with.
        environment: Box<Environment>,
    },
}

const SHELLS: [&str; 4] = ["sh", "ash", "bash", "dash"];
const COMMANDS: [&str; 44] = [
    "[",
    "[[",
    "awk",
    "basename",
    "cat",
    "chmod",
    "chown",
    "cp",
    "date",
    "dirname",
    "echo",
    "env",
    "false",
    "grep",
    "head",
    "hostname",
    "id",
    "ip",
    "kill",
    "killall",
    "ls",
    "mkdir",
    "mv",
    "nc",
    "nproc",
    "nslookup",
    "ping",
    "printenv",
    "printf",
    "rev",
    "rm",
    "seq",
    "sleep",
    "tail",
    "telnet",
    "test",
    "touch",
    "traceroute",
    "true",
    "uname",
    "wc",
    "wget",
    "whoami",
    ":",
];

/// The program that a container's command names, if it is a shell or one of the usual commands.
pub(crate) fn start(
    command: &str,
    environment: &Environment,
    lookup: Lookup,
) -> Option<Box<dyn Process>> {
    let name = command.rsplit('/').next().unwrap_or_default();
    let mut argv = environment.argv.clone();
    let name = if name == "busybox" && argv.len() > 1 {
        argv.remove(0);
        argv.first().cloned().unwrap_or_default()
    } else {
        name.to_string()
    };
    let in_path = !command.contains('/')
        || ["/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/", "/usr/local/bin/"]
            .iter()
            .any(|directory| command.strip_prefix(directory) == Some(name.as_str()));
    if !in_path {
        return None;
    }
    if SHELLS.contains(&name.as_str()) {
        let (source, parameters) = shell_arguments(&argv);
        return Some(Box::new(Shell::new(source, parameters, lookup)));
    }
    if COMMANDS.contains(&name.as_str()) {
        return Some(Box::new(Shell::new(Source::Command(argv), Vec::new(), lookup)));
    }
    None
}

/// What a shell is to run, and its parameters from `$0` on.
fn shell_arguments(argv: &[String]) -> (Source, Vec<String>) {
    let mut rest = argv.get(1..).unwrap_or_default();
    let mut options = String::new();
    while let Some((first, after)) = rest.split_first() {
        let Some(flags) = first.strip_prefix(['-', '+']).filter(|flags| !flags.is_empty()) else {
            break;
        };
        rest = after;
        options.push_str(flags);
        if !first.starts_with("--") && flags.ends_with('o') {
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    let Some((first, after)) = rest.split_first() else {
        // A shell without a script reads its input, and a container has none.
        return (Source::Text(String::new()), vec!["sh".to_string()]);
    };
    if !options.contains('c') {
        return (Source::File(first.clone()), rest.to_vec());
    }
    let script = if options.contains('e') { format!("set -e\n{first}") } else { first.clone() };
    let parameters = if after.is_empty() { vec!["sh".to_string()] } else { after.to_vec() };
    (Source::Text(script), parameters)
}

/// A path as seen from the root.
pub(crate) fn absolute(directory: &str, path: &str) -> String {
    let joined =
        if path.starts_with('/') { path.to_string() } else { format!("{directory}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Runs one of the usual commands; `None` if it is not one.
pub(crate) fn run(
    name: &str,
    invocation: &mut Invocation,
    view: &View<'_>,
    io: &mut Io<'_>,
) -> Option<Outcome> {
    let words = invocation.words.clone();
    let args = words.get(1..).unwrap_or_default();
    let done = Outcome::Done(0);
    let outcome = match name {
        "true" | ":" | "chmod" | "chown" | "mkdir" | "kill" => done,
        "false" => Outcome::Done(1),
        "echo" => {
            invocation.out = echo(args);
            done
        }
        "printf" => {
            invocation.out = printf(args);
            done
        }
        "sleep" => match sleep_span(args) {
            Some(span) if !args.is_empty() => Outcome::Sleep(span),
            _ => {
                let what = args.first().map(String::as_str).unwrap_or_default();
                invocation.err = format!("sleep: invalid number '{what}'\n");
                Outcome::Done(1)
            }
        },
        "test" => Outcome::Done(i32::from(!test(args, view, io))),
        "[" | "[[" => {
            Outcome::Done(i32::from(!test(&args[..args.len().saturating_sub(1)], view, io)))
        }
        "hostname" => {
            invocation.out = match args.first().map(String::as_str) {
                Some("-i" | "-I") => format!("{}\n", io.network.address()),
                _ => format!("{}\n", io.environment.hostname),
            };
            done
        }
        "uname" => {
            invocation.out = "Linux\n".to_string();
            done
        }
        "whoami" | "id" | "nproc" => {
            invocation.out = match name {
                "whoami" => "root\n",
                "id" => "uid=0(root) gid=0(root) groups=0(root)\n",
                _ => "1\n",
            }
            .to_string();
            done
        }
        "date" => {
            invocation.out = date(args, io);
            done
        }
        "awk" => awk(args, invocation, view, io),
        "env" | "printenv" => printenv(args, view, invocation),
        "seq" => {
            invocation.out = seq(args);
            done
        }
        "basename" | "dirname" => {
            let path = args.first().map(String::as_str).unwrap_or_default();
            let (directory, base) = path.rsplit_once('/').unwrap_or((".", path));
            invocation.out = format!("{}\n", if name == "basename" { base } else { directory });
            done
        }
        _ => {
            return match name {
                "ip" => show(name, args, invocation, io),
                _ => files(name, args, invocation, view, io),
            };
        }
    };
    Some(outcome)
}

fn echo(args: &[String]) -> String {
    let mut rest = args;
    let (mut newline, mut escapes) = (true, false);
    while let Some((first, after)) = rest.split_first() {
        let is_option = first.len() > 1
            && first.strip_prefix('-').is_some_and(|f| f.chars().all(|c| "neE".contains(c)));
        if !is_option {
            break;
        }
        newline &= !first.contains('n');
        escapes |= first.contains('e');
        rest = after;
    }
    let text = rest.join(" ");
    let text = if escapes { unescape(&text) } else { text };
    if newline { format!("{text}\n") } else { text }
}

fn unescape(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
}

fn printf(args: &[String]) -> String {
    let Some((format, values)) = args.split_first() else { return String::new() };
    let format = unescape(format);
    let mut values = values.iter();
    let mut out = String::new();
    // The format is used again while there are arguments left.
    loop {
        let before = values.len();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '%' => match letters.next() {
                    Some('%') | None => out.push('%'),
                    Some(_) => out.push_str(values.next().map_or("", String::as_str)),
                },
                letter => out.push(letter),
            }
        }
        if values.len() == 0 || values.len() == before || out.len() > MAX_OUTPUT_BYTES {
            return out;
        }
    }
}

fn date(args: &[String], io: &Io<'_>) -> String {
    let format = args.iter().find_map(|word| word.strip_prefix('+'));
    let time = io.clock.timestamp(io.now);
    let format = format.unwrap_or("%a %b %e %H:%M:%S UTC %Y");
    match jiff::fmt::strtime::format(format, time) {
        Ok(text) => format!("{text}\n"),
        Err(_) => format!("{time}\n"),
    }
}

fn printenv(args: &[String], view: &View<'_>, invocation: &mut Invocation) -> Outcome {
    if args.is_empty() {
        let lines = view.variables.iter().map(|(name, value)| format!("{name}={value}\n"));
        invocation.out = lines.collect();
        return Outcome::Done(0);
    }
    let values: Vec<&String> = args.iter().filter_map(|name| view.variables.get(name)).collect();
    invocation.out = values.iter().flat_map(|value| [value.as_str(), "\n"]).collect();
    Outcome::Done(i32::from(values.len() < args.len()))
}

/// `awk` with one rule: `/part/{print $2}`, where a pattern is a part of the line or, after `^`,
/// its beginning.
fn awk(args: &[String], invocation: &mut Invocation, view: &View<'_>, io: &Io<'_>) -> Outcome {
    let Some((program, files)) = args.split_first() else { return Outcome::Done(2) };
    let (pattern, action) = program.split_once('{').unwrap_or((program, "print}"));
    let pattern = pattern.trim().trim_matches('/');
    let words = action.trim_end().trim_end_matches('}').trim();
    let Some(fields) = words.strip_prefix("print") else {
        invocation.err = format!("awk: cmd. line:1: Unexpected token: {words}\n");
        return Outcome::Done(1);
    };
    for path in files {
        let content = io.files.read(&absolute(view.directory, path)).unwrap_or_default();
        invocation.input.push_str(&String::from_utf8_lossy(content));
    }
    for line in invocation.input.lines() {
        let fits = match pattern.strip_prefix('^') {
            Some(start) => line.starts_with(start),
            None => line.contains(pattern),
        };
        if !fits || invocation.out.len() > MAX_OUTPUT_BYTES {
            continue;
        }
        let own: Vec<&str> = line.split_ascii_whitespace().collect();
        let field = |name: &str| match name.trim() {
            "" | "$0" => line.to_string(),
            "$NF" => own.last().copied().unwrap_or_default().to_string(),
            name => match name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok()) {
                Some(number) => {
                    own.get(number.wrapping_sub(1)).copied().unwrap_or_default().to_string()
                }
                None => name.trim_matches('"').to_string(),
            },
        };
        let values: Vec<String> = fields.split(',').map(field).collect();
        invocation.out.push_str(&values.join(" "));
        invocation.out.push('\n');
    }
    Outcome::Done(0)
}

/// At most as much as one command may print.
const MAX_OUTPUT_BYTES: usize = 1 << 20;
/// At most as many numbers as one command may print.
const MAX_SEQUENCE: i64 = 10_000;

fn seq(args: &[String]) -> String {
    let numbers: Vec<i64> = args.iter().filter_map(|word| word.parse().ok()).collect();
    let (first, step, last) = match numbers.as_slice() {
        [last] => (1, 1, *last),
        [first, last] => (*first, 1, *last),
        [first, step, last] => (*first, *step, *last),
        _ => return String::new(),
    };
    let mut out = String::new();
    for place in 0..MAX_SEQUENCE {
        let number = first.saturating_add(step.saturating_mul(place));
        if step == 0 || (step > 0 && number > last) || (step < 0 && number < last) {
            break;
        }
        out.push_str(&format!("{number}\n"));
    }
    out
}

fn test(args: &[String], view: &View<'_>, io: &Io<'_>) -> bool {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<i64>().unwrap_or(0);
    let exists = |path: &str| io.files.exists(&absolute(view.directory, path));
    match words.as_slice() {
        ["!", ..] => !test(args.get(1..).unwrap_or_default(), view, io),
        [left, "-a", right @ ..] if !right.is_empty() => {
            !left.is_empty() && test(args.get(2..).unwrap_or_default(), view, io)
        }
        ["-z", word] => word.is_empty(),
        ["-n", word] => !word.is_empty(),
        ["-e" | "-f" | "-d" | "-r" | "-w" | "-x", path] => exists(path),
        ["-s", path] => io
            .files
            .read(&absolute(view.directory, path))
            .is_some_and(|content| !content.is_empty()),
        [left, "=" | "==", right] => left == right,
        [left, "!=", right] => left != right,
        [left, "-eq", right] => number(left) == number(right),
        [left, "-ne", right] => number(left) != number(right),
        [left, "-lt", right] => number(left) < number(right),
        [left, "-le", right] => number(left) <= number(right),
        [left, "-gt", right] => number(left) > number(right),
        [left, "-ge", right] => number(left) >= number(right),
        [word] => !word.is_empty(),
        _ => false,
    }
}
