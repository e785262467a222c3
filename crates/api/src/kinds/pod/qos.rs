//! The quality of service that a pod's requests and limits give it.
//!
//! Upstream: pkg/apis/core/helper/qos/qos.go

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use sim::SmallMap;

use crate::quantity::Amount;

type Totals<'a> = SmallMap<&'a str, Amount>;

/// `Guaranteed`, `Burstable` or `BestEffort`. Upstream: ComputePodQOS.
#[must_use]
pub fn class(pod: &Pod) -> &'static str {
    let Some(spec) = &pod.spec else { return "BestEffort" };
    let own = spec.resources.as_ref().filter(|resources| has_some(resources));
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let all: Vec<Option<&ResourceRequirements>> = match own {
        Some(resources) => vec![Some(resources)],
        None => containers.map(|container| container.resources.as_ref()).collect(),
    };
    let mut requests = Totals::new();
    let mut limits = Totals::new();
    let mut is_guaranteed = true;
    for resources in all {
        let (container_requests, container_limits) = match resources {
            Some(resources) => (resources.requests.as_ref(), resources.limits.as_ref()),
            None => (None, None),
        };
        add(&mut requests, container_requests);
        let limited = add(&mut limits, container_limits);
        is_guaranteed &= limited == 2;
    }
    if requests.is_empty() && limits.is_empty() {
        return "BestEffort";
    }
    if is_guaranteed && requests == limits { "Guaranteed" } else { "Burstable" }
}

fn has_some(resources: &ResourceRequirements) -> bool {
    let lists = [&resources.requests, &resources.limits];
    lists.into_iter().flatten().any(|list| list.keys().any(|name| is_compute(name)))
}

fn is_compute(name: &str) -> bool {
    matches!(name, "cpu" | "memory")
}

/// Adds CPU and memory as far as there is any, and returns how many of the two there are.
fn add<'a>(totals: &mut Totals<'a>, list: Option<&'a BTreeMap<String, Quantity>>) -> usize {
    let amounts = list.into_iter().flatten().filter(|(name, _)| is_compute(name));
    let positive = amounts
        .map(|(name, quantity)| (name.as_str(), Amount::of(quantity)))
        .filter(|(_, amount)| *amount > Amount::ZERO);
    let mut count = 0;
    for (name, amount) in positive {
        *totals.entry(name).or_default() += amount;
        count += 1;
    }
    count
}
