//! The bar at the top: the name, the transport of virtual time, and what belongs to the page as
//! a whole. On a narrow screen the transport stands at the thumb.

use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use super::Intent;
use super::menus::{ClusterMenu, Example, Examples, Faults};
use super::parts::{Icon, IconButton, use_strings, when};
use crate::format;
use crate::model::{Pace, Tables};
use crate::strings::Language;

/// Speeds that can be chosen.
const SPEEDS: [f64; 13] =
    [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// Properties of [`Brand`].
#[derive(Properties, PartialEq)]
pub struct BrandProps {
    /// Such as `v1.37.0`; empty before the cluster exists.
    pub version: AttrValue,
    /// Seed in force.
    pub seed: u64,
    /// Nodes in force.
    pub nodes: u32,
    /// Where intents go.
    pub send: Callback<Intent>,
}

/// The name and the menu of the cluster.
#[component]
pub fn Brand(props: &BrandProps) -> Html {
    html! {
        <div class="brand">
            <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
                <path d="M12 2.5 20.2 7.2v9.6L12 21.5l-8.2-4.7V7.2z" />
                <circle cx="12" cy="12" r="3.2" />
            </svg>
            <h1>{ "Tabernetes" }</h1>
            <span class="version">{ &props.version }</span>
            <ClusterMenu seed={props.seed} nodes={props.nodes} send={props.send.clone()} />
        </div>
    }
}

/// Properties of [`Transport`].
#[derive(Properties, PartialEq)]
pub struct TransportProps {
    /// The clock.
    pub pace: Pace,
    /// Virtual time since boot.
    pub elapsed_ms: i64,
    /// The speed that was chosen.
    pub speed: f64,
    /// Seed in force.
    pub seed: u64,
    /// Nodes in force.
    pub nodes: u32,
    /// Where intents go.
    pub send: Callback<Intent>,
}

/// Play, pause, step, speed and the clock.
#[component]
pub fn Transport(props: &TransportProps) -> Html {
    let strings = use_strings();
    let say = |intent: Intent| props.send.reform(move |()| intent.clone());
    let (toggle_icon, toggle_label) = match props.pace.running {
        true => (Icon::Pause, strings.pause),
        false => (Icon::Play, strings.play),
    };
    let boot = Intent::Boot { seed: props.seed, nodes: props.nodes };
    html! {
        <div class="transport" role="toolbar" aria-label={strings.transport}>
            <IconButton icon={Icon::Reset} label={strings.reset} testid="reset"
                onclick={say(boot)} />
            <IconButton icon={toggle_icon} label={toggle_label} testid="play-pause" class="primary"
                onclick={say(Intent::Toggle)} />
            <IconButton icon={Icon::Step} label={strings.step} testid="step"
                onclick={say(Intent::Step)} />
            <IconButton icon={Icon::Forward} label={strings.run_until_quiet} testid="run-until-quiet"
                onclick={say(Intent::RunUntilQuiet)} />
            <SpeedChoice speed={props.speed} send={props.send.clone()} />
            <ClockFace pace={props.pace} elapsed_ms={props.elapsed_ms} />
        </div>
    }
}

/// Properties of [`SpeedChoice`].
#[derive(Properties, PartialEq)]
struct SpeedProps {
    speed: f64,
    send: Callback<Intent>,
}

#[component]
fn SpeedChoice(props: &SpeedProps) -> Html {
    let strings = use_strings();
    let onchange = when(&props.send, |event: Event| {
        let select: HtmlSelectElement = event.target()?.dyn_into().ok()?;
        Some(Intent::Speed(select.value().parse().ok()?))
    });
    let option = |speed: f64| {
        html! {
            <option value={speed.to_string()} selected={speed == props.speed}>
                { format::speed(speed) }
            </option>
        }
    };
    html! {
        <select class="speed" aria-label={strings.speed} title={strings.speed} data-testid="speed"
            {onchange}>
            { for SPEEDS.map(option) }
        </select>
    }
}

/// Properties of [`ClockFace`].
#[derive(Properties, PartialEq)]
struct ClockProps {
    pace: Pace,
    elapsed_ms: i64,
}

#[component]
fn ClockFace(props: &ClockProps) -> Html {
    let strings = use_strings();
    let pace = &props.pace;
    let (class, word) = match (pace.running, pace.quiet, pace.behind) {
        (true, _, true) => ("behind", format::speed(pace.speed_achieved)),
        (_, true, _) => ("quiet", strings.quiet.to_owned()),
        (true, false, _) => ("busy", strings.busy.to_owned()),
        (false, false, _) => ("paused", strings.paused.to_owned()),
    };
    let title = match pace.behind {
        true => strings.achieved,
        false => strings.clock,
    };
    html! {
        <div class="clock" {title}>
            <time class="clock-time" data-testid="clock" aria-label={strings.clock}
                data-milliseconds={props.elapsed_ms.to_string()}>
                { format::clock(props.elapsed_ms) }
            </time>
            <span class={classes!("pace", class)} data-testid="pace" data-quiet={pace.quiet.to_string()}>
                { word }
            </span>
        </div>
    }
}

/// Properties of [`Actions`].
#[derive(Properties, PartialEq)]
pub struct ActionsProps {
    /// All examples.
    pub examples: Rc<Vec<Example>>,
    /// The cluster.
    pub tables: Tables,
    /// Where intents go.
    pub send: Callback<Intent>,
}

/// Examples, faults, language, theme.
#[component]
pub fn Actions(props: &ActionsProps) -> Html {
    let strings = use_strings();
    let other = match use_context::<Language>().unwrap_or_default() {
        Language::English => Language::Chinese,
        Language::Chinese => Language::English,
    };
    let speak = props.send.reform(move |_: MouseEvent| Intent::Speak(other));
    let theme = props.send.reform(|()| Intent::Theme);
    html! {
        <div class="actions">
            <Examples examples={Rc::clone(&props.examples)} send={props.send.clone()} />
            <Faults tables={props.tables.clone()} send={props.send.clone()} />
            <button type="button" class="text-button" onclick={speak} data-testid="language"
                lang={other.code()} title={strings.language} aria-label={other.own_name()}>
                { other.short_name() }
            </button>
            <IconButton icon={Icon::Theme} label={strings.theme} onclick={theme} testid="theme" />
        </div>
    }
}
