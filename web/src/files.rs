//! Files that a person opens or drops: which are taken, and how they become one text.

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{File, FileList};

use crate::browser::words_of;
use crate::strings::Strings;

/// What the engine takes as one text.
const MOST_BYTES: f64 = 3.0 * 1024.0 * 1024.0;
const MOST_FILES: usize = 100;

/// The files of a browser's list.
pub fn of_list(list: &FileList) -> Vec<File> {
    (0..list.length()).filter_map(|index| list.item(index)).collect()
}

/// The files' texts as the documents of one, or why not, naming the files.
pub async fn read(files: Vec<File>, strings: &'static Strings) -> Result<String, String> {
    let sizes: Vec<(String, f64)> = files.iter().map(|file| (file.name(), file.size())).collect();
    let problems = refused(&sizes, strings);
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    let mut texts = Vec::new();
    for file in files {
        let words = |error: JsValue| format!("{}: {}", file.name(), words_of(&error));
        let text: js_sys::JsString =
            JsFuture::from(file.text()).await.and_then(|text| text.dyn_into()).map_err(words)?;
        texts.push(String::from(text));
    }
    Ok(joined(&texts))
}

/// Why files of these names and sizes are not taken.
fn refused(files: &[(String, f64)], strings: &'static Strings) -> Vec<String> {
    if files.len() > MOST_FILES {
        return vec![strings.file_many.to_owned()];
    }
    let is_manifest = |name: &str| {
        let name = name.to_ascii_lowercase();
        [".yaml", ".yml", ".json"].iter().any(|extension| name.ends_with(extension))
    };
    let mut bytes = 0.0;
    let mut problems = Vec::new();
    for (name, size) in files {
        bytes += size;
        if !is_manifest(name) {
            problems.push(format!("{name}: {}", strings.file_kind));
        } else if bytes > MOST_BYTES {
            problems.push(format!("{name}: {}", strings.file_large));
            break;
        }
    }
    problems
}

/// Texts as the documents of one.
fn joined(texts: &[String]) -> String {
    let mut whole = String::new();
    for text in texts {
        // A file may begin with the mark of its encoding, and with a divider of its own.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if !whole.is_empty() {
            if !whole.ends_with('\n') {
                whole.push('\n');
            }
            if !text.starts_with("---") {
                whole.push_str("---\n");
            }
        }
        whole.push_str(text);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strings::Language;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn files_become_documents_of_one_text() {
        assert_eq!(joined(&texts(&["a: 1\n", "b: 2", "{}"])), "a: 1\n---\nb: 2\n---\n{}");
        assert_eq!(joined(&texts(&["\u{feff}a: 1", "---\nb: 2\n"])), "a: 1\n---\nb: 2\n");
    }

    #[test]
    fn what_is_not_taken_is_named() {
        let strings = Language::English.strings();
        let refused = |files: &[(&str, f64)]| {
            let files: Vec<_> = files.iter().map(|(name, size)| ((*name).into(), *size)).collect();
            super::refused(&files, strings)
        };
        assert_eq!(refused(&[("a.yaml", 10.0), ("B.YML", 10.0), ("c.json", 0.0)]), [""; 0]);
        assert_eq!(
            refused(&[("a.yaml", 1.0), ("cat.png", 1.0)]),
            ["cat.png: not a .yaml, .yml or .json file"]
        );
        assert_eq!(refused(&[("a.yaml", 2e6), ("b.yaml", 2e6)]), ["b.yaml: more than 3 MiB"]);
        assert_eq!(refused(&[("a.yaml", 0.0); 101]), ["more than 100 files at once"]);
    }
}
