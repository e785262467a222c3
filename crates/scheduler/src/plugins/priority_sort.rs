//! Sorts the queue by priority, and pods of equal priority by how long they wait.
//!
//! Upstream: pkg/scheduler/framework/plugins/queuesort/priority_sort.go

use sim::Time;

use crate::framework::{Plugin, QueueSortPlugin, QueuedPodInfo};

/// The plugin.
pub struct PrioritySort;

impl Plugin for PrioritySort {
    fn name(&self) -> &'static str {
        "PrioritySort"
    }

    fn as_queue_sort(&self) -> Option<&dyn QueueSortPlugin> {
        Some(self)
    }
}

impl QueueSortPlugin for PrioritySort {
    fn position(&self, pod: &QueuedPodInfo) -> (i64, Time) {
        (-i64::from(pod.pod.priority()), pod.timestamp)
    }
}
