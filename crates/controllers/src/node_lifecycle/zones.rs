//! How fast nodes may lose their pods: the fewer nodes of a zone are healthy, the more likely
//! it is that something else is wrong.
//!
//! Upstream: node_lifecycle_controller.go, handleDisruption and ComputeZoneState

use std::collections::VecDeque;

use api::openapi::api::core::v1::Node;
use sim::{Digest, Digestible, Duration, SmallMap, Time};

use super::NodeLifecycleController;
use crate::SyncContext;

/// One node in that time, as a rule. Upstream: `--node-eviction-rate` 0.1.
const INTERVAL: Duration = Duration::from_secs(10);
/// One node in that time in a large zone that is partly broken.
/// Upstream: `--secondary-node-eviction-rate` 0.01.
const SECONDARY_INTERVAL: Duration = Duration::from_secs(100);
/// How many nodes make a large zone. Upstream: `--large-cluster-size-threshold`.
const LARGE_ZONE: usize = 50;

/// How healthy a zone is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// It was not looked at yet.
    #[default]
    Initial,
    /// Most nodes are ready.
    Normal,
    /// Many nodes are not.
    Partial,
    /// No node is.
    Full,
}

/// Upstream: ComputeZoneState; the threshold is `--unhealthy-zone-threshold` 0.55.
fn state_of(ready: &[bool]) -> State {
    let unhealthy = ready.iter().filter(|ready| !**ready).count();
    if unhealthy == ready.len() && unhealthy > 0 {
        State::Full
    } else if unhealthy > 2 && 100 * unhealthy >= 55 * ready.len() {
        State::Partial
    } else {
        State::Normal
    }
}

#[derive(Clone, Debug, Default)]
struct Zone {
    state: State,
    /// The time from one node to the next; none are tainted without it.
    interval: Option<Duration>,
    next: Time,
    queue: VecDeque<String>,
}

/// The zones by name, with the nodes that wait for their taint.
#[derive(Clone, Debug, Default)]
pub(super) struct Zones(SmallMap<String, Zone>);

/// The zone of a node. Upstream: component-helpers/node/topology, GetZoneKey.
pub(super) fn zone(node: &Node) -> String {
    let label = |name: &str| {
        let labels = node.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(name)).map_or("", String::as_str)
    };
    let (region, zone) =
        (label("topology.kubernetes.io/region"), label("topology.kubernetes.io/zone"));
    if region.is_empty() && zone.is_empty() { String::new() } else { format!("{region}:{zone}") }
}

impl Zones {
    /// Queues a node of the zone for its taint.
    pub(super) fn queue(&mut self, zone: &str, node: &str) {
        let fresh = || Zone { interval: Some(INTERVAL), ..Zone::default() };
        let zone = self.0.entry(zone.to_string()).or_insert_with(fresh);
        if !zone.queue.iter().any(|queued| queued == node) {
            zone.queue.push_back(node.to_string());
        }
    }

    /// Forgets a node that needs no taint.
    pub(super) fn forget(&mut self, node: &str) {
        self.0.values_mut().for_each(|zone| zone.queue.retain(|queued| queued != node));
    }

    /// Whether a node waits that may be tainted.
    pub(super) fn have_queued(&self) -> bool {
        self.next_due().is_some()
    }

    /// When the next node may be tainted.
    pub(super) fn next_due(&self) -> Option<Time> {
        let queued = self.0.values().filter(|zone| !zone.queue.is_empty());
        queued.filter(|zone| zone.interval.is_some()).map(|zone| zone.next).min()
    }

    /// The nodes that may be tainted now.
    pub(super) fn take_due(&mut self, now: Time) -> Vec<String> {
        let mut due = Vec::new();
        for zone in self.0.values_mut() {
            let Some(interval) = zone.interval.filter(|_| zone.next <= now) else { continue };
            if let Some(node) = zone.queue.pop_front() {
                zone.next = now + interval;
                due.push(node);
            }
        }
        due
    }
}

impl Zone {
    fn enter(&mut self, state: State, size: usize) {
        self.state = state;
        self.interval = match state {
            State::Partial if size > LARGE_ZONE => Some(SECONDARY_INTERVAL),
            State::Partial => None,
            State::Initial | State::Normal | State::Full => Some(INTERVAL),
        };
    }
}

impl NodeLifecycleController {
    /// Sets the rates of the zones after their state. When no node of any zone is ready, it is
    /// the control plane that is cut off, and no pod is to suffer for it.
    pub(super) fn handle_disruption(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        ready_by_zone: &SmallMap<String, Vec<bool>>,
    ) {
        self.zones.0.retain(|zone, _| ready_by_zone.contains_key(zone));
        for zone in ready_by_zone.keys() {
            let fresh = || Zone { interval: Some(INTERVAL), ..Zone::default() };
            self.zones.0.entry(zone.clone()).or_insert_with(fresh);
        }
        let all_were_full = self.zones.0.values().all(|zone| zone.state == State::Full);
        let all_are_full = ready_by_zone.values().all(|ready| state_of(ready) == State::Full);
        match (all_are_full, all_were_full) {
            (true, true) => {}
            (true, false) => {
                for node in cx.informers.all::<Node>() {
                    self.mark_reachable(cx, node);
                }
                for zone in self.zones.0.values_mut() {
                    zone.state = State::Full;
                    zone.interval = None;
                }
            }
            (false, were_full) => {
                if were_full {
                    self.restart_probes(cx.now());
                }
                for (name, zone) in &mut self.zones.0 {
                    let ready = ready_by_zone.get(name).map_or(&[][..], Vec::as_slice);
                    let state = state_of(ready);
                    if were_full || zone.state != state {
                        zone.enter(state, ready.len());
                    }
                }
            }
        }
    }
}

impl Digestible for Zones {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.0.len() as u64);
        for (name, zone) in &self.0 {
            digest.str(name);
            digest.u64(zone.state as u64);
            digest.add(&zone.interval);
            digest.add(&zone.next);
            digest.add(&zone.queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The thresholds are those of ComputeZoneState.
    #[test]
    fn a_zone_is_as_healthy_as_its_nodes() {
        let nodes = |ready: usize, unhealthy: usize| {
            let mut nodes = vec![true; ready];
            nodes.extend(vec![false; unhealthy]);
            nodes
        };
        let cases = [
            (0, 0, State::Normal),
            (3, 0, State::Normal),
            (0, 1, State::Full),
            (1, 2, State::Normal),
            (2, 3, State::Partial),
            (3, 3, State::Normal),
            (0, 5, State::Full),
        ];
        for (ready, unhealthy, want) in cases {
            assert_eq!(state_of(&nodes(ready, unhealthy)), want, "{ready} and {unhealthy}");
        }
    }

    #[test]
    fn nodes_are_tainted_one_by_one() {
        let mut zones = Zones::default();
        for node in ["a", "b", "a", "c"] {
            zones.queue("", node);
        }
        assert_eq!(zones.take_due(Time::ZERO), ["a"]);
        assert!(zones.take_due(Time::ZERO + Duration::from_secs(9)).is_empty());
        zones.forget("b");
        assert_eq!(zones.take_due(Time::ZERO + INTERVAL), ["c"]);
        assert!(!zones.have_queued());
    }
}
