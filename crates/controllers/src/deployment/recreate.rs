//! The strategy Recreate: all old pods are gone before the first new one comes.
//!
//! Upstream: pkg/controller/deployment/recreate.go

use api::openapi::api::core::v1::Pod;
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
        old_pods_running(split, pods_of(self.cx.informers, &self.deployment))
    }
}

/// Upstream: oldPodsRunning.
fn old_pods_running<'p>(split: &Split, mut pods: impl Iterator<Item = &'p Pod>) -> bool {
    let old = split.old.iter().map(|replica_set| &**replica_set);
    if counted(old, |status| status.replicas) > 0 {
        return true;
    }
    let new = split.new.as_ref().and_then(|new| new.metadata.uid.as_deref());
    pods.any(|pod| {
        !new.is_some_and(|uid| is_controlled_by(&pod.metadata, uid)) && !is_pod_terminal(pod)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use api::openapi::api::apps::v1::{ReplicaSet, ReplicaSetStatus};
    use api::openapi::api::core::v1::PodStatus;
    use component_helpers::controller_ref::new_controller_ref;

    use super::*;

    /// A name, the old ReplicaSets, the pods, and whether old ones run.
    type Case = (&'static str, Vec<Arc<ReplicaSet>>, Vec<Pod>, bool);

    fn set(uid: &str, replicas: i32) -> Arc<ReplicaSet> {
        let mut set = ReplicaSet::default();
        set.metadata.uid = Some(uid.to_string());
        set.status = Some(ReplicaSetStatus { replicas, ..ReplicaSetStatus::default() });
        Arc::new(set)
    }

    fn pod(owner: &ReplicaSet, phase: &str) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.owner_references = Some(vec![new_controller_ref(owner)]);
        pod.status = Some(PodStatus { phase: Some(phase.into()), ..PodStatus::default() });
        pod
    }

    /// Upstream: recreate_test.go, TestOldPodsRunning.
    #[test]
    fn old_pods_run_until_they_have_ended() {
        let (new, old) = (set("new", 0), set("old", 0));
        let of_old = |phases: &[&str]| phases.iter().map(|phase| pod(&old, phase)).collect();
        let old_only = || vec![old.clone()];
        let cases: [Case; 8] = [
            ("no old RSs", vec![], vec![], false),
            ("old RSs with running pods", old_only(), of_old(&["Running", "Running"]), true),
            (
                "old RSs without pods but with non-zero status replicas",
                vec![set("rs-1", 1)],
                vec![],
                true,
            ),
            ("old RSs without pods or non-zero status replicas", old_only(), vec![], false),
            (
                "old RSs with zero status replicas but pods in terminal state are present",
                old_only(),
                of_old(&["Failed", "Succeeded"]),
                false,
            ),
            (
                "old RSs with zero status replicas but pod in unknown phase present",
                old_only(),
                of_old(&["Unknown"]),
                true,
            ),
            (
                "old RSs with zero status replicas with pending pod present",
                old_only(),
                of_old(&["Pending"]),
                true,
            ),
            (
                "pods of the new RS are none of the old",
                old_only(),
                vec![pod(&new, "Running")],
                false,
            ),
        ];
        for (name, old, pods, want) in cases {
            let split = Split { new: Some(new.clone()), old };
            assert_eq!(old_pods_running(&split, pods.iter()), want, "{name}");
        }
    }
}
