//! `kubectl delete -f`: deletes the objects that a text names.
//!
//! Upstream: staging/src/k8s.io/kubectl/pkg/cmd/delete/delete.go

use api::Status;
use apiserver::{Body, DeleteOptions, Identity, Propagation, Request, Response, Subresource, Verb};
use client::Context;

use crate::manifest::{Manifest, Reading, read};
use crate::{Action, DocumentResult, Done, Refusal};

/// Deletes every object that a YAML text names, in its order, as `identity`: dependents follow
/// in the background. Every document is read before any object is deleted.
pub fn delete(cx: &mut Context<'_>, identity: &Identity, text: &str) -> Vec<DocumentResult> {
    let manifests = match read(text, Reading::NameOnly) {
        Ok(manifests) => manifests,
        Err(refused) => return refused,
    };
    manifests
        .iter()
        .map(|manifest| DocumentResult {
            document: Some(manifest.index),
            title: manifest.title(),
            outcome: delete_one(cx, identity, manifest),
        })
        .collect()
}

fn delete_one(
    cx: &mut Context<'_>,
    identity: &Identity,
    manifest: &Manifest,
) -> Result<Done, Refusal> {
    let options =
        DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
    let request = Request {
        identity: identity.clone(),
        verb: Verb::Delete,
        kind: manifest.kind.id,
        namespace: manifest.namespace.clone(),
        name: manifest.name.clone(),
        subresource: Subresource::None,
        body: Body::Delete(options),
        dry_run: false,
    };
    let answer = cx.request(request).and_then(|answer| match answer {
        Response::Object(object) | Response::Deleted(object) => Ok(object),
        _ => Err(Status::internal("the answer is no object")),
    });
    let object = answer.map_err(|status| manifest.refusal(status, "deleting"))?;
    Ok(Done { object, action: Action::Deleted, warnings: Vec::new() })
}
