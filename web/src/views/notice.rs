//! One thing that the person must know, with what to do about it.

use yew::prelude::*;

use super::Intent;
use super::parts::{Icon, IconButton, use_strings};

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

/// Properties of [`NoticeBar`].
#[derive(Properties, PartialEq)]
pub struct NoticeProps {
    /// What happened.
    pub notice: Notice,
    /// Where intents go.
    pub send: Callback<Intent>,
}

/// A notice over the map.
#[component]
pub fn NoticeBar(props: &NoticeProps) -> Html {
    let strings = use_strings();
    let (title, text, detail, restart) = match &props.notice {
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
                    onclick={props.send.reform(|_: MouseEvent| Intent::Restart)}>
                    { strings.restart }
                </button>
            }
            <IconButton icon={Icon::Close} label={strings.dismiss} testid="dismiss"
                onclick={props.send.reform(|()| Intent::Dismiss)} />
        </div>
    }
}
