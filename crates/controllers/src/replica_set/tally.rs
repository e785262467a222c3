//! Counting a ReplicaSet's pods.

use std::collections::BTreeMap;

use api::openapi::api::apps::v1::ReplicaSet;
use api::openapi::api::core::v1::Pod;
use component_helpers::pod_status::{available_from, is_pod_ready};
use component_helpers::pod_template;
use jiff::Timestamp;

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
        let labels = replica_set.spec.template.as_ref().and_then(pod_template::labels);
        Tally::empty(labels, replica_set.spec.min_ready_seconds.unwrap_or(0), now)
    }

    pub(super) fn empty(
        labels: Option<&'r BTreeMap<String, String>>,
        min_ready_seconds: i32,
        now: Timestamp,
    ) -> Self {
        Tally {
            labels,
            min_ready_seconds,
            now,
            active: 0,
            fully_labeled: 0,
            ready: 0,
            available: 0,
            terminating: 0,
            next_available: None,
        }
    }

    /// Counts an active pod.
    pub(super) fn add(&mut self, pod: &Pod) {
        self.active += 1;
        self.fully_labeled += usize::from(has_labels(self.labels, pod));
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
}

/// Whether a pod has all of a template's labels.
pub(super) fn has_labels(labels: Option<&BTreeMap<String, String>>, pod: &Pod) -> bool {
    let (Some(wanted), Some(found)) = (labels, &pod.metadata.labels) else {
        return labels.is_none_or(BTreeMap::is_empty);
    };
    found == wanted || wanted.iter().all(|(key, value)| found.get(key) == Some(value))
}
