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

/// The Services svc3, svc4 and svc5 of upstream's table: a node port, an external address before
/// two endpoints, a load balancer that not everybody may use.
#[test]
fn traffic_from_outside_is_masqueraded_and_filtered() {
    let service = |name: &str, number: u32, more: &str| {
        format!(
            r#"{{"metadata":{{"namespace":"ns{number}","name":"{name}"}},"spec":{{
            "clusterIP":"172.30.0.4{number}","ports":[{{"name":"p80","port":80,"protocol":"TCP"
            {more}}}"#
        )
    };
    let svc3 = service("svc3", 3, r#","nodePort":3003}],"type":"NodePort"}"#);
    let svc4 = service("svc4", 4, r#"}],"externalIPs":["192.168.99.33"]}"#);
    let svc5 = service(
        "svc5",
        5,
        r#","nodePort":3002}],"type":"LoadBalancer","healthCheckNodePort":30000,
        "loadBalancerSourceRanges":["203.0.113.0/25"]},
        "status":{"loadBalancer":{"ingress":[{"ip":"1.2.3.4"}]}}"#,
    );
    let third = READY.replace("180.0.1", "180.0.3");
    let both = READY.replace(
        r#"{"addresses":["10.180.0.1"]}"#,
        r#"{"addresses":["10.180.0.4"]},{"addresses":["10.180.0.5"]}"#,
    );
    for (service, slice, wants) in [
        (
            svc3,
            &third,
            [
                "-A KUBE-NODEPORTS -m comment --comment ns3/svc3:p80 -m tcp -p tcp --dport 3003 -j \
                 KUBE-EXT-X27LE4BHSL4DOUIK",
                "-A KUBE-EXT-X27LE4BHSL4DOUIK -m comment --comment \"masquerade traffic for \
                 ns3/svc3:p80 external destinations\" -j KUBE-MARK-MASQ",
                "-A KUBE-EXT-X27LE4BHSL4DOUIK -j KUBE-SVC-X27LE4BHSL4DOUIK",
                "-A KUBE-SVC-X27LE4BHSL4DOUIK -m comment --comment \"ns3/svc3:p80 -> \
                 10.180.0.3:80\" -j KUBE-SEP-OYPFS5VJICHGATKP",
            ],
        ),
        (
            svc4,
            &both,
            [
                "-A KUBE-SERVICES -m comment --comment \"ns4/svc4:p80 external IP\" -m tcp -p tcp -d \
                 192.168.99.33 --dport 80 -j KUBE-EXT-4SW47YFZTEDKD3PK",
                "-A KUBE-EXT-4SW47YFZTEDKD3PK -j KUBE-SVC-4SW47YFZTEDKD3PK",
                "-A KUBE-SVC-4SW47YFZTEDKD3PK -m comment --comment \"ns4/svc4:p80 -> \
                 10.180.0.4:80\" -m statistic --mode random --probability 0.5000000000 -j \
                 KUBE-SEP-UKSFD7AGPMPPLUHC",
                "-A KUBE-SVC-4SW47YFZTEDKD3PK -m comment --comment \"ns4/svc4:p80 -> \
                 10.180.0.5:80\" -j KUBE-SEP-C6EBXVWJJZMIWKLZ",
            ],
        ),
        (
            svc5,
            &third,
            [
                "-A KUBE-SERVICES -m comment --comment \"ns5/svc5:p80 loadbalancer IP\" -m tcp -p tcp \
                 -d 1.2.3.4 --dport 80 -j KUBE-FW-NUKIZ6OKUXPJNT4C",
                "-A KUBE-FW-NUKIZ6OKUXPJNT4C -m comment --comment \"ns5/svc5:p80 loadbalancer IP\" -s \
                 203.0.113.0/25 -j KUBE-EXT-NUKIZ6OKUXPJNT4C",
                "-A KUBE-FW-NUKIZ6OKUXPJNT4C -m comment --comment \"other traffic to ns5/svc5:p80 \
                 will be dropped by KUBE-PROXY-FIREWALL\"",
                "-A KUBE-PROXY-FIREWALL -m comment --comment \"ns5/svc5:p80 traffic not accepted by \
                 KUBE-FW-NUKIZ6OKUXPJNT4C\" -m tcp -p tcp -d 1.2.3.4 --dport 80 -j DROP",
            ],
        ),
    ] {
        let lines = lines(&service, slice);
        for want in wants {
            assert!(lines.iter().any(|line| line == want), "{want}\nis missing in\n{lines:#?}");
        }
    }
}

/// Upstream: proxier_test.go, TestInternalTrafficPolicy: traffic of the cluster that must stay on
/// a node without endpoints is dropped, not refused.
#[test]
fn internal_traffic_that_must_stay_on_a_node_without_endpoints_is_dropped() {
    let service = r#"{"metadata":{"namespace":"ns1","name":"svc1"},"spec":{"clusterIP":"172.30.0.41",
        "internalTrafficPolicy":"Local","ports":[{"name":"p80","port":80,"protocol":"TCP"}]}}"#;
    assert_eq!(
        lines(service, READY),
        [
            "-A KUBE-SERVICES -m comment --comment \"ns1/svc1:p80 has no local endpoints\" -m tcp -p \
             tcp -d 172.30.0.41 --dport 80 -j DROP"
        ]
    );
    let here = READY.replace(
        r#"{"addresses":["10.180.0.1"]}"#,
        r#"{"addresses":["10.180.0.1"],"nodeName":"test-hostname"}"#,
    );
    let text = lines(service, &here).join("\n");
    let want = "--dport 80 -j KUBE-SVL-XPGD46QRK7WJZT7O";
    assert!(text.contains(want) && !text.contains("KUBE-SVC-"), "{text}");
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

/// An endpoint in a word: its number, then `L` on this node, `A` and `B` with the zones of its
/// hints, `H` and `O` with hints for this and another node, `t` terminating and serving, `d`
/// terminating and not serving, `x` not ready.
fn endpoint(word: &str) -> String {
    let (number, flags) = word.split_at(1);
    let has = |flag: char| flags.contains(flag);
    let node = if has('L') { "test-hostname" } else { "other" };
    let named = |list: &[(char, &str)]| -> String {
        let names = list.iter().filter(|(flag, _)| has(*flag));
        names.map(|(_, name)| format!(r#"{{"name":"{name}"}}"#)).collect::<Vec<_>>().join(",")
    };
    let zones = named(&[('A', "zone-a"), ('B', "zone-b")]);
    let nodes = named(&[('H', "test-hostname"), ('O', "other")]);
    let ready = !has('t') && !has('d') && !has('x');
    format!(
        r#"{{"addresses":["10.0.0.{number}"],"nodeName":"{node}",
        "hints":{{"forZones":[{zones}],"forNodes":[{nodes}]}},"conditions":{{"ready":{ready},
        "serving":{},"terminating":{}}}}}"#,
        ready || has('t'),
        has('t') || has('d')
    )
}

/// Upstream: pkg/proxy/topology_test.go, TestCategorizeEndpoints: the internal and the external
/// policy, whether it is reached from outside, the endpoints; then those for the cluster, those
/// of the node, all that are reached, and whether there is any.
#[test]
fn endpoints_are_categorized_as_upstream_does() {
    for (internal, external, outside, endpoints, want) in [
        // Hints for zones.
        ("Cluster", "", false, "0A 1B 2B 3A", "0 3|-|0 3|any"),
        ("Cluster", "", false, "0A 1B 2 3A", "0 1 2 3|-|0 1 2 3|any"),
        ("Cluster", "", false, "0B 1B", "0 1|-|0 1|any"),
        ("Cluster", "", false, "0A 1AB 2B", "0 1|-|0 1|any"),
        ("Cluster", "", false, "0A 1Bx 2A", "0 2|-|0 2|any"),
        ("Cluster", "Local", true, "0LA 1LB 2B 3A", "0 3|0 1|0 1 3|any"),
        ("Local", "Cluster", true, "0LA 1LB 2B 3A", "0 3|0 1|0 1 3|any"),
        ("Cluster", "Local", true, "0LA 1LB 2A 3B", "0 2|0 1|0 1 2|any"),
        // Hints for nodes come before them.
        ("Cluster", "", false, "0H 1O", "0|-|0|any"),
        ("Cluster", "", false, "0H 1", "0 1|-|0 1|any"),
        ("Cluster", "", false, "0O 1O", "0 1|-|0 1|any"),
        ("Cluster", "", false, "0HB 1OA", "0|-|0|any"),
        ("Cluster", "", false, "0OA 1OB", "0|-|0|any"),
        // Policies.
        ("Local", "", false, "", "-|-|-|none"),
        ("Local", "", false, "0 1", "-|-|-|any"),
        ("Local", "", false, "0L 1L", "-|0 1|0 1|any"),
        ("Local", "", false, "0L 1", "-|0|0|any"),
        ("Cluster", "", false, "0x 1x", "-|-|-|none"),
        ("Cluster", "", false, "0x 1", "1|-|1|any"),
        ("Cluster", "", false, "0t 1d", "0|-|0|any"),
        ("Cluster", "", false, "0t 1", "1|-|1|any"),
        ("Local", "Cluster", true, "0L 1", "0 1|0|0 1|any"),
        ("Cluster", "Local", true, "0L 1", "0 1|0|0 1|any"),
        ("Local", "Local", true, "0L 1", "0 1|0|0 1|any"),
        ("Local", "Local", true, "0 1", "0 1|-|0 1|any"),
        ("Local", "Local", true, "0t 1t", "0 1|-|0 1|any"),
        ("Cluster", "Local", true, "0Ld 1Lt 2 3d", "2|1|1 2|any"),
        ("Cluster", "Local", false, "0L 1", "0 1|-|0 1|any"),
        ("Local", "", false, "0t 1Lt", "-|1|1|any"),
    ] {
        let (kind, node_port) = match outside {
            true => ("NodePort", 3001),
            false => ("ClusterIP", 0),
        };
        let service = service(&format!(
            r#"{{"metadata":{{"namespace":"ns","name":"svc"}},"spec":{{"clusterIP":"172.30.0.41",
            "type":"{kind}","internalTrafficPolicy":"{internal}","externalTrafficPolicy":
            "{external}","ports":[{{"name":"p80","port":80,"nodePort":{node_port}}}]}}}}"#
        ));
        let all: Vec<String> = endpoints.split_ascii_whitespace().map(endpoint).collect();
        let all = all.join(",");
        let slice = slice(&READY.replace(r#"{"addresses":["10.180.0.1"]}"#, &all));
        let place = Place { node: "test-hostname".to_string(), zone: "zone-a".to_string() };
        let port = &ports_of(&service)[0];
        let found = port.categorize(&port.endpoints([&slice].into_iter(), &place, &[]), &place);
        let numbers = |endpoints: &[super::model::Endpoint]| {
            let last = |address: &str| address.rsplit('.').next().unwrap().to_string();
            match endpoints {
                [] => "-".to_string(),
                some => some.iter().map(|e| last(&e.address)).collect::<Vec<_>>().join(" "),
            }
        };
        let words = [
            numbers(&found.cluster),
            numbers(&found.local),
            numbers(&found.reachable),
            (if found.any { "any" } else { "none" }).to_string(),
        ];
        assert_eq!(words.join("|"), want, "{internal} {external} {outside} {endpoints}");
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
