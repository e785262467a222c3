//! What the scheduler knows of a pod and of a node, precomputed for its plugins.
//!
//! Upstream: pkg/scheduler/framework/types.go

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Key;
use api::openapi::api::core::v1::{ContainerImage, Node, Pod, Taint};
use api::quantity::Amount;
use component_helpers::host_ports::{HostPort, UsedPorts, host_ports};
use component_helpers::node_affinity::{PreferredTerms, RequiredNodeAffinity};
use component_helpers::resources::{
    Amounts, PodResourcesOptions, amounts, is_pod_level_requests_set, pod_requests,
};
use sim::{Digest, Digestible, Fingerprint, OrdMap, OrdSet, SmallMap, SmallSet, Time};

use super::affinity_term::{AffinityTerm, PodAffinityTerms, WeightedAffinityTerm};
use super::pod_groups::{PodGroups, group_of};

/// What a container is taken to request for scoring when it says nothing.
/// Upstream: pkg/scheduler/util/pod_resources.go
const DEFAULT_MILLI_CPU_REQUEST: i64 = 100;
const DEFAULT_MEMORY_REQUEST: i64 = 200 * 1024 * 1024;

const HOSTNAME_LABEL: &str = "kubernetes.io/hostname";
const ZONE_LABEL: &str = "topology.kubernetes.io/zone";

/// Amounts of resources in the units that the scheduler reckons in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// Thousandths of a CPU.
    pub milli_cpu: i64,
    /// Bytes of memory.
    pub memory: i64,
    /// Bytes of local storage.
    pub ephemeral_storage: i64,
    /// How many pods.
    pub allowed_pod_number: i64,
    /// Everything else: extended resources, huge pages.
    pub scalar: SmallMap<String, i64>,
}

impl Resource {
    /// The amounts, in the scheduler's units.
    #[must_use]
    pub fn new(amounts: &Amounts) -> Self {
        let mut resource = Resource::default();
        for (name, amount) in amounts {
            match name.as_str() {
                "cpu" => resource.milli_cpu = amount.milli_value(),
                "memory" => resource.memory = amount.value(),
                "ephemeral-storage" => resource.ephemeral_storage = amount.value(),
                "pods" => resource.allowed_pod_number = amount.value(),
                _ if is_scalar_resource_name(name) => {
                    resource.scalar.insert(name.clone(), amount.value());
                }
                _ => {}
            }
        }
        resource
    }

    /// What a node can give.
    #[must_use]
    pub fn allocatable(node: &Node) -> Self {
        let list = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
        list.map(|list| Resource::new(&amounts(list))).unwrap_or_default()
    }

    fn add(&mut self, other: &Resource) {
        self.milli_cpu += other.milli_cpu;
        self.memory += other.memory;
        self.ephemeral_storage += other.ephemeral_storage;
        for (name, amount) in &other.scalar {
            *self.scalar.entry(name.clone()).or_default() += amount;
        }
    }

    fn subtract(&mut self, other: &Resource) {
        self.milli_cpu -= other.milli_cpu;
        self.memory -= other.memory;
        self.ephemeral_storage -= other.ephemeral_storage;
        for (name, amount) in &other.scalar {
            *self.scalar.entry(name.clone()).or_default() -= amount;
        }
    }
}

/// Whether a resource is counted though the scheduler does not know it by name.
/// Upstream: pkg/scheduler/util/utils.go, IsScalarResourceName.
fn is_scalar_resource_name(name: &str) -> bool {
    let is_native = !name.contains('/') || name.contains("kubernetes.io/");
    let is_extended = !is_native && !name.starts_with("requests.");
    is_extended
        || name.starts_with("hugepages-")
        || name.starts_with("attachable-volumes-")
        || (name.contains("kubernetes.io/") && name.contains('/'))
}

/// What follows from a pod's spec and is computed once.
#[derive(Debug)]
struct PodFacts {
    resource: Resource,
    non_zero_milli_cpu: i64,
    non_zero_memory: i64,
    host_ports: Vec<HostPort>,
    required_node_affinity: RequiredNodeAffinity,
    preferred_node_affinity: PreferredTerms,
    affinity_terms: PodAffinityTerms,
}

impl PodFacts {
    fn new(pod: &Pod) -> Self {
        let mut options = PodResourcesOptions { use_status_resources: true, ..Default::default() };
        let requests = pod_requests(pod, &options);
        options.non_missing_container_requests = non_missing_requests(pod, &requests);
        let non_zero = pod_requests(pod, &options);
        let amount = |name: &str| non_zero.get(name).copied().unwrap_or_default();
        PodFacts {
            resource: Resource::new(&requests),
            non_zero_milli_cpu: amount("cpu").milli_value(),
            non_zero_memory: amount("memory").value(),
            host_ports: host_ports(pod),
            required_node_affinity: RequiredNodeAffinity::of(pod),
            preferred_node_affinity: PreferredTerms::of(pod),
            affinity_terms: PodAffinityTerms::of(pod),
        }
    }
}

fn non_missing_requests(pod: &Pod, requests: &Amounts) -> Amounts {
    let defaults = [
        ("cpu", Amount::millis(DEFAULT_MILLI_CPU_REQUEST)),
        ("memory", Amount::units(DEFAULT_MEMORY_REQUEST)),
    ];
    let is_pod_level = pod.spec.as_ref().is_some_and(is_pod_level_requests_set);
    let missing =
        defaults.iter().filter(|(name, _)| !is_pod_level || !requests.contains_key(*name));
    missing.map(|(name, amount)| (name.to_string(), *amount)).collect()
}

/// A pod and what follows from it. Cloning it shares everything.
#[derive(Clone, Debug)]
pub struct PodInfo {
    /// Its key.
    pub key: Key,
    /// The pod.
    pub pod: Arc<Pod>,
    facts: Arc<PodFacts>,
    group: Fingerprint,
}

impl PodInfo {
    /// Computes what follows from the pod.
    #[must_use]
    pub fn new(pod: Arc<Pod>) -> Self {
        let facts = Arc::new(PodFacts::new(&pod));
        PodInfo { key: Key::of(&pod.metadata), group: group_of(&pod), pod, facts }
    }

    /// The newer version of the pod; nothing is computed again when neither its spec nor what
    /// the kubelet says of its resources has changed.
    #[must_use]
    pub fn updated(&self, pod: Arc<Pod>) -> Self {
        if !has_same_spec(&self.pod, &pod) || !has_same_allocation(&self.pod, &pod) {
            return PodInfo::new(pod);
        }
        let is_same = self.pod.metadata.labels == pod.metadata.labels;
        let group = if is_same { self.group } else { group_of(&pod) };
        PodInfo { key: self.key.clone(), pod, facts: self.facts.clone(), group }
    }

    /// The pod's UID.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.pod.metadata.uid.as_deref().unwrap_or_default()
    }

    /// The pod's priority.
    #[must_use]
    pub fn priority(&self) -> i32 {
        pod_priority(&self.pod)
    }

    /// What it requests.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.facts.resource
    }

    /// The CPU it requests, with a default for containers that request none.
    #[must_use]
    pub fn non_zero_milli_cpu(&self) -> i64 {
        self.facts.non_zero_milli_cpu
    }

    /// The memory it requests, with a default for containers that request none.
    #[must_use]
    pub fn non_zero_memory(&self) -> i64 {
        self.facts.non_zero_memory
    }

    /// The ports of its node that it takes.
    #[must_use]
    pub fn host_ports(&self) -> &[HostPort] {
        &self.facts.host_ports
    }

    /// What it requires of its node's labels and name.
    #[must_use]
    pub fn required_node_affinity(&self) -> &RequiredNodeAffinity {
        &self.facts.required_node_affinity
    }

    /// What names its namespace and labels.
    pub(super) fn group(&self) -> Fingerprint {
        self.group
    }

    /// The pods that must be where it is.
    #[must_use]
    pub fn required_affinity(&self) -> &[AffinityTerm] {
        &self.facts.affinity_terms.required_affinity
    }

    /// The pods that must not be where it is.
    #[must_use]
    pub fn required_anti_affinity(&self) -> &[AffinityTerm] {
        &self.facts.affinity_terms.required_anti_affinity
    }

    /// The pods that had better be where it is.
    #[must_use]
    pub fn preferred_affinity(&self) -> &[WeightedAffinityTerm] {
        &self.facts.affinity_terms.preferred_affinity
    }

    /// The pods that had better not be where it is.
    #[must_use]
    pub fn preferred_anti_affinity(&self) -> &[WeightedAffinityTerm] {
        &self.facts.affinity_terms.preferred_anti_affinity
    }

    /// Which nodes it prefers.
    #[must_use]
    pub fn preferred_node_affinity(&self) -> &PreferredTerms {
        &self.facts.preferred_node_affinity
    }
}

/// Whether two versions of a pod ask for the same. The generation counts every change of the
/// spec but the binding, from which nothing follows.
pub(crate) fn has_same_spec(one: &Pod, other: &Pod) -> bool {
    match (one.metadata.generation, other.metadata.generation) {
        (Some(one), Some(other)) => one == other,
        _ => one.spec == other.spec,
    }
}

/// Whether the kubelet says the same of the resources of both pods' containers.
pub(crate) fn has_same_allocation(one: &Pod, other: &Pod) -> bool {
    allocated(one).eq(allocated(other))
}

/// What the kubelet says of the resources of a pod's containers.
fn allocated(pod: &Pod) -> impl Iterator<Item = impl PartialEq + '_> {
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_ref());
    let sidecars = status.and_then(|status| status.init_container_statuses.as_ref());
    let statuses = containers.into_iter().flatten().chain(sidecars.into_iter().flatten());
    statuses
        .filter(|status| status.resources.is_some() || status.allocated_resources.is_some())
        .map(|status| (&status.name, &status.resources, &status.allocated_resources))
}

/// The pod's priority. Upstream: corev1helpers.PodPriority.
#[must_use]
pub fn pod_priority(pod: &Pod) -> i32 {
    pod.spec.as_ref().and_then(|spec| spec.priority).unwrap_or(0)
}

/// A node, the pods on it, and what they use together.
#[derive(Clone, Debug, Default)]
pub struct NodeInfo {
    /// The node's name.
    pub name: Arc<str>,
    /// The node; `None` when only pods that name it are known.
    pub node: Option<Arc<Node>>,
    /// The pods on it.
    pub pods: OrdMap<Key, PodInfo>,
    /// What its pods request.
    pub requested: Resource,
    /// The CPU its pods request, with a default for containers that request none.
    pub non_zero_milli_cpu: i64,
    /// The memory its pods request, with a default for containers that request none.
    pub non_zero_memory: i64,
    /// What it can give.
    pub allocatable: Resource,
    /// The ports its pods take.
    pub used_ports: UsedPorts,
    /// Its pods by namespace and labels.
    pub groups: PodGroups,
    /// Those of its pods that say which pods they want near or far.
    pub pods_with_affinity: OrdSet<Key>,
    /// Those of its pods that must not be where others are.
    pub pods_with_required_anti_affinity: OrdSet<Key>,
    /// The sizes of the images that it holds, by name.
    pub images: Arc<SmallMap<String, i64>>,
    hostname: Option<Arc<str>>,
    zone: Option<Arc<str>>,
}

/// The key of a label that says which nodes are one place. The values of the usual ones are at
/// hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopologyKey {
    /// Every node is a place.
    Hostname,
    /// Every zone is.
    Zone,
    /// Another label.
    Other(String),
}

impl TopologyKey {
    /// The key of that name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        match name {
            HOSTNAME_LABEL => TopologyKey::Hostname,
            ZONE_LABEL => TopologyKey::Zone,
            other => TopologyKey::Other(other.to_string()),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            TopologyKey::Hostname => HOSTNAME_LABEL,
            TopologyKey::Zone => ZONE_LABEL,
            TopologyKey::Other(name) => name,
        }
    }
}

impl NodeInfo {
    /// A node of which nothing is known but its name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        NodeInfo { name: name.into(), ..NodeInfo::default() }
    }

    /// Takes the node in.
    pub fn set_node(&mut self, node: Arc<Node>) {
        if self.node.as_ref().is_none_or(|old| old.status != node.status) {
            self.allocatable = Resource::allocatable(&node);
        }
        let same_images = |old: &Arc<Node>| images(old) == images(&node);
        if !self.node.as_ref().is_some_and(same_images) {
            self.images = Arc::new(image_sizes(&node));
        }
        let same_labels = |old: &Arc<Node>| old.metadata.labels == node.metadata.labels;
        if !self.node.as_ref().is_some_and(same_labels) {
            let value = |key| Some(node.metadata.labels.as_ref()?.get(key)?.as_str().into());
            (self.hostname, self.zone) = (value(HOSTNAME_LABEL), value(ZONE_LABEL));
        }
        self.node = Some(node);
    }

    /// Which place the node is in, of those that the key tells apart.
    #[must_use]
    pub fn place(&self, key: &TopologyKey) -> Option<&str> {
        match key {
            TopologyKey::Hostname => self.hostname.as_deref(),
            TopologyKey::Zone => self.zone.as_deref(),
            TopologyKey::Other(name) => self.labels().get(name).map(String::as_str),
        }
    }

    /// The node's labels.
    #[must_use]
    pub fn labels(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        self.node.as_ref().and_then(|node| node.metadata.labels.as_ref()).unwrap_or(&NONE)
    }

    /// The node's taints.
    #[must_use]
    pub fn taints(&self) -> &[Taint] {
        let spec = self.node.as_ref().and_then(|node| node.spec.as_ref());
        spec.and_then(|spec| spec.taints.as_deref()).unwrap_or_default()
    }

    /// Puts a pod on the node, in place of an older version of it.
    pub fn add_pod(&mut self, pod: PodInfo) {
        self.requested.add(pod.resource());
        self.non_zero_milli_cpu += pod.non_zero_milli_cpu();
        self.non_zero_memory += pod.non_zero_memory();
        pod.host_ports().iter().for_each(|port| self.used_ports.add(port));
        self.groups.add(&pod);
        let has = [!pod.facts.affinity_terms.is_empty(), !pod.required_anti_affinity().is_empty()];
        for (set, has) in [&mut self.pods_with_affinity, &mut self.pods_with_required_anti_affinity]
            .into_iter()
            .zip(has)
        {
            if has {
                set.insert(pod.key.clone());
            } else {
                set.remove(&pod.key);
            }
        }
        if let Some(old) = self.pods.insert(pod.key.clone(), pod) {
            self.release(&old);
        }
    }

    /// Takes a pod off the node.
    pub fn remove_pod(&mut self, key: &Key) -> Option<PodInfo> {
        let pod = self.pods.remove(key)?;
        self.pods_with_affinity.remove(key);
        self.pods_with_required_anti_affinity.remove(key);
        self.release(&pod);
        Some(pod)
    }

    fn release(&mut self, pod: &PodInfo) {
        self.groups.remove(pod);
        self.requested.subtract(pod.resource());
        self.non_zero_milli_cpu -= pod.non_zero_milli_cpu();
        self.non_zero_memory -= pod.non_zero_memory();
        pod.host_ports().iter().for_each(|port| self.used_ports.remove(port));
        if let Some(current) = self.pods.get(&pod.key) {
            let ports = current.host_ports();
            ports.iter().for_each(|port| self.used_ports.add(port));
        }
    }
}

/// The images that a node says it holds.
fn images(node: &Node) -> Option<&Vec<ContainerImage>> {
    node.status.as_ref()?.images.as_ref()
}

/// The sizes of the images that a node says it holds, by name.
fn image_sizes(node: &Node) -> SmallMap<String, i64> {
    let named = images(node).into_iter().flatten().flat_map(|image| {
        let size = image.size_bytes.unwrap_or(0);
        image.names.iter().flatten().map(move |name| (name.clone(), size))
    });
    named.collect()
}

/// A pod in the queue, and its history there.
#[derive(Clone, Debug)]
pub struct QueuedPodInfo {
    /// The pod.
    pub pod: PodInfo,
    /// Its number among all pods that came into the queue, which decides between equals.
    pub sequence: u64,
    /// When it last came into the queue.
    pub timestamp: Time,
    /// How often a node was sought for it.
    pub attempts: u32,
    /// How often no node could take it.
    pub unschedulable_count: u32,
    /// How often in a row something broke.
    pub consecutive_errors_count: u32,
    /// When its back-off ends, once that has been reckoned.
    pub backoff_expiration: Option<Time>,
    /// When a node was first sought for it.
    pub initial_attempt: Option<Time>,
    /// The plugins that turned it away last.
    pub unschedulable_plugins: SmallSet<&'static str>,
    /// The plugins that wait for something outside.
    pub pending_plugins: SmallSet<&'static str>,
    /// The plugin that keeps it from the active queue.
    pub gating_plugin: Option<&'static str>,
}

impl QueuedPodInfo {
    /// A pod that comes into the queue.
    #[must_use]
    pub fn new(pod: PodInfo, now: Time, sequence: u64) -> Self {
        QueuedPodInfo {
            pod,
            sequence,
            timestamp: now,
            attempts: 0,
            unschedulable_count: 0,
            consecutive_errors_count: 0,
            backoff_expiration: None,
            initial_attempt: None,
            unschedulable_plugins: SmallSet::new(),
            pending_plugins: SmallSet::new(),
            gating_plugin: None,
        }
    }

    /// Whether plugins, and not an error, kept it from a node.
    #[must_use]
    pub fn was_rejected(&self) -> bool {
        !self.unschedulable_plugins.is_empty() || !self.pending_plugins.is_empty()
    }
}

impl Digestible for QueuedPodInfo {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.pod.key);
        digest.str(self.pod.uid());
        digest.str(self.pod.pod.metadata.resource_version.as_deref().unwrap_or_default());
        digest.u64(self.sequence);
        digest.add(&self.timestamp);
        digest.add(&self.attempts);
        digest.add(&self.unschedulable_count);
        digest.add(&self.consecutive_errors_count);
        digest.add(&self.backoff_expiration);
        digest.add(&self.initial_attempt);
        digest.add(&self.unschedulable_plugins);
        digest.add(&self.pending_plugins);
        digest.add(&self.gating_plugin);
    }
}
