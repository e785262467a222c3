//! Small parts that everything uses: icons, the glyph of a pod's state, buttons.

use protocol::{ConditionStatus, NodeRow, PodState};
use yew::prelude::*;

use super::Intent;
use crate::map::palette::state_name;
use crate::strings::Strings;

/// One of our own icons: a path in a 16 × 16 square, drawn with the text's colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Icon {
    /// Play.
    Play,
    /// Pause.
    Pause,
    /// One step.
    Step,
    /// Until quiet.
    Forward,
    /// A fresh cluster.
    Reset,
    /// Sun and moon.
    Theme,
    /// A bolt.
    Fault,
    /// A cross.
    Close,
    /// A document.
    Document,
    /// Rows.
    List,
    /// A magnifier.
    Inspect,
    /// An arrow downwards.
    Down,
    /// A key of signs.
    Legend,
    /// A bin.
    Delete,
    /// A folder.
    Folder,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Icon::Play => {
                "M5 3.2v9.6a.6.6 0 0 0 .9.5l7.6-4.8a.6.6 0 0 0 0-1L5.9 2.7A.6.6 0 0 0 5 3.2z"
            }
            Icon::Pause => "M4.5 3h2.2v10H4.5zM9.3 3h2.2v10H9.3z",
            Icon::Step => "M4 3.2v9.6l6.4-4.8zM11 3h1.6v10H11z",
            Icon::Forward => "M2.5 3.5v9l5.5-4.5zM8 3.5v9l5.5-4.5z",
            Icon::Reset => "M3.4 3h1.6v10H3.4zM12.6 3.2v9.6L6.2 8z",
            Icon::Theme => {
                "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8zm0 1.4v9.6a4.8 4.8 0 0 1 0-9.6z"
            }
            Icon::Fault => "M9.2 1.5 3.5 9h3.7l-.9 5.5L12.5 6.8H8.6z",
            Icon::Close => {
                "m4.3 3.3 3.7 3.7 3.7-3.7 1 1L9 8l3.7 3.7-1 1L8 9l-3.7 3.7-1-1L7 8 3.3 4.3z"
            }
            Icon::Document => "M4 1.5h5.5L13 5v9.5H4zm1.4 1.4v10.2h6.2V6H8.6V2.9z",
            Icon::List => "M2 3.3h12v1.4H2zm0 4h12v1.4H2zm0 4h12v1.4H2z",
            Icon::Inspect => {
                "M7 2a5 5 0 1 1-3.5 8.6A5 5 0 0 1 7 2zm0 1.4a3.6 3.6 0 1 0 0 7.2 3.6 3.6 0 0 0 0-7.2zm4.2 6.8 3.3 3.3-1 1-3.3-3.3z"
            }
            Icon::Down => "m3.5 5.5 4.5 4.7 4.5-4.7 1 1L8 12.2 2.5 6.5z",
            Icon::Legend => {
                "M4 2.5a2 2 0 1 1 0 4 2 2 0 0 1 0-4zm4 1.3h6v1.4H8zM2 9.5h4v4H2zm6 1.3h6v1.4H8z"
            }
            Icon::Folder => "M1.5 3h5l1.4 1.7h6.6V13h-13zm1.4 3.1v5.5h10.2V6.1z",
            Icon::Delete => {
                "M6 1.5h4v1.3h3.5v1.4h-11V2.8H6zM3.6 5.4h8.8l-.7 9.1H4.3zm1.5 1.4.5 6.3h4.8l.5-6.3z"
            }
        }
    }

    /// The picture.
    pub fn html(self) -> Html {
        html! {
            <svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d={self.path()} /></svg>
        }
    }
}

/// The glyph of a pod's state, as the map draws it.
pub fn state_glyph(state: PodState) -> Html {
    let shape = match state {
        PodState::Unscheduled => html! { <circle class="ring dashed" cx="8" cy="8" r="6" /> },
        PodState::Creating => html! {
            <><circle class="ring pale" cx="8" cy="8" r="5.8" />
            <path class="ring" d="M8 2.2A5.8 5.8 0 0 1 13.8 8" />
            <circle class="solid" cx="8" cy="8" r="1.6" /></>
        },
        PodState::RunningNotReady => html! {
            <><circle class="ring" cx="8" cy="8" r="5.9" />
            <path class="solid" d="M8 2.1v11.8A5.9 5.9 0 0 1 8 2.1z" /></>
        },
        PodState::Ready => html! { <circle class="solid" cx="8" cy="8" r="6.4" /> },
        PodState::Succeeded => html! {
            <><circle class="face" cx="8" cy="8" r="6.4" />
            <path class="ring" d="m5 8.3 2.2 2.2 4-4.8" /></>
        },
        PodState::Failed => html! {
            <><rect class="solid" x="2" y="2" width="12" height="12" rx="1.8" />
            <path class="ring on-solid" d="m5.4 5.4 5.2 5.2m0-5.2-5.2 5.2" /></>
        },
        PodState::CrashLooping => html! {
            <><rect class="ring pale" x="2.1" y="2.1" width="11.8" height="11.8" rx="1.8" />
            <path class="ring" d="M8 4.5A3.5 3.5 0 1 1 4.7 9" />
            <path class="solid" d="M7.4 2.3 9.8 4.5 7.4 6.7z" /></>
        },
        PodState::Terminating => html! {
            <><circle class="ring" cx="8" cy="8" r="5.6" />
            <path class="ring thin" d="m4 11 7-7M5.5 13 13 5.5M2.7 8.5l5.5-5.8" /></>
        },
        PodState::Unknown => html! {
            <><path class="solid" d="M8 1 15 8l-7 7-7-7z" />
            <path class="ring on-solid thin"
                d="M6.3 6.5A1.7 1.7 0 1 1 8 8.2v1M8 11v.2" /></>
        },
    };
    html! {
        <svg class={classes!("state-glyph", format!("state-{}", state_name(state)))}
            viewBox="0 0 16 16" aria-hidden="true">{ shape }</svg>
    }
}

/// A button with a picture and no words; `label` is its accessible name and its tooltip.
pub fn icon_button(
    icon: Icon,
    label: &'static str,
    testid: &'static str,
    class: &'static str,
    onclick: Callback<MouseEvent>,
) -> Html {
    html! {
        <button type="button" class={classes!("icon-button", class)} aria-label={label}
            title={label} data-testid={testid} {onclick}>
            { icon.html() }
        </button>
    }
}

/// A callback that always says the same.
pub fn say(send: &Callback<Intent>, intent: Intent) -> Callback<MouseEvent> {
    send.reform(move |_: MouseEvent| intent.clone())
}

/// A word for a state, in the interface's language.
pub fn state_word(strings: &'static Strings, state: PodState) -> &'static str {
    match state {
        PodState::Unscheduled => strings.state_unscheduled,
        PodState::Creating => strings.state_creating,
        PodState::RunningNotReady => strings.state_not_ready,
        PodState::Ready => strings.state_ready,
        PodState::Succeeded => strings.state_succeeded,
        PodState::Failed => strings.state_failed,
        PodState::CrashLooping => strings.state_crash_looping,
        PodState::Terminating => strings.state_terminating,
        PodState::Unknown => strings.state_unknown,
    }
}

/// A callback that speaks only when an event means something.
pub fn when<E: 'static, T: 'static>(
    send: &Callback<T>,
    meaning: impl Fn(E) -> Option<T> + 'static,
) -> Callback<E> {
    let send = send.clone();
    Callback::from(move |event| {
        if let Some(meant) = meaning(event) {
            send.emit(meant);
        }
    })
}

/// The glyph of a node: ready, not ready, or not heard of.
pub fn node_glyph(node: &NodeRow) -> Html {
    state_glyph(match node.ready {
        ConditionStatus::True => PodState::Ready,
        ConditionStatus::False => PodState::Failed,
        ConditionStatus::Unknown => PodState::Unknown,
    })
}
