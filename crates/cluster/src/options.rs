//! What a cluster is made with.

use serde::{Deserialize, Serialize};

/// What a cluster is made with, beside its seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The seed of every random stream.
    pub seed: u64,
    /// Seconds from 1970 to the beginning of the cluster.
    pub epoch_seconds: i64,
    /// Whether the control plane has a node of its own, on which it runs as pods, with the add-ons
    /// that kubeadm installs. Otherwise it runs outside, and nodes bring their network with them.
    #[serde(default = "yes")]
    pub control_plane: bool,
    /// The nodes that join.
    pub nodes: Vec<NodeOptions>,
    /// How many trace records are kept. What is traced changes nothing else.
    pub trace_capacity: u32,
}

/// What a node has to give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeOptions {
    /// Its name.
    pub name: String,
    /// Thousandths of a core.
    pub cpu_milli: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// How many pods it takes.
    pub pods: u64,
}

fn yes() -> bool {
    true
}

impl Options {
    /// 2026-01-01T00:00:00Z, when clusters begin unless they are told otherwise.
    pub const DEFAULT_EPOCH_SECONDS: i64 = 1_767_225_600;

    /// `nodes` equal nodes, `node-1` and so on, of 4 cores, 8 GiB and 110 pods each.
    #[must_use]
    pub fn new(seed: u64, nodes: u32) -> Self {
        let node = |number: u32| NodeOptions {
            name: format!("node-{number}"),
            cpu_milli: 4000,
            memory_bytes: 8 << 30,
            pods: 110,
        };
        Options {
            seed,
            epoch_seconds: Options::DEFAULT_EPOCH_SECONDS,
            control_plane: true,
            nodes: (1..=nodes).map(node).collect(),
            trace_capacity: 10_000,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options::new(1, 3)
    }
}
