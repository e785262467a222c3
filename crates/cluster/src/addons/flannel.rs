//! The network of pods: an agent on every node.
//!
//! Upstream: flannel-io/flannel, Documentation/kube-flannel.yml

use api::Object;
use api::openapi::api::apps::v1::{DaemonSet, DaemonSetSpec};
use api::openapi::api::core::v1::{
    Affinity, Capabilities, Container, EnvVar, Namespace, NodeAffinity, NodeSelector,
    NodeSelectorRequirement, NodeSelectorTerm, PodSpec, SecurityContext,
};

use super::parts::{
    Pairs, config_map, config_volume, container, host_path, meta, mount, resources,
    service_account, template, text, texts, toleration, variable_of_field,
};

const NAMESPACE: &str = "kube-flannel";
const IMAGE: &str = "ghcr.io/flannel-io/flannel:v0.27.4";
const LABELS: Pairs<'_> = &[("app", "flannel"), ("k8s-app", "flannel"), ("tier", "node")];
const CNI: &str = r#"{
  "name": "cbr0",
  "cniVersion": "0.3.1",
  "plugins": [
    {"type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true}},
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
"#;
const NET: &str = r#"{
  "Network": "10.244.0.0/16",
  "EnableNFTables": false,
  "Backend": {"Type": "vxlan"}
}
"#;

/// Its objects, in the order in which they are made.
pub(super) fn objects() -> Vec<Object> {
    let labels = [("k8s-app", "flannel"), ("pod-security.kubernetes.io/enforce", "privileged")];
    let metadata = meta("", NAMESPACE, &labels);
    let account = meta(NAMESPACE, "flannel", &[("k8s-app", "flannel")]);
    let configuration = [("cni-conf.json", CNI), ("net-conf.json", NET)];
    vec![
        Object::new(Namespace { metadata, ..Namespace::default() }),
        Object::new(service_account(account)),
        Object::new(config_map(meta(NAMESPACE, "kube-flannel-cfg", LABELS), &configuration)),
        Object::new(daemon_set()),
    ]
}

/// What copies a file of its image to the node.
fn copies(name: &str, image: &str, [from, to]: [&str; 2]) -> Container {
    Container { command: texts(&["cp"]), args: texts(&["-f", from, to]), ..container(name, image) }
}

fn init_containers() -> Vec<Container> {
    let plugin = "ghcr.io/flannel-io/flannel-cni-plugin:v1.8.0-flannel1";
    let configuration = ["/etc/kube-flannel/cni-conf.json", "/etc/cni/net.d/10-flannel.conflist"];
    vec![
        Container {
            volume_mounts: Some(vec![mount("cni-plugin", "/opt/cni/bin")]),
            ..copies("install-cni-plugin", plugin, ["/flannel", "/opt/cni/bin/flannel"])
        },
        Container {
            volume_mounts: Some(vec![
                mount("cni", "/etc/cni/net.d"),
                mount("flannel-cfg", "/etc/kube-flannel/"),
            ]),
            ..copies("install-cni", IMAGE, configuration)
        },
    ]
}

fn agent() -> Container {
    let capabilities = Capabilities { add: texts(&["NET_ADMIN", "NET_RAW"]), drop: None };
    let depth =
        EnvVar { name: "EVENT_QUEUE_DEPTH".into(), value: text("5000"), ..EnvVar::default() };
    Container {
        command: texts(&["/opt/bin/flanneld"]),
        args: texts(&["--ip-masq", "--kube-subnet-mgr"]),
        resources: resources(&[("cpu", "100m"), ("memory", "50Mi")], &[]),
        security_context: Some(SecurityContext {
            privileged: Some(false),
            capabilities: Some(capabilities),
            ..SecurityContext::default()
        }),
        env: Some(vec![
            variable_of_field("POD_NAME", "metadata.name"),
            variable_of_field("POD_NAMESPACE", "metadata.namespace"),
            depth,
        ]),
        volume_mounts: Some(vec![
            mount("run", "/run/flannel"),
            mount("flannel-cfg", "/etc/kube-flannel/"),
            mount("xtables-lock", "/run/xtables.lock"),
        ]),
        ..container("kube-flannel", IMAGE)
    }
}

/// Nodes that run Linux.
fn affinity() -> Affinity {
    let requirement = NodeSelectorRequirement {
        key: "kubernetes.io/os".into(),
        operator: "In".into(),
        values: texts(&["linux"]),
    };
    let term = NodeSelectorTerm {
        match_expressions: Some(vec![requirement]),
        ..NodeSelectorTerm::default()
    };
    let node_affinity = NodeAffinity {
        required_during_scheduling_ignored_during_execution: Some(NodeSelector {
            node_selector_terms: vec![term],
        }),
        ..NodeAffinity::default()
    };
    Affinity { node_affinity: Some(node_affinity), ..Affinity::default() }
}

fn daemon_set() -> DaemonSet {
    let spec = PodSpec {
        priority_class_name: text("system-node-critical"),
        host_network: Some(true),
        service_account_name: text("flannel"),
        affinity: Some(affinity()),
        tolerations: Some(vec![toleration("", "Exists", "NoSchedule")]),
        init_containers: Some(init_containers()),
        containers: vec![agent()],
        volumes: Some(vec![
            host_path("run", "/run/flannel", ""),
            host_path("cni-plugin", "/opt/cni/bin", ""),
            host_path("cni", "/etc/cni/net.d", ""),
            config_volume("flannel-cfg", "kube-flannel-cfg"),
            host_path("xtables-lock", "/run/xtables.lock", "FileOrCreate"),
        ]),
        ..PodSpec::default()
    };
    let selected = &LABELS[..2];
    let (selector, template) = template(selected, LABELS, spec);
    DaemonSet {
        metadata: meta(NAMESPACE, "kube-flannel-ds", LABELS),
        spec: DaemonSetSpec { selector, template, ..DaemonSetSpec::default() },
        status: None,
    }
}
