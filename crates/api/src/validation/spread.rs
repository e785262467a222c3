//! Topology spread constraints, and the label keys that they and affinity terms take from the
//! pod itself.

use k8s_openapi::api::core::v1::{PodAffinityTerm, TopologySpreadConstraint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use sim::SmallSet;

use super::{IS_NOT_POSITIVE, list, meta, qualified_name, supported};
use crate::field::{Error, ErrorList, Path};

/// Upstream: validateTopologySpreadConstraints.
pub(super) fn topology_spread_constraints(
    constraints: &[TopologySpreadConstraint],
    path: &Path,
    errors: &mut ErrorList,
) {
    for (index, constraint) in constraints.iter().enumerate() {
        let path = path.index(index);
        if constraint.max_skew <= 0 {
            let path = path.child("maxSkew");
            errors.push(Error::invalid(&path, constraint.max_skew, IS_NOT_POSITIVE));
        }
        if constraint.topology_key.is_empty() {
            errors.push(Error::required(&path.child("topologyKey"), "can not be empty"));
        }
        let action = constraint.when_unsatisfiable.as_str();
        let known = ["DoNotSchedule", "ScheduleAnyway"];
        supported(action, &known, &path.child("whenUnsatisfiable"), errors);
        let mut later = constraints.iter().skip(index + 1);
        let key = &constraint.topology_key;
        if later.any(|other| other.topology_key == *key && other.when_unsatisfiable == action) {
            let path = path.child("{topologyKey, whenUnsatisfiable}");
            errors.push(Error::duplicate(&path, format!("{{{key}, {action}}}")));
        }
        min_domains(constraint.min_domains, action, &path.child("minDomains"), errors);
        for (name, policy) in [
            ("nodeAffinityPolicy", &constraint.node_affinity_policy),
            ("nodeTaintsPolicy", &constraint.node_taints_policy),
        ] {
            if let Some(policy) = policy {
                supported(policy, &["Honor", "Ignore"], &path.child(name), errors);
            }
        }
        match_label_keys(constraint, &path.child("matchLabelKeys"), errors);
        if let Some(selector) = &constraint.label_selector {
            meta::label_selector(selector, &path.child("labelSelector"), errors);
        }
    }
}

fn min_domains(min_domains: Option<i32>, action: &str, path: &Path, errors: &mut ErrorList) {
    let Some(min_domains) = min_domains else { return };
    if min_domains <= 0 {
        errors.push(Error::invalid(path, min_domains, IS_NOT_POSITIVE));
    }
    if action != "DoNotSchedule" {
        let message =
            format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
        errors.push(Error::invalid(path, min_domains, message));
    }
}

/// The keys of a constraint. Those that the server itself merged into the selector when the
/// pod was created stand there once, as the last requirements.
/// Upstream: validateMatchLabelKeysInTopologySpread.
fn match_label_keys(constraint: &TopologySpreadConstraint, path: &Path, errors: &mut ErrorList) {
    let keys = list(&constraint.match_label_keys);
    if keys.is_empty() {
        return;
    }
    let Some(selector) = &constraint.label_selector else {
        errors.push(Error::forbidden(path, "must not be specified when labelSelector is not set"));
        keys_are_labels(keys, path, errors);
        return;
    };
    keys_are_labels(keys, path, errors);
    for key in keys_selected_twice(keys, selector) {
        let index = keys.iter().position(|other| other == key).unwrap_or_default();
        let message = "exists in both matchLabelKeys and labelSelector";
        errors.push(Error::invalid(&path.index(index), key, message));
    }
}

fn keys_are_labels(keys: &[String], path: &Path, errors: &mut ErrorList) {
    for (index, key) in keys.iter().enumerate() {
        qualified_name(key, &path.index(index), errors);
    }
}

/// The keys that a selector names beside the requirement that the server merged in.
fn keys_selected_twice<'a>(keys: &[String], selector: &'a LabelSelector) -> Vec<&'a str> {
    let mut selected: SmallSet<&str> =
        selector.match_labels.iter().flatten().map(|(key, _)| key.as_str()).collect();
    let mut twice = Vec::new();
    for requirement in list(&selector.match_expressions) {
        let key = requirement.key.as_str();
        if !selected.insert(key) && keys.iter().any(|other| other == key) {
            twice.push(key);
        }
    }
    twice
}

/// Upstream: validateMatchLabelKeysAndMismatchLabelKeys.
pub(super) fn match_and_mismatch_label_keys(
    term: &PodAffinityTerm,
    path: &Path,
    errors: &mut ErrorList,
) {
    let matching = list(&term.match_label_keys);
    let mismatching = list(&term.mismatch_label_keys);
    for (name, keys) in [("matchLabelKeys", matching), ("mismatchLabelKeys", mismatching)] {
        let path = path.child(name);
        if keys.is_empty() {
            continue;
        }
        if term.label_selector.is_none() {
            let message = "must not be specified when labelSelector is not set";
            errors.push(Error::forbidden(&path, message));
            continue;
        }
        keys_are_labels(keys, &path, errors);
    }
    for key in term.label_selector.iter().flat_map(|it| keys_selected_twice(matching, it)) {
        let index = matching.iter().position(|other| other == key).unwrap_or_default();
        let message = "exists in both matchLabelKeys and labelSelector";
        errors.push(Error::invalid(&path.index(index), key, message));
    }
    for (index, key) in matching.iter().enumerate().filter(|(_, key)| mismatching.contains(key)) {
        let message = "exists in both matchLabelKeys and mismatchLabelKeys";
        let path = path.child("matchLabelKeys").index(index);
        errors.push(Error::invalid(&path, key.as_str(), message));
    }
}
