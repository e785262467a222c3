//! Where panels, tray and slots are. A pure function of the size, the names of the nodes and the
//! density; what is in the slots does not matter to it.

use std::rc::Rc;

use super::geometry::{Point, Rect};
use super::slots::Place;
use crate::format::within;

/// How large tiles are. Denser levels leave words away.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Density {
    /// Name and status beside the glyph, with room for a whole name.
    Wide,
    /// Name and status beside the glyph.
    Card,
    /// Name beside the glyph.
    Line,
    /// A large glyph.
    Large,
    /// A glyph.
    Medium,
    /// A small glyph.
    Small,
    /// A dot with a shape.
    Tiny,
}

impl Density {
    /// All of them, largest first.
    pub const ALL: [Density; 7] = [
        Density::Wide,
        Density::Card,
        Density::Line,
        Density::Large,
        Density::Medium,
        Density::Small,
        Density::Tiny,
    ];

    /// So many steps larger, or smaller if negative; as far as there are any.
    fn larger(self, steps: i32) -> Density {
        let index = self as i32 - steps;
        Density::ALL[index.clamp(0, Density::ALL.len() as i32 - 1) as usize]
    }

    /// Least width, height and gap of a tile.
    fn tile(self) -> (f64, f64, f64) {
        match self {
            Density::Wide => (140.0, 44.0, 8.0),
            Density::Card => (120.0, 44.0, 8.0),
            Density::Line => (104.0, 22.0, 4.0),
            Density::Large => (40.0, 40.0, 8.0),
            Density::Medium => (26.0, 26.0, 6.0),
            Density::Small => (16.0, 16.0, 4.0),
            Density::Tiny => (9.0, 9.0, 3.0),
        }
    }
}

/// The size of the view, in CSS pixels.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Viewport {
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// A node's place on the map.
#[derive(Clone, PartialEq, Debug)]
pub struct Panel {
    /// The node.
    pub name: Rc<str>,
    /// The whole panel.
    pub rect: Rect,
    /// Its heading: name, state and bars.
    pub head: Rect,
    /// Where tiles go.
    pub body: Rect,
}

/// A rectangle cut into equal slots, row by row.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Grid {
    columns: usize,
    tile_width: f64,
    tile_height: f64,
    gap: f64,
}

impl Grid {
    /// The grid of a density in a width; none if not even one tile fits.
    fn fit(density: Density, width: f64) -> Option<Grid> {
        let (least_width, tile_height, gap) = density.tile();
        let columns = ((width + gap) / (least_width + gap)).floor().max(0.0) as usize;
        let stretched = (width - gap * (columns.max(1) - 1) as f64) / columns.max(1) as f64;
        let tile_width =
            if density <= Density::Line { stretched.min(2.0 * least_width) } else { least_width };
        (columns > 0).then_some(Grid { columns, tile_width, tile_height, gap })
    }

    fn rows_in(&self, height: f64) -> usize {
        ((height + self.gap) / (self.tile_height + self.gap)).floor().max(0.0) as usize
    }

    fn height_of(&self, rows: usize) -> f64 {
        (rows as f64) * (self.tile_height + self.gap) - self.gap
    }

    fn rect(&self, area: &Rect, slot: usize) -> Rect {
        let (row, column) = (slot / self.columns, slot % self.columns);
        Rect::new(
            area.x + column as f64 * (self.tile_width + self.gap),
            area.y + row as f64 * (self.tile_height + self.gap),
            self.tile_width,
            self.tile_height,
        )
    }

    fn slot_at(&self, area: &Rect, point: Point) -> Option<usize> {
        let (x, y) = (point.x - area.x, point.y - area.y);
        if x < 0.0 || y < 0.0 {
            return None;
        }
        let column = (x / (self.tile_width + self.gap)) as usize;
        let slot = (y / (self.tile_height + self.gap)) as usize * self.columns + column;
        (column < self.columns && self.rect(area, slot).contains(point)).then_some(slot)
    }
}

/// The whole map.
#[derive(Clone, PartialEq, Debug)]
pub struct Layout {
    /// Size of the view for which it was made.
    pub viewport: Viewport,
    /// How large tiles are.
    pub density: Density,
    /// How large they are without zoom.
    pub fitting: Density,
    /// The tray, heading included.
    pub tray: Rect,
    /// Where the tray's tiles go.
    pub tray_body: Rect,
    /// How many tiles the tray shows; the others are only counted.
    pub tray_capacity: usize,
    /// Panels in the order of the nodes.
    pub panels: Vec<Panel>,
    /// Whether panels are too small for words beside their bars.
    pub compact: bool,
    /// Whether the view is low: headings, the tray's too, are one line.
    pub low: bool,
    /// Height of everything; more than the view's if it scrolls.
    pub height: f64,
    grid: Grid,
    tray_grid: Grid,
    columns: usize,
}

/// Sizes of panels that follow from the view and the number of nodes alone.
struct Frame {
    margin: f64,
    gap: f64,
    columns: usize,
    rows: usize,
    panel_width: f64,
    padding: f64,
    head: f64,
    least_body: f64,
    compact: bool,
    low: bool,
}

const TRAY_HEAD: f64 = 26.0;
/// In a low view the tray is one line: its heading, tiles, the count of those without room.
const LOW_TRAY: f64 = 40.0;
const LOW_TRAY_HEAD: f64 = 140.0;
const LOW_TRAY_COUNT: f64 = 40.0;

impl Frame {
    /// The frame for panels in which a tile of `least_tile` width has room.
    fn of(viewport: Viewport, nodes: usize, least_tile: f64) -> Frame {
        let nodes = nodes.max(1);
        let margin = if viewport.width < 480.0 { 12.0 } else { 16.0 };
        let (least_width, least_body): (f64, f64) = match nodes {
            0..=6 => (160.0, 96.0),
            7..=24 => (112.0, 60.0),
            _ => (76.0, 36.0),
        };
        let least_width = f64::max(least_width, least_tile + 24.0);
        let gap: f64 = if nodes <= 24 { 12.0 } else { 8.0 };
        let inner = (viewport.width - 2.0 * margin).max(least_width);
        let most = (((inner + gap) / (least_width + gap)).floor() as usize).max(1);
        let shape = (nodes as f64 * viewport.width / viewport.height.max(1.0) * 0.75).sqrt();
        let wanted = if nodes <= 6 { nodes } else { shape.round() as usize };
        let columns = balanced(nodes, wanted.clamp(1, most.min(nodes)));
        let rows = nodes.div_ceil(columns);
        // Two rows of named tiles in each panel are worth more than tall headings.
        let tall = rows as f64 * (76.0 + 96.0 + 12.0 + gap) + 84.0 + 2.0 * margin;
        let low = viewport.height < tall;
        let gap = if low { gap.min(10.0) } else { gap };
        let panel_width = (inner - gap * (columns - 1) as f64) / columns as f64;
        let compact = panel_width < 148.0 || (nodes > 24 && least_tile == 0.0);
        let (head, padding) = match (compact, low) {
            (true, _) => (34.0, 6.0),
            (false, true) => (46.0, 10.0),
            (false, false) => (76.0, 12.0),
        };
        let least_body = if low { least_body.min(44.0) } else { least_body };
        Frame { margin, gap, columns, rows, panel_width, padding, head, least_body, compact, low }
    }

    fn inner_width(&self) -> f64 {
        self.panel_width - 2.0 * self.padding
    }

    /// Where the tray's tiles go, and how.
    fn tray(&self, viewport: Viewport, density: Density) -> Option<(Rect, Grid)> {
        let width = viewport.width - 2.0 * self.margin;
        let x = self.margin + 12.0;
        if !self.low {
            let body = Rect::new(x, self.margin + TRAY_HEAD, (width - 24.0).max(1.0), 44.0);
            return Some((body, Grid::fit(density, body.width)?));
        }
        let grid_width = (width - 24.0 - LOW_TRAY_HEAD - LOW_TRAY_COUNT).max(1.0);
        let grid = Grid::fit(density.max(Density::Medium), grid_width)?;
        let y = self.margin + (LOW_TRAY - grid.tile_height) / 2.0;
        Some((Rect::new(x + LOW_TRAY_HEAD, y, grid_width, grid.tile_height), grid))
    }

    /// Height of a panel's body when all panels share what the view leaves.
    fn body(&self, viewport: Viewport, tray: f64) -> f64 {
        let rows = self.rows as f64;
        let left = viewport.height - 2.0 * self.margin - tray - self.gap * rows;
        within(left / rows - self.head - self.padding, self.least_body, 420.0)
    }
}

/// The fewest columns that need no more rows: 4 nodes in 3 columns become 2 × 2.
fn balanced(nodes: usize, columns: usize) -> usize {
    nodes.div_ceil(nodes.div_ceil(columns))
}

impl Layout {
    /// Lays the map out at a density for nodes that use up to `longest` slots. None when a tile
    /// of this density does not fit in a panel, or (unless it is the densest) the slots do not.
    pub fn at(
        viewport: Viewport,
        nodes: &[Rc<str>],
        density: Density,
        longest: usize,
    ) -> Option<Layout> {
        Layout::framed(viewport, nodes, density, longest, false)
    }

    /// The layout at a density that was chosen by hand: panels grow as tiles need, and the map
    /// scrolls.
    fn zoomed(
        viewport: Viewport,
        nodes: &[Rc<str>],
        density: Density,
        longest: usize,
    ) -> Option<Layout> {
        Layout::framed(viewport, nodes, density, longest, true)
    }

    fn framed(
        viewport: Viewport,
        nodes: &[Rc<str>],
        density: Density,
        longest: usize,
        grows: bool,
    ) -> Option<Layout> {
        let least_tile = if grows { density.tile().0 } else { 0.0 };
        let frame = Frame::of(viewport, nodes.len(), least_tile);
        let grid = Grid::fit(density, frame.inner_width())?;
        let (tray_body, tray_grid) = frame.tray(viewport, density)?;
        let tray_rows = tray_grid.rows_in(44.0).max(1);
        let tray_height = match frame.low {
            true => LOW_TRAY,
            false => TRAY_HEAD + tray_grid.height_of(tray_rows).max(40.0) + 14.0,
        };
        let tray_rows = if frame.low { 1 } else { tray_rows };
        let fitting = frame.body(viewport, tray_height);
        let rows = longest.div_ceil(grid.columns);
        let body = if rows <= grid.rows_in(fitting) {
            fitting
        } else if grows || density == Density::Tiny {
            grid.height_of(rows)
        } else {
            return None;
        };
        let tray = Rect::new(
            frame.margin,
            frame.margin,
            (viewport.width - 2.0 * frame.margin).max(1.0),
            tray_height,
        );
        let panels = panels(&frame, nodes, tray.bottom() + frame.gap, body);
        let bottom = panels.last().map_or(tray.bottom(), |panel| panel.rect.bottom());
        Some(Layout {
            viewport,
            density,
            fitting: density,
            tray,
            tray_body,
            tray_capacity: tray_grid.columns * tray_rows,
            panels,
            compact: frame.compact,
            low: frame.low,
            height: (bottom + frame.margin).max(viewport.height),
            grid,
            tray_grid,
            columns: frame.columns,
        })
    }

    /// The layout for this many pods: as large as fits, but no larger than `current` until there
    /// is ample room, so that the map does not breathe in and out. `longest` counts the fullest
    /// node's slots with their holes, `fullest` only its pods; `zoom` is how many steps larger
    /// than that the person wants tiles to be.
    pub fn choose(
        viewport: Viewport,
        nodes: &[Rc<str>],
        current: Option<Density>,
        longest: usize,
        fullest: usize,
        zoom: i32,
    ) -> Layout {
        let fitting = Layout::fitting(viewport, nodes, current, longest, fullest);
        if zoom == 0 {
            return fitting;
        }
        let density = fitting.density.larger(zoom);
        let zoomed = Layout::zoomed(viewport, nodes, density, longest);
        zoomed.map(|layout| Layout { fitting: fitting.density, ..layout }).unwrap_or(fitting)
    }

    fn fitting(
        viewport: Viewport,
        nodes: &[Rc<str>],
        current: Option<Density>,
        longest: usize,
        fullest: usize,
    ) -> Layout {
        let roomy = fullest + fullest.div_ceil(2) + 1;
        let fits = |density: Density| {
            let slots = match current {
                Some(current) if density < current => roomy,
                _ => longest,
            };
            Layout::at(viewport, nodes, density, slots)
        };
        Density::ALL.into_iter().find_map(fits).unwrap_or_else(|| {
            let wide = Viewport { width: viewport.width.max(200.0), ..viewport };
            Layout::at(wide, nodes, Density::Tiny, longest)
                .expect("a dot fits in the narrowest panel")
        })
    }

    /// Where a slot is.
    pub fn slot(&self, place: &Place, slot: usize) -> Option<Rect> {
        match place {
            Place::Tray if slot < self.tray_capacity => {
                Some(self.tray_grid.rect(&self.tray_body, slot))
            }
            Place::Tray => None,
            Place::Node(name) => Some(self.grid.rect(&self.panel(name)?.body, slot)),
        }
    }

    /// Where tray tiles go that have no room: behind the count at the tray's end.
    pub fn overflow(&self) -> Rect {
        self.tray_grid.rect(&self.tray_body, self.tray_capacity - 1)
    }

    /// A node's panel.
    pub fn panel(&self, name: &str) -> Option<&Panel> {
        let index = self.panels.binary_search_by(|panel| natural(&panel.name, name)).ok()?;
        self.panels.get(index)
    }

    /// The panel under a point.
    pub fn panel_at(&self, point: Point) -> Option<&Panel> {
        let first = self.panels.first()?.rect;
        let second = self.panels.get(1).map_or(first, |panel| panel.rect);
        let pitch_x = if self.columns > 1 { second.x - first.x } else { first.width + 1.0 };
        let below = self.panels.get(self.columns).map_or(first, |panel| panel.rect);
        let pitch_y = if below == first { first.height + 1.0 } else { below.y - first.y };
        if point.x < first.x || point.y < first.y {
            return None;
        }
        let (column, row) = ((point.x - first.x) / pitch_x, (point.y - first.y) / pitch_y);
        let index = row as usize * self.columns + column as usize;
        self.panels.get(index).filter(|panel| panel.rect.contains(point))
    }

    /// The slot under a point.
    pub fn slot_at(&self, point: Point) -> Option<(Place, usize)> {
        if self.tray.contains(point) {
            let slot = self.tray_grid.slot_at(&self.tray_body, point)?;
            return (slot < self.tray_capacity).then_some((Place::Tray, slot));
        }
        let panel = self.panel_at(point)?;
        let slot = self.grid.slot_at(&panel.body, point)?;
        Some((Place::Node(Rc::clone(&panel.name)), slot))
    }
}

fn panels(frame: &Frame, nodes: &[Rc<str>], top: f64, body: f64) -> Vec<Panel> {
    let height = frame.head + body + frame.padding;
    let place = |(index, name): (usize, &Rc<str>)| {
        let (row, column) = (index / frame.columns, index % frame.columns);
        let x = frame.margin + column as f64 * (frame.panel_width + frame.gap);
        let y = top + row as f64 * (height + frame.gap);
        let inner = frame.inner_width();
        Panel {
            name: Rc::clone(name),
            rect: Rect::new(x, y, frame.panel_width, height),
            head: Rect::new(x + frame.padding, y, inner, frame.head),
            body: Rect::new(x + frame.padding, y + frame.head, inner, body),
        }
    };
    nodes.iter().enumerate().map(place).collect()
}

fn stem_and_number(name: &str) -> (&str, u64) {
    let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    (stem, name[stem.len()..].parse().unwrap_or(0))
}

/// Names in the order in which people count: `node-2` before `node-10`.
fn natural(left: &str, right: &str) -> std::cmp::Ordering {
    stem_and_number(left).cmp(&stem_and_number(right)).then_with(|| left.cmp(right))
}

/// A text whose order is the names' natural one.
pub fn natural_key(name: &str) -> String {
    let (stem, number) = stem_and_number(name);
    format!("{stem}\0{number:020}\0{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<Rc<str>> {
        (1..=count).map(|number| Rc::from(format!("node-{number}"))).collect()
    }

    const VIEWS: [Viewport; 4] = [
        Viewport { width: 360.0, height: 560.0 },
        Viewport { width: 568.0, height: 430.0 },
        Viewport { width: 1280.0, height: 700.0 },
        Viewport { width: 1680.0, height: 980.0 },
    ];

    #[test]
    fn panels_stay_inside_the_view_and_apart() {
        for viewport in VIEWS {
            for count in [1, 2, 3, 4, 7, 24, 100, 500] {
                let layout = Layout::choose(viewport, &names(count), None, 12, 12, 0);
                for (index, panel) in layout.panels.iter().enumerate() {
                    assert!(panel.rect.x >= 0.0 && panel.rect.right() <= viewport.width + 0.01);
                    assert!(panel.rect.bottom() <= layout.height);
                    assert!(!panel.rect.intersects(&layout.tray));
                    for other in &layout.panels[..index] {
                        assert!(!panel.rect.inflate(-0.01).intersects(&other.rect), "{count}");
                    }
                }
            }
        }
    }

    #[test]
    fn three_nodes_stand_side_by_side_on_a_desk_and_below_each_other_on_a_phone() {
        let desk = Layout::choose(VIEWS[1], &names(3), None, 3, 3, 0);
        assert_eq!(desk.panels[0].rect.y, desk.panels[2].rect.y);
        let phone = Layout::choose(VIEWS[0], &names(3), None, 3, 3, 0);
        assert!(phone.panels[2].rect.y > phone.panels[0].rect.y);
    }

    #[test]
    fn every_slot_is_found_again_under_its_middle_and_lies_in_its_panel() {
        for (viewport, pods) in VIEWS.into_iter().zip([1, 9, 30, 110]) {
            let nodes = names(5);
            let layout = Layout::choose(viewport, &nodes, None, pods, pods, 0);
            for name in &nodes {
                let place = Place::Node(Rc::clone(name));
                for slot in 0..pods {
                    let rect = layout.slot(&place, slot).unwrap();
                    assert_eq!(layout.slot_at(rect.center()), Some((place.clone(), slot)));
                    let body = layout.panel(name).unwrap().rect;
                    assert!(rect.bottom() <= body.bottom() + 0.01, "{viewport:?} {pods}");
                    assert!(rect.right() <= body.right() + 0.01);
                }
            }
            for slot in 0..layout.tray_capacity {
                let rect = layout.slot(&Place::Tray, slot).unwrap();
                assert_eq!(layout.slot_at(rect.center()), Some((Place::Tray, slot)));
            }
            assert_eq!(layout.slot(&Place::Tray, layout.tray_capacity), None);
        }
    }

    #[test]
    fn more_pods_make_smaller_tiles_and_a_thousand_on_a_hundred_nodes_fit() {
        let few = Layout::choose(VIEWS[1], &names(3), None, 1, 1, 0);
        let many = Layout::choose(VIEWS[1], &names(3), None, 60, 60, 0);
        assert_eq!(few.density, Density::Wide);
        assert!(many.density > few.density);
        let crowd = Layout::choose(VIEWS[3], &names(100), None, 10, 10, 0);
        assert!(crowd.height <= VIEWS[3].height, "no scrolling beside both panels at 2560");
    }

    #[test]
    fn the_density_does_not_flutter_around_a_border() {
        let nodes = names(3);
        let capacity = (1..200)
            .take_while(|&pods| Layout::at(VIEWS[1], &nodes, Density::Wide, pods).is_some())
            .count();
        let over =
            Layout::choose(VIEWS[1], &nodes, Some(Density::Wide), capacity + 1, capacity + 1, 0);
        assert!(over.density > Density::Wide);
        let back = Layout::choose(VIEWS[1], &nodes, Some(over.density), capacity, capacity, 0);
        assert_eq!(back.density, over.density, "one fewer is no reason to grow");
        let far = Layout::choose(VIEWS[1], &nodes, Some(over.density), capacity, 1, 0);
        assert_eq!(far.density, Density::Wide, "ample room is");
    }

    #[test]
    fn zoom_makes_tiles_larger_and_the_map_scroll_but_never_wider() {
        let nodes = names(100);
        for zoom in [-2, 1, 2, 3, 9] {
            let layout = Layout::choose(VIEWS[1], &nodes, None, 10, 10, zoom);
            let plain = Layout::choose(VIEWS[1], &nodes, None, 10, 10, 0);
            assert_eq!(layout.density < plain.density, zoom > 0, "{zoom}");
            for panel in &layout.panels {
                assert!(panel.rect.right() <= VIEWS[1].width + 0.01);
                assert!(panel.rect.bottom() <= layout.height);
                let last = layout.slot(&Place::Node(Rc::clone(&panel.name)), 9).unwrap();
                assert!(last.bottom() <= panel.rect.bottom() + 0.01);
                assert!(last.right() <= panel.rect.right() + 0.01);
            }
        }
    }

    #[test]
    fn names_are_ordered_as_people_count() {
        let mut list = ["node-10", "node-2", "a", "node-1"];
        let want = ["a", "node-1", "node-2", "node-10"];
        list.sort_by(|left, right| natural(left, right));
        assert_eq!(list, want);
        list.reverse();
        list.sort_by_key(|name| natural_key(name));
        assert_eq!(list, want);
    }
}
