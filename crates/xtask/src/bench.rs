//! Benchmarks: a scenario in five fresh processes, native or as wasm under Node. Each process also
//! times a fixed loop, so that figures of different machines can be compared.

use crate::dist::{self, Profile};
use crate::process::{self, announce};
use crate::setup;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::process::ExitCode;

const DEFAULT: &str = "deployment-1000";
const RUNS: usize = 5;

/// The first recorded calibration of each host, in milliseconds.
const REFERENCE: &str = include_str!("../calibration.json");

/// `cargo xtask bench`.
pub fn run(name: Option<&str>, wasm: bool) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let name = name.unwrap_or(DEFAULT);
    let host = if wasm { "wasm" } else { "native" };
    if wasm {
        if process::find(&["node"]).is_none() {
            bail!("node is missing: install Node.js 20 or newer");
        }
        setup::wasm_target(&workspace)?;
        dist::build(&workspace, Profile::Wasm)?;
    } else {
        announce("building tabernetes");
        let arguments = ["build", "--release", "--package", "server"];
        process::run(&mut process::cargo(&workspace.root, &arguments))?;
    }
    let mut scenario = Vec::new();
    let mut calibration = Vec::new();
    let mut last = Value::Null;
    for run in 1..=RUNS {
        announce(&format!("{name} ({host}), run {run} of {RUNS}"));
        last = measure(&workspace, name, wasm)?;
        scenario.push(number(&last, "milliseconds")?);
        calibration.push(number(&last, "calibration_ms")?);
    }
    let reference: Value = serde_json::from_str(REFERENCE).context("calibration.json")?;
    let reference = reference[host].as_f64().context("calibration.json: no such host")?;
    let (scenario, calibration) = (median(scenario), median(calibration));
    let report = json!({
        "name": name,
        "host": host,
        "runs": RUNS,
        "milliseconds": scenario,
        "calibration_milliseconds": calibration,
        "reference_calibration_milliseconds": reference,
        "ratio_to_calibration": scenario / calibration,
        "milliseconds_on_reference": scenario / calibration * reference,
        "last_run": last,
    });
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(ExitCode::SUCCESS)
}

/// One fresh process.
fn measure(workspace: &Workspace, name: &str, wasm: bool) -> Result<Value> {
    let text = if wasm {
        let script = workspace.root.join("crates/xtask/src/bench.mjs");
        let dist = workspace.dist();
        let mut node = process::command(&workspace.root, "node", &[]);
        process::output(node.arg(script).arg(dist).arg(name))?
    } else {
        let program = workspace.target.join("release/tabernetes");
        process::output(&mut process::command(&workspace.root, program, &["bench", name]))?
    };
    serde_json::from_str(&text).with_context(|| format!("{name} printed no JSON: {text}"))
}

fn number(result: &Value, name: &str) -> Result<f64> {
    result[name].as_f64().with_context(|| format!("no {name} in {result}"))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value() {
        assert!((median(vec![9.0, 1.0, 5.0, 2.0, 7.0]) - 5.0).abs() < f64::EPSILON);
    }
}
