//! What a control plane must never break, checked while seeded random things happen to it.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use api::openapi::api::apps::v1::ReplicaSet;
use api::openapi::api::core::v1::{Node, Pod};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use api::quantity::Amount;
use api::{Kind, KindId, Object};
use cluster::{Cluster, Command, Options};
use component_helpers::resources::{PodResourcesOptions, pod_requests};
use sim::{Duration, Stream};
use support::{CRASHING, NGINX, TOO_LARGE};

const SEEDS: u64 = 12;
const ACTIONS: u64 = 25;

/// What was seen before, to compare with.
#[derive(Default)]
struct Seen {
    versions: BTreeMap<String, u64>,
    nodes: BTreeMap<String, String>,
    created: BTreeMap<String, ObjectMeta>,
    restarts: BTreeMap<(String, String), i32>,
    ended: BTreeSet<String>,
}

fn act(cluster: &mut Cluster, random: &mut Stream) {
    let name = |random: &mut Stream| format!("node-{}", 1 + random.below(3));
    let scale = |replicas: u64| Command::Scale {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: "default".into(),
        name: "nginx".into(),
        replicas: i32::try_from(replicas).expect("small"),
    };
    let command = match random.below(9) {
        0 => Command::Apply { text: NGINX.to_string() },
        1 => Command::Apply { text: NGINX.replace("1.28", &format!("1.{}", random.below(9))) },
        2 => Command::Apply { text: format!("{CRASHING}\n---\n{TOO_LARGE}") },
        3 => scale(random.below(12)),
        4 => Command::FailNode { name: name(random) },
        5 | 6 => Command::RecoverNode { name: name(random) },
        7 => Command::Delete { text: CRASHING.to_string() },
        _ => {
            let pods = support::pods(cluster);
            let index = usize::try_from(random.below(pods.len() as u64)).expect("small");
            let Some(pod) = pods.get(index) else { return };
            Command::DeleteObject {
                api_version: "v1".into(),
                kind: "Pod".into(),
                namespace: "default".into(),
                name: pod.metadata.name.clone().unwrap_or_default(),
            }
        }
    };
    cluster.execute(command);
    cluster.run(random.between(Duration::from_millis(10), Duration::from_secs(20)));
}

/// Invariants 1, 9 and 12 of any object.
fn check_object(object: &Object, seen: &mut Seen) {
    let (meta, uid) = (object.meta(), object.uid().to_string());
    assert!(!uid.is_empty(), "{object:?}");
    let version: u64 = meta.resource_version.as_deref().unwrap_or("").parse().expect("a number");
    let before = seen.versions.insert(uid.clone(), version).unwrap_or(0);
    assert!(version >= before, "resourceVersion went back: {object:?}");
    let first = seen.created.entry(uid).or_insert_with(|| meta.clone());
    assert_eq!(first.creation_timestamp, meta.creation_timestamp);
    assert_eq!((&first.name, &first.namespace), (&meta.name, &meta.namespace));
    if meta.deletion_timestamp.is_some() {
        let held = meta.finalizers.as_ref().is_some_and(|finalizers| !finalizers.is_empty());
        let grace = meta.deletion_grace_period_seconds.unwrap_or(0) > 0;
        assert!(held || grace || object.kind_id() == KindId::NAMESPACE, "{object:?}");
    }
    let controllers = meta.owner_references.iter().flatten();
    assert!(controllers.filter(|owner| owner.controller == Some(true)).count() <= 1);
}

/// Invariants 16, 18 and 20 of a pod.
fn check_pod(pod: &Pod, seen: &mut Seen) {
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let spec = pod.spec.clone().unwrap_or_default();
    let status = pod.status.clone().unwrap_or_default();
    let node = spec.node_name.unwrap_or_default();
    let before = seen.nodes.entry(uid.clone()).or_default();
    assert!(before.is_empty() || *before == node, "a pod moved from {before} to {node}");
    before.clone_from(&node);
    let ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    assert!(ended || !seen.ended.contains(&uid), "a pod that had ended runs again: {pod:?}");
    if ended {
        seen.ended.insert(uid.clone());
    }
    for container in status.container_statuses.iter().flatten() {
        let restarts = seen.restarts.entry((uid.clone(), container.name.clone())).or_default();
        assert!(container.restart_count >= *restarts, "restarts went back: {pod:?}");
        *restarts = container.restart_count;
    }
}

/// Invariants 17 and 18: what pods ask for fits, and no two have the same address.
fn check_nodes(cluster: &Cluster) {
    let pods = cluster.snapshot(KindId::POD);
    let live = |pod: &&Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        !matches!(phase, Some("Succeeded" | "Failed"))
    };
    let mut addresses = BTreeSet::new();
    for pod in pods.iter().filter_map(Object::get::<Pod>).filter(live) {
        let host_network = pod.spec.as_ref().and_then(|spec| spec.host_network) == Some(true);
        let ip = pod.status.as_ref().and_then(|status| status.pod_ip.clone());
        if let Some(ip) = ip.filter(|_| !host_network) {
            assert!(addresses.insert(ip.clone()), "two pods have the address {ip}");
        }
    }
    let nodes = cluster.snapshot(KindId::NODE);
    for node in nodes.iter().filter_map(Object::get::<Node>) {
        let name = node.metadata.name.as_deref().unwrap_or_default();
        let here = pods.on_node(name).filter_map(Object::get::<Pod>).filter(live);
        let used: i64 = here
            .filter_map(|pod| pod_requests(pod, &PodResourcesOptions::default()).remove("cpu"))
            .map(|cpu| cpu.milli_value())
            .sum();
        let allocatable = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
        let cpu = allocatable.and_then(|quantities| quantities.get("cpu"));
        let cpu = cpu.map_or(0, |cpu| Amount::of(cpu).milli_value());
        assert!(used <= cpu, "{name} has {cpu} milli and {used} is asked of it");
    }
}

/// Invariant 10: a status never runs ahead of the object.
fn check_generations(cluster: &Cluster) {
    let sets = cluster.snapshot(KindId::REPLICA_SET);
    for set in sets.iter().filter_map(Object::get::<ReplicaSet>) {
        let observed = set.status.as_ref().and_then(|status| status.observed_generation);
        assert!(observed.unwrap_or(0) <= set.metadata.generation.unwrap_or(0), "{set:?}");
    }
}

fn check(cluster: &Cluster, seen: &mut Seen) {
    for kind in Kind::all() {
        for object in cluster.snapshot(kind.id).iter() {
            check_object(object, seen);
            if let Some(pod) = object.get::<Pod>() {
                check_pod(pod, seen);
            }
        }
    }
    check_nodes(cluster);
    check_generations(cluster);
}

#[test]
fn random_commands_break_no_invariant() {
    for seed in 0..SEEDS {
        let mut cluster = Cluster::new(Options::new(seed, 3));
        let mut random = Stream::new(seed, "invariants");
        let mut seen = Seen::default();
        cluster.run(Duration::from_secs(20));
        for _ in 0..ACTIONS {
            act(&mut cluster, &mut random);
            check(&cluster, &mut seen);
        }
    }
}

#[test]
fn after_the_faults_stop_everything_comes_to_what_was_asked_for() {
    for seed in 0..SEEDS {
        let mut cluster = Cluster::new(Options::new(seed, 3));
        let mut random = Stream::new(seed, "convergence");
        cluster.run(Duration::from_secs(20));
        for _ in 0..10 {
            act(&mut cluster, &mut random);
        }
        for node in ["node-1", "node-2", "node-3"] {
            cluster.execute(Command::RecoverNode { name: node.into() });
        }
        cluster.execute(Command::Delete { text: format!("{CRASHING}\n---\n{TOO_LARGE}") });
        cluster.execute(Command::Apply { text: NGINX.to_string() });
        cluster.run(Duration::from_secs(1200));
        assert_eq!(support::ready(&cluster), 3, "seed {seed}");
        assert_eq!(support::pods(&cluster).len(), 3, "seed {seed}");
        // Invariant 42: nothing is left when all is deleted.
        cluster.execute(Command::Delete { text: NGINX.to_string() });
        cluster.run(Duration::from_secs(300));
        assert_eq!(support::pods(&cluster).len(), 0, "seed {seed}");
        let sets = cluster.snapshot(KindId::REPLICA_SET);
        assert_eq!(sets.in_namespace("default").count(), 0, "seed {seed}");
    }
}
