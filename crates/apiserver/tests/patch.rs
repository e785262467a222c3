//! What patches do through the whole chain.
//! Upstream: staging/src/k8s.io/apiserver/pkg/endpoints/handlers/rest_test.go

mod common;

use api::KindId;
use api::openapi::api::apps::v1::Deployment;
use apiserver::{Body, Patch, Response, Subresource, Verb};
use common::{Server, config_map, deployment};
use serde_json::json;

fn refusal<T: std::fmt::Debug>(result: Result<T, api::Status>) -> (i32, String) {
    let status = result.expect_err("refused");
    (status.code(), status.message().to_string())
}

fn spec(object: &api::Object) -> serde_json::Value {
    object.to_value()["spec"].clone()
}

#[test]
fn a_strategic_patch_merges_containers_by_name() {
    let mut server = Server::new();
    server.create(deployment("web")).expect("created");
    let patch = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "main", "image": "nginx:1.2"}, {"name": "side", "image": "busybox"},
    ]}}}});
    let patched =
        server.patch(KindId::DEPLOYMENT, "web", Patch::strategic(patch)).expect("patched");
    let containers = &spec(&patched)["template"]["spec"]["containers"];
    let images: Vec<(&str, &str)> = containers
        .as_array()
        .expect("a list")
        .iter()
        .map(|each| (each["name"].as_str().expect("set"), each["image"].as_str().expect("set")))
        .collect();
    assert_eq!(images, [("main", "nginx:1.2"), ("side", "busybox")]);
    assert_eq!(patched.meta().generation, Some(2));
}

#[test]
fn a_merge_patch_replaces_lists_and_removes_with_null() {
    let mut server = Server::new();
    server.create(deployment("web")).expect("created");
    let patch = json!({"spec": {"replicas": 5, "template": {"spec": {"containers": [
        {"name": "other", "image": "busybox"},
    ]}}}});
    let patched = server.patch(KindId::DEPLOYMENT, "web", Patch::merge(patch)).expect("patched");
    let typed = patched.get::<Deployment>().expect("a deployment");
    assert_eq!(typed.spec.replicas, Some(5));
    let containers = &spec(&patched)["template"]["spec"]["containers"];
    assert_eq!(containers.as_array().map(Vec::len), Some(1));
    server.create(config_map("a")).expect("created");
    let patch = Patch::merge(json!({"data": {"a": null, "b": "2"}}));
    let patched = server.patch(KindId::CONFIG_MAP, "a", patch).expect("patched");
    assert_eq!(patched.to_value()["data"], json!({"b": "2"}));
}

#[test]
fn a_json_patch_tests_before_it_writes() {
    let mut server = Server::new();
    server.create(config_map("a")).expect("created");
    let before = server.fingerprint();
    let patch = json!([
        {"op": "test", "path": "/data/a", "value": "2"},
        {"op": "replace", "path": "/data/a", "value": "3"},
    ]);
    let refused = refusal(server.patch(KindId::CONFIG_MAP, "a", Patch::json(patch)));
    let words = "the server rejected our request due to an error in our request";
    assert_eq!(refused, (422, words.to_string()));
    assert_eq!(server.fingerprint(), before);
    let patch = json!([
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "replace", "path": "/data/a", "value": "3"},
    ]);
    let patched = server.patch(KindId::CONFIG_MAP, "a", Patch::json(patch)).expect("patched");
    assert_eq!(patched.to_value()["data"], json!({"a": "3"}));
}

#[test]
fn a_patch_that_names_an_old_version_is_a_conflict() {
    let mut server = Server::new();
    server.create(config_map("a")).expect("created");
    let patch = Patch::merge(json!({"metadata": {"resourceVersion": "1"}, "data": {"a": "2"}}));
    let (code, words) = refusal(server.patch(KindId::CONFIG_MAP, "a", patch));
    assert_eq!(code, 409, "{words}");
}

#[test]
fn a_patch_of_nothing_writes_nothing() {
    let mut server = Server::new();
    server.create(deployment("web")).expect("created");
    let before = server.fingerprint();
    for patch in [
        Patch::merge(json!({})),
        Patch::merge(json!({"spec": {"replicas": 2}})),
        Patch::strategic(json!({"spec": {"replicas": 2}})),
        Patch::json(json!([])),
    ] {
        server.patch(KindId::DEPLOYMENT, "web", patch).expect("patched");
        assert_eq!(server.fingerprint(), before);
    }
}

#[test]
fn what_a_patch_makes_must_be_an_object_of_the_kind() {
    let mut server = Server::new();
    server.create(deployment("web")).expect("created");
    let before = server.fingerprint();
    let patch = Patch::merge(json!({"spec": {"replicas": "many"}}));
    let (code, words) = refusal(server.patch(KindId::DEPLOYMENT, "web", patch));
    assert_eq!(code, 422);
    assert!(words.starts_with(" \"\" is invalid: patch: Invalid value: "), "{words}");
    let patch = Patch::merge(json!({"metadata": {"name": "other"}}));
    let refused = refusal(server.patch(KindId::DEPLOYMENT, "web", patch));
    let words = "the name of the object (other) does not match the name on the URL (web)";
    assert_eq!(refused, (400, words.to_string()));
    let patch = Patch::merge(json!({"spec": {"replicas": -1}}));
    let (code, _) = refusal(server.patch(KindId::DEPLOYMENT, "web", patch));
    assert_eq!(code, 422);
    assert_eq!(server.fingerprint(), before);
}

#[test]
fn a_scale_can_be_patched() {
    let mut server = Server::new();
    server.create(deployment("web")).expect("created");
    let body = Body::Patch(Patch::merge(json!({"spec": {"replicas": 7}})));
    let call = (Verb::Patch, KindId::DEPLOYMENT);
    let answer = server.request(call, ("default", "web"), Subresource::Scale, body);
    let Ok(Response::Scale(scale)) = answer else { panic!("no scale: {answer:?}") };
    assert_eq!(scale.spec.and_then(|spec| spec.replicas), Some(7));
    let stored = server.get(KindId::DEPLOYMENT, "web").expect("read");
    assert_eq!(stored.get::<Deployment>().and_then(|typed| typed.spec.replicas), Some(7));
}
