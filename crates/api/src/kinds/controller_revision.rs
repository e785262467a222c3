//! ControllerRevisions: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;

use super::printing;
use crate::field::ErrorList;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of ControllerRevisions.
/// Upstream: pkg/registry/apps/controllerrevision/strategy.go
pub struct ControllerRevisions;

const COLUMNS: &[Column] =
    &[Column::NAME, Column::string("Controller"), Column::integer("Revision"), Column::AGE];

impl Strategy for ControllerRevisions {
    type Object = ControllerRevision;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "controllerrevision";

    fn default(object: &mut ControllerRevision) {
        defaults::meta(&mut object.metadata);
        object.revision.get_or_insert_default();
    }

    fn validate(object: &ControllerRevision) -> ErrorList {
        validation::controller_revision(object)
    }

    fn validate_update(new: &ControllerRevision, old: &ControllerRevision) -> ErrorList {
        validation::controller_revision_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &ControllerRevision, now: Timestamp) -> Vec<Cell> {
        let mut owners = object.metadata.owner_references.iter().flatten();
        let controller = owners.find(|owner| owner.controller == Some(true)).map(|owner| {
            let kind = owner.kind.to_lowercase();
            match owner.api_version.split_once('/') {
                Some((group, _)) => format!("{kind}.{group}/{}", owner.name),
                None => format!("{kind}/{}", owner.name),
            }
        });
        vec![
            printing::name(&object.metadata),
            printing::or_none(controller.as_deref()).into(),
            object.revision.unwrap_or_default().into(),
            printing::age(&object.metadata, now),
        ]
    }
}
