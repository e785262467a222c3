//! What two specifications of a pod differ in, printed in the manner of the Go library that
//! upstream prints it with: changed fields with a minus and a plus, and how many are identical
//! in between.
//!
//! Upstream: cmp.Diff of github.com/google/go-cmp, on the fields of core.PodSpec

use std::collections::BTreeSet;
use std::fmt::Write;

use k8s_openapi::api::core::v1::PodSpec;
use serde_json::{Map, Value};

use super::json;
use crate::field::go_quote;

const POD_FIELDS: &[&str] = &[
    "volumes",
    "initContainers",
    "containers",
    "ephemeralContainers",
    "restartPolicy",
    "terminationGracePeriodSeconds",
    "activeDeadlineSeconds",
    "dnsPolicy",
    "nodeSelector",
    "serviceAccountName",
    "automountServiceAccountToken",
    "nodeName",
    "securityContext",
    "imagePullSecrets",
    "hostname",
    "subdomain",
    "setHostnameAsFQDN",
    "affinity",
    "schedulerName",
    "tolerations",
    "hostAliases",
    "priorityClassName",
    "priority",
    "preemptionPolicy",
    "dnsConfig",
    "readinessGates",
    "runtimeClassName",
    "overhead",
    "enableServiceLinks",
    "topologySpreadConstraints",
    "os",
    "schedulingGates",
    "resourceClaims",
    "resources",
    "hostnameOverride",
];
const CONTAINER_FIELDS: &[&str] = &[
    "name",
    "image",
    "command",
    "args",
    "workingDir",
    "ports",
    "envFrom",
    "env",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "volumeMounts",
    "volumeDevices",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "imagePullPolicy",
    "securityContext",
    "stdin",
    "stdinOnce",
    "tty",
];

/// The difference of two specifications.
pub(super) fn pod_spec(old: &PodSpec, new: &PodSpec) -> String {
    let (mut old, mut new) = (json(old), json(new));
    // Upstream's own type has the name once, and namespaces of the node in the context.
    for spec in [&mut old, &mut new].into_iter().filter_map(Value::as_object_mut) {
        spec.remove("serviceAccount");
        let shared = ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"];
        for name in shared {
            if let Some(value) = spec.remove(name)
                && let Some(context) =
                    spec.get_mut("securityContext").and_then(Value::as_object_mut)
            {
                context.insert(name.to_string(), value);
            }
        }
    }
    let mut text = "  core.PodSpec{\n".to_string();
    if let (Some(old), Some(new)) = (old.as_object(), new.as_object()) {
        fields(old, new, POD_FIELDS, 1, &mut text);
    }
    text.push_str("  }\n");
    text
}

/// The fields of a structure: those that differ, and how many do not.
fn fields(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    order: &[&str],
    depth: usize,
    text: &mut String,
) {
    let known: BTreeSet<&str> = order.iter().copied().collect();
    let others: BTreeSet<&str> = old
        .keys()
        .chain(new.keys())
        .map(String::as_str)
        .filter(|name| !known.contains(name))
        .collect();
    let mut identical = 0;
    for name in order.iter().copied().chain(others) {
        let (old, new) = (old.get(name), new.get(name));
        if old == new {
            identical += 1;
            continue;
        }
        flush_identical(&mut identical, "field", depth, text);
        field(name, old, new, depth, text);
    }
    flush_identical(&mut identical, "field", depth, text);
}

fn flush_identical(count: &mut usize, noun: &str, depth: usize, text: &mut String) {
    if *count > 0 {
        let plural = if *count == 1 { "" } else { "s" };
        line(' ', depth, &format!("... // {count} identical {noun}{plural}"), text);
        *count = 0;
    }
}

fn field(name: &str, old: Option<&Value>, new: Option<&Value>, depth: usize, text: &mut String) {
    let title = go_name(name);
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            line(' ', depth, &format!("{title}: {{"), text);
            fields(old, new, &[], depth + 1, text);
            line(' ', depth, "},", text);
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            line(' ', depth, &format!("{title}: {{"), text);
            elements(name, old, new, depth + 1, text);
            line(' ', depth, "},", text);
        }
        (old, new) => {
            line('-', depth, &format!("{title}: {},", printed(old)), text);
            line('+', depth, &format!("{title}: {},", printed(new)), text);
        }
    }
}

fn elements(name: &str, old: &[Value], new: &[Value], depth: usize, text: &mut String) {
    let order: &[&str] = match name {
        "containers" | "initContainers" | "ephemeralContainers" => CONTAINER_FIELDS,
        _ => &[],
    };
    let mut identical = 0;
    for index in 0..old.len().max(new.len()) {
        match (old.get(index), new.get(index)) {
            (old, new) if old == new => identical += 1,
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                flush_identical(&mut identical, "element", depth, text);
                line(' ', depth, "{", text);
                fields(old, new, order, depth + 1, text);
                line(' ', depth, "},", text);
            }
            (old, new) => {
                flush_identical(&mut identical, "element", depth, text);
                for (sign, value) in [('-', old), ('+', new)] {
                    if value.is_some() {
                        line(sign, depth, &format!("{},", printed(value)), text);
                    }
                }
            }
        }
    }
    flush_identical(&mut identical, "element", depth, text);
}

fn line(sign: char, depth: usize, content: &str, text: &mut String) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{sign} {}{content}", "\t".repeat(depth));
}

/// A value on one line, as Go prints it.
fn printed(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "nil".to_string(),
        Some(Value::String(text)) => go_quote(text),
        Some(Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| printed(Some(item))).collect();
            format!("{{{}}}", items.join(", "))
        }
        Some(Value::Object(fields)) => {
            let fields = fields.iter();
            let fields: Vec<String> = fields
                .map(|(name, value)| format!("{}: {}", go_name(name), printed(Some(value))))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        Some(other) => other.to_string(),
    }
}

/// The name of a field in Go.
fn go_name(name: &str) -> String {
    for (start, go) in [("dns", "DNS"), ("os", "OS"), ("tty", "TTY"), ("fsGroup", "FSGroup")] {
        if let Some(rest) = name.strip_prefix(start)
            && !rest.starts_with(|next: char| next.is_ascii_lowercase())
        {
            return format!("{go}{rest}");
        }
    }
    let is_identifier = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_identifier {
        return go_quote(name);
    }
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
