//! Base images: a shell or an interpreter and nothing that goes on by itself. Without a command
//! they end at once, as nobody types anything.

use runtime::{Environment, Flow, Io, Process, ProcessEvent};
use sim::{Digest, Duration, Time};

use super::{PLAIN, SITE, Site, start, web};
use crate::catalogue::ImageDefinition;
use crate::server;
use crate::userland;

const fn base(
    repository: &'static str,
    command: &'static [&'static str],
    sizes: &'static [(&'static str, u64)],
) -> ImageDefinition {
    ImageDefinition { repository, command, sizes, program, ..PLAIN }
}

const SHELL: &[&str] = &["/bin/sh"];
const BASH: &[&str] = &["bash"];

/// The base images.
pub(crate) static IMAGES: [ImageDefinition; 22] = [
    base("docker.io/library/alpine", SHELL, &[("", 3_700_000)]),
    base("docker.io/library/debian", BASH, &[("", 49_000_000)]),
    base("docker.io/library/ubuntu", BASH, &[("", 30_000_000)]),
    base("docker.io/library/bash", BASH, &[("", 7_000_000)]),
    base("docker.io/library/centos", BASH, &[("", 83_000_000)]),
    base("docker.io/library/fedora", BASH, &[("", 60_000_000)]),
    base("docker.io/library/rockylinux", BASH, &[("", 70_000_000)]),
    base("docker.io/library/almalinux", BASH, &[("", 70_000_000)]),
    base("docker.io/library/amazonlinux", BASH, &[("", 53_000_000)]),
    base("docker.io/library/oraclelinux", BASH, &[("", 90_000_000)]),
    base("docker.io/library/archlinux", BASH, &[("", 150_000_000)]),
    base("docker.io/library/buildpack-deps", BASH, &[("", 330_000_000)]),
    base("docker.io/library/golang", BASH, &[("alpine", 80_000_000), ("", 300_000_000)]),
    base("docker.io/library/rust", BASH, &[("", 500_000_000)]),
    base("docker.io/library/python", &["python3"], &[("alpine", 17_000_000), ("", 390_000_000)]),
    base("docker.io/library/node", &["node"], &[("alpine", 52_000_000), ("", 400_000_000)]),
    base("docker.io/library/ruby", &["irb"], &[("", 370_000_000)]),
    base("docker.io/library/perl", &["perl", "-de0"], &[("", 340_000_000)]),
    base("docker.io/library/php", &["php", "-a"], &[("", 180_000_000)]),
    base("docker.io/library/openjdk", &["jshell"], &[("", 250_000_000)]),
    base("docker.io/curlimages/curl", &["curl", "--help"], &[("", 9_000_000)]),
    base("docker.io/nicolaka/netshoot", &["zsh"], &[("", 190_000_000)]),
];

const INTERPRETERS: &str = "python python3 node irb ruby perl php jshell java zsh go cargo";

fn program(name: &str, environment: &Environment) -> Option<Box<dyn Process>> {
    let words: Vec<&str> = environment.argv.iter().skip(1).map(String::as_str).collect();
    if name == "curl" {
        return Some(userland::curl(&environment.argv));
    }
    if !INTERPRETERS.split(' ').any(|known| known == name) {
        return None;
    }
    match words.as_slice() {
        // Nobody types anything.
        [] | ["-de0" | "-a" | "-i"] => Some(Quick::start("", 0)),
        ["--version" | "-V" | "-v", ..] => Some(Quick::start(name, 0)),
        ["-m", "http.server", ..] => start(&Site {
            name: "http.server",
            ports: |io| {
                let port = io.environment.argv.get(3).and_then(|port| port.parse().ok());
                let port = port.unwrap_or(8000);
                io.stdout(&format!(
                    "Serving HTTP on 0.0.0.0 port {port} (http://0.0.0.0:{port}/) ...\n"
                ));
                Ok(vec![port])
            },
            answer: |_, asked, io| {
                let root = io.environment.working_directory.clone();
                web::documents(&root, asked, io)
            },
            ..SITE
        }),
        [option, .., print] if name == "perl" && option.starts_with("-Mbignum=bpi") => {
            let digits = print.split("bpi(").nth(1)?.split(')').next()?.parse().ok()?;
            Some(Box::new(Pi { digits, ready: None }))
        }
        // What a program says that is not known to anybody cannot be said here; that it serves
        // where it is declared to, can.
        _ => server::program(server::ENTRYPOINT),
    }
}

/// A program that says something and ends.
#[derive(Clone, Debug)]
pub(crate) struct Quick {
    text: String,
    code: i32,
}

impl Quick {
    pub(crate) fn start(text: &str, code: i32) -> Box<dyn Process> {
        let text = if text.is_empty() { String::new() } else { format!("{text}\n") };
        Box::new(Quick { text, code })
    }
}

impl Process for Quick {
    fn on(&mut self, _event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        io.stdout(&self.text);
        Flow::Exit(self.code)
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.text);
        digest.add(&self.code);
    }
}

/// How many digits of pi are computed at most, and how long thousand of them take.
const MAX_DIGITS: u32 = 5000;
const THOUSAND_DIGITS: Duration = Duration::from_secs(2);

/// Prints pi.
#[derive(Clone, Debug)]
struct Pi {
    digits: u32,
    ready: Option<Time>,
}

/// The first digits of pi. Upstream: Rabinowitz and Wagon, A Spigot Algorithm for the Digits of
/// Pi.
fn pi(digits: u32) -> String {
    let count = digits.min(MAX_DIGITS) as usize;
    let mut remainders = vec![2u64; count * 10 / 3 + 2];
    let (mut text, mut held, mut nines) = (String::new(), None::<u64>, 0usize);
    for _ in 0..=count + 1 {
        let mut carry = 0;
        for (place, value) in remainders.iter_mut().enumerate().rev() {
            let sum = *value * 10 + carry;
            let divisor = if place == 0 { 10 } else { 2 * place as u64 + 1 };
            *value = sum % divisor;
            carry = sum / divisor * if place == 0 { 1 } else { place as u64 };
        }
        // A row of nines is held back until it is known whether it turns into noughts.
        let over = carry / 10;
        let digit = carry % 10;
        if over == 0 && digit == 9 {
            nines += 1;
            continue;
        }
        if let Some(before) = held {
            text.push_str(&(before + over).to_string());
        }
        let row = if over == 1 { '0' } else { '9' };
        text.extend(std::iter::repeat_n(row, nines));
        (held, nines) = (Some(digit), 0);
    }
    text.extend(held.map(|digit| digit.to_string()));
    text.extend(std::iter::repeat_n('9', nines));
    let text: String = text.trim_start_matches('0').chars().take(count.max(1)).collect();
    match text.split_at_checked(1) {
        Some((first, rest)) if !rest.is_empty() => format!("{first}.{rest}"),
        _ => text,
    }
}

impl Process for Pi {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        let thousands = u64::from(self.digits.min(MAX_DIGITS)).div_ceil(1000);
        let ready = *self.ready.get_or_insert(io.now + THOUSAND_DIGITS * thousands);
        match event {
            ProcessEvent::Signal(signal) => Flow::Exit(signal.exit_code()),
            _ if ready <= io.now => {
                io.stdout(&format!("{}\n", pi(self.digits)));
                Flow::Exit(0)
            }
            _ => Flow::WaitUntil(ready),
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.u64(u64::from(self.digits));
        digest.add(&self.ready);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pi_is_right_also_where_nines_stand_in_a_row() {
        assert_eq!(pi(1), "3");
        assert_eq!(pi(20), "3.1415926535897932384");
        let many = pi(800);
        assert_eq!(many.len(), 801);
        // Feynman's point: six nines at the 762nd place.
        assert_eq!(&many[762..770], "49999998");
    }
}
