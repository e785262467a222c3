//! What can be said of a Deployment's ReplicaSets without the cluster: which is the new one,
//! their annotations, and how many replicas each should have.
//!
//! Upstream: pkg/controller/deployment/util/deployment_util.go

use std::cmp::Ordering;
use std::sync::Arc;

use api::openapi::api::apps::v1::{Deployment, DeploymentSpec, ReplicaSet, ReplicaSetStatus};
use component_helpers::pod_template::equal_ignoring_hash;
use component_helpers::rollout::{Round, resolve_fenceposts, scaled_value};
use sim::Sort;

use super::{Split, is_recreate};
pub(super) use crate::replica_set::replicas;

pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
/// The annotation that asks for an earlier revision.
pub(super) const ROLLBACK_TO: &str = "deprecated.deployment.rollback.to";
/// Annotations of the Deployment that its ReplicaSets do not get.
pub(super) const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    ROLLBACK_TO,
];
/// How long the list of former revisions may grow. Upstream: maxRevHistoryLengthInChars.
const MAX_REVISION_HISTORY_LENGTH: usize = 2000;

/// How many pods the Deployment wants.
pub(super) fn desired(deployment: &Deployment) -> i32 {
    deployment.spec.replicas.unwrap_or(1)
}

/// The oldest first; of the same age, by name.
pub(super) fn sort_by_age(replica_sets: &mut [Arc<ReplicaSet>]) {
    replica_sets.order_by(|one, other| compare_ages(one, other));
}

pub(super) fn compare_ages(one: &ReplicaSet, other: &ReplicaSet) -> Ordering {
    let age = |replica_set: &ReplicaSet| {
        replica_set.metadata.creation_timestamp.as_ref().map(|time| time.0)
    };
    let by_name = || one.metadata.name.cmp(&other.metadata.name);
    age(one).cmp(&age(other)).then_with(by_name)
}

/// Tells the ReplicaSets apart: the oldest one with the Deployment's template is the new one.
pub(super) fn split(deployment: &Deployment, replica_sets: &[Arc<ReplicaSet>]) -> Split {
    let template = &deployment.spec.template;
    let is_new = |replica_set: &Arc<ReplicaSet>| {
        let other = replica_set.spec.template.as_ref();
        other.is_some_and(|other| equal_ignoring_hash(other, template))
    };
    let new = replica_sets.iter().position(is_new);
    let old = replica_sets.iter().enumerate().filter(|(index, _)| Some(*index) != new);
    Split {
        new: new.map(|index| replica_sets[index].clone()),
        old: old.map(|(_, replica_set)| replica_set.clone()).collect(),
    }
}

/// Those that want pods.
pub(super) fn active(replica_sets: &[Arc<ReplicaSet>]) -> Vec<Arc<ReplicaSet>> {
    replica_sets.iter().filter(|replica_set| replicas(replica_set) > 0).cloned().collect()
}

/// How many pods they want together.
pub(super) fn wanted<'a>(replica_sets: impl IntoIterator<Item = &'a ReplicaSet>) -> i32 {
    replica_sets.into_iter().map(replicas).fold(0, i32::saturating_add)
}

/// The sum of one counter of their status.
pub(super) fn counted<'a>(
    replica_sets: impl IntoIterator<Item = &'a ReplicaSet>,
    counter: fn(&ReplicaSetStatus) -> i32,
) -> i32 {
    let statuses = replica_sets.into_iter().filter_map(|replica_set| replica_set.status.as_ref());
    statuses.map(counter).fold(0, i32::saturating_add)
}

/// How many of its pods are available.
pub(super) fn available(status: &ReplicaSetStatus) -> i32 {
    status.available_replicas.unwrap_or(0)
}

fn fenceposts(spec: &DeploymentSpec) -> (i32, i32) {
    let desired = spec.replicas.unwrap_or(1);
    let rolling = spec.strategy.as_ref().and_then(|strategy| strategy.rolling_update.as_ref());
    let surge = rolling.and_then(|rolling| rolling.max_surge.as_ref());
    let unavailable = rolling.and_then(|rolling| rolling.max_unavailable.as_ref());
    // Validation refuses values that mean nothing.
    resolve_fenceposts(surge, unavailable, desired).unwrap_or((0, 0))
}

/// How many pods there may be beyond those desired.
pub(super) fn max_surge(deployment: &Deployment) -> i32 {
    let spec = &deployment.spec;
    if is_recreate(spec) { 0 } else { fenceposts(spec).0 }
}

/// How many of the pods desired may be unavailable.
pub(super) fn max_unavailable(deployment: &Deployment) -> i32 {
    let spec = &deployment.spec;
    if is_recreate(spec) { 0 } else { fenceposts(spec).1.min(desired(deployment)) }
}

/// The revision of a ReplicaSet; 0 when it has none.
pub(super) fn revision(replica_set: &ReplicaSet) -> i64 {
    annotation(replica_set, REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn annotation<'a>(replica_set: &'a ReplicaSet, name: &str) -> Option<&'a str> {
    replica_set.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

/// How many pods the Deployment wanted when the ReplicaSet was scaled last.
pub(super) fn desired_annotation(replica_set: &ReplicaSet) -> Option<i32> {
    annotation(replica_set, DESIRED_REPLICAS).and_then(|text| text.parse().ok())
}

fn max_annotation(replica_set: &ReplicaSet) -> Option<i32> {
    annotation(replica_set, MAX_REPLICAS).and_then(|text| text.parse().ok())
}

/// Notes on the ReplicaSet how many pods the Deployment wants and may have. Whether anything
/// changed.
pub(super) fn set_replicas_annotations(
    deployment: &Deployment,
    replica_set: &mut ReplicaSet,
) -> bool {
    let desired = desired(deployment);
    let max = desired.saturating_add(max_surge(deployment));
    let desired_changed = set_annotation(replica_set, DESIRED_REPLICAS, desired.to_string());
    set_annotation(replica_set, MAX_REPLICAS, max.to_string()) || desired_changed
}

fn set_annotation(replica_set: &mut ReplicaSet, name: &str, value: String) -> bool {
    if annotation(replica_set, name) == Some(&value) {
        return false;
    }
    replica_set.metadata.annotations.get_or_insert_default().insert(name.to_string(), value);
    true
}

/// Gives the new ReplicaSet the Deployment's annotations and a revision that is greater than
/// all others. Whether anything changed. Upstream: SetNewReplicaSetAnnotations.
pub(super) fn set_new_annotations(
    deployment: &Deployment,
    replica_set: &mut ReplicaSet,
    new_revision: i64,
    exists: bool,
) -> bool {
    let mut changed = false;
    for (name, value) in deployment.metadata.annotations.iter().flatten() {
        if !NOT_COPIED.contains(&name.as_str()) {
            changed |= set_annotation(replica_set, name, value.clone());
        }
    }
    let old_revision = annotation(replica_set, REVISION).map(str::to_string);
    let old_number = match old_revision.as_deref().unwrap_or_default() {
        "" => 0,
        text => match text.parse::<i64>() {
            Ok(number) => number,
            Err(_) => return false,
        },
    };
    if old_number < new_revision {
        changed |= set_annotation(replica_set, REVISION, new_revision.to_string());
        // The ReplicaSet was the new one before, and is again: a rollback.
        if let Some(old_revision) = old_revision {
            add_to_history(replica_set, &old_revision);
        }
    }
    if !exists && set_replicas_annotations(deployment, replica_set) {
        changed = true;
    }
    changed
}

/// Adds a former revision, and forgets the oldest ones where the list would become too long.
fn add_to_history(replica_set: &mut ReplicaSet, revision: &str) {
    let history = annotation(replica_set, REVISION_HISTORY).unwrap_or_default().to_string();
    if history.is_empty() {
        set_annotation(replica_set, REVISION_HISTORY, revision.to_string());
        return;
    }
    let mut revisions: Vec<&str> = history.split(',').collect();
    let mut length = history.len() + revision.len() + 1;
    while length > MAX_REVISION_HISTORY_LENGTH && !revisions.is_empty() {
        length -= revisions.remove(0).len() + 1;
    }
    if length <= MAX_REVISION_HISTORY_LENGTH {
        revisions.push(revision);
        let joined = revisions.join(",");
        set_annotation(replica_set, REVISION_HISTORY, joined);
    }
}

/// How many replicas the new ReplicaSet should have, given how many it has and how many all
/// want together. Upstream: NewRSNewReplicas.
pub(super) fn new_replicas(deployment: &Deployment, all_wanted: i32, new_wanted: i32) -> i32 {
    let desired = desired(deployment);
    let spec = &deployment.spec;
    if is_recreate(spec) {
        return desired;
    }
    let rolling = spec.strategy.as_ref().and_then(|strategy| strategy.rolling_update.as_ref());
    let surge = rolling.and_then(|rolling| rolling.max_surge.as_ref());
    let surge = surge.and_then(|surge| scaled_value(surge, desired, Round::Up)).unwrap_or(0);
    let max_total = desired.saturating_add(surge);
    if all_wanted >= max_total {
        return new_wanted;
    }
    new_wanted + (max_total - all_wanted).min(desired - new_wanted)
}

/// The only ReplicaSet that wants pods, or the newest when none does; `None` when several do.
/// Upstream: FindActiveOrLatest.
pub(super) fn active_or_latest(split: &Split) -> Option<Arc<ReplicaSet>> {
    let all: Vec<_> = split.old.iter().chain(&split.new).cloned().collect();
    match active(&all).as_slice() {
        [] => split
            .new
            .clone()
            .or_else(|| split.old.iter().max_by(|one, other| compare_ages(one, other)).cloned()),
        [only] => Some(only.clone()),
        _ => None,
    }
}

/// Whether the new ReplicaSet has all the pods that the Deployment wants, in both their views.
/// Upstream: IsSaturated.
pub(super) fn is_saturated(deployment: &Deployment, new: Option<&ReplicaSet>) -> bool {
    let Some(new) = new else { return false };
    let desired = desired(deployment);
    replicas(new) == desired
        && desired_annotation(new) == Some(desired)
        && new.status.as_ref().map_or(0, available) == desired
}

/// How many replicas a ReplicaSet gains or loses when the Deployment gains or loses `to_add`,
/// of which `added` are given out. Upstream: GetReplicaSetProportion.
pub(super) fn proportion(
    replica_set: &ReplicaSet,
    deployment: &Deployment,
    to_add: i32,
    added: i32,
) -> i32 {
    if replicas(replica_set) == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let fraction = fraction(replica_set, deployment);
    let allowed = to_add - added;
    if to_add > 0 { fraction.min(allowed) } else { fraction.max(allowed) }
}

/// What a ReplicaSet gains when it keeps its share of the Deployment's size.
/// Upstream: getReplicaSetFraction.
fn fraction(replica_set: &ReplicaSet, deployment: &Deployment) -> i32 {
    let size = replicas(replica_set);
    let desired = desired(deployment);
    if desired == 0 {
        return -size;
    }
    let max_now = i64::from(desired) + i64::from(max_surge(deployment));
    let status = deployment.status.as_ref().and_then(|status| status.replicas);
    let max_before = max_annotation(replica_set).filter(|max| *max != 0).or(status).unwrap_or(0);
    if max_before == 0 {
        return 0;
    }
    let max_before = i64::from(max_before);
    // Rounded to the nearest, halves up; none of the factors is negative.
    let new_size = (2 * i64::from(size) * max_now + max_before).div_euclid(2 * max_before);
    i32::try_from(new_size).unwrap_or(i32::MAX).saturating_sub(size)
}

#[cfg(test)]
#[path = "replica_sets_tests.rs"]
mod tests;
