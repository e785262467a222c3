//! Events: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;

use super::printing;
use crate::field::ErrorList;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of Events. Upstream: pkg/registry/core/event/strategy.go
pub struct Events;

const COLUMNS: &[Column] = &[
    Column::string("Last Seen"),
    Column::string("Type"),
    Column::string("Reason"),
    Column::string("Object"),
    Column::string("Subobject").wide(),
    Column::string("Source").wide(),
    Column::string("Message"),
    Column::string("First Seen").wide(),
    Column::string("Count").wide(),
    Column::NAME.wide(),
];

impl Strategy for Events {
    type Object = Event;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "event";
    const SHORT_NAMES: &'static [&'static str] = &["ev"];
    const IS_GARBAGE_COLLECTED: bool = false;
    const SELECTABLE_FIELDS: &'static [&'static str] = &[
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ];

    fn default(object: &mut Event) {
        defaults::meta(&mut object.metadata);
        // Upstream has no pointers here: an event always says these, however empty.
        object.source.get_or_insert_default();
        object.reporting_component.get_or_insert_default();
        object.reporting_instance.get_or_insert_default();
    }

    fn validate(object: &Event) -> ErrorList {
        validation::event(object)
    }

    fn validate_update(new: &Event, _old: &Event) -> ErrorList {
        validation::event(new)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &Event, now: Timestamp) -> Vec<Cell> {
        let (last_seen, first_seen, count) = seen(object, now);
        let text = |field: &Option<String>| Cell::from(field.clone().unwrap_or_default());
        let message = object.message.as_deref().unwrap_or_default().trim();
        vec![
            last_seen.into(),
            text(&object.type_),
            text(&object.reason),
            target(object).into(),
            text(&object.involved_object.field_path),
            source(object).into(),
            message.into(),
            first_seen.into(),
            count.into(),
            printing::name(&object.metadata),
        ]
    }

    fn selectable_field(object: &Event, field: &str) -> Option<String> {
        let involved = &object.involved_object;
        let component = object.source.as_ref().and_then(|source| source.component.as_ref());
        let value = match field {
            "involvedObject.kind" => &involved.kind,
            "involvedObject.namespace" => &involved.namespace,
            "involvedObject.name" => &involved.name,
            "involvedObject.uid" => &involved.uid,
            "involvedObject.apiVersion" => &involved.api_version,
            "involvedObject.resourceVersion" => &involved.resource_version,
            "involvedObject.fieldPath" => &involved.field_path,
            "reason" => &object.reason,
            "reportingComponent" => &object.reporting_component,
            "source" => match component.filter(|component| !component.is_empty()) {
                Some(component) => return Some(component.clone()),
                None => &object.reporting_component,
            },
            "type" => &object.type_,
            _ => return None,
        };
        Some(value.clone().unwrap_or_default())
    }
}

/// When the event was seen last and first, and how often.
fn seen(object: &Event, now: Timestamp) -> (String, String, i32) {
    let event_time = object.event_time.as_ref().map(|time| time.0);
    let first = object.first_timestamp.as_ref().map(|time| time.0).or(event_time);
    let last = object.last_timestamp.as_ref().map(|time| time.0).or(first);
    let count = object.count.unwrap_or_default();
    let (last, count) = match &object.series {
        Some(series) => {
            let observed = series.last_observed_time.as_ref().map(|time| time.0);
            (observed, series.count.unwrap_or_default())
        }
        None => (last, if count == 0 { 1 } else { count }),
    };
    (printing::since(last, now), printing::since(first, now), count)
}

/// The object concerned: `pod/web-0`.
fn target(object: &Event) -> String {
    let kind = object.involved_object.kind.as_deref().unwrap_or_default().to_lowercase();
    match object.involved_object.name.as_deref() {
        Some(name) if !name.is_empty() => format!("{kind}/{name}"),
        _ => kind,
    }
}

/// Who reported it: `kubelet, node-1`.
fn source(object: &Event) -> String {
    let first = |texts: [Option<&String>; 2]| -> String {
        texts.into_iter().flatten().find(|text| !text.is_empty()).cloned().unwrap_or_default()
    };
    let source = object.source.as_ref();
    let component = first([
        source.and_then(|source| source.component.as_ref()),
        object.reporting_component.as_ref(),
    ]);
    let instance =
        first([source.and_then(|source| source.host.as_ref()), object.reporting_instance.as_ref()]);
    if instance.is_empty() { component } else { format!("{component}, {instance}") }
}
