//! A kubelet changes its own node, its own lease and the pods bound to its node, and nothing
//! else of these kinds.
//!
//! Upstream: plugin/pkg/admission/noderestriction/admission.go

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{Container, Node, Pod, PodSpec};
use api::{Key, KindId, Object, Status};
use sim::Sort;

use super::{AdmissionPlugin, Attributes, View};
use crate::{Subresource, Verb};

const MIRROR_ANNOTATION: &str = "kubernetes.io/config.mirror";
const LEASE_NAMESPACE: &str = "kube-node-lease";
const RESTRICTED_LABELS: &str = "node-restriction.kubernetes.io";
/// Labels of Kubernetes that a kubelet may set on its own node, and the namespaces of others.
/// Upstream: staging/src/k8s.io/kubelet/pkg/apis/well_known_labels.go
const KUBELET_LABELS: [&str; 13] = [
    "kubernetes.io/hostname",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "node.kubernetes.io/windows-build",
    "node.kubernetes.io/exclude-disruption",
];
const KUBELET_LABEL_NAMESPACES: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];

pub(super) struct NodeRestriction;

type Words = Result<(), String>;

impl AdmissionPlugin for NodeRestriction {
    fn name(&self) -> &'static str {
        "NodeRestriction"
    }

    fn admit(
        &self,
        request: &Attributes<'_>,
        object: Option<&mut Object>,
        view: &mut View<'_>,
    ) -> Result<(), Status> {
        if !request.identity.groups.iter().any(|group| &**group == "system:nodes") {
            return Ok(());
        }
        let object = object.as_deref();
        let user = &*request.identity.user;
        let checked = match user.strip_prefix("system:node:") {
            None => Err(format!("could not determine node from user {user:?}")),
            Some(node) => match (request.kind.id, request.subresource) {
                (KindId::POD, Subresource::None) => pod(node, request, object, view),
                (KindId::POD, Subresource::Status) => pod_status(node, request, object),
                (KindId::POD, other) => Err(format!(
                    "unexpected pod subresource {:?}, only 'status' and 'eviction' are allowed",
                    other.word()
                )),
                (KindId::NODE, _) => admit_node(node, request, object),
                (KindId::LEASE, _) => lease(node, request, object),
                _ => Ok(()),
            },
        };
        checked.map_err(|words| request.forbidden(object, &words))
    }
}

fn node_of(object: Option<&Object>) -> &str {
    let spec = object.and_then(Object::get::<Pod>).and_then(|pod| pod.spec.as_ref());
    spec.and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()
}

fn pod(node: &str, request: &Attributes<'_>, object: Option<&Object>, view: &View<'_>) -> Words {
    match request.verb {
        Verb::Create => object.map_or(Ok(()), |object| create_pod(node, object, view)),
        Verb::Delete if node_of(request.old) == node => Ok(()),
        Verb::Delete => {
            Err(format!("node {node:?} can only delete pods with spec.nodeName set to itself"))
        }
        _ => Err(format!(
            "unexpected operation \"UPDATE\", node {node:?} can only create and delete mirror pods"
        )),
    }
}

fn create_pod(node: &str, object: &Object, view: &View<'_>) -> Words {
    let annotations = object.meta().annotations.as_ref();
    if !annotations.is_some_and(|annotations| annotations.contains_key(MIRROR_ANNOTATION)) {
        return Err(format!(
            "pod does not have {MIRROR_ANNOTATION:?} annotation, node {node:?} can only create \
             mirror pods"
        ));
    }
    if node_of(Some(object)) != node {
        let words = "can only create pods with spec.nodeName set to itself";
        return Err(format!("node {node:?} {words}"));
    }
    check_owner(node, object, view)?;
    let Some(spec) = object.get::<Pod>().and_then(|pod| pod.spec.as_ref()) else { return Ok(()) };
    let referenced = [
        (
            spec.service_account_name.as_deref().is_some_and(|name| !name.is_empty()),
            "a service account",
        ),
        (refers_to_secrets(spec), "secrets"),
        (refers_to_config_maps(spec), "configmaps"),
        (
            spec.volumes.iter().flatten().any(|volume| volume.persistent_volume_claim.is_some()),
            "persistentvolumeclaims",
        ),
    ];
    match referenced.iter().find(|(refers, _)| *refers) {
        Some((_, what)) => Err(format!("node {node:?} can not create pods that reference {what}")),
        None => Ok(()),
    }
}

fn check_owner(node: &str, object: &Object, view: &View<'_>) -> Words {
    let refused = |words: &str| Err(format!("node {node:?} {words}"));
    let owner = match object.meta().owner_references.as_deref().unwrap_or_default() {
        [owner] => owner,
        [] => return refused("can only create pods with an owner reference set to itself"),
        _ => return refused("can only create pods with a single owner reference set to itself"),
    };
    if owner.api_version != "v1" || owner.kind != "Node" || owner.name != node {
        return refused("can only create pods with an owner reference set to itself");
    }
    if owner.controller != Some(true) {
        return refused("can only create pods with a controller owner reference set to itself");
    }
    if owner.block_owner_deletion == Some(true) {
        return refused("must not set blockOwnerDeletion on an owner reference");
    }
    let Some(stored) = view.get(KindId::NODE, &Key::cluster(node)) else {
        return Err(format!("nodes {node:?} not found"));
    };
    if owner.uid != stored.uid() {
        let (wanted, found) = (&owner.uid, stored.uid());
        return Err(format!("node {node} UID mismatch: expected {wanted} got {found}"));
    }
    Ok(())
}

fn containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.init_containers.iter().flatten().chain(&spec.containers)
}

/// Upstream: pkg/api/pod/util.go, VisitPodSecretNames.
fn refers_to_secrets(spec: &PodSpec) -> bool {
    spec.image_pull_secrets.as_ref().is_some_and(|secrets| !secrets.is_empty())
        || containers(spec).any(|container| {
            container.env_from.iter().flatten().any(|source| source.secret_ref.is_some())
                || container.env.iter().flatten().any(|variable| {
                    let source = variable.value_from.as_ref();
                    source.is_some_and(|source| source.secret_key_ref.is_some())
                })
        })
        || spec.volumes.iter().flatten().any(|volume| {
            let projected = volume.projected.iter().flat_map(|source| source.sources.iter());
            volume.secret.is_some() || projected.flatten().any(|source| source.secret.is_some())
        })
}

/// Upstream: pkg/api/pod/util.go, VisitPodConfigmapNames.
fn refers_to_config_maps(spec: &PodSpec) -> bool {
    containers(spec).any(|container| {
        container.env_from.iter().flatten().any(|source| source.config_map_ref.is_some())
            || container.env.iter().flatten().any(|variable| {
                let source = variable.value_from.as_ref();
                source.is_some_and(|source| source.config_map_key_ref.is_some())
            })
    }) || spec.volumes.iter().flatten().any(|volume| {
        let projected = volume.projected.iter().flat_map(|source| source.sources.iter());
        volume.config_map.is_some() || projected.flatten().any(|source| source.config_map.is_some())
    })
}

fn pod_status(node: &str, request: &Attributes<'_>, object: Option<&Object>) -> Words {
    let (Some(old), Some(new)) = (request.old, object) else {
        return Err(format!("unexpected operation {:?}", request.verb.word().to_uppercase()));
    };
    if node_of(Some(old)) != node {
        let words = "can only update pod status for pods with spec.nodeName set to itself";
        return Err(format!("node {node:?} {words}"));
    }
    if old.meta().labels != new.meta().labels {
        return Err(format!("node {node:?} cannot update labels through pod status"));
    }
    let claims = |object: &Object| {
        let status = object.get::<Pod>().and_then(|pod| pod.status.as_ref());
        status.and_then(|status| status.resource_claim_statuses.clone()).unwrap_or_default()
    };
    if claims(old) != claims(new) {
        return Err(format!("node {node:?} cannot update resource claim statues"));
    }
    Ok(())
}

fn admit_node(node: &str, request: &Attributes<'_>, object: Option<&Object>) -> Words {
    let requested = match (request.name, object) {
        ("", Some(object)) => object.name(),
        (name, _) => name,
    };
    if requested != node {
        return Err(format!("node {node:?} is not allowed to modify node {requested:?}"));
    }
    let Some(new) = object.and_then(Object::get::<Node>) else { return Ok(()) };
    let old = request.old.and_then(Object::get::<Node>);
    let taints =
        |node: &Node| node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
    if old.is_some_and(|old| taints(old) != taints(new)) {
        return Err(format!("node {node:?} is not allowed to modify taints"));
    }
    let none = BTreeMap::new();
    let old_labels = old.and_then(|old| old.metadata.labels.as_ref()).unwrap_or(&none);
    let forbidden = forbidden_labels(new.metadata.labels.as_ref().unwrap_or(&none), old_labels);
    match (forbidden.is_empty(), old.is_some()) {
        (true, _) => Ok(()),
        (_, true) => Err(format!("is not allowed to modify labels: {}", forbidden.join(", "))),
        (_, false) => Err(format!(
            "node {node:?} is not allowed to set the following labels: {}",
            forbidden.join(", ")
        )),
    }
}

type Labels = BTreeMap<String, String>;

/// The labels that differ and that a kubelet may not touch, sorted.
fn forbidden_labels<'l>(new: &'l Labels, old: &'l Labels) -> Vec<&'l str> {
    let differs = |label: &&String| new.get(*label) != old.get(*label);
    let mut labels: Vec<&str> = new
        .keys()
        .chain(old.keys())
        .filter(differs)
        .map(String::as_str)
        .filter(|label| is_forbidden(label))
        .collect();
    labels.order();
    labels.dedup();
    labels
}

fn is_forbidden(label: &str) -> bool {
    let Some((namespace, _)) = label.split_once('/') else { return false };
    let is_below = |domain: &str| {
        namespace == domain
            || namespace.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
    };
    if is_below(RESTRICTED_LABELS) {
        return true;
    }
    let is_of_kubernetes = is_below("kubernetes.io") || is_below("k8s.io");
    let is_of_kubelet = KUBELET_LABELS.contains(&label)
        || KUBELET_LABEL_NAMESPACES.iter().any(|domain| is_below(domain));
    is_of_kubernetes && !is_of_kubelet
}

fn lease(node: &str, request: &Attributes<'_>, object: Option<&Object>) -> Words {
    if request.namespace != LEASE_NAMESPACE {
        return Err(format!("can only access leases in the {LEASE_NAMESPACE:?} system namespace"));
    }
    let name = match (request.verb, object) {
        (Verb::Create, Some(object)) => object.name(),
        _ => request.name,
    };
    if name != node {
        let words = "can only access node lease with the same name as the requesting node";
        return Err(words.to_string());
    }
    Ok(())
}
