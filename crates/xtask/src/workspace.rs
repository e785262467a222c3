//! Where things are: the workspace's root, its target directory, packages and their targets, as
//! `cargo metadata` tells.

use crate::process;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The workspace that holds us.
pub struct Workspace {
    /// The directory of the root Cargo.toml.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    /// Its members.
    pub packages: Vec<Package>,
}

/// A member of the workspace.
pub struct Package {
    /// As in its Cargo.toml.
    pub name: String,
    /// The directory of its Cargo.toml.
    pub directory: PathBuf,
    /// Its integration tests: name and source file.
    pub integration_tests: Vec<(String, PathBuf)>,
}

impl Workspace {
    /// Asks cargo.
    pub fn load() -> Result<Self> {
        // As it is now, not as it was when this was compiled: worktrees may share one build.
        let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| ".".into());
        let arguments = ["metadata", "--format-version", "1", "--no-deps"];
        let text = process::output(&mut process::cargo(Path::new(&here), &arguments))?;
        let metadata: Value = serde_json::from_str(&text).context("cargo metadata")?;
        let packages = metadata["packages"].as_array().context("cargo metadata: no packages")?;
        Ok(Self {
            root: path(&metadata["workspace_root"])?,
            target: path(&metadata["target_directory"])?,
            packages: packages.iter().map(package).collect::<Result<_>>()?,
        })
    }

    /// Where the static site is built.
    pub fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }

    /// A path as people write it: from the root.
    pub fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

fn package(value: &Value) -> Result<Package> {
    let manifest = path(&value["manifest_path"])?;
    let mut integration_tests = Vec::new();
    for target in value["targets"].as_array().into_iter().flatten() {
        if target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "test")) {
            integration_tests.push((text(&target["name"])?, path(&target["src_path"])?));
        }
    }
    Ok(Package {
        name: text(&value["name"])?,
        directory: manifest.parent().context("a manifest without a directory")?.to_owned(),
        integration_tests,
    })
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().with_context(|| format!("cargo metadata: {value} is no string"))?.to_owned())
}

fn path(value: &Value) -> Result<PathBuf> {
    text(value).map(PathBuf::from)
}
