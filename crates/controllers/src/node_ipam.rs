//! The node IPAM controller: gives every node that has none a range of addresses for its pods.
//!
//! Upstream: pkg/controller/nodeipam/ipam/range_allocator.go and cidrset/cidr_set.go

use std::net::Ipv4Addr;

use api::Key;
use api::openapi::api::core::v1::Node;
use client::EventType;
use sim::{Digest, OrdMap};

use crate::refusal::is_not_found;
use crate::{Action, Change, Controller, Enqueue, Error, SyncContext, Watch};

/// kubeadm's `--cluster-cidr` as the documentation has it, and where a cluster goes on that has
/// more nodes than that range has parts: 10.244.0.0/16 and 10.0.0.0/10, as their first address and
/// the number of nodes that each serves.
const CLUSTER_RANGES: [(Ipv4Addr, u32); 2] =
    [(Ipv4Addr::new(10, 244, 0, 0), 256), (Ipv4Addr::new(10, 0, 0, 0), 16_384)];
/// `--node-cidr-mask-size`.
const NODE_MASK: u32 = 24;

/// The node IPAM controller.
#[derive(Clone, Debug, Default)]
pub struct NodeIpamController {
    /// The parts of each range that nodes have.
    ranges: [Parts; CLUSTER_RANGES.len()],
}

/// The parts of a range, one for each node.
#[derive(Clone, Debug, Default)]
struct Parts {
    /// Which node has which.
    used: OrdMap<u32, String>,
    /// Where the search for a free one begins, so that one is not given again at once.
    next: u32,
}

impl Parts {
    /// Upstream: CidrSet.AllocateNext.
    fn allocate(&mut self, count: u32, node: &str) -> Option<u32> {
        let mut candidates = (self.next..count).chain(0..self.next);
        let free = candidates.find(|part| !self.used.contains_key(part))?;
        self.used.insert(free, node.to_string());
        self.next = (free + 1) % count;
        Some(free)
    }
}

impl Controller for NodeIpamController {
    const NAME: &'static str = "node-ipam-controller";
    const SERVICE_ACCOUNT: &'static str = "node-controller";
    const EVENT_SOURCE: &'static str = "cidrAllocator";

    fn watches() -> &'static [Watch<Self>] {
        const { &[Watch::on::<Node>(on_node)] }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some(node) = cx.informers.get::<Node>(key).filter(|node| pod_cidr(node).is_none())
        else {
            return Ok(Action::Done);
        };
        let name = &*key.name;
        let Some((range, part)) = self.allocate(name) else {
            let message = format!("Node {name} status is now: CIDRNotAvailable");
            cx.event(node, EventType::Normal, "CIDRNotAvailable", &message);
            return Err(Error::Other(
                "failed to allocate cidr from cluster cidr at idx:0: CIDR allocation failed; \
                 there are no remaining CIDRs left to allocate in the accepted range"
                    .to_string(),
            ));
        };
        let cidr = text_of(range, part);
        let patched = cx.patch::<Node>(key, move |node| {
            let spec = node.spec.get_or_insert_default();
            spec.pod_cidrs = Some(vec![cidr.clone()]);
            spec.pod_cidr = Some(cidr);
        });
        let Err(status) = patched else { return Ok(Action::Done) };
        self.ranges[range].used.remove(&part);
        if is_not_found(&status) {
            return Ok(Action::Done);
        }
        let message = format!("Node {name} status is now: CIDRAssignmentFailed");
        cx.event(node, EventType::Normal, "CIDRAssignmentFailed", &message);
        Err(status.into())
    }

    fn digest(&self, digest: &mut Digest) {
        for parts in &self.ranges {
            digest.add(&parts.used);
            digest.add(&parts.next);
        }
    }
}

impl NodeIpamController {
    fn allocate(&mut self, node: &str) -> Option<(usize, u32)> {
        let ranges = self.ranges.iter_mut().zip(CLUSTER_RANGES).enumerate();
        let mut found = ranges
            .filter_map(|(range, (parts, (_, count)))| Some((range, parts.allocate(count, node)?)));
        found.next()
    }
}

fn pod_cidr(node: &Node) -> Option<&str> {
    let cidr = node.spec.as_ref().and_then(|spec| spec.pod_cidr.as_deref());
    cidr.filter(|cidr| !cidr.is_empty())
}

fn text_of(range: usize, part: u32) -> String {
    let first = u32::from(CLUSTER_RANGES[range].0);
    format!("{}/{NODE_MASK}", Ipv4Addr::from(first + (part << (32 - NODE_MASK))))
}

/// Which part of which range that is, if it is one.
fn part_of(cidr: &str) -> Option<(usize, u32)> {
    let address: Ipv4Addr = cidr.strip_suffix("/24")?.parse().ok()?;
    let place = |(first, count): (Ipv4Addr, u32)| {
        let offset = u32::from(address).checked_sub(u32::from(first))?;
        Some(offset >> (32 - NODE_MASK)).filter(|part| *part < count)
    };
    CLUSTER_RANGES.into_iter().enumerate().find_map(|(range, it)| Some((range, place(it)?)))
}

/// A node that has a range occupies it; one that goes gives it back.
fn on_node(controller: &mut NodeIpamController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let part = |node: Option<&Node>| node.and_then(pod_cidr).and_then(part_of);
    let name = &*change.key.name;
    match change.new::<Node>() {
        None => {
            if let Some((range, part)) = part(change.old::<Node>()) {
                let used = &mut controller.ranges[range].used;
                if used.get(&part).is_some_and(|node| node == name) {
                    used.remove(&part);
                }
            }
        }
        Some(node) if pod_cidr(node).is_none() => enqueue.add(change.key.clone()),
        Some(node) => {
            if let Some((range, part)) = part(Some(node)) {
                controller.ranges[range].used.insert(part, name.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use api::openapi::api::core::v1::NodeSpec;

    use super::*;
    use crate::testing::{World, meta};

    fn join(world: &mut World, name: &str, cidr: Option<&str>) {
        let spec = NodeSpec {
            pod_cidr: cidr.map(str::to_string),
            pod_cidrs: cidr.map(|cidr| vec![cidr.to_string()]),
            ..NodeSpec::default()
        };
        let node = Node { metadata: meta(name, &[]), spec: Some(spec), status: None };
        world.cluster.api::<Node>("").create(node).expect("created");
        world.run(50);
    }

    fn cidr(world: &mut World, name: &str) -> Option<String> {
        let node = world.cluster.api::<Node>("").get(name).expect("found");
        let spec = node.spec.clone().unwrap_or_default();
        assert_eq!(spec.pod_cidrs, spec.pod_cidr.clone().map(|cidr| vec![cidr]));
        spec.pod_cidr
    }

    /// Upstream: range_allocator_test.go, TestAllocateOrOccupyCIDRSuccess, TestOccupyPreExistingCIDR
    /// and TestReleaseCIDRSuccess.
    #[test]
    fn every_node_gets_a_range_of_its_own() {
        let mut world = World::new();
        join(&mut world, "a", None);
        join(&mut world, "b", Some("10.244.1.0/24"));
        join(&mut world, "c", None);
        let of = |world: &mut World| ["a", "b", "c"].map(|name| cidr(world, name));
        let want = ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"];
        assert_eq!(of(&mut world), want.map(|cidr| Some(cidr.to_string())));
        // A range that was given back is not the next one to be given.
        world.delete::<Node>("a", None);
        world.run(50);
        join(&mut world, "d", None);
        assert_eq!(cidr(&mut world, "d").as_deref(), Some("10.244.3.0/24"));
    }

    /// Upstream: cidr_set_test.go, TestCIDRSetAllocation.
    #[test]
    fn ranges_go_round_and_go_on_when_they_are_full() {
        let mut controller = NodeIpamController::default();
        for part in 0..256 {
            assert_eq!(controller.allocate("n"), Some((0, part)));
        }
        assert_eq!(controller.allocate("n"), Some((1, 0)));
        controller.ranges[0].used.remove(&7);
        assert_eq!(controller.allocate("n"), Some((0, 7)));
        for (range, part, text) in [
            (0, 0, "10.244.0.0/24"),
            (0, 255, "10.244.255.0/24"),
            (1, 0, "10.0.0.0/24"),
            (1, 257, "10.1.1.0/24"),
        ] {
            assert_eq!(text_of(range, part), text);
            assert_eq!(part_of(text), Some((range, part)));
        }
        assert_eq!(part_of("192.168.0.0/24"), None);
        assert_eq!(part_of("10.244.0.0/16"), None);
    }
}
