//! Packets and probes out of the trace: a sample of what happened since the page was last told.

use std::net::Ipv4Addr;

use api::openapi::api::core::v1::Pod;
use api::{Key, KindId, Object};
use cluster::Cluster;
use protocol::{PacketRow, PacketSort, ProbeRow, Station};
use sim::{OrdMap, Sort, Time};
use trace::{Record, Verdict, What};

use crate::pod::cells_by_name;

/// How many packets, and how many probes, are sent at once.
const MOST: usize = 24;
/// How many packets may be between two machines.
const MOST_UNDER_WAY: usize = 1024;

/// What went on.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Packets, the more telling ones first.
    pub packets: Vec<PacketRow>,
    /// How many more there were.
    pub left_off: u32,
    /// Probes.
    pub probes: Vec<ProbeRow>,
}

/// Follows the trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Follower {
    last: u64,
    /// Packets on the cable: where they began.
    under_way: OrdMap<u64, Ipv4Addr>,
}

impl Follower {
    /// Forgets everything that happened so far.
    pub(crate) fn skip(&mut self, cluster: &Cluster) {
        self.last = cluster.trace().records().last().map_or(self.last, |record| record.id);
        self.under_way = OrdMap::new();
    }

    /// What went on since this was last asked.
    pub(crate) fn take(&mut self, cluster: &Cluster) -> Traffic {
        let mut traffic = Traffic::default();
        let mut places = None;
        for record in cluster.trace().since(self.last) {
            self.last = record.id;
            match &record.what {
                What::Packet { .. } => {
                    let places = places.get_or_insert_with(|| Places::of(cluster));
                    traffic.packets.extend(self.packet(cluster, places, record));
                }
                What::Probe { pod, probe, success, .. } => {
                    traffic.probes.extend(probe_row(cluster, pod, probe, *success));
                }
                _ => {}
            }
        }
        traffic.packets.order_by_key(|packet| packet.sort);
        let left_off = traffic.packets.len().saturating_sub(MOST);
        traffic.left_off = left_off.try_into().unwrap_or(u32::MAX);
        traffic.packets.truncate(MOST);
        traffic.probes.truncate(MOST);
        traffic
    }

    fn packet(&mut self, cluster: &Cluster, places: &Places, record: &Record) -> Option<PacketRow> {
        let What::Packet { id, machine, from, to, destination, kind, verdict, .. } = &record.what
        else {
            return None;
        };
        let begin = from.or_else(|| self.under_way.remove(id));
        let lost = matches!(verdict, Verdict::Dropped | Verdict::Rejected);
        if to.is_none() && !lost {
            if let Some(begin) = begin
                && self.under_way.len() < MOST_UNDER_WAY
            {
                self.under_way.insert(*id, begin);
            }
            return None;
        }
        let end = to.unwrap_or(*destination.ip());
        let here = || Station::Node(machine.to_string());
        let from = begin.and_then(|begin| places.at(begin)).unwrap_or_else(here);
        let to = places.at(end).unwrap_or_else(here);
        let time = cluster.clock().micro_timestamp(Time::from_nanos(record.time_nanos));
        (from != to || lost).then(|| PacketRow {
            from,
            to,
            sort: if lost { PacketSort::Lost } else { sort(kind) },
            words: kind.clone(),
            time_ms: time.as_millisecond(),
        })
    }
}

fn sort(kind: &str) -> PacketSort {
    let is_flag = |part: &str| ["SYN", "ACK", "FIN", "RST", "PSH"].contains(&part);
    match kind {
        kind if kind.starts_with("DNS") => PacketSort::Name,
        kind if kind.split(|it: char| !it.is_ascii_alphabetic()).all(is_flag) => {
            PacketSort::Control
        }
        _ => PacketSort::Data,
    }
}

fn probe_row(cluster: &Cluster, pod: &str, probe: &str, success: bool) -> Option<ProbeRow> {
    let (namespace, name) = pod.split_once('/')?;
    let pods = cluster.snapshot(KindId::POD);
    let pod = pods.get(&Key::new(namespace, name))?.uid().to_string();
    let kind = match probe {
        "Startup" => 0,
        "Readiness" => 1,
        _ => 2,
    };
    Some(ProbeRow { pod, kind, success })
}

/// Who has which address.
struct Places(OrdMap<Ipv4Addr, Station>);

impl Places {
    fn of(cluster: &Cluster) -> Places {
        let mut places = OrdMap::new();
        for pod in cluster.snapshot(KindId::POD).iter() {
            if let Some(address) = own_address(pod) {
                places.insert(address, Station::Pod(pod.uid().to_string()));
            }
        }
        for node in cluster.snapshot(KindId::NODE).iter() {
            let cells = cells_by_name(node, cluster);
            let address = cells.get("Internal-IP").and_then(|address| address.parse().ok());
            if let Some(address) = address {
                places.insert(address, Station::Node(node.name().to_string()));
            }
        }
        Places(places)
    }

    fn at(&self, address: Ipv4Addr) -> Option<Station> {
        self.0.get(&address).cloned()
    }
}

/// The address that only this pod has.
fn own_address(object: &Object) -> Option<Ipv4Addr> {
    let pod = object.get::<Pod>()?;
    let shared = pod.spec.as_ref().is_some_and(|spec| spec.host_network == Some(true));
    let address = pod.status.as_ref()?.pod_ip.as_ref()?;
    if shared { None } else { address.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_sorted_by_what_they_carry() {
        for (kind, want) in [
            ("SYN", PacketSort::Control),
            ("SYN-ACK", PacketSort::Control),
            ("FIN,ACK", PacketSort::Control),
            ("HTTP GET /cart", PacketSort::Data),
            ("DNS A example.com.", PacketSort::Name),
            ("UDP", PacketSort::Data),
        ] {
            assert_eq!(sort(kind), want, "{kind}");
        }
    }
}
