//! `kubectl apply -f`: makes the cluster's objects what a text says, and leaves alone what the
//! text never said.
//!
//! Upstream: staging/src/k8s.io/kubectl/pkg/cmd/apply/{apply.go,patcher.go}

use api::decode::{FieldValidation, decode_as};
use api::patch::{PatchMeta, last_applied, strategic};
use api::status::Reason;
use api::{Object, Status};
use apiserver::{Body, Identity, Patch, Request, Response, Subresource, Verb};
use client::Context;
use serde_json::{Map, Value};

use crate::manifest::{Manifest, Reading, read};
use crate::{Action, DocumentResult, Done, Refusal};

/// Applies every document of a YAML text, in its order, as `identity`. Every document is read
/// before any is applied: a text that is wrong in one place changes nothing.
pub fn apply(cx: &mut Context<'_>, identity: &Identity, text: &str) -> Vec<DocumentResult> {
    let manifests = match read(text, Reading::Whole) {
        Ok(manifests) => manifests,
        Err(refused) => return refused,
    };
    if manifests.is_empty() {
        let outcome = Err(Refusal::own("no objects passed to apply"));
        return vec![DocumentResult { document: None, title: String::new(), outcome }];
    }
    manifests
        .iter()
        .map(|manifest| DocumentResult {
            document: Some(manifest.index),
            title: manifest.title(),
            outcome: apply_one(cx, identity, manifest),
        })
        .collect()
}

fn request(identity: &Identity, manifest: &Manifest, verb: Verb, body: Body) -> Request {
    let name = if verb == Verb::Create { String::new() } else { manifest.name.clone() };
    Request {
        identity: identity.clone(),
        verb,
        kind: manifest.kind.id,
        namespace: manifest.namespace.clone(),
        name,
        subresource: Subresource::None,
        body,
        dry_run: false,
    }
}

fn object(answer: Response) -> Result<Object, Status> {
    match answer {
        Response::Object(object) | Response::Deleted(object) => Ok(object),
        _ => Err(Status::internal("the answer is no object")),
    }
}

fn apply_one(
    cx: &mut Context<'_>,
    identity: &Identity,
    manifest: &Manifest,
) -> Result<Done, Refusal> {
    let modified = last_applied::modified_configuration(&manifest.value);
    let found = cx.request(request(identity, manifest, Verb::Get, Body::None)).and_then(object);
    match found {
        Ok(live) => patch(cx, identity, manifest, (&live, &modified)),
        Err(status) if status.is(Reason::NotFound) => create(cx, identity, manifest, modified),
        Err(status) => {
            let info = manifest.info();
            let verb = format!("retrieving current configuration of:\n{info}\nfrom server for:");
            Err(manifest.refusal(status, &verb))
        }
    }
}

fn create(
    cx: &mut Context<'_>,
    identity: &Identity,
    manifest: &Manifest,
    modified: Value,
) -> Result<Done, Refusal> {
    let refused = |status: Status| manifest.refusal(status, "creating");
    let decoded = decode_as(manifest.kind, modified, FieldValidation::Strict)
        .map_err(|error| refused(error.to_status()))?;
    let body = Body::Object(decoded.object);
    let created = cx.request(request(identity, manifest, Verb::Create, body)).and_then(object);
    let object = created.map_err(refused)?;
    Ok(Done { object, action: Action::Created, warnings: Vec::new() })
}

fn patch(
    cx: &mut Context<'_>,
    identity: &Identity,
    manifest: &Manifest,
    (live, modified): (&Object, &Value),
) -> Result<Done, Refusal> {
    let current = live.to_value();
    let original = last_applied::original_configuration(&current);
    let mut warnings = Vec::new();
    if original.is_none() {
        warnings.push(missing_annotation(manifest));
    }
    let original = original.unwrap_or_else(|| Value::Object(Map::new()));
    let meta = PatchMeta::of(manifest.kind);
    let patch = strategic::create_three_way_merge_patch(&original, modified, &current, meta)
        .map_err(|error| Refusal::own(&format!("error when creating patch: {error}")))?;
    if patch.as_object().is_some_and(Map::is_empty) {
        let object = live.clone();
        return Ok(Done { object, action: Action::Unchanged, warnings });
    }
    let verb = format!("applying patch:\n{patch}\nto:\n{}\nfor:", manifest.info());
    let body = Body::Patch(Patch::strategic(patch));
    let patched = cx.request(request(identity, manifest, Verb::Patch, body)).and_then(object);
    let object = patched.map_err(|status| manifest.refusal(status, &verb))?;
    if object.meta().deletion_timestamp.is_some() {
        warnings.push(format!(
            "Detected changes to resource {} which is currently being deleted.",
            manifest.name
        ));
    }
    Ok(Done { object, action: Action::Configured, warnings })
}

fn missing_annotation(manifest: &Manifest) -> String {
    format!(
        "resource {}/{} is missing the {} annotation which is required by kubectl apply. kubectl \
         apply should only be used on resources created declaratively by either kubectl create \
         --save-config or kubectl apply. The missing annotation will be patched automatically.",
        manifest.kind.plural,
        manifest.name,
        last_applied::ANNOTATION
    )
}
