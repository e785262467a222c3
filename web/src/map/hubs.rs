//! Where Services are: a row of hubs below the nodes. A function of the width and the Services.

use std::rc::Rc;

use super::geometry::{Point, Rect};
use super::layout::Viewport;

const HEAD: f64 = 22.0;
const HEIGHT: f64 = 28.0;
const GAP: f64 = 8.0;
const LEAST_WIDTH: f64 = 124.0;
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
    columns: usize,
    width: f64,
}

impl Hubs {
    /// The hubs of these Services, in their order.
    pub fn of(viewport: Viewport, mut services: Vec<Rc<str>>) -> Hubs {
        if services.is_empty() {
            return Hubs::default();
        }
        let margin = if viewport.width < 480.0 { 12.0 } else { 16.0 };
        let inner = (viewport.width - 2.0 * margin).max(LEAST_WIDTH);
        let columns = (((inner + GAP) / (LEAST_WIDTH + GAP)) as usize).max(1);
        let shown = services.len().min(columns * MOST_ROWS);
        let hidden = services.len() - shown;
        services.truncate(shown);
        let width = ((inner + GAP) / columns.min(shown) as f64 - GAP).min(MOST_WIDTH);
        let rows = shown.div_ceil(columns) as f64;
        let height = HEAD + rows * (HEIGHT + GAP) + 4.0;
        let corner = Point { x: margin, y: 0.0 };
        Hubs { height, hidden, corner, services, columns, width }
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
            for count in [1, 2, 5, 14, 100] {
                let mut hubs = Hubs::of(Viewport { width, height: 700.0 }, uids(count));
                hubs.place(500.0);
                let rects: Vec<_> = hubs.iter().collect();
                assert_eq!(rects.len() + hubs.hidden, count);
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
        assert_eq!(Hubs::of(Viewport { width: 600.0, height: 700.0 }, vec![]).height, 0.0);
    }
}
