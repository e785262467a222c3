//! The key to the map: every state's glyph and its word, lanes and packets.

use yew::prelude::*;

use super::parts::{state_glyph, state_word};
use crate::map::palette::STATES;
use crate::strings::Strings;

/// The key to the map.
pub fn legend(strings: &'static Strings) -> Html {
    let sign = |(class, word): (&'static str, &'static str)| {
        html! {
            <li>
                <svg class={classes!("state-glyph", class)} viewBox="0 0 16 16" aria-hidden="true">
                    <path class="ring" d={if class.starts_with("lane") { "M1 8h14" } else { "" }} />
                    <circle class="solid" cx="8" cy="8" r="3.5" />
                </svg>
                <span>{ word }</span>
            </li>
        }
    };
    let signs = [
        ("lane state-ready", strings.endpoint_ready),
        ("lane dashed-lane state-not-ready", strings.endpoint_not_ready),
        ("lane state-terminating", strings.endpoint_terminating),
        ("packet-data", strings.packet_data),
        ("state-unknown", strings.packet_name),
        ("state-terminating", strings.packet_control),
        ("state-failed", strings.packet_lost),
        ("state-ready", strings.probe_run),
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
