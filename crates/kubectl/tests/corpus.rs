//! Real manifests: applied, applied again without effect, and deleted without a trace.

use std::fs;
use std::path::{Path, PathBuf};

use api::Kind;
use apiserver::Identity;
use client::testing::TestCluster;
use serde_json::Value;
use tests::{conditional, corpus};

fn manifests(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(manifests(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The documents of a text whose kinds are in the table, each as a text.
fn known(text: &str) -> Vec<String> {
    let Ok(documents) = api::yaml::documents(text) else { return Vec::new() };
    let word = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_string();
    documents
        .into_iter()
        .flat_map(api::yaml::Document::flatten)
        .map(|document| document.value)
        .filter(|value| {
            Kind::named(&word(value, "apiVersion"), &word(value, "kind")).is_some()
                && value["metadata"]["name"].is_string()
        })
        .map(|value| api::yaml::to_yaml(&value))
        .collect()
}

#[test]
fn real_manifests_apply_twice_and_delete() {
    conditional("corpus/kubectl-apply", corpus("website-examples"), |folder| {
        let (mut applied, mut unchanged) = (0, 0);
        for path in manifests(&folder) {
            let text = fs::read_to_string(&path).expect("readable");
            for document in known(&text) {
                let mut cluster = TestCluster::new();
                for namespace in ["default", "kube-system"] {
                    cluster.create_namespace(namespace);
                }
                let administrator = Identity::administrator();
                let run = |cluster: &mut TestCluster, again: bool| {
                    let mut cx = cluster.context(0);
                    let results = kubectl::apply(&mut cx, &administrator, &document);
                    let word = if again { "unchanged" } else { "created" };
                    let printed: Vec<String> = results.iter().map(ToString::to_string).collect();
                    (printed[0].ends_with(word), printed)
                };
                let (created, words) = run(&mut cluster, false);
                if !created {
                    // A namespace or an account that another manifest makes, or a real error.
                    let words = words.join("\n");
                    let expected = ["not found", "is invalid"];
                    assert!(expected.iter().any(|end| words.contains(end)), "{path:?}: {words}");
                    continue;
                }
                let revision = cluster.server.revision();
                // Where admission or defaults added items to a list that the text has too, kubectl
                // sends the order of its own items; the server finds nothing to do.
                let (is_unchanged, _) = run(&mut cluster, true);
                unchanged += u32::from(is_unchanged);
                assert_eq!(cluster.server.revision(), revision, "{path:?}");
                let results = kubectl::delete(&mut cluster.context(0), &administrator, &document);
                assert!(results[0].is_done(), "{path:?}: {}", results[0]);
                applied += 1;
            }
        }
        assert!(applied > 60, "only {applied} documents applied");
        assert!(unchanged * 3 > applied * 2, "only {unchanged} of {applied} were unchanged");
    });
}
