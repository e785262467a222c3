//! Binding a pod to a node. Upstream: pkg/registry/core/pod/storage/storage.go, BindingREST

use api::field::{Error, Path};
use api::openapi::api::core::v1::{Pod, PodCondition};
use api::{Object, Status};
use etcd::Expect;

use super::{Operation, Target};
use crate::{Binding, Verb};

impl Operation<'_> {
    pub(super) fn bind(&mut self, target: &Target, binding: &Binding) -> Result<Object, Status> {
        if binding.node.is_empty() {
            let error = Error::required(&Path::new("target").child("name"), "");
            return Err(Status::invalid_as("", "Binding", &target.name, &vec![error]));
        }
        let attributes = self.attributes(target, Verb::Create, None);
        self.admit(&attributes, None)?;
        self.validate_admission(&attributes, None)?;
        let (stored, revision) = self.stored(target)?;
        let mut object = stored.clone();
        self.check_binding_uid(&stored, binding)?;
        let timestamp = self.timestamp();
        let kind = self.kind;
        let name = &target.name;
        let conflict = |error: String| Err(Status::conflict_on(kind, "pods/binding", name, &error));
        let Some(pod) = object.get_mut::<Pod>() else {
            return Err(Status::no_such_resource());
        };
        if pod.metadata.deletion_timestamp.is_some() {
            return conflict(format!("pod {name} is being deleted, cannot be assigned to a host"));
        }
        let spec = pod.spec.get_or_insert_default();
        if let Some(node) = spec.node_name.as_deref().filter(|node| !node.is_empty()) {
            return conflict(format!("pod {name} is already assigned to node {node:?}"));
        }
        if spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()) {
            return conflict(format!("pod {name} has non-empty .spec.schedulingGates"));
        }
        spec.node_name = Some(binding.node.clone());
        let status = pod.status.get_or_insert_default();
        status.nominated_node_name = None;
        let condition = PodCondition {
            type_: "PodScheduled".to_string(),
            status: "True".to_string(),
            last_transition_time: Some(timestamp),
            observed_generation: pod.metadata.generation,
            ..PodCondition::default()
        };
        set_condition(status.conditions.get_or_insert_default(), condition);
        if target.dry_run {
            return Ok(object);
        }
        self.server
            .commit(self.now, object, Expect::Revision(revision))
            .map_err(|_| Status::modified(kind, &target.name))
    }

    fn check_binding_uid(&self, stored: &Object, binding: &Binding) -> Result<(), Status> {
        if binding.uid.is_empty() || binding.uid == stored.uid() {
            return Ok(());
        }
        let mut meant = stored.clone();
        meant.meta_mut().uid = Some(binding.uid.clone());
        self.check_uid(&meant, stored)
    }
}

/// Upstream: pkg/api/pod/util.go, UpdatePodCondition.
fn set_condition(conditions: &mut Vec<PodCondition>, mut condition: PodCondition) {
    match conditions.iter_mut().find(|existing| existing.type_ == condition.type_) {
        Some(existing) => {
            if existing.status == condition.status {
                condition.last_transition_time.clone_from(&existing.last_transition_time);
            }
            *existing = condition;
        }
        None => conditions.push(condition),
    }
}
