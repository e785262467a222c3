//! Patching. Upstream: staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go

use std::fmt;

use api::decode::{DecodeError, FieldValidation, decode_as};
use api::field::{Error, Path};
use api::openapi::api::autoscaling::v1::Scale;
use api::patch::{PatchError, PatchMeta, json_patch, merge, strategic};
use api::{Kind, Object, Status};
use serde_json::Value;

use super::{Operation, Target};
use crate::Patch;

/// A patch as a client outside sends it, and how it is applied. The functions come with the
/// patch: an engine that makes none does not hold what they need.
pub struct DocumentPatch {
    sent: Sent,
    object: fn(&'static Kind, &Object, Sent) -> Result<Object, Status>,
    scale: fn(&Scale, Sent) -> Result<Scale, Status>,
}

/// What was sent, and in which form.
struct Sent {
    patch: Value,
    form: Form,
}

/// The value after the patch, and what an error shows of it.
type Form = fn(current: Value, patch: Value, meta: PatchMeta) -> Result<(Value, String), Status>;

impl DocumentPatch {
    fn new(patch: Value, form: Form) -> Self {
        let sent = Sent { patch, form };
        DocumentPatch { sent, object: patched_object, scale: patched_scale }
    }

    pub(crate) fn json(patch: Value) -> Self {
        DocumentPatch::new(patch, |current, patch, _| {
            let value = json_patch::apply(current, &patch).map_err(refusal)?;
            let shown = value.to_string();
            Ok((value, shown))
        })
    }

    pub(crate) fn merge(patch: Value) -> Self {
        DocumentPatch::new(patch, |current, patch, _| {
            let value = merge::apply(current, patch).map_err(refusal)?;
            let shown = value.to_string();
            Ok((value, shown))
        })
    }

    pub(crate) fn strategic(patch: Value) -> Self {
        DocumentPatch::new(patch, |current, patch, meta| {
            let shown = patch.to_string();
            let value = strategic::apply(current, patch, meta).map_err(refusal)?;
            Ok((value, shown))
        })
    }

    /// A Scale with the patch applied.
    pub(super) fn scale(self, current: &Scale) -> Result<Scale, Status> {
        (self.scale)(current, self.sent)
    }
}

impl fmt::Debug for DocumentPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({})", self.sent.patch)
    }
}

impl Operation<'_> {
    pub(super) fn patch(&mut self, target: &Target, patch: Patch) -> Result<Object, Status> {
        let kind = self.kind;
        let patched = move |current: &Object| match patch {
            Patch::Change(change) => {
                let mut object = current.clone();
                change(&mut object);
                Ok(object)
            }
            Patch::Document(document) => (document.object)(kind, current, document.sent),
        };
        self.change(target, Box::new(patched))
    }
}

fn patched_object(
    kind: &'static Kind,
    current: &Object,
    Sent { patch, form }: Sent,
) -> Result<Object, Status> {
    let (value, shown) = form(current.to_value(), patch, PatchMeta::of(kind))?;
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

fn patched_scale(current: &Scale, Sent { patch, form }: Sent) -> Result<Scale, Status> {
    let value = api::encode::to_value(current);
    let (value, shown) = form(value, patch, PatchMeta::default())?;
    serde_json::from_value(value).map_err(|error| invalid_patch(&shown, &error.to_string()))
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
