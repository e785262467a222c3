//! The strategy Recreate: all old pods are gone before the first new one comes.
//!
//! Upstream: pkg/controller/deployment/recreate.go

use component_helpers::controller_ref::is_controlled_by;
use component_helpers::pod_status::is_pod_terminal;

use super::replica_sets::{active, counted, desired, replicas};
use super::{Rollout, Split, pods_of};
use crate::{Action, Error};

impl Rollout<'_, '_, '_> {
    pub(super) fn recreate(&mut self) -> Result<Action, Error> {
        let mut split = self.split_and_sync_revision(false)?;
        let mut scaled_down = false;
        for replica_set in active(&split.old) {
            scaled_down |= self.scale_and_record(&replica_set, 0)?.is_some();
        }
        if scaled_down || self.are_old_pods_running(&split) {
            return self.sync_rollout_status(&split);
        }
        if split.new.is_none() {
            split = self.split_and_sync_revision(true)?;
        }
        let desired = desired(&self.deployment);
        if let Some(new) = split.new.clone().filter(|new| replicas(new) != desired) {
            self.scale_and_record(&new, desired)?;
            return self.sync_rollout_status(&split);
        }
        if self.is_complete() {
            self.clean_up(&split.old)?;
        }
        self.sync_rollout_status(&split)
    }

    /// Whether a pod of another template has not ended: one that was told to end still counts.
    fn are_old_pods_running(&self, split: &Split) -> bool {
        let old = split.old.iter().map(|replica_set| &**replica_set);
        if counted(old, |status| status.replicas) > 0 {
            return true;
        }
        let new = split.new.as_ref().and_then(|new| new.metadata.uid.as_deref());
        pods_of(self.cx.informers, &self.deployment).any(|pod| {
            !new.is_some_and(|uid| is_controlled_by(&pod.metadata, uid)) && !is_pod_terminal(pod)
        })
    }
}
