//! The indexes of a Job's pods: which have succeeded, which have failed, and which come next.
//!
//! Upstream: pkg/controller/job/indexed_job_utils.go

use std::sync::Arc;

use api::job_indexes::Indexes;
use api::openapi::api::batch::v1::{Job, JobSpec};
use api::openapi::api::core::v1::{
    Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod, PodTemplateSpec,
};
use component_helpers::pod_status::phase;
use sim::{SmallMap, Sort};

use super::policies::{Verdict, is_pod_failed, verdict};
use super::{has_tracking_finalizer, status};

const INDEX: &str = "batch.kubernetes.io/job-completion-index";
const FAILURE_COUNT: &str = "batch.kubernetes.io/job-index-failure-count";
const IGNORED_FAILURE_COUNT: &str = "batch.kubernetes.io/job-index-ignored-failure-count";
const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";
/// How long the base of a generated name may be. Upstream: names.MaxGeneratedNameLength.
const MOST_BASE_BYTES: usize = 58;

fn annotation(pod: &Pod, name: &str) -> Option<i32> {
    let annotations = pod.metadata.annotations.as_ref()?;
    annotations.get(name)?.parse().ok().filter(|number| *number >= 0)
}

/// The pod's index. Upstream: getCompletionIndex.
pub(super) fn index_of(pod: &Pod) -> Option<i32> {
    annotation(pod, INDEX)
}

/// The pod's index, if the Job has it.
pub(super) fn valid_index(spec: &JobSpec, pod: &Pod) -> Option<i32> {
    index_of(pod).filter(|index| *index < spec.completions.unwrap_or(0))
}

/// How often the index failed before, as far as it counts.
fn failure_count(pod: &Pod) -> i32 {
    annotation(pod, FAILURE_COUNT).unwrap_or(0)
}

/// How often the index failed before at all.
pub(super) fn absolute_failure_count(pod: &Pod) -> i32 {
    failure_count(pod) + annotation(pod, IGNORED_FAILURE_COUNT).unwrap_or(0)
}

/// The indexes of some pods, in order.
pub(super) fn indexes_of<'p>(pods: impl Iterator<Item = &'p Arc<Pod>>) -> Vec<i32> {
    let mut indexes: Vec<i32> = pods.filter_map(|pod| index_of(pod)).collect();
    indexes.order();
    indexes
}

/// The indexes that have succeeded as the status says it, and with the pods that it has not
/// counted. Upstream: calculateSucceededIndexes.
pub(super) fn succeeded(job: &Job, spec: &JobSpec, pods: &[Arc<Pod>]) -> (Indexes, Indexes) {
    let text = status(job).completed_indexes.unwrap_or_default();
    let before = Indexes::parse_below(&text, spec.completions.unwrap_or(0));
    let is_new = |pod: &&Arc<Pod>| phase(pod) == "Succeeded" && has_tracking_finalizer(pod);
    let mut new: Vec<i32> =
        pods.iter().filter(is_new).filter_map(|pod| valid_index(spec, pod)).collect();
    new.order();
    let after = before.with(&new);
    (before, after)
}

/// The indexes that have failed for good. Upstream: calculateFailedIndexes.
pub(super) fn failed(job: &Job, spec: &JobSpec, pods: &[Arc<Pod>]) -> Option<Indexes> {
    let limit = spec.backoff_limit_per_index?;
    let text = status(job).failed_indexes.unwrap_or_default();
    let before = Indexes::parse_below(&text, spec.completions.unwrap_or(0));
    let is_failed = |pod: &&Arc<Pod>| {
        has_tracking_finalizer(pod)
            && is_pod_failed(spec, pod)
            && match verdict(spec, pod) {
                Verdict::FailIndex => true,
                Verdict::Ignore => false,
                _ => failure_count(pod) >= limit,
            }
    };
    let mut new: Vec<i32> =
        pods.iter().filter(is_failed).filter_map(|pod| valid_index(spec, pod)).collect();
    new.order();
    Some(before.with(&new))
}

/// The failed pods that have to stay until there is another for their index, which takes over how
/// often it failed. Upstream: getPodsWithDelayedDeletionPerIndex.
pub(super) fn delayed<'p>(
    spec: &JobSpec,
    tracked: impl Iterator<Item = &'p Arc<Pod>>,
    active: &[i32],
    done: impl Fn(i32) -> bool,
) -> SmallMap<i32, Arc<Pod>> {
    let mut delayed: SmallMap<i32, Arc<Pod>> = SmallMap::new();
    for pod in tracked.filter(|pod| is_pod_failed(spec, pod)) {
        let Some(index) = valid_index(spec, pod) else { continue };
        if active.contains(&index) || done(index) {
            continue;
        }
        let rank = |pod: &Pod| (absolute_failure_count(pod), super::backoff::finish_time(pod));
        let is_later = delayed.get(&index).is_none_or(|known| {
            let ((count, time), (new_count, new_time)) = (rank(known), rank(pod));
            count <= new_count && time <= new_time
        });
        if is_later {
            delayed.insert(index, pod.clone());
        }
    }
    delayed
}

/// The first indexes that need a pod. Upstream: firstPendingIndexes.
pub(super) fn first_pending(busy: &Indexes, count: usize, completions: i32) -> Vec<i32> {
    let mut pending = Vec::new();
    let mut candidate = 0;
    for (first, last) in busy.intervals() {
        while candidate < *first && candidate < completions && pending.len() < count {
            pending.push(candidate);
            candidate += 1;
        }
        candidate = candidate.max(last + 1);
    }
    let rest = (candidate..completions).take(count - pending.len());
    pending.extend(rest);
    pending
}

/// The pods whose index another has as well, or the Job has not, and the others.
/// Upstream: appendDuplicatedIndexPodsForRemoval.
pub(super) fn duplicates(
    spec: &JobSpec,
    pods: &[Arc<Pod>],
    order: impl Fn(&mut Vec<Arc<Pod>>),
) -> (Vec<Arc<Pod>>, Vec<Arc<Pod>>) {
    let (mut surplus, mut left) = (Vec::new(), Vec::new());
    let mut groups: SmallMap<i32, Vec<Arc<Pod>>> = SmallMap::new();
    for pod in pods {
        match valid_index(spec, pod) {
            Some(index) => groups.entry(index).or_default().push(pod.clone()),
            None => surplus.push(pod.clone()),
        }
    }
    for mut group in groups.into_values() {
        order(&mut group);
        left.extend(group.pop());
        surplus.append(&mut group);
    }
    (surplus, left)
}

/// Tells the containers of a template their index. Upstream: addCompletionIndexEnvVariables.
pub(super) fn add_variables(template: &mut PodTemplateSpec) {
    let spec = template.spec.get_or_insert_default();
    let add = |container: &mut Container| {
        let variables = container.env.get_or_insert_default();
        if variables.iter().any(|variable| variable.name == INDEX_VARIABLE) {
            return;
        }
        let field = ObjectFieldSelector {
            api_version: None,
            field_path: format!("metadata.labels['{INDEX}']"),
        };
        let source = EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() };
        let name = INDEX_VARIABLE.to_string();
        variables.push(EnvVar { name, value: None, value_from: Some(source) });
    };
    spec.init_containers.iter_mut().flatten().for_each(add);
    spec.containers.iter_mut().for_each(add);
}

/// Makes the pod that of an index: its annotations, label, hostname and name.
pub(super) fn assign(job: &str, spec: &JobSpec, pod: &mut Pod, index: i32, replaced: Option<&Pod>) {
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(INDEX.to_string(), index.to_string());
    if spec.backoff_limit_per_index.is_some() {
        let (failures, ignored) = replaced.map_or((0, 0), |pod| {
            let counts = verdict(spec, pod).counts();
            let ignored = absolute_failure_count(pod) - failure_count(pod);
            (failure_count(pod) + i32::from(counts), ignored + i32::from(!counts))
        });
        annotations.insert(FAILURE_COUNT.to_string(), failures.to_string());
        if ignored > 0 {
            annotations.insert(IGNORED_FAILURE_COUNT.to_string(), ignored.to_string());
        }
    }
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(INDEX.to_string(), index.to_string());
    pod.spec.get_or_insert_default().hostname = Some(format!("{job}-{index}"));
    let suffix = format!("-{index}-");
    let base = job.get(..MOST_BASE_BYTES.saturating_sub(suffix.len())).unwrap_or(job);
    pod.metadata.generate_name = Some(format!("{base}{suffix}"));
}
