//! What each verb answers and leaves in the store.
//! Upstream: staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store_test.go

mod common;

use api::openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use api::{KindId, Object};
use apiserver::{
    Binding, Body, DeleteOptions, ListOptions, Propagation, Response, Subresource, Verb,
};
use common::{Server, config_map, deployment, grace, names, object, one, pod};
use serde_json::json;

fn message<T: std::fmt::Debug>(result: Result<T, api::Status>) -> (i32, String) {
    let status = result.expect_err("refused");
    (status.code(), status.message().to_string())
}

fn set_data(object: &mut Object, value: &str) {
    let data = &mut object.get_mut::<ConfigMap>().expect("a config map").data;
    data.get_or_insert_default().insert("a".into(), value.into());
}

#[test]
fn create_fills_what_the_system_owns() {
    let mut server = Server::new();
    let mut given = config_map("a");
    given["metadata"]["uid"] = json!("mine");
    given["metadata"]["deletionTimestamp"] = json!("2020-01-01T00:00:00Z");
    let created = server.create(given).expect("created");
    let meta = created.meta();
    assert_ne!(created.uid(), "mine");
    assert_eq!(meta.deletion_timestamp, None);
    assert_eq!(meta.resource_version.as_deref(), Some("6"));
    let created_at = meta.creation_timestamp.as_ref().expect("set").0;
    assert_eq!(created_at.to_string(), "2026-01-01T00:00:00Z");
}

#[test]
fn create_refuses_what_exists_and_says_when_it_is_going() {
    let mut server = Server::new();
    let mut held = config_map("a");
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    server.create(held).expect("created");
    let (code, words) = message(server.create(config_map("a")));
    assert_eq!((code, &*words), (409, "configmaps \"a\" already exists"));
    server.delete(KindId::CONFIG_MAP, "a", DeleteOptions::default()).expect("marked");
    let (_, words) = message(server.create(config_map("a")));
    assert_eq!(words, "object is being deleted: configmaps \"a\" already exists");
}

#[test]
fn create_refuses_a_resource_version_and_another_namespace() {
    let mut server = Server::new();
    let mut given = config_map("a");
    given["metadata"]["resourceVersion"] = json!("1");
    let refused = message(server.create(given));
    let words = "resourceVersion should not be set on objects to be created";
    assert_eq!(refused, (500, words.to_string()));
    let body = Body::Object(object(config_map("a")));
    let call = (Verb::Create, KindId::CONFIG_MAP);
    let refused = message(server.request(call, ("other", ""), Subresource::None, body));
    let words =
        "the namespace of the provided object does not match the namespace sent on the request";
    assert_eq!(refused, (400, words.to_string()));
}

#[test]
fn a_generated_name_ends_at_random() {
    let mut server = Server::new();
    let mut given = config_map("");
    given["metadata"]["generateName"] = json!("web-");
    let (first, second) = (server.create(given.clone()), server.create(given));
    let (first, second) = (first.expect("created"), second.expect("created"));
    assert!(first.name().starts_with("web-") && first.name().len() == 9, "{}", first.name());
    assert_ne!(first.name(), second.name());
}

#[test]
fn update_refuses_a_stale_version_in_upstreams_words() {
    let mut server = Server::new();
    let created = server.create(config_map("a")).expect("created");
    let mut first = created.clone();
    set_data(&mut first, "2");
    server.update(first).expect("updated");
    let before = server.fingerprint();
    let mut second = created;
    set_data(&mut second, "3");
    let refused = message(server.update(second));
    let words = "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; \
                 please apply your changes to the latest version and try again";
    assert_eq!(refused, (409, words.to_string()));
    assert_eq!(server.fingerprint(), before);
}

#[test]
fn update_without_a_version_overwrites_except_leases() {
    let mut server = Server::new();
    let mut unversioned = server.create(config_map("a")).expect("created");
    unversioned.meta_mut().resource_version = None;
    set_data(&mut unversioned, "2");
    server.update(unversioned).expect("updated");
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "node-1", "namespace": "default"},
        "spec": {"holderIdentity": "a"},
    });
    let mut lease = server.create(lease).expect("created");
    lease.meta_mut().resource_version = None;
    let refused = message(server.update(lease));
    let words = "leases.coordination.k8s.io \"node-1\" is invalid: metadata.resourceVersion: \
                 Invalid value: 0: must be specified for an update";
    assert_eq!(refused, (422, words.to_string()));
}

#[test]
fn an_update_that_changes_nothing_makes_no_revision() {
    let mut server = Server::new();
    let created = server.create(config_map("a")).expect("created");
    let revision = server.server.revision();
    let updated = server.update(created.clone()).expect("updated");
    assert_eq!(updated, created);
    assert_eq!(server.server.revision(), revision);
}

#[test]
fn update_of_another_incarnation_is_a_conflict() {
    let mut server = Server::new();
    let created = server.create(config_map("a")).expect("created");
    let uid = created.uid().to_string();
    let mut other = created;
    other.meta_mut().uid = Some("other".into());
    let refused = message(server.update(other));
    let words = format!(
        "Operation cannot be fulfilled on configmaps \"a\": StorageError: invalid object, Code: 4, \
         Key: /registry/configmaps/default/a, ResourceVersion: 0, AdditionalErrorMsg: \
         Precondition failed: UID in precondition: other, UID in object meta: {uid}"
    );
    assert_eq!(refused, (409, words));
}

#[test]
fn update_cannot_rename() {
    let mut server = Server::new();
    let created = server.create(config_map("a")).expect("created");
    let refused = message(server.change(&created, Subresource::None, |object| {
        object.meta_mut().name = Some("b".into());
    }));
    let words = "the name of the object (b) does not match the name on the URL (a)";
    assert_eq!(refused, (400, words.to_string()));
}

#[test]
fn no_finalizer_comes_after_deletion() {
    let mut server = Server::new();
    let mut held = config_map("a");
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let created = server.create(held).expect("created");
    server.delete(KindId::CONFIG_MAP, "a", DeleteOptions::default()).expect("marked");
    let refused = message(server.change(&created, Subresource::None, |object| {
        let finalizers = object.meta_mut().finalizers.get_or_insert_default();
        finalizers.push("example.com/more".into());
    }));
    let words = "ConfigMap \"a\" is invalid: metadata.finalizers: Forbidden: no new finalizers can \
                 be added if the object is being deleted, found new finalizers \
                 []string{\"example.com/more\"}";
    assert_eq!(refused, (422, words.to_string()));
}

#[test]
fn an_object_leaves_when_its_last_finalizer_does() {
    let mut server = Server::new();
    let mut held = config_map("a");
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let created = server.create(held).expect("created");
    let answer = server.delete(KindId::CONFIG_MAP, "a", DeleteOptions::default()).expect("marked");
    let Response::Object(marked) = answer else { panic!("it is held") };
    assert_eq!(marked.meta().deletion_grace_period_seconds, Some(0));
    server
        .change(&created, Subresource::None, |object| object.meta_mut().finalizers = None)
        .expect("changed");
    let refused = message(server.get(KindId::CONFIG_MAP, "a"));
    assert_eq!(refused, (404, "configmaps \"a\" not found".to_string()));
}

#[test]
fn propagation_sets_the_finalizers_of_the_garbage_collector() {
    for (propagation, want) in [
        (Some(Propagation::Foreground), Some("foregroundDeletion")),
        (Some(Propagation::Orphan), Some("orphan")),
        (Some(Propagation::Background), None),
        (None, None),
    ] {
        let mut server = Server::new();
        server.create(deployment("web")).expect("created");
        let options = DeleteOptions { propagation, ..DeleteOptions::default() };
        let answer = server.delete(KindId::DEPLOYMENT, "web", options).expect("deleted");
        match (want, answer) {
            (Some(finalizer), Response::Object(object)) => {
                assert_eq!(object.meta().finalizers, Some(vec![finalizer.to_string()]));
                assert_eq!(object.meta().generation, Some(2), "deletion counts");
            }
            (None, answer @ Response::Deleted(_)) => {
                let status = answer.to_value();
                assert_eq!(status["status"], "Success");
                assert_eq!(status["details"]["kind"], "deployments");
                assert_eq!(status["details"]["group"], "apps");
            }
            (want, answer) => panic!("{want:?}: {answer:?}"),
        }
    }
}

#[test]
fn delete_honours_preconditions() {
    let mut server = Server::new();
    let created = server.create(deployment("web")).expect("created");
    let uid = created.uid().to_string();
    let options = DeleteOptions { uid: Some("other".into()), ..DeleteOptions::default() };
    let refused = message(server.delete(KindId::DEPLOYMENT, "web", options));
    let words = format!(
        "Operation cannot be fulfilled on Deployment.apps \"web\": the UID in the precondition \
         (other) does not match the UID in record ({uid}). The object might have been deleted and \
         then recreated"
    );
    assert_eq!(refused, (409, words));
    let version = created.meta().resource_version.clone();
    let options =
        DeleteOptions { uid: Some(uid), resource_version: version, ..DeleteOptions::default() };
    server.delete(KindId::DEPLOYMENT, "web", options).expect("deleted");
}

fn bind(server: &mut Server, name: &str, node: &str) -> Result<Response, api::Status> {
    let body = Body::Binding(Binding { node: node.into(), uid: String::new() });
    let call = (Verb::Create, KindId::POD);
    server.request(call, ("default", name), Subresource::Binding, body)
}

#[test]
fn a_bound_pod_gets_its_grace_which_may_only_shrink() {
    let mut server = Server::new();
    server.create(pod("a")).expect("created");
    bind(&mut server, "a", "node-1").expect("bound");
    server.advance(10);
    let deleted = one(server.delete(KindId::POD, "a", DeleteOptions::default()).expect("marked"));
    let deletion = |object: &Object| {
        let time = object.meta().deletion_timestamp.as_ref().expect("set").0.to_string();
        (time, object.meta().deletion_grace_period_seconds)
    };
    assert_eq!(deletion(&deleted), ("2026-01-01T00:00:40Z".into(), Some(30)));
    server.advance(5);
    let longer = one(server.delete(KindId::POD, "a", grace(60)).expect("pending"));
    assert_eq!(deletion(&longer), deletion(&deleted), "grace never grows");
    let shorter = one(server.delete(KindId::POD, "a", grace(8)).expect("marked"));
    assert_eq!(deletion(&shorter), ("2026-01-01T00:00:18Z".into(), Some(8)));
    let answer = server.delete(KindId::POD, "a", grace(0)).expect("deleted");
    assert!(matches!(answer, Response::Deleted(_)), "{answer:?}");
    assert_eq!(server.get(KindId::POD, "a").expect_err("gone").code(), 404);
}

#[test]
fn a_pod_that_runs_nowhere_or_has_run_is_deleted_at_once() {
    let mut server = Server::new();
    server.create(pod("unbound")).expect("created");
    let finished = server.create(pod("finished")).expect("created");
    bind(&mut server, "finished", "node-1").expect("bound");
    server
        .change(&finished, Subresource::Status, |object| {
            let status = &mut object.get_mut::<Pod>().expect("a pod").status;
            status.get_or_insert_default().phase = Some("Succeeded".into());
        })
        .expect("changed");
    for name in ["unbound", "finished"] {
        let answer = server.delete(KindId::POD, name, grace(60)).expect("deleted");
        assert!(matches!(answer, Response::Deleted(_)), "{name}: {answer:?}");
    }
}

#[test]
fn binding_happens_once() {
    let mut server = Server::new();
    server.create(pod("a")).expect("created");
    bind(&mut server, "a", "node-1").expect("bound");
    let refused = message(bind(&mut server, "a", "node-2"));
    let words = "Operation cannot be fulfilled on pods/binding \"a\": pod a is already assigned to \
                 node \"node-1\"";
    assert_eq!(refused, (409, words.to_string()));
    server.delete(KindId::POD, "a", DeleteOptions::default()).expect("marked");
    let (_, words) = message(bind(&mut server, "a", "node-2"));
    assert!(words.ends_with("pod a is being deleted, cannot be assigned to a host"), "{words}");
    let body = Body::Binding(Binding { node: String::new(), uid: String::new() });
    let call = (Verb::Create, KindId::POD);
    let refused = message(server.request(call, ("default", "a"), Subresource::Binding, body));
    let words = "Binding \"a\" is invalid: target.name: Required value";
    assert_eq!(refused, (422, words.to_string()));
}

#[test]
fn a_namespace_ends_in_two_steps() {
    let mut server = Server::new();
    server.namespace("team");
    server
        .change(
            &object(json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})),
            Subresource::Finalize,
            |object| {
                let spec = &mut object.get_mut::<Namespace>().expect("a namespace").spec;
                spec.get_or_insert_default().finalizers = Some(vec!["kubernetes".into()]);
            },
        )
        .expect("changed");
    let answer = server.delete(KindId::NAMESPACE, "team", DeleteOptions::default());
    let marked = one(answer.expect("marked"));
    let phase = marked.get::<Namespace>().and_then(|namespace| namespace.status.clone());
    assert_eq!(phase.and_then(|status| status.phase).as_deref(), Some("Terminating"));
    let mut late = config_map("late");
    late["metadata"]["namespace"] = json!("team");
    let status = server.create(late).expect_err("refused");
    assert_eq!(
        status.message(),
        "configmaps \"late\" is forbidden: unable to create new content in namespace team because \
         it is being terminated"
    );
    let causes = status.as_meta().details.as_ref().and_then(|details| details.causes.clone());
    let reason = causes.unwrap_or_default()[0].reason.clone();
    assert_eq!(reason.as_deref(), Some("NamespaceTerminating"));
    server.delete(KindId::NAMESPACE, "team", DeleteOptions::default()).expect("still held");
    server
        .change(&marked, Subresource::Finalize, |object| {
            let spec = &mut object.get_mut::<Namespace>().expect("a namespace").spec;
            spec.get_or_insert_default().finalizers = None;
        })
        .expect("changed");
    assert_eq!(server.get(KindId::NAMESPACE, "team").expect_err("gone").code(), 404);
}

#[test]
fn a_list_in_pages_is_the_list_at_its_first_page() {
    let mut server = Server::new();
    for name in ["a", "b", "c", "d"] {
        server.create(config_map(name)).expect("created");
    }
    let limit = |limit, continue_token| ListOptions { limit, continue_token, ..Default::default() };
    let first = server.list(KindId::CONFIG_MAP, limit(2, None)).expect("listed");
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first.remaining_item_count, Some(2));
    let token = first.continue_token.clone();
    server.delete(KindId::CONFIG_MAP, "c", DeleteOptions::default()).expect("deleted");
    server.create(config_map("e")).expect("created");
    let second = server.list(KindId::CONFIG_MAP, limit(0, token.clone())).expect("listed");
    assert_eq!(names(&second), ["c", "d"], "as it was");
    assert_eq!(second.resource_version, first.resource_version);
    assert_eq!(second.continue_token, None);
    for _ in 0..2 {
        server.advance(300);
        server.server.wake(server.now);
    }
    let expired = server.list(KindId::CONFIG_MAP, limit(0, token)).expect_err("compacted");
    assert_eq!((expired.code(), expired.reason()), (410, "Expired"));
    assert!(expired.message().starts_with("The provided continue parameter is too old"));
    let token = expired.as_meta().metadata.continue_.clone();
    let rest = server.list(KindId::CONFIG_MAP, limit(0, token)).expect("listed");
    assert_eq!(names(&rest), ["d", "e"], "as it is");
}

#[test]
fn selectors_select() {
    let mut server = Server::new();
    for (name, app) in [("a", "web"), ("b", "db")] {
        let mut labelled = config_map(name);
        labelled["metadata"]["labels"] = json!({"app": app});
        server.create(labelled).expect("created");
    }
    let label_selector = api::labels::Selector::parse("app=web").ok();
    let options = ListOptions { label_selector, ..ListOptions::default() };
    assert_eq!(names(&server.list(KindId::CONFIG_MAP, options).expect("listed")), ["a"]);
    let field_selector = api::fields::Selector::parse("metadata.name!=a").ok();
    let options = ListOptions { field_selector, ..ListOptions::default() };
    assert_eq!(names(&server.list(KindId::CONFIG_MAP, options).expect("listed")), ["b"]);
    let field_selector = api::fields::Selector::parse("data.a=1").ok();
    let options = ListOptions { field_selector, ..ListOptions::default() };
    let refused = message(server.list(KindId::CONFIG_MAP, options));
    let words = "\"data.a\" is not a known field selector: only \"metadata.name\", \
                 \"metadata.namespace\"";
    assert_eq!(refused, (400, words.to_string()));
}

#[test]
fn delete_collection_deletes_what_is_selected() {
    let mut server = Server::new();
    for name in ["a", "b", "c"] {
        server.create(config_map(name)).expect("created");
    }
    let field_selector = api::fields::Selector::parse("metadata.name!=b").ok();
    let selected = ListOptions { field_selector, ..ListOptions::default() };
    let body = Body::DeleteCollection(DeleteOptions::default(), selected);
    let call = (Verb::DeleteCollection, KindId::CONFIG_MAP);
    server.request(call, ("default", ""), Subresource::None, body).expect("deleted");
    let left = server.list(KindId::CONFIG_MAP, ListOptions::default()).expect("listed");
    assert_eq!(names(&left), ["b"]);
}

#[test]
fn a_scale_is_read_and_written() {
    let mut server = Server::new();
    server.create(deployment("web")).expect("created");
    let mut scale = |verb, body| {
        let call = (verb, KindId::DEPLOYMENT);
        match server.request(call, ("default", "web"), Subresource::Scale, body) {
            Ok(Response::Scale(scale)) => Ok(scale),
            Ok(other) => panic!("no scale: {other:?}"),
            Err(status) => Err(status),
        }
    };
    let mut read = scale(Verb::Get, Body::None).expect("read");
    assert_eq!(read.status.as_ref().and_then(|s| s.selector.as_deref()), Some("app=web"));
    read.spec = Some(api::openapi::api::autoscaling::v1::ScaleSpec { replicas: Some(5) });
    let written = scale(Verb::Update, Body::Scale(read.clone())).expect("written");
    assert_eq!(written.spec.and_then(|spec| spec.replicas), Some(5));
    let stale = message(scale(Verb::Update, Body::Scale(read.clone())));
    assert_eq!(stale.0, 409, "{stale:?}");
    read.metadata.resource_version = None;
    read.spec = Some(api::openapi::api::autoscaling::v1::ScaleSpec { replicas: Some(-1) });
    let refused = message(scale(Verb::Update, Body::Scale(read)));
    let words = "Scale.autoscaling \"web\" is invalid: spec.replicas: Invalid value: -1: must be \
                 greater than or equal to 0";
    assert_eq!(refused, (422, words.to_string()));
}

#[test]
fn what_is_refused_or_dry_leaves_no_trace_in_the_state() {
    let mut server = Server::new();
    server.create(pod("a")).expect("created");
    let before = server.fingerprint();
    let mut generated = pod("");
    generated["metadata"]["generateName"] = json!("web-");
    let mut refused = generated.clone();
    refused["spec"]["serviceAccountName"] = json!("nobody");
    server.create(refused).expect_err("there is no such account");
    server.create(pod("a")).expect_err("it exists");
    assert_eq!(server.fingerprint(), before, "refused");
    server.dry_run = true;
    let named = server.create(generated.clone()).expect("as if created");
    server.delete(KindId::POD, "a", DeleteOptions::default()).expect("as if deleted");
    assert_eq!(server.fingerprint(), before, "dry");
    server.dry_run = false;
    assert_eq!(server.create(generated).expect("created").name(), named.name());
    assert_ne!(server.fingerprint(), before);
}

#[test]
fn events_expire_an_hour_after_they_were_last_written() {
    let mut server = Server::new();
    let event = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": "a", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "web"},
        "reason": "Started", "message": "Started container", "type": "Normal", "count": 1,
    });
    let created = server.create(event).expect("created");
    server.advance(3000);
    server.server.wake(server.now);
    server
        .change(&created, Subresource::None, |object| {
            let event = object.get_mut::<api::openapi::api::core::v1::Event>().expect("an event");
            event.count = Some(2);
        })
        .expect("changed");
    server.advance(3599);
    server.server.wake(server.now);
    server.get(KindId::EVENT, "a").expect("still there");
    server.advance(1);
    assert!(server.server.next_wake() <= server.now);
    server.server.wake(server.now);
    assert_eq!(server.get(KindId::EVENT, "a").expect_err("expired").code(), 404);
}

#[test]
fn every_use_of_the_api_is_noted() {
    let mut server = Server::new();
    server.identity = apiserver::Identity::service_account("kube-system", "tester");
    server.create(deployment("web")).expect("created");
    let _ = server.request(
        (Verb::Get, KindId::DEPLOYMENT),
        ("default", "web"),
        Subresource::Scale,
        Body::None,
    );
    let used: Vec<(&str, String)> = server
        .server
        .usages()
        .into_iter()
        .filter(|usage| &*usage.user == "system:serviceaccount:kube-system:tester")
        .map(|usage| (usage.verb, usage.resource))
        .collect();
    let want = [("create", "deployments.apps"), ("get", "deployments.apps/scale")];
    assert_eq!(used, want.map(|(verb, resource)| (verb, resource.to_string())));
}
