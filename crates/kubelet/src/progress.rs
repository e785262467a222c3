//! What a pod waits for, as far as the kubelet knows when it will end: for whoever looks at the
//! node. Nothing in the cluster goes by it.

use sim::{Duration, Time};

use crate::pod_worker::{PodWorker, Stage};
use crate::sync::Step;

impl PodWorker {
    /// From when to when an image is pulled, a crashed container waits, or a pod has to end.
    pub(crate) fn progress(&self, now: Time) -> Option<(Time, Time)> {
        match (&self.stage, &self.run) {
            (Stage::Terminating(termination), _) => Some(termination.span()),
            (Stage::Terminated, _) => None,
            (Stage::Syncing, Some(run)) => match &run.step {
                Step::Sandbox { .. } | Step::Killing { .. } => None,
                Step::Container(starting) => starting.pull_span(),
            },
            (Stage::Syncing, None) => self.containers.iter().find_map(|record| {
                let ended = record.exit()?.time;
                Some((ended, record.restart_backoff.ends_since(ended, now)?))
            }),
        }
    }
}

/// The instant that lies `span` before `time`.
pub(crate) fn before(time: Time, span: Duration) -> Time {
    Time::from_nanos(time.as_nanos().saturating_sub(span.as_nanos()))
}
