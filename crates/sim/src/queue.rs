//! The one queue of the cluster, ordered by virtual time and, within an instant, by the order
//! in which the events were scheduled.

use crate::ordered::OrdMap;

use crate::{Digest, Digestible, Fingerprint, Time, Value};

/// An event and when it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduled<E> {
    /// When it happens.
    pub time: Time,
    /// Its place among all events ever scheduled.
    pub sequence: u64,
    /// What happens.
    pub event: E,
}

/// Events to come. Cloning costs nothing: the map is persistent.
#[derive(Clone, Debug)]
pub struct EventQueue<E: 'static> {
    /// Each with its fingerprint, which is asked for twice.
    events: OrdMap<(Time, u64), (E, Fingerprint)>,
    next_sequence: u64,
    fingerprint: Fingerprint,
}

impl<E: Value + Digestible> EventQueue<E> {
    /// A queue with nothing to come.
    #[must_use]
    pub fn new() -> Self {
        EventQueue { events: OrdMap::new(), next_sequence: 0, fingerprint: Fingerprint::default() }
    }

    /// Schedules `event` at `time`, behind whatever is already scheduled for that instant.
    /// Returns the sequence by which it can be cancelled.
    pub fn schedule(&mut self, time: Time, event: E) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let fingerprint = fingerprint_of(time, sequence, &event);
        self.fingerprint.include(fingerprint);
        self.events.insert((time, sequence), (event, fingerprint));
        sequence
    }

    /// Takes an event out before it happens.
    pub fn cancel(&mut self, time: Time, sequence: u64) -> Option<E> {
        let (event, fingerprint) = self.events.remove(&(time, sequence))?;
        self.fingerprint.exclude(fingerprint);
        Some(event)
    }

    /// When the next event happens.
    #[must_use]
    pub fn next_time(&self) -> Option<Time> {
        self.events.get_min().map(|((time, _), _)| *time)
    }

    /// Takes the next event if it happens at `limit` or before.
    pub fn pop_until(&mut self, limit: Time) -> Option<Scheduled<E>> {
        let (time, sequence) = *self.events.get_min().map(|(key, _)| key)?;
        if time > limit {
            return None;
        }
        self.cancel(time, sequence).map(|event| Scheduled { time, sequence, event })
    }

    /// The events to come, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Time, &E)> {
        self.events.iter().map(|((time, _), (event, _))| (*time, event))
    }

    /// How many events are to come.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether nothing is to come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

impl<E: Value + Digestible> Default for EventQueue<E> {
    fn default() -> Self {
        EventQueue::new()
    }
}

fn fingerprint_of(time: Time, sequence: u64, event: &impl Digestible) -> Fingerprint {
    let mut digest = Digest::new();
    digest.add(&time);
    digest.u64(sequence);
    event.digest(&mut digest);
    digest.finish()
}

impl<E: 'static> Digestible for EventQueue<E> {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.next_sequence);
        digest.add(&self.fingerprint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Duration;

    #[test]
    fn events_come_by_time_and_then_by_order_of_scheduling() {
        let mut queue = EventQueue::new();
        let later = Time::ZERO + Duration::from_secs(1);
        queue.schedule(later, 1_u64);
        queue.schedule(Time::ZERO, 2);
        queue.schedule(later, 3);
        let mut seen = Vec::new();
        while let Some(scheduled) = queue.pop_until(Time::MAX) {
            seen.push(scheduled.event);
        }
        assert_eq!(seen, [2, 1, 3]);
    }

    #[test]
    fn nothing_beyond_the_limit_is_taken() {
        let mut queue = EventQueue::new();
        queue.schedule(Time::from_nanos(5), 1_u64);
        assert_eq!(queue.pop_until(Time::from_nanos(4)), None);
        assert_eq!(queue.pop_until(Time::from_nanos(5)).map(|s| s.event), Some(1));
    }

    #[test]
    fn a_cancelled_event_never_happens() {
        let mut queue = EventQueue::new();
        let sequence = queue.schedule(Time::from_nanos(5), 1_u64);
        assert_eq!(queue.cancel(Time::from_nanos(5), sequence), Some(1));
        assert_eq!(queue.cancel(Time::from_nanos(5), sequence), None);
        assert_eq!(queue.pop_until(Time::MAX), None);
    }

    #[test]
    fn a_queue_that_ran_empty_digests_like_its_history_only() {
        let mut queue = EventQueue::new();
        queue.schedule(Time::ZERO, 1_u64);
        let before = Digest::of(&queue);
        queue.schedule(Time::ZERO, 2);
        assert_ne!(Digest::of(&queue), before);
    }
}
