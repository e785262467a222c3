//! What the scheduler knows of nodes and of the pods on them, with those it has assumed to be
//! there before their binding is seen; and the snapshot of it that a cycle works on.
//!
//! Upstream: pkg/scheduler/backend/cache/{cache,node_tree,snapshot}.go

use std::sync::Arc;

use api::Key;
use api::openapi::api::core::v1::{Node, Pod};
use sim::{Digest, Digestible, OrdMap, OrdSet, SmallMap};

use crate::framework::{NodeInfo, PodInfo};

const REGION_LABEL: &str = "topology.kubernetes.io/region";
const ZONE_LABEL: &str = "topology.kubernetes.io/zone";

/// The nodes in the order in which cycles go through them: one of each zone in turn.
#[derive(Clone, Debug, Default)]
struct NodeTree {
    zones: Vec<String>,
    nodes: SmallMap<String, Vec<Arc<str>>>,
}

impl NodeTree {
    fn add(&mut self, zone: String, name: Arc<str>) {
        if !self.nodes.contains_key(&zone) {
            self.zones.push(zone.clone());
        }
        let nodes = self.nodes.entry(zone).or_default();
        if !nodes.contains(&name) {
            nodes.push(name);
        }
    }

    fn remove(&mut self, zone: &str, name: &str) {
        let Some(nodes) = self.nodes.get_mut(zone) else { return };
        nodes.retain(|known| &**known != name);
        if nodes.is_empty() {
            self.nodes.remove(zone);
            self.zones.retain(|known| known != zone);
        }
    }

    fn list(&self) -> Vec<&Arc<str>> {
        let longest = self.nodes.values().map(Vec::len).max().unwrap_or(0);
        let turn = |index: usize| {
            self.zones.iter().filter_map(move |zone| self.nodes.get(zone)?.get(index))
        };
        (0..longest).flat_map(turn).collect()
    }
}

/// A node's zone, with its region. Upstream: component-helpers/node/topology/helpers.go.
fn zone_key(node: &Node) -> String {
    let label = |key| {
        let labels = node.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(key)).map_or("", String::as_str)
    };
    let (region, zone) = (label(REGION_LABEL), label(ZONE_LABEL));
    if region.is_empty() && zone.is_empty() { String::new() } else { format!("{region}:\0:{zone}") }
}

/// The nodes as a cycle sees them. Taking one costs as much as nodes have changed.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    nodes: Vec<Arc<NodeInfo>>,
    places: OrdMap<Arc<str>, usize>,
    with_affinity: Vec<usize>,
    with_required_anti_affinity: Vec<usize>,
    images: OrdMap<String, u32>,
}

impl Snapshot {
    /// The nodes in order.
    #[must_use]
    pub fn nodes(&self) -> &[Arc<NodeInfo>] {
        &self.nodes
    }

    /// The nodes with pods that say which pods they want near or far.
    pub fn with_affinity(&self) -> impl Iterator<Item = &NodeInfo> {
        self.at(&self.with_affinity)
    }

    /// The nodes with pods that must not be where others are.
    pub fn with_required_anti_affinity(&self) -> impl Iterator<Item = &NodeInfo> {
        self.at(&self.with_required_anti_affinity)
    }

    fn at<'a>(&'a self, places: &'a [usize]) -> impl Iterator<Item = &'a NodeInfo> {
        places.iter().filter_map(|place| self.nodes.get(*place)).map(Arc::as_ref)
    }

    /// How many nodes hold the image.
    #[must_use]
    pub fn nodes_with_image(&self, name: &str) -> u32 {
        self.images.get(name).copied().unwrap_or(0)
    }

    fn index_affinity(&mut self) {
        let places = |has: fn(&NodeInfo) -> bool| {
            let nodes = self.nodes.iter().enumerate();
            nodes.filter(|(_, node)| has(node)).map(|(place, _)| place).collect()
        };
        self.with_affinity = places(|node| !node.pods_with_affinity.is_empty());
        self.with_required_anti_affinity =
            places(|node| !node.pods_with_required_anti_affinity.is_empty());
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The place of the node of that name.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }
}

/// Nodes, and the pods on them.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    nodes: OrdMap<Arc<str>, Arc<NodeInfo>>,
    tree: NodeTree,
    /// The node of every pod that has one.
    pods: OrdMap<Key, Arc<str>>,
    /// Those of them whose binding has not been seen.
    assumed: OrdSet<Key>,
    /// How many nodes hold an image, by its name.
    images: OrdMap<String, u32>,
    changed: OrdSet<Arc<str>>,
    reordered: bool,
}

impl Cache {
    /// Brings a snapshot up to date.
    pub fn update_snapshot(&mut self, snapshot: &mut Snapshot) {
        if self.reordered {
            let info = |name: &Arc<str>| self.nodes.get(name).cloned();
            snapshot.nodes = self.tree.list().into_iter().filter_map(info).collect();
            let places = snapshot.nodes.iter().enumerate();
            snapshot.places = places.map(|(place, node)| (node.name.clone(), place)).collect();
            snapshot.index_affinity();
        } else {
            let has = |node: &NodeInfo| {
                (
                    node.pods_with_affinity.is_empty(),
                    node.pods_with_required_anti_affinity.is_empty(),
                )
            };
            let mut is_stale = false;
            for name in &self.changed {
                let (Some(place), Some(node)) = (snapshot.places.get(name), self.nodes.get(name))
                else {
                    continue;
                };
                is_stale |= has(&snapshot.nodes[*place]) != has(node);
                snapshot.nodes[*place] = node.clone();
            }
            if is_stale {
                snapshot.index_affinity();
            }
        }
        snapshot.images = self.images.clone();
        self.changed = OrdSet::new();
        self.reordered = false;
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut NodeInfo)) {
        if !self.nodes.contains_key(name) {
            self.nodes.insert(name.into(), Arc::new(NodeInfo::new(name)));
        }
        let Some(node) = self.nodes.get_mut(name) else { return };
        let node = Arc::make_mut(node);
        change(node);
        self.changed.insert(node.name.clone());
        if node.node.is_none() && node.pods.is_empty() {
            self.nodes.remove(name);
        }
    }

    /// Takes a node in, or its newer version.
    pub fn set_node(&mut self, node: Arc<Node>) {
        let name = node.metadata.name.clone().unwrap_or_default();
        let old = self.nodes.get(&*name).and_then(|info| info.node.clone());
        let zone = zone_key(&node);
        let old_zone = old.as_ref().map(|old| zone_key(old));
        if old_zone.as_ref() != Some(&zone) {
            if let Some(old_zone) = old_zone {
                self.tree.remove(&old_zone, &name);
            }
            self.tree.add(zone, name.as_str().into());
            self.reordered = true;
        }
        let before = self.images_of(&name);
        self.change(&name, |info| info.set_node(node));
        let after = self.images_of(&name);
        if !Arc::ptr_eq(&before, &after) {
            self.count_images(&before, &after);
        }
    }

    fn images_of(&self, node: &str) -> Arc<SmallMap<String, i64>> {
        self.nodes.get(node).map(|info| info.images.clone()).unwrap_or_default()
    }

    fn count_images(&mut self, before: &SmallMap<String, i64>, after: &SmallMap<String, i64>) {
        for name in before.keys().filter(|name| !after.contains_key(*name)) {
            if let Some(count) = self.images.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    self.images.remove(name);
                }
            }
        }
        for name in after.keys().filter(|name| !before.contains_key(*name)) {
            *self.images.entry(name.clone()).or_insert(0) += 1;
        }
    }

    /// A node is gone. Its pods are known until they are gone as well.
    pub fn remove_node(&mut self, node: &Node) {
        let name = node.metadata.name.clone().unwrap_or_default();
        self.tree.remove(&zone_key(node), &name);
        self.reordered = true;
        let images = self.images_of(&name);
        self.count_images(&images, &SmallMap::new());
        self.change(&name, |info| {
            info.node = None;
            info.images = Arc::default();
        });
    }

    /// A pod was seen on its node: a new one, a newer version, or one that was assumed there.
    pub fn set_pod(&mut self, key: &Key, pod: Arc<Pod>) {
        let Some(name) = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()) else { return };
        let old = self.pods.get(key).cloned();
        let known = old.as_ref().and_then(|node| self.nodes.get(node)?.pods.get(key).cloned());
        if let Some(old) = old.filter(|old| **old != *name) {
            self.change(&old, |info| drop(info.remove_pod(key)));
        }
        let info = match known.filter(|known| Some(known.uid()) == pod.metadata.uid.as_deref()) {
            Some(known) => known.updated(pod),
            None => PodInfo::new(pod),
        };
        self.pods.insert(key.clone(), name.as_str().into());
        self.assumed.remove(key);
        self.change(&name, |node| node.add_pod(info));
    }

    /// A pod that was on a node is gone.
    pub fn remove_pod(&mut self, key: &Key) {
        let Some(node) = self.pods.remove(key) else { return };
        self.assumed.remove(key);
        self.change(&node, |info| drop(info.remove_pod(key)));
    }

    /// Takes it that a pod runs on a node before that is seen.
    pub fn assume(&mut self, pod: PodInfo, node: &str) {
        self.pods.insert(pod.key.clone(), node.into());
        self.assumed.insert(pod.key.clone());
        self.change(node, |info| info.add_pod(pod));
    }

    /// Gives an assumption up.
    pub fn forget(&mut self, key: &Key) {
        if self.is_assumed(key) {
            self.remove_pod(key);
        }
    }

    /// Whether the pod is assumed to be on a node.
    #[must_use]
    pub fn is_assumed(&self, key: &Key) -> bool {
        self.assumed.contains(key)
    }
}

impl Digestible for Cache {
    /// Nodes and seen pods follow from how far the watches have come; the order of the nodes
    /// and the assumptions do not.
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.tree.zones.len() as u64);
        for zone in &self.tree.zones {
            digest.str(zone);
            let nodes = self.tree.nodes.get(zone).map(Vec::as_slice).unwrap_or_default();
            digest.u64(nodes.len() as u64);
            nodes.iter().for_each(|name| digest.str(name));
        }
        digest.u64(self.assumed.len() as u64);
        for key in &self.assumed {
            digest.add(key);
            digest.str(self.pods.get(key).map_or("", |node| &**node));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Upstream: TestNodeTreeMultiOperations and TestNodeTree_List.
    #[test]
    fn nodes_of_all_zones_take_turns() {
        let mut tree = NodeTree::default();
        for (zone, name) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("c", "c1"), ("a", "a3")] {
            tree.add(zone.into(), name.into());
        }
        let list = |tree: &NodeTree| -> Vec<String> {
            tree.list().into_iter().map(ToString::to_string).collect()
        };
        assert_eq!(list(&tree), ["a1", "b1", "c1", "a2", "a3"]);
        tree.remove("b", "b1");
        assert_eq!(list(&tree), ["a1", "c1", "a2", "a3"]);
        tree.add("b".into(), "b2".into());
        assert_eq!(list(&tree), ["a1", "c1", "b2", "a2", "a3"]);
    }
}
