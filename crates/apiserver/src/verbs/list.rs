//! Listing, with selectors and in pages.

use api::{Key, Object, Status};
use serde_json::{Value, json};

use super::{Operation, Target};
use crate::{List, ListOptions};

impl Operation<'_> {
    pub(crate) fn list(&self, target: &Target, options: &ListOptions) -> Result<List, Status> {
        self.check_fields(options)?;
        let (revision, start) = match &options.continue_token {
            None => (self.server.etcd.revision(), None),
            Some(token) => {
                let (revision, start) = parse_token(token)?;
                (revision, Some(start))
            }
        };
        if revision == self.server.etcd.revision() {
            let empty = crate::Snapshot::default();
            let snapshot = self.server.cache.snapshot_ref(self.kind.id).unwrap_or(&empty);
            if target.namespace.is_empty() {
                return Ok(page(snapshot.iter(), revision, start, options));
            }
            return Ok(page(snapshot.in_namespace(&target.namespace), revision, start, options));
        }
        let then = self.server.etcd.snapshot_at(revision).map_err(|_| {
            Status::expired(
                "The provided continue parameter is too old to display a consistent list result. \
                 You can start a new list without the continue parameter.",
            )
        })?;
        let objects = then
            .range((self.kind.id, Key::new(&target.namespace, ""))..)
            .take_while(|((kind, key), _)| {
                *kind == self.kind.id
                    && (target.namespace.is_empty() || *key.namespace == *target.namespace)
            })
            .map(|(_, kv)| &kv.value);
        Ok(page(objects, revision, start, options))
    }

    /// Refuses a field selector that names a field which the kind does not support.
    fn check_fields(&self, options: &ListOptions) -> Result<(), Status> {
        let Some(selector) = &options.field_selector else { return Ok(()) };
        for requirement in selector.requirements() {
            let field = requirement.field.as_str();
            let known = matches!(field, "metadata.name" | "metadata.namespace")
                || self.kind.selectable_fields.contains(&field);
            if !known {
                let words = if self.kind.group.is_empty() && !self.kind.selectable_fields.is_empty()
                {
                    format!("field label not supported: {field}")
                } else {
                    format!(
                        "{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                    )
                };
                return Err(Status::bad_request(words));
            }
        }
        Ok(())
    }
}

fn page<'o>(
    objects: impl Iterator<Item = &'o Object>,
    revision: u64,
    start: Option<Key>,
    options: &ListOptions,
) -> List {
    let limit = usize::try_from(options.limit).unwrap_or(usize::MAX);
    let mut matching = objects
        .filter(|object| start.as_ref().is_none_or(|start| object.key() > *start))
        .filter(|object| matches(object, options));
    let items: Vec<Object> = if limit == 0 {
        matching.by_ref().cloned().collect()
    } else {
        matching.by_ref().take(limit).cloned().collect()
    };
    let remaining = matching.count();
    let continue_token = match items.last() {
        Some(last) if remaining > 0 => Some(token(revision, &last.key())),
        _ => None,
    };
    let selective = options.label_selector.is_some() || options.field_selector.is_some();
    let remaining = i64::try_from(remaining).ok();
    let remaining_item_count = remaining.filter(|left| *left > 0 && !selective);
    List { items, resource_version: revision, continue_token, remaining_item_count }
}

fn matches(object: &Object, options: &ListOptions) -> bool {
    let no_labels = std::collections::BTreeMap::new();
    let labels = object.meta().labels.as_ref().unwrap_or(&no_labels);
    options.label_selector.as_ref().is_none_or(|selector| selector.matches(labels))
        && options.field_selector.as_ref().is_none_or(|selector| {
            selector.matches(|field| match field {
                "metadata.name" => Some(object.name().to_string()),
                "metadata.namespace" => Some(object.namespace().to_string()),
                _ => (object.kind().selectable_field)(object, field),
            })
        })
}

/// Where the next page begins. Upstream encodes the same fields in base64; the text is opaque
/// to clients. Upstream: staging/src/k8s.io/apiserver/pkg/storage/continue.go
fn token(revision: u64, last: &Key) -> String {
    json!({ "v": "meta.k8s.io/v1", "rv": revision, "start": [&*last.namespace, &*last.name] })
        .to_string()
}

fn parse_token(token: &str) -> Result<(u64, Key), Status> {
    let parse = || {
        let value: Value = serde_json::from_str(token).ok()?;
        let revision = value.get("rv")?.as_u64()?;
        let start = value.get("start")?;
        Some((revision, Key::new(start.get(0)?.as_str()?, start.get(1)?.as_str()?)))
    };
    parse().ok_or_else(|| Status::bad_request("continue key is not valid: the token is malformed"))
}
