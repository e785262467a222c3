//! What is under way between pods: packets along lanes, the pulses of probes, and how busy lanes
//! are on which more goes than can be seen. Their time is the wall's: in virtual time most of
//! them take less than a millisecond.

use protocol::{LaneRow, PacketRow, PacketSort, ProbeRow, Station};

use super::geometry::{Point, Rect};
use crate::format::within;
use crate::model::Waiting;

/// How long a packet takes from one place to the next.
const FLIGHT_MS: f64 = 520.0;
const FLASH_MS: f64 = 220.0;
const PULSE_MS: f64 = 600.0;
/// Packets of one batch start one after another, so that the eye can follow.
const STAGGER_MS: f64 = 40.0;
/// How many packets, and how many pulses, are on the map at once.
const MOST: usize = 40;
/// How many of the packets on the map may be those of every connection, while lanes are busy.
const FEW: usize = 14;
/// How long a lane stays busy after its last packet.
const COOLING_MS: f64 = 800.0;
const MOST_LANES: usize = 80;

/// A way between two points: it leaves upright and arrives upright.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Lane {
    /// Where it begins.
    pub from: Point,
    /// Where it ends.
    pub to: Point,
}

impl Lane {
    /// The lane between two rectangles, from edge to edge.
    pub fn between(from: &Rect, to: &Rect) -> Lane {
        let edge = |rect: &Rect, other: &Rect| {
            let below = other.center().y > rect.center().y;
            Point { x: rect.center().x, y: if below { rect.bottom() } else { rect.y } }
        };
        Lane { from: edge(from, to), to: edge(to, from) }
    }

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

/// Two places and the Service between them, if there is one.
#[derive(Clone, Debug)]
pub struct Route {
    /// Where it begins.
    pub from: Station,
    /// The uid of the Service.
    pub through: Option<String>,
    /// Where it ends.
    pub to: Station,
}

/// A packet under way.
#[derive(Clone, Debug)]
pub struct Flight {
    /// The packet.
    pub id: u64,
    /// From where to where.
    pub route: Route,
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

    /// How much of the way it has gone. One that does not arrive stops on its way and stays
    /// there for the rest of its time: rejected at the Service, lost behind it.
    pub fn way(&self, share: f64) -> f64 {
        match (self.sort, &self.route.through) {
            (PacketSort::Rejected, Some(_)) => share.min(0.5),
            (PacketSort::Lost, Some(_)) => (share * 1.4).min(0.8),
            (PacketSort::Lost | PacketSort::Rejected, None) => (share * 1.6).min(0.6),
            _ => share * share * (3.0 - 2.0 * share),
        }
    }

    /// Where it is on its lanes.
    pub fn at(&self, lanes: &[Lane], share: f64) -> Option<Point> {
        let way = self.way(share) * lanes.len() as f64;
        let index = (way as usize).min(lanes.len().checked_sub(1)?);
        Some(lanes[index].at(way - index as f64))
    }

    /// Whether it stands where it stopped.
    pub fn stopped(&self, share: f64) -> bool {
        self.way(1.0) < 1.0 && self.way(share) >= self.way(1.0)
    }
}

/// A lane on which there was more than could be seen.
#[derive(Clone, Debug)]
pub struct Busy {
    /// Between which places, in both directions.
    pub route: Route,
    /// How many packets there were lately, and how many of them failed.
    level: [f64; 2],
    at_ms: f64,
}

impl Busy {
    /// How many packets there were lately, and how many of them failed.
    pub fn level(&self, now_ms: f64) -> [f64; 2] {
        let left = 1.0 - within((now_ms - self.at_ms) / COOLING_MS, 0.0, 1.0);
        self.level.map(|level| level * left)
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
    /// Busy lanes.
    pub lanes: Vec<Busy>,
    /// Probes.
    pub pulses: Vec<Pulse>,
}

impl Flights {
    /// Sets packets and probes going, as far as there is room; what there is no room for makes
    /// its lane busy.
    pub fn launch(&mut self, waiting: Waiting, now_ms: f64, moves: bool) {
        let Waiting { mut packets, lanes, probes } = waiting;
        packets.sort_by_key(|packet| packet.time_ms);
        let counted = !lanes.is_empty();
        for lane in lanes {
            let LaneRow { from, through, to, packets, failed } = lane;
            self.heat(Route { from, through, to }, [packets, failed], now_ms);
        }
        let mut started = 0;
        for packet in packets {
            let PacketRow { id, from, through, to, sort, .. } = packet;
            let route = Route { from, through, to };
            let room = if sort >= PacketSort::Data && counted { FEW } else { MOST };
            if self.packets.len() >= room {
                if !counted {
                    self.heat(route, [1, u32::from(sort <= PacketSort::Error)], now_ms);
                }
                continue;
            }
            let stations = if route.through.is_some() { 1.6 } else { 1.0 };
            let duration_ms = if moves { FLIGHT_MS * stations } else { FLASH_MS };
            let start_ms = now_ms + STAGGER_MS * f64::from(started);
            started += 1;
            self.packets.push(Flight { id, route, sort, start_ms, duration_ms, moves });
        }
        let room = MOST.saturating_sub(self.pulses.len());
        let pulses = probes.into_iter().take(room);
        self.pulses.extend(pulses.map(|probe| Pulse { probe, start_ms: now_ms }));
    }

    fn heat(&mut self, route: Route, more: [u32; 2], now_ms: f64) {
        let more = more.map(f64::from);
        let same = |lane: &Route| {
            let back = lane.from == route.to && lane.to == route.from;
            lane.through == route.through
                && (back || lane.from == route.from && lane.to == route.to)
        };
        if let Some(lane) = self.lanes.iter_mut().find(|lane| same(&lane.route)) {
            let [all, failed] = lane.level(now_ms);
            (lane.level, lane.at_ms) = ([all + more[0], failed + more[1]], now_ms);
        } else if self.lanes.len() < MOST_LANES {
            self.lanes.push(Busy { route, level: more, at_ms: now_ms });
        }
    }

    /// Lets time pass: what has arrived is gone. Whether anything is under way.
    pub fn tick(&mut self, now_ms: f64) -> bool {
        self.packets.retain(|flight| now_ms < flight.start_ms + flight.duration_ms);
        self.lanes.retain(|lane| now_ms < lane.at_ms + COOLING_MS);
        self.pulses.retain(|pulse| now_ms < pulse.start_ms + PULSE_MS);
        !self.packets.is_empty() || !self.lanes.is_empty() || !self.pulses.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(time_ms: i64) -> PacketRow {
        PacketRow {
            id: 1,
            from: Station::Pod("a".into()),
            through: None,
            to: Station::Pod("b".into()),
            sort: PacketSort::Data,
            words: "HTTP GET /".into(),
            time_ms,
        }
    }

    fn waiting(packets: Vec<PacketRow>, probes: Vec<ProbeRow>) -> Waiting {
        Waiting { packets, lanes: vec![], probes }
    }

    #[test]
    fn packets_start_in_the_order_of_their_time_and_end() {
        let mut flights = Flights::default();
        flights.launch(waiting(vec![packet(20), packet(10)], vec![]), 1000.0, true);
        let starts: Vec<f64> = flights.packets.iter().map(|flight| flight.start_ms).collect();
        assert_eq!(starts, [1000.0, 1000.0 + STAGGER_MS]);
        assert_eq!(flights.packets[1].share(1000.0), None);
        assert!(flights.tick(1000.0 + FLIGHT_MS));
        assert_eq!(flights.packets.len(), 1);
        assert!(!flights.tick(2000.0));
    }

    #[test]
    fn there_is_room_for_so_many_at_once_and_the_others_make_their_lane_busy() {
        let mut flights = Flights::default();
        let probe = ProbeRow { pod: "a".into(), kind: 0, success: false };
        flights.launch(waiting(vec![packet(0); 100], vec![probe; 100]), 0.0, true);
        assert_eq!((flights.packets.len(), flights.pulses.len()), (MOST, MOST));
        assert_eq!(flights.lanes.len(), 1, "both directions are one lane");
        assert_eq!(flights.lanes[0].level(0.0), [60.0, 0.0]);
        assert_eq!(flights.lanes[0].level(COOLING_MS / 2.0), [30.0, 0.0]);
    }

    #[test]
    fn counted_lanes_leave_room_for_few_packets() {
        let mut flights = Flights::default();
        let lane = LaneRow {
            from: Station::Outside,
            through: Some("web".into()),
            to: Station::Pod("b".into()),
            packets: 150,
            failed: 10,
        };
        let packets = vec![packet(0); 24];
        flights.launch(Waiting { packets, lanes: vec![lane], probes: vec![] }, 0.0, true);
        assert_eq!(flights.packets.len(), FEW);
        assert_eq!(flights.lanes[0].level(0.0), [150.0, 10.0]);
    }

    #[test]
    fn a_lane_begins_and_ends_where_it_should() {
        let lane = Lane { from: Point { x: 0.0, y: 100.0 }, to: Point { x: 50.0, y: 0.0 } };
        assert_eq!((lane.at(0.0), lane.at(1.0)), (lane.from, lane.to));
        assert_eq!(lane.at(0.5), Point { x: 25.0, y: 50.0 });
        let (above, below) = (Rect::new(0.0, 0.0, 10.0, 10.0), Rect::new(0.0, 50.0, 10.0, 10.0));
        let lane = Lane::between(&below, &above);
        assert_eq!((lane.from.y, lane.to.y), (50.0, 10.0));
    }
}
