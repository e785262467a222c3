//! The terms of pod affinity and anti-affinity, parsed.
//!
//! Upstream: staging/src/k8s.io/kube-scheduler/framework/types.go

use std::collections::BTreeMap;

use api::labels::Selector;
use api::openapi::api::core::v1::{Affinity, Pod, PodAffinityTerm, WeightedPodAffinityTerm};
use api::openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use sim::SmallSet;

/// Which pods a term selects, and the label whose value says which nodes are one place.
#[derive(Clone, Debug)]
pub struct AffinityTerm {
    namespaces: SmallSet<String>,
    selector: Selector,
    namespace_selector: Selector,
    /// The key of the nodes' label.
    pub topology_key: String,
}

impl AffinityTerm {
    /// Parses a term of a pod in that namespace. A selector that cannot be parsed, which
    /// validation keeps away, selects nothing.
    #[must_use]
    pub fn new(namespace: &str, term: &PodAffinityTerm) -> Self {
        let parse = |selector: &Option<LabelSelector>| {
            Selector::from_label_selector(selector.as_ref()).unwrap_or(Selector::nothing())
        };
        let mut namespaces: SmallSet<String> = term.namespaces.iter().flatten().cloned().collect();
        if namespaces.is_empty() && term.namespace_selector.is_none() {
            namespaces.insert(namespace.to_string());
        }
        AffinityTerm {
            namespaces,
            selector: parse(&term.label_selector),
            namespace_selector: parse(&term.namespace_selector),
            topology_key: term.topology_key.clone(),
        }
    }

    /// Whether the term selects the pod, whose namespace has those labels.
    #[must_use]
    pub fn matches(&self, pod: &Pod, namespace_labels: &BTreeMap<String, String>) -> bool {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        (self.namespaces.contains(namespace) || self.namespace_selector.matches(namespace_labels))
            && self.selector.matches_meta(&pod.metadata)
    }

    /// Puts the namespaces that the namespace selector selects in its place, so that no labels of
    /// namespaces are needed any more. Upstream: mergeAffinityTermNamespacesIfNotEmpty.
    pub fn resolve_namespaces<'a>(&mut self, namespaces: impl FnOnce(&Selector) -> Vec<&'a str>) {
        if self.namespace_selector.is_everything() || self.namespace_selector.is_nothing() {
            return;
        }
        let selected = namespaces(&self.namespace_selector);
        self.namespaces.extend(selected.into_iter().map(str::to_string));
        self.namespace_selector = Selector::nothing();
    }
}

/// A term that is preferred, and how much.
#[derive(Clone, Debug)]
pub struct WeightedAffinityTerm {
    /// The term.
    pub term: AffinityTerm,
    /// How much it counts.
    pub weight: i64,
}

/// Everything a pod says of the pods it wants near or far.
#[derive(Clone, Debug, Default)]
pub(super) struct PodAffinityTerms {
    pub(super) required_affinity: Vec<AffinityTerm>,
    pub(super) required_anti_affinity: Vec<AffinityTerm>,
    pub(super) preferred_affinity: Vec<WeightedAffinityTerm>,
    pub(super) preferred_anti_affinity: Vec<WeightedAffinityTerm>,
}

impl PodAffinityTerms {
    pub(super) fn of(pod: &Pod) -> Self {
        let affinity = pod.spec.as_ref().and_then(|spec| spec.affinity.as_ref());
        let Some(Affinity { pod_affinity, pod_anti_affinity, .. }) = affinity else {
            return PodAffinityTerms::default();
        };
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let required = |terms: Option<&Vec<PodAffinityTerm>>| -> Vec<AffinityTerm> {
            terms.into_iter().flatten().map(|term| AffinityTerm::new(namespace, term)).collect()
        };
        let preferred = |terms: Option<&Vec<WeightedPodAffinityTerm>>| {
            let parse = |weighted: &WeightedPodAffinityTerm| WeightedAffinityTerm {
                term: AffinityTerm::new(namespace, &weighted.pod_affinity_term),
                weight: i64::from(weighted.weight),
            };
            terms.into_iter().flatten().map(parse).collect::<Vec<_>>()
        };
        let (near, far) = (pod_affinity.as_ref(), pod_anti_affinity.as_ref());
        PodAffinityTerms {
            required_affinity: required(near.and_then(|near| {
                near.required_during_scheduling_ignored_during_execution.as_ref()
            })),
            required_anti_affinity: required(
                far.and_then(|far| {
                    far.required_during_scheduling_ignored_during_execution.as_ref()
                }),
            ),
            preferred_affinity: preferred(near.and_then(|near| {
                near.preferred_during_scheduling_ignored_during_execution.as_ref()
            })),
            preferred_anti_affinity: preferred(
                far.and_then(|far| {
                    far.preferred_during_scheduling_ignored_during_execution.as_ref()
                }),
            ),
        }
    }

    /// Whether the pod names pod affinity or anti-affinity at all.
    pub(super) fn is_empty(&self) -> bool {
        self.required_affinity.is_empty()
            && self.required_anti_affinity.is_empty()
            && self.preferred_affinity.is_empty()
            && self.preferred_anti_affinity.is_empty()
    }
}
