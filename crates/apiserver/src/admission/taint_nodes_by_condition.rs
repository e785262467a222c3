//! A new node takes no pods until its conditions have been looked at.
//!
//! Upstream: plugin/pkg/admission/nodetaint/admission.go

use api::openapi::api::core::v1::{Node, Taint};
use api::{KindId, Object, Status};

use super::{AdmissionPlugin, Attributes, View};
use crate::Verb;

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const EFFECT: &str = "NoSchedule";

pub(super) struct TaintNodesByCondition;

impl AdmissionPlugin for TaintNodesByCondition {
    fn name(&self) -> &'static str {
        "TaintNodesByCondition"
    }

    fn admit(
        &self,
        request: &Attributes<'_>,
        object: Option<&mut Object>,
        _: &mut View<'_>,
    ) -> Result<(), Status> {
        if !request.concerns(KindId::NODE) || request.verb != Verb::Create {
            return Ok(());
        }
        let Some(node) = object.and_then(|object| object.get_mut::<Node>()) else { return Ok(()) };
        let taints = node.spec.get_or_insert_default().taints.get_or_insert_default();
        if !taints.iter().any(|taint| taint.key == NOT_READY && taint.effect == EFFECT) {
            taints.push(Taint {
                key: NOT_READY.to_string(),
                effect: EFFECT.to_string(),
                ..Taint::default()
            });
        }
        Ok(())
    }
}
