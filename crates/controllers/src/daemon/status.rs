//! What a DaemonSet's status says.
//!
//! Upstream: pkg/controller/daemon/daemon_controller.go, updateDaemonSetStatus

use api::openapi::api::apps::v1::DaemonSetStatus;
use component_helpers::pod_status::{is_pod_available, is_pod_ready};
use sim::Duration;

use super::Sync;
use super::pods::{by_age, is_updated};
use crate::replica_set::unless_zero;
use crate::{Error, SyncContext};

impl Sync<'_> {
    /// Counts the pods and writes what changed.
    pub(super) fn report(&mut self, cx: &mut SyncContext<'_, '_>) -> Result<(), Error> {
        let status = self.count(cx)?;
        let ready = status.number_ready;
        let available = status.number_available.unwrap_or(0);
        if self.daemon_set.status.as_ref() != Some(&status) {
            let mut updated = self.daemon_set.clone();
            updated.status = Some(status);
            cx.update_status(updated)?;
        }
        // The last line of defence against clocks that differ.
        if let Ok(seconds) = u64::try_from(self.min_ready_seconds())
            && seconds > 0
            && ready != available
        {
            self.look_again_after(Duration::from_secs(seconds));
        }
        Ok(())
    }

    fn count(&self, cx: &mut SyncContext<'_, '_>) -> Result<DaemonSetStatus, Error> {
        let pods = self.pods(cx, false)?;
        let now = cx.now_on_calendar();
        let (mut desired, mut current, mut misscheduled) = (0, 0, 0);
        let (mut ready, mut updated, mut available) = (0, 0, 0);
        for node in &self.nodes {
            let name = node.metadata.name.as_deref().unwrap_or_default();
            let oldest = pods.get(name).and_then(|it| it.iter().min_by(|a, b| by_age(a, b)));
            if !self.eligibility.of_node(node).0 {
                misscheduled += i32::from(oldest.is_some());
                continue;
            }
            desired += 1;
            let Some(pod) = oldest else { continue };
            current += 1;
            if is_pod_ready(pod) {
                ready += 1;
                available += i32::from(is_pod_available(pod, self.min_ready_seconds(), now));
            }
            updated += i32::from(is_updated(self.daemon_set, pod, &self.hash));
        }
        let before = self.daemon_set.status.clone().unwrap_or_default();
        Ok(DaemonSetStatus {
            desired_number_scheduled: desired,
            current_number_scheduled: current,
            number_misscheduled: misscheduled,
            number_ready: ready,
            updated_number_scheduled: unless_zero(updated),
            number_available: unless_zero(available),
            number_unavailable: unless_zero(desired - available),
            observed_generation: self.daemon_set.metadata.generation,
            ..before
        })
    }
}
