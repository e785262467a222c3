//! Where Services are: a row of hubs below the nodes, with the machine outside at its end when
//! that has anything to do. A function of the width and the Services.

use std::rc::Rc;

use super::geometry::{Point, Rect};
use super::layout::Viewport;

const HEAD: f64 = 20.0;
const HEIGHT: f64 = 24.0;
const GAP: f64 = 7.0;
const LEAST_WIDTH: f64 = 106.0;
const MOST_WIDTH: f64 = 220.0;
/// More rows than these are not drawn, only counted.
const MOST_ROWS: usize = 4;

/// The Services on the map.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Hubs {
    /// Height of the band; none without Services.
    pub height: f64,
    /// How many Services have no room.
    pub hidden: usize,
    /// The band's upper left corner.
    pub corner: Point,
    services: Vec<Rc<str>>,
    outside: bool,
    columns: usize,
    width: f64,
}

impl Hubs {
    /// The hubs of these Services, in their order.
    pub fn of(viewport: Viewport, mut services: Vec<Rc<str>>, outside: bool) -> Hubs {
        if services.is_empty() && !outside {
            return Hubs::default();
        }
        let margin = if viewport.width < 480.0 { 12.0 } else { 16.0 };
        let inner = (viewport.width - 2.0 * margin).max(LEAST_WIDTH);
        let columns = (((inner + GAP) / (LEAST_WIDTH + GAP)) as usize).max(1);
        let wanted = services.len() + usize::from(outside);
        let shown = wanted.min(columns * MOST_ROWS);
        let hidden = wanted - shown;
        services.truncate(shown - usize::from(outside));
        let width = ((inner + GAP) / columns.min(shown) as f64 - GAP).min(MOST_WIDTH);
        let rows = shown.div_ceil(columns) as f64;
        let height = HEAD + rows * (HEIGHT + GAP) + 4.0;
        let corner = Point { x: margin, y: 0.0 };
        Hubs { height, hidden, corner, services, outside, columns, width }
    }

    /// Puts the band at a height.
    pub fn place(&mut self, top: f64) {
        self.corner.y = top - 8.0;
    }

    fn rect(&self, index: usize) -> Rect {
        let (row, column) = (index / self.columns, index % self.columns);
        Rect::new(
            self.corner.x + column as f64 * (self.width + GAP),
            self.corner.y + HEAD + row as f64 * (HEIGHT + GAP),
            self.width,
            HEIGHT,
        )
    }

    /// Each Service and its hub.
    pub fn iter(&self) -> impl Iterator<Item = (&Rc<str>, Rect)> {
        self.services.iter().enumerate().map(|(index, uid)| (uid, self.rect(index)))
    }

    /// The machine outside.
    pub fn outside(&self) -> Option<Rect> {
        self.outside.then(|| self.rect(self.services.len()))
    }

    /// A Service's hub.
    pub fn rect_of(&self, uid: &str) -> Option<Rect> {
        self.iter().find(|(other, _)| &***other == uid).map(|(_, rect)| rect)
    }

    /// The Service under a point.
    pub fn at(&self, point: Point) -> Option<&Rc<str>> {
        self.iter().find(|(_, rect)| rect.contains(point)).map(|(uid, _)| uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uids(count: usize) -> Vec<Rc<str>> {
        (0..count).map(|number| Rc::from(number.to_string())).collect()
    }

    #[test]
    fn hubs_stay_inside_the_view_and_apart_and_are_found_again() {
        for width in [336.0, 360.0, 600.0, 1280.0] {
            for (count, outside) in [(1, false), (2, true), (5, false), (14, true), (100, true)] {
                let mut hubs = Hubs::of(Viewport { width, height: 700.0 }, uids(count), outside);
                hubs.place(500.0);
                let rects: Vec<_> = hubs.iter().collect();
                assert_eq!(rects.len() + hubs.hidden, count);
                let outside = hubs.outside();
                assert!(outside.is_none_or(|own| rects.iter().all(|(_, it)| !it.intersects(&own))));
                for (index, (uid, rect)) in rects.iter().enumerate() {
                    assert!(rect.x >= 0.0 && rect.right() <= width, "{width} {count}");
                    assert!(rect.y > 500.0 - 8.0 && rect.bottom() <= 500.0 + hubs.height);
                    assert_eq!(hubs.at(rect.center()), Some(*uid));
                    for (_, other) in &rects[..index] {
                        assert!(!rect.intersects(other));
                    }
                }
            }
        }
    }

    #[test]
    fn without_services_there_is_no_band() {
        assert_eq!(Hubs::of(Viewport { width: 600.0, height: 700.0 }, vec![], false).height, 0.0);
    }
}
