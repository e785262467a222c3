//! The environment variables by which programs find Services without DNS: those of the pod's own
//! namespace, if it wants them, and always that of the API server.
//!
//! Upstream: pkg/kubelet/envvars/envvars.go; pkg/kubelet/kubelet_pods.go, getServiceEnvVarMap.

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{Pod, Service};
use client::Informer;

/// The Services that pods of every namespace are told of, in the namespace of the API server's.
const MASTER_SERVICES: (&str, &str) = ("default", "kubernetes");

/// The variables for a pod.
pub(crate) fn of_services(services: &Informer<Service>, pod: &Pod) -> BTreeMap<String, String> {
    let own = pod.metadata.namespace.as_deref().unwrap_or_default();
    let links = pod.spec.as_ref().is_none_or(|spec| spec.enable_service_links != Some(false));
    let (namespace, master) = MASTER_SERVICES;
    let masters = services.in_namespace(namespace);
    let masters = masters.filter(|service| service.metadata.name.as_deref() == Some(master));
    let mut variables = BTreeMap::new();
    for service in masters.chain(services.in_namespace(own).filter(|_| links)) {
        add(service, &mut variables);
    }
    variables
}

fn add(service: &Service, variables: &mut BTreeMap<String, String>) {
    let Some(spec) = &service.spec else { return };
    let Some(ip) = spec.cluster_ip.as_deref().filter(|ip| !ip.is_empty() && *ip != "None") else {
        return;
    };
    let prefix = variable_name(service.metadata.name.as_deref().unwrap_or_default());
    let mut set = |suffix: &str, value: String| {
        variables.insert(format!("{prefix}_{suffix}"), value);
    };
    set("SERVICE_HOST", ip.to_string());
    for (place, port) in spec.ports.iter().flatten().enumerate() {
        let number = port.port;
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let scheme = protocol.to_lowercase();
        let url = format!("{scheme}://{ip}:{number}");
        if place == 0 {
            set("SERVICE_PORT", number.to_string());
            set("PORT", url.clone());
        }
        if let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) {
            set(&format!("SERVICE_PORT_{}", variable_name(name)), number.to_string());
        }
        let link = format!("PORT_{number}_{}", protocol.to_uppercase());
        set(&format!("{link}_PROTO"), scheme);
        set(&format!("{link}_PORT"), number.to_string());
        set(&format!("{link}_ADDR"), ip.to_string());
        set(&link, url);
    }
}

fn variable_name(name: &str) -> String {
    name.replace('-', "_").to_uppercase()
}

#[cfg(test)]
mod tests {
    use api::openapi::api::core::v1::{ServicePort, ServiceSpec};

    use super::*;

    /// Upstream: pkg/kubelet/envvars/envvars_test.go, TestFromServices.
    #[test]
    fn a_service_with_several_ports_has_a_link_for_each() {
        let port = |name: &str, number: i32, protocol: &str| ServicePort {
            name: Some(name.to_string()),
            port: number,
            protocol: Some(protocol.to_string()),
            ..ServicePort::default()
        };
        let mut service = Service::default();
        service.metadata.name = Some("q-u-u-x".to_string());
        service.spec = Some(ServiceSpec {
            cluster_ip: Some("9.8.7.6".to_string()),
            ports: Some(vec![port("u-d-p", 8083, "UDP"), port("t-c-p", 8084, "TCP")]),
            ..ServiceSpec::default()
        });
        let mut variables = BTreeMap::new();
        add(&service, &mut variables);
        let found: Vec<String> = variables.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let mut expected = vec![
            "Q_U_U_X_SERVICE_HOST=9.8.7.6",
            "Q_U_U_X_SERVICE_PORT=8083",
            "Q_U_U_X_SERVICE_PORT_U_D_P=8083",
            "Q_U_U_X_SERVICE_PORT_T_C_P=8084",
            "Q_U_U_X_PORT=udp://9.8.7.6:8083",
            "Q_U_U_X_PORT_8083_UDP=udp://9.8.7.6:8083",
            "Q_U_U_X_PORT_8083_UDP_PROTO=udp",
            "Q_U_U_X_PORT_8083_UDP_PORT=8083",
            "Q_U_U_X_PORT_8083_UDP_ADDR=9.8.7.6",
            "Q_U_U_X_PORT_8084_TCP=tcp://9.8.7.6:8084",
            "Q_U_U_X_PORT_8084_TCP_PROTO=tcp",
            "Q_U_U_X_PORT_8084_TCP_PORT=8084",
            "Q_U_U_X_PORT_8084_TCP_ADDR=9.8.7.6",
        ];
        expected.sort_unstable();
        let mut sorted = found;
        sorted.sort_unstable();
        assert_eq!(sorted, expected);
    }

    #[test]
    fn a_headless_service_has_none() {
        let mut service = Service::default();
        service.metadata.name = Some("headless".to_string());
        service.spec = Some(ServiceSpec {
            cluster_ip: Some("None".to_string()),
            ports: Some(vec![ServicePort { port: 80, ..ServicePort::default() }]),
            ..ServiceSpec::default()
        });
        let mut variables = BTreeMap::new();
        add(&service, &mut variables);
        assert_eq!(variables, BTreeMap::new());
    }
}
