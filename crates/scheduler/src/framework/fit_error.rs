//! Why a pod fits no node, and how that is said.
//!
//! Upstream: pkg/scheduler/framework/types.go (Diagnosis, FitError)

use sim::{OrdMap, SmallMap, SmallSet, Sort};
use std::borrow::Cow;

use super::{Code, Status};

/// What is said of a pod when there is no node at all.
pub const NO_NODES_AVAILABLE: &str = "no nodes available to schedule pods";

/// What was said of each node: of some one by one, of all others together.
#[derive(Clone, Debug)]
pub struct NodeToStatus {
    explicit: OrdMap<usize, Status>,
    absent: Status,
}

impl Default for NodeToStatus {
    fn default() -> Self {
        let absent =
            Status { code: Code::UnschedulableAndUnresolvable, reasons: Vec::new(), plugin: "" };
        NodeToStatus { explicit: OrdMap::new(), absent }
    }
}

impl NodeToStatus {
    /// Says something of the node at that place of the snapshot.
    pub fn set(&mut self, node: usize, status: Status) {
        self.explicit.insert(node, status);
    }

    /// Says something of all other nodes.
    pub fn set_absent(&mut self, status: Status) {
        self.absent = status;
    }

    /// What was said of the node.
    #[must_use]
    pub fn get(&self, node: usize) -> &Status {
        self.explicit.get(&node).unwrap_or(&self.absent)
    }

    /// What was said one by one.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Status)> {
        self.explicit.iter().map(|(node, status)| (*node, status))
    }

    /// Of how many nodes something was said one by one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.explicit.len()
    }

    /// Whether nothing was said one by one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.explicit.is_empty()
    }
}

/// Everything known of a failed attempt to find a node.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// What was said of the nodes.
    pub node_to_status: NodeToStatus,
    /// The plugins that turned the pod away.
    pub unschedulable_plugins: SmallSet<&'static str>,
    /// The plugins that wait for something outside.
    pub pending_plugins: SmallSet<&'static str>,
    /// What a PreFilter plugin said.
    pub pre_filter_message: String,
    /// What the PostFilter plugins said.
    pub post_filter_message: String,
}

impl Diagnosis {
    /// Notes which plugin a status came from.
    pub fn add_plugin_status(&mut self, status: &Status) {
        if status.plugin.is_empty() {
            return;
        }
        if status.is_rejected() {
            self.unschedulable_plugins.insert(status.plugin);
        }
        if status.code == Code::Pending {
            self.pending_plugins.insert(status.plugin);
        }
    }
}

/// The message for a pod that fits none of `all_nodes` nodes.
#[must_use]
pub fn fit_error_message(all_nodes: usize, diagnosis: &Diagnosis) -> String {
    let mut message = format!("0/{all_nodes} nodes are available:");
    if diagnosis.pre_filter_message.is_empty() {
        // When a PreFilter plugin turned the pod away it says so for every node; the message
        // is not repeated then.
        let reasons = count_reasons(all_nodes, &diagnosis.node_to_status);
        let mut reasons: Vec<String> =
            reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        reasons.order();
        if !reasons.is_empty() {
            message.push_str(&format!(" {}.", reasons.join(", ")));
        }
    } else {
        message.push_str(&format!(" {}.", diagnosis.pre_filter_message));
    }
    if !diagnosis.post_filter_message.is_empty() {
        message.push_str(&format!(" {}", diagnosis.post_filter_message));
    }
    message
}

fn count_reasons(all_nodes: usize, statuses: &NodeToStatus) -> SmallMap<Cow<'static, str>, usize> {
    let mut counts = SmallMap::new();
    for (_, status) in statuses.iter() {
        for reason in &status.reasons {
            *counts.entry(reason.clone()).or_default() += 1;
        }
    }
    let absent = all_nodes.saturating_sub(statuses.len());
    for reason in statuses.absent.reasons.iter().filter(|_| absent > 0) {
        *counts.entry(reason.clone()).or_default() += absent;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    // Upstream: TestFitError_Error.
    #[test]
    fn the_message_counts_reasons_over_nodes_in_order_of_their_text() {
        let affinity = "node(s) didn't match pod affinity rules";
        let unschedulable = |reason: &'static str| Status::unschedulable(reason);
        let mut diagnosis = Diagnosis {
            pre_filter_message: "Node(s) failed PreFilter plugin FalsePreFilter".into(),
            ..Diagnosis::default()
        };
        assert_eq!(
            fit_error_message(3, &diagnosis),
            "0/3 nodes are available: Node(s) failed PreFilter plugin FalsePreFilter."
        );
        diagnosis.post_filter_message = "Error running PostFilter plugin FailedPostFilter.".into();
        assert_eq!(
            fit_error_message(3, &diagnosis),
            "0/3 nodes are available: Node(s) failed PreFilter plugin FalsePreFilter. Error \
             running PostFilter plugin FailedPostFilter."
        );
        let mut diagnosis = Diagnosis::default();
        for node in 0..3 {
            diagnosis.node_to_status.set(node, unschedulable(affinity));
        }
        assert_eq!(
            fit_error_message(3, &diagnosis),
            format!("0/3 nodes are available: 3 {affinity}.")
        );
        diagnosis.node_to_status.set(
            2,
            Status {
                code: Code::Unschedulable,
                reasons: vec!["Insufficient cpu".into(), "Insufficient memory".into()],
                plugin: "",
            },
        );
        assert_eq!(
            fit_error_message(3, &diagnosis),
            format!(
                "0/3 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 2 {affinity}."
            )
        );
        let mut diagnosis = Diagnosis::default();
        diagnosis.node_to_status.set(0, unschedulable("Node failed Filter plugin FalseFilter"));
        diagnosis
            .node_to_status
            .set_absent(Status::unresolvable("node(s) didn't satisfy plugin(s) [NodeAffinity]"));
        assert_eq!(
            fit_error_message(3, &diagnosis),
            "0/3 nodes are available: 1 Node failed Filter plugin FalseFilter, 2 node(s) didn't \
             satisfy plugin(s) [NodeAffinity]."
        );
    }
}
