//! Upstream's table: coredns/coredns, plugin/kubernetes/handler_test.go, as far as it is about
//! IPv4, with the objects of its APIConnServeTest; reverse_test.go; pods as in
//! handler_pod_insecure_test.go.

use api::openapi::api::core::v1::{Namespace, Pod, Service};
use api::openapi::api::discovery::v1::EndpointSlice;
use apiserver::{Identity, WatchSelector};
use client::Informer;
use client::testing::TestCluster;
use network::DnsRecord;

use super::corefile::{Kubernetes, Pods};
use super::records::{Answer, Objects, Records};

const SERVICES: [&str; 6] = [
    r#"{"metadata":{"name":"svc1"},"spec":{"clusterIP":"10.96.0.11","ports":[{"name":"http","port":80}]}}"#,
    r#"{"metadata":{"name":"svcempty"},"spec":{"clusterIP":"10.96.0.12","ports":[{"name":"http","port":80}]}}"#,
    r#"{"metadata":{"name":"hdls1"},"spec":{"clusterIP":"None","ports":[{"name":"http","port":80}]}}"#,
    r#"{"metadata":{"name":"hdlsprtls"},"spec":{"clusterIP":"None","selector":{"app":"x"}}}"#,
    r#"{"metadata":{"name":"external"},"spec":{"type":"ExternalName","externalName":"ext.interwebs.test"}}"#,
    r#"{"metadata":{"name":"external-to-service"},"spec":{"type":"ExternalName",
        "externalName":"svc1.testns.svc.cluster.local"}}"#,
];

const SLICES: [&str; 3] = [
    r#"{"metadata":{"name":"svc1-a","labels":{"kubernetes.io/service-name":"svc1"}},"addressType":"IPv4",
        "ports":[{"name":"http","port":80,"protocol":"TCP"}],
        "endpoints":[{"addresses":["172.0.0.1"],"hostname":"ep1a","conditions":{"ready":true}}]}"#,
    r#"{"metadata":{"name":"hdls1-a","labels":{"kubernetes.io/service-name":"hdls1"}},"addressType":"IPv4",
        "ports":[{"name":"http","port":80,"protocol":"TCP"}],
        "endpoints":[{"addresses":["172.0.0.2"]},{"addresses":["172.0.0.3"]},
        {"addresses":["172.0.0.4"],"hostname":"dup-name"},
        {"addresses":["172.0.0.5"],"hostname":"dup-name"},
        {"addresses":["172.0.0.6"],"conditions":{"ready":false}}]}"#,
    r#"{"metadata":{"name":"hdlsprtls-a","labels":{"kubernetes.io/service-name":"hdlsprtls"}},
        "addressType":"IPv4","ports":[],"endpoints":[{"addresses":["172.0.0.20"]}]}"#,
];

fn objects() -> Objects {
    let mut cluster = TestCluster::new();
    cluster.create_namespace("testns");
    for text in SERVICES {
        let service: Service = serde_json::from_str(text).expect("a Service");
        cluster.api::<Service>("testns").create(service).expect("created");
    }
    for text in SLICES {
        let slice: EndpointSlice = serde_json::from_str(text).expect("a slice");
        cluster.api::<EndpointSlice>("testns").create(slice).expect("created");
    }
    let identity = Identity::administrator();
    let everything = WatchSelector::Everything;
    let mut objects = Objects {
        services: Informer::<Service>::new(identity.clone(), everything.clone()),
        slices: Informer::new(identity.clone(), everything.clone()),
        namespaces: Informer::<Namespace>::new(identity.clone(), everything.clone()),
        pods: Informer::<Pod>::new(identity, everything),
    };
    let mut cx = cluster.context(0);
    objects.services.sync(&mut cx);
    objects.slices.sync(&mut cx);
    objects.namespaces.sync(&mut cx);
    objects.pods.sync(&mut cx);
    objects
}

/// An answer in few words.
fn words(answer: Answer) -> String {
    let record = |record: &DnsRecord| match record {
        DnsRecord::A { address, ttl, .. } => format!("A {ttl} {address}"),
        DnsRecord::Cname { target, .. } => format!("CNAME {target}"),
        DnsRecord::Srv { weight, port, target, .. } => format!("SRV 0 {weight} {port} {target}"),
        DnsRecord::Ptr { target, .. } => format!("PTR {target}"),
    };
    match answer {
        Answer::Records(records) => records.iter().map(record).collect::<Vec<_>>().join(", "),
        Answer::Alias(records, target) => {
            let records: Vec<String> = records.iter().map(record).collect();
            format!("{} and then {target}", records.join(", "))
        }
        Answer::NoName => "NXDOMAIN".to_string(),
    }
}

fn config(pods: Pods) -> Kubernetes {
    let zones = vec!["cluster.local.".to_string(), "in-addr.arpa.".to_string()];
    Kubernetes { zones, ttl: 5, pods, fall: Vec::new() }
}

fn check(cases: &[(&str, &str, &str)], pods: Pods) {
    let (objects, config) = (objects(), config(pods));
    let records = Records { objects: &objects, config: &config };
    for (name, record_type, want) in cases {
        let zone = records.zone(name).expect("a zone");
        assert_eq!(words(records.answer(name, zone, record_type)), *want, "{name} {record_type}");
    }
}

#[test]
fn services_are_answered_as_upstream_does() {
    let cases = [
        ("svc1.testns.svc.cluster.local.", "A", "A 5 10.96.0.11"),
        ("svcempty.testns.svc.cluster.local.", "A", "A 5 10.96.0.12"),
        ("svc1.testns.svc.cluster.local.", "SRV", "SRV 0 100 80 svc1.testns.svc.cluster.local."),
        (
            "_http._tcp.svc1.testns.svc.cluster.local.",
            "SRV",
            "SRV 0 100 80 svc1.testns.svc.cluster.local.",
        ),
        ("_https._tcp.svc1.testns.svc.cluster.local.", "SRV", "NXDOMAIN"),
        (
            "hdls1.testns.svc.cluster.local.",
            "A",
            "A 5 172.0.0.2, A 5 172.0.0.3, A 5 172.0.0.4, A 5 172.0.0.5",
        ),
        ("hdlsprtls.testns.svc.cluster.local.", "A", "A 5 172.0.0.20"),
        ("172-0-0-20.hdlsprtls.testns.svc.cluster.local.", "A", "A 5 172.0.0.20"),
        ("172-0-0-2.hdls1.testns.svc.cluster.local.", "A", "A 5 172.0.0.2"),
        ("dup-name.hdls1.testns.svc.cluster.local.", "A", "A 5 172.0.0.4, A 5 172.0.0.5"),
        (
            "_http._tcp.hdls1.testns.svc.cluster.local.",
            "SRV",
            "SRV 0 25 80 172-0-0-2.hdls1.testns.svc.cluster.local., \
             SRV 0 25 80 172-0-0-3.hdls1.testns.svc.cluster.local., \
             SRV 0 25 80 dup-name.hdls1.testns.svc.cluster.local.",
        ),
        ("external.testns.svc.cluster.local.", "CNAME", "CNAME ext.interwebs.test."),
        (
            "external.testns.svc.cluster.local.",
            "A",
            "CNAME ext.interwebs.test. and then ext.interwebs.test.",
        ),
        (
            "external-to-service.testns.svc.cluster.local.",
            "A",
            "CNAME svc1.testns.svc.cluster.local., A 5 10.96.0.11",
        ),
        ("svc1.testns.svc.cluster.local.", "AAAA", ""),
        ("svc0.testns.svc.cluster.local.", "A", "NXDOMAIN"),
        ("svc0.svc-nons.svc.cluster.local.", "A", "NXDOMAIN"),
        ("bogusendpoint.hdls1.testns.svc.cluster.local.", "A", "NXDOMAIN"),
        ("bogusendpoint.svc0.testns.svc.cluster.local.", "A", "NXDOMAIN"),
        ("svc.cluster.local.", "A", ""),
        ("pod.cluster.local.", "A", ""),
        ("testns.svc.cluster.local.", "A", ""),
        ("foo.cluster.local.", "NS", "NXDOMAIN"),
        ("foo.svc.cluster.local.", "NS", "NXDOMAIN"),
        ("endpoint.external.testns.svc.cluster.local.", "CNAME", "NXDOMAIN"),
        ("ep1a.svc1.testns.svc.cluster.local.", "A", "A 5 172.0.0.1"),
    ];
    check(&cases, Pods::Disabled);
}

#[test]
fn names_that_are_not_there_and_records_that_a_name_has_not_are_told_apart() {
    let cases = [
        ("_http._tcp.svc1.testns.svc.cluster.local.", "A", "A 5 10.96.0.11"),
        ("_http._udp.svc1.testns.svc.cluster.local.", "SRV", "NXDOMAIN"),
        ("_bogus._tcp.hdls1.testns.svc.cluster.local.", "SRV", "NXDOMAIN"),
        ("*._tcp.hdls1.testns.svc.cluster.local.", "SRV", "NXDOMAIN"),
        ("*.any.svc1.*.svc.cluster.local.", "A", "NXDOMAIN"),
        ("hdlsprtls.testns.svc.cluster.local.", "SRV", ""),
        ("hdls1.testns.svc.cluster.local.", "AAAA", ""),
        ("svc0.testns.svc.cluster.local.", "AAAA", "NXDOMAIN"),
        ("svc0.testns.svc.cluster.local.", "SRV", "NXDOMAIN"),
        ("svc1.testns.svc.cluster.local.", "TXT", ""),
        ("svc0.svc-nons.svc.cluster.local.", "TXT", "NXDOMAIN"),
        ("external.testns.svc.cluster.local.", "SRV", ""),
        ("_http._tcp.external.testns.svc.cluster.local.", "SRV", "NXDOMAIN"),
        (
            "external-to-service.testns.svc.cluster.local.",
            "CNAME",
            "CNAME svc1.testns.svc.cluster.local.",
        ),
        ("svc-nons.svc.cluster.local.", "A", "NXDOMAIN"),
        ("cluster.local.", "A", ""),
        ("172-0-0-6.hdls1.testns.svc.cluster.local.", "A", "NXDOMAIN"),
    ];
    check(&cases, Pods::Disabled);
}

#[test]
fn addresses_lead_back_to_names() {
    let cases = [
        ("11.0.96.10.in-addr.arpa.", "PTR", "PTR svc1.testns.svc.cluster.local."),
        ("1.0.0.172.in-addr.arpa.", "PTR", "PTR ep1a.svc1.testns.svc.cluster.local."),
        ("2.0.0.172.in-addr.arpa.", "PTR", "PTR 172-0-0-2.hdls1.testns.svc.cluster.local."),
        ("6.0.0.172.in-addr.arpa.", "PTR", "NXDOMAIN"),
        ("9.9.9.9.in-addr.arpa.", "PTR", "NXDOMAIN"),
        ("example.org.cluster.local.", "PTR", "NXDOMAIN"),
    ];
    check(&cases, Pods::Disabled);
}

#[test]
fn pods_have_names_made_of_their_addresses() {
    let cases = [
        ("10-240-0-1.testns.pod.cluster.local.", "A", "A 5 10.240.0.1"),
        ("172-0-0-2.testns.pod.cluster.local.", "A", "A 5 172.0.0.2"),
        ("blah-blah.testns.pod.cluster.local.", "A", "NXDOMAIN"),
        ("10-240-0-1.nons.pod.cluster.local.", "A", "NXDOMAIN"),
        ("testns.pod.cluster.local.", "A", ""),
    ];
    check(&cases, Pods::Insecure);
    check(&[("10-240-0-1.testns.pod.cluster.local.", "A", "NXDOMAIN")], Pods::Disabled);
    check(&[("10-240-0-1.testns.pod.cluster.local.", "A", "NXDOMAIN")], Pods::Verified);
}
