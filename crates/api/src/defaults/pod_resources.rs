//! Resources of a whole pod: what its own requests and limits are where only its containers
//! say some.
//!
//! Upstream: defaultHugePagePodLimits, defaultPodRequests and defaultPodLimits in
//! pkg/apis/core/v1/defaults.go; AggregateContainerRequests in
//! staging/src/k8s.io/component-helpers/resource/helpers.go

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};

use super::resources::ResourceList;
use crate::quantity::Quantity;

/// Sets the requests and limits of a pod that has some of its own.
pub(super) fn pod_level_resources(spec: &mut PodSpec) {
    let Some(mut resources) = spec.resources.take() else { return };
    huge_page_limits(spec, &mut resources);
    requests(spec, &mut resources);
    limits(spec, &mut resources);
    spec.resources = Some(resources);
}

fn huge_page_limits(spec: &PodSpec, resources: &mut ResourceRequirements) {
    if is_empty(&resources.limits) && is_empty(&resources.requests) {
        return;
    }
    for (name, limit) in aggregate(spec, |resources| resources.limits.as_ref()) {
        let requested = resources.requests.as_ref().is_some_and(|list| list.contains_key(&name));
        if name.starts_with("hugepages-") && !requested {
            set_missing(&mut resources.limits, name, &limit);
        }
    }
}

fn requests(spec: &PodSpec, resources: &mut ResourceRequirements) {
    if is_empty(&resources.limits) {
        return;
    }
    for (name, request) in aggregate(spec, |resources| resources.requests.as_ref()) {
        if matches!(name.as_str(), "cpu" | "memory") {
            set_missing(&mut resources.requests, name, &request);
        }
    }
    let limits = resources.limits.iter().flatten();
    for (name, limit) in limits.filter(|(name, _)| is_supported(name)) {
        let requests = resources.requests.get_or_insert_default();
        requests.entry(name.clone()).or_insert_with(|| limit.clone());
    }
}

fn limits(spec: &PodSpec, resources: &mut ResourceRequirements) {
    if !is_empty(&resources.limits) || is_empty(&resources.requests) {
        return;
    }
    for (name, limit) in aggregate(spec, |resources| resources.limits.as_ref()) {
        let limited_everywhere = containers(spec).all(|container| {
            let limits = container.resources.as_ref().and_then(|all| all.limits.as_ref());
            limits.is_some_and(|limits| limits.contains_key(&name))
        });
        if matches!(name.as_str(), "cpu" | "memory") && limited_everywhere {
            set_missing(&mut resources.limits, name, &limit);
        }
    }
}

fn is_empty(list: &Option<ResourceList>) -> bool {
    list.as_ref().is_none_or(BTreeMap::is_empty)
}

fn is_supported(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with("hugepages-")
}

fn set_missing(list: &mut Option<ResourceList>, name: String, quantity: &Quantity) {
    list.get_or_insert_default().entry(name).or_insert_with(|| quantity.to_text());
}

fn containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.containers.iter().chain(spec.init_containers.iter().flatten())
}

/// What the containers of a pod need at most at one time: those that run together summed up,
/// and each init container beside the sidecars started before it.
pub(crate) fn aggregate(
    spec: &PodSpec,
    list: fn(&ResourceRequirements) -> Option<&ResourceList>,
) -> BTreeMap<String, Quantity> {
    let list_of = |container: &Container| -> Vec<(String, Quantity)> {
        let list = container.resources.as_ref().and_then(list);
        let parse = |(name, text): (&String, &_)| {
            let text: &k8s_openapi::apimachinery::pkg::api::resource::Quantity = text;
            Some((name.clone(), Quantity::parse(&text.0).ok()?))
        };
        list.into_iter().flatten().filter_map(parse).collect()
    };
    let mut total = BTreeMap::new();
    for container in &spec.containers {
        add_all(&mut total, list_of(container));
    }
    let mut sidecars = BTreeMap::new();
    let mut peak = BTreeMap::new();
    for container in spec.init_containers.iter().flatten() {
        if container.restart_policy.as_deref() == Some("Always") {
            add_all(&mut total, list_of(container));
            add_all(&mut sidecars, list_of(container));
            raise_all(&mut peak, sidecars.clone());
        } else {
            let mut together = sidecars.clone();
            add_all(&mut together, list_of(container));
            raise_all(&mut peak, together);
        }
    }
    raise_all(&mut total, peak);
    total
}

fn add_all(total: &mut BTreeMap<String, Quantity>, list: Vec<(String, Quantity)>) {
    for (name, quantity) in list {
        let sum = total.entry(name).or_default();
        *sum = sum.plus(&quantity);
    }
}

fn raise_all(total: &mut BTreeMap<String, Quantity>, list: BTreeMap<String, Quantity>) {
    for (name, quantity) in list {
        let most = total.entry(name).or_default();
        if quantity.amount() > most.amount() {
            *most = quantity;
        }
    }
}
