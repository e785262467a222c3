//! What the API server answers.

use api::openapi::api::autoscaling::v1::Scale;
use api::{Kind, KindId, Object};
use serde_json::{Map, Value, json};

/// A page of a collection.
#[derive(Clone, Debug)]
pub struct List {
    /// The kind of its objects.
    pub kind: KindId,
    /// The objects, by namespace and name.
    pub items: Vec<Object>,
    /// The revision of the whole list.
    pub resource_version: u64,
    /// How to get the next page, unless this is the last.
    pub continue_token: Option<String>,
    /// How many objects there are behind this page, when that is known.
    pub remaining_item_count: Option<i64>,
}

impl List {
    /// The list as JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let kind = self.kind.get();
        let mut metadata = Map::new();
        metadata.insert("resourceVersion".into(), self.resource_version.to_string().into());
        if let Some(token) = &self.continue_token {
            metadata.insert("continue".into(), token.as_str().into());
        }
        if let Some(remaining) = self.remaining_item_count {
            metadata.insert("remainingItemCount".into(), remaining.into());
        }
        let items: Vec<Value> = self.items.iter().map(Object::to_value).collect();
        json!({
            "kind": format!("{}List", kind.kind),
            "apiVersion": kind.api_version,
            "metadata": metadata,
            "items": items,
        })
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Response {
    /// An object.
    Object(Object),
    /// An object that is gone: the last state of it.
    Deleted(Object),
    /// A collection.
    List(List),
    /// A number of replicas.
    Scale(Box<Scale>),
    /// Nothing but that it was done.
    Success,
}

impl Response {
    /// The answer as a client outside receives it. What was deleted is answered with the object
    /// or with a Status, as the kind has it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Response::Object(object) => object.to_value(),
            Response::Deleted(object) if object.kind().returns_deleted_object => object.to_value(),
            Response::Deleted(object) => deleted_status(object.kind(), object),
            Response::List(list) => list.to_value(),
            Response::Scale(scale) => api::encode::to_value(&**scale),
            Response::Success => json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            }),
        }
    }
}

/// Upstream: registry/generic/registry/store.go, finalizeDelete.
fn deleted_status(kind: &Kind, object: &Object) -> Value {
    let mut details = Map::new();
    details.insert("name".into(), object.name().into());
    if !kind.group.is_empty() {
        details.insert("group".into(), kind.group.into());
    }
    details.insert("kind".into(), kind.plural.into());
    details.insert("uid".into(), object.uid().into());
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    })
}
