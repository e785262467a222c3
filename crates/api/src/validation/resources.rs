//! Requests and limits: names of resources, quantities, and how both go together.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PodSpec, ResourceClaim, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as QuantityText;
use sim::SmallSet;

use super::{IS_NEGATIVE, IS_NOT_POSITIVE, dns_label, list, qualified_name};
use crate::defaults::aggregate;
use crate::field::{Error, ErrorList, Path};
use crate::quantity::{Amount, Quantity};

type ResourceList = BTreeMap<String, QuantityText>;
type ClaimNames<'a> = SmallSet<&'a str>;

/// Upstream: ValidateContainerResourceRequirements.
pub(super) fn container_requirements(
    requirements: &ResourceRequirements,
    claims: &ClaimNames<'_>,
    path: &Path,
    errors: &mut ErrorList,
) {
    validate(requirements, container_resource_name, claims, path, errors);
}

/// Upstream: validateOverhead.
pub(super) fn overhead(overhead: &ResourceList, path: &Path, errors: &mut ErrorList) {
    let limits = Some(overhead.clone());
    let requirements = ResourceRequirements { limits, ..ResourceRequirements::default() };
    container_requirements(&requirements, &ClaimNames::new(), path, errors);
}

/// Upstream: validatePodResources.
pub(super) fn pod_requirements(
    spec: &PodSpec,
    claims: &ClaimNames<'_>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let Some(requirements) = &spec.resources else { return };
    if requirements.claims.is_some() {
        let message = "claims cannot be set for Resources at pod-level";
        errors.push(Error::forbidden(&path.child("claims"), message));
    }
    validate(requirements, pod_resource_name, claims, path, errors);
    let none = ResourceList::new();
    let requests = requirements.requests.as_ref().unwrap_or(&none);
    for (name, needed) in aggregate(spec, |resources| resources.requests.as_ref()) {
        let request = requests.get(&name).map_or("0", |request| request.0.as_str());
        let amount = Quantity::parse(request).map(|request| request.amount()).unwrap_or_default();
        if needed.amount() > amount {
            let message = format!(
                "must be greater than or equal to aggregate container requests of {needed}"
            );
            errors.push(Error::invalid(&path.child("requests").key(&name), request, message));
        }
    }
    for (index, container) in spec.containers.iter().enumerate() {
        let limits = container.resources.as_ref().and_then(|own| own.limits.as_ref());
        for (name, limit) in limits.into_iter().flatten() {
            let pod_limit = requirements.limits.as_ref().and_then(|limits| limits.get(name));
            let Some(pod_limit) = pod_limit else { continue };
            if Amount::of(limit) > Amount::of(pod_limit) {
                let path = path.child("containers").index(index).key(name).child("limits");
                let message =
                    format!("must be less than or equal to pod limits of {}", pod_limit.0);
                errors.push(Error::invalid(&path, limit.0.as_str(), message));
            }
        }
    }
}

/// Upstream: validateResourceRequirements.
fn validate(
    requirements: &ResourceRequirements,
    check_name: fn(&str, &Path, &mut ErrorList),
    claims: &ClaimNames<'_>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let none = ResourceList::new();
    let limits = requirements.limits.as_ref().unwrap_or(&none);
    let requests = requirements.requests.as_ref().unwrap_or(&none);
    let limits_path = path.child("limits");
    let requests_path = path.child("requests");
    for (name, quantity) in limits {
        one_resource(name, quantity, check_name, &limits_path.key(name), errors);
    }
    for (name, quantity) in requests {
        let path = requests_path.key(name);
        check_name(name, &path, errors);
        quantity_value(name, quantity, &path, errors);
        request_and_limit(name, quantity, limits.get(name), (&requests_path, &limits_path), errors);
        huge_page_multiple(name, quantity, &path, errors);
    }
    let mut all = limits.keys().chain(requests.keys());
    let has_compute = all.clone().any(|name| matches!(name.as_str(), "cpu" | "memory"));
    if !has_compute && all.any(|name| is_huge_page(name)) {
        errors.push(Error::forbidden(path, "HugePages require cpu or memory"));
    }
    claim_names(list(&requirements.claims), claims, &path.child("claims"), errors);
}

fn one_resource(
    name: &str,
    quantity: &QuantityText,
    check_name: fn(&str, &Path, &mut ErrorList),
    path: &Path,
    errors: &mut ErrorList,
) {
    check_name(name, path, errors);
    quantity_value(name, quantity, path, errors);
    huge_page_multiple(name, quantity, path, errors);
}

fn request_and_limit(
    name: &str,
    request: &QuantityText,
    limit: Option<&QuantityText>,
    (requests_path, limits_path): (&Path, &Path),
    errors: &mut ErrorList,
) {
    let Some(limit) = limit else {
        if !is_overcommit_allowed(name) {
            let message = "Limit must be set for non overcommitable resources";
            errors.push(Error::required(limits_path, message));
        }
        return;
    };
    let (requested, limited) = (Amount::of(request), Amount::of(limit));
    let words = if requested != limited && !is_overcommit_allowed(name) {
        "must be equal to"
    } else if requested > limited {
        "must be less than or equal to"
    } else {
        return;
    };
    let message = format!("{words} {name} limit of {}", limit.0);
    errors.push(Error::invalid(requests_path, request.0.as_str(), message));
}

/// Upstream: ValidateResourceQuantityValue.
pub(super) fn quantity_value(
    name: &str,
    quantity: &QuantityText,
    path: &Path,
    errors: &mut ErrorList,
) {
    let amount = Amount::of(quantity);
    if amount < Amount::ZERO {
        errors.push(Error::invalid(path, quantity.0.as_str(), IS_NEGATIVE));
    }
    if is_integer(name) && amount.milli_value() % 1000 != 0 {
        errors.push(Error::invalid(path, quantity.0.as_str(), "must be an integer"));
    }
}

/// Upstream: ValidatePositiveQuantityValue.
pub(super) fn positive(quantity: &QuantityText, path: &Path, errors: &mut ErrorList) {
    if Amount::of(quantity) <= Amount::ZERO {
        errors.push(Error::invalid(path, quantity.0.as_str(), IS_NOT_POSITIVE));
    }
}

/// Upstream: validateResourceQuantityHugePageValue.
fn huge_page_multiple(name: &str, quantity: &QuantityText, path: &Path, errors: &mut ErrorList) {
    let Some(size) = name.strip_prefix("hugepages-") else { return };
    let page = Quantity::parse(size).map(|size| size.value()).unwrap_or_default();
    let value = Amount::of(quantity).value();
    if page <= 0 || value % page != 0 {
        let message = format!("{} is not positive integer multiple of {name}", quantity.0);
        errors.push(Error::invalid(path, quantity.0.as_str(), message));
    }
}

/// Upstream: validateContainerResourceName.
pub(super) fn container_resource_name(name: &str, path: &Path, errors: &mut ErrorList) {
    resource_name(name, path, errors);
    let message = if !name.contains('/') {
        if matches!(name, "cpu" | "memory" | "ephemeral-storage") || is_huge_page(name) {
            return;
        }
        "must be a standard resource for containers"
    } else if is_native(name) || is_extended(name) {
        return;
    } else {
        "doesn't follow extended resource name standard"
    };
    errors.push(Error::invalid(path, name, message));
}

/// Upstream: validatePodResourceName.
fn pod_resource_name(name: &str, path: &Path, errors: &mut ErrorList) {
    let before = errors.len();
    resource_name(name, path, errors);
    let is_known = matches!(name, "cpu" | "memory") || is_huge_page(name);
    if errors.len() == before && !is_known {
        errors.push(Error::not_supported(path, name, &["cpu", "hugepages-", "memory"]));
    }
}

/// Upstream: validateResourceName.
pub(super) fn resource_name(name: &str, path: &Path, errors: &mut ErrorList) {
    let before = errors.len();
    qualified_name(name, path, errors);
    if errors.len() == before && !name.contains('/') && !is_standard(name) {
        let message = "must be a standard resource type or fully qualified";
        errors.push(Error::invalid(path, name, message));
    }
}

/// Upstream: IsStandardResourceName in pkg/apis/core/helper/helpers.go
fn is_standard(name: &str) -> bool {
    is_huge_page(name)
        || name.starts_with("requests.hugepages-")
        || matches!(
            name,
            "cpu"
                | "memory"
                | "ephemeral-storage"
                | "requests.cpu"
                | "requests.memory"
                | "requests.ephemeral-storage"
                | "limits.cpu"
                | "limits.memory"
                | "limits.ephemeral-storage"
                | "pods"
                | "resourcequotas"
                | "services"
                | "replicationcontrollers"
                | "secrets"
                | "configmaps"
                | "persistentvolumeclaims"
                | "storage"
                | "requests.storage"
                | "services.nodeports"
                | "services.loadbalancers"
        )
}

fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Upstream: IsExtendedResourceName.
fn is_extended(name: &str) -> bool {
    let quota_name = format!("requests.{name}");
    !is_native(name)
        && !name.starts_with("requests.")
        && crate::labels::label_key_errors(&quota_name).is_empty()
}

pub(super) fn is_overcommit_allowed(name: &str) -> bool {
    is_native(name) && !is_huge_page(name)
}

/// Upstream: IsIntegerResourceName.
fn is_integer(name: &str) -> bool {
    is_extended(name)
        || matches!(
            name,
            "pods"
                | "resourcequotas"
                | "services"
                | "replicationcontrollers"
                | "secrets"
                | "configmaps"
                | "persistentvolumeclaims"
                | "services.nodeports"
                | "services.loadbalancers"
        )
}

/// Upstream: validateResourceClaimNames.
fn claim_names(
    claims: &[ResourceClaim],
    pod_claims: &ClaimNames<'_>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let mut taken: SmallSet<String> = SmallSet::new();
    for (index, claim) in claims.iter().enumerate() {
        let path = path.index(index);
        let name = claim.name.as_str();
        if name.is_empty() {
            errors.push(Error::required(&path, ""));
            continue;
        }
        let request = claim.request.as_deref().unwrap_or_default();
        if taken.contains(name) {
            errors.push(Error::duplicate(&path, name));
        } else {
            let mut key = name.to_string();
            if !request.is_empty() {
                dns_label(request, &path.child("request"), errors);
                key = format!("{name}/{request}");
            }
            let overlaps = |other: &String| other.split('/').next() == Some(name);
            if taken.contains(&key) || request.is_empty() && taken.iter().any(overlaps) {
                errors.push(Error::duplicate(&path, key.as_str()));
            }
            taken.insert(key);
        }
        if !pod_claims.contains(name) {
            let mut error = Error::not_found(&path, name);
            let names: Vec<&str> = pod_claims.iter().copied().collect();
            error.detail = "must be one of the names in pod.spec.resourceClaims".to_string();
            error.detail += &match names.is_empty() {
                true => " which is empty".to_string(),
                false => format!(": {}", names.join(", ")),
            };
            errors.push(error);
        }
    }
}
