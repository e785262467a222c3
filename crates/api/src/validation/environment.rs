//! The environment of containers, and references to fields and resources of a pod.

use k8s_openapi::api::core::v1::{
    EnvFromSource, EnvVar, EnvVarSource, FileKeySelector, ObjectFieldSelector,
    ResourceFieldSelector,
};

use super::{invalid_each, names, paths, qualified_name, text};
use crate::field::{Error, ErrorList, Path};
use crate::quantity::Quantity;

const ENVIRONMENT_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
pub(super) const VOLUME_FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];
const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const BYTE_DIVISORS: &[&str] =
    &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];

/// Upstream: ValidateEnv.
pub(super) fn variables(variables: &[EnvVar], path: &Path, errors: &mut ErrorList) {
    for (index, variable) in variables.iter().enumerate() {
        let path = path.index(index);
        let name = &variable.name;
        if name.is_empty() {
            errors.push(Error::required(&path.child("name"), ""));
        } else {
            let messages = names::environment_variable_name(name);
            invalid_each(messages, &path.child("name"), name, errors);
        }
        if let Some(source) = &variable.value_from {
            value_from(source, text(&variable.value), &path.child("valueFrom"), errors);
        }
    }
}

/// Upstream: validateEnvVarValueFrom.
fn value_from(source: &EnvVarSource, value: &str, path: &Path, errors: &mut ErrorList) {
    let mut sources = 0;
    if let Some(field) = &source.field_ref {
        sources += 1;
        object_field_selector(field, ENVIRONMENT_FIELDS, &path.child("fieldRef"), errors);
    }
    if let Some(resource) = &source.resource_field_ref {
        sources += 1;
        resource_field_selector(resource, false, &path.child("resourceFieldRef"), errors);
    }
    if let Some(selector) = &source.config_map_key_ref {
        sources += 1;
        key_selector(&selector.name, &selector.key, &path.child("configMapKeyRef"), errors);
    }
    if let Some(selector) = &source.secret_key_ref {
        sources += 1;
        key_selector(&selector.name, &selector.key, &path.child("secretKeyRef"), errors);
    }
    if let Some(selector) = &source.file_key_ref {
        sources += 1;
        file_key_selector(selector, &path.child("fileKeyRef"), errors);
    }
    let message = match sources {
        0 => {
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, \
             `secretKeyRef` or `fileKeyRef`"
        }
        _ if !value.is_empty() => "may not be specified when `value` is not empty",
        1 => return,
        _ => "may not have more than one field specified at a time",
    };
    errors.push(Error::invalid(path, "", message));
}

/// Upstream: validateConfigMapKeySelector and validateSecretKeySelector.
fn key_selector(name: &str, key: &str, path: &Path, errors: &mut ErrorList) {
    invalid_each(names::dns_subdomain(name), &path.child("name"), name, errors);
    if key.is_empty() {
        errors.push(Error::required(&path.child("key"), ""));
    } else {
        invalid_each(names::config_map_key(key), &path.child("key"), key, errors);
    }
}

/// Upstream: validateFileKeySelector.
fn file_key_selector(selector: &FileKeySelector, path: &Path, errors: &mut ErrorList) {
    super::require(&selector.key, &path.child("key"), errors);
    if !selector.key.is_empty() {
        let messages = names::environment_variable_name(&selector.key);
        invalid_each(messages, &path.child("key"), &selector.key, errors);
    }
    super::require(&selector.volume_name, &path.child("volumeName"), errors);
    super::require(&selector.path, &path.child("path"), errors);
    if !selector.path.is_empty() {
        paths::local_non_reserved(&selector.path, &path.child("path"), errors);
    }
}

/// Upstream: validateObjectFieldSelector.
pub(super) fn object_field_selector(
    selector: &ObjectFieldSelector,
    fields: &[&str],
    path: &Path,
    errors: &mut ErrorList,
) {
    let version = text(&selector.api_version);
    if version.is_empty() {
        errors.push(Error::required(&path.child("apiVersion"), ""));
        return;
    }
    let field = selector.field_path.as_str();
    let field_path = path.child("fieldPath");
    if field.is_empty() {
        errors.push(Error::required(&field_path, ""));
        return;
    }
    if let Some(error) = field_label_error(version, field) {
        let message = format!("error converting fieldPath: {error}");
        errors.push(Error::invalid(&field_path, field, message));
        return;
    }
    match subscripted(field) {
        Some(("metadata.annotations", key)) => qualified_name(&key.to_lowercase(), path, errors),
        Some(("metadata.labels", key)) => qualified_name(key, path, errors),
        Some((outer, _)) => {
            errors.push(Error::invalid(path, outer, "does not support subscript"));
        }
        None if !fields.contains(&field) => {
            errors.push(Error::not_supported(&field_path, field, fields));
        }
        None => {}
    }
}

/// `metadata.labels['app']` in its two parts. Upstream: SplitMaybeSubscriptedPath.
fn subscripted(field: &str) -> Option<(&str, &str)> {
    let rest = field.strip_suffix("']")?;
    let (outer, key) = rest.split_once("['")?;
    (!outer.is_empty()).then_some((outer, key))
}

/// What is wrong with the name of a pod's field. Upstream: ConvertDownwardAPIFieldLabel.
fn field_label_error(version: &str, field: &str) -> Option<String> {
    if version != "v1" {
        return Some(format!("unsupported pod version: {version}"));
    }
    let outer = subscripted(field);
    let is_subscript =
        outer.is_some_and(|(outer, _)| matches!(outer, "metadata.annotations" | "metadata.labels"));
    if let Some((outer, _)) = outer.filter(|_| !is_subscript) {
        return Some(format!("field label does not support subscript: {outer}"));
    }
    let is_known = matches!(
        field,
        "metadata.annotations"
            | "metadata.labels"
            | "metadata.name"
            | "metadata.namespace"
            | "metadata.uid"
            | "spec.nodeName"
            | "spec.restartPolicy"
            | "spec.serviceAccountName"
            | "spec.schedulerName"
            | "spec.host"
            | "status.phase"
            | "status.hostIP"
            | "status.hostIPs"
            | "status.podIP"
            | "status.podIPs"
    );
    (!is_subscript && !is_known).then(|| format!("field label not supported: {field}"))
}

/// Upstream: validateContainerResourceFieldSelector.
pub(super) fn resource_field_selector(
    selector: &ResourceFieldSelector,
    in_volume: bool,
    path: &Path,
    errors: &mut ErrorList,
) {
    let resource = selector.resource.as_str();
    let is_huge_page = ["limits.hugepages-", "requests.hugepages-"]
        .into_iter()
        .any(|prefix| resource.starts_with(prefix));
    if in_volume && text(&selector.container_name).is_empty() {
        errors.push(Error::required(&path.child("containerName"), ""));
    } else if resource.is_empty() {
        errors.push(Error::required(&path.child("resource"), ""));
    } else if !RESOURCES.contains(&resource) && !is_huge_page {
        errors.push(Error::not_supported(&path.child("resource"), resource, RESOURCES));
    }
    let divisor = selector.divisor.as_ref().and_then(|text| Quantity::parse(&text.0).ok());
    let Some(divisor) = divisor.filter(|divisor| !divisor.amount().is_zero()) else { return };
    let (allowed, words): (&[&str], &str) = match resource {
        "limits.cpu" | "requests.cpu" => (&["1m", "1"], "1m and 1 are supported with the cpu"),
        "limits.memory" | "requests.memory" => (BYTE_DIVISORS, "the memory"),
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => {
            (BYTE_DIVISORS, "the local ephemeral storage")
        }
        _ if is_huge_page => (BYTE_DIVISORS, "the hugepages"),
        _ => return,
    };
    if allowed.contains(&divisor.to_string().as_str()) {
        return;
    }
    let message = if allowed.len() == 2 {
        format!("only divisor's values {words} resource")
    } else {
        format!(
            "only divisor's values {} are supported with {words} resource",
            BYTE_DIVISORS.join(", ")
        )
    };
    errors.push(Error::invalid(&path.child("divisor"), resource, message));
}

/// Upstream: ValidateEnvFrom.
pub(super) fn sources(sources: &[EnvFromSource], path: &Path, errors: &mut ErrorList) {
    for (index, source) in sources.iter().enumerate() {
        let index_path = path.index(index);
        let prefix = text(&source.prefix);
        if !prefix.is_empty() {
            let messages = names::environment_variable_name(prefix);
            invalid_each(messages, &index_path.child("prefix"), prefix, errors);
        }
        if let Some(config_map) = &source.config_map_ref {
            name_or_prefix(&config_map.name, &index_path.child("configMapRef"), errors);
        }
        if let Some(secret) = &source.secret_ref {
            name_or_prefix(&secret.name, &index_path.child("secretRef"), errors);
        }
        match (&source.config_map_ref, &source.secret_ref) {
            (None, None) => {
                let message = "must specify one of: `configMapRef` or `secretRef`";
                errors.push(Error::invalid(path, "", message));
            }
            (Some(_), Some(_)) => {
                let message = "may not have more than one field specified at a time";
                errors.push(Error::invalid(path, "", message));
            }
            _ => {}
        }
    }
}

fn name_or_prefix(name: &str, path: &Path, errors: &mut ErrorList) {
    let path = path.child("name");
    if name.is_empty() {
        errors.push(Error::required(&path, ""));
    } else {
        let messages = names::dns_subdomain(&names::mask_trailing_dash(name));
        invalid_each(messages, &path, name, errors);
    }
}
