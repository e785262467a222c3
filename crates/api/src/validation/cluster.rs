//! Namespaces, nodes and service accounts.

use k8s_openapi::api::core::v1::{Namespace, Node, NodeSpec, NodeStatus, ServiceAccount};
use sim::SmallSet;

use super::{invalid_each, json, list, meta, names, qualified_name, resources, scheduling, text};
use crate::field::{Error, ErrorList, Path};

/// Upstream: ValidateNamespace.
pub(crate) fn namespace(namespace: &Namespace) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&namespace.metadata, false, names::dns_label, &mut errors);
    let path = Path::new("spec").child("finalizers");
    let finalizers = namespace.spec.as_ref().and_then(|spec| spec.finalizers.as_ref());
    for finalizer in finalizers.into_iter().flatten() {
        qualified_name(finalizer, &path, &mut errors);
        meta::standard_finalizer(finalizer, &path, &mut errors);
    }
    errors
}

/// Upstream: ValidateNamespaceUpdate. Every update validates the namespace, too.
pub(crate) fn namespace_update(new: &Namespace, old: &Namespace) -> ErrorList {
    let mut errors = namespace(new);
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    errors
}

/// Upstream: ValidateNamespaceStatusUpdate.
pub(crate) fn namespace_status_update(new: &Namespace, old: &Namespace) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let phase = new.status.as_ref().map(|status| text(&status.phase)).unwrap_or_default();
    let (only, words) = match new.metadata.deletion_timestamp {
        None => ("Active", "empty"),
        Some(_) => ("Terminating", "not empty"),
    };
    if phase != only {
        let path = Path::new("status").child("Phase");
        let message = format!("may only be '{only}' if `deletionTimestamp` is {words}");
        errors.push(Error::invalid(&path, phase, message));
    }
    errors
}

/// Upstream: ValidateNode.
pub(crate) fn node(node: &Node) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&node.metadata, false, names::dns_subdomain, &mut errors);
    let none = NodeSpec::default();
    let spec = node.spec.as_ref().unwrap_or(&none);
    scheduling::taints(list(&spec.taints), &Path::new("metadata").child("taints"), &mut errors);
    node_resources(node, &mut errors);
    pod_cidrs(list(&spec.pod_cidrs), &Path::new("spec").child("podCIDRs"), &mut errors);
    errors
}

fn pod_cidrs(ranges: &[String], path: &Path, errors: &mut ErrorList) {
    for (index, range) in ranges.iter().enumerate() {
        invalid_each(names::cidr(range), &path.index(index), range, errors);
    }
    if ranges.len() < 2 {
        return;
    }
    let families: SmallSet<bool> =
        ranges.iter().filter_map(|range| names::cidr_is_v6(range)).collect();
    if families.len() < 2 || ranges.len() > 2 {
        let message = "may specify no more than one CIDR for each IP family";
        errors.push(Error::invalid(path, json(&ranges), message));
    }
    let mut seen = SmallSet::new();
    for (index, range) in ranges.iter().enumerate() {
        if !seen.insert(range) {
            errors.push(Error::duplicate(&path.index(index), range.as_str()));
        }
    }
}

/// Upstream: ValidateNodeResources.
fn node_resources(node: &Node, errors: &mut ErrorList) {
    let Some(status) = &node.status else { return };
    let path = Path::new("status");
    for (name, list) in [("capacity", &status.capacity), ("allocatable", &status.allocatable)] {
        for (resource, quantity) in list.iter().flatten() {
            let path = path.child(name).child(resource);
            resources::quantity_value(resource, quantity, &path, errors);
        }
    }
}

/// Upstream: ValidateNode and ValidateNodeUpdate, of a node or of its status.
pub(crate) fn node_update(new: &Node, old: &Node) -> ErrorList {
    let mut errors = node(new);
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let no_status = NodeStatus::default();
    let addresses = list(&new.status.as_ref().unwrap_or(&no_status).addresses);
    for (index, address) in addresses.iter().enumerate() {
        if addresses[..index].contains(address) {
            let path = Path::new("status").child("addresses").index(index);
            errors.push(Error::duplicate(&path, json(address)));
        }
    }
    let none = NodeSpec::default();
    let new = new.spec.as_ref().unwrap_or(&none);
    let old = old.spec.as_ref().unwrap_or(&none);
    let path = Path::new("spec");
    let (new_cidrs, old_cidrs) = (list(&new.pod_cidrs), list(&old.pod_cidrs));
    if !old_cidrs.is_empty() && new_cidrs != old_cidrs {
        let message = "node updates may not change podCIDR except from \"\" to valid";
        errors.push(Error::forbidden(&path.child("podCIDRs"), message));
    }
    let old_provider = text(&old.provider_id);
    if !old_provider.is_empty() && old_provider != text(&new.provider_id) {
        let message = "node updates may not change providerID except from \"\" to valid";
        errors.push(Error::forbidden(&path.child("providerID"), message));
    }
    if text(&new.external_id) != text(&old.external_id) {
        errors.push(Error::forbidden(&path.child("externalID"), "may not be updated"));
    }
    errors
}

/// Upstream: ValidateServiceAccount.
pub(crate) fn service_account(account: &ServiceAccount) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&account.metadata, true, names::dns_subdomain, &mut errors);
    errors
}

/// Upstream: ValidateServiceAccountUpdate.
pub(crate) fn service_account_update(new: &ServiceAccount, old: &ServiceAccount) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    errors.extend(service_account(new));
    errors
}
