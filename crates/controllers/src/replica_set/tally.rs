//! Counting a ReplicaSet's pods.

use std::collections::BTreeMap;

use api::labels::Selector;
use api::openapi::api::apps::v1::ReplicaSet;
use api::openapi::api::core::v1::Pod;
use component_helpers::controller_ref::is_controlled_by;
use component_helpers::pod_status::{
    available_from, is_pod_active, is_pod_ready, is_pod_terminating,
};
use component_helpers::pod_template;
use jiff::Timestamp;

use crate::SharedInformers;

/// How many pods a ReplicaSet has, and in which state.
#[derive(Clone, Debug)]
pub(super) struct Tally<'r> {
    /// The labels of the template.
    labels: Option<&'r BTreeMap<String, String>>,
    min_ready_seconds: i32,
    now: Timestamp,
    /// Those that have neither ended nor been told to.
    pub(super) active: usize,
    /// Active ones that have all labels of the template.
    pub(super) fully_labeled: usize,
    /// Active ones that are ready.
    pub(super) ready: usize,
    /// Active ones that have been ready for long enough.
    pub(super) available: usize,
    /// Those that were told to end and have not.
    pub(super) terminating: usize,
    /// When the next ready pod will have been ready for long enough.
    pub(super) next_available: Option<Timestamp>,
}

impl<'r> Tally<'r> {
    /// A tally of no pods.
    pub(super) fn new(replica_set: &'r ReplicaSet, now: Timestamp) -> Self {
        Tally {
            labels: replica_set.spec.template.as_ref().and_then(pod_template::labels),
            min_ready_seconds: replica_set.spec.min_ready_seconds.unwrap_or(0),
            now,
            active: 0,
            fully_labeled: 0,
            ready: 0,
            available: 0,
            terminating: 0,
            next_available: None,
        }
    }

    /// The tally of all pods, unless one must be adopted or released first. This is by far the
    /// most frequent case, so it looks at each pod once and copies nothing.
    pub(super) fn of_settled(
        informers: &SharedInformers,
        replica_set: &'r ReplicaSet,
        selector: &Selector,
        now: Timestamp,
    ) -> Option<Self> {
        let uid = replica_set.metadata.uid.as_deref().unwrap_or_default();
        let namespace = replica_set.metadata.namespace.as_deref().unwrap_or_default();
        let mut tally = Tally::new(replica_set, now);
        let owned = informers.owned_by::<Pod>(uid);
        for pod in owned.filter(|pod| is_controlled_by(&pod.metadata, uid)) {
            let matches = selector.matches_meta(&pod.metadata);
            if is_pod_active(pod) {
                if !matches {
                    return None;
                }
                tally.add(pod);
            } else if matches && is_pod_terminating(pod) {
                tally.terminating += 1;
            }
        }
        let mut orphans = informers.orphans::<Pod>(namespace);
        let adoptable = |pod: &Pod| is_pod_active(pod) && selector.matches_meta(&pod.metadata);
        (!orphans.any(adoptable)).then_some(tally)
    }

    /// Counts an active pod.
    pub(super) fn add(&mut self, pod: &Pod) {
        self.active += 1;
        self.fully_labeled += usize::from(self.has_labels(pod));
        if !is_pod_ready(pod) {
            return;
        }
        self.ready += 1;
        if self.min_ready_seconds == 0 {
            self.available += 1;
            return;
        }
        match available_from(pod, self.min_ready_seconds) {
            Some(instant) if instant <= self.now => self.available += 1,
            Some(instant) => {
                self.next_available =
                    Some(self.next_available.map_or(instant, |next| next.min(instant)));
            }
            None => {}
        }
    }

    fn has_labels(&self, pod: &Pod) -> bool {
        let (Some(wanted), Some(found)) = (self.labels, &pod.metadata.labels) else {
            return self.labels.is_none_or(BTreeMap::is_empty);
        };
        found == wanted || wanted.iter().all(|(key, value)| found.get(key) == Some(value))
    }
}
