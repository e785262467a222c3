//! The inspector: everything about the selected object, and what can be done with it.

use std::rc::Rc;

use protocol::{Command, ContainerLog, Detail, EventKind, EventRow, ObjectRef};
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::legend::legend;
use super::menus::fault;
use super::parts::{Icon, icon_button, say, state_glyph};
use super::requests::{Form, service_requests};
use super::summary::summary;
use super::{Intent, Sheet};
use crate::format;
use crate::highlight::{self, Piece};
use crate::model::Tables;
use crate::strings::{Language, Strings};

/// Properties of [`Inspector`].
#[derive(Properties, PartialEq)]
pub struct InspectorProps {
    /// The selected object.
    pub selected: Option<ObjectRef>,
    /// What the engine says of it.
    pub detail: Option<Rc<Detail>>,
    /// The rows.
    pub tables: Tables,
    /// Which requests were chosen.
    pub form: Form,
    /// The virtual clock, to the second.
    pub now_ms: i64,
    /// When the cluster began.
    pub epoch_ms: i64,
    /// Language in force.
    pub language: Language,
    /// Where intents go.
    pub send: Callback<Intent>,
}

/// A part of the inspector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Page {
    Summary,
    Yaml,
    Events,
    Logs,
}

impl Page {
    fn title(self, strings: &'static Strings) -> &'static str {
        match self {
            Page::Summary => strings.summary,
            Page::Yaml => "YAML",
            Page::Events => strings.events,
            Page::Logs => strings.logs,
        }
    }

    fn id(self) -> &'static str {
        match self {
            Page::Summary => "summary",
            Page::Yaml => "yaml",
            Page::Events => "events",
            Page::Logs => "logs",
        }
    }
}

/// The inspector.
#[component]
pub fn Inspector(props: &InspectorProps) -> Html {
    let strings = props.language.strings();
    let page = use_state_eq(|| Page::Summary);
    let Some(object) = &props.selected else {
        return nothing(strings, &props.send);
    };
    let detail = props.detail.as_deref().filter(|detail| detail.object == *object);
    let pages: &[Page] = match object.kind.as_str() {
        "Pod" => &[Page::Summary, Page::Yaml, Page::Events, Page::Logs],
        _ => &[Page::Summary, Page::Yaml, Page::Events],
    };
    let shown = if pages.contains(&page) { *page } else { Page::Summary };
    let choose = {
        let page = page.clone();
        Callback::from(move |chosen: Page| page.set(chosen))
    };
    let body = match (shown, detail) {
        (Page::Summary, _) => {
            summary(object, detail, &props.tables, props.now_ms, strings, &props.send)
        }
        (_, None) => html! { <p class="nothing soft">{ "…" }</p> },
        (Page::Yaml, Some(detail)) => {
            html! { <Yaml text={AttrValue::from(detail.yaml.clone())} /> }
        }
        (Page::Events, Some(detail)) => event_list(&detail.events, props.now_ms, strings),
        (Page::Logs, Some(detail)) => logs(&detail.logs, props.epoch_ms, strings),
    };
    let gone = detail.is_some_and(|detail| !detail.exists);
    html! {
        <>
            { head(object, &props.tables, gone, strings, &props.send) }
            { page_tabs(pages, shown, &choose, strings) }
            <div class="inspector-body" role="tabpanel" tabindex="0"
                aria-label={shown.title(strings)}
                data-testid={format!("page-{}", shown.id())}>
                { body }
            </div>
            { verbs(object, (&props.tables, &props.form), gone, strings, &props.send) }
        </>
    }
}

fn nothing(strings: &'static Strings, send: &Callback<Intent>) -> Html {
    let key = |key: &'static str, meaning: &'static str| {
        html! { <><dt><kbd>{ key }</kbd></dt><dd>{ meaning }</dd></> }
    };
    html! {
        <>
            <header class="panel-head">
                <h2>{ strings.legend }</h2>
                { icon_button(Icon::Close, strings.close, "", "sheet-close",
                    say(send, Intent::Sheet(Sheet::Inspector))) }
            </header>
            <div class="inspector-body" role="region" tabindex="0" aria-label={strings.legend}>
                { legend(strings) }
                <p class="soft hint">{ strings.nothing_selected }</p>
                <dl class="keys-list">
                    { key(strings.key_space, strings.play_or_pause) }
                    { key(".", strings.step) }
                    { key("← ↑ ↓ →", strings.walk_the_map) }
                    { key("/", strings.filter) }
                    { key("Esc", strings.deselect) }
                </dl>
            </div>
        </>
    }
}

fn head(
    object: &ObjectRef,
    tables: &Tables,
    gone: bool,
    strings: &'static Strings,
    send: &Callback<Intent>,
) -> Html {
    let glyph = tables.pod(object).map(|pod| state_glyph(pod.state));
    html! {
        <header class="panel-head inspector-head">
            <div class="title">
                <span class="soft kind">
                    { &object.kind }
                    if !object.namespace.is_empty() { { format!(" · {}", object.namespace) } }
                </span>
                <h2 data-testid="inspector-name">{ for glyph }{ &object.name }</h2>
                if gone { <span class="gone" data-testid="gone">{ strings.gone }</span> }
            </div>
            { icon_button(Icon::Close, strings.close, "inspector-close", "",
                say(send, Intent::Deselect)) }
        </header>
    }
}

fn page_tabs(
    pages: &[Page],
    shown: Page,
    choose: &Callback<Page>,
    strings: &'static Strings,
) -> Html {
    let button = |page: Page| {
        html! {
            <button type="button" role="tab" class="tab" key={page.id()}
                aria-selected={(page == shown).to_string()}
                data-testid={format!("inspect-{}", page.id())}
                onclick={choose.reform(move |_: MouseEvent| page)}>
                { page.title(strings) }
            </button>
        }
    };
    html! { <div class="tabs" role="tablist">{ for pages.iter().copied().map(button) }</div> }
}

#[derive(Properties, PartialEq)]
struct YamlProps {
    text: AttrValue,
}

#[component]
fn Yaml(props: &YamlProps) -> Html {
    let line = |pieces: Vec<(Piece, &str)>| {
        let piece = |(piece, text): (Piece, &str)| match piece {
            Piece::Plain => html! { { text.to_owned() } },
            piece => html! { <span class={piece.class()}>{ text.to_owned() }</span> },
        };
        html! { <>{ for pieces.into_iter().map(piece) }{ "\n" }</> }
    };
    let lines = highlight::lines(&props.text);
    html! {
        <pre class="yaml" tabindex="0" data-testid="yaml">{ for lines.into_iter().map(line) }</pre>
    }
}

fn event_list(events: &[EventRow], now_ms: i64, strings: &'static Strings) -> Html {
    if events.is_empty() {
        return html! { <p class="nothing soft">{ strings.no_events }</p> };
    }
    let row = |event: &EventRow| {
        let warning = event.kind == EventKind::Warning;
        let times = match event.count {
            0 | 1 => String::new(),
            count => format!(" ×{count}"),
        };
        html! {
            <li key={event.uid.clone()} class={classes!("event", warning.then_some("warning"))}
                data-testid="event">
                <div class="event-head">
                    <strong>{ &event.reason }{ times }</strong>
                    <span class="soft">{ &event.source }</span>
                    <span class="soft numbers">
                        { format::human_duration(now_ms - event.last_ms) }
                    </span>
                </div>
                <p>{ &event.message }</p>
            </li>
        }
    };
    html! { <ol class="events">{ for events.iter().rev().map(row) }</ol> }
}

fn logs(logs: &[ContainerLog], epoch_ms: i64, strings: &'static Strings) -> Html {
    if logs.iter().all(|log| log.lines.is_empty()) {
        return html! { <p class="nothing soft">{ strings.no_logs }</p> };
    }
    let one = |log: &ContainerLog| {
        let line = |line: &protocol::LogLine| {
            html! {
                <div class="log-line">
                    <span class="soft numbers">
                        { format::clock_precise(line.time_ms - epoch_ms) }
                    </span>
                    <span>{ &line.text }</span>
                </div>
            }
        };
        html! {
            <section class="log" data-testid="log">
                <h3>
                    { &log.container }
                    if log.previous { <span class="soft">{ strings.previous_run }</span> }
                </h3>
                if log.truncated { <p class="soft">{ strings.earlier_lines }</p> }
                <div class="log-lines" tabindex="0" role="log" aria-label={log.container.clone()}>
                    { for log.lines.iter().map(line) }
                </div>
            </section>
        }
    };
    let logs = logs.iter().filter(|log| !log.lines.is_empty());
    html! { <>{ for logs.map(one) }</> }
}

/// What can be done with the object.
fn verbs(
    object: &ObjectRef,
    (tables, form): (&Tables, &Form),
    gone: bool,
    strings: &'static Strings,
    send: &Callback<Intent>,
) -> Html {
    let delete = Intent::Send(Command::DeleteObject { object: object.clone() });
    let node = tables.nodes.get(object.name.as_str()).filter(|_| object.kind == "Node");
    html! {
        <footer class="panel-foot verbs">
            if let Some(row) = tables.workload(object) {
                <Scale key={row.uid.clone()} object={object.clone()} replicas={row.desired}
                    {strings} send={send.clone()} />
            }
            if let Some((_, service)) = tables.service(object) {
                { service_requests(service, (tables, form), strings, send) }
            }
            if let Some(node) = node {
                <button type="button" class="button" onclick={say(send, fault(node))}
                    data-testid="fail-node">
                    { Icon::Fault.html() }
                    { if node.failed { strings.recover } else { strings.fail } }
                </button>
            }
            <button type="button" class="button danger" onclick={say(send, delete)} disabled={gone}
                data-testid="delete-object">{ Icon::Delete.html() }{ strings.delete }</button>
        </footer>
    }
}

#[derive(Properties, PartialEq)]
struct ScaleProps {
    object: ObjectRef,
    replicas: u32,
    strings: &'static Strings,
    send: Callback<Intent>,
}

/// Above this a slip of the finger would fill the cluster for good.
const MOST_REPLICAS: u32 = 5000;

#[component]
fn Scale(props: &ScaleProps) -> Html {
    let strings = props.strings;
    let wanted = use_state_eq(|| props.replicas);
    {
        let wanted = wanted.clone();
        use_effect_with(props.replicas, move |replicas| wanted.set(*replicas));
    }
    let set = {
        let wanted = wanted.clone();
        move |replicas: u32| {
            let wanted = wanted.clone();
            Callback::from(move |_: MouseEvent| wanted.set(replicas))
        }
    };
    let oninput = {
        let wanted = wanted.clone();
        Callback::from(move |event: InputEvent| {
            let input = event.target().and_then(|t| t.dyn_into::<HtmlInputElement>().ok());
            if let Some(replicas) = input.and_then(|input| input.value().parse::<u32>().ok()) {
                wanted.set(replicas.min(MOST_REPLICAS));
            }
        })
    };
    let (object, replicas) = (props.object.clone(), *wanted);
    let onsubmit = props.send.reform(move |event: SubmitEvent| {
        event.prevent_default();
        Intent::Send(Command::ScaleObject { object: object.clone(), replicas })
    });
    html! {
        <form class="scale" {onsubmit}>
            <button type="button" class="button square" aria-label={strings.fewer}
                onclick={set(replicas.saturating_sub(1))} data-testid="scale-down">{ "−" }</button>
            <input type="number" min="0" max={MOST_REPLICAS.to_string()} inputmode="numeric"
                aria-label={strings.replicas} value={replicas.to_string()} {oninput}
                data-testid="scale-replicas" />
            <button type="button" class="button square" aria-label={strings.more}
                onclick={set((replicas + 1).min(MOST_REPLICAS))} data-testid="scale-up">
                { "+" }
            </button>
            <button type="submit" class="button primary" disabled={replicas == props.replicas}
                data-testid="scale">{ strings.scale }</button>
        </form>
    }
}
