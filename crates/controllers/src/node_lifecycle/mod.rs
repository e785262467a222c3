//! The node lifecycle controller: notices nodes whose kubelet has gone silent, says so in their
//! conditions and taints, and marks their pods as not ready.
//!
//! Nodes, leases and pods come in; conditions, taints and Events go out. Its keys are nodes by
//! name, pods as `pod:namespace/name`, and the two passes that look at all nodes.
//! Upstream: pkg/controller/nodelifecycle/node_lifecycle_controller.go

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{Node, NodeCondition, ObjectReference, Pod};
use api::{Key, Kinded};
use client::EventType;
use component_helpers::pod_status::{node_name, ready_condition, update_condition};
use sim::{Digest, Duration, OrdMap, SmallMap};

use crate::refusal::is_not_found;
use crate::{Action, Change, Controller, Enqueue, Error, SyncContext, Watch};

mod health;
mod taints;
#[cfg(test)]
mod tests;
mod zones;

use health::Health;
use zones::Zones;

/// How often it looks at all nodes. Upstream: `--node-monitor-period`.
const MONITOR_PERIOD: Duration = Duration::from_secs(5);
/// How long a node may be silent. Upstream: `--node-monitor-grace-period`.
const MONITOR_GRACE_PERIOD: Duration = Duration::from_secs(50);
/// How long a node may be silent that has never said anything.
/// Upstream: `--node-startup-grace-period`.
const STARTUP_GRACE_PERIOD: Duration = Duration::from_secs(60);
/// How soon taints are added after it was found that they must be.
/// Upstream: scheduler.NodeEvictionPeriod.
const EVICTION_PERIOD: Duration = Duration::from_millis(100);

/// The part before the slash of the keys that stand for a look at all nodes.
const PASS: &str = "pass:";
const MONITOR: &str = "monitor-node-health";
const TAINT: &str = "no-execute-taints";
/// What the part before the slash of a pod's key begins with.
const POD: &str = "pod:";

/// The node lifecycle controller.
#[derive(Clone, Debug, Default)]
pub struct NodeLifecycleController {
    /// What it knows of each node's health, by name.
    health: OrdMap<String, Health>,
    /// The UIDs of the nodes that it has told about, by name.
    known: BTreeMap<String, String>,
    zones: Zones,
}

impl Controller for NodeLifecycleController {
    const NAME: &'static str = "node-lifecycle-controller";
    const SERVICE_ACCOUNT: &'static str = "node-controller";
    const EVENT_SOURCE: &'static str = "node-controller";
    const TIMERS_ARE_IDLE: bool = true;

    fn watches() -> &'static [Watch<Self>] {
        const { &[Watch::on::<Node>(on_node), Watch::on::<Pod>(on_pod)] }
    }

    fn start(&mut self, enqueue: &mut Enqueue<'_>) {
        enqueue.add(Key::new(PASS, MONITOR));
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        match (&*key.namespace, &*key.name) {
            (PASS, MONITOR) => {
                self.monitor(cx);
                Ok(Action::RequeueAfter(MONITOR_PERIOD))
            }
            (PASS, _) => Ok(self.add_no_execute_taints(cx)),
            ("", name) => taints::sync_node(cx, name),
            (namespace, name) => {
                let namespace = namespace.strip_prefix(POD).unwrap_or(namespace);
                self.sync_pod(cx, &Key::new(namespace, name))
            }
        }
    }

    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.health.len() as u64);
        for (name, health) in &self.health {
            digest.str(name);
            digest.add(health);
        }
        digest.add(&self.known);
        digest.add(&self.zones);
    }
}

fn on_node(_: &mut NodeLifecycleController, change: &Change, enqueue: &mut Enqueue<'_>) {
    if change.new.is_some() {
        enqueue.add(change.key.clone());
    }
}

/// A pod that comes to a node that is not ready is not ready either.
fn on_pod(_: &mut NodeLifecycleController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let Some(new) = change.new::<Pod>() else { return };
    let node = node_name(new);
    if node.is_empty() || change.old::<Pod>().is_some_and(|old| node_name(old) == node) {
        return;
    }
    let node = enqueue.informers.get::<Node>(&Key::cluster(node));
    let ready = node.and_then(|node| condition(node, "Ready"));
    if ready.is_some_and(|ready| ready.status != "True") {
        let namespace = format!("{POD}{}", change.key.namespace);
        enqueue.add(Key::new(&namespace, &change.key.name));
    }
}

/// The condition of that type.
fn condition<'n>(node: &'n Node, condition_type: &str) -> Option<&'n NodeCondition> {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().find(|condition| condition.type_ == condition_type)
}

fn name(node: &Node) -> &str {
    node.metadata.name.as_deref().unwrap_or_default()
}

/// What Events about a node name, even when it is gone.
fn reference(name: &str, uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some(Node::ID.get().api_version.to_string()),
        kind: Some(Node::ID.get().kind.to_string()),
        name: Some(name.to_string()),
        uid: Some(uid.to_string()),
        ..ObjectReference::default()
    }
}

impl NodeLifecycleController {
    /// Looks at the health of all nodes. Upstream: monitorNodeHealth.
    fn monitor(&mut self, cx: &mut SyncContext<'_, '_>) {
        self.announce(cx);
        let informers = cx.informers;
        let mut ready_by_zone: SmallMap<String, Vec<bool>> = SmallMap::new();
        for node in informers.all::<Node>() {
            // A node whose status cannot be written is looked at again next time.
            let Ok((observed, current)) = self.update_health(cx, node) else { continue };
            let Some(current) = current else { continue };
            let (was_ready, is_ready) = (observed.status == "True", current.status == "True");
            if !taints::is_excluded_from_disruption(node) {
                ready_by_zone.entry(zones::zone(node)).or_default().push(is_ready);
            }
            self.process_taints(cx, node, &observed.status);
            if was_ready && !is_ready {
                let uid = node.metadata.uid.as_deref().unwrap_or_default();
                let about = reference(name(node), uid);
                let message = format!("Node {} status is now: NodeNotReady", name(node));
                cx.event_about(&about, EventType::Normal, "NodeNotReady", &message);
                for pod in informers.on_node::<Pod>(name(node)) {
                    // What fails here the next change of the pod or the node sets right.
                    let _ = mark_pod_not_ready(cx, pod);
                }
            }
        }
        self.handle_disruption(cx, &ready_by_zone);
        if self.zones.have_queued() {
            cx.enqueue_after(Key::new(PASS, TAINT), EVICTION_PERIOD);
        }
    }

    /// Tells of nodes that came and went. Upstream: classifyNodes.
    fn announce(&mut self, cx: &mut SyncContext<'_, '_>) {
        let informers = cx.informers;
        for node in informers.all::<Node>() {
            let (name, uid) = (name(node), node.metadata.uid.as_deref().unwrap_or_default());
            if self.known.contains_key(name) {
                continue;
            }
            self.known.insert(name.to_string(), uid.to_string());
            let message = format!("Node {name} event: Registered Node {name} in Controller");
            let about = reference(name, uid);
            cx.event_about(&about, EventType::Normal, "RegisteredNode", &message);
        }
        let exists = |name: &str| informers.get::<Node>(&Key::cluster(name)).is_some();
        let gone: Vec<(String, String)> = self
            .known
            .iter()
            .filter(|(name, _)| !exists(name))
            .map(|(name, uid)| (name.clone(), uid.clone()))
            .collect();
        for (name, uid) in gone {
            let message = format!("Node {name} event: Removing Node {name} from Controller");
            let about = reference(&name, &uid);
            cx.event_about(&about, EventType::Normal, "RemovingNode", &message);
            self.known.remove(&name);
            self.health.remove(&name);
            self.zones.forget(&name);
        }
    }

    fn sync_pod(&self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let informers = cx.informers;
        let Some(pod) = informers.get::<Pod>(key) else { return Ok(Action::Done) };
        let node = informers.get::<Node>(&Key::cluster(node_name(pod)));
        let ready = node.and_then(|node| condition(node, "Ready"));
        if ready.is_some_and(|ready| ready.status != "True") {
            mark_pod_not_ready(cx, pod)?;
        }
        Ok(Action::Done)
    }
}

/// Upstream: pkg/controller/util/node/controller_utils.go, MarkPodsNotReady.
fn mark_pod_not_ready(cx: &mut SyncContext<'_, '_>, pod: &Pod) -> Result<(), Error> {
    if ready_condition(pod).is_none_or(|ready| ready.status == "False") {
        return Ok(());
    }
    let now = cx.timestamp();
    let marked = cx.patch_status::<Pod>(&Key::of(&pod.metadata), move |pod| {
        if let Some(mut ready) = ready_condition(pod).cloned() {
            ready.status = "False".to_string();
            ready.observed_generation = pod.metadata.generation;
            update_condition(pod.status.get_or_insert_default(), ready, &now);
        }
    });
    match marked {
        Err(status) if is_not_found(&status) => Ok(()),
        Err(status) => Err(status.into()),
        Ok(_) => {
            cx.event(pod, EventType::Warning, "NodeNotReady", "Node is not ready");
            Ok(())
        }
    }
}
