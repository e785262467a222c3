//! Digests of state that are equal on every platform.

use std::fmt;
use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// Collects a state's content into 128 bits. Lengths and counts enter as `u64`, so that 32-bit
/// wasm and a 64-bit host agree; every variable-length part carries its length.
pub struct Digest(SipHasher13);

/// Something whose content can enter a digest.
pub trait Digestible {
    /// Adds the content of `self`.
    fn digest(&self, digest: &mut Digest);
}

impl Digest {
    /// An empty digest.
    #[must_use]
    pub fn new() -> Self {
        Digest(SipHasher13::new_with_keys(0x7461_6265_726e, 0x6574_6573))
    }

    /// Adds a number.
    pub fn u64(&mut self, value: u64) {
        self.0.write(&value.to_le_bytes());
    }

    /// Adds a number.
    pub fn i64(&mut self, value: i64) {
        self.0.write(&value.to_le_bytes());
    }

    /// Adds a truth value.
    pub fn bool(&mut self, value: bool) {
        self.0.write(&[u8::from(value)]);
    }

    /// Adds a text and its length.
    pub fn str(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// Adds bytes and their number.
    pub fn bytes(&mut self, value: &[u8]) {
        self.u64(value.len() as u64);
        self.0.write(value);
    }

    /// Adds whatever can be digested.
    pub fn add(&mut self, value: &impl Digestible) {
        value.digest(self);
    }

    /// The digest of all that was added.
    #[must_use]
    pub fn finish(&self) -> Fingerprint {
        Fingerprint(self.0.finish128().as_u128())
    }

    /// The digest of one value.
    #[must_use]
    pub fn of(value: &impl Digestible) -> Fingerprint {
        let mut digest = Digest::new();
        value.digest(&mut digest);
        digest.finish()
    }
}

impl Default for Digest {
    fn default() -> Self {
        Digest::new()
    }
}

/// The finished digest of a state. Fingerprints of the parts of a set can be summed in any
/// order, and a part taken out again, which makes the digest of a large state incremental.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// Adds a part to the sum.
    pub fn include(&mut self, part: Fingerprint) {
        self.0 = self.0.wrapping_add(part.0);
    }

    /// Takes a part out of the sum.
    pub fn exclude(&mut self, part: Fingerprint) {
        self.0 = self.0.wrapping_sub(part.0);
    }
}

impl Digestible for Fingerprint {
    fn digest(&self, digest: &mut Digest) {
        digest.bytes(&self.0.to_le_bytes());
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Digestible for str {
    fn digest(&self, digest: &mut Digest) {
        digest.str(self);
    }
}

impl Digestible for String {
    fn digest(&self, digest: &mut Digest) {
        digest.str(self);
    }
}

impl Digestible for u64 {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(*self);
    }
}

impl Digestible for u32 {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(u64::from(*self));
    }
}

impl Digestible for i64 {
    fn digest(&self, digest: &mut Digest) {
        digest.i64(*self);
    }
}

impl Digestible for i32 {
    fn digest(&self, digest: &mut Digest) {
        digest.i64(i64::from(*self));
    }
}

impl Digestible for bool {
    fn digest(&self, digest: &mut Digest) {
        digest.bool(*self);
    }
}

impl<T: Digestible> Digestible for Option<T> {
    fn digest(&self, digest: &mut Digest) {
        digest.bool(self.is_some());
        if let Some(value) = self {
            value.digest(digest);
        }
    }
}

impl<T: Digestible + ?Sized> Digestible for &T {
    fn digest(&self, digest: &mut Digest) {
        (*self).digest(digest);
    }
}

impl<T: Digestible> Digestible for [T] {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.len() as u64);
        for value in self {
            value.digest(digest);
        }
    }
}

impl<T: Digestible> Digestible for Vec<T> {
    fn digest(&self, digest: &mut Digest) {
        self.as_slice().digest(digest);
    }
}

impl<T: Digestible> Digestible for std::collections::VecDeque<T> {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.len() as u64);
        for value in self {
            value.digest(digest);
        }
    }
}

impl<T: Digestible> Digestible for std::collections::BTreeSet<T> {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.len() as u64);
        for value in self {
            value.digest(digest);
        }
    }
}

impl<K: Digestible, V: Digestible> Digestible for std::collections::BTreeMap<K, V> {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.len() as u64);
        for (key, value) in self {
            key.digest(digest);
            value.digest(digest);
        }
    }
}

impl<A: Digestible, B: Digestible> Digestible for (A, B) {
    fn digest(&self, digest: &mut Digest) {
        self.0.digest(digest);
        self.1.digest(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_depend_on_order_and_parts_can_leave() {
        let (a, b) = (Digest::of(&1_u64), Digest::of(&"b"));
        let mut left = Fingerprint::default();
        left.include(a);
        left.include(b);
        let mut right = Fingerprint::default();
        right.include(b);
        right.include(a);
        assert_eq!(left, right);
        left.exclude(b);
        assert_eq!(left, a);
    }

    #[test]
    fn neighbouring_texts_do_not_run_into_each_other() {
        let one = vec!["ab".to_string(), "c".to_string()];
        let other = vec!["a".to_string(), "bc".to_string()];
        assert_ne!(Digest::of(&one), Digest::of(&other));
    }
}
