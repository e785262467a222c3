//! What a Service's fields say together: whether it is reached from outside, whether it has an
//! address, and where its ports lead.
//!
//! Upstream: pkg/api/service/util.go, pkg/apis/core/v1/helper/helpers.go and
//! staging/src/k8s.io/endpointslice/utils.go, FindPort

use k8s_openapi::api::core::v1::{Container, Pod, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::field::ErrorList;

/// The address of a headless Service.
pub const CLUSTER_IP_NONE: &str = "None";

/// Everything wrong with the addresses of a Service, their families and the policy of these: what
/// the server asks before it gives a Service an address.
/// Upstream: ValidateServiceClusterIPsRelatedFields.
#[must_use]
pub fn address_errors(spec: &ServiceSpec) -> ErrorList {
    crate::validation::service_addresses(spec)
}

/// The type of a Service, `ClusterIP` when it does not say.
#[must_use]
pub fn service_type(spec: &ServiceSpec) -> &str {
    spec.type_.as_deref().filter(|name| !name.is_empty()).unwrap_or("ClusterIP")
}

/// Whether clients from outside the cluster may reach it.
/// Upstream: ExternallyAccessible.
#[must_use]
pub fn is_externally_accessible(spec: &ServiceSpec) -> bool {
    let has_external = spec.external_ips.as_ref().is_some_and(|ips| !ips.is_empty());
    match service_type(spec) {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => has_external,
        _ => false,
    }
}

/// Whether traffic from outside stays on the node where it arrives.
/// Upstream: ExternalPolicyLocal.
#[must_use]
pub fn has_local_external_policy(spec: &ServiceSpec) -> bool {
    is_externally_accessible(spec) && spec.external_traffic_policy.as_deref() == Some("Local")
}

/// Whether load balancers ask nodes for the health of the Service. Upstream: NeedsHealthCheck.
#[must_use]
pub fn needs_health_check(spec: &ServiceSpec) -> bool {
    service_type(spec) == "LoadBalancer" && has_local_external_policy(spec)
}

/// Whether the Service has a port on every node, as far as its type goes.
#[must_use]
pub fn needs_node_port(spec: &ServiceSpec) -> bool {
    matches!(service_type(spec), "NodePort" | "LoadBalancer")
}

/// Whether the Service has an address that is its own. Upstream: IsServiceIPSet.
#[must_use]
pub fn has_cluster_ip(spec: &ServiceSpec) -> bool {
    !matches!(spec.cluster_ip.as_deref(), None | Some("" | CLUSTER_IP_NONE))
}

/// Whether its one address says that it has none.
#[must_use]
pub fn is_headless(spec: &ServiceSpec) -> bool {
    spec.cluster_ips.as_deref().is_some_and(|ips| matches!(ips, [ip] if ip == CLUSTER_IP_NONE))
}

/// Whether the Service has a selector; one that is empty counts as none.
#[must_use]
pub fn has_selector(service: &Service) -> bool {
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    selector.is_some_and(|selector| !selector.is_empty())
}

/// The port of a pod that a port of a Service leads to: the number itself, or the container's
/// port of that name and protocol. Upstream: FindPort.
#[must_use]
pub fn find_port(pod: &Pod, port: &ServicePort) -> Option<i32> {
    let name = match &port.target_port {
        None => return Some(port.port),
        Some(IntOrString::Int(number)) => return Some(*number),
        Some(IntOrString::String(name)) => name,
    };
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    let spec = pod.spec.as_ref()?;
    let is_sidecar = |container: &&Container| container.restart_policy.as_deref() == Some("Always");
    let sidecars = spec.init_containers.iter().flatten().filter(is_sidecar);
    let mut ports = spec.containers.iter().chain(sidecars).flat_map(|it| it.ports.iter().flatten());
    let found = ports.find(|port| {
        port.name.as_deref() == Some(name) && port.protocol.as_deref().unwrap_or("TCP") == protocol
    });
    found.map(|port| port.container_port)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Upstream: staging/src/k8s.io/endpointslice/utils_test.go, TestFindPort.
    #[test]
    fn find_port_looks_in_containers_and_sidecars() {
        let named = |name: &str, port: i32, protocol: &str| {
            json!({"name": "c", "ports":
                [{"name": name, "containerPort": port, "protocol": protocol}]})
        };
        let mut sidecar = named("p", 11, "TCP");
        sidecar["restartPolicy"] = "Always".into();
        for (label, containers, init, target, want) in [
            ("valid int, no ports", vec![json!({"name": "c"})], vec![], json!(93), Some(93)),
            ("valid int, with ports", vec![named("", 11, "UDP")], vec![], json!(93), Some(93)),
            ("valid string, no ports", vec![json!({"name": "c"})], vec![], json!("p"), None),
            ("one port", vec![named("p", 11, "TCP")], vec![], json!("p"), Some(11)),
            ("other protocol", vec![named("p", 11, "UDP")], vec![], json!("p"), None),
            (
                "second container",
                vec![named("q", 22, "TCP"), named("p", 11, "TCP")],
                vec![],
                json!("p"),
                Some(11),
            ),
            ("init container", vec![], vec![named("p", 11, "TCP")], json!("p"), None),
            ("sidecar", vec![], vec![sidecar], json!("p"), Some(11)),
        ] {
            let pod = json!({"spec": {"containers": containers, "initContainers": init}});
            let pod: Pod = serde_json::from_value(merged(pod)).expect("a pod");
            let port = json!({"port": 1, "protocol": "TCP", "targetPort": target});
            let port: ServicePort = serde_json::from_value(port).expect("a port");
            assert_eq!(find_port(&pod, &port), want, "{label}");
        }
    }

    fn merged(mut pod: serde_json::Value) -> serde_json::Value {
        pod["apiVersion"] = "v1".into();
        pod["kind"] = "Pod".into();
        pod["metadata"] = json!({});
        pod
    }

    /// Upstream: pkg/api/service/util_test.go, TestExternallyAccessible and TestNeedsHealthCheck.
    #[test]
    fn what_is_reached_from_outside() {
        for (service_type, external_ips, policy, accessible, health_check) in [
            ("ClusterIP", vec![], "", false, false),
            ("ClusterIP", vec!["1.2.3.4"], "", true, false),
            ("LoadBalancer", vec![], "", true, false),
            ("LoadBalancer", vec![], "Cluster", true, false),
            ("LoadBalancer", vec![], "Local", true, true),
            ("NodePort", vec![], "Local", true, false),
            ("ExternalName", vec!["1.2.3.4"], "Local", false, false),
        ] {
            let external_ips = external_ips.into_iter().map(str::to_string).collect();
            let spec = ServiceSpec {
                type_: Some(service_type.to_string()),
                external_ips: Some(external_ips),
                external_traffic_policy: Some(policy.to_string()),
                ..ServiceSpec::default()
            };
            assert_eq!(is_externally_accessible(&spec), accessible, "{service_type} {policy}");
            assert_eq!(needs_health_check(&spec), health_check, "{service_type} {policy}");
        }
    }
}
