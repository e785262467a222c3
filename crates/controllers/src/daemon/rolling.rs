//! Rolling updates: which old pods go now, and which nodes get a new one beside the old.
//!
//! Upstream: pkg/controller/daemon/update.go

use std::sync::Arc;

use api::Key;
use api::openapi::api::apps::v1::DaemonSet;
use api::openapi::api::core::v1::{Node, Pod};
use component_helpers::pod_status::is_pod_available;
use component_helpers::rollout::{Round, scaled_value};
use jiff::Timestamp;

use super::manage::Todo;
use super::pods::is_updated;
use super::{PodsByNode, Sync};
use crate::{Error, SyncContext};

/// How many pods may surge and how many may be unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) surge: usize,
    pub(super) unavailable: usize,
    /// How many nodes shall have a pod.
    pub(super) desired: usize,
}

fn rolling_value(daemon_set: &DaemonSet, surge: bool, total: usize) -> Option<usize> {
    let strategy = daemon_set.spec.update_strategy.as_ref()?;
    if strategy.type_.as_deref() != Some("RollingUpdate") {
        return Some(0);
    }
    let Some(rolling) = &strategy.rolling_update else { return Some(0) };
    let value = if surge { &rolling.max_surge } else { &rolling.max_unavailable };
    let Some(value) = value else { return Some(0) };
    let scaled = scaled_value(value, i32::try_from(total).unwrap_or(i32::MAX), Round::Up)?;
    Some(usize::try_from(scaled).unwrap_or(0))
}

/// Whether a node may have two pods. Upstream: AllowsSurge.
pub(super) fn allows_surge(daemon_set: &DaemonSet) -> bool {
    rolling_value(daemon_set, true, 1).is_some_and(|surge| surge > 0)
}

/// Upstream: updatedDesiredNodeCounts.
pub(super) fn limits(daemon_set: &DaemonSet, desired: usize) -> Result<Limits, Error> {
    let invalid = |name: &str| Error::Other(format!("invalid value for {name}"));
    let unavailable =
        rolling_value(daemon_set, false, desired).ok_or_else(|| invalid("MaxUnavailable"))?;
    let surge = rolling_value(daemon_set, true, desired).ok_or_else(|| invalid("MaxSurge"))?;
    // Neither would stop the rollout for ever.
    let unavailable = if desired > 0 && unavailable == 0 && surge == 0 { 1 } else { unavailable };
    Ok(Limits { surge, unavailable, desired })
}

/// The new and the old pod of a node; `None` when there are several of either, which the core
/// loop has to look after first. Upstream: findUpdatedPodsOnNode.
#[derive(Debug, Default)]
pub(super) struct OnNode {
    new: Option<Arc<Pod>>,
    old: Option<Arc<Pod>>,
}

impl OnNode {
    pub(super) fn find(daemon_set: &DaemonSet, pods: &[Arc<Pod>], hash: &str) -> Option<Self> {
        let mut found = OnNode::default();
        for pod in pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
            let is_new = is_updated(daemon_set, pod, hash);
            let place = if is_new { &mut found.new } else { &mut found.old };
            if place.replace(pod.clone()).is_some() {
                return None;
            }
        }
        Some(found)
    }
}

/// What a rollout goes by.
pub(super) struct Rollout<'a> {
    pub(super) daemon_set: &'a DaemonSet,
    pub(super) hash: &'a str,
    pub(super) limits: Limits,
    pub(super) now: Timestamp,
    /// Whether a node that exists shall have a pod.
    pub(super) should_run: &'a dyn Fn(&str) -> bool,
}

impl Sync<'_> {
    pub(super) fn rolling_update(&self, cx: &mut SyncContext<'_, '_>) -> Result<(), Error> {
        let mut pods = self.pods(cx, false)?;
        let wanted = self.nodes.iter().filter(|node| self.eligibility.of_node(node).0);
        let wanted: Vec<&str> = wanted.filter_map(|node| node.metadata.name.as_deref()).collect();
        for node in &wanted {
            pods.entry((*node).to_string()).or_default();
        }
        let limits = limits(self.daemon_set, wanted.len())?;
        let informers = cx.informers;
        let should_run = |name: &str| {
            let node = informers.get::<Node>(&Key::cluster(name));
            node.is_some_and(|node| self.eligibility.of_node(node).0)
        };
        let rollout = Rollout {
            daemon_set: self.daemon_set,
            hash: &self.hash,
            limits,
            now: cx.now_on_calendar(),
            should_run: &should_run,
        };
        let todo = if limits.surge == 0 { rollout.replace(&pods) } else { rollout.surge(&pods) };
        self.sync_nodes(cx, todo).map(|_| ())
    }
}

impl Rollout<'_> {
    fn is_available(&self, pod: &Pod) -> bool {
        is_pod_available(pod, self.daemon_set.spec.min_ready_seconds.unwrap_or(0), self.now)
    }

    /// Without surge: deletes as many old pods as may be unavailable; the core loop makes the new
    /// ones.
    pub(super) fn replace(&self, pods: &PodsByNode) -> Todo {
        let most = self.limits.unavailable;
        let mut unavailable = 0;
        let (mut allowed, mut candidates) = (Vec::new(), Vec::new());
        for pods in pods.values() {
            match OnNode::find(self.daemon_set, pods, self.hash) {
                Some(OnNode { new: Some(new), old: None }) => {
                    unavailable += usize::from(!self.is_available(&new));
                }
                // An old pod that serves nobody may go at once.
                Some(OnNode { new: None, old: Some(old) }) if !self.is_available(&old) => {
                    allowed.push(old);
                    unavailable += 1;
                }
                Some(OnNode { new: None, old: Some(old) }) => {
                    if unavailable < most {
                        candidates.push(old);
                    }
                }
                _ => unavailable += 1,
            }
        }
        candidates.truncate(most.saturating_sub(unavailable));
        allowed.append(&mut candidates);
        Todo { nodes: Vec::new(), pods: allowed }
    }

    /// With surge: makes new pods beside old ones, and deletes an old one when the new one is
    /// available.
    pub(super) fn surge(&self, pods: &PodsByNode) -> Todo {
        let (mut surging, mut available) = (0, 0);
        let (mut allowed, mut candidates) = (Vec::new(), Vec::new());
        let (mut delete, mut misplaced) = (Vec::new(), Vec::new());
        for (node, pods) in pods {
            let Some(OnNode { new, old }) = OnNode::find(self.daemon_set, pods, self.hash) else {
                surging += 1;
                continue;
            };
            let counted = old.as_ref().or(new.as_ref());
            available += usize::from(counted.is_some_and(|pod| self.is_available(pod)));
            match (new, old) {
                // The core loop looks after it.
                (_, None) => {}
                (None, Some(old)) => match (self.is_available(&old), (self.should_run)(node)) {
                    (false, true) => allowed.push(node.clone()),
                    (false, false) => delete.push(old),
                    (true, false) => misplaced.push(old),
                    (true, true) if surging < self.limits.surge => {
                        candidates.push(node.clone());
                    }
                    (true, true) => {}
                },
                (Some(new), Some(old)) => {
                    if self.is_available(&new) {
                        delete.push(old);
                    } else {
                        surging += 1;
                    }
                }
            }
        }
        // Pods on nodes that shall have none go only as far as others have taken their place.
        misplaced.truncate(available.saturating_sub(self.limits.desired));
        delete.append(&mut misplaced);
        candidates.truncate(self.limits.surge.saturating_sub(surging));
        allowed.append(&mut candidates);
        Todo { nodes: allowed, pods: delete }
    }
}
