//! What a real API server made of real manifests: defaults and refusals, compared with ours.
//! The answers are of an older version and have passed its admission; what differs for these
//! reasons alone is named below and left out.

use std::fs;

use api::decode::{FieldValidation, decode};
use api::{Kind, Object, Status};
use serde_json::{Map, Value};
use tests::{conditional, corpus};

/// Fields of metadata that the server fills in whatever the kind.
const SYSTEM_FIELDS: [&str; 6] =
    ["uid", "creationTimestamp", "managedFields", "generation", "resourceVersion", "selfLink"];
/// Fields of pods that admission sets.
const ADMITTED_FIELDS: [&str; 6] = [
    "priority",
    "preemptionPolicy",
    "tolerations",
    "serviceAccount",
    "serviceAccountName",
    "automountServiceAccountToken",
];

/// The object as it is stored, or what is wrong with it.
fn create(request: Value, path: &str) -> Result<Object, Status> {
    let kind = kind_of(&request).expect("a kind of the table");
    let decoded = decode(request, FieldValidation::Ignore).map_err(|error| error.to_status())?;
    let mut object = decoded.object;
    if kind.is_namespaced() && object.namespace().is_empty() {
        let rest = path.split_once("/namespaces/").map_or("default", |(_, rest)| rest);
        let namespace = rest.split('/').next().expect("a first part");
        object.meta_mut().namespace = Some(namespace.to_string());
    }
    if object.name().is_empty() {
        let prefix = object.meta().generate_name.clone().unwrap_or_default();
        object.meta_mut().name = Some(format!("{prefix}aaaaa"));
    }
    (object.behaviour().default)(&mut object);
    object.meta_mut().uid = Some("aaaaa".to_string());
    (object.behaviour().prepare_for_create)(&mut object);
    let errors = (object.behaviour().validate)(&object);
    if errors.is_empty() { Ok(object) } else { Err(Status::invalid(kind, object.name(), &errors)) }
}

fn kind_of(object: &Value) -> Option<&'static Kind> {
    Kind::named(object["apiVersion"].as_str()?, object["kind"].as_str()?)
}

/// Leaves out what the server, its admission or its version adds, and what says nothing.
fn comparable(mut object: Value, sent: &Value) -> Value {
    let is_pod = object["kind"] == "Pod";
    if let Some(meta) = object["metadata"].as_object_mut() {
        SYSTEM_FIELDS.iter().for_each(|name| drop(meta.remove(*name)));
        if sent["metadata"].get("name").is_none() {
            meta.remove("name");
        }
        if let Some(labels) = meta.get_mut("labels").and_then(Value::as_object_mut) {
            labels.remove("kubernetes.io/metadata.name");
        }
    }
    if is_pod || object["kind"] == "Node" {
        without_changes_since(&mut object);
    }
    if is_pod && let Some(spec) = object["spec"].as_object_mut() {
        ADMITTED_FIELDS.iter().for_each(|name| drop(spec.remove(*name)));
        without_token(spec);
    }
    if object["kind"] == "DaemonSet" {
        without_older_ports(&mut object["spec"]);
    }
    match object["kind"].as_str() {
        Some("StatefulSet") => without(&mut object, &NEWER_OF_STATEFUL_SETS),
        Some("Job") => {
            if sent["spec"]["backoffLimitPerIndex"].is_number() {
                without(&mut object, &[("/spec", "backoffLimit")]);
            }
            without(&mut object, &NEWER_OF_JOBS);
            without(&mut object, &GENERATED_OF_JOBS);
        }
        // What protects them is added by admission.
        Some("PersistentVolume" | "PersistentVolumeClaim") => {
            without(
                &mut object,
                &[("/metadata", "finalizers"), ("/metadata", "deletionTimestamp")],
            );
        }
        _ => {}
    }
    if object["kind"] == "ServiceAccount" {
        object.as_object_mut().expect("an object").remove("secrets");
    }
    without_nothing(&mut object);
    object
}

/// What StatefulSets have had only since then.
const NEWER_OF_STATEFUL_SETS: [(&str, &str); 3] = [
    ("/spec", "persistentVolumeClaimRetentionPolicy"),
    ("/spec/updateStrategy/rollingUpdate", "maxUnavailable"),
    ("/status", "availableReplicas"),
];
/// What Jobs have had only since then.
const NEWER_OF_JOBS: [(&str, &str); 8] = [
    ("/spec", "backoffLimitPerIndex"),
    ("/spec", "maxFailedIndexes"),
    ("/spec", "podFailurePolicy"),
    ("/spec", "ttlSecondsAfterFinished"),
    ("/spec", "completionMode"),
    ("/spec", "manualSelector"),
    ("/spec", "podReplacementPolicy"),
    ("/spec", "suspend"),
];
/// What says the UID and the name, which may be generated.
const GENERATED_OF_JOBS: [(&str, &str); 9] = [
    ("/metadata/labels", "controller-uid"),
    ("/metadata/labels", "job-name"),
    ("/metadata/labels", "batch.kubernetes.io/controller-uid"),
    ("/metadata/labels", "batch.kubernetes.io/job-name"),
    ("/spec", "selector"),
    ("/spec/template/metadata/labels", "controller-uid"),
    ("/spec/template/metadata/labels", "job-name"),
    ("/spec/template/metadata/labels", "batch.kubernetes.io/controller-uid"),
    ("/spec/template/metadata/labels", "batch.kubernetes.io/job-name"),
];

/// Removes fields, each of the parent at its path.
fn without(object: &mut Value, fields: &[(&str, &str)]) {
    for (parent, name) in fields {
        if let Some(parent) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
            parent.remove(*name);
        }
    }
}

/// Removes what has come or gone since the version that answered: scheduling gates, users of
/// the pod's own, and seccomp annotations, which were kept in step with fields; and the taints
/// that admission gives to nodes.
fn without_changes_since(object: &mut Value) {
    let fields = [
        ("/metadata/annotations", "seccomp.security.alpha.kubernetes.io/pod"),
        ("/spec", "schedulingGates"),
        ("/spec", "hostUsers"),
        ("/spec", "taints"),
        ("/spec/securityContext", "seccompProfile"),
        ("/status", "conditions"),
    ];
    without(object, &fields);
}

/// Removes the surge of DaemonSets, which is newer, and the ports of the host that templates in
/// the host's network were given.
fn without_older_ports(spec: &mut Value) {
    if let Some(rolling) = spec.pointer_mut("/updateStrategy/rollingUpdate") {
        rolling.as_object_mut().expect("an object").remove("maxSurge");
    }
    let template = &mut spec["template"]["spec"];
    if template["hostNetwork"] != true {
        return;
    }
    for container in template["containers"].as_array_mut().into_iter().flatten() {
        for port in container["ports"].as_array_mut().into_iter().flatten() {
            port.as_object_mut().expect("an object").remove("hostPort");
        }
    }
}

/// Removes the volume of the service account's token and its mounts.
fn without_token(spec: &mut Map<String, Value>) {
    let is_token = |entry: &Value| {
        let name = entry["name"].as_str().unwrap_or_default();
        name.contains("-token-") || name.starts_with("kube-api-access-")
    };
    if let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) {
        volumes.retain(|volume| !is_token(volume));
    }
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            if let Some(mounts) = container["volumeMounts"].as_array_mut() {
                mounts.retain(|mount| !is_token(mount));
            }
        }
    }
}

/// Removes fields that are null, empty lists, and empty maps of metadata.
fn without_nothing(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_nothing),
        Value::Object(fields) => {
            fields.values_mut().for_each(without_nothing);
            fields.retain(|name, field| match field {
                Value::Null => false,
                Value::Array(items) => !items.is_empty(),
                Value::Object(inner) => {
                    !inner.is_empty()
                        || !matches!(
                            name.as_str(),
                            "annotations" | "labels" | "metadata" | "status"
                        )
                }
                _ => true,
            });
        }
        _ => {}
    }
}

/// The paths at which two values differ.
fn differences(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
                let none = Value::Null;
                let (a, b) = (a.get(name).unwrap_or(&none), b.get(name).unwrap_or(&none));
                differences(&format!("{path}.{name}"), a, b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}[{index}]"), a, b, found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => found.push(format!("{path}: ours {a}, theirs {b}")),
    }
}

/// The words of an older version in today's: it printed values as Go writes them.
fn modern(message: &str) -> String {
    message.replace("map[string]string(nil)", "null")
}

#[test]
fn defaults_and_refusals_are_those_of_a_real_server() {
    conditional("corpus/golden-defaults", corpus("golden-defaults.jsonl"), |file| {
        let text = fs::read_to_string(file).expect("readable");
        let mut compared = 0;
        let mut wrong = Vec::new();
        for line in text.lines() {
            let entry: Value = serde_json::from_str(line).expect("JSON");
            let (request, response) = (&entry["request"], &entry["response"]);
            // The server gives Services addresses: apiserver/tests/services.rs compares them.
            if kind_of(request).is_none_or(|kind| kind.kind == "Service") {
                continue;
            }
            let path = entry["path"].as_str().expect("a path");
            let file = &entry["file"];
            match (create(request.clone(), path), entry["code"].as_u64()) {
                (Ok(object), Some(201)) => {
                    compared += 1;
                    let ours = comparable(object.to_value(), request);
                    let theirs = comparable(response.clone(), request);
                    let mut found = Vec::new();
                    differences("", &ours, &theirs, &mut found);
                    wrong.extend(found.iter().map(|found| format!("{file}: {found}")));
                }
                (Err(status), Some(422)) => {
                    compared += 1;
                    let theirs = modern(response["message"].as_str().unwrap_or_default());
                    if status.message() != theirs {
                        wrong.push(format!("{file}: {}\n  theirs: {theirs}", status.message()));
                    }
                }
                // It knew no such probe yet.
                (Ok(object), Some(422)) if object.to_value().to_string().contains("\"grpc\":") => {}
                // Admission refused it, or it was there already.
                (_, Some(403 | 409)) => {}
                (Ok(_), code) => wrong.push(format!("{file}: accepted, theirs {code:?}")),
                (Err(status), code) => wrong.push(format!("{file}: {status}, theirs {code:?}")),
            }
        }
        assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
        assert!(compared > 400, "only {compared} were compared");
    });
}

/// All objects of the table in a value, however deep; the items of a list are of its kind.
fn objects_in(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| objects_in(item, found)),
        Value::String(text) if text.starts_with('{') => {
            for value in serde_json::Deserializer::from_str(text).into_iter::<Value>().flatten() {
                objects_in(&value, found);
            }
        }
        Value::Object(fields) => {
            if kind_of(value).is_some() && value["metadata"]["uid"].is_string() {
                found.push(value.clone());
                return;
            }
            let list_kind = value["kind"].as_str().and_then(|kind| kind.strip_suffix("List"));
            if let (Some(kind), Some(items)) = (list_kind, value["items"].as_array()) {
                for item in items {
                    let mut item = item.clone();
                    item["kind"] = kind.into();
                    item["apiVersion"] = value["apiVersion"].clone();
                    objects_in(&item, found);
                }
                return;
            }
            fields.values().for_each(|field| objects_in(field, found));
        }
        _ => {}
    }
}

/// What a real server stores has its defaults already, and nothing is wrong with it.
fn stored_objects_are_left_alone(files: &[std::path::PathBuf]) {
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).expect("readable");
        objects_in(&serde_json::from_str(&text).expect("JSON"), &mut found);
    }
    assert!(found.len() > 100, "only {} were found", found.len());
    let mut wrong = Vec::new();
    for stored in &found {
        let name = format!("{} {}", stored["kind"], stored["metadata"]["name"]);
        // Jobs of an older version lack labels and conditions that all have today.
        if stored["kind"] == "Job" {
            continue;
        }
        let decoded = decode(stored.clone(), FieldValidation::Ignore);
        let mut object = decoded.unwrap_or_else(|error| panic!("{name}: {error}")).object;
        let before = object.to_value();
        (object.behaviour().default)(&mut object);
        let mut changes = Vec::new();
        differences("", &object.to_value(), &before, &mut changes);
        // DaemonSets of an older version know no surge.
        changes.retain(|change| !change.ends_with("maxSurge: ours 0, theirs null"));
        wrong.extend(changes.iter().map(|change| format!("{name}: {change}")));
        let errors = (object.behaviour().validate)(&object)
            .into_iter()
            .chain((object.behaviour().validate_update)(&object, &object))
            .chain((object.behaviour().validate_status_update)(&object, &object));
        wrong.extend(errors.map(|error| format!("{name}: {error}")));
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn json_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            files.extend(json_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files
}

#[test]
fn what_real_servers_store_is_left_alone() {
    conditional("corpus/recorded-http: defaults", corpus("recorded-http"), |folder| {
        stored_objects_are_left_alone(&json_files(&folder));
    });
}

#[test]
fn what_a_real_server_watched_is_left_alone() {
    conditional("corpus/golden-scenarios: defaults", corpus("golden-scenarios"), |folder| {
        stored_objects_are_left_alone(&json_files(&folder));
    });
}
