//! Patching. Upstream: staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go

use api::decode::{DecodeError, FieldValidation, decode_as};
use api::field::{Error, Path};
use api::openapi::api::autoscaling::v1::Scale;
use api::patch::{PatchError, PatchMeta, json_patch, merge, strategic};
use api::{Kind, Object, Status};
use serde_json::Value;

use super::{Operation, Target};
use crate::Patch;

impl Operation<'_> {
    pub(super) fn patch(&mut self, target: &Target, patch: Patch) -> Result<Object, Status> {
        let kind = self.kind;
        self.change(target, Box::new(move |current| patched(kind, current, patch)))
    }
}

fn patched(kind: &'static Kind, current: &Object, patch: Patch) -> Result<Object, Status> {
    let patch = match patch {
        Patch::Change(change) => {
            let mut object = current.clone();
            change(&mut object);
            return Ok(object);
        }
        other => other,
    };
    let (value, shown) = patched_value(current.to_value(), patch, PatchMeta::of(kind))?;
    let api_version = value.get("apiVersion").and_then(Value::as_str);
    let found = api_version.zip(value.get("kind").and_then(Value::as_str));
    if let Some((api_version, word)) = found.filter(|names| *names != (kind.api_version, kind.kind))
    {
        // Upstream: endpoints/handlers/patch.go, the decoder's default kind does not fit.
        let words = format!(
            "{word} in version {api_version:?} cannot be handled as a {}: no kind {word:?} is \
             registered for version {api_version:?}",
            kind.kind
        );
        return Err(Status::bad_request(words));
    }
    match decode_as(kind, value, FieldValidation::Warn) {
        Ok(decoded) => Ok(decoded.object),
        Err(error) => Err(undecodable(&shown, &error)),
    }
}

/// A Scale with a patch applied.
pub(super) fn patched_scale(current: &Scale, patch: Patch) -> Result<Scale, Status> {
    let value = api::encode::to_value(current);
    let (value, shown) = patched_value(value, patch, PatchMeta::default())?;
    serde_json::from_value(value).map_err(|error| invalid_patch(&shown, &error.to_string()))
}

/// The value after the patch, and what an error shows of it.
fn patched_value(current: Value, patch: Patch, meta: PatchMeta) -> Result<(Value, String), Status> {
    match patch {
        Patch::Json(patch) => {
            let value = json_patch::apply(current, &patch).map_err(refusal)?;
            let shown = value.to_string();
            Ok((value, shown))
        }
        Patch::Merge(patch) => {
            let value = merge::apply(current, patch).map_err(refusal)?;
            let shown = value.to_string();
            Ok((value, shown))
        }
        Patch::Strategic(patch) => {
            let shown = patch.to_string();
            let value = strategic::apply(current, patch, meta).map_err(refusal)?;
            Ok((value, shown))
        }
        Patch::Change(_) => Err(Status::bad_request("a function is no patch of this subresource")),
    }
}

fn undecodable(shown: &str, error: &DecodeError) -> Status {
    invalid_patch(shown, &error.to_string())
}

fn invalid_patch(shown: &str, why: &str) -> Status {
    let error = Error::invalid(&Path::new("patch"), shown, why);
    Status::invalid_as("", "", "", &vec![error])
}

fn refusal(error: PatchError) -> Status {
    match error {
        PatchError::Malformed(words) => Status::bad_request(words),
        PatchError::Unprocessable(words) => Status::unprocessable(&words),
        PatchError::TooLarge(words) => Status::too_large(&words),
        PatchError::Failed(words) => Status::unknown(&words),
    }
}
