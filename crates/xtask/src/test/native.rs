//! Native tests: one `cargo test --no-run` for the workspace, then each test program by itself, so
//! that it is known which of them ran and what each counted.

use super::report::{RECORDS_VARIABLE, Suite};
use super::{LIMIT, Scope};
use crate::process::{self, announce};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A test program that cargo built.
struct Program {
    executable: PathBuf,
    /// The directory of its package: what a test program may count on as its working directory.
    directory: PathBuf,
    package: String,
    /// From the workspace's root.
    source: String,
}

/// Builds and runs all of them.
pub fn run(workspace: &Workspace, scope: Scope, records: &Path) -> Result<Suite> {
    let mut suite = Suite::default();
    for program in build(workspace)? {
        let mut command = Command::new(&program.executable);
        command
            .current_dir(&program.directory)
            .env("CARGO_MANIFEST_DIR", &program.directory)
            .env("CARGO_PKG_NAME", &program.package)
            .env(RECORDS_VARIABLE, records);
        if scope == Scope::Full {
            command.arg("--include-ignored");
        }
        let name = format!("{} {}", program.package, program.source);
        let part = run_program(&mut command, &name, &program.source)?;
        suite.absorb(part);
    }
    if scope == Scope::Full {
        suite.absorb(documentation(workspace)?);
    }
    Ok(suite)
}

fn documentation(workspace: &Workspace) -> Result<Suite> {
    let arguments = ["test", "--doc", "--workspace"];
    run_program(&mut process::cargo(&workspace.root, &arguments), "documentation", "")
}

fn run_program(command: &mut Command, name: &str, source: &str) -> Result<Suite> {
    let captured = process::capture(command, LIMIT, |_| {})?;
    let mut suite = parse(&captured.text, name);
    if suite.passed + suite.failed > 0 {
        announce(&format!("{name}: {} passed, {} failed", suite.passed, suite.failed));
        suite.files.insert(source.to_owned());
    }
    if !captured.success {
        print!("{}", captured.text);
        if suite.failures.is_empty() {
            suite.failures.push(format!("{name}: {}", captured.ending));
        }
    }
    Ok(suite)
}

fn build(workspace: &Workspace) -> Result<Vec<Program>> {
    let arguments = [
        "test",
        "--workspace",
        "--all-targets",
        "--no-run",
        "--message-format",
        "json-render-diagnostics",
    ];
    let messages = process::output(&mut process::cargo(&workspace.root, &arguments))?;
    // The command line itself, which the end-to-end tests hold against the wasm build.
    let command_line = ["build", "--quiet", "--package", "server", "--bins"];
    process::output(&mut process::cargo(&workspace.root, &command_line))?;
    let mut programs = Vec::new();
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line).context("a message of cargo")?;
        let Some(executable) = message["executable"].as_str() else { continue };
        if message["profile"]["test"] != true {
            continue;
        }
        let source = Path::new(message["target"]["src_path"].as_str().unwrap_or_default());
        let package = workspace
            .packages
            .iter()
            .filter(|package| source.starts_with(&package.directory))
            .max_by_key(|package| package.directory.as_os_str().len())
            .with_context(|| format!("no package has {}", source.display()))?;
        programs.push(Program {
            executable: PathBuf::from(executable),
            directory: package.directory.clone(),
            package: package.name.clone(),
            source: workspace.relative(source),
        });
    }
    programs.sort_by(|a, b| a.source.cmp(&b.source));
    Ok(programs)
}

/// Reads what libtest printed: the lines of single tests, and the result line of each program.
pub fn parse(text: &str, program: &str) -> Suite {
    let mut suite = Suite::default();
    for line in text.lines() {
        let line = line.trim();
        if let Some(counts) = line.strip_prefix("test result: ") {
            suite.passed += count(counts, "passed");
            suite.failed += count(counts, "failed");
        } else if let Some((name, outcome)) =
            line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "))
        {
            if let Some(reason) = outcome.strip_prefix("ignored") {
                let reason = reason.trim_start_matches([',', ' ']).to_owned();
                suite.skipped.push((format!("{program}: {name}"), reason));
            } else if outcome == "FAILED" || outcome == "FAIL" {
                suite.failures.push(format!("{program}: {name}"));
            }
        }
    }
    suite
}

/// The number before a word in `ok. 5 passed; 0 failed; 1 ignored`.
fn count(text: &str, word: &str) -> u64 {
    let words: Vec<&str> = text.split([' ', ';']).filter(|word| !word.is_empty()).collect();
    let number = words.windows(2).find(|pair| pair[1] == word).map(|pair| pair[0]);
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_a_test_program_is_counted() {
        let text = "running 4 tests\n\
            test a::works ... ok\n\
            test a::breaks ... FAILED\n\
            test a::long - should panic ... ok\n\
            test a::slow ... ignored, takes an hour\n\n\
            test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out\n";
        let suite = parse(text, "api");
        assert_eq!((suite.passed, suite.failed), (2, 1));
        assert_eq!(suite.failures, ["api: a::breaks"]);
        let skipped = ("api: a::slow".to_owned(), "takes an hour".to_owned());
        assert_eq!(suite.skipped, [skipped]);
    }
}
