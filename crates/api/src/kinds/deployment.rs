//! Deployments: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};

use super::printing;
use crate::field::ErrorList;
use crate::kind::keep;
use crate::labels::Selector;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of Deployments. Upstream: pkg/registry/apps/deployment/strategy.go
pub struct Deployments;

const COLUMNS: &[Column] = &[
    Column::NAME,
    Column::string("Ready"),
    Column::string("Up-to-date"),
    Column::string("Available"),
    Column::AGE,
    Column::string("Containers").wide(),
    Column::string("Images").wide(),
    Column::string("Selector").wide(),
];

impl Strategy for Deployments {
    type Object = Deployment;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "deployment";
    const SHORT_NAMES: &'static [&'static str] = &["deploy"];
    const CATEGORIES: &'static [&'static str] = &["all"];
    const SUBRESOURCES: &'static [&'static str] = &["status", "scale"];
    const HAS_GENERATION: bool = true;

    fn default(object: &mut Deployment) {
        defaults::deployment(object);
    }

    fn prepare_for_create(object: &mut Deployment) {
        object.status = Some(DeploymentStatus::default());
        super::disabled::template(&mut object.spec.template);
    }

    fn prepare_for_update(new: &mut Deployment, old: &Deployment) {
        keep(&mut new.status, &old.status);
        super::disabled::template(&mut new.spec.template);
    }

    fn prepare_for_status_update(new: &mut Deployment, old: &Deployment) {
        keep(&mut new.spec, &old.spec);
        new.metadata.labels.clone_from(&old.metadata.labels);
    }

    /// The annotations count too, because the controller copies them to the ReplicaSets.
    fn spec_changed(new: &Deployment, old: &Deployment) -> bool {
        let annotations = |object: &Deployment| {
            object.metadata.annotations.clone().filter(|annotations| !annotations.is_empty())
        };
        new.spec != old.spec || annotations(new) != annotations(old)
    }

    fn validate(object: &Deployment) -> ErrorList {
        validation::deployment(object)
    }

    fn validate_update(new: &Deployment, old: &Deployment) -> ErrorList {
        validation::deployment_update(new, old)
    }

    fn validate_status_update(new: &Deployment, old: &Deployment) -> ErrorList {
        validation::deployment_status_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &Deployment, now: Timestamp) -> Vec<Cell> {
        let spec = &object.spec;
        let status = object.status.clone().unwrap_or_default();
        let containers = spec.template.spec.as_ref().map_or(&[][..], |spec| &spec.containers);
        let [names, images] = printing::container_cells(containers);
        let ready = status.ready_replicas.unwrap_or_default();
        let desired = spec.replicas.unwrap_or_default();
        let selector = Selector::from_label_selector(Some(&spec.selector));
        vec![
            printing::name(&object.metadata),
            format!("{ready}/{desired}").into(),
            status.updated_replicas.unwrap_or_default().into(),
            status.available_replicas.unwrap_or_default().into(),
            printing::age(&object.metadata, now),
            names,
            images,
            selector.map(|selector| selector.to_string()).unwrap_or_default().into(),
        ]
    }
}
