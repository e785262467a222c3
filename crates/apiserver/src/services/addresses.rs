//! Addresses of Services, drawn at random from the upper part of the range first: the lower is
//! for those that ask for an address of theirs.
//!
//! Upstream: pkg/registry/core/service/ipallocator/ipallocator.go and cidrallocator.go

use std::net::Ipv4Addr;

use api::field::{Error, Path};
use api::openapi::api::core::v1::ServiceSpec;
use api::services::{CLUSTER_IP_NONE, service_type};

use super::{Allocations, Refusal};

/// kubeadm's `--service-cluster-ip-range`.
const RANGE: &str = "10.96.0.0/12";
/// The first and the last address that a Service may have: neither that of the network nor
/// the broadcast address.
const FIRST: u32 = u32::from_be_bytes([10, 96, 0, 1]);
const LAST: u32 = u32::from_be_bytes([10, 111, 255, 254]);
/// How many addresses are left to those that ask for one: a sixteenth of the range, but between
/// 16 and 256. Upstream: calculateRangeOffset.
const RESERVED: u32 = 256;

/// An IPv4 address as a number; that of another family is none of this range's.
pub(super) fn address_number(ip: &str) -> Option<u32> {
    ip.parse::<Ipv4Addr>().ok().map(u32::from)
}

impl Allocations {
    /// Upstream: allocClusterIPs.
    pub(super) fn give_addresses(
        &mut self,
        spec: &mut ServiceSpec,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        let wanted = spec.cluster_ips.as_ref().and_then(|ips| ips.first());
        if service_type(spec) == "ExternalName" || wanted.is_some_and(|ip| ip == CLUSTER_IP_NONE) {
            return Ok(());
        }
        match wanted.filter(|ip| !ip.is_empty()) {
            Some(wanted) => self.check_address(wanted).map_err(|why| {
                let words = format!("failed to allocate IP {wanted}: {why}");
                let path = Path::new("spec").child("clusterIPs");
                let shown = serde_json::json!(spec.cluster_ips);
                Refusal::Invalid(vec![Error::invalid(&path, shown, words)])
            }),
            None => {
                let address = self.next_address(dry_run).ok_or_else(|| {
                    let words = "failed to allocate a serviceIP: range is full";
                    Refusal::Internal(words.to_string())
                })?;
                let ip = Ipv4Addr::from(address).to_string();
                spec.cluster_ip = Some(ip.clone());
                spec.cluster_ips = Some(vec![ip]);
                Ok(())
            }
        }
    }

    fn check_address(&self, ip: &str) -> Result<(), String> {
        let number = address_number(ip).unwrap_or(0);
        // The network's own address and the broadcast address are in the range, but nobody's.
        if !(FIRST - 1..=LAST + 1).contains(&number) {
            return Err("the provided network does not match the current range".to_string());
        }
        if !(FIRST..=LAST).contains(&number) {
            return Err(format!(
                "the provided IP ({ip}) is not in the valid range. The range of valid IPs is \
                 {RANGE}"
            ));
        }
        if self.addresses.contains(&number) {
            return Err("provided IP is already allocated".to_string());
        }
        Ok(())
    }

    /// Upstream: AllocateNextService.
    fn next_address(&mut self, dry_run: bool) -> Option<u32> {
        if dry_run {
            // Nothing is looked for: the address would be stale at once.
            return Some(FIRST - 1);
        }
        let upper = FIRST + RESERVED;
        self.free_address(upper, LAST).or_else(|| self.free_address(FIRST, upper - 1))
    }

    /// The first free address of a part of the range, from one that is drawn on and round.
    fn free_address(&mut self, first: u32, last: u32) -> Option<u32> {
        let size = last - first + 1;
        let draw = self.draws.addresses.below(u64::from(size));
        let start = first + u32::try_from(draw).unwrap_or(0);
        let mut candidates = (start..=last).chain(first..start);
        candidates.find(|candidate| !self.addresses.contains(candidate))
    }
}
