//! What the suites reported, held against what is committed: the minimum of tests per suite, the
//! test files that exist, and the tests that may be skipped.

use super::Scope;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The name of the environment variable that tells a test where to record that it ran or not.
pub const RECORDS_VARIABLE: &str = "TABERNETES_TEST_RECORDS";

/// What one suite did.
#[derive(Default)]
pub struct Suite {
    /// Tests that passed, those included that skipped themselves (the records tell which).
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests that the runner itself skipped, each with its reason.
    pub skipped: Vec<(String, String)>,
    /// Test files, from the workspace's root, of which at least one test ran.
    pub files: BTreeSet<String>,
    /// One line for each thing that went wrong.
    pub failures: Vec<String>,
}

impl Suite {
    /// Takes over the numbers of a part of this suite.
    pub fn absorb(&mut self, part: Suite) {
        self.passed += part.passed;
        self.failed += part.failed;
        self.skipped.extend(part.skipped);
        self.files.extend(part.files);
        self.failures.extend(part.failures);
    }
}

/// The run as a whole.
pub struct Report {
    suites: BTreeMap<&'static str, Suite>,
    failures: Vec<String>,
    records: PathBuf,
}

impl Report {
    /// Starts with empty records.
    pub fn new(workspace: &Workspace) -> Result<Self> {
        let directory = workspace.target.join("xtask");
        fs::create_dir_all(&directory)?;
        let records = directory.join("test-records.tsv");
        fs::write(&records, "").context("cannot write the test records")?;
        Ok(Self { suites: BTreeMap::new(), failures: Vec::new(), records })
    }

    /// The file in which conditional tests record what they did.
    pub fn records(&self) -> &Path {
        &self.records
    }

    /// Notes something that went wrong outside a test.
    pub fn fail(&mut self, failure: &str) {
        eprintln!("xtask: {failure}");
        self.failures.push(failure.to_owned());
    }

    /// Takes over a suite's numbers.
    pub fn add(&mut self, name: &'static str, suite: Suite) {
        self.suites.insert(name, suite);
    }

    /// Checks the numbers against what is committed, prints all of it, the closing line last.
    pub fn close(mut self, workspace: &Workspace, scope: Scope) -> Result<ExitCode> {
        let tests = workspace.root.join("tests");
        let expected = fs::read_to_string(tests.join("expected-counts.json"))
            .context("tests/expected-counts.json")?;
        let expected: BTreeMap<String, u64> =
            serde_json::from_str::<BTreeMap<String, Value>>(&expected)?
                .into_iter()
                .filter_map(|(suite, count)| Some((suite, count.as_u64()?)))
                .collect();
        let allowed = fs::read_to_string(tests.join("skips.txt")).context("tests/skips.txt")?;
        let skipped = self.skipped()?;
        self.check_counts(&expected);
        if scope != Scope::Quick {
            self.check_files(&test_files(workspace)?);
        }
        if std::env::var("CI").is_ok_and(|value| value == "true") {
            self.check_skips(&skipped, &allowed);
        }
        Ok(self.print(&skipped))
    }

    /// Every skip: those that runners reported, and those that tests recorded.
    fn skipped(&self) -> Result<Vec<(String, String)>> {
        let mut skipped: Vec<_> =
            self.suites.values().flat_map(|suite| suite.skipped.iter().cloned()).collect();
        skipped.extend(recorded_skips(&fs::read_to_string(&self.records)?));
        Ok(skipped)
    }

    fn check_counts(&mut self, expected: &BTreeMap<String, u64>) {
        let mut failures = Vec::new();
        for (name, suite) in &self.suites {
            let ran = suite.passed + suite.failed;
            match expected.get(*name) {
                Some(minimum) if ran < *minimum => failures.push(format!(
                    "{name}: {ran} tests ran, but tests/expected-counts.json wants {minimum}"
                )),
                Some(_) => {}
                None => failures.push(format!("{name} is not in tests/expected-counts.json")),
            }
        }
        for failure in failures {
            self.fail(&failure);
        }
    }

    fn check_files(&mut self, exist: &BTreeSet<String>) {
        let ran: BTreeSet<&String> =
            self.suites.values().flat_map(|suite| suite.files.iter()).collect();
        let idle: Vec<_> = exist.iter().filter(|file| !ran.contains(file)).cloned().collect();
        for file in idle {
            self.fail(&format!("{file}: no test of this file ran"));
        }
    }

    fn check_skips(&mut self, skipped: &[(String, String)], allowed: &str) {
        let allowed: BTreeSet<&str> = allowed
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim())
            .filter(|line| !line.is_empty())
            .collect();
        for (test, reason) in skipped {
            if !allowed.contains(test.as_str()) {
                self.fail(&format!("{test} was skipped ({reason}), but is not in tests/skips.txt"));
            }
        }
    }

    fn print(&self, skipped: &[(String, String)]) -> ExitCode {
        println!();
        for (name, suite) in &self.suites {
            let (passed, failed) = (suite.passed, suite.failed);
            println!("suite {name}: {passed} passed, {failed} failed, {} files", suite.files.len());
        }
        let failures: Vec<&String> = self
            .failures
            .iter()
            .chain(self.suites.values().flat_map(|suite| suite.failures.iter()))
            .collect();
        for (test, reason) in skipped {
            println!("skipped: {test}: {reason}");
        }
        for failure in &failures {
            println!("failed: {failure}");
        }
        let totals = self.totals(&fs::read_to_string(&self.records).unwrap_or_default());
        println!("{} passed, {} failed, {} skipped", totals.0, totals.1, totals.2);
        if totals.1 == 0 && totals.0 > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// Passed, failed and skipped. A test that recorded a skip was counted as passed by its runner.
    fn totals(&self, records: &str) -> (u64, u64, u64) {
        let recorded = recorded_skips(records).count() as u64;
        let sum = |count: fn(&Suite) -> u64| self.suites.values().map(count).sum::<u64>();
        let passed = sum(|suite| suite.passed).saturating_sub(recorded);
        // A suite may fail without a failed test (it crashed): that counts as one.
        let crashed = |suite: &Suite| suite.failed.max(suite.failures.len() as u64);
        let failed = sum(crashed) + self.failures.len() as u64;
        (passed, failed, sum(|suite| suite.skipped.len() as u64) + recorded)
    }
}

/// The skips in a record file: lines of `skipped`, the test and the reason, split by tabs.
fn recorded_skips(records: &str) -> impl Iterator<Item = (String, String)> + '_ {
    records.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        if fields.next() != Some("skipped") {
            return None;
        }
        Some((fields.next()?.to_owned(), fields.next().unwrap_or_default().to_owned()))
    })
}

/// Every test file of the workspace: integration tests of its packages, and end-to-end tests.
fn test_files(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let mut files = BTreeSet::new();
    for package in &workspace.packages {
        for (_, source) in &package.integration_tests {
            files.insert(workspace.relative(source));
        }
    }
    for source in super::e2e::test_files(workspace)? {
        files.insert(workspace.relative(&source));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(passed: u64, skipped: &[&str], files: &[&str]) -> Report {
        let skipped = skipped.iter().map(|test| ((*test).to_owned(), "why".to_owned())).collect();
        let files = files.iter().map(|file| (*file).to_owned()).collect();
        let suite = Suite { passed, skipped, files, ..Suite::default() };
        let suites = BTreeMap::from([("native", suite)]);
        Report { suites, failures: Vec::new(), records: PathBuf::new() }
    }

    #[test]
    fn fewer_tests_than_committed_and_an_unknown_suite_fail() {
        for (minimum, failures) in [(9, 0), (10, 0), (11, 1)] {
            let mut report = report(10, &[], &[]);
            report.check_counts(&BTreeMap::from([("native".to_owned(), minimum)]));
            assert_eq!(report.failures.len(), failures, "{minimum}");
        }
        let mut report = report(10, &[], &[]);
        report.check_counts(&BTreeMap::new());
        assert_eq!(report.failures.len(), 1);
    }

    #[test]
    fn a_test_file_of_which_nothing_ran_fails() {
        let mut report = report(1, &[], &["tests/tests/a.rs"]);
        let exist = ["tests/tests/a.rs", "tests/tests/b.rs"].map(str::to_owned);
        report.check_files(&BTreeSet::from(exist));
        assert_eq!(report.failures, ["tests/tests/b.rs: no test of this file ran"]);
    }

    #[test]
    fn a_skip_fails_unless_it_is_on_the_committed_list() {
        let mut report = report(1, &["a", "b"], &[]);
        let skipped = report.suites["native"].skipped.clone();
        report.check_skips(&skipped, "# a comment\na # needs a file\n");
        assert_eq!(report.failures, ["b was skipped (why), but is not in tests/skips.txt"]);
    }

    #[test]
    fn a_recorded_skip_is_not_a_pass() {
        let report = report(10, &["ignored"], &[]);
        let records = "ran\tx\nskipped\ty\tno corpus\n";
        assert_eq!(report.totals(records), (9, 0, 2));
    }
}
