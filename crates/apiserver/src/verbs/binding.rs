//! Binding a pod to a node. Upstream: pkg/registry/core/pod/storage/storage.go

use api::openapi::api::core::v1::{Pod, PodCondition};
use api::{Object, Status};
use etcd::Expect;

use super::{Operation, Target};
use crate::Binding;

impl Operation<'_> {
    pub(crate) fn bind(&mut self, target: &Target, binding: &Binding) -> Result<Object, Status> {
        let (stored, revision) = self.stored(target)?;
        let mut object = stored.clone();
        let timestamp = self.timestamp();
        let kind = self.kind;
        let conflict = |error: &str| Err(Status::conflict(kind, &target.name, error));
        let Some(pod) = object.get_mut::<Pod>() else {
            return Err(Status::method_not_supported(kind, "binding"));
        };
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        if !binding.uid.is_empty() && binding.uid != uid {
            return conflict(&format!(
                "Precondition failed: UID in precondition: {}, UID in object meta: {uid}",
                binding.uid
            ));
        }
        if pod.metadata.deletion_timestamp.is_some() {
            let name = &target.name;
            return conflict(&format!("pod {name} is being deleted, cannot be assigned to a host"));
        }
        let spec = pod.spec.get_or_insert_default();
        if let Some(node) = spec.node_name.as_deref().filter(|node| !node.is_empty()) {
            let name = &target.name;
            return conflict(&format!("pod {name} is already assigned to node {node:?}"));
        }
        if spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()) {
            let name = &target.name;
            return conflict(&format!("pod {name} has non-empty .spec.schedulingGates"));
        }
        spec.node_name = Some(binding.node.clone());
        let status = pod.status.get_or_insert_default();
        status.nominated_node_name = None;
        let conditions = status.conditions.get_or_insert_default();
        let condition = PodCondition {
            type_: "PodScheduled".to_string(),
            status: "True".to_string(),
            last_transition_time: Some(timestamp),
            observed_generation: pod.metadata.generation,
            ..PodCondition::default()
        };
        match conditions.iter_mut().find(|existing| existing.type_ == condition.type_) {
            Some(existing) => *existing = condition,
            None => conditions.push(condition),
        }
        if target.dry_run {
            return Ok(object);
        }
        self.server
            .commit(self.now, object, Expect::Revision(revision))
            .map_err(|_| Status::modified(kind, &target.name))
    }
}
