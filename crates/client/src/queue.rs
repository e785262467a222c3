//! A controller's work queue: a key is in it once, however often it is added; a key that failed
//! comes back after a growing delay. Upstream: client-go/util/workqueue

use std::collections::VecDeque;

use api::Key;
use sim::{Digest, Digestible, Duration, OrdMap, OrdSet, Time};

/// The first delay of a key that failed; it doubles with every failure.
/// Upstream: workqueue.DefaultTypedControllerRateLimiter.
const BASE_DELAY: Duration = Duration::from_millis(5);
/// The longest delay of a key that failed.
const MAX_DELAY: Duration = Duration::from_secs(1000);

/// Keys to reconcile.
#[derive(Clone, Debug, Default)]
pub struct WorkQueue {
    ready: VecDeque<Key>,
    queued: OrdSet<Key>,
    delayed: OrdSet<(Time, Key)>,
    due: OrdMap<Key, Time>,
    failures: OrdMap<Key, u32>,
}

impl WorkQueue {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        WorkQueue::default()
    }

    /// Adds a key, unless it is waiting already.
    pub fn add(&mut self, key: Key) {
        if self.queued.insert(key.clone()).is_none() {
            self.ready.push_back(key);
        }
    }

    /// Adds a key at `time`, or sooner if it is already to come sooner.
    pub fn add_at(&mut self, key: Key, time: Time) {
        match self.due.get(&key) {
            Some(due) if *due <= time => return,
            Some(due) => {
                self.delayed.remove(&(*due, key.clone()));
            }
            None => {}
        }
        self.due.insert(key.clone(), time);
        self.delayed.insert((time, key));
    }

    /// Adds a key that failed, after the delay that its failures have earned.
    pub fn add_rate_limited(&mut self, key: Key, now: Time) {
        let failures = self.failures.entry(key.clone()).or_default();
        let delay = if *failures < 32 { BASE_DELAY * (1 << *failures) } else { MAX_DELAY };
        *failures += 1;
        self.add_at(key, now + delay.min(MAX_DELAY));
    }

    /// Takes back that a key was to come later. A key that is ready stays.
    pub fn cancel(&mut self, key: &Key) {
        if let Some(time) = self.due.remove(key) {
            self.delayed.remove(&(time, key.clone()));
        }
    }

    /// Forgets the failures of a key.
    pub fn forget(&mut self, key: &Key) {
        self.failures.remove(key);
    }

    /// How often the key has failed since it was last forgotten.
    #[must_use]
    pub fn failures(&self, key: &Key) -> u32 {
        self.failures.get(key).copied().unwrap_or(0)
    }

    /// Takes the next key that is due.
    pub fn pop(&mut self, now: Time) -> Option<Key> {
        while let Some((time, key)) = self.delayed.get_min().cloned() {
            if time > now {
                break;
            }
            self.delayed.remove(&(time, key.clone()));
            self.due.remove(&key);
            self.add(key);
        }
        let key = self.ready.pop_front()?;
        self.queued.remove(&key);
        Some(key)
    }

    /// When the next key is due: the beginning of time if one is ready, `None` if the queue is
    /// empty.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        if !self.ready.is_empty() {
            return Some(Time::ZERO);
        }
        self.delayed.get_min().map(|(time, _)| *time)
    }

    /// How many keys are ready or delayed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ready.len() + self.delayed.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.delayed.is_empty()
    }
}

impl Digestible for WorkQueue {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.ready);
        digest.add(&self.delayed);
        digest.add(&self.failures);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_waits_once_however_often_it_is_added() {
        let mut queue = WorkQueue::new();
        let key = Key::new("default", "web");
        queue.add(key.clone());
        queue.add(key.clone());
        assert_eq!(queue.pop(Time::ZERO), Some(key));
        assert_eq!(queue.pop(Time::ZERO), None);
    }

    #[test]
    fn the_sooner_of_two_delays_counts() {
        let mut queue = WorkQueue::new();
        let key = Key::new("default", "web");
        let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
        queue.add_at(key.clone(), at(10));
        queue.add_at(key.clone(), at(5));
        queue.add_at(key.clone(), at(20));
        assert_eq!(queue.next_due(), Some(at(5)));
        assert_eq!(queue.pop(at(4)), None);
        assert_eq!(queue.pop(at(5)), Some(key));
        assert!(queue.is_empty());
    }

    #[test]
    fn a_delay_can_be_taken_back() {
        let mut queue = WorkQueue::new();
        let key = Key::new("default", "web");
        queue.add_at(key.clone(), Time::ZERO + Duration::from_secs(10));
        queue.cancel(&key);
        assert_eq!((queue.next_due(), queue.is_empty()), (None, true));
    }

    #[test]
    fn failures_double_the_delay_until_they_are_forgotten() {
        let mut queue = WorkQueue::new();
        let key = Key::new("default", "web");
        for want in [5, 10, 20] {
            queue.add_rate_limited(key.clone(), Time::ZERO);
            let due = Time::ZERO + Duration::from_millis(want);
            assert_eq!(queue.next_due(), Some(due));
            queue.pop(due);
        }
        queue.forget(&key);
        queue.add_rate_limited(key, Time::ZERO);
        assert_eq!(queue.next_due(), Some(Time::ZERO + Duration::from_millis(5)));
    }
}
