//! Patching. Upstream: staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go

use api::openapi::api::autoscaling::v1::Scale;
use api::{Kind, Object, Status};

use super::{Operation, Target};
use crate::Patch;

impl Operation<'_> {
    pub(super) fn patch(&mut self, target: &Target, patch: Patch) -> Result<Object, Status> {
        let kind = self.kind;
        self.change(target, Box::new(move |current| patched(kind, current, patch)))
    }
}

fn patched(_kind: &Kind, current: &Object, patch: Patch) -> Result<Object, Status> {
    match patch {
        Patch::Change(change) => {
            let mut object = current.clone();
            change(&mut object);
            Ok(object)
        }
        _ => Err(Status::bad_request("the body of the request was in an unknown format")),
    }
}

/// A Scale with a patch applied.
pub(super) fn patched_scale(_current: &Scale, _patch: Patch) -> Result<Scale, Status> {
    Err(Status::bad_request("the body of the request was in an unknown format"))
}
