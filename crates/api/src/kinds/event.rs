//! Events: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;

use crate::{Cell, Scope, Strategy};

/// The strategy of Events.
pub struct Events;

impl Strategy for Events {
    type Object = Event;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "event";
    const IS_GARBAGE_COLLECTED: bool = false;
    const SHORT_NAMES: &'static [&'static str] = &["ev"];
    const CATEGORIES: &'static [&'static str] = &[];
    const SUBRESOURCES: &'static [&'static str] = &[];

    fn row(object: &Event, _now: Timestamp) -> Vec<Cell> {
        vec![object.metadata.name.clone().unwrap_or_default().into()]
    }
}
