//! Nodes, pods and other objects for the tests of plugins that look at all of them.

use std::sync::Arc;

use api::Key;
use api::openapi::api::core::v1::{Node, Pod};
use apiserver::Identity;
use client::testing::TestCluster;

use super::in_tree;
use crate::cache::{Cache, Snapshot};
use crate::framework::{CycleState, Handle, NodeInfo, Plugin, PodInfo, Status};
use crate::listers::Listers;

/// Nodes with pods on them, and objects of other kinds.
pub(super) struct World {
    snapshot: Snapshot,
    listers: Listers,
    nodes: Vec<String>,
    failed: Vec<String>,
}

pub(super) fn plugin(name: &str) -> &'static dyn Plugin {
    *in_tree().iter().find(|plugin| plugin.name() == name).expect("exists")
}

pub(super) fn info(pod: Pod) -> PodInfo {
    PodInfo::new(Arc::new(pod))
}

impl World {
    /// The nodes, and the pods on those that they name.
    pub(super) fn new(nodes: Vec<Node>, pods: Vec<Pod>) -> Self {
        let mut cache = Cache::default();
        let name = |node: &Node| node.metadata.name.clone().expect("named");
        let names = nodes.iter().map(name).collect();
        nodes.into_iter().for_each(|node| cache.set_node(Arc::new(node)));
        for (number, mut pod) in pods.into_iter().enumerate() {
            pod.metadata.name.get_or_insert(format!("pod-{number}"));
            cache.set_pod(&Key::of(&pod.metadata), Arc::new(pod));
        }
        let mut snapshot = Snapshot::default();
        cache.update_snapshot(&mut snapshot);
        let listers = Listers::new(&Identity::new("test", &[]));
        World { snapshot, listers, nodes: names, failed: Vec::new() }
    }

    /// Makes other objects, and lets the listers see them.
    pub(super) fn with_objects(mut self, create: impl FnOnce(&mut TestCluster)) -> Self {
        let mut cluster = TestCluster::new();
        create(&mut cluster);
        self.listers.sync(&mut cluster.context(0));
        self
    }

    /// Says of nodes that they are not feasible.
    pub(super) fn without(mut self, failed: &[&str]) -> Self {
        self.failed = failed.iter().map(ToString::to_string).collect();
        self
    }

    pub(super) fn handle(&self) -> Handle<'_> {
        Handle { snapshot: &self.snapshot, listers: &self.listers }
    }

    pub(super) fn node(&self, name: &str) -> &NodeInfo {
        &self.snapshot.nodes()[self.snapshot.place(name).expect("exists")]
    }

    /// The state after the plugin's PreFilter; `None` when it skips.
    pub(super) fn pre_filter(&self, name: &str, pod: &PodInfo) -> Option<CycleState> {
        let mut state = CycleState::default();
        let pre_filter = plugin(name).as_pre_filter().expect("a PreFilter");
        let (nodes, status) = pre_filter.pre_filter(self.handle(), &mut state, pod);
        assert_eq!(nodes, None);
        assert!(status.is_success() || status.is_skip(), "{status:?}");
        (!status.is_skip()).then_some(state)
    }

    /// What the plugin's filter says of every node, in the order in which they were given.
    pub(super) fn filter(&self, name: &str, pod: Pod) -> Vec<Status> {
        let pod = info(pod);
        let state = self.pre_filter(name, &pod);
        let filter = plugin(name).as_filter().expect("a filter");
        let judge = |node: &String| match &state {
            Some(state) => filter.filter(state, &pod, self.node(node)),
            None => Status::SUCCESS,
        };
        self.nodes.iter().map(judge).collect()
    }

    /// The plugin's scores of the feasible nodes; `None` when it skips.
    pub(super) fn score(&self, name: &str, pod: Pod) -> Option<Vec<i64>> {
        let (plugin, pod) = (plugin(name), info(pod));
        let feasible = self.nodes.iter().filter(|node| !self.failed.contains(node));
        let nodes: Vec<&NodeInfo> = feasible.map(|node| self.node(node)).collect();
        let mut state = CycleState::default();
        let pre_score = plugin.as_pre_score().expect("a PreScore");
        if pre_score.pre_score(self.handle(), &mut state, &pod, &nodes).is_skip() {
            return None;
        }
        let scorer = plugin.as_score().expect("a score");
        let mut scores: Vec<i64> =
            nodes.iter().map(|node| scorer.score(&state, &pod, node)).collect();
        scorer.normalize_score(&state, &nodes, &mut scores);
        Some(scores)
    }
}
