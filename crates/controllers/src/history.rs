//! What DaemonSets and StatefulSets keep of their former templates: ControllerRevisions.
//!
//! Upstream: pkg/controller/history/controller_history.go

use std::collections::BTreeMap;
use std::sync::Arc;

use api::openapi::api::apps::v1::ControllerRevision;
use api::openapi::api::core::v1::PodTemplateSpec;
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use api::openapi::apimachinery::pkg::runtime::RawExtension;
use api::{Kinded, encode};
use component_helpers::controller_ref::new_controller_ref;
use serde_json::{Value, json};

/// The number of a revision: the newest has the greatest.
pub(crate) fn number(revision: &ControllerRevision) -> i64 {
    revision.revision.unwrap_or(0)
}

/// The number of a revision newer than these.
pub(crate) fn next_number(revisions: &[Arc<ControllerRevision>]) -> i64 {
    revisions.iter().map(|revision| number(revision)).max().unwrap_or(0) + 1
}

/// The patch that brings back a template. Upstream: getPatch.
pub(crate) fn template_patch(template: &PodTemplateSpec) -> Value {
    let mut template = encode::to_value(template);
    template["$patch"] = "replace".into();
    json!({"spec": {"template": template}})
}

/// A revision of `owner`. Upstream: NewControllerRevision.
pub(crate) fn new_revision<T: Kinded>(
    owner: &T,
    name: &str,
    labels: BTreeMap<String, String>,
    patch: Value,
    number: i64,
) -> ControllerRevision {
    let meta = owner.metadata();
    ControllerRevision {
        metadata: ObjectMeta {
            name: Some(name.to_string()),
            namespace: meta.namespace.clone(),
            labels: Some(labels),
            annotations: meta.annotations.clone(),
            owner_references: Some(vec![new_controller_ref(owner)]),
            ..ObjectMeta::default()
        },
        data: RawExtension(patch),
        revision: Some(number),
    }
}
