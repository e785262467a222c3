//! A cluster from nothing: its control plane as pods, its add-ons, its nodes.

use api::openapi::api::core::v1::{Node, Pod};
use api::{Key, KindId, Object};
use cluster::{Cluster, Command, Options};
use sim::Duration;

fn booted() -> Cluster {
    let mut cluster = Cluster::new(Options::default());
    cluster.run(Duration::from_secs(30));
    cluster
}

fn ready_pods(cluster: &Cluster, namespace: &str) -> Vec<String> {
    let snapshot = cluster.snapshot(KindId::POD);
    let ready = |pod: &&Pod| {
        let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions.into_iter().any(|c| c.type_ == "Ready" && c.status == "True")
    };
    let pods = snapshot.in_namespace(namespace).filter_map(Object::get::<Pod>);
    pods.filter(ready).filter_map(|pod| pod.metadata.name.clone()).collect()
}

fn node(cluster: &Cluster, name: &str) -> Node {
    let nodes = cluster.snapshot(KindId::NODE);
    nodes.get(&Key::cluster(name)).and_then(Object::get::<Node>).expect("the node").clone()
}

fn is_ready(node: &Node) -> (String, String) {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.into_iter().find(|c| c.type_ == "Ready").expect("a condition");
    (ready.status.clone(), ready.message.clone().unwrap_or_default())
}

#[test]
fn the_control_plane_and_the_add_ons_are_ready_pods() {
    let cluster = booted();
    let system = ready_pods(&cluster, "kube-system");
    for name in ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        let name = format!("{name}-control-plane");
        assert!(system.contains(&name), "{name}: {system:?}");
    }
    assert_eq!(system.iter().filter(|name| name.starts_with("coredns-")).count(), 2);
    assert_eq!(ready_pods(&cluster, "kube-flannel").len(), 4, "one on every node");
}

/// Upstream: cmd/kubeadm/app/phases/markcontrolplane/markcontrolplane_test.go
#[test]
fn the_node_of_the_control_plane_is_marked_and_keeps_others_away() {
    let node = node(&booted(), "control-plane");
    let labels = node.metadata.labels.unwrap_or_default();
    let role = "node-role.kubernetes.io/control-plane";
    assert_eq!(labels.get(role).map(String::as_str), Some(""));
    assert!(labels.contains_key("node.kubernetes.io/exclude-from-external-load-balancers"));
    let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
    let taints: Vec<_> = taints.iter().map(|t| (t.key.as_str(), t.effect.as_str())).collect();
    assert_eq!(taints, [(role, "NoSchedule")]);
}

#[test]
fn nodes_are_not_ready_until_the_network_agent_has_set_up_their_network() {
    let mut cluster = Cluster::new(Options::default());
    let nodes = |cluster: &Cluster| cluster.snapshot(KindId::NODE).len();
    while nodes(&cluster) < 4 {
        cluster.step();
    }
    let (status, message) = is_ready(&node(&cluster, "node-1"));
    assert_eq!(status, "False");
    assert_eq!(
        message,
        "container runtime network not ready: NetworkReady=false \
         reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not \
         initialized"
    );
    cluster.run(Duration::from_secs(10));
    assert_eq!(is_ready(&node(&cluster, "node-1")).0, "True");
}

#[test]
fn a_control_plane_that_is_off_controls_nothing() {
    let mut cluster = booted();
    let runs = |cluster: &Cluster| cluster.components().all(|(_, runs)| runs);
    assert!(runs(&cluster));
    cluster.execute(Command::FailNode { name: "control-plane".into() });
    cluster.run(Duration::from_secs(1));
    assert!(cluster.components().all(|(_, runs)| !runs));
    cluster.execute(Command::RecoverNode { name: "control-plane".into() });
    cluster.run(Duration::from_secs(30));
    assert!(runs(&cluster));
}

#[test]
fn pods_of_different_nodes_reach_each_other_over_the_tunnel() {
    let mut cluster = booted();
    let pod = |name: &str, node: &str, image: &str, command: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  nodeName: {node}\n  \
             restartPolicy: Never\n  containers:\n  - name: main\n    image: {image}\n{command}---\n"
        )
    };
    let text = pod("server", "node-1", "nginx:1.29", "");
    cluster.execute(Command::Apply { text });
    cluster.run(Duration::from_secs(20));
    let pods = cluster.snapshot(KindId::POD);
    let server = pods.get(&Key::new("default", "server")).and_then(Object::get::<Pod>);
    let address = server.and_then(|pod| pod.status.as_ref()?.pod_ip.clone()).expect("an address");
    let command = format!("    command: [wget, -qO-, 'http://{address}/']\n");
    let text = pod("client", "node-2", "busybox:1.37", &command);
    cluster.execute(Command::Apply { text });
    cluster.run(Duration::from_secs(20));
    let kubelet = cluster.kubelets().find(|k| k.node_name() == "node-2").expect("the node");
    let log = kubelet.logs("default", "client", "main", false).expect("a log").text();
    assert!(log.contains("Welcome to nginx!"), "{log}");
}
