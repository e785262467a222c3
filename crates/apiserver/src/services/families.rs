//! Families of addresses. This cluster has one family, IPv4.
//!
//! Upstream: pkg/registry/core/service/storage/alloc.go, initIPFamilyFields, and storage.go,
//! normalizeClusterIPs

use api::field::{Error, ErrorList, Path};
use api::openapi::api::core::v1::ServiceSpec;
use api::services::{CLUSTER_IP_NONE, address_errors, service_type};
use serde_json::{Value, json};

use super::Refusal;

const FAMILY: &str = "IPv4";
const OTHER_FAMILY: &str = "IPv6";
const SINGLE: &str = "SingleStack";
const PREFER_DUAL: &str = "PreferDualStack";
const REQUIRE_DUAL: &str = "RequireDualStack";

fn list(field: &Option<Vec<String>>) -> &[String] {
    field.as_deref().unwrap_or_default()
}

fn policy(spec: &ServiceSpec) -> &str {
    spec.ip_family_policy.as_deref().unwrap_or_default()
}

fn has_selector(spec: &ServiceSpec) -> bool {
    spec.selector.as_ref().is_some_and(|selector| !selector.is_empty())
}

fn is_headless(spec: &ServiceSpec) -> bool {
    spec.cluster_ip.as_deref() == Some(CLUSTER_IP_NONE)
}

/// Brings the one address and the list of addresses of a changed Service together, as far as a
/// client that knows only one of the two may have meant it. Upstream: normalizeClusterIPs.
pub(super) fn normalize(new: &mut ServiceSpec, old: &ServiceSpec) {
    let same_ip = old.cluster_ip == new.cluster_ip;
    if old.cluster_ips.is_some() && new.cluster_ips.is_none() && same_ip {
        new.cluster_ips.clone_from(&old.cluster_ips);
    }
    if !same_ip && old.cluster_ips == new.cluster_ips {
        new.cluster_ips = match (&old.cluster_ip, &new.cluster_ip) {
            (Some(_), None) => None,
            (_, ip) => ip.clone().map(|ip| vec![ip]),
        };
    }
}

/// Whether a Service that prefers two families stays as it was, even if the cluster's changed.
/// Upstream: isMatchingPreferDualStackClusterIPFields.
fn stays_preferring(new: &ServiceSpec, old: &ServiceSpec) -> bool {
    service_type(new) == service_type(old)
        && policy(new) == PREFER_DUAL
        && policy(old) == PREFER_DUAL
        && new.cluster_ip == old.cluster_ip
        && new.cluster_ips == old.cluster_ips
        && new.ip_families == old.ip_families
}

/// Sets the policy and the families that a Service does not say, and refuses what this cluster
/// cannot give. Upstream: initIPFamilyFields.
pub(super) fn init(spec: &mut ServiceSpec, old: Option<&ServiceSpec>) -> Result<(), Refusal> {
    let is_unchanged = old.is_some_and(|old| stays_preferring(spec, old));
    if service_type(spec) == "ExternalName" || is_unchanged {
        return Ok(());
    }
    let selectorless = is_headless(spec) && !has_selector(spec);
    if spec.ip_family_policy.is_none() {
        let default = if selectorless { REQUIRE_DUAL } else { SINGLE };
        let before = old.and_then(|old| old.ip_family_policy.clone());
        spec.ip_family_policy = Some(before.unwrap_or_else(|| default.to_string()));
    }
    refuse(address_errors(spec))?;
    let mut errors = ErrorList::new();
    if let Some(old) = old {
        reduce(spec, old, &mut errors);
    }
    agree(spec, &mut errors);
    infer_families(spec, &mut errors);
    refuse(errors)?;
    if selectorless {
        let families = spec.ip_families.get_or_insert_with(|| vec![FAMILY.to_string()]);
        if let [only] = families.as_slice()
            && spec.ip_family_policy.as_deref() != Some(SINGLE)
        {
            let other = if only == FAMILY { OTHER_FAMILY } else { FAMILY };
            families.push(other.to_string());
        }
        return Ok(());
    }
    refuse(not_configured(spec))?;
    spec.ip_families.get_or_insert_with(|| vec![FAMILY.to_string()]);
    Ok(())
}

fn refuse(errors: ErrorList) -> Result<(), Refusal> {
    if errors.is_empty() { Ok(()) } else { Err(Refusal::Invalid(errors)) }
}

fn policy_error(spec: &ServiceSpec, words: &str) -> Error {
    Error::invalid(&Path::new("spec").child("ipFamilyPolicy"), policy(spec), words)
}

/// What a change from two families to one has to say.
fn reduce(spec: &mut ServiceSpec, old: &ServiceSpec, errors: &mut ErrorList) {
    if policy(spec) == SINGLE {
        let same_ips = spec.cluster_ips == old.cluster_ips && spec.cluster_ip == old.cluster_ip;
        if let Some(ips) = spec.cluster_ips.as_mut().filter(|_| same_ips) {
            ips.truncate(1);
        }
        let same_families = spec.ip_families == old.ip_families;
        if let Some(families) = spec.ip_families.as_mut().filter(|_| same_families) {
            families.truncate(1);
        }
        return;
    }
    let fewer = |new: &Option<Vec<String>>, old: &Option<Vec<String>>| {
        !list(new).is_empty() && list(new).len() < list(old).len()
    };
    if fewer(&spec.cluster_ips, &old.cluster_ips) {
        let words = "must be 'SingleStack' to release the secondary cluster IP";
        errors.push(policy_error(spec, words));
    }
    if fewer(&spec.ip_families, &old.ip_families) {
        let words = "must be 'SingleStack' to release the secondary IP family";
        errors.push(policy_error(spec, words));
    }
}

/// Whether the policy allows as many addresses and families as there are.
fn agree(spec: &ServiceSpec, errors: &mut ErrorList) {
    if policy(spec) != SINGLE {
        return;
    }
    for (count, what) in [
        (list(&spec.cluster_ips).len(), "cluster IPs"),
        (list(&spec.ip_families).len(), "IP families"),
    ] {
        if count == 2 {
            let words = format!(
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are \
                 specified"
            );
            errors.push(policy_error(spec, &words));
        }
    }
}

/// The families of addresses that are given.
fn infer_families(spec: &mut ServiceSpec, errors: &mut ErrorList) {
    let ips = spec.cluster_ips.clone().unwrap_or_default();
    let known = list(&spec.ip_families).len();
    for (index, ip) in ips.iter().enumerate().skip(known) {
        if ip == CLUSTER_IP_NONE {
            break;
        }
        if ip.contains(':') {
            let path = Path::new("spec").child("clusterIPs").index(index);
            let words = format!("{OTHER_FAMILY} is not configured on this cluster");
            errors.push(Error::invalid(&path, json!(ips), words));
        } else {
            spec.ip_families.get_or_insert_default().push(FAMILY.to_string());
        }
    }
}

fn not_configured(spec: &ServiceSpec) -> ErrorList {
    let mut errors = ErrorList::new();
    if policy(spec) == REQUIRE_DUAL {
        let words = "this cluster is not configured for dual-stack services";
        errors.push(policy_error(spec, words));
    }
    for (index, family) in list(&spec.ip_families).iter().enumerate() {
        if family != FAMILY {
            let path = Path::new("spec").child("ipFamilies").index(index);
            let words = "not configured on this cluster";
            errors.push(Error::invalid(&path, Value::from(family.as_str()), words));
        }
    }
    errors
}
