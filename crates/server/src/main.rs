//! The command `tabernetes`: a whole cluster in one process, without a page.
//!
//! It knows the cluster and prints what became of it. It must never decide anything about the
//! cluster by itself; the wall clock is read here for benchmarks only.

mod run;

use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Parser, Subcommand};

/// A whole Kubernetes cluster in one process and in virtual time.
#[derive(Parser)]
#[command(name = "tabernetes", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Applies manifests to a fresh cluster, lets virtual time run until nothing moves, and
    /// prints what became of them. Exits with 0 when everything is ready, with 2 when not
    /// everything is, and with 1 when something was refused.
    Run(run::Arguments),
    /// Makes the cluster of a session again and prints what became of it.
    Replay(run::ReplayArguments),
    /// Runs a benchmark once and prints its result as JSON.
    Bench {
        /// The benchmark's name.
        name: String,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Replay(arguments) => run::replay(&arguments),
        Command::Bench { name } => bench(&name),
    }
}

fn bench(name: &str) -> ExitCode {
    let onlooker = &mut projection::onlooker();
    let host = cluster::bench::Host { wall: &now_ms, pause: &|| (), onlooker };
    let Some(result) = cluster::bench::run(name, host) else {
        let names: Vec<&str> = cluster::bench::names().collect();
        eprintln!("error: there is no benchmark {name:?}; there are: {}", names.join(", "));
        return ExitCode::FAILURE;
    };
    println!("{}", result.to_json());
    if result.finished { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn now_ms() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0.0, |span| span.as_secs_f64() * 1000.0)
}
