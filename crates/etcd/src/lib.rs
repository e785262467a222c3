//! The store below the API server: a map whose every change has a revision, with transactions
//! on a key's revision, the history of changes, and compaction.
//!
//! It is generic over keys and values and knows nothing of Kubernetes. Only the API server may
//! depend on it. It must never interpret a value or drop a change that is not compacted.

use std::ops::RangeBounds;

use sim::{Digest, Digestible, Fingerprint, List, OrdMap, OrdSet, Value};

/// A stored value and the revisions that concern it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue<V> {
    /// The value.
    pub value: V,
    /// The revision at which the key came into being.
    pub create_revision: u64,
    /// The revision of its last change.
    pub mod_revision: u64,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<K, V> {
    /// The revision it made.
    pub revision: u64,
    /// The key that changed.
    pub key: K,
    /// The value before, unless the key was created.
    pub previous: Option<KeyValue<V>>,
    /// The value after, unless the key was deleted.
    pub current: Option<KeyValue<V>>,
}

/// What a transaction expects of a key before it changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The key does not exist.
    Absent,
    /// The key was last changed at this revision.
    Revision(u64),
}

/// Why the store refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A transaction's expectation did not hold.
    #[error("etcdserver: transaction compare failed; the key is at revision {current:?}")]
    CompareFailed {
        /// The revision of the key's last change, or `None` when it does not exist.
        current: Option<u64>,
    },
    /// The revision asked for has been compacted.
    #[error("etcdserver: mvcc: required revision has been compacted")]
    Compacted {
        /// The newest revision that is gone.
        compacted: u64,
    },
}

/// The store. Cloning it shares everything.
#[derive(Clone, Debug)]
pub struct Etcd<K: Ord + Clone, V: Value> {
    revision: u64,
    compacted: u64,
    current: OrdMap<K, KeyValue<V>>,
    history: List<Event<K, V>>,
    fingerprints: OrdMap<K, Fingerprint>,
    fingerprint: Fingerprint,
    unsummed: OrdSet<K>,
}

impl<K: Ord + Clone, V: Value> Etcd<K, V> {
    /// An empty store. Its first change makes revision 2, as etcd's does.
    #[must_use]
    pub fn new() -> Self {
        Etcd {
            revision: 1,
            compacted: 0,
            current: OrdMap::new(),
            history: List::new(),
            fingerprints: OrdMap::new(),
            fingerprint: Fingerprint::default(),
            unsummed: OrdSet::new(),
        }
    }

    /// The revision of the last change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The newest revision that compaction has taken away; 0 when none has been.
    #[must_use]
    pub fn compacted_revision(&self) -> u64 {
        self.compacted
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&KeyValue<V>> {
        self.current.get(key)
    }

    /// A key as it is stored, and its value: the stored key shares its allocation with all that
    /// hold it.
    #[must_use]
    pub fn get_key_value(&self, key: &K) -> Option<(&K, &KeyValue<V>)> {
        self.current.get_key_value(key)
    }

    /// Keys in a range with their values, in order.
    pub fn range<'a>(
        &'a self,
        range: impl RangeBounds<K> + 'a,
    ) -> impl Iterator<Item = (&'a K, &'a KeyValue<V>)> {
        self.current.range(range)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.current.len()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.current.is_empty()
    }

    /// Sets a key's value if the expectation holds, and returns the change.
    ///
    /// # Errors
    /// [`Error::CompareFailed`] when it does not hold; nothing changes then.
    pub fn put(&mut self, key: K, expect: Expect, value: V) -> Result<Event<K, V>, Error> {
        let stored = self.current.get(&key);
        compare(stored, expect)?;
        let revision = self.revision + 1;
        let create_revision = stored.map_or(revision, |kv| kv.create_revision);
        let current = KeyValue { value, create_revision, mod_revision: revision };
        let previous = self.current.insert(key.clone(), current.clone());
        Ok(self.commit(Event { revision, key, previous, current: Some(current) }))
    }

    /// Deletes a key if it was last changed at `revision`, and returns the change.
    ///
    /// # Errors
    /// [`Error::CompareFailed`] when it was not; nothing changes then.
    pub fn delete(&mut self, key: K, revision: u64) -> Result<Event<K, V>, Error> {
        compare(self.current.get(&key), Expect::Revision(revision))?;
        let previous = self.current.remove(&key);
        let revision = self.revision + 1;
        Ok(self.commit(Event { revision, key, previous, current: None }))
    }

    fn commit(&mut self, event: Event<K, V>) -> Event<K, V> {
        self.revision = event.revision;
        self.unsummed.insert(event.key.clone());
        self.history.push_back(event.clone());
        event
    }

    /// The changes after `revision`, oldest first.
    ///
    /// # Errors
    /// [`Error::Compacted`] when some of them are gone.
    pub fn changes_after(
        &self,
        revision: u64,
    ) -> Result<impl Iterator<Item = &Event<K, V>>, Error> {
        if revision < self.compacted {
            return Err(Error::Compacted { compacted: self.compacted });
        }
        // Every change makes exactly one revision, so history is indexed by revision.
        let skipped = usize::try_from(revision.saturating_sub(self.compacted.max(1)));
        Ok(self.history.iter().skip(skipped.unwrap_or(usize::MAX)))
    }

    /// The value that a key had at `revision`.
    ///
    /// # Errors
    /// [`Error::Compacted`] when that is no longer known.
    pub fn get_at(&self, key: &K, revision: u64) -> Result<Option<KeyValue<V>>, Error> {
        for event in self.changes_after(revision)? {
            if event.key == *key {
                return Ok(event.previous.clone());
            }
        }
        Ok(self.get(key).cloned())
    }

    /// All keys and values as they were at `revision`.
    ///
    /// # Errors
    /// [`Error::Compacted`] when that is no longer known.
    pub fn snapshot_at(&self, revision: u64) -> Result<OrdMap<K, KeyValue<V>>, Error> {
        let mut snapshot = self.current.clone();
        let newer: Vec<&Event<K, V>> = self.changes_after(revision)?.collect();
        for event in newer.into_iter().rev() {
            match &event.previous {
                Some(previous) => snapshot.insert(event.key.clone(), previous.clone()),
                None => snapshot.remove(&event.key),
            };
        }
        Ok(snapshot)
    }

    /// Forgets the changes up to and including `revision`.
    pub fn compact(&mut self, revision: u64) {
        let revision = revision.min(self.revision);
        while self.history.front().is_some_and(|event| event.revision <= revision) {
            self.history.pop_front();
        }
        self.compacted = self.compacted.max(revision);
    }
}

impl<K: Ord + Clone + Digestible, V: Value + Digestible> Etcd<K, V> {
    /// The digest of everything stored. Only what changed since it was last asked for is
    /// digested anew.
    pub fn fingerprint(&mut self) -> Fingerprint {
        for key in &std::mem::take(&mut self.unsummed) {
            if let Some(part) = self.fingerprints.remove(key) {
                self.fingerprint.exclude(part);
            }
            if let Some(kv) = self.current.get(key) {
                let mut digest = Digest::new();
                digest.add(key);
                digest.u64(kv.create_revision);
                digest.u64(kv.mod_revision);
                digest.add(&kv.value);
                let part = digest.finish();
                self.fingerprint.include(part);
                self.fingerprints.insert(key.clone(), part);
            }
        }
        let mut digest = Digest::new();
        digest.u64(self.revision);
        digest.u64(self.compacted);
        digest.add(&self.fingerprint);
        digest.finish()
    }
}

impl<K: Ord + Clone, V: Value> Default for Etcd<K, V> {
    fn default() -> Self {
        Etcd::new()
    }
}

fn compare<V>(current: Option<&KeyValue<V>>, expect: Expect) -> Result<(), Error> {
    let current = current.map(|kv| kv.mod_revision);
    let holds = match expect {
        Expect::Absent => current.is_none(),
        Expect::Revision(revision) => current == Some(revision),
    };
    if holds { Ok(()) } else { Err(Error::CompareFailed { current }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Etcd<String, u64> {
        let mut etcd = Etcd::new();
        etcd.put("a".into(), Expect::Absent, 1).expect("absent");
        etcd.put("b".into(), Expect::Absent, 2).expect("absent");
        etcd.put("a".into(), Expect::Revision(2), 3).expect("at 2");
        etcd.delete("b".into(), 3).expect("at 3");
        etcd
    }

    #[test]
    fn every_change_makes_one_revision() {
        let etcd = store();
        let revisions: Vec<u64> =
            etcd.changes_after(0).expect("kept").map(|event| event.revision).collect();
        assert_eq!(revisions, [2, 3, 4, 5]);
        assert_eq!(etcd.revision(), 5);
    }

    #[test]
    fn a_stale_write_changes_nothing() {
        let mut etcd = store();
        let before = etcd.fingerprint();
        let refused = etcd.put("a".into(), Expect::Revision(2), 9);
        assert_eq!(refused, Err(Error::CompareFailed { current: Some(4) }));
        assert_eq!(etcd.delete("b".into(), 3), Err(Error::CompareFailed { current: None }));
        assert_eq!(etcd.fingerprint(), before);
    }

    #[test]
    fn the_past_can_be_read_until_it_is_compacted() {
        let mut etcd = store();
        let then = etcd.snapshot_at(3).expect("kept");
        assert_eq!(then.get("a").map(|kv| kv.value), Some(1));
        assert_eq!(then.get("b").map(|kv| kv.value), Some(2));
        assert_eq!(etcd.get_at(&"a".into(), 3).expect("kept").map(|kv| kv.value), Some(1));
        etcd.compact(4);
        assert_eq!(etcd.snapshot_at(3), Err(Error::Compacted { compacted: 4 }));
        let left: Vec<u64> = etcd.changes_after(4).expect("kept").map(|e| e.revision).collect();
        assert_eq!(left, [5]);
    }

    #[test]
    fn the_digest_is_the_same_however_often_it_is_asked_for() {
        let mut asked_often: Etcd<String, u64> = Etcd::new();
        asked_often.put("a".into(), Expect::Absent, 1).expect("absent");
        asked_often.fingerprint();
        asked_often.put("b".into(), Expect::Absent, 2).expect("absent");
        asked_often.fingerprint();
        asked_often.put("a".into(), Expect::Revision(2), 3).expect("at 2");
        asked_often.delete("b".into(), 3).expect("at 3");
        assert_eq!(asked_often.fingerprint(), store().fingerprint());
    }
}
