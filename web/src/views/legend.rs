//! The key to the map: every state's glyph and its word.

use yew::prelude::*;

use super::parts::{state_glyph, state_word, use_strings};
use crate::map::palette::STATES;

/// The key to the map.
#[component]
pub fn Legend() -> Html {
    let strings = use_strings();
    html! {
        <ul class="legend" aria-label={strings.legend} data-testid="legend">
            { for STATES.map(|state| html! {
                <li>{ state_glyph(state) }<span>{ state_word(strings, state) }</span></li>
            }) }
        </ul>
    }
}
