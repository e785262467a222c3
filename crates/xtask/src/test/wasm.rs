//! Tests in a headless browser through wasm-pack, for the packages that have some.

use super::LIMIT;
use super::native::parse;
use super::report::Suite;
use crate::process;
use crate::setup::Browser;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::path::Path;

/// The packages with tests of this kind. Each has a `webdriver.json` beside its Cargo.toml.
const PACKAGES: [&str; 1] = ["wasm"];

/// Runs `wasm-pack test --headless --chrome` in each of them.
pub fn run(workspace: &Workspace, browser: &Browser, tools: &Path) -> Result<Suite> {
    let mut suite = Suite::default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(tools.to_owned()).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(path)?;
    for name in PACKAGES {
        let package = workspace
            .packages
            .iter()
            .find(|package| package.name == name)
            .with_context(|| format!("the workspace has no package {name}"))?;
        let driver = browser.chromedriver.display().to_string();
        // What is tested is what people get; it is also built only once that way.
        let arguments = [
            "test",
            "--headless",
            "--chrome",
            "--chromedriver",
            &driver,
            "--mode",
            "no-install",
            ".",
            "--profile",
            "wasm",
        ];
        let mut command = process::command(&package.directory, tools.join("wasm-pack"), &arguments);
        command.env("PATH", &path).env("WASM_BINDGEN_TEST_TIMEOUT", "300");
        let captured = process::capture(&mut command, LIMIT, |line| eprintln!("  {line}"))?;
        let mut part = parse(&captured.text, name);
        if !captured.success && part.failures.is_empty() {
            part.failures.push(format!("wasm-pack test of {name}: {}", captured.ending));
        }
        for file in files_that_ran(&captured.text) {
            part.files.insert(workspace.relative(&package.directory.join(file)));
        }
        suite.absorb(part);
    }
    Ok(suite)
}

/// The sources whose program printed a result with at least one test.
fn files_that_ran(text: &str) -> Vec<String> {
    let mut files = Vec::new();
    let mut current = None;
    for line in text.lines().map(str::trim) {
        // The browser's runner says "Running headless tests …" in between.
        let program = line.strip_prefix("Running ").and_then(|rest| rest.split_once(".rs ("));
        if let Some((source, _)) = program {
            let source = source.strip_prefix("unittests ").unwrap_or(source);
            current = Some(format!("{source}.rs"));
        } else if line.starts_with("test result: ") && !line.contains(" 0 passed; 0 failed") {
            files.extend(current.take());
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_with_tests_count_as_run() {
        let text = "     Running unittests src/lib.rs (target/wasm32-unknown-unknown/a.wasm)\n\
            test result: ok. 0 passed; 0 failed; 0 ignored; 0 filtered out\n\
                 Running tests/hash.rs (target/wasm32-unknown-unknown/b.wasm)\n\
            Running headless tests in Chrome on `http://127.0.0.1:35623/`\n\
            test result: ok. 2 passed; 0 failed; 0 ignored; 0 filtered out\n";
        assert_eq!(files_that_ran(text), ["tests/hash.rs"]);
    }
}
