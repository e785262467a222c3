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
    /// The rest of the engine could not be loaded, and something waits for it.
    Unreachable(AttrValue),
}

/// A notice over the map.
pub fn notice_bar(notice: &Notice, strings: &'static Strings, send: &Callback<Intent>) -> Html {
    let restart = Some(("restart", strings.restart, Intent::Restart));
    let retry = Some(("retry", strings.retry, Intent::Load));
    let (title, text, detail, remedy) = match notice {
        Notice::Trapped(detail) => (strings.trap_title, strings.trap_text, detail, None),
        Notice::Broken(detail) => (strings.broken_title, strings.broken_text, detail, restart),
        Notice::Refused(detail) => (strings.refused, "", detail, None),
        Notice::Unreachable(detail) => {
            (strings.unreachable_title, strings.unreachable_text, detail, retry)
        }
    };
    html! {
        <div class="notice" role="alert" data-testid="notice">
            <div class="notice-text">
                <strong>{ title }</strong>
                if !text.is_empty() { <p>{ text }</p> }
                <code class="message">{ detail }</code>
            </div>
            if let Some((testid, words, intent)) = remedy {
                <button type="button" class="button small primary" data-testid={testid}
                    onclick={say(send, intent)}>
                    { words }
                </button>
            }
            { icon_button(Icon::Close, strings.dismiss, "dismiss", "", say(send, Intent::Dismiss)) }
        </div>
    }
}
