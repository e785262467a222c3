//! How a cluster begins: the namespaces that the API server makes, and when each component
//! starts.

use std::sync::Arc;

use api::openapi::api::core::v1::Namespace;
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use apiserver::Identity;
use client::Context;
use kubelet::{Kubelet, NodeSpec};
use sim::{Duration, Streams};

use crate::NodeOptions;

/// Upstream: pkg/controlplane/controller/systemnamespaces/system_namespaces_controller.go
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// Makes the namespaces of a new cluster, the priority classes of the system and the Service
/// `kubernetes`, as the API server itself does. The server is on the first node, if there is one.
pub(crate) fn objects_of_the_server(cx: &mut Context<'_>, server_node: Option<&NodeSpec>) {
    let identity = Identity::new("system:apiserver", &["system:masters"]);
    for name in NAMESPACES {
        let metadata = ObjectMeta { name: Some(name.to_string()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        let created = cx.api::<Namespace>(&identity, "").create(namespace);
        debug_assert!(created.is_ok(), "the store is empty, so nothing is in the way");
    }
    cx.server.add_system_priority_classes(cx.now);
    if let Some(node) = server_node {
        cx.server.advertise(cx.now, &node.address);
    }
}

/// The node with that number, counted from 0.
pub(crate) fn node_spec((node, number): (&NodeOptions, u32)) -> NodeSpec {
    NodeSpec {
        cpu_milli: node.cpu_milli,
        memory_bytes: node.memory_bytes,
        pods: node.pods,
        pod_cidr: String::new(),
        ..NodeSpec::new(&node.name, number)
    }
}

/// The kubelet of the node with that number, counted from 0.
pub(crate) fn kubelet(node: (&NodeOptions, u32)) -> Kubelet {
    Kubelet::new(node_spec(node), Arc::new(images::Catalogue))
}

/// When a component starts: the control plane at once, nodes one after the other, each a little
/// off, as machines are.
pub(crate) fn start_of(owner: u32, streams: &mut Streams) -> Duration {
    let stream = streams.named("cluster/start");
    let jitter = stream.between(Duration::ZERO, Duration::from_millis(200));
    match owner {
        0 | 1 => Duration::from_millis(50) + jitter,
        _ => Duration::from_millis(200) + jitter + Duration::from_millis(20) * u64::from(owner),
    }
}
