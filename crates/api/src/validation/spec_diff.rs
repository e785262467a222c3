//! What two specifications of a pod differ in, printed in the manner of the Go library that
//! upstream prints it with: changed fields with a minus and a plus, two fields around each
//! change, and how many are identical beyond.
//!
//! Upstream: cmp.Diff of github.com/google/go-cmp, on the fields of core.PodSpec

use std::fmt::Write;

use k8s_openapi::api::core::v1::{PersistentVolumeClaimSpec, PersistentVolumeSpec, PodSpec};
use serde_json::{Map, Value};
use sim::SmallSet;

use super::json;
use crate::field::go_quote;

/// The fields of core.PodSpec in their order, with what Go prints where they are not set.
const POD_FIELDS: &[(&str, &str)] = &[
    ("volumes", "nil"),
    ("initContainers", "nil"),
    ("containers", "nil"),
    ("ephemeralContainers", "nil"),
    ("restartPolicy", "\"\""),
    ("terminationGracePeriodSeconds", "nil"),
    ("activeDeadlineSeconds", "nil"),
    ("dnsPolicy", "\"\""),
    ("nodeSelector", "nil"),
    ("serviceAccountName", "\"\""),
    ("automountServiceAccountToken", "nil"),
    ("nodeName", "\"\""),
    ("securityContext", "nil"),
    ("imagePullSecrets", "nil"),
    ("hostname", "\"\""),
    ("subdomain", "\"\""),
    ("setHostnameAsFQDN", "nil"),
    ("affinity", "nil"),
    ("schedulerName", "\"\""),
    ("tolerations", "nil"),
    ("hostAliases", "nil"),
    ("priorityClassName", "\"\""),
    ("priority", "nil"),
    ("preemptionPolicy", "nil"),
    ("dnsConfig", "nil"),
    ("readinessGates", "nil"),
    ("runtimeClassName", "nil"),
    ("overhead", "nil"),
    ("enableServiceLinks", "nil"),
    ("topologySpreadConstraints", "nil"),
    ("os", "nil"),
    ("schedulingGates", "nil"),
    ("resourceClaims", "nil"),
    ("resources", "nil"),
    ("hostnameOverride", "nil"),
];
/// The fields of core.Container likewise.
const CONTAINER_FIELDS: &[(&str, &str)] = &[
    ("name", "\"\""),
    ("image", "\"\""),
    ("command", "nil"),
    ("args", "nil"),
    ("workingDir", "\"\""),
    ("ports", "nil"),
    ("envFrom", "nil"),
    ("env", "nil"),
    ("resources", "{}"),
    ("resizePolicy", "nil"),
    ("restartPolicy", "nil"),
    ("restartPolicyRules", "nil"),
    ("volumeMounts", "nil"),
    ("volumeDevices", "nil"),
    ("livenessProbe", "nil"),
    ("readinessProbe", "nil"),
    ("startupProbe", "nil"),
    ("lifecycle", "nil"),
    ("terminationMessagePath", "\"\""),
    ("terminationMessagePolicy", "\"\""),
    ("imagePullPolicy", "\"\""),
    ("securityContext", "nil"),
    ("stdin", "false"),
    ("stdinOnce", "false"),
    ("tty", "false"),
];
/// The fields of core.PersistentVolumeClaimSpec likewise.
const CLAIM_FIELDS: &[(&str, &str)] = &[
    ("accessModes", "nil"),
    ("selector", "nil"),
    ("resources", "{}"),
    ("volumeName", "\"\""),
    ("storageClassName", "nil"),
    ("volumeMode", "nil"),
    ("dataSource", "nil"),
    ("dataSourceRef", "nil"),
    ("volumeAttributesClassName", "nil"),
];
/// The fields of core.PersistentVolumeSource likewise.
const SOURCE_FIELDS: &[(&str, &str)] = &[
    ("gcePersistentDisk", "nil"),
    ("awsElasticBlockStore", "nil"),
    ("hostPath", "nil"),
    ("glusterfs", "nil"),
    ("nfs", "nil"),
    ("rbd", "nil"),
    ("quobyte", "nil"),
    ("iscsi", "nil"),
    ("flexVolume", "nil"),
    ("cinder", "nil"),
    ("cephfs", "nil"),
    ("fc", "nil"),
    ("flocker", "nil"),
    ("azureFile", "nil"),
    ("vsphereVolume", "nil"),
    ("azureDisk", "nil"),
    ("photonPersistentDisk", "nil"),
    ("portworxVolume", "nil"),
    ("scaleIO", "nil"),
    ("local", "nil"),
    ("storageos", "nil"),
    ("csi", "nil"),
];
/// How many identical fields stand before and behind a change.
const CONTEXT: usize = 2;

/// One line of a list, or a block of lines.
struct Record {
    sign: char,
    key: String,
    value: Printed,
}

enum Printed {
    Line(String),
    Block { opening: &'static str, records: Vec<Record> },
    Ellipsis(String),
}

/// The difference of two specifications.
pub(super) fn pod_spec(old: &PodSpec, new: &PodSpec) -> String {
    let (mut old, mut new) = (json(old), json(new));
    // Upstream's own type has the name once, and namespaces of the node in the context.
    for spec in [&mut old, &mut new].into_iter().filter_map(Value::as_object_mut) {
        spec.remove("serviceAccount");
        let shared = ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"];
        for name in shared {
            let value = spec.remove(name);
            let context = spec.get_mut("securityContext").and_then(Value::as_object_mut);
            if let (Some(value), Some(context)) = (value, context) {
                context.insert(name.to_string(), value);
            }
        }
    }
    whole("core.PodSpec{", POD_FIELDS, &old, &new)
}

/// The difference of two specifications of a claim.
pub(super) fn claim_spec(
    old: &PersistentVolumeClaimSpec,
    new: &PersistentVolumeClaimSpec,
) -> String {
    whole("core.PersistentVolumeClaimSpec{", CLAIM_FIELDS, &json(old), &json(new))
}

/// The difference of the sources of two volumes.
pub(super) fn volume_source(old: &PersistentVolumeSpec, new: &PersistentVolumeSpec) -> String {
    whole("core.PersistentVolumeSource{", SOURCE_FIELDS, &json(old), &json(new))
}

fn whole(opening: &'static str, order: &[(&str, &str)], old: &Value, new: &Value) -> String {
    let empty = Map::new();
    let (old, new) = (old.as_object().unwrap_or(&empty), new.as_object().unwrap_or(&empty));
    let block = Printed::Block { opening, records: fields(old, new, order) };
    let mut text = String::new();
    write_records(&[Record { sign: ' ', key: String::new(), value: block }], 0, &mut text);
    // The whole is no element of a list.
    text.truncate(text.trim_end_matches(",\n").len());
    text.push('\n');
    text
}

/// The fields of a structure: those that differ, and those around them.
fn fields(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    order: &[(&str, &str)],
) -> Vec<Record> {
    let known: SmallSet<&str> = order.iter().map(|(name, _)| *name).collect();
    let others: SmallSet<&str> =
        old.keys().chain(new.keys()).map(String::as_str).filter(|it| !known.contains(it)).collect();
    let all = order.iter().copied().chain(others.into_iter().map(|name| (name, "nil")));
    let mut records = Vec::new();
    let mut identical = Vec::new();
    for (name, zero) in all {
        let (old, new) = (old.get(name), new.get(name));
        if old == new {
            let value =
                Printed::Line(old.map_or_else(|| zero.to_string(), |it| field_value(name, it)));
            identical.push(Record { sign: ' ', key: go_name(name), value });
            continue;
        }
        flush(&mut identical, false, "field", &mut records);
        changed_field(name, zero, old, new, &mut records);
    }
    flush(&mut identical, true, "field", &mut records);
    records
}

/// Writes what is identical since the last change: the first and last few, and how many more.
fn flush(identical: &mut Vec<Record>, at_end: bool, noun: &str, records: &mut Vec<Record>) {
    let count = identical.len();
    let after = if records.is_empty() { 0 } else { CONTEXT.min(count) };
    let mut before = if at_end { 0 } else { CONTEXT.min(count - after) };
    // One more is no longer than to say that there is one more.
    if count - after - before == 1 {
        before += 1;
    }
    let hidden = count - after - before;
    for (index, record) in identical.drain(..).enumerate() {
        if index == after && hidden > 0 {
            let plural = if hidden == 1 { "" } else { "s" };
            let text = format!("... // {hidden} identical {noun}{plural}");
            records.push(Record { sign: ' ', key: String::new(), value: Printed::Ellipsis(text) });
        }
        if index < after || index >= after + hidden {
            records.push(record);
        }
    }
}

fn changed_field(
    name: &str,
    zero: &str,
    old: Option<&Value>,
    new: Option<&Value>,
    records: &mut Vec<Record>,
) {
    let key = go_name(name);
    let block = match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => fields(old, new, &[]),
        (Some(Value::Array(old)), Some(Value::Array(new))) => elements(name, old, new),
        _ => {
            for (sign, value) in [('-', old), ('+', new)] {
                let text = value.map_or_else(|| zero.to_string(), |it| field_value(name, it));
                records.push(Record { sign, key: key.clone(), value: Printed::Line(text) });
            }
            return;
        }
    };
    let value = Printed::Block { opening: opening(name), records: block };
    records.push(Record { sign: ' ', key, value });
}

fn elements(name: &str, old: &[Value], new: &[Value]) -> Vec<Record> {
    let order: &[(&str, &str)] = match name {
        "containers" | "initContainers" => CONTAINER_FIELDS,
        _ => &[],
    };
    let element = |sign: char, value: Printed| Record { sign, key: String::new(), value };
    let mut records = Vec::new();
    let mut identical = Vec::new();
    for index in 0..old.len().max(new.len()) {
        match (old.get(index), new.get(index)) {
            (Some(old), new) if Some(old) == new => {
                identical.push(element(' ', Printed::Line(printed(old))));
            }
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                flush(&mut identical, false, "element", &mut records);
                let block = Printed::Block { opening: "{", records: fields(old, new, order) };
                records.push(element(' ', block));
            }
            (old, new) => {
                flush(&mut identical, false, "element", &mut records);
                for (sign, value) in [('-', old), ('+', new)] {
                    let line = value.map(|value| element(sign, Printed::Line(printed(value))));
                    records.extend(line);
                }
            }
        }
    }
    flush(&mut identical, true, "element", &mut records);
    records
}

/// How Go begins the value of a field that is written over several lines.
fn opening(name: &str) -> &'static str {
    match name {
        "containers" | "initContainers" => "[]core.Container{",
        "volumes" => "[]core.Volume{",
        "ports" => "[]core.ContainerPort{",
        "env" => "[]core.EnvVar{",
        "envFrom" => "[]core.EnvFromSource{",
        "volumeMounts" => "[]core.VolumeMount{",
        "command" | "args" => "[]string{",
        "resources" => "core.ResourceRequirements{",
        "limits" | "requests" | "overhead" => "core.ResourceList{",
        "nodeSelector" => "map[string]string{",
        "affinity" => "&core.Affinity{",
        "securityContext" => "&core.PodSecurityContext{",
        "livenessProbe" | "readinessProbe" | "startupProbe" => "&core.Probe{",
        "lifecycle" => "&core.Lifecycle{",
        "dnsConfig" => "&core.PodDNSConfig{",
        _ => "{",
    }
}

fn write_records(records: &[Record], depth: usize, text: &mut String) {
    let widths = key_widths(records);
    for (record, width) in records.iter().zip(widths) {
        let Record { sign, key, value } = record;
        let indent = "\t".repeat(depth);
        let title = if key.is_empty() { String::new() } else { format!("{key}: ") };
        // Writing to a text cannot fail.
        let _ = match value {
            Printed::Line(line) => writeln!(text, "{sign} {indent}{title:<width$}{line},"),
            Printed::Ellipsis(words) => writeln!(text, "{sign} {indent}{words}"),
            Printed::Block { opening, records } => {
                let _ = writeln!(text, "{sign} {indent}{title}{opening}");
                write_records(records, depth + 1, text);
                writeln!(text, "{sign} {indent}}},")
            }
        };
    }
}

/// How wide the keys are written: neighbouring lines begin their values in one column.
fn key_widths(records: &[Record]) -> Vec<usize> {
    let mut widths = vec![0; records.len()];
    let is_line =
        |record: &Record| matches!(record.value, Printed::Line(_)) && !record.key.is_empty();
    let mut start = 0;
    while start < records.len() {
        let run = records[start..].iter().take_while(|record| is_line(record)).count();
        let end = start + run;
        let widest = records[start..end].iter().map(|record| record.key.len() + 2).max();
        widths[start..end].fill(widest.unwrap_or_default());
        start = end + 1;
    }
    widths
}

/// The value of a field: numbers and truths that are pointers in Go have an ampersand.
fn field_value(name: &str, value: &Value) -> String {
    let pointers = [
        "terminationGracePeriodSeconds",
        "activeDeadlineSeconds",
        "automountServiceAccountToken",
        "setHostnameAsFQDN",
        "priority",
        "preemptionPolicy",
        "runtimeClassName",
        "enableServiceLinks",
        "hostnameOverride",
        "securityContext",
        "affinity",
        "dnsConfig",
        "os",
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "lifecycle",
    ];
    let ampersand = if pointers.contains(&name) && !value.is_null() { "&" } else { "" };
    format!("{ampersand}{}", printed(value))
}

/// A value on one line, as Go prints it.
fn printed(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_string(),
        Value::String(text) => go_quote(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(printed).collect();
            format!("{{{}}}", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{}: {}", go_name(name), field_value(name, value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

/// The name of a field in Go; the key of a map is quoted.
fn go_name(name: &str) -> String {
    for (start, go) in [("dns", "DNS"), ("os", "OS"), ("tty", "TTY"), ("fsGroup", "FSGroup")] {
        if let Some(rest) = name.strip_prefix(start)
            && !rest.starts_with(|next: char| next.is_ascii_lowercase())
        {
            return format!("{go}{rest}");
        }
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return go_quote(name);
    }
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
