//! The nine glyphs of a pod's state. Shape first, colour last: each is told from the others in
//! black and white, from 9 pixels up.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use protocol::PodState;
use web_sys::CanvasRenderingContext2d;

use super::geometry::Point;
use super::palette::Palette;
use crate::format::within;

/// Draws a glyph around a point. `progress` is how far the wait has come that belongs to the
/// state (pull, back-off, grace), from 0 to 1.
pub fn glyph(
    context: &CanvasRenderingContext2d,
    palette: &Palette,
    state: PodState,
    center: Point,
    radius: f64,
    progress: Option<f64>,
) {
    context.set_fill_style_str(palette.state(state));
    context.set_stroke_style_str(palette.state(state));
    context.set_line_width(within(radius * 0.24, 1.25, 3.0));
    context.set_line_cap("round");
    match state {
        PodState::Unscheduled => dashed_ring(context, center, radius),
        PodState::Creating => filling_ring(context, center, radius, progress),
        PodState::RunningNotReady => half(context, center, radius),
        PodState::Ready => disk(context, center, radius),
        PodState::Succeeded => check(context, palette, center, radius),
        PodState::Failed => cross(context, palette, center, radius),
        PodState::CrashLooping => loop_arrow(context, center, radius, progress),
        PodState::Terminating => hatch(context, center, radius, progress),
        PodState::Unknown => diamond(context, palette, center, radius),
    }
}

fn circle(context: &CanvasRenderingContext2d, center: Point, radius: f64) {
    context.begin_path();
    arc(context, center, radius, 0.0, TAU);
}

/// A circular arc; the arguments are always finite and the radius positive, so it cannot fail.
fn arc(context: &CanvasRenderingContext2d, center: Point, radius: f64, from: f64, to: f64) {
    let _ = context.arc(center.x, center.y, radius.max(0.1), from, to);
}

fn square(context: &CanvasRenderingContext2d, center: Point, half: f64) {
    let (x, y) = (center.x - half, center.y - half);
    context.begin_path();
    let _ = context.round_rect_with_f64(x, y, 2.0 * half, 2.0 * half, half * 0.3);
}

fn line(context: &CanvasRenderingContext2d, center: Point, radius: f64, points: &[(f64, f64)]) {
    context.begin_path();
    for (index, (x, y)) in points.iter().enumerate() {
        let (x, y) = (center.x + x * radius, center.y + y * radius);
        if index == 0 {
            context.move_to(x, y);
        } else {
            context.line_to(x, y);
        }
    }
}

fn dashed_ring(context: &CanvasRenderingContext2d, center: Point, radius: f64) {
    let inner = radius * 0.86;
    let dash = TAU * inner / if radius < 6.0 { 8.0 } else { 14.0 };
    let pattern = js_sys::Array::of2(&(dash * 0.8).into(), &(dash * 1.2).into());
    let _ = context.set_line_dash(&pattern);
    context.set_line_cap("butt");
    circle(context, center, inner);
    context.stroke();
    let _ = context.set_line_dash(&js_sys::Array::new());
}

fn filling_ring(
    context: &CanvasRenderingContext2d,
    center: Point,
    radius: f64,
    progress: Option<f64>,
) {
    let inner = radius * 0.82;
    let alpha = context.global_alpha();
    context.set_global_alpha(alpha * 0.3);
    circle(context, center, inner);
    context.stroke();
    context.set_global_alpha(alpha);
    context.begin_path();
    arc(context, center, inner, -FRAC_PI_2, -FRAC_PI_2 + TAU * progress.unwrap_or(0.25));
    context.stroke();
    circle(context, center, radius * 0.22);
    context.fill();
}

fn half(context: &CanvasRenderingContext2d, center: Point, radius: f64) {
    circle(context, center, radius * 0.84);
    context.stroke();
    context.begin_path();
    arc(context, center, radius * 0.84, FRAC_PI_2, FRAC_PI_2 + PI);
    context.fill();
}

fn disk(context: &CanvasRenderingContext2d, center: Point, radius: f64) {
    circle(context, center, radius * 0.92);
    context.fill();
}

fn check(context: &CanvasRenderingContext2d, palette: &Palette, center: Point, radius: f64) {
    context.set_fill_style_str(palette.face(PodState::Succeeded));
    circle(context, center, radius * 0.92);
    context.fill();
    line(context, center, radius, &[(-0.42, 0.04), (-0.1, 0.36), (0.46, -0.34)]);
    context.stroke();
}

fn cross(context: &CanvasRenderingContext2d, palette: &Palette, center: Point, radius: f64) {
    square(context, center, radius * 0.86);
    context.fill();
    context.set_stroke_style_str(&palette.card);
    for points in [[(-0.38, -0.38), (0.38, 0.38)], [(0.38, -0.38), (-0.38, 0.38)]] {
        line(context, center, radius, &points);
        context.stroke();
    }
}

fn loop_arrow(
    context: &CanvasRenderingContext2d,
    center: Point,
    radius: f64,
    progress: Option<f64>,
) {
    let alpha = context.global_alpha();
    context.set_global_alpha(alpha * 0.35);
    square(context, center, radius * 0.84);
    context.stroke();
    context.set_global_alpha(alpha);
    // The countdown of the back-off: what is left of it, around the arrow.
    let left = 1.0 - progress.unwrap_or(0.0);
    context.begin_path();
    arc(context, center, radius * 0.5, -FRAC_PI_2, -FRAC_PI_2 + TAU * within(left, 0.2, 0.8));
    context.stroke();
    let tip = [(-0.08, -0.82), (0.26, -0.5), (-0.08, -0.18)];
    line(context, center, radius, &tip);
    context.close_path();
    context.fill();
}

fn hatch(context: &CanvasRenderingContext2d, center: Point, radius: f64, progress: Option<f64>) {
    let radius = radius * (0.92 - 0.3 * progress.unwrap_or(0.0));
    context.save();
    circle(context, center, radius);
    context.stroke();
    context.clip();
    let pitch = (radius * 0.55).max(2.5);
    let mut offset = -2.0 * radius;
    context.begin_path();
    while offset < 2.0 * radius {
        context.move_to(center.x + offset - radius, center.y + radius);
        context.line_to(center.x + offset + radius, center.y - radius);
        offset += pitch;
    }
    context.set_line_width((radius * 0.14).max(1.0));
    context.stroke();
    context.restore();
}

fn diamond(context: &CanvasRenderingContext2d, palette: &Palette, center: Point, radius: f64) {
    line(context, center, radius, &[(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)]);
    context.close_path();
    context.fill();
    if radius >= 7.0 {
        context.set_fill_style_str(&palette.card);
        context
            .set_font(&format!("700 {}px system-ui, sans-serif", (radius * 1.15).round() as i32));
        context.set_text_align("center");
        context.set_text_baseline("middle");
        let _ = context.fill_text("?", center.x, center.y + radius * 0.06);
        context.set_text_align("start");
    }
}
