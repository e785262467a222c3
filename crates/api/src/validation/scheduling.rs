//! Where a pod may run: affinity, node selectors, tolerations; and taints of nodes.

use k8s_openapi::api::core::v1::{
    Affinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm,
    PodSchedulingGate, Taint, Toleration, WeightedPodAffinityTerm,
};
use sim::SmallSet;

use super::spread::match_and_mismatch_label_keys;
use super::{invalid_each, json, list, meta, names, qualified_name, text};
use crate::field::{Error, ErrorList, Path};
use crate::labels::label_value_errors;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// Upstream: validateAffinity.
pub(super) fn affinity(affinity: &Affinity, path: &Path, errors: &mut ErrorList) {
    if let Some(node) = &affinity.node_affinity {
        let path = path.child("nodeAffinity");
        if let Some(required) = &node.required_during_scheduling_ignored_during_execution {
            node_selector(required, &path.child(REQUIRED), errors);
        }
        let preferred = list(&node.preferred_during_scheduling_ignored_during_execution);
        for (index, term) in preferred.iter().enumerate() {
            let path = path.child(PREFERRED).index(index);
            weight(term.weight, &path, errors);
            // Values that are no labels are allowed here.
            node_selector_term(&term.preference, true, &path.child("preference"), errors);
        }
    }
    if let Some(near) = &affinity.pod_affinity {
        let path = path.child("podAffinity");
        let required = list(&near.required_during_scheduling_ignored_during_execution);
        let preferred = list(&near.preferred_during_scheduling_ignored_during_execution);
        pod_affinity_terms(required, preferred, &path, errors);
    }
    if let Some(far) = &affinity.pod_anti_affinity {
        let path = path.child("podAntiAffinity");
        let required = list(&far.required_during_scheduling_ignored_during_execution);
        let preferred = list(&far.preferred_during_scheduling_ignored_during_execution);
        pod_affinity_terms(required, preferred, &path, errors);
    }
}

fn weight(weight: i32, path: &Path, errors: &mut ErrorList) {
    if !(1..=100).contains(&weight) {
        let message = "must be in the range 1-100";
        errors.push(Error::invalid(&path.child("weight"), weight, message));
    }
}

fn pod_affinity_terms(
    required: &[PodAffinityTerm],
    preferred: &[WeightedPodAffinityTerm],
    path: &Path,
    errors: &mut ErrorList,
) {
    for (index, term) in required.iter().enumerate() {
        pod_affinity_term(term, &path.child(REQUIRED).index(index), errors);
    }
    for (index, term) in preferred.iter().enumerate() {
        let path = path.child(PREFERRED).index(index);
        weight(term.weight, &path, errors);
        pod_affinity_term(&term.pod_affinity_term, &path.child("podAffinityTerm"), errors);
    }
}

/// Upstream: validatePodAffinityTerm.
fn pod_affinity_term(term: &PodAffinityTerm, path: &Path, errors: &mut ErrorList) {
    if let Some(selector) = &term.label_selector {
        meta::label_selector(selector, &path.child("labelSelector"), errors);
    }
    if let Some(selector) = &term.namespace_selector {
        meta::label_selector(selector, &path.child("namespaceSelector"), errors);
    }
    for namespace in list(&term.namespaces) {
        invalid_each(names::dns_label(namespace), &path.child("namespace"), namespace, errors);
    }
    match_and_mismatch_label_keys(term, path, errors);
    let key_path = path.child("topologyKey");
    if term.topology_key.is_empty() {
        errors.push(Error::required(&key_path, "can not be empty"));
    }
    qualified_name(&term.topology_key, &key_path, errors);
}

/// Upstream: ValidateNodeSelector.
pub(super) fn node_selector(selector: &NodeSelector, path: &Path, errors: &mut ErrorList) {
    let path = path.child("nodeSelectorTerms");
    if selector.node_selector_terms.is_empty() {
        errors.push(Error::required(&path, "must have at least one node selector term"));
    }
    for (index, term) in selector.node_selector_terms.iter().enumerate() {
        node_selector_term(term, false, &path.index(index), errors);
    }
}

fn node_selector_term(
    term: &NodeSelectorTerm,
    allows_any_value: bool,
    path: &Path,
    errors: &mut ErrorList,
) {
    for (index, requirement) in list(&term.match_expressions).iter().enumerate() {
        let path = path.child("matchExpressions").index(index);
        node_selector_requirement(requirement, allows_any_value, &path, errors);
    }
    for (index, requirement) in list(&term.match_fields).iter().enumerate() {
        let path = path.child("matchFields").index(index);
        node_field_requirement(requirement, &path, errors);
    }
}

/// Upstream: ValidateNodeSelectorRequirement.
fn node_selector_requirement(
    requirement: &NodeSelectorRequirement,
    allows_any_value: bool,
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
        "Gt" | "Lt" if values.len() != 1 => {
            let message = "must be specified single value when `operator` is 'Lt' or 'Gt'";
            errors.push(Error::required(&values_path, message));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        operator => {
            let message = "not a valid selector operator";
            errors.push(Error::invalid(&path.child("operator"), operator, message));
        }
    }
    qualified_name(&requirement.key, &path.child("key"), errors);
    if allows_any_value {
        return;
    }
    for (index, value) in values.iter().enumerate() {
        invalid_each(label_value_errors(value), &values_path.index(index), value, errors);
    }
}

/// Upstream: ValidateNodeFieldSelectorRequirement.
fn node_field_requirement(
    requirement: &NodeSelectorRequirement,
    path: &Path,
    errors: &mut ErrorList,
) {
    let values = list(&requirement.values);
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.len() == 1 => {}
        "In" | "NotIn" => {
            let message = "must be only one value when `operator` is 'In' or 'NotIn' for node \
                           field selector";
            errors.push(Error::required(&path.child("values"), message));
        }
        operator => {
            let message = "not a valid selector operator";
            errors.push(Error::invalid(&path.child("operator"), operator, message));
        }
    }
    if requirement.key != "metadata.name" {
        let message = "not a valid field selector key";
        errors.push(Error::invalid(&path.child("key"), requirement.key.as_str(), message));
        return;
    }
    for (index, value) in values.iter().enumerate() {
        let path = path.child("values").index(index);
        invalid_each(names::dns_subdomain(value), &path, value, errors);
    }
}

/// Upstream: ValidateTolerations.
pub(super) fn tolerations(tolerations: &[Toleration], path: &Path, errors: &mut ErrorList) {
    for (index, toleration) in tolerations.iter().enumerate() {
        let path = path.index(index);
        let operator_path = path.child("operator");
        let (key, operator) = (text(&toleration.key), text(&toleration.operator));
        let (effect, value) = (text(&toleration.effect), text(&toleration.value));
        if !key.is_empty() {
            qualified_name(key, &path.child("key"), errors);
        }
        if key.is_empty() && operator != "Exists" {
            let message = "operator must be Exists when `key` is empty, which means \"match all \
                           values and all keys\"";
            errors.push(Error::invalid(&operator_path, operator, message));
        }
        let effect_path = path.child("effect");
        if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
            let message = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.push(Error::invalid(&effect_path, effect, message));
        }
        match operator {
            "Equal" | "" => {
                let messages = label_value_errors(value);
                if !messages.is_empty() {
                    errors.push(Error::invalid(&operator_path, value, messages.join(";")));
                }
            }
            "Exists" if !value.is_empty() => {
                let message = "value must be empty when `operator` is 'Exists'";
                errors.push(Error::invalid(&operator_path, value, message));
            }
            "Exists" => {}
            _ => {
                let known = ["Equal", "Exists"];
                errors.push(Error::not_supported(&operator_path, operator, &known));
            }
        }
        if !effect.is_empty() {
            taint_effect(effect, &effect_path, errors);
        }
    }
}

/// Upstream: validateTaintEffect.
fn taint_effect(effect: &str, path: &Path, errors: &mut ErrorList) {
    super::supported(effect, &["NoSchedule", "PreferNoSchedule", "NoExecute"], path, errors);
}

/// Upstream: validateNodeTaints.
pub(super) fn taints(taints: &[Taint], path: &Path, errors: &mut ErrorList) {
    let mut seen = SmallSet::new();
    for (index, taint) in taints.iter().enumerate() {
        let path = path.index(index);
        qualified_name(&taint.key, &path.child("key"), errors);
        let value = text(&taint.value);
        let messages = label_value_errors(value);
        if !messages.is_empty() {
            errors.push(Error::invalid(&path.child("value"), value, messages.join(";")));
        }
        if taint.effect.is_empty() {
            errors.push(Error::required(&path.child("effect"), ""));
        } else {
            taint_effect(&taint.effect, &path.child("effect"), errors);
        }
        if !seen.insert((&taint.effect, &taint.key)) {
            let mut error = Error::duplicate(&path, json(taint));
            error.detail = "taints must be unique by key and effect pair".to_string();
            errors.push(error);
        }
    }
}

/// Upstream: validateSchedulingGates.
pub(super) fn scheduling_gates(gates: &[PodSchedulingGate], path: &Path, errors: &mut ErrorList) {
    let mut seen = SmallSet::new();
    for (index, gate) in gates.iter().enumerate() {
        let path = path.index(index);
        qualified_name(&gate.name, &path, errors);
        if !seen.insert(&gate.name) {
            errors.push(Error::duplicate(&path, gate.name.as_str()));
        }
    }
}
