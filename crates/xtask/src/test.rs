//! `cargo xtask test`: every check of the project, in the order in which they fail fastest.
//!
//! A suite reports its counts; [`report::Report`] holds them against the committed minimum, the
//! test files that exist and the committed list of skips, and prints the closing line.

mod e2e;
mod native;
mod report;
mod wasm;

use crate::process::{self, announce};
use crate::setup;
use crate::workspace::Workspace;
use anyhow::Result;
use report::{Report, Suite};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How much is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// fmt, clippy and native tests.
    Quick,
    /// And the tests in a browser.
    Default,
    /// And documentation tests, and native tests marked `#[ignore]` for their length.
    Full,
}

/// The longest that one test program may take.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Runs the checks of a scope; fails when any of them did.
pub fn run(scope: Scope) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut report = Report::new(&workspace)?;
    check(&mut report, "fmt", || {
        process::run(&mut process::cargo(&workspace.root, &["fmt", "--all", "--check"]))
    });
    check(&mut report, "clippy", || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
        process::run(&mut process::cargo(&workspace.root, &arguments))
    });
    suite(&mut report, "native", |records| native::run(&workspace, scope, records));
    if scope != Scope::Quick {
        suite(&mut report, "wasm", |_| {
            setup::wasm_target(&workspace)?;
            let browser = setup::browser(&workspace)?;
            let tools = setup::wasm_test_tools(&workspace)?;
            wasm::run(&workspace, &browser, &tools)
        });
        suite(&mut report, "e2e", |records| e2e::run(&workspace, records));
    }
    report.close(&workspace, scope)
}

/// A check that has no tests to count: it holds or it fails.
fn check(report: &mut Report, name: &str, body: impl FnOnce() -> Result<()>) {
    announce(name);
    let started = Instant::now();
    if let Err(error) = body() {
        report.fail(&format!("{name}: {error:#}"));
    }
    announce(&format!("{name}: {} s", started.elapsed().as_secs()));
}

/// A suite that counts its tests. One that cannot start has failed.
fn suite(
    report: &mut Report,
    name: &'static str,
    body: impl FnOnce(&std::path::Path) -> Result<Suite>,
) {
    announce(name);
    let started = Instant::now();
    match body(report.records()) {
        Ok(suite) => report.add(name, suite),
        Err(error) => report.fail(&format!("{name}: {error:#}")),
    }
    announce(&format!("{name}: {} s", started.elapsed().as_secs()));
}
