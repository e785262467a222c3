//! What an object uses of what a ResourceQuota limits.
//!
//! Upstream: pkg/quota/v1/evaluator/core/{pods,services,persistent_volume_claims}.go and
//! staging/src/k8s.io/apiserver/pkg/quota/v1/{resources.go,generic/evaluator.go}

use api::labels::{Operator, Requirement};
use api::openapi::api::core::v1::{
    Container, PersistentVolumeClaim, Pod, PodSpec, ResourceQuota, Service,
};
use api::openapi::apimachinery::pkg::api::resource::Quantity as QuantityText;
use api::quantity::{Amount, Format, Quantity};
use api::quota::COUNT_PREFIX;
use api::{Kind, KindId, Object};
use jiff::{SignedDuration, Timestamp};
use sim::SmallMap;

use crate::pod_status::is_pod_terminal;
use crate::resources::{Amounts, PodResourcesOptions, pod_limits, pod_requests};

/// Quantities by the name of what is limited.
pub type Usage = SmallMap<String, Quantity>;

const STORAGE_CLASS_SUFFIX: &str = ".storageclass.storage.k8s.io/";
/// What every container has to say when it is limited. Upstream: validationSet.
const EXPLICIT: [&str; 6] =
    ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];
const POD_RESOURCES: [&str; 10] = [
    "pods",
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
];

/// A list as an API object holds it.
#[must_use]
pub fn read(list: Option<&std::collections::BTreeMap<String, QuantityText>>) -> Usage {
    let parse = |text: &QuantityText| Quantity::parse(&text.0).unwrap_or_default();
    list.into_iter().flatten().map(|(name, text)| (name.clone(), parse(text))).collect()
}

/// The list as an API object holds it.
#[must_use]
pub fn write(usage: &Usage) -> std::collections::BTreeMap<String, QuantityText> {
    usage.iter().map(|(name, quantity)| (name.clone(), quantity.to_text())).collect()
}

/// Adds to what is used.
pub fn add(usage: &mut Usage, more: &Usage) {
    for (name, quantity) in more {
        let sum = usage.get(name).map_or_else(|| quantity.clone(), |known| known.plus(quantity));
        usage.insert(name.clone(), sum);
    }
}

/// Whether objects of a kind use something that is limited under that name.
#[must_use]
pub fn counts_for(kind: &Kind, limited: &str) -> bool {
    if let Some(resource) = limited.strip_prefix(COUNT_PREFIX) {
        return kind.is_namespaced() && resource == kind.group_resource();
    }
    match kind.id {
        KindId::POD => {
            let requested = limited.strip_prefix("requests.");
            let is_extended = requested
                .is_some_and(|name| name.contains('/') && !name.contains("kubernetes.io/"));
            POD_RESOURCES.contains(&limited)
                || limited.starts_with("hugepages-")
                || limited.starts_with("requests.hugepages-")
                || is_extended
        }
        KindId::SERVICE => {
            matches!(limited, "services" | "services.nodeports" | "services.loadbalancers")
        }
        KindId::PERSISTENT_VOLUME_CLAIM => {
            let of_class = limited.split_once(STORAGE_CLASS_SUFFIX).map(|(_, name)| name);
            let name = of_class.unwrap_or(limited);
            matches!(name, "persistentvolumeclaims" | "requests.storage")
        }
        KindId::CONFIG_MAP => limited == "configmaps",
        KindId::SECRET => limited == "secrets",
        KindId::RESOURCE_QUOTA => limited == "resourcequotas",
        _ => false,
    }
}

/// What an object uses.
#[must_use]
pub fn usage(object: &Object, now: Timestamp) -> Usage {
    let kind = object.kind();
    let one = || Quantity::new(Amount::units(1), Format::DecimalSi);
    let mut usage = Usage::new();
    usage.insert(format!("{COUNT_PREFIX}{}", kind.group_resource()), one());
    match kind.id {
        KindId::POD => {
            if let Some(pod) = object.get::<Pod>().filter(|pod| is_quotable(pod, now)) {
                pod_usage(pod, &mut usage);
            }
        }
        KindId::SERVICE => {
            if let Some(service) = object.get::<Service>() {
                service_usage(service, &mut usage);
            }
        }
        KindId::PERSISTENT_VOLUME_CLAIM => {
            if let Some(claim) = object.get::<PersistentVolumeClaim>() {
                claim_usage(claim, &mut usage);
            }
        }
        KindId::CONFIG_MAP | KindId::SECRET | KindId::RESOURCE_QUOTA => {
            usage.insert(kind.plural.to_string(), one());
        }
        _ => {}
    }
    usage
}

/// Whether the pod uses anything still: one that has ended does not, nor one that should be gone.
/// Upstream: QuotaV1Pod.
#[must_use]
pub fn is_quotable(pod: &Pod, now: Timestamp) -> bool {
    let deleted = pod.metadata.deletion_timestamp.as_ref().map(|time| time.0);
    let grace = SignedDuration::from_secs(pod.metadata.deletion_grace_period_seconds.unwrap_or(0));
    let is_late = deleted
        .and_then(|deleted| deleted.checked_add(grace).ok())
        .is_some_and(|latest| now > latest);
    !is_pod_terminal(pod) && !is_late
}

fn containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.containers.iter().chain(spec.init_containers.iter().flatten())
}

/// Upstream: podComputeUsageHelper.
fn compute(name: &str, is_limit: bool) -> Vec<String> {
    let is_storage = matches!(name, "cpu" | "memory" | "ephemeral-storage");
    let is_huge = name.starts_with("hugepages-");
    match (is_limit, is_storage || is_huge) {
        (true, true) if is_storage => vec![format!("limits.{name}")],
        (true, _) => Vec::new(),
        (false, true) => vec![name.to_string(), format!("requests.{name}")],
        (false, false) if name.contains('/') => vec![format!("requests.{name}")],
        (false, false) => Vec::new(),
    }
}

fn pod_usage(pod: &Pod, usage: &mut Usage) {
    let options = PodResourcesOptions { use_status_resources: true, ..Default::default() };
    usage.insert("pods".to_string(), Quantity::new(Amount::units(1), Format::DecimalSi));
    // The sum is written as the first of the containers writes it.
    let format_of = |name: &str| {
        let mut said = pod.spec.iter().flat_map(containers).filter_map(|container| {
            let resources = container.resources.as_ref()?;
            let lists = [resources.requests.as_ref(), resources.limits.as_ref()];
            lists.into_iter().flatten().find_map(|list| list.get(name))
        });
        let said = said.next().and_then(|text| Quantity::parse(&text.0).ok());
        said.map_or(Format::DecimalSi, |quantity| quantity.format())
    };
    let mut insert = |amounts: &Amounts, is_limit: bool| {
        for (name, amount) in amounts {
            for limited in compute(name, is_limit) {
                usage.insert(limited, Quantity::new(*amount, format_of(name)));
            }
        }
    };
    insert(&pod_requests(pod, &options), false);
    insert(&pod_limits(pod, &options), true);
}

fn service_usage(service: &Service, usage: &mut Usage) {
    let count = |number: usize| {
        Quantity::new(Amount::units(i64::try_from(number).unwrap_or(i64::MAX)), Format::DecimalSi)
    };
    let none = Default::default();
    let spec = service.spec.as_ref().unwrap_or(&none);
    let ports = spec.ports.as_deref().unwrap_or_default();
    let with_node_port = ports.iter().filter(|port| port.node_port.unwrap_or(0) != 0).count();
    let (node_ports, balancers) = match spec.type_.as_deref() {
        Some("NodePort") => (ports.len(), 0),
        Some("LoadBalancer") => match spec.allocate_load_balancer_node_ports {
            Some(false) => (with_node_port, 1),
            _ => (ports.len(), 1),
        },
        _ => (0, 0),
    };
    usage.insert("services".to_string(), count(1));
    usage.insert("services.nodeports".to_string(), count(node_ports));
    usage.insert("services.loadbalancers".to_string(), count(balancers));
}

fn claim_usage(claim: &PersistentVolumeClaim, usage: &mut Usage) {
    let spec = claim.spec.as_ref();
    let requests = spec.and_then(|spec| spec.resources.as_ref()?.requests.as_ref());
    let storage = requests.and_then(|requests| requests.get("storage"));
    let storage = storage.map(|text| Quantity::parse(&text.0).unwrap_or_default());
    let class = spec.and_then(|spec| spec.storage_class_name.as_deref());
    let prefixes = [Some(String::new()), class.map(|it| format!("{it}{STORAGE_CLASS_SUFFIX}"))];
    for prefix in prefixes.into_iter().flatten() {
        let one = Quantity::new(Amount::units(1), Format::DecimalSi);
        usage.insert(format!("{prefix}persistentvolumeclaims"), one);
        if let Some(storage) = &storage {
            usage.insert(format!("{prefix}requests.storage"), storage.clone());
        }
    }
}

/// Whether the quota is about the object, as far as scopes go. Upstream: generic.Matches.
#[must_use]
pub fn matches_scopes(quota: &ResourceQuota, object: &Object) -> bool {
    let Some(spec) = &quota.spec else { return true };
    let pod = object.get::<Pod>();
    let exists = |scope: &String| {
        pod.is_some_and(|pod| matches_scope(pod, scope, Operator::Exists, Vec::new()))
    };
    let selector = spec.scope_selector.as_ref();
    let requirements = selector.and_then(|selector| selector.match_expressions.as_deref());
    spec.scopes.iter().flatten().all(exists)
        && requirements.unwrap_or_default().iter().all(|requirement| {
            let operator = match requirement.operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "DoesNotExist" => Operator::DoesNotExist,
                _ => Operator::Exists,
            };
            let values = requirement.values.clone().unwrap_or_default();
            pod.is_some_and(|pod| matches_scope(pod, &requirement.scope_name, operator, values))
        })
}

/// Upstream: podMatchesScopeFunc.
fn matches_scope(pod: &Pod, scope: &str, operator: Operator, values: Vec<String>) -> bool {
    let none = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&none);
    let has_deadline = spec.active_deadline_seconds.is_some_and(|seconds| seconds >= 0);
    let is_best_effort = || api::kinds::quality_of_service(pod) == "BestEffort";
    match scope {
        "Terminating" => has_deadline,
        "NotTerminating" => !has_deadline,
        "BestEffort" => is_best_effort(),
        "NotBestEffort" => !is_best_effort(),
        "PriorityClass" => {
            let class = spec.priority_class_name.clone().filter(|class| !class.is_empty());
            let labels = class.into_iter().map(|class| (scope.to_string(), class)).collect();
            Requirement::new(scope, operator, values).is_ok_and(|it| it.matches(&labels))
        }
        "CrossNamespacePodAffinity" => has_cross_namespace_affinity(spec),
        _ => false,
    }
}

/// Upstream: usesCrossNamespacePodAffinity.
fn has_cross_namespace_affinity(spec: &PodSpec) -> bool {
    let Some(affinity) = &spec.affinity else { return false };
    let near = affinity.pod_affinity.as_ref().map(|near| {
        (
            &near.required_during_scheduling_ignored_during_execution,
            &near.preferred_during_scheduling_ignored_during_execution,
        )
    });
    let far = affinity.pod_anti_affinity.as_ref().map(|far| {
        (
            &far.required_during_scheduling_ignored_during_execution,
            &far.preferred_during_scheduling_ignored_during_execution,
        )
    });
    [near, far].into_iter().flatten().any(|(required, preferred)| {
        let weighted = preferred.iter().flatten().map(|term| &term.pod_affinity_term);
        required.iter().flatten().chain(weighted).any(|term| {
            term.namespace_selector.is_some()
                || term.namespaces.as_ref().is_some_and(|names| !names.is_empty())
        })
    })
}

/// What a pod has to say and does not, where that is limited. Upstream: the pod evaluator's
/// Constraints.
#[must_use]
pub fn unsaid(pod: &Pod, limited: &[&str]) -> Option<String> {
    let mut parts = Vec::new();
    let mut required: Vec<&str> =
        limited.iter().copied().filter(|it| EXPLICIT.contains(it)).collect();
    sim::Sort::order(&mut required[..]);
    for name in required {
        let (resource, is_limit) = match name.split_once('.') {
            Some(("limits", resource)) => (resource, true),
            Some((_, resource)) => (resource, false),
            None => (name, false),
        };
        let says = |container: &Container| {
            let resources = container.resources.as_ref();
            let list = resources.and_then(|resources| match is_limit {
                true => resources.limits.as_ref(),
                false => resources.requests.as_ref(),
            });
            list.is_some_and(|list| list.contains_key(resource))
        };
        let silent = pod.spec.iter().flat_map(containers).filter(|container| !says(container));
        let mut names: Vec<&str> = silent.map(|container| container.name.as_str()).collect();
        sim::Sort::order(&mut names[..]);
        if !names.is_empty() {
            parts.push(format!("{name} for: {}", names.join(",")));
        }
    }
    (!parts.is_empty()).then(|| format!("must specify {}", parts.join("; ")))
}
