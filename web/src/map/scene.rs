//! What is on the map and how it moves: takes rows in, gives poses out. Pure; the wall clock is
//! passed in. A pod is created in the tray, slides to its node when it is bound, changes its
//! glyph in place and leaves when it is gone. Everything else stays where it is.

use std::rc::Rc;

use protocol::{EndpointState, NodeRow, PodRow, PodState, ServiceRow, Station};

use super::flights::{Flight, Flights, Lane, Route};
use super::geometry::{Point, Rect};
use super::hubs::Hubs;
use super::layout::{Layout, Viewport, natural_key};
use super::slots::{Place, Slots};
use crate::format::within;
use crate::model::{Rows, Sorted, Waiting, ordered};

/// How much may move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Motion {
    /// Flights, growth and fades.
    Full,
    /// Fades in place only: above ×20.
    Fade,
    /// States only: above ×200, or when the person asks for reduced motion.
    None,
}

impl Motion {
    /// What suits a speed.
    pub fn for_speed(speed: f64, reduced: bool) -> Motion {
        match speed {
            _ if reduced => Motion::None,
            speed if speed > 200.0 => Motion::None,
            speed if speed > 20.0 => Motion::Fade,
            _ => Motion::Full,
        }
    }
}

const FLIGHT_MS: f64 = 320.0;
const FADE_MS: f64 = 200.0;
/// Newcomers of one batch start one after another, so that the eye can count them.
const STAGGER_MS: f64 = 24.0;
/// Above this many newcomers at once they only fade in.
const FLOCK: usize = 120;
/// How far from a packet a click may be, as a square.
const NEAR: f64 = 12.0 * 12.0;
/// Above this many dirty rectangles the whole layer is drawn again.
const MANY: usize = 48;

/// Where and how a tile is drawn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Pose {
    /// The slot.
    pub rect: Rect,
    /// Opacity.
    pub alpha: f64,
    /// Size around the middle of the slot.
    pub scale: f64,
}

impl Pose {
    fn at(rect: Rect) -> Pose {
        Pose { rect, alpha: 1.0, scale: 1.0 }
    }
}

/// A pod on the map.
#[derive(Clone, Debug)]
pub struct Tile {
    /// Its row.
    pub pod: Rc<PodRow>,
    from: Pose,
    to: Pose,
    start_ms: f64,
    duration_ms: f64,
    before: Option<PodState>,
    changed_ms: f64,
    airborne: bool,
}

impl Tile {
    /// Where it is now.
    pub fn pose(&self, now_ms: f64) -> Pose {
        let share = match self.duration_ms {
            duration if duration <= 0.0 => 1.0,
            duration => within((now_ms - self.start_ms) / duration, 0.0, 1.0),
        };
        let eased = 1.0 - (1.0 - share).powi(3);
        let mix = |from: f64, to: f64| from + (to - from) * eased;
        Pose {
            rect: self.from.rect.toward(&self.to.rect, eased),
            alpha: mix(self.from.alpha, self.to.alpha),
            scale: mix(self.from.scale, self.to.scale),
        }
    }

    /// The state that it comes from and how much of the new one shows, while it changes.
    pub fn change(&self, now_ms: f64) -> Option<(PodState, f64)> {
        let share = (now_ms - self.changed_ms) / FADE_MS;
        self.before.filter(|_| share < 1.0).map(|before| (before, share.max(0.0)))
    }

    fn moving(&self, now_ms: f64) -> bool {
        now_ms < self.start_ms + self.duration_ms || self.change(now_ms).is_some()
    }

    fn go(&mut self, to: Pose, start_ms: f64, duration_ms: f64) {
        self.from = self.pose(start_ms);
        (self.to, self.start_ms, self.duration_ms) = (to, start_ms, duration_ms);
        self.airborne = true;
    }
}

/// What a point, a click or the keyboard means.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Target {
    /// The Service of this uid.
    Service(Rc<str>),
    /// The node of this name.
    Node(Rc<str>),
    /// The pod of this uid.
    Pod(Rc<str>),
}

/// What must be drawn again.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Damage {
    /// Panels, bars and headings.
    pub ground: bool,
    /// All resting tiles.
    pub everything: bool,
    /// Resting tiles within these.
    pub rects: Vec<Rect>,
}

impl Damage {
    fn add(&mut self, rect: Rect) {
        if self.everything {
            return;
        }
        self.rects.push(rect);
        if self.rects.len() > MANY {
            self.all();
        }
    }

    fn all(&mut self) {
        self.everything = true;
        self.rects.clear();
    }
}

/// The map's contents.
#[derive(Debug)]
pub struct Scene {
    layout: Layout,
    names: Vec<Rc<str>>,
    nodes: Rows<NodeRow>,
    slots: Slots,
    tiles: Sorted<Box<Tile>>,
    leaving: Vec<Tile>,
    damage: Damage,
    zoom: i32,
    viewport: Viewport,
    services: Rows<ServiceRow>,
    hubs: Hubs,
    flights: Flights,
    outside: bool,
}

impl Scene {
    /// An empty map.
    pub fn new(viewport: Viewport) -> Scene {
        Scene {
            layout: Layout::choose(viewport, &[], None, 0, 0, 0),
            names: Vec::new(),
            nodes: Sorted::default(),
            slots: Slots::default(),
            tiles: Sorted::default(),
            leaving: Vec::new(),
            damage: Damage { ground: true, everything: true, rects: Vec::new() },
            zoom: 0,
            viewport,
            services: Sorted::default(),
            hubs: Hubs::default(),
            flights: Flights::default(),
            outside: false,
        }
    }

    /// The size of the view.
    pub fn viewport(&self) -> Viewport {
        self.viewport
    }

    /// Height of everything; more than the view's if it scrolls.
    pub fn height(&self) -> f64 {
        self.layout.height + self.hubs.height
    }

    /// The Services below the nodes.
    pub fn hubs(&self) -> &Hubs {
        &self.hubs
    }

    /// The Service of a hub.
    pub fn service(&self, uid: &str) -> Option<&Rc<ServiceRow>> {
        self.services.get(uid)
    }

    /// What is under way between pods.
    pub fn flights(&self) -> &Flights {
        &self.flights
    }

    /// Sets packets and probes going; those whose ends are not on the map are left away.
    pub fn launch(&mut self, waiting: Waiting, now_ms: f64, motion: Motion) {
        if motion != Motion::None {
            self.flights.launch(waiting, now_ms, motion == Motion::Full);
        }
    }

    /// Whether the machine outside of the cluster is on the map.
    pub fn set_outside(&mut self, outside: bool) {
        self.outside = outside;
    }

    /// Where a station is.
    fn station(&self, station: &Station) -> Option<Rect> {
        match station {
            Station::Pod(uid) => self.rect_of(&Target::Pod(Rc::from(uid.as_str()))),
            Station::Node(name) => self
                .layout
                .panel(name)
                .map(|panel| Rect::new(panel.head.x, panel.head.y, 10.0, 40.0)),
            Station::Outside => self.hubs.outside(),
        }
    }

    /// The packet that flies nearest to a point, if it is near.
    pub fn flight_at(&self, point: Point, now_ms: f64) -> Option<u64> {
        let distance = |flight: &Flight| {
            let at = flight.at(&self.lanes_of(&flight.route), flight.share(now_ms)?)?;
            let (x, y) = (at.x - point.x, at.y - point.y);
            Some((x * x + y * y, flight.id)).filter(|(distance, _)| *distance < NEAR)
        };
        let near = self.flights.packets.iter().filter_map(distance);
        near.reduce(|one, other| if other.0 < one.0 { other } else { one }).map(|(_, id)| id)
    }

    /// The lanes of a route, one after another; none if an end is not on the map.
    pub fn lanes_of(&self, route: &Route) -> Vec<Lane> {
        let (Some(from), Some(to)) = (self.station(&route.from), self.station(&route.to)) else {
            return Vec::new();
        };
        match route.through.as_deref().and_then(|uid| self.hubs.rect_of(uid)) {
            Some(hub) => vec![Lane::between(&from, &hub), Lane::between(&hub, &to)],
            None => vec![Lane { from: from.center(), to: to.center() }],
        }
    }

    /// The lanes from a Service to the pods behind it.
    pub fn lanes<'a>(
        &'a self,
        uid: &str,
        hub: &Rect,
    ) -> impl Iterator<Item = (Lane, EndpointState)> + use<'a> {
        let from = Point { x: hub.center().x, y: hub.y };
        let endpoints = self.services.get(uid).into_iter().flat_map(|row| &row.endpoints);
        endpoints.filter_map(move |endpoint| {
            let tile = self.tiles.get(endpoint.pod.as_deref()?)?;
            let rect = tile.to.rect;
            let to = Point { x: rect.center().x, y: rect.bottom() };
            (tile.to.alpha > 0.0).then_some((Lane { from, to }, endpoint.state))
        })
    }

    /// The Services that a target has to do with: itself, or those with an endpoint there.
    pub fn services_of<'a>(&'a self, target: &'a Target) -> impl Iterator<Item = &'a Rc<str>> {
        self.services.iter().filter_map(move |(uid, row)| {
            let leads = match target {
                Target::Service(other) => other == uid,
                Target::Pod(pod) => row.endpoints.iter().any(|it| it.pod.as_deref() == Some(pod)),
                Target::Node(_) => false,
            };
            leads.then_some(uid)
        })
    }

    /// Where everything is.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Nodes in the order of their panels.
    pub fn nodes(&self) -> impl Iterator<Item = &Rc<NodeRow>> {
        self.names.iter().filter_map(|name| self.nodes.get(name))
    }

    /// Pods without a node: all, and how many of them the tray has no room for.
    pub fn waiting(&self) -> (usize, usize) {
        let slots = self.slots.of(&Place::Tray).map(|(slot, _)| slot);
        slots.fold((0, 0), |(all, hidden), slot| {
            (all + 1, hidden + usize::from(slot >= self.layout.tray_capacity))
        })
    }

    /// Tiles that do not move.
    pub fn resting(&self) -> impl Iterator<Item = &Tile> {
        self.tiles.values().map(|tile| &**tile).filter(|tile| !tile.airborne && tile.to.alpha > 0.0)
    }

    /// Tiles that move, those that leave first.
    pub fn airborne(&self) -> impl Iterator<Item = &Tile> {
        self.leaving
            .iter()
            .chain(self.tiles.values().map(|tile| &**tile).filter(|tile| tile.airborne))
    }

    #[cfg(test)]
    fn tile(&self, uid: &str) -> Option<&Tile> {
        self.tiles.get(uid).map(|tile| &**tile)
    }

    /// What must be drawn again since the last call.
    pub fn take_damage(&mut self) -> Damage {
        std::mem::take(&mut self.damage)
    }

    /// Everything must be drawn again, say because the colours changed.
    pub fn damage_all(&mut self) {
        self.damage = Damage { ground: true, everything: true, rects: Vec::new() };
    }

    /// Draws tiles again whose ring follows the virtual clock.
    pub fn clock_moved(&mut self) {
        for tile in self.tiles.values() {
            if tile.pod.progress.is_some() && !tile.airborne && tile.to.alpha > 0.0 {
                self.damage.add(tile.to.rect);
            }
        }
    }

    /// The view has another size: everything is where it belongs at once.
    pub fn resize(&mut self, viewport: Viewport, now_ms: f64) {
        if viewport != self.viewport {
            self.viewport = viewport;
            self.settle(viewport, now_ms, Motion::None, &Sorted::default());
        }
    }

    /// How many steps larger than fitting tiles are.
    pub fn zoom(&self) -> i32 {
        self.zoom
    }

    /// Makes tiles larger or smaller; 0 is what fits.
    pub fn set_zoom(&mut self, zoom: i32, now_ms: f64, motion: Motion) {
        self.zoom = zoom.clamp(-4, 4);
        self.settle(self.viewport, now_ms, motion, &Sorted::default());
    }

    /// Takes the rows as they are now.
    pub fn sync(
        &mut self,
        nodes: &Rows<NodeRow>,
        pods: &Rows<PodRow>,
        services: &Rows<ServiceRow>,
        now_ms: f64,
        motion: Motion,
    ) {
        self.take_nodes(nodes);
        self.take_services(services);
        self.drop_pods(pods, now_ms, motion);
        let mut newcomers = Vec::new();
        let mut origins = Sorted::default();
        for (uid, pod) in pods.iter() {
            let place = self.place_of(pod);
            let before = self.slots.seat(uid).map(|(place, _)| place.clone());
            if before.as_ref() != Some(&place) {
                self.damage.ground = true;
                self.slots.put(uid, place);
            }
            match self.tiles.contains(uid) {
                true => {
                    self.change_tile(uid, pod, now_ms, motion);
                    if let Some(before) = before {
                        origins.put(Rc::clone(uid), before);
                    }
                }
                false => newcomers.push((uid, pod)),
            }
        }
        self.settle(self.viewport, now_ms, motion, &origins);
        let motion =
            if newcomers.len() > FLOCK && motion == Motion::Full { Motion::Fade } else { motion };
        for (index, (uid, pod)) in newcomers.into_iter().enumerate() {
            let tile = self.newcomer(uid, pod, index, now_ms, motion);
            if !tile.airborne {
                self.damage.add(tile.to.rect);
            }
            self.tiles.put(Rc::clone(uid), Box::new(tile));
        }
    }

    fn place_of(&self, pod: &PodRow) -> Place {
        match &pod.node {
            Some(name) => match self.nodes.entry(name) {
                Some((name, _)) => Place::Node(Rc::clone(name)),
                None => Place::Tray,
            },
            None => Place::Tray,
        }
    }

    fn take_nodes(&mut self, nodes: &Rows<NodeRow>) {
        let same = self.nodes.len() == nodes.len()
            && self.nodes.values().zip(nodes.values()).all(|(old, new)| Rc::ptr_eq(old, new));
        if same {
            return;
        }
        self.damage.ground = true;
        self.nodes = nodes.clone();
        self.names = ordered(nodes.keys().cloned().collect(), |name| natural_key(name));
    }

    fn take_services(&mut self, services: &Rows<ServiceRow>) {
        let same = self.services.len() == services.len()
            && self.services.values().zip(services.values()).all(|(old, new)| Rc::ptr_eq(old, new));
        if !same {
            self.damage.ground = true;
            self.services = services.clone();
        }
    }

    fn drop_pods(&mut self, pods: &Rows<PodRow>, now_ms: f64, motion: Motion) {
        let gone: Vec<Rc<str>> =
            self.tiles.keys().filter(|uid| !pods.contains(uid)).cloned().collect();
        for uid in gone {
            self.slots.remove(&uid);
            self.damage.ground = true;
            let Some(mut tile) = self.tiles.remove(&uid) else { continue };
            self.damage.add(tile.to.rect);
            if motion != Motion::None && tile.to.alpha > 0.0 {
                let scale = if motion == Motion::Full { 0.4 } else { 1.0 };
                tile.go(Pose { alpha: 0.0, scale, ..tile.to }, now_ms, FADE_MS);
                self.leaving.push(*tile);
            }
        }
    }

    fn change_tile(&mut self, uid: &str, pod: &Rc<PodRow>, now_ms: f64, motion: Motion) {
        let Some(tile) = self.tiles.get_mut(uid) else { return };
        if Rc::ptr_eq(&tile.pod, pod) {
            return;
        }
        if tile.pod.state != pod.state && motion != Motion::None {
            (tile.before, tile.changed_ms) = (Some(tile.pod.state), now_ms);
            tile.airborne = true;
        }
        tile.pod = Rc::clone(pod);
        self.damage.add(tile.to.rect);
    }

    /// Chooses the layout again and sends every tile to its slot.
    fn settle(&mut self, viewport: Viewport, now_ms: f64, motion: Motion, origins: &Sorted<Place>) {
        let current = (!self.names.is_empty() && !self.layout.panels.is_empty())
            .then_some(self.layout.fitting);
        let (longest, fullest) = (self.slots.longest_node(), self.slots.fullest_node());
        let names = |(uid, row): (&Rc<str>, &Rc<ServiceRow>)| {
            (Rc::clone(uid), format!("{}/{}", row.namespace, row.name))
        };
        let names = ordered(self.services.iter().map(names).collect(), |(_, name)| name.clone());
        let uids = names.into_iter().map(|(uid, _)| uid).collect();
        let mut hubs = Hubs::of(viewport, uids, self.outside);
        let left = Viewport { height: viewport.height - hubs.height, ..viewport };
        let layout = Layout::choose(left, &self.names, current, longest, fullest, self.zoom);
        hubs.place(layout.height);
        if hubs != self.hubs {
            self.hubs = hubs;
            self.damage.ground = true;
        }
        if layout.density != self.layout.density {
            self.slots.compact();
        }
        if layout != self.layout {
            self.layout = layout;
            self.damage.ground = true;
            self.damage.all();
        }
        for (uid, tile) in self.tiles.iter_mut() {
            let Some((place, slot)) = self.slots.seat(uid) else { continue };
            let to = match self.layout.slot(place, *slot) {
                Some(rect) => Pose::at(rect),
                None => Pose { alpha: 0.0, ..Pose::at(self.layout.overflow()) },
            };
            if to == tile.to {
                continue;
            }
            // Lanes end at tiles.
            self.damage.ground = true;
            self.damage.add(tile.to.rect);
            let flies = origins.get(uid).is_some_and(|before| before != place);
            match motion {
                Motion::Full => tile.go(to, now_ms, if flies { FLIGHT_MS } else { FADE_MS }),
                Motion::Fade => {
                    tile.go(to, now_ms, FADE_MS);
                    tile.from = Pose { alpha: 0.0, ..to };
                }
                Motion::None => {
                    tile.go(to, now_ms, 0.0);
                    tile.airborne = tile.change(now_ms).is_some();
                    self.damage.add(to.rect);
                }
            }
        }
    }

    fn newcomer(
        &self,
        uid: &Rc<str>,
        pod: &Rc<PodRow>,
        index: usize,
        now_ms: f64,
        motion: Motion,
    ) -> Tile {
        let seat = self.slots.seat(uid);
        let slot = seat.and_then(|(place, slot)| self.layout.slot(place, *slot));
        let to = match slot {
            Some(rect) => Pose::at(rect),
            None => Pose { alpha: 0.0, ..Pose::at(self.layout.overflow()) },
        };
        let bound = seat.is_some_and(|(place, _)| *place != Place::Tray);
        let from = match motion {
            Motion::Full if bound => {
                let entry = self.layout.slot(&Place::Tray, 0).unwrap_or(to.rect);
                Pose { rect: entry, alpha: 0.0, scale: 0.5 }
            }
            Motion::Full => Pose { alpha: 0.0, scale: 0.2, ..to },
            Motion::Fade | Motion::None => Pose { alpha: 0.0, ..to },
        };
        let (delay_ms, duration_ms) = match motion {
            Motion::Full => (STAGGER_MS * index.min(20) as f64, FLIGHT_MS),
            Motion::Fade => (0.0, FADE_MS),
            Motion::None => (0.0, 0.0),
        };
        Tile {
            pod: Rc::clone(pod),
            from,
            to,
            start_ms: now_ms + delay_ms,
            duration_ms,
            before: None,
            changed_ms: now_ms,
            airborne: motion != Motion::None,
        }
    }

    /// Lets time pass: tiles that arrived come to rest. Whether anything still moves.
    pub fn tick(&mut self, now_ms: f64) -> bool {
        self.leaving.retain(|tile| tile.moving(now_ms));
        let mut moving = self.flights.tick(now_ms) || !self.leaving.is_empty();
        for tile in self.tiles.values_mut().filter(|tile| tile.airborne) {
            if tile.moving(now_ms) {
                moving = true;
            } else {
                tile.airborne = false;
                tile.before = None;
                self.damage.add(tile.to.rect);
            }
        }
        moving
    }

    /// What is under a point.
    pub fn hit(&self, point: Point) -> Option<Target> {
        if let Some(uid) = self.hubs.at(point) {
            return Some(Target::Service(Rc::clone(uid)));
        }
        if let Some((place, slot)) = self.layout.slot_at(point)
            && let Some(uid) = self.slots.at(&place, slot)
        {
            return Some(Target::Pod(Rc::clone(uid)));
        }
        self.layout.panel_at(point).map(|panel| Target::Node(Rc::clone(&panel.name)))
    }

    /// Where a target is, for outlines and scrolling.
    pub fn rect_of(&self, target: &Target) -> Option<Rect> {
        match target {
            Target::Service(uid) => self.hubs.rect_of(uid),
            Target::Node(name) => self.layout.panel(name).map(|panel| panel.rect),
            Target::Pod(uid) => {
                self.tiles.get(uid).filter(|tile| tile.to.alpha > 0.0).map(|tile| tile.to.rect)
            }
        }
    }

    /// Everything that the keyboard can reach, in reading order: the tray, then each node and
    /// its pods, then Services. A node counts as its heading, so that arrows find it above its
    /// pods.
    pub fn order(&self) -> Vec<(Target, Rect)> {
        let tray = self.pods_of(&Place::Tray);
        let nodes = self.layout.panels.iter().flat_map(|panel| {
            let head = (Target::Node(Rc::clone(&panel.name)), panel.head);
            let pods = self.pods_of(&Place::Node(Rc::clone(&panel.name)));
            std::iter::once(head).chain(pods).collect::<Vec<_>>()
        });
        let hubs = self.hubs.iter().map(|(uid, rect)| (Target::Service(Rc::clone(uid)), rect));
        tray.into_iter().chain(nodes).chain(hubs).collect()
    }

    fn pods_of(&self, place: &Place) -> Vec<(Target, Rect)> {
        let pods = self.slots.of(place);
        pods.filter_map(|(slot, uid)| {
            Some((Target::Pod(Rc::clone(uid)), self.layout.slot(place, slot)?))
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::World;
    use crate::model::testing::{batch, node, pod};
    use protocol::Delta;

    const VIEW: Viewport = Viewport { width: 900.0, height: 600.0 };

    struct Stage {
        world: World,
        scene: Scene,
        sequence: u64,
    }

    impl Stage {
        fn new(nodes: usize) -> Stage {
            let mut stage = Stage { world: World::default(), scene: Scene::new(VIEW), sequence: 0 };
            let nodes = (1..=nodes).map(|number| Delta::Node(node(&format!("node-{number}"))));
            stage.play(nodes.collect(), 0.0, Motion::Full);
            stage.scene.tick(1000.0);
            stage.scene.take_damage();
            stage
        }

        fn play(&mut self, deltas: Vec<Delta>, now_ms: f64, motion: Motion) {
            self.sequence += 1;
            self.world.apply(batch(self.sequence, deltas)).unwrap();
            let tables = &self.world.tables;
            self.scene.sync(&tables.nodes, &tables.pods, &tables.services, now_ms, motion);
        }

        fn rect(&self, uid: &str) -> Rect {
            self.scene.rect_of(&Target::Pod(uid.into())).unwrap()
        }
    }

    fn put(uid: &str, node: Option<&str>, state: PodState) -> Delta {
        Delta::Pod(Box::new(pod(uid, node, state)))
    }

    #[test]
    fn a_pod_is_born_in_the_tray_and_slides_to_its_node() {
        let mut stage = Stage::new(3);
        stage.play(vec![put("a", None, PodState::Unscheduled)], 1000.0, Motion::Full);
        let tray = stage.scene.layout().tray;
        assert!(tray.contains(stage.rect("a").center()));
        assert!(!stage.scene.tick(2000.0), "at rest");

        stage.play(vec![put("a", Some("node-2"), PodState::Creating)], 2000.0, Motion::Full);
        let panel = stage.scene.layout().panel("node-2").unwrap().rect;
        let tile = stage.scene.tile("a").unwrap();
        assert!(tray.contains(tile.pose(2000.0).rect.center()), "starts where it was");
        assert!(panel.contains(tile.pose(2320.0).rect.center()), "ends on its node");
        assert!(stage.scene.tick(2100.0));
        assert!(!stage.scene.tick(2321.0));
        assert_eq!(stage.scene.airborne().count(), 0);
    }

    #[test]
    fn nothing_moves_that_did_not_change() {
        let mut stage = Stage::new(3);
        let deltas = ["a", "b", "c"].map(|uid| put(uid, Some("node-1"), PodState::Ready));
        stage.play(deltas.to_vec(), 1000.0, Motion::Full);
        stage.scene.tick(3000.0);
        stage.scene.take_damage();
        let before = ["b", "c"].map(|uid| stage.rect(uid));
        let replacement = put("d", Some("node-1"), PodState::Creating);
        stage.play(vec![Delta::PodRemoved("a".into()), replacement], 3000.0, Motion::Full);
        assert_eq!(["b", "c"].map(|uid| stage.rect(uid)), before);
        let moving: Vec<&str> = stage.scene.airborne().map(|tile| tile.pod.uid.as_str()).collect();
        assert_eq!(moving, ["a", "d"]);
        assert!(!stage.scene.take_damage().everything);
    }

    #[test]
    fn an_unchanged_world_damages_nothing() {
        let mut stage = Stage::new(3);
        stage.play(vec![put("a", Some("node-1"), PodState::Ready)], 1000.0, Motion::Full);
        stage.scene.tick(3000.0);
        stage.scene.take_damage();
        stage.play(vec![], 3000.0, Motion::Full);
        assert!(!stage.scene.tick(3000.0));
        assert_eq!(stage.scene.take_damage(), Damage::default());
    }

    #[test]
    fn reduced_motion_changes_states_at_once() {
        let mut stage = Stage::new(3);
        stage.play(vec![put("a", None, PodState::Unscheduled)], 1000.0, Motion::None);
        stage.play(vec![put("a", Some("node-1"), PodState::Ready)], 1001.0, Motion::None);
        assert!(!stage.scene.tick(1001.0));
        assert_eq!(stage.scene.resting().count(), 1);
        stage.play(vec![Delta::PodRemoved("a".into())], 1002.0, Motion::None);
        assert_eq!(stage.scene.airborne().count(), 0);
    }

    #[test]
    fn speed_decides_what_may_move() {
        assert_eq!(Motion::for_speed(1.0, false), Motion::Full);
        assert_eq!(Motion::for_speed(20.0, false), Motion::Full);
        assert_eq!(Motion::for_speed(50.0, false), Motion::Fade);
        assert_eq!(Motion::for_speed(500.0, false), Motion::None);
        assert_eq!(Motion::for_speed(1.0, true), Motion::None);
    }

    #[test]
    fn a_state_change_fades_from_the_old_glyph() {
        let mut stage = Stage::new(1);
        stage.play(vec![put("a", Some("node-1"), PodState::RunningNotReady)], 0.0, Motion::Full);
        stage.scene.tick(1000.0);
        stage.play(vec![put("a", Some("node-1"), PodState::Ready)], 1000.0, Motion::Full);
        let tile = stage.scene.tile("a").unwrap();
        assert_eq!(tile.change(1100.0), Some((PodState::RunningNotReady, 0.5)));
        assert_eq!(tile.change(1200.0), None);
    }

    #[test]
    fn a_crowd_in_the_tray_is_counted_not_drawn() {
        let mut stage = Stage::new(3);
        let crowd = (0..1000).map(|n| put(&format!("p{n:04}"), None, PodState::Unscheduled));
        stage.play(crowd.collect(), 0.0, Motion::Full);
        stage.scene.tick(5000.0);
        let capacity = stage.scene.layout().tray_capacity;
        assert_eq!(stage.scene.waiting(), (1000, 1000 - capacity));
        assert_eq!(stage.scene.resting().count(), capacity);
    }

    #[test]
    fn a_thousand_pods_on_a_hundred_nodes_are_all_found_by_pointer_and_keyboard() {
        let mut stage = Stage::new(100);
        let crowd = (0..1000).map(|n| {
            put(&format!("p{n:04}"), Some(&format!("node-{}", n % 100 + 1)), PodState::Ready)
        });
        stage.play(crowd.collect(), 0.0, Motion::Full);
        let order = stage.scene.order();
        assert_eq!(order.len(), 1100);
        for (target, rect) in order {
            assert_eq!(stage.scene.hit(rect.center()), Some(target));
        }
    }

    #[test]
    fn a_pod_whose_node_is_gone_goes_to_the_tray() {
        let mut stage = Stage::new(2);
        stage.play(vec![put("a", Some("node-2"), PodState::Unknown)], 0.0, Motion::Full);
        stage.play(vec![Delta::NodeRemoved("node-2".into())], 1000.0, Motion::Full);
        assert!(stage.scene.layout().tray.contains(stage.rect("a").center()));
    }
}
