//! How long failed pods are left alone before they are deleted: their kubelet may refuse the next
//! one at once.
//!
//! Upstream: staging/src/k8s.io/client-go/util/flowcontrol/backoff.go

use sim::{Digest, Digestible, Duration, SmallMap, Time};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The delays of what failed, by a key.
#[derive(Clone, Debug, Default)]
pub(super) struct Backoff(SmallMap<String, Entry>);

#[derive(Clone, Copy, Debug)]
struct Entry {
    delay: Duration,
    updated: Time,
}

impl Entry {
    fn has_expired(&self, now: Time) -> bool {
        now.since(self.updated) > LONGEST * 2
    }
}

impl Backoff {
    /// The delay, if it has not passed since it was last counted.
    /// Upstream: IsInBackOffSinceUpdate and Get.
    pub(super) fn remaining(&self, key: &str, now: Time) -> Option<Duration> {
        let entry = self.0.get(key).filter(|entry| !entry.has_expired(now))?;
        (now.since(entry.updated) < entry.delay).then_some(entry.delay)
    }

    /// Counts a failure. Upstream: Next.
    pub(super) fn count(&mut self, key: &str, now: Time) {
        self.0.retain(|_, entry| !entry.has_expired(now));
        let delay = self.0.get(key).map_or(FIRST, |entry| (entry.delay * 2).min(LONGEST));
        self.0.insert(key.to_string(), Entry { delay, updated: now });
    }
}

impl Digestible for Backoff {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.0.len() as u64);
        for (key, entry) in &self.0 {
            digest.str(key);
            digest.u64(entry.delay.as_nanos());
            digest.add(&entry.updated);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_and_are_forgotten() {
        let mut backoff = Backoff::default();
        let at = |seconds: u64| Time::ZERO + Duration::from_secs(seconds);
        assert_eq!(backoff.remaining("a", at(0)), None);
        backoff.count("a", at(0));
        assert_eq!(backoff.remaining("a", at(0)), Some(FIRST));
        assert_eq!(backoff.remaining("a", at(1)), None);
        backoff.count("a", at(1));
        assert_eq!(backoff.remaining("a", at(2)), Some(Duration::from_secs(2)));
        assert_eq!(backoff.remaining("b", at(2)), None);
        for second in 3..20 {
            backoff.count("a", at(second));
        }
        assert_eq!(backoff.remaining("a", at(20)), Some(LONGEST));
        backoff.count("a", at(20 + 1801));
        assert_eq!(backoff.remaining("a", at(20 + 1801)), Some(FIRST));
    }
}
