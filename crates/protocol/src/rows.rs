//! Rows: what the page keeps of each object, and nothing more.

use serde::{Deserialize, Serialize};

/// Which object: enough for a request to the API server.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ObjectRef {
    /// Group and version, such as `v1` or `apps/v1`.
    pub api_version: String,
    /// Kind, such as `Pod`.
    pub kind: String,
    /// Empty when the object is cluster-scoped.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Quantities that the scheduler counts.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Resources {
    /// Thousandths of a core.
    pub cpu_milli: i64,
    /// Bytes.
    pub memory_bytes: i64,
    /// Pods.
    pub pods: i64,
}

/// The three values of a condition.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody has said lately.
    #[default]
    Unknown,
}

/// One of an object's conditions.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ConditionRow {
    /// Such as `Ready`.
    pub kind: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// One word, or empty.
    pub reason: String,
    /// A sentence, or empty.
    pub message: String,
    /// Last transition.
    pub since_ms: i64,
}

/// A node.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct NodeRow {
    /// Its name, which is its id.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// As in the STATUS column, such as `Ready,SchedulingDisabled`.
    pub status: String,
    /// The Ready condition.
    pub ready: ConditionStatus,
    /// `spec.unschedulable`.
    pub unschedulable: bool,
    /// Whether its machine is switched off.
    pub failed: bool,
    /// Whether its kubelet was stopped.
    pub kubelet_stopped: bool,
    /// As in the ROLES column, such as `control-plane` or `<none>`.
    pub roles: String,
    /// Kubelet's version.
    pub version: String,
    /// Its address inside the cluster.
    pub internal_ip: String,
    /// What pods may ask for.
    pub allocatable: Resources,
    /// What the pods placed on it ask for.
    pub requested: Resources,
    /// `status.conditions`.
    pub conditions: Vec<ConditionRow>,
    /// Such as `node.kubernetes.io/unreachable:NoExecute`.
    pub taints: Vec<String>,
    /// Creation.
    pub created_ms: i64,
}

/// How a pod is drawn. The word beside it is [`PodRow::status`].
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PodState {
    /// No node yet.
    Unscheduled,
    /// On a node; sandbox, image or first start under way.
    Creating,
    /// Runs, but not every container is ready.
    RunningNotReady,
    /// Runs and is ready.
    Ready,
    /// All containers ended with 0.
    Succeeded,
    /// Ended otherwise, or cannot start (an image that cannot be pulled).
    Failed,
    /// Waits for its back-off to end before the next start.
    CrashLooping,
    /// Has a deletion timestamp.
    Terminating,
    /// Its node does not report.
    Unknown,
}

/// A stretch of virtual time that something takes. The page draws the fraction itself, from the
/// clock, so that progress costs no deltas.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Beginning.
    pub from_ms: i64,
    /// Expected end.
    pub until_ms: i64,
}

/// A controller reference.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
}

/// A pod.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct PodRow {
    /// Its id.
    pub uid: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// `spec.nodeName`, once bound.
    pub node: Option<String>,
    /// As in kubectl's STATUS column, such as `ContainerCreating`.
    pub status: String,
    /// How it is drawn.
    pub state: PodState,
    /// What the state waits for: the image pull while creating, the back-off while crash-looping,
    /// the grace period while terminating. None when that has no known end.
    pub progress: Option<Progress>,
    /// Why it is so, in Kubernetes' words: the scheduler's message, a waiting container's.
    pub message: String,
    /// Containers that are ready.
    pub ready_containers: u32,
    /// Containers that count for the READY column.
    pub total_containers: u32,
    /// Restarts of all containers.
    pub restarts: u32,
    /// `status.podIP`, or empty.
    pub ip: String,
    /// What it asks for.
    pub requests: Resources,
    /// Its controller, if it has one.
    pub owner: Option<Owner>,
    /// Creation.
    pub created_ms: i64,
    /// Init containers first, then the others, as in the spec.
    pub containers: Vec<ContainerRow>,
}

/// A container of a pod.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ContainerRow {
    /// Name.
    pub name: String,
    /// Image, as in the spec.
    pub image: String,
    /// Whether it is an init container.
    pub init: bool,
    /// Whether it is ready.
    pub ready: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// What it does now.
    pub state: ContainerState,
}

/// `status.containerStatuses[].state`.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum ContainerState {
    /// Not running yet, or between two runs.
    Waiting {
        /// One word, such as `CrashLoopBackOff`.
        reason: String,
        /// A sentence, or empty.
        message: String,
    },
    /// Running.
    Running {
        /// Since when.
        started_ms: i64,
    },
    /// Ended.
    Terminated {
        /// Exit code.
        exit_code: i32,
        /// One word, such as `Completed` or `Error`.
        reason: String,
        /// When.
        finished_ms: i64,
    },
}

/// A workload whose pods are counted: a Deployment or ReplicaSet.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct WorkloadRow {
    /// Its id.
    pub uid: String,
    /// Which it is.
    pub object: ObjectRef,
    /// Its controller, if it has one.
    pub owner: Option<Owner>,
    /// `spec.replicas`.
    pub desired: u32,
    /// `status.replicas`.
    pub current: u32,
    /// `status.updatedReplicas`; for a ReplicaSet the same as `current`.
    pub updated: u32,
    /// `status.readyReplicas`.
    pub ready: u32,
    /// `status.availableReplicas`.
    pub available: u32,
    /// Images of the template.
    pub images: Vec<String>,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Creation.
    pub created_ms: i64,
}

/// A kind that the API server serves, with the columns of its table.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct KindRow {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Plural, as in a path.
    pub resource: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Headings of [`ObjectRow::cells`], as the server's table has them, without Name and Age,
    /// which the page prints itself.
    pub columns: Vec<String>,
}

/// An object of a kind without a row of its own.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ObjectRow {
    /// Its id.
    pub uid: String,
    /// Which it is.
    pub object: ObjectRef,
    /// One for each of the kind's columns.
    pub cells: Vec<String>,
    /// Creation.
    pub created_ms: i64,
}

/// The two types of an Event.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// Something happened as it should.
    Normal,
    /// Something needs a look.
    Warning,
}

/// An Event.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct EventRow {
    /// Its id.
    pub uid: String,
    /// Namespace of the Event itself.
    pub namespace: String,
    /// What it is about.
    pub object: ObjectRef,
    /// Normal or Warning.
    pub kind: EventKind,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// How often it was seen.
    pub count: u32,
    /// Who reports it.
    pub source: String,
    /// First time.
    pub first_ms: i64,
    /// Last time.
    pub last_ms: i64,
}

/// A component of the control plane that can be stopped.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ComponentRow {
    /// Its name, such as `kube-scheduler`.
    pub name: String,
    /// Whether its process runs.
    pub running: bool,
}

/// A Service and where it leads.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ServiceRow {
    /// Unique for ever.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// As kubectl prints it, such as `ClusterIP`.
    pub service_type: String,
    /// As kubectl prints it; `None` for a headless one.
    pub cluster_ip: String,
    /// As kubectl prints it, such as `80:30080/TCP`.
    pub ports: String,
    /// How many endpoints there are.
    pub total: u32,
    /// How many of them are ready.
    pub ready: u32,
    /// The endpoints of its EndpointSlices, in their order; of very many only the first.
    pub endpoints: Vec<EndpointRow>,
    /// `metadata.creationTimestamp`.
    pub created_ms: i64,
}

/// One endpoint of a Service.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct EndpointRow {
    /// Its address.
    pub address: String,
    /// The pod behind it, if it is one: its uid.
    pub pod: Option<String>,
    /// What its conditions say.
    pub state: EndpointState,
}

/// What an endpoint's conditions come to.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndpointState {
    /// Traffic goes there.
    Ready,
    /// No traffic goes there.
    NotReady,
    /// It is ending; traffic goes there only if there is nothing better.
    Terminating,
}

/// Where a packet begins or ends, as the map shows it.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Station {
    /// A pod, by its uid.
    Pod(String),
    /// A node, by its name.
    Node(String),
    /// The machine outside of the cluster.
    Outside,
}

/// A packet that went from one place to another, or was lost on its way.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct PacketRow {
    /// The packet.
    pub id: u64,
    /// Where it began.
    pub from: Station,
    /// The Service that its connection was sent to, by its uid; the same for answers.
    pub through: Option<String>,
    /// Where it ended, or would have.
    pub to: Station,
    /// What it carries.
    pub sort: PacketSort,
    /// What it is, such as `HTTP GET /cart`.
    pub words: String,
    /// When it ended.
    pub time_ms: i64,
}

/// What a packet carries.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PacketSort {
    /// Whatever it carried, it was dropped, or never arrived.
    Lost,
    /// Whatever it carried, it was rejected, and its sender is told.
    Rejected,
    /// It tells the sender of another that nobody takes that: a reset, an ICMP error.
    Refused,
    /// An answer that says that something went wrong.
    Error,
    /// A question to a name server, or its answer.
    Name,
    /// Data of a connection.
    Data,
    /// The beginning, the end and the acknowledgements of a connection.
    Control,
}

/// How busy the way between two places was, in both directions.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct LaneRow {
    /// One end.
    pub from: Station,
    /// The Service between the ends, by its uid.
    pub through: Option<String>,
    /// The other end.
    pub to: Station,
    /// How many packets.
    pub packets: u32,
    /// How many of them were lost, refused, or errors.
    pub failed: u32,
}

/// What one station did with a packet.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct HopRow {
    /// The machine.
    pub machine: String,
    /// The namespace and device.
    pub place: String,
    /// What became of it here, as the trace has it: `Natted`.
    pub verdict: String,
    /// The rule, route or table entry that decided, if any did.
    pub rule: Option<String>,
    /// The headers as they are after it.
    pub summary: String,
}

/// A generator of traffic and what came of its requests.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct GeneratorRow {
    /// Its name.
    pub name: String,
    /// The pod that sends; none for the machine outside of the cluster.
    pub from: Option<ObjectRef>,
    /// Where the requests go.
    pub url: String,
    /// How many there are to be in a second.
    pub rate_per_second: u32,
    /// How many were answered in a second lately, in tenths.
    pub answered_tenths: u32,
    /// Whether it runs: it ends with the container that it runs in.
    pub running: bool,
    /// Requests begun.
    pub sent: u64,
    /// Answers of the classes 1xx and 2xx.
    pub succeeded: u64,
    /// Answers 3xx.
    pub redirected: u64,
    /// Answers 4xx.
    pub client_errors: u64,
    /// Answers 5xx.
    pub server_errors: u64,
    /// Connections that nobody took.
    pub refused: u64,
    /// Requests without an answer in time.
    pub timed_out: u64,
    /// Connections that ended before the answer.
    pub reset: u64,
    /// Requests to a name without an address.
    pub unresolved: u64,
}

/// A probe that ran.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ProbeRow {
    /// The uid of its pod.
    pub pod: String,
    /// Which probe: 0 startup, 1 readiness, 2 liveness.
    pub kind: u8,
    /// Whether it succeeded.
    pub success: bool,
}
