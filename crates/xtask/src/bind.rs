//! wasm-bindgen over one module, with short names between the module and its glue, and packed.

use crate::dist::{Profile, add_directory};
use crate::workspace::Workspace;
use crate::{pack, process};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use wasm_bindgen_cli_support::Bindgen;

/// The module `name` and its glue, from the package's compiled module. What an earlier run made of
/// this very module is taken as it is: a package that is built in two ways is compiled anew each
/// time, to the same bytes.
pub fn bind(
    workspace: &Workspace,
    profile: Profile,
    package: &str,
    name: &str,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let module = package.replace('-', "_");
    let directory = workspace.target.join("wasm32-unknown-unknown").join(profile.directory());
    let input = directory.join(format!("{module}.wasm"));
    let output = workspace.target.join("xtask/bindgen").join(profile.name()).join(name);
    let made_of = output.with_extension("made_of");
    let compiled =
        fs::read(&input).with_context(|| format!("no {}", workspace.relative(&input)))?;
    let is_same = fs::read(&made_of).is_ok_and(|earlier| earlier == compiled);
    if !is_same || !is_newer(&made_of, &std::env::current_exe()?) {
        process::announce(&format!("wasm-bindgen {name}"));
        if output.exists() {
            fs::remove_dir_all(&output).context("dist: cannot clear wasm-bindgen's output")?;
        }
        generate(&input, &output, name, profile)
            .with_context(|| format!("wasm-bindgen over {}", workspace.relative(&input)))?;
        fs::write(&made_of, &compiled)?;
    }
    let mut files = BTreeMap::new();
    add_directory(&output, "", &mut files)?;
    Ok(files)
}

fn generate(input: &Path, output: &Path, name: &str, profile: Profile) -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(input)
        .out_name(name)
        .web(true)?
        .omit_default_module_path(false)
        .typescript(false)
        .remove_name_section(profile == Profile::Wasm)
        .remove_producers_section(true);
    let mut generated = bindgen.generate_output()?;
    let mut short = BTreeMap::new();
    if profile == Profile::Wasm {
        let glue = format!("./{name}_bg.js");
        let module = generated.wasm_mut();
        for import in module.imports.iter_mut().filter(|import| import.module == glue) {
            import.name = shorten(&mut short, &import.name);
        }
        let closures = "wasm_bindgen__convert__closures";
        for export in module.exports.iter_mut().filter(|it| it.name.starts_with(closures)) {
            export.name = shorten(&mut short, &export.name);
        }
    }
    generated.emit(output)?;
    let glue = output.join(format!("{name}.js"));
    fs::write(&glue, replace_words(&fs::read_to_string(&glue)?, &short))?;
    if profile == Profile::Wasm {
        let module = output.join(format!("{name}_bg.wasm"));
        fs::write(&module, pack::pack(&fs::read(&module)?)?)?;
    }
    Ok(())
}

/// A name of few letters for a long one. wasm-bindgen's own end in 16 random digits, which do not
/// compress and stand in both files.
fn shorten(short: &mut BTreeMap<String, String>, long: &str) -> String {
    let number = short.len();
    short.entry(long.to_owned()).or_insert_with(|| format!("$_{number}")).clone()
}

/// Replaces whole identifiers.
fn replace_words(text: &str, words: &BTreeMap<String, String>) -> String {
    let is_part = |character: char| character.is_alphanumeric() || "_$".contains(character);
    let mut output = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let length = rest[start..].find(|it| !is_part(it)).unwrap_or(rest.len() - start);
        let word = &rest[start..start + length];
        output.push_str(&rest[..start]);
        output.push_str(words.get(word).map_or(word, String::as_str));
        rest = &rest[start + length..];
    }
    output.push_str(rest);
    output
}

fn is_newer(result: &Path, input: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    match (modified(result), modified(input)) {
        (Some(result), Some(input)) => result > input,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_identifiers_are_replaced() {
        let mut short = BTreeMap::new();
        assert_eq!(shorten(&mut short, "__wbg_key_1"), "$_0");
        assert_eq!(shorten(&mut short, "__wbg_key_12"), "$_1");
        assert_eq!(shorten(&mut short, "__wbg_key_1"), "$_0");
        assert_eq!(replace_words("({__wbg_key_12: f, __wbg_key_1})", &short), "({$_1: f, $_0})");
        assert_eq!(replace_words("my__wbg_key_1 “é” $", &short), "my__wbg_key_1 “é” $");
    }
}
