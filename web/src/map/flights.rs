//! What is under way between pods: packets along lanes, and the pulses of probes. Their time is
//! the wall's: in virtual time most of them take less than a millisecond.

use protocol::{PacketRow, PacketSort, ProbeRow, Station};

use super::geometry::Point;
use crate::format::within;

const FLIGHT_MS: f64 = 520.0;
const FLASH_MS: f64 = 220.0;
const PULSE_MS: f64 = 600.0;
/// Packets of one batch start one after another, so that the eye can follow.
const STAGGER_MS: f64 = 40.0;
/// How many packets, and how many pulses, are on the map at once.
const MOST: usize = 40;

/// A way between two points: it leaves upright and arrives upright.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Lane {
    /// Where it begins.
    pub from: Point,
    /// Where it ends.
    pub to: Point,
}

impl Lane {
    /// The two points that draw the curve.
    pub fn controls(&self) -> (Point, Point) {
        let middle = (self.from.y + self.to.y) / 2.0;
        // Two points side by side are joined by an arc, not by a line through what lies between.
        let level = (self.from.y - self.to.y).abs() < 24.0;
        let y = if level { middle - 36.0 } else { middle };
        (Point { x: self.from.x, y }, Point { x: self.to.x, y })
    }

    /// The point at a share of the way.
    pub fn at(&self, share: f64) -> Point {
        let (first, second) = self.controls();
        let rest = 1.0 - share;
        let mix = |a: f64, b: f64, c: f64, d: f64| {
            rest * rest * rest * a
                + 3.0 * rest * rest * share * b
                + 3.0 * rest * share * share * c
                + share * share * share * d
        };
        Point {
            x: mix(self.from.x, first.x, second.x, self.to.x),
            y: mix(self.from.y, first.y, second.y, self.to.y),
        }
    }
}

/// A packet under way.
#[derive(Clone, Debug)]
pub struct Flight {
    /// Where it began.
    pub from: Station,
    /// Where it goes.
    pub to: Station,
    /// What it carries.
    pub sort: PacketSort,
    start_ms: f64,
    duration_ms: f64,
    /// Whether it moves, or its lane only lights up.
    pub moves: bool,
}

impl Flight {
    /// How much of the time has passed; none before it starts.
    pub fn share(&self, now_ms: f64) -> Option<f64> {
        let share = (now_ms - self.start_ms) / self.duration_ms;
        (share >= 0.0).then_some(share.min(1.0))
    }
}

/// A probe that ran just now.
#[derive(Clone, Debug)]
pub struct Pulse {
    /// What it was.
    pub probe: ProbeRow,
    start_ms: f64,
}

impl Pulse {
    /// How much of the time has passed.
    pub fn share(&self, now_ms: f64) -> f64 {
        within((now_ms - self.start_ms) / PULSE_MS, 0.0, 1.0)
    }
}

/// Everything that is under way.
#[derive(Clone, Debug, Default)]
pub struct Flights {
    /// Packets.
    pub packets: Vec<Flight>,
    /// Probes.
    pub pulses: Vec<Pulse>,
}

impl Flights {
    /// Sets packets and probes going, as far as there is room.
    pub fn launch(
        &mut self,
        mut packets: Vec<PacketRow>,
        probes: Vec<ProbeRow>,
        now_ms: f64,
        moves: bool,
    ) {
        let room = MOST.saturating_sub(self.packets.len());
        packets.truncate(room);
        packets.sort_by_key(|packet| packet.time_ms);
        for (index, packet) in packets.into_iter().enumerate() {
            let PacketRow { from, to, sort, .. } = packet;
            let start_ms = now_ms + STAGGER_MS * index as f64;
            let duration_ms = if moves { FLIGHT_MS } else { FLASH_MS };
            self.packets.push(Flight { from, to, sort, start_ms, duration_ms, moves });
        }
        let room = MOST.saturating_sub(self.pulses.len());
        let pulses = probes.into_iter().take(room);
        self.pulses.extend(pulses.map(|probe| Pulse { probe, start_ms: now_ms }));
    }

    /// Lets time pass: what has arrived is gone. Whether anything is under way.
    pub fn tick(&mut self, now_ms: f64) -> bool {
        self.packets.retain(|flight| now_ms < flight.start_ms + flight.duration_ms);
        self.pulses.retain(|pulse| now_ms < pulse.start_ms + PULSE_MS);
        !self.packets.is_empty() || !self.pulses.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(time_ms: i64) -> PacketRow {
        PacketRow {
            from: Station::Pod("a".into()),
            to: Station::Pod("b".into()),
            sort: PacketSort::Data,
            words: "HTTP GET /".into(),
            time_ms,
        }
    }

    #[test]
    fn packets_start_in_the_order_of_their_time_and_end() {
        let mut flights = Flights::default();
        flights.launch(vec![packet(20), packet(10)], vec![], 1000.0, true);
        let starts: Vec<f64> = flights.packets.iter().map(|flight| flight.start_ms).collect();
        assert_eq!(starts, [1000.0, 1000.0 + STAGGER_MS]);
        assert_eq!(flights.packets[1].share(1000.0), None);
        assert!(flights.tick(1000.0 + FLIGHT_MS));
        assert_eq!(flights.packets.len(), 1);
        assert!(!flights.tick(2000.0));
    }

    #[test]
    fn there_is_room_for_so_many_at_once() {
        let mut flights = Flights::default();
        let probe = ProbeRow { pod: "a".into(), kind: 0, success: false };
        flights.launch(vec![packet(0); 100], vec![probe; 100], 0.0, true);
        assert_eq!((flights.packets.len(), flights.pulses.len()), (MOST, MOST));
    }

    #[test]
    fn a_lane_begins_and_ends_where_it_should() {
        let lane = Lane { from: Point { x: 0.0, y: 100.0 }, to: Point { x: 50.0, y: 0.0 } };
        assert_eq!((lane.at(0.0), lane.at(1.0)), (lane.from, lane.to));
        assert_eq!(lane.at(0.5), Point { x: 25.0, y: 50.0 });
    }
}
