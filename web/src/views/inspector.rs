//! The inspector: everything about the selected object, and what can be done with it.

use std::rc::Rc;

use protocol::{Command, ContainerLog, Detail, EventKind, EventRow, ObjectRef};
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::legend::Legend;
use super::parts::{Icon, IconButton, state_glyph, use_strings};
use super::summary::Summary;
use super::{Intent, Sheet};
use crate::format;
use crate::highlight::{self, Piece};
use crate::model::Tables;
use crate::strings::Strings;

/// Properties of [`Inspector`].
#[derive(Properties, PartialEq)]
pub struct InspectorProps {
    /// The selected object.
    pub selected: Option<ObjectRef>,
    /// What the engine says of it.
    pub detail: Option<Rc<Detail>>,
    /// The rows.
    pub tables: Tables,
    /// The virtual clock, to the second.
    pub now_ms: i64,
    /// When the cluster began.
    pub epoch_ms: i64,
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
    let page = use_state_eq(|| Page::Summary);
    let Some(object) = props.selected.clone() else {
        return html! { <Nothing send={props.send.clone()} /> };
    };
    let detail = props.detail.clone().filter(|detail| detail.object == object);
    let pages: &[Page] = match object.kind.as_str() {
        "Pod" => &[Page::Summary, Page::Yaml, Page::Events, Page::Logs],
        _ => &[Page::Summary, Page::Yaml, Page::Events],
    };
    let shown = if pages.contains(&page) { *page } else { Page::Summary };
    let choose = {
        let page = page.clone();
        Callback::from(move |chosen: Page| page.set(chosen))
    };
    let body = match (shown, &detail) {
        (Page::Summary, _) => html! {
            <Summary object={object.clone()} detail={detail.clone()} tables={props.tables.clone()}
                now_ms={props.now_ms} send={props.send.clone()} />
        },
        (_, None) => html! { <p class="nothing soft">{ "…" }</p> },
        (Page::Yaml, Some(detail)) => {
            html! { <Yaml text={AttrValue::from(detail.yaml.clone())} /> }
        }
        (Page::Events, Some(detail)) => html! {
            <EventList events={detail.events.clone()} now_ms={props.now_ms} />
        },
        (Page::Logs, Some(detail)) => html! {
            <Logs logs={detail.logs.clone()} epoch_ms={props.epoch_ms} />
        },
    };
    let key = format!("{object:?}");
    let gone = detail.as_ref().is_some_and(|detail| !detail.exists);
    html! {
        <>
            <Head object={object.clone()} tables={props.tables.clone()} {gone}
                send={props.send.clone()} />
            <Pages pages={pages.to_vec()} {shown} {choose} />
            <div class="inspector-body" role="tabpanel" data-testid={format!("page-{}", shown.id())}>
                { body }
            </div>
            <Verbs key={key} {object} tables={props.tables.clone()} {gone}
                send={props.send.clone()} />
        </>
    }
}

#[derive(Properties, PartialEq)]
struct NothingProps {
    send: Callback<Intent>,
}

#[component]
fn Nothing(props: &NothingProps) -> Html {
    let strings = use_strings();
    html! {
        <>
            <header class="panel-head">
                <h2>{ strings.legend }</h2>
                <IconButton icon={Icon::Close} label={strings.close} class="sheet-close"
                    onclick={props.send.reform(|()| Intent::Sheet(Sheet::Inspector))} />
            </header>
            <div class="inspector-body">
                <Legend />
                <p class="soft hint">{ strings.nothing_selected }</p>
                <dl class="keys-list">
                    <dt><kbd>{ strings.key_space }</kbd></dt><dd>{ strings.play_or_pause }</dd>
                    <dt><kbd>{ "." }</kbd></dt><dd>{ strings.step }</dd>
                    <dt><kbd>{ "← ↑ ↓ →" }</kbd></dt><dd>{ strings.walk_the_map }</dd>
                    <dt><kbd>{ "/" }</kbd></dt><dd>{ strings.filter }</dd>
                    <dt><kbd>{ "Esc" }</kbd></dt><dd>{ strings.deselect }</dd>
                </dl>
            </div>
        </>
    }
}

#[derive(Properties, PartialEq)]
struct HeadProps {
    object: ObjectRef,
    tables: Tables,
    gone: bool,
    send: Callback<Intent>,
}

#[component]
fn Head(props: &HeadProps) -> Html {
    let strings = use_strings();
    let object = &props.object;
    let glyph = props.tables.pod(object).map(|pod| state_glyph(pod.state));
    html! {
        <header class="panel-head inspector-head">
            <div class="title">
                <span class="soft kind">
                    { &object.kind }
                    if !object.namespace.is_empty() { { format!(" · {}", object.namespace) } }
                </span>
                <h2 data-testid="inspector-name">{ for glyph }{ &object.name }</h2>
                if props.gone { <span class="gone" data-testid="gone">{ strings.gone }</span> }
            </div>
            <IconButton icon={Icon::Close} label={strings.close} testid="inspector-close"
                onclick={props.send.reform(|()| Intent::Deselect)} />
        </header>
    }
}

#[derive(Properties, PartialEq)]
struct PagesProps {
    pages: Vec<Page>,
    shown: Page,
    choose: Callback<Page>,
}

#[component]
fn Pages(props: &PagesProps) -> Html {
    let strings = use_strings();
    let button = |page: Page| {
        html! {
            <button type="button" role="tab" class="tab" key={page.id()}
                aria-selected={(page == props.shown).to_string()}
                data-testid={format!("inspect-{}", page.id())}
                onclick={props.choose.reform(move |_: MouseEvent| page)}>
                { page.title(strings) }
            </button>
        }
    };
    html! { <div class="tabs" role="tablist">{ for props.pages.iter().copied().map(button) }</div> }
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

#[derive(Properties, PartialEq)]
struct EventListProps {
    events: Vec<EventRow>,
    now_ms: i64,
}

#[component]
fn EventList(props: &EventListProps) -> Html {
    let strings = use_strings();
    if props.events.is_empty() {
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
                        { format::human_duration(props.now_ms - event.last_ms) }
                    </span>
                </div>
                <p>{ &event.message }</p>
            </li>
        }
    };
    html! { <ol class="events">{ for props.events.iter().rev().map(row) }</ol> }
}

#[derive(Properties, PartialEq)]
struct LogsProps {
    logs: Vec<ContainerLog>,
    epoch_ms: i64,
}

#[component]
fn Logs(props: &LogsProps) -> Html {
    let strings = use_strings();
    if props.logs.iter().all(|log| log.lines.is_empty()) {
        return html! { <p class="nothing soft">{ strings.no_logs }</p> };
    }
    let one = |log: &ContainerLog| {
        let line = |line: &protocol::LogLine| {
            html! {
                <div class="log-line">
                    <span class="soft numbers">
                        { format::clock_precise(line.time_ms - props.epoch_ms) }
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
    let logs = props.logs.iter().filter(|log| !log.lines.is_empty());
    html! { <>{ for logs.map(one) }</> }
}

#[derive(Properties, PartialEq)]
struct VerbsProps {
    object: ObjectRef,
    tables: Tables,
    gone: bool,
    send: Callback<Intent>,
}

/// What can be done with the object.
#[component]
fn Verbs(props: &VerbsProps) -> Html {
    let strings = use_strings();
    let object = props.object.clone();
    let delete = props.send.reform(move |_: MouseEvent| {
        Intent::Send(Command::DeleteObject { object: object.clone() })
    });
    let workload = props.tables.workload(&props.object);
    let node = props.tables.nodes.get(props.object.name.as_str());
    let node = node.filter(|_| props.object.kind == "Node");
    html! {
        <footer class="panel-foot verbs">
            if let Some(row) = workload {
                <Scale object={props.object.clone()} replicas={row.desired}
                    send={props.send.clone()} />
            }
            if let Some(node) = node {
                <FailButton name={node.name.clone()} failed={node.failed}
                    send={props.send.clone()} />
            }
            <button type="button" class="button danger" onclick={delete} disabled={props.gone}
                data-testid="delete-object">{ Icon::Delete.html() }{ strings.delete }</button>
        </footer>
    }
}

#[derive(Properties, PartialEq)]
struct FailProps {
    name: String,
    failed: bool,
    send: Callback<Intent>,
}

#[component]
fn FailButton(props: &FailProps) -> Html {
    let strings = use_strings();
    let (name, failed) = (props.name.clone(), props.failed);
    let onclick = props.send.reform(move |_: MouseEvent| {
        let name = name.clone();
        Intent::Send(match failed {
            true => Command::RecoverNode { name },
            false => Command::FailNode { name },
        })
    });
    html! {
        <button type="button" class="button" {onclick} data-testid="fail-node">
            { Icon::Fault.html() }{ if failed { strings.recover } else { strings.fail } }
        </button>
    }
}

#[derive(Properties, PartialEq)]
struct ScaleProps {
    object: ObjectRef,
    replicas: u32,
    send: Callback<Intent>,
}

/// Above this a slip of the finger would fill the cluster for good.
const MOST_REPLICAS: u32 = 5000;

#[component]
fn Scale(props: &ScaleProps) -> Html {
    let strings = use_strings();
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
