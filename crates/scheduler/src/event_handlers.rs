//! What the scheduler does when a watch delivers a change.
//!
//! Upstream: pkg/scheduler/eventhandlers.go

use std::sync::Arc;

use api::openapi::api::core::v1::{Node, Pod};
use client::Change;
use sim::Time;

use crate::Scheduler;
use crate::framework::{
    ActionType, ClusterEvent, EventObject, EventResource, PodInfo,
    node_scheduling_properties_change, pod_scheduling_properties_change,
};

const NODE_ADD: ClusterEvent = ClusterEvent::new(EventResource::Node, ActionType::ADD);
const NODE_DELETE: ClusterEvent = ClusterEvent::new(EventResource::Node, ActionType::DELETE);
const POD_ADD: ClusterEvent = ClusterEvent::new(EventResource::Pod, ActionType::ADD);
/// A pod left its node, or an assumption was given up.
pub(crate) const POD_DELETE: ClusterEvent =
    ClusterEvent::new(EventResource::Pod, ActionType::DELETE);

/// The name under which pods ask for this scheduler.
const SCHEDULER_NAME: &str = "default-scheduler";

/// What a pod is to the scheduler.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Nothing: it is over, or another scheduler's.
    None,
    /// It waits for a node.
    Waiting,
    /// It has a node.
    Assigned,
}

fn role(pod: Option<&Arc<Pod>>) -> Role {
    let Some(pod) = pod else { return Role::None };
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if matches!(phase, Some("Succeeded" | "Failed")) {
        return Role::None;
    }
    let Some(spec) = &pod.spec else { return Role::None };
    if spec.node_name.as_ref().is_some_and(|node| !node.is_empty()) {
        return Role::Assigned;
    }
    match spec.scheduler_name.as_deref() {
        None | Some("" | SCHEDULER_NAME) => Role::Waiting,
        Some(_) => Role::None,
    }
}

impl Scheduler {
    pub(crate) fn handle_node(&mut self, change: Change<Node>, now: Time) {
        match (change.old, change.new) {
            (None, Some(new)) => {
                self.cache.set_node(new.clone());
                self.queue.move_all(NODE_ADD, &EventObject::Node(None, Some(new)), now);
            }
            (Some(old), Some(new)) => {
                self.cache.set_node(new.clone());
                if !self.queue.is_listening() {
                    return;
                }
                let object = EventObject::Node(Some(old.clone()), Some(new.clone()));
                for event in node_scheduling_properties_change(&new, &old) {
                    self.queue.move_all(event, &object, now);
                }
            }
            (Some(old), None) => {
                self.cache.remove_node(&old);
                self.queue.move_all(NODE_DELETE, &EventObject::Node(Some(old), None), now);
            }
            (None, None) => {}
        }
    }

    pub(crate) fn handle_pod(&mut self, change: Change<Pod>, now: Time) {
        let (key, old, new) = (&change.key, &change.old, &change.new);
        let is_replaced = matches!(
            (old, new),
            (Some(old), Some(new)) if old.metadata.uid != new.metadata.uid
        );
        let (before, after) = (role(old.as_ref()), role(new.as_ref()));
        if before == Role::Waiting && (after != Role::Waiting || is_replaced) {
            self.queue.delete(key);
        }
        if before == Role::Assigned && (after != Role::Assigned || is_replaced) {
            self.cache.remove_pod(key);
            self.queue.move_all(POD_DELETE, &EventObject::Pod(old.clone(), None), now);
        }
        let Some(pod) = new else { return };
        let known = old.as_ref().filter(|_| before == after && !is_replaced);
        match after {
            Role::None => {}
            Role::Waiting => self.handle_waiting(known, pod, now),
            Role::Assigned => {
                self.cache.set_pod(key, pod.clone());
                self.tell_of_assigned(known, pod, now);
            }
        }
    }

    fn handle_waiting(&mut self, known: Option<&Arc<Pod>>, pod: &Arc<Pod>, now: Time) {
        match known {
            // A pod that is assumed has a node already, whatever the watch still says.
            Some(old) if !self.cache.is_assumed(&api::Key::of(&pod.metadata)) => {
                self.queue.update(Some(old), pod.clone(), now);
                self.tell_of_waiting(old, pod, now);
            }
            Some(_) => {}
            None => self.queue.add(PodInfo::new(pod.clone()), now),
        }
    }

    /// A pod that waits may hold a promise that others reckon with.
    fn tell_of_waiting(&mut self, old: &Arc<Pod>, pod: &Arc<Pod>, now: Time) {
        let promised =
            |pod: &Pod| pod.status.as_ref().and_then(|status| status.nominated_node_name.clone());
        if promised(old).is_some() && promised(pod) != promised(old) {
            let object = EventObject::Pod(Some(old.clone()), None);
            self.queue.move_all(POD_DELETE, &object, now);
        }
    }

    fn tell_of_assigned(&mut self, known: Option<&Arc<Pod>>, pod: &Arc<Pod>, now: Time) {
        if !self.queue.is_listening() {
            return;
        }
        let object = EventObject::Pod(known.cloned(), Some(pod.clone()));
        match known {
            None => self.queue.move_all(POD_ADD, &object, now),
            Some(old) => {
                for event in pod_scheduling_properties_change(pod, old) {
                    self.queue.move_all(event, &object, now);
                }
            }
        }
    }
}
