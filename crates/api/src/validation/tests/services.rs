//! Services, Endpoints and EndpointSlices.
//!
//! Upstream: pkg/apis/core/validation/validation_test.go, TestValidateServiceCreate,
//! TestValidateServiceUpdate, TestValidateEndpointsCreate, and
//! pkg/apis/discovery/validation/validation_test.go

use serde_json::{Value, json};

use super::{errors, merged, status_errors, update_errors};

fn service(spec: Value) -> Value {
    let valid = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "valid", "namespace": "valid"},
        "spec": {"selector": {"key": "val"}, "ports":
            [{"name": "p", "protocol": "TCP", "port": 8675, "targetPort": 8675}]},
    });
    merged(valid, json!({ "spec": spec }))
}

const ONLY_BALANCED: &str = "may only be used when `type` is 'LoadBalancer'";

/// A Service's one port, changed.
fn port_with(change: Value) -> Value {
    let port = json!({"name": "p", "protocol": "TCP", "port": 8675, "targetPort": 8675});
    json!({"ports": [merged(port, change)]})
}

fn check<const N: usize>(table: [(&str, Value, Vec<String>); N]) {
    for (name, spec, want) in table {
        assert_eq!(errors(service(spec)), want, "{name}");
    }
}

#[test]
fn ports_and_types_of_services() {
    check([
        ("valid 1", json!({}), vec![]),
        ("missing ports", json!({"ports": null}), vec!["spec.ports: Required value".into()]),
        (
            "missing ports but headless",
            json!({"ports": null, "clusterIP": "None", "clusterIPs": ["None"]}),
            vec![],
        ),
        (
            "invalid session affinity",
            json!({"sessionAffinity": "OrderAffinity"}),
            vec![
                "spec.sessionAffinity: Unsupported value: \"OrderAffinity\": supported values: \
                 \"ClientIP\", \"None\""
                    .into(),
            ],
        ),
        (
            "invalid type",
            json!({"type": "bar"}),
            vec![
                "spec.type: Unsupported value: \"bar\": supported values: \"ClusterIP\", \
                 \"ExternalName\", \"LoadBalancer\", \"NodePort\""
                    .into(),
            ],
        ),
        (
            "zero port",
            port_with(json!({"port": 0, "targetPort": 1})),
            vec![
                "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"
                    .into(),
            ],
        ),
    ]);
}

#[test]
fn the_ports_of_services() {
    check([
        (
            "invalid port protocol",
            port_with(json!({"protocol": "INVALID"})),
            vec![
                "spec.ports[0].protocol: Unsupported value: \"INVALID\": supported values: \
                 \"SCTP\", \"TCP\", \"UDP\""
                    .into(),
            ],
        ),
        (
            "invalid target port",
            port_with(json!({"targetPort": 65536})),
            vec![
                "spec.ports[0].targetPort: Invalid value: 65536: must be between 1 and 65535, \
                 inclusive"
                    .into(),
            ],
        ),
        (
            "node port on a cluster IP",
            port_with(json!({"nodePort": 30000})),
            vec![
                "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"
                    .into(),
            ],
        ),
        (
            "dup port name and port",
            json!({"ports": [{"name": "p", "port": 1}, {"name": "p", "port": 1}]}),
            vec![
                "spec.ports[1].name: Duplicate value: \"p\"".into(),
                "spec.ports[1]: Duplicate value: {\"name\":\"\",\"nodePort\":0,\"port\":1,\
                 \"protocol\":\"TCP\",\"targetPort\":0}"
                    .into(),
            ],
        ),
        (
            "missing port name",
            json!({"ports": [{"name": "p", "port": 1}, {"port": 2}]}),
            vec!["spec.ports[1].name: Required value".into()],
        ),
        (
            "invalid external IPs",
            json!({"externalIPs": ["myhost.mydomain", "127.0.0.1", "0.0.0.0"]}),
            vec![
                "spec.externalIPs[0]: Invalid value: \"myhost.mydomain\": must be a valid IP \
                 address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
                    .into(),
                "spec.externalIPs[1]: Invalid value: \"127.0.0.1\": may not be in the loopback \
                 range (127.0.0.0/8, ::1/128)"
                    .into(),
                "spec.externalIPs[2]: Invalid value: \"0.0.0.0\": may not be unspecified (0.0.0.0)"
                    .into(),
            ],
        ),
    ]);
}

#[test]
fn where_services_are_reached() {
    check([
        (
            "load balancer fields elsewhere",
            json!({"loadBalancerSourceRanges": ["1.2.3.4/8"], "loadBalancerClass": "a/b",
                "allocateLoadBalancerNodePorts": true}),
            vec![
                format!("spec.LoadBalancerSourceRanges: Forbidden: {ONLY_BALANCED}"),
                format!("spec.allocateLoadBalancerNodePorts: Forbidden: {ONLY_BALANCED}"),
                format!("spec.loadBalancerClass: Forbidden: {ONLY_BALANCED}"),
            ],
        ),
        (
            "kubelet's port",
            merged(port_with(json!({"port": 10250})), json!({"type": "LoadBalancer"})),
            vec![
                "spec.ports[0]: Invalid value: 10250: may not expose port 10250 externally since \
                 it is used by kubelet"
                    .into(),
            ],
        ),
        (
            "headless node port",
            json!({"type": "NodePort", "clusterIP": "None", "clusterIPs": ["None"]}),
            vec![
                "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for \
                 NodePort services"
                    .into(),
            ],
        ),
        (
            "health check node port needs to be set",
            json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"}),
            vec!["spec.healthCheckNodePort: Required value".into()],
        ),
        (
            "external policy inside",
            json!({"externalTrafficPolicy": "Local"}),
            vec![
                "spec.externalTrafficPolicy: Invalid value: \"Local\": may only be set for \
                 externally-accessible services"
                    .into(),
            ],
        ),
        (
            "external name without a name",
            json!({"type": "ExternalName"}),
            vec!["spec.externalName: Required value".into()],
        ),
    ]);
}

#[test]
fn addresses_and_names_of_services() {
    check([
        (
            "invalid external name",
            json!({"type": "ExternalName", "externalName": "123.123.123.123.", "clusterIP": "None",
                "clusterIPs": ["None"]}),
            vec!["spec.clusterIPs: Forbidden: may not be set for ExternalName services".into()],
        ),
        (
            "session affinity with a timeout that is too long",
            json!({"sessionAffinity": "ClientIP",
                "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86401}}}),
            vec![
                "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must \
                 be greater than 0 and less than 86400"
                    .into(),
            ],
        ),
        (
            "clusterIPs that do not agree",
            json!({"clusterIP": "1.2.3.4", "clusterIPs": ["1.2.3.5", "1.2.3.6"]}),
            vec![
                "spec.clusterIPs: Invalid value: [\"1.2.3.5\",\"1.2.3.6\"]: first value must \
                 match `clusterIP`"
                    .into(),
                "spec.clusterIPs: Invalid value: [\"1.2.3.5\",\"1.2.3.6\"]: may specify no more \
                 than one IP for each IP family"
                    .into(),
            ],
        ),
        (
            "traffic distribution",
            json!({"trafficDistribution": "Random"}),
            vec![
                "spec.trafficDistribution: Unsupported value: \"Random\": supported values: \
                 \"PreferClose\", \"PreferSameNode\", \"PreferSameZone\""
                    .into(),
            ],
        ),
    ]);
}

/// Since 1.37 a Service's name may begin with a digit.
#[test]
fn names_of_services_are_labels() {
    let named = |name: &str| merged(service(json!({})), json!({"metadata": {"name": name}}));
    assert_eq!(errors(named("1abc")), Vec::<String>::new());
    assert_eq!(
        errors(named("a.b")),
        ["metadata.name: Invalid value: \"a.b\": must not contain dots"]
    );
}

#[test]
fn validate_service_update() {
    let with_ip =
        |ip: &str| service(json!({"clusterIP": ip, "clusterIPs": [ip], "ipFamilies": ["IPv4"]}));
    assert_eq!(update_errors(with_ip("1.2.3.4"), with_ip("1.2.3.4")), Vec::<String>::new());
    assert_eq!(
        update_errors(with_ip("1.2.3.4"), with_ip("1.2.3.5")),
        ["spec.clusterIPs[0]: Invalid value: [\"1.2.3.5\"]: may not change once set"]
    );
    let balanced = |class: &str, port: i32| {
        service(json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local",
            "healthCheckNodePort": port, "loadBalancerClass": class}))
    };
    assert_eq!(
        update_errors(balanced("a/b", 30000), balanced("a/c", 30001)),
        [
            "spec.loadBalancerClass: Invalid value: \"a/c\": may not change once set",
            "spec.healthCheckNodePort: Forbidden: field is immutable",
        ]
    );
    let with_status = |service_type: &str, ingress: Value| {
        merged(
            service(json!({"type": service_type})),
            json!({"status": {"loadBalancer": {"ingress": [ingress]}}}),
        )
    };
    for (service_type, ingress, want) in [
        ("LoadBalancer", json!({"ip": "1.2.3.4"}), vec![]),
        (
            "ClusterIP",
            json!({"ip": "1.2.3.4"}),
            vec![
                "status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is \
                 'LoadBalancer'",
            ],
        ),
        (
            "LoadBalancer",
            json!({"hostname": "1.2.3.4"}),
            vec![
                "status.loadBalancer.ingress[0].hostname: Invalid value: \"1.2.3.4\": must be a \
                 DNS name, not an IP address",
            ],
        ),
        (
            "LoadBalancer",
            json!({"hostname": "a.b", "ipMode": "VIP"}),
            vec![
                "status.loadBalancer.ingress[0].ipMode: Forbidden: may not be specified when \
                 `ip` is not set",
            ],
        ),
    ] {
        let new = with_status(service_type, ingress);
        assert_eq!(status_errors(service(json!({"type": service_type})), new), want);
    }
}

#[test]
fn validate_endpoints() {
    let endpoints = |subset: Value| {
        json!({"apiVersion": "v1", "kind": "Endpoints",
            "metadata": {"name": "mysvc", "namespace": "namespace"}, "subsets": [subset]})
    };
    for (name, subset, want) in [
        (
            "simple endpoint",
            json!({"addresses": [{"ip": "10.10.1.1"}], "ports": [{"port": 8675}]}),
            vec![],
        ),
        (
            "empty addresses",
            json!({"ports": [{"name": "a", "port": 93}]}),
            vec!["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"],
        ),
        (
            "invalid IP",
            json!({"addresses": [{"ip": "[2001:0db8:85a3::]"}], "ports": [{"port": 93}]}),
            vec![
                "subsets[0].addresses[0].ip: Invalid value: \"[2001:0db8:85a3::]\": must be a \
                 valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
                "subsets[0].addresses[0].ip: Invalid value: \"[2001:0db8:85a3::]\": must be a \
                 valid IP address",
            ],
        ),
        (
            "multiple ports, one without name",
            json!({"addresses": [{"ip": "10.10.1.1"}],
                "ports": [{"port": 8675}, {"name": "b", "port": 309}]}),
            vec!["subsets[0].ports[0].name: Required value"],
        ),
        (
            "link-local address",
            json!({"addresses": [{"ip": "169.254.169.254"}], "ports": [{"port": 93}]}),
            vec![
                "subsets[0].addresses[0].ip: Invalid value: \"169.254.169.254\": may not be in \
                 the link-local range (169.254.0.0/16, fe80::/10)",
            ],
        ),
        (
            "link-local multicast address",
            json!({"addresses": [{"ip": "224.0.0.1"}], "ports": [{"port": 93}]}),
            vec![
                "subsets[0].addresses[0].ip: Invalid value: \"224.0.0.1\": may not be in the \
                 link-local multicast range (224.0.0.0/24, ff02::/10)",
            ],
        ),
    ] {
        assert_eq!(errors(endpoints(subset)), want, "{name}");
    }
}

fn slice(change: Value) -> Value {
    let valid = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "hello", "namespace": "world"}, "addressType": "IPv4",
        "ports": [{"name": "http", "protocol": "TCP"}],
        "endpoints": [{"addresses": ["10.1.2.3"], "hostname": "valid-123"}],
    });
    merged(valid, change)
}

#[test]
fn validate_endpoint_slice() {
    let many = |count: usize| vec![json!({"addresses": ["10.1.2.3"]}); count];
    for (name, change, want) in [
        ("good-slice", json!({}), vec![]),
        ("missing-address-type", json!({"addressType": ""}), vec!["addressType: Required value"]),
        (
            "bad-address-type",
            json!({"addressType": "IP"}),
            vec![
                "addressType: Unsupported value: \"IP\": supported values: \"FQDN\", \"IPv4\", \
                 \"IPv6\"",
            ],
        ),
        (
            "no-addresses",
            json!({"endpoints": [{"addresses": []}]}),
            vec!["endpoints[0].addresses: Required value: must contain at least 1 address"],
        ),
        (
            "too-many-endpoints",
            json!({"endpoints": many(1001)}),
            vec!["endpoints: Too many: 1001: must have at most 1000 items"],
        ),
        (
            "bad-ip",
            json!({"endpoints": [{"addresses": ["127.0.0.1"]}]}),
            vec![
                "endpoints[0].addresses[0]: Invalid value: \"127.0.0.1\": may not be in the \
                 loopback range (127.0.0.0/8, ::1/128)",
            ],
        ),
        (
            "bad-fqdn",
            json!({"addressType": "FQDN", "endpoints": [{"addresses": ["example"]}]}),
            vec![
                "endpoints[0].addresses[0]: Invalid value: \"example\": should be a domain with \
                 at least two segments separated by dots",
            ],
        ),
        (
            "dup-port-name",
            json!({"ports": [{"name": "a"}, {"name": "a"}]}),
            vec!["ports[1].name: Duplicate value: \"a\""],
        ),
        (
            "dup-hints",
            json!({"endpoints": [{"addresses": ["10.1.2.3"],
                "hints": {"forZones": [{"name": "a"}, {"name": "a"}]}}]}),
            vec!["endpoints[0].hints.forZones[1].name: Duplicate value: \"a\""],
        ),
    ] {
        assert_eq!(errors(slice(change)), want, "{name}");
    }
    let other = slice(json!({"addressType": "IPv6", "endpoints": [{"addresses": ["a00::1"]}]}));
    assert_eq!(
        update_errors(slice(json!({})), other),
        ["addressType: Invalid value: \"IPv6\": field is immutable"]
    );
}
