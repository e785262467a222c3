//! A node in a world of its own: a kubelet, an API server, a clock.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::sync::Arc;

use api::openapi::api::core::v1::{ConfigMap, ContainerStatus, Event, Pod, PodStatus};
use apiserver::ListOptions;
use client::Component;
use client::testing::TestCluster;
use images::Catalogue;
use kubelet::{Kubelet, NodeSpec};
use sim::Duration;

/// A node with its kubelet, and what it talks to.
pub struct World {
    pub cluster: TestCluster,
    pub kubelet: Kubelet,
}

impl World {
    pub fn new() -> Self {
        let mut cluster = TestCluster::new();
        for namespace in ["default", "kube-system", "kube-node-lease"] {
            cluster.create_namespace(namespace);
            let name = r#"{"metadata":{"name":"kube-root-ca.crt"},"data":{"ca.crt":"-"}}"#;
            let map: ConfigMap = serde_json::from_str(name).expect("a map");
            cluster.api(namespace).create(map).expect("created");
        }
        let kubelet = Kubelet::new(NodeSpec::new("node-1", 1), Arc::new(Catalogue));
        World { cluster, kubelet }
    }

    /// A world whose node is ready.
    pub fn ready() -> Self {
        let mut world = World::new();
        world.run(2000);
        world
    }

    /// Wakes the kubelet whenever it wants to be woken, and every 20 ms for what is watched.
    pub fn run(&mut self, milliseconds: u64) {
        let end = self.cluster.now + Duration::from_millis(milliseconds);
        while self.cluster.now < end {
            let tick = self.cluster.now + Duration::from_millis(20);
            let due = self.kubelet.next_wake().filter(|time| *time > self.cluster.now);
            self.cluster.now = due.map_or(tick, |time| time.min(tick)).min(end);
            self.kubelet.wake(&mut self.cluster.context(1));
        }
    }

    pub fn seconds(&mut self, seconds: u64) {
        self.run(seconds * 1000);
    }

    pub fn create(&mut self, manifest: &str) {
        let mut pod: Pod = serde_json::from_str(manifest).expect("a manifest");
        pod.spec.get_or_insert_default().node_name.get_or_insert("node-1".to_string());
        self.cluster.api::<Pod>("default").create(pod).expect("created");
    }

    /// A pod with one container that runs a shell script.
    pub fn create_script(&mut self, name: &str, policy: &str, script: &str) {
        let script = serde_json::to_string(script).expect("a string");
        self.create(&format!(
            r#"{{"metadata":{{"name":"{name}"}},"spec":{{"restartPolicy":"{policy}","containers":
            [{{"name":"main","image":"busybox:1.36","imagePullPolicy":"IfNotPresent",
            "command":["sh","-c",{script}]}}]}}}}"#
        ));
    }

    pub fn pod(&mut self, name: &str) -> Arc<Pod> {
        self.cluster.api::<Pod>("default").get(name).expect("the pod")
    }

    pub fn status(&mut self, name: &str) -> PodStatus {
        self.pod(name).status.clone().unwrap_or_default()
    }

    pub fn phase(&mut self, name: &str) -> String {
        self.status(name).phase.unwrap_or_default()
    }

    pub fn container(&mut self, pod: &str, name: &str) -> ContainerStatus {
        let status = self.status(pod);
        let all = status.init_container_statuses.into_iter().chain(status.container_statuses);
        all.flatten().find(|status| status.name == name).expect("the container")
    }

    pub fn waiting(&mut self, pod: &str) -> (String, String) {
        let state = self.container(pod, "main").state.unwrap_or_default();
        let waiting = state.waiting.expect("waiting");
        (waiting.reason.unwrap_or_default(), waiting.message.unwrap_or_default())
    }

    pub fn exit_code(&mut self, pod: &str) -> Option<i32> {
        let state = self.container(pod, "main").state.unwrap_or_default();
        state.terminated.map(|terminated| terminated.exit_code)
    }

    pub fn log(&self, pod: &str) -> String {
        let log = self.kubelet.logs("default", pod, "main", false).expect("a log");
        log.text()
    }

    /// `reason: message` of the events about an object, in their order.
    pub fn events(&mut self, name: &str) -> Vec<String> {
        let events = self.cluster.api::<Event>("default").list(ListOptions::default());
        let mut events: Vec<Arc<Event>> = events.expect("events");
        events.retain(|event| event.involved_object.name.as_deref() == Some(name));
        events.sort_by_key(|event| {
            event.metadata.resource_version.as_deref().and_then(|v| v.parse::<u64>().ok())
        });
        let words = |text: &Option<String>| text.clone().unwrap_or_default();
        events.iter().map(|e| format!("{}: {}", words(&e.reason), words(&e.message))).collect()
    }

    pub fn condition(&mut self, pod: &str, kind: &str) -> (String, String) {
        let conditions = self.status(pod).conditions.unwrap_or_default();
        let condition = conditions.into_iter().find(|condition| condition.type_ == kind);
        let condition = condition.expect("the condition");
        (condition.status, condition.reason.unwrap_or_default())
    }
}

/// A web server.
pub const NGINX: &str = r#"{"metadata":{"name":"web"},"spec":{"containers":
    [{"name":"main","image":"nginx:1.14.2","ports":[{"containerPort":80}]}]}}"#;
