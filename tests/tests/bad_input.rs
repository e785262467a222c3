//! Bad manifests get an error and change nothing.

mod support;

use cluster::Command;
use support::{NGINX, booted};

/// Gives the text to a cluster and returns the messages of its refusal.
fn refused(text: &str) -> Vec<String> {
    let mut cluster = booted();
    let revision = cluster.server().revision();
    let outcome = cluster.execute(Command::Apply { text: text.to_string() });
    let messages: Vec<String> =
        outcome.results.iter().filter_map(|result| result.message()).map(str::to_string).collect();
    assert!(!messages.is_empty(), "nothing was refused");
    assert_eq!(cluster.server().revision(), revision, "something was changed: {messages:?}");
    messages
}

#[test]
fn garbage_is_refused() {
    for text in ["%%%", "{", "a: [", "\u{0}\u{1}", "just words", "- 1\n- 2", "kind: 3"] {
        refused(text);
    }
}

#[test]
fn a_huge_manifest_is_refused() {
    let text = format!("{NGINX}# {}", "x".repeat(4 << 20));
    refused(&text);
}

#[test]
fn a_deep_manifest_is_refused() {
    let depth = 100_000;
    refused(&format!("a: {}{}", "[".repeat(depth), "]".repeat(depth)));
    refused(&format!("a: {}", "[".repeat(depth)));
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = level - 1;
        let items = vec![format!("*a{below}"); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    refused(&text);
}

#[test]
fn one_bad_document_keeps_all_from_being_applied() {
    let messages = refused(&format!("{NGINX}\n---\napiVersion: v1\nkind: Pod\nmetadata: [\n"));
    assert_eq!(messages.len(), 1, "{messages:?}");
}

#[test]
fn an_unknown_kind_is_refused_in_kubectls_words() {
    let messages = refused("apiVersion: v1\nkind: Pood\nmetadata:\n  name: a\n");
    assert!(messages[0].contains("no matches for kind \"Pood\" in version \"v1\""), "{messages:?}");
}

#[test]
fn an_invalid_object_is_refused_in_the_api_servers_words() {
    let text = NGINX.replace("replicas: 3", "replicas: -3");
    let messages = refused(&text);
    let wanted = "The Deployment \"nginx\" is invalid: spec.replicas: Invalid value: -3: must be \
                  greater than or equal to 0";
    assert!(messages.iter().any(|message| message.contains(wanted)), "{messages:?}");
}
