//! Named streams of seeded random numbers. Each component draws from a stream of its own, so
//! that a new draw in one shifts no other.

use crate::{Digest, Digestible, Duration, OrdMap};

/// One stream: a counter run through a mixing function, so that its whole state is a key and a
/// position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    key: u64,
    position: u64,
}

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's finaliser (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Stream {
    /// The stream `name` of `seed`, at its beginning.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        let mut key = mix(seed.wrapping_add(GOLDEN_GAMMA));
        for byte in name.bytes() {
            key = mix(key ^ u64::from(byte)).wrapping_add(GOLDEN_GAMMA);
        }
        Stream { key, position: 0 }
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.position = self.position.wrapping_add(1);
        mix(self.key.wrapping_add(self.position.wrapping_mul(GOLDEN_GAMMA)))
    }

    /// Draws once for each part of 2^31 in turn, until one is hit; says which. It stands here
    /// because rows of a thousand of them are drawn for one packet.
    pub fn first_hit(&mut self, parts: &[u32]) -> Option<usize> {
        parts.iter().position(|part| self.next_u64() >> 33 < u64::from(*part))
    }

    /// A number in `0..bound`; zero when `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A span between `low` and `high`, inclusive.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let width = high.saturating_sub(low).as_nanos();
        low + Duration::from_nanos(self.below(width.saturating_add(1)))
    }
}

impl Digestible for Stream {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.key);
        digest.u64(self.position);
    }
}

/// All streams of one seed, made when first drawn from.
#[derive(Clone, Debug)]
pub struct Streams {
    seed: u64,
    streams: OrdMap<String, Stream>,
}

impl Streams {
    /// The streams of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Streams { seed, streams: OrdMap::new() }
    }

    /// The stream of that name.
    pub fn named(&mut self, name: &str) -> &mut Stream {
        if !self.streams.contains_key(name) {
            self.streams.insert(name.to_string(), Stream::new(self.seed, name));
        }
        // The key was inserted just above when it was missing, so the entry is occupied.
        self.streams.entry(name.to_string()).or_insert_with(|| Stream::new(self.seed, name))
    }
}

impl Digestible for Streams {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.seed);
        self.streams.digest(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_in_one_stream_shifts_no_other() {
        let mut undisturbed = Streams::new(7);
        let mut disturbed = Streams::new(7);
        disturbed.named("scheduler").next_u64();
        assert_eq!(undisturbed.named("kubelet").next_u64(), disturbed.named("kubelet").next_u64());
    }

    #[test]
    fn names_and_seeds_make_different_streams() {
        let first = Stream::new(1, "a").next_u64();
        assert_ne!(first, Stream::new(1, "b").next_u64());
        assert_ne!(first, Stream::new(2, "a").next_u64());
    }

    #[test]
    fn draws_stay_below_their_bound_and_reach_every_value() {
        let mut stream = Stream::new(3, "bounds");
        let mut seen = [false; 5];
        for _ in 0..200 {
            seen[usize::try_from(stream.below(5)).expect("small")] = true;
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(stream.below(0), 0);
    }
}
