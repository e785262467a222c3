//! Real manifests and objects, where the corpus is there: they read, print and survive a round
//! trip as upstream has them.

use std::fs;
use std::path::{Path, PathBuf};

use api::Kind;
use api::decode::{FieldValidation, Problem, decode};
use api::patch::{PatchMeta, strategic};
use api::yaml::{Document, documents, to_yaml};
use serde_json::Value;
use tests::{conditional, corpus};

/// The files below a folder that have one of the extensions.
fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_path_buf()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            if path.is_dir() {
                folders.push(path);
            } else if extension.is_some_and(|extension| extensions.contains(&extension)) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "{folder:?} is empty");
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn documents_of(path: &Path, text: &str) -> Vec<Document> {
    documents(text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn manifests_read(folder: PathBuf) {
    for path in files(&folder, &["yaml", "yml", "json"]) {
        let text = read(&path);
        for document in documents_of(&path, &text) {
            let printed = to_yaml(&document.value);
            let again = documents_of(&path, &printed);
            assert_eq!(again.len(), 1, "{path:?}");
            assert_eq!(again[0].value, document.value, "{path:?}");
            check_decoding(&path, document);
        }
    }
}

/// A manifest of a kind of the table has no unknown field and survives a round trip.
fn check_decoding(path: &Path, document: Document) {
    let named = |item: &Document| item.value.get("kind").is_some();
    // Not every file of the documentation is a manifest.
    for item in document.flatten().into_iter().filter(named) {
        match decode(item.value, FieldValidation::Strict) {
            Ok(decoded) => {
                let value = decoded.object.to_value();
                let again = decode(value, FieldValidation::Strict).expect("what we wrote");
                assert_eq!(again.object, decoded.object, "{path:?}");
            }
            Err(error) => {
                assert!(matches!(error.problem, Problem::NoMatch { .. }), "{path:?}: {error}");
            }
        }
    }
}

#[test]
fn every_manifest_of_the_documentation_reads() {
    conditional("corpus/website-examples", corpus("website-examples"), manifests_read);
}

#[test]
fn every_manifest_of_the_applications_reads() {
    conditional("corpus/apps", corpus("apps"), manifests_read);
}

#[test]
fn every_object_prints_as_upstream_prints_it() {
    conditional("corpus/api-fixtures: YAML", corpus("api-fixtures"), |folder| {
        for path in files(&folder, &["json"]) {
            let value: Value = serde_json::from_str(&read(&path)).expect("JSON");
            let want = read(&path.with_extension("yaml"));
            assert_eq!(to_yaml(&value), want, "{path:?}");
            assert_eq!(documents_of(&path, &want)[0].value, value, "{path:?}");
        }
    });
}

#[test]
fn every_field_of_an_object_is_known() {
    conditional("corpus/api-fixtures: fields", corpus("api-fixtures"), |folder| {
        for kind in Kind::all() {
            let group = if kind.group.is_empty() { "core" } else { kind.group };
            let name = format!("{group}.{}.{}.json", kind.version, kind.kind);
            let mut value: Value = serde_json::from_str(&read(&folder.join(&name))).expect("JSON");
            // Go prints a time that was never set as null.
            discard_nulls(&mut value);
            let decoded = decode(value.clone(), FieldValidation::Strict)
                .unwrap_or_else(|error| panic!("{name}: {error} at {:?}", error.paths));
            assert_eq!(decoded.object.to_value(), with_named_claims(value), "{name}");
        }
    });
}

/// A server names the kind of claims in a template, whatever it was sent.
/// Upstream: Convert_apps_StatefulSetSpec_To_v1_StatefulSetSpec in pkg/apis/apps/v1/conversion.go
fn with_named_claims(mut object: Value) -> Value {
    let claims = object.pointer_mut("/spec/volumeClaimTemplates").and_then(Value::as_array_mut);
    for claim in claims.into_iter().flatten() {
        claim["apiVersion"] = "v1".into();
        claim["kind"] = "PersistentVolumeClaim".into();
    }
    object
}

/// A null in a patch deletes, so that no patch makes one.
fn discard_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(discard_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}

/// Requests of clients, each with the object that a real API server made of it: applying the
/// difference to the one gives the other.
#[test]
fn recorded_objects_are_patched_into_what_the_server_made_of_them() {
    conditional("corpus/golden-defaults", corpus("golden-defaults.jsonl"), |path| {
        let mut patched = 0;
        for line in read(&path).lines() {
            let record: Value = serde_json::from_str(line).expect("JSON");
            let (request, response) = (&record["request"], &mut record["response"].clone());
            discard_nulls(response);
            let named = |value: &Value| {
                let word = |field: &str| value[field].as_str().unwrap_or_default().to_string();
                Kind::named(&word("apiVersion"), &word("kind"))
            };
            let (Some(kind), 201) = (named(request), record["code"].as_u64().unwrap_or(0)) else {
                continue;
            };
            let meta = PatchMeta::of(kind);
            let patch = strategic::create_two_way_merge_patch(request, response, meta)
                .unwrap_or_else(|error| panic!("{error}: {request}"));
            let result = strategic::apply(request.clone(), patch, meta)
                .unwrap_or_else(|error| panic!("{error}: {request}"));
            assert_eq!(result, *response);
            patched += 1;
        }
        assert!(patched > 100, "only {patched} records");
    });
}
