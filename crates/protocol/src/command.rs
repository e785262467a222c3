//! From the page to the worker.

use serde::{Deserialize, Serialize};

use crate::ObjectRef;

/// A command with the number under which its result comes back.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct Request {
    /// Chosen by the page, rising; repeated in [`crate::CommandResult`].
    pub id: u64,
    /// What to do.
    pub command: Command,
}

/// What the page asks of the engine.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub enum Command {
    /// Builds a fresh cluster and drops the one before. Also what the page's reset does.
    /// Answered by [`crate::Message::Booted`] and a first batch with `reset` set.
    Boot {
        /// Seed of every random stream.
        seed: u64,
        /// How many worker nodes join.
        nodes: u32,
    },
    /// Applies every document of a YAML text, in order, as `kubectl apply -f` does.
    Apply {
        /// One or more YAML documents.
        text: String,
    },
    /// Deletes every object that a YAML text names, as `kubectl delete -f` does.
    Delete {
        /// One or more YAML documents.
        text: String,
    },
    /// Deletes one object, with its default grace and propagation.
    DeleteObject {
        /// The object.
        object: ObjectRef,
    },
    /// Sets `spec.replicas` through the scale of a Deployment or ReplicaSet.
    ScaleObject {
        /// The workload.
        object: ObjectRef,
        /// The wanted number.
        replicas: u32,
    },
    /// A fault: the node is switched off.
    FailNode {
        /// The node.
        name: String,
    },
    /// Ends the fault of [`Command::FailNode`].
    RecoverNode {
        /// The node.
        name: String,
    },
    /// A fault: the process of a node's kubelet ends, and its containers go on.
    StopKubelet {
        /// The node.
        node: String,
    },
    /// Ends the fault of [`Command::StopKubelet`] by another process.
    StartKubelet {
        /// The node.
        node: String,
    },
    /// A fault: the process of a component of the control plane ends.
    StopComponent {
        /// The component, as in [`crate::ComponentRow`].
        name: String,
    },
    /// Ends the fault of [`Command::StopComponent`] by another process.
    StartComponent {
        /// The component.
        name: String,
    },
    /// Sends HTTP requests at a rate until it is stopped; replaces what has that name.
    Traffic {
        /// Its name.
        name: String,
        /// The pod that sends; none for a machine outside of the cluster.
        from: Option<ObjectRef>,
        /// Where the requests go.
        url: String,
        /// How many in a second.
        rate_per_second: u32,
    },
    /// Ends a generator of traffic.
    StopTraffic {
        /// Its name.
        name: String,
    },
    /// Lets virtual time flow at the set speed.
    Play,
    /// Holds virtual time.
    Pause,
    /// Handles exactly one event (and whatever falls on its instant through it), then pauses.
    Step,
    /// Virtual seconds per second of wall time, at most. A ceiling, not a promise.
    SetSpeed(f64),
    /// Runs as fast as it can until quiet or until the bound, then goes back to the mode before.
    RunUntilQuiet {
        /// Bound, in virtual milliseconds from now.
        bound_ms: i64,
    },
    /// Asks for [`crate::Message::Detail`] of exactly this object, now and whenever it changes.
    Select {
        /// The object.
        object: ObjectRef,
    },
    /// No more details.
    Deselect,
    /// Whether the latest packets are shown, and of which one every hop: what the answers
    /// [`crate::Message::Packets`] and [`crate::Message::Hops`] are about.
    Packets {
        /// Whether the list is shown.
        shown: bool,
        /// The packet whose hops are.
        packet: Option<u64>,
    },
    /// Handles events until a packet has moved, then pauses.
    StepPacket,
    /// Asks for everything again: the next batch has `reset` set.
    Resubscribe,
}
