//! Scaling ReplicaSets. Upstream: pkg/controller/deployment/sync.go, scale

use std::sync::Arc;

use api::openapi::api::apps::v1::ReplicaSet;
use client::EventType;
use sim::Sort;

use super::replica_sets::{
    active, active_or_latest, compare_ages, desired, is_saturated, max_surge, proportion, replicas,
    set_replicas_annotations, wanted,
};
use super::{Rollout, Split, is_recreate};
use crate::Error;

impl Rollout<'_, '_, '_> {
    /// Spreads the Deployment's replicas over its ReplicaSets: all to the only one that has
    /// any, or to each in proportion to its size.
    pub(super) fn scale(&mut self, split: &Split) -> Result<(), Error> {
        let desired = desired(&self.deployment);
        if let Some(only) = active_or_latest(split) {
            return self.scale_and_record(&only, desired).map(|_| ());
        }
        // The new ReplicaSet has all it needs: what the others have is left over.
        if is_saturated(&self.deployment, split.new.as_deref()) {
            for old in active(&split.old) {
                self.scale_and_record(&old, 0)?;
            }
            return Ok(());
        }
        if is_recreate(&self.deployment.spec) {
            return Ok(());
        }
        let all: Vec<_> = split.old.iter().chain(&split.new).cloned().collect();
        let mut all = active(&all);
        for (replica_set, size) in self.proportions(&mut all) {
            self.scale_replica_set(&replica_set, size)?;
        }
        Ok(())
    }

    /// The size that each ReplicaSet should have. What rounding leaves over goes to the first:
    /// the largest, and of equally large ones the newest when scaling up, the oldest when
    /// scaling down.
    fn proportions(&self, all: &mut [Arc<ReplicaSet>]) -> Vec<(Arc<ReplicaSet>, i32)> {
        let allowed = match desired(&self.deployment) {
            0 => 0,
            desired => desired.saturating_add(max_surge(&self.deployment)),
        };
        let to_add = allowed - wanted(all.iter().map(|replica_set| &**replica_set));
        all.order_by(|one, other| {
            let by_age = compare_ages(one, other);
            let by_age = if to_add > 0 { by_age.reverse() } else { by_age };
            replicas(other).cmp(&replicas(one)).then(by_age)
        });
        let mut added = 0;
        let mut sizes: Vec<(Arc<ReplicaSet>, i32)> = Vec::new();
        for replica_set in all.iter() {
            let share = proportion(replica_set, &self.deployment, to_add, added);
            sizes.push((replica_set.clone(), replicas(replica_set) + share));
            added += share;
        }
        if let Some((_, first)) = sizes.first_mut() {
            *first = (*first + to_add - added).max(0);
        }
        sizes
    }

    /// Scales a ReplicaSet unless it has that size already. Returns it when it was scaled.
    pub(super) fn scale_and_record(
        &mut self,
        replica_set: &ReplicaSet,
        size: i32,
    ) -> Result<Option<Arc<ReplicaSet>>, Error> {
        if replicas(replica_set) == size {
            return Ok(None);
        }
        self.scale_replica_set(replica_set, size)
    }

    /// Gives a ReplicaSet a size and notes the Deployment's on it. Returns it when its size
    /// changed.
    fn scale_replica_set(
        &mut self,
        replica_set: &ReplicaSet,
        size: i32,
    ) -> Result<Option<Arc<ReplicaSet>>, Error> {
        let old_size = replicas(replica_set);
        let mut changed = replica_set.clone();
        let annotated = set_replicas_annotations(&self.deployment, &mut changed);
        if old_size == size && !annotated {
            return Ok(None);
        }
        changed.spec.replicas = Some(size);
        let stored = self.cx.update(changed)?;
        if old_size == size {
            return Ok(None);
        }
        let direction = if old_size < size { "up" } else { "down" };
        let name = replica_set.metadata.name.as_deref().unwrap_or_default();
        let message = format!("Scaled {direction} replica set {name} from {old_size} to {size}");
        self.cx.event(&self.deployment, EventType::Normal, "ScalingReplicaSet", &message);
        Ok(Some(stored))
    }
}
