//! A node that fails, seen through the API, with upstream's times: how long it may be silent, when
//! it is tainted, how long its pods are tolerated to stay, and where they come up again.
//!
//! Upstream: pkg/controller/nodelifecycle/node_lifecycle_controller.go (50 s of grace, a look
//! every 5 s, another one before pods are evicted, taints within 100 ms),
//! pkg/kubelet/util/nodelease (a lease renewed every 10 s),
//! plugin/pkg/admission/defaulttolerationseconds (300 s) and pkg/controller/tainteviction.

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{Node, Pod, Toleration};
use api::{Key, KindId, Object};
use cluster::{Cluster, Command};
use component_helpers::pod_status::{is_pod_active, node_name};
use sim::{Duration, Time};

mod support;

use support::{NGINX, apply, booted, condition, pods};

const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// A pod of its own on that node, with a toleration of its own.
fn lone(name: &str, node: &str, toleration: &str) -> String {
    format!(
        "apiVersion: v1
kind: Pod
metadata:
  name: {name}
spec:
  nodeName: {node}
  containers:
  - name: main
    image: nginx:1.28
  tolerations:
  - {{key: {UNREACHABLE}, operator: Exists, effect: NoExecute{toleration}}}
"
    )
}

fn node(cluster: &Cluster, name: &str) -> Node {
    let nodes = cluster.snapshot(KindId::NODE);
    nodes.get(&Key::cluster(name)).and_then(Object::get::<Node>).cloned().expect("exists")
}

fn is_unknown(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| &status.conditions).flatten();
    conditions.into_iter().any(|known| known.type_ == "Ready" && known.status == "Unknown")
}

fn has_taint(node: &Node, effect: &str) -> bool {
    let taints = node.spec.iter().flat_map(|spec| &spec.taints).flatten();
    taints.into_iter().any(|taint| taint.key == UNREACHABLE && taint.effect == effect)
}

/// Runs event by event until the cluster is as it should be, and says when that was.
fn when(cluster: &mut Cluster, limit: u64, is: impl Fn(&Cluster) -> bool) -> Time {
    let end = cluster.now() + Duration::from_secs(limit);
    while !is(cluster) {
        assert!(cluster.now() < end, "not within {limit} s");
        cluster.step();
    }
    cluster.now()
}

fn is_leaving(cluster: &Cluster, name: &str) -> bool {
    let found = pods(cluster).into_iter().find(|pod| pod.metadata.name.as_deref() == Some(name));
    found.expect("exists").metadata.deletion_timestamp.is_some()
}

/// A cluster with a Deployment, the node of one of its pods, and that node's pods.
fn running() -> (Cluster, String, Vec<String>) {
    let mut cluster = booted();
    apply(&mut cluster, NGINX);
    assert_eq!(cluster.run_until_quiet(Duration::from_secs(300)), None);
    let victim = node_name(&pods(&cluster)[0]).to_string();
    let on_victim = pods(&cluster).into_iter().filter(|pod| node_name(pod) == victim);
    let names = on_victim.filter_map(|pod| pod.metadata.name).collect();
    (cluster, victim, names)
}

fn between(time: Time, from: Time, least: u64, most: u64) {
    let span = time.since(from);
    let (least, most) = (Duration::from_millis(least), Duration::from_millis(most));
    assert!(span >= least && span <= most, "{span:?} is not within {least:?} and {most:?}");
}

#[test]
fn pods_of_a_failed_node_come_up_elsewhere_in_upstreams_time() {
    let (mut cluster, victim, names) = running();
    for (name, toleration) in [("brief", ", tolerationSeconds: 30"), ("faithful", "")] {
        apply(&mut cluster, &lone(name, &victim, toleration));
    }
    assert_eq!(cluster.run_until_quiet(Duration::from_secs(300)), None);
    let failed = cluster.now();
    cluster.execute(Command::FailNode { name: victim.clone() });

    let unknown = when(&mut cluster, 120, |cluster| is_unknown(&node(cluster, &victim)));
    // The last lease is up to 10 s old; the look that notices comes up to 5 s late.
    between(unknown, failed, 40_000, 55_100);
    let of_node = |cluster: &Cluster| -> Vec<Pod> {
        pods(cluster).into_iter().filter(|pod| node_name(pod) == victim).collect()
    };
    let not_ready = when(&mut cluster, 10, |cluster| {
        of_node(cluster).iter().all(|pod| !condition(pod, "Ready"))
    });
    between(not_ready, unknown, 0, 1_000);
    let closed = when(&mut cluster, 10, |cluster| has_taint(&node(cluster, &victim), "NoSchedule"));
    between(closed, unknown, 0, 300);
    // What is evicted follows from the condition as the look found it, so it takes another look.
    let tainted = when(&mut cluster, 10, |cluster| has_taint(&node(cluster, &victim), "NoExecute"));
    between(tainted, unknown, 5_000, 5_300);

    let brief = when(&mut cluster, 60, |cluster| is_leaving(cluster, "brief"));
    between(brief, tainted, 30_000, 30_200);
    let evicted =
        when(&mut cluster, 400, |cluster| names.iter().all(|name| is_leaving(cluster, name)));
    between(evicted, tainted, 300_000, 300_500);
    for pod in of_node(&cluster).iter().filter(|pod| pod.metadata.deletion_timestamp.is_some()) {
        let conditions = pod.status.iter().flat_map(|status| &status.conditions).flatten();
        let disrupted = conditions.into_iter().find(|known| known.type_ == "DisruptionTarget");
        let disrupted = disrupted.expect("says why");
        assert_eq!(disrupted.status, "True");
        assert_eq!(disrupted.reason.as_deref(), Some("DeletionByTaintManager"));
        let message = "Taint manager: deleting due to NoExecute taint";
        assert_eq!(disrupted.message.as_deref(), Some(message));
    }
    let replaced = when(&mut cluster, 60, |cluster| {
        let pods = pods(cluster);
        let web = pods.iter().filter(|pod| pod.metadata.generate_name.is_some());
        let active: Vec<&Pod> = web.filter(|pod| is_pod_active(pod)).collect();
        active.len() == 3
            && active.iter().all(|pod| condition(pod, "Ready") && node_name(pod) != victim)
    });
    between(replaced, evicted, 0, 10_000);
    assert!(!is_leaving(&cluster, "faithful"), "what tolerates for ever stays");
    assert!(is_leaving(&cluster, "brief"), "nobody is there to end it");

    cluster.execute(Command::RecoverNode { name: victim.clone() });
    assert_eq!(cluster.run_until_quiet(Duration::from_secs(300)), None);
    let left: BTreeMap<String, bool> = pods(&cluster)
        .iter()
        .map(|pod| (pod.metadata.name.clone().unwrap_or_default(), condition(pod, "Ready")))
        .collect();
    assert_eq!(left.len(), 4, "three of the Deployment and the faithful one: {left:?}");
    assert_eq!(left.get("faithful"), Some(&true));
}

#[test]
fn a_node_that_comes_back_in_time_keeps_its_pods() {
    let (mut cluster, victim, names) = running();
    cluster.execute(Command::FailNode { name: victim.clone() });
    when(&mut cluster, 120, |cluster| has_taint(&node(cluster, &victim), "NoExecute"));
    cluster.run(Duration::from_secs(280));
    cluster.execute(Command::RecoverNode { name: victim.clone() });
    when(&mut cluster, 60, |cluster| !has_taint(&node(cluster, &victim), "NoExecute"));
    cluster.run(Duration::from_secs(120));
    for name in &names {
        assert!(!is_leaving(&cluster, name), "{name}");
    }
    assert!(pods(&cluster).iter().all(|pod| condition(pod, "Ready")));
}

/// Upstream: plugin/pkg/admission/defaulttolerationseconds/admission.go.
#[test]
fn every_pod_tolerates_a_lost_node_for_five_minutes() {
    let (cluster, _, _) = running();
    for pod in pods(&cluster) {
        let tolerations = pod.spec.and_then(|spec| spec.tolerations).unwrap_or_default();
        for key in ["node.kubernetes.io/not-ready", UNREACHABLE] {
            let wanted = Toleration {
                key: Some(key.into()),
                operator: Some("Exists".into()),
                effect: Some("NoExecute".into()),
                toleration_seconds: Some(300),
                value: None,
            };
            assert!(tolerations.contains(&wanted), "{tolerations:?}");
        }
    }
}
