//! Secrets: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use std::collections::BTreeMap;

use super::printing;
use crate::field::ErrorList;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of Secrets. Upstream: pkg/registry/core/secret/strategy.go
pub struct Secrets;

const COLUMNS: &[Column] =
    &[Column::NAME, Column::string("Type"), Column::string("Data"), Column::AGE];

impl Strategy for Secrets {
    type Object = Secret;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "secret";
    const SELECTABLE_FIELDS: &'static [&'static str] = &["type"];

    /// What is written as text is kept as bytes, and takes precedence over bytes of that key.
    fn default(object: &mut Secret) {
        defaults::meta(&mut object.metadata);
        if let Some(texts) = object.string_data.take() {
            let data = object.data.get_or_insert_default();
            let bytes = |text: String| ByteString(text.into_bytes());
            data.extend(texts.into_iter().map(|(key, text)| (key, bytes(text))));
        }
        if object.type_.as_deref().unwrap_or_default().is_empty() {
            object.type_ = Some("Opaque".to_string());
        }
    }

    fn validate(object: &Secret) -> ErrorList {
        validation::secret(object)
    }

    fn validate_update(new: &Secret, old: &Secret) -> ErrorList {
        validation::secret_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &Secret, now: Timestamp) -> Vec<Cell> {
        let count = object.data.as_ref().map_or(0, BTreeMap::len);
        vec![
            printing::name(&object.metadata),
            object.type_.clone().unwrap_or_default().into(),
            Cell::Integer(i64::try_from(count).unwrap_or(i64::MAX)),
            printing::age(&object.metadata, now),
        ]
    }

    fn selectable_field(object: &Secret, field: &str) -> Option<String> {
        (field == "type").then(|| object.type_.clone().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_data_becomes_data() {
        let mut secret = Secret {
            data: Some([("kept", "a"), ("replaced", "b")].map(pair).into()),
            string_data: Some([("replaced".to_string(), "c".to_string())].into()),
            ..Secret::default()
        };
        Secrets::default(&mut secret);
        assert_eq!(secret.data, Some([("kept", "a"), ("replaced", "c")].map(pair).into()));
        assert_eq!(secret.string_data, None);
        assert_eq!(secret.type_.as_deref(), Some("Opaque"));
    }

    fn pair((key, text): (&str, &str)) -> (String, ByteString) {
        (key.to_string(), ByteString(text.as_bytes().to_vec()))
    }
}
