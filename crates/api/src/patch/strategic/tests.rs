//! Cases of staging/src/k8s.io/apimachinery/pkg/util/strategicpatch/patch_test.go, restated.

use serde_json::json;

use super::*;
use crate::Kind;

fn item() -> PatchMeta {
    PatchMeta::merge_item()
}

/// Original, modified and current object; the two-way and the three-way patch, and what the
/// three-way patch makes of the current object.
struct Case {
    name: &'static str,
    original: Value,
    modified: Value,
    current: Value,
    two_way: Value,
    three_way: Value,
    result: Value,
}

impl Case {
    fn check(self) {
        let Case { name, original, modified, current, two_way, three_way, result } = self;
        let patch = create_two_way_merge_patch(&original, &modified, item()).unwrap();
        assert_eq!(patch, two_way, "two-way: {name}");
        assert_eq!(apply(original.clone(), patch, item()).unwrap(), modified, "apply: {name}");
        let patch = create_three_way_merge_patch(&original, &modified, &current, item()).unwrap();
        assert_eq!(patch, three_way, "three-way: {name}");
        assert_eq!(apply(current, patch, item()).unwrap(), result, "result: {name}");
    }
}

#[test]
fn fields_are_added_changed_and_deleted() {
    Case {
        name: "add, change and delete fields of maps",
        original: json!({"name": 1, "value": 1, "simpleMap": {"a": "1", "b": "2"}}),
        modified: json!({"name": 1, "other": 2, "simpleMap": {"a": "3"}}),
        current: json!({"name": 1, "value": 1, "simpleMap": {"a": "1", "b": "2", "c": "9"}}),
        two_way: json!({"other": 2, "value": null, "simpleMap": {"a": "3", "b": null}}),
        three_way: json!({"other": 2, "value": null, "simpleMap": {"a": "3", "b": null}}),
        result: json!({"name": 1, "other": 2, "simpleMap": {"a": "3", "c": "9"}}),
    }
    .check();
    Case {
        name: "what is the same in the live object is not sent",
        original: json!({}),
        modified: json!({"value": 1, "other": 2}),
        current: json!({"value": 1, "name": 3}),
        two_way: json!({"value": 1, "other": 2}),
        three_way: json!({"other": 2}),
        result: json!({"value": 1, "other": 2, "name": 3}),
    }
    .check();
    Case {
        name: "a field with the replace strategy is always sent whole",
        original: json!({"replacingItem": {"a": 1, "b": 2}}),
        modified: json!({"replacingItem": {"b": 2}}),
        current: json!({"replacingItem": {"a": 5, "b": 6}}),
        two_way: json!({"replacingItem": {"b": 2}}),
        three_way: json!({"replacingItem": {"b": 2}}),
        result: json!({"replacingItem": {"b": 2}}),
    }
    .check();
}

#[test]
fn lists_of_maps_merge_by_key() {
    Case {
        name: "add map and delete map from merging list",
        original: json!({"mergingList": [{"name": 1}, {"name": 2}]}),
        modified: json!({"mergingList": [{"name": 2}, {"name": 3}]}),
        current: json!({"mergingList": [
            {"name": 1}, {"name": 2, "other": "b"}, {"name": 4, "other": "c"},
        ]}),
        two_way: json!({
            "$setElementOrder/mergingList": [{"name": 2}, {"name": 3}],
            "mergingList": [{"name": 3}, {"name": 1, "$patch": "delete"}],
        }),
        three_way: json!({
            "$setElementOrder/mergingList": [{"name": 2}, {"name": 3}],
            "mergingList": [{"name": 3}, {"name": 1, "$patch": "delete"}],
        }),
        result: json!({"mergingList": [
            {"name": 2, "other": "b"}, {"name": 4, "other": "c"}, {"name": 3},
        ]}),
    }
    .check();
    Case {
        name: "change a field of an item, keep what others set",
        original: json!({"mergingList": [{"name": 1, "value": "a"}, {"name": 2}]}),
        modified: json!({"mergingList": [{"name": 1, "value": "b"}, {"name": 2}]}),
        current: json!({"mergingList": [{"name": 1, "value": "a", "other": "x"}, {"name": 2}]}),
        two_way: json!({
            "$setElementOrder/mergingList": [{"name": 1}, {"name": 2}],
            "mergingList": [{"name": 1, "value": "b"}],
        }),
        three_way: json!({
            "$setElementOrder/mergingList": [{"name": 1}, {"name": 2}],
            "mergingList": [{"name": 1, "value": "b"}],
        }),
        result: json!({"mergingList": [{"name": 1, "value": "b", "other": "x"}, {"name": 2}]}),
    }
    .check();
    Case {
        name: "reorder items",
        original: json!({"mergingList": [{"name": 1}, {"name": 2}, {"name": 3}]}),
        modified: json!({"mergingList": [{"name": 3}, {"name": 1}, {"name": 2}]}),
        current: json!({"mergingList": [{"name": 1}, {"name": 4}, {"name": 2}, {"name": 3}]}),
        two_way: json!({"$setElementOrder/mergingList": [{"name": 3}, {"name": 1}, {"name": 2}]}),
        three_way: json!({"$setElementOrder/mergingList": [{"name": 3}, {"name": 1}, {"name": 2}]}),
        result: json!({"mergingList": [{"name": 4}, {"name": 3}, {"name": 1}, {"name": 2}]}),
    }
    .check();
    Case {
        name: "lists that do not merge are replaced",
        original: json!({"nonMergingList": [{"name": 1}, {"name": 2}]}),
        modified: json!({"nonMergingList": [{"name": 2}]}),
        current: json!({"nonMergingList": [{"name": 1}, {"name": 2}, {"name": 3}]}),
        two_way: json!({"nonMergingList": [{"name": 2}]}),
        three_way: json!({"nonMergingList": [{"name": 2}]}),
        result: json!({"nonMergingList": [{"name": 2}]}),
    }
    .check();
}

#[test]
fn lists_of_scalars_merge_with_a_list_of_deletions() {
    Case {
        name: "delete items in lists of scalars",
        original: json!({"mergingIntList": [1, 2, 3]}),
        modified: json!({"mergingIntList": [1, 2]}),
        current: json!({"mergingIntList": [1, 2, 3, 4]}),
        two_way: json!({
            "$setElementOrder/mergingIntList": [1, 2],
            "$deleteFromPrimitiveList/mergingIntList": [3],
        }),
        three_way: json!({
            "$setElementOrder/mergingIntList": [1, 2],
            "$deleteFromPrimitiveList/mergingIntList": [3],
        }),
        result: json!({"mergingIntList": [1, 2, 4]}),
    }
    .check();
    Case {
        name: "add and delete items in lists of scalars",
        original: json!({"mergingIntList": [1, 2, 3]}),
        modified: json!({"mergingIntList": [1, 2, 4]}),
        current: json!({"mergingIntList": [1, 2, 3, 6, 5]}),
        two_way: json!({
            "$setElementOrder/mergingIntList": [1, 2, 4],
            "$deleteFromPrimitiveList/mergingIntList": [3],
            "mergingIntList": [4],
        }),
        three_way: json!({
            "$setElementOrder/mergingIntList": [1, 2, 4],
            "$deleteFromPrimitiveList/mergingIntList": [3],
            "mergingIntList": [4],
        }),
        result: json!({"mergingIntList": [1, 2, 4, 6, 5]}),
    }
    .check();
}

#[test]
fn retained_keys_clear_the_others() {
    Case {
        name: "a map that retains keys loses what the server set beside them",
        original: json!({"retainKeysMap": {"name": "foo"}}),
        modified: json!({"retainKeysMap": {"other": "bar"}}),
        current: json!({"retainKeysMap": {"name": "foo", "value": "set by another"}}),
        two_way: json!({"retainKeysMap": {
            "$retainKeys": ["other"], "name": null, "other": "bar",
        }}),
        three_way: json!({"retainKeysMap": {
            "$retainKeys": ["other"], "name": null, "other": "bar",
        }}),
        result: json!({"retainKeysMap": {"other": "bar"}}),
    }
    .check();
}

#[test]
fn directives_delete_and_replace() {
    let list = json!({"mergingList": [{"name": 1}, {"name": 2}], "other": 1});
    for (patch, want) in [
        (
            json!({"mergingList": [{"name": 1, "$patch": "delete"}]}),
            json!({"mergingList": [{"name": 2}], "other": 1}),
        ),
        (
            json!({"mergingList": [{"name": 3}, {"$patch": "replace"}]}),
            json!({"mergingList": [{"name": 3}], "other": 1}),
        ),
        (json!({"$patch": "replace", "value": 1}), json!({"value": 1})),
        (json!({"$patch": "delete"}), json!({})),
        (
            json!({"simpleMap": {"$patch": "delete"}, "value": {"a": null, "b": [{"c": null}]}}),
            json!({"mergingList": [{"name": 1}, {"name": 2}], "other": 1, "value": {"b": [{}]}}),
        ),
        (
            json!({"$setElementOrder/mergingList": [{"name": 2}, {"name": 1}]}),
            json!({"mergingList": [{"name": 2}, {"name": 1}], "other": 1}),
        ),
        (
            json!({"$deleteFromPrimitiveList/mergingIntList": [1]}),
            json!({"mergingList": [{"name": 1}, {"name": 2}], "other": 1}),
        ),
        (json!({"mergingList": "none"}), json!({"mergingList": "none", "other": 1})),
        (json!({"mergingList": null}), json!({"other": 1})),
    ] {
        assert_eq!(apply(list.clone(), patch.clone(), item()).unwrap(), want, "{patch}");
    }
}

#[test]
fn patches_that_make_no_sense_are_refused() {
    let document = json!({"mergingList": [{"name": 1}], "mergingIntList": [1]});
    let malformed = |text: &str| PatchError::Malformed(text.to_string());
    let failed = |text: &str| PatchError::Failed(text.to_string());
    for (patch, want) in [
        (json!([]), malformed("invalid JSON document")),
        (
            json!({"$deleteFromPrimitiveList": [1]}),
            malformed("invalid patch format of primitive list"),
        ),
        (
            json!({"$setElementOrder": [1]}),
            malformed("invalid patch format of setElementOrder list"),
        ),
        (json!({"$retainKeys": ["a"], "b": 1}), malformed("invalid patch format of retainKeys")),
        (
            json!({"$patch": "purge", "a": 1}),
            failed("unknown patch type: purge in map: map[$patch:purge a:1]"),
        ),
        (
            json!({"mergingList": [{"value": 1}]}),
            failed("map: map[value:1] does not contain declared merge key: name"),
        ),
        (
            json!({"mergingList": [{"name": 1, "$patch": "merge"}]}),
            failed("merging lists cannot yet be specified in the patch"),
        ),
        (
            json!({"mergingIntList": ["a"]}),
            failed("list element types are not identical: [[1] [a]]"),
        ),
        (
            json!({"mergingIntList": [[1]]}),
            failed("list element types are not identical: [[1] [[1]]]"),
        ),
        (
            json!({"$setElementOrder/mergingIntList": "a"}),
            failed("expected a []interface {}, but received a string"),
        ),
        (
            json!({
                "$setElementOrder/mergingList": [{"name": 1}],
                "mergingList": [{"name": 2}],
            }),
            failed(
                "The order in patch list:\n[map[name:2]]\n doesn't match $setElementOrder \
                 list:\n[map[name:1]]\n",
            ),
        ),
    ] {
        assert_eq!(apply(document.clone(), patch.clone(), item()).unwrap_err(), want, "{patch}");
    }
}

#[test]
fn kinds_merge_their_own_lists() {
    let meta = PatchMeta::of(Kind::named("apps/v1", "Deployment").unwrap());
    let deployment = |containers: Value| {
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {"template": {"spec": {"containers": containers}}},
        })
    };
    let before = deployment(json!([
        {"name": "a", "image": "nginx:1", "env": [{"name": "X", "value": "1"}]},
        {"name": "b", "image": "busybox"},
    ]));
    let after = deployment(json!([
        {"name": "a", "image": "nginx:2", "env": [{"name": "X", "value": "1"}]},
        {"name": "b", "image": "busybox"},
    ]));
    let patch = create_two_way_merge_patch(&before, &after, meta).unwrap();
    let want = json!({"spec": {"template": {"spec": {
        "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}],
        "containers": [{"name": "a", "image": "nginx:2"}],
    }}}});
    assert_eq!(patch, want);
    assert_eq!(apply(before.clone(), patch, meta).unwrap(), after);
    let mut renamed = after.clone();
    renamed["metadata"]["name"] = json!("other");
    let error = create_three_way_merge_patch(&before, &renamed, &before, meta).unwrap_err();
    assert!(error.to_string().ends_with("at least one of apiVersion, kind and name was changed"));
}

/// A random object of the type that upstream's tests patch. Names are unique in each list.
fn random_item(stream: &mut sim::Stream, depth: u32) -> Value {
    let mut fields = Fields::new();
    let scalar = |stream: &mut sim::Stream| json!(stream.below(3).to_string());
    for name in ["value", "other"] {
        if stream.below(2) == 0 {
            fields.insert(name.to_string(), scalar(stream));
        }
    }
    for name in ["simpleMap", "replacingItem"] {
        if stream.below(3) == 0 {
            fields.insert(name.to_string(), json!({ scalar(stream).as_str().unwrap(): "x" }));
        }
    }
    for name in ["mergingIntList", "nonMergingIntList"] {
        if stream.below(2) == 0 {
            let mut numbers = shuffled_numbers(stream);
            // Upstream sees no change where sorting the original gives the modified list.
            if name == "mergingIntList" {
                numbers.sort_by_key(Value::to_string);
            }
            fields.insert(name.to_string(), Value::Array(numbers));
        }
    }
    if depth == 0 {
        return Value::Object(fields);
    }
    for name in ["mergingList", "nonMergingList", "retainKeysMergingList"] {
        if stream.below(2) == 0 {
            let list = |number: Value, stream: &mut sim::Stream| {
                let mut item = random_item(stream, depth - 1);
                item["name"] = number;
                item
            };
            let numbers = shuffled_numbers(stream);
            let items = numbers.into_iter().map(|number| list(number, stream)).collect();
            fields.insert(name.to_string(), items);
        }
    }
    if stream.below(2) == 0 {
        let mut map = random_item(stream, depth - 1);
        let map = map.as_object_mut().unwrap();
        map.retain(|name, _| !name.starts_with("retain") && name != "replacingItem");
        fields.insert("retainKeysMap".to_string(), Value::Object(map.clone()));
    }
    Value::Object(fields)
}

fn shuffled_numbers(stream: &mut sim::Stream) -> Vec<Value> {
    let mut numbers = Vec::new();
    for number in 0..stream.below(6) {
        let place = usize::try_from(stream.below(numbers.len() as u64 + 1)).unwrap();
        numbers.insert(place, json!(number + stream.below(2) * 10));
    }
    numbers
}

#[test]
fn a_patch_made_of_two_objects_turns_one_into_the_other() {
    let mut stream = sim::Stream::new(11, "patch");
    for _ in 0..3000 {
        let (before, after) = (random_item(&mut stream, 2), random_item(&mut stream, 2));
        let patch = create_two_way_merge_patch(&before, &after, item()).unwrap();
        let result = apply(before.clone(), patch.clone(), item()).unwrap();
        assert_eq!(result, after, "\nbefore {before}\npatch {patch}");
        // When nobody else changed the object, three ways are two ways.
        let patch = create_three_way_merge_patch(&before, &after, &before, item()).unwrap();
        let result = apply(before.clone(), patch.clone(), item()).unwrap();
        assert_eq!(result, after, "\nbefore {before}\nthree-way patch {patch}");
    }
}

#[test]
fn what_nobody_configured_survives_an_apply() {
    let mut stream = sim::Stream::new(12, "patch");
    for _ in 0..1000 {
        let (original, modified) = (random_item(&mut stream, 1), random_item(&mut stream, 1));
        let mut current = original.clone();
        current["setByOthers"] = json!({"a": 1});
        let patch = create_three_way_merge_patch(&original, &modified, &current, item()).unwrap();
        let result = apply(current, patch, item()).unwrap();
        assert_eq!(result["setByOthers"], json!({"a": 1}));
        let again = create_three_way_merge_patch(&modified, &modified, &result, item()).unwrap();
        assert_eq!(apply(result.clone(), again, item()).unwrap(), result);
    }
}

#[test]
fn large_lists_are_patched_at_once() {
    let items = |count: u64| -> Value {
        json!({"mergingList": (0..count).map(|name| json!({"name": name})).collect::<Vec<_>>()})
    };
    let mut reversed = items(20_000);
    reversed["mergingList"].as_array_mut().unwrap().reverse();
    let patch = create_two_way_merge_patch(&items(20_000), &reversed, item()).unwrap();
    assert_eq!(apply(items(20_000), patch, item()).unwrap(), reversed);
}
