//! Metadata: names, labels, annotations, owners, finalizers; and label selectors.
//!
//! Upstream: staging/src/k8s.io/apimachinery/pkg/api/validation/objectmeta.go and
//! staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/validation/validation.go

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    LabelSelector, LabelSelectorRequirement, ObjectMeta, OwnerReference,
};
use sim::Sort;

use super::names::{self, NameCheck};
use super::{immutable, invalid_each, json, list, non_negative, qualified_name, text};
use crate::field::{Error, ErrorList, Path};
use crate::labels::label_value_errors;

const MAX_ANNOTATIONS_BYTES: usize = 256 * 1024;

type Texts = BTreeMap<String, String>;

/// Upstream: ValidateObjectMeta.
pub(super) fn object_meta(
    meta: &ObjectMeta,
    is_namespaced: bool,
    check: NameCheck,
    errors: &mut ErrorList,
) {
    let path = Path::new("metadata");
    let prefix = text(&meta.generate_name);
    if !prefix.is_empty() {
        let messages = check(&names::mask_trailing_dash(prefix));
        invalid_each(messages, &path.child("generateName"), prefix, errors);
    }
    let name = text(&meta.name);
    if name.is_empty() {
        errors.push(Error::required(&path.child("name"), "name or generateName is required"));
    } else {
        invalid_each(check(name), &path.child("name"), name, errors);
    }
    let namespace = text(&meta.namespace);
    let namespace_path = path.child("namespace");
    match (is_namespaced, namespace.is_empty()) {
        (true, true) => errors.push(Error::required(&namespace_path, "")),
        (true, false) => {
            invalid_each(names::dns_label(namespace), &namespace_path, namespace, errors);
        }
        (false, true) => {}
        (false, false) => {
            errors.push(Error::forbidden(&namespace_path, "not allowed on this type"));
        }
    }
    non_negative(meta.generation.unwrap_or_default(), &path.child("generation"), errors);
    labels(meta.labels.as_ref(), &path.child("labels"), errors);
    annotations(meta.annotations.as_ref(), &path.child("annotations"), errors);
    owner_references(list(&meta.owner_references), &path.child("ownerReferences"), errors);
    finalizers(list(&meta.finalizers), &path.child("finalizers"), errors);
    standard_finalizers(list(&meta.finalizers), &path.child("finalizers"), errors);
}

/// Upstream: ValidateObjectMetaUpdate. That the resource version is set is no matter here: a
/// server that allows unconditional updates sets it before.
pub(super) fn object_meta_update(new: &ObjectMeta, old: &ObjectMeta, errors: &mut ErrorList) {
    if is_unchanged(new, old) {
        return;
    }
    let path = Path::new("metadata");
    let finalizers_path = path.child("finalizers");
    if old.deletion_timestamp.is_some() {
        no_new_finalizers(list(&new.finalizers), list(&old.finalizers), &finalizers_path, errors);
    }
    let generation = new.generation.unwrap_or_default();
    non_negative(generation, &path.child("generation"), errors);
    if generation < old.generation.unwrap_or_default() {
        let message = "must not be decremented";
        errors.push(Error::invalid(&path.child("generation"), generation, message));
    }
    immutable(&text(&new.name), &text(&old.name), &path.child("name"), errors);
    immutable(&text(&new.namespace), &text(&old.namespace), &path.child("namespace"), errors);
    immutable(&text(&new.uid), &text(&old.uid), &path.child("uid"), errors);
    let created = path.child("creationTimestamp");
    immutable(&new.creation_timestamp, &old.creation_timestamp, &created, errors);
    let deleted = path.child("deletionTimestamp");
    immutable(&new.deletion_timestamp, &old.deletion_timestamp, &deleted, errors);
    let grace = path.child("deletionGracePeriodSeconds");
    let (new_grace, old_grace) =
        (&new.deletion_grace_period_seconds, &old.deletion_grace_period_seconds);
    immutable(new_grace, old_grace, &grace, errors);
    labels(new.labels.as_ref(), &path.child("labels"), errors);
    annotations(new.annotations.as_ref(), &path.child("annotations"), errors);
    owner_references(list(&new.owner_references), &path.child("ownerReferences"), errors);
    standard_finalizers(list(&new.finalizers), &finalizers_path, errors);
}

/// Whether nothing changed of what is validated. What is stored has been found valid.
fn is_unchanged(new: &ObjectMeta, old: &ObjectMeta) -> bool {
    new.generation.unwrap_or_default() >= old.generation.unwrap_or_default()
        && new.name == old.name
        && new.namespace == old.namespace
        && new.uid == old.uid
        && new.creation_timestamp == old.creation_timestamp
        && new.deletion_timestamp == old.deletion_timestamp
        && new.deletion_grace_period_seconds == old.deletion_grace_period_seconds
        && new.labels == old.labels
        && new.annotations == old.annotations
        && new.owner_references == old.owner_references
        && new.finalizers == old.finalizers
}

/// Upstream: ValidateLabels.
pub(super) fn labels(labels: Option<&Texts>, path: &Path, errors: &mut ErrorList) {
    for (key, value) in labels.into_iter().flatten() {
        qualified_name(key, path, errors);
        invalid_each(label_value_errors(value), path, value, errors);
    }
}

/// Upstream: ValidateAnnotations.
pub(super) fn annotations(annotations: Option<&Texts>, path: &Path, errors: &mut ErrorList) {
    let mut size = 0;
    for (key, value) in annotations.into_iter().flatten() {
        // The case of a key's letters does not matter.
        let messages = crate::labels::label_key_errors(&key.to_lowercase());
        invalid_each(messages, path, key, errors);
        size += key.len() + value.len();
    }
    if size > MAX_ANNOTATIONS_BYTES {
        errors
            .push(Error::too_long(path, i64::try_from(MAX_ANNOTATIONS_BYTES).unwrap_or(i64::MAX)));
    }
}

/// Upstream: ValidateOwnerReferences.
fn owner_references(owners: &[OwnerReference], path: &Path, errors: &mut ErrorList) {
    let mut controller: Option<String> = None;
    for (index, owner) in owners.iter().enumerate() {
        owner_reference(owner, &path.index(index), errors);
        if owner.controller != Some(true) {
            continue;
        }
        let name = format!("{}/{}", owner.kind, owner.name);
        match &controller {
            None => controller = Some(name),
            Some(first) => {
                let message = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in \
                     references for {first} and {name}"
                );
                errors.push(Error::invalid(path, json(&owners), message));
            }
        }
    }
}

fn owner_reference(owner: &OwnerReference, path: &Path, errors: &mut ErrorList) {
    let must_not_be_empty = |value: &str, name: &str, errors: &mut ErrorList| {
        if value.is_empty() {
            errors.push(Error::required(&path.child(name), "must not be empty"));
        }
    };
    let version = &owner.api_version;
    must_not_be_empty(version, "apiVersion", errors);
    let has_version = version.rsplit('/').next().is_some_and(|version| !version.is_empty());
    if !version.is_empty() && (version.matches('/').count() > 1 || !has_version) {
        let message = "must be <group>/<version> or <version>";
        errors.push(Error::invalid(&path.child("apiVersion"), version.as_str(), message));
    }
    must_not_be_empty(&owner.kind, "kind", errors);
    must_not_be_empty(&owner.name, "name", errors);
    must_not_be_empty(&owner.uid, "uid", errors);
    if version == "v1" && owner.kind == "Event" {
        let message = "/v1, Kind=Event is disallowed from being an owner";
        errors.push(Error::invalid(path, json(owner), message));
    }
}

/// Upstream: ValidateFinalizers.
fn finalizers(finalizers: &[String], path: &Path, errors: &mut ErrorList) {
    for finalizer in finalizers {
        qualified_name(finalizer, path, errors);
    }
    let has = |name: &str| finalizers.iter().any(|finalizer| finalizer == name);
    if has("orphan") && has("foregroundDeletion") {
        let message = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(Error::invalid(path, json(&finalizers), message));
    }
}

/// Upstream: validateKubeFinalizerName, for each finalizer of an object.
fn standard_finalizers(finalizers: &[String], path: &Path, errors: &mut ErrorList) {
    for (index, finalizer) in finalizers.iter().enumerate() {
        standard_finalizer(finalizer, &path.index(index), errors);
    }
}

pub(super) fn standard_finalizer(finalizer: &str, path: &Path, errors: &mut ErrorList) {
    let is_standard = matches!(finalizer, "kubernetes" | "orphan" | "foregroundDeletion");
    if !finalizer.contains('/') && !is_standard {
        let message = "name is neither a standard finalizer name nor is it fully qualified";
        errors.push(Error::invalid(path, finalizer, message));
    }
}

/// Upstream: ValidateNoNewFinalizers.
fn no_new_finalizers(new: &[String], old: &[String], path: &Path, errors: &mut ErrorList) {
    let mut extra: Vec<&String> = new.iter().filter(|finalizer| !old.contains(finalizer)).collect();
    if extra.is_empty() {
        return;
    }
    extra.order();
    extra.dedup();
    let quoted: Vec<String> = extra.iter().map(|finalizer| format!("{finalizer:?}")).collect();
    let message = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers \
         []string{{{}}}",
        quoted.join(", ")
    );
    errors.push(Error::forbidden(path, &message));
}

/// Upstream: ValidateLabelSelector.
pub(super) fn label_selector(selector: &LabelSelector, path: &Path, errors: &mut ErrorList) {
    labels(selector.match_labels.as_ref(), &path.child("matchLabels"), errors);
    let path = path.child("matchExpressions");
    for (index, requirement) in list(&selector.match_expressions).iter().enumerate() {
        label_selector_requirement(requirement, &path.index(index), errors);
    }
}

fn label_selector_requirement(
    requirement: &LabelSelectorRequirement,
    path: &Path,
    errors: &mut ErrorList,
) {
    let values = list(&requirement.values);
    let values_path = path.child("values");
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            let message = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.push(Error::required(&values_path, message));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let message = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.push(Error::forbidden(&values_path, message));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        operator => {
            let message = "not a valid selector operator";
            errors.push(Error::invalid(&path.child("operator"), operator, message));
        }
    }
    qualified_name(&requirement.key, &path.child("key"), errors);
    for (index, value) in values.iter().enumerate() {
        invalid_each(label_value_errors(value), &values_path.index(index), value, errors);
    }
}

/// The metadata of a claim's template: labels and annotations only.
/// Upstream: ValidateTemplateObjectMeta.
pub(super) fn template_object_meta(meta: &ObjectMeta, path: &Path, errors: &mut ErrorList) {
    annotations(meta.annotations.as_ref(), &path.child("annotations"), errors);
    labels(meta.labels.as_ref(), &path.child("labels"), errors);
    let set = json(meta);
    let others = set.as_object().into_iter().flatten();
    for (name, _) in others.filter(|(name, _)| !matches!(name.as_str(), "annotations" | "labels")) {
        errors.push(Error::forbidden(&path.child(name), "cannot be set"));
    }
}
