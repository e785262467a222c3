//! Keeps a pod from nodes where it, or a pod that runs already, requires otherwise.
//!
//! Upstream: pkg/scheduler/framework/plugins/interpodaffinity/filtering.go

use sim::{SmallMap, SmallSet};
use std::collections::BTreeMap;

use super::{InterPodAffinity, NO_LABELS, matches_all};
use crate::framework::{
    AffinityTerm, CycleState, FilterPlugin, Handle, MatchingGroups, NodeInfo, PodInfo,
    PreFilterPlugin, Status,
};

const PRE_FILTER_STATE: &str = "PreFilterInterPodAffinity";
const REASON_EXISTING_ANTI_AFFINITY: &str =
    "node(s) didn't satisfy existing pods anti-affinity rules";
const REASON_AFFINITY: &str = "node(s) didn't match pod affinity rules";
const REASON_ANTI_AFFINITY: &str = "node(s) didn't match pod anti-affinity rules";

/// How many pods there are, by the key and value of their nodes' label. A pod that several terms
/// select counts several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct TopologyCounts(SmallMap<String, SmallMap<String, i64>>);

impl TopologyCounts {
    fn add(&mut self, node: &NodeInfo, key: &str, count: i64) {
        let Some(value) = node.labels().get(key) else { return };
        if count == 0 {
            return;
        }
        let values = self.0.entry(key.to_string()).or_default();
        let sum = values.entry(value.clone()).or_default();
        *sum += count;
        // What counts nothing is left out: whether there is anything at all is asked.
        if *sum == 0 {
            values.remove(value);
            if values.is_empty() {
                self.0.remove(key);
            }
        }
    }

    fn get(&self, key: &str, value: &str) -> i64 {
        self.0.get(key).and_then(|values| values.get(value)).copied().unwrap_or(0)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Clone, Debug)]
struct PreFilterState {
    /// Where pods are that must not be where this one is.
    existing_anti_affinity: TopologyCounts,
    /// Where pods are that satisfy all terms of this pod's affinity.
    affinity: TopologyCounts,
    /// Where pods are that satisfy a term of this pod's anti-affinity.
    anti_affinity: TopologyCounts,
    required_affinity: Vec<AffinityTerm>,
    required_anti_affinity: Vec<AffinityTerm>,
    namespace_labels: BTreeMap<String, String>,
}

/// The terms, with the namespaces that they mean.
pub(super) fn resolved(handle: Handle<'_>, terms: &[AffinityTerm]) -> Vec<AffinityTerm> {
    let mut terms = terms.to_vec();
    for term in &mut terms {
        term.resolve_namespaces(|selector| handle.listers.namespaces(selector));
    }
    terms
}

impl PreFilterState {
    fn new(handle: Handle<'_>, pod: &PodInfo) -> Self {
        let mut state = PreFilterState {
            existing_anti_affinity: TopologyCounts::default(),
            affinity: TopologyCounts::default(),
            anti_affinity: TopologyCounts::default(),
            required_affinity: resolved(handle, pod.required_affinity()),
            required_anti_affinity: resolved(handle, pod.required_anti_affinity()),
            namespace_labels: handle.listers.namespace_labels(&pod.key.namespace),
        };
        for node in handle.snapshot.with_required_anti_affinity() {
            let keys = node.pods_with_required_anti_affinity.iter();
            for other in keys.filter_map(|key| node.pods.get(key)) {
                state.add_existing(pod, other, node, 1);
            }
        }
        if !state.required_affinity.is_empty() || !state.required_anti_affinity.is_empty() {
            state.add_incoming(handle);
        }
        state
    }

    /// Counts a pod on the node whose anti-affinity this pod would violate.
    fn add_existing(&mut self, pod: &PodInfo, other: &PodInfo, node: &NodeInfo, count: i64) {
        for term in other.required_anti_affinity() {
            if term.matches(&pod.pod, &self.namespace_labels) {
                self.existing_anti_affinity.add(node, &term.topology_key, count);
            }
        }
    }

    /// Counts the pods that this pod's terms select.
    fn add_incoming(&mut self, handle: Handle<'_>) {
        let mut near = MatchingGroups::default();
        let mut far = vec![MatchingGroups::default(); self.required_anti_affinity.len()];
        for node in handle.snapshot.nodes() {
            let terms = &self.required_affinity;
            let count = near.count(&node.groups, |other| matches_all(terms, other));
            for term in terms {
                self.affinity.add(node, &term.topology_key, count);
            }
            for (term, groups) in self.required_anti_affinity.iter().zip(&mut far) {
                let count = groups.count(&node.groups, |other| term.matches(other, &NO_LABELS));
                self.anti_affinity.add(node, &term.topology_key, count);
            }
        }
    }

    /// Takes it that `other` comes to the node or leaves it. Upstream: updateWithPod.
    fn update(&mut self, pod: &PodInfo, other: &PodInfo, node: &NodeInfo, count: i64) {
        self.add_existing(pod, other, node, count);
        if matches_all(&self.required_affinity, &other.pod) {
            for term in &self.required_affinity {
                self.affinity.add(node, &term.topology_key, count);
            }
        }
        for term in &self.required_anti_affinity {
            if term.matches(&other.pod, &NO_LABELS) {
                self.anti_affinity.add(node, &term.topology_key, count);
            }
        }
    }

    fn satisfies_affinity(&self, pod: &PodInfo, node: &NodeInfo) -> bool {
        let mut exist = true;
        for term in &self.required_affinity {
            // The node must have all labels, whatever runs there.
            let Some(value) = node.labels().get(&term.topology_key) else { return false };
            exist &= self.affinity.get(&term.topology_key, value) > 0;
        }
        // The first of several pods that want each other near finds nobody yet.
        exist || self.affinity.is_empty() && matches_all(&self.required_affinity, &pod.pod)
    }

    fn satisfies_anti_affinity(&self, node: &NodeInfo) -> bool {
        self.anti_affinity.is_empty()
            || self.required_anti_affinity.iter().all(|term| {
                let value = node.labels().get(&term.topology_key);
                value.is_none_or(|value| self.anti_affinity.get(&term.topology_key, value) <= 0)
            })
    }

    fn satisfies_existing_anti_affinity(&self, node: &NodeInfo) -> bool {
        self.existing_anti_affinity.0.iter().all(|(key, values)| {
            let value = node.labels().get(key);
            value.and_then(|value| values.get(value)).is_none_or(|count| *count <= 0)
        })
    }
}

impl PreFilterPlugin for InterPodAffinity {
    fn pre_filter(
        &self,
        handle: Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
    ) -> (Option<SmallSet<String>>, Status) {
        let has_terms =
            !pod.required_affinity().is_empty() || !pod.required_anti_affinity().is_empty();
        if !has_terms && handle.snapshot.with_required_anti_affinity().next().is_none() {
            return (None, Status::SKIP);
        }
        let found = PreFilterState::new(handle, pod);
        if !has_terms && found.existing_anti_affinity.is_empty() {
            return (None, Status::SKIP);
        }
        state.write(PRE_FILTER_STATE, found);
        (None, Status::SUCCESS)
    }

    fn add_pod(&self, state: &mut CycleState, pod: &PodInfo, other: &PodInfo, node: &NodeInfo) {
        let add = |state: &mut PreFilterState| state.update(pod, other, node, 1);
        state.update(PRE_FILTER_STATE, add);
    }

    fn remove_pod(&self, state: &mut CycleState, pod: &PodInfo, other: &PodInfo, node: &NodeInfo) {
        let remove = |state: &mut PreFilterState| state.update(pod, other, node, -1);
        state.update(PRE_FILTER_STATE, remove);
    }
}

impl FilterPlugin for InterPodAffinity {
    fn filter(&self, state: &CycleState, pod: &PodInfo, node: &NodeInfo) -> Status {
        let Some(state) = state.read::<PreFilterState>(PRE_FILTER_STATE) else {
            return Status::SUCCESS;
        };
        if !state.satisfies_affinity(pod, node) {
            return Status::unresolvable(REASON_AFFINITY);
        }
        if !state.satisfies_anti_affinity(node) {
            return Status::unschedulable(REASON_ANTI_AFFINITY);
        }
        if !state.satisfies_existing_anti_affinity(node) {
            return Status::unschedulable(REASON_EXISTING_ANTI_AFFINITY);
        }
        Status::SUCCESS
    }
}
