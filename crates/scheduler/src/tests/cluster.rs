//! A cluster of nothing but an API server and a scheduler.

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{
    Container, Event, Node, NodeSpec, NodeStatus, Pod, PodCondition, PodSpec, ResourceRequirements,
    Taint,
};
use api::openapi::api::scheduling::v1::PriorityClass;
use api::openapi::apimachinery::pkg::api::resource::Quantity;
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use apiserver::{DeleteOptions, ListOptions};
use client::Component as _;
use client::testing::TestCluster;
use sim::{Digest, Duration, Fingerprint};

use crate::Scheduler;

pub fn quantities(amounts: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
    let pairs = amounts.iter();
    pairs.map(|(name, amount)| (name.to_string(), Quantity(amount.to_string()))).collect()
}

pub fn metadata(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() }
}

pub fn node(name: &str, allocatable: &[(&str, &str)]) -> Node {
    let mut allocatable = quantities(allocatable);
    allocatable.entry("pods".into()).or_insert(Quantity("110".into()));
    Node {
        metadata: metadata(name),
        spec: Some(NodeSpec::default()),
        status: Some(NodeStatus { allocatable: Some(allocatable), ..NodeStatus::default() }),
    }
}

pub fn tainted(mut node: Node, key: &str, effect: &str) -> Node {
    let taint = Taint { key: key.into(), effect: effect.into(), ..Taint::default() };
    node.spec.get_or_insert_default().taints = Some(vec![taint]);
    node
}

pub fn pod(name: &str, requests: &[(&str, &str)]) -> Pod {
    let resources = ResourceRequirements {
        requests: Some(quantities(requests)),
        ..ResourceRequirements::default()
    };
    let container = Container {
        name: "main".into(),
        image: Some("pause".into()),
        resources: Some(resources),
        ..Container::default()
    };
    Pod {
        metadata: metadata(name),
        spec: Some(PodSpec {
            containers: vec![container],
            termination_grace_period_seconds: Some(30),
            ..PodSpec::default()
        }),
        status: None,
    }
}

pub fn with_spec(mut pod: Pod, change: impl FnOnce(&mut PodSpec)) -> Pod {
    change(pod.spec.get_or_insert_default());
    pod
}

/// An API server and a scheduler.
pub struct Cluster {
    pub api: TestCluster,
    pub scheduler: Scheduler,
}

impl Cluster {
    pub fn new(nodes: Vec<Node>) -> Self {
        let mut api = TestCluster::new();
        api.create_namespace("default");
        for class in api::priority::system_classes() {
            api.api::<PriorityClass>("").create(class).expect("created");
        }
        let mut cluster = Cluster { api, scheduler: Scheduler::new() };
        nodes.into_iter().for_each(|node| cluster.add_node(node));
        cluster
    }

    /// Adds a node, and takes away the taint that it carries until it is ready.
    pub fn add_node(&mut self, node: Node) {
        let name = node.metadata.name.clone().expect("named");
        let (taints, status) =
            (node.spec.clone().and_then(|spec| spec.taints), node.status.clone());
        self.api.api::<Node>("").create(node).expect("created");
        let set_taints = |node: &mut Node| node.spec.get_or_insert_default().taints = taints;
        self.api.api::<Node>("").patch(&name, set_taints).expect("patched");
        self.api.api::<Node>("").patch_status(&name, |node| node.status = status).expect("patched");
    }

    pub fn create(&mut self, pod: Pod) {
        self.api.api::<Pod>("default").create(pod).expect("created");
    }

    /// Deletes a pod at once, as its kubelet does when its containers have ended.
    pub fn delete_now(&mut self, name: &str) {
        let options = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
        self.api.api::<Pod>("default").delete(name, options).expect("deleted");
    }

    /// Everything that the scheduler's future depends on.
    pub fn state(&self) -> Fingerprint {
        let mut digest = Digest::new();
        self.scheduler.digest(&mut digest);
        digest.finish()
    }

    pub fn run(&mut self, span: Duration) {
        self.api.run(&mut [&mut self.scheduler], span);
    }

    pub fn settle(&mut self) {
        self.run(Duration::from_millis(20));
    }

    pub fn pod(&mut self, name: &str) -> Pod {
        (*self.api.api::<Pod>("default").get(name).expect("exists")).clone()
    }

    pub fn node_of(&mut self, name: &str) -> Option<String> {
        self.pod(name).spec.and_then(|spec| spec.node_name)
    }

    pub fn condition(&mut self, name: &str) -> PodCondition {
        let conditions = self.pod(name).status.and_then(|status| status.conditions);
        let mut conditions = conditions.unwrap_or_default().into_iter();
        conditions.find(|condition| condition.type_ == "PodScheduled").expect("present")
    }

    /// Events as `type reason count message`, in the order of their names.
    pub fn events(&mut self) -> Vec<String> {
        let events = self.api.api::<Event>("default").list(ListOptions::default()).expect("listed");
        let words = |event: &Event| {
            format!(
                "{} {} {} {}",
                event.type_.as_deref().unwrap_or_default(),
                event.reason.as_deref().unwrap_or_default(),
                event.count.unwrap_or_default(),
                event.message.as_deref().unwrap_or_default()
            )
        };
        events.iter().map(|event| words(event)).collect()
    }
}
