//! Volumes made of objects: secrets, ConfigMaps, the pod's own fields, tokens, and projections
//! of all of them into one directory.

use k8s_openapi::api::core::v1::{
    ClusterTrustBundleProjection, ConfigMapVolumeSource, DownwardAPIVolumeFile,
    DownwardAPIVolumeSource, KeyToPath, ProjectedVolumeSource, SecretVolumeSource,
    ServiceAccountTokenProjection,
};
use sim::SmallSet;

use super::environment::{VOLUME_FIELDS, object_field_selector, resource_field_selector};
use super::paths::{file_mode, local_non_reserved};
use super::volumes::projection_count;
use super::{json, list, meta, require, text};
use crate::field::{Error, ErrorList, Path};

/// Upstream: validateSecretVolumeSource.
pub(super) fn secret(secret: &SecretVolumeSource, path: &Path, errors: &mut ErrorList) {
    require(text(&secret.secret_name), &path.child("secretName"), errors);
    file_mode(secret.default_mode, &path.child("defaultMode"), errors);
    keys_to_paths(list(&secret.items), &path.child("items"), errors);
}

/// Upstream: validateConfigMapVolumeSource.
pub(super) fn config_map(config_map: &ConfigMapVolumeSource, path: &Path, errors: &mut ErrorList) {
    require(&config_map.name, &path.child("name"), errors);
    file_mode(config_map.default_mode, &path.child("defaultMode"), errors);
    keys_to_paths(list(&config_map.items), &path.child("items"), errors);
}

fn keys_to_paths(items: &[KeyToPath], path: &Path, errors: &mut ErrorList) {
    for (index, item) in items.iter().enumerate() {
        key_to_path(item, &path.index(index), errors);
    }
}

/// Upstream: validateKeyToPath.
fn key_to_path(item: &KeyToPath, path: &Path, errors: &mut ErrorList) {
    require(&item.key, &path.child("key"), errors);
    require(&item.path, &path.child("path"), errors);
    local_non_reserved(&item.path, &path.child("path"), errors);
    file_mode(item.mode, &path.child("mode"), errors);
}

/// Upstream: validateDownwardAPIVolumeSource.
pub(super) fn downward_api(source: &DownwardAPIVolumeSource, path: &Path, errors: &mut ErrorList) {
    file_mode(source.default_mode, &path.child("defaultMode"), errors);
    for file in list(&source.items) {
        downward_file(file, path, errors);
    }
}

/// Upstream: validateDownwardAPIVolumeFile.
fn downward_file(file: &DownwardAPIVolumeFile, path: &Path, errors: &mut ErrorList) {
    require(&file.path, &path.child("path"), errors);
    local_non_reserved(&file.path, &path.child("path"), errors);
    match (&file.field_ref, &file.resource_field_ref) {
        (Some(field), resource) => {
            object_field_selector(field, VOLUME_FIELDS, &path.child("fieldRef"), errors);
            if resource.is_some() {
                let message = "fieldRef and resourceFieldRef can not be specified simultaneously";
                errors.push(Error::invalid(path, "resource", message));
            }
        }
        (None, Some(resource)) => {
            resource_field_selector(resource, true, &path.child("resourceFieldRef"), errors);
        }
        (None, None) => {
            let message = "one of fieldRef and resourceFieldRef is required";
            errors.push(Error::required(path, message));
        }
    }
    file_mode(file.mode, &path.child("mode"), errors);
}

/// Upstream: validateProjectedVolumeSource and validateProjectionSources.
pub(super) fn projected(source: &ProjectedVolumeSource, path: &Path, errors: &mut ErrorList) {
    file_mode(source.default_mode, &path.child("defaultMode"), errors);
    let mut taken = SmallSet::new();
    for (index, projection) in list(&source.sources).iter().enumerate() {
        let source_path = path.child("sources").index(index);
        for (name, object) in [
            ("secret", projection.secret.as_ref().map(|it| (&it.name, list(&it.items)))),
            ("configMap", projection.config_map.as_ref().map(|it| (&it.name, list(&it.items)))),
        ] {
            let Some((object, items)) = object else { continue };
            let object_path = source_path.child(name);
            require(object, &object_path.child("name"), errors);
            for (index, item) in items.iter().enumerate() {
                key_to_path(item, &object_path.child("items").index(index), errors);
                if !item.path.is_empty() && !taken.insert(item.path.as_str()) {
                    conflicting(object, path, errors);
                }
            }
        }
        if let Some(downward) = &projection.downward_api {
            let downward_path = source_path.child("downwardAPI");
            for file in list(&downward.items) {
                downward_file(file, &downward_path, errors);
                if !file.path.is_empty() && !taken.insert(file.path.as_str()) {
                    conflicting(&file.path, path, errors);
                }
            }
        }
        if let Some(token) = &projection.service_account_token {
            let token_path = source_path.child("serviceAccountToken");
            service_account_token(token, &token_path, path, errors);
        }
        if let Some(bundle) = &projection.cluster_trust_bundle {
            cluster_trust_bundle(bundle, &source_path.child("clusterTrustBundle"), errors);
            if !taken.insert(bundle.path.as_str()) {
                conflicting(&bundle.path, path, errors);
            }
        }
        if projection_count(projection) > 1 {
            let message = "may not specify more than 1 volume type per source";
            errors.push(Error::forbidden(&source_path, message));
        }
    }
}

fn conflicting(value: &str, path: &Path, errors: &mut ErrorList) {
    errors.push(Error::invalid(path, value, "conflicting duplicate paths"));
}

fn service_account_token(
    token: &ServiceAccountTokenProjection,
    token_path: &Path,
    path: &Path,
    errors: &mut ErrorList,
) {
    let seconds = token.expiration_seconds.unwrap_or_default();
    let seconds_path = token_path.child("expirationSeconds");
    if seconds < 10 * 60 {
        let message = "may not specify a duration less than 10 minutes";
        errors.push(Error::invalid(&seconds_path, seconds, message));
    }
    if seconds > 1 << 32 {
        let message = "may not specify a duration larger than 2^32 seconds";
        errors.push(Error::invalid(&seconds_path, seconds, message));
    }
    if token.path.is_empty() {
        errors.push(Error::required(&path.child("path"), ""));
    } else {
        local_non_reserved(&token.path, &path.child("path"), errors);
    }
}

fn cluster_trust_bundle(
    bundle: &ClusterTrustBundleProjection,
    path: &Path,
    errors: &mut ErrorList,
) {
    match (&bundle.name, &bundle.signer_name) {
        (Some(_), Some(_)) => {
            let message = "only one of name and signerName may be used";
            errors.push(Error::invalid(path, json(bundle), message));
        }
        (Some(name), None) => {
            if name.is_empty() {
                errors.push(Error::required(&path.child("name"), "must be a valid object name"));
            }
            if let Some(selector) = &bundle.label_selector {
                let message = "labelSelector must be unset if name is specified";
                errors.push(Error::invalid(&path.child("labelSelector"), json(selector), message));
            }
        }
        (None, Some(signer)) => {
            if signer.is_empty() {
                let message = "must be a valid signer name";
                errors.push(Error::required(&path.child("signerName"), message));
            }
            if let Some(selector) = &bundle.label_selector {
                meta::label_selector(selector, &path.child("labelSelector"), errors);
            }
        }
        (None, None) => {
            let message = "either name or signerName must be specified";
            errors.push(Error::required(path, message));
        }
    }
    require(&bundle.path, &path.child("path"), errors);
    local_non_reserved(&bundle.path, &path.child("path"), errors);
}
