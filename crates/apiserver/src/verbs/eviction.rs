//! Evicting a pod: deleting it if its disruption budget allows that.
//!
//! Upstream: pkg/registry/core/pod/storage/eviction.go

use api::labels::Selector;
use api::openapi::api::core::v1::{Pod, PodCondition};
use api::openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use api::{KindId, Object, Status};
use component_helpers::disruption::update_allowed_condition;
use component_helpers::pod_status::{is_pod_ready, phase, update_condition};
use etcd::Expect;

use super::{Operation, Target};
use crate::{DeleteOptions, Subresource, Verb};

/// How many pods may be on their way out without the controller knowing.
/// Upstream: MaxDisruptedPodSize.
const MOST_DISRUPTED: usize = 2000;

fn too_many_requests(cause: &str) -> Status {
    let words = "Cannot evict pod as it would violate the pod's disruption budget.";
    Status::too_many_requests(words).with_cause("DisruptionBudget", cause, "")
}

impl Operation<'_> {
    pub(super) fn evict(
        &mut self,
        target: &Target,
        mut options: DeleteOptions,
    ) -> Result<(), Status> {
        let attributes = self.attributes(target, Verb::Create, None);
        self.admit(&attributes, None)?;
        self.validate_admission(&attributes, None)?;
        let (stored, _) = self.stored(target)?;
        let Some(pod) = stored.get::<Pod>() else { return Err(Status::no_such_resource()) };
        let version = || pod.metadata.resource_version.clone();
        // A pod that has ended, or never began, disrupts nobody any more by going.
        let is_deleting = pod.metadata.deletion_timestamp.is_some();
        if is_deleting || matches!(phase(pod), "Succeeded" | "Failed" | "Pending") {
            if phase(pod) == "Pending" && !is_deleting && options.resource_version.is_none() {
                options.resource_version = version();
            }
            return self.delete_evicted(target, &options);
        }
        let budgets = self.budgets_of(pod);
        match &budgets[..] {
            [] => {}
            [budget] => {
                let status = budget.status.clone().unwrap_or_default();
                if is_unguarded(pod, budget, &status) {
                    options.resource_version = options.resource_version.or_else(version);
                } else {
                    self.decrement(target, budget, status)?;
                }
            }
            _ => {
                let words = "This pod has more than one PodDisruptionBudget, which the eviction \
                             subresource does not support.";
                return Err(Status::unknown(words));
            }
        }
        self.delete_evicted(target, &options)
    }

    /// The budgets whose selectors match the pod.
    fn budgets_of(&self, pod: &Pod) -> Vec<PodDisruptionBudget> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let snapshot = self.server.snapshot(KindId::POD_DISRUPTION_BUDGET);
        let budgets = snapshot.in_namespace(namespace).filter_map(Object::get);
        let matching = budgets.filter(|budget: &&PodDisruptionBudget| {
            let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
            Selector::from_label_selector(selector).is_ok_and(|it| it.matches_meta(&pod.metadata))
        });
        matching.cloned().collect()
    }

    /// Takes one from what the budget allows. Upstream: checkAndDecrement.
    fn decrement(
        &mut self,
        target: &Target,
        budget: &PodDisruptionBudget,
        mut status: PodDisruptionBudgetStatus,
    ) -> Result<(), Status> {
        let name = budget.metadata.name.as_deref().unwrap_or_default();
        let kind = KindId::POD_DISRUPTION_BUDGET.get();
        if status.observed_generation.unwrap_or(0) < budget.metadata.generation.unwrap_or(0) {
            return Err(too_many_requests(&format!(
                "The disruption budget {name} is still being processed by the server."
            )));
        }
        let allowed = status.disruptions_allowed.unwrap_or(0);
        if allowed < 0 {
            return Err(Status::forbidden(kind, name, "pdb disruptions allowed is negative"));
        }
        if status.disrupted_pods.as_ref().is_some_and(|pods| pods.len() > MOST_DISRUPTED) {
            let words = "DisruptedPods map too big - too many evictions not confirmed by PDB \
                         controller";
            return Err(Status::forbidden(kind, name, words));
        }
        if allowed == 0 {
            return Err(too_many_requests(&format!(
                "The disruption budget {name} needs {} healthy pods and has {} currently",
                status.desired_healthy.unwrap_or(0),
                status.current_healthy.unwrap_or(0)
            )));
        }
        if target.dry_run {
            return Ok(());
        }
        let now = self.timestamp();
        status.disruptions_allowed = Some(allowed - 1);
        // The controller is not to count the pod as available any more.
        let disrupted = status.disrupted_pods.get_or_insert_default();
        disrupted.insert(target.name.clone(), now.clone());
        let mut updated = budget.clone();
        updated.status = Some(status);
        if allowed == 1 {
            update_allowed_condition(&mut updated, &now);
        }
        let version = budget.metadata.resource_version.as_deref();
        let revision = version.and_then(|version| version.parse().ok()).unwrap_or(0);
        self.server
            .commit(self.now, Object::new(updated), Expect::Revision(revision))
            .map(|_| ())
            .map_err(|_| Status::modified(kind, name))
    }

    /// Says why the pod goes and deletes it. Upstream: addConditionAndDeletePod.
    fn delete_evicted(&mut self, target: &Target, options: &DeleteOptions) -> Result<(), Status> {
        let (stored, revision) = self.stored(target)?;
        let mut object = stored.clone();
        let mut options = options.clone();
        if let Some(pod) = object.get_mut::<Pod>() {
            let condition = PodCondition {
                type_: "DisruptionTarget".to_string(),
                status: "True".to_string(),
                reason: Some("EvictionByEvictionAPI".to_string()),
                message: Some("Eviction API: evicting".to_string()),
                observed_generation: pod.metadata.generation,
                ..PodCondition::default()
            };
            let now = self.timestamp();
            update_condition(pod.status.get_or_insert_default(), condition, &now);
        }
        let is_meant = options
            .resource_version
            .as_deref()
            .is_none_or(|wanted| stored.meta().resource_version.as_deref() == Some(wanted));
        if is_meant && object != stored && !target.dry_run {
            let written = self
                .server
                .commit(self.now, object, Expect::Revision(revision))
                .map_err(|_| Status::modified(self.kind, &target.name))?;
            if options.resource_version.is_some() {
                options.resource_version.clone_from(&written.meta().resource_version);
            }
        }
        let whole = Target {
            identity: target.identity.clone(),
            namespace: target.namespace.clone(),
            name: target.name.clone(),
            subresource: Subresource::None,
            dry_run: target.dry_run,
        };
        self.delete(&whole, &options).map(|_| ())
    }
}

/// Whether the budget does not guard the pod, because it is not ready.
fn is_unguarded(
    pod: &Pod,
    budget: &PodDisruptionBudget,
    status: &PodDisruptionBudgetStatus,
) -> bool {
    if is_pod_ready(pod) {
        return false;
    }
    let spec = budget.spec.as_ref();
    let policy = spec.and_then(|spec| spec.unhealthy_pod_eviction_policy.as_deref());
    let desired = status.desired_healthy.unwrap_or(0);
    policy == Some("AlwaysAllow") || desired > 0 && status.current_healthy.unwrap_or(0) >= desired
}
