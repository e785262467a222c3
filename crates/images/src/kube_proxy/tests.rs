//! What kube-proxy writes. The expectations are upstream's: pkg/proxy/iptables/proxier_test.go,
//! TestOverallIPTablesRules, for the Services of this file (its chains keep upstream's names
//! because the Services do), and TestCategorizeEndpoints of pkg/proxy/topology_test.go.

use api::openapi::api::core::v1::Service;
use api::openapi::api::discovery::v1::EndpointSlice;

use super::model::{Place, ports_of};
use super::rules::{Rules, foundation, service_chains};

fn service(text: &str) -> Service {
    serde_json::from_str(text).expect("a Service")
}

fn slice(text: &str) -> EndpointSlice {
    serde_json::from_str(text).expect("a slice")
}

/// The lines that one Service makes, beside those that every node has.
fn lines(service_text: &str, slice_text: &str) -> Vec<String> {
    let (service, slice) = (service(service_text), slice(slice_text));
    let place = Place { node: "test-hostname".to_string(), zone: String::new() };
    let mut rules = Rules::new("10.0.0.0/8");
    for port in ports_of(&service) {
        let endpoints = port.endpoints([&slice].into_iter(), &place, &[]);
        rules.add(&port, &port.categorize(&endpoints, &place), true);
    }
    let own = rules.finish(&[]);
    let common = Rules::new("10.0.0.0/8").finish(&[]);
    let common: Vec<&str> = common.lines().collect();
    own.lines().filter(|line| !common.contains(line)).map(str::to_string).collect()
}

const READY: &str = r#"{"metadata":{"name":"a"},"addressType":"IPv4",
    "ports":[{"name":"p80","port":80,"protocol":"TCP"}],
    "endpoints":[{"addresses":["10.180.0.1"]}]}"#;

#[test]
fn a_cluster_ip_leads_to_its_endpoints() {
    let service = r#"{"metadata":{"namespace":"ns1","name":"svc1"},"spec":{"clusterIP":"172.30.0.41",
        "ports":[{"name":"p80","port":80,"protocol":"TCP"}]}}"#;
    assert_eq!(
        lines(service, READY),
        [
            ":KUBE-SVC-XPGD46QRK7WJZT7O - [0:0]",
            ":KUBE-SEP-SXIVWICOYRO3J4NJ - [0:0]",
            "-A KUBE-SERVICES -m comment --comment \"ns1/svc1:p80 cluster IP\" -m tcp -p tcp -d \
             172.30.0.41 --dport 80 -j KUBE-SVC-XPGD46QRK7WJZT7O",
            "-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment \"ns1/svc1:p80 cluster IP\" -m tcp \
             -p tcp -d 172.30.0.41 --dport 80 ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ",
            "-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment \"ns1/svc1:p80 -> 10.180.0.1:80\" \
             -j KUBE-SEP-SXIVWICOYRO3J4NJ",
            "-A KUBE-SEP-SXIVWICOYRO3J4NJ -m comment --comment ns1/svc1:p80 -s 10.180.0.1 -j \
             KUBE-MARK-MASQ",
            "-A KUBE-SEP-SXIVWICOYRO3J4NJ -m comment --comment ns1/svc1:p80 -m tcp -p tcp -j DNAT \
             --to-destination 10.180.0.1:80",
        ]
    );
}

#[test]
fn a_service_without_endpoints_refuses() {
    let service = r#"{"metadata":{"namespace":"ns6","name":"svc6"},"spec":{"clusterIP":"172.30.0.46",
        "ports":[{"name":"p80","port":80,"protocol":"TCP"}]}}"#;
    let nobody = r#"{"metadata":{"name":"a"},"addressType":"IPv4","endpoints":[]}"#;
    assert_eq!(
        lines(service, nobody),
        ["-A KUBE-SERVICES -m comment --comment \"ns6/svc6:p80 has no endpoints\" -m tcp -p tcp \
             -d 172.30.0.46 --dport 80 -j REJECT"]
    );
}

#[test]
fn external_traffic_that_must_stay_on_a_node_without_endpoints_is_dropped() {
    let service = r#"{"metadata":{"namespace":"ns2","name":"svc2"},"spec":{"clusterIP":"172.30.0.42",
        "type":"NodePort","externalTrafficPolicy":"Local",
        "ports":[{"name":"p80","port":80,"protocol":"TCP","nodePort":3001}]}}"#;
    let text = lines(service, &READY.replace("180.0.1", "180.0.2")).join("\n");
    for want in [
        "-A KUBE-EXTERNAL-SERVICES -m comment --comment \"ns2/svc2:p80 has no local endpoints\" -m \
         addrtype --dst-type LOCAL -m tcp -p tcp --dport 3001 -j DROP",
        "-A KUBE-NODEPORTS -m comment --comment ns2/svc2:p80 -m tcp -p tcp --dport 3001 -j \
         KUBE-EXT-GNZBNJ2PO5MGZ6GT",
        "-A KUBE-EXT-GNZBNJ2PO5MGZ6GT -m comment --comment \"pod traffic for ns2/svc2:p80 external \
         destinations\" -s 10.0.0.0/8 -j KUBE-SVC-GNZBNJ2PO5MGZ6GT",
        "-A KUBE-EXT-GNZBNJ2PO5MGZ6GT -m comment --comment \"masquerade LOCAL traffic for \
         ns2/svc2:p80 external destinations\" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ",
        "-A KUBE-EXT-GNZBNJ2PO5MGZ6GT -m comment --comment \"route LOCAL traffic for ns2/svc2:p80 \
         external destinations\" -m addrtype --src-type LOCAL -j KUBE-SVC-GNZBNJ2PO5MGZ6GT",
        "-A KUBE-SVC-GNZBNJ2PO5MGZ6GT -m comment --comment \"ns2/svc2:p80 -> 10.180.0.2:80\" -j \
         KUBE-SEP-RS4RBKLTHTF2IUXJ",
    ] {
        assert!(text.contains(want), "{want}\nis missing in\n{text}");
    }
    assert!(!text.contains("KUBE-SVL"), "there is no local endpoint");
}

#[test]
fn affinity_remembers_and_chance_divides() {
    let service = r#"{"metadata":{"namespace":"ns1","name":"svc1"},"spec":{"clusterIP":"172.30.0.41",
        "sessionAffinity":"ClientIP","sessionAffinityConfig":{"clientIP":{"timeoutSeconds":10800}},
        "ports":[{"name":"p80","port":80,"protocol":"TCP"}]}}"#;
    let three = READY.replace(
        r#""endpoints":[{"addresses":["10.180.0.1"]}]"#,
        r#""endpoints":[{"addresses":["10.180.0.3"]},{"addresses":["10.180.0.1"]},
           {"addresses":["10.180.0.2"]}]"#,
    );
    let text = lines(service, &three).join("\n");
    for want in [
        "-m recent --name KUBE-SEP-SXIVWICOYRO3J4NJ --rcheck --seconds 10800 --reap -j \
         KUBE-SEP-SXIVWICOYRO3J4NJ",
        "\"ns1/svc1:p80 -> 10.180.0.1:80\" -m statistic --mode random --probability 0.3333333333 -j",
        "\"ns1/svc1:p80 -> 10.180.0.2:80\" -m statistic --mode random --probability 0.5000000000 -j",
        "\"ns1/svc1:p80 -> 10.180.0.3:80\" -j",
        "-m recent --name KUBE-SEP-SXIVWICOYRO3J4NJ --set -m tcp -p tcp -j DNAT",
    ] {
        assert!(text.contains(want), "{want}\nis missing in\n{text}");
    }
}

#[test]
fn the_foundation_puts_each_jump_before_the_others() {
    let text = foundation("");
    assert!(text.contains(
        "-I INPUT 1 -m conntrack --ctstate NEW -m comment --comment \"kubernetes load balancer \
         firewall\" -j KUBE-PROXY-FIREWALL\n"
    ));
    assert!(text.contains(
        "-I PREROUTING 1 -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n"
    ));
}

/// Which endpoints serve which traffic: name, policy, endpoints, then cluster and local ones.
#[test]
fn endpoints_are_categorized_as_upstream_does() {
    let ready = r#"{"addresses":["10.0.0.1"],"nodeName":"test-hostname"},{"addresses":["10.0.0.2"],"nodeName":"other"}"#;
    let hinted = r#"{"addresses":["10.0.0.1"],"hints":{"forZones":[{"name":"zone-a"}]}},
        {"addresses":["10.0.0.2"],"hints":{"forZones":[{"name":"zone-b"}]}}"#;
    let partly = r#"{"addresses":["10.0.0.1"],"hints":{"forZones":[{"name":"zone-a"}]}},
        {"addresses":["10.0.0.2"]}"#;
    let by_node = r#"{"addresses":["10.0.0.1"],"hints":{"forNodes":[{"name":"test-hostname"}]}},
        {"addresses":["10.0.0.2"],"hints":{"forNodes":[{"name":"other"}]}}"#;
    let ending = r#"{"addresses":["10.0.0.1"],"nodeName":"test-hostname",
        "conditions":{"ready":false,"serving":true,"terminating":true}},
        {"addresses":["10.0.0.2"],"nodeName":"other",
        "conditions":{"ready":false,"serving":false,"terminating":true}}"#;
    for (name, internal, endpoints, cluster, local) in [
        ("cluster traffic takes all that are ready", "Cluster", ready, "1 2", ""),
        ("local traffic takes those of the node", "Local", ready, "", "1"),
        ("hints for the zone", "Cluster", hinted, "1", ""),
        ("hints that not all have are ignored", "Cluster", partly, "1 2", ""),
        ("hints for the node", "Cluster", by_node, "1", ""),
        ("terminating ones when no other is left", "Cluster", ending, "1", ""),
        ("and local ones, too", "Local", ending, "", "1"),
    ] {
        let service = service(&format!(
            r#"{{"metadata":{{"namespace":"ns","name":"svc"}},"spec":{{"clusterIP":"172.30.0.41",
            "internalTrafficPolicy":"{internal}","ports":[{{"name":"p80","port":80}}]}}}}"#
        ));
        let slice = slice(&READY.replace(r#"{"addresses":["10.180.0.1"]}"#, endpoints));
        let place = Place { node: "test-hostname".to_string(), zone: "zone-a".to_string() };
        let port = &ports_of(&service)[0];
        let found = port.categorize(&port.endpoints([&slice].into_iter(), &place, &[]), &place);
        let numbers = |endpoints: &[super::model::Endpoint]| {
            let last = |address: &str| address.rsplit('.').next().unwrap().to_string();
            endpoints.iter().map(|e| last(&e.address)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(numbers(&found.cluster), cluster, "{name}");
        assert_eq!(numbers(&found.local), local, "{name}");
        assert!(found.any, "{name}");
    }
}

/// A second run over what a first one left adds no jump twice, and knows whose chains there are.
#[test]
fn a_machine_takes_the_rules_and_a_second_run_adds_none_twice() {
    use network::{Cidr, Machine, MachineOptions, NamespaceId};
    let address = Cidr { address: std::net::Ipv4Addr::new(192, 168, 0, 2), prefix: 24 };
    let mut machine = Machine::new(MachineOptions { name: "node".to_string(), address });
    let text = r#"{"metadata":{"namespace":"ns4","name":"svc4"},"spec":{"clusterIP":"172.30.0.44",
        "type":"LoadBalancer","externalIPs":["192.168.99.33"],"sessionAffinity":"ClientIP",
        "loadBalancerSourceRanges":["203.0.113.0/25"],"healthCheckNodePort":30000,
        "ports":[{"name":"p80","port":80,"protocol":"TCP","nodePort":3001}]},
        "status":{"loadBalancer":{"ingress":[{"ip":"1.2.3.4"}]}}}"#;
    let place = Place::default();
    for _ in 0..2 {
        let present = machine.save(NamespaceId::HOST, None, false);
        let first = machine.restore(NamespaceId::HOST, &foundation(&present), true);
        assert!(first.is_ok(), "{}", first.unwrap_err());
        let mut rules = Rules::new("10.0.0.0/8");
        for port in ports_of(&service(text)) {
            let endpoints = port.endpoints([&slice(READY)].into_iter(), &place, &[]);
            rules.add(&port, &port.categorize(&endpoints, &place), true);
        }
        let taken = machine.restore(NamespaceId::HOST, &rules.finish(&[]), true);
        assert!(taken.is_ok(), "{}", taken.unwrap_err());
    }
    let saved = machine.save(NamespaceId::HOST, None, false);
    assert_eq!(saved.matches("-j KUBE-FORWARD\n").count(), 1);
    assert_eq!(saved.matches("-A PREROUTING ").count(), 1);
    assert_eq!(service_chains(&saved).len(), 4, "SVC, SEP, EXT, FW");
    // They go when nobody uses them.
    let stale: Vec<std::sync::Arc<str>> = service_chains(&saved).into_iter().collect();
    let taken = machine.restore(NamespaceId::HOST, &Rules::new("").finish(&stale), true);
    assert!(taken.is_ok(), "{}", taken.unwrap_err());
    assert!(service_chains(&machine.save(NamespaceId::HOST, None, false)).is_empty());
}
