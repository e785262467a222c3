//! Carries out what an attempt decided: binds the pod, or puts it back and says why, or makes
//! room for it.
//!
//! Upstream: pkg/scheduler/schedule_one.go

use api::openapi::api::core::v1::{Pod, PodCondition};
use apiserver::DeleteOptions;
use client::{Context, EventType, object_reference};

use crate::Scheduler;
use crate::event_handlers::POD_DELETE;
use crate::framework::{CycleState, EventObject, PodInfo, PostFilterResult, QueuedPodInfo};
use crate::preemption::{disruption_condition, set_condition};

/// How long a message of an Event may be. Upstream: validation.NoteLengthLimit.
const NOTE_LENGTH_LIMIT: usize = 1024;

impl Scheduler {
    /// Upstream: the second half of schedulingCycle, and bindingCycle.
    pub(crate) fn bind(
        &mut self,
        cx: &mut Context<'_>,
        info: QueuedPodInfo,
        node: &str,
        mut state: CycleState,
    ) {
        self.cache.assume(info.pod.clone(), node);
        self.queue.nominator.delete(&info.pod.key);
        let mut status = self.framework.run_reserve(&mut state, &info.pod, node);
        if status.is_success() {
            status = self.framework.run_permit(&state, &info.pod, node);
        }
        if status.is_success() {
            status = self.framework.run_bind(cx, &self.identity, &info.pod, node);
        }
        if status.is_success() {
            self.queue.done();
            let message = format!("Successfully assigned {} to {node}", info.pod.key);
            let about = object_reference(&*info.pod.pod);
            self.recorder.event(cx, &about, EventType::Normal, "Scheduled", &message);
            return;
        }
        self.framework.run_unreserve(&mut state, &info.pod, node);
        self.cache.forget(&info.pod.key);
        let object = EventObject::Pod(Some(info.pod.pod.clone()), None);
        self.queue.move_all(POD_DELETE, &object, cx.now);
        self.handle_failure(cx, info, "SchedulerError", &status.message(), Some(None));
    }

    /// Puts the pod back, and says in an event and in its status why.
    /// Upstream: handleSchedulingFailure.
    pub(crate) fn handle_failure(
        &mut self,
        cx: &mut Context<'_>,
        mut info: QueuedPodInfo,
        reason: &str,
        message: &str,
        nominated: Option<Option<String>>,
    ) {
        let pod = info.pod.pod.clone();
        let current = self.pods.get(&info.pod.key).filter(|current| {
            current.metadata.uid == pod.metadata.uid
                && current.spec.as_ref().is_none_or(|spec| spec.node_name.is_none())
        });
        let key = info.pod.key.clone();
        match current {
            Some(current) => {
                info.pod = info.pod.updated(current);
                let pod = info.pod.clone();
                self.queue.add_unschedulable(info, cx.now);
                match &nominated {
                    Some(Some(node)) => self.queue.nominator.add(&pod, Some(node)),
                    Some(None) => self.queue.nominator.delete(&key),
                    None => {}
                }
            }
            None => self.queue.done(),
        }
        let about = object_reference(&*pod);
        let note = truncate(message);
        self.recorder.event(cx, &about, EventType::Warning, "FailedScheduling", &note);
        self.update_status(cx, &pod, reason, message, nominated);
    }

    /// Upstream: updatePod.
    fn update_status(
        &self,
        cx: &mut Context<'_>,
        pod: &Pod,
        reason: &str,
        message: &str,
        nominated: Option<Option<String>>,
    ) {
        let status = pod.status.as_ref();
        let conditions = status.and_then(|status| status.conditions.as_ref());
        let old = conditions.into_iter().flatten().find(|known| known.type_ == "PodScheduled");
        let mut condition = PodCondition {
            type_: "PodScheduled".to_string(),
            status: "False".to_string(),
            reason: Some(reason.to_string()),
            message: Some(message.to_string()),
            observed_generation: pod.metadata.generation,
            last_transition_time: Some(cx.timestamp()),
            ..PodCondition::default()
        };
        if let Some(old) = old.filter(|old| old.status == condition.status) {
            condition.last_transition_time.clone_from(&old.last_transition_time);
            condition.last_probe_time.clone_from(&old.last_probe_time);
        }
        let promised = status.and_then(|status| status.nominated_node_name.clone());
        let promised = promised.filter(|node| !node.is_empty());
        let nominated = nominated.unwrap_or_else(|| promised.clone());
        if old == Some(&condition) && nominated == promised {
            return;
        }
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let change = move |pod: &mut Pod| {
            pod.status.get_or_insert_default().nominated_node_name = nominated;
            set_condition(pod, condition);
        };
        // A pod that is gone needs no status; anything else is tried again with the pod.
        let _ = cx.api::<Pod>(&self.identity, namespace).patch_status(name, change);
    }

    /// Deletes the pods that stand in the way of another.
    pub(crate) fn preempt(
        &mut self,
        cx: &mut Context<'_>,
        pod: &PodInfo,
        result: &PostFilterResult,
    ) {
        let node = result.nominated_node.clone().flatten().unwrap_or_default();
        self.take_promises_back(cx, pod, &node);
        for victim in &result.victims {
            let (namespace, name) = (&*victim.key.namespace, &*victim.key.name);
            let condition = disruption_condition(victim, cx.timestamp());
            let mut api = cx.api::<Pod>(&self.identity, namespace);
            let change = move |pod: &mut Pod| set_condition(pod, condition);
            let options =
                DeleteOptions { uid: Some(victim.uid().to_string()), ..DeleteOptions::default() };
            if api.patch_status(name, change).is_err() || api.delete(name, options).is_err() {
                continue;
            }
            let message = format!("Preempted by pod {} on node {node}", pod.uid());
            let about = object_reference(&*victim.pod);
            self.recorder.event(cx, &about, EventType::Normal, "Preempted", &message);
        }
    }

    /// Pods of lower priority cannot count on the node any more.
    fn take_promises_back(&mut self, cx: &mut Context<'_>, pod: &PodInfo, node: &str) {
        let promised = self.queue.nominator.pods_for_node(node);
        let lower = promised.filter(|other| other.priority() < pod.priority());
        let keys: Vec<api::Key> = lower.map(|other| other.key.clone()).collect();
        for key in keys {
            self.queue.nominator.delete(&key);
            let change = |pod: &mut Pod| {
                pod.status.get_or_insert_default().nominated_node_name = None;
            };
            let mut api = cx.api::<Pod>(&self.identity, &key.namespace);
            // A pod that is gone holds no promise.
            let _ = api.patch_status(&key.name, change);
        }
    }
}

/// Cuts a message to what an Event may carry. Upstream: truncateMessage.
fn truncate(message: &str) -> String {
    const SUFFIX: &str = " ...";
    if message.len() <= NOTE_LENGTH_LIMIT {
        return message.to_string();
    }
    let mut end = NOTE_LENGTH_LIMIT - SUFFIX.len();
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{SUFFIX}", &message[..end])
}
