//! The object lists: one table at a time, of which only the visible rows exist.

use std::rc::Rc;

use protocol::{EventKind, ObjectRef};
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use super::packets::packet_board;
use super::parts::{Icon, icon_button, node_glyph, say, state_glyph, when};
use super::requests::{Form, traffic_board};
use super::{Board, Intent, Sheet};
use crate::browser;
use crate::model::{
    Column, Entry, Filter, Packets, Tab, Tables, columns, entries, namespaces, tabs,
};
use crate::strings::{Language, Strings};

/// Properties of [`Dock`].
#[derive(Properties, PartialEq)]
pub struct DockProps {
    /// The rows.
    pub tables: Tables,
    /// The virtual clock, to the second.
    pub now_ms: i64,
    /// What the inspector shows.
    pub selected: Option<ObjectRef>,
    /// Which part is shown.
    pub board: Board,
    /// Which requests were chosen.
    pub form: Form,
    /// The latest packets.
    pub packets: Packets,
    /// The packet whose hops are shown.
    pub packet: Option<u64>,
    /// When the cluster began.
    pub epoch_ms: i64,
    /// Language in force.
    pub language: Language,
    /// Where intents go.
    pub send: Callback<Intent>,
}

/// The object lists.
#[component]
pub fn Dock(props: &DockProps) -> Html {
    let strings = props.language.strings();
    let tab = use_state_eq(|| Tab::Pods);
    let filter = use_state_eq(Filter::default);
    let rows = use_memo(
        (props.tables.clone(), (*tab).clone(), (*filter).clone()),
        |(tables, tab, filter)| entries(tables, tab, filter),
    );
    let choose = {
        let (tab, send) = (tab.clone(), props.send.clone());
        Callback::from(move |chosen: Tab| {
            tab.set(chosen);
            send.emit(Intent::Board(Board::Objects));
        })
    };
    let refine = {
        let filter = filter.clone();
        Callback::from(move |refined: Filter| filter.set(refined))
    };
    html! {
        <>
            <header class="panel-head dock-head">
                <h2 class="heard">{ strings.objects }</h2>
                { kinds(props, &tab, &choose, strings) }
                if props.board == Board::Objects {
                    { filters(&props.tables, &filter, &refine, strings) }
                }
                { icon_button(Icon::Close, strings.close, "", "sheet-close",
                    say(&props.send, Intent::Sheet(Sheet::Dock))) }
            </header>
            if props.board == Board::Objects {
                <Rows columns={columns(&props.tables, &tab)} {rows} now_ms={props.now_ms}
                    title={tab.title()} id={tab.id()} selected={props.selected.clone()} {strings}
                    send={props.send.clone()} />
            } else if props.board == Board::Packets {
                { packet_board(props) }
            } else {
                { traffic_board(props) }
            }
        </>
    }
}

fn kinds(
    props: &DockProps,
    shown: &Tab,
    choose: &Callback<Tab>,
    strings: &'static Strings,
) -> Html {
    let tables = &props.tables;
    let lists = props.board == Board::Objects;
    let all = tabs(tables);
    let (own, others) = all.split_at(all.len().min(5));
    let size = |tab: &Tab| match tab {
        Tab::Pods => Some(tables.pods.len()),
        Tab::Nodes => Some(tables.nodes.len()),
        _ => None,
    };
    let button = |tab: &Tab| {
        let chosen = tab.clone();
        html! {
            <button type="button" role="tab" key={tab.id()} class="tab"
                aria-selected={(lists && tab == shown).to_string()}
                data-testid={format!("tab-{}", tab.id())}
                onclick={choose.reform(move |_: MouseEvent| chosen.clone())}>
                { tab.title() }
                if let Some(size) = size(tab) { <span class="count">{ size }</span> }
            </button>
        }
    };
    let board = |board: Board, title: &'static str, id: &'static str, size: usize| {
        html! {
            <button type="button" role="tab" key={id} class="tab"
                aria-selected={(props.board == board).to_string()}
                data-testid={format!("tab-{id}")} onclick={say(&props.send, Intent::Board(board))}>
                { title }
                if size > 0 { <span class="count">{ size }</span> }
            </button>
        }
    };
    let onchange = {
        let (choose, others) = (choose.clone(), others.to_vec());
        Callback::from(move |event: Event| {
            let target = event.target();
            let select = target.and_then(|target| target.dyn_into::<HtmlSelectElement>().ok());
            let chosen = select.map(|select| select.value());
            if let Some(tab) = others.iter().find(|tab| Some(tab.id()) == chosen) {
                choose.emit(tab.clone());
            }
        })
    };
    let own_is_chosen = !lists || own.contains(shown);
    html! {
        <div class="tabs">
            <div class="tab-list" role="tablist" aria-label={strings.objects}>
                { for own.iter().map(button) }
                { board(Board::Traffic, strings.traffic, "traffic", tables.generators.len()) }
                { board(Board::Packets, strings.packets, "packets", 0) }
            </div>
            if !others.is_empty() {
                <select class={classes!("tab", "more-kinds", (!own_is_chosen).then_some("chosen"))}
                    aria-label={strings.more_kinds} {onchange} data-testid="tab-more">
                    <option value="" selected={own_is_chosen} disabled={!own_is_chosen}>
                        { strings.more_kinds }
                    </option>
                    { for others.iter().map(|tab| html! {
                        <option value={tab.id()} selected={lists && tab == shown}>
                            { tab.title() }
                        </option>
                    }) }
                </select>
            }
        </div>
    }
}

fn filters(
    tables: &Tables,
    current: &Filter,
    refine: &Callback<Filter>,
    strings: &'static Strings,
) -> Html {
    let filter = current.clone();
    let oninput = when(refine, move |event: InputEvent| {
        let input: HtmlInputElement = event.target()?.dyn_into().ok()?;
        Some(Filter { text: input.value(), ..filter.clone() })
    });
    let filter = current.clone();
    let onchange = when(refine, move |event: Event| {
        let select: HtmlSelectElement = event.target()?.dyn_into().ok()?;
        let namespace = Some(select.value()).filter(|name| !name.is_empty());
        Some(Filter { namespace, ..filter.clone() })
    });
    let chosen = current.namespace.as_deref();
    html! {
        <div class="filters">
            <select aria-label={strings.namespace} {onchange} data-testid="namespace">
                <option value="" selected={chosen.is_none()}>{ strings.all_namespaces }</option>
                { for namespaces(tables).into_iter().map(|name| html! {
                    <option value={name.clone()} selected={chosen == Some(name.as_str())}>
                        { name.clone() }
                    </option>
                }) }
            </select>
            <input type="search" id="filter" placeholder={strings.filter} aria-label={strings.filter}
                value={current.text.clone()} {oninput} data-testid="filter" />
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct RowsProps {
    columns: Vec<Column>,
    rows: Rc<Vec<Entry>>,
    now_ms: i64,
    title: String,
    id: String,
    selected: Option<ObjectRef>,
    strings: &'static Strings,
    send: Callback<Intent>,
}

/// What of a list is in view.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
struct Window {
    top: f64,
    height: f64,
}

impl Window {
    fn of(element: &HtmlElement) -> Window {
        let (top, height) = (element.scroll_top(), element.client_height());
        Window { top: f64::from(top), height: f64::from(height) }
    }

    /// The rows to draw, with a few on both sides.
    fn rows(&self, count: usize, row_height: f64) -> std::ops::Range<usize> {
        let first = (self.top / row_height) as usize;
        let visible = (self.height.max(200.0) / row_height).ceil() as usize;
        first.saturating_sub(4).min(count)..(first + visible + 6).min(count)
    }
}

#[component]
fn Rows(props: &RowsProps) -> Html {
    let row_height =
        *use_memo((), |()| if browser::matches_media("(pointer: coarse)") { 40.0 } else { 28.0 });
    let window = use_state_eq(Window::default);
    let active = use_state_eq(|| 0_usize);
    let scroller = use_node_ref();
    {
        let (scroller, window) = (scroller.clone(), window.clone());
        use_effect_with(props.id.clone(), move |_| {
            if let Some(element) = scroller.cast::<HtmlElement>() {
                element.set_scroll_top(0);
                window.set(Window::of(&element));
            }
        });
    }
    let onscroll = {
        let (scroller, window) = (scroller.clone(), window.clone());
        Callback::from(move |_: Event| {
            if let Some(element) = scroller.cast::<HtmlElement>() {
                window.set(Window::of(&element));
            }
        })
    };
    let count = props.rows.len();
    let onkeydown = {
        let (scroller, active, rows) = (scroller.clone(), active.clone(), Rc::clone(&props.rows));
        let send = props.send.clone();
        Callback::from(move |event: KeyboardEvent| {
            let last = rows.len().saturating_sub(1);
            let next = match event.key().as_str() {
                "ArrowDown" => (*active + 1).min(last),
                "ArrowUp" => active.saturating_sub(1),
                "Home" => 0,
                "End" => last,
                "Enter" | " " => {
                    event.prevent_default();
                    event.stop_propagation();
                    if let Some(row) = rows.get(*active) {
                        send.emit(Intent::Select(row.object()));
                    }
                    return;
                }
                _ => return,
            };
            event.prevent_default();
            active.set(next);
            if let Some(element) = scroller.cast::<HtmlElement>() {
                reveal(&element, next, row_height);
            }
        })
    };
    let range = window.rows(count, row_height);
    let (above, below) = (range.start as f64 * row_height, (count - range.end) as f64 * row_height);
    html! {
        <div class="grid" ref={scroller} role="grid" tabindex="0" {onscroll} {onkeydown}
            aria-label={props.title.clone()} aria-rowcount={(count + 1).to_string()}
            aria-activedescendant={range.contains(&*active).then(|| format!("row-{}", *active))}
            data-testid="grid" data-rows={count.to_string()}>
            <div class="grid-row grid-head" role="row">
                { for props.columns.iter().map(|column| html! {
                    <div role="columnheader" class={classes!("cell", format!("w-{}", column.width))}>
                        { column.title.clone() }
                    </div>
                }) }
            </div>
            if count == 0 { <p class="nothing soft">{ props.strings.nothing_here }</p> }
            <div ~style={format!("height:{}px", above as i32)} />
            { for range.map(|index| html! {
                <Row key={props.rows[index].id().to_owned()} {index}
                    entry={props.rows[index].clone()} columns={props.columns.clone()}
                    now_ms={props.now_ms} active={index == *active}
                    selected={Some(props.rows[index].object()) == props.selected}
                    send={props.send.clone()} />
            }) }
            <div ~style={format!("height:{}px", below as i32)} />
        </div>
    }
}

fn reveal(element: &HtmlElement, index: usize, row_height: f64) {
    let (top, height) = (f64::from(element.scroll_top()), f64::from(element.client_height()));
    let row = index as f64 * row_height;
    if row < top {
        element.set_scroll_top(row as i32);
    } else if row + 2.0 * row_height > top + height {
        element.set_scroll_top((row + 2.0 * row_height - height) as i32);
    }
}

#[derive(Properties, PartialEq)]
struct RowProps {
    index: usize,
    entry: Entry,
    columns: Vec<Column>,
    now_ms: i64,
    active: bool,
    selected: bool,
    send: Callback<Intent>,
}

#[component]
fn Row(props: &RowProps) -> Html {
    let object = props.entry.object();
    let onclick = props.send.reform(move |_: MouseEvent| Intent::Select(object.clone()));
    let glyph = match &props.entry {
        Entry::Pod(pod) => Some(state_glyph(pod.state)),
        Entry::Node(node) => Some(node_glyph(node)),
        _ => None,
    };
    let warning = matches!(&props.entry, Entry::Event(row) if row.kind == EventKind::Warning);
    let cells = props.entry.cells(props.now_ms);
    let cell = |(column, text): (&Column, String)| {
        let sign = (column.title == "Status").then(|| glyph.clone()).flatten();
        html! {
            <div role="gridcell" class={classes!("cell", format!("w-{}", column.width))}
                title={text.clone()}>
                { for sign }<span class="cell-text">{ text }</span>
            </div>
        }
    };
    let name = props.entry.object().name;
    html! {
        <div class={classes!("grid-row", props.active.then_some("active"),
                warning.then_some("warning"))}
            role="row" id={format!("row-{}", props.index)} {onclick}
            aria-rowindex={(props.index + 2).to_string()} aria-selected={props.selected.to_string()}
            data-testid="row" data-name={name}>
            { for props.columns.iter().zip(cells).map(cell) }
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rows_in_view_are_drawn() {
        let window = Window { top: 2800.0, height: 280.0 };
        assert_eq!(window.rows(1000, 28.0), 96..116);
        assert_eq!(window.rows(50, 28.0), 50..50);
        assert_eq!(Window::default().rows(3, 28.0), 0..3);
    }
}
