//! What a real API server's admission made of real pods, compared with ours. The answers are of
//! an older version, whose tokens were Secrets: of the token only the mounts are compared.

mod common;

use std::collections::BTreeSet;
use std::fs;

use api::{Kind, KindId, Object, Status};
use apiserver::{Body, Response, Subresource, Verb};
use common::Server;
use serde_json::{Value, json};
use tests::{conditional, corpus};

/// Fields of a pod's spec that admission sets.
const ADMITTED: [&str; 5] =
    ["priority", "preemptionPolicy", "serviceAccount", "serviceAccountName", "tolerations"];
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What admission decides of a pod, whose token volume has a name of its own in every answer.
fn admitted(pod: &Value) -> Value {
    let spec = &pod["spec"];
    let fields = ADMITTED.iter().map(|name| ((*name).to_string(), spec[*name].clone()));
    let mut admitted: serde_json::Map<String, Value> = fields.collect();
    let containers = ["initContainers", "containers"].into_iter();
    let containers = containers.flat_map(|list| spec[list].as_array().into_iter().flatten());
    let mounted = containers.map(|container| {
        let mounts = container["volumeMounts"].as_array().into_iter().flatten();
        let has_token = mounts.clone().any(|mount| mount["mountPath"] == TOKEN_PATH);
        json!([container["name"], has_token, mounts.count()])
    });
    admitted.insert("mounted".to_string(), mounted.collect());
    admitted.insert("volumes".to_string(), spec["volumes"].as_array().map_or(0, Vec::len).into());
    Value::Object(admitted)
}

fn create(server: &mut Server, path: &str, request: Value) -> Result<Object, Status> {
    let object = KindId::POD.get().decode(request).expect("decodes");
    let (_, rest) = path.split_once("/namespaces/").expect("a namespace");
    let namespace = rest.split('/').next().expect("a first part");
    if server.server.snapshot(KindId::NAMESPACE).get(&api::Key::cluster(namespace)).is_none() {
        server.namespace(namespace);
    }
    server.dry_run = true;
    let call = (Verb::Create, KindId::POD);
    let answer = server.request(call, (namespace, ""), Subresource::None, Body::Object(object));
    server.dry_run = false;
    match answer? {
        Response::Object(object) => Ok(object),
        other => panic!("no object: {other:?}"),
    }
}

#[test]
fn admission_makes_of_pods_what_a_real_server_makes() {
    conditional("corpus/golden-admission", corpus("golden-defaults.jsonl"), |file| {
        let text = fs::read_to_string(file).expect("readable");
        let mut server = Server::new();
        server.server.add_system_priority_classes(server.now);
        let (mut compared, mut wrong) = (0, BTreeSet::new());
        for line in text.lines() {
            let entry: Value = serde_json::from_str(line).expect("JSON");
            let request = entry["request"].clone();
            let named = request["apiVersion"].as_str().zip(request["kind"].as_str());
            if named.and_then(|(version, kind)| Kind::named(version, kind)).map(|kind| kind.id)
                != Some(KindId::POD)
            {
                continue;
            }
            let path = entry["path"].as_str().expect("a path");
            let response = &entry["response"];
            match (create(&mut server, path, request), entry["code"].as_u64()) {
                (Ok(object), Some(201)) => {
                    let (ours, theirs) = (admitted(&object.to_value()), admitted(response));
                    if ours != theirs {
                        wrong.insert(format!("{}: ours {ours}, theirs {theirs}", entry["file"]));
                    }
                }
                (Err(status), Some(403)) => assert_eq!(response["message"], status.message()),
                (Err(_), Some(422)) => {}
                (answer, code) => {
                    wrong.insert(format!("{}: {answer:?}, theirs {code:?}", entry["file"]));
                }
            }
            compared += 1;
        }
        assert!(wrong.is_empty(), "{} of {compared}: {wrong:#?}", wrong.len());
        assert!(compared > 100, "only {compared} pods compared");
    });
}
