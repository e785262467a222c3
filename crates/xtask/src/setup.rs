//! What a fresh machine lacks: the wasm target, npm packages, the browser's test tools. Each step
//! looks first and does nothing when the thing is there; each failure says what to install.

use crate::process::{self, announce, command, find};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

const WASM_TARGET: &str = "wasm32-unknown-unknown";
const WASM_PACK: &str = "0.15.1";
const CHROMIUM: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const CHROMEDRIVER: [&str; 3] =
    ["chromedriver", "/usr/lib/chromium/chromedriver", "/usr/lib/chromium-browser/chromedriver"];

/// A browser and its driver.
pub struct Browser {
    /// The browser's program.
    pub chromium: PathBuf,
    /// Its WebDriver server.
    pub chromedriver: PathBuf,
}

/// The Rust standard library for wasm.
pub fn wasm_target(workspace: &Workspace) -> Result<()> {
    let sysroot = process::output(&mut command(&workspace.root, "rustc", &["--print", "sysroot"]))?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(WASM_TARGET).is_dir() {
        return Ok(());
    }
    announce(&format!("installing the Rust target {WASM_TARGET}"));
    process::run(&mut command(&workspace.root, "rustup", &["target", "add", WASM_TARGET]))
        .with_context(|| format!("the Rust target {WASM_TARGET} is missing: rustup target add"))
}

/// wasm-pack and the test runner of the locked wasm-bindgen; returns the directory that has both.
pub fn wasm_test_tools(workspace: &Workspace) -> Result<PathBuf> {
    let wasm_bindgen = locked_version(workspace, "wasm-bindgen")?;
    let root = workspace.target.join("tools");
    install(workspace, &root, "wasm-pack", WASM_PACK, &["--locked", "--bin", "wasm-pack"])?;
    // Not `--locked`: the lock file that this crate ships names a version that was withdrawn.
    let binaries = ["--bin", "wasm-bindgen", "--bin", "wasm-bindgen-test-runner"];
    install(workspace, &root, "wasm-bindgen-cli", &wasm_bindgen, &binaries)?;
    Ok(root.join("bin"))
}

fn install(
    workspace: &Workspace,
    root: &Path,
    package: &str,
    version: &str,
    extra: &[&str],
) -> Result<()> {
    let done = root.join(format!("{package}-{version}.installed"));
    if done.is_file() {
        return Ok(());
    }
    announce(&format!("installing {package} {version} into {}", workspace.relative(root)));
    let version_argument = format!("={version}");
    // Unoptimised: these tools run for seconds, and building them optimised takes minutes.
    let mut arguments =
        vec!["install", "--quiet", "--debug", package, "--version", &version_argument];
    arguments.extend(extra);
    let mut cargo = process::cargo(&workspace.root, &arguments);
    cargo.arg("--root").arg(root).env("CARGO_TARGET_DIR", root.join("build"));
    process::run(&mut cargo)?;
    fs::write(&done, "")?;
    Ok(())
}

/// The version of a package in Cargo.lock.
fn locked_version(workspace: &Workspace, package: &str) -> Result<String> {
    let lock = fs::read_to_string(workspace.root.join("Cargo.lock")).context("Cargo.lock")?;
    version_in_lock(&lock, package).with_context(|| format!("Cargo.lock has no {package}"))
}

fn version_in_lock(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?.strip_prefix("version = \"")?;
    Some(version.trim_end_matches('"').to_owned())
}

/// `npm ci` in a directory with a lock file, unless it already ran for this very lock file.
pub fn npm_ci(workspace: &Workspace, directory: &Path) -> Result<()> {
    let lock = fs::read(directory.join("package-lock.json"))
        .with_context(|| format!("{} has no package-lock.json", directory.display()))?;
    let installed = directory.join("node_modules/.installed-package-lock.json");
    if fs::read(&installed).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    if find(&["npm"]).is_none() {
        bail!("npm is missing: install Node.js 20 or newer with npm");
    }
    announce(&format!("npm ci in {}", workspace.relative(directory)));
    let arguments = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
    process::run(&mut command(directory, "npm", &arguments))?;
    fs::write(installed, lock)?;
    Ok(())
}

/// Chromium and its driver, installed through apt where that is allowed.
pub fn browser(workspace: &Workspace) -> Result<Browser> {
    if let Some(browser) = present_browser() {
        return Ok(browser);
    }
    let advice = "Chromium and chromedriver are missing: install the packages chromium and \
        chromium-driver (Debian), or put chromium and chromedriver on PATH";
    if find(&["apt-get"]).is_none() || !is_root(workspace) {
        bail!("{advice}");
    }
    announce("installing chromium and chromium-driver");
    let apt = |arguments: &[&str]| {
        let mut apt = command(&workspace.root, "apt-get", arguments);
        process::output(apt.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-qq"]).context(advice)?;
    apt(&["install", "-y", "-qq", "--no-install-recommends", "chromium", "chromium-driver"])
        .context(advice)?;
    present_browser().context(advice)
}

fn present_browser() -> Option<Browser> {
    Some(Browser { chromium: find(&CHROMIUM)?, chromedriver: find(&CHROMEDRIVER)? })
}

fn is_root(workspace: &Workspace) -> bool {
    process::output(&mut command(&workspace.root, "id", &["-u"])).is_ok_and(|id| id.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_the_lock_file() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.80\"\n\n\
            [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"x\"\n";
        assert_eq!(version_in_lock(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_in_lock(lock, "yew"), None);
    }
}
