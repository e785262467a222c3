//! Making the strategic merge patch that turns one object into another.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Value, json};
use sim::Sort;

use super::merge::{Target, merge_map};
use super::*;
use crate::patch::go_format::plain;
use crate::patch::patch_meta::Field;

/// What a difference leaves out and puts in.
#[derive(Clone, Copy)]
struct Options {
    ignore_changes_and_additions: bool,
    ignore_deletions: bool,
    retain_keys: bool,
}

/// The patch that makes `modified` out of `original`.
pub fn create_two_way_merge_patch(
    original: &Value,
    modified: &Value,
    meta: PatchMeta,
) -> Outcome<Value> {
    let options = Options {
        ignore_changes_and_additions: false,
        ignore_deletions: false,
        retain_keys: false,
    };
    let (original, modified) = (document(original)?, document(modified)?);
    diff_maps(&original, &modified, meta, options).map(Value::Object)
}

/// The patch that `kubectl apply` sends: what `modified` says differently from `current` is
/// changed, and what `original`, the configuration applied last, said and `modified` no longer
/// says is deleted. What others set stays.
pub fn create_three_way_merge_patch(
    original: &Value,
    modified: &Value,
    current: &Value,
    meta: PatchMeta,
) -> Outcome<Value> {
    let (original, modified) = (document(original)?, document(modified)?);
    let current = document(current)?;
    let additions =
        Options { ignore_changes_and_additions: false, ignore_deletions: true, retain_keys: false };
    let deletions =
        Options { ignore_changes_and_additions: true, ignore_deletions: false, retain_keys: false };
    let delta = diff_maps(&current, &modified, meta, additions)?;
    let deletions = diff_maps(&original, &modified, meta, deletions)?;
    let patch = merge_map(deletions, delta, meta, Target::Patch)?;
    // Upstream: staging/src/k8s.io/kubectl/pkg/cmd/apply/patcher.go
    let renames = patch.get("metadata").is_some_and(|metadata| metadata.get("name").is_some());
    if renames || patch.contains_key("apiVersion") || patch.contains_key("kind") {
        let patch = map(&patch);
        return failed(format!(
            "precondition failed for: {patch}\nat least one of apiVersion, kind and name was \
             changed"
        ));
    }
    Ok(Value::Object(patch))
}

/// The fields of a document; none when there is no document.
fn document(value: &Value) -> Outcome<Cow<'_, Fields>> {
    match value {
        Value::Null => Ok(Cow::Owned(Fields::new())),
        Value::Object(fields) => Ok(Cow::Borrowed(fields)),
        _ => Err(PatchError::Malformed("invalid JSON document".to_string())),
    }
}

fn diff_maps(
    original: &Fields,
    modified: &Fields,
    meta: PatchMeta,
    options: Options,
) -> Outcome<Fields> {
    let mut patch = Fields::new();
    for (name, after) in modified {
        match original.get(name) {
            Some(before) if name == DIRECTIVE => {
                if !before.is_string() || !after.is_string() {
                    return failed(format!("invalid value for special key: {DIRECTIVE}"));
                }
                if before != after {
                    patch.insert(name.clone(), after.clone());
                }
            }
            Some(Value::Object(before)) if after.is_object() => {
                diff_map(&mut patch, name, before, after, meta.field(name), options)?;
            }
            Some(Value::Array(before)) if after.is_array() => {
                diff_list(&mut patch, name, before, after, meta.field(name), options)?;
            }
            Some(before) if before == after => {}
            _ => insert_change(&mut patch, name, after, options),
        }
    }
    if !options.ignore_deletions {
        for name in original.keys().filter(|name| !modified.contains_key(*name)) {
            patch.insert(name.clone(), Value::Null);
        }
    }
    if options.retain_keys {
        let is_dropped =
            |(name, value): (&String, &Value)| !value.is_null() && !modified.contains_key(name);
        let kept = modified.iter().filter(|(_, value)| !value.is_null());
        let kept: Vec<Value> = kept.map(|(name, _)| name.as_str().into()).collect();
        if !kept.is_empty() && (!patch.is_empty() || original.iter().any(is_dropped)) {
            patch.insert(RETAIN_KEYS.to_string(), Value::Array(kept));
        }
    }
    Ok(patch)
}

fn insert_change(patch: &mut Fields, name: &str, after: &Value, options: Options) {
    if !options.ignore_changes_and_additions {
        patch.insert(name.to_string(), after.clone());
    }
}

fn diff_map(
    patch: &mut Fields,
    name: &str,
    before: &Fields,
    after: &Value,
    field: Field,
    options: Options,
) -> Outcome<()> {
    if field.replace {
        insert_change(patch, name, after, options);
        return Ok(());
    }
    let options = Options { retain_keys: field.retain_keys, ..options };
    let change = diff_maps(before, as_map(after)?, field.meta, options)?;
    if !change.is_empty() {
        patch.insert(name.to_string(), Value::Object(change));
    }
    Ok(())
}

fn diff_list(
    patch: &mut Fields,
    name: &str,
    before: &[Value],
    after: &Value,
    field: Field,
    options: Options,
) -> Outcome<()> {
    let items = after.as_array().map(Vec::as_slice).unwrap_or_default();
    if !field.merge {
        if before != items {
            insert_change(patch, name, after, options);
        }
        return Ok(());
    }
    let options = Options { retain_keys: field.retain_keys, ..options };
    let difference = diff_lists(before, items, field, options)?;
    let parallel = |prefix: &str| format!("{prefix}/{name}");
    for (key, list) in [
        (name.to_string(), difference.changes),
        (parallel(DELETE_FROM_PRIMITIVE_LIST), difference.deletions),
        (parallel(SET_ELEMENT_ORDER), difference.order),
    ] {
        if !list.is_empty() {
            patch.insert(key, Value::Array(list));
        }
    }
    Ok(())
}

/// How one merging list becomes another.
#[derive(Default)]
struct ListDifference {
    /// Items to merge, and directives that delete items.
    changes: Vec<Value>,
    /// Scalars to delete.
    deletions: Vec<Value>,
    /// The order of the result, where it matters.
    order: Vec<Value>,
}

fn diff_lists(
    original: &[Value],
    modified: &[Value],
    field: Field,
    options: Options,
) -> Outcome<ListDifference> {
    if original.is_empty() {
        let changes =
            if options.ignore_changes_and_additions { Vec::new() } else { modified.to_vec() };
        return Ok(ListDifference { changes, ..ListDifference::default() });
    }
    match elements(&[original, modified])? {
        Elements::Maps => diff_lists_of_maps(original, modified, field, options),
        Elements::Scalars => diff_lists_of_scalars(original, modified, options),
    }
}

fn diff_lists_of_maps(
    original: &[Value],
    modified: &[Value],
    field: Field,
    options: Options,
) -> Outcome<ListDifference> {
    let merge_key = field.merge_key;
    let (before, after) =
        (sorted_by_key(original, merge_key)?, sorted_by_key(modified, merge_key)?);
    let (mut before, mut after) = (before.into_iter().peekable(), after.into_iter().peekable());
    let (mut changes, mut deletions) = (Vec::new(), Vec::new());
    loop {
        let order = match (before.peek(), after.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((one, _)), Some((other, _))) => one.cmp(other),
        };
        let before = if order == Ordering::Greater { None } else { before.next() };
        let after = if order == Ordering::Less { None } else { after.next() };
        match (before, after) {
            (Some((_, before)), Some((_, after))) => {
                let mut change = diff_maps(before, after, field.meta, options)?;
                if !change.is_empty() {
                    change.insert(merge_key.to_string(), after[merge_key].clone());
                    changes.push(Value::Object(change));
                }
            }
            (None, Some((_, after))) if !options.ignore_changes_and_additions => {
                changes.push(Value::Object(after.clone()));
            }
            (Some((_, before)), None) if !options.ignore_deletions => {
                deletions.push(json!({ merge_key: before[merge_key], DIRECTIVE: "delete" }));
            }
            _ => {}
        }
    }
    let mut changes = sort_by_order(changes, modified, merge_key)?;
    changes.append(&mut deletions);
    let reorders = !options.ignore_changes_and_additions
        && (!changes.is_empty() || !is_order_same(original, modified, merge_key)?);
    let deletes = !options.ignore_deletions && !changes.is_empty();
    let order = if reorders || deletes {
        modified.iter().map(|item| json!({ merge_key: item[merge_key] })).collect()
    } else {
        Vec::new()
    };
    Ok(ListDifference { changes, deletions: Vec::new(), order })
}

/// The items with their keys as texts, in the order of the texts.
fn sorted_by_key<'a>(items: &'a [Value], merge_key: &str) -> Outcome<Vec<(String, &'a Fields)>> {
    let mut keyed = Vec::with_capacity(items.len());
    for item in items {
        let fields = as_map(item)?;
        match fields.get(merge_key) {
            Some(key) => keyed.push((plain(key), fields)),
            None => return no_merge_key(fields, merge_key),
        }
    }
    keyed.order_by(|left, right| left.0.cmp(&right.0));
    Ok(keyed)
}

fn is_order_same(original: &[Value], modified: &[Value], merge_key: &str) -> Outcome<bool> {
    if original.len() != modified.len() {
        return Ok(false);
    }
    for (before, after) in original.iter().zip(modified) {
        if identity(before, merge_key)? != identity(after, merge_key)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn diff_lists_of_scalars(
    original: &[Value],
    modified: &[Value],
    options: Options,
) -> Outcome<ListDifference> {
    let sorted = |items: &[Value]| {
        let mut items: Vec<(String, Value)> =
            items.iter().map(|item| (plain(item), item.clone())).collect();
        items.order_by(|left, right| left.0.cmp(&right.0));
        items
    };
    let (before, after) = (sorted(original), sorted(modified));
    let differs = before.iter().map(|(_, item)| item).ne(modified);
    let (mut before, mut after) = (before.into_iter().peekable(), after.into_iter().peekable());
    let (mut additions, mut deletions) = (Vec::new(), Vec::new());
    loop {
        let order = match (before.peek(), after.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((one, _)), Some((other, _))) => one.cmp(other),
        };
        let before = if order == Ordering::Greater { None } else { before.next() };
        let after = if order == Ordering::Less { None } else { after.next() };
        match (before, after) {
            (None, Some((_, item))) if !options.ignore_changes_and_additions => {
                additions.push(item);
            }
            (Some((_, item)), None) if !options.ignore_deletions => deletions.push(item),
            _ => {}
        }
    }
    let deletions = without_duplicates(deletions);
    let changes = sort_by_order(additions, modified, "")?;
    // Upstream compares with the sorted original, so lists that are not sorted get an order.
    let order = if (!options.ignore_deletions && !deletions.is_empty())
        || (!options.ignore_changes_and_additions && differs)
    {
        modified.to_vec()
    } else {
        Vec::new()
    };
    Ok(ListDifference { changes, deletions, order })
}
