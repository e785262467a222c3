//! A Service and a DaemonSet in a whole cluster: what controllers, scheduler and kubelets make of
//! them together.

mod support;

use api::openapi::api::apps::v1::DaemonSet;
use api::openapi::api::core::v1::{Endpoints, Node, Pod, Service};
use api::openapi::api::discovery::v1::EndpointSlice;
use api::{Key, KindId, Kinded};
use cluster::{Cluster, Command};
use sim::Duration;
use support::{AGENT, NGINX, apply, booted};

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata:
  name: nginx
spec:
  type: NodePort
  selector: {app: nginx}
  ports:
  - port: 80
";

fn get<T: Kinded + Clone>(cluster: &Cluster, name: &str) -> T {
    let key = Key::new(if T::ID.get().is_namespaced() { "default" } else { "" }, name);
    let object = cluster.snapshot(T::ID).get(&key).cloned();
    object.and_then(|object| object.get::<T>().cloned()).expect("stored")
}

/// The addresses of a Service's endpoints, and whether each is ready, serving and terminating.
fn endpoints(cluster: &Cluster, service: &str) -> Vec<(String, [bool; 3])> {
    let slices = cluster.snapshot(KindId::ENDPOINT_SLICE);
    let of_service = slices.iter().filter_map(|it| it.get::<EndpointSlice>()).filter(|slice| {
        let labels = slice.metadata.labels.as_ref();
        labels.is_some_and(|labels| labels["kubernetes.io/service-name"] == service)
    });
    let mut found: Vec<(String, [bool; 3])> = of_service
        .flat_map(|slice| slice.endpoints.iter().flatten())
        .map(|endpoint| {
            let conditions = endpoint.conditions.clone().unwrap_or_default();
            let is = |condition: Option<bool>| condition == Some(true);
            let states = [is(conditions.ready), is(conditions.serving), is(conditions.terminating)];
            (endpoint.addresses[0].clone(), states)
        })
        .collect();
    found.sort();
    found
}

const READY: [bool; 3] = [true, true, false];
const LOST: [bool; 3] = [false, false, false];

fn states(cluster: &Cluster) -> Vec<[bool; 3]> {
    let mut states: Vec<[bool; 3]> =
        endpoints(cluster, "nginx").into_iter().map(|(_, states)| states).collect();
    states.sort();
    states
}

#[test]
fn a_service_leads_to_the_pods_that_are_ready() {
    let mut cluster = booted();
    apply(&mut cluster, SERVICE);
    assert_eq!(endpoints(&cluster, "nginx"), []);
    apply(&mut cluster, NGINX);
    cluster.run(Duration::from_secs(60));
    assert_eq!(states(&cluster), [READY; 3]);
    // Every address is of the range of the pod's node.
    for pod in cluster.snapshot(KindId::POD).iter().filter_map(|object| object.get::<Pod>()) {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).expect("bound");
        let node = get::<Node>(&cluster, &node);
        let range = node.spec.and_then(|spec| spec.pod_cidr).expect("a range");
        let prefix = range.strip_suffix("0/24").expect("a range of a node");
        let ip = pod.status.as_ref().and_then(|status| status.pod_ip.clone()).expect("an address");
        let is_host = pod.spec.as_ref().and_then(|spec| spec.host_network) == Some(true);
        assert!(is_host || ip.starts_with(prefix), "{ip} is not in {range}");
    }
    let service = get::<Service>(&cluster, "nginx").spec.expect("a specification");
    assert!(service.cluster_ip.is_some_and(|ip| ip.starts_with("10.")));
    assert!(service.ports.is_some_and(|ports| ports[0].node_port.is_some()));
    let listed = get::<Endpoints>(&cluster, "nginx").subsets.unwrap_or_default();
    assert_eq!(listed[0].addresses.as_ref().map(Vec::len), Some(3));
    // The pods of a node that is lost are not ready after the grace period of its heartbeat.
    let first = cluster.snapshot(KindId::POD).in_namespace("default").next().cloned();
    let first = first.and_then(|object| object.get::<Pod>().cloned()).expect("a pod");
    let node = first.spec.and_then(|spec| spec.node_name).expect("bound");
    let on_node = cluster.snapshot(KindId::POD);
    let lost = on_node.on_node(&node).filter(|pod| pod.namespace() == "default").count();
    cluster.execute(Command::FailNode { name: node });
    cluster.run(Duration::from_secs(30));
    assert_eq!(states(&cluster), [READY; 3]);
    cluster.run(Duration::from_secs(30));
    let mut want = vec![LOST; lost];
    want.resize(3, READY);
    assert_eq!(states(&cluster), want);
}

#[test]
fn the_server_leads_to_itself() {
    let cluster = booted();
    let service = get::<Service>(&cluster, "kubernetes").spec.expect("a specification");
    assert_eq!(service.cluster_ip.as_deref(), Some("10.96.0.1"));
    let found = endpoints(&cluster, "kubernetes");
    assert_eq!(found.len(), 1);
}

#[test]
fn a_daemon_set_has_a_pod_on_every_node() {
    let mut cluster = booted();
    apply(&mut cluster, AGENT);
    cluster.run(Duration::from_secs(60));
    // The node of the control plane is tainted.
    let all = cluster.snapshot(KindId::NODE);
    let taints = |node: &Node| node.spec.as_ref().and_then(|spec| spec.taints.clone());
    let free = all.iter().filter_map(|object| object.get::<Node>());
    let free = free.filter(|node| taints(node).is_none_or(|taints| taints.is_empty())).count();
    let nodes = i32::try_from(free).expect("few nodes");
    assert!(nodes >= 3, "{nodes}");
    let status = get::<DaemonSet>(&cluster, "agent").status.expect("a status");
    assert_eq!(status.number_ready, nodes);
    apply(&mut cluster, &AGENT.replace("1.28", "1.29"));
    cluster.run(Duration::from_secs(120));
    let status = get::<DaemonSet>(&cluster, "agent").status.expect("a status");
    assert_eq!(status.updated_number_scheduled, Some(nodes));
    assert_eq!(status.number_available, Some(nodes));
}
