//! Nodes: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, NodeSystemInfo};
use sim::SmallSet;

use super::printing;
use crate::field::ErrorList;
use crate::kind::keep;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of Nodes. Upstream: pkg/registry/core/node/strategy.go
pub struct Nodes;

const COLUMNS: &[Column] = &[
    Column::NAME,
    Column::string("Status"),
    Column::string("Roles"),
    Column::AGE,
    Column::string("Version"),
    Column::string("Internal-IP").wide(),
    Column::string("External-IP").wide(),
    Column::string("OS-Image").wide(),
    Column::string("Kernel-Version").wide(),
    Column::string("Container-Runtime").wide(),
];

impl Strategy for Nodes {
    type Object = Node;
    const SCOPE: Scope = Scope::Cluster;
    const SINGULAR: &'static str = "node";
    const SHORT_NAMES: &'static [&'static str] = &["no"];
    const SUBRESOURCES: &'static [&'static str] = &["status"];
    const SELECTABLE_FIELDS: &'static [&'static str] = &["spec.unschedulable"];

    /// Upstream: SetDefaults_NodeStatus.
    fn default(object: &mut Node) {
        defaults::meta(&mut object.metadata);
        let spec = object.spec.get_or_insert_default();
        spec.unschedulable.take_if(|unschedulable| !*unschedulable);
        // Upstream has no pointers here: what a node does not say is said to be empty.
        let status = object.status.get_or_insert_default();
        status.node_info.get_or_insert_default();
        status.daemon_endpoints.get_or_insert_default().kubelet_endpoint.get_or_insert_default();
        defaults::resource_list(&mut status.capacity);
        defaults::resource_list(&mut status.allocatable);
        if status.allocatable.is_none() {
            status.allocatable.clone_from(&status.capacity);
        }
    }

    fn prepare_for_create(object: &mut Node) {
        drop_disabled_fields(object);
    }

    fn prepare_for_update(new: &mut Node, old: &Node) {
        keep(&mut new.status, &old.status);
        drop_disabled_fields(new);
    }

    fn prepare_for_status_update(new: &mut Node, old: &Node) {
        keep(&mut new.spec, &old.spec);
    }

    fn validate(object: &Node) -> ErrorList {
        validation::node(object)
    }

    fn validate_update(new: &Node, old: &Node) -> ErrorList {
        validation::node_update(new, old)
    }

    fn validate_status_update(new: &Node, old: &Node) -> ErrorList {
        validation::node_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &Node, now: Timestamp) -> Vec<Cell> {
        let info = object.status.as_ref().and_then(|status| status.node_info.clone());
        let NodeSystemInfo {
            kubelet_version,
            os_image,
            kernel_version,
            container_runtime_version,
            ..
        } = info.unwrap_or_default();
        let known =
            |text: String| Cell::from(if text.is_empty() { "<unknown>".to_string() } else { text });
        vec![
            printing::name(&object.metadata),
            status(object).into(),
            printing::or_none(Some(&roles(object))).into(),
            printing::age(&object.metadata, now),
            kubelet_version.into(),
            address(object, "InternalIP").into(),
            address(object, "ExternalIP").into(),
            known(os_image),
            known(kernel_version),
            known(container_runtime_version),
        ]
    }

    fn selectable_field(object: &Node, field: &str) -> Option<String> {
        (field == "spec.unschedulable").then(|| is_unschedulable(object).to_string())
    }
}

/// InPlacePodVerticalScalingSchedulerPreemption is alpha, and so off.
fn drop_disabled_fields(node: &mut Node) {
    if let Some(spec) = &mut node.spec {
        spec.pod_preemption_policy = None;
    }
}

fn is_unschedulable(node: &Node) -> bool {
    node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false)
}

/// `Ready`, `NotReady` or `Unknown`, and whether scheduling is disabled.
fn status(node: &Node) -> String {
    let mut conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.rfind(|condition| condition.type_ == "Ready");
    let word = match ready.map(|condition| condition.status.as_str()) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    if is_unschedulable(node) { format!("{word},SchedulingDisabled") } else { word.to_string() }
}

/// The roles that the node's labels name, sorted.
fn roles(node: &Node) -> String {
    let labels = node.metadata.labels.iter().flatten();
    let roles: SmallSet<&str> = labels
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None => (key == "kubernetes.io/role").then_some(value.as_str()),
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.into_iter().collect::<Vec<_>>().join(",")
}

fn address(node: &Node, address_type: &str) -> String {
    let mut addresses = node.status.iter().flat_map(|status| status.addresses.iter().flatten());
    let found = addresses.find(|address| address.type_ == address_type);
    found.map_or_else(|| "<none>".to_string(), |address| address.address.clone())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{NodeCondition, NodeSpec, NodeStatus};

    use super::*;

    fn node(condition: Option<(&str, &str)>, unschedulable: bool, labels: &[(&str, &str)]) -> Node {
        let condition = condition.map(|(type_, status)| NodeCondition {
            type_: type_.to_string(),
            status: status.to_string(),
            ..NodeCondition::default()
        });
        let mut node = Node {
            spec: Some(NodeSpec { unschedulable: Some(unschedulable), ..NodeSpec::default() }),
            status: Some(NodeStatus {
                conditions: Some(condition.into_iter().collect()),
                ..NodeStatus::default()
            }),
            ..Node::default()
        };
        let pairs = labels.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        node.metadata.labels = Some(pairs.collect());
        node
    }

    /// Upstream: pkg/printers/internalversion/printers_test.go, TestPrintNodeStatus and
    /// TestPrintNodeRole.
    #[test]
    fn print_node_status_and_roles() {
        for (condition, unschedulable, want) in [
            (Some(("Ready", "True")), false, "Ready"),
            (Some(("Ready", "True")), true, "Ready,SchedulingDisabled"),
            (Some(("Ready", "False")), false, "NotReady"),
            (Some(("Ready", "Unknown")), false, "NotReady"),
            (Some(("InvalidValue", "True")), false, "Unknown"),
            (None, true, "Unknown,SchedulingDisabled"),
        ] {
            assert_eq!(status(&node(condition, unschedulable, &[])), want);
        }
        for (labels, want) in [
            (vec![], ""),
            (vec![("node-role.kubernetes.io/control-plane", "")], "control-plane"),
            (vec![("kubernetes.io/role", "node"), ("node-role.kubernetes.io/b", "x")], "b,node"),
            (vec![("node-role.kubernetes.io/", "x"), ("kubernetes.io/role", "")], ""),
        ] {
            assert_eq!(roles(&node(None, false, &labels)), want);
        }
    }

    #[test]
    fn allocatable_defaults_to_capacity_in_canonical_form() {
        let capacity = |text: &str| {
            let quantity = k8s_openapi::apimachinery::pkg::api::resource::Quantity(text.into());
            Some([("memory".to_string(), quantity)].into())
        };
        let mut node = node(None, false, &[]);
        node.status.get_or_insert_default().capacity = capacity("2048Mi");
        Nodes::default(&mut node);
        assert_eq!(node.status.and_then(|status| status.allocatable), capacity("2Gi"));
    }
}
