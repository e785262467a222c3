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
/// Those that the button for one Service offers.
const FEW_RATES: [u32; 4] = [1, 5, 20, 100];

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
                <p class="nothing soft">{ strings.no_traffic }</p>
            }
            <ul class="generators">
                { for props.tables.generators.values().map(|row| {
                    generator(row, strings, &props.send)
                }) }
            </ul>
        </div>
    }
}

/// A select with a label.
fn select(
    (label, testid): (&'static str, &'static str),
    options: Vec<(String, Choice)>,
    is_chosen: impl Fn(&Choice) -> bool,
    choose: &Callback<Choice>,
) -> Html {
    let choices: Vec<Choice> = options.iter().map(|(_, choice)| choice.clone()).collect();
    let onchange = when(choose, move |event: Event| {
        let select: HtmlSelectElement = event.target()?.dyn_into().ok()?;
        choices.get(usize::try_from(select.selected_index()).ok()?).cloned()
    });
    html! {
        <label class="field">
            <span class="soft">{ label }</span>
            <select {onchange} data-testid={testid}>
                { for options.into_iter().map(|(words, choice)| html! {
                    <option selected={is_chosen(&choice)}>{ words }</option>
                }) }
            </select>
        </label>
    }
}

fn typed(event: &InputEvent) -> Option<String> {
    let input: HtmlInputElement = event.target()?.dyn_into().ok()?;
    Some(input.value())
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
    let rate = form.rate.unwrap_or(3);
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
                |choice| matches!(choice, Choice::Target(other) if *other == id), choose) }
            { select((strings.from, "traffic-from"), from,
                |choice| matches!(choice, Choice::Sender(other) if *other == uid), choose) }
            { select((strings.address, "traffic-address"), addresses.iter().map(host).collect(),
                |choice| matches!(choice, Choice::Address(other) if *other == address), choose) }
            <label class="field narrow">
                <span class="soft">{ strings.path }</span>
                <input type="text" placeholder="/" value={form.path.clone()} autocomplete="off"
                    spellcheck="false" data-testid="traffic-path"
                    oninput={when(choose, |event| Some(Choice::Path(typed(&event)?)))} />
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
                oninput={when(choose, |event| Some(Choice::Rate(typed(&event)?.parse().ok()?)))}
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
        html! { <span class={classes!("tally", class)}>{ words }<b>{ number }</b></span> }
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
            data-unresolved={row.unresolved.to_string()} data-running={row.running.to_string()}>
            <span class="ends">{ from }{ " → " }<code>{ &row.url }</code></span>
            <span class="numbers soft pace-of" title={strings.answered_per_second}>
                <b>{ speed }</b>{ format!(" / {} /s", row.rate_per_second) }
                if row.latency_micros > 0 {
                    { format!(" · {}", format::latency(row.latency_micros)) }
                }
            </span>
            <span class="tallies numbers">
                { count("state-ready", row.succeeded, "2xx ") }
                if row.redirected > 0 { { count("state-ready", row.redirected, "3xx ") } }
                { count("state-not-ready", row.client_errors, "4xx ") }
                { count("state-failed", row.server_errors, "5xx ") }
                { count("state-failed", row.refused, strings.refused_requests) }
                { count("state-failed", row.timed_out, strings.timed_out) }
                if others > 0 {
                    { count("state-failed", row.unresolved, strings.unresolved) }
                    { count("state-failed", row.reset, strings.cut_off) }
                }
            </span>
            if !row.running { <span class="tag bad">{ strings.sender_ended }</span> }
            <button type="button" class="button small" aria-label={words} onclick={say(send, stop)}
                data-testid="stop-traffic">{ strings.stop }</button>
        </li>
    }
}

/// Properties of [`Requests`].
#[derive(Properties, PartialEq)]
pub struct RequestsProps {
    /// The Service.
    pub service: Rc<ServiceRow>,
    /// The rows.
    pub tables: Tables,
    /// Words.
    pub strings: &'static Strings,
    /// Where intents go.
    pub send: Callback<Intent>,
}

/// Begins to send requests to a Service, or stops it.
#[component]
pub fn Requests(props: &RequestsProps) -> Html {
    let strings = props.strings;
    let rate = use_state_eq(|| FEW_RATES[1]);
    let names: Vec<String> =
        generators_of(&props.service, &props.tables).map(|row| row.name.clone()).collect();
    if !names.is_empty() {
        let send = props.send.clone();
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
    let Some(target) = ports_of(&props.service).next() else { return Html::default() };
    let sender = target.usual_sender(&senders(&props.tables));
    let address = target.usual_address(sender.is_none());
    let start = target.command((address, "/"), sender.as_deref(), *rate, &props.tables);
    let onclick = {
        let send = props.send.clone();
        Callback::from(move |_: MouseEvent| {
            if let Some(start) = start.clone() {
                send.emit(Intent::Send(start));
                send.emit(Intent::Board(Board::Traffic));
            }
        })
    };
    let onchange = {
        let rate = rate.clone();
        when(&Callback::from(move |chosen| rate.set(chosen)), |event: Event| {
            let select: HtmlSelectElement = event.target()?.dyn_into().ok()?;
            FEW_RATES.get(usize::try_from(select.selected_index()).ok()?).copied()
        })
    };
    html! {
        <div class="scale">
            <select aria-label={strings.rate} title={strings.rate} {onchange}
                data-testid="request-rate">
                { for FEW_RATES.map(|each| html! {
                    <option selected={each == *rate}>{ format!("{each}/s") }</option>
                }) }
            </select>
            <button type="button" class="button" {onclick} data-testid="send-requests">
                { strings.send_requests }
            </button>
        </div>
    }
}
