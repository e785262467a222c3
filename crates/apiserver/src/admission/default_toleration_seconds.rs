//! A pod stays five minutes on a node that is not ready or cannot be reached, unless it says
//! how long it stays.
//!
//! Upstream: plugin/pkg/admission/defaulttolerationseconds/admission.go

use api::openapi::api::core::v1::{Pod, Toleration};
use api::{KindId, Object, Status};

use super::{AdmissionPlugin, Attributes, View};
use crate::Verb;

const TAINTS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
const TOLERATION_SECONDS: i64 = 300;

pub(super) struct DefaultTolerationSeconds;

impl AdmissionPlugin for DefaultTolerationSeconds {
    fn name(&self) -> &'static str {
        "DefaultTolerationSeconds"
    }

    fn admit(
        &self,
        request: &Attributes<'_>,
        object: Option<&mut Object>,
        _: &mut View<'_>,
    ) -> Result<(), Status> {
        let Some(object) = object else { return Ok(()) };
        if !request.concerns(KindId::POD) || request.verb == Verb::Delete {
            return Ok(());
        }
        let Some(spec) = object.get::<Pod>().and_then(|pod| pod.spec.as_ref()) else {
            return Ok(());
        };
        let tolerations = spec.tolerations.as_deref().unwrap_or_default();
        let missing: Vec<Toleration> = TAINTS
            .into_iter()
            .filter(|taint| !tolerations.iter().any(|toleration| tolerates(toleration, taint)))
            .map(toleration)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        if let Some(pod) = object.get_mut::<Pod>() {
            pod.spec.get_or_insert_default().tolerations.get_or_insert_default().extend(missing);
        }
        Ok(())
    }
}

fn tolerates(toleration: &Toleration, taint: &str) -> bool {
    let says = |field: &Option<String>, word: &str| match field.as_deref() {
        None | Some("") => true,
        Some(text) => text == word,
    };
    says(&toleration.key, taint) && says(&toleration.effect, "NoExecute")
}

fn toleration(taint: &str) -> Toleration {
    Toleration {
        key: Some(taint.to_string()),
        operator: Some("Exists".to_string()),
        effect: Some("NoExecute".to_string()),
        toleration_seconds: Some(TOLERATION_SECONDS),
        value: None,
    }
}
