//! Everything about one object: what the inspector shows.

use api::openapi::api::core::v1::{Event, Pod};
use api::{Key, Kind, KindId, Object};
use cluster::Cluster;
use protocol::{ConditionRow, ContainerLog, Detail, EventRow, LogLine, ObjectRef};
use serde_json::Value;
use sim::Sort;

use crate::rows::{condition, event_row};

/// How many lines of a container's log are shown.
const LOG_LINES: usize = 500;

/// A reference to the object.
#[must_use]
pub fn reference(object: &Object) -> ObjectRef {
    let kind = object.kind();
    ObjectRef {
        api_version: kind.api_version.to_string(),
        kind: kind.kind.to_string(),
        namespace: object.namespace().to_string(),
        name: object.name().to_string(),
    }
}

/// Everything about the object that is referred to.
#[must_use]
pub fn detail(cluster: &Cluster, reference: &ObjectRef) -> Detail {
    let kind = Kind::named(&reference.api_version, &reference.kind);
    let key = Key::new(&reference.namespace, &reference.name);
    let object = kind.and_then(|kind| cluster.snapshot(kind.id).get(&key).cloned());
    let Some(object) = object else {
        return Detail {
            object: reference.clone(),
            exists: false,
            yaml: String::new(),
            conditions: Vec::new(),
            events: events(cluster, reference, None),
            logs: Vec::new(),
        };
    };
    let value = object.to_value();
    Detail {
        object: reference.clone(),
        exists: true,
        conditions: conditions(&value),
        yaml: api::yaml::to_yaml(&value),
        events: events(cluster, reference, Some(object.uid())),
        logs: logs(cluster, &object),
    }
}

/// The conditions in an object's status, for any kind that has them.
fn conditions(value: &Value) -> Vec<ConditionRow> {
    let conditions = value.pointer("/status/conditions").and_then(Value::as_array);
    let text = |condition: &Value, field: &str| {
        condition.get(field).and_then(Value::as_str).map(str::to_string)
    };
    conditions
        .into_iter()
        .flatten()
        .map(|entry| {
            let kind = text(entry, "type").unwrap_or_default();
            let status = text(entry, "status").unwrap_or_default();
            let (reason, message) = (text(entry, "reason"), text(entry, "message"));
            let since = entry.get("lastTransitionTime").cloned();
            let since = since.and_then(|since| serde_json::from_value(since).ok());
            let words = (reason.as_ref(), message.as_ref());
            condition((&kind, &status), words, since.as_ref())
        })
        .collect()
}

/// The Events about the object, oldest first.
fn events(cluster: &Cluster, reference: &ObjectRef, uid: Option<&str>) -> Vec<EventRow> {
    let all = cluster.snapshot(KindId::EVENT);
    let about = |event: &&Event| {
        let involved = &event.involved_object;
        involved.kind.as_deref() == Some(reference.kind.as_str())
            && involved.name.as_deref() == Some(reference.name.as_str())
            && involved.namespace.as_deref().unwrap_or_default() == reference.namespace
            && (uid.is_none()
                || involved.uid.as_deref() == uid
                // Some name an object without its UID; a node's own carry its name for one.
                || involved.uid.as_deref().is_none_or(str::is_empty)
                || involved.uid == involved.name)
    };
    let mut rows: Vec<EventRow> =
        all.iter().filter_map(Object::get::<Event>).filter(about).map(event_row).collect();
    rows.order_by_key(|row| (row.last_ms, row.first_ms));
    rows
}

/// The logs of a pod's containers, the instance before the last restart first.
fn logs(cluster: &Cluster, object: &Object) -> Vec<ContainerLog> {
    let Some(pod) = object.get::<Pod>() else { return Vec::new() };
    let Some(spec) = pod.spec.as_ref() else { return Vec::new() };
    let node = spec.node_name.as_deref().unwrap_or_default();
    let Some(kubelet) = cluster.kubelets().find(|kubelet| kubelet.node_name() == node) else {
        return Vec::new();
    };
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let mut logs = Vec::new();
    for container in containers {
        for previous in [true, false] {
            let (namespace, name) = (object.namespace(), object.name());
            let Some(log) = kubelet.logs(namespace, name, &container.name, previous) else {
                continue;
            };
            let skipped = log.lines().len().saturating_sub(LOG_LINES);
            let clock = cluster.clock();
            logs.push(ContainerLog {
                container: container.name.clone(),
                previous,
                truncated: skipped > 0 || log.dropped_lines() > 0,
                lines: log
                    .lines()
                    .skip(skipped)
                    .map(|line| LogLine {
                        time_ms: clock.micro_timestamp(line.time).as_millisecond(),
                        text: line.text.to_string(),
                    })
                    .collect(),
            });
        }
    }
    logs
}
