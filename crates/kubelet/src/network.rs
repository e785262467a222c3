//! The addresses of a node's pods, handed out in turn as the CNI plugin `host-local` does, so
//! that an address is not used again at once.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use sim::{Digest, Digestible};

/// A node's range of pod addresses.
#[derive(Clone, Debug)]
pub(crate) struct AddressPool {
    first: u32,
    last: u32,
    next: u32,
    used: BTreeSet<u32>,
}

impl AddressPool {
    /// The usable addresses of a range such as `10.244.1.0/24`: all but the network's own, the
    /// bridge's (the first) and the broadcast address. A malformed range has none.
    pub(crate) fn new(cidr: &str) -> Self {
        let parsed = cidr.split_once('/').and_then(|(address, bits)| {
            let address: Ipv4Addr = address.parse().ok()?;
            let bits: u32 = bits.parse().ok().filter(|bits| (8..=29).contains(bits))?;
            Some((u32::from(address) & !(u32::MAX >> bits), u32::MAX >> bits))
        });
        let (first, last) = parsed.map_or((1, 0), |(base, span)| (base + 2, base + span - 1));
        AddressPool { first, last, next: first, used: BTreeSet::new() }
    }

    /// Takes the next free address.
    pub(crate) fn take(&mut self) -> Option<String> {
        let span = (self.last + 1).saturating_sub(self.first);
        for _ in 0..span {
            let candidate = self.next;
            self.next = if candidate == self.last { self.first } else { candidate + 1 };
            if self.used.insert(candidate) {
                return Some(Ipv4Addr::from(candidate).to_string());
            }
        }
        None
    }

    /// Gives an address back.
    pub(crate) fn release(&mut self, address: &str) {
        if let Ok(address) = address.parse::<Ipv4Addr>() {
            self.used.remove(&u32::from(address));
        }
    }
}

impl Digestible for AddressPool {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.next);
        digest.add(&self.used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_round_and_a_free_one_comes_back_last() {
        let mut pool = AddressPool::new("10.244.3.0/29");
        let all: Vec<String> = std::iter::from_fn(|| pool.take()).collect();
        assert_eq!(all.first().map(String::as_str), Some("10.244.3.2"));
        assert_eq!(all.last().map(String::as_str), Some("10.244.3.6"));
        assert_eq!(all.len(), 5);
        pool.release("10.244.3.4");
        assert_eq!(pool.take().as_deref(), Some("10.244.3.4"));
        assert_eq!(pool.take(), None);
    }

    #[test]
    fn a_malformed_range_has_no_addresses() {
        assert_eq!(AddressPool::new("10.244.3.0").take(), None);
    }
}
