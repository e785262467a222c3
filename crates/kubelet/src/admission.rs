//! Whether a pod that was bound to the node may run there: the node's own check, whatever the
//! scheduler thought.
//!
//! Upstream: pkg/kubelet/lifecycle/predicate.go; pkg/scheduler/framework/plugins.

use api::openapi::api::core::v1::{
    Node as NodeObject, NodeSelectorRequirement, NodeSelectorTerm, Pod, Taint, Toleration,
};

use crate::resources::{Amounts, pod_requests};

/// Why a pod may not run on the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// What the node offers and what the pods admitted before have taken of it.
pub(crate) struct NodeView<'a> {
    pub(crate) node: &'a NodeObject,
    pub(crate) allocatable: Amounts,
    pub(crate) others: Vec<&'a Pod>,
}

fn insufficient(resource: &str, requested: u64, used: u64, capacity: u64) -> Rejection {
    Rejection {
        reason: format!("OutOf{resource}"),
        message: format!(
            "Node didn't have enough resource: {resource}, requested: {requested}, used: {used}, \
             capacity: {capacity}"
        ),
    }
}

fn failed(predicate: &str, description: &str) -> Rejection {
    Rejection {
        reason: predicate.to_string(),
        message: format!("Predicate {predicate} failed: {description}"),
    }
}

/// Checks a pod.
pub(crate) fn admit(pod: &Pod, is_static: bool, view: &NodeView<'_>) -> Result<(), Rejection> {
    let os = pod.spec.as_ref().and_then(|spec| spec.os.as_ref());
    if os.is_some_and(|os| os.name != "linux") {
        return Err(Rejection {
            reason: "PodOSNotSupported".to_string(),
            message: "Failed to admit pod as the OS field doesn't match node OS".to_string(),
        });
    }
    if requires_app_armor(pod) {
        return Err(Rejection {
            reason: "AppArmor".to_string(),
            message: "Cannot enforce AppArmor: AppArmor is not enabled on the host".to_string(),
        });
    }
    fits_resources(pod, view)?;
    if !matches_node(pod, view.node) {
        return Err(failed("NodeAffinity", "node(s) didn't match Pod's node affinity/selector"));
    }
    let name = view.node.metadata.name.as_deref();
    let wanted = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    if wanted.is_some_and(|wanted| !wanted.is_empty() && Some(wanted) != name) {
        return Err(failed("NodeName", "node(s) didn't match the requested node name"));
    }
    fits_ports(pod, view)?;
    // Only eviction counts here: what keeps new pods away is for the scheduler to heed.
    let taints = view.node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    let evicting = taints.filter(|taint| taint.effect == "NoExecute");
    if !is_static && evicting.clone().any(|taint| !is_tolerated(pod, taint)) {
        return Err(failed("TaintToleration", "node(s) had taints that the pod didn't tolerate"));
    }
    Ok(())
}

/// The nodes have no AppArmor, as those that are containers themselves do not.
/// Upstream: pkg/security/apparmor/helpers.go, isRequired.
fn requires_app_armor(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let of_pod = spec.security_context.iter().filter_map(|it| it.app_armor_profile.as_ref());
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let own = containers
        .filter_map(|container| container.security_context.as_ref()?.app_armor_profile.as_ref());
    of_pod.chain(own).any(|profile| profile.type_ != "Unconfined")
}

fn fits_resources(pod: &Pod, view: &NodeView<'_>) -> Result<(), Rejection> {
    let offered = |name: &str| view.allocatable.get(name).copied().unwrap_or(0);
    let count = view.others.len() as u64;
    if count + 1 > offered("pods") {
        return Err(insufficient("pods", 1, count, offered("pods")));
    }
    let mut used = Amounts::new();
    for other in &view.others {
        for (name, amount) in pod_requests(other) {
            *used.entry(name).or_default() += amount;
        }
    }
    let requests = pod_requests(pod);
    for name in ["cpu", "memory", "ephemeral-storage"] {
        let requested = requests.get(name).copied().unwrap_or(0);
        let taken = used.get(name).copied().unwrap_or(0);
        if requested > 0 && taken + requested > offered(name) {
            return Err(insufficient(name, requested, taken, offered(name)));
        }
    }
    for (name, requested) in requests.iter().filter(|(name, _)| name.contains('/')) {
        // A resource that the node does not know is somebody else's to check.
        let Some(offered) = view.allocatable.get(name).copied() else { continue };
        let taken = used.get(name).copied().unwrap_or(0);
        if taken + requested > offered {
            return Err(insufficient(name, *requested, taken, offered));
        }
    }
    Ok(())
}

fn host_ports(pod: &Pod) -> impl Iterator<Item = (&str, &str, i32)> {
    let spec = pod.spec.iter();
    let containers = spec.flat_map(|spec| {
        let sidecars = spec.init_containers.iter().flatten();
        let sidecars = sidecars.filter(|c| c.restart_policy.as_deref() == Some("Always"));
        spec.containers.iter().chain(sidecars)
    });
    containers.flat_map(|container| container.ports.iter().flatten()).filter_map(|port| {
        let host_port = port.host_port.filter(|number| *number > 0)?;
        let address = port.host_ip.as_deref().filter(|address| !address.is_empty());
        Some((address.unwrap_or("0.0.0.0"), port.protocol.as_deref().unwrap_or("TCP"), host_port))
    })
}

fn fits_ports(pod: &Pod, view: &NodeView<'_>) -> Result<(), Rejection> {
    let conflicts = |(address, protocol, port): (&str, &str, i32)| {
        let taken = view.others.iter().flat_map(|other| host_ports(other));
        taken.into_iter().any(|(other_address, other_protocol, other_port)| {
            let meets =
                address == other_address || address == "0.0.0.0" || other_address == "0.0.0.0";
            meets && protocol == other_protocol && port == other_port
        })
    };
    if host_ports(pod).any(conflicts) {
        let description = "node(s) didn't have free ports for the requested pod ports";
        return Err(failed("NodePorts", description));
    }
    Ok(())
}

fn matches_node(pod: &Pod, node: &NodeObject) -> bool {
    let Some(spec) = &pod.spec else { return true };
    let labels = node.metadata.labels.clone().unwrap_or_default();
    let selected =
        spec.node_selector.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity
        .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    selected
        && required.is_none_or(|selector| {
            selector.node_selector_terms.iter().any(|term| matches_term(term, node))
        })
}

fn matches_term(term: &NodeSelectorTerm, node: &NodeObject) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    if expressions.is_empty() && fields.is_empty() {
        return false;
    }
    let labels = node.metadata.labels.as_ref();
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).map(String::as_str);
    let name = node.metadata.name.as_deref();
    expressions.iter().all(|requirement| matches(requirement, label(&requirement.key)))
        && fields.iter().all(|requirement| matches(requirement, name))
}

fn matches(requirement: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = value.is_some_and(|value| values.iter().any(|other| other == value));
    let compare = || {
        let bound: i64 = values.first()?.parse().ok()?;
        Some((value?.parse::<i64>().ok()?, bound))
    };
    match requirement.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compare().is_some_and(|(value, bound)| value > bound),
        "Lt" => compare().is_some_and(|(value, bound)| value < bound),
        _ => false,
    }
}

fn is_tolerated(pod: &Pod, taint: &Taint) -> bool {
    let tolerations = pod.spec.iter().flat_map(|spec| spec.tolerations.iter().flatten());
    tolerations.into_iter().any(|toleration| tolerates(toleration, taint))
}

/// Upstream: staging/src/k8s.io/api/core/v1/toleration.go, ToleratesTaint.
fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = toleration.effect.as_deref().unwrap_or_default();
    let key = toleration.key.as_deref().unwrap_or_default();
    if !effect.is_empty() && effect != taint.effect || !key.is_empty() && key != taint.key {
        return false;
    }
    match toleration.operator.as_deref() {
        Some("Exists") => true,
        _ => {
            toleration.value.as_deref().unwrap_or_default()
                == taint.value.as_deref().unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(spec: &str) -> Pod {
        serde_json::from_str(&format!(r#"{{"spec":{spec}}}"#)).expect("a pod")
    }

    fn requesting(cpu: &str, memory: &str) -> String {
        format!(
            r#"{{"containers":[{{"name":"c","resources":{{"requests":{{"cpu":"{cpu}",
            "memory":"{memory}"}}}}}}]}}"#
        )
    }

    /// Checks a pod on a node with 10 thousandths of a processor, 20 bytes and 32 pods, beside
    /// another pod. The answer is the reason and message, or nothing.
    fn check(spec: &str, other: &str, node: &str) -> String {
        let node: NodeObject = serde_json::from_str(node).expect("a node");
        let other = pod(other);
        let offered = [("cpu", 10), ("memory", 20), ("pods", 32)];
        let view = NodeView {
            node: &node,
            allocatable: offered.map(|(name, amount)| (name.to_string(), amount)).into(),
            others: vec![&other],
        };
        match admit(&pod(spec), false, &view) {
            Ok(()) => String::new(),
            Err(rejection) => format!("{}: {}", rejection.reason, rejection.message),
        }
    }

    const NODE: &str = r#"{"metadata":{"name":"machine1","labels":{"zone":"a"}}}"#;
    const NOTHING: &str = r#"{"containers":[]}"#;

    /// Upstream: pkg/kubelet/lifecycle/predicate_test.go, TestGeneralPredicates.
    #[test]
    fn pods_are_admitted_or_refused_in_the_predicates_words() {
        let port = |number: u32| {
            format!(r#"{{"containers":[{{"name":"c","ports":[{{"hostPort":{number}}}]}}]}}"#)
        };
        let short = "Node didn't have enough resource: ";
        for (spec, other, want) in [
            (NOTHING.to_string(), requesting("9m", "19"), String::new()),
            (
                requesting("8m", "10"),
                requesting("5m", "19"),
                format!("OutOfcpu: {short}cpu, requested: 8, used: 5, capacity: 10"),
            ),
            (
                requesting("1m", "10"),
                requesting("5m", "19"),
                format!("OutOfmemory: {short}memory, requested: 10, used: 19, capacity: 20"),
            ),
            (
                r#"{"nodeName":"machine2","containers":[]}"#.to_string(),
                NOTHING.to_string(),
                "NodeName: Predicate NodeName failed: node(s) didn't match the requested node name"
                    .to_string(),
            ),
            (
                port(123),
                port(123),
                "NodePorts: Predicate NodePorts failed: node(s) didn't have free ports for the \
                 requested pod ports"
                    .to_string(),
            ),
            (port(123), port(124), String::new()),
            (
                r#"{"nodeSelector":{"zone":"b"},"containers":[]}"#.to_string(),
                NOTHING.to_string(),
                "NodeAffinity: Predicate NodeAffinity failed: node(s) didn't match Pod's node \
                 affinity/selector"
                    .to_string(),
            ),
            (
                r#"{"nodeSelector":{"zone":"a"},"containers":[]}"#.into(),
                NOTHING.into(),
                String::new(),
            ),
            (
                r#"{"os":{"name":"windows"},"containers":[]}"#.to_string(),
                NOTHING.to_string(),
                "PodOSNotSupported: Failed to admit pod as the OS field doesn't match node OS"
                    .to_string(),
            ),
        ] {
            assert_eq!(check(&spec, &other, NODE), want, "{spec}");
        }
    }

    #[test]
    fn of_taints_only_eviction_counts() {
        let tainted = |effect: &str| {
            format!(
                r#"{{"metadata":{{"name":"machine1"}},"spec":{{"taints":[{{"key":"foo",
                "effect":"{effect}"}}]}}}}"#
            )
        };
        let tolerating = r#"{"containers":[],"tolerations":[{"key":"foo","operator":"Exists"}]}"#;
        let refused = "TaintToleration: Predicate TaintToleration failed: node(s) had taints that \
                       the pod didn't tolerate";
        for (spec, effect, want) in [
            (NOTHING, "NoSchedule", ""),
            (NOTHING, "NoExecute", refused),
            (tolerating, "NoExecute", ""),
        ] {
            assert_eq!(check(spec, NOTHING, &tainted(effect)), want, "{spec} {effect}");
        }
    }
}
