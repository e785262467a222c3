//! What a pod requests and may use at most, over all of its containers.
//!
//! Upstream: staging/src/k8s.io/component-helpers/resource/helpers.go

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{Container, ContainerStatus, Pod, PodSpec};
use api::openapi::apimachinery::pkg::api::resource::Quantity;
use api::quantity::Amount;
use sim::SmallMap;

/// Amounts by the name of the resource.
pub type Amounts = SmallMap<String, Amount>;

/// A resource list as exact amounts.
#[must_use]
pub fn amounts(list: &BTreeMap<String, Quantity>) -> Amounts {
    list.iter().map(|(name, quantity)| (name.clone(), Amount::of(quantity))).collect()
}

/// How to add up a pod. Upstream: resource.PodResourcesOptions.
#[derive(Clone, Debug, Default)]
pub struct PodResourcesOptions {
    /// Take into account what the kubelet reports as allocated and in effect, as a pod that is
    /// being resized needs the larger of both.
    pub use_status_resources: bool,
    /// Leave the overhead of running the pod out.
    pub exclude_overhead: bool,
    /// What a container requests of a resource for which it says nothing.
    pub non_missing_container_requests: Amounts,
}

/// Whether an init container is a sidecar: it is restarted always and runs beside the others.
#[must_use]
pub fn is_restartable_init_container(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// Whether a resource can be requested for the pod as a whole.
/// Upstream: IsSupportedPodLevelResource.
#[must_use]
pub fn is_supported_pod_level_resource(name: &str) -> bool {
    name == "cpu" || name == "memory" || name.starts_with("hugepages-")
}

/// Whether a resource is requested for the pod as a whole.
#[must_use]
pub fn is_pod_level_requests_set(spec: &PodSpec) -> bool {
    let requests = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    requests
        .is_some_and(|requests| requests.keys().any(|name| is_supported_pod_level_resource(name)))
}

/// What a pod requests: the sum of its containers and sidecars or the most that its init
/// containers need at once, whichever is greater; what is requested for the pod as a whole
/// instead; and the overhead of running it.
#[must_use]
pub fn pod_requests(pod: &Pod, options: &PodResourcesOptions) -> Amounts {
    let Some(spec) = &pod.spec else { return Amounts::new() };
    let mut requests = aggregate(spec, |container| container_requests(pod, container, options));
    let whole = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    for (name, quantity) in whole.into_iter().flatten() {
        if is_supported_pod_level_resource(name) {
            requests.insert(name.clone(), Amount::of(quantity));
        }
    }
    if let Some(overhead) = spec.overhead.as_ref().filter(|_| !options.exclude_overhead) {
        add(&mut requests, &amounts(overhead));
    }
    requests
}

/// What a pod may use at most, by the same rules. Overhead counts only where there is a limit.
#[must_use]
pub fn pod_limits(pod: &Pod, options: &PodResourcesOptions) -> Amounts {
    let Some(spec) = &pod.spec else { return Amounts::new() };
    let limits_of = |container: &Container| {
        let limits = container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
        limits.map(amounts).unwrap_or_default()
    };
    let mut limits = aggregate(spec, limits_of);
    let whole = spec.resources.as_ref().and_then(|resources| resources.limits.as_ref());
    for (name, quantity) in whole.into_iter().flatten() {
        if is_supported_pod_level_resource(name) {
            limits.insert(name.clone(), Amount::of(quantity));
        }
    }
    for (name, quantity) in spec.overhead.iter().flatten().filter(|_| !options.exclude_overhead) {
        if let Some(limit) = limits.get_mut(name)
            && !limit.is_zero()
        {
            *limit += Amount::of(quantity);
        }
    }
    limits
}

/// Containers run side by side, init containers one after the other beside the sidecars that
/// started before them. Upstream: AggregateContainerRequests.
fn aggregate(spec: &PodSpec, of: impl Fn(&Container) -> Amounts) -> Amounts {
    let mut running = Amounts::new();
    for container in &spec.containers {
        add(&mut running, &of(container));
    }
    let mut sidecars = Amounts::new();
    let mut starting = Amounts::new();
    for container in spec.init_containers.iter().flatten() {
        let mut needed = of(container);
        if is_restartable_init_container(container) {
            add(&mut running, &needed);
            add(&mut sidecars, &needed);
            needed.clone_from(&sidecars);
        } else {
            add(&mut needed, &sidecars);
        }
        raise(&mut starting, &needed);
    }
    raise(&mut running, &starting);
    running
}

fn container_requests(pod: &Pod, container: &Container, options: &PodResourcesOptions) -> Amounts {
    let requests = container.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    let mut requests = requests.map(amounts).unwrap_or_default();
    if options.use_status_resources
        && let Some(status) = status_of(pod, &container.name)
        && let Some(in_effect) = &status.resources
    {
        // A resize that can never be granted does not count.
        if is_resize_infeasible(pod) {
            requests.clear();
        }
        let in_effect = in_effect.requests.as_ref().map(amounts).unwrap_or_default();
        let allocated = status.allocated_resources.as_ref().map(amounts).unwrap_or_default();
        raise(&mut requests, &in_effect);
        raise(&mut requests, &allocated);
    }
    for (name, amount) in &options.non_missing_container_requests {
        requests.entry(name.clone()).or_insert(*amount);
    }
    requests
}

fn status_of<'p>(pod: &'p Pod, container: &str) -> Option<&'p ContainerStatus> {
    let status = pod.status.as_ref()?;
    let statuses = status.container_statuses.iter().flatten();
    let mut statuses = statuses.chain(status.init_container_statuses.iter().flatten());
    statuses.find(|status| status.name == container)
}

fn is_resize_infeasible(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| {
        condition.type_ == "PodResizePending"
            && condition.status == "True"
            && condition.reason.as_deref() == Some("Infeasible")
    })
}

fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        *sum.entry(name.clone()).or_default() += *amount;
    }
}

fn raise(most: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        let known = most.entry(name.clone()).or_insert(*amount);
        *known = (*known).max(*amount);
    }
}

#[cfg(test)]
mod tests {
    use api::openapi::api::core::v1::ResourceRequirements;

    use super::*;

    fn list(amounts: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
        let pairs = amounts.iter();
        pairs.map(|(name, amount)| (name.to_string(), Quantity(amount.to_string()))).collect()
    }

    fn container(requests: &[(&str, &str)], restart_policy: Option<&str>) -> Container {
        Container {
            resources: Some(ResourceRequirements {
                requests: Some(list(requests)),
                limits: Some(list(requests)),
                ..ResourceRequirements::default()
            }),
            restart_policy: restart_policy.map(str::to_string),
            ..Container::default()
        }
    }

    // Upstream: TestPodResourceRequests.
    #[test]
    fn pods_add_up_as_upstream_adds_them_up() {
        let cpu = |amount| container(&[("cpu", amount)], None);
        let sidecar = |amount| container(&[("cpu", amount)], Some("Always"));
        for (name, init, containers, want) in [
            ("containers are summed", vec![], vec![cpu("1"), cpu("2500m")], 3500),
            ("an init container larger than the sum", vec![cpu("9")], vec![cpu("1")], 9000),
            (
                "an init container smaller than the sum",
                vec![cpu("1")],
                vec![cpu("1"), cpu("1")],
                2000,
            ),
            ("a sidecar is added", vec![sidecar("1")], vec![cpu("1")], 2000),
            (
                "an init container runs beside earlier sidecars",
                vec![sidecar("2"), cpu("3")],
                vec![cpu("1")],
                5000,
            ),
            (
                "an init container does not wait for later sidecars",
                vec![cpu("5"), sidecar("1"), sidecar("2")],
                vec![cpu("1")],
                5000,
            ),
            (
                "sidecars and containers together exceed the start",
                vec![sidecar("1"), cpu("2"), sidecar("3")],
                vec![cpu("4")],
                8000,
            ),
        ] {
            let spec = PodSpec { init_containers: Some(init), containers, ..PodSpec::default() };
            let pod = Pod { spec: Some(spec), ..Pod::default() };
            let options = PodResourcesOptions::default();
            assert_eq!(pod_requests(&pod, &options)["cpu"].milli_value(), want, "{name}");
            assert_eq!(pod_limits(&pod, &options)["cpu"].milli_value(), want, "{name}: limits");
        }
    }

    #[test]
    fn requests_of_the_whole_pod_replace_the_sum_and_overhead_comes_on_top() {
        let spec = PodSpec {
            containers: vec![container(&[("cpu", "1"), ("memory", "1Gi")], None)],
            resources: Some(ResourceRequirements {
                requests: Some(list(&[("cpu", "3"), ("example.com/gpu", "5")])),
                ..ResourceRequirements::default()
            }),
            overhead: Some(list(&[("cpu", "100m")])),
            ..PodSpec::default()
        };
        let pod = Pod { spec: Some(spec), ..Pod::default() };
        let requests = pod_requests(&pod, &PodResourcesOptions::default());
        assert_eq!(requests["cpu"].milli_value(), 3100);
        assert_eq!(requests["memory"].value(), 1 << 30);
        assert!(!requests.contains_key("example.com/gpu"));
        let options = PodResourcesOptions { exclude_overhead: true, ..Default::default() };
        assert_eq!(pod_requests(&pod, &options)["cpu"].milli_value(), 3000);
    }

    #[test]
    fn containers_without_a_request_get_what_is_given_for_them() {
        let spec = PodSpec {
            containers: vec![container(&[], None), container(&[("cpu", "1")], None)],
            ..PodSpec::default()
        };
        let pod = Pod { spec: Some(spec), ..Pod::default() };
        let non_missing = Amounts::from([("cpu".to_string(), Amount::millis(100))]);
        let options = PodResourcesOptions {
            non_missing_container_requests: non_missing,
            ..PodResourcesOptions::default()
        };
        assert_eq!(pod_requests(&pod, &options)["cpu"].milli_value(), 1100);
    }
}
