//! Which pods are missing and which are too many, node by node.
//!
//! Upstream: pkg/controller/daemon/daemon_controller.go, manage and podsShouldBeOnNode

use std::sync::Arc;

use api::Key;
use api::openapi::api::core::v1::{Node, Pod};
use client::EventType;
use component_helpers::controller_ref::new_controller_ref;
use component_helpers::pod_status::{is_pod_available, is_pod_ready, node_name, phase};
use sim::{OrdSet, Sort};

use super::pods::{LABEL_REVISION_HASH, by_age, pod_for};
use super::{BURST_REPLICAS, PodsByNode, Sync, rolling};
use crate::{Error, SyncContext, pod_control};

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Todo {
    /// The nodes that need a pod.
    pub(super) nodes: Vec<String>,
    /// The pods that have to go.
    pub(super) pods: Vec<Arc<Pod>>,
}

impl Sync<'_> {
    /// Brings the pods of every node to what they should be. Says whether there was anything to
    /// do.
    pub(super) fn manage(&mut self, cx: &mut SyncContext<'_, '_>) -> Result<bool, Error> {
        let pods = self.pods(cx, false)?;
        let mut todo = Todo::default();
        for node in self.nodes.clone() {
            self.of_node(cx, node, &pods, &mut todo);
        }
        todo.pods.extend(self.unscheduled_without_node(&pods));
        self.sync_nodes(cx, todo)
    }

    /// Pods that nobody will ever bind: their node is gone.
    /// Upstream: getUnscheduledPodsWithoutNode.
    fn unscheduled_without_node(&self, pods: &PodsByNode) -> Vec<Arc<Pod>> {
        let names: OrdSet<&str> =
            self.nodes.iter().filter_map(|node| node.metadata.name.as_deref()).collect();
        let lost = pods.iter().filter(|(node, _)| !names.contains(node.as_str()));
        let lost = lost.flat_map(|(_, pods)| pods).filter(|pod| node_name(pod).is_empty());
        lost.cloned().collect()
    }

    fn of_node(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        node: &Node,
        pods: &PodsByNode,
        todo: &mut Todo,
    ) {
        let name = node.metadata.name.as_deref().unwrap_or_default();
        let (should_run, should_continue) = self.eligibility.of_node(node);
        let on_node = pods.get(name);
        match on_node {
            None if should_run => todo.nodes.push(name.to_string()),
            None => {}
            Some(on_node) if should_continue => {
                let mut running = self.running(cx, name, on_node, todo);
                running.order_by(|one, other| by_age(one, other));
                if rolling::allows_surge(self.daemon_set) {
                    self.surging(cx, name, should_run, running, todo);
                } else {
                    todo.pods.extend(running.into_iter().skip(1));
                }
            }
            Some(on_node) => {
                let alive = on_node.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
                todo.pods.extend(alive.cloned());
            }
        }
    }

    /// The pods of a node that have not ended. Those that have are to be deleted, so that others
    /// take their place; those that failed again and again a little later.
    fn running(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        node: &str,
        pods: &[Arc<Pod>],
        todo: &mut Todo,
    ) -> Vec<Arc<Pod>> {
        let daemon_set = self.daemon_set;
        let status = daemon_set.status.as_ref();
        let generation = status.and_then(|status| status.observed_generation).unwrap_or(0);
        let uid = daemon_set.metadata.uid.as_deref().unwrap_or_default();
        let backoff_key = format!("{uid}/{generation}/{node}");
        let mut running = Vec::new();
        for pod in pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
            let pod_key = Key::of(&pod.metadata);
            match phase(pod) {
                "Failed" => {
                    if let Some(delay) = self.failed_pods.remaining(&backoff_key, cx.now()) {
                        self.look_again_after(delay);
                        continue;
                    }
                    self.failed_pods.count(&backoff_key, cx.now());
                    let message = format!(
                        "Found failed daemon pod {pod_key} on node {node}, will try to kill it"
                    );
                    cx.event(daemon_set, EventType::Warning, "FailedDaemonPod", &message);
                    todo.pods.push(pod.clone());
                }
                "Succeeded" => {
                    let message = format!(
                        "Found succeeded daemon pod {pod_key} on node {node}, will try to delete it"
                    );
                    cx.event(daemon_set, EventType::Normal, "SucceededDaemonPod", &message);
                    todo.pods.push(pod.clone());
                }
                _ => running.push(pod.clone()),
            }
        }
        running
    }

    /// While pods may surge, a node has two: the old one until the new one is available. Of each
    /// only the oldest stays.
    fn surging(
        &self,
        cx: &SyncContext<'_, '_>,
        node: &str,
        should_run: bool,
        running: Vec<Arc<Pod>>,
        todo: &mut Todo,
    ) {
        if running.is_empty() && should_run {
            todo.nodes.push(node.to_string());
        }
        if running.len() <= 1 {
            return;
        }
        let has_hash = |pod: &Pod| {
            let labels = pod.metadata.labels.as_ref();
            labels.and_then(|labels| labels.get(LABEL_REVISION_HASH)) == Some(&self.hash)
        };
        let (mut new, mut old) = (None, None);
        for pod in running {
            let place = if has_hash(&pod) { &mut new } else { &mut old };
            match place {
                None => *place = Some(pod),
                Some(_) => todo.pods.push(pod),
            }
        }
        let (Some(new), Some(old)) = (new, old) else { return };
        let now = cx.now_on_calendar();
        if !is_pod_ready(&old) || is_pod_available(&new, self.min_ready_seconds(), now) {
            todo.pods.push(old);
        }
    }

    /// Creates and deletes. Says whether there was anything to do. Upstream: syncNodes.
    pub(super) fn sync_nodes(
        &self,
        cx: &mut SyncContext<'_, '_>,
        mut todo: Todo,
    ) -> Result<bool, Error> {
        let has_work = !todo.nodes.is_empty() || !todo.pods.is_empty();
        todo.nodes.truncate(BURST_REPLICAS);
        todo.pods.truncate(BURST_REPLICAS);
        let owner = new_controller_ref(self.daemon_set);
        let mut nodes = todo.nodes.iter();
        let (_, mut outcome) = pod_control::slow_start_batch(todo.nodes.len(), || {
            let Some(node) = nodes.next() else { return Ok(()) };
            let pod = pod_for(self.daemon_set, &self.hash, node, &owner);
            pod_control::create_pod(cx, self.daemon_set, pod)
        });
        for pod in &todo.pods {
            let deleted = pod_control::delete_pod(cx, self.daemon_set, pod);
            outcome = outcome.and(deleted);
        }
        outcome.map(|()| has_work)
    }
}
