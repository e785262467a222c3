//! When Event objects expire: a time to live after they were last written.

use api::Key;
use sim::{Digest, Digestible, Duration, Fingerprint, OrdMap, OrdSet, Time};

/// How long an Event object lives. Upstream: kube-apiserver's `--event-ttl`.
const EVENT_TTL: Duration = Duration::from_secs(3600);

/// The expiry of every Event object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expiries {
    times: OrdMap<Key, Time>,
    order: OrdSet<(Time, Key)>,
    sum: Fingerprint,
}

impl Expiries {
    /// The object was written: it lives on from now.
    pub(crate) fn renew(&mut self, key: &Key, now: Time) {
        self.forget(key);
        let time = now + EVENT_TTL;
        self.sum.include(part(key, time));
        self.times.insert(key.clone(), time);
        self.order.insert((time, key.clone()));
    }

    /// The object is gone.
    pub(crate) fn forget(&mut self, key: &Key) {
        // Most objects that are written are new: looking costs less than removing nothing.
        if let Some(time) = self.times.get(key).copied() {
            self.times.remove(key);
            self.order.remove(&(time, key.clone()));
            self.sum.exclude(part(key, time));
        }
    }

    /// When the next object expires.
    pub(crate) fn next(&self) -> Time {
        self.order.get_min().map_or(Time::MAX, |(time, _)| *time)
    }

    /// The key of an object that has expired by now.
    pub(crate) fn expired(&self, now: Time) -> Option<Key> {
        self.order.get_min().filter(|(time, _)| *time <= now).map(|(_, key)| key.clone())
    }
}

fn part(key: &Key, time: Time) -> Fingerprint {
    let mut digest = Digest::new();
    digest.add(key);
    digest.add(&time);
    digest.finish()
}

impl Digestible for Expiries {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.times.len() as u64);
        digest.add(&self.sum);
    }
}
