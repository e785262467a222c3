//! What a node is made of.

use std::sync::Arc;

use api::openapi::api::core::v1::{Pod, Taint};

/// Everything that tells one node from another when it is set up.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// The node's name, which is its host name too.
    pub name: String,
    /// The node's own address.
    pub address: String,
    /// Thousandths of processors.
    pub cpu_milli: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes of disk for images, logs and writable layers.
    pub ephemeral_storage_bytes: u64,
    /// How many pods it runs at most.
    pub pods: u64,
    /// Labels beside those that every kubelet sets.
    pub labels: Vec<(String, String)>,
    /// Taints to register with.
    pub taints: Vec<Taint>,
    /// The addresses of its pods: `10.244.1.0/24`; empty where the controller manager gives the
    /// node its range.
    pub pod_cidr: String,
    /// Images that are on the node from the beginning.
    pub images: Vec<String>,
    /// Whether the network of pods is set up with the machine, by the plugin `bridge`. Otherwise
    /// an agent has to do it, and until then the node is not ready.
    pub has_network_plugin: bool,
    /// Pods that run here whatever the API server says.
    pub static_pods: Vec<Arc<Pod>>,
}

impl NodeSpec {
    /// An ordinary node, the `number`-th of its cluster, counted from 0: 4 processors, 8 GiB of
    /// memory, room for 110 pods.
    #[must_use]
    pub fn new(name: &str, number: u32) -> Self {
        // The ranges begin at 10.244.0.0 and go on at 10.0.0.0, below the services' range.
        let (high, low) = ((244 + number / 256) % 256, number % 256);
        NodeSpec {
            name: name.to_string(),
            address: format!("172.18.{}.{}", (number + 2) / 256, (number + 2) % 256),
            cpu_milli: 4000,
            memory_bytes: 8 << 30,
            ephemeral_storage_bytes: 100 << 30,
            pods: 110,
            labels: Vec::new(),
            taints: Vec::new(),
            pod_cidr: format!("10.{high}.{low}.0/24"),
            images: Vec::new(),
            has_network_plugin: true,
            static_pods: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use network::Cidr;

    use super::*;

    #[test]
    fn thousands_of_nodes_have_addresses_of_their_own() {
        let (mut addresses, mut ranges) = (BTreeSet::new(), BTreeSet::new());
        for number in 0..5000 {
            let spec = NodeSpec::new("node", number);
            assert!(
                spec.pod_cidr.parse::<Cidr>().is_ok() && addresses.insert(spec.address.clone()),
                "{number}"
            );
            assert!(ranges.insert(spec.pod_cidr), "{number}");
        }
    }
}
