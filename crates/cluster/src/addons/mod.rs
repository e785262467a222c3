//! What kubeadm adds to a new cluster, and the network add-on that it asks for: typed objects, so
//! that an engine can boot that reads no manifests. The folder `manifests` holds the same as
//! people write it, and a test that the two are equal.
//!
//! Upstream: cmd/kubeadm/app/phases/addons; flannel-io/flannel, Documentation/kube-flannel.yml.

use std::sync::Arc;

use api::openapi::api::core::v1::Pod;
use api::patch::last_applied;
use apiserver::{Body, Identity, Request, Subresource, Verb};
use client::Context;

mod control_plane;
mod coredns;
mod flannel;
mod kube_proxy;
mod parts;

/// The images that the machines hold from the beginning, so that a cluster is ready soon.
pub(crate) const IMAGES: [&str; 5] = [
    "registry.k8s.io/pause:3.10.1",
    "registry.k8s.io/kube-proxy:v1.37.0",
    "registry.k8s.io/coredns/coredns:v1.13.1",
    "ghcr.io/flannel-io/flannel:v0.27.4",
    "ghcr.io/flannel-io/flannel-cni-plugin:v1.8.0-flannel1",
];

/// Makes the objects of the add-ons. Those of flannel a person applies, with the annotation that
/// kubectl leaves; kubeadm leaves none.
pub(crate) fn apply(cx: &mut Context<'_>) {
    let applied = flannel::objects().into_iter().map(|mut object| {
        let text = last_applied::annotation(&object.to_value());
        let annotations = object.meta_mut().annotations.get_or_insert_default();
        annotations.insert(last_applied::ANNOTATION.to_string(), text);
        object
    });
    for object in kube_proxy::objects().into_iter().chain(coredns::objects()).chain(applied) {
        let request = Request {
            identity: Identity::administrator(),
            verb: Verb::Create,
            kind: object.kind_id(),
            namespace: object.namespace().to_string(),
            name: String::new(),
            subresource: Subresource::None,
            body: Body::Object(object),
            dry_run: false,
        };
        let created = cx.request(request);
        debug_assert!(created.is_ok(), "{created:?}");
    }
}

/// The static pods of the control plane on the node of that name and address.
pub(crate) fn static_pods(node: &str, address: &str) -> Vec<Arc<Pod>> {
    control_plane::pods(node, address).into_iter().map(Arc::new).collect()
}

#[cfg(test)]
mod tests {
    use api::Object;
    use api::decode::{FieldValidation, decode};

    use super::*;

    /// Every object of a manifest, as it is read.
    fn read(manifest: &str) -> Vec<Object> {
        let documents = api::yaml::documents(manifest).expect("YAML");
        let object = |document: api::yaml::Document| {
            decode(document.value, FieldValidation::Strict).expect("an object").object
        };
        documents.into_iter().map(object).collect()
    }

    #[test]
    fn the_objects_are_those_of_the_manifests() {
        let pods: Vec<Object> =
            static_pods("NODE", "ADDRESS").into_iter().map(Object::shared).collect();
        assert_eq!(read(include_str!("manifests/control-plane.yaml")), pods);
        assert_eq!(read(include_str!("manifests/kube-proxy.yaml")), kube_proxy::objects());
        assert_eq!(read(include_str!("manifests/coredns.yaml")), coredns::objects());
        assert_eq!(read(include_str!("manifests/flannel.yaml")), flannel::objects());
    }

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
