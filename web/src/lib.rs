//! The page: a Yew application that shows a cluster and passes on what a person wants of it.
//!
//! It may know `protocol` (and `trace`) and nothing of the engine, which runs in a worker. It
//! keeps compact rows, never objects. Layout, hit testing, projections and text editing are plain
//! Rust without Yew and are tested natively; `views` puts them on the screen. It must never
//! decide what happens in the cluster, and asks no other server than its own for anything.

mod browser;
mod edit;
mod files;
mod format;
mod highlight;
mod map;
mod model;
mod strings;
mod views;
mod worker;

use wasm_bindgen::prelude::wasm_bindgen;

/// Puts the page into the element `app`.
#[wasm_bindgen(start)]
pub fn start() {
    let document = web_sys::window().and_then(|window| window.document());
    let root = document.and_then(|document| document.get_element_by_id("app"));
    if let Some(root) = root {
        yew::Renderer::<views::App>::with_root(root).render();
    }
}
