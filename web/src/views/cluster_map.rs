//! The cluster map: three canvases below a scrolling list box. The canvases show, the list box
//! takes pointer and keyboard and says aloud what the keyboard is on. Frames are asked for only
//! while something moves.

use std::rc::Rc;

use gloo::render::{AnimationFrame, request_animation_frame};
use protocol::{NodeRow, ObjectRef, PacketSort, PodRow, ServiceRow};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlElement, ResizeObserver};
use yew::prelude::*;

use super::Intent;
use super::parts::{state_glyph, state_word};
use crate::browser;
use crate::format;
use crate::map::paint::{self, Brush, Outlines};
use crate::map::palette::Palette;
use crate::map::{Direction, Motion, Point, Rect, Scene, Target, Viewport, step};
use crate::model::{
    Counts, Rows, Table, Traffic, is_namespace_of_the_system, is_of_the_system, node_ref, pod_ref,
    service_ref,
};
use crate::strings::{Language, Strings};

/// Properties of [`ClusterMap`].
#[derive(Properties, PartialEq, Clone)]
pub struct MapProps {
    /// Nodes.
    pub nodes: Table<NodeRow>,
    /// Pods.
    pub pods: Table<PodRow>,
    /// Services.
    pub services: Table<ServiceRow>,
    /// Packets and probes to draw.
    pub traffic: Traffic,
    /// Whether anything is sent from outside of the cluster.
    pub outside: bool,
    /// How many events there were: with each of them there may be traffic.
    pub handled: u64,
    /// The last packet in words, for who goes step by step.
    pub packet: Option<AttrValue>,
    /// Whether the system's pods are shown.
    pub system: bool,
    /// The virtual clock.
    pub now_ms: i64,
    /// Virtual seconds per wall second, for the choice of motion.
    pub speed: f64,
    /// What the inspector shows.
    pub selected: Option<ObjectRef>,
    /// Changes whenever the colours do.
    pub theme: u32,
    /// Language of the words on the map.
    pub language: Language,
    /// Where intents go.
    pub send: Callback<Intent>,
}

/// What happens to the map.
pub enum Event {
    /// A frame, at a wall time.
    Frame(f64),
    /// The view has another size.
    Resized,
    /// The person scrolled.
    Scrolled,
    /// The pointer is here, in the window.
    Pointer(Option<Point>),
    /// A click, in the window.
    Click(Point),
    /// A key.
    Key(KeyboardEvent),
    /// The list box has, or has lost, the focus.
    Focus(bool),
    /// So many steps larger; none for what fits.
    Zoom(Option<i32>),
}

/// The cluster map.
pub struct ClusterMap {
    scene: Scene,
    palette: Palette,
    canvases: [NodeRef; 3],
    scroller: NodeRef,
    frame: Option<AnimationFrame>,
    moving: bool,
    outlines_stale: bool,
    hovered: Option<(Target, Point)>,
    focused: Option<Target>,
    has_focus: bool,
    /// How many packets and probes there were to show since the page was loaded.
    told: (usize, usize),
    /// Whether the person asked for less motion.
    reduced: bool,
    /// How many of the packets failed, and how many went through a Service.
    failed: usize,
    through: usize,
    observer: Option<(ResizeObserver, Closure<dyn FnMut()>)>,
}

impl Component for ClusterMap {
    type Message = Event;
    type Properties = MapProps;

    fn create(context: &Context<Self>) -> Self {
        let viewport = Viewport { width: 640.0, height: 480.0 };
        let mut map = ClusterMap {
            scene: Scene::new(viewport),
            palette: Palette::default(),
            canvases: Default::default(),
            scroller: NodeRef::default(),
            frame: None,
            moving: false,
            outlines_stale: true,
            hovered: None,
            focused: None,
            has_focus: false,
            told: (0, 0),
            reduced: browser::matches_media("(prefers-reduced-motion: reduce)"),
            failed: 0,
            through: 0,
            observer: None,
        };
        map.sync(context.props());
        map
    }

    fn changed(&mut self, context: &Context<Self>, old: &MapProps) -> bool {
        let new = context.props();
        let rows = new.nodes != old.nodes
            || new.pods != old.pods
            || new.services != old.services
            || new.outside != old.outside
            || new.system != old.system;
        if rows {
            self.sync(new);
        }
        if new.now_ms != old.now_ms {
            self.scene.clock_moved();
        }
        let flows = self.take_traffic(new);
        if new.theme != old.theme || self.palette == Palette::default() {
            self.palette = Palette::read().unwrap_or_default();
            self.scene.damage_all();
        }
        if new.language != old.language {
            self.scene.damage_all();
        }
        self.outlines_stale |= rows || new.selected != old.selected || new.theme != old.theme;
        self.ask_for_frame(context);
        rows || flows || new.language != old.language || new.packet != old.packet
    }

    fn update(&mut self, context: &Context<Self>, event: Event) -> bool {
        match event {
            Event::Frame(now_ms) => {
                self.frame = None;
                self.draw(context, now_ms);
                return false;
            }
            Event::Resized => return self.resize(context),
            Event::Scrolled => {
                self.scene.damage_all();
                self.hovered = None;
            }
            Event::Pointer(point) => {
                let target = point.and_then(|point| {
                    let point = self.in_view(point);
                    let target = self.scene.hit(self.on_map(point))?;
                    Some((target, point))
                });
                if target.is_none() && self.hovered.is_none() {
                    return false;
                }
                self.hovered = target;
            }
            Event::Click(point) => {
                let point = self.on_map(self.in_view(point));
                if let Some(packet) = self.scene.flight_at(point, browser::wall_ms()) {
                    context.props().send.emit(Intent::Packet(packet));
                    return false;
                }
                let target = self.scene.hit(point);
                self.focused = target.clone();
                self.choose(context, target);
            }
            Event::Focus(has_focus) => self.has_focus = has_focus,
            Event::Zoom(steps) => self.zoom(context.props(), steps),
            Event::Key(event) => {
                if !self.key(context, &event) {
                    return false;
                }
            }
        }
        self.outlines_stale = true;
        self.ask_for_frame(context);
        true
    }

    fn rendered(&mut self, context: &Context<Self>, first: bool) {
        if !first {
            return;
        }
        self.palette = Palette::read().unwrap_or_default();
        let link = context.link().clone();
        let closure = Closure::<dyn FnMut()>::new(move || link.send_message(Event::Resized));
        if let Some(element) = self.scroller.cast::<web_sys::Element>()
            && let Ok(observer) = ResizeObserver::new(closure.as_ref().unchecked_ref())
        {
            observer.observe(&element);
            self.observer = Some((observer, closure));
        }
        context.link().send_message(Event::Resized);
    }

    fn view(&self, context: &Context<Self>) -> Html {
        let strings = context.props().language.strings();
        let counts = {
            let own = context.props().pods.values().filter(|pod| !is_of_the_system(pod));
            Counts::of(own)
        };
        html! {
            <>
            <div class="map" data-testid="map"
                data-nodes={context.props().nodes.len().to_string()}
                data-pods={counts.total.to_string()} data-ready={counts.ready.to_string()}
                data-unscheduled={counts.unscheduled.to_string()}
                data-packets={self.told.0.to_string()} data-probes={self.told.1.to_string()}
                data-failed-packets={self.failed.to_string()}
                data-through-services={self.through.to_string()}
                data-services={context.props().services.len().to_string()}>
                { for self.canvases.iter().map(|canvas| html! {
                    <canvas ref={canvas} aria-hidden="true" />
                }) }
                { self.list_box(context, strings) }
                { self.tooltip(context, strings) }
                <p class="packet" role="status" data-testid="packet">
                    { for context.props().packet.clone() }
                </p>
            </div>
            { self.zoom_buttons(context, strings) }
            </>
        }
    }

    fn destroy(&mut self, _: &Context<Self>) {
        if let Some((observer, _)) = &self.observer {
            observer.disconnect();
        }
    }
}

fn in_window(event: &MouseEvent) -> Point {
    Point { x: f64::from(event.client_x()), y: f64::from(event.client_y()) }
}

impl ClusterMap {
    fn motion(&self, props: &MapProps) -> Motion {
        Motion::for_speed(props.speed, self.reduced)
    }

    fn list_box(&self, context: &Context<Self>, strings: &'static Strings) -> Html {
        let link = context.link();
        let spacer = format!("height:{}px", self.scene.height() as i32);
        html! {
            <div class="map-scroller" ref={&self.scroller} tabindex="0" role="listbox"
                aria-label={strings.map_label} aria-activedescendant="map-option"
                data-testid="map-surface"
                onscroll={link.callback(|_| Event::Scrolled)}
                onmousemove={link.callback(|event| Event::Pointer(Some(in_window(&event))))}
                onmouseout={link.callback(|_| Event::Pointer(None))}
                onclick={link.callback(|event| Event::Click(in_window(&event)))}
                onkeydown={link.callback(Event::Key)}
                onfocus={link.callback(|_| Event::Focus(true))}
                onblur={link.callback(|_| Event::Focus(false))}>
                <div class="map-spacer" ~style={spacer} />
                { self.option(context, strings) }
            </div>
        }
    }

    /// The one thing that the keyboard is on, for those who listen.
    fn option(&self, context: &Context<Self>, strings: &'static Strings) -> Html {
        let order = self.focused.as_ref().map(|_| self.scene.order()).unwrap_or_default();
        let index = order.iter().position(|(target, _)| Some(target) == self.focused.as_ref());
        let size = (!order.is_empty()).then(|| order.len().to_string());
        let text = match &self.focused {
            Some(target) if index.is_some() => self.describe(context.props(), target, strings),
            _ => strings.map_hint.to_owned(),
        };
        let selected = self.focused.is_some() && self.focused == self.selected(context.props());
        html! {
            <div id="map-option" role="option" class="heard" data-testid="map-option"
                aria-selected={selected.to_string()} aria-setsize={size}
                aria-posinset={index.map(|index| (index + 1).to_string())}>{ text }</div>
        }
    }

    fn describe(&self, props: &MapProps, target: &Target, strings: &'static Strings) -> String {
        match target {
            Target::Service(uid) => props.services.get(uid).map_or_else(String::new, |row| {
                let ready = strings.state_ready;
                format!("Service {}, {} / {} {ready}", row.name, row.ready, row.total)
            }),
            Target::Pod(uid) => props.pods.get(uid).map_or_else(String::new, |pod| {
                let node = pod.node.as_deref().unwrap_or(strings.no_node);
                format!("Pod {}, {}, {node}", pod.name, state_word(strings, pod.state))
            }),
            Target::Node(name) => props.nodes.get(name).map_or_else(String::new, |node| {
                format!("Node {}, {}, {} Pod", node.name, node.status, node.requested.pods)
            }),
        }
    }

    fn tooltip(&self, context: &Context<Self>, strings: &'static Strings) -> Html {
        let Some((target, at)) = &self.hovered else { return Html::default() };
        let props = context.props();
        let words = match target {
            Target::Service(uid) => props.services.get(uid).map(service_words),
            Target::Pod(uid) => props.pods.get(uid).map(|pod| pod_words(pod, strings)),
            Target::Node(name) => {
                props.nodes.get(name).filter(|_| self.on_heading(*at)).map(node_words)
            }
        };
        let Some(words) = words else { return Html::default() };
        let width = self.scene.viewport().width;
        let (x, y) = ((at.x + 14.0).min(width - 252.0).max(4.0), at.y + 18.0);
        html! {
            <div class="tooltip" role="tooltip"
                ~style={format!("left:{}px;top:{}px", x as i32, y as i32)}>{ words }</div>
        }
    }

    fn on_heading(&self, at: Point) -> bool {
        let point = self.on_map(at);
        self.scene.layout().panel_at(point).is_some_and(|panel| panel.head.contains(point))
    }

    fn zoom_buttons(&self, context: &Context<Self>, strings: &'static Strings) -> Html {
        let button = |sign: &'static str, label: &'static str, testid: &'static str, steps| {
            let onclick = context.link().callback(move |_: MouseEvent| Event::Zoom(steps));
            html! {
                <button type="button" class="zoom-button" aria-label={label} title={label}
                    data-testid={testid} {onclick}>{ sign }</button>
            }
        };
        html! {
            <div class="zoom">
                { button("+", strings.zoom_in, "zoom-in", Some(1)) }
                { button("−", strings.zoom_out, "zoom-out", Some(-1)) }
                if self.scene.zoom() != 0 { { button("⤢", strings.zoom_fit, "zoom-fit", None) } }
            </div>
        }
    }

    fn zoom(&mut self, props: &MapProps, steps: Option<i32>) {
        let layout = self.scene.layout();
        let zoom = steps.map_or(0, |steps| self.scene.zoom() + steps);
        let was = (layout.density, self.scene.zoom());
        let motion = self.motion(props);
        self.scene.set_zoom(zoom, browser::wall_ms(), motion);
        // At the end of the scale a step does nothing, and must not have to be taken back.
        if steps.is_some() && self.scene.layout().density == was.0 {
            self.scene.set_zoom(was.1, browser::wall_ms(), Motion::None);
        }
    }

    /// Sets going what has happened; says whether anything has.
    fn take_traffic(&mut self, props: &MapProps) -> bool {
        let waiting = props.traffic.take();
        let (packets, probes) = (&waiting.packets, &waiting.probes);
        self.told.0 += packets.len();
        self.told.1 += probes.len();
        let failed = packets.iter().filter(|packet| packet.sort <= PacketSort::Error);
        self.failed += failed.count();
        self.through += packets.iter().filter(|packet| packet.through.is_some()).count();
        let flows = !packets.is_empty() || !probes.is_empty();
        if flows {
            let motion = self.motion(props);
            self.scene.launch(waiting, browser::wall_ms(), motion);
        }
        flows
    }

    fn sync(&mut self, props: &MapProps) {
        let (now_ms, motion) = (browser::wall_ms(), self.motion(props));
        let (mut pods, mut services) = (Rows::default(), Rows::default());
        if !props.system {
            for (uid, pod) in props.pods.iter().filter(|(_, pod)| !is_of_the_system(pod)) {
                pods.put(Rc::clone(uid), Rc::clone(pod));
            }
            let own = |row: &ServiceRow| !is_namespace_of_the_system(&row.namespace);
            for (uid, row) in props.services.iter().filter(|(_, row)| own(row)) {
                services.put(Rc::clone(uid), Rc::clone(row));
            }
        }
        let (pods, services) = match props.system {
            true => (&*props.pods, &*props.services),
            false => (&pods, &services),
        };
        self.scene.set_outside(props.outside);
        self.scene.sync(&props.nodes, pods, services, now_ms, motion);
        if let Some((target, _)) = &self.hovered
            && self.scene.rect_of(target).is_none()
        {
            self.hovered = None;
        }
    }

    /// A point of the window in the view.
    fn in_view(&self, point: Point) -> Point {
        let element = self.scroller.cast::<HtmlElement>();
        let corner = element.map(|element| element.get_bounding_client_rect());
        let (left, top) = corner.map_or((0.0, 0.0), |rect| (rect.left(), rect.top()));
        Point { x: point.x - left, y: point.y - top }
    }

    fn on_map(&self, point: Point) -> Point {
        Point { x: point.x, y: point.y + self.scroll_top() }
    }

    fn scroll_top(&self) -> f64 {
        self.scroller.cast::<HtmlElement>().map_or(0.0, |element| f64::from(element.scroll_top()))
    }

    fn resize(&mut self, context: &Context<Self>) -> bool {
        let Some(element) = self.scroller.cast::<HtmlElement>() else { return false };
        let (width, height) = (element.client_width(), element.client_height());
        if width <= 0 || height <= 0 {
            return false;
        }
        let viewport = Viewport { width: f64::from(width), height: f64::from(height) };
        self.scene.resize(viewport, browser::wall_ms());
        let ratio = web_sys::window().map_or(1.0, |window| window.device_pixel_ratio());
        for canvas in self.canvases.iter().filter_map(NodeRef::cast::<HtmlCanvasElement>) {
            canvas.set_width((f64::from(width) * ratio).round() as u32);
            canvas.set_height((f64::from(height) * ratio).round() as u32);
        }
        self.scene.damage_all();
        self.outlines_stale = true;
        self.ask_for_frame(context);
        true
    }

    fn ask_for_frame(&mut self, context: &Context<Self>) {
        if self.frame.is_none() {
            let link = context.link().clone();
            self.frame = Some(request_animation_frame(move |now_ms| {
                link.send_message(Event::Frame(now_ms));
            }));
        }
    }

    fn draw(&mut self, context: &Context<Self>, now_ms: f64) {
        let now_ms = now_ms.max(browser::wall_ms());
        let was_moving = self.moving;
        self.moving = self.scene.tick(now_ms);
        let damage = self.scene.take_damage();
        let scroll = self.scroll_top();
        let viewport = self.scene.viewport();
        let view = Rect::new(0.0, scroll, viewport.width, viewport.height);
        let contexts = self.canvases.each_ref().map(|canvas| context_of(canvas, scroll));
        if let [Some(ground), Some(resting), Some(moving)] = &contexts {
            let props = context.props();
            let brush = |context| Brush {
                context,
                palette: &self.palette,
                strings: props.language.strings(),
                now_ms: props.now_ms,
                view,
            };
            if damage.ground {
                paint::ground(&brush(ground), &self.scene);
            }
            if damage.everything || !damage.rects.is_empty() {
                paint::resting(&brush(resting), &self.scene, &damage);
            }
            if was_moving || self.moving || self.outlines_stale {
                let (outlines, lit) = (self.outlines(props), self.lit(props));
                paint::motion(&brush(moving), &self.scene, now_ms, &outlines, &lit);
                self.outlines_stale = false;
            }
        }
        if self.moving {
            self.ask_for_frame(context);
        }
    }

    fn outlines(&self, props: &MapProps) -> Outlines {
        let rect = |target: Option<Target>| target.and_then(|target| self.scene.rect_of(&target));
        Outlines {
            hovered: rect(self.hovered.as_ref().map(|(target, _)| target.clone())),
            focused: rect(self.focused.clone().filter(|_| self.has_focus)),
            selected: rect(self.selected(props)),
        }
    }

    /// The Services whose lanes stand out: of what is pointed at, of what the keyboard is on, of
    /// what is selected.
    fn lit(&self, props: &MapProps) -> Vec<Rc<str>> {
        let hovered = self.hovered.as_ref().map(|(target, _)| target.clone());
        let focused = self.focused.clone().filter(|_| self.has_focus);
        let targets: Vec<Target> =
            [hovered, focused, self.selected(props)].into_iter().flatten().collect();
        let mut lit: Vec<Rc<str>> = Vec::new();
        for uid in targets.iter().flat_map(|target| self.scene.services_of(target)) {
            if !lit.contains(uid) {
                lit.push(Rc::clone(uid));
            }
        }
        lit
    }

    fn selected(&self, props: &MapProps) -> Option<Target> {
        let object = props.selected.as_ref()?;
        match object.kind.as_str() {
            "Node" => Some(Target::Node(Rc::from(object.name.as_str()))),
            "Pod" => {
                let mut pods = props.pods.iter();
                let same =
                    |pod: &PodRow| pod.name == object.name && pod.namespace == object.namespace;
                pods.find(|(_, pod)| same(pod)).map(|(uid, _)| Target::Pod(Rc::clone(uid)))
            }
            "Service" => {
                let mut rows = props.services.iter();
                let same =
                    |row: &ServiceRow| row.name == object.name && row.namespace == object.namespace;
                rows.find(|(_, row)| same(row)).map(|(uid, _)| Target::Service(Rc::clone(uid)))
            }
            _ => None,
        }
    }

    fn choose(&self, context: &Context<Self>, target: Option<Target>) {
        let props = context.props();
        let object = match target {
            Some(Target::Pod(uid)) => props.pods.get(&uid).map(|pod| pod_ref(pod)),
            Some(Target::Node(name)) => Some(node_ref(&name)),
            Some(Target::Service(uid)) => props.services.get(&uid).map(|row| service_ref(row)),
            None => None,
        };
        props.send.emit(object.map_or(Intent::Deselect, Intent::Select));
    }

    /// Whether the key meant something here.
    fn key(&mut self, context: &Context<Self>, event: &KeyboardEvent) -> bool {
        let direction = match event.key().as_str() {
            "ArrowLeft" => Direction::Left,
            "ArrowRight" => Direction::Right,
            "ArrowUp" => Direction::Up,
            "ArrowDown" => Direction::Down,
            "+" | "-" | "0" => {
                let steps = match event.key().as_str() {
                    "+" => Some(1),
                    "-" => Some(-1),
                    _ => None,
                };
                self.zoom(context.props(), steps);
                return true;
            }
            "Enter" | " " => {
                event.prevent_default();
                event.stop_propagation();
                self.choose(context, self.focused.clone());
                return true;
            }
            _ => return false,
        };
        event.prevent_default();
        let order = self.scene.order();
        let rects: Vec<Rect> = order.iter().map(|(_, rect)| *rect).collect();
        let current = order.iter().position(|(target, _)| Some(target) == self.focused.as_ref());
        let next = match current {
            Some(index) => step(&rects[index], &rects, direction).unwrap_or(match direction {
                // At the end of a row, on in reading order.
                Direction::Right => index + 1,
                Direction::Left => index.saturating_sub(1),
                Direction::Up | Direction::Down => index,
            }),
            None => 0,
        };
        if let Some((target, rect)) = order.get(next) {
            self.focused = Some(target.clone());
            self.reveal(rect);
        }
        true
    }

    fn reveal(&self, rect: &Rect) {
        let Some(element) = self.scroller.cast::<HtmlElement>() else { return };
        let (top, height) = (self.scroll_top(), f64::from(element.client_height()));
        if rect.y < top + 8.0 {
            element.set_scroll_top((rect.y - 8.0) as i32);
        } else if rect.bottom() > top + height - 8.0 {
            element.set_scroll_top((rect.bottom() - height + 8.0) as i32);
        }
    }
}

fn pod_words(pod: &Rc<PodRow>, strings: &'static Strings) -> Html {
    html! {
        <>
            <strong>{ &pod.name }</strong>
            <span class="tooltip-state">
                { state_glyph(pod.state) }{ state_word(strings, pod.state) }
                if pod.status != "Running" { <span class="soft">{ &pod.status }</span> }
            </span>
            if !pod.message.is_empty() { <span class="soft clip">{ &pod.message }</span> }
        </>
    }
}

fn service_words(row: &Rc<ServiceRow>) -> Html {
    html! {
        <>
            <strong>{ &row.name }</strong>
            <span>{ format!("{} {}", row.service_type, row.cluster_ip) }</span>
            <span class="soft numbers">{ &row.ports }</span>
        </>
    }
}

fn node_words(node: &Rc<NodeRow>) -> Html {
    let (used, all) = (&node.requested, &node.allocatable);
    let share = |name: &'static str, used: String, all: String| {
        html! { <span class="soft numbers">{ format!("{name} {used} / {all}") }</span> }
    };
    html! {
        <>
            <strong>{ &node.name }</strong>
            <span>{ &node.status }</span>
            { share("cpu", format::cpu(used.cpu_milli), format::cpu(all.cpu_milli)) }
            { share("memory", format::memory(used.memory_bytes), format::memory(all.memory_bytes)) }
            { share("pods", used.pods.to_string(), all.pods.to_string()) }
        </>
    }
}

/// The context of a canvas, scaled to CSS pixels of the map.
fn context_of(canvas: &NodeRef, scroll: f64) -> Option<CanvasRenderingContext2d> {
    let canvas: HtmlCanvasElement = canvas.cast()?;
    let context: JsValue = canvas.get_context("2d").ok().flatten()?.into();
    let context: CanvasRenderingContext2d = context.dyn_into().ok()?;
    let ratio = web_sys::window().map_or(1.0, |window| window.device_pixel_ratio());
    context.set_transform(ratio, 0.0, 0.0, ratio, 0.0, -scroll * ratio).ok()?;
    Some(context)
}
