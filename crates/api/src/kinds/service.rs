//! Services: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    LoadBalancerStatus, Service, ServicePort, ServiceSpec, ServiceStatus,
};
use sim::SmallSet;

use super::printing;
use crate::field::ErrorList;
use crate::kind::keep;
use crate::services::{has_local_external_policy, needs_node_port, service_type};
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of Services. Upstream: pkg/registry/core/service/strategy.go
pub struct Services;

const COLUMNS: &[Column] = &[
    Column::NAME,
    Column::string("Type"),
    Column::string("Cluster-IP"),
    Column::string("External-IP"),
    Column::string("Port(s)"),
    Column::AGE,
    Column::string("Selector").wide(),
];

/// How much of a load balancer's addresses is shown. Upstream: loadBalancerWidth.
const LOAD_BALANCER_WIDTH: usize = 16;

impl Strategy for Services {
    type Object = Service;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "service";
    const SHORT_NAMES: &'static [&'static str] = &["svc"];
    const CATEGORIES: &'static [&'static str] = &["all"];
    const SUBRESOURCES: &'static [&'static str] = &["status"];
    const SELECTABLE_FIELDS: &'static [&'static str] = &["spec.clusterIP", "spec.type"];
    const RETURNS_DELETED_OBJECT: bool = true;

    fn default(object: &mut Service) {
        defaults::service(object);
    }

    fn prepare_for_create(object: &mut Service) {
        let load_balancer = Some(LoadBalancerStatus::default());
        object.status = Some(ServiceStatus { load_balancer, ..ServiceStatus::default() });
    }

    fn prepare_for_update(new: &mut Service, old: &Service) {
        keep(&mut new.status, &old.status);
        drop_type_dependent_fields(new, old);
    }

    fn prepare_for_status_update(new: &mut Service, old: &Service) {
        keep(&mut new.spec, &old.spec);
    }

    fn validate(object: &Service) -> ErrorList {
        validation::service(object)
    }

    fn validate_update(new: &Service, old: &Service) -> ErrorList {
        validation::service_update(new, old)
    }

    fn validate_status_update(new: &Service, old: &Service) -> ErrorList {
        validation::service_status_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &Service, now: Timestamp) -> Vec<Cell> {
        let none = ServiceSpec::default();
        let spec = object.spec.as_ref().unwrap_or(&none);
        let address = spec.cluster_ips.iter().flatten().next();
        let ports: Vec<String> = spec.ports.iter().flatten().map(port_text).collect();
        vec![
            printing::name(&object.metadata),
            service_type(spec).into(),
            printing::or_none(address.map(String::as_str)).into(),
            external_addresses(object, spec).into(),
            printing::or_none(Some(&ports.join(","))).into(),
            printing::age(&object.metadata, now),
            printing::labels(spec.selector.as_ref()).into(),
        ]
    }

    fn selectable_field(object: &Service, field: &str) -> Option<String> {
        let spec = object.spec.as_ref();
        let text = match field {
            "spec.clusterIP" => spec.and_then(|spec| spec.cluster_ip.clone()),
            "spec.type" => spec.and_then(|spec| spec.type_.clone()),
            _ => return None,
        };
        Some(text.unwrap_or_default())
    }
}

/// `80/TCP`, or `80:30080/TCP` with a port of the nodes. Upstream: makePortString.
fn port_text(port: &ServicePort) -> String {
    let protocol = port.protocol.as_deref().unwrap_or_default();
    match port.node_port.filter(|node_port| *node_port > 0) {
        Some(node_port) => format!("{}:{node_port}/{protocol}", port.port),
        None => format!("{}/{protocol}", port.port),
    }
}

/// Upstream: getServiceExternalIP. The table has no way to tell a wide one, so what a load
/// balancer says is always cut, as without `-o wide`.
fn external_addresses(service: &Service, spec: &ServiceSpec) -> String {
    let external = spec.external_ips.as_deref().unwrap_or_default();
    match service_type(spec) {
        "ClusterIP" | "NodePort" => printing::or_none(Some(&external.join(","))),
        "LoadBalancer" => {
            let balanced = load_balancer_text(service.status.as_ref());
            let balanced = Some(balanced).filter(|text| !text.is_empty());
            let all: Vec<String> = balanced.into_iter().chain(external.iter().cloned()).collect();
            if all.is_empty() { "<pending>".to_string() } else { all.join(",") }
        }
        "ExternalName" => spec.external_name.clone().unwrap_or_default(),
        _ => "<unknown>".to_string(),
    }
}

/// Upstream: loadBalancerStatusStringer.
fn load_balancer_text(status: Option<&ServiceStatus>) -> String {
    let status = status.and_then(|status| status.load_balancer.as_ref());
    let ingress = status.iter().flat_map(|status| status.ingress.iter().flatten());
    let non_empty = |text: &'_ Option<String>| text.clone().filter(|text| !text.is_empty());
    let addresses: SmallSet<String> =
        ingress.filter_map(|it| non_empty(&it.ip).or_else(|| non_empty(&it.hostname))).collect();
    let text = addresses.into_iter().collect::<Vec<_>>().join(",");
    match text.get(..LOAD_BALANCER_WIDTH - 3) {
        Some(cut) if text.len() > LOAD_BALANCER_WIDTH => format!("{cut}..."),
        _ => text,
    }
}

/// When the type changes, clears what the new type has no use for, as far as the client left it
/// as it was: the server may have set it. Upstream: dropTypeDependentFields.
fn drop_type_dependent_fields(new: &mut Service, old: &Service) {
    let none = ServiceSpec::default();
    let old = old.spec.as_ref().unwrap_or(&none);
    let new_status = &mut new.status;
    let new = new.spec.get_or_insert_default();
    let has_address = |spec: &ServiceSpec| service_type(spec) != "ExternalName";
    if has_address(old) && !has_address(new) {
        if old.cluster_ip == new.cluster_ip && old.cluster_ips == new.cluster_ips {
            new.cluster_ip = None;
            new.cluster_ips = None;
        }
        if old.ip_families == new.ip_families {
            new.ip_families = None;
        }
        if old.ip_family_policy == new.ip_family_policy {
            new.ip_family_policy = None;
        }
    }
    if needs_node_port(old) && !needs_node_port(new) && has_no_new_node_port(new, old) {
        new.ports.iter_mut().flatten().for_each(|port| port.node_port = None);
    }
    let is_balanced = |spec: &ServiceSpec| service_type(spec) == "LoadBalancer";
    let has_health = |spec: &ServiceSpec| is_balanced(spec) && has_local_external_policy(spec);
    let same_health = old.health_check_node_port == new.health_check_node_port;
    if has_health(old) && !has_health(new) && same_health {
        new.health_check_node_port = None;
    }
    if is_balanced(old) && !is_balanced(new) {
        if old.allocate_load_balancer_node_ports == new.allocate_load_balancer_node_ports {
            new.allocate_load_balancer_node_ports = None;
        }
        if old.load_balancer_class == new.load_balancer_class {
            new.load_balancer_class = None;
        }
    }
    let is_external = |spec: &ServiceSpec| crate::services::is_externally_accessible(spec);
    let same_policy = old.external_traffic_policy == new.external_traffic_policy;
    if is_external(old) && !is_external(new) && same_policy {
        new.external_traffic_policy = None;
    }
    if !is_balanced(new)
        && let Some(status) = new_status
    {
        status.load_balancer = Some(LoadBalancerStatus::default());
    }
}

fn has_no_new_node_port(new: &ServiceSpec, old: &ServiceSpec) -> bool {
    let ports = |spec: &ServiceSpec| -> SmallSet<i32> {
        spec.ports.iter().flatten().filter_map(|port| port.node_port).collect()
    };
    ports(old).is_superset(&ports(new))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn service(spec: Value, ingress: Value) -> Service {
        let mut service: Service = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "test1"},
            "spec": spec, "status": {"loadBalancer": {"ingress": ingress}},
        }))
        .expect("a Service");
        Services::default(&mut service);
        service
    }

    /// Upstream: pkg/printers/internalversion/printers_test.go, TestPrintService.
    #[test]
    fn print_service() {
        for (spec, ingress, want) in [
            (
                json!({"type": "ClusterIP", "ports": [{"protocol": "tcp", "port": 2233}],
                    "clusterIPs": ["10.9.8.7"]}),
                json!([]),
                ["ClusterIP", "10.9.8.7", "<none>", "2233/tcp"],
            ),
            (
                json!({"type": "NodePort", "clusterIPs": ["10.9.8.7"], "ports":
                    [{"protocol": "tcp", "port": 8888, "nodePort": 9999}]}),
                json!([]),
                ["NodePort", "10.9.8.7", "<none>", "8888:9999/tcp"],
            ),
            (
                json!({"type": "LoadBalancer", "clusterIPs": ["10.9.8.7"],
                    "ports": [{"protocol": "tcp", "port": 8888}]}),
                json!([]),
                ["LoadBalancer", "10.9.8.7", "<pending>", "8888/tcp"],
            ),
            (
                json!({"type": "LoadBalancer", "clusterIPs": ["10.9.8.7"],
                    "ports": [{"protocol": "tcp", "port": 8888}]}),
                json!([{"ip": "2001:db8:aaaa:bbbb:cccc:1:2:3"}]),
                ["LoadBalancer", "10.9.8.7", "2001:db8:aaaa...", "8888/tcp"],
            ),
            (
                json!({"type": "LoadBalancer", "clusterIPs": ["10.9.8.7"],
                    "externalIPs": ["10.1.1.1"], "ports": [{"protocol": "tcp", "port": 8888}]}),
                json!([]),
                ["LoadBalancer", "10.9.8.7", "10.1.1.1", "8888/tcp"],
            ),
            (
                json!({"type": "ClusterIP", "clusterIPs": ["10.9.8.7"],
                    "externalIPs": ["10.1.1.1", "10.1.1.2"],
                    "ports": [{"protocol": "tcp", "port": 8888}]}),
                json!([]),
                ["ClusterIP", "10.9.8.7", "10.1.1.1,10.1.1.2", "8888/tcp"],
            ),
            (
                json!({"type": "ClusterIP", "clusterIPs": ["None"]}),
                json!([]),
                ["ClusterIP", "None", "<none>", "<none>"],
            ),
            (
                json!({"type": "ExternalName", "externalName": "my.database.example.com"}),
                json!([]),
                ["ExternalName", "<none>", "my.database.example.com", "<none>"],
            ),
        ] {
            let row = Services::row(&service(spec, ingress), Timestamp::UNIX_EPOCH);
            let cells: Vec<String> = row.iter().map(ToString::to_string).collect();
            assert_eq!(cells[1..5], want);
            assert_eq!((cells[0].as_str(), cells[6].as_str()), ("test1", "<none>"));
        }
    }

    /// Upstream: pkg/registry/core/service/strategy_test.go, TestDropTypeDependentFields.
    #[test]
    fn drop_fields_that_depend_on_the_type() {
        let full = || {
            json!({
                "type": "LoadBalancer", "clusterIP": "1.2.3.4", "clusterIPs": ["1.2.3.4"],
                "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
                "ports": [{"name": "a", "port": 80, "nodePort": 30000}],
                "externalTrafficPolicy": "Local", "healthCheckNodePort": 30001,
                "loadBalancerClass": "a/b",
            })
        };
        let old = service(full(), json!([{"ip": "5.6.7.8"}]));
        let changed = |service_type: &str| {
            let mut new = old.clone();
            new.spec.get_or_insert_default().type_ = Some(service_type.to_string());
            drop_type_dependent_fields(&mut new, &old);
            new
        };
        let named = changed("ExternalName").spec.expect("a specification");
        assert_eq!((named.cluster_ip, named.cluster_ips), (None, None));
        assert_eq!((named.ip_families, named.ip_family_policy), (None, None));
        let internal = changed("ClusterIP");
        let spec = internal.spec.expect("a specification");
        assert_eq!(spec.cluster_ip.as_deref(), Some("1.2.3.4"));
        assert_eq!(spec.ports.expect("ports")[0].node_port, None);
        assert_eq!((spec.health_check_node_port, spec.load_balancer_class), (None, None));
        assert_eq!(spec.external_traffic_policy, None);
        let status = internal.status.expect("a status").load_balancer.expect("a load balancer");
        assert_eq!(status.ingress, None);
        let outer = changed("NodePort").spec.expect("a specification");
        assert_eq!(outer.ports.expect("ports")[0].node_port, Some(30000));
        assert_eq!(outer.external_traffic_policy.as_deref(), Some("Local"));
        assert_eq!(outer.health_check_node_port, None);
    }
}
