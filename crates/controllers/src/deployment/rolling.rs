//! Rolling updates: the new ReplicaSet grows as far as the surge allows, the old ones shrink as
//! far as availability allows.
//!
//! Upstream: pkg/controller/deployment/rolling.go

use std::sync::Arc;

use api::openapi::api::apps::v1::ReplicaSet;

use super::replica_sets::{
    active, available, counted, desired, max_unavailable, new_replicas, replicas, sort_by_age,
    wanted,
};
use super::{Rollout, Split};
use crate::{Action, Error};

impl Rollout<'_, '_, '_> {
    pub(super) fn roll(&mut self) -> Result<Action, Error> {
        let split = self.split_and_sync_revision(true)?;
        if self.reconcile_new(&split)? || self.reconcile_old(&split)? {
            return self.sync_rollout_status(&split);
        }
        if self.is_complete() {
            self.clean_up(&split.old)?;
        }
        self.sync_rollout_status(&split)
    }

    /// Scales the new ReplicaSet up as far as it may be.
    pub(super) fn reconcile_new(&mut self, split: &Split) -> Result<bool, Error> {
        let Some(new) = &split.new else { return Ok(false) };
        let (have, desired) = (replicas(new), desired(&self.deployment));
        if have == desired {
            return Ok(false);
        }
        if have > desired {
            return Ok(self.scale_and_record(new, desired)?.is_some());
        }
        let count = new_replicas(&self.deployment, wanted(split.all()), have);
        Ok(self.scale_and_record(new, count)?.is_some())
    }

    /// Scales the old ReplicaSets down as far as they may be.
    pub(super) fn reconcile_old(&mut self, split: &Split) -> Result<bool, Error> {
        let mut old = active(&split.old);
        if old.is_empty() {
            return Ok(false);
        }
        // Pods that are not available may go at once: that makes availability no worse. The
        // others only as far as enough are available, and pods of the new ReplicaSet that are
        // not available yet count as if they never would be.
        let min_available = desired(&self.deployment) - max_unavailable(&self.deployment);
        let new_unavailable = split.new.as_deref().map_or(0, unavailable);
        let max_scaled_down = wanted(split.all()) - min_available - new_unavailable;
        if max_scaled_down <= 0 {
            return Ok(false);
        }
        let Some(cleaned_up) = self.clean_up_unhealthy(&mut old, max_scaled_down)? else {
            return Ok(false);
        };
        let scaled_down = self.scale_down_old(&mut old, split.new.as_deref())?;
        Ok(cleaned_up + scaled_down > 0)
    }

    /// Scales old ReplicaSets down by their pods that are not available: those go first. `None`
    /// when a ReplicaSet still counts pods that it was told to give up: nothing can be said of
    /// its availability until it has caught up.
    fn clean_up_unhealthy(
        &mut self,
        old: &mut [Arc<ReplicaSet>],
        max_cleanup: i32,
    ) -> Result<Option<i32>, Error> {
        sort_by_age(old);
        let mut total = 0;
        for replica_set in old {
            let (have, unhealthy) = (replicas(replica_set), unavailable(replica_set));
            if total >= max_cleanup || have == 0 || unhealthy == 0 {
                continue;
            }
            if unhealthy < 0 {
                return Ok(None);
            }
            let count = unhealthy.min(max_cleanup - total);
            if let Some(scaled) = self.scale_and_record(replica_set, have - count)? {
                *replica_set = scaled;
            }
            total += count;
        }
        Ok(Some(total))
    }

    fn scale_down_old(
        &mut self,
        old: &mut [Arc<ReplicaSet>],
        new: Option<&ReplicaSet>,
    ) -> Result<i32, Error> {
        let min_available = desired(&self.deployment) - max_unavailable(&self.deployment);
        let all = old.iter().map(|replica_set| &**replica_set).chain(new);
        let surplus = counted(all, available) - min_available;
        if surplus <= 0 {
            return Ok(0);
        }
        sort_by_age(old);
        let mut total = 0;
        for replica_set in old {
            let have = replicas(replica_set);
            if total >= surplus || have == 0 {
                continue;
            }
            let count = have.min(surplus - total);
            self.scale_and_record(replica_set, have - count)?;
            total += count;
        }
        Ok(total)
    }
}

fn unavailable(replica_set: &ReplicaSet) -> i32 {
    replicas(replica_set) - replica_set.status.as_ref().map_or(0, available)
}
