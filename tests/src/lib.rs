//! The one way to write a test that depends on something that may be absent: data outside the
//! repository, a tool. It knows the environment and nothing of the product; it must never decide
//! for a test whether it passes.
//!
//! `cargo xtask test` reads what is recorded here, prints every skip, and fails in CI on a skip
//! that `tests/skips.txt` does not allow.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

/// The file to which tests append what they did; set by `cargo xtask test`.
const RECORDS_VARIABLE: &str = "TABERNETES_TEST_RECORDS";

/// Why a test cannot run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet(pub String);

/// Runs `body` with what it needs, or records that `test` was skipped and why.
///
/// # Panics
/// Where `body` does, and when the record cannot be written.
pub fn conditional<T>(test: &str, need: Result<T, Unmet>, body: impl FnOnce(T)) {
    match need {
        Ok(need) => {
            body(need);
            record(&format!("ran\t{test}\n"));
        }
        Err(Unmet(reason)) => record(&format!("skipped\t{test}\t{}\n", reason.replace('\n', " "))),
    }
}

/// A file or folder of the corpus that `TABERNETES_CORPUS` points to.
pub fn corpus(name: &str) -> Result<PathBuf, Unmet> {
    let Some(root) = std::env::var_os("TABERNETES_CORPUS") else {
        return Err(Unmet("TABERNETES_CORPUS is not set".to_owned()));
    };
    let path = PathBuf::from(root).join(name);
    if path.exists() { Ok(path) } else { Err(Unmet(format!("the corpus has no {name}"))) }
}

fn record(line: &str) {
    match std::env::var_os(RECORDS_VARIABLE) {
        // One short write in append mode: lines of tests that run at once do not mix.
        Some(path) => OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the record of conditional tests is writable"),
        None => eprint!("{line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_runs_only_with_what_it_needs() {
        let mut got = None;
        conditional("helper runs", Ok(7), |value| got = Some(value));
        assert_eq!(got, Some(7));
    }

    #[test]
    fn a_missing_corpus_is_unmet_and_not_an_error() {
        let unmet = corpus("no such thing").unwrap_err();
        assert!(unmet.0.contains("corpus") || unmet.0.contains("CORPUS"), "{unmet:?}");
    }
}
