//! Strategic merge patch: a merge patch in which lists of objects merge by key, and directives
//! delete, replace and order.
//!
//! Upstream: staging/src/k8s.io/apimachinery/pkg/util/strategicpatch/patch.go

use serde_json::{Map, Value};
use sim::{SmallMap, SmallSet, Sort};

use super::go_format::{LIST, MAP, list, map, type_name};
use super::{PatchError, PatchMeta};

mod create;
mod merge;
#[cfg(test)]
mod tests;

pub use create::{create_three_way_merge_patch, create_two_way_merge_patch};
pub use merge::apply;

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM_PRIMITIVE_LIST: &str = "$deleteFromPrimitiveList";
const SET_ELEMENT_ORDER: &str = "$setElementOrder";

type Fields = Map<String, Value>;
type Outcome<T> = Result<T, PatchError>;

fn failed<T>(message: impl Into<String>) -> Outcome<T> {
    Err(PatchError::Failed(message.into()))
}

fn bad_primitive_list() -> PatchError {
    PatchError::Malformed("invalid patch format of primitive list".to_string())
}

fn bad_retain_keys() -> PatchError {
    PatchError::Malformed("invalid patch format of retainKeys".to_string())
}

fn bad_element_order() -> PatchError {
    PatchError::Malformed("invalid patch format of setElementOrder list".to_string())
}

fn bad_type<T>(expected: &str, actual: &Value) -> Outcome<T> {
    failed(format!("expected a {expected}, but received a {}", type_name(actual)))
}

fn no_merge_key<T>(item: &Fields, merge_key: &str) -> Outcome<T> {
    failed(format!("map: {} does not contain declared merge key: {merge_key}", map(item)))
}

fn as_map(value: &Value) -> Outcome<&Fields> {
    value.as_object().map_or_else(|| bad_type(MAP, value), Ok)
}

fn into_map(value: Value) -> Outcome<Fields> {
    match value {
        Value::Object(fields) => Ok(fields),
        other => bad_type(MAP, &other),
    }
}

fn into_list(value: Value) -> Outcome<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items),
        other => bad_type(LIST, &other),
    }
}

/// What the items of merging lists are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Elements {
    Maps,
    Scalars,
}

/// What the items of all `lists` are; they must be of one type and not lists.
fn elements(lists: &[&[Value]]) -> Outcome<Elements> {
    let mut items = lists.iter().flat_map(|items| items.iter());
    let Some(first) = items.next() else {
        return failed("no elements in any of the given slices");
    };
    if first.is_array() {
        let message = "lists of lists are not supported";
        return Err(PatchError::Unprocessable(message.to_string()));
    }
    if items.any(|item| type_name(item) != type_name(first)) {
        let lists: Vec<String> = lists.iter().map(|items| list(items)).collect();
        let message = format!("list element types are not identical: [{}]", lists.join(" "));
        return failed(message);
    }
    Ok(if first.is_object() { Elements::Maps } else { Elements::Scalars })
}

/// What identifies an item of a merging list: the value under the merge key, or the item
/// itself where there is none. Two items are the same when these texts are equal.
fn identity(item: &Value, merge_key: &str) -> Outcome<String> {
    if merge_key.is_empty() {
        return Ok(item.to_string());
    }
    let fields = as_map(item)?;
    match fields.get(merge_key) {
        Some(value) => Ok(value.to_string()),
        None => no_merge_key(fields, merge_key),
    }
}

/// The first position of each item.
fn positions(items: &[Value], merge_key: &str) -> Outcome<SmallMap<String, usize>> {
    let mut found = SmallMap::new();
    for (index, item) in items.iter().enumerate() {
        found.entry(identity(item, merge_key)?).or_insert(index);
    }
    Ok(found)
}

fn is_deletion(item: &Value) -> bool {
    item.get(DIRECTIVE).is_some_and(|directive| directive == "delete")
}

/// Sorts items as `order` has them; deletions go to the end. Items that `order` does not know
/// go to the front.
fn sort_by_order(items: Vec<Value>, order: &[Value], merge_key: &str) -> Outcome<Vec<Value>> {
    let order = positions(order, merge_key)?;
    let mut keyed = Vec::with_capacity(items.len());
    for item in items {
        let position = order.get(&identity(&item, merge_key)?).copied();
        let is_deletion = !merge_key.is_empty() && is_deletion(&item);
        keyed.push(((is_deletion, if is_deletion { None } else { position }), item));
    }
    keyed.order_by_key(|(key, _)| *key);
    Ok(keyed.into_iter().map(|(_, item)| item).collect())
}

/// Brings a merged list into order: items that the patch names as `patch_order` has them, the
/// others as the live list has them, and both interleaved as the live list has them as far as
/// that goes.
fn enforce_order(
    merged: Vec<Value>,
    patch_order: &[Value],
    live_order: &[Value],
    merge_key: &str,
) -> Outcome<Vec<Value>> {
    let named: SmallSet<String> = positions(patch_order, merge_key)?.into_keys().collect();
    let (mut patched, mut live_only) = (Vec::new(), Vec::new());
    for item in merged {
        if named.contains(&identity(&item, merge_key)?) {
            patched.push(item);
        } else {
            live_only.push(item);
        }
    }
    let patched = sort_by_order(patched, patch_order, merge_key)?;
    let live_only = sort_by_order(live_only, live_order, merge_key)?;
    interleave(live_only, patched, live_order, merge_key)
}

/// Merges two sorted lists: an item of `left` goes before the item of `right` that the live
/// order has behind it.
fn interleave(
    left: Vec<Value>,
    right: Vec<Value>,
    live_order: &[Value],
    merge_key: &str,
) -> Outcome<Vec<Value>> {
    let live = positions(live_order, merge_key)?;
    let mut all = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    loop {
        let takes_left = match (left.peek(), right.peek()) {
            (Some(one), Some(other)) => {
                let one = live.get(&identity(one, merge_key)?);
                let other = live.get(&identity(other, merge_key)?);
                one.zip(other).is_some_and(|(one, other)| one < other)
            }
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return Ok(all),
        };
        all.extend(if takes_left { left.next() } else { right.next() });
    }
}

/// Leaves out scalars that stood before.
fn without_duplicates(items: Vec<Value>) -> Vec<Value> {
    let mut seen = SmallSet::new();
    items.into_iter().filter(|item| seen.insert(item.to_string())).collect()
}
