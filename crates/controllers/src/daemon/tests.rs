//! Upstream: pkg/controller/daemon/daemon_controller_test.go

use std::sync::Arc;

use api::openapi::api::apps::v1::{ControllerRevision, DaemonSet};
use api::openapi::api::core::v1::{Event, Node, Pod, Taint};
use apiserver::Binding;
use serde_json::{Value, json};

use crate::testing::{World, meta};

fn daemon_set(name: &str, spec: Value, template: Value) -> DaemonSet {
    let mut pod = json!({"containers": [{"name": "main", "image": "nginx:1"}]});
    for (field, value) in template.as_object().expect("fields") {
        pod[field] = value.clone();
    }
    let mut whole = json!({
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
    });
    for (field, value) in spec.as_object().expect("fields") {
        whole[field] = value.clone();
    }
    serde_json::from_value(json!({"apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": name}, "spec": whole}))
    .expect("a DaemonSet")
}

impl World {
    fn with_nodes(count: u32) -> Self {
        let mut world = World::new();
        for number in 1..=count {
            world.add_node(&format!("node-{number}"), &[]);
        }
        world.run(50);
        world
    }

    fn add_node(&mut self, name: &str, labels: &[(&str, &str)]) {
        let mut node = Node { metadata: meta(name, labels), ..Node::default() };
        let status = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        node.status = serde_json::from_value(status).expect("a status");
        self.cluster.api::<Node>("").create(node).expect("created");
        self.run(20);
        // Admission marks new nodes as not ready; the node lifecycle controller takes it back.
        let changed = self.cluster.api::<Node>("").patch(name, |node| {
            node.spec.get_or_insert_default().taints = None;
        });
        changed.expect("patched");
    }

    fn taint(&mut self, name: &str, key: &'static str, effect: &'static str) {
        let changed = self.cluster.api::<Node>("").patch(name, move |node| {
            let taint = Taint { key: key.into(), effect: effect.into(), ..Taint::default() };
            node.spec.get_or_insert_default().taints = Some(vec![taint]);
        });
        changed.expect("patched");
        self.run(50);
    }

    /// Binds every pod to the node that its affinity names, as the scheduler does.
    fn bind_pods(&mut self) {
        for pod in self.list::<Pod>() {
            let name = pod.metadata.name.clone().expect("named");
            let target = target(&pod);
            if pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_none()) {
                let binding = Binding { node: target, uid: String::new() };
                self.cluster.api::<Pod>("default").bind(&name, binding).expect("bound");
            }
        }
    }

    /// Runs until the pods are bound and ready.
    fn roll(&mut self) {
        for _ in 0..8 {
            self.run(100);
            self.bind_pods();
            self.finish_pods();
            self.make_pods_ready();
        }
        self.run(100);
    }

    fn nodes_of_pods(&mut self) -> Vec<String> {
        let mut nodes: Vec<String> = self.list::<Pod>().iter().map(|pod| target(pod)).collect();
        nodes.sort();
        nodes
    }
}

fn target(pod: &Pod) -> String {
    let value = serde_json::to_value(&pod.spec).expect("JSON");
    let path = "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution\
                /nodeSelectorTerms/0/matchFields/0/values/0";
    value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_string()
}

fn counts(daemon_set: &DaemonSet) -> [i32; 6] {
    let status = daemon_set.status.clone().unwrap_or_default();
    [
        status.desired_number_scheduled,
        status.current_number_scheduled,
        status.number_misscheduled,
        status.number_ready,
        status.updated_number_scheduled.unwrap_or(0),
        status.number_available.unwrap_or(0),
    ]
}

/// Upstream: TestSimpleDaemonSetLaunchesPods.
#[test]
fn every_node_gets_a_pod() {
    let mut world = World::with_nodes(3);
    world.create(daemon_set("agent", json!({}), json!({"hostNetwork": true})));
    world.roll();
    assert_eq!(world.nodes_of_pods(), ["node-1", "node-2", "node-3"]);
    assert_eq!(counts(&world.get::<DaemonSet>("agent")), [3, 3, 0, 3, 3, 3]);
    let pod = world.list::<Pod>().remove(0);
    let labels = pod.metadata.labels.clone().unwrap_or_default();
    let revision = world.list::<ControllerRevision>().remove(0);
    let hash =
        revision.metadata.labels.clone().unwrap_or_default()["controller-revision-hash"].clone();
    assert_eq!(labels["controller-revision-hash"], hash);
    assert_eq!(labels["pod-template-generation"], "1");
    assert_eq!(revision.metadata.name, Some(format!("agent-{hash}")));
    assert_eq!(revision.data.0["spec"]["template"]["$patch"], "replace");
    let tolerations = pod.spec.as_ref().and_then(|spec| spec.tolerations.clone()).expect("some");
    let keys: Vec<String> = tolerations
        .iter()
        .map(|it| {
            format!("{}:{}", it.key.as_deref().unwrap_or(""), it.effect.as_deref().unwrap_or(""))
        })
        .collect();
    let own = "node.kubernetes.io/";
    let want = [
        "not-ready:NoExecute",
        "unreachable:NoExecute",
        "disk-pressure:NoSchedule",
        "memory-pressure:NoSchedule",
        "pid-pressure:NoSchedule",
        "unschedulable:NoSchedule",
        "network-unavailable:NoSchedule",
    ];
    assert_eq!(keys, want.map(|text| format!("{own}{text}")));
    assert_eq!(world.messages("SuccessfulCreate").len(), 3);
    // A node that joins later gets one too.
    world.add_node("node-4", &[]);
    world.roll();
    assert_eq!(world.nodes_of_pods().len(), 4);
}

/// Upstream: TestSelectorDaemonLaunchesPods, TestNodeAffinityDaemonLaunchesPods and
/// TestNodeShouldRunDaemonPod.
#[test]
fn only_nodes_that_fit_get_a_pod() {
    let mut world = World::with_nodes(1);
    world.add_node("fast-1", &[("disk", "ssd")]);
    world.add_node("fast-2", &[("disk", "ssd")]);
    world.taint("fast-2", "dedicated", "NoSchedule");
    world.create(daemon_set("fast", json!({}), json!({"nodeSelector": {"disk": "ssd"}})));
    let anywhere = json!({"tolerations": [{"operator": "Exists"}]});
    world.create(daemon_set("all", json!({}), anywhere));
    world.roll();
    assert_eq!(counts(&world.get::<DaemonSet>("fast"))[..3], [1, 1, 0]);
    assert_eq!(counts(&world.get::<DaemonSet>("all"))[..3], [3, 3, 0]);
    // A pod stays on a node that only new ones avoid, and leaves one that evicts.
    world.taint("fast-1", "dedicated", "NoSchedule");
    world.roll();
    assert_eq!(counts(&world.get::<DaemonSet>("fast"))[..3], [0, 0, 1]);
    world.taint("fast-1", "dedicated", "NoExecute");
    world.roll();
    assert_eq!(counts(&world.get::<DaemonSet>("fast"))[..3], [0, 0, 0]);
    // Nodes that are not to be scheduled on are no reason to do without.
    world.taint("fast-1", "node.kubernetes.io/unschedulable", "NoSchedule");
    world.roll();
    assert_eq!(counts(&world.get::<DaemonSet>("fast"))[..3], [1, 1, 0]);
}

/// Upstream: TestDealsWithExistingPods and TestDaemonSetUpdatesPods.
#[test]
fn a_new_template_replaces_the_pods_one_by_one() {
    let mut world = World::with_nodes(3);
    world.create(daemon_set("agent", json!({}), json!({})));
    world.roll();
    let image = |world: &mut World, image: &'static str| {
        world.change::<DaemonSet>("agent", move |daemon_set| {
            let spec = daemon_set.spec.template.spec.as_mut().expect("a specification");
            spec.containers[0].image = Some(image.to_string());
        });
    };
    let images = |world: &mut World| -> Vec<String> {
        let mut images: Vec<String> = world
            .list::<Pod>()
            .iter()
            .filter_map(|pod| pod.spec.as_ref()?.containers[0].image.clone())
            .collect();
        images.sort();
        images
    };
    image(&mut world, "nginx:2");
    world.run(100);
    let terminating = |pod: &&Arc<Pod>| pod.metadata.deletion_timestamp.is_some();
    // Pods that are not bound go at once, so that one is missing or on its way out.
    let pods = world.list::<Pod>();
    assert_eq!((pods.len(), pods.iter().filter(terminating).count()), (3, 1));
    world.roll();
    world.roll();
    assert_eq!(images(&mut world), ["nginx:2"; 3]);
    assert_eq!(counts(&world.get::<DaemonSet>("agent")), [3, 3, 0, 3, 3, 3]);
    let mut revisions: Vec<Option<i64>> =
        world.list::<ControllerRevision>().iter().map(|it| it.revision).collect();
    revisions.sort();
    assert_eq!(revisions, [Some(1), Some(2)]);
    // Going back makes the first revision the newest.
    image(&mut world, "nginx:1");
    world.roll();
    world.roll();
    assert_eq!(images(&mut world), ["nginx:1"; 3]);
    let mut revisions: Vec<Option<i64>> =
        world.list::<ControllerRevision>().iter().map(|it| it.revision).collect();
    revisions.sort();
    assert_eq!(revisions, [Some(2), Some(3)]);
}

/// Upstream: TestDaemonSetUpdatesPodsWithMaxSurge and the strategy OnDelete.
#[test]
fn surging_keeps_the_old_pod_and_on_delete_waits_for_the_user() {
    let mut world = World::with_nodes(2);
    let surge = json!({"updateStrategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}});
    world.create(daemon_set("surge", surge, json!({})));
    let waiting = json!({"updateStrategy": {"type": "OnDelete"}});
    world.create(daemon_set("wait", waiting, json!({})));
    world.roll();
    for name in ["surge", "wait"] {
        world.change::<DaemonSet>(name, |daemon_set| {
            let spec = daemon_set.spec.template.spec.as_mut().expect("a specification");
            spec.containers[0].image = Some("nginx:2".to_string());
        });
    }
    world.run(100);
    let of = |world: &mut World, name: &str| {
        let labelled = |pod: &Arc<Pod>| {
            pod.metadata.labels.as_ref().is_some_and(|labels| labels["app"] == name)
        };
        world.list::<Pod>().into_iter().filter(labelled).collect::<Vec<_>>()
    };
    assert_eq!(of(&mut world, "surge").len(), 3);
    world.roll();
    assert_eq!(counts(&world.get::<DaemonSet>("surge")), [2, 2, 0, 2, 2, 2]);
    assert_eq!(of(&mut world, "surge").len(), 2);
    assert_eq!(counts(&world.get::<DaemonSet>("wait"))[4], 0);
    let first = of(&mut world, "wait").remove(0).metadata.name.clone().expect("named");
    world.delete::<Pod>(&first, None);
    world.roll();
    assert_eq!(counts(&world.get::<DaemonSet>("wait"))[4], 1);
}

/// Upstream: TestDaemonKillFailedPods and TestDaemonSetPodCreateExpectationsError.
#[test]
fn failed_pods_are_replaced_after_a_growing_delay() {
    let mut world = World::with_nodes(1);
    world.create(daemon_set("agent", json!({}), json!({})));
    world.roll();
    let mut names = Vec::new();
    for _ in 0..3 {
        let name = world.list::<Pod>()[0].metadata.name.clone().expect("named");
        world.set_pod(&name, "Failed", false);
        names.push(name);
        world.skip_seconds(6);
        world.roll();
    }
    let left = world.list::<Pod>();
    assert_eq!(left.len(), 1);
    assert!(!names.contains(left[0].metadata.name.as_ref().expect("named")));
    let messages = world.messages("FailedDaemonPod");
    let want = |name: &String| {
        format!("Found failed daemon pod default/{name} on node node-1, will try to kill it")
    };
    assert_eq!(messages, names.iter().map(want).collect::<Vec<_>>());
}

/// Upstream: TestDaemonSetAvailableCount…, minReadySeconds.
#[test]
fn pods_are_available_after_they_were_ready_long_enough() {
    let mut world = World::with_nodes(1);
    world.create(daemon_set("agent", json!({"minReadySeconds": 10}), json!({})));
    world.roll();
    assert_eq!(counts(&world.get::<DaemonSet>("agent"))[3..], [1, 1, 0]);
    world.skip_seconds(12);
    assert_eq!(counts(&world.get::<DaemonSet>("agent"))[3..], [1, 1, 1]);
    assert!(world.list::<Event>().iter().all(|it| it.type_.as_deref() == Some("Normal")));
}

/// Upstream: TestDaemonSetUpdatesSaveOldRevisions, the limit of the history.
#[test]
fn old_revisions_that_no_pod_is_of_are_deleted() {
    let mut world = World::with_nodes(1);
    world.create(daemon_set("agent", json!({"revisionHistoryLimit": 1}), json!({})));
    for image in ["a:1", "a:2", "a:3"] {
        world.roll();
        world.change::<DaemonSet>("agent", move |daemon_set| {
            let spec = daemon_set.spec.template.spec.as_mut().expect("a specification");
            spec.containers[0].image = Some(image.to_string());
        });
    }
    world.roll();
    world.roll();
    let mut revisions: Vec<Option<i64>> =
        world.list::<ControllerRevision>().iter().map(|it| it.revision).collect();
    revisions.sort();
    assert_eq!(revisions, [Some(3), Some(4)]);
}
