//! Pods from the node's own files, and their mirrors in the API server.
//!
//! Upstream: pkg/kubelet/config/common.go, pkg/kubelet/pod/mirror_client.go.

use std::sync::Arc;

use api::openapi::api::core::v1::{Pod, Toleration};
use client::Context;
use sim::Digest;

use crate::node::Node;

const CONFIG_HASH: &str = "kubernetes.io/config.hash";
const CONFIG_MIRROR: &str = "kubernetes.io/config.mirror";
const CONFIG_SEEN: &str = "kubernetes.io/config.seen";
const CONFIG_SOURCE: &str = "kubernetes.io/config.source";
const DEFAULT_NAMESPACE: &str = "kube-system";

/// Whether the object only mirrors a static pod.
pub(crate) fn is_mirror(pod: &Pod) -> bool {
    let annotations = pod.metadata.annotations.as_ref();
    annotations.is_some_and(|annotations| annotations.contains_key(CONFIG_MIRROR))
}

/// A pod of the node's files as the kubelet runs it: named after the node, bound to it, and
/// tolerating whatever evicts others.
pub(crate) fn applied(pod: &Pod, node: &Node, cx: &Context<'_>) -> Arc<Pod> {
    let mut pod = pod.clone();
    let base = pod.metadata.name.clone().unwrap_or_default();
    let name = format!("{base}-{}", node.spec.name);
    let mut digest = Digest::new();
    digest.str(&node.spec.name);
    digest.str(&name);
    let hash = digest.finish().to_string();
    let namespace = pod.metadata.namespace.take().unwrap_or_else(|| DEFAULT_NAMESPACE.to_string());
    pod.metadata.name = Some(name);
    pod.metadata.namespace = Some(namespace);
    pod.metadata.uid = Some(hash.clone());
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(CONFIG_HASH.to_string(), hash);
    annotations.insert(CONFIG_SEEN.to_string(), cx.timestamp().0.to_string());
    annotations.insert(CONFIG_SOURCE.to_string(), "file".to_string());
    let spec = pod.spec.get_or_insert_default();
    spec.node_name = Some(node.spec.name.clone());
    spec.tolerations.get_or_insert_default().push(Toleration {
        effect: Some("NoExecute".to_string()),
        operator: Some("Exists".to_string()),
        ..Toleration::default()
    });
    Arc::new(pod)
}

/// Makes the mirror of a static pod. Says whether it is there.
pub(crate) fn create_mirror(pod: &Pod, node: &Node, cx: &mut Context<'_>) -> bool {
    let mut mirror = pod.clone();
    mirror.status = None;
    let hash = mirror.metadata.uid.take().unwrap_or_default();
    let annotations = mirror.metadata.annotations.get_or_insert_default();
    annotations.insert(CONFIG_MIRROR.to_string(), hash);
    mirror.metadata.owner_references = node.owner_reference().map(|mut owner| {
        owner.controller = Some(true);
        vec![owner]
    });
    let namespace = mirror.metadata.namespace.clone().unwrap_or_default();
    match cx.api::<Pod>(&node.identity, &namespace).create(mirror) {
        Ok(_) => true,
        Err(status) => status.reason() == "AlreadyExists",
    }
}
