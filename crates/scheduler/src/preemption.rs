//! Which pods of lower priority would have to go so that a pod fits, and on which node that
//! does the least harm.
//!
//! Upstream: pkg/scheduler/framework/preemption/preemption.go and
//! pkg/scheduler/framework/plugins/defaultpreemption/default_preemption.go

use std::cmp::Reverse;
use std::sync::Arc;

use api::openapi::api::core::v1::{Pod, PodCondition};
use api::openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;
use sim::Sort;

use crate::framework::{
    Code, CycleState, Diagnosis, Framework, NodeInfo, NodeToStatus, PodInfo, PostFilterContext,
    PostFilterResult, Status, fit_error_message,
};
use crate::queue::Nominator;

const DISRUPTION_TARGET: &str = "DisruptionTarget";
const PREEMPTION_BY_SCHEDULER: &str = "PreemptionByScheduler";
/// How many candidates are looked for at least, and as a part of all nodes.
/// Upstream: DefaultPreemptionArgs.
const MIN_CANDIDATES: usize = 100;
const MIN_CANDIDATES_PERCENTAGE: usize = 10;

/// A node, and the pods that would have to leave it.
struct Candidate {
    place: usize,
    victims: Vec<Arc<PodInfo>>,
}

/// Looks for a node on which deleting pods would help. Upstream: Evaluator.Preempt.
pub(crate) fn preempt(
    cx: &PostFilterContext<'_>,
    state: &CycleState,
    pod: &PodInfo,
    statuses: &NodeToStatus,
) -> (PostFilterResult, Status) {
    if let Some(reason) = not_eligible(cx, pod, statuses) {
        return (PostFilterResult::default(), Status::unschedulable(reason));
    }
    let mut diagnosis = Diagnosis::default();
    let candidates = find_candidates(cx, state, pod, statuses, &mut diagnosis.node_to_status);
    let Some(best) = select(candidates) else {
        let absent = Status::unresolvable("Preemption is not helpful for scheduling");
        diagnosis.node_to_status.set_absent(absent);
        let message = fit_error_message(cx.snapshot.len(), &diagnosis);
        // A promise that cannot be kept is taken back.
        let result = PostFilterResult { nominated_node: Some(None), victims: Vec::new() };
        return (result, Status::unschedulable(message));
    };
    let node = cx.snapshot.nodes()[best.place].name.to_string();
    let result = PostFilterResult { nominated_node: Some(Some(node)), victims: best.victims };
    (result, Status::SUCCESS)
}

/// Why the pod may not preempt others, if it may not. Upstream: PodEligibleToPreemptOthers.
fn not_eligible(
    cx: &PostFilterContext<'_>,
    pod: &PodInfo,
    statuses: &NodeToStatus,
) -> Option<&'static str> {
    let policy = pod.pod.spec.as_ref().and_then(|spec| spec.preemption_policy.as_deref());
    if policy == Some("Never") {
        return Some("not eligible due to preemptionPolicy=Never.");
    }
    let place = cx.nominated.node_of(&pod.key).and_then(|node| cx.snapshot.place(node))?;
    if statuses.get(place).code == Code::UnschedulableAndUnresolvable {
        return None;
    }
    let node = &cx.snapshot.nodes()[place];
    let leaves = |other: &PodInfo| {
        other.priority() < pod.priority() && is_terminating_by_preemption(&other.pod)
    };
    let waits = node.pods.values().any(leaves);
    waits.then_some("not eligible due to a terminating pod on the nominated node.")
}

fn is_terminating_by_preemption(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    pod.metadata.deletion_timestamp.is_some()
        && conditions.into_iter().flatten().any(|condition| {
            condition.type_ == DISRUPTION_TARGET
                && condition.status == "True"
                && condition.reason.as_deref() == Some(PREEMPTION_BY_SCHEDULER)
        })
}

/// Upstream: findCandidates and DryRunPreemption.
fn find_candidates(
    cx: &PostFilterContext<'_>,
    state: &CycleState,
    pod: &PodInfo,
    statuses: &NodeToStatus,
    said: &mut NodeToStatus,
) -> Vec<Candidate> {
    let nodes = 0..cx.snapshot.len();
    let mut places: Vec<usize> =
        nodes.filter(|place| statuses.get(*place).code == Code::Unschedulable).collect();
    if places.is_empty() {
        return Vec::new();
    }
    let count = places.len();
    let offset = usize::try_from(cx.offset % count as u64).unwrap_or(0);
    places.rotate_left(offset);
    let enough = (count * MIN_CANDIDATES_PERCENTAGE / 100).max(MIN_CANDIDATES);
    let mut candidates = Vec::new();
    for place in places {
        let node = &cx.snapshot.nodes()[place];
        match select_victims(cx.framework, cx.nominated, state, pod, node) {
            Ok(victims) => candidates.push(Candidate { place, victims }),
            Err(status) => said.set(place, status),
        }
        if candidates.len() == enough {
            break;
        }
    }
    candidates
}

/// The fewest and least important pods whose going makes room. Upstream: SelectVictimsOnNode.
pub(crate) fn select_victims(
    framework: &Framework,
    nominated: &Nominator,
    state: &CycleState,
    pod: &PodInfo,
    node: &NodeInfo,
) -> Result<Vec<Arc<PodInfo>>, Status> {
    let (mut node, mut state) = (node.clone(), state.clone());
    let lower = node.pods.values().filter(|other| other.priority() < pod.priority());
    let mut potential: Vec<Arc<PodInfo>> = lower.cloned().map(Arc::new).collect();
    if potential.is_empty() {
        return Err(Status::unresolvable("No preemption victims found for incoming pod"));
    }
    for victim in &potential {
        node.remove_pod(&victim.key);
        framework.run_remove_pod(&mut state, pod, victim, &node);
    }
    let fits = |state: &CycleState, node: &NodeInfo| {
        framework.run_filters_with_nominated_pods(state, pod, node, nominated)
    };
    let status = fits(&state, &node);
    if !status.is_success() {
        return Err(status);
    }
    potential.order_by_key(|pod| importance(pod));
    let mut victims = Vec::new();
    for victim in potential {
        node.add_pod((*victim).clone());
        framework.run_add_pod(&mut state, pod, &victim, &node);
        if !fits(&state, &node).is_success() {
            node.remove_pod(&victim.key);
            framework.run_remove_pod(&mut state, pod, &victim, &node);
            victims.push(victim);
        }
    }
    Ok(victims)
}

/// Sorts the most important pod first: of higher priority, then running for longer.
/// Upstream: pkg/scheduler/util/utils.go, MoreImportantPod.
fn importance(pod: &PodInfo) -> (Reverse<i32>, bool, Option<MetaTime>) {
    let start = start_time(pod);
    (Reverse(pod.priority()), start.is_none(), start)
}

fn start_time(pod: &PodInfo) -> Option<MetaTime> {
    pod.pod.status.as_ref().and_then(|status| status.start_time.clone())
}

/// The node where preemption does the least harm: whose most important victim is least
/// important, then least importance in all, then fewest victims, then those that run for the
/// shortest time. Upstream: pickOneNodeForPreemption.
fn select(candidates: Vec<Candidate>) -> Option<Candidate> {
    let harm = |candidate: &Candidate| {
        let victims = &candidate.victims;
        let highest = victims.iter().map(|victim| victim.priority()).max();
        let weight = |victim: &Arc<PodInfo>| i64::from(victim.priority()) + (1 << 31);
        let sum: i64 = victims.iter().map(weight).sum();
        let most_important = victims.iter().filter(|victim| Some(victim.priority()) == highest);
        let earliest = most_important.filter_map(|victim| start_time(victim)).min();
        // A pod that has not started runs for the shortest time of all.
        let started = (earliest.is_some(), Reverse(earliest));
        (highest, sum, victims.len(), started)
    };
    candidates.into_iter().min_by_key(harm)
}

/// The condition that says why a pod is deleted.
pub(crate) fn disruption_condition(victim: &PodInfo, now: MetaTime) -> PodCondition {
    PodCondition {
        type_: DISRUPTION_TARGET.to_string(),
        status: "True".to_string(),
        reason: Some(PREEMPTION_BY_SCHEDULER.to_string()),
        message: Some(
            "default-scheduler: preempting to accommodate a higher priority pod".to_string(),
        ),
        observed_generation: victim.pod.metadata.generation,
        last_transition_time: Some(now),
        ..PodCondition::default()
    }
}

/// Puts a condition into a pod's status.
pub(crate) fn set_condition(pod: &mut Pod, condition: PodCondition) {
    let conditions = pod.status.get_or_insert_default().conditions.get_or_insert_default();
    match conditions.iter_mut().find(|known| known.type_ == condition.type_) {
        Some(known) => *known = condition,
        None => conditions.push(condition),
    }
}
