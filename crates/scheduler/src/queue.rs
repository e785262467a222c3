//! The scheduling queue: pods that wait for a node. Active ones are tried next, those that
//! failed wait out a back-off, and those that no node could take wait for an event that may
//! help them.
//!
//! Upstream: pkg/scheduler/backend/queue/{scheduling_queue,active_queue,backoff_queue,nominator}.go

use std::sync::Arc;

use api::Key;
use api::openapi::api::core::v1::Pod;
use sim::{Digest, Digestible, Duration, OrdMap, OrdSet, Time};

use crate::framework::{
    ClusterEvent, EventObject, Framework, Hint, PodInfo, QueuedPodInfo,
    pod_scheduling_properties_change,
};

mod nominator;
#[cfg(test)]
mod tests;

pub use nominator::Nominator;

/// Upstream: DefaultPodInitialBackoffDuration and DefaultPodMaxBackoffDuration.
const INITIAL_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(10);
/// Back-offs end at whole seconds, so that within one second priority decides.
const BACKOFF_WINDOW: Duration = Duration::from_secs(1);
/// How long a pod waits for an event at most, and how often that is looked at.
/// Upstream: DefaultPodMaxInUnschedulablePodsDuration.
const MAX_UNSCHEDULABLE: Duration = Duration::from_secs(300);
const FLUSH_INTERVAL: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Active,
    Backoff,
    ErrorBackoff,
    Unschedulable,
}

/// How soon a pod is tried again. Upstream: queueingStrategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strategy {
    Skip,
    AfterBackoff,
    Immediately,
}

/// Where a pod stands among others: what the sorting plugin says, then who came first.
type Position = ((i64, Time), u64, Key);

#[derive(Clone, Debug)]
struct Entry {
    info: QueuedPodInfo,
    place: Place,
    position: Position,
}

#[derive(Clone, Debug)]
struct InFlight {
    key: Key,
    events: Vec<(ClusterEvent, EventObject)>,
}

/// The queue.
#[derive(Clone)]
pub struct SchedulingQueue {
    framework: Arc<Framework>,
    entries: OrdMap<Key, Entry>,
    active: OrdSet<Position>,
    backoff: OrdSet<(Time, Position)>,
    error_backoff: OrdSet<(Time, Position)>,
    unschedulable: OrdSet<Key>,
    in_flight: Option<InFlight>,
    sequence: u64,
    last_flush: Time,
    /// Pods that were promised a node.
    pub nominator: Nominator,
}

impl SchedulingQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(framework: Arc<Framework>) -> Self {
        SchedulingQueue {
            framework,
            entries: OrdMap::new(),
            active: OrdSet::new(),
            backoff: OrdSet::new(),
            error_backoff: OrdSet::new(),
            unschedulable: OrdSet::new(),
            in_flight: None,
            sequence: 0,
            last_flush: Time::ZERO,
            nominator: Nominator::default(),
        }
    }

    /// A pod without a node appeared.
    pub fn add(&mut self, pod: PodInfo, now: Time) {
        self.take(&pod.key);
        self.nominator.add(&pod, None);
        self.sequence += 1;
        self.move_to_active(QueuedPodInfo::new(pod, now, self.sequence));
    }

    /// A waiting pod changed.
    pub fn update(&mut self, old: Option<&Arc<Pod>>, pod: Arc<Pod>, now: Time) {
        let key = Key::of(&pod.metadata);
        let events = old.map(|old| pod_scheduling_properties_change(&pod, old));
        let object = EventObject::Pod(old.cloned(), Some(pod.clone()));
        if let Some(in_flight) = self.in_flight.as_mut().filter(|flight| flight.key == key) {
            let events = events.into_iter().flatten();
            in_flight.events.extend(events.map(|event| (event, object.clone())));
            return;
        }
        let Some(mut entry) = self.take(&key) else {
            self.add(PodInfo::new(pod), now);
            return;
        };
        entry.info.pod = entry.info.pod.updated(pod);
        self.nominator.update(&entry.info.pod);
        match entry.place {
            Place::Active => self.move_to_active(entry.info),
            Place::Backoff | Place::ErrorBackoff => self.put_into_backoff(entry.info),
            Place::Unschedulable => {
                let pod = entry.info.pod.clone();
                let worth = events
                    .into_iter()
                    .flatten()
                    .map(|event| self.strategy(&entry.info, &pod, event, &object));
                let strategy = worth.max_by_key(|strategy| *strategy as u8);
                self.requeue(entry.info, strategy.unwrap_or(Strategy::Skip), now);
            }
        }
    }

    /// A waiting pod is gone, or has a node.
    pub fn delete(&mut self, key: &Key) {
        self.nominator.delete(key);
        self.take(key);
    }

    /// The next pod to find a node for. When none is active, one in back-off is taken early:
    /// there is nothing better to do.
    pub fn pop(&mut self, now: Time) -> Option<QueuedPodInfo> {
        self.flush(now);
        let (_, _, key) = match self.active.get_min() {
            Some(position) => position.clone(),
            None => self.backoff.get_min().map(|(_, position)| position.clone())?,
        };
        let mut info = self.take(&key)?.info;
        info.attempts += 1;
        info.initial_attempt.get_or_insert(now);
        info.backoff_expiration = None;
        info.unschedulable_plugins.clear();
        info.pending_plugins.clear();
        info.gating_plugin = None;
        self.in_flight = Some(InFlight { key, events: Vec::new() });
        Some(info)
    }

    /// The attempt is over: events that happen from now on do not matter for it.
    pub fn done(&mut self) {
        self.in_flight = None;
    }

    /// Puts a pod back that found no node.
    pub fn add_unschedulable(&mut self, mut info: QueuedPodInfo, now: Time) {
        if self.entries.contains_key(&info.pod.key) {
            self.done();
            return;
        }
        if info.was_rejected() {
            info.unschedulable_count += 1;
            info.consecutive_errors_count = 0;
        } else {
            info.consecutive_errors_count += 1;
        }
        info.timestamp = now;
        self.nominator.add(&info.pod, None);
        let strategy = self.strategy_for_in_flight(&info);
        self.done();
        self.requeue(info, strategy, now);
    }

    /// An error needs no event to be tried again; a rejection needs one, and those that came
    /// while the attempt was under way count.
    fn strategy_for_in_flight(&self, info: &QueuedPodInfo) -> Strategy {
        if !info.was_rejected() {
            return Strategy::AfterBackoff;
        }
        let events = self.in_flight.iter().flat_map(|flight| &flight.events);
        let strategies =
            events.map(|(event, object)| self.strategy(info, &info.pod, *event, object));
        strategies.max_by_key(|strategy| *strategy as u8).unwrap_or(Strategy::Skip)
    }

    /// Moves every pod that the event may help. Upstream: MoveAllToActiveOrBackoffQueue.
    pub fn move_all(&mut self, event: ClusterEvent, object: &EventObject, now: Time) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.events.push((event, object.clone()));
        }
        let waiting: Vec<Key> = self.unschedulable.iter().cloned().collect();
        for key in waiting {
            let Some(entry) = self.entries.get(&key) else { continue };
            let gate = entry.info.gating_plugin;
            if gate.is_some_and(|gate| !self.framework.registers(gate, event)) {
                continue;
            }
            let strategy = self.strategy(&entry.info, &entry.info.pod, event, object);
            if strategy == Strategy::Skip {
                continue;
            }
            if let Some(entry) = self.take(&key) {
                self.requeue(entry.info, strategy, now);
            }
        }
    }

    /// Whether anybody would listen to an event.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        !self.unschedulable.is_empty() || self.in_flight.is_some()
    }

    /// Upstream: isPodWorthRequeuing.
    fn strategy(
        &self,
        info: &QueuedPodInfo,
        pod: &PodInfo,
        event: ClusterEvent,
        object: &EventObject,
    ) -> Strategy {
        if !info.was_rejected() || event == ClusterEvent::WILDCARD {
            return Strategy::AfterBackoff;
        }
        let mut strategy = Strategy::Skip;
        for plugin in info.unschedulable_plugins.iter().chain(&info.pending_plugins) {
            if self.framework.hint(plugin, pod, event, object) == Hint::Skip {
                continue;
            }
            if info.pending_plugins.contains(plugin) {
                return Strategy::Immediately;
            }
            strategy = Strategy::AfterBackoff;
        }
        strategy
    }

    fn requeue(&mut self, mut info: QueuedPodInfo, strategy: Strategy, now: Time) {
        if strategy == Strategy::Skip {
            self.put(info, Place::Unschedulable);
            return;
        }
        if strategy == Strategy::AfterBackoff && is_backing_off(&mut info, now) {
            if !self.gate(&mut info) {
                self.put_into_backoff(info);
            }
            return;
        }
        self.move_to_active(info);
    }

    /// Keeps a pod that a PreEnqueue plugin holds back; says whether one does.
    fn gate(&mut self, info: &mut QueuedPodInfo) -> bool {
        let Some(plugin) = self.framework.run_pre_enqueue(&info.pod) else {
            info.gating_plugin = None;
            return false;
        };
        info.gating_plugin = Some(plugin);
        info.unschedulable_plugins.insert(plugin);
        self.put(info.clone(), Place::Unschedulable);
        true
    }

    fn move_to_active(&mut self, mut info: QueuedPodInfo) {
        if !self.gate(&mut info) {
            self.put(info, Place::Active);
        }
    }

    fn put_into_backoff(&mut self, info: QueuedPodInfo) {
        let place = if info.was_rejected() { Place::Backoff } else { Place::ErrorBackoff };
        self.put(info, place);
    }

    fn put(&mut self, mut info: QueuedPodInfo, place: Place) {
        let key = info.pod.key.clone();
        let position = (self.framework.position(&info), info.sequence, key.clone());
        match place {
            Place::Active => {
                self.active.insert(position.clone());
            }
            Place::Backoff => {
                self.backoff.insert((backoff_time(&mut info), position.clone()));
            }
            Place::ErrorBackoff => {
                self.error_backoff.insert((backoff_time(&mut info), position.clone()));
            }
            Place::Unschedulable => {
                self.unschedulable.insert(key.clone());
            }
        }
        self.entries.insert(key, Entry { info, place, position });
    }

    fn take(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        let expiration = entry.info.backoff_expiration.unwrap_or_default();
        match entry.place {
            Place::Active => drop(self.active.remove(&entry.position)),
            Place::Backoff => drop(self.backoff.remove(&(expiration, entry.position.clone()))),
            Place::ErrorBackoff => {
                drop(self.error_backoff.remove(&(expiration, entry.position.clone())));
            }
            Place::Unschedulable => drop(self.unschedulable.remove(key)),
        }
        Some(entry)
    }

    /// Moves pods whose back-off is over, and those that have waited for an event too long.
    pub fn flush(&mut self, now: Time) {
        for error in [false, true] {
            while let Some((time, (_, _, key))) = self.first_backoff(error).cloned() {
                if time >= window(now) {
                    break;
                }
                let Some(entry) = self.take(&key) else { break };
                self.move_to_active(entry.info);
            }
        }
        if now.since(self.last_flush) < FLUSH_INTERVAL {
            return;
        }
        let intervals = now.as_nanos() / FLUSH_INTERVAL.as_nanos();
        self.last_flush = Time::ZERO + FLUSH_INTERVAL * intervals;
        let waiting: Vec<Key> = self.unschedulable.iter().cloned().collect();
        for key in waiting {
            let too_long = |entry: &Entry| {
                entry.info.gating_plugin.is_none()
                    && now.since(entry.info.timestamp) > MAX_UNSCHEDULABLE
            };
            if self.entries.get(&key).is_some_and(too_long)
                && let Some(entry) = self.take(&key)
            {
                self.requeue(entry.info, Strategy::AfterBackoff, now);
            }
        }
    }

    fn first_backoff(&self, error: bool) -> Option<&(Time, Position)> {
        if error { self.error_backoff.get_min() } else { self.backoff.get_min() }
    }

    /// When the next pod can be popped, or moved on its own: the beginning of time if one can
    /// be popped now.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        if self.is_ready() {
            return Some(Time::ZERO);
        }
        let error = self.error_backoff.get_min().map(|(time, _)| *time + BACKOFF_WINDOW);
        let waiting = self.unschedulable.iter().filter_map(|key| self.entries.get(key));
        let oldest = waiting
            .filter(|entry| entry.info.gating_plugin.is_none())
            .map(|entry| entry.info.timestamp)
            .min();
        let flush = oldest.map(|oldest| next_flush_after(oldest + MAX_UNSCHEDULABLE));
        [error, flush].into_iter().flatten().min()
    }

    /// Whether a pod can be popped now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.active.is_empty() || !self.backoff.is_empty()
    }
}

/// The first flush that finds something later than `time`.
fn next_flush_after(time: Time) -> Time {
    let intervals = time.as_nanos() / FLUSH_INTERVAL.as_nanos() + 1;
    Time::ZERO + FLUSH_INTERVAL * intervals
}

/// The beginning of the window that a time lies in.
fn window(time: Time) -> Time {
    let nanoseconds = BACKOFF_WINDOW.as_nanos();
    Time::from_nanos(time.as_nanos() / nanoseconds * nanoseconds)
}

fn is_backing_off(info: &mut QueuedPodInfo, now: Time) -> bool {
    let has_failed = info.unschedulable_count > 0 || info.consecutive_errors_count > 0;
    has_failed && backoff_time(info) >= window(now)
}

/// When the back-off of a pod ends. Upstream: getBackoffTime.
fn backoff_time(info: &mut QueuedPodInfo) -> Time {
    let failures = match info.consecutive_errors_count {
        0 => info.unschedulable_count,
        errors => errors,
    };
    let until = window(info.timestamp + backoff_duration(failures));
    *info.backoff_expiration.get_or_insert(until)
}

/// Upstream: calculateBackoffDuration.
fn backoff_duration(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        1..=8 => (INITIAL_BACKOFF * (1 << (failures - 1))).min(MAX_BACKOFF),
        _ => MAX_BACKOFF,
    }
}

impl Digestible for SchedulingQueue {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.entries.len() as u64);
        for entry in self.entries.values() {
            digest.add(&entry.info);
            digest.u64(entry.place as u64);
        }
        digest.bool(self.in_flight.is_some());
        if let Some(in_flight) = &self.in_flight {
            digest.add(&in_flight.key);
            digest.u64(in_flight.events.len() as u64);
        }
        digest.u64(self.sequence);
        digest.add(&self.last_flush);
        digest.add(&self.nominator);
    }
}
