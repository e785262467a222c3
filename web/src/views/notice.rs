//! One thing that the person must know, with what to do about it.

use yew::prelude::*;

use super::Intent;
use super::parts::{Icon, icon_button, say};
use crate::strings::Strings;

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Notice {
    /// The engine trapped; a new one runs, and this is what the old one said.
    Trapped(AttrValue),
    /// The engine could not be started, or stopped for good.
    Broken(AttrValue),
    /// A button's command was refused, in the server's words.
    Refused(AttrValue),
}

/// A notice over the map.
pub fn notice_bar(notice: &Notice, strings: &'static Strings, send: &Callback<Intent>) -> Html {
    let (title, text, detail, restart) = match notice {
        Notice::Trapped(detail) => (strings.trap_title, strings.trap_text, detail, false),
        Notice::Broken(detail) => (strings.broken_title, strings.broken_text, detail, true),
        Notice::Refused(detail) => (strings.refused, "", detail, false),
    };
    html! {
        <div class="notice" role="alert" data-testid="notice">
            <div class="notice-text">
                <strong>{ title }</strong>
                if !text.is_empty() { <p>{ text }</p> }
                <code class="message">{ detail }</code>
            </div>
            if restart {
                <button type="button" class="button small primary" data-testid="restart"
                    onclick={say(send, Intent::Restart)}>
                    { strings.restart }
                </button>
            }
            { icon_button(Icon::Close, strings.dismiss, "dismiss", "", say(send, Intent::Dismiss)) }
        </div>
    }
}
