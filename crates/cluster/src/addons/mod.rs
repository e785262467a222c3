//! What kubeadm adds to a new cluster, and the network add-on that it asks for: the manifests of
//! this folder, which become ordinary objects.
//!
//! Upstream: cmd/kubeadm/app/phases/addons; flannel-io/flannel, Documentation/kube-flannel.yml.

use std::sync::Arc;

use api::decode::{FieldValidation, decode};
use api::openapi::api::core::v1::Pod;
use apiserver::Identity;
use client::Context;

/// The add-ons, in the order in which they are applied.
const MANIFESTS: [&str; 3] =
    [include_str!("kube-proxy.yaml"), include_str!("coredns.yaml"), include_str!("flannel.yaml")];

/// The images that the machines hold from the beginning, so that a cluster is ready soon.
pub(crate) const IMAGES: [&str; 5] = [
    "registry.k8s.io/pause:3.10.1",
    "registry.k8s.io/kube-proxy:v1.37.0",
    "registry.k8s.io/coredns/coredns:v1.13.1",
    "ghcr.io/flannel-io/flannel:v0.27.4",
    "ghcr.io/flannel-io/flannel-cni-plugin:v1.8.0-flannel1",
];

/// Applies the add-ons.
pub(crate) fn apply(cx: &mut Context<'_>) {
    let administrator = Identity::administrator();
    for manifest in MANIFESTS {
        let results = kubectl::apply(cx, &administrator, manifest);
        debug_assert!(results.iter().all(kubectl::DocumentResult::is_done), "{results:?}");
    }
}

/// The static pods of the control plane on the node of that name and address.
/// Upstream: cmd/kubeadm/app/phases/controlplane/manifests.go and etcd/local.go
pub(crate) fn static_pods(node: &str, address: &str) -> Vec<Arc<Pod>> {
    let text = include_str!("control-plane.yaml").replace("ADDRESS", address).replace("NODE", node);
    let documents = api::yaml::documents(&text).unwrap_or_default();
    let pod = |document: api::yaml::Document| {
        decode(document.value, FieldValidation::Strict).ok()?.object.typed::<Pod>()
    };
    let pods: Vec<Arc<Pod>> = documents.into_iter().filter_map(pod).collect();
    debug_assert_eq!(pods.len(), 4, "the manifests can be read");
    pods
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upstream: cmd/kubeadm/app/phases/controlplane/manifests_test.go, TestGetStaticPodSpecs.
    #[test]
    fn the_control_plane_is_four_pods_on_the_network_of_their_node() {
        let pods = static_pods("control-plane", "172.18.0.2");
        let names: Vec<_> = pods.iter().filter_map(|pod| pod.metadata.name.clone()).collect();
        assert_eq!(names, ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]);
        for pod in pods {
            let labels = pod.metadata.labels.clone().unwrap_or_default();
            assert_eq!(labels.get("tier").map(String::as_str), Some("control-plane"));
            let spec = pod.spec.clone().expect("a specification");
            assert_eq!(spec.host_network, Some(true));
            assert_eq!(spec.priority_class_name.as_deref(), Some("system-node-critical"));
            let probe = spec.containers[0].liveness_probe.clone().expect("a probe");
            let times = (probe.period_seconds, probe.timeout_seconds, probe.failure_threshold);
            assert_eq!(times, (Some(10), Some(15), Some(8)));
        }
    }
}
