//! Making a pod's status and telling the API server of it when it changed.
//!
//! Upstream: pkg/kubelet/kubelet_pods.go, generateAPIPodStatus;
//! pkg/kubelet/status/status_manager.go.

use std::sync::Arc;

use api::kinds::quality_of_service;
use api::openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, ContainerStatus, HostIP, Pod, PodCondition, PodIP,
    PodStatus,
};
use api::openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;
use client::Context;
use sim::Sort;
use trace::What;

use super::containers::{Probed, container_status};
use super::generate::{self, OWNED, Verdict};
use super::phase::phase;
use crate::actions;
use crate::container::Role;
use crate::node::Node;
use crate::pod_worker::PodWorker;

impl PodWorker {
    /// Makes the status, tells the API server if it changed, and returns the phase. `terminal`
    /// says that nothing of the pod is left to run.
    pub(crate) fn publish_status(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        terminal: bool,
    ) -> String {
        let status = self.generate_status(node, cx, terminal);
        let phase = status.phase.clone().unwrap_or_default();
        self.send_status(node, cx, status);
        self.ask_for_readiness();
        phase
    }

    /// Fails the pod for a reason of its own, such as its deadline.
    pub(crate) fn fail_pod(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        reason: &str,
        message: &str,
    ) {
        let mut status = self.generate_status(node, cx, false);
        status.phase = Some("Failed".to_string());
        status.reason = Some(reason.to_string());
        status.message = Some(message.to_string());
        self.send_status(node, cx, status);
    }

    /// Ends a pod that takes more of its node than it may.
    /// Upstream: pkg/kubelet/eviction/eviction_manager.go, evictPod.
    pub(crate) fn evict(&mut self, node: &mut Node, cx: &mut Context<'_>, message: &str) {
        self.event(node, cx, None, (client::EventType::Warning, "Evicted", message));
        self.fail_pod(node, cx, "Evicted", message);
        self.is_evicted = true;
        self.begin_termination(node, cx);
    }

    /// Refuses a pod that may not run here. Upstream: pkg/kubelet/kubelet.go, rejectPod.
    pub(crate) fn reject(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        reason: &str,
        message: &str,
    ) {
        self.event(node, cx, None, (client::EventType::Warning, reason, message));
        let status = PodStatus {
            qos_class: Some(self.qos_class()),
            phase: Some("Failed".to_string()),
            reason: Some(reason.to_string()),
            message: Some(format!("Pod was rejected: {message}")),
            start_time: Some(cx.timestamp()),
            observed_generation: self.pod.metadata.generation,
            ..PodStatus::default()
        };
        self.send_status(node, cx, status);
    }

    fn qos_class(&self) -> String {
        let known = self.pod.status.as_ref().and_then(|status| status.qos_class.clone());
        known.unwrap_or_else(|| quality_of_service(&self.pod).to_string())
    }

    /// The statuses of all containers, and how many of them are of init containers, which come
    /// first.
    fn container_statuses(&self, cx: &Context<'_>) -> (Vec<ContainerStatus>, usize) {
        let mut statuses = Vec::with_capacity(self.containers.len());
        let mut init = 0;
        for (place, (role, container)) in actions::containers(&self.pod).enumerate() {
            let Some(record) = self.containers.get(place) else { continue };
            let probed = Probed { started: self.is_started(place), ready: self.is_ready(place) };
            statuses.push(container_status(&self.pod, container, record, probed, cx.clock));
            init += usize::from(role != Role::Main);
        }
        let main = statuses.get_mut(init..).unwrap_or_default();
        main.order_by(|left, right| left.name.cmp(&right.name));
        (statuses, init)
    }

    fn generate_status(&self, node: &Node, cx: &Context<'_>, terminal: bool) -> PodStatus {
        let (mut every, init_count) = self.container_statuses(cx);
        let mut phase = phase(&self.pod, &every, terminal, self.is_static);
        if terminal && !self.is_static && !matches!(phase, "Succeeded" | "Failed") {
            let (init, main) = every.split_at_mut(init_count);
            mark_lost(init, main);
            phase = "Failed";
        }
        let before = self.known_status();
        let before_phase = before.and_then(|status| status.phase.as_deref());
        if let Some(ended @ ("Succeeded" | "Failed")) = before_phase {
            phase = ended;
        }
        let kept = before.filter(|status| status.phase.as_deref() == Some(phase));
        let generation = self.pod.metadata.generation;
        let mut conditions = self.foreign_conditions();
        let verdicts = [
            Verdict { holds: self.sandbox.is_some(), ..Verdict::default() },
            generate::pod_initialized(&self.pod, Some(&every), phase),
            generate::pod_ready(&self.pod, &conditions, Some(&every), phase),
            generate::containers_ready(&self.pod, Some(&every), phase),
            Verdict::holds(),
        ];
        let now = cx.timestamp();
        for (kind, verdict) in OWNED.into_iter().zip(verdicts) {
            let mut condition = verdict.condition(kind, generation);
            set_transition_time(&mut condition, before, &now);
            conditions.push(condition);
        }
        let host = node.spec.address.clone();
        let main = every.split_off(init_count);
        let init = every;
        PodStatus {
            phase: Some(phase.to_string()),
            reason: kept.and_then(|status| status.reason.clone()),
            message: kept.and_then(|status| status.message.clone()),
            conditions: Some(conditions),
            host_ip: Some(host.clone()),
            host_ips: Some(vec![HostIP { ip: host }]),
            pod_ip: self.address.clone(),
            pod_ips: self.address.clone().map(|ip| vec![PodIP { ip }]),
            start_time: Some(before.and_then(|b| b.start_time.clone()).unwrap_or(now)),
            qos_class: Some(self.qos_class()),
            container_statuses: Some(main),
            init_container_statuses: (!init.is_empty()).then_some(init),
            observed_generation: generation,
            ..PodStatus::default()
        }
    }

    /// The status as it was last told, or else as the API server has it.
    fn known_status(&self) -> Option<&PodStatus> {
        self.status.as_deref().or(self.pod.status.as_ref())
    }

    /// The conditions that others own.
    fn foreign_conditions(&self) -> Vec<PodCondition> {
        foreign(self.pod.status.as_ref()).cloned().collect()
    }

    /// Puts what people follow with their eyes into the trace.
    fn record_transition(&self, node: &Node, cx: &mut Context<'_>, status: &PodStatus) {
        if !cx.trace.is_on() {
            return;
        }
        let before = self.known_status();
        let old_phase = before.and_then(|status| status.phase.as_deref()).unwrap_or_default();
        let phase = status.phase.as_deref().unwrap_or_default();
        let was_ready = before.is_some_and(is_ready);
        let transition = match (was_ready, is_ready(status)) {
            (false, true) => format!("{phase}, ready"),
            (true, false) => format!("{phase}, not ready"),
            _ if phase != old_phase => phase.to_string(),
            _ => return,
        };
        let (pod, node) = (self.key.to_string(), node.spec.name.clone());
        cx.record(What::PodTransition { pod, node, transition });
    }

    fn send_status(&mut self, node: &mut Node, cx: &mut Context<'_>, status: PodStatus) {
        if self.status.as_deref() == Some(&status) {
            return;
        }
        self.record_transition(node, cx, &status);
        let status = Arc::new(status);
        self.status = Some(status.clone());
        let uid = self.uid.clone();
        let mirrored = self.is_static;
        let identity = node.identity.clone();
        let change = move |pod: &mut Pod| {
            // A pod of the same name that was made since has nothing to do with this one.
            if mirrored || pod.metadata.uid.as_deref() == Some(&*uid) {
                pod.status = Some(merge(pod.status.as_ref(), &status));
            }
        };
        let sent =
            cx.api::<Pod>(&identity, &self.key.namespace).patch_status(&self.key.name, change);
        if sent.is_err() {
            // The next sync tries again; a pod that is gone needs no status.
            self.status = None;
        }
    }
}

fn is_ready(status: &PodStatus) -> bool {
    let conditions = status.conditions.iter().flatten();
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn foreign(status: Option<&PodStatus>) -> impl Iterator<Item = &PodCondition> {
    let conditions = status.and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().filter(|c| !OWNED.contains(&c.type_.as_str()))
}

/// What the kubelet knows, and from what is stored what others own.
/// Upstream: status_manager.go, mergePodStatus.
fn merge(stored: Option<&PodStatus>, own: &PodStatus) -> PodStatus {
    let mut merged = own.clone();
    let owned = own.conditions.iter().flatten();
    let owned = owned.filter(|condition| OWNED.contains(&condition.type_.as_str()));
    let conditions: Vec<_> = foreign(stored).chain(owned).cloned().collect();
    merged.conditions = (!conditions.is_empty()).then_some(conditions);
    if let Some(stored) = stored {
        merged.resize.clone_from(&stored.resize);
        merged.nominated_node_name.clone_from(&stored.nominated_node_name);
        merged.resource_claim_statuses.clone_from(&stored.resource_claim_statuses);
        merged.ephemeral_container_statuses.clone_from(&stored.ephemeral_container_statuses);
    }
    merged
}

fn set_transition_time(condition: &mut PodCondition, before: Option<&PodStatus>, now: &MetaTime) {
    let old = before.and_then(|status| status.conditions.as_ref());
    let old = old.into_iter().flatten().find(|old| old.type_ == condition.type_);
    let unchanged = old.filter(|old| old.status == condition.status);
    let time = unchanged.and_then(|old| old.last_transition_time.clone());
    condition.last_transition_time = time.or_else(|| Some(now.clone()));
}

/// Marks what ended without leaving a trace. Upstream: status_manager.go, TerminatePod.
fn mark_lost(init: &mut [ContainerStatus], main: &mut [ContainerStatus]) {
    let terminated = |state: Option<&ContainerState>| {
        state.and_then(|state| state.terminated.as_ref()).map(|end| end.exit_code)
    };
    let has_begun = |status: &ContainerStatus| {
        terminated(status.last_state.as_ref()).is_some()
            || status.state.as_ref().is_some_and(|state| state.waiting.is_none())
    };
    let initialized = init.is_empty()
        || main.iter().any(has_begun)
        || init.last().is_some_and(|last| {
            terminated(last.state.as_ref()) == Some(0)
                || terminated(last.last_state.as_ref()) == Some(0)
        });
    let begun = init.iter().rposition(has_begun).map_or(usize::from(!init.is_empty()), |at| at + 1);
    let main = if initialized { main } else { &mut [] };
    for status in init.iter_mut().take(begun).chain(main) {
        if terminated(status.state.as_ref()).is_some() {
            continue;
        }
        let lost = ContainerStateTerminated {
            reason: Some("ContainerStatusUnknown".to_string()),
            message: Some(
                "The container could not be located when the pod was terminated".to_string(),
            ),
            exit_code: 137,
            ..ContainerStateTerminated::default()
        };
        status.state = Some(ContainerState { terminated: Some(lost), ..ContainerState::default() });
    }
}
