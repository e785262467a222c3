//! What a ResourceQuota can limit, and which scopes tell apart what.
//!
//! Upstream: pkg/apis/core/helper/helpers.go

/// Prefix of the limits on the number of objects of a resource: `count/deployments.apps`.
pub const COUNT_PREFIX: &str = "count/";

/// What is limited of pods in the scopes that tell pods apart by what they request.
const POD_COMPUTE: [&str; 7] =
    ["pods", "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
const OTHERS: [&str; 12] = [
    "ephemeral-storage",
    "requests.ephemeral-storage",
    "limits.ephemeral-storage",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
    "requests.storage",
];

/// Whether a name without a slash is that of something a quota can limit.
/// Upstream: IsStandardQuotaResourceName.
#[must_use]
pub fn is_standard_resource(name: &str) -> bool {
    let is_huge = name.starts_with("hugepages-") || name.starts_with("requests.hugepages-");
    POD_COMPUTE.contains(&name) || OTHERS.contains(&name) || is_huge
}

/// Whether a scope can tell apart what is limited.
/// Upstream: IsResourceQuotaScopeValidForResource.
#[must_use]
pub fn is_scope_valid_for(scope: &str, resource: &str) -> bool {
    let is_compute = POD_COMPUTE.contains(&resource);
    let is_storage = resource.ends_with("ephemeral-storage") || resource.contains("hugepages-");
    match scope {
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => {
            matches!(resource, "persistentvolumeclaims" | "requests.storage")
        }
        "Terminating"
        | "NotTerminating"
        | "NotBestEffort"
        | "PriorityClass"
        | "CrossNamespacePodAffinity" => is_compute || is_storage,
        _ => true,
    }
}
