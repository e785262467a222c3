//! The recorder of core/v1 Events, with upstream's correlation: an event that repeats raises
//! its count, many similar events become one, and a flood is dropped.
//!
//! Upstream: client-go/tools/record/{event.go,events_cache.go}

use api::openapi::api::core::v1::{Event, EventSource, ObjectReference};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use api::{Kinded, Resource};
use apiserver::Identity;
use sim::{Digest, Digestible, Duration, Fingerprint, OrdMap, Sort, Time};

use crate::Context;

/// How many similar events within [`AGGREGATE_INTERVAL`] become one.
const MAX_SIMILAR_EVENTS: usize = 10;
const AGGREGATE_INTERVAL: Duration = Duration::from_secs(600);
/// How many events about one object may come at once, and how often one more may.
const SPAM_BURST: u64 = 25;
const SPAM_REFILL: Duration = Duration::from_secs(300);
/// How much the recorder remembers of each sort; then it forgets the older half.
/// Upstream: maxLruCacheEntries.
const MAX_ENTRIES: usize = 4096;
const AGGREGATE_PREFIX: &str = "(combined from similar events): ";

/// Whether an event is worth a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// Things go their way.
    Normal,
    /// Something may be wrong.
    Warning,
}

impl EventType {
    fn word(self) -> &'static str {
        match self {
            EventType::Normal => "Normal",
            EventType::Warning => "Warning",
        }
    }
}

/// A reference to an object, as Events carry it.
#[must_use]
pub fn object_reference<T: Kinded>(object: &T) -> ObjectReference {
    reference::<T>(object.metadata())
}

fn reference<T: Resource>(meta: &ObjectMeta) -> ObjectReference {
    ObjectReference {
        api_version: Some(T::API_VERSION.to_string()),
        kind: Some(T::KIND.to_string()),
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        field_path: None,
    }
}

#[derive(Clone, Debug)]
struct Recorded {
    name: String,
    namespace: String,
    count: i32,
    last: Time,
}

#[derive(Clone, Debug, Default)]
struct Similar {
    last: Time,
    /// The digests of the messages.
    messages: Vec<Fingerprint>,
}

#[derive(Clone, Debug)]
struct Bucket {
    tokens: u64,
    refilled: Time,
}

/// Records Events as one component.
#[derive(Clone, Debug)]
pub struct EventRecorder {
    identity: Identity,
    source: EventSource,
    /// What was recorded, by the digest of everything that makes two events the same.
    recorded: OrdMap<Fingerprint, Recorded>,
    /// Events that differ in their message only, by the digest of the rest.
    similar: OrdMap<Fingerprint, Similar>,
    /// How many more events there may be, by the digest of the object they are about.
    buckets: OrdMap<Fingerprint, Bucket>,
    /// How many Events were made, so that no two have one name.
    made: u64,
}

/// Forgets the older half when there is too much to remember.
fn forget_older<V: sim::Value>(map: &mut OrdMap<Fingerprint, V>, last: impl Fn(&V) -> Time) {
    if map.len() <= MAX_ENTRIES {
        return;
    }
    let mut times: Vec<Time> = map.values().map(&last).collect();
    times.order();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    *map = map.iter().filter(|(_, v)| last(v) >= middle).map(|(k, v)| (*k, v.clone())).collect();
}

impl EventRecorder {
    /// A recorder that writes as `identity` and names `component` (and a node's name as `host`)
    /// as the source.
    #[must_use]
    pub fn new(identity: Identity, component: &str, host: Option<&str>) -> Self {
        let source =
            EventSource { component: Some(component.into()), host: host.map(str::to_string) };
        EventRecorder {
            identity,
            source,
            recorded: OrdMap::new(),
            similar: OrdMap::new(),
            buckets: OrdMap::new(),
            made: 0,
        }
    }

    /// Records that something happened to the object. A refusal of the API server is not an
    /// error for the component, as upstream.
    pub fn event(
        &mut self,
        cx: &mut Context<'_>,
        about: &ObjectReference,
        event_type: EventType,
        reason: &str,
        message: &str,
    ) {
        let object = object_digest(about);
        if !self.take_token(object.finish(), cx.now) {
            return;
        }
        let mut similar = object;
        similar.str(event_type.word());
        similar.str(reason);
        let (message, key) = self.correlate(similar, message, cx.now);
        match self.recorded.get_mut(&key) {
            Some(recorded) => {
                recorded.count += 1;
                recorded.last = cx.now;
                let (count, timestamp) = (recorded.count, cx.timestamp());
                let (name, namespace) = (recorded.name.clone(), recorded.namespace.clone());
                let patched = cx.api::<Event>(&self.identity, &namespace).patch(&name, {
                    let message = message.clone();
                    move |event| {
                        event.count = Some(count);
                        event.last_timestamp = Some(timestamp);
                        event.message = Some(message);
                    }
                });
                if patched.is_err() {
                    self.recorded.remove(&key);
                    self.create(cx, about, (event_type, reason, &message), key);
                }
            }
            None => self.create(cx, about, (event_type, reason, &message), key),
        }
    }

    /// The message to record, and the key under which a repetition of the event is known.
    fn correlate(&mut self, mut digest: Digest, message: &str, now: Time) -> (String, Fingerprint) {
        let similar_key = digest.finish();
        digest.str(message);
        let key = digest.finish();
        let similar = self.similar.entry(similar_key).or_default();
        if now.since(similar.last) > AGGREGATE_INTERVAL {
            similar.messages.clear();
        }
        similar.last = now;
        if !similar.messages.contains(&key) {
            similar.messages.push(key);
        }
        if similar.messages.len() < MAX_SIMILAR_EVENTS {
            return (message.to_string(), key);
        }
        similar.messages.remove(0);
        (format!("{AGGREGATE_PREFIX}{message}"), similar_key)
    }

    fn take_token(&mut self, object: Fingerprint, now: Time) -> bool {
        let full = Bucket { tokens: SPAM_BURST, refilled: now };
        let bucket = self.buckets.entry(object).or_insert(full);
        let refills = now.since(bucket.refilled).as_nanos() / SPAM_REFILL.as_nanos();
        bucket.tokens = (bucket.tokens + refills).min(SPAM_BURST);
        bucket.refilled += SPAM_REFILL * refills;
        if bucket.tokens == SPAM_BURST {
            bucket.refilled = now;
        }
        if bucket.tokens == 0 {
            return false;
        }
        bucket.tokens -= 1;
        true
    }

    fn create(
        &mut self,
        cx: &mut Context<'_>,
        about: &ObjectReference,
        (event_type, reason, message): (EventType, &str, &str),
        key: Fingerprint,
    ) {
        // An event about a cluster-scoped object goes to the namespace default.
        let namespace = about.namespace.clone().filter(|namespace| !namespace.is_empty());
        let namespace = namespace.unwrap_or_else(|| "default".to_string());
        let nanoseconds =
            cx.clock.epoch_seconds().unsigned_abs() * 1_000_000_000 + cx.now.as_nanos() + self.made;
        self.made += 1;
        let name = format!("{}.{nanoseconds:x}", about.name.as_deref().unwrap_or_default());
        let event = Event {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            involved_object: about.clone(),
            reason: Some(reason.to_string()),
            message: Some(message.to_string()),
            type_: Some(event_type.word().to_string()),
            source: Some(self.source.clone()),
            reporting_component: self.source.component.clone(),
            reporting_instance: self.source.host.clone(),
            first_timestamp: Some(cx.timestamp()),
            last_timestamp: Some(cx.timestamp()),
            count: Some(1),
            ..Event::default()
        };
        if cx.api::<Event>(&self.identity, &namespace).create(event).is_ok() {
            self.recorded.insert(key, Recorded { name, namespace, count: 1, last: cx.now });
            forget_older(&mut self.recorded, |recorded| recorded.last);
            forget_older(&mut self.similar, |similar| similar.last);
            forget_older(&mut self.buckets, |bucket| bucket.refilled);
        }
    }
}

/// What tells one object from another in the recorder's memory.
fn object_digest(about: &ObjectReference) -> Digest {
    let mut digest = Digest::new();
    for part in [&about.kind, &about.namespace, &about.name, &about.uid, &about.field_path] {
        digest.str(part.as_deref().unwrap_or_default());
    }
    digest
}

impl Digestible for EventRecorder {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.made);
        digest.u64(self.recorded.len() as u64);
        for (key, recorded) in &self.recorded {
            digest.add(key);
            digest.i64(i64::from(recorded.count));
        }
        digest.u64(self.similar.len() as u64);
        for (key, similar) in &self.similar {
            digest.add(key);
            digest.add(&similar.last);
            digest.u64(similar.messages.len() as u64);
        }
        digest.u64(self.buckets.len() as u64);
        for (key, bucket) in &self.buckets {
            digest.add(key);
            digest.u64(bucket.tokens);
            digest.add(&bucket.refilled);
        }
    }
}
