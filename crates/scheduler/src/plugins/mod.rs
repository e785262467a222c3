//! The plugins that come with the scheduler, in the order in which they run.
//!
//! Upstream: pkg/scheduler/apis/config/v1/default_plugins.go

use crate::framework::Plugin;

mod default_binder;
mod default_preemption;
mod dynamic_resources;
mod image_locality;
mod inter_pod_affinity;
mod node_affinity;
mod node_name;
mod node_ports;
mod node_resources_balanced_allocation;
mod node_resources_fit;
mod node_unschedulable;
mod pod_topology_spread;
mod priority_sort;
mod scheduling_gates;
mod taint_toleration;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;

/// All plugins.
#[must_use]
pub fn in_tree() -> &'static [&'static dyn Plugin] {
    &[
        &scheduling_gates::SchedulingGates,
        &priority_sort::PrioritySort,
        &node_unschedulable::NodeUnschedulable,
        &node_name::NodeName,
        &taint_toleration::TaintToleration,
        &node_affinity::NodeAffinity,
        &node_ports::NodePorts,
        &node_resources_fit::NodeResourcesFit,
        &pod_topology_spread::PodTopologySpread,
        &inter_pod_affinity::InterPodAffinity,
        // Giving up an idle claim is better than ending pods: it comes before preemption.
        &dynamic_resources::DynamicResources,
        &default_preemption::DefaultPreemption,
        &node_resources_balanced_allocation::NodeResourcesBalancedAllocation,
        &image_locality::ImageLocality,
        &default_binder::DefaultBinder,
    ]
}
