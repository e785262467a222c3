//! The taints that follow from a node's conditions.
//!
//! Upstream: node_lifecycle_controller.go, doNoScheduleTaintingPass, processTaintBaseEviction

use api::Key;
use api::openapi::api::core::v1::{Node, Taint};

use super::{EVICTION_PERIOD, NodeLifecycleController, condition, name, zones};
use crate::refusal::is_not_found;
use crate::{Action, Error, SyncContext};

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
const NO_SCHEDULE: &str = "NoSchedule";
const NO_EXECUTE: &str = "NoExecute";

/// The taint that a condition with that status stands for.
const BY_CONDITION: [(&str, &str, &str); 6] = [
    ("Ready", "False", NOT_READY),
    ("Ready", "Unknown", UNREACHABLE),
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
];

/// Labels of old that follow the ones in use.
const OLD_LABELS: [(&str, &str); 2] = [
    ("kubernetes.io/os", "beta.kubernetes.io/os"),
    ("kubernetes.io/arch", "beta.kubernetes.io/arch"),
];

/// Whether the node does not count when disruptions are looked for.
pub(super) fn is_excluded_from_disruption(node: &Node) -> bool {
    let labels = node.metadata.labels.as_ref();
    labels.is_some_and(|labels| labels.contains_key("node.kubernetes.io/exclude-disruption"))
}

fn taint(key: &str, effect: &str) -> Taint {
    Taint { key: key.to_string(), effect: effect.to_string(), ..Taint::default() }
}

fn taints(node: &Node) -> &[Taint] {
    node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default()
}

fn is_same(one: &Taint, other: &Taint) -> bool {
    one.key == other.key && one.effect == other.effect
}

fn has(node: &Node, wanted: &Taint) -> bool {
    taints(node).iter().any(|taint| is_same(taint, wanted))
}

/// Brings the NoSchedule taints and the old labels of a node in line with its conditions.
pub(super) fn sync_node(cx: &mut SyncContext<'_, '_>, node: &str) -> Result<Action, Error> {
    let Some(node) = cx.informers.get::<Node>(&Key::cluster(node)) else {
        return Ok(Action::Done);
    };
    let is_true = |kind: &str, status: &str| {
        condition(node, kind).is_some_and(|condition| condition.status == status)
    };
    let by_condition = BY_CONDITION.iter().filter(|(kind, status, _)| is_true(kind, status));
    let mut wanted: Vec<Taint> = by_condition.map(|(_, _, key)| taint(key, NO_SCHEDULE)).collect();
    if node.spec.as_ref().is_some_and(|spec| spec.unschedulable == Some(true)) {
        wanted.push(taint(UNSCHEDULABLE, NO_SCHEDULE));
    }
    let is_ours = |found: &&Taint| {
        found.effect == NO_SCHEDULE
            && (found.key == UNSCHEDULABLE
                || BY_CONDITION.iter().any(|(_, _, key)| *key == found.key))
    };
    let ours: Vec<Taint> = taints(node).iter().filter(is_ours).cloned().collect();
    let surplus: Vec<Taint> = ours
        .iter()
        .filter(|found| !wanted.iter().any(|wanted| is_same(wanted, found)))
        .cloned()
        .collect();
    wanted.retain(|wanted| !ours.iter().any(|found| is_same(wanted, found)));
    swap(cx, node, wanted, surplus)?;
    sync_labels(cx, node)?;
    Ok(Action::Done)
}

fn sync_labels(cx: &mut SyncContext<'_, '_>, node: &Node) -> Result<(), Error> {
    let Some(labels) = &node.metadata.labels else { return Ok(()) };
    let missing: Vec<(String, String)> = OLD_LABELS
        .iter()
        .filter_map(|(label, old)| Some(((*old).to_string(), labels.get(*label)?.clone())))
        .filter(|(old, value)| labels.get(old) != Some(value))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    cx.patch::<Node>(&Key::cluster(name(node)), move |node| {
        node.metadata.labels.get_or_insert_default().extend(missing);
    })?;
    Ok(())
}

/// Adds and removes taints; what is so already makes no request.
/// Upstream: pkg/controller/util/node/controller_utils.go, SwapNodeControllerTaint.
fn swap(
    cx: &mut SyncContext<'_, '_>,
    node: &Node,
    mut added: Vec<Taint>,
    mut removed: Vec<Taint>,
) -> Result<(), Error> {
    added.retain(|taint| !has(node, taint));
    removed.retain(|taint| has(node, taint));
    if added.is_empty() && removed.is_empty() {
        return Ok(());
    }
    let now = cx.timestamp();
    let swapped = cx.patch::<Node>(&Key::cluster(name(node)), move |node| {
        let spec = node.spec.get_or_insert_default();
        let mut taints = spec.taints.take().unwrap_or_default();
        taints.retain(|taint| !removed.iter().any(|removed| is_same(removed, taint)));
        for taint in added {
            if !taints.iter().any(|found| is_same(found, &taint)) {
                taints.push(Taint { time_added: Some(now.clone()), ..taint });
            }
        }
        spec.taints = (!taints.is_empty()).then_some(taints);
    });
    match swapped {
        Err(status) if !is_not_found(&status) => Err(status.into()),
        _ => Ok(()),
    }
}

impl NodeLifecycleController {
    /// Sees to the NoExecute taint that a node's state asks for: at once when it only has to be
    /// exchanged, at the rate of its zone when it is new.
    pub(super) fn process_taints(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        node: &Node,
        ready: &str,
    ) {
        let (wanted, opposite) = match ready {
            "False" => (taint(NOT_READY, NO_EXECUTE), taint(UNREACHABLE, NO_EXECUTE)),
            "Unknown" => (taint(UNREACHABLE, NO_EXECUTE), taint(NOT_READY, NO_EXECUTE)),
            _ => {
                self.mark_reachable(cx, node);
                return;
            }
        };
        if has(node, &opposite) {
            // What fails is tried again at the next look.
            let _ = swap(cx, node, vec![wanted], vec![opposite]);
        } else if !has(node, &wanted) {
            self.zones.queue(&zones::zone(node), name(node));
        }
    }

    /// Takes the NoExecute taints of an unhealthy node away.
    pub(super) fn mark_reachable(&mut self, cx: &mut SyncContext<'_, '_>, node: &Node) {
        let both = vec![taint(UNREACHABLE, NO_EXECUTE), taint(NOT_READY, NO_EXECUTE)];
        // What fails is tried again at the next look.
        let _ = swap(cx, node, Vec::new(), both);
        self.zones.forget(name(node));
    }

    /// Adds the NoExecute taints that are due. Upstream: doNoExecuteTaintingPass.
    pub(super) fn add_no_execute_taints(&mut self, cx: &mut SyncContext<'_, '_>) -> Action {
        let informers = cx.informers;
        for queued in self.zones.take_due(cx.now()) {
            let Some(node) = informers.get::<Node>(&Key::cluster(&queued)) else { continue };
            let status = condition(node, "Ready").map(|ready| ready.status.as_str());
            let (wanted, opposite) = match status {
                Some("False") => (NOT_READY, UNREACHABLE),
                Some("Unknown") => (UNREACHABLE, NOT_READY),
                _ => continue,
            };
            let (wanted, opposite) = (taint(wanted, NO_EXECUTE), taint(opposite, NO_EXECUTE));
            // What fails is queued anew at the next look.
            let _ = swap(cx, node, vec![wanted], vec![opposite]);
        }
        match self.zones.next_due() {
            Some(due) => Action::RequeueAfter(due.since(cx.now()).max(EVICTION_PERIOD)),
            None => Action::Done,
        }
    }
}
