//! The engine in a real browser, through what a worker calls.

#![cfg(target_arch = "wasm32")]

use protocol::{Command, Delta, Message, PodState, Request};
use wasm::Engine;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

const MANIFEST: &str = "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: nginx:1.28
";

fn command(engine: &mut Engine, command: Command) {
    let bytes = protocol::encode_request(&Request { id: 1, command }).expect("plain data");
    engine.command(&bytes);
}

fn messages(engine: &mut Engine) -> Vec<Message> {
    let bytes = engine.take_messages();
    bytes.map(|it| protocol::decode(&it).expect("it speaks the protocol")).unwrap_or_default()
}

/// A cluster with the manifest. A page's commands, `Boot` apart, first let virtual time follow the
/// wall clock; what is called here does not, so that two clusters are the same.
fn booted(seed: u64) -> Engine {
    let mut engine = Engine::new();
    command(&mut engine, Command::Boot { seed, nodes: 3 });
    engine.advance(30_000.0);
    let apply = serde_json::json!({ "apply": { "text": MANIFEST } });
    let answer = engine.execute(&apply.to_string());
    assert!(answer.contains("created"), "{answer}");
    engine
}

#[wasm_bindgen_test]
fn a_deployment_becomes_ready_and_the_page_is_told() {
    let mut engine = booted(1);
    engine.advance(60_000.0);
    let mut ready = std::collections::BTreeSet::new();
    for message in messages(&mut engine) {
        let Message::Batch(batch) = message else { continue };
        for delta in batch.deltas {
            if let Delta::Pod(row) = delta
                && row.namespace == "default"
                && row.state == PodState::Ready
            {
                ready.insert(row.name);
            }
        }
    }
    assert_eq!(ready.len(), 3, "{ready:?}");
}

#[wasm_bindgen_test]
fn the_same_seed_twice_gives_the_same_state() {
    let (mut one, mut other) = (booted(5), booted(5));
    one.advance(60_000.0);
    for _ in 0..60 {
        other.advance(1_000.0);
    }
    assert_eq!(one.state_hash(), other.state_hash());
}

#[wasm_bindgen_test]
fn a_session_replays_to_the_same_state() {
    let mut engine = booted(5);
    let session = engine.session();
    let mut again = Engine::new();
    assert_eq!(again.replay(&session), None);
    assert_eq!(again.state_hash(), engine.state_hash());
}

#[wasm_bindgen_test]
fn what_is_no_request_is_answered_and_changes_nothing() {
    let mut engine = booted(5);
    let before = engine.state_hash();
    engine.command(b"nonsense");
    assert_eq!(engine.state_hash(), before);
    let fatal = |message: &Message| matches!(message, Message::Fatal { .. });
    assert!(messages(&mut engine).iter().any(fatal));
}
