//! The static site: its wasm modules, their glue, the editor, everything in `static/`, and beside
//! each file its brotli and gzip form. A file is written, and compressed again, only when it
//! changed.

use crate::bind::bind;
use crate::workspace::Workspace;
use crate::{bundle, process, setup};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A wasm module of the site.
pub struct Module {
    /// The package that it is built from.
    package: &'static str,
    /// Its name in the site.
    pub name: &'static str,
    /// What else cargo is told of it.
    arguments: &'static [&'static str],
}

/// No more than what a cluster needs to boot, and that small: it sends few packets, and is soon
/// gone.
const CORE: &[&str] =
    &["--no-default-features", "--config", "profile.wasm.package.network.opt-level='z'"];

/// The page, the engine that it loads first, and the whole engine, in the order in which they are
/// built: the engines are one package.
pub const MODULES: [Module; 3] = [
    Module { package: "web", name: "web", arguments: &[] },
    Module { package: "wasm", name: "engine-core", arguments: CORE },
    Module { package: "wasm", name: "engine-full", arguments: &[] },
];

/// Which cargo profile the modules are built with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Small and fast; what people get.
    Wasm,
    /// Quick to build, with names in its stack traces.
    Dev,
}

impl Profile {
    /// Cargo's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wasm => "wasm",
            Self::Dev => "dev",
        }
    }

    /// Where cargo puts what it builds with it.
    pub fn directory(self) -> &'static str {
        match self {
            Self::Wasm => "wasm",
            Self::Dev => "debug",
        }
    }
}

/// `cargo xtask dist`.
pub fn run() -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    setup::wasm_target(&workspace)?;
    build(&workspace, Profile::Wasm)?;
    println!("{}", workspace.dist().display());
    Ok(ExitCode::SUCCESS)
}

/// Builds the site into `dist/`; files of earlier builds that are no longer part of it go away.
pub fn build(workspace: &Workspace, profile: Profile) -> Result<()> {
    let site = collect(workspace, profile)?;
    let dist = workspace.dist();
    let written = publish(&dist, &site)?;
    process::announce(&format!("dist: {} files, {written} changed", site.len()));
    Ok(())
}

/// Everything the site holds, by its path in the site.
fn collect(workspace: &Workspace, profile: Profile) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut site = BTreeMap::new();
    add_directory(&workspace.root.join("static"), "", &mut site)?;
    for module in &MODULES {
        compile(workspace, profile, module)?;
        for (file, bytes) in bind(workspace, profile, module.package, module.name)? {
            if site.insert(file.clone(), bytes).is_some() {
                bail!("dist: {file} exists both in static/ and as a built file");
            }
        }
    }
    let editor = bundle::editor(workspace, profile)?;
    site.insert("editor.js".to_owned(), editor);
    if profile == Profile::Wasm {
        bundle::minify(workspace, &mut site)?;
    }
    Ok(site)
}

fn compile(workspace: &Workspace, profile: Profile, module: &Module) -> Result<()> {
    process::announce(&format!("building {} (profile {})", module.name, profile.name()));
    let mut arguments =
        vec!["build", "--lib", "--target", "wasm32-unknown-unknown", "--profile", profile.name()];
    arguments.extend(["--package", module.package]);
    arguments.extend(module.arguments);
    process::run(&mut process::cargo(&workspace.root, &arguments))
}

/// Adds every file below a directory, by its path in it after `prefix`.
pub fn add_directory(
    directory: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> Result<()> {
    let entries = fs::read_dir(directory)
        .with_context(|| format!("dist: cannot read {}", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            add_directory(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// Makes `dist` hold exactly `site` and its compressed forms; returns how many files changed.
fn publish(dist: &Path, site: &BTreeMap<String, Vec<u8>>) -> Result<usize> {
    fs::create_dir_all(dist)?;
    let mut changed = Vec::new();
    for (name, bytes) in site {
        let path = dist.join(name);
        let current = fs::read(&path).is_ok_and(|old| &old == bytes);
        if !(current && compressed(&path, "br").is_file() && compressed(&path, "gz").is_file()) {
            changed.push((path, bytes));
        }
    }
    if !changed.is_empty() {
        process::announce(&format!("compressing {} files", changed.len()));
    }
    for (path, bytes) in &changed {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        // The file itself last: a run stopped half way is seen as changed by the next one.
        fs::write(compressed(path, "br"), brotli(bytes)?)?;
        fs::write(compressed(path, "gz"), gzip(bytes)?)?;
        fs::write(path, bytes)?;
    }
    let mut present = BTreeMap::new();
    add_directory(dist, "", &mut present)?;
    for name in present.keys() {
        let source = name.strip_suffix(".br").or_else(|| name.strip_suffix(".gz"));
        if !site.contains_key(name) && !source.is_some_and(|source| site.contains_key(source)) {
            fs::remove_file(dist.join(name))?;
        }
    }
    Ok(changed.len())
}

/// `name` with `.extension` appended, not replaced.
pub fn compressed(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

fn brotli(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut output = Vec::new();
    let parameters =
        brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 24, ..Default::default() };
    brotli::BrotliCompress(&mut &bytes[..], &mut output, &parameters)?;
    Ok(output)
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn publishing_writes_what_changed_and_removes_what_is_gone() {
        let dist = std::env::temp_dir().join(format!("tabernetes-publish-{}", std::process::id()));
        let first = site(&[("index.html", "one"), ("examples/a.yaml", "a")]);
        assert_eq!(publish(&dist, &first).unwrap(), 2);
        assert_eq!(publish(&dist, &first).unwrap(), 0, "nothing changed");
        let second = site(&[("index.html", "two")]);
        assert_eq!(publish(&dist, &second).unwrap(), 1);
        let mut present = BTreeMap::new();
        add_directory(&dist, "", &mut present).unwrap();
        fs::remove_dir_all(&dist).unwrap();
        assert_eq!(
            present.keys().collect::<Vec<_>>(),
            ["index.html", "index.html.br", "index.html.gz"]
        );
        let mut unpacked = Vec::new();
        brotli::BrotliDecompress(&mut &present["index.html.br"][..], &mut unpacked).unwrap();
        assert_eq!(unpacked, b"two");
    }
}
