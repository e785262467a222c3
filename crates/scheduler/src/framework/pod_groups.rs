//! The pods of a node by namespace and labels. Pods of one workload share both, so that what a
//! selector selects is found by asking once for each group instead of once for each pod.

use std::sync::Arc;

use api::openapi::api::core::v1::Pod;
use sim::{Digest, Fingerprint, SmallMap};

use super::PodInfo;

/// Names the group of a pod: what is digested is its namespace and its labels.
pub(super) fn group_of(pod: &Pod) -> Fingerprint {
    let mut digest = Digest::new();
    digest.str(pod.metadata.namespace.as_deref().unwrap_or_default());
    for (key, value) in pod.metadata.labels.iter().flatten() {
        digest.str(key);
        digest.str(value);
    }
    digest.finish()
}

#[derive(Clone, Debug)]
struct Group {
    id: Fingerprint,
    /// One of its pods: it stands for all.
    pod: Arc<Pod>,
    pods: i64,
    terminating: i64,
}

/// The pods of a node by namespace and labels.
#[derive(Clone, Debug, Default)]
pub struct PodGroups(Vec<Group>);

impl PodGroups {
    pub(super) fn add(&mut self, pod: &PodInfo) {
        let terminating = i64::from(pod.pod.metadata.deletion_timestamp.is_some());
        match self.0.iter_mut().find(|group| group.id == pod.group()) {
            Some(group) => {
                group.pods += 1;
                group.terminating += terminating;
            }
            None => {
                let (id, pod) = (pod.group(), pod.pod.clone());
                self.0.push(Group { id, pod, pods: 1, terminating });
            }
        }
    }

    pub(super) fn remove(&mut self, pod: &PodInfo) {
        let Some(place) = self.0.iter().position(|group| group.id == pod.group()) else { return };
        let group = &mut self.0[place];
        group.pods -= 1;
        group.terminating -= i64::from(pod.pod.metadata.deletion_timestamp.is_some());
        if group.pods == 0 {
            self.0.swap_remove(place);
        }
    }
}

/// Which groups something selects, found out once for each of them.
#[derive(Clone, Debug, Default)]
pub struct MatchingGroups(SmallMap<Fingerprint, bool>);

impl MatchingGroups {
    /// How many pods are in groups that `matches` selects; `matches` may look at namespace and
    /// labels only.
    pub fn count(&mut self, groups: &PodGroups, matches: impl Fn(&Pod) -> bool) -> i64 {
        self.sum(groups, matches, |group| group.pods)
    }

    /// The same without the pods that were told to end.
    pub fn count_staying(&mut self, groups: &PodGroups, matches: impl Fn(&Pod) -> bool) -> i64 {
        self.sum(groups, matches, |group| group.pods - group.terminating)
    }

    /// Remembers whether the pods of this pod's group are selected.
    pub fn know(&mut self, pod: &PodInfo, matches: bool) {
        self.0.insert(pod.group(), matches);
    }

    /// The same without the pods that were told to end; nothing more is remembered.
    #[must_use]
    pub fn known_staying(&self, groups: &PodGroups, matches: impl Fn(&Pod) -> bool) -> i64 {
        let is_matching = |group: &&Group| match self.0.get(&group.id) {
            Some(known) => *known,
            None => matches(&group.pod),
        };
        groups.0.iter().filter(is_matching).map(|group| group.pods - group.terminating).sum()
    }

    fn sum(
        &mut self,
        groups: &PodGroups,
        matches: impl Fn(&Pod) -> bool,
        pods: fn(&Group) -> i64,
    ) -> i64 {
        let mut sum = 0;
        for group in &groups.0 {
            if *self.0.entry(group.id).or_insert_with(|| matches(&group.pod)) {
                sum += pods(group);
            }
        }
        sum
    }
}
