//! Nodes: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;

use crate::{Cell, Scope, Strategy};

/// The strategy of Nodes.
pub struct Nodes;

impl Strategy for Nodes {
    type Object = Node;
    const SCOPE: Scope = Scope::Cluster;
    const SINGULAR: &'static str = "node";
    const SHORT_NAMES: &'static [&'static str] = &["no"];
    const CATEGORIES: &'static [&'static str] = &[];
    const SUBRESOURCES: &'static [&'static str] = &["status"];

    fn row(object: &Node, _now: Timestamp) -> Vec<Cell> {
        vec![object.metadata.name.clone().unwrap_or_default().into()]
    }
}
