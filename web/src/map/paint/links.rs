//! Services, their lanes, and what moves on the map between pods.

use std::f64::consts::TAU;
use std::rc::Rc;

use protocol::{EndpointState, PacketSort, PodState, ServiceRow};

use super::Brush;
use crate::map::flights::{Flight, Lane, Pulse};
use crate::map::geometry::{Point, Rect};
use crate::map::{Scene, Target};

/// Above this many lanes only those of what is pointed at or selected are drawn.
const MOST_LANES: usize = 120;

/// Draws hubs and, faintly, their lanes.
pub(super) fn ground(brush: &Brush<'_>, scene: &Scene) {
    let hubs = scene.hubs();
    if hubs.height == 0.0 {
        return;
    }
    let endpoints = hubs.iter().filter_map(|(uid, _)| scene.service(uid));
    if endpoints.map(|row| row.endpoints.len()).sum::<usize>() <= MOST_LANES {
        for (uid, rect) in hubs.iter() {
            lanes(brush, scene, uid, &rect, 0.5);
        }
    }
    let (corner, soft) = (hubs.corner, brush.palette.ink_soft.as_str());
    brush.text(brush.strings.services, corner.x, corner.y + 11.0, soft, 600);
    if hubs.hidden > 0 {
        let right = scene.viewport().width - corner.x;
        brush.text_right(&format!("+{}", hubs.hidden), right, corner.y + 11.0, soft, 600);
    }
    for (uid, rect) in hubs.iter().filter(|(_, rect)| brush.view.intersects(rect)) {
        if let Some(row) = scene.service(uid) {
            hub(brush, row, &rect);
        }
    }
    if let Some(rect) = hubs.outside() {
        let (palette, y) = (brush.palette, rect.center().y);
        brush.boxed(&rect, 4.0, &palette.ground, &palette.line_strong);
        disc(brush, Point { x: rect.x + 14.0, y }, 4.0, &palette.ink_soft);
        let words = brush.fit(brush.strings.outside, rect.width - 32.0, 400);
        brush.text(&words, rect.x + 24.0, y, &palette.ink, 400);
    }
}

fn hub(brush: &Brush<'_>, row: &ServiceRow, rect: &Rect) {
    let palette = brush.palette;
    brush.boxed(rect, 14.0, &palette.card, &palette.line_strong);
    let (x, y) = (rect.x + 12.0, rect.center().y);
    disc(brush, Point { x, y }, 5.0, &palette.accent);
    disc(brush, Point { x, y }, 2.0, &palette.card);
    // Where room is scarce, one number is enough when all are ready.
    let count = match (row.ready, row.total) {
        (ready, total) if rect.width < 124.0 && ready == total => total.to_string(),
        (ready, total) => format!("{ready}/{total}"),
    };
    let color = match (row.ready, row.total) {
        (ready, total) if ready == total => &palette.ink_soft,
        (0, _) => &palette.bad,
        _ => palette.state(PodState::RunningNotReady),
    };
    brush.text_right(&count, rect.right() - 9.0, y, color, 600);
    let room = rect.width - 34.0 - brush.width_of(&count, 600);
    let name = brush.cut(&row.name, room, 600);
    brush.text(&name, rect.x + 21.0, y, &palette.ink, 600);
}

fn lanes(brush: &Brush<'_>, scene: &Scene, uid: &str, hub: &Rect, alpha: f64) {
    let context = brush.context;
    context.save();
    for (lane, state) in scene.lanes(uid, hub) {
        let (color, dash, alpha) = match state {
            EndpointState::Ready => (PodState::Ready, 0.0, alpha),
            EndpointState::NotReady => (PodState::RunningNotReady, 3.0, alpha),
            EndpointState::Terminating => (PodState::Terminating, 0.0, alpha * 0.5),
        };
        let color = brush.palette.state(color);
        let dashes = match dash {
            0.0 => js_sys::Array::new(),
            length => js_sys::Array::of2(&length.into(), &length.into()),
        };
        let _ = context.set_line_dash(&dashes);
        context.set_global_alpha(alpha);
        stroke(brush, &lane, color, if alpha > 0.9 { 2.0 } else { 1.25 });
        let _ = context.set_line_dash(&js_sys::Array::new());
        disc(brush, lane.to, 3.0, color);
        if state != EndpointState::Ready {
            disc(brush, lane.to, 1.7, &brush.palette.card);
        }
    }
    context.restore();
}

fn stroke(brush: &Brush<'_>, lane: &Lane, color: &str, width: f64) {
    let (first, second) = lane.controls();
    brush.context.begin_path();
    brush.context.move_to(lane.from.x, lane.from.y);
    brush.context.bezier_curve_to(first.x, first.y, second.x, second.y, lane.to.x, lane.to.y);
    brush.context.set_stroke_style_str(color);
    brush.context.set_line_width(width);
    brush.context.stroke();
}

fn disc(brush: &Brush<'_>, center: Point, radius: f64, color: &str) {
    brush.context.begin_path();
    let _ = brush.context.arc(center.x, center.y, radius, 0.0, TAU);
    brush.context.set_fill_style_str(color);
    brush.context.fill();
}

/// Draws the lanes of Services that are pointed at or selected, packets and pulses.
pub(super) fn motion(brush: &Brush<'_>, scene: &Scene, wall_ms: f64, lit: &[Rc<str>]) {
    for uid in lit {
        if let Some(rect) = scene.hubs().rect_of(uid) {
            lanes(brush, scene, uid, &rect, 1.0);
        }
    }
    for lane in &scene.flights().lanes {
        busy(brush, &scene.lanes_of(&lane.route), lane.level(wall_ms));
    }
    for flight in &scene.flights().packets {
        if let Some(share) = flight.share(wall_ms) {
            packet(brush, flight, &scene.lanes_of(&flight.route), share);
        }
    }
    for probe in &scene.flights().pulses {
        let pod = Target::Pod(Rc::from(probe.probe.pod.as_str()));
        if let Some(rect) = scene.rect_of(&pod) {
            pulse(brush, probe, &rect, probe.share(wall_ms));
        }
    }
}

/// A lane with more on it than can be seen: the wider, the more; what fails is a line within.
fn busy(brush: &Brush<'_>, lanes: &[Lane], level: [f64; 2]) {
    let [all, failed] = level.map(|level| (level.sqrt() / 6.0).min(6.0));
    let context = brush.context;
    context.save();
    context.set_global_alpha(0.55 * (all / 1.5).min(1.0));
    for lane in lanes {
        stroke(brush, lane, &brush.palette.accent, 0.5 + all);
        if failed > 0.0 {
            stroke(brush, lane, &brush.palette.bad, 0.5 + failed);
        }
    }
    context.restore();
}

fn packet(brush: &Brush<'_>, flight: &Flight, lanes: &[Lane], share: f64) {
    let (Some(at), palette) = (flight.at(lanes, share), brush.palette) else { return };
    let (color, radius) = match flight.sort {
        PacketSort::Lost | PacketSort::Rejected | PacketSort::Refused | PacketSort::Error => {
            (palette.bad.as_str(), 4.0)
        }
        PacketSort::Name => (palette.state(PodState::Unknown), 3.5),
        PacketSort::Data => (palette.accent.as_str(), 4.0),
        PacketSort::Control => (palette.ink_soft.as_str(), 2.5),
    };
    let context = brush.context;
    context.save();
    context.set_global_alpha(if flight.moves { 0.3 } else { 0.7 * (1.0 - share) });
    for lane in lanes {
        stroke(brush, lane, color, 1.0);
    }
    if flight.moves {
        context.set_global_alpha(1.0);
        token(brush, flight.sort, at, (radius, color));
        if flight.stopped(share) {
            cross(brush, at, color);
        }
    }
    context.restore();
}

/// A packet: a disc; a square if it refuses something, a triangle if it tells of an error.
fn token(brush: &Brush<'_>, sort: PacketSort, at: Point, (radius, color): (f64, &str)) {
    let corners: &[(f64, f64)] = match sort {
        PacketSort::Refused => &[(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)],
        PacketSort::Error => &[(0.0, -1.3), (1.2, 0.9), (-1.2, 0.9)],
        _ => {
            disc(brush, at, radius + 1.5, &brush.palette.card);
            disc(brush, at, radius, color);
            return;
        }
    };
    for (radius, color) in [(radius + 2.0, brush.palette.card.as_str()), (radius, color)] {
        brush.context.begin_path();
        for (x, y) in corners {
            brush.context.line_to(at.x + x * radius, at.y + y * radius);
        }
        brush.context.set_fill_style_str(color);
        brush.context.fill();
    }
}

fn cross(brush: &Brush<'_>, at: Point, color: &str) {
    let context = brush.context;
    context.set_stroke_style_str(color);
    context.set_line_width(2.0);
    context.begin_path();
    for (dx, dy) in [(7.0, 7.0), (7.0, -7.0)] {
        context.move_to(at.x - dx, at.y - dy);
        context.line_to(at.x + dx, at.y + dy);
    }
    context.stroke();
}

/// A small ring at the tile's rim: startup on the left, readiness above, liveness on the right.
fn pulse(brush: &Brush<'_>, pulse: &Pulse, tile: &Rect, share: f64) {
    let x = match pulse.probe.kind {
        0 => tile.x + 4.0,
        1 => tile.center().x,
        _ => tile.right() - 4.0,
    };
    let state = if pulse.probe.success { PodState::Ready } else { PodState::Failed };
    let context = brush.context;
    context.save();
    context.set_global_alpha(1.0 - share);
    context.begin_path();
    let _ = context.arc(x, tile.y, 2.0 + 8.0 * share, 0.0, TAU);
    context.set_stroke_style_str(brush.palette.state(state));
    context.set_line_width(2.0);
    context.stroke();
    disc(brush, Point { x, y: tile.y }, 2.0, brush.palette.state(state));
    context.restore();
}
