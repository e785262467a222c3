//! What the controllers make of a whole cluster: nodes that fail for good, namespaces and owners
//! that go, rollouts looked at after every event.

use api::openapi::api::apps::v1::{Deployment, ReplicaSet};
use api::openapi::api::core::v1::{Event, Node, Pod};
use api::{Key, Kind, KindId, Object};
use cluster::{Cluster, Command};
use component_helpers::pod_status::{is_pod_active, node_name};
use sim::Duration;

mod support;

use support::{NGINX, apply, booted, condition, pods};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn settled() -> Cluster {
    let mut cluster = booted();
    apply(&mut cluster, NGINX);
    assert_eq!(cluster.run_until_quiet(seconds(300)), None);
    cluster
}

fn delete(cluster: &mut Cluster, api_version: &str, kind: &str, namespace: &str, name: &str) {
    let outcome = cluster.execute(Command::DeleteObject {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.into(),
    });
    assert!(outcome.results.iter().all(|result| result.is_done()), "{:?}", outcome.results);
}

fn messages(cluster: &Cluster, reason: &str) -> Vec<String> {
    let events = cluster.snapshot(KindId::EVENT);
    let events = events.iter().filter_map(Object::get::<Event>);
    let events = events.filter(|event| event.reason.as_deref() == Some(reason));
    events.filter_map(|event| event.message.clone()).collect()
}

#[test]
fn pods_of_a_node_that_stays_away_are_replaced_after_five_minutes() {
    let mut cluster = settled();
    let victim = node_name(&pods(&cluster)[0]).to_string();
    cluster.execute(Command::FailNode { name: victim.clone() });
    cluster.run(seconds(62));
    let node = cluster.snapshot(KindId::NODE);
    let node = node.get(&Key::cluster(&victim)).and_then(Object::get::<Node>).cloned();
    let node = node.expect("the node is there");
    let ready = node.status.iter().flat_map(|status| &status.conditions).flatten();
    let ready = ready.into_iter().find(|condition| condition.type_ == "Ready").expect("Ready");
    assert_eq!(ready.status, "Unknown");
    assert_eq!(ready.message.as_deref(), Some("Kubelet stopped posting node status."));
    let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
    let effects: Vec<&str> = taints.iter().map(|taint| taint.effect.as_str()).collect();
    assert!(effects.contains(&"NoSchedule") && effects.contains(&"NoExecute"), "{taints:?}");
    let on_victim =
        |cluster: &Cluster| pods(cluster).into_iter().filter(|pod| node_name(pod) == victim);
    assert!(on_victim(&cluster).all(|pod| !condition(&pod, "Ready")));
    assert!(on_victim(&cluster).all(|pod| pod.metadata.deletion_timestamp.is_none()));
    cluster.run(seconds(310));
    let left: Vec<Pod> = on_victim(&cluster).collect();
    assert!(left.iter().all(|pod| pod.metadata.deletion_timestamp.is_some()), "evicted");
    let active: Vec<Pod> = pods(&cluster).into_iter().filter(is_pod_active).collect();
    assert_eq!(active.len(), 3);
    assert!(active.iter().all(|pod| condition(pod, "Ready") && node_name(pod) != victim));
    assert!(!messages(&cluster, "TaintManagerEviction").is_empty());
    cluster.execute(Command::RecoverNode { name: victim.clone() });
    assert_eq!(cluster.run_until_quiet(seconds(300)), None);
    assert_eq!(pods(&cluster).len(), 3, "the node ends what it was told to end");
    let node = cluster.snapshot(KindId::NODE);
    let node = node.get(&Key::cluster(&victim)).and_then(Object::get::<Node>).cloned();
    let taints = node.and_then(|node| node.spec).and_then(|spec| spec.taints);
    assert_eq!(taints.unwrap_or_default(), []);
}

#[test]
fn a_namespace_goes_with_all_that_runs_in_it() {
    let mut cluster = booted();
    let manifest =
        NGINX.replace("  name: nginx\n  labels", "  name: nginx\n  namespace: shop\n  labels");
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n---\n";
    apply(&mut cluster, &format!("{namespace}{manifest}"));
    assert_eq!(cluster.run_until_quiet(seconds(300)), None);
    assert_eq!(cluster.snapshot(KindId::POD).in_namespace("shop").count(), 3);
    delete(&mut cluster, "v1", "Namespace", "", "shop");
    assert_eq!(cluster.run_until_quiet(seconds(300)), None);
    assert!(cluster.snapshot(KindId::NAMESPACE).get(&Key::cluster("shop")).is_none());
    for kind in Kind::all().filter(|kind| kind.is_namespaced()) {
        let left = cluster.snapshot(kind.id).in_namespace("shop").count();
        assert_eq!(left, 0, "{} are left", kind.plural);
    }
}

#[test]
fn a_deployment_that_is_deleted_takes_its_pods_along() {
    let mut cluster = settled();
    delete(&mut cluster, "apps/v1", "Deployment", "default", "nginx");
    cluster.run(seconds(2));
    assert_eq!(cluster.snapshot(KindId::REPLICA_SET).in_namespace("default").count(), 0);
    assert_eq!(cluster.run_until_quiet(seconds(300)), None);
    assert_eq!(pods(&cluster).len(), 0);
}

/// Invariant 21 with kubelets that start and end pods in their own time.
#[test]
fn a_rollout_stays_within_its_bounds_after_every_event() {
    let mut cluster = booted();
    let first = NGINX.replace("replicas: 3", "replicas: 5");
    let strategy = "  strategy:\n    rollingUpdate: {maxSurge: 2, maxUnavailable: 1}\n  selector:";
    let first = first.replacen("  selector:", strategy, 1);
    apply(&mut cluster, &first);
    assert_eq!(cluster.run_until_quiet(seconds(300)), None);
    apply(&mut cluster, &first.replace("nginx:1.28", "nginx:1.27"));
    let end = cluster.now() + seconds(120);
    while cluster.now() < end {
        cluster.step();
        let pods = pods(&cluster);
        let active = pods.iter().filter(|pod| is_pod_active(pod));
        let ready = active.clone().filter(|pod| condition(pod, "Ready")).count();
        assert!(active.count() <= 7, "never more than replicas and maxSurge");
        assert!(ready >= 4, "never fewer ready than replicas less maxUnavailable");
    }
    let sets = cluster.snapshot(KindId::REPLICA_SET);
    let mut sizes: Vec<i32> = sets
        .in_namespace("default")
        .filter_map(Object::get::<ReplicaSet>)
        .filter_map(|set| set.spec.replicas)
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [0, 5]);
    let deployments = cluster.snapshot(KindId::DEPLOYMENT);
    let deployment =
        deployments.get(&Key::new("default", "nginx")).and_then(Object::get::<Deployment>);
    let status = deployment.and_then(|found| found.status.clone()).expect("status");
    assert_eq!((status.updated_replicas, status.available_replicas), (Some(5), Some(5)));
    let scalings = messages(&cluster, "ScalingReplicaSet");
    assert!(scalings.len() > 3, "{scalings:?}");
}
