//! Which pods a controller deletes first when it has too many.
//!
//! Upstream: pkg/controller/controller_utils.go, ActivePodsWithRanks

use std::cmp::Ordering;
use std::sync::Arc;

use api::openapi::api::core::v1::{ContainerStatus, Pod};
use component_helpers::pod_status::{is_pod_ready, node_name, phase, ready_since};
use jiff::Timestamp;
use sim::OrdMap;

/// Lower costs are deleted first. Upstream: core.PodDeletionCost.
const POD_DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// A pod and how many related pods share its node.
#[derive(Clone, Debug)]
pub(super) struct RankedPod {
    pub(super) pod: Arc<Pod>,
    pub(super) rank: u32,
}

/// Gives each pod the number of active related pods on its node.
pub(super) fn rank(pods: &[Arc<Pod>], related_per_node: &OrdMap<String, u32>) -> Vec<RankedPod> {
    let rank_of = |pod: &Pod| related_per_node.get(node_name(pod)).copied().unwrap_or(0);
    pods.iter().map(|pod| RankedPod { rank: rank_of(pod), pod: pod.clone() }).collect()
}

/// Sorts the pods that are to be deleted first to the front. Times fall into buckets that
/// double in length, within which UIDs decide, so the order is not always transitive: this is a
/// merge sort of our own, because the library's may panic over such an order.
pub(super) fn sort(pods: &mut Vec<RankedPod>, now: Timestamp) {
    let mut width = 1;
    while width < pods.len() {
        let mut merged = Vec::with_capacity(pods.len());
        for run in pods.chunks(2 * width) {
            let (left, right) = run.split_at(width.min(run.len()));
            merge(left, right, now, &mut merged);
        }
        *pods = merged;
        width *= 2;
    }
}

fn merge(left: &[RankedPod], right: &[RankedPod], now: Timestamp, merged: &mut Vec<RankedPod>) {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
        let next = match compare(one, other, now) {
            Ordering::Greater => right.next(),
            _ => left.next(),
        };
        merged.extend(next.cloned());
    }
    merged.extend(left.cloned());
    merged.extend(right.cloned());
}

/// Less is deleted first.
fn compare(one: &RankedPod, other: &RankedPod, now: Timestamp) -> Ordering {
    let (a, b) = (&*one.pod, &*other.pod);
    // Unassigned before assigned, then by phase, then not ready before ready.
    let is_assigned = |pod: &Pod| !node_name(pod).is_empty();
    let simple = is_assigned(a)
        .cmp(&is_assigned(b))
        .then_with(|| phase_order(a).cmp(&phase_order(b)))
        .then_with(|| is_pod_ready(a).cmp(&is_pod_ready(b)))
        .then_with(|| deletion_cost(a).cmp(&deletion_cost(b)))
        // Doubled up before alone.
        .then_with(|| other.rank.cmp(&one.rank));
    if simple != Ordering::Equal {
        return simple;
    }
    if is_pod_ready(a)
        && let Some(decided) = compare_ages(a, b, (ready_since(a), ready_since(b)), now)
    {
        return decided;
    }
    let (a_restarts, b_restarts) = (max_restarts(a), max_restarts(b));
    if a_restarts != b_restarts {
        return b_restarts.cmp(&a_restarts);
    }
    compare_ages(a, b, (created(a), created(b)), now).unwrap_or(Ordering::Equal)
}

fn phase_order(pod: &Pod) -> u8 {
    match phase(pod) {
        "Unknown" => 1,
        "Running" => 2,
        _ => 0,
    }
}

fn deletion_cost(pod: &Pod) -> i32 {
    let annotations = pod.metadata.annotations.as_ref();
    let cost = annotations.and_then(|annotations| annotations.get(POD_DELETION_COST));
    cost.and_then(|cost| cost.parse().ok()).unwrap_or(0)
}

fn created(pod: &Pod) -> Option<Timestamp> {
    pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

/// No time before younger, younger before older; times in the same bucket go by UID. `None`
/// when the times are equal.
fn compare_ages(
    a: &Pod,
    b: &Pod,
    times: (Option<Timestamp>, Option<Timestamp>),
    now: Timestamp,
) -> Option<Ordering> {
    match times {
        (None, None) => None,
        (None, Some(_)) => Some(Ordering::Less),
        (Some(_), None) => Some(Ordering::Greater),
        (Some(first), Some(second)) if first == second => None,
        (Some(first), Some(second)) => Some(match bucket(first, now).cmp(&bucket(second, now)) {
            Ordering::Equal => a.metadata.uid.cmp(&b.metadata.uid),
            order => order,
        }),
    }
}

/// The logarithm of the age in nanoseconds; -1 when there is no age.
fn bucket(time: Timestamp, now: Timestamp) -> i64 {
    let age = now.as_nanosecond() - time.as_nanosecond();
    u64::try_from(age).ok().and_then(u64::checked_ilog2).map_or(-1, i64::from)
}

/// The greatest number of restarts of a container, and of a container that starts before the
/// others and stays.
fn max_restarts(pod: &Pod) -> (i32, i32) {
    let status = pod.status.as_ref();
    let max = |statuses: Option<&Vec<ContainerStatus>>, counts: &dyn Fn(&str) -> bool| {
        let counted = statuses.into_iter().flatten().filter(|status| counts(&status.name));
        counted.map(|status| status.restart_count).max().unwrap_or(0)
    };
    let containers = status.and_then(|status| status.container_statuses.as_ref());
    let init = status.and_then(|status| status.init_container_statuses.as_ref());
    let is_sidecar = |name: &str| {
        let init_containers = pod.spec.as_ref().and_then(|spec| spec.init_containers.as_ref());
        init_containers.into_iter().flatten().any(|container| {
            container.name == name && container.restart_policy.as_deref() == Some("Always")
        })
    };
    (max(containers, &|_| true), max(init, &is_sidecar))
}

#[cfg(test)]
#[path = "ranking_tests.rs"]
mod tests;
