//! What is known of a ReplicaSet's pods without looking at each of them again: the counts are
//! kept up to date change by change.
//!
//! A census follows from the informers, so it is no state of its own: dropping one costs time
//! and changes nothing.

use std::collections::BTreeMap;

use api::labels::Selector;
use api::openapi::api::apps::v1::ReplicaSet;
use api::openapi::api::core::v1::Pod;
use component_helpers::controller_ref::{controller_of, is_controlled_by};
use component_helpers::pod_status::{is_pod_active, is_pod_ready, is_pod_terminating, ready_since};
use component_helpers::pod_template;
use jiff::{SignedDuration, Timestamp};
use sim::{OrdMap, SmallMap};

use super::tally::{Tally, has_labels};
use crate::{Change, SharedInformers};

/// The pods that one ReplicaSet controls.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Census {
    selector: Selector,
    /// The labels of the template.
    labels: Option<BTreeMap<String, String>>,
    active: usize,
    /// Active ones that the selector does not select: they are to be released.
    strays: usize,
    fully_labeled: usize,
    ready: usize,
    terminating: usize,
    /// Active ones that are ready, by the time since when they are.
    ready_since: SmallMap<Timestamp, usize>,
}

impl Census {
    fn new(
        informers: &SharedInformers,
        replica_set: &ReplicaSet,
        uid: &str,
        selector: &Selector,
    ) -> Self {
        let mut census = Census {
            selector: selector.clone(),
            labels: replica_set.spec.template.as_ref().and_then(pod_template::labels).cloned(),
            active: 0,
            strays: 0,
            fully_labeled: 0,
            ready: 0,
            terminating: 0,
            ready_since: SmallMap::new(),
        };
        let owned = informers.owned_by::<Pod>(uid);
        for pod in owned.filter(|pod| is_controlled_by(&pod.metadata, uid)) {
            census.add(pod);
        }
        census
    }

    fn add(&mut self, pod: &Pod) {
        for counter in self.counters(pod).into_iter().flatten() {
            *counter += 1;
        }
        if let Some(since) = since(pod) {
            *self.ready_since.entry(since).or_default() += 1;
        }
    }

    fn remove(&mut self, pod: &Pod) {
        for counter in self.counters(pod).into_iter().flatten() {
            *counter = counter.saturating_sub(1);
        }
        let Some(since) = since(pod) else { return };
        let Some(count) = self.ready_since.get_mut(&since) else { return };
        *count -= 1;
        if *count == 0 {
            self.ready_since.remove(&since);
        }
    }

    /// The counters that the pod is counted by.
    fn counters(&mut self, pod: &Pod) -> [Option<&mut usize>; 5] {
        let matches = self.selector.matches_meta(&pod.metadata);
        if !is_pod_active(pod) {
            let counts = matches && is_pod_terminating(pod);
            return [counts.then_some(&mut self.terminating), None, None, None, None];
        }
        [
            Some(&mut self.active),
            (!matches).then_some(&mut self.strays),
            has_labels(self.labels.as_ref(), pod).then_some(&mut self.fully_labeled),
            is_pod_ready(pod).then_some(&mut self.ready),
            None,
        ]
    }

    /// The tally of the pods, unless one must be released first.
    fn tally(&self, min_ready_seconds: i32, now: Timestamp) -> Option<Tally<'_>> {
        if self.strays > 0 {
            return None;
        }
        let mut tally = Tally::empty(self.labels.as_ref(), min_ready_seconds, now);
        tally.active = self.active;
        tally.fully_labeled = self.fully_labeled;
        tally.ready = self.ready;
        tally.available = self.ready;
        tally.terminating = self.terminating;
        if min_ready_seconds != 0 {
            let delay = SignedDuration::from_secs(i64::from(min_ready_seconds));
            // The latest time since when a pod that is available is ready.
            let latest = now.checked_sub(delay).unwrap_or(Timestamp::MIN);
            let counts = self.ready_since.range(..=latest).map(|(_, count)| *count);
            tally.available = counts.sum();
            let next = self.ready_since.keys().find(|since| **since > latest);
            tally.next_available = next.and_then(|since| since.checked_add(delay).ok());
        }
        Some(tally)
    }
}

/// Since when an active pod is ready.
fn since(pod: &Pod) -> Option<Timestamp> {
    if is_pod_active(pod) { ready_since(pod) } else { None }
}

/// The censuses of the ReplicaSets that were looked at, by UID.
#[derive(Clone, Debug, Default)]
pub(super) struct Censuses(OrdMap<String, Census>);

impl Censuses {
    /// The tally of the ReplicaSet's pods, unless one must be adopted or released first.
    pub(super) fn settled(
        &mut self,
        informers: &SharedInformers,
        replica_set: &ReplicaSet,
        selector: &Selector,
        now: Timestamp,
    ) -> Option<Tally<'_>> {
        let uid = replica_set.metadata.uid.as_deref().unwrap_or_default();
        if !self.0.contains_key(uid) {
            let census = Census::new(informers, replica_set, uid, selector);
            self.0.insert(uid.to_string(), census);
        }
        debug_assert_eq!(
            self.0.get(uid),
            Some(&Census::new(informers, replica_set, uid, selector)),
            "a census is what counting anew would give"
        );
        let namespace = replica_set.metadata.namespace.as_deref().unwrap_or_default();
        let mut orphans = informers.orphans::<Pod>(namespace);
        if orphans.any(|pod| is_pod_active(pod) && selector.matches_meta(&pod.metadata)) {
            return None;
        }
        self.0.get(uid)?.tally(replica_set.spec.min_ready_seconds.unwrap_or(0), now)
    }

    /// Takes in that a pod changed.
    pub(super) fn on_pod(&mut self, old: Option<&Pod>, new: Option<&Pod>) {
        if let Some((census, pod)) = old.and_then(|pod| self.of(pod)) {
            census.remove(pod);
        }
        if let Some((census, pod)) = new.and_then(|pod| self.of(pod)) {
            census.add(pod);
        }
    }

    fn of<'p>(&mut self, pod: &'p Pod) -> Option<(&mut Census, &'p Pod)> {
        let controller = controller_of(&pod.metadata)?;
        Some((self.0.get_mut(&controller.uid)?, pod))
    }

    /// Forgets a ReplicaSet that is gone or counts by other labels than before.
    pub(super) fn on_replica_set(&mut self, change: &Change) {
        let Some(old) = change.old::<ReplicaSet>() else { return };
        let counts_alike = |new: &ReplicaSet| {
            let labels = |set: &ReplicaSet| {
                set.spec.template.as_ref().and_then(pod_template::labels).cloned()
            };
            old.metadata.uid == new.metadata.uid
                && (old.metadata.generation == new.metadata.generation
                    || old.spec.selector == new.spec.selector && labels(old) == labels(new))
        };
        if !change.new::<ReplicaSet>().is_some_and(counts_alike) {
            self.0.remove(old.metadata.uid.as_deref().unwrap_or_default());
        }
    }
}
