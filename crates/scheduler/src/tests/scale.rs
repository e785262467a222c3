//! Many pods: what must hold of every placement, and that the same seed gives the same one.

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{Node, Pod};
use apiserver::ListOptions;
use sim::Duration;

use super::cluster::{Cluster, node, pod};
use crate::framework::{PodInfo, Resource};

fn nodes(count: usize) -> Vec<Node> {
    let size = [("cpu", "4"), ("memory", "8Gi"), ("pods", "15")];
    (0..count).map(|index| node(&format!("node-{index}"), &size)).collect()
}

fn crowd(cluster: &mut Cluster, count: usize) {
    for index in 0..count {
        let cpu = ["100m", "250m", "500m"][index % 3];
        cluster.create(pod(&format!("pod-{index}"), &[("cpu", cpu), ("memory", "128Mi")]));
    }
}

fn placements(cluster: &mut Cluster) -> Vec<(String, String)> {
    let pods = cluster.api.api::<Pod>("default").list(ListOptions::default()).expect("listed");
    let node = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    pods.iter().filter_map(|pod| Some((pod.metadata.name.clone()?, node(pod)?))).collect()
}

#[test]
fn no_node_is_given_more_than_it_has() {
    let mut cluster = Cluster::new(nodes(12));
    crowd(&mut cluster, 200);
    cluster.run(Duration::from_millis(500));
    let pods = cluster.api.api::<Pod>("default").list(ListOptions::default()).expect("listed");
    let mut used: BTreeMap<String, (i64, i64, i64)> = BTreeMap::new();
    for pod in &pods {
        let Some(node) = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()) else {
            continue;
        };
        let info = PodInfo::new(pod.clone());
        let used = used.entry(node).or_default();
        used.0 += info.resource().milli_cpu;
        used.1 += info.resource().memory;
        used.2 += 1;
    }
    assert_eq!(used.len(), 12, "pods are spread over all nodes");
    for (name, (cpu, memory, pods)) in used {
        let node = cluster.api.api::<Node>("").get(&name).expect("exists");
        let allocatable = Resource::allocatable(&node);
        assert!(cpu <= allocatable.milli_cpu && memory <= allocatable.memory, "{name}");
        assert!(pods <= allocatable.allowed_pod_number, "{name}: {pods} pods");
    }
    // 200 pods ask for 56.6 CPUs where there are 48, and for 200 places where there are 180.
    assert!(placements(&mut cluster).len() >= 150);
}

#[test]
fn the_same_seed_places_pods_alike_and_a_clone_goes_on_alike() {
    let run = || {
        let mut cluster = Cluster::new(nodes(10));
        crowd(&mut cluster, 60);
        cluster.run(Duration::from_millis(30));
        cluster
    };
    let (mut one, mut other) = (run(), run());
    assert_eq!(one.state(), other.state());
    let copy = one.scheduler.clone();
    assert_eq!(Cluster { scheduler: copy, ..run() }.state(), one.state());
    one.run(Duration::from_millis(200));
    other.run(Duration::from_millis(200));
    assert_eq!(placements(&mut one), placements(&mut other));
    assert_eq!(placements(&mut one).len(), 60);
    assert_eq!(one.state(), other.state());
}
