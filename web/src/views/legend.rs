//! The key to the map: every state's glyph and its word, lanes and packets.

use yew::prelude::*;

use super::parts::{state_glyph, state_word};
use crate::map::palette::STATES;
use crate::strings::Strings;

const LANE: &str = "M1 8h14";

/// The key to the map.
pub fn legend(strings: &'static Strings) -> Html {
    let sign = |(class, shape, word): (&'static str, &'static str, &'static str)| {
        html! {
            <li>
                <svg class={classes!("state-glyph", class)} viewBox="0 0 16 16" aria-hidden="true">
                    <path class={if shape.ends_with('z') { "solid" } else { "ring" }} d={shape} />
                    if !shape.ends_with('z') { <circle class="solid" cx="8" cy="8" r="3.5" /> }
                </svg>
                <span>{ word }</span>
            </li>
        }
    };
    let signs = [
        ("lane state-ready", LANE, strings.endpoint_ready),
        ("lane dashed-lane state-not-ready", LANE, strings.endpoint_not_ready),
        ("lane state-terminating", LANE, strings.endpoint_terminating),
        ("packet-data", "M1 6h14v4H1z", strings.busy_lane),
        ("packet-data", "", strings.packet_data),
        ("state-unknown", "", strings.packet_name),
        ("state-terminating", "", strings.packet_control),
        ("state-failed", "M3 3l10 10M13 3L3 13", strings.packet_lost),
        ("state-failed", "M4 4h8v8H4z", strings.packet_refused),
        ("state-failed", "M8 3l5.5 9.5h-11z", strings.packet_error),
        ("state-ready", "", strings.probe_run),
    ];
    html! {
        <>
        <ul class="legend" aria-label={strings.legend} data-testid="legend">
            { for STATES.map(|state| html! {
                <li>{ state_glyph(state) }<span>{ state_word(strings, state) }</span></li>
            }) }
            { for signs.map(sign) }
        </ul>
        <p class="soft legend-note">{ strings.packet_sample }</p>
        </>
    }
}
