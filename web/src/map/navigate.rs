//! Arrow keys on the map: the next thing in a direction, as the eye sees it.

use super::geometry::Rect;

/// An arrow key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// ←
    Left,
    /// →
    Right,
    /// ↑
    Up,
    /// ↓
    Down,
}

/// The index of the nearest rectangle in a direction. Straying sideways counts more than the way
/// itself, so that a row or a column is walked to its end before another one begins.
pub fn step(from: &Rect, all: &[Rect], direction: Direction) -> Option<usize> {
    let start = from.center();
    let cost = |rect: &Rect| {
        let to = rect.center();
        let (dx, dy) = (to.x - start.x, to.y - start.y);
        let (ahead, aside) = match direction {
            Direction::Left => (-dx, dy.abs()),
            Direction::Right => (dx, dy.abs()),
            Direction::Up => (-dy, dx.abs()),
            Direction::Down => (dy, dx.abs()),
        };
        (ahead > 1.0).then_some(ahead + 3.0 * aside)
    };
    let costs = all.iter().enumerate().filter_map(|(index, rect)| Some((index, cost(rect)?)));
    costs.min_by(|left, right| left.1.total_cmp(&right.1)).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_walked_before_another_begins() {
        let rects: Vec<Rect> = (0..6)
            .map(|slot| {
                Rect::new(f64::from(slot % 3) * 50.0, f64::from(slot / 3) * 50.0, 40.0, 40.0)
            })
            .collect();
        let from = |index: usize, direction| step(&rects[index], &rects, direction);
        assert_eq!(from(0, Direction::Right), Some(1));
        assert_eq!(from(1, Direction::Down), Some(4));
        assert_eq!(from(4, Direction::Up), Some(1));
        assert_eq!(from(4, Direction::Left), Some(3));
        assert_eq!(from(3, Direction::Left), None);
        assert_eq!(from(0, Direction::Up), None);
    }
}
