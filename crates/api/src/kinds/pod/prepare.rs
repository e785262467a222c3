//! What the server sets in a pod when it is created, and keeps when its status is written.
//!
//! Upstream: pkg/registry/core/pod/strategy.go

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{AppArmorProfile, Pod, PodAffinityTerm, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use sim::SmallMap;

type Labels = BTreeMap<String, String>;

/// A pod with gates says in its status that they hold it.
pub(super) fn apply_scheduling_gated_condition(pod: &mut Pod) {
    let gates = pod.spec.as_ref().and_then(|spec| spec.scheduling_gates.as_ref());
    if gates.is_none_or(Vec::is_empty) {
        return;
    }
    let message = "Scheduling is blocked due to non-empty scheduling gates";
    let condition = PodCondition {
        type_: "PodScheduled".to_string(),
        status: "False".to_string(),
        reason: Some("SchedulingGated".to_string()),
        message: Some(message.to_string()),
        last_transition_time: pod.metadata.creation_timestamp.clone(),
        ..PodCondition::default()
    };
    pod.status.get_or_insert_default().conditions.get_or_insert_default().push(condition);
}

/// Adds the pod's own values of the label keys that affinity terms and spread constraints name
/// to their selectors.
pub(super) fn merge_label_keys(pod: &mut Pod) {
    let labels = pod.metadata.labels.clone().unwrap_or_default();
    let Some(spec) = &mut pod.spec else { return };
    if let Some(affinity) = &mut spec.affinity {
        let near = affinity.pod_affinity.iter_mut().flat_map(|affinity| {
            let preferred =
                affinity.preferred_during_scheduling_ignored_during_execution.iter_mut();
            let required = affinity.required_during_scheduling_ignored_during_execution.iter_mut();
            preferred.flatten().map(|term| &mut term.pod_affinity_term).chain(required.flatten())
        });
        near.for_each(|term| merge_into_term(term, &labels));
        let far = affinity.pod_anti_affinity.iter_mut().flat_map(|affinity| {
            let preferred =
                affinity.preferred_during_scheduling_ignored_during_execution.iter_mut();
            let required = affinity.required_during_scheduling_ignored_during_execution.iter_mut();
            preferred.flatten().map(|term| &mut term.pod_affinity_term).chain(required.flatten())
        });
        far.for_each(|term| merge_into_term(term, &labels));
    }
    for constraint in spec.topology_spread_constraints.iter_mut().flatten() {
        let keys = constraint.match_label_keys.iter().flatten();
        add_requirements(&mut constraint.label_selector, keys, "In", &labels);
    }
}

fn merge_into_term(term: &mut PodAffinityTerm, labels: &Labels) {
    let keys = term.match_label_keys.iter().flatten();
    add_requirements(&mut term.label_selector, keys, "In", labels);
    let keys = term.mismatch_label_keys.iter().flatten();
    add_requirements(&mut term.label_selector, keys, "NotIn", labels);
}

/// Without a selector nothing is selected, and so nothing is added.
fn add_requirements<'a>(
    selector: &mut Option<LabelSelector>,
    keys: impl Iterator<Item = &'a String>,
    operator: &str,
    labels: &Labels,
) {
    let Some(selector) = selector else { return };
    for (key, value) in keys.filter_map(|key| labels.get_key_value(key)) {
        let requirement = LabelSelectorRequirement {
            key: key.clone(),
            operator: operator.to_string(),
            values: Some(vec![value.clone()]),
        };
        selector.match_expressions.get_or_insert_default().push(requirement);
    }
}

/// What an annotation said of a container's AppArmor profile before there was a field for it.
const APP_ARMOR_ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Copies the deprecated annotations into the fields of the containers that have none.
/// Upstream: applyAppArmorVersionSkew; pkg/api/pod/util.go, ApparmorFieldForAnnotation.
pub(super) fn apply_app_armor_annotations(pod: &mut Pod) {
    let Some(annotations) = pod.metadata.annotations.as_ref() else { return };
    let Some(spec) = pod.spec.as_mut() else { return };
    if spec.os.as_ref().is_some_and(|os| os.name == "windows") {
        return;
    }
    let of_pod = spec.security_context.as_ref().and_then(|it| it.app_armor_profile.clone());
    for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
        let annotation = annotations.get(&format!("{APP_ARMOR_ANNOTATION}{}", container.name));
        let Some(profile) = annotation.and_then(|text| app_armor_profile(text)) else { continue };
        let own = container.security_context.as_ref();
        if own.is_some_and(|own| own.app_armor_profile.is_some())
            || Some(&profile) == of_pod.as_ref()
        {
            continue;
        }
        container.security_context.get_or_insert_default().app_armor_profile = Some(profile);
    }
}

fn app_armor_profile(annotation: &str) -> Option<AppArmorProfile> {
    let (type_, localhost_profile) = match annotation {
        "unconfined" => ("Unconfined", None),
        "runtime/default" => ("RuntimeDefault", None),
        _ => ("Localhost", Some(annotation.strip_prefix("localhost/")?)),
    };
    if localhost_profile.is_some_and(|name| name.trim().is_empty() || name.trim() != name) {
        return None;
    }
    Some(AppArmorProfile {
        localhost_profile: localhost_profile.map(str::to_string),
        type_: type_.to_string(),
    })
}

/// The quality of service was settled when the pod was created.
pub(super) fn keep_quality_of_service(new: &mut Pod, old: &Pod) {
    let class = &mut new.status.get_or_insert_default().qos_class;
    if class.as_deref().unwrap_or_default().is_empty() {
        *class = old.status.as_ref().and_then(|status| status.qos_class.clone());
    }
}

/// A writer that leaves out observed generations does not clear them.
/// Upstream: preserveOldObservedGeneration.
pub(super) fn keep_observed_generations(new: &mut Pod, old: &Pod) {
    let Some(old) = &old.status else { return };
    let new = new.status.get_or_insert_default();
    if new.observed_generation.unwrap_or_default() == 0 {
        new.observed_generation = old.observed_generation;
    }
    let lacks = |generation: Option<i64>| generation.unwrap_or_default() == 0;
    if !new.conditions.iter().flatten().any(|condition| lacks(condition.observed_generation)) {
        return;
    }
    let mut generations: SmallMap<&str, Vec<Option<i64>>> = SmallMap::new();
    for condition in old.conditions.iter().flatten() {
        generations.entry(&condition.type_).or_default().push(condition.observed_generation);
    }
    for condition in new.conditions.iter_mut().flatten() {
        let Some(list) = generations.get_mut(condition.type_.as_str()) else { continue };
        if list.is_empty() {
            continue;
        }
        let generation = list.remove(0);
        if lacks(condition.observed_generation) {
            condition.observed_generation = generation;
        }
    }
}
