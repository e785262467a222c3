//! Namespaces: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, NamespaceStatus};

use super::printing;
use crate::field::ErrorList;
use crate::kind::keep;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of Namespaces. Upstream: pkg/registry/core/namespace/strategy.go
pub struct Namespaces;

/// The finalizer that holds a namespace until its content is gone.
const KUBERNETES: &str = "kubernetes";

const COLUMNS: &[Column] = &[Column::NAME, Column::string("Status"), Column::AGE];

impl Strategy for Namespaces {
    type Object = Namespace;
    const SCOPE: Scope = Scope::Cluster;
    const SINGULAR: &'static str = "namespace";
    const SHORT_NAMES: &'static [&'static str] = &["ns"];
    const SUBRESOURCES: &'static [&'static str] = &["status", "finalize"];
    const RETURNS_DELETED_OBJECT: bool = true;
    const SELECTABLE_FIELDS: &'static [&'static str] = &["status.phase"];

    /// Upstream: SetDefaults_Namespace and SetDefaults_NamespaceStatus.
    fn default(object: &mut Namespace) {
        defaults::meta(&mut object.metadata);
        label_with_name(object);
        let phase = &mut object.status.get_or_insert_default().phase;
        if phase.as_deref().unwrap_or_default().is_empty() {
            *phase = Some("Active".to_string());
        }
    }

    fn prepare_for_create(object: &mut Namespace) {
        label_with_name(object);
        let phase = Some("Active".to_string());
        object.status = Some(NamespaceStatus { phase, ..NamespaceStatus::default() });
        let spec = object.spec.get_or_insert_default();
        let finalizers = spec.finalizers.get_or_insert_default();
        if !finalizers.iter().any(|finalizer| finalizer == KUBERNETES) {
            finalizers.push(KUBERNETES.to_string());
        }
    }

    fn prepare_for_update(new: &mut Namespace, old: &Namespace) {
        keep(&mut new.spec, &old.spec);
        keep(&mut new.status, &old.status);
    }

    fn prepare_for_status_update(new: &mut Namespace, old: &Namespace) {
        keep(&mut new.spec, &old.spec);
    }

    fn validate(object: &Namespace) -> ErrorList {
        validation::namespace(object)
    }

    fn validate_update(new: &Namespace, old: &Namespace) -> ErrorList {
        validation::namespace_update(new, old)
    }

    fn validate_status_update(new: &Namespace, old: &Namespace) -> ErrorList {
        validation::namespace_status_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &Namespace, now: Timestamp) -> Vec<Cell> {
        vec![
            printing::name(&object.metadata),
            phase(object).into(),
            printing::age(&object.metadata, now),
        ]
    }

    fn selectable_field(object: &Namespace, field: &str) -> Option<String> {
        (field == "status.phase").then(|| phase(object))
    }
}

fn phase(object: &Namespace) -> String {
    object.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default()
}

/// A namespace carries its name as a label, so that selectors can name it.
fn label_with_name(object: &mut Namespace) {
    let Some(name) = object.metadata.name.clone().filter(|name| !name.is_empty()) else { return };
    let labels = object.metadata.labels.get_or_insert_default();
    labels.insert("kubernetes.io/metadata.name".to_string(), name);
}
