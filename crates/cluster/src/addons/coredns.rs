//! The name server of the cluster.
//!
//! Upstream: cmd/kubeadm/app/phases/addons/dns/manifests.go

use api::Object;
use api::openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use api::openapi::api::core::v1::{
    Affinity, Capabilities, ConfigMapVolumeSource, Container, KeyToPath, PodAffinityTerm,
    PodAntiAffinity, PodSpec, SecurityContext, Service, ServicePort, ServiceSpec, Volume,
    WeightedPodAffinityTerm,
};
use api::openapi::apimachinery::pkg::apis::meta::v1::{
    LabelSelector, LabelSelectorRequirement, ObjectMeta,
};
use api::openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::parts::{
    Pairs, config_map, container, http_get, map, meta, mount, port, probe, read_only, resources,
    service_account, template, text, texts, toleration,
};

const NAMESPACE: &str = "kube-system";
const NAME: &str = "coredns";
const LABELS: Pairs<'_> = &[("k8s-app", "kube-dns")];
const COREFILE: &str = ".:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
";

/// Its objects, in the order in which they are made.
pub(super) fn objects() -> Vec<Object> {
    vec![
        Object::new(service_account(meta(NAMESPACE, NAME, &[]))),
        Object::new(config_map(meta(NAMESPACE, NAME, &[]), &[("Corefile", COREFILE)])),
        Object::new(service()),
        Object::new(deployment()),
    ]
}

fn service() -> Service {
    let labels = [
        ("k8s-app", "kube-dns"),
        ("kubernetes.io/cluster-service", "true"),
        ("kubernetes.io/name", "CoreDNS"),
    ];
    let annotations = [("prometheus.io/port", "9153"), ("prometheus.io/scrape", "true")];
    let port = |name: &str, number: i32, protocol: &str| ServicePort {
        name: text(name),
        port: number,
        protocol: text(protocol),
        ..ServicePort::default()
    };
    let spec = ServiceSpec {
        cluster_ip: text("10.96.0.10"),
        selector: map(LABELS),
        ports: Some(vec![
            port("dns", 53, "UDP"),
            port("dns-tcp", 53, "TCP"),
            port("metrics", 9153, "TCP"),
        ]),
        ..ServiceSpec::default()
    };
    Service {
        metadata: ObjectMeta {
            annotations: map(&annotations),
            ..meta(NAMESPACE, "kube-dns", &labels)
        },
        spec: Some(spec),
        status: None,
    }
}

/// Apart from each other, if that is possible.
fn affinity() -> Affinity {
    let requirement = LabelSelectorRequirement {
        key: "k8s-app".into(),
        operator: "In".into(),
        values: texts(&["kube-dns"]),
    };
    let selector =
        LabelSelector { match_expressions: Some(vec![requirement]), ..LabelSelector::default() };
    let pod_affinity_term = PodAffinityTerm {
        topology_key: "kubernetes.io/hostname".into(),
        label_selector: Some(selector),
        ..PodAffinityTerm::default()
    };
    let preferred = vec![WeightedPodAffinityTerm { weight: 100, pod_affinity_term }];
    let pod_anti_affinity = PodAntiAffinity {
        preferred_during_scheduling_ignored_during_execution: Some(preferred),
        ..PodAntiAffinity::default()
    };
    Affinity { pod_anti_affinity: Some(pod_anti_affinity), ..Affinity::default() }
}

fn server() -> Container {
    let capabilities = Capabilities { add: texts(&["NET_BIND_SERVICE"]), drop: texts(&["ALL"]) };
    Container {
        image_pull_policy: text("IfNotPresent"),
        args: texts(&["-conf", "/etc/coredns/Corefile"]),
        ports: Some(vec![
            port("dns", 53, "UDP"),
            port("dns-tcp", 53, "TCP"),
            port("metrics", 9153, "TCP"),
            port("liveness-probe", 8080, "TCP"),
            port("readiness-probe", 8181, "TCP"),
        ]),
        resources: resources(&[("cpu", "100m"), ("memory", "70Mi")], &[("memory", "170Mi")]),
        liveness_probe: probe(http_get("/health", "liveness-probe"), [60, 0, 5, 5]),
        readiness_probe: probe(http_get("/ready", "readiness-probe"), [0; 4]),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(capabilities),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(vec![read_only(mount("config-volume", "/etc/coredns"))]),
        ..container(NAME, "registry.k8s.io/coredns/coredns:v1.13.1")
    }
}

fn configuration() -> Volume {
    let item =
        KeyToPath { key: "Corefile".into(), path: "Corefile".into(), ..KeyToPath::default() };
    let source = ConfigMapVolumeSource {
        name: NAME.into(),
        items: Some(vec![item]),
        ..ConfigMapVolumeSource::default()
    };
    Volume { name: "config-volume".into(), config_map: Some(source), ..Volume::default() }
}

fn deployment() -> Deployment {
    let spec = PodSpec {
        priority_class_name: text("system-cluster-critical"),
        service_account_name: text(NAME),
        dns_policy: text("Default"),
        node_selector: map(&[("kubernetes.io/os", "linux")]),
        tolerations: Some(vec![
            toleration("CriticalAddonsOnly", "Exists", ""),
            toleration("node-role.kubernetes.io/control-plane", "", "NoSchedule"),
        ]),
        affinity: Some(affinity()),
        containers: vec![server()],
        volumes: Some(vec![configuration()]),
        ..PodSpec::default()
    };
    let (selector, template) = template(LABELS, LABELS, spec);
    let rolling_update = RollingUpdateDeployment {
        max_unavailable: Some(IntOrString::Int(1)),
        ..RollingUpdateDeployment::default()
    };
    let strategy =
        DeploymentStrategy { type_: text("RollingUpdate"), rolling_update: Some(rolling_update) };
    Deployment {
        metadata: meta(NAMESPACE, NAME, LABELS),
        spec: DeploymentSpec {
            replicas: Some(2),
            selector,
            strategy: Some(strategy),
            template,
            ..DeploymentSpec::default()
        },
        status: None,
    }
}
