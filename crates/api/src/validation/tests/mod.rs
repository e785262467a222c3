//! Upstream: pkg/apis/core/validation/validation_test.go,
//! pkg/apis/apps/validation/validation_test.go and
//! staging/src/k8s.io/apimachinery/pkg/api/validation/objectmeta_test.go

use serde_json::{Value, json};

use crate::{Kind, Object};

mod apps;
mod batch;
mod claims;
mod containers;
mod daemon_sets;
mod objects;
mod pod_updates;
mod pods;
mod quotas;
mod services;
mod stateful_sets;
mod volumes;

/// An object of some kind, with its defaults.
fn object(value: Value) -> Object {
    let api_version = value["apiVersion"].as_str().expect("a version").to_string();
    let kind = value["kind"].as_str().expect("a kind").to_string();
    let kind = Kind::named(&api_version, &kind).expect("a kind of the table");
    let mut object = kind.decode(value).unwrap_or_else(|error| panic!("{error}"));
    (object.behaviour().default)(&mut object);
    object
}

/// What is wrong with a new object, as the server says it.
fn errors(value: Value) -> Vec<String> {
    let object = object(value);
    texts(&(object.behaviour().validate)(&object))
}

/// What is wrong with a change of an object.
fn update_errors(old: Value, new: Value) -> Vec<String> {
    let (old, new) = (object(old), object(new));
    texts(&(new.behaviour().validate_update)(&new, &old))
}

/// What is wrong with a change of an object's status.
fn status_errors(old: Value, new: Value) -> Vec<String> {
    let (old, new) = (object(old), object(new));
    texts(&(new.behaviour().validate_status_update)(&new, &old))
}

fn texts(errors: &crate::field::ErrorList) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// Sets the fields of `changes` in `value`, deeply; null removes a field.
fn merged(mut value: Value, changes: Value) -> Value {
    merge(&mut value, changes);
    value
}

fn merge(value: &mut Value, changes: Value) {
    let (Some(fields), Value::Object(changes)) = (value.as_object_mut(), &changes) else {
        *value = changes;
        return;
    };
    for (name, change) in changes {
        match (fields.get_mut(name), change.is_null()) {
            (_, true) => drop(fields.remove(name)),
            (Some(field), false) => merge(field, change.clone()),
            (None, false) => drop(fields.insert(name.clone(), change.clone())),
        }
    }
}

/// A pod that is valid, with those changes to its specification.
fn pod(spec: Value) -> Value {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "abc", "namespace": "ns"},
        "spec": {"containers": [{"name": "ctr", "image": "image:1"}]},
    });
    merged(pod, json!({ "spec": spec }))
}

/// A pod whose one container has those fields.
fn pod_of(container: Value) -> Value {
    pod(json!({"containers": [merged(json!({"name": "ctr", "image": "image:1"}), container)]}))
}
