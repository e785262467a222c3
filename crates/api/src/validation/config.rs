//! ConfigMaps and Secrets.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::{immutable, invalid_each, meta, names, text};
use crate::field::{Error, ErrorList, Path};

const MAX_BYTES: usize = 1024 * 1024;
const MAX_BYTES_REPORTED: i64 = 1024 * 1024;
const IMMUTABLE: &str = "field is immutable when `immutable` is set";

/// Upstream: ValidateConfigMap.
pub(crate) fn config_map(config_map: &ConfigMap) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&config_map.metadata, true, names::dns_subdomain, &mut errors);
    let mut size = 0;
    let path = Path::new("data");
    for (key, value) in config_map.data.iter().flatten() {
        invalid_each(names::config_map_key(key), &path.key(key), key, &mut errors);
        if config_map.binary_data.as_ref().is_some_and(|data| data.contains_key(key)) {
            let message = "duplicate of key present in binaryData";
            errors.push(Error::invalid(&path.key(key), key.as_str(), message));
        }
        size += value.len();
    }
    let path = Path::new("binaryData");
    for (key, value) in config_map.binary_data.iter().flatten() {
        invalid_each(names::config_map_key(key), &path.key(key), key, &mut errors);
        size += value.0.len();
    }
    if size > MAX_BYTES {
        errors.push(Error::too_long(&Path::new(""), MAX_BYTES_REPORTED));
    }
    errors
}

/// Upstream: ValidateConfigMapUpdate.
pub(crate) fn config_map_update(new: &ConfigMap, old: &ConfigMap) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    if old.immutable == Some(true) {
        for (name, has_changed) in [
            ("immutable", new.immutable != Some(true)),
            ("data", or_empty(&new.data) != or_empty(&old.data)),
            ("binaryData", or_empty(&new.binary_data) != or_empty(&old.binary_data)),
        ] {
            if has_changed {
                errors.push(Error::forbidden(&Path::new(name), IMMUTABLE));
            }
        }
    }
    errors.extend(config_map(new));
    errors
}

/// A map without entries is as good as none.
fn or_empty<V>(map: &Option<BTreeMap<String, V>>) -> Option<&BTreeMap<String, V>> {
    map.as_ref().filter(|map| !map.is_empty())
}

/// Upstream: ValidateSecret.
pub(crate) fn secret(secret: &Secret) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&secret.metadata, true, names::dns_subdomain, &mut errors);
    let none = BTreeMap::new();
    let data = secret.data.as_ref().unwrap_or(&none);
    let path = Path::new("data");
    for key in data.keys() {
        invalid_each(names::config_map_key(key), &path.key(key), key, &mut errors);
    }
    if data.values().map(|value| value.0.len()).sum::<usize>() > MAX_BYTES {
        errors.push(Error::too_long(&path, MAX_BYTES_REPORTED));
    }
    secret_type(secret, data, &path, &mut errors);
    errors
}

/// What secrets of a type must hold.
fn secret_type(
    secret: &Secret,
    data: &BTreeMap<String, ByteString>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let required = |key: &str, errors: &mut ErrorList| {
        if !data.contains_key(key) {
            errors.push(Error::required(&path.key(key), ""));
        }
    };
    match text(&secret.type_) {
        "kubernetes.io/service-account-token" => {
            let key = "kubernetes.io/service-account.name";
            let annotations = secret.metadata.annotations.as_ref();
            let name = annotations.and_then(|annotations| annotations.get(key));
            if name.is_none_or(String::is_empty) {
                let path = Path::new("metadata").child("annotations").key(key);
                errors.push(Error::required(&path, ""));
            }
        }
        "kubernetes.io/dockercfg" => json_object(".dockercfg", data, path, errors),
        "kubernetes.io/dockerconfigjson" => json_object(".dockerconfigjson", data, path, errors),
        "kubernetes.io/basic-auth"
            if !data.contains_key("username") && !data.contains_key("password") =>
        {
            required("username", errors);
            required("password", errors);
        }
        "kubernetes.io/ssh-auth"
            if data.get("ssh-privatekey").is_none_or(|key| key.0.is_empty()) =>
        {
            errors.push(Error::required(&path.key("ssh-privatekey"), ""));
        }
        "kubernetes.io/tls" => {
            required("tls.crt", errors);
            required("tls.key", errors);
        }
        _ => {}
    }
}

/// A key that must hold a JSON object.
fn json_object(
    key: &str,
    data: &BTreeMap<String, ByteString>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let path = path.key(key);
    let Some(value) = data.get(key) else {
        errors.push(Error::required(&path, ""));
        return;
    };
    let read = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&value.0);
    if let Err(error) = read {
        let message = if value.0.is_empty() {
            "unexpected end of JSON input".into()
        } else {
            error.to_string()
        };
        errors.push(Error::invalid(&path, "<secret contents redacted>", message));
    }
}

/// Upstream: ValidateSecretUpdate.
pub(crate) fn secret_update(new: &Secret, old: &Secret) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let (new_type, old_type) = (text(&new.type_), text(&old.type_));
    immutable(&new_type, &old_type, &Path::new("type"), &mut errors);
    if old.immutable == Some(true) {
        if new.immutable != Some(true) {
            errors.push(Error::forbidden(&Path::new("immutable"), IMMUTABLE));
        }
        if or_empty(&new.data) != or_empty(&old.data) {
            errors.push(Error::forbidden(&Path::new("data"), IMMUTABLE));
        }
    }
    errors.extend(secret(new));
    errors
}
