//! The first pods: from a manifest to Ready, and what brings them back.

mod support;

use api::openapi::api::core::v1::{Event, Node, Pod};
use api::{Key, KindId, Object};
use cluster::{Cluster, Command};
use sim::Duration;
use support::{CRASHING, NGINX, TOO_LARGE, apply, booted, condition, pods, ready};

fn events(cluster: &Cluster, name: &str) -> Vec<(String, String)> {
    let snapshot = cluster.snapshot(KindId::EVENT);
    let about = snapshot.iter().filter_map(Object::get::<Event>);
    about
        .filter(|event| event.involved_object.name.as_deref() == Some(name))
        .map(|event| {
            (event.reason.clone().unwrap_or_default(), event.message.clone().unwrap_or_default())
        })
        .collect()
}

fn pod(cluster: &Cluster, name: &str) -> Pod {
    let snapshot = cluster.snapshot(KindId::POD);
    let object = snapshot.get(&Key::new("default", name)).expect("the pod exists");
    object.get::<Pod>().expect("it is a pod").clone()
}

fn scale(cluster: &mut Cluster, replicas: i32) {
    cluster.execute(Command::Scale {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: "default".into(),
        name: "nginx".into(),
        replicas,
    });
}

#[test]
fn three_nodes_join_that_of_the_control_plane() {
    let cluster = booted();
    let nodes = cluster.snapshot(KindId::NODE);
    let ready = nodes.iter().filter_map(Object::get::<Node>).filter(|node| {
        let conditions = node.status.iter().flat_map(|status| &status.conditions).flatten();
        conditions.into_iter().any(|c| c.type_ == "Ready" && c.status == "True")
    });
    assert_eq!(ready.count(), 4);
}

#[test]
fn a_deployment_reaches_three_ready_pods_and_the_cluster_comes_to_rest() {
    let mut cluster = booted();
    apply(&mut cluster, NGINX);
    assert_eq!(cluster.run_until_quiet(Duration::from_secs(300)), None);
    assert_eq!(ready(&cluster), 3);
    for pod in pods(&cluster) {
        let name = pod.metadata.name.clone().expect("it has a name");
        let reasons: Vec<String> =
            events(&cluster, &name).into_iter().map(|(reason, _)| reason).collect();
        for reason in ["Scheduled", "Created", "Started"] {
            assert!(reasons.iter().any(|found| found == reason), "{name}: {reasons:?}");
        }
    }
}

#[test]
fn a_quiet_cluster_writes_nothing_but_heartbeats() {
    let mut cluster = booted();
    apply(&mut cluster, NGINX);
    assert_eq!(cluster.run_until_quiet(Duration::from_secs(300)), None);
    cluster.follow();
    cluster.take_changed();
    cluster.run(Duration::from_secs(600));
    let changed: Vec<_> = cluster
        .take_changed()
        .into_iter()
        .filter(|(kind, _)| ![KindId::LEASE, KindId::NODE, KindId::EVENT].contains(kind))
        .collect();
    assert_eq!(changed, []);
}

#[test]
fn scaling_up_and_down_changes_the_number_of_pods() {
    let mut cluster = booted();
    apply(&mut cluster, NGINX);
    cluster.run_until_quiet(Duration::from_secs(300));
    scale(&mut cluster, 10);
    cluster.run_until_quiet(Duration::from_secs(300));
    assert_eq!((pods(&cluster).len(), ready(&cluster)), (10, 10));
    scale(&mut cluster, 1);
    cluster.run_until_quiet(Duration::from_secs(300));
    assert_eq!((pods(&cluster).len(), ready(&cluster)), (1, 1));
}

#[test]
fn a_deleted_pod_is_replaced_by_another() {
    let mut cluster = booted();
    apply(&mut cluster, NGINX);
    cluster.run_until_quiet(Duration::from_secs(300));
    let victim = pods(&cluster).remove(0).metadata.name.expect("it has a name");
    cluster.execute(Command::DeleteObject {
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: "default".into(),
        name: victim.clone(),
    });
    cluster.run_until_quiet(Duration::from_secs(300));
    let names: Vec<_> = pods(&cluster).into_iter().filter_map(|pod| pod.metadata.name).collect();
    assert!(!names.contains(&victim), "{names:?}");
    assert_eq!(ready(&cluster), 3);
}

#[test]
fn a_new_image_rolls_out_without_ever_having_too_few_pods() {
    let mut cluster = booted();
    apply(&mut cluster, NGINX);
    cluster.run_until_quiet(Duration::from_secs(300));
    apply(&mut cluster, &NGINX.replace("nginx:1.28", "nginx:1.29"));
    for _ in 0..600 {
        cluster.run(Duration::from_millis(100));
        // 25% of 3, rounded down, may be unavailable: none.
        assert!(ready(&cluster) >= 3);
        let alive =
            pods(&cluster).iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).count();
        assert!(alive <= 4, "25% of 3, rounded up, may surge: one; there are {alive}");
    }
    cluster.run_until_quiet(Duration::from_secs(300));
    let images: Vec<_> = pods(&cluster)
        .iter()
        .filter_map(|pod| pod.spec.as_ref()?.containers[0].image.clone())
        .collect();
    assert_eq!(images, ["nginx:1.29"; 3]);
}

#[test]
fn a_node_that_stops_becomes_not_ready_and_ready_again() {
    let mut cluster = booted();
    let status = |cluster: &Cluster| {
        let nodes = cluster.snapshot(KindId::NODE);
        let node = nodes.get(&Key::cluster("node-2")).and_then(Object::get::<Node>).cloned();
        let conditions = node.and_then(|node| node.status?.conditions).unwrap_or_default();
        let ready = conditions.into_iter().find(|condition| condition.type_ == "Ready");
        ready.map(|ready| (ready.status, ready.reason.unwrap_or_default()))
    };
    cluster.execute(Command::FailNode { name: "node-2".into() });
    cluster.run(Duration::from_secs(90));
    assert_eq!(status(&cluster), Some(("Unknown".into(), "NodeStatusUnknown".into())));
    cluster.execute(Command::RecoverNode { name: "node-2".into() });
    cluster.run(Duration::from_secs(60));
    assert_eq!(status(&cluster), Some(("True".into(), "KubeletReady".into())));
}

#[test]
fn a_pod_that_asks_for_too_much_waits_and_says_why() {
    let mut cluster = booted();
    apply(&mut cluster, TOO_LARGE);
    cluster.run_until_quiet(Duration::from_secs(300));
    let pod = pod(&cluster, "too-large");
    assert_eq!(pod.spec.as_ref().and_then(|spec| spec.node_name.clone()), None);
    // Upstream: pkg/scheduler/framework/types.go, FitError, and
    // pkg/scheduler/framework/preemption/preemption.go
    let wanted = "0/4 nodes are available: 1 node(s) had untolerated taint(s), 3 Insufficient \
                  cpu. no new claims to deallocate, preemption: 0/4 nodes are available: 4 \
                  Preemption is not helpful for \
                  scheduling.";
    let failed: Vec<String> = events(&cluster, "too-large")
        .into_iter()
        .filter(|(reason, _)| reason == "FailedScheduling")
        .map(|(_, message)| message)
        .collect();
    assert!(failed.iter().any(|message| message == wanted), "{failed:?}");
    let conditions = pod.status.and_then(|status| status.conditions).unwrap_or_default();
    let scheduled = conditions.iter().find(|condition| condition.type_ == "PodScheduled");
    let scheduled = scheduled.expect("the scheduler says so in the status");
    assert_eq!(scheduled.reason.as_deref(), Some("Unschedulable"));
    assert_eq!(scheduled.message.as_deref(), Some(wanted));
}

#[test]
fn a_crashing_container_is_restarted_after_growing_pauses() {
    let mut cluster = booted();
    apply(&mut cluster, CRASHING);
    let mut restarts = Vec::new();
    let mut known = 0;
    for second in 0..200 {
        cluster.run(Duration::from_secs(1));
        let status = pod(&cluster, "crashing").status.unwrap_or_default();
        let count = status
            .container_statuses
            .unwrap_or_default()
            .first()
            .map_or(0, |container| container.restart_count);
        if count > known {
            known = count;
            restarts.push(second);
        }
    }
    let pauses: Vec<i32> = restarts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The container runs for two seconds; the first restart comes at once, later ones after
    // 10 s, 20 s, 40 s … and up to half as long again.
    // Upstream: pkg/kubelet/kubelet.go, initialNodeBackOff; pod_workers.go, completeWork.
    assert!(pauses.len() >= 3, "{restarts:?}");
    for (pause, backoff) in pauses.iter().zip([10, 20, 40, 80]) {
        assert!((backoff..=backoff * 3 / 2 + 6).contains(pause), "{pauses:?}");
    }
}

#[test]
fn every_identity_uses_what_its_component_may() {
    let mut cluster = booted();
    apply(&mut cluster, NGINX);
    cluster.run_until_quiet(Duration::from_secs(300));
    for usage in cluster.server().usages() {
        assert!(
            usage.user.starts_with("system:") || &*usage.user == "kubernetes-admin",
            "{usage:?}"
        );
    }
    let scheduler: Vec<String> = cluster
        .server()
        .usages()
        .iter()
        .filter(|usage| &*usage.user == "system:kube-scheduler")
        .map(|usage| format!("{} {}", usage.verb, usage.resource))
        .collect();
    assert!(scheduler.contains(&"create pods/binding".to_string()), "{scheduler:?}");
    assert!(!scheduler.contains(&"delete nodes".to_string()), "{scheduler:?}");
    assert!(pods(&cluster).iter().all(|pod| condition(pod, "PodScheduled")));
}
