//! What the page and the engine's worker say to each other: plain data with ids.
//!
//! The page sends [`Request`]s, the worker answers with lists of [`Message`]s. Everything that
//! the page shows arrives as a [`Delta`] of a compact row; a row is complete in itself, so that
//! a later one simply replaces an earlier one of the same id.
//!
//! It may know serde and its wire form and nothing else. It must never carry a type of the
//! engine or of the page, and never compute anything: who knows an answer sends it.
//!
//! Conventions: every time is an `i64` of milliseconds since the Unix epoch on the cluster's
//! virtual clock; an empty namespace means a cluster-scoped object; strings that Kubernetes
//! prints are sent exactly as it prints them.

mod codec;
mod command;
mod message;
mod rows;

pub use codec::{CodecError, decode, decode_request, encode, encode_request};
pub use command::{Command, Request};
pub use message::{
    Action, AppliedObject, Batch, Booted, CommandResult, ContainerLog, Delta, Detail, LogLine,
    Message, Problem,
};
pub use rows::{
    ComponentRow, ConditionRow, ConditionStatus, ContainerRow, ContainerState, EndpointRow,
    EndpointState, EventKind, EventRow, GeneratorRow, HopRow, KindRow, LaneRow, NodeRow, ObjectRef,
    ObjectRow, Owner, PacketRow, PacketSort, PodRow, PodState, ProbeRow, Progress, Resources,
    ServiceRow, Station, WorkloadRow,
};
