//! Puts a scene on three canvases: the ground (panels, bars, headings), tiles at rest, and what
//! moves with the outlines of pointer, focus and selection. Coordinates are CSS pixels of the
//! whole map; the caller has set scale and scroll.

mod links;

use std::rc::Rc;

use protocol::{ConditionStatus, ContainerState, NodeRow, PodRow, PodState};
use web_sys::CanvasRenderingContext2d;

use super::geometry::{Point, Rect};
use super::glyph::glyph;
use super::layout::{Density, Panel};
use super::palette::Palette;
use super::scene::{Damage, Pose, Scene, Tile};
use crate::format::fraction;
use crate::strings::Strings;

const FAMILY: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'PingFang SC', \
    'Hiragino Sans GB', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif";

/// What to draw with.
#[derive(Clone, Copy)]
pub struct Brush<'a> {
    /// A canvas.
    pub context: &'a CanvasRenderingContext2d,
    /// Its colours.
    pub palette: &'a Palette,
    /// Words of the interface.
    pub strings: &'static Strings,
    /// The virtual clock.
    pub now_ms: i64,
    /// What of the map is in view.
    pub view: Rect,
}

impl Brush<'_> {
    fn text(&self, text: &str, x: f64, y: f64, color: &str, weight: u16) {
        self.context.set_font(&format!("{weight} 12px {FAMILY}"));
        self.context.set_text_baseline("middle");
        self.context.set_fill_style_str(color);
        let _ = self.context.fill_text(text, x, y);
    }

    fn text_right(&self, text: &str, right: f64, y: f64, color: &str, weight: u16) {
        self.context.set_text_align("right");
        self.text(text, right, y, color, weight);
        self.context.set_text_align("start");
    }

    fn width_of(&self, text: &str, weight: u16) -> f64 {
        self.context.set_font(&format!("{weight} 12px {FAMILY}"));
        self.context.measure_text(text).map_or(0.0, |metrics| metrics.width())
    }

    /// A name cut at its end.
    fn cut(&self, name: &str, width: f64, weight: u16) -> String {
        let mut text = name.to_owned();
        while self.width_of(&text, weight) > width && text.pop().is_some() {
            text.pop();
            text.push('…');
        }
        text
    }

    /// A name cut in its middle, because Kubernetes tells names apart at their end.
    fn fit(&self, name: &str, width: f64, weight: u16) -> String {
        if self.width_of(name, weight) <= width {
            return name.to_owned();
        }
        let letters: Vec<char> = name.chars().collect();
        for kept in (2..letters.len()).rev() {
            let tail = (kept / 2).max(kept.min(5));
            let text: String = letters[..kept - tail]
                .iter()
                .chain(['…'].iter())
                .chain(&letters[letters.len() - tail..])
                .collect();
            if self.width_of(&text, weight) <= width {
                return text;
            }
        }
        String::new()
    }

    fn rounded(&self, rect: &Rect, radius: f64) {
        self.context.begin_path();
        let _ = self.context.round_rect_with_f64(rect.x, rect.y, rect.width, rect.height, radius);
    }

    /// A filled box with a hairline that falls on whole pixels.
    fn boxed(&self, rect: &Rect, radius: f64, fill: &str, stroke: &str) {
        let crisp = Rect::new(
            rect.x.round() + 0.5,
            rect.y.round() + 0.5,
            rect.width.round() - 1.0,
            rect.height.round() - 1.0,
        );
        self.rounded(&crisp, radius);
        self.context.set_fill_style_str(fill);
        self.context.fill();
        self.context.set_stroke_style_str(stroke);
        self.context.set_line_width(1.0);
        self.context.stroke();
    }

    fn bar(&self, rect: &Rect, share: f64, color: &str) {
        self.rounded(rect, rect.height / 2.0);
        self.context.set_fill_style_str(&self.palette.track);
        self.context.fill();
        if share > 0.0 {
            let width = (rect.width * share).max(rect.height);
            self.rounded(&Rect { width, ..*rect }, rect.height / 2.0);
            self.context.set_fill_style_str(color);
            self.context.fill();
        }
    }

    /// Diagonal lines over an area that does not work.
    fn hatched(&self, rect: &Rect, color: &str) {
        self.context.save();
        self.rounded(rect, 8.0);
        self.context.clip();
        self.context.set_global_alpha(0.16);
        self.context.set_stroke_style_str(color);
        self.context.set_line_width(1.0);
        self.context.begin_path();
        let mut x = rect.x - rect.height;
        while x < rect.right() {
            self.context.move_to(x, rect.bottom());
            self.context.line_to(x + rect.height, rect.y);
            x += 8.0;
        }
        self.context.stroke();
        self.context.restore();
    }
}

/// Draws panels, bars and headings.
pub fn ground(brush: &Brush<'_>, scene: &Scene) {
    let view = brush.view;
    brush.context.clear_rect(view.x, view.y, view.width, view.height);
    if brush.view.intersects(&scene.layout().tray) {
        tray(brush, scene);
    }
    for (panel, node) in scene.layout().panels.iter().zip(scene.nodes()) {
        if !view.intersects(&panel.rect) {
            continue;
        }
        match scene.layout() {
            layout if layout.compact => compact_panel(brush, panel, node),
            layout => wide_panel(brush, panel, node, layout.low),
        }
    }
    links::ground(brush, scene);
}

fn tray(brush: &Brush<'_>, scene: &Scene) {
    let rect = scene.layout().tray;
    let (waiting, hidden) = scene.waiting();
    let dash = js_sys::Array::of2(&4.0.into(), &4.0.into());
    let _ = brush.context.set_line_dash(&dash);
    brush.boxed(&rect, 10.0, "transparent", &brush.palette.line_strong);
    let _ = brush.context.set_line_dash(&js_sys::Array::new());
    let y = if scene.layout().low { rect.center().y } else { rect.y + 15.0 };
    let label = brush.strings.unscheduled;
    brush.text(label, rect.x + 12.0, y, &brush.palette.ink_soft, 600);
    let x = rect.x + 12.0 + brush.width_of(label, 600) + 8.0;
    let (count, color) = match waiting {
        0 => (brush.strings.none.to_owned(), &brush.palette.ink_soft),
        waiting => (waiting.to_string(), &brush.palette.ink),
    };
    brush.text(&count, x, y, color, 400);
    if hidden > 0 {
        let more = format!("+{hidden}");
        brush.text_right(&more, rect.right() - 12.0, y, &brush.palette.ink, 600);
    }
}

fn panel_box(brush: &Brush<'_>, panel: &Panel, node: &NodeRow) {
    let works = node.ready == ConditionStatus::True;
    let line = if works { &brush.palette.line } else { &brush.palette.bad };
    brush.boxed(&panel.rect, 10.0, &brush.palette.panel, line);
    if !works {
        brush.hatched(&panel.rect.inflate(-1.0), &brush.palette.bad);
    } else if node.unschedulable {
        brush.hatched(&panel.rect.inflate(-1.0), &brush.palette.ink_soft);
    }
}

fn node_mark(brush: &Brush<'_>, node: &NodeRow, center: Point, radius: f64) {
    let state = match node.ready {
        ConditionStatus::True => PodState::Ready,
        ConditionStatus::False => PodState::Failed,
        ConditionStatus::Unknown => PodState::Unknown,
    };
    glyph(brush.context, brush.palette, state, center, radius, None);
}

fn wide_panel(brush: &Brush<'_>, panel: &Panel, node: &NodeRow, low: bool) {
    panel_box(brush, panel, node);
    let head = panel.head;
    let y = head.y + if low { 14.0 } else { 20.0 };
    node_mark(brush, node, Point { x: head.x + 5.0, y }, 5.0);
    let works = node.ready == ConditionStatus::True;
    let color = if works { &brush.palette.ink_soft } else { &brush.palette.bad };
    let status = brush.width_of(&node.status, 400);
    let room = head.width - 16.0;
    let shown = if room - status - 10.0 > 46.0 { node.status.as_str() } else { "" };
    let width = if shown.is_empty() { room } else { room - status - 10.0 };
    let name = brush.fit(&node.name, width, 600);
    brush.text(&name, head.x + 16.0, y, &brush.palette.ink, 600);
    brush.text_right(shown, head.right(), y, color, 400);
    let gap = 12.0;
    let each = (head.width - 2.0 * gap) / 3.0;
    for (index, (label, used, all)) in shares(brush.strings, node).into_iter().enumerate() {
        let x = head.x + index as f64 * (each + gap);
        let share = fraction(used, all);
        let color = if share > 0.9 { &brush.palette.ink } else { &brush.palette.accent };
        if low {
            let words = brush.width_of(label, 400);
            if each > words + 28.0 {
                brush.text(label, x, head.y + 33.0, &brush.palette.ink_soft, 400);
            }
            let words = if each > words + 28.0 { words + 6.0 } else { 0.0 };
            let bar = Rect::new(x + words, head.y + 31.0, each - words, 4.0);
            brush.bar(&bar, share, color);
            continue;
        }
        if each >= brush.width_of(label, 400) {
            brush.text(label, x, head.y + 43.0, &brush.palette.ink_soft, 400);
        }
        if each > brush.width_of(label, 400) + 44.0 {
            let percent = format!("{}%", (share * 100.0).round() as i32);
            brush.text_right(&percent, x + each, head.y + 43.0, &brush.palette.ink, 400);
        }
        brush.bar(&Rect::new(x, head.y + 54.0, each, 4.0), share, color);
    }
}

fn shares(strings: &'static Strings, node: &NodeRow) -> [(&'static str, i64, i64); 3] {
    let (used, all) = (&node.requested, &node.allocatable);
    [
        (strings.cpu, used.cpu_milli, all.cpu_milli),
        (strings.memory_short, used.memory_bytes, all.memory_bytes),
        (strings.pods, used.pods, all.pods),
    ]
}

fn compact_panel(brush: &Brush<'_>, panel: &Panel, node: &NodeRow) {
    panel_box(brush, panel, node);
    let head = panel.head;
    let y = head.y + 12.0;
    node_mark(brush, node, Point { x: head.x + 4.0, y }, 4.0);
    let name = brush.fit(&node.name, head.width - 13.0, 400);
    brush.text(&name, head.x + 13.0, y, &brush.palette.ink, 400);
    let each = (head.width - 8.0) / 3.0;
    for (index, (_, used, all)) in shares(brush.strings, node).into_iter().enumerate() {
        let bar = Rect::new(head.x + index as f64 * (each + 4.0), head.y + 23.0, each, 3.0);
        brush.bar(&bar, fraction(used, all), &brush.palette.accent);
    }
}

/// Draws tiles at rest, as far as they are damaged.
pub fn resting(brush: &Brush<'_>, scene: &Scene, damage: &Damage) {
    let density = scene.layout().density;
    if damage.everything {
        let view = brush.view;
        brush.context.clear_rect(view.x, view.y, view.width, view.height);
        for tile in scene.resting() {
            let pose = tile.pose(f64::INFINITY);
            if brush.view.intersects(&pose.rect) {
                draw_tile(brush, density, &tile.pod, tile.pod.state, &pose);
            }
        }
        return;
    }
    for rect in &damage.rects {
        let dirty = rect.inflate(2.0);
        brush.context.clear_rect(dirty.x, dirty.y, dirty.width, dirty.height);
    }
    for tile in scene.resting() {
        let pose = tile.pose(f64::INFINITY);
        if damage.rects.iter().any(|rect| rect.inflate(1.0).intersects(&pose.rect)) {
            draw_tile(brush, density, &tile.pod, tile.pod.state, &pose);
        }
    }
}

/// Outlines over the tiles.
#[derive(Clone, Copy, Default)]
pub struct Outlines {
    /// Under the pointer.
    pub hovered: Option<Rect>,
    /// Where the keyboard is.
    pub focused: Option<Rect>,
    /// What the inspector shows.
    pub selected: Option<Rect>,
}

/// Draws what moves, the outlines, and the lanes of the Services that are `lit`.
pub fn motion(
    brush: &Brush<'_>,
    scene: &Scene,
    wall_ms: f64,
    outlines: &Outlines,
    lit: &[Rc<str>],
) {
    let view = brush.view;
    brush.context.clear_rect(view.x, view.y, view.width, view.height);
    for tile in scene.airborne() {
        moving_tile(brush, scene.layout().density, tile, wall_ms);
    }
    links::motion(brush, scene, wall_ms, lit);
    let palette = brush.palette;
    let lines = [
        (outlines.hovered, palette.line_strong.as_str(), 1.5, 2.0),
        (outlines.selected, palette.accent.as_str(), 2.0, 2.0),
        (outlines.focused, palette.ink.as_str(), 2.0, 4.0),
    ];
    for (rect, color, width, margin) in lines {
        let Some(rect) = rect else { continue };
        brush.rounded(&rect.inflate(margin), if rect.width > 60.0 { 10.0 } else { 6.0 });
        brush.context.set_stroke_style_str(color);
        brush.context.set_line_width(width);
        brush.context.stroke();
    }
}

fn moving_tile(brush: &Brush<'_>, density: Density, tile: &Tile, wall_ms: f64) {
    let pose = tile.pose(wall_ms);
    if pose.alpha <= 0.0 || !brush.view.intersects(&pose.rect) {
        return;
    }
    let middle = pose.rect.center();
    brush.context.save();
    let _ = brush.context.translate(middle.x, middle.y);
    let _ = brush.context.scale(pose.scale, pose.scale);
    let _ = brush.context.translate(-middle.x, -middle.y);
    match tile.change(wall_ms) {
        Some((before, share)) => {
            for (state, alpha) in [(before, 1.0 - share), (tile.pod.state, share)] {
                brush.context.set_global_alpha(alpha * pose.alpha);
                draw_tile(brush, density, &tile.pod, state, &pose);
            }
        }
        None => {
            brush.context.set_global_alpha(pose.alpha);
            draw_tile(brush, density, &tile.pod, tile.pod.state, &pose);
        }
    }
    brush.context.restore();
}

fn progress(pod: &PodRow, now_ms: i64) -> Option<f64> {
    pod.progress.map(|wait| fraction(now_ms - wait.from_ms, wait.until_ms - wait.from_ms))
}

fn draw_tile(brush: &Brush<'_>, density: Density, pod: &PodRow, state: PodState, pose: &Pose) {
    let (rect, palette) = (pose.rect, brush.palette);
    let progress = progress(pod, brush.now_ms);
    let alpha = brush.context.global_alpha();
    if state == PodState::Terminating {
        brush.context.set_global_alpha(alpha * 0.7);
    }
    match density {
        // In a low view the tray has no room for words.
        Density::Wide | Density::Card if rect.width >= 100.0 => {
            card(brush, pod, state, &rect, progress)
        }
        Density::Line if rect.width >= 100.0 => line(brush, pod, state, &rect, progress),
        Density::Wide | Density::Card | Density::Line | Density::Large => {
            brush.rounded(&rect, 9.0);
            brush.context.set_fill_style_str(palette.face(state));
            brush.context.fill();
            let radius = (rect.height / 2.0 - 3.0).min(11.0);
            glyph(brush.context, palette, state, rect.center(), radius, progress);
        }
        Density::Medium | Density::Small | Density::Tiny => {
            let radius = rect.width.min(rect.height) / 2.0 - 0.5;
            glyph(brush.context, palette, state, rect.center(), radius, progress);
        }
    }
    brush.context.set_global_alpha(alpha);
}

fn line(brush: &Brush<'_>, pod: &PodRow, state: PodState, rect: &Rect, progress: Option<f64>) {
    let palette = brush.palette;
    brush.boxed(rect, 6.0, &palette.card, &palette.line);
    let middle = Point { x: rect.x + 12.0, y: rect.center().y };
    glyph(brush.context, palette, state, middle, 6.0, progress);
    let name = brush.fit(&pod.name, rect.width - 28.0, 400);
    brush.text(&name, rect.x + 23.0, middle.y, &palette.ink, 400);
}

fn card(brush: &Brush<'_>, pod: &PodRow, state: PodState, rect: &Rect, progress: Option<f64>) {
    let palette = brush.palette;
    let troubled = matches!(state, PodState::Failed | PodState::CrashLooping | PodState::Unknown);
    let line = if troubled { palette.state(state) } else { &palette.line };
    brush.boxed(rect, 8.0, &palette.card, line);
    let narrow = rect.width < 150.0;
    let inset = if narrow { 14.0 } else { 19.0 };
    let middle = Point { x: rect.x + inset, y: rect.y + rect.height / 2.0 };
    glyph(brush.context, palette, state, middle, if narrow { 7.0 } else { 9.0 }, progress);
    let (x, room) = match narrow {
        true => (rect.x + 26.0, rect.width - 31.0),
        false => (rect.x + 36.0, rect.width - 44.0),
    };
    let name = brush.fit(&pod.name, room, 600);
    brush.text(&name, x, rect.y + 15.0, &palette.ink, 600);
    let status = if pod.restarts > 0 {
        format!("{} ↻{}", pod.status, pod.restarts)
    } else {
        pod.status.clone()
    };
    let status = brush.fit(&status, room, 400);
    let color = if troubled { palette.state(state) } else { palette.ink_soft.as_str() };
    brush.text(&status, x, rect.y + 30.0, color, 400);
    if pod.containers.len() > 1 {
        segments(brush, pod, rect);
    }
}

/// One segment for each container along the lower edge, init containers first.
fn segments(brush: &Brush<'_>, pod: &PodRow, rect: &Rect) {
    let count = pod.containers.len() as f64;
    let gap = 2.0;
    let each = (rect.width - 16.0 - gap * (count - 1.0)) / count;
    for (index, container) in pod.containers.iter().enumerate() {
        let state = match &container.state {
            _ if container.ready => PodState::Ready,
            ContainerState::Running { .. } => PodState::RunningNotReady,
            ContainerState::Terminated { exit_code: 0, .. } => PodState::Succeeded,
            ContainerState::Terminated { .. } => PodState::Failed,
            ContainerState::Waiting { .. } => PodState::Unscheduled,
        };
        let x = rect.x + 8.0 + index as f64 * (each + gap);
        let height = if container.init { 2.0 } else { 3.0 };
        brush.rounded(&Rect::new(x, rect.bottom() - 5.0, each, height), 1.5);
        brush.context.set_fill_style_str(brush.palette.state(state));
        brush.context.fill();
    }
}
