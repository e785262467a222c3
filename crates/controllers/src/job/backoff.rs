//! How long a Job waits before it replaces a pod that failed: ten seconds, and twice as long each
//! time.
//!
//! Upstream: pkg/controller/job/backoff_utils.go

use std::sync::Arc;

use api::openapi::api::core::v1::Pod;
use component_helpers::pod_status::ready_condition;
use jiff::Timestamp;
use sim::{Digest, Duration, Sort};

const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(600);

/// What is known of a Job's failures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    failures_after_last_success: u32,
    last_failure: Option<Timestamp>,
}

impl Record {
    /// The record after some more pods have finished. Upstream: newBackoffRecord.
    pub(super) fn after(&self, succeeded: &[Arc<Pod>], failed: &[Arc<Pod>]) -> Self {
        if succeeded.is_empty() && failed.is_empty() {
            return self.clone();
        }
        let last_success = succeeded.iter().map(|pod| finish_time(pod)).max();
        let mut failures: Vec<Timestamp> = failed.iter().map(|pod| finish_time(pod)).collect();
        failures.order();
        let last_failure = failures.last().copied();
        let count = |failures: usize| u32::try_from(failures).unwrap_or(u32::MAX);
        match last_success {
            None => Record {
                failures_after_last_success: self
                    .failures_after_last_success
                    .saturating_add(count(failures.len())),
                last_failure,
            },
            Some(success) => {
                let after = failures.iter().filter(|failure| **failure > success).count();
                let last_failure = last_failure.filter(|_| after > 0);
                Record { failures_after_last_success: count(after), last_failure }
            }
        }
    }

    /// How long there is still to wait, when `since` says how long ago an instant was.
    pub(super) fn remaining(&self, since: impl Fn(Timestamp) -> Duration) -> Duration {
        let last = self.last_failure.map(since);
        last.map_or(Duration::ZERO, |ago| remaining(self.failures_after_last_success, ago))
    }

    pub(super) fn digest(&self, digest: &mut Digest) {
        digest.u64(u64::from(self.failures_after_last_success));
        digest.i64(self.last_failure.map_or(0, Timestamp::as_second));
    }
}

/// How long there is still to wait after so many failures, the last of them so long ago.
/// Upstream: getRemainingTimeForFailuresCount.
pub(super) fn remaining(failures: u32, ago: Duration) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let doublings = (failures - 1).min(16);
    (FIRST * (1 << doublings)).min(LONGEST).saturating_sub(ago)
}

/// When the pod finished, as well as can be said. Upstream: getFinishedTime.
pub(super) fn finish_time(pod: &Pod) -> Timestamp {
    let of_containers = || {
        let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
        let mut latest = None;
        for container in statuses {
            let ended = container.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?.0;
            latest = latest.max(Some(ended));
        }
        latest
    };
    let of_condition = || {
        let condition = ready_condition(pod).filter(|condition| condition.status == "False")?;
        condition.last_transition_time.as_ref().map(|time| time.0)
    };
    let of_deletion = || {
        let deleted = pod.metadata.deletion_timestamp.as_ref()?.0;
        let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
        deleted.checked_sub(jiff::SignedDuration::from_secs(grace)).ok()
    };
    let created = || pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let found = of_containers().or_else(of_condition).or_else(of_deletion).or_else(created);
    found.unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn finished(second: i64) -> Arc<Pod> {
        let time = Timestamp::from_second(second).expect("in range").to_string();
        let pod = json!({"metadata": {"name": "a"}, "status": {"containerStatuses": [{
            "name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 1, "finishedAt": time}}}]}});
        Arc::new(serde_json::from_value(pod).expect("a pod"))
    }

    /// Upstream: backoff_utils_test.go, TestNewBackoffRecord.
    #[test]
    fn failures_are_counted_since_the_last_success() {
        let record = |failures: u32, last: Option<i64>| Record {
            failures_after_last_success: failures,
            last_failure: last.map(|it| Timestamp::from_second(it).expect("in range")),
        };
        for (name, before, succeeded, failed, want) in [
            ("nothing new", record(2, Some(5)), vec![], vec![], record(2, Some(5))),
            ("failures add up", record(1, Some(5)), vec![], vec![20, 10], record(3, Some(20))),
            ("a success forgets", record(3, Some(5)), vec![10], vec![], record(0, None)),
            ("failures before", record(3, Some(5)), vec![30], vec![20], record(0, None)),
            (
                "failures behind",
                record(3, Some(5)),
                vec![15],
                vec![10, 20, 30],
                record(2, Some(30)),
            ),
        ] {
            let pods = |times: Vec<i64>| times.into_iter().map(finished).collect::<Vec<_>>();
            assert_eq!(before.after(&pods(succeeded), &pods(failed)), want, "{name}");
        }
    }

    /// Upstream: TestGetRemainingBackoffTime.
    #[test]
    fn the_wait_doubles_up_to_ten_minutes() {
        for (failures, ago, want) in
            [(0, 0, 0), (1, 0, 10), (1, 4, 6), (1, 11, 0), (3, 0, 40), (7, 0, 600), (99, 0, 600)]
        {
            let found = remaining(failures, Duration::from_secs(ago));
            assert_eq!(found, Duration::from_secs(want), "{failures} {ago}");
        }
    }
}
