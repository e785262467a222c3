//! Since when a node is silent, and what is written of it then.
//!
//! Upstream: node_lifecycle_controller.go, tryUpdateNodeHealth

use api::Key;
use api::openapi::api::coordination::v1::Lease;
use api::openapi::api::core::v1::{Node, NodeCondition};
use jiff::Timestamp;
use sim::{Digest, Digestible, Time};

use super::{MONITOR_GRACE_PERIOD, NodeLifecycleController, STARTUP_GRACE_PERIOD, condition, name};
use crate::{Error, SyncContext};

/// The conditions that nobody keeps up when the kubelet is silent.
const KEPT_BY_KUBELET: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// What was last seen of a node.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Health {
    /// Its condition Ready.
    ready: Option<NodeCondition>,
    /// When its kubelet last gave a sign of life, by this controller's clock.
    probed: Time,
    /// When its lease was last renewed, by the kubelet's clock.
    renewed: Option<Timestamp>,
}

impl Digestible for Health {
    fn digest(&self, digest: &mut Digest) {
        digest.bool(self.ready.is_some());
        if let Some(ready) = &self.ready {
            digest.str(&ready.status);
            let heartbeat = ready.last_heartbeat_time.as_ref();
            digest.i64(heartbeat.map_or(0, |time| time.0.as_second()));
        }
        digest.add(&self.probed);
        digest.i64(self.renewed.map_or(0, Timestamp::as_microsecond));
    }
}

impl NodeLifecycleController {
    /// Notes what is new of a node, and writes that its state is unknown when it has been
    /// silent for too long. Returns the condition Ready as it was and as it is now.
    pub(super) fn update_health(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        node: &Node,
    ) -> Result<(NodeCondition, Option<NodeCondition>), Error> {
        let current = condition(node, "Ready").cloned();
        let created = node.metadata.creation_timestamp.clone();
        let observed = current.clone().unwrap_or_else(|| NodeCondition {
            type_: "Ready".to_string(),
            status: "Unknown".to_string(),
            last_heartbeat_time: created.clone(),
            last_transition_time: created.clone(),
            ..NodeCondition::default()
        });
        let created = created.map_or(cx.now(), |created| cx.instant_of(created.0));
        let mut health = self.seen(node, current.clone(), created, cx.now());
        let lease = cx.informers.get::<Lease>(&Key::new("kube-node-lease", name(node)));
        let renewed = lease.and_then(|lease| lease.spec.as_ref()?.renew_time.as_ref());
        if let Some(renewed) = renewed.map(|time| time.0)
            && health.renewed < Some(renewed)
        {
            health.renewed = Some(renewed);
            health.probed = cx.now();
        }
        let grace = if current.is_some() { MONITOR_GRACE_PERIOD } else { STARTUP_GRACE_PERIOD };
        let silent = cx.now().since(health.probed) > grace;
        self.health.insert(name(node).to_string(), health);
        if !silent {
            return Ok((observed, current));
        }
        let unknown = with_unknown_conditions(cx, node);
        let now_ready = condition(&unknown, "Ready").cloned();
        if now_ready.as_ref() != Some(&observed) {
            cx.update_status(unknown)?;
            if let Some(health) = self.health.get_mut(name(node)) {
                health.ready.clone_from(&now_ready);
            }
        }
        Ok((observed, now_ready))
    }

    /// What is known of the node now: a new heartbeat in its status is a sign of life.
    fn seen(
        &self,
        node: &Node,
        current: Option<NodeCondition>,
        created: Time,
        now: Time,
    ) -> Health {
        let fresh = |probed| Health { ready: current.clone(), probed, renewed: None };
        let Some(saved) = self.health.get(name(node)) else {
            return fresh(if current.is_none() { created } else { now });
        };
        let same = match (&saved.ready, &current) {
            (None, None) => true,
            (Some(saved), Some(current)) => {
                saved.last_heartbeat_time == current.last_heartbeat_time
            }
            _ => false,
        };
        if same { saved.clone() } else { Health { renewed: saved.renewed, ..fresh(now) } }
    }

    /// Counts every node's silence from now on: the controller itself was cut off.
    pub(super) fn restart_probes(&mut self, now: Time) {
        self.health.change_all(|_, health| health.probed = now);
    }
}

fn with_unknown_conditions(cx: &SyncContext<'_, '_>, node: &Node) -> Node {
    let mut changed = node.clone();
    let created = node.metadata.creation_timestamp.clone();
    let conditions = changed.status.get_or_insert_default().conditions.get_or_insert_default();
    for condition_type in KEPT_BY_KUBELET {
        let now = Some(cx.timestamp());
        let found = conditions.iter_mut().find(|condition| condition.type_ == condition_type);
        let Some(condition) = found else {
            conditions.push(NodeCondition {
                type_: condition_type.to_string(),
                status: "Unknown".to_string(),
                reason: Some("NodeStatusNeverUpdated".to_string()),
                message: Some("Kubelet never posted node status.".to_string()),
                last_heartbeat_time: created.clone(),
                last_transition_time: now,
            });
            continue;
        };
        if condition.status != "Unknown" {
            condition.status = "Unknown".to_string();
            condition.reason = Some("NodeStatusUnknown".to_string());
            condition.message = Some("Kubelet stopped posting node status.".to_string());
            condition.last_transition_time = now;
        }
    }
    changed
}
