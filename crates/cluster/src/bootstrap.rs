//! How a cluster begins: the namespaces that the API server makes, and when each component
//! starts.

use api::openapi::api::core::v1::{Namespace, Node, Taint};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use apiserver::Identity;
use client::Context;
use kubelet::NodeSpec;
use sim::{Duration, Streams};

use crate::{Options, addons};

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

/// The name of the node that the control plane runs on.
pub(crate) const CONTROL_PLANE: &str = "control-plane";
const CONTROL_PLANE_ROLE: &str = "node-role.kubernetes.io/control-plane";
const NO_LOAD_BALANCER: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// The machines of a cluster: that of the control plane first, if it has one.
pub(crate) fn machines(options: &Options) -> Vec<NodeSpec> {
    let first = u32::from(options.control_plane);
    let own = options.control_plane.then(control_plane);
    let others = (first..).zip(&options.nodes).map(|(number, node)| {
        let mut spec = NodeSpec {
            cpu_milli: node.cpu_milli,
            memory_bytes: node.memory_bytes,
            pods: node.pods,
            pod_cidr: String::new(),
            ..NodeSpec::new(&node.name, number)
        };
        if options.control_plane {
            equip(&mut spec);
        }
        spec
    });
    own.into_iter().chain(others).collect()
}

/// Puts the images of the add-ons on a machine, whose network is the add-ons' work.
fn equip(spec: &mut NodeSpec) {
    spec.has_network_plugin = false;
    spec.images = addons::IMAGES.map(str::to_string).into();
}

/// The machine of the control plane, as kubeadm sets it up.
fn control_plane() -> NodeSpec {
    let mut spec = NodeSpec::new(CONTROL_PLANE, 0);
    spec.pod_cidr = String::new();
    equip(&mut spec);
    spec.taints = vec![Taint {
        key: CONTROL_PLANE_ROLE.to_string(),
        effect: "NoSchedule".to_string(),
        ..Taint::default()
    }];
    spec.static_pods = addons::static_pods(&spec.name, &spec.address);
    let containers = spec.static_pods.iter().flat_map(|pod| &pod.spec).flat_map(|s| &s.containers);
    let images: Vec<String> = containers.filter_map(|c| c.image.clone()).collect();
    spec.images.extend(images);
    spec
}

/// Marks the node of the control plane. Says whether that is done.
/// Upstream: cmd/kubeadm/app/phases/markcontrolplane/markcontrolplane.go
pub(crate) fn mark_control_plane(cx: &mut Context<'_>) -> bool {
    let administrator = Identity::administrator();
    let marked = cx.api::<Node>(&administrator, "").patch(CONTROL_PLANE, |node| {
        let labels = node.metadata.labels.get_or_insert_default();
        for label in [CONTROL_PLANE_ROLE, NO_LOAD_BALANCER] {
            labels.insert(label.to_string(), String::new());
        }
    });
    marked.is_ok()
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
