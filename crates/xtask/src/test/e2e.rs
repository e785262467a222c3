//! End-to-end tests: the built site in real Chromium, driven from `tests/e2e` by Node's own test
//! runner.

use super::LIMIT;
use super::report::{RECORDS_VARIABLE, Suite};
use crate::dist::{self, Profile};
use crate::workspace::Workspace;
use crate::{process, serve, setup};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Builds the site, serves it, and runs every test file against it.
pub fn run(workspace: &Workspace, records: &Path) -> Result<Suite> {
    let directory = workspace.root.join("tests/e2e");
    if process::find(&["node"]).is_none() {
        bail!("node is missing: install Node.js 20 or newer");
    }
    let browser = setup::browser(workspace)?;
    setup::npm_ci(workspace, &directory)?;
    setup::wasm_target(workspace)?;
    dist::build(workspace, Profile::Wasm)?;
    let address = serve::in_background(workspace.dist())?;
    let events = workspace.target.join("xtask/e2e-events.jsonl");
    let events_destination = format!("--test-reporter-destination={}", events.display());
    let mut node = process::command(&directory, "node", &["--test", "--test-concurrency=1"]);
    node.args(["--test-reporter=spec", "--test-reporter-destination=stdout"])
        .args(["--test-reporter=./reporter.mjs", &events_destination])
        .args(test_files(workspace)?)
        .env("TABERNETES_URL", &address)
        .env("TABERNETES_CHROMIUM", &browser.chromium)
        .env(RECORDS_VARIABLE, records);
    // Built along with the native tests, which run its command line.
    let binary = workspace.target.join("debug/tabernetes");
    if binary.is_file() {
        node.env("TABERNETES_BINARY", binary);
    }
    let captured = process::capture(&mut node, LIMIT, |line| eprintln!("  {line}"))?;
    let events = fs::read_to_string(&events).context("the end-to-end tests left no events")?;
    let mut suite = count(workspace, &events)?;
    if !captured.success && suite.failures.is_empty() {
        suite.failures.push(format!("node --test: {}", captured.ending));
    }
    Ok(suite)
}

/// The test files, in order.
pub fn test_files(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let directory = workspace.root.join("tests/e2e");
    let mut files = Vec::new();
    for entry in fs::read_dir(&directory).with_context(|| format!("{}", directory.display()))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads the lines of `reporter.mjs`.
fn count(workspace: &Workspace, events: &str) -> Result<Suite> {
    let mut suite = Suite::default();
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).context("an event of the reporter")?;
        let field = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let name = format!("e2e: {}", field("name"));
        match event["outcome"].as_str() {
            Some("passed") => suite.passed += 1,
            Some("skipped") => {
                suite.skipped.push((name, field("reason")));
                continue;
            }
            _ => {
                suite.failed += 1;
                suite.failures.push(name);
            }
        }
        suite.files.insert(workspace.relative(Path::new(&field("file"))));
    }
    Ok(suite)
}
