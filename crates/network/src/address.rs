//! Addresses of the link and ranges of the network layer.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use sim::{Digest, Digestible};

/// An Ethernet address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// The address that all stations of a link listen to.
    pub const BROADCAST: MacAddress = MacAddress([0xff; 6]);

    /// A locally administered address made of an IPv4 address, as container bridges do.
    #[must_use]
    pub fn of(address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        MacAddress([0x02, 0x42, a, b, c, d])
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A range of addresses: `10.244.1.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    /// The address as it was written, with its host part.
    pub address: Ipv4Addr,
    /// How many leading bits all addresses of the range share: 0 to 32.
    pub prefix: u8,
}

impl Cidr {
    /// Only that address.
    #[must_use]
    pub fn host(address: Ipv4Addr) -> Self {
        Cidr { address, prefix: 32 }
    }

    /// The bits that the addresses of the range share.
    #[must_use]
    pub fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0)
    }

    /// The first address of the range.
    #[must_use]
    pub fn network(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address) & self.mask())
    }

    /// Whether the address belongs to the range.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        (u32::from(address) ^ u32::from(self.address)) & self.mask() == 0
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = text.split_once('/').ok_or(())?;
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= 32).ok_or(())?;
        Ok(Cidr { address: address.parse().map_err(|_| ())?, prefix })
    }
}

impl Digestible for Cidr {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(u64::from(u32::from(self.address)));
        digest.u64(u64::from(self.prefix));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_contains_what_shares_its_bits() {
        let range: Cidr = "10.244.1.7/24".parse().unwrap();
        assert_eq!(range.network(), Ipv4Addr::new(10, 244, 1, 0));
        assert!(range.contains(Ipv4Addr::new(10, 244, 1, 255)));
        assert!(!range.contains(Ipv4Addr::new(10, 244, 2, 0)));
        let everything: Cidr = "0.0.0.0/0".parse().unwrap();
        assert!(everything.contains(Ipv4Addr::new(8, 8, 8, 8)));
        assert!("10.0.0.0/33".parse::<Cidr>().is_err());
    }
}
