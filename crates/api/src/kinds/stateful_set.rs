//! StatefulSets: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};

use super::printing;
use crate::field::ErrorList;
use crate::kind::keep;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of StatefulSets. Upstream: pkg/registry/apps/statefulset/strategy.go
pub struct StatefulSets;

const COLUMNS: &[Column] = &[
    Column::NAME,
    Column::string("Ready"),
    Column::AGE,
    Column::string("Containers").wide(),
    Column::string("Images").wide(),
];

impl Strategy for StatefulSets {
    type Object = StatefulSet;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "statefulset";
    const SHORT_NAMES: &'static [&'static str] = &["sts"];
    const CATEGORIES: &'static [&'static str] = &["all"];
    const SUBRESOURCES: &'static [&'static str] = &["status", "scale"];
    const HAS_GENERATION: bool = true;

    fn default(object: &mut StatefulSet) {
        defaults::stateful_set(object);
    }

    fn prepare_for_create(object: &mut StatefulSet) {
        // The number of those available is written even when it is zero.
        let available_replicas = Some(0);
        object.status = Some(StatefulSetStatus { available_replicas, ..Default::default() });
        super::disabled::template(&mut object.spec.template);
    }

    fn prepare_for_update(new: &mut StatefulSet, old: &StatefulSet) {
        keep(&mut new.status, &old.status);
        super::disabled::template(&mut new.spec.template);
    }

    fn prepare_for_status_update(new: &mut StatefulSet, old: &StatefulSet) {
        keep(&mut new.spec, &old.spec);
    }

    fn spec_changed(new: &StatefulSet, old: &StatefulSet) -> bool {
        new.spec != old.spec
    }

    fn validate(object: &StatefulSet) -> ErrorList {
        validation::stateful_set(object)
    }

    fn validate_update(new: &StatefulSet, old: &StatefulSet) -> ErrorList {
        validation::stateful_set_update(new, old)
    }

    fn validate_status_update(new: &StatefulSet, old: &StatefulSet) -> ErrorList {
        validation::stateful_set_status_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &StatefulSet, now: Timestamp) -> Vec<Cell> {
        let ready = object.status.as_ref().and_then(|status| status.ready_replicas);
        let wanted = object.spec.replicas.unwrap_or_default();
        let template = object.spec.template.spec.as_ref();
        let containers = template.map_or(&[][..], |spec| &spec.containers);
        let [names, images] = printing::container_cells(containers);
        vec![
            printing::name(&object.metadata),
            format!("{}/{wanted}", ready.unwrap_or_default()).into(),
            printing::age(&object.metadata, now),
            names,
            images,
        ]
    }
}
