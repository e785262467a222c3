//! ReplicaSets: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetStatus};

use super::printing;
use crate::field::ErrorList;
use crate::kind::keep;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of ReplicaSets. Upstream: pkg/registry/apps/replicaset/strategy.go
pub struct ReplicaSets;

const COLUMNS: &[Column] = &[
    Column::NAME,
    Column::integer("Desired"),
    Column::integer("Current"),
    Column::integer("Ready"),
    Column::AGE,
    Column::string("Containers").wide(),
    Column::string("Images").wide(),
    Column::string("Selector").wide(),
];

impl Strategy for ReplicaSets {
    type Object = ReplicaSet;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "replicaset";
    const SHORT_NAMES: &'static [&'static str] = &["rs"];
    const CATEGORIES: &'static [&'static str] = &["all"];
    const SUBRESOURCES: &'static [&'static str] = &["status", "scale"];
    const HAS_GENERATION: bool = true;
    const SELECTABLE_FIELDS: &'static [&'static str] = &["status.replicas"];

    fn default(object: &mut ReplicaSet) {
        defaults::replica_set(object);
    }

    fn prepare_for_create(object: &mut ReplicaSet) {
        object.status = Some(ReplicaSetStatus::default());
        object.spec.template.iter_mut().for_each(super::disabled::template);
    }

    fn prepare_for_update(new: &mut ReplicaSet, old: &ReplicaSet) {
        keep(&mut new.status, &old.status);
        new.spec.template.iter_mut().for_each(super::disabled::template);
    }

    fn prepare_for_status_update(new: &mut ReplicaSet, old: &ReplicaSet) {
        keep(&mut new.spec, &old.spec);
    }

    fn spec_changed(new: &ReplicaSet, old: &ReplicaSet) -> bool {
        new.spec != old.spec
    }

    fn validate(object: &ReplicaSet) -> ErrorList {
        validation::replica_set(object)
    }

    fn validate_update(new: &ReplicaSet, old: &ReplicaSet) -> ErrorList {
        validation::replica_set_update(new, old)
    }

    fn validate_status_update(new: &ReplicaSet, old: &ReplicaSet) -> ErrorList {
        validation::replica_set_status_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &ReplicaSet, now: Timestamp) -> Vec<Cell> {
        let spec = &object.spec;
        let status = object.status.clone().unwrap_or_default();
        let template = spec.template.as_ref().and_then(|template| template.spec.as_ref());
        let containers = template.map_or(&[][..], |spec| &spec.containers);
        let [names, images] = printing::container_cells(containers);
        vec![
            printing::name(&object.metadata),
            spec.replicas.unwrap_or_default().into(),
            status.replicas.into(),
            status.ready_replicas.unwrap_or_default().into(),
            printing::age(&object.metadata, now),
            names,
            images,
            printing::label_selector(&spec.selector).into(),
        ]
    }

    fn selectable_field(object: &ReplicaSet, field: &str) -> Option<String> {
        let replicas = object.status.as_ref().map_or(0, |status| status.replicas);
        (field == "status.replicas").then(|| replicas.to_string())
    }
}
