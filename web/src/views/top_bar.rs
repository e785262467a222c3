//! The bar at the top: the name, the transport of virtual time, and what belongs to the page as
//! a whole. On a narrow screen the transport stands at the thumb.

use std::rc::Rc;

use protocol::NodeRow;
use wasm_bindgen::JsCast;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use super::Intent;
use super::menus::{Example, cluster_menu, examples_menu, faults_menu};
use super::parts::{Icon, icon_button, say, when};
use crate::format;
use crate::model::{Pace, Table};
use crate::strings::{Language, Strings};

/// Speeds that can be chosen.
const SPEEDS: [f64; 13] =
    [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// Properties of [`TopBar`].
#[derive(Properties, PartialEq)]
pub struct TopBarProps {
    /// Such as `v1.37.0`; empty before the cluster exists.
    pub version: AttrValue,
    /// Seed in force.
    pub seed: u64,
    /// How many nodes were asked for.
    pub wanted: u32,
    /// All examples.
    pub examples: Rc<Vec<Example>>,
    /// The nodes.
    pub nodes: Table<NodeRow>,
    /// Language in force.
    pub language: Language,
    /// Where intents go.
    pub send: Callback<Intent>,
}

/// The name with the menu of the cluster; examples, faults, language and theme.
#[component]
pub fn TopBar(props: &TopBarProps) -> Html {
    let strings = props.language.strings();
    let other = match props.language {
        Language::English => Language::Chinese,
        Language::Chinese => Language::English,
    };
    let send = &props.send;
    html! {
        <>
            <div class="brand">
                <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
                    <path d="M12 2.5 20.2 7.2v9.6L12 21.5l-8.2-4.7V7.2z" />
                    <circle cx="12" cy="12" r="3.2" />
                </svg>
                <h1>{ "Tabernetes" }</h1>
                <span class="version">{ &props.version }</span>
                { cluster_menu(props.seed, props.wanted, strings, send) }
            </div>
            <div class="actions">
                { examples_menu(&props.examples, props.language, send) }
                { faults_menu(&props.nodes, strings, send) }
                <button type="button" class="text-button" onclick={say(send, Intent::Speak(other))}
                    data-testid="language" lang={other.code()} title={strings.language}
                    aria-label={other.own_name()}>
                    { other.short_name() }
                </button>
                { icon_button(Icon::Theme, strings.theme, "theme", "", say(send, Intent::Theme)) }
            </div>
        </>
    }
}

/// Play, pause, step, speed and the clock.
pub fn transport(
    (pace, loading): (&Pace, bool),
    elapsed_ms: i64,
    speed: f64,
    boot: Intent,
    strings: &'static Strings,
    send: &Callback<Intent>,
) -> Html {
    let (icon, label) = match pace.running {
        true => (Icon::Pause, strings.pause),
        false => (Icon::Play, strings.play),
    };
    let button = |icon, label, testid, class, intent| {
        icon_button(icon, label, testid, class, say(send, intent))
    };
    html! {
        <div class="transport" role="toolbar" aria-label={strings.transport}>
            { button(Icon::Reset, strings.reset, "reset", "", boot) }
            { button(icon, label, "play-pause", "primary", Intent::Toggle) }
            { button(Icon::Step, strings.step, "step", "", Intent::Step) }
            { button(Icon::Forward, strings.run_until_quiet, "run-until-quiet", "",
                Intent::RunUntilQuiet) }
            { speeds(speed, strings, send) }
            { clock((pace, loading), elapsed_ms, strings) }
        </div>
    }
}

fn speeds(chosen: f64, strings: &'static Strings, send: &Callback<Intent>) -> Html {
    let onchange = when(send, |event: Event| {
        let select: HtmlSelectElement = event.target()?.dyn_into().ok()?;
        Some(Intent::Speed(*SPEEDS.get(select.selected_index() as usize)?))
    });
    let option = |speed: f64| {
        let words = format::speed(speed);
        let number = words.trim_start_matches('×').to_owned();
        html! { <option value={number} selected={speed == chosen}>{ words }</option> }
    };
    html! {
        <select class="speed" aria-label={strings.speed} title={strings.speed} data-testid="speed"
            {onchange}>
            { for SPEEDS.map(option) }
        </select>
    }
}

fn clock((pace, loading): (&Pace, bool), elapsed_ms: i64, strings: &'static Strings) -> Html {
    let (class, word) = match (pace.running, pace.quiet, pace.behind) {
        _ if loading => ("busy", strings.loading.to_owned()),
        (true, _, true) => ("behind", format::speed(pace.speed_achieved)),
        (_, true, _) => ("quiet", strings.quiet.to_owned()),
        (true, false, _) => ("busy", strings.busy.to_owned()),
        (false, false, _) => ("paused", strings.paused.to_owned()),
    };
    let title = if pace.behind { strings.achieved } else { strings.clock };
    html! {
        <div class="clock" {title}>
            <time class="clock-time" data-testid="clock" aria-label={strings.clock}
                data-milliseconds={elapsed_ms.to_string()}
                data-events={pace.events_handled.to_string()}>
                { format::clock(elapsed_ms) }
            </time>
            <span class={classes!("pace", class)} data-testid="pace"
                data-quiet={pace.quiet.to_string()}>
                { word }
            </span>
        </div>
    }
}
