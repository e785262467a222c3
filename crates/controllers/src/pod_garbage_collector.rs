//! The pod garbage collector: deletes pods whose node is gone or will not come back, pods that
//! end without ever having had a node, and the oldest of too many pods that have ended.
//!
//! It looks at all pods every now and then. Upstream: pkg/controller/podgc/gc_controller.go

use api::Key;
use api::openapi::api::core::v1::{Node, Pod, PodCondition};
use apiserver::DeleteOptions;
use component_helpers::pod_status::{is_pod_terminal, node_name, update_condition};
use sim::{Digest, Duration, OrdMap, OrdSet, Sort, Time};

use crate::refusal::is_not_found;
use crate::{Action, Controller, Enqueue, Error, SyncContext, Watch};

/// How often it looks.
const CHECK_PERIOD: Duration = Duration::from_secs(20);
/// How long a node must be gone before its pods are.
const QUARANTINE: Duration = Duration::from_secs(40);
/// How many pods that have ended may stay. Upstream: `--terminated-pod-gc-threshold`.
const TERMINATED_POD_THRESHOLD: usize = 12_500;
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// The pod garbage collector.
#[derive(Clone, Debug, Default)]
pub struct PodGarbageCollector {
    /// The nodes that pods name and that are not there, and until when they are waited for.
    quarantine: OrdMap<String, Time>,
}

impl Controller for PodGarbageCollector {
    const NAME: &'static str = "pod-garbage-collector";
    const TIMERS_ARE_IDLE: bool = true;

    fn watches() -> &'static [Watch<Self>] {
        &[]
    }

    fn start(&mut self, enqueue: &mut Enqueue<'_>) {
        enqueue.add(Key::cluster("pods"));
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, _: &Key) -> Result<Action, Error> {
        // What fails is tried again at the next look.
        collect_terminated(cx);
        collect_terminating(cx);
        self.collect_orphaned(cx);
        Ok(Action::RequeueAfter(CHECK_PERIOD))
    }

    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.quarantine);
    }
}

impl PodGarbageCollector {
    /// Deletes pods bound to nodes that do not exist.
    fn collect_orphaned(&mut self, cx: &mut SyncContext<'_, '_>) {
        let informers = cx.informers;
        let missing =
            |name: &str| !name.is_empty() && informers.get::<Node>(&Key::cluster(name)).is_none();
        let bound: OrdSet<&str> =
            informers.all::<Pod>().map(node_name).filter(|name| missing(name)).collect();
        for name in &bound {
            let until = cx.now() + QUARANTINE;
            self.quarantine.entry((*name).to_string()).or_insert(until);
        }
        let now = cx.now();
        let due: Vec<String> = self
            .quarantine
            .iter()
            .filter(|(_, until)| **until <= now)
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.quarantine.remove(&name);
            if !missing(&name) || !is_gone(cx, &name) {
                continue;
            }
            for pod in informers.on_node::<Pod>(&name) {
                let condition = PodCondition {
                    type_: "DisruptionTarget".to_string(),
                    status: "True".to_string(),
                    reason: Some("DeletionByPodGC".to_string()),
                    message: Some("PodGC: node no longer exists".to_string()),
                    observed_generation: pod.metadata.generation,
                    ..PodCondition::default()
                };
                let _ = mark_failed_and_delete(cx, pod, Some(condition));
            }
        }
    }
}

/// Whether the API server knows no such node either.
fn is_gone(cx: &mut SyncContext<'_, '_>, name: &str) -> bool {
    cx.get_live::<Node>(&Key::cluster(name)).is_err_and(|status| is_not_found(&status))
}

/// Deletes the oldest pods that have ended, beyond the threshold; evicted ones go first.
fn collect_terminated(cx: &mut SyncContext<'_, '_>) {
    let informers = cx.informers;
    let mut ended: Vec<&Pod> = informers.all::<Pod>().filter(|pod| is_pod_terminal(pod)).collect();
    let surplus = ended.len().saturating_sub(TERMINATED_POD_THRESHOLD);
    if surplus == 0 {
        return;
    }
    ended.order_by_key(|pod| {
        let reason = pod.status.as_ref().and_then(|status| status.reason.as_deref());
        let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
        (reason != Some("Evicted"), created, pod.metadata.name.as_deref())
    });
    for pod in ended.into_iter().take(surplus) {
        let _ = mark_failed_and_delete(cx, pod, None);
    }
}

/// Deletes pods that were told to end where nobody will end them: without a node, or on a node
/// that is not ready and out of service.
fn collect_terminating(cx: &mut SyncContext<'_, '_>) {
    let informers = cx.informers;
    let terminating =
        informers.all::<Pod>().filter(|pod| pod.metadata.deletion_timestamp.is_some());
    let stuck = terminating.filter(|pod| match node_name(pod) {
        "" => true,
        name => informers.get::<Node>(&Key::cluster(name)).is_some_and(is_out_of_service),
    });
    for pod in stuck {
        let _ = mark_failed_and_delete(cx, pod, None);
    }
}

fn is_out_of_service(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    !ready && taints.into_iter().flatten().any(|taint| taint.key == OUT_OF_SERVICE)
}

/// A pod that nobody runs any longer would stay in its phase for ever, so it fails first.
fn mark_failed_and_delete(
    cx: &mut SyncContext<'_, '_>,
    pod: &Pod,
    condition: Option<PodCondition>,
) -> Result<(), Error> {
    let key = Key::of(&pod.metadata);
    if !is_pod_terminal(pod) {
        let now = cx.timestamp();
        cx.patch_status::<Pod>(&key, move |pod| {
            let status = pod.status.get_or_insert_default();
            status.phase = Some("Failed".to_string());
            if let Some(condition) = condition {
                update_condition(status, condition, &now);
            }
        })?;
    }
    let options = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    Ok(cx.delete::<Pod>(&key, options)?)
}

#[cfg(test)]
#[path = "pod_garbage_collector_tests.rs"]
mod tests;
