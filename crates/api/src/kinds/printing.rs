//! What the tables of several kinds share: ages, containers and selectors in a cell.
//!
//! Upstream: pkg/printers/internalversion/printers.go

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use crate::Cell;
use crate::duration::human_duration;
use crate::labels::Selector;

/// How long ago that was, `<unknown>` when it never was.
pub(super) fn since(then: Option<Timestamp>, now: Timestamp) -> String {
    match then {
        Some(then) => human_duration(now.duration_since(then)),
        None => "<unknown>".to_string(),
    }
}

/// The cell of the object's name.
pub(super) fn name(meta: &ObjectMeta) -> Cell {
    meta.name.clone().unwrap_or_default().into()
}

/// The cell of the object's age.
pub(super) fn age(meta: &ObjectMeta, now: Timestamp) -> Cell {
    since(meta.creation_timestamp.as_ref().map(|time| time.0), now).into()
}

/// The text, or `<none>` when it is not set or empty.
pub(super) fn or_none(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("<none>").to_string()
}

/// Names and images of containers, each in one cell.
pub(super) fn container_cells(containers: &[Container]) -> [Cell; 2] {
    let names: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
    let images: Vec<&str> =
        containers.iter().map(|container| container.image.as_deref().unwrap_or_default()).collect();
    [names.join(",").into(), images.join(",").into()]
}

/// Labels as `key=value`, or `<none>`. Upstream: labels.FormatLabels.
pub(super) fn labels(labels: Option<&BTreeMap<String, String>>) -> String {
    let pairs = labels.into_iter().flatten().map(|(key, value)| format!("{key}={value}"));
    or_none(Some(&pairs.collect::<Vec<_>>().join(",")))
}

/// Upstream: metav1.FormatLabelSelector.
pub(super) fn label_selector(selector: &LabelSelector) -> String {
    match Selector::from_label_selector(Some(selector)) {
        Ok(selector) => or_none(Some(&selector.to_string())),
        Err(_) => "<error>".to_string(),
    }
}
