//! The addresses of Services and their families, and addresses and ports of endpoints.
//!
//! Upstream: pkg/apis/core/validation/validation.go, ValidateServiceClusterIPsRelatedFields

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use k8s_openapi::api::core::v1::ServiceSpec;
use sim::SmallSet;

use super::{invalid_each, json, list, names, supported, text};
use crate::field::{Error, ErrorList, Path};
use crate::services::is_headless;

const FAMILIES: [&str; 2] = ["IPv4", "IPv6"];
const POLICIES: [&str; 3] = ["PreferDualStack", "RequireDualStack", "SingleStack"];
const ONCE: &str = "may not change once set";

/// Upstream: IsValidPortNum.
pub(super) fn number_of_port(port: i32, path: &Path, errors: &mut ErrorList) {
    let messages = names::port_number(port).into_iter();
    errors.extend(messages.map(|message| Error::invalid(path, port, message)));
}

/// An address that others may reach. Upstream: ValidateNonSpecialIP.
pub(super) fn non_special_ip(ip: &str, path: &Path, errors: &mut ErrorList) {
    let Ok(address) = ip.parse::<IpAddr>() else {
        errors.push(Error::invalid(path, ip, "must be a valid IP address"));
        return;
    };
    let (link_local, link_local_multicast) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets().starts_with(&[224, 0, 0])),
        IpAddr::V6(v6) => (v6.segments()[0] & 0xffc0 == 0xfe80, v6.segments()[0] == 0xff02),
    };
    let mut refuse = |wrong: bool, message: &str| {
        if wrong {
            errors.push(Error::invalid(path, ip, message));
        }
    };
    refuse(address.is_unspecified(), &format!("may not be unspecified ({ip})"));
    refuse(address.is_loopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    refuse(link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    let message = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
    refuse(link_local_multicast, message);
}

/// An address, and one that others may reach.
pub(super) fn public_ip(ip: &str, path: &Path, errors: &mut ErrorList) {
    let messages = names::ip(ip);
    if messages.is_empty() {
        non_special_ip(ip, path, errors);
    } else {
        invalid_each(messages, path, ip, errors);
    }
}

/// Upstream: ValidateServiceClusterIPsRelatedFields.
pub(crate) fn service_addresses(spec: &ServiceSpec) -> ErrorList {
    let mut errors = ErrorList::new();
    if text(&spec.type_) == "ExternalName" {
        return errors;
    }
    let path = Path::new("spec");
    let ips_path = path.child("clusterIPs");
    let ips = list(&spec.cluster_ips);
    let first = text(&spec.cluster_ip);
    let shown = || json(&spec.cluster_ips);
    match (first.is_empty(), ips.first()) {
        (false, None) => errors.push(Error::required(&ips_path, "")),
        (false, Some(ip)) if ip != first => {
            errors.push(Error::invalid(&ips_path, shown(), "first value must match `clusterIP`"));
        }
        (true, Some(_)) => {
            let message = "must be empty when `clusterIP` is not specified";
            errors.push(Error::invalid(&ips_path, shown(), message));
        }
        _ => {}
    }
    families(spec, &path, &mut errors);
    let mut has_invalid = false;
    for (index, ip) in ips.iter().enumerate() {
        if index == 0 && ip == "None" {
            if ips.len() > 1 {
                has_invalid = true;
                let message = "'None' must be the first and only value";
                errors.push(Error::invalid(&ips_path, shown(), message));
            }
            continue;
        }
        let messages = names::ip(ip);
        has_invalid = has_invalid || !messages.is_empty();
        invalid_each(messages, &ips_path.index(index), ip, &mut errors);
    }
    if ips.len() > 2 {
        errors.push(Error::invalid(&ips_path, shown(), "may only hold up to 2 values"));
    }
    if has_invalid {
        return errors;
    }
    let stacks: SmallSet<bool> = ips.iter().map(|ip| ip.contains(':')).collect();
    if ips.len() > 1 && stacks.len() < 2 {
        let message = "may specify no more than one IP for each IP family";
        errors.push(Error::invalid(&ips_path, shown(), message));
    }
    for (index, (ip, family)) in ips.iter().zip(list(&spec.ip_families)).enumerate() {
        let is_v6 = ip.contains(':');
        if !is_headless(spec) && FAMILIES.contains(&family.as_str()) && is_v6 != (family == "IPv6")
        {
            let message =
                format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
            errors.push(Error::invalid(&ips_path.index(index), ip.as_str(), message));
        }
    }
    errors
}

fn families(spec: &ServiceSpec, path: &Path, errors: &mut ErrorList) {
    let mut seen = SmallSet::new();
    for (index, family) in list(&spec.ip_families).iter().enumerate() {
        let path = path.child("ipFamilies").index(index);
        supported(family, &FAMILIES, &path, errors);
        if !seen.insert(family) {
            errors.push(Error::duplicate(&path, family.as_str()));
        }
    }
    if let Some(policy) = &spec.ip_family_policy {
        supported(policy, &POLICIES, &path.child("ipFamilyPolicy"), errors);
    }
}

/// What of addresses and families an update may not change.
/// Upstream: validateUpgradeDowngradeClusterIPs and validateUpgradeDowngradeIPFamilies.
pub(super) fn address_update(new: &ServiceSpec, old: &ServiceSpec, errors: &mut ErrorList) {
    let is_named = |spec: &ServiceSpec| text(&spec.type_) == "ExternalName";
    if is_named(new) || is_named(old) || (is_headless(old) && is_headless(new)) {
        return;
    }
    let single_stack = text(&new.ip_family_policy) == "SingleStack";
    changed_once(
        ("clusterIPs", "primary clusterIP can not be unset", "clusterIP"),
        (list(&new.cluster_ips), list(&old.cluster_ips)),
        single_stack,
        errors,
    );
    if is_headless(new) == is_headless(old) {
        changed_once(
            ("ipFamilies", "primary ipFamily can not be unset", "ipFamily"),
            (list(&new.ip_families), list(&old.ip_families)),
            single_stack,
            errors,
        );
    }
}

fn changed_once(
    (name, unset, word): (&str, &str, &str),
    (new, old): (&[String], &[String]),
    single_stack: bool,
    errors: &mut ErrorList,
) {
    let spec = Path::new("spec");
    let path = spec.child(name);
    if new.len() == old.len() {
        for (index, _) in old.iter().zip(new).enumerate().filter(|(_, (old, new))| old != new) {
            // Upstream names the first family whichever changed.
            let index = if name == "clusterIPs" { index } else { 0 };
            errors.push(Error::invalid(&path.index(index), json(&new), ONCE));
        }
        return;
    }
    if new.is_empty() {
        errors.push(Error::invalid(&path.index(0), json(&new), unset));
    }
    if let (Some(new_first), Some(old_first)) = (new.first(), old.first())
        && new_first != old_first
    {
        errors.push(Error::invalid(&path.index(0), json(&new), ONCE));
    }
    if old.len() > new.len() && new.len() == 1 && !single_stack {
        let message = format!("must be set to 'SingleStack' when releasing the secondary {word}");
        errors.push(Error::invalid(&spec.child("ipFamilyPolicy"), json(&new), message));
    }
}

/// Upstream: IsValidIPv4Address.
pub(super) fn ipv4(address: &str, path: &Path, errors: &mut ErrorList) {
    if address.parse::<Ipv4Addr>().is_err() {
        errors.push(Error::invalid(path, address, "must be a valid IPv4 address"));
    }
}

/// Upstream: IsValidIPv6Address.
pub(super) fn ipv6(address: &str, path: &Path, errors: &mut ErrorList) {
    if address.parse::<Ipv6Addr>().is_err() {
        errors.push(Error::invalid(path, address, "must be a valid IPv6 address"));
    }
}
