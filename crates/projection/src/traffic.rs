//! Packets and probes out of the trace: a sample of what happened since the page was last told,
//! and how busy each lane was when there was more than that.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use api::{Key, KindId};
use cluster::Cluster;
use protocol::{LaneRow, PacketRow, PacketSort, ProbeRow, Station};
use sim::{Duration, OrdMap, SmallMap, Sort, Time};
use trace::{Record, Verdict, What};

use crate::places::Places;

/// How many packets, how many probes and how many lanes are sent at once.
const MOST: usize = 24;
/// How many of the latest packets are kept.
const MOST_KEPT: usize = 100;
/// How many packets may be between two machines.
const MOST_UNDER_WAY: usize = 4096;
/// A packet that has been on the cable for so long will not arrive.
const PATIENCE: Duration = Duration::from_millis(50);

/// What went on.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Packets, the more telling ones first.
    pub packets: Vec<PacketRow>,
    /// How many more there were.
    pub left_off: u32,
    /// Where all of them went, if there were more.
    pub lanes: Vec<LaneRow>,
    /// Probes.
    pub probes: Vec<ProbeRow>,
}

/// A packet on the cable.
#[derive(Clone, Debug)]
struct Leg {
    /// When it left the last machine, in nanoseconds.
    time_nanos: u64,
    /// That machine.
    machine: Arc<str>,
    /// Where it began.
    begin: Ipv4Addr,
    /// What its connection was sent to, if a machine on its way rewrote that.
    original: Option<SocketAddrV4>,
    destination: SocketAddrV4,
    kind: Cow<'static, str>,
}

/// Follows the trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Follower {
    last: u64,
    under_way: OrdMap<u64, Leg>,
    /// Who has which address, unless that may have changed.
    places: Option<Places>,
    /// The latest packets, if they are kept.
    kept: Option<VecDeque<PacketRow>>,
}

/// A packet on its way from one station to another, or lost.
struct Seen<'a> {
    id: u64,
    from: Cow<'a, Station>,
    through: Option<&'a str>,
    to: Cow<'a, Station>,
    sort: PacketSort,
    words: Cow<'a, str>,
    time_nanos: u64,
}

impl Follower {
    /// Forgets everything that happened so far.
    pub(crate) fn skip(&mut self, cluster: &Cluster) {
        self.last = cluster.trace().last_id();
        self.under_way = OrdMap::new();
    }

    /// Takes in that an object of a kind changed.
    pub(crate) fn note(&mut self, kind: KindId) {
        if matches!(kind, KindId::POD | KindId::NODE | KindId::SERVICE) {
            self.places = None;
        }
    }

    pub(crate) fn keep(&mut self, keep: bool) {
        match keep {
            true if self.kept.is_none() => self.kept = Some(VecDeque::new()),
            true => {}
            false => self.kept = None,
        }
    }

    pub(crate) fn kept(&self) -> impl Iterator<Item = &PacketRow> {
        self.kept.iter().flatten()
    }

    /// What went on since this was last asked. With `by_machine` a packet is shown from machine
    /// to machine, each part of its way when it goes it; else once it has ended.
    pub(crate) fn take(&mut self, cluster: &Cluster, by_machine: bool) -> Traffic {
        let mut traffic = Traffic::default();
        let places = self.places.take().unwrap_or_else(|| Places::of(cluster));
        let mut packets = Vec::new();
        let mut whole = true;
        for record in cluster.trace().since(self.last) {
            // How packets began that ended in records which are gone is not known.
            whole &= record.id == self.last + 1;
            self.last = record.id;
            match &record.what {
                What::Packet { .. } => packets.extend(self.packet(&places, record, by_machine)),
                What::Probe { pod, probe, success, .. } if traffic.probes.len() < MOST => {
                    traffic.probes.extend(probe_row(cluster, pod, probe, *success));
                }
                _ => {}
            }
        }
        if !whole {
            self.under_way = OrdMap::new();
        }
        self.give_up(cluster, &places, &mut packets);
        if let Some(kept) = &mut self.kept {
            let known = packets.len().saturating_sub(MOST_KEPT);
            kept.extend(packets.iter().skip(known).map(|seen| seen.row(cluster)));
            kept.drain(..kept.len().saturating_sub(MOST_KEPT));
        }
        packets.order_by_key(|packet| packet.sort);
        let left_off = packets.len().saturating_sub(MOST);
        if left_off > 0 {
            traffic.lanes = lanes(&packets);
        }
        traffic.left_off = left_off.try_into().unwrap_or(u32::MAX);
        traffic.packets = packets.iter().take(MOST).map(|seen| seen.row(cluster)).collect();
        self.places = Some(places);
        traffic
    }

    fn packet<'a>(
        &mut self,
        places: &'a Places,
        record: &'a Record,
        by_machine: bool,
    ) -> Option<Seen<'a>> {
        let What::Packet { id, machine, from, to, destination, original, kind, verdict, .. } =
            &record.what
        else {
            return None;
        };
        let before = self.under_way.remove(id);
        let begin = from.or(before.as_ref().map(|leg| leg.begin));
        let earlier = before.as_ref().and_then(|leg| leg.original);
        let shown = if by_machine { *original } else { original.or(earlier) };
        let original = original.or(earlier);
        let lost = matches!(verdict, Verdict::Dropped | Verdict::Rejected);
        let here = || Cow::Owned(Station::Node(machine.to_string()));
        let end = if to.is_none() && !lost {
            let begin = begin?;
            if self.under_way.len() < MOST_UNDER_WAY {
                let leg = Leg {
                    time_nanos: record.time_nanos,
                    machine: machine.clone(),
                    begin,
                    original,
                    destination: *destination,
                    kind: kind.clone(),
                };
                self.under_way.insert(*id, leg);
            }
            if !by_machine {
                return None;
            }
            here()
        } else {
            places.at(to.unwrap_or(*destination.ip())).map_or_else(here, Cow::Borrowed)
        };
        let from = match &before {
            Some(leg) if by_machine => Cow::Owned(Station::Node(leg.machine.to_string())),
            _ => begin.and_then(|begin| places.at(begin)).map_or_else(here, Cow::Borrowed),
        };
        let sort = match verdict {
            Verdict::Dropped => PacketSort::Lost,
            Verdict::Rejected => PacketSort::Rejected,
            _ => sort(kind),
        };
        (from != end || lost).then(|| Seen {
            id: *id,
            from,
            through: places.service(shown.unwrap_or(*destination)),
            to: end,
            sort,
            words: Cow::Borrowed(kind),
            time_nanos: record.time_nanos,
        })
    }

    /// Packets that a machine sent and none received: the one they were for is off.
    fn give_up<'a>(&mut self, cluster: &Cluster, places: &'a Places, packets: &mut Vec<Seen<'a>>) {
        let now = cluster.now();
        let late = |leg: &Leg| now.since(Time::from_nanos(leg.time_nanos)) >= PATIENCE;
        let lost: Vec<u64> =
            self.under_way.iter().filter(|(_, leg)| late(leg)).map(|(id, _)| *id).collect();
        for id in lost {
            let Some(leg) = self.under_way.remove(&id) else { continue };
            let (Some(from), Some(to)) = (places.at(leg.begin), places.at(*leg.destination.ip()))
            else {
                continue;
            };
            packets.push(Seen {
                id,
                from: Cow::Borrowed(from),
                through: places.service(leg.original.unwrap_or(leg.destination)),
                to: Cow::Borrowed(to),
                sort: PacketSort::Lost,
                words: leg.kind,
                time_nanos: leg.time_nanos,
            });
        }
    }
}

impl Seen<'_> {
    fn row(&self, cluster: &Cluster) -> PacketRow {
        PacketRow {
            id: self.id,
            from: Station::clone(&self.from),
            through: self.through.map(str::to_string),
            to: Station::clone(&self.to),
            sort: self.sort,
            words: self.words.to_string(),
            time_ms: milliseconds(cluster, self.time_nanos),
        }
    }
}

fn milliseconds(cluster: &Cluster, time_nanos: u64) -> i64 {
    cluster.clock().micro_timestamp(Time::from_nanos(time_nanos)).as_millisecond()
}

/// The busiest lanes.
fn lanes(packets: &[Seen<'_>]) -> Vec<LaneRow> {
    let mut counts: SmallMap<_, (u32, u32)> = SmallMap::default();
    for packet in packets {
        let (one, other) = (&*packet.from, &*packet.to);
        let (one, other) = if one <= other { (one, other) } else { (other, one) };
        let (all, failed) = counts.entry((one, packet.through, other)).or_default();
        *all += 1;
        *failed += u32::from(packet.sort <= PacketSort::Error);
    }
    let row =
        |((from, through, to), (packets, failed)): ((&Station, Option<&str>, &Station), _)| {
            LaneRow {
                from: from.clone(),
                through: through.map(str::to_string),
                to: to.clone(),
                packets,
                failed,
            }
        };
    let mut lanes: Vec<LaneRow> = counts.into_iter().map(row).collect();
    lanes.order_by_key(|lane| u32::MAX - lane.packets);
    lanes.truncate(MOST);
    lanes
}

fn sort(kind: &str) -> PacketSort {
    if let Some(status) = kind.strip_prefix("HTTP ") {
        let failed = status.starts_with(['4', '5']);
        return if failed { PacketSort::Error } else { PacketSort::Data };
    }
    match kind {
        "SYN" | "SYN-ACK" | "ACK" | "FIN" => PacketSort::Control,
        "RST" | "time exceeded" | "admin prohibited" => PacketSort::Refused,
        kind if kind.ends_with("unreachable") => PacketSort::Refused,
        kind if kind.starts_with("DNS") => PacketSort::Name,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_sorted_by_what_they_carry() {
        for (kind, want) in [
            ("SYN", PacketSort::Control),
            ("SYN-ACK", PacketSort::Control),
            ("FIN", PacketSort::Control),
            ("RST", PacketSort::Refused),
            ("port unreachable", PacketSort::Refused),
            ("HTTP GET /cart", PacketSort::Data),
            ("HTTP 200", PacketSort::Data),
            ("HTTP 503", PacketSort::Error),
            ("DNS A example.com.", PacketSort::Name),
            ("UDP", PacketSort::Data),
        ] {
            assert_eq!(sort(kind), want, "{kind}");
        }
    }

    #[test]
    fn a_lane_counts_both_directions_and_the_busiest_comes_first() {
        let packet = |from: &str, to: &str, sort| Seen {
            id: 1,
            from: Cow::Owned(Station::Pod(from.into())),
            through: Some("web"),
            to: Cow::Owned(Station::Pod(to.into())),
            sort,
            words: Cow::Borrowed(""),
            time_nanos: 0,
        };
        let packets = [
            packet("a", "c", PacketSort::Data),
            packet("a", "b", PacketSort::Data),
            packet("b", "a", PacketSort::Error),
        ];
        let lanes = lanes(&packets);
        assert_eq!(lanes.len(), 2);
        assert_eq!((&lanes[0].to, lanes[0].packets), (&Station::Pod("b".into()), 2));
        assert_eq!(lanes[0].failed, 1);
    }
}
