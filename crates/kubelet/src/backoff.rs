//! The delay before something that failed is tried again: it doubles with each failure and is
//! forgotten after a long success.
//!
//! Upstream: staging/src/k8s.io/client-go/util/flowcontrol/backoff.go

use sim::{Digest, Digestible, Duration, Time};

/// The first delay of a restart and of a pull. Upstream: pkg/kubelet/kubelet.go.
const INITIAL: Duration = Duration::from_secs(10);
/// The longest delay. Upstream: MaxContainerBackOff.
const MAX: Duration = Duration::from_secs(300);

/// The back-off of one thing that can fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backoff {
    entry: Option<(Duration, Time)>,
}

impl Backoff {
    /// The delay as it stands; none before the first failure.
    pub(crate) fn delay(&self) -> Duration {
        self.entry.map_or(Duration::ZERO, |(delay, _)| delay)
    }

    /// Whether `event` is so long after the last failure that the history no longer counts.
    fn has_expired(event: Time, last_update: Time) -> bool {
        event - last_update > MAX * 2
    }

    /// When the back-off that began with `event` ends, if it has not ended by now.
    pub(crate) fn ends_since(&self, event: Time, now: Time) -> Option<Time> {
        let (delay, last_update) = self.entry?;
        let end = event + delay;
        (!Self::has_expired(event, last_update) && now < end).then_some(end)
    }

    /// When the back-off that began with the last failure ends, if it has not ended by now.
    pub(crate) fn ends_since_update(&self, now: Time) -> Option<Time> {
        let (delay, last_update) = self.entry?;
        let end = last_update + delay;
        (!Self::has_expired(now, last_update) && now < end).then_some(end)
    }

    /// Counts one more failure, which happened at `event`.
    pub(crate) fn next(&mut self, event: Time, now: Time) {
        let delay = match self.entry {
            Some((delay, last_update)) if !Self::has_expired(event, last_update) => {
                (delay * 2).min(MAX)
            }
            _ => INITIAL,
        };
        self.entry = Some((delay, now));
    }
}

impl Digestible for Backoff {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    /// Upstream: backoff_test.go, TestSlowBackoff.
    #[test]
    fn delays_double_up_to_the_maximum() {
        let mut backoff = Backoff::default();
        for want in [10, 20, 40, 80, 160, 300, 300] {
            backoff.next(at(0), at(0));
            assert_eq!(backoff.delay(), Duration::from_secs(want));
        }
    }

    /// Upstream: backoff_test.go, TestBackoffReset.
    #[test]
    fn a_long_success_resets_the_delay() {
        let mut backoff = Backoff::default();
        backoff.next(at(0), at(0));
        backoff.next(at(10), at(10));
        assert_eq!(backoff.delay(), Duration::from_secs(20));
        assert_eq!(backoff.ends_since(at(611), at(611)), None);
        backoff.next(at(611), at(611));
        assert_eq!(backoff.delay(), Duration::from_secs(10));
    }

    /// Upstream: backoff_test.go, TestIsInBackOffSinceUpdate.
    #[test]
    fn back_off_lasts_for_its_delay() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.ends_since_update(at(0)), None);
        backoff.next(at(5), at(5));
        assert_eq!(backoff.ends_since_update(at(14)), Some(at(15)));
        assert_eq!(backoff.ends_since_update(at(15)), None);
        assert_eq!(backoff.ends_since(at(8), at(17)), Some(at(18)));
    }
}
