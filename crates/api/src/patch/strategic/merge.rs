//! Applying a strategic merge patch to an object, or to another patch.

use serde_json::Value;
use sim::SmallSet;

use super::*;
use crate::patch::go_format::{list, plain};
use crate::patch::patch_meta::Field;

/// What merging is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The patch is applied to an object: directives are carried out.
    Object,
    /// The patch is added to another patch: directives and nulls are kept.
    Patch,
}

/// Applies a strategic merge patch to an object.
pub fn apply(original: Value, patch: Value, meta: PatchMeta) -> Outcome<Value> {
    let bad = || PatchError::Malformed("invalid JSON document".to_string());
    let (Value::Object(original), Value::Object(patch)) = (original, patch) else {
        return Err(bad());
    };
    merge_map(original, patch, meta, Target::Object).map(Value::Object)
}

/// Merges a patch's map into the original's.
pub(super) fn merge_map(
    mut original: Fields,
    mut patch: Fields,
    meta: PatchMeta,
    target: Target,
) -> Outcome<Fields> {
    if let Some(directive) = patch.remove(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => Ok(patch),
            Some("delete") => Ok(Fields::new()),
            _ => {
                let text = plain(&directive);
                patch.insert(DIRECTIVE.to_string(), directive);
                failed(format!("unknown patch type: {text} in map: {}", map(&patch)))
            }
        };
    }
    retain_keys(&mut original, &mut patch, target)?;
    merge_ordered_lists(&mut original, &mut patch, meta, target)?;
    for (name, change) in patch {
        merge_field(&mut original, name, change, meta, target)?;
    }
    Ok(original)
}

/// Merges one field of a patch.
fn merge_field(
    original: &mut Fields,
    mut name: String,
    mut change: Value,
    meta: PatchMeta,
    target: Target,
) -> Outcome<()> {
    let mut is_deletion_list = false;
    if name.starts_with(DELETE_FROM_PRIMITIVE_LIST) {
        if target == Target::Patch {
            original.insert(name, change);
            return Ok(());
        }
        is_deletion_list = true;
        name = list_name(&name, DELETE_FROM_PRIMITIVE_LIST).ok_or_else(bad_primitive_list)?;
    }
    if change.is_null() {
        original.remove(&name);
        if target == Target::Object {
            return Ok(());
        }
    }
    let Some(before) = original.remove(&name) else {
        if !is_deletion_list {
            insert_new(original, name, change, target);
        }
        return Ok(());
    };
    let field = meta.field(&name);
    let after = match (before, change) {
        (Value::Object(before), Value::Object(change)) if field.replace => {
            drop(before);
            Value::Object(change)
        }
        (Value::Object(before), Value::Object(change)) => {
            Value::Object(merge_map(before, change, field.meta, target)?)
        }
        (Value::Array(before), Value::Array(change)) => {
            Value::Array(merge_lists(before, change, field, is_deletion_list, target)?)
        }
        (before, rest) if type_name(&before) != type_name(&rest) && is_deletion_list => before,
        (_, rest) => {
            change = rest;
            insert_new(original, name, change, target);
            return Ok(());
        }
    };
    original.insert(name, after);
    Ok(())
}

/// Takes a value of the patch as it is, without its directives.
fn insert_new(original: &mut Fields, name: String, mut value: Value, target: Target) {
    if target == Target::Object {
        discard_nulls(&mut value);
    }
    if let Some(value) = without_directives(value) {
        original.insert(name, value);
    }
}

/// The list that a parallel list such as `$setElementOrder/containers` is for.
fn list_name(key: &str, prefix: &str) -> Option<String> {
    key.strip_prefix(prefix)?.strip_prefix('/').map(str::to_string)
}

/// Carries out `$retainKeys`: only keys that it lists stay in the original.
fn retain_keys(original: &mut Fields, patch: &mut Fields, target: Target) -> Outcome<()> {
    let Some(directive) = patch.remove(RETAIN_KEYS) else {
        return Ok(());
    };
    if target == Target::Patch {
        match original.get(RETAIN_KEYS) {
            Some(before) if *before != directive => {
                let (before, directive) = (plain(before), plain(&directive));
                return failed(format!(
                    "{before} and {directive} are not deep equal: this may happen when \
                     calculating the 3-way diff patch"
                ));
            }
            Some(_) => {}
            None => {
                original.insert(RETAIN_KEYS.to_string(), directive);
            }
        }
        return Ok(());
    }
    let Value::Array(kept) = directive else {
        return Err(bad_retain_keys());
    };
    let kept: SmallSet<&str> = kept.iter().filter_map(Value::as_str).collect();
    for (name, value) in patch.iter() {
        let is_parallel_list =
            name.starts_with(DELETE_FROM_PRIMITIVE_LIST) || name.starts_with(SET_ELEMENT_ORDER);
        if !value.is_null() && !is_parallel_list && !kept.contains(name.as_str()) {
            return Err(bad_retain_keys());
        }
    }
    original.retain(|name, _| kept.contains(name.as_str()));
    Ok(())
}

/// Merges the lists that a `$setElementOrder` is for, and takes both out of the patch.
fn merge_ordered_lists(
    original: &mut Fields,
    patch: &mut Fields,
    meta: PatchMeta,
    target: Target,
) -> Outcome<()> {
    let ordered = |name: &&String| name.starts_with(SET_ELEMENT_ORDER);
    let directives: Vec<String> = patch.keys().filter(ordered).cloned().collect();
    for directive in directives {
        let order = patch.remove(&directive).unwrap_or_default();
        if target == Target::Patch {
            match original.get(&directive) {
                Some(before) if *before != order => return Err(bad_element_order()),
                Some(_) => {}
                None => {
                    original.insert(directive.clone(), order.clone());
                }
            }
        }
        let order = into_list(order)?;
        let name = list_name(&directive, SET_ELEMENT_ORDER).ok_or_else(bad_element_order)?;
        merge_ordered_list(original, patch, &name, &order, meta, target)?;
    }
    Ok(())
}

fn merge_ordered_list(
    original: &mut Fields,
    patch: &mut Fields,
    name: &str,
    order: &[Value],
    meta: PatchMeta,
    target: Target,
) -> Outcome<()> {
    let field = meta.field(name);
    let list_of = |fields: &Fields| fields.get(name).cloned().map(into_list).transpose();
    let (before, change) = (list_of(original)?, list_of(patch)?);
    validate_order(change.as_deref().unwrap_or_default(), order, field.merge_key)?;
    let lists = [before.clone().unwrap_or_default(), change.clone().unwrap_or_default()];
    let live_order = live_order(&lists[0], &lists[1], field)?;
    let merged = match (before, change) {
        (None, None) => return Ok(()),
        (Some(before), None) => before,
        (None, Some(change)) => change.into_iter().filter_map(without_directives).collect(),
        (Some(before), Some(change)) => merge_lists(before, change, field, false, target)?,
    };
    elements(&[&lists[0], &lists[1]])?;
    let ordered = enforce_order(merged, order, &live_order, field.merge_key)?;
    original.insert(name.to_string(), Value::Array(ordered));
    patch.remove(name);
    Ok(())
}

/// The order of a live list that a patch's list is about to be merged into. Upstream deletes
/// and appends in the list that it then takes the order from, so new items stand in the places
/// that deleted ones leave at its end.
fn live_order(live: &[Value], patch: &[Value], field: Field) -> Outcome<Vec<Value>> {
    if !field.merge || field.merge_key.is_empty() || !patch.iter().any(is_deletion) {
        return Ok(live.to_vec());
    }
    let merge_key = field.merge_key;
    let deletions = patch.iter().filter(|item| is_deletion(item));
    let additions = patch.iter().filter(|item| item.get(DIRECTIVE).is_none());
    let deleted: SmallSet<String> =
        deletions.map(|item| identity(item, merge_key)).collect::<Outcome<_>>()?;
    let mut order = Vec::with_capacity(live.len());
    let mut known = SmallSet::new();
    for item in live.iter().chain(additions) {
        let key = identity(item, merge_key)?;
        if !deleted.contains(&key) && known.insert(key) {
            order.push(item.clone());
        }
    }
    order.truncate(live.len());
    Ok(order)
}

/// The items of a patch's list must be among those of `$setElementOrder`, in the same order.
fn validate_order(patch: &[Value], order: &[Value], merge_key: &str) -> Outcome<()> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    for item in patch {
        if !merge_key.is_empty() {
            as_map(item)?;
        }
    }
    let has_directive = |item: &&Value| item.get(DIRECTIVE).is_some();
    let mut wanted = patch.iter().filter(|item| !has_directive(item)).peekable();
    for element in order {
        let Some(item) = wanted.peek() else {
            return Ok(());
        };
        if identity(item, merge_key)? == identity(element, merge_key)? {
            wanted.next();
        }
    }
    if wanted.peek().is_none() {
        return Ok(());
    }
    let (patch, order) = (list(patch), list(order));
    failed(format!(
        "The order in patch list:\n{patch}\n doesn't match {SET_ELEMENT_ORDER} list:\n{order}\n"
    ))
}

/// Merges a patch's list into the original's, or replaces it.
fn merge_lists(
    original: Vec<Value>,
    patch: Vec<Value>,
    field: Field,
    is_deletion_list: bool,
    target: Target,
) -> Outcome<Vec<Value>> {
    if !field.merge && !is_deletion_list {
        return Ok(patch);
    }
    if original.is_empty() && patch.is_empty() {
        return Ok(original);
    }
    let merge_key = field.merge_key;
    match elements(&[&original, &patch])? {
        Elements::Scalars if target == Target::Object && is_deletion_list => {
            let deleted: SmallSet<String> = patch.iter().map(Value::to_string).collect();
            let kept = original.into_iter().filter(|item| !deleted.contains(&item.to_string()));
            Ok(kept.collect())
        }
        Elements::Scalars => {
            let live_order = original.clone();
            let patch_order = patch.clone();
            let merged = without_duplicates(original.into_iter().chain(patch).collect());
            enforce_order(merged, &patch_order, &live_order, "")
        }
        Elements::Maps if merge_key.is_empty() => {
            failed("cannot merge lists without merge key for struct")
        }
        Elements::Maps => {
            let (original, patch) = carry_out_directives(original, patch, merge_key)?;
            let live_order = original.clone();
            let patch_order = patch.clone();
            let merged = merge_items(original, patch, field, target)?;
            enforce_order(merged, &patch_order, &live_order, merge_key)
        }
    }
}

/// Carries out the directives among a patch's items; gives the original and the patch without
/// them.
fn carry_out_directives(
    original: Vec<Value>,
    patch: Vec<Value>,
    merge_key: &str,
) -> Outcome<(Vec<Value>, Vec<Value>)> {
    let mut plain_items = Vec::with_capacity(patch.len());
    let mut deleted = SmallSet::new();
    let mut replaces = false;
    for item in patch {
        let fields = as_map(&item)?;
        let Some(directive) = fields.get(DIRECTIVE) else {
            plain_items.push(item);
            continue;
        };
        match directive.as_str() {
            Some("delete") => {
                deleted.insert(identity(&item, merge_key)?);
            }
            Some("replace") => replaces = true,
            Some("merge") => return failed("merging lists cannot yet be specified in the patch"),
            _ => {
                let (directive, fields) = (plain(directive), map(fields));
                return failed(format!("unknown patch type: {directive} in map: {fields}"));
            }
        }
    }
    if replaces {
        return Ok((plain_items, Vec::new()));
    }
    let is_kept = |item: &Value| match item.get(merge_key) {
        Some(value) => !deleted.contains(&value.to_string()),
        None => true,
    };
    let original = original.into_iter().filter(is_kept).collect();
    Ok((original, plain_items))
}

/// Merges items that have the same key, and appends the others.
fn merge_items(
    mut original: Vec<Value>,
    patch: Vec<Value>,
    field: Field,
    target: Target,
) -> Outcome<Vec<Value>> {
    let merge_key = field.merge_key;
    let mut places = positions(&original, merge_key)?;
    for item in patch {
        let key = identity(&item, merge_key)?;
        match places.get(&key) {
            Some(index) => {
                let before = into_map(std::mem::take(&mut original[*index]))?;
                let merged = merge_map(before, into_map(item)?, field.meta, target)?;
                original[*index] = Value::Object(merged);
            }
            None => {
                places.insert(key, original.len());
                original.push(item);
            }
        }
    }
    Ok(original)
}

/// Removes all fields that are null.
fn discard_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(discard_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}

/// The value without what directives are in it; nothing when it is one itself.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(fields) if fields.contains_key(DIRECTIVE) => None,
        Value::Object(fields) => {
            let kept = fields
                .into_iter()
                .filter_map(|(name, value)| without_directives(value).map(|value| (name, value)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => Some(items.into_iter().filter_map(without_directives).collect()),
        other => Some(other),
    }
}
