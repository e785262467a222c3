//! Pods that were promised a node, because room is being made for them there.
//!
//! Upstream: pkg/scheduler/backend/queue/nominator.go

use api::Key;
use sim::{Digest, Digestible, OrdMap};

use crate::framework::PodInfo;

/// The promised nodes.
#[derive(Clone, Debug, Default)]
pub struct Nominator {
    by_node: OrdMap<String, OrdMap<Key, PodInfo>>,
    node_of: OrdMap<Key, String>,
}

impl Nominator {
    /// Notes what the pod's status says it was promised, or `node` in its place.
    pub fn add(&mut self, pod: &PodInfo, node: Option<&str>) {
        let known = self.node_of.get(&pod.key).cloned();
        let status = pod.pod.status.as_ref();
        let stated = status.and_then(|status| status.nominated_node_name.clone());
        let stated = stated.filter(|node| !node.is_empty());
        self.delete(&pod.key);
        let Some(node) = node.map(str::to_string).or(stated).or(known) else { return };
        self.node_of.insert(pod.key.clone(), node.clone());
        self.by_node.entry(node).or_default().insert(pod.key.clone(), pod.clone());
    }

    /// Takes a newer version of a pod.
    pub fn update(&mut self, pod: &PodInfo) {
        self.add(pod, None);
    }

    /// Takes a promise back.
    pub fn delete(&mut self, key: &Key) {
        let Some(node) = self.node_of.remove(key) else { return };
        if let Some(pods) = self.by_node.get_mut(&node) {
            pods.remove(key);
            if pods.is_empty() {
                self.by_node.remove(&node);
            }
        }
    }

    /// The pods that were promised the node.
    pub fn pods_for_node(&self, node: &str) -> impl Iterator<Item = &PodInfo> {
        self.by_node.get(node).into_iter().flat_map(OrdMap::values)
    }

    /// The node that the pod was promised.
    #[must_use]
    pub fn node_of(&self, key: &Key) -> Option<&str> {
        self.node_of.get(key).map(String::as_str)
    }
}

impl Digestible for Nominator {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.node_of);
    }
}
