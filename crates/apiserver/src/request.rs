//! What can be asked of the API server.

use std::fmt;

use api::openapi::api::autoscaling::v1::Scale;
use api::{KindId, Object};
use serde_json::Value;

use crate::{DocumentPatch, Identity};

/// What a request does. Upstream: staging/src/k8s.io/apiserver/pkg/endpoints/request
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read a collection.
    List,
    /// Follow a collection.
    Watch,
    /// Make an object.
    Create,
    /// Replace an object.
    Update,
    /// Change parts of an object.
    Patch,
    /// Delete one object.
    Delete,
    /// Delete a collection.
    DeleteCollection,
}

impl Verb {
    /// The verb in RBAC's words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::List => "list",
            Verb::Watch => "watch",
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Patch => "patch",
            Verb::Delete => "delete",
            Verb::DeleteCollection => "deletecollection",
        }
    }
}

/// The part of an object that a request addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subresource {
    /// The object itself.
    None,
    /// Its status.
    Status,
    /// The binding of a pod to a node.
    Binding,
    /// The wish that a pod goes, as far as its disruption budget allows it.
    Eviction,
    /// The finalizers of a namespace.
    Finalize,
    /// The number of replicas.
    Scale,
}

impl Subresource {
    /// The subresource as a path names it; empty for the object itself.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Subresource::None => "",
            Subresource::Status => "status",
            Subresource::Binding => "binding",
            Subresource::Eviction => "eviction",
            Subresource::Finalize => "finalize",
            Subresource::Scale => "scale",
        }
    }
}

/// A change to an object that a component inside the engine states as a function: what a client
/// outside would send as a patch, without the way through JSON.
pub type ObjectChange = Box<dyn FnOnce(&mut Object)>;

/// A change to parts of an object.
pub enum Patch {
    /// What a client outside sends: see [`Patch::json`], [`Patch::merge`], [`Patch::strategic`].
    Document(DocumentPatch),
    /// A component's own.
    Change(ObjectChange),
}

impl Patch {
    /// RFC 6902.
    #[must_use]
    pub fn json(patch: Value) -> Patch {
        Patch::Document(DocumentPatch::json(patch))
    }

    /// RFC 7386.
    #[must_use]
    pub fn merge(patch: Value) -> Patch {
        Patch::Document(DocumentPatch::merge(patch))
    }

    /// Kubernetes' own, which merges lists by key.
    #[must_use]
    pub fn strategic(patch: Value) -> Patch {
        Patch::Document(DocumentPatch::strategic(patch))
    }
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Patch::Document(patch) => patch.fmt(f),
            Patch::Change(_) => f.write_str("Change"),
        }
    }
}

/// What happens to an object's dependents when it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted afterwards.
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay.
    Orphan,
}

/// How to delete. Upstream: metav1.DeleteOptions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds of grace; `None` takes the kind's default.
    pub grace_period_seconds: Option<i64>,
    /// What happens to dependents; `None` takes the kind's default.
    pub propagation: Option<Propagation>,
    /// Delete only the object with this UID.
    pub uid: Option<String>,
    /// Delete only this version.
    pub resource_version: Option<String>,
}

/// What to list. Upstream: metav1.ListOptions.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Which labels.
    pub label_selector: Option<api::labels::Selector>,
    /// Which fields.
    pub field_selector: Option<api::fields::Selector>,
    /// At most that many; 0 for all.
    pub limit: u32,
    /// Where the last page ended.
    pub continue_token: Option<String>,
}

/// Which node a pod goes to. Upstream: core/v1 Binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The node's name.
    pub node: String,
    /// The pod's UID as the scheduler knows it; empty when it does not say.
    pub uid: String,
}

/// What a request carries.
#[derive(Debug)]
pub enum Body {
    /// Nothing.
    None,
    /// An object to create or to put in place of another.
    Object(Object),
    /// A change.
    Patch(Patch),
    /// A node for a pod.
    Binding(Binding),
    /// How to delete the pod that is evicted.
    Eviction(DeleteOptions),
    /// A number of replicas.
    Scale(Box<Scale>),
    /// How to delete.
    Delete(DeleteOptions),
    /// How to delete the objects of a collection, and which.
    DeleteCollection(DeleteOptions, ListOptions),
    /// What to list.
    List(ListOptions),
}

/// One request.
#[derive(Debug)]
pub struct Request {
    /// Who asks.
    pub identity: Identity,
    /// What it does.
    pub verb: Verb,
    /// The kind of object.
    pub kind: KindId,
    /// The namespace; empty for a cluster-scoped kind or for all namespaces.
    pub namespace: String,
    /// The name; empty for a collection.
    pub name: String,
    /// The part of the object.
    pub subresource: Subresource,
    /// What it carries.
    pub body: Body,
    /// Whether everything happens but the write.
    pub dry_run: bool,
}
