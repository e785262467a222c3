//! From the worker to the page.

use serde::{Deserialize, Serialize};

use crate::{
    ComponentRow, ConditionRow, EventRow, GeneratorRow, HopRow, KindRow, LaneRow, NodeRow,
    ObjectRef, ObjectRow, PacketRow, PodRow, ProbeRow, ServiceRow, WorkloadRow,
};

/// One thing that the worker tells the page.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub enum Message {
    /// A fresh cluster exists.
    Booted(Booted),
    /// What changed since the batch before, at most one a frame.
    Batch(Batch),
    /// What became of a command that reads or writes objects.
    Result(CommandResult),
    /// Everything about the selected object. Sent only while it is selected, when it changed.
    Detail(Box<Detail>),
    /// The latest packets, oldest first, while they are shown.
    Packets(Vec<PacketRow>),
    /// Every hop of the packet that was asked for, as far as they are known.
    Hops {
        /// The packet.
        packet: u64,
        /// Its hops, in order.
        hops: Vec<HopRow>,
    },
    /// The engine cannot go on and says why (it did not trap; the worker reports those itself).
    Fatal {
        /// What happened.
        message: String,
    },
}

/// Facts that hold for the whole life of a cluster.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct Booted {
    /// Version of Kubernetes, such as `v1.37.0`.
    pub kubernetes_version: String,
    /// Seed of every random stream.
    pub seed: u64,
    /// How many worker nodes will join.
    pub nodes: u32,
    /// The instant at which the cluster began.
    pub epoch_ms: i64,
}

/// Changes, in the order in which they happened, and the state of the clock after them.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct Batch {
    /// One more than the batch before; a gap means that the page must resubscribe.
    pub sequence: u64,
    /// Set when `deltas` holds everything there is: the page forgets what it had.
    pub reset: bool,
    /// The virtual clock.
    pub now_ms: i64,
    /// Whether virtual time flows.
    pub running: bool,
    /// Virtual seconds per wall second that were really achieved lately.
    pub speed_achieved: f64,
    /// Whether the engine cannot keep the speed asked for.
    pub behind: bool,
    /// Whether nothing is on its way: no commit but heartbeats for 30 virtual seconds.
    pub quiet: bool,
    /// How many events the engine has handled since boot.
    pub events_handled: u64,
    /// The changes.
    pub deltas: Vec<Delta>,
    /// Packets that ended lately: a sample, the more telling ones first.
    pub packets: Vec<PacketRow>,
    /// How many packets more there were.
    pub packets_left_off: u32,
    /// Where all the packets went, when some were left off: the busiest lanes.
    pub lanes: Vec<LaneRow>,
    /// Probes that ran lately: a sample.
    pub probes: Vec<ProbeRow>,
}

/// A row that is new or changed, or one that is gone.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub enum Delta {
    /// A kind that the server serves, with its columns. Sent before the first row of the kind.
    Kind(KindRow),
    /// A node.
    Node(NodeRow),
    /// A node is gone, by its name.
    NodeRemoved(String),
    /// A pod.
    Pod(Box<PodRow>),
    /// A pod is gone, by its uid.
    PodRemoved(String),
    /// A Deployment or ReplicaSet.
    Workload(WorkloadRow),
    /// A workload is gone, by its uid.
    WorkloadRemoved(String),
    /// A Service, beside its row as an object.
    Service(Box<ServiceRow>),
    /// A Service is gone, by its uid.
    ServiceRemoved(String),
    /// An object of any other kind.
    Object(ObjectRow),
    /// Such an object is gone, by its uid.
    ObjectRemoved(String),
    /// A component of the control plane. There are as many for the whole life of a cluster.
    Component(ComponentRow),
    /// A generator of traffic. Its counts are told a few times in a second.
    Generator(Box<GeneratorRow>),
    /// A generator is gone, by its name.
    GeneratorRemoved(String),
    /// An Event.
    Event(EventRow),
    /// An Event is gone, by its uid.
    EventRemoved(String),
}

/// What became of a command, object by object.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct CommandResult {
    /// The [`crate::Request`]'s number.
    pub id: u64,
    /// What was done, in the order of the documents.
    pub done: Vec<AppliedObject>,
    /// What was refused or could not be read. Empty when all went well.
    pub problems: Vec<Problem>,
}

/// One object that a command reached.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct AppliedObject {
    /// The object.
    pub object: ObjectRef,
    /// As kubectl names it, such as `deployment.apps/web`.
    pub title: String,
    /// What happened to it.
    pub action: Action,
    /// Warnings of the server, such as an unknown field. Usually none.
    pub warnings: Vec<String>,
}

/// What a command did to an object, in kubectl's words.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// It did not exist before.
    Created,
    /// It was changed.
    Configured,
    /// It was already so.
    Unchanged,
    /// It was deleted, or its deletion has begun.
    Deleted,
    /// Its replicas were set.
    Scaled,
}

/// Why a document was refused. Lines and columns count from 1 in the text that was sent.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct Problem {
    /// Which document, from 0; none when the text as a whole could not be read.
    pub document: Option<u32>,
    /// The object as kubectl names it, when that much could be read.
    pub title: Option<String>,
    /// The server's reason, such as `Invalid` or `NotFound`; empty for a text that is not YAML.
    pub reason: String,
    /// Whole message, in the server's words.
    pub message: String,
    /// The field, such as `spec.replicas`, when the message is about one.
    pub field: Option<String>,
    /// Where, when known.
    pub line: Option<u32>,
    /// Where in the line, when known.
    pub column: Option<u32>,
}

/// All about one object.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct Detail {
    /// The object that was selected.
    pub object: ObjectRef,
    /// Whether it (still) exists; when not, the rest is as it was last known or empty.
    pub exists: bool,
    /// As `kubectl get -o yaml` prints it.
    pub yaml: String,
    /// `status.conditions`, if the kind has them.
    pub conditions: Vec<ConditionRow>,
    /// Events about it, oldest first.
    pub events: Vec<EventRow>,
    /// What its containers wrote, if it is a pod.
    pub logs: Vec<ContainerLog>,
}

/// The end of what one container wrote.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct ContainerLog {
    /// The container's name.
    pub container: String,
    /// Whether this is the instance before the last restart.
    pub previous: bool,
    /// Whether earlier lines were left off.
    pub truncated: bool,
    /// Oldest first.
    pub lines: Vec<LogLine>,
}

/// One line of a log.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct LogLine {
    /// When it was written.
    pub time_ms: i64,
    /// The line, without its end.
    pub text: String,
}
