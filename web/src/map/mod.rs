//! The cluster map: nodes as panels, pods as tiles, a tray for pods without a node,
//! Services as hubs with lanes to their pods.
//!
//! `slots`, `layout`, `scene` and `navigate` are plain Rust: they say where everything is, what
//! moves and what is under a point. `paint` and `palette` put it on canvases. Nothing here knows
//! Yew.

mod flights;
mod geometry;
mod glyph;
mod hubs;
mod layout;
mod navigate;
pub mod paint;
pub mod palette;
mod scene;
mod slots;

pub use geometry::{Point, Rect};
pub use layout::{Viewport, natural_key};
pub use navigate::{Direction, step};
pub use scene::{Motion, Scene, Target};
