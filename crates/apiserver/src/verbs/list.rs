//! Listing, with selectors and in pages.
//!
//! Upstream: staging/src/k8s.io/apiserver/pkg/storage/etcd3/store.go, GetList

use api::{Key, Object, Status};

use super::continue_token::Position;
use super::{Operation, Target};
use crate::watch::selectors_match;
use crate::{List, ListOptions, Snapshot};

/// Upstream: storage/etcd3/errors.go, handleCompactedErrorForPaging.
const EXPIRED_TOKEN: &str = "The provided continue parameter is too old to display a consistent \
    list result. You can start a new list without the continue parameter, or use the continue \
    token in this response to retrieve the remainder of the results. Continuing with the provided \
    token results in an inconsistent list - objects that were created, modified, or deleted \
    between the time the first chunk was returned and now may show up in the list.";

impl Operation<'_> {
    pub(super) fn list(&self, target: &Target, options: &ListOptions) -> Result<List, Status> {
        self.check_fields(options)?;
        let newest = self.server.etcd.revision();
        let position = options.continue_token.as_deref().map(Position::parse).transpose()?;
        let revision = match &position {
            Some(position) => position.revision.unwrap_or(newest),
            None => newest,
        };
        let start = position.map(|position| self.last_key(target, &position.last));
        let page = Page { operation: self, target, options, revision };
        if revision == newest {
            let empty = Snapshot::default();
            let snapshot = self.server.cache.snapshot_ref(self.kind.id).unwrap_or(&empty);
            let objects = match &start {
                Some(last) => snapshot.after(&last.namespace, Some(&last.name)),
                None => snapshot.after(&target.namespace, None),
            };
            return Ok(page.of(objects));
        }
        let then = self.server.etcd.snapshot_at(revision).map_err(|_| {
            let last = start.as_ref().map(|last| page.below_root(last)).unwrap_or_default();
            let token = Position { revision: None, last }.token();
            Status::expired(EXPIRED_TOKEN).with_continue(token)
        })?;
        let first = start.clone().unwrap_or_else(|| Key::new(&target.namespace, ""));
        let objects = then
            .range((self.kind.id, first)..)
            .take_while(|((kind, _), _)| *kind == self.kind.id)
            .filter(|((_, key), _)| start.as_ref() != Some(key))
            .map(|(_, kv)| &kv.value);
        Ok(page.of(objects))
    }

    fn last_key(&self, target: &Target, last: &str) -> Key {
        match last.split_once('/') {
            Some((namespace, name)) if target.namespace.is_empty() => Key::new(namespace, name),
            _ => Key::new(&target.namespace, last),
        }
    }

    /// Refuses a field selector that names a field which the kind does not support.
    /// Upstream: pkg/apis/core/v1/conversion.go, addFieldLabelConversions, and
    /// apimachinery/pkg/runtime/conversion.go, DefaultMetaV1FieldSelectorConversion.
    fn check_fields(&self, options: &ListOptions) -> Result<(), Status> {
        let Some(selector) = &options.field_selector else { return Ok(()) };
        for requirement in selector.requirements() {
            let field = requirement.field.as_str();
            let is_known = matches!(field, "metadata.name" | "metadata.namespace")
                || self.kind.selectable_fields.contains(&field);
            if is_known {
                continue;
            }
            let words = if self.kind.selectable_fields.is_empty() {
                format!(
                    "{field:?} is not a known field selector: only \"metadata.name\", \
                     \"metadata.namespace\""
                )
            } else {
                format!("field label not supported: {field}")
            };
            return Err(Status::bad_request(words));
        }
        Ok(())
    }
}

struct Page<'p, 'o> {
    operation: &'p Operation<'o>,
    target: &'p Target,
    options: &'p ListOptions,
    revision: u64,
}

impl Page<'_, '_> {
    /// The page that objects in the order of their keys make.
    fn of<'o>(&self, objects: impl Iterator<Item = &'o Object>) -> List {
        let options = self.options;
        let namespace = &*self.target.namespace;
        let mut matching = objects
            .take_while(|object| namespace.is_empty() || object.namespace() == namespace)
            .filter(|object| {
                let (labels, fields) = (&options.label_selector, &options.field_selector);
                selectors_match(labels.as_ref(), fields.as_ref(), object)
            });
        let items: Vec<Object> = match usize::try_from(options.limit) {
            Ok(limit) if limit > 0 => matching.by_ref().take(limit).cloned().collect(),
            _ => matching.by_ref().cloned().collect(),
        };
        let remaining = i64::try_from(matching.count()).unwrap_or(i64::MAX);
        let continue_token = items.last().filter(|_| remaining > 0).map(|last| {
            let last = self.below_root(&last.key());
            Position { revision: Some(self.revision), last }.token()
        });
        let is_selective = options.label_selector.as_ref().is_some_and(|all| !all.is_everything())
            || options.field_selector.as_ref().is_some_and(|all| !all.is_everything());
        let remaining_item_count = Some(remaining).filter(|left| *left > 0 && !is_selective);
        let (kind, resource_version) = (self.operation.kind.id, self.revision);
        List { kind, items, resource_version, continue_token, remaining_item_count }
    }

    /// A key as it is below the root of the list.
    fn below_root(&self, key: &Key) -> String {
        if self.target.namespace.is_empty() { key.to_string() } else { key.name.to_string() }
    }
}
