//! Which nodes a DaemonSet's pods are meant for, and the pods that it makes for them.
//!
//! Upstream: pkg/controller/daemon/daemon_controller.go, NodeShouldRunDaemonPod, and
//! pkg/controller/daemon/util/daemonset_util.go

use std::cmp::Ordering;
use std::sync::Arc;

use api::openapi::api::apps::v1::DaemonSet;
use api::openapi::api::core::v1::{
    Affinity, Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSpec,
    Toleration,
};
use api::openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use component_helpers::node_affinity::RequiredNodeAffinity;
use component_helpers::pod_status::node_name;
use component_helpers::pod_template;
use component_helpers::taints::{
    NO_EXECUTE, NO_SCHEDULE, find_untolerated_taint, keeps_new_pods_away,
};

use super::PodsByNode;

/// Upstream: apps.ControllerRevisionHashLabelKey.
pub(super) const LABEL_REVISION_HASH: &str = "controller-revision-hash";
/// Upstream: extensions.DaemonSetTemplateGenerationKey.
const LABEL_TEMPLATE_GENERATION: &str = "pod-template-generation";
/// Upstream: apps.DeprecatedTemplateGeneration.
const ANNOTATION_TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";
/// The only field of a node that a selector can ask for.
const NAME_FIELD: &str = "metadata.name";

/// What decides whether a node is one of a DaemonSet's.
pub(super) struct Eligibility {
    node_name: Option<String>,
    affinity: RequiredNodeAffinity,
    tolerations: Vec<Toleration>,
}

impl Eligibility {
    pub(super) fn of(daemon_set: &DaemonSet) -> Self {
        let mut spec = daemon_set.spec.template.spec.clone().unwrap_or_default();
        add_tolerations(&mut spec);
        let tolerations = spec.tolerations.clone().unwrap_or_default();
        let node_name = spec.node_name.clone().filter(|name| !name.is_empty());
        let pod = Pod { spec: Some(spec), ..Pod::default() };
        Eligibility { node_name, affinity: RequiredNodeAffinity::of(&pod), tolerations }
    }

    /// Whether the node shall have a pod, and whether a pod that it has may go on running.
    /// Upstream: NodeShouldRunDaemonPod.
    pub(super) fn of_node(&self, node: &Node) -> (bool, bool) {
        let is_named = self.node_name.is_none() || self.node_name == node.metadata.name;
        if !is_named || !self.affinity.matches(node) {
            return (false, false);
        }
        let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_deref());
        let taints = taints.unwrap_or_default();
        if find_untolerated_taint(taints, &self.tolerations, keeps_new_pods_away).is_none() {
            return (true, true);
        }
        let evicts = |taint: &_| is_no_execute(taint);
        (false, find_untolerated_taint(taints, &self.tolerations, evicts).is_none())
    }
}

fn is_no_execute(taint: &api::openapi::api::core::v1::Taint) -> bool {
    taint.effect == NO_EXECUTE
}

/// Upstream: AddOrUpdateDaemonPodTolerations.
fn add_tolerations(spec: &mut PodSpec) {
    let network = spec.host_network.unwrap_or(false);
    for (key, effect, applies) in [
        ("not-ready", NO_EXECUTE, true),
        ("unreachable", NO_EXECUTE, true),
        ("disk-pressure", NO_SCHEDULE, true),
        ("memory-pressure", NO_SCHEDULE, true),
        ("pid-pressure", NO_SCHEDULE, true),
        ("unschedulable", NO_SCHEDULE, true),
        ("network-unavailable", NO_SCHEDULE, network),
    ] {
        if applies {
            add_toleration(spec, &format!("node.kubernetes.io/{key}"), effect);
        }
    }
}

/// Adds a toleration, in place of one that is like it but for the time it holds.
/// Upstream: AddOrUpdateTolerationInPodSpec.
fn add_toleration(spec: &mut PodSpec, key: &str, effect: &str) {
    let toleration = Toleration {
        key: Some(key.to_string()),
        operator: Some("Exists".to_string()),
        effect: Some(effect.to_string()),
        ..Toleration::default()
    };
    let tolerations = spec.tolerations.get_or_insert_default();
    let is_like = |other: &&mut Toleration| {
        other.key == toleration.key
            && other.operator == toleration.operator
            && other.effect == toleration.effect
            && other.value.as_deref().unwrap_or_default().is_empty()
    };
    match tolerations.iter_mut().find(is_like) {
        Some(other) => *other = toleration,
        None => tolerations.push(toleration),
    }
}

/// The number of the template, as far as the DaemonSet says it.
fn template_generation(daemon_set: &DaemonSet) -> Option<&String> {
    let annotations = daemon_set.metadata.annotations.as_ref();
    let text = annotations.and_then(|all| all.get(ANNOTATION_TEMPLATE_GENERATION));
    text.filter(|text| text.parse::<i64>().is_ok())
}

/// The pod for a node: the scheduler binds it there, because its affinity allows no other.
/// Upstream: CreatePodTemplate and ReplaceDaemonSetPodNodeNameNodeAffinity.
pub(super) fn pod_for(
    daemon_set: &DaemonSet,
    hash: &str,
    node: &str,
    owner: &OwnerReference,
) -> Pod {
    let namespace = daemon_set.metadata.namespace.as_deref().unwrap_or_default();
    let mut pod = pod_template::pod_of(&daemon_set.spec.template, owner, namespace);
    let labels = pod.metadata.labels.get_or_insert_default();
    if let Some(generation) = template_generation(daemon_set) {
        labels.insert(LABEL_TEMPLATE_GENERATION.to_string(), generation.clone());
    }
    if !hash.is_empty() {
        labels.insert(LABEL_REVISION_HASH.to_string(), hash.to_string());
    }
    let spec = pod.spec.get_or_insert_default();
    add_tolerations(spec);
    let name = NodeSelectorRequirement {
        key: NAME_FIELD.to_string(),
        operator: "In".to_string(),
        values: Some(vec![node.to_string()]),
    };
    let term = NodeSelectorTerm { match_fields: Some(vec![name]), match_expressions: None };
    let affinity: &mut Affinity = spec.affinity.get_or_insert_default();
    let node_affinity = affinity.node_affinity.get_or_insert_default();
    node_affinity.required_during_scheduling_ignored_during_execution =
        Some(NodeSelector { node_selector_terms: vec![term] });
    pod
}

/// The node that a pod is on, or meant for. Upstream: GetTargetNodeName.
fn target_node(pod: &Pod) -> Option<&str> {
    let bound = node_name(pod);
    if !bound.is_empty() {
        return Some(bound);
    }
    let affinity = pod.spec.as_ref()?.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity.required_during_scheduling_ignored_during_execution.as_ref()?;
    let fields =
        required.node_selector_terms.iter().flat_map(|it| it.match_fields.iter().flatten());
    let mut named = fields.filter(|it| it.key == NAME_FIELD && it.operator == "In");
    named.find_map(|field| match field.values.as_deref() {
        Some([name]) => Some(name.as_str()),
        _ => None,
    })
}

/// Pods by their nodes. Upstream: getNodesToDaemonPods.
pub(super) fn by_node(pods: Vec<Arc<Pod>>) -> PodsByNode {
    let mut by_node = PodsByNode::new();
    for pod in pods {
        if let Some(node) = target_node(&pod) {
            by_node.entry(node.to_string()).or_default().push(pod.clone());
        }
    }
    by_node
}

/// Whether a pod is of the current template. Upstream: IsPodUpdated.
pub(super) fn is_updated(daemon_set: &DaemonSet, pod: &Pod, hash: &str) -> bool {
    let label = |name: &str| pod.metadata.labels.as_ref().and_then(|labels| labels.get(name));
    let generation = template_generation(daemon_set);
    let has_hash = !hash.is_empty() && label(LABEL_REVISION_HASH).is_some_and(|it| it == hash);
    has_hash || (generation.is_some() && label(LABEL_TEMPLATE_GENERATION) == generation)
}

/// Pods that are bound come first, then the older ones.
/// Upstream: podByCreationTimestampAndPhase.
pub(super) fn by_age(one: &Pod, other: &Pod) -> Ordering {
    let key = |pod: &Pod| {
        let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
        (node_name(pod).is_empty(), created, pod.metadata.name.clone())
    };
    key(one).cmp(&key(other))
}
