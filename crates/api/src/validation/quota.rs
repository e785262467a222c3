//! ResourceQuotas.
//!
//! Upstream: pkg/apis/core/validation/validation.go

use k8s_openapi::api::core::v1::{ResourceQuota, ResourceQuotaSpec};

use super::{IS_IMMUTABLE, json, list, meta, names, resources};
use crate::defaults::ResourceList;
use crate::field::{Error, ErrorList, Path};
use crate::quota;

/// Scopes that exclude each other.
const CONFLICTS: [[&str; 2]; 2] =
    [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]];
const SCOPES: [&str; 7] = [
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
];

/// Upstream: ValidateResourceQuota.
pub(crate) fn resource_quota(quota: &ResourceQuota) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&quota.metadata, true, names::dns_subdomain, &mut errors);
    quota_spec(quota, &mut errors);
    quota_status(quota, &mut errors);
    errors
}

/// Upstream: ValidateResourceQuotaUpdate.
pub(crate) fn resource_quota_update(new: &ResourceQuota, old: &ResourceQuota) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    quota_spec(new, &mut errors);
    let scopes = |quota: &ResourceQuota| {
        let mut scopes = quota.spec.clone().and_then(|spec| spec.scopes).unwrap_or_default();
        sim::Sort::order(&mut scopes[..]);
        scopes
    };
    if scopes(new) != scopes(old) {
        let value = json(&new.spec.as_ref().and_then(|spec| spec.scopes.as_ref()));
        let path = Path::new("spec").child("scopes");
        errors.push(Error::invalid(&path, value, IS_IMMUTABLE));
    }
    errors
}

/// Upstream: ValidateResourceQuotaStatusUpdate.
pub(crate) fn resource_quota_status_update(new: &ResourceQuota, old: &ResourceQuota) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    quota_status(new, &mut errors);
    errors
}

fn resource_list(resources: Option<&ResourceList>, path: &Path, errors: &mut ErrorList) {
    for (name, quantity) in resources.into_iter().flatten() {
        let path = path.key(name);
        resources::resource_name(name, &path, errors);
        if !name.contains('/') && !quota::is_standard_resource(name) {
            let message = "must be a standard resource for quota";
            errors.push(Error::invalid(&path, name.as_str(), message));
        }
        resources::quantity_value(name, quantity, &path, errors);
    }
}

fn quota_status(quota: &ResourceQuota, errors: &mut ErrorList) {
    let Some(status) = &quota.status else { return };
    let path = Path::new("status");
    resource_list(status.hard.as_ref(), &path.child("hard"), errors);
    resource_list(status.used.as_ref(), &path.child("used"), errors);
}

/// Upstream: ValidateResourceQuotaSpec.
fn quota_spec(quota: &ResourceQuota, errors: &mut ErrorList) {
    let Some(spec) = &quota.spec else { return };
    let path = Path::new("spec");
    resource_list(spec.hard.as_ref(), &path.child("hard"), errors);
    scopes(spec, &path.child("scopes"), errors);
    scope_selector(spec, &path.child("scopeSelector"), errors);
}

/// Whether the quota limits something that the scope cannot tell apart; once for each.
fn count_misapplied(spec: &ResourceQuotaSpec, scope: &str) -> usize {
    let names = spec.hard.iter().flatten().map(|(name, _)| name.as_str());
    let standard = names.filter(|name| quota::is_standard_resource(name));
    standard.filter(|name| !quota::is_scope_valid_for(scope, name)).count()
}

fn has_conflict(scopes: &[&str]) -> usize {
    let conflicts = CONFLICTS.iter().filter(|pair| pair.iter().all(|it| scopes.contains(it)));
    conflicts.count()
}

/// Upstream: validateResourceQuotaScopes.
fn scopes(spec: &ResourceQuotaSpec, path: &Path, errors: &mut ErrorList) {
    let all = list(&spec.scopes);
    let mut invalid =
        |message: &str| errors.push(Error::invalid(path, json(&all), message.to_string()));
    for scope in all {
        if !SCOPES.contains(&scope.as_str()) {
            invalid("unsupported scope");
        }
        for _ in 0..count_misapplied(spec, scope) {
            invalid("unsupported scope applied to resource");
        }
    }
    let names: Vec<&str> = all.iter().map(String::as_str).collect();
    for _ in 0..has_conflict(&names) {
        invalid("conflicting scopes");
    }
}

/// Upstream: validateScopedResourceSelectorRequirement.
fn scope_selector(spec: &ResourceQuotaSpec, path: &Path, errors: &mut ErrorList) {
    let Some(selector) = &spec.scope_selector else { return };
    let path = path.child("matchExpressions");
    let mut names = Vec::new();
    for requirement in list(&selector.match_expressions) {
        let scope = requirement.scope_name.as_str();
        names.push(scope);
        if !SCOPES.contains(&scope) {
            let path = path.child("scopeName");
            errors.push(Error::invalid(&path, scope, "unsupported scope"));
        }
        for _ in 0..count_misapplied(spec, scope) {
            let message = "unsupported scope applied to resource";
            errors.push(Error::invalid(&path, json(selector), message));
        }
        let takes_values = matches!(scope, "PriorityClass" | "VolumeAttributesClass");
        let operator = requirement.operator.as_str();
        if SCOPES.contains(&scope) && !takes_values && operator != "Exists" {
            let message = "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, \
                           ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, \
                           ResourceQuotaScopeNotBestEffort or \
                           ResourceQuotaScopeCrossNamespacePodAffinity";
            errors.push(Error::invalid(&path.child("operator"), operator, message));
        }
        let values = list(&requirement.values);
        let values_path = path.child("values");
        match operator {
            "In" | "NotIn" if values.is_empty() => {
                let message = "must be at least one value when `operator` is 'In' or 'NotIn' for \
                               scope selector";
                errors.push(Error::required(&values_path, message));
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let message = "must be no value when `operator` is 'Exists' or 'DoesNotExist' \
                               for scope selector";
                errors.push(Error::invalid(&values_path, json(&values), message));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => {
                let message = "not a valid selector operator";
                errors.push(Error::invalid(&path.child("operator"), operator, message));
            }
        }
    }
    for _ in 0..has_conflict(&names) {
        let value = json(&spec.scopes);
        errors.push(Error::invalid(&path, value, "conflicting scopes"));
    }
}
