//! Which nodes a pod's node selector and node affinity select, and prefer.
//!
//! Upstream: staging/src/k8s.io/component-helpers/scheduling/corev1/nodeaffinity/nodeaffinity.go

use api::labels::{Operator, Requirement};
use api::openapi::api::core::v1::{
    Node, NodeSelector as CoreNodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod,
    PodSpec, PreferredSchedulingTerm,
};
use sim::SmallSet;

/// The only field of a node that a selector can ask for.
const NAME_FIELD: &str = "metadata.name";

/// A parsed selector term: all of its requirements must hold. A term that cannot be parsed, or
/// that has no requirement, selects no node.
#[derive(Clone, Debug)]
struct Term {
    expressions: Vec<Requirement>,
    fields: Vec<NameRequirement>,
    selects_nothing: bool,
}

#[derive(Clone, Debug)]
struct NameRequirement {
    name: String,
    is_in: bool,
}

impl Term {
    fn new(term: &NodeSelectorTerm) -> Self {
        let expressions = term.match_expressions.as_deref().unwrap_or_default();
        let fields = term.match_fields.as_deref().unwrap_or_default();
        let parsed: Option<Vec<_>> = expressions.iter().map(label_requirement).collect();
        let parsed_fields: Option<Vec<_>> = fields.iter().map(name_requirement).collect();
        let is_empty = expressions.is_empty() && fields.is_empty();
        let selects_nothing = is_empty || parsed.is_none() || parsed_fields.is_none();
        Term {
            expressions: parsed.unwrap_or_default(),
            fields: parsed_fields.unwrap_or_default(),
            selects_nothing,
        }
    }

    fn matches(&self, node: &Node) -> bool {
        if self.selects_nothing {
            return false;
        }
        let name = node.metadata.name.as_deref().unwrap_or_default();
        let empty = std::collections::BTreeMap::new();
        let labels = node.metadata.labels.as_ref().unwrap_or(&empty);
        self.fields.iter().all(|field| (field.name == name) == field.is_in)
            && self.expressions.iter().all(|requirement| requirement.matches(labels))
    }
}

fn label_requirement(requirement: &NodeSelectorRequirement) -> Option<Requirement> {
    let operator = match requirement.operator.as_str() {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::GreaterThan,
        "Lt" => Operator::LessThan,
        _ => return None,
    };
    let values = requirement.values.clone().unwrap_or_default();
    Requirement::new(&requirement.key, operator, values).ok()
}

fn name_requirement(requirement: &NodeSelectorRequirement) -> Option<NameRequirement> {
    let is_in = match requirement.operator.as_str() {
        "In" => true,
        "NotIn" => false,
        _ => return None,
    };
    match requirement.values.as_deref().unwrap_or_default() {
        [name] if requirement.key == NAME_FIELD => {
            Some(NameRequirement { name: name.clone(), is_in })
        }
        _ => None,
    }
}

/// A parsed node selector: one of its terms must hold. Upstream: nodeaffinity.NodeSelector.
#[derive(Clone, Debug)]
pub struct NodeSelector(Vec<Term>);

impl NodeSelector {
    /// Parses a selector.
    #[must_use]
    pub fn new(selector: &CoreNodeSelector) -> Self {
        NodeSelector(selector.node_selector_terms.iter().map(Term::new).collect())
    }

    /// Whether it selects the node.
    #[must_use]
    pub fn matches(&self, node: &Node) -> bool {
        self.0.iter().any(|term| term.matches(node))
    }
}

/// Everything a pod requires of its node's labels and name: `nodeSelector` and required node
/// affinity. Upstream: nodeaffinity.RequiredNodeAffinity.
#[derive(Clone, Debug, Default)]
pub struct RequiredNodeAffinity {
    labels: Vec<(String, String)>,
    affinity: Option<NodeSelector>,
}

impl RequiredNodeAffinity {
    /// What the pod requires.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let Some(spec) = &pod.spec else { return RequiredNodeAffinity::default() };
        let labels = spec.node_selector.iter().flatten();
        let labels = labels.map(|(key, value)| (key.clone(), value.clone())).collect();
        RequiredNodeAffinity { labels, affinity: required_terms(spec).map(NodeSelector::new) }
    }

    /// Whether the pod requires nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.affinity.is_none()
    }

    /// Whether the node is what the pod requires.
    #[must_use]
    pub fn matches(&self, node: &Node) -> bool {
        let labels = node.metadata.labels.as_ref();
        let has = |(key, value): &(String, String)| {
            labels.and_then(|labels| labels.get(key)) == Some(value)
        };
        self.labels.iter().all(has)
            && self.affinity.as_ref().is_none_or(|affinity| affinity.matches(node))
    }
}

/// The pod's required node affinity, if it has one.
#[must_use]
pub fn required_terms(spec: &PodSpec) -> Option<&CoreNodeSelector> {
    let affinity = spec.affinity.as_ref()?.node_affinity.as_ref()?;
    affinity.required_during_scheduling_ignored_during_execution.as_ref()
}

/// The nodes that required node affinity names one by one: `None` when any node may do.
/// Upstream: pkg/scheduler/framework/plugins/nodeaffinity/node_affinity.go, PreFilter.
#[must_use]
pub fn required_node_names(spec: &PodSpec) -> Option<SmallSet<String>> {
    let terms = &required_terms(spec)?.node_selector_terms;
    let mut names: Option<SmallSet<String>> = None;
    for term in terms {
        let mut term_names: Option<SmallSet<String>> = None;
        for field in term.match_fields.iter().flatten() {
            if field.key != NAME_FIELD || field.operator != "In" {
                continue;
            }
            let listed: SmallSet<String> = field.values.iter().flatten().cloned().collect();
            term_names = Some(match term_names {
                None => listed,
                Some(known) => known.intersection(&listed).cloned().collect(),
            });
        }
        // One term without a name is enough for any node to be eligible.
        names.get_or_insert_default().extend(term_names?);
    }
    names
}

/// Parsed preferences for nodes. Upstream: nodeaffinity.PreferredSchedulingTerms.
#[derive(Clone, Debug, Default)]
pub struct PreferredTerms(Vec<(i64, Term)>);

impl PreferredTerms {
    /// Parses preferences. A weight of zero prefers nothing, and an empty term is no preference.
    #[must_use]
    pub fn new(terms: &[PreferredSchedulingTerm]) -> Self {
        let parse = |term: &PreferredSchedulingTerm| {
            let parsed = Term::new(&term.preference);
            let counts = term.weight != 0 && !parsed.selects_nothing;
            counts.then_some((i64::from(term.weight), parsed))
        };
        PreferredTerms(terms.iter().filter_map(parse).collect())
    }

    /// The preferences of a pod.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let affinity = pod.spec.as_ref().and_then(|spec| spec.affinity.as_ref());
        let terms =
            affinity.and_then(|affinity| affinity.node_affinity.as_ref()).and_then(|affinity| {
                affinity.preferred_during_scheduling_ignored_during_execution.as_deref()
            });
        PreferredTerms::new(terms.unwrap_or_default())
    }

    /// Whether nothing is preferred.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sum of the weights of the terms that select the node.
    #[must_use]
    pub fn score(&self, node: &Node) -> i64 {
        self.0.iter().filter(|(_, term)| term.matches(node)).map(|(weight, _)| weight).sum()
    }
}

#[cfg(test)]
mod tests;
