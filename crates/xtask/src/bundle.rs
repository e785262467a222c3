//! What esbuild makes: the editor's chunk from `web/editor` and its npm packages, and smaller forms
//! of the site's scripts and style sheets.

use crate::dist::Profile;
use crate::process::{self, command};
use crate::setup;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What all browsers that run the page's wasm understand.
const TARGET: &str = "--target=es2022";

/// The editor as one module.
pub fn editor(workspace: &Workspace, profile: Profile) -> Result<Vec<u8>> {
    let directory = directory(workspace);
    setup::npm_ci(workspace, &directory)?;
    let output = workspace.target.join("xtask/editor.js");
    let outfile = format!("--outfile={}", output.display());
    let mut arguments = vec!["editor.js", "--bundle", "--format=esm", TARGET, &outfile];
    if profile == Profile::Wasm {
        arguments.push("--minify");
    }
    esbuild(&directory, &arguments)?;
    fs::read(&output).context("esbuild left no editor.js")
}

/// Replaces the scripts and style sheets at the top of the site by smaller ones that do the same.
pub fn minify(workspace: &Workspace, site: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    let whole = workspace.target.join("xtask/whole");
    let small = workspace.target.join("xtask/small");
    fs::create_dir_all(&whole)?;
    let minified =
        |name: &str| (name.ends_with(".js") || name.ends_with(".css")) && !name.contains('/');
    let names: Vec<String> = site.keys().filter(|name| minified(name)).cloned().collect();
    let outdir = format!("--outdir={}", small.display());
    let mut arguments = vec!["--minify", "--target=esnext", &outdir];
    let mut paths = Vec::new();
    for name in &names {
        let path = whole.join(name);
        fs::write(&path, &site[name])?;
        paths.push(path.display().to_string());
    }
    arguments.extend(paths.iter().map(String::as_str));
    esbuild(&directory(workspace), &arguments)?;
    for name in names {
        let bytes =
            fs::read(small.join(&name)).with_context(|| format!("esbuild left no {name}"))?;
        site.insert(name, bytes);
    }
    Ok(())
}

fn directory(workspace: &Workspace) -> PathBuf {
    workspace.root.join("web/editor")
}

fn esbuild(directory: &Path, arguments: &[&str]) -> Result<()> {
    // As npm links it: a script or the program itself, as its set-up went.
    let program = directory.join("node_modules/.bin/esbuild");
    let mut esbuild = command(directory, &program, arguments);
    process::run(esbuild.arg("--log-level=warning"))
}
