//! The project's own commands: `cargo xtask serve | test | dist | size | bench`.
//!
//! For: everything a person or CI does with the repository beyond `cargo build`, on a fresh
//! machine, with set-up included. It may know crate names, paths and outside tools. It must never
//! hold product behaviour, and no other crate may depend on it.

mod bench;
mod bind;
mod bundle;
mod dist;
mod pack;
mod process;
mod serve;
mod setup;
mod size;
mod test;
mod workspace;

use anyhow::{Result, bail};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND

  serve [--port 8080] [--dev]   build the page and serve it on 127.0.0.1
  test [--quick | --full]       set-up, fmt, clippy, native, browser and end-to-end tests
  dist                          build the static site into dist/
  size                          sizes of the site as JSON; fails above the budgets
  bench [NAME] [--wasm]         median of 5 fresh processes, beside a calibration loop";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let Some((command, rest)) = arguments.split_first() else {
        println!("{USAGE}");
        return Ok(ExitCode::FAILURE);
    };
    let mut options = Options::new(rest);
    match command.as_str() {
        "serve" => {
            let port = options.value("--port")?.map_or(Ok(8080), |port| port.parse());
            let dev = options.flag("--dev");
            options.finish()?;
            let Ok(port) = port else { bail!("--port wants a number from 0 to 65535") };
            serve::run(port, dev)
        }
        "test" => {
            let quick = options.flag("--quick");
            let full = options.flag("--full");
            options.finish()?;
            let scope = match (quick, full) {
                (true, true) => bail!("--quick and --full exclude each other"),
                (true, false) => test::Scope::Quick,
                (false, true) => test::Scope::Full,
                (false, false) => test::Scope::Default,
            };
            test::run(scope)
        }
        "dist" => {
            options.finish()?;
            dist::run()
        }
        "size" => {
            options.finish()?;
            size::run()
        }
        "bench" => {
            let wasm = options.flag("--wasm");
            let name = options.positional();
            options.finish()?;
            bench::run(name.as_deref(), wasm)
        }
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("no command {other:?}\n{USAGE}"),
    }
}

/// What follows the command's name, taken piece by piece; what nobody took is an error.
struct Options {
    left: Vec<String>,
}

impl Options {
    fn new(arguments: &[String]) -> Self {
        Self { left: arguments.to_vec() }
    }

    fn flag(&mut self, name: &str) -> bool {
        let before = self.left.len();
        self.left.retain(|argument| argument != name);
        self.left.len() < before
    }

    /// `--name value` or `--name=value`.
    fn value(&mut self, name: &str) -> Result<Option<String>> {
        let prefix = format!("{name}=");
        if let Some(at) = self.left.iter().position(|argument| argument.starts_with(&prefix)) {
            return Ok(Some(self.left.remove(at)[prefix.len()..].to_owned()));
        }
        let Some(at) = self.left.iter().position(|argument| argument == name) else {
            return Ok(None);
        };
        if at + 1 >= self.left.len() {
            bail!("{name} wants a value");
        }
        self.left.remove(at);
        Ok(Some(self.left.remove(at)))
    }

    fn positional(&mut self) -> Option<String> {
        let at = self.left.iter().position(|argument| !argument.starts_with('-'))?;
        Some(self.left.remove(at))
    }

    fn finish(self) -> Result<()> {
        match self.left.first() {
            Some(unknown) => bail!("unknown argument {unknown:?}\n{USAGE}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Options {
        Options { left: text.split_whitespace().map(str::to_owned).collect() }
    }

    #[test]
    fn a_value_is_taken_in_both_spellings() {
        for text in ["--port 9 --dev", "--dev --port=9"] {
            let mut options = options(text);
            assert_eq!(options.value("--port").unwrap().as_deref(), Some("9"), "{text}");
            assert!(options.flag("--dev"), "{text}");
            options.finish().unwrap();
        }
    }

    #[test]
    fn what_nobody_took_is_an_error() {
        let error = options("--prot 9").finish().unwrap_err().to_string();
        assert!(error.starts_with("unknown argument \"--prot\""), "{error}");
        assert!(options("--port").value("--port").is_err());
    }
}
