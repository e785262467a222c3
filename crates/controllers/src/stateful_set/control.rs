//! What is to be done about the pods of a StatefulSet, one after the other or all at once.
//!
//! Upstream: pkg/controller/statefulset/stateful_set_control.go

use std::sync::Arc;

use api::openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use api::openapi::api::core::v1::Pod;
use api::openapi::apimachinery::pkg::util::intstr::IntOrString;
use component_helpers::pod_status::{is_pod_terminal, phase};
use component_helpers::rollout::{Round, scaled_value};
use jiff::Timestamp;
use sim::Sort;

use super::identity::{
    identity_matches, is_available, is_created, is_in_range, is_running_and_ready, is_terminating,
    new_pod, ordinal_of, replicas, revision_of, start_ordinal, storage_matches,
};
use super::revisions::Revisions;
use super::status::{Counts, report};
use super::{claims, pods};
use crate::{Error, SyncContext};

/// Whether the pods after this one have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Next,
    Wait,
}

/// One sync of a StatefulSet.
struct Sync<'a> {
    set: &'a StatefulSet,
    revisions: &'a Revisions,
    now: Timestamp,
    /// Whether each pod waits for the one before it.
    is_ordered: bool,
    /// The pods that are wanted, those that do not exist yet among them.
    replicas: Vec<Arc<Pod>>,
    /// Those that are not, the last first.
    condemned: Vec<Arc<Pod>>,
}

/// Brings the pods nearer to what they should be and writes the status. Says how many are
/// available.
pub(super) fn update(
    cx: &mut SyncContext<'_, '_>,
    set: &StatefulSet,
    mut all: Vec<Arc<ControllerRevision>>,
    members: Vec<Arc<Pod>>,
) -> Result<i32, Error> {
    let revisions = Revisions::of(cx, set, &mut all)?;
    let mut sync = Sync::new(cx, set, &revisions, &members);
    let outcome = sync.run(cx);
    let now = cx.now_on_calendar();
    // A set that goes away only reports, and on what there was.
    let mut counts = if set.metadata.deletion_timestamp.is_some() {
        Counts::of(set, &revisions, members.iter(), now)
    } else {
        let pods = sync.replicas.iter().chain(&sync.condemned);
        Counts::of(set, &revisions, pods, now)
    };
    if let Ok(deleted) = &outcome {
        counts.current -= deleted;
    }
    report(cx, set, &revisions, counts)?;
    outcome?;
    revisions.truncate(cx, set, &all, &members)?;
    Ok(counts.available)
}

impl<'a> Sync<'a> {
    fn new(
        cx: &SyncContext<'_, '_>,
        set: &'a StatefulSet,
        revisions: &'a Revisions,
        members: &[Arc<Pod>],
    ) -> Self {
        let start = start_ordinal(set);
        let mut current_template = None;
        let mut wanted = Vec::new();
        for ordinal in start..start.saturating_add(replicas(set)) {
            let existing = members.iter().find(|pod| ordinal_of(pod) == Some(ordinal));
            wanted.push(existing.cloned().unwrap_or_else(|| {
                let is_current = needs_current_revision(set, ordinal);
                let same = revisions.current_name() == revisions.update_name();
                let pod = if is_current && !same {
                    let template =
                        current_template.get_or_insert_with(|| revisions.current_template(set));
                    new_pod(set, template, revisions.current_name(), ordinal)
                } else {
                    new_pod(set, &set.spec.template, revisions.update_name(), ordinal)
                };
                Arc::new(pod)
            }));
        }
        let is_condemned = |pod: &&Arc<Pod>| ordinal_of(pod).is_some() && !is_in_range(set, pod);
        let mut condemned: Vec<Arc<Pod>> = members.iter().filter(is_condemned).cloned().collect();
        condemned.order_by(|one, other| ordinal_of(other).cmp(&ordinal_of(one)));
        Sync {
            set,
            revisions,
            now: cx.now_on_calendar(),
            is_ordered: set.spec.pod_management_policy.as_deref() != Some("Parallel"),
            replicas: wanted,
            condemned,
        }
    }

    fn is_unavailable(&self, pod: &Pod) -> bool {
        is_terminating(pod) || !is_available(self.set, pod, self.now)
    }

    /// Upstream: updateStatefulSet. Says how many pods of the current revision were deleted to
    /// be replaced.
    fn run(&mut self, cx: &mut SyncContext<'_, '_>) -> Result<i32, Error> {
        if self.set.metadata.deletion_timestamp.is_some() {
            return Ok(0);
        }
        let first_unavailable = self
            .replicas
            .iter()
            .chain(self.condemned.iter().rev())
            .find(|pod| self.is_unavailable(pod))
            .cloned();
        let wanted = self.replicas.clone();
        if self.for_all(&wanted, |pod| self.keep(cx, pod))? == Step::Wait {
            return Ok(0);
        }
        let condemned = self.condemned.clone();
        let fixed = self.for_all(&condemned, |pod| {
            if !claims::match_policy(cx, self.set, pod) {
                claims::update_for_policy(cx, self.set, pod)?;
            }
            Ok(Step::Next)
        })?;
        if fixed == Step::Wait {
            return Ok(0);
        }
        let condemn = |pod: &Arc<Pod>| self.condemn(cx, pod, first_unavailable.as_ref());
        if self.for_all(&condemned, condemn)? == Step::Wait {
            return Ok(0);
        }
        self.roll(cx)
    }

    /// Goes through the pods: in order until one has to wait, or all of them.
    /// Upstream: runForAll.
    fn for_all(
        &self,
        pods: &[Arc<Pod>],
        mut act: impl FnMut(&Arc<Pod>) -> Result<Step, Error>,
    ) -> Result<Step, Error> {
        if self.is_ordered {
            for pod in pods {
                if act(pod)? == Step::Wait {
                    return Ok(Step::Wait);
                }
            }
            return Ok(Step::Next);
        }
        let mut remaining = pods.iter();
        crate::pod_control::slow_start_batch(pods.len(), || match remaining.next() {
            Some(pod) => act(pod).map(|_| ()),
            None => Ok(()),
        })
        .1
        .map(|()| Step::Next)
    }

    /// Creates a pod that is missing, and sees to one that exists. Upstream: processReplica.
    fn keep(&self, cx: &mut SyncContext<'_, '_>, pod: &Arc<Pod>) -> Result<Step, Error> {
        let set = self.set;
        // One that has ended makes way for its successor, however it ended.
        if is_pod_terminal(pod) {
            if !is_terminating(pod) {
                pods::delete(cx, set, pod)?;
            }
            return Ok(Step::Wait);
        }
        if !is_created(pod) {
            // A claim of a pod of that name is about to go.
            if claims::are_stale(cx, set, pod) {
                return Ok(Step::Wait);
            }
            pods::create(cx, set, pod)?;
            if self.is_ordered {
                return Ok(Step::Wait);
            }
        }
        if phase(pod) == "Pending" {
            pods::create_claims(cx, set, pod)?;
        }
        let is_settled =
            !is_terminating(pod) && is_running_and_ready(pod) && is_available(set, pod, self.now);
        if self.is_ordered && !is_settled {
            return Ok(Step::Wait);
        }
        let matches = identity_matches(set, pod) && storage_matches(set, pod);
        if is_created(pod) && !(matches && claims::match_policy(cx, set, pod)) {
            pods::update(cx, set, pod)?;
        }
        Ok(Step::Next)
    }

    /// Deletes a pod that is not wanted. Upstream: processCondemned.
    fn condemn(
        &self,
        cx: &mut SyncContext<'_, '_>,
        pod: &Arc<Pod>,
        first_unavailable: Option<&Arc<Pod>>,
    ) -> Result<Step, Error> {
        if is_terminating(pod) {
            return Ok(if self.is_ordered { Step::Wait } else { Step::Next });
        }
        let is_first = first_unavailable.is_some_and(|first| Arc::ptr_eq(first, pod));
        let is_healthy = is_running_and_ready(pod) && is_available(self.set, pod, self.now);
        if self.is_ordered && !is_healthy && !is_first {
            return Ok(Step::Wait);
        }
        pods::delete(cx, self.set, pod)?;
        Ok(Step::Wait)
    }

    /// Deletes pods of other revisions, the last first, as far as others are available.
    /// Upstream: updateStatefulSetAfterInvariantEstablished.
    fn roll(&self, cx: &mut SyncContext<'_, '_>) -> Result<i32, Error> {
        let strategy = self.set.spec.update_strategy.as_ref();
        if strategy.and_then(|it| it.type_.as_deref()) == Some("OnDelete") {
            return Ok(0);
        }
        let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
        let partition = rolling.and_then(|rolling| rolling.partition).unwrap_or(0);
        let first = usize::try_from(partition).unwrap_or(0);
        let one = IntOrString::Int(1);
        let most = rolling.and_then(|rolling| rolling.max_unavailable.as_ref()).unwrap_or(&one);
        let most = scaled_value(most, replicas(self.set), Round::Down)
            .ok_or_else(|| Error::Other("invalid value for MaxUnavailable".to_string()))?
            .max(1);
        let unavailable = self.replicas.iter().filter(|pod| self.is_unavailable(pod)).count();
        let allowed = usize::try_from(most).unwrap_or(0).saturating_sub(unavailable);
        let outdated = |pod: &&Arc<Pod>| {
            revision_of(pod) != self.revisions.update_name() && !is_terminating(pod)
        };
        let mut deleted = 0;
        for pod in self.replicas.iter().skip(first).rev().filter(outdated).take(allowed) {
            pods::delete(cx, self.set, pod)?;
            deleted += 1;
        }
        Ok(deleted)
    }
}

/// Whether a pod that is missing has to be of the current revision still.
/// Upstream: isCurrentRevisionNeeded.
fn needs_current_revision(set: &StatefulSet, ordinal: i32) -> bool {
    let strategy = set.spec.update_strategy.as_ref();
    if strategy.and_then(|it| it.type_.as_deref()) != Some("RollingUpdate") {
        return false;
    }
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let limit = match rolling {
        Some(rolling) => rolling.partition.unwrap_or(0),
        None => set.status.as_ref().and_then(|it| it.current_replicas).unwrap_or(0),
    };
    ordinal < start_ordinal(set) + limit
}
