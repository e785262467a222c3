//! What a node says of itself. Upstream: pkg/kubelet/nodestatus/setters.go.

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{
    ContainerImage, DaemonEndpoint, Node as NodeObject, NodeAddress, NodeCondition,
    NodeDaemonEndpoints, NodeSpec as NodeObjectSpec, NodeStatus, NodeSystemInfo,
};
use api::openapi::apimachinery::pkg::api::resource::Quantity;
use api::openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time as MetaTime};
use sim::Stream;

use crate::node_spec::NodeSpec;

const KUBELET_VERSION: &str = "v1.37.0";
const CONTAINER_RUNTIME_VERSION: &str = "containerd://2.3.4";
const KERNEL_VERSION: &str = "6.12.48";
const OS_IMAGE: &str = "Debian GNU/Linux 13 (trixie)";
const ARCHITECTURE: &str = "amd64";
const OPERATING_SYSTEM: &str = "linux";
const KUBELET_PORT: i32 = 10250;
/// What is kept from pods so that eviction can begin in time.
/// Upstream: pkg/kubelet/apis/config/v1beta1/defaults_linux.go, memory.available.
const EVICTION_RESERVE_KI: u64 = 100 << 10;
pub(crate) const NETWORK_NOT_READY: &str = "container runtime network not ready: NetworkReady=false \
     reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized";

/// What tells one machine from another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    machine_id: String,
    system_uuid: String,
    boot_id: String,
}

impl Facts {
    pub(crate) fn draw(random: &mut Stream) -> Self {
        let mut hex = || format!("{:016x}{:016x}", random.next_u64(), random.next_u64());
        let uuid = |hex: &str| {
            let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_string();
            [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
        };
        let machine_id = hex();
        Facts { machine_id, system_uuid: uuid(&hex()), boot_id: uuid(&hex()) }
    }
}

impl Facts {
    /// Takes the boot id of fresh facts, and returns it.
    pub(crate) fn reboot(&mut self, fresh: Facts) -> String {
        self.boot_id = fresh.boot_id;
        self.boot_id.clone()
    }
}

/// The labels that the kubelet sets.
pub(crate) fn labels(spec: &NodeSpec) -> BTreeMap<String, String> {
    let own = [
        ("beta.kubernetes.io/arch", ARCHITECTURE),
        ("beta.kubernetes.io/os", OPERATING_SYSTEM),
        ("kubernetes.io/arch", ARCHITECTURE),
        ("kubernetes.io/hostname", spec.name.as_str()),
        ("kubernetes.io/os", OPERATING_SYSTEM),
    ];
    let mut labels: BTreeMap<String, String> =
        own.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect();
    labels.extend(spec.labels.iter().cloned());
    labels
}

/// The object that the kubelet registers.
pub(crate) fn initial_node(spec: &NodeSpec) -> NodeObject {
    let pod_cidr = Some(spec.pod_cidr.clone()).filter(|range| !range.is_empty());
    let attach = "volumes.kubernetes.io/controller-managed-attach-detach";
    NodeObject {
        metadata: ObjectMeta {
            name: Some(spec.name.clone()),
            labels: Some(labels(spec)),
            annotations: Some(BTreeMap::from([(attach.to_string(), "true".to_string())])),
            ..ObjectMeta::default()
        },
        spec: Some(NodeObjectSpec {
            pod_cidrs: pod_cidr.clone().map(|range| vec![range]),
            pod_cidr,
            taints: (!spec.taints.is_empty()).then(|| spec.taints.clone()),
            ..NodeObjectSpec::default()
        }),
        status: None,
    }
}

fn cpu(milli: u64) -> Quantity {
    Quantity(if milli.is_multiple_of(1000) {
        (milli / 1000).to_string()
    } else {
        format!("{milli}m")
    })
}

fn capacity(spec: &NodeSpec, allocatable: bool) -> BTreeMap<String, Quantity> {
    let memory = spec.memory_bytes / 1024;
    let storage = spec.ephemeral_storage_bytes;
    let (memory, storage) = if allocatable {
        (memory.saturating_sub(EVICTION_RESERVE_KI), (storage / 10 * 9).to_string())
    } else {
        (memory, format!("{}Ki", storage / 1024))
    };
    let list = [
        ("cpu", cpu(spec.cpu_milli)),
        ("ephemeral-storage", Quantity(storage)),
        ("hugepages-1Gi", Quantity("0".to_string())),
        ("hugepages-2Mi", Quantity("0".to_string())),
        ("memory", Quantity(format!("{memory}Ki"))),
        ("pods", Quantity(spec.pods.to_string())),
    ];
    list.into_iter().map(|(name, quantity)| (name.to_string(), quantity)).collect()
}

/// Brings a node's status up to date.
pub(crate) fn set(
    node: &mut NodeObject,
    spec: &NodeSpec,
    facts: &Facts,
    images: Vec<ContainerImage>,
    is_ready: bool,
    now: &MetaTime,
) {
    let status: &mut NodeStatus = node.status.get_or_insert_default();
    let address = |kind: &str, address: &str| NodeAddress {
        type_: kind.to_string(),
        address: address.to_string(),
    };
    status.addresses =
        Some(vec![address("InternalIP", &spec.address), address("Hostname", &spec.name)]);
    status.capacity = Some(capacity(spec, false));
    status.allocatable = Some(capacity(spec, true));
    status.daemon_endpoints =
        Some(NodeDaemonEndpoints { kubelet_endpoint: Some(DaemonEndpoint { port: KUBELET_PORT }) });
    status.node_info = Some(NodeSystemInfo {
        architecture: ARCHITECTURE.to_string(),
        boot_id: facts.boot_id.clone(),
        container_runtime_version: CONTAINER_RUNTIME_VERSION.to_string(),
        kernel_version: KERNEL_VERSION.to_string(),
        kubelet_version: KUBELET_VERSION.to_string(),
        machine_id: facts.machine_id.clone(),
        operating_system: OPERATING_SYSTEM.to_string(),
        os_image: OS_IMAGE.to_string(),
        system_uuid: facts.system_uuid.clone(),
        ..NodeSystemInfo::default()
    });
    status.images = (!images.is_empty()).then_some(images);
    let conditions = status.conditions.get_or_insert_default();
    for (kind, holds, reason, message) in [
        (
            "MemoryPressure",
            false,
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        ("DiskPressure", false, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        // Upstream keeps Ready the last of them.
        match is_ready {
            true => ("Ready", true, "KubeletReady", "kubelet is posting ready status"),
            false => ("Ready", false, "KubeletNotReady", NETWORK_NOT_READY),
        },
    ] {
        set_condition(conditions, kind, holds, (reason, message), now);
    }
}

fn set_condition(
    conditions: &mut Vec<NodeCondition>,
    kind: &str,
    holds: bool,
    (reason, message): (&str, &str),
    now: &MetaTime,
) {
    let mut condition = NodeCondition {
        type_: kind.to_string(),
        status: if holds { "True" } else { "False" }.to_string(),
        reason: Some(reason.to_string()),
        message: Some(message.to_string()),
        last_heartbeat_time: Some(now.clone()),
        last_transition_time: Some(now.clone()),
    };
    match conditions.iter_mut().find(|existing| existing.type_ == kind) {
        Some(existing) => {
            if existing.status == condition.status {
                condition.last_transition_time.clone_from(&existing.last_transition_time);
            }
            *existing = condition;
        }
        None => conditions.push(condition),
    }
}
