//! A pod's priority is that of its class.
//!
//! Upstream: plugin/pkg/admission/priority/admission.go

use api::openapi::api::core::v1::Pod;
use api::{KindId, Object, Status};

use super::{AdmissionPlugin, Attributes, View};
use crate::Verb;

/// The classes that every cluster has. Upstream: pkg/apis/scheduling/v1/helpers.go
const SYSTEM_CLASSES: [(&str, i32); 2] =
    [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)];
/// The priority and the policy of a pod without a class where no class is the default.
const DEFAULT_PRIORITY: i32 = 0;
const DEFAULT_POLICY: &str = "PreemptLowerPriority";

pub(super) struct Priority;

impl AdmissionPlugin for Priority {
    fn name(&self) -> &'static str {
        "Priority"
    }

    fn admit(
        &self,
        request: &Attributes<'_>,
        object: Option<&mut Object>,
        _: &mut View<'_>,
    ) -> Result<(), Status> {
        let Some(object) = object else { return Ok(()) };
        if !request.concerns(KindId::POD) || request.verb != Verb::Create {
            return Ok(());
        }
        let Some(spec) = object.get::<Pod>().and_then(|pod| pod.spec.as_ref()) else {
            return Ok(());
        };
        let class = spec.priority_class_name.as_deref().unwrap_or_default();
        let known = SYSTEM_CLASSES.iter().find(|(name, _)| *name == class);
        let priority = match (class, known) {
            ("", _) => DEFAULT_PRIORITY,
            (_, Some((_, priority))) => *priority,
            (_, None) => {
                let words = format!("no PriorityClass with name {class} was found");
                return Err(request.forbidden(Some(object), &words));
            }
        };
        if let Some(given) = spec.priority.filter(|given| *given != priority) {
            let words = format!(
                "the integer value of priority ({given}) must not be provided in pod spec; \
                 priority admission controller computed {priority} from the given PriorityClass \
                 name"
            );
            return Err(request.forbidden(Some(object), &words));
        }
        let policy = spec.preemption_policy.as_deref();
        if let Some(given) = policy.filter(|given| *given != DEFAULT_POLICY) {
            let words = format!(
                "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; \
                 priority admission controller computed {DEFAULT_POLICY} from the given \
                 PriorityClass name"
            );
            return Err(request.forbidden(Some(object), &words));
        }
        if let Some(pod) = object.get_mut::<Pod>() {
            let spec = pod.spec.get_or_insert_default();
            spec.priority = Some(priority);
            spec.preemption_policy = Some(DEFAULT_POLICY.to_string());
        }
        Ok(())
    }
}
