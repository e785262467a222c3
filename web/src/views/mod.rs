//! What is seen: one file for each part of the page. Domain logic lives in `model` and `map`.

mod app;
mod cluster_map;
mod dock;
mod editor;
mod inspector;
mod legend;
mod menus;
mod notice;
mod packet;
mod packets;
mod parts;
mod plane;
mod requests;
mod summary;
mod top_bar;
mod welcome;

pub use app::App;

use protocol::{Command, ObjectRef};
use web_sys::File;
use yew::AttrValue;

use self::requests::Choice;
use crate::strings::Language;

/// What a person wants, from whatever part of the page.
#[derive(Clone, PartialEq, Debug)]
pub enum Intent {
    /// Try again to load the rest of the engine.
    Load,
    /// A command for the engine.
    Send(Command),
    /// The editor's text is now this.
    Edit(AttrValue),
    /// Apply the editor's text.
    Apply,
    /// Delete what the editor's text names.
    Delete,
    /// Put an example into the editor; apply it too if so wanted.
    Example {
        /// Its id.
        id: AttrValue,
        /// Whether to apply it at once.
        apply: bool,
    },
    /// Put files into the editor.
    Open(Vec<File>),
    /// Bring back the text that an example replaced.
    Restore,
    /// Show an object in the inspector.
    Select(ObjectRef),
    /// Show nothing in the inspector.
    Deselect,
    /// Play or pause.
    Toggle,
    /// One step.
    Step,
    /// As fast as possible until quiet.
    RunUntilQuiet,
    /// A speed.
    Speed(f64),
    /// A fresh cluster.
    Boot {
        /// Seed.
        seed: u64,
        /// Worker nodes.
        nodes: u32,
    },
    /// A language.
    Speak(Language),
    /// The other theme.
    Theme,
    /// Show the system's pods on the map, or no longer.
    System,
    /// Open a sheet, or close it if it is open (narrow screens).
    Sheet(Sheet),
    /// Something of the requests to send.
    Choose(Choice),
    /// Show the hops of a packet.
    Packet(u64),
    /// On until a packet has moved.
    StepPacket,
    /// Show a part of the dock.
    Board(Board),
    /// Close the notice.
    Dismiss,
    /// A new worker after a trap.
    Restart,
}

/// Parts of the dock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Board {
    /// The lists of objects.
    #[default]
    Objects,
    /// Requests that are sent to Services.
    Traffic,
    /// The latest packets.
    Packets,
}

/// Panels that are sheets on a narrow screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sheet {
    /// The editor.
    Editor,
    /// The object lists.
    Dock,
    /// The inspector.
    Inspector,
}
