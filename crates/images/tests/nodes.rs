//! A node and its kubelet: registration, leases, restarts, failures.

mod support;

use std::sync::Arc;

use api::openapi::api::coordination::v1::Lease;
use api::openapi::api::core::v1::{Node, Pod};
use apiserver::DeleteOptions;
use client::Component;
use images::Catalogue;
use kubelet::{Kubelet, NodeSpec};
use sim::Digest;
use support::{NGINX, World};

#[test]
fn a_node_registers_and_becomes_ready() {
    let mut world = World::ready();
    let node = world.cluster.api::<Node>("").get("node-1").expect("the node");
    let status = node.status.clone().expect("a status");
    let conditions = status.conditions.expect("conditions");
    let words: Vec<String> = conditions
        .iter()
        .map(|c| format!("{} {} {}", c.type_, c.status, c.reason.clone().unwrap_or_default()))
        .collect();
    assert_eq!(
        words,
        [
            "MemoryPressure False KubeletHasSufficientMemory",
            "DiskPressure False KubeletHasNoDiskPressure",
            "PIDPressure False KubeletHasSufficientPID",
            "Ready True KubeletReady",
        ]
    );
    assert!(status.node_info.expect("info").kubelet_version.starts_with("v1.37."));
    let lease = world.cluster.api::<Lease>("kube-node-lease").get("node-1").expect("the lease");
    let owners = lease.metadata.owner_references.clone().expect("an owner");
    assert_eq!(Some(&owners[0].uid), node.metadata.uid.as_ref());
    let reasons: Vec<String> = world.events("node-1");
    assert!(reasons.contains(&"Starting: Starting kubelet.".to_string()));
    assert!(reasons.contains(&"NodeReady: Node node-1 status is now: NodeReady".to_string()));
}

#[test]
fn a_lease_is_renewed_every_ten_seconds() {
    let mut world = World::ready();
    let renewed = |world: &mut World| {
        let lease = world.cluster.api::<Lease>("kube-node-lease").get("node-1").expect("lease");
        lease.spec.clone().and_then(|spec| spec.renew_time).expect("a time").0
    };
    let before = renewed(&mut world);
    world.seconds(30);
    assert_eq!(renewed(&mut world).duration_since(before).as_secs(), 30);
    world.kubelet.set_running(false);
    let stopped = renewed(&mut world);
    world.seconds(30);
    assert_eq!(renewed(&mut world), stopped);
}

#[test]
fn containers_outlive_the_kubelet_and_it_finds_them_again() {
    let mut world = World::ready();
    world.create(NGINX);
    world.create_script("short", "Never", "sleep 20; exit 4");
    world.seconds(10);
    let before = world.container("web", "main").container_id;
    world.kubelet.set_running(false);
    world.seconds(30);
    assert_eq!(world.phase("short"), "Running");
    world.kubelet.set_running(true);
    world.seconds(5);
    assert_eq!(world.exit_code("short"), Some(4));
    assert_eq!(world.phase("short"), "Failed");
    assert_eq!(world.container("web", "main").container_id, before);
    assert_eq!(world.container("web", "main").restart_count, 0);
}

/// Upstream: pkg/kubelet/prober/worker.go, doProbe, without ChangeContainerStatusOnKubeletRestart.
#[test]
fn a_ready_container_stays_ready_when_the_kubelet_begins_again() {
    let mut world = World::ready();
    world.create(
        r#"{"metadata":{"name":"web"},"spec":{"containers":[{"name":"main","image":"nginx:1.14.2",
        "readinessProbe":{"periodSeconds":40,"httpGet":{"port":80}},
        "startupProbe":{"periodSeconds":5,"httpGet":{"port":80}}}]}}"#,
    );
    world.seconds(20);
    assert_eq!(world.condition("web", "Ready").0, "True");
    world.kubelet.set_running(false);
    world.seconds(5);
    world.kubelet.set_running(true);
    for _ in 0..60 {
        world.seconds(1);
        assert_eq!(world.condition("web", "Ready").0, "True");
    }
}

#[test]
fn a_pod_that_was_on_its_way_goes_on_when_the_kubelet_begins_again() {
    let mut world = World::ready();
    world.create(&NGINX.replace("nginx:1.14.2", "mysql:8.4"));
    world.seconds(2);
    world.kubelet.set_running(false);
    world.seconds(60);
    assert_eq!(world.phase("web"), "Pending", "its image was being pulled");
    world.kubelet.set_running(true);
    world.seconds(15);
    assert_eq!(world.phase("web"), "Running");
}

#[test]
fn static_pods_show_as_mirror_pods_and_come_back() {
    let mut world = World::new();
    let mut spec = NodeSpec::new("control-plane", 0);
    let pod: Pod = serde_json::from_str(
        r#"{"metadata":{"name":"etcd"},"spec":{"hostNetwork":true,"containers":[{"name":"etcd",
        "image":"registry.k8s.io/etcd:3.6.5-0","command":["etcd"]}]}}"#,
    )
    .expect("a pod");
    spec.static_pods.push(Arc::new(pod));
    world.kubelet = Kubelet::new(spec, Arc::new(Catalogue));
    world.seconds(10);
    let mirror = |world: &mut World| {
        world.cluster.api::<Pod>("kube-system").get("etcd-control-plane").expect("the mirror")
    };
    let first = mirror(&mut world);
    let status = first.status.clone().expect("a status");
    assert_eq!(status.phase.as_deref(), Some("Running"));
    assert_eq!(status.pod_ip, status.host_ip);
    let options = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    world.cluster.api::<Pod>("kube-system").delete("etcd-control-plane", options).expect("gone");
    world.seconds(5);
    let second = mirror(&mut world);
    assert_ne!(first.metadata.uid, second.metadata.uid);
    let ids = |pod: &Pod| {
        let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.clone());
        statuses.unwrap_or_default().into_iter().map(|s| s.container_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&first), ids(&second));
}

#[test]
fn the_same_seed_gives_the_same_state() {
    let run = || {
        let mut world = World::ready();
        world.create(NGINX);
        world.create_script("crash", "Always", "date; exit 1");
        world.seconds(60);
        let mut digest = Digest::new();
        world.kubelet.digest(&mut digest);
        digest.finish()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_machine_that_fails_takes_its_containers_with_it() {
    let mut world = World::ready();
    world.create(NGINX);
    world.create_script("once", "Never", "sleep 1d");
    world.create(
        r#"{"metadata":{"name":"app"},"spec":{
        "initContainers":[{"name":"one","image":"busybox:1.36","command":["sh","-c","echo init"]}],
        "containers":[{"name":"main","image":"nginx:1.14.2"}]}}"#,
    );
    world.seconds(15);
    assert_eq!(world.condition("app", "Ready").0, "True");
    world.kubelet.set_powered(false);
    world.seconds(60);
    assert_eq!(world.phase("web"), "Running", "nobody is there to say otherwise");
    world.kubelet.set_powered(true);
    world.seconds(15);
    for pod in ["web", "app"] {
        assert_eq!(world.condition(pod, "Ready").0, "True");
        let container = world.container(pod, "main");
        assert_eq!(container.restart_count, 1);
        let last = container.last_state.and_then(|state| state.terminated).expect("an end");
        assert_eq!((last.exit_code, last.reason.as_deref()), (255, Some("Unknown")));
        let event = "SandboxChanged: Pod sandbox changed, it will be killed and re-created.";
        assert!(world.events(pod).contains(&event.to_string()));
    }
    assert!(world.container("app", "one").ready);
    assert_eq!(world.phase("once"), "Failed");
    assert!(world.events("node-1").iter().any(|event| event.starts_with("Rebooted: ")));
}

#[test]
fn a_deleted_node_registers_again_only_when_its_kubelet_starts() {
    let mut world = World::ready();
    world.cluster.api::<Node>("").delete("node-1", DeleteOptions::default()).expect("deleted");
    world.seconds(30);
    assert!(world.cluster.api::<Node>("").get("node-1").is_err());
    world.kubelet.set_running(false);
    world.seconds(1);
    world.kubelet.set_running(true);
    world.seconds(3);
    assert!(world.cluster.api::<Node>("").get("node-1").is_ok());
}

#[test]
fn a_cordoned_node_says_so() {
    let mut world = World::ready();
    for (unschedulable, reason) in [(true, "NodeNotSchedulable"), (false, "NodeSchedulable")] {
        let cordoned = world.cluster.api::<Node>("").patch("node-1", move |node| {
            node.spec.get_or_insert_default().unschedulable = unschedulable.then_some(true);
        });
        cordoned.expect("changed");
        world.seconds(1);
        let event = format!("{reason}: Node node-1 status is now: {reason}");
        assert!(world.events("node-1").contains(&event), "{reason}");
    }
}
