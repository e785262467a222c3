//! The colours of the canvases. They are the custom properties of app.css, read once a theme, so
//! that there is one palette.

use protocol::PodState;
use wasm_bindgen::JsCast;

/// Colours as CSS text.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Palette {
    /// Behind everything.
    pub ground: String,
    /// A panel.
    pub panel: String,
    /// Its hairline.
    pub line: String,
    /// A stronger hairline.
    pub line_strong: String,
    /// Text.
    pub ink: String,
    /// Quieter text.
    pub ink_soft: String,
    /// The accent.
    pub accent: String,
    /// An empty bar.
    pub track: String,
    /// What is wrong.
    pub bad: String,
    /// A card's face.
    pub card: String,
    states: [String; 9],
    faces: [String; 9],
}

/// The name of a state in class names and custom properties.
pub fn state_name(state: PodState) -> &'static str {
    match state {
        PodState::Unscheduled => "unscheduled",
        PodState::Creating => "creating",
        PodState::RunningNotReady => "not-ready",
        PodState::Ready => "ready",
        PodState::Succeeded => "succeeded",
        PodState::Failed => "failed",
        PodState::CrashLooping => "crash-looping",
        PodState::Terminating => "terminating",
        PodState::Unknown => "unknown",
    }
}

/// Every state, in the order of a pod's life.
pub const STATES: [PodState; 9] = [
    PodState::Unscheduled,
    PodState::Creating,
    PodState::RunningNotReady,
    PodState::Ready,
    PodState::Succeeded,
    PodState::Failed,
    PodState::CrashLooping,
    PodState::Terminating,
    PodState::Unknown,
];

impl Palette {
    /// The colour of a state's glyph.
    pub fn state(&self, state: PodState) -> &str {
        &self.states[index(state)]
    }

    /// The pale colour behind a state's glyph.
    pub fn face(&self, state: PodState) -> &str {
        &self.faces[index(state)]
    }

    /// Reads the palette in force. An element of the page is asked, because the properties
    /// themselves hold both themes.
    pub fn read() -> Option<Palette> {
        let window = web_sys::window()?;
        let document = window.document()?;
        let probe: web_sys::HtmlElement = document.create_element("i").ok()?.dyn_into().ok()?;
        document.body()?.append_child(&probe).ok()?;
        let read = |name: &str| {
            let set = probe.style().set_property("color", &format!("var(--{name})"));
            let style = set.ok().and_then(|()| window.get_computed_style(&probe).ok().flatten());
            style.and_then(|style| style.get_property_value("color").ok()).unwrap_or_default()
        };
        let palette = Palette {
            ground: read("ground"),
            panel: read("panel"),
            line: read("line"),
            line_strong: read("line-strong"),
            ink: read("ink"),
            ink_soft: read("ink-soft"),
            accent: read("accent"),
            track: read("track"),
            bad: read("state-failed"),
            card: read("card"),
            states: STATES.map(|state| read(&format!("state-{}", state_name(state)))),
            faces: STATES.map(|state| read(&format!("face-{}", state_name(state)))),
        };
        probe.remove();
        Some(palette)
    }
}

fn index(state: PodState) -> usize {
    STATES.iter().position(|other| *other == state).unwrap_or(0)
}
