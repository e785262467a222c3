//! Constraints, parsed; and those that the system gives to pods that have none.
//!
//! Upstream: pkg/scheduler/framework/plugins/podtopologyspread/{common,plugin}.go

use api::labels::{Operator, Requirement, Selector};
use api::openapi::api::core::v1::{Node, Pod, TopologySpreadConstraint};
use component_helpers::taints::{find_untolerated_taint, keeps_new_pods_away};

use crate::framework::{Handle, NodeInfo, PodInfo, TopologyKey};
use crate::plugins::taint_toleration::tolerations;

/// What a constraint says that keeps pods from nodes.
pub(super) const DO_NOT_SCHEDULE: &str = "DoNotSchedule";
/// What a constraint says that only prefers nodes.
pub(super) const SCHEDULE_ANYWAY: &str = "ScheduleAnyway";
/// What the system asks for pods that ask nothing: upstream's systemDefaultConstraints, all of
/// them only preferred.
const SYSTEM_DEFAULTS: [(TopologyKey, i64); 2] =
    [(TopologyKey::Hostname, 3), (TopologyKey::Zone, 5)];

/// A parsed constraint.
#[derive(Clone, Debug)]
pub(super) struct Constraint {
    pub(super) max_skew: i64,
    pub(super) topology_key: TopologyKey,
    pub(super) selector: Selector,
    pub(super) min_domains: i64,
    /// Whether nodes that the pod's node affinity excludes are left out.
    pub(super) honors_affinity: bool,
    /// Whether nodes that the pod does not tolerate are left out.
    pub(super) honors_taints: bool,
}

impl Constraint {
    fn new(constraint: &TopologySpreadConstraint, pod: &Pod) -> Self {
        let honors = |policy: &Option<String>, otherwise: bool| {
            policy.as_ref().map_or(otherwise, |policy| policy == "Honor")
        };
        Constraint {
            max_skew: i64::from(constraint.max_skew),
            topology_key: TopologyKey::new(&constraint.topology_key),
            selector: selector(constraint, pod),
            min_domains: i64::from(constraint.min_domains.unwrap_or(1)),
            honors_affinity: honors(&constraint.node_affinity_policy, true),
            honors_taints: honors(&constraint.node_taints_policy, false),
        }
    }

    /// Whether the node counts. Upstream: matchNodeInclusionPolicies.
    pub(super) fn includes(&self, pod: &PodInfo, node: &NodeInfo) -> bool {
        if self.honors_affinity {
            let required = pod.required_node_affinity();
            if !node.node.as_ref().is_some_and(|node| required.matches(node)) {
                return false;
            }
        }
        !self.honors_taints
            || find_untolerated_taint(node.taints(), tolerations(pod), keeps_new_pods_away)
                .is_none()
    }
}

/// The constraint's selector, narrowed to the pod's own values of the labels it names. The API
/// server has done that already for pods that it admitted. Upstream: mergeLabelSetWithSelector.
fn selector(constraint: &TopologySpreadConstraint, pod: &Pod) -> Selector {
    let selector = Selector::from_label_selector(constraint.label_selector.as_ref());
    let selector = selector.unwrap_or(Selector::nothing());
    let labels = pod.metadata.labels.as_ref();
    let keys = constraint.match_label_keys.iter().flatten();
    let own = keys.filter_map(|key| {
        let value = labels?.get(key)?.clone();
        Requirement::new(key, Operator::Equals, vec![value]).ok()
    });
    let own: Vec<Requirement> = own.collect();
    if own.is_empty() {
        return selector;
    }
    Selector::from_requirements(own.into_iter().chain(selector.requirements().to_vec()).collect())
}

/// The pod's own constraints of one kind. The defaults are none that keep pods from nodes, so
/// that for [`DO_NOT_SCHEDULE`] these are all. Upstream: getConstraints.
pub(super) fn constraints_of(pod: &Pod, when_unsatisfiable: &str) -> Vec<Constraint> {
    let spec = pod.spec.as_ref();
    let constraints = spec.and_then(|spec| spec.topology_spread_constraints.as_ref());
    let of_kind = constraints
        .into_iter()
        .flatten()
        .filter(|constraint| constraint.when_unsatisfiable == when_unsatisfiable);
    of_kind.map(|constraint| Constraint::new(constraint, pod)).collect()
}

/// Whether the pod says itself how it is to be spread.
pub(super) fn has_own_constraints(pod: &Pod) -> bool {
    let constraints = pod.spec.as_ref().and_then(|spec| spec.topology_spread_constraints.as_ref());
    constraints.is_some_and(|constraints| !constraints.is_empty())
}

/// The constraints that the system gives to a pod that has none: over the pods that belong with
/// it, if it belongs with any. Upstream: buildDefaultConstraints.
pub(super) fn default_constraints(handle: Handle<'_>, pod: &Pod) -> Vec<Constraint> {
    let selector = handle.listers.default_selector(pod);
    if selector.is_everything() {
        return Vec::new();
    }
    let defaults = SYSTEM_DEFAULTS.into_iter().map(|(topology_key, max_skew)| Constraint {
        max_skew,
        topology_key,
        selector: selector.clone(),
        min_domains: 1,
        honors_affinity: true,
        honors_taints: false,
    });
    defaults.collect()
}

/// Whether the node belongs to a domain of every constraint.
/// Upstream: nodeLabelsMatchSpreadConstraints.
pub(super) fn is_in_every_domain(node: &NodeInfo, constraints: &[Constraint]) -> bool {
    constraints.iter().all(|constraint| node.place(&constraint.topology_key).is_some())
}

/// The value of a node's label.
pub(super) fn label<'n>(node: &'n Node, key: &TopologyKey) -> Option<&'n str> {
    let labels = node.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(key.name())).map(String::as_str)
}
