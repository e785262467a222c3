//! What must hold of the pods of a node in every state and over every change, whatever people do
//! to them: resources, addresses, phases, restarts, the order of containers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::openapi::api::core::v1::{ConfigMap, ContainerStatus, Pod};
use apiserver::{DeleteOptions, ListOptions};
use client::Component;
use client::testing::TestCluster;
use kubelet::{Kubelet, NodeSpec};
use sim::{Duration, Stream, Time};

/// The kinds of pods that come and go.
const MANIFESTS: [&str; 7] = [
    r#"{"containers":[{"name":"main","image":"nginx:1.14.2","resources":{"requests":{"cpu":"900m"}}}]}"#,
    r#"{"restartPolicy":"Never","containers":[{"name":"main","image":"busybox:1.36",
        "command":["sh","-c","sleep 7; exit 1"]}]}"#,
    r#"{"restartPolicy":"OnFailure","containers":[{"name":"main","image":"busybox:1.36",
        "command":["sh","-c","sleep 3; exit 0"]},{"name":"other","image":"busybox:1.36",
        "command":["sh","-c","sleep 2; test -f /again || touch /again"]}]}"#,
    r#"{"initContainers":[{"name":"one","image":"busybox:1.36","command":["sleep","2"]},
        {"name":"side","image":"busybox:1.36","restartPolicy":"Always","command":["sleep","1d"]}],
        "terminationGracePeriodSeconds":5,
        "containers":[{"name":"main","image":"nginx:1.14.2","readinessProbe":{"httpGet":{"port":80}}}]}"#,
    r#"{"terminationGracePeriodSeconds":3,"containers":[{"name":"main","image":"busybox:1.36",
        "command":["sh","-c","sleep 4; exit 9"]}]}"#,
    r#"{"hostNetwork":true,"terminationGracePeriodSeconds":2,"containers":[{"name":"main",
        "image":"nginx:1.16.1","ports":[{"containerPort":80,"hostPort":80}]}]}"#,
    r#"{"containers":[{"name":"main","image":"nginx:1.161"}]}"#,
];

struct World {
    cluster: TestCluster,
    kubelet: Kubelet,
    random: Stream,
    made: u32,
    before: BTreeMap<String, Arc<Pod>>,
}

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.iter();
    status.flat_map(|status| {
        let init = status.init_container_statuses.iter().flatten();
        init.chain(status.container_statuses.iter().flatten())
    })
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

fn has_ended(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

fn condition(pod: &Pod, kind: &str) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == kind && condition.status == "True")
}

impl World {
    fn new(seed: u64) -> Self {
        let mut cluster = TestCluster::new();
        for namespace in ["default", "kube-node-lease"] {
            cluster.create_namespace(namespace);
            let name = r#"{"metadata":{"name":"kube-root-ca.crt"},"data":{"ca.crt":"-"}}"#;
            let map: ConfigMap = serde_json::from_str(name).expect("a map");
            cluster.api(namespace).create(map).expect("created");
        }
        let spec = NodeSpec { pods: 12, ..NodeSpec::new("node-1", 1) };
        let kubelet = Kubelet::new(spec, images::catalogue());
        let random = Stream::new(seed, "invariants");
        World { cluster, kubelet, random, made: 0, before: BTreeMap::new() }
    }

    fn pods(&mut self) -> Vec<Arc<Pod>> {
        self.cluster.api::<Pod>("default").list(ListOptions::default()).expect("pods")
    }

    fn create(&mut self) {
        let place = usize::try_from(self.random.below(MANIFESTS.len() as u64)).expect("small");
        let manifest =
            format!(r#"{{"metadata":{{"name":"pod-{}"}},"spec":{}}}"#, self.made, MANIFESTS[place]);
        self.made += 1;
        let mut pod: Pod = serde_json::from_str(&manifest).expect("a pod");
        pod.spec.get_or_insert_default().node_name = Some("node-1".to_string());
        self.cluster.api::<Pod>("default").create(pod).expect("created");
    }

    fn delete(&mut self) {
        let pods = self.pods();
        let place = usize::try_from(self.random.below(pods.len() as u64)).expect("small");
        let Some(name) = pods.get(place).and_then(|pod| pod.metadata.name.clone()) else { return };
        let force = self.random.below(4) == 0;
        let grace_period_seconds = force.then_some(0);
        let options = DeleteOptions { grace_period_seconds, ..DeleteOptions::default() };
        self.cluster.api::<Pod>("default").delete(&name, options).expect("deleted");
    }

    /// One of the things that happen to a node.
    fn disturb(&mut self) {
        match self.random.below(40) {
            0..=9 => self.create(),
            10..=15 => self.delete(),
            16 => self.kubelet.set_running(false),
            17 | 18 => self.kubelet.set_running(true),
            19 => {
                self.kubelet.set_powered(false);
                self.wake();
                self.kubelet.set_powered(true);
            }
            _ => {}
        }
    }

    fn wake(&mut self) {
        self.kubelet.wake(&mut self.cluster.context(1));
    }

    fn run(&mut self, span: Duration) {
        let end = self.cluster.now + span;
        while self.cluster.now < end {
            let tick = self.cluster.now + Duration::from_millis(50);
            let due = self.kubelet.next_wake().filter(|time| *time > self.cluster.now);
            self.cluster.now = due.map_or(tick, |time| time.min(tick)).min(end);
            self.wake();
            self.check();
        }
    }

    fn check(&mut self) {
        let pods = self.pods();
        // A pod without a status has not been looked at yet.
        let admitted: Vec<&Pod> = pods
            .iter()
            .map(|pod| &**pod)
            .filter(|pod| !has_ended(pod) && statuses(pod).next().is_some())
            .collect();
        let cpu = admitted.iter().filter(|pod| {
            let spec = pod.spec.as_ref().expect("a spec");
            spec.containers[0].resources.as_ref().is_some_and(|r| r.requests.is_some())
        });
        assert!(cpu.count() <= 4, "more processors are promised than there are");
        assert!(admitted.len() <= 12, "more pods than the node takes");
        let on_port = |pod: &&&Pod| pod.spec.as_ref().is_some_and(|s| s.host_network == Some(true));
        assert!(admitted.iter().filter(on_port).count() <= 1, "two pods on one host port");
        let mut addresses = BTreeSet::new();
        for pod in &admitted {
            let status = pod.status.as_ref().expect("a status");
            let Some(address) = &status.pod_ip else { continue };
            if on_port(&pod) {
                assert_eq!(Some(address), status.host_ip.as_ref());
            } else {
                assert!(address.starts_with("10.244.1."));
                assert!(addresses.insert(address.clone()), "{address} is used twice");
            }
        }
        for pod in &pods {
            self.check_pod(pod);
        }
        let uid = |pod: &Pod| pod.metadata.uid.clone().unwrap_or_default();
        self.before = pods.iter().map(|pod| (uid(pod), pod.clone())).collect();
    }

    fn check_pod(&self, pod: &Pod) {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        if condition(pod, "Ready") {
            assert!(condition(pod, "ContainersReady") && condition(pod, "Initialized"), "{name}");
            assert!(statuses(pod).all(|status| status.ready), "{name} is ready in parts only");
        }
        let init = pod.status.iter().flat_map(|s| s.init_container_statuses.iter().flatten());
        let unfinished = init.into_iter().any(|status| status.name == "one" && !status.ready);
        let main = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        let runs = |status: &ContainerStatus| {
            status.state.as_ref().is_some_and(|state| state.running.is_some())
        };
        assert!(
            !unfinished || !main.into_iter().any(runs),
            "{name} runs before its initialisation"
        );
        let Some(before) = pod.metadata.uid.as_ref().and_then(|uid| self.before.get(uid)) else {
            return;
        };
        if has_ended(before) {
            assert_eq!(phase(before), phase(pod), "{name} left its last phase");
        }
        for old in statuses(before).filter(|status| status.name == "main") {
            let new = statuses(pod).find(|new| new.name == old.name).expect("still there");
            assert!(new.restart_count >= old.restart_count, "{name} counts backwards");
        }
        let policy = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
        if policy == Some("Never") {
            assert!(statuses(pod).all(|status| status.restart_count == 0), "{name} was restarted");
        }
    }
}

#[test]
fn a_node_keeps_its_promises_whatever_happens_to_it() {
    for seed in 0..4 {
        let mut world = World::new(seed);
        let (mut seen, mut ready) = (BTreeSet::new(), 0);
        world.run(Duration::from_secs(3));
        while world.cluster.now < Time::ZERO + Duration::from_secs(240) {
            world.disturb();
            world.run(Duration::from_millis(700));
            let pods = world.pods();
            seen.extend(pods.iter().map(|pod| phase(pod).to_string()));
            ready += pods.iter().filter(|pod| condition(pod, "Ready")).count();
        }
        assert_eq!(seen.iter().filter(|phase| !phase.is_empty()).count(), 4, "{seen:?}");
        assert!(ready > 100, "hardly a pod was ever ready");
        // Then everything is taken away, and nothing stays behind.
        world.kubelet.set_running(true);
        world.kubelet.set_powered(true);
        for pod in world.pods() {
            let name = pod.metadata.name.clone().unwrap_or_default();
            let deleted =
                world.cluster.api::<Pod>("default").delete(&name, DeleteOptions::default());
            assert!(deleted.is_ok());
        }
        world.run(Duration::from_secs(60));
        assert_eq!(world.pods().len(), 0, "seed {seed}");
        assert_eq!(world.kubelet.busy(world.cluster.now), None);
    }
}
