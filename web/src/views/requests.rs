//! Requests to Services: the board of everything that sends them, and a button for one Service.

use std::rc::Rc;

use protocol::{Command, GeneratorRow, PodRow, ServiceRow};
use wasm_bindgen::JsCast;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use super::dock::DockProps;
use super::parts::{Icon, say, when};
use super::{Board, Intent};
use crate::format;
use crate::model::{Address, RequestTarget, Tables, generators_of, ports_of, senders, targets};
use crate::strings::Strings;

/// Requests in a second: the stops of the slider.
const RATES: [u32; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/// What the person has chosen; what is none follows from the rest.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Form {
    target: Option<String>,
    address: Option<Address>,
    path: String,
    /// A pod's uid, or an empty text for outside.
    sender: Option<String>,
    rate: Option<usize>,
}

/// One choice of the person.
#[derive(Clone, PartialEq, Debug)]
pub enum Choice {
    /// A port of a Service, by its id.
    Target(String),
    /// A pod, by its uid, or an empty text for outside.
    Sender(String),
    /// Under which address.
    Address(Address),
    /// The path.
    Path(String),
    /// The place of the rate in the list.
    Rate(usize),
}

impl Form {
    fn rate(&self) -> usize {
        self.rate.unwrap_or(3)
    }

    /// Takes a choice.
    pub fn choose(&mut self, choice: Choice) {
        match choice {
            // Who asks, and under which address, depends on whom.
            Choice::Target(id) => {
                (self.target, self.address, self.sender) = (Some(id), None, None);
            }
            Choice::Sender(uid) => (self.sender, self.address) = (Some(uid), None),
            Choice::Address(address) => self.address = Some(address),
            Choice::Path(path) => self.path = path,
            Choice::Rate(index) => self.rate = Some(index.min(RATES.len() - 1)),
        }
    }
}

/// Everything that sends requests, and a form for more.
pub fn traffic_board(props: &DockProps) -> Html {
    let strings = props.language.strings();
    let choose = props.send.reform(Intent::Choose);
    let form = &props.form;
    let targets = targets(&props.tables);
    let selected = props.selected.as_ref().and_then(|object| props.tables.service(object));
    let fits = |target: &&RequestTarget| match (&form.target, &selected) {
        (Some(id), _) => target.id() == *id,
        (None, Some((_, service))) => target.service.uid == service.uid,
        (None, None) => false,
    };
    // Unless one is chosen: the newest that has pods, which is none of the cluster's own.
    let rank = |target: &&RequestTarget| (target.service.ready > 0, target.service.created_ms);
    let newest = || targets.iter().rev().max_by_key(rank);
    let target = targets.iter().find(fits).or_else(newest);
    html! {
        <div class="board" role="region" tabindex="0" aria-label={strings.traffic}
            data-testid="traffic">
            if let Some(target) = target {
                { request_form(props, (&targets, target), form, &choose) }
            }
            if props.tables.generators.is_empty() {
                <p class="nothing soft">{ strings.nothing_here }</p>
            }
            <ul class="generators">
                { for props.tables.generators.values().map(|row| {
                    generator(row, strings, &props.send)
                }) }
            </ul>
        </div>
    }
}

/// A callback of a select with these choices.
fn chosen(choose: &Callback<Choice>, choices: Vec<Choice>) -> Callback<Event> {
    when(choose, move |event: Event| {
        let select: HtmlSelectElement = event.target()?.dyn_into().ok()?;
        choices.get(usize::try_from(select.selected_index()).ok()?).cloned()
    })
}

/// A select with a label.
fn select(
    (label, testid): (&'static str, &'static str),
    options: Vec<(String, Choice)>,
    chosen: &Choice,
    choose: &Callback<Choice>,
) -> Html {
    let choices = options.iter().map(|(_, choice)| choice.clone()).collect();
    let onchange = self::chosen(choose, choices);
    html! {
        <label class="field">
            <span class="soft">{ label }</span>
            <select {onchange} data-testid={testid}>
                { for options.into_iter().map(|(words, choice)| html! {
                    <option selected={choice == *chosen}>{ words }</option>
                }) }
            </select>
        </label>
    }
}

/// A callback that makes a choice of what is typed.
fn typed(choose: &Callback<Choice>, choice: fn(String) -> Option<Choice>) -> Callback<InputEvent> {
    when(choose, move |event: InputEvent| {
        let input: HtmlInputElement = event.target()?.dyn_into().ok()?;
        choice(input.value())
    })
}

fn request_form(
    props: &DockProps,
    (targets, target): (&[RequestTarget], &RequestTarget),
    form: &Form,
    choose: &Callback<Choice>,
) -> Html {
    let (strings, tables) = (props.language.strings(), &props.tables);
    let pods = senders(tables);
    let sender: Option<Rc<PodRow>> = match &form.sender {
        Some(uid) => pods.iter().find(|pod| pod.uid == *uid).cloned(),
        None => target.usual_sender(&pods),
    };
    let uid = sender.as_ref().map_or("", |pod| pod.uid.as_str());
    let addresses = target.addresses();
    let usual = target.usual_address(sender.is_none());
    let address = form.address.filter(|it| addresses.contains(it)).unwrap_or(usual);
    let rate = form.rate();
    let command = target.command((address, &form.path), sender.as_deref(), RATES[rate], tables);
    let onsubmit = when(&props.send, move |event: SubmitEvent| {
        event.prevent_default();
        command.clone().map(Intent::Send)
    });
    let id = target.id();
    let ids = targets.iter().map(|target| (target.id(), Choice::Target(target.id())));
    let outside = (strings.outside.to_owned(), Choice::Sender(String::new()));
    let pod = |pod: &Rc<PodRow>| {
        (format!("{}/{}", pod.namespace, pod.name), Choice::Sender(pod.uid.clone()))
    };
    let from = std::iter::once(outside).chain(pods.iter().map(pod)).collect();
    let host = |it: &Address| (target.host(*it, tables).unwrap_or_default(), Choice::Address(*it));
    html! {
        <form class="request-form" {onsubmit}>
            { select((strings.target, "traffic-target"), ids.collect(),
                &Choice::Target(id), choose) }
            { select((strings.from, "traffic-from"), from,
                &Choice::Sender(uid.to_owned()), choose) }
            { select((strings.address, "traffic-address"), addresses.iter().map(host).collect(),
                &Choice::Address(address), choose) }
            <label class="field narrow">
                <span class="soft">{ strings.path }</span>
                <input type="text" placeholder="/" value={form.path.clone()} autocomplete="off"
                    spellcheck="false" data-testid="traffic-path"
                    oninput={typed(choose, |path| Some(Choice::Path(path)))} />
            </label>
            { rate_slider(rate, choose, strings) }
            <button type="submit" class="button primary" data-testid="start-traffic">
                { strings.send_requests }
            </button>
        </form>
    }
}

fn rate_slider(rate: usize, choose: &Callback<Choice>, strings: &'static Strings) -> Html {
    html! {
        <label class="field">
            <span class="soft">
                { strings.rate }{ " " }<output class="numbers">{ RATES[rate] }</output>
            </span>
            <input type="range" min="0" max={(RATES.len() - 1).to_string()} step="1"
                value={rate.to_string()} aria-valuetext={RATES[rate].to_string()}
                oninput={typed(choose, |index| Some(Choice::Rate(index.parse().ok()?)))}
                data-testid="traffic-rate" />
        </label>
    }
}

fn generator(row: &GeneratorRow, strings: &'static Strings, send: &Callback<Intent>) -> Html {
    let errors = row.client_errors + row.server_errors;
    let answered = row.succeeded + row.redirected + errors;
    let others = row.reset + row.unresolved;
    let count = |class: &'static str, number: u64, words: &'static str| {
        let class = if number == 0 { "soft" } else { class };
        html! { <span class={format!("tally {class}")}>{ words }<b>{ number }</b></span> }
    };
    let from = match &row.from {
        Some(pod) => {
            let onclick = say(send, Intent::Select(pod.clone()));
            html! { <button type="button" class="link" {onclick}>{ &pod.name }</button> }
        }
        None => html! { <span>{ strings.outside }</span> },
    };
    let speed = format::tenths(i64::from(row.answered_tenths));
    let stop = Intent::Send(Command::StopTraffic { name: row.name.clone() });
    let words = format!("{} {}", strings.stop_requests, row.name);
    html! {
        <li key={row.name.clone()} class="generator" data-testid="generator"
            data-name={row.name.clone()} data-sent={row.sent.to_string()}
            data-answered={answered.to_string()}
            data-refused={row.refused.to_string()} data-timed-out={row.timed_out.to_string()}
            data-unresolved={row.unresolved.to_string()}>
            <span class="ends">{ from }{ " → " }<code>{ &row.url }</code></span>
            <span class="numbers soft">
                <b>{ speed }</b>{ format!(" / {} /s", row.rate_per_second) }
            </span>
            <span class="tallies numbers">
                { count("state-ready", row.succeeded, "2xx ") }
                if row.redirected > 0 { { count("state-ready", row.redirected, "3xx ") } }
                { count("state-not-ready", row.client_errors, "4xx ") }
                { count("state-failed", row.server_errors, "5xx ") }
                { count("state-failed", row.refused, strings.refused_requests) }
                { count("state-failed", row.timed_out, strings.timed_out) }
                if others > 0 { { count("state-failed", others, strings.cut_off) } }
            </span>
            if !row.running { <span class="tag bad">{ strings.sender_ended }</span> }
            <button type="button" class="button small" aria-label={words} onclick={say(send, stop)}
                data-testid="stop-traffic">{ strings.stop }</button>
        </li>
    }
}

/// Begins to send requests to a Service, or stops it.
pub fn service_requests(
    service: &Rc<ServiceRow>,
    (tables, form): (&Tables, &Form),
    strings: &'static Strings,
    send: &Callback<Intent>,
) -> Html {
    let names: Vec<String> = generators_of(service, tables).map(|row| row.name.clone()).collect();
    if !names.is_empty() {
        let send = send.clone();
        let stop = Callback::from(move |_: MouseEvent| {
            for name in names.iter().cloned() {
                send.emit(Intent::Send(Command::StopTraffic { name }));
            }
        });
        return html! {
            <button type="button" class="button" onclick={stop} data-testid="stop-requests">
                { Icon::Pause.html() }{ strings.stop_requests }
            </button>
        };
    }
    let Some(target) = ports_of(service).next() else { return Html::default() };
    let sender = target.usual_sender(&senders(tables));
    let address = target.usual_address(sender.is_none());
    let rate = form.rate();
    let start = target.command((address, "/"), sender.as_deref(), RATES[rate], tables);
    let choose = send.reform(Intent::Choose);
    let send = send.clone();
    let onclick = Callback::from(move |_: MouseEvent| {
        if let Some(start) = start.clone() {
            send.emit(Intent::Send(start));
            send.emit(Intent::Board(Board::Traffic));
        }
    });
    html! {
        <div class="scale">
            <select aria-label={strings.rate} title={strings.rate} data-testid="request-rate"
                onchange={chosen(&choose, (0..RATES.len()).map(Choice::Rate).collect())}>
                { for RATES.iter().enumerate().map(|(index, each)| html! {
                    <option selected={index == rate}>{ format!("{each}/s") }</option>
                }) }
            </select>
            <button type="button" class="button" {onclick} data-testid="send-requests">
                { strings.send_requests }
            </button>
        </div>
    }
}
