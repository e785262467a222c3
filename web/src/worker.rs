//! The bridge to the engine's worker: requests go out, messages come in. The worker itself is
//! `static/worker.js`.

use gloo::events::EventListener;
use js_sys::Uint8Array;
use protocol::{Message, Request, decode, encode_request};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{MessageEvent, Worker, WorkerOptions, WorkerType};
use yew::Callback;

use crate::browser::words_of;

/// What comes from a worker.
#[derive(Debug)]
pub enum FromWorker {
    /// The engine speaks.
    Messages(Vec<Message>),
    /// The engine trapped; this worker is dead.
    Trap(String),
    /// The engine could not be loaded, or speaks another language.
    Broken(String),
    /// Whether something waits until the rest of the engine is loaded.
    Loading(bool),
    /// The rest of the engine could not be loaded, and something waits for it.
    Unreachable(String),
}

/// A live worker. Dropping it ends the worker.
pub struct Bridge {
    worker: Worker,
    _listeners: [EventListener; 2],
}

impl Bridge {
    /// Starts a worker.
    pub fn start(heard: Callback<FromWorker>) -> Result<Bridge, String> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker =
            Worker::new_with_options("./worker.js", &options).map_err(|error| words_of(&error))?;
        let on_message = {
            let heard = heard.clone();
            EventListener::new(&worker, "message", move |event| {
                if let Some(event) = event.dyn_ref::<MessageEvent>() {
                    heard.emit(read(&event.data()));
                }
            })
        };
        let on_error = EventListener::new(&worker, "error", move |event| {
            heard.emit(FromWorker::Broken(format!("worker.js: {}", words_of(event))));
        });
        Ok(Bridge { worker, _listeners: [on_message, on_error] })
    }

    /// Sends a request.
    pub fn send(&self, request: &Request) {
        if let Ok(bytes) = encode_request(request) {
            let _ = self.worker.post_message(&Uint8Array::from(bytes.as_slice()));
        }
    }

    /// Lets the worker load the rest of the engine, if it has not yet.
    pub fn load(&self) {
        let _ = self.worker.post_message(&"load".into());
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

fn read(data: &JsValue) -> FromWorker {
    if let Some(bytes) = data.dyn_ref::<Uint8Array>() {
        return match decode(&bytes.to_vec()) {
            Ok(messages) => FromWorker::Messages(messages),
            Err(error) => FromWorker::Broken(error.to_string()),
        };
    }
    let value = |name: &str| js_sys::Reflect::get(data, &name.into()).ok();
    if let Some(loading) = value("loading").and_then(|loading| loading.as_bool()) {
        return FromWorker::Loading(loading);
    }
    let field = |name: &str| value(name)?.as_string();
    if let Some(words) = field("unreachable") {
        return FromWorker::Unreachable(words);
    }
    match (field("trap"), field("broken")) {
        (Some(message), _) => FromWorker::Trap(message),
        (None, Some(message)) => FromWorker::Broken(message),
        (None, None) => FromWorker::Broken("an unknown message".to_owned()),
    }
}
