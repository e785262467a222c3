//! The specification of a pod, in a pod or in a template.

use k8s_openapi::api::core::v1::{
    HostAlias, PodDNSConfig, PodReadinessGate, PodResourceClaim, PodSpec, PodTemplateSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sim::SmallSet;

use super::containers::{self, Surroundings};
use super::{
    dns_label, dns_subdomain, ephemeral, invalid_each, json, list, meta, names, pod,
    qualified_name, resources, scheduling, security, spread, supported, text, volumes,
};
use crate::field::{Error, ErrorList, Path};

/// Upstream: ValidatePodSpec. The metadata is given for pods only.
pub(super) fn pod_spec(
    spec: &PodSpec,
    pod_meta: Option<&ObjectMeta>,
    path: &Path,
    errors: &mut ErrorList,
) {
    if spec.termination_grace_period_seconds.is_none() {
        errors.push(Error::required(&path.child("terminationGracePeriodSeconds"), ""));
    }
    let pod_name = pod_meta.map(|meta| text(&meta.name)).filter(|name| !name.is_empty());
    let volumes = volumes::volumes(list(&spec.volumes), pod_name, &path.child("volumes"), errors);
    let claims = list(&spec.resource_claims);
    resource_claims(claims, &path.child("resourceClaims"), errors);
    let claim_names = claims.iter().map(|claim| claim.name.as_str());
    let claim_names: SmallSet<&str> = claim_names.filter(|name| !name.is_empty()).collect();
    let around = Surroundings { spec, volumes, claim_names };
    containers::containers(&around, &path.child("containers"), errors);
    containers::init_containers(&around, &path.child("initContainers"), errors);
    ephemeral::ephemeral_containers(&around, &path.child("ephemeralContainers"), errors);
    resources::pod_requirements(spec, &around.claim_names, &path.child("resources"), errors);
    host_network_ports(spec, pod_meta.is_some(), path, errors);
    policies(spec, path, errors);
    meta::labels(spec.node_selector.as_ref(), &path.child("nodeSelector"), errors);
    if let Some(context) = &spec.security_context {
        security::pod_context(context, spec, &path.child("securityContext"), errors);
    }
    if let Some(affinity) = &spec.affinity {
        scheduling::affinity(affinity, &path.child("affinity"), errors);
    }
    let dns_config = spec.dns_config.as_ref();
    dns(dns_config, text(&spec.dns_policy), &path.child("dnsConfig"), errors);
    readiness_gates(list(&spec.readiness_gates), &path.child("readinessGates"), errors);
    let gates = list(&spec.scheduling_gates);
    scheduling::scheduling_gates(gates, &path.child("schedulingGates"), errors);
    let constraints = list(&spec.topology_spread_constraints);
    let constraints_path = path.child("topologySpreadConstraints");
    spread::topology_spread_constraints(constraints, &constraints_path, errors);
    security::host_users(spec, path, errors);
    references(spec, path, errors);
    if let Some(overhead) = &spec.overhead {
        resources::overhead(overhead, &path.child("overhead"), errors);
    }
    security::operating_system(spec, path, errors);
}

/// Restart policy and DNS policy.
fn policies(spec: &PodSpec, path: &Path, errors: &mut ErrorList) {
    let restart: &[&str] = &["Always", "OnFailure", "Never"];
    let dns: &[&str] = &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    for (name, policy, known) in [
        ("restartPolicy", text(&spec.restart_policy), restart),
        ("dnsPolicy", text(&spec.dns_policy), dns),
    ] {
        if policy.is_empty() {
            errors.push(Error::required(&path.child(name), ""));
        } else {
            supported(policy, known, &path.child(name), errors);
        }
    }
}

/// Names of other objects, of the pod in the network, and what else stands alone, in the order
/// in which upstream looks at it.
fn references(spec: &PodSpec, path: &Path, errors: &mut ErrorList) {
    let subdomain = |name: &str, field: &str, errors: &mut ErrorList| {
        if !name.is_empty() {
            dns_subdomain(name, &path.child(field), errors);
        }
    };
    subdomain(text(&spec.service_account_name), "serviceAccountName", errors);
    subdomain(text(&spec.node_name), "nodeName", errors);
    let most = i64::from(i32::MAX);
    if let Some(seconds) = spec.active_deadline_seconds.filter(|it| !(1..=most).contains(it)) {
        let message = names::inclusive_range(1, most);
        errors.push(Error::invalid(&path.child("activeDeadlineSeconds"), seconds, message));
    }
    for (field, label) in [("hostname", &spec.hostname), ("subdomain", &spec.subdomain)] {
        if !text(label).is_empty() {
            dns_label(text(label), &path.child(field), errors);
        }
    }
    hostname_override(spec, &path.child("hostnameOverride"), errors);
    scheduling::tolerations(list(&spec.tolerations), &path.child("tolerations"), errors);
    host_aliases(list(&spec.host_aliases), &path.child("hostAliases"), errors);
    subdomain(text(&spec.priority_class_name), "priorityClassName", errors);
    if let Some(class) = &spec.runtime_class_name {
        dns_subdomain(class, &path.child("runtimeClassName"), errors);
    }
    if let Some(policy) = &spec.preemption_policy {
        preemption_policy(policy, &path.child("preemptionPolicy"), errors);
    }
}

/// Upstream: ValidatePreemptionPolicy.
pub(super) fn preemption_policy(policy: &str, path: &Path, errors: &mut ErrorList) {
    if policy.is_empty() {
        errors.push(Error::required(path, ""));
    } else {
        supported(policy, &["PreemptLowerPriority", "Never"], path, errors);
    }
}

fn hostname_override(spec: &PodSpec, path: &Path, errors: &mut ErrorList) {
    let Some(hostname) = &spec.hostname_override else { return };
    if hostname.len() > 64 {
        errors.push(Error::too_long(path, 64));
    }
    dns_subdomain(hostname, path, errors);
}

/// Upstream: ValidateHostAliases.
fn host_aliases(aliases: &[HostAlias], path: &Path, errors: &mut ErrorList) {
    for (index, alias) in aliases.iter().enumerate() {
        let path = path.index(index);
        invalid_each(names::ip(&alias.ip), &path.child("ip"), &alias.ip, errors);
        for (index, hostname) in list(&alias.hostnames).iter().enumerate() {
            dns_subdomain(hostname, &path.child("hostnames").index(index), errors);
        }
    }
}

/// Upstream: validatePodHostNetworkDeps.
fn host_network_ports(spec: &PodSpec, is_pod: bool, path: &Path, errors: &mut ErrorList) {
    if spec.host_network != Some(true) {
        return;
    }
    for (index, container) in spec.containers.iter().enumerate() {
        for (port_index, port) in list(&container.ports).iter().enumerate() {
            let host_port = port.host_port.unwrap_or_default();
            // Templates leave the host's port out: it is set when a pod is made of them.
            if host_port != port.container_port && (is_pod || host_port != 0) {
                let path = path.child("containers").index(index).child("ports").index(port_index);
                let message = "must match `containerPort` when `hostNetwork` is true";
                errors.push(Error::invalid(&path.child("hostPort"), host_port, message));
            }
        }
    }
}

fn readiness_gates(gates: &[PodReadinessGate], path: &Path, errors: &mut ErrorList) {
    for (index, gate) in gates.iter().enumerate() {
        qualified_name(&gate.condition_type, &path.index(index).child("conditionType"), errors);
    }
}

/// Upstream: validatePodResourceClaims.
fn resource_claims(claims: &[PodResourceClaim], path: &Path, errors: &mut ErrorList) {
    let mut seen = SmallSet::new();
    for (index, claim) in claims.iter().enumerate() {
        let path = path.index(index);
        let name_path = path.child("name");
        if claim.name.is_empty() {
            errors.push(Error::required(&name_path, ""));
        } else if !seen.insert(&claim.name) {
            errors.push(Error::duplicate(&name_path, claim.name.as_str()));
        } else {
            dns_label(&claim.name, &name_path, errors);
        }
        let message = match (&claim.resource_claim_name, &claim.resource_claim_template_name) {
            (Some(_), Some(_)) => Some(
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
            ),
            (None, None) => {
                Some("must specify one of: `resourceClaimName`, `resourceClaimTemplateName`")
            }
            _ => None,
        };
        if let Some(message) = message {
            errors.push(Error::invalid(&path, json(claim), message));
        }
        for (field, name) in [
            ("resourceClaimName", &claim.resource_claim_name),
            ("resourceClaimTemplateName", &claim.resource_claim_template_name),
        ] {
            if let Some(name) = name {
                dns_subdomain(name, &path.child(field), errors);
            }
        }
    }
}

/// Upstream: validatePodDNSConfig.
fn dns(config: Option<&PodDNSConfig>, policy: &str, path: &Path, errors: &mut ErrorList) {
    let nameservers_path = path.child("nameservers");
    if policy == "None" {
        let Some(config) = config else {
            let message = "must provide `dnsConfig` when `dnsPolicy` is None";
            errors.push(Error::required(path, message));
            return;
        };
        if list(&config.nameservers).is_empty() {
            let message = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            errors.push(Error::required(&nameservers_path, message));
            return;
        }
    }
    let Some(config) = config else { return };
    let nameservers = list(&config.nameservers);
    if nameservers.len() > 3 {
        let message = "must not have more than 3 nameservers";
        errors.push(Error::invalid(&nameservers_path, json(&nameservers), message));
    }
    for (index, address) in nameservers.iter().enumerate() {
        invalid_each(names::ip(address), &nameservers_path.index(index), address, errors);
    }
    let searches = list(&config.searches);
    let searches_path = path.child("searches");
    if searches.len() > 32 {
        let message = "must not have more than 32 search paths";
        errors.push(Error::invalid(&searches_path, json(&searches), message));
    }
    if searches.join(" ").len() > 2048 {
        let message =
            "must not have more than 2048 characters (including spaces) in the search list";
        errors.push(Error::invalid(&searches_path, json(&searches), message));
    }
    for (index, search) in searches.iter().enumerate().filter(|(_, search)| *search != ".") {
        let search = search.strip_suffix('.').unwrap_or(search);
        let messages = names::dns_subdomain_with_underscore(search);
        invalid_each(messages, &searches_path.index(index), search, errors);
    }
    for (index, option) in list(&config.options).iter().enumerate() {
        if text(&option.name).is_empty() {
            errors.push(Error::required(&path.child("options").index(index), "must not be empty"));
        }
    }
}

/// Upstream: ValidatePodTemplateSpec.
pub(super) fn pod_template(template: &PodTemplateSpec, path: &Path, errors: &mut ErrorList) {
    let no_meta = ObjectMeta::default();
    let template_meta = template.metadata.as_ref().unwrap_or(&no_meta);
    meta::labels(template_meta.labels.as_ref(), &path.child("labels"), errors);
    let annotations = template_meta.annotations.as_ref();
    let annotations_path = path.child("annotations");
    meta::annotations(annotations, &annotations_path, errors);
    let no_spec = PodSpec::default();
    let spec = template.spec.as_ref().unwrap_or(&no_spec);
    pod::specific_annotations(annotations, spec, &annotations_path, errors);
    pod_spec(spec, None, &path.child("spec"), errors);
    if !list(&spec.ephemeral_containers).is_empty() {
        let message = "ephemeral containers not allowed in pod template";
        errors.push(Error::forbidden(&path.child("spec").child("ephemeralContainers"), message));
    }
}
