//! Keeps a pod from nodes where it would make its pods' spread more uneven than it allows.
//!
//! Upstream: pkg/scheduler/framework/plugins/podtopologyspread/filtering.go

use sim::{OrdMap, SmallSet};
use std::sync::Arc;

use super::PodTopologySpread;
use super::common::{Constraint, DO_NOT_SCHEDULE, constraints_of, is_in_every_domain};
use crate::framework::{
    CycleState, FilterPlugin, Handle, MatchingGroups, NodeInfo, PodInfo, PreFilterPlugin, Status,
};

const PRE_FILTER_STATE: &str = "PreFilterPodTopologySpread";
const REASON_CONSTRAINTS_NOT_MATCH: &str = "node(s) didn't match pod topology spread constraints";
const REASON_NODE_LABEL_NOT_MATCH: &str =
    "node(s) didn't match pod topology spread constraints (missing required label)";

/// The two domains of a constraint with the fewest pods: the second is only known to have no
/// fewer than the first. That is enough as long as pods come and go in one domain only, which is
/// how preemption tries what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CriticalPaths([(String, i64); 2]);

impl CriticalPaths {
    fn new() -> Self {
        let none = (String::new(), i64::from(i32::MAX));
        CriticalPaths([none.clone(), none])
    }

    fn update(&mut self, value: &str, count: i64) {
        let [first, second] = &mut self.0;
        if first.0 == value {
            first.1 = count;
        } else if second.0 == value {
            second.1 = count;
        } else if count < first.1 {
            *second = std::mem::replace(first, (value.to_string(), count));
            return;
        } else if count < second.1 {
            *second = (value.to_string(), count);
            return;
        }
        if first.1 > second.1 {
            std::mem::swap(first, second);
        }
    }
}

/// How the pods of one constraint are spread.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    constraint: Arc<Constraint>,
    /// One if the pod itself is among those that are spread.
    self_match: i64,
    critical: CriticalPaths,
    /// How many pods each domain has.
    counts: OrdMap<String, i64>,
}

impl Spread {
    /// The fewest pods that a domain has: none, as long as there are too few domains.
    fn minimum(&self) -> i64 {
        let domains = i64::try_from(self.counts.len()).unwrap_or(i64::MAX);
        if domains < self.constraint.min_domains { 0 } else { self.critical.0[0].1 }
    }
}

#[derive(Clone, Debug)]
struct PreFilterState(Vec<Spread>);

/// Counts the pods in every domain of every constraint.
fn spreads(handle: Handle<'_>, pod: &PodInfo, constraints: Vec<Constraint>) -> Vec<Spread> {
    let all = handle.snapshot.nodes().iter();
    let nodes: Vec<&NodeInfo> =
        all.map(Arc::as_ref).filter(|node| is_in_every_domain(node, &constraints)).collect();
    let spread = |constraint: Constraint| {
        let mut counts: OrdMap<String, i64> = OrdMap::new();
        let mut groups = MatchingGroups::default();
        for node in nodes.iter().filter(|node| constraint.includes(pod, node)) {
            let Some(value) = node.place(&constraint.topology_key) else { continue };
            let count = groups.count_staying(&node.groups, |other| {
                other.metadata.namespace == pod.pod.metadata.namespace
                    && constraint.selector.matches_meta(&other.metadata)
            });
            match counts.get_mut(value) {
                Some(sum) => *sum += count,
                None => drop(counts.insert(value.to_string(), count)),
            }
        }
        let mut critical = CriticalPaths::new();
        counts.iter().for_each(|(value, count)| critical.update(value, *count));
        let self_match = i64::from(constraint.selector.matches_meta(&pod.pod.metadata));
        Spread { constraint: Arc::new(constraint), self_match, critical, counts }
    };
    constraints.into_iter().map(spread).collect()
}

/// Takes it that `other` comes to the node or leaves it. Upstream: updateWithPod.
fn update_with_pod(
    state: &mut CycleState,
    (pod, other): (&PodInfo, &PodInfo),
    node: &NodeInfo,
    delta: i64,
) {
    if pod.pod.metadata.namespace != other.pod.metadata.namespace {
        return;
    }
    state.update(PRE_FILTER_STATE, |PreFilterState(spreads)| {
        let has = |spread: &Spread| node.place(&spread.constraint.topology_key).is_some();
        if !spreads.iter().all(has) {
            return;
        }
        for spread in spreads {
            let constraint = &spread.constraint;
            if !constraint.selector.matches_meta(&other.pod.metadata)
                || !constraint.includes(pod, node)
            {
                continue;
            }
            let Some(value) = node.place(&constraint.topology_key) else { continue };
            let count = spread.counts.entry(value.to_string()).or_insert(0);
            *count += delta;
            spread.critical.update(value, *count);
        }
    });
}

impl PreFilterPlugin for PodTopologySpread {
    fn pre_filter(
        &self,
        handle: Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
    ) -> (Option<SmallSet<String>>, Status) {
        let constraints = constraints_of(&pod.pod, DO_NOT_SCHEDULE);
        if constraints.is_empty() {
            return (None, Status::SKIP);
        }
        state.write(PRE_FILTER_STATE, PreFilterState(spreads(handle, pod, constraints)));
        (None, Status::SUCCESS)
    }

    fn add_pod(&self, state: &mut CycleState, pod: &PodInfo, other: &PodInfo, node: &NodeInfo) {
        update_with_pod(state, (pod, other), node, 1);
    }

    fn remove_pod(&self, state: &mut CycleState, pod: &PodInfo, other: &PodInfo, node: &NodeInfo) {
        update_with_pod(state, (pod, other), node, -1);
    }
}

impl FilterPlugin for PodTopologySpread {
    fn filter(&self, state: &CycleState, _pod: &PodInfo, node: &NodeInfo) -> Status {
        let Some(PreFilterState(spreads)) = state.read(PRE_FILTER_STATE) else {
            return Status::SUCCESS;
        };
        for spread in spreads {
            let Some(value) = node.place(&spread.constraint.topology_key) else {
                return Status::unresolvable(REASON_NODE_LABEL_NOT_MATCH);
            };
            let count = spread.counts.get(value).copied().unwrap_or(0);
            if count + spread.self_match - spread.minimum() > spread.constraint.max_skew {
                return Status::unschedulable(REASON_CONSTRAINTS_NOT_MATCH);
            }
        }
        Status::SUCCESS
    }
}
