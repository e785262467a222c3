//! The Deployment controller: makes a ReplicaSet for every template and moves the replicas from
//! the old ones to the new one.
//!
//! Changes of Deployments, ReplicaSets and pods come in as keys of Deployments; ReplicaSets
//! made, scaled and deleted and the Deployment's status go out.
//! Upstream: pkg/controller/deployment/deployment_controller.go

use std::sync::Arc;

use api::labels::Selector;
use api::openapi::api::apps::v1::{Deployment, DeploymentSpec, ReplicaSet};
use api::openapi::api::core::v1::Pod;
use api::openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use api::{Key, Kinded};
use client::EventType;
use component_helpers::controller_ref::{controller_of, is_controlled_by};

use crate::claim::claim_objects;
use crate::{Action, Change, Controller, Enqueue, Error, SharedInformers, SyncContext, Watch};

mod conditions;
mod progress;
mod recreate;
mod replica_sets;
mod rollback;
mod rolling;
mod scale;
mod sync;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;

/// The Deployment controller.
#[derive(Clone, Debug, Default)]
pub struct DeploymentController;

impl Controller for DeploymentController {
    const NAME: &'static str = "deployment-controller";

    fn watches() -> &'static [Watch<Self>] {
        const {
            &[
                Watch::on::<Deployment>(on_deployment),
                Watch::on::<ReplicaSet>(on_replica_set),
                Watch::on::<Pod>(on_pod),
            ]
        }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some(deployment) = cx.informers.get::<Deployment>(key) else { return Ok(Action::Done) };
        sync_deployment(cx, deployment.clone())
    }
}

fn on_deployment(_: &mut DeploymentController, change: &Change, enqueue: &mut Enqueue<'_>) {
    enqueue.add(change.key.clone());
}

/// Wakes the Deployment that a ReplicaSet belongs to, or those that may adopt it.
fn on_replica_set(_: &mut DeploymentController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let (old, new) = (change.old::<ReplicaSet>(), change.new::<ReplicaSet>());
    let owner = |replica_set: Option<&ReplicaSet>| {
        replica_set.and_then(|replica_set| deployment_of(enqueue.informers, replica_set))
    };
    let (old_owner, new_owner) = (owner(old), owner(new));
    let owned = new.is_some_and(|new| controller_of(&new.metadata).is_some());
    let owners = [old_owner, new_owner];
    owners.into_iter().flatten().for_each(|key| enqueue.queue.add(key));
    let Some(new) = new else { return };
    if owned || new.metadata.deletion_timestamp.is_some() {
        return;
    }
    let changed = old.is_none_or(|old| {
        old.metadata.labels != new.metadata.labels || controller_of(&old.metadata).is_some()
    });
    if changed {
        let deployments = enqueue.informers.in_namespace::<Deployment>(&change.key.namespace);
        let matching = deployments.filter(|deployment| {
            selector(deployment).is_some_and(|selector| selector.matches_meta(&new.metadata))
        });
        let keys: Vec<Key> = matching.map(|deployment| Key::of(&deployment.metadata)).collect();
        keys.into_iter().for_each(|key| enqueue.add(key));
    }
}

/// A Deployment that recreates waits until its last pod is gone.
fn on_pod(_: &mut DeploymentController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let (Some(pod), None) = (change.old::<Pod>(), &change.new) else { return };
    let Some(owner) = controller_of(&pod.metadata) else { return };
    let informers = enqueue.informers;
    let replica_set = informers.get::<ReplicaSet>(&Key::new(&change.key.namespace, &owner.name));
    let Some(replica_set) = replica_set else { return };
    let Some(key) = deployment_of(informers, replica_set) else { return };
    let Some(deployment) = informers.get::<Deployment>(&key) else { return };
    if is_recreate(&deployment.spec) && pods_of(informers, deployment).next().is_none() {
        enqueue.add(key);
    }
}

/// The key of the Deployment that controls the ReplicaSet and still exists.
fn deployment_of(informers: &SharedInformers, replica_set: &ReplicaSet) -> Option<Key> {
    let owner = controller_of(&replica_set.metadata)?;
    if owner.kind != Deployment::ID.get().kind {
        return None;
    }
    let key = Key::new(replica_set.metadata.namespace.as_deref().unwrap_or_default(), &owner.name);
    let found = informers.get::<Deployment>(&key)?;
    (found.metadata.uid.as_deref() == Some(&owner.uid)).then_some(key)
}

/// The pods of all ReplicaSets that the Deployment controls.
fn pods_of<'a>(
    informers: &'a SharedInformers,
    deployment: &'a Deployment,
) -> impl Iterator<Item = &'a Pod> {
    let uid = deployment.metadata.uid.as_deref().unwrap_or_default();
    let replica_sets = informers.owned_by::<ReplicaSet>(uid);
    let replica_sets = replica_sets.filter(move |owned| is_controlled_by(&owned.metadata, uid));
    replica_sets.flat_map(|replica_set| {
        let uid = replica_set.metadata.uid.as_deref().unwrap_or_default();
        informers.owned_by::<Pod>(uid).filter(move |pod| is_controlled_by(&pod.metadata, uid))
    })
}

/// The selector; `None` when it is invalid or selects everything.
fn selector(deployment: &Deployment) -> Option<Selector> {
    let selector = Selector::from_label_selector(Some(&deployment.spec.selector)).ok()?;
    (!selector.is_everything()).then_some(selector)
}

fn is_recreate(spec: &DeploymentSpec) -> bool {
    let strategy = spec.strategy.as_ref().and_then(|strategy| strategy.type_.as_deref());
    strategy == Some("Recreate")
}

/// One Deployment while it is being reconciled.
struct Rollout<'r, 's, 'c> {
    cx: &'r mut SyncContext<'s, 'c>,
    deployment: Deployment,
    /// Every ReplicaSet that it controls, the oldest first.
    replica_sets: Vec<Arc<ReplicaSet>>,
}

/// The ReplicaSets of a Deployment, told apart by template.
#[derive(Clone, Debug, Default)]
struct Split {
    /// The one with the Deployment's template.
    new: Option<Arc<ReplicaSet>>,
    /// All others.
    old: Vec<Arc<ReplicaSet>>,
}

impl Split {
    fn all(&self) -> impl Iterator<Item = &ReplicaSet> {
        self.old.iter().chain(&self.new).map(|replica_set| &**replica_set)
    }
}

fn sync_deployment(
    cx: &mut SyncContext<'_, '_>,
    mut deployment: Deployment,
) -> Result<Action, Error> {
    if deployment.spec.selector == LabelSelector::default() {
        return refuse_to_select_everything(cx, deployment);
    }
    let Some(selector) = selector(&deployment) else {
        let key = Key::of(&deployment.metadata);
        return Err(Error::Other(format!("deployment {key} has invalid label selector")));
    };
    let mut replica_sets = claim_objects::<ReplicaSet, _>(cx, &deployment, &selector, &|_| true)?;
    replica_sets::sort_by_age(&mut replica_sets);
    // Adoption wrote ReplicaSets only, so the Deployment is as fresh as it was.
    deployment.status.get_or_insert_default();
    let mut rollout = Rollout { cx, deployment, replica_sets };
    if rollout.deployment.metadata.deletion_timestamp.is_some() {
        return rollout.sync_status_only();
    }
    // A Deployment that was paused or resumed must not time out for the time in between.
    rollout.check_paused_conditions()?;
    if rollout.deployment.spec.paused == Some(true) {
        return rollout.sync();
    }
    if let Some(revision) = rollback::wanted_revision(&rollout.deployment) {
        return rollout.roll_back(revision);
    }
    if rollout.is_scaling_event()? {
        return rollout.sync();
    }
    if is_recreate(&rollout.deployment.spec) {
        return rollout.recreate();
    }
    rollout.roll()
}

fn refuse_to_select_everything(
    cx: &mut SyncContext<'_, '_>,
    mut deployment: Deployment,
) -> Result<Action, Error> {
    let message = "This deployment is selecting all pods. A non-empty selector is required.";
    cx.event(&deployment, EventType::Warning, "SelectingAll", message);
    let generation = deployment.metadata.generation;
    let status = deployment.status.get_or_insert_default();
    if status.observed_generation < generation {
        status.observed_generation = generation;
        cx.update_status(deployment)?;
    }
    Ok(Action::Done)
}
