//! The few things that the page asks of the browser outside Yew: storage, media queries, the
//! root element's attributes, fetching our own files.

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

const PREFIX: &str = "tabernetes.";

fn storage() -> Option<web_sys::Storage> {
    // A browser may refuse storage altogether: the page then forgets, and works.
    web_sys::window()?.local_storage().ok().flatten()
}

/// What was remembered under a name.
pub fn recall(name: &str) -> Option<String> {
    storage()?.get_item(&format!("{PREFIX}{name}")).ok().flatten()
}

/// Remembers a text under a name.
pub fn remember(name: &str, value: &str) {
    if let Some(storage) = storage() {
        let _ = storage.set_item(&format!("{PREFIX}{name}"), value);
    }
}

/// Whether a media query holds.
pub fn matches_media(query: &str) -> bool {
    let list = web_sys::window().and_then(|window| window.match_media(query).ok().flatten());
    list.is_some_and(|list| list.matches())
}

/// Sets an attribute of the root element.
pub fn set_root_attribute(name: &str, value: &str) {
    let root = web_sys::window().and_then(|w| w.document()).and_then(|d| d.document_element());
    if let Some(root) = root {
        let _ = root.set_attribute(name, value);
    }
}

/// The first language that the person prefers.
pub fn preferred_language() -> String {
    web_sys::window().and_then(|window| window.navigator().language()).unwrap_or_default()
}

/// The wall clock in milliseconds, for animation only.
pub fn wall_ms() -> f64 {
    web_sys::window().and_then(|window| window.performance()).map_or(0.0, |clock| clock.now())
}

/// Moves the focus to an element.
pub fn focus(id: &str) {
    let element =
        web_sys::window().and_then(|w| w.document()).and_then(|d| d.get_element_by_id(id));
    if let Some(element) =
        element.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok())
    {
        let _ = element.focus();
    }
}

/// What a JavaScript error says.
pub fn words_of(error: &JsValue) -> String {
    let message = js_sys::Reflect::get(error, &"message".into()).ok();
    message.and_then(|message| message.as_string()).unwrap_or_else(|| "unknown error".to_owned())
}

/// Reads one of our own files.
pub async fn fetch_text(path: String) -> Result<String, String> {
    let words = |error: JsValue| format!("{path}: {}", words_of(&error));
    let window = web_sys::window().ok_or("no window")?;
    let response = JsFuture::from(window.fetch_with_str(&path)).await.map_err(words)?;
    let response: web_sys::Response = response.dyn_into().map_err(words)?;
    if !response.ok() {
        return Err(format!("{path}: HTTP {}", response.status()));
    }
    let text = JsFuture::from(response.text().map_err(words)?).await.map_err(words)?;
    text.as_string().ok_or_else(|| format!("{path}: not a text"))
}

/// Tells the document that something has happened.
pub fn announce(name: &str) {
    let document = web_sys::window().and_then(|window| window.document());
    if let (Some(document), Ok(event)) = (document, web_sys::Event::new(name)) {
        let _ = document.dispatch_event(&event);
    }
}
