//! What the site weighs: raw, gzip and brotli bytes of every artifact and of the groups that have
//! a committed budget, as JSON on standard output.

use crate::dist::{self, Profile};
use crate::setup;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Groups of artifacts with their budget in KiB of brotli.
const BUDGETS: &str = include_str!("../budgets.json");

/// `cargo xtask size`.
pub fn run() -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    setup::wasm_target(&workspace)?;
    dist::build(&workspace, Profile::Wasm)?;
    let (report, above) = measure(&workspace.dist(), BUDGETS)?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    if !above.is_empty() {
        bail!("size: above budget: {}", above.join("; "));
    }
    Ok(ExitCode::SUCCESS)
}

/// The report, and a line for each group above its budget.
fn measure(dist: &Path, budgets: &str) -> Result<(Value, Vec<String>)> {
    let mut artifacts = Map::new();
    list(dist, "", &mut artifacts)?;
    let budgets: Value = serde_json::from_str(budgets).context("budgets.json")?;
    let mut groups = Map::new();
    let mut above = Vec::new();
    for (name, group) in budgets.as_object().context("budgets.json: no object")? {
        let budget = group["brotli_kib"].as_u64().context("budgets.json: no brotli_kib")? * 1024;
        let mut total = json!({ "raw": 0, "gzip": 0, "brotli": 0, "budget": budget });
        for file in group["files"].as_array().context("budgets.json: no files")? {
            let file = file.as_str().context("budgets.json: a file is no string")?;
            let artifact = artifacts
                .get(file)
                .with_context(|| format!("size: {file} of group {name} is not in dist/"))?;
            for column in ["raw", "gzip", "brotli"] {
                total[column] = json!(bytes(&total[column]) + bytes(&artifact[column]));
            }
        }
        let used = bytes(&total["brotli"]);
        if used > budget {
            above.push(format!("{name} {used} of {budget} bytes"));
        }
        groups.insert(name.clone(), total);
    }
    Ok((json!({ "artifacts": artifacts, "groups": groups }), above))
}

fn bytes(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn list(directory: &Path, prefix: &str, artifacts: &mut Map<String, Value>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            list(&path, &format!("{name}/"), artifacts)?;
        } else if !name.ends_with(".br") && !name.ends_with(".gz") {
            let size = |path: &Path| fs::metadata(path).map(|metadata| metadata.len());
            let sizes = json!({
                "raw": size(&path)?,
                "gzip": size(&dist::compressed(&path, "gz"))?,
                "brotli": size(&dist::compressed(&path, "br"))?,
            });
            artifacts.insert(name, sizes);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_above_its_budget_and_a_missing_file_are_reported() {
        let dist = std::env::temp_dir().join(format!("tabernetes-size-{}", std::process::id()));
        fs::create_dir_all(&dist).unwrap();
        for (name, length) in [("a.js", 3000), ("a.js.br", 1500), ("a.js.gz", 1700)] {
            fs::write(dist.join(name), vec![b'x'; length]).unwrap();
        }
        let small = r#"{ "first": { "brotli_kib": 1, "files": ["a.js"] } }"#;
        let large = r#"{ "first": { "brotli_kib": 2, "files": ["a.js"] } }"#;
        let missing = r#"{ "first": { "brotli_kib": 2, "files": ["b.js"] } }"#;
        let results = [small, large, missing].map(|budgets| measure(&dist, budgets));
        fs::remove_dir_all(&dist).unwrap();
        let [small, large, missing] = results;
        assert_eq!(small.unwrap().1, ["first 1500 of 1024 bytes"]);
        let (report, above) = large.unwrap();
        assert!(above.is_empty());
        assert_eq!(report["groups"]["first"]["gzip"], 1700);
        assert!(missing.unwrap_err().to_string().contains("b.js"));
    }
}
