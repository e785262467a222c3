//! The invariants of the workspace that no compiler holds: who may depend on whom, what no crate
//! below the hosts may name, and the shape of source files.

#![expect(clippy::unwrap_used, reason = "a test reports what it cannot read by failing")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The layers, lowest first. A crate depends only on crates of lower layers, never on a peer.
const LAYERS: [&[&str]; 14] = [
    &["sim", "protocol", "trace"],
    &["api"],
    &["component-helpers"],
    &["etcd"],
    &["apiserver"],
    &["client", "network"],
    &["runtime"],
    &["shell", "storage"],
    &["kubectl", "controllers", "scheduler", "kubelet"],
    &["images"],
    &["cluster"],
    &["terminal", "projection"],
    &["web", "wasm", "server", "xtask"],
    &["tests"],
];

/// The crates that may touch the machine they run on.
const HOSTS: [&str; 5] = ["web", "wasm", "server", "xtask", "tests"];

/// What no crate below the hosts may name, and what it uses instead.
const BANNED: [(&str, &str); 12] = [
    ("std::time", "sim's virtual clock"),
    ("js_sys", "a host passes data in"),
    ("web_sys", "a host passes data in"),
    ("wasm_bindgen", "a host passes data in"),
    ("std::thread", "the engine is single-threaded"),
    ("async fn", "a component that wakes"),
    (".await", "a component that wakes"),
    ("thread_rng", "a named stream of sim"),
    ("getrandom", "a named stream of sim"),
    ("HashMap", "sim::SmallMap or sim::OrdMap"),
    ("HashSet", "sim::SmallSet or sim::OrdSet"),
    ("std::fs", "a host passes data in"),
];

const MAX_FILE_LINES: usize = 800;
const MAX_LINE_WIDTH: usize = 100;

struct Package {
    name: String,
    directory: PathBuf,
    /// Workspace crates it links, development dependencies left out.
    dependencies: BTreeSet<String>,
    /// Workspace crates its tests link.
    dev_dependencies: BTreeSet<String>,
    sources: Vec<Source>,
}

struct Source {
    path: PathBuf,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeSet<&str> =
        packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    packages.iter().map(|package| read_package(package, &names)).collect()
}

fn read_package(package: &Value, names: &BTreeSet<&str>) -> Package {
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    let directory = manifest.parent().unwrap().to_owned();
    let mut dependencies = BTreeSet::new();
    let mut dev_dependencies = BTreeSet::new();
    for dependency in package["dependencies"].as_array().unwrap() {
        let name = dependency["name"].as_str().unwrap();
        if names.contains(name) {
            match dependency["kind"].as_str() {
                Some("dev") => dev_dependencies.insert(name.to_owned()),
                _ => dependencies.insert(name.to_owned()),
            };
        }
    }
    let mut sources = Vec::new();
    for folder in ["src", "tests", "benches"] {
        read_sources(&directory.join(folder), &mut sources);
    }
    let name = package["name"].as_str().unwrap().to_owned();
    Package { name, directory, dependencies, dev_dependencies, sources }
}

fn read_sources(directory: &Path, sources: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() && entry.file_name() != "node_modules" {
            read_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            sources.push(Source { path, text });
        }
    }
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// A line without its comment, if it has one after code.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn every_crate_has_its_layer_and_depends_only_on_lower_ones() {
    let mut problems = Vec::new();
    for package in packages() {
        let Some(own) = layer(&package.name) else {
            problems.push(format!("{}: give it its place in LAYERS", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            if layer(dependency).is_none_or(|lower| lower >= own) {
                problems.push(format!("{} may not depend on {dependency}", package.name));
            }
        }
        // Tests reach for helpers of the layers below, and for the helper of conditional tests.
        for dependency in &package.dev_dependencies {
            if dependency != "tests" && layer(dependency).is_none_or(|lower| lower >= own) {
                problems.push(format!("tests of {} may not depend on {dependency}", package.name));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn only_the_api_server_depends_on_etcd() {
    let users: Vec<String> = packages()
        .into_iter()
        .filter(|package| package.dependencies.contains("etcd"))
        .map(|package| package.name)
        .collect();
    assert_eq!(users, ["apiserver"]);
}

#[test]
fn the_page_depends_on_protocol_and_trace_and_on_nothing_of_the_engine() {
    let allowed = BTreeSet::from(["protocol".to_owned(), "trace".to_owned()]);
    for package in packages() {
        if package.name == "web" {
            let more: Vec<_> = package.dependencies.difference(&allowed).collect();
            assert!(more.is_empty(), "web depends on {more:?}");
        }
    }
}

#[test]
fn unsafe_code_is_forbidden_in_every_crate() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""), "the workspace's lints forbid it");
    let mut problems = Vec::new();
    for package in packages() {
        let manifest = fs::read_to_string(package.directory.join("Cargo.toml")).unwrap();
        if !manifest.contains("[lints]\nworkspace = true") {
            problems.push(format!("{}: wants `[lints] workspace = true`", package.name));
        }
    }
    assert_none(&problems);
}

#[test]
fn below_the_hosts_nothing_names_the_machine_or_an_order_that_is_random() {
    let mut problems = Vec::new();
    for package in packages().iter().filter(|package| !HOSTS.contains(&package.name.as_str())) {
        for source in package.sources.iter().filter(|source| is_product(source)) {
            for (number, line) in source.text.lines().enumerate() {
                for (banned, remedy) in BANNED {
                    if code(line).contains(banned) {
                        let place = format!("{}:{}", relative(&source.path), number + 1);
                        problems.push(format!("{place}: {banned}; use {remedy}"));
                    }
                }
            }
        }
    }
    assert_none(&problems);
}

/// Not a test file: those may read files of the corpus.
fn is_product(source: &Source) -> bool {
    let name = source.path.file_stem().unwrap().to_string_lossy();
    let in_tests = source.path.components().any(|component| component.as_os_str() == "tests");
    !in_tests && name != "tests" && !name.ends_with("_tests")
}

#[test]
fn a_host_has_its_own_clippy_configuration_and_others_have_none() {
    let mut problems = Vec::new();
    for package in packages() {
        let own = package.directory.join("clippy.toml").is_file();
        if own != HOSTS.contains(&package.name.as_str()) {
            problems.push(format!("{}: only a host relaxes clippy.toml", package.name));
        }
    }
    assert_none(&problems);
}

#[test]
fn source_files_are_short_and_lines_fit() {
    let mut problems = Vec::new();
    for source in packages().iter().flat_map(|package| &package.sources) {
        let place = relative(&source.path);
        let lines = source.text.lines().count();
        if lines > MAX_FILE_LINES {
            problems.push(format!("{place}: {lines} lines, at most {MAX_FILE_LINES}"));
        }
        for (number, line) in source.text.lines().enumerate() {
            // What rustfmt breaks it has broken: comments are what it leaves as they are.
            let comment = line.trim_start().starts_with("//");
            let is_text = !comment || line.contains("http") || line.contains("Upstream:");
            if line.chars().count() > MAX_LINE_WIDTH && !is_text {
                problems.push(format!("{place}:{}: wider than {MAX_LINE_WIDTH}", number + 1));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn every_crate_says_first_what_it_is_for() {
    let mut problems = Vec::new();
    for package in packages() {
        for name in ["lib.rs", "main.rs"] {
            let path = package.directory.join("src").join(name);
            if fs::read_to_string(&path).is_ok_and(|text| !text.starts_with("//! ")) {
                problems.push(format!("{}: begins without `//! `", relative(&path)));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn nothing_is_left_unfinished_or_silenced() {
    let unfinished = ["TODO", "FIXME", "XXX"];
    // This file names the words that it looks for.
    let own = Path::new(file!()).file_name();
    let mut problems = Vec::new();
    for source in packages().iter().flat_map(|package| &package.sources) {
        if source.path.file_name() == own {
            continue;
        }
        for (number, line) in source.text.lines().enumerate() {
            let place = format!("{}:{}", relative(&source.path), number + 1);
            if unfinished.iter().any(|word| line.contains(word)) {
                problems.push(format!("{place}: finish it, or say in an issue what is missing"));
            }
            if line.trim_start().starts_with("#[ignore]") {
                problems.push(format!("{place}: `#[ignore]` wants a reason"));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn one_version_of_wasm_bindgen_is_pinned_everywhere() {
    let mut pins: BTreeMap<String, String> = BTreeMap::new();
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let blocks = lock.split("[[package]]");
    for block in blocks {
        let value = |key: &str| {
            block.lines().find_map(|line| {
                Some(line.strip_prefix(key)?.strip_prefix(" = \"")?.trim_end_matches('"'))
            })
        };
        if let (Some(name), Some(version)) = (value("name"), value("version"))
            && (name == "wasm-bindgen" || name == "wasm-bindgen-cli-support")
        {
            pins.insert(name.to_owned(), version.to_owned());
        }
    }
    assert_eq!(pins.get("wasm-bindgen"), pins.get("wasm-bindgen-cli-support"), "{pins:?}");
}
