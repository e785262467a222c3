//! The page as a whole: holds what it knows, talks to the worker, and hands parts their share.

use std::rc::Rc;

use gloo::events::{EventListener, EventListenerOptions, EventListenerPhase};
use protocol::{Command, CommandResult, Detail, Message, ObjectRef, PodRow};
use wasm_bindgen::JsCast;
use web_sys::DragEvent;
use yew::prelude::*;

use super::cluster_map::ClusterMap;
use super::dock::Dock;
use super::editor::Editor;
use super::inspector::Inspector;
use super::legend::legend;
use super::menus::{Example, Menu};
use super::notice::{Notice, notice_bar};
use super::packet::packet_words;
use super::parts::{Icon, say};
use super::plane::control_plane;
use super::requests::Form;
use super::top_bar::{TopBar, transport};
use super::welcome::{Progress, boot_screen, welcome};
use super::{Board, Intent, Sheet};
use crate::browser;
use crate::files;
use crate::model::{Counts, Journal, Origin, Tables, World, is_of_the_system};
use crate::strings::{Language, Strings, fill};
use crate::worker::{Bridge, FromWorker};

const SEED: u64 = 1;
const NODES: u32 = 3;
/// How fast virtual time runs until the cluster is up: nobody waits half a minute for that.
const BOOT_SPEED: f64 = 60.0;
/// How long 'run until quiet' goes on at most: a virtual hour.
const QUIET_BOUND_MS: i64 = 3_600_000;
/// A longer text is not kept over a reload: writing it at every keystroke would be felt.
const REMEMBERED: usize = 300_000;
/// A worker that breaks this often without a batch between is not started again by itself.
const MOST_TRAPS: u32 = 3;
/// How often the lists and the inspector follow the rows.
const LIST_INTERVAL_MS: f64 = 120.0;

/// What reaches the page.
pub enum Event {
    /// From the worker.
    Heard(FromWorker),
    /// From a person.
    Wanted(Intent),
    /// The list of examples, or why there is none.
    Examples(Result<String, String>),
    /// An example's text, and whether to apply it.
    ExampleText(Result<String, String>, bool),
    /// The text of opened files, or why they are not taken.
    Opened(Result<String, String>),
    /// Files are held over the page, or no longer.
    Dragged(bool),
    /// A key that nothing else took.
    Key(KeyboardEvent),
}

/// The page.
pub struct App {
    bridge: Option<Bridge>,
    world: World,
    journal: Journal,
    detail: Option<Rc<Detail>>,
    selected: Option<ObjectRef>,
    result: Option<Rc<CommandResult>>,
    notice: Option<Notice>,
    examples: Rc<Vec<Example>>,
    text: AttrValue,
    replaced: Option<AttrValue>,
    example: AttrValue,
    language: Language,
    theme: u32,
    sheet: Option<Sheet>,
    board: Board,
    packet: Option<u64>,
    form: Form,
    /// The rows as the lists show them, and when they were last brought up to date.
    lists: Tables,
    listed_ms: f64,
    dragged: bool,
    system: bool,
    speed: f64,
    playing: bool,
    seed: u64,
    nodes: u32,
    traps: u32,
    settled: bool,
    /// Whether something waits for the rest of the engine.
    loading: bool,
    legend: Callback<(), Html>,
    /// The one callback of all parts: a new one for each drawing would draw all of them.
    send: Callback<Intent>,
    _listeners: Vec<EventListener>,
}

impl Component for App {
    type Message = Event;
    type Properties = ();

    fn create(context: &Context<Self>) -> Self {
        let tag = browser::recall("language").unwrap_or_else(browser::preferred_language);
        let language = Language::from_tag(&tag);
        let mut app = App {
            bridge: None,
            world: World::default(),
            journal: Journal::default(),
            detail: None,
            selected: None,
            result: None,
            notice: None,
            examples: Rc::default(),
            text: browser::recall("manifest").unwrap_or_default().into(),
            replaced: None,
            example: AttrValue::default(),
            language,
            theme: 0,
            sheet: None,
            board: Board::default(),
            packet: None,
            form: Form::default(),
            lists: Tables::default(),
            listed_ms: 0.0,
            dragged: false,
            system: browser::recall("system").as_deref() == Some("shown"),
            speed: 1.0,
            playing: true,
            seed: SEED,
            nodes: NODES,
            traps: 0,
            settled: false,
            loading: false,
            legend: legend_in(language),
            send: context.link().callback(Event::Wanted),
            _listeners: listeners(context),
        };
        browser::set_root_attribute("lang", app.language.code());
        app.start(context);
        context.link().send_future(async {
            Event::Examples(browser::fetch_text("./examples/index.json".into()).await)
        });
        app
    }

    fn update(&mut self, context: &Context<Self>, event: Event) -> bool {
        match event {
            Event::Heard(heard) => self.hear(context, heard),
            Event::Wanted(intent) => self.want(context, intent),
            Event::Examples(text) => {
                let list = text.ok().and_then(|text| Example::list(&text));
                self.examples = Rc::new(list.unwrap_or_default());
                true
            }
            Event::ExampleText(Ok(text), apply) => {
                self.take_example(text.into());
                if apply {
                    self.want(context, Intent::Apply);
                }
                true
            }
            Event::ExampleText(Err(error), _) => {
                self.notice = Some(Notice::Refused(error.into()));
                true
            }
            Event::Opened(Ok(text)) => {
                self.take_example(text.into());
                true
            }
            Event::Opened(Err(error)) => {
                self.notice = Some(Notice::Refused(error.into()));
                true
            }
            Event::Dragged(dragged) => std::mem::replace(&mut self.dragged, dragged) != dragged,
            Event::Key(event) => self.key(context, &event),
        }
    }

    fn view(&self, _: &Context<Self>) -> Html {
        let strings = self.language.strings();
        let send = &self.send;
        let sheet = match self.sheet {
            None => "sheet-none",
            Some(Sheet::Editor) => "sheet-editor",
            Some(Sheet::Dock) => "sheet-dock",
            Some(Sheet::Inspector) => "sheet-inspector",
        };
        let version = self.world.booted.as_ref().map(|booted| booted.kubernetes_version.clone());
        let boot = Intent::Boot { seed: self.seed, nodes: self.nodes };
        let epoch_ms = self.world.booted.as_ref().map_or(0, |booted| booted.epoch_ms);
        html! {
            <div class={classes!("app", sheet)}>
                <TopBar version={version.unwrap_or_default()} seed={self.seed}
                    wanted={self.nodes} examples={Rc::clone(&self.examples)}
                    nodes={self.world.tables.nodes.clone()} language={self.language}
                    send={send.clone()} />
                { transport((&self.world.pace, self.loading), self.world.elapsed_ms(), self.speed, boot, strings,
                    send) }
                <section class="panel editor" aria-label={strings.manifest}>
                    <Editor text={self.text.clone()} result={self.result.clone()}
                        waiting={self.journal.editor_waits()} replaced={self.replaced.is_some()}
                        language={self.language} send={send.clone()} />
                </section>
                { self.map_part(strings, send) }
                <section class="panel inspector" aria-label={strings.summary}>
                    { self.inspector(send) }
                </section>
                <section class="panel dock" aria-label={strings.objects}>
                    <Dock tables={self.lists.clone()} now_ms={self.second()}
                        selected={self.selected.clone()} language={self.language}
                        board={self.board} packets={self.world.packets.clone()}
                        packet={self.packet} form={self.form.clone()} {epoch_ms} send={send.clone()} />
                </section>
                { self.sheet_bar(strings, send) }
                if self.dragged {
                    <div class="drop" data-testid="drop"><p>{ strings.drop_files }</p></div>
                }
            </div>
        }
    }
}

/// What the page hears wherever it happens: keys, and files that are dropped.
fn listeners(context: &Context<App>) -> Vec<EventListener> {
    let Some(document) = web_sys::window().and_then(|window| window.document()) else {
        return Vec::new();
    };
    let link = context.link().clone();
    let options = EventListenerOptions::enable_prevent_default();
    let keys = EventListener::new_with_options(&document, "keydown", options, move |event| {
        if let Some(event) = event.dyn_ref::<KeyboardEvent>() {
            link.send_message(Event::Key(event.clone()));
        }
    });
    let mut listeners = vec![keys];
    for name in ["dragover", "dragleave", "drop"] {
        let link = context.link().clone();
        // Before the editor, which would take a file's text in where it is dropped.
        let options = EventListenerOptions {
            phase: EventListenerPhase::Capture,
            ..EventListenerOptions::enable_prevent_default()
        };
        listeners.push(EventListener::new_with_options(&document, name, options, move |event| {
            if let Some(event) = event.dyn_ref::<DragEvent>() {
                for message in dragged(event) {
                    link.send_message(message);
                }
            }
        }));
    }
    listeners
}

/// What files do over the page; nothing for what else is dragged.
fn dragged(event: &DragEvent) -> Vec<Event> {
    let Some(data) = event.data_transfer() else { return Vec::new() };
    if !data.types().includes(&"Files".into(), 0) {
        return Vec::new();
    }
    event.prevent_default();
    event.stop_propagation();
    match event.type_().as_str() {
        "dragover" => vec![Event::Dragged(true)],
        "drop" => {
            let files = data.files().map(|list| files::of_list(&list)).unwrap_or_default();
            vec![Event::Dragged(false), Event::Wanted(Intent::Open(files))]
        }
        // Out of one element and into another is not out of the page.
        _ if event.related_target().is_some() => Vec::new(),
        _ => vec![Event::Dragged(false)],
    }
}

fn legend_in(language: Language) -> Callback<(), Html> {
    Callback::from(move |()| legend(language.strings()))
}

impl App {
    fn inspector(&self, send: &Callback<Intent>) -> Html {
        let epoch_ms = self.world.booted.as_ref().map_or(0, |booted| booted.epoch_ms);
        html! {
            <Inspector form={self.form.clone()} selected={self.selected.clone()} detail={self.detail.clone()}
                tables={self.lists.clone()} now_ms={self.second()} {epoch_ms}
                language={self.language} send={send.clone()} />
        }
    }

    fn map_part(&self, strings: &'static Strings, send: &Callback<Intent>) -> Html {
        let shown = |pod: &&Rc<PodRow>| self.system || !is_of_the_system(pod);
        let counts = Counts::of(self.world.tables.pods.values().filter(shown));
        let progress = Progress::of(&self.world);
        let nodes = self.world.tables.nodes.len();
        let values = [("nodes", nodes), ("ready", counts.ready), ("pods", counts.total)];
        let mut pods = self.world.tables.pods.values();
        let outside = self.world.tables.generators.values().any(|row| row.from.is_none());
        let empty = pods.all(|pod| is_of_the_system(pod));
        let tables = &self.world.tables;
        let packet = self.world.last_packet.as_ref();
        let packet = packet.map(|packet| packet_words(packet, tables, strings));
        html! {
            <main class="center" aria-label={strings.map_label}>
                { control_plane(&self.world.tables.components,
                    (self.system, &self.world.tables.workloads), strings, send) }
                <ClusterMap nodes={self.world.tables.nodes.clone()}
                    pods={self.world.tables.pods.clone()} now_ms={self.world.pace.now_ms}
                    services={self.world.tables.services.clone()}
                    traffic={self.world.traffic.clone()} system={self.system} {outside}
                    speed={self.speed.max(self.world.pace.speed_achieved)}
                    handled={self.world.pace.events_handled} {packet}
                    selected={self.selected.clone()} theme={self.theme} language={self.language}
                    send={send.clone()} />
                if let Some(notice) = &self.notice { { notice_bar(notice, strings, send) } }
                if !self.settled {
                    { boot_screen(&progress, strings) }
                } else if empty {
                    { welcome(&self.examples, self.language, send) }
                }
                <div class="map-foot">
                    <span class="soft numbers" role="status" data-testid="counts">
                        { fill(strings.map_counts, &values) }
                    </span>
                    <Menu label={strings.legend} icon={Icon::Legend} testid="legend-menu"
                        class="up left" content={self.legend.clone()} />
                </div>
            </main>
        }
    }

    fn sheet_bar(&self, strings: &'static Strings, send: &Callback<Intent>) -> Html {
        let button = |sheet: Sheet, icon: Icon, label: &'static str, testid: &'static str| {
            let onclick = say(send, Intent::Sheet(sheet));
            html! {
                <button type="button" class="sheet-button" data-testid={testid} {onclick}
                    aria-expanded={(self.sheet == Some(sheet)).to_string()}>
                    { icon.html() }<span>{ label }</span>
                </button>
            }
        };
        html! {
            <nav class="sheet-bar">
                { button(Sheet::Editor, Icon::Document, strings.manifest, "sheet-editor") }
                { button(Sheet::Dock, Icon::List, strings.objects, "sheet-dock") }
                { button(Sheet::Inspector, Icon::Inspect, strings.summary, "sheet-inspector") }
            </nav>
        }
    }

    /// The virtual clock to the second: ages do not change more often.
    fn second(&self) -> i64 {
        self.world.pace.now_ms.div_euclid(1000) * 1000
    }

    fn say(&mut self, command: Command, origin: Origin) {
        let request = self.journal.request(command, origin);
        if let Some(bridge) = &self.bridge {
            bridge.send(&request);
        }
    }

    /// A new worker with a fresh cluster.
    fn start(&mut self, context: &Context<Self>) {
        match Bridge::start(context.link().callback(Event::Heard)) {
            Ok(bridge) => {
                self.bridge = Some(bridge);
                self.loading = false;
                self.boot();
            }
            Err(error) => self.notice = Some(Notice::Broken(error.into())),
        }
    }

    /// Lets the worker load the rest of the engine.
    fn load(&self) {
        if let Some(bridge) = &self.bridge {
            bridge.load();
        }
    }

    fn boot(&mut self) {
        self.say(Command::Boot { seed: self.seed, nodes: self.nodes }, Origin::Button);
        self.say(Command::SetSpeed(BOOT_SPEED), Origin::Button);
        self.playing = true;
        self.say(Command::Play, Origin::Button);
        (self.detail, self.selected, self.result) = (None, None, None);
        self.packet = None;
        self.show(self.board);
        self.settled = false;
    }

    fn hear(&mut self, context: &Context<Self>, heard: FromWorker) -> bool {
        match heard {
            FromWorker::Messages(messages) => {
                for message in messages {
                    self.take(message);
                }
            }
            FromWorker::Trap(message) if self.traps < MOST_TRAPS => {
                self.traps += 1;
                self.recover(context, message);
            }
            FromWorker::Loading(loading) => {
                self.loading = loading;
                if loading && matches!(self.notice, Some(Notice::Unreachable(_))) {
                    self.notice = None;
                }
            }
            FromWorker::Unreachable(words) => self.notice = Some(Notice::Unreachable(words.into())),
            FromWorker::Trap(message) | FromWorker::Broken(message) => {
                self.bridge = None;
                self.notice = Some(Notice::Broken(message.into()));
            }
        }
        true
    }

    /// After a trap: a new worker hears everything again but what broke the last one.
    fn recover(&mut self, context: &Context<Self>, message: String) {
        let changes = self.journal.recover();
        self.start(context);
        for change in changes {
            self.say(change, Origin::Button);
        }
        self.notice = Some(Notice::Trapped(message.into()));
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Booted(booted) => {
                self.world.boot(booted);
                self.listed_ms = 0.0;
            }
            Message::Batch(batch) => {
                if self.world.apply(batch).is_err() {
                    self.say(Command::Resubscribe, Origin::Button);
                }
                self.playing = self.world.pace.running;
                self.bring_lists_up_to_date();
                if !self.settled && Progress::of(&self.world).complete() {
                    self.settled = true;
                    self.say(Command::SetSpeed(self.speed), Origin::Button);
                    self.load();
                    browser::announce("settled");
                }
            }
            Message::Result(result) => self.take_result(result),
            Message::Detail(detail) => {
                if self.selected.as_ref() == Some(&detail.object) {
                    self.detail = Some(Rc::from(detail));
                }
            }
            Message::Packets(rows) => self.world.packets.rows = Rc::new(rows),
            Message::Hops { packet, hops } => {
                self.world.packets.hops = (Some(packet), Rc::new(hops));
            }
            Message::Fatal { message } => self.notice = Some(Notice::Broken(message.into())),
        }
    }

    /// Lists follow a few times in a second: nobody reads faster, and the map is to stay smooth.
    /// While time flows another batch comes soon, so that nothing is left behind.
    fn bring_lists_up_to_date(&mut self) {
        let now_ms = browser::wall_ms();
        if !self.playing || now_ms - self.listed_ms >= LIST_INTERVAL_MS {
            (self.lists, self.listed_ms) = (self.world.tables.clone(), now_ms);
        }
    }

    fn take_result(&mut self, result: CommandResult) {
        match self.journal.answered(result.id) {
            Some(Origin::Editor) => self.result = Some(Rc::new(result)),
            Some(Origin::Button) if !result.problems.is_empty() => {
                let messages: Vec<&str> =
                    result.problems.iter().map(|problem| problem.message.as_str()).collect();
                self.notice = Some(Notice::Refused(messages.join("\n").into()));
            }
            _ => {}
        }
    }

    fn want(&mut self, context: &Context<Self>, intent: Intent) -> bool {
        match intent {
            Intent::Send(command) => self.say(command, Origin::Button),
            Intent::Edit(text) => {
                if text.len() <= REMEMBERED {
                    browser::remember("manifest", &text);
                }
                self.text = text;
            }
            Intent::Apply if !self.journal.editor_waits() => {
                self.say(Command::Apply { text: self.text.to_string() }, Origin::Editor);
            }
            Intent::Delete if !self.journal.editor_waits() => {
                self.say(Command::Delete { text: self.text.to_string() }, Origin::Editor);
            }
            Intent::Apply | Intent::Delete => return false,
            Intent::Example { id, apply } => context.link().send_future(async move {
                let path = format!("./examples/{id}.yaml");
                Event::ExampleText(browser::fetch_text(path).await, apply)
            }),
            Intent::Open(files) => {
                let strings = self.language.strings();
                context
                    .link()
                    .send_future(async move { Event::Opened(files::read(files, strings).await) });
            }
            Intent::Restore => {
                if let Some(text) = self.replaced.take() {
                    browser::remember("manifest", &text);
                    (self.text, self.result) = (text, None);
                }
            }
            Intent::Select(object) => self.select(object),
            Intent::Deselect => self.deselect(),
            Intent::Speak(language) => self.speak(language),
            Intent::Theme => self.change_theme(),
            Intent::System => {
                self.system = !self.system;
                browser::remember("system", if self.system { "shown" } else { "hidden" });
            }
            Intent::Sheet(sheet) => {
                self.sheet = if self.sheet == Some(sheet) { None } else { Some(sheet) };
            }
            Intent::Choose(choice) => self.form.choose(choice),
            Intent::Board(board) => self.show(board),
            Intent::Packet(packet) => {
                self.packet = Some(packet);
                if browser::matches_media("(max-width: 999px)") {
                    self.sheet = Some(Sheet::Dock);
                }
                self.show(Board::Packets);
            }
            Intent::Dismiss => self.notice = None,
            Intent::Load => {
                self.notice = None;
                self.load();
            }
            Intent::Restart => {
                (self.notice, self.traps) = (None, 0);
                self.world = World::default();
                self.start(context);
            }
            Intent::Toggle
            | Intent::Step
            | Intent::StepPacket
            | Intent::RunUntilQuiet
            | Intent::Speed(_)
            | Intent::Boot { .. } => self.transport(intent),
        }
        true
    }

    fn transport(&mut self, intent: Intent) {
        match intent {
            Intent::Toggle => {
                let command = if self.playing { Command::Pause } else { Command::Play };
                self.playing = !self.playing;
                self.say(command, Origin::Button);
            }
            Intent::Step => {
                self.playing = false;
                self.say(Command::Step, Origin::Button);
            }
            Intent::StepPacket => {
                self.playing = false;
                self.say(Command::StepPacket, Origin::Button);
            }
            Intent::RunUntilQuiet => {
                let command = Command::RunUntilQuiet { bound_ms: QUIET_BOUND_MS };
                self.say(command, Origin::Button);
            }
            Intent::Speed(speed) => {
                self.speed = speed;
                if self.settled {
                    self.say(Command::SetSpeed(speed), Origin::Button);
                }
            }
            Intent::Boot { seed, nodes } => {
                (self.seed, self.nodes) = (seed, nodes);
                self.boot();
            }
            _ => {}
        }
    }

    /// Shows a part of the dock. The engine keeps packets and their hops only while they are
    /// looked at.
    fn show(&mut self, board: Board) {
        let looked = self.board == Board::Packets;
        self.board = board;
        let shown = board == Board::Packets;
        if shown || looked {
            self.say(Command::Packets { shown, packet: self.packet }, Origin::Button);
        }
    }

    fn select(&mut self, object: ObjectRef) {
        if browser::matches_media("(max-width: 999px)") {
            self.sheet = Some(Sheet::Inspector);
        }
        if self.selected.as_ref() != Some(&object) {
            self.detail = None;
            self.selected = Some(object.clone());
            self.say(Command::Select { object }, Origin::Button);
        }
    }

    fn deselect(&mut self) {
        if self.sheet == Some(Sheet::Inspector) {
            self.sheet = None;
        }
        if self.selected.take().is_some() {
            self.detail = None;
            self.say(Command::Deselect, Origin::Button);
        }
    }

    fn speak(&mut self, language: Language) {
        self.language = language;
        self.legend = legend_in(language);
        browser::remember("language", language.code());
        browser::set_root_attribute("lang", language.code());
    }

    fn change_theme(&mut self) {
        let chosen = browser::recall("theme");
        let dark = match chosen.as_deref() {
            Some(theme) => theme == "dark",
            None => browser::matches_media("(prefers-color-scheme: dark)"),
        };
        let theme = if dark { "light" } else { "dark" };
        browser::remember("theme", theme);
        browser::set_root_attribute("data-theme", theme);
        self.theme += 1;
    }

    fn take_example(&mut self, text: AttrValue) {
        let own = !self.text.trim().is_empty() && self.text != text && self.text != self.example;
        if own {
            self.replaced = Some(self.text.clone());
        }
        self.example = text.clone();
        browser::remember("manifest", &text);
        (self.text, self.result) = (text, None);
    }

    /// Keys of the page as a whole, unless the focus is on something that takes them itself.
    fn key(&mut self, context: &Context<Self>, event: &KeyboardEvent) -> bool {
        let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let taken = element.is_some_and(|element| {
            let takes = "input, select, textarea, button, [contenteditable]";
            matches!(element.closest(takes), Ok(Some(_)))
        });
        if event.ctrl_key() || event.meta_key() || event.alt_key() || event.default_prevented() {
            return false;
        }
        let intent = match event.key().as_str() {
            "Escape" if self.sheet.is_some() && self.selected.is_none() => {
                self.sheet = None;
                return true;
            }
            "Escape" => Intent::Deselect,
            _ if taken => return false,
            " " => Intent::Toggle,
            "." => Intent::Step,
            "/" => {
                event.prevent_default();
                browser::focus("filter");
                return false;
            }
            _ => return false,
        };
        event.prevent_default();
        self.want(context, intent)
    }
}
