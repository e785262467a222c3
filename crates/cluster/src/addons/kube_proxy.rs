//! The proxy of Services, on every node.
//!
//! Upstream: cmd/kubeadm/app/phases/addons/proxy/manifests.go

use api::Object;
use api::openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy};
use api::openapi::api::core::v1::{Container, PodSpec, SecurityContext};

use super::parts::{
    Pairs, config_map, config_volume, container, host_path, map, meta, mount, read_only,
    service_account, template, text, texts, toleration, variable_of_field,
};

const NAMESPACE: &str = "kube-system";
const NAME: &str = "kube-proxy";
const LABELS: Pairs<'_> = &[("k8s-app", NAME)];
const CONFIGURATION: &str = "apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clusterCIDR: 10.244.0.0/16
mode: iptables
";

/// Its objects, in the order in which they are made.
pub(super) fn objects() -> Vec<Object> {
    let configuration = [("config.conf", CONFIGURATION)];
    vec![
        Object::new(service_account(meta(NAMESPACE, NAME, &[]))),
        Object::new(config_map(meta(NAMESPACE, NAME, &[("app", NAME)]), &configuration)),
        Object::new(daemon_set()),
    ]
}

fn daemon_set() -> DaemonSet {
    let security = SecurityContext { privileged: Some(true), ..SecurityContext::default() };
    let container = Container {
        image_pull_policy: text("IfNotPresent"),
        command: texts(&[
            "/usr/local/bin/kube-proxy",
            "--config=/var/lib/kube-proxy/config.conf",
            "--hostname-override=$(NODE_NAME)",
        ]),
        env: Some(vec![variable_of_field("NODE_NAME", "spec.nodeName")]),
        security_context: Some(security),
        volume_mounts: Some(vec![
            mount("kube-proxy", "/var/lib/kube-proxy"),
            mount("xtables-lock", "/run/xtables.lock"),
            read_only(mount("lib-modules", "/lib/modules")),
        ]),
        ..container(NAME, "registry.k8s.io/kube-proxy:v1.37.0")
    };
    let spec = PodSpec {
        priority_class_name: text("system-node-critical"),
        host_network: Some(true),
        service_account_name: text(NAME),
        node_selector: map(&[("kubernetes.io/os", "linux")]),
        tolerations: Some(vec![toleration("", "Exists", "")]),
        containers: vec![container],
        volumes: Some(vec![
            config_volume("kube-proxy", NAME),
            host_path("xtables-lock", "/run/xtables.lock", "FileOrCreate"),
            host_path("lib-modules", "/lib/modules", ""),
        ]),
        ..PodSpec::default()
    };
    let (selector, template) = template(LABELS, LABELS, spec);
    let strategy = DaemonSetUpdateStrategy { type_: text("RollingUpdate"), rolling_update: None };
    DaemonSet {
        metadata: meta(NAMESPACE, NAME, LABELS),
        spec: DaemonSetSpec {
            selector,
            template,
            update_strategy: Some(strategy),
            ..DaemonSetSpec::default()
        },
        status: None,
    }
}
