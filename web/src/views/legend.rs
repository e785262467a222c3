//! The key to the map: every state's glyph and its word.

use yew::prelude::*;

use super::parts::{state_glyph, state_word};
use crate::map::palette::STATES;
use crate::strings::Strings;

/// The key to the map.
pub fn legend(strings: &'static Strings) -> Html {
    html! {
        <ul class="legend" aria-label={strings.legend} data-testid="legend">
            { for STATES.map(|state| html! {
                <li>{ state_glyph(state) }<span>{ state_word(strings, state) }</span></li>
            }) }
        </ul>
    }
}
