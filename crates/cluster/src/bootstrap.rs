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

/// Makes the namespaces of a new cluster, as the API server itself does.
pub(crate) fn namespaces(cx: &mut Context<'_>) {
    let identity = Identity::new("system:apiserver", &["system:masters"]);
    for name in NAMESPACES {
        let metadata = ObjectMeta { name: Some(name.to_string()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        let created = cx.api::<Namespace>(&identity, "").create(namespace);
        debug_assert!(created.is_ok(), "the store is empty, so nothing is in the way");
    }
}

/// The kubelet of the node with that number, counted from 0.
pub(crate) fn kubelet((node, number): (&NodeOptions, u32)) -> Kubelet {
    let spec = NodeSpec {
        cpu_milli: node.cpu_milli,
        memory_bytes: node.memory_bytes,
        pods: node.pods,
        ..NodeSpec::new(&node.name, number)
    };
    Kubelet::new(spec, Arc::new(images::Catalogue))
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
