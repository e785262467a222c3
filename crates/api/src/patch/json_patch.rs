//! JSON Patch (RFC 6902), with the texts of the library that upstream uses.
//!
//! Upstream: gopkg.in/evanphx/json-patch.v4, patch.go; and
//! staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go

use serde_json::{Map, Value};

use super::{MAX_DEPTH, PatchError, depth_of};

/// The most operations of one patch.
const MAX_OPERATIONS: usize = 10_000;
/// The most bytes that a patch's copies may add.
const MAX_COPIED_BYTES: usize = 3 << 20;

const MISSING: &str = "missing value";
const INVALID_INDEX: &str = "invalid index referenced";

/// Applies a patch: all of its operations, or none.
pub fn apply(document: Value, patch: &Value) -> Result<Value, PatchError> {
    let operations = operations(patch)?;
    let mut patcher = Patcher { document, copied_bytes: 0 };
    for operation in operations {
        patcher.apply(operation).map_err(PatchError::Unprocessable)?;
    }
    Ok(patcher.document)
}

fn operations(patch: &Value) -> Result<Vec<&Map<String, Value>>, PatchError> {
    let refuse = |value: &Value, wanted: &str| {
        let word = crate::decode::value_word(value);
        let text =
            format!("json: cannot unmarshal {word} into Go value of type jsonpatch.{wanted}");
        PatchError::Malformed(text)
    };
    let Value::Array(items) = patch else {
        return Err(refuse(patch, "Patch"));
    };
    if items.len() > MAX_OPERATIONS {
        return Err(PatchError::TooLarge(format!(
            "The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}",
            items.len()
        )));
    }
    items.iter().map(|item| item.as_object().ok_or_else(|| refuse(item, "Operation"))).collect()
}

struct Patcher {
    document: Value,
    copied_bytes: usize,
}

type Outcome<T> = Result<T, String>;

impl Patcher {
    fn apply(&mut self, operation: &Map<String, Value>) -> Outcome<()> {
        match operation.get("op").and_then(Value::as_str).unwrap_or("unknown") {
            "add" => self.add(operation),
            "remove" => self.remove(operation),
            "replace" => self.replace(operation),
            "move" => self.move_value(operation),
            "test" => self.test(operation),
            "copy" => self.copy(operation),
            other => Err(format!("Unexpected kind: {other}")),
        }
    }

    fn add(&mut self, operation: &Map<String, Value>) -> Outcome<()> {
        let path = text_of(operation, "path")
            .map_err(|_| format!("add operation failed to decode path: {MISSING}"))?;
        let value = operation.get("value").cloned().unwrap_or_default();
        let Some((parent, key)) = find(&mut self.document, path, depth_of(&value)) else {
            return Err(format!(
                "add operation does not apply: doc is missing path: \"{path}\": {MISSING}"
            ));
        };
        parent.add(&key, value).map_err(|error| format!("error in add for path: '{path}': {error}"))
    }

    fn remove(&mut self, operation: &Map<String, Value>) -> Outcome<()> {
        let path = text_of(operation, "path")
            .map_err(|_| format!("remove operation failed to decode path: {MISSING}"))?;
        let Some((mut parent, key)) = find(&mut self.document, path, 0) else {
            return Err(format!(
                "remove operation does not apply: doc is missing path: \"{path}\": {MISSING}"
            ));
        };
        let removed = parent.remove(&key);
        removed.map(drop).map_err(|error| format!("error in remove for path: '{path}': {error}"))
    }

    fn replace(&mut self, operation: &Map<String, Value>) -> Outcome<()> {
        let path = text_of(operation, "path")
            .map_err(|error| format!("replace operation failed to decode path: {error}"))?;
        let value = operation.get("value").cloned().unwrap_or_default();
        if path.is_empty() {
            if !value.is_object() && !value.is_array() {
                return Err("replace operation value must be object or array".to_string());
            }
            self.document = value;
            return Ok(());
        }
        let Some((mut parent, key)) = find(&mut self.document, path, depth_of(&value)) else {
            return Err(format!(
                "replace operation does not apply: doc is missing path: {path}: {MISSING}"
            ));
        };
        let place = parent.get(&key).map_err(|_| {
            format!("replace operation does not apply: doc is missing key: {path}: {MISSING}")
        })?;
        *place = value;
        Ok(())
    }

    fn move_value(&mut self, operation: &Map<String, Value>) -> Outcome<()> {
        let from = text_of(operation, "from")
            .map_err(|error| format!("move operation failed to decode from: {error}"))?;
        let Some((mut parent, key)) = find(&mut self.document, from, 0) else {
            return Err(format!(
                "move operation does not apply: doc is missing from path: {from}: {MISSING}"
            ));
        };
        let value = parent
            .remove(&key)
            .map_err(|error| format!("error in move for path: '{key}': {error}"))?;
        let path = text_of(operation, "path")
            .map_err(|error| format!("move operation failed to decode path: {error}"))?;
        let Some((parent, key)) = find(&mut self.document, path, depth_of(&value)) else {
            return Err(format!(
                "move operation does not apply: doc is missing destination path: {path}: {MISSING}"
            ));
        };
        parent
            .add(&key, value)
            .map_err(|error| format!("error in move for path: '{path}': {error}"))
    }

    fn test(&mut self, operation: &Map<String, Value>) -> Outcome<()> {
        let path = text_of(operation, "path")
            .map_err(|error| format!("test operation failed to decode path: {error}"))?;
        let wanted = operation.get("value").unwrap_or(&Value::Null);
        let failed = || Err(format!("testing value {path} failed: test failed"));
        if path.is_empty() {
            return if self.document == *wanted { Ok(()) } else { failed() };
        }
        let Some((mut parent, key)) = find(&mut self.document, path, 0) else {
            return Err(format!(
                "test operation does not apply: is missing path: {path}: {MISSING}"
            ));
        };
        let found = match parent.get(&key) {
            Ok(found) => &*found,
            // What is not there tests equal to null.
            Err(error) if error.ends_with(MISSING) => &Value::Null,
            Err(error) => return Err(format!("error in test for path: '{path}': {error}")),
        };
        if found == wanted { Ok(()) } else { failed() }
    }

    fn copy(&mut self, operation: &Map<String, Value>) -> Outcome<()> {
        let from = text_of(operation, "from")
            .map_err(|error| format!("copy operation failed to decode from: {error}"))?;
        let Some((mut parent, key)) = find(&mut self.document, from, 0) else {
            return Err(format!(
                "copy operation does not apply: doc is missing from path: {from}: {MISSING}"
            ));
        };
        let value = parent
            .get(&key)
            .map_err(|error| format!("error in copy for from: '{from}': {error}"))?
            .clone();
        let path = text_of(operation, "path")
            .map_err(|_| format!("copy operation failed to decode path: {MISSING}"))?;
        self.copied_bytes += value.to_string().len();
        if self.copied_bytes > MAX_COPIED_BYTES {
            return Err(format!(
                "Unable to complete the copy, the accumulated size increase of copy is {}, \
                 exceeding the limit {MAX_COPIED_BYTES}",
                self.copied_bytes
            ));
        }
        let Some((parent, key)) = find(&mut self.document, path, depth_of(&value)) else {
            return Err(format!(
                "copy operation does not apply: doc is missing destination path: {path}: {MISSING}"
            ));
        };
        parent
            .add(&key, value)
            .map_err(|error| format!("error while adding value during copy: {error}"))
    }
}

fn text_of<'a>(operation: &'a Map<String, Value>, field: &str) -> Outcome<&'a str> {
    match operation.get(field) {
        None | Some(Value::Null) if field == "path" => {
            Err(format!("operation missing path field: {MISSING}"))
        }
        None | Some(Value::Null) => Err(format!("operation, missing {field} field: {MISSING}")),
        Some(Value::String(text)) => Ok(text),
        Some(other) => {
            let word = crate::decode::value_word(other);
            Err(format!("json: cannot unmarshal {word} into Go value of type string"))
        }
    }
}

/// What holds the value at a path.
enum Parent<'a> {
    Map(&'a mut Map<String, Value>),
    List(&'a mut Vec<Value>),
}

/// The parent of the value at a path, and its key there. `None` when there is no parent, or
/// when a value of that depth would nest too deep there.
fn find<'a>(document: &'a mut Value, path: &str, depth: usize) -> Option<(Parent<'a>, String)> {
    let (_, path) = path.split_once('/')?;
    let mut keys: Vec<String> = path.split('/').map(unescaped).collect();
    if keys.len() + depth > MAX_DEPTH {
        return None;
    }
    let last = keys.pop()?;
    let mut place = document;
    for key in &keys {
        place = match place {
            Value::Object(fields) => fields.get_mut(key)?,
            Value::Array(items) => {
                let index = index_of(key, items.len()).ok()?;
                items.get_mut(index)?
            }
            _ => return None,
        };
    }
    match place {
        Value::Object(fields) => Some((Parent::Map(fields), last)),
        Value::Array(items) => Some((Parent::List(items), last)),
        _ => None,
    }
}

fn unescaped(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

/// The index that a key names in a list of that length; negative ones count from the end.
fn index_of(key: &str, length: usize) -> Outcome<usize> {
    let digits = key.strip_prefix(['-', '+']).unwrap_or(key);
    let Ok(number) = key.parse::<i64>() else {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let problem = if is_number { "value out of range" } else { "invalid syntax" };
        return Err(format!("strconv.Atoi: parsing {key:?}: {problem}"));
    };
    let out_of_range = || format!("Unable to access invalid index: {number}: {INVALID_INDEX}");
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let from_start = if number < 0 { number + length } else { number };
    if from_start < 0 || from_start >= length {
        return Err(out_of_range());
    }
    usize::try_from(from_start).map_err(|_| out_of_range())
}

impl Parent<'_> {
    fn get(&mut self, key: &str) -> Outcome<&mut Value> {
        match self {
            Parent::Map(fields) => fields
                .get_mut(key)
                .ok_or_else(|| format!("unable to get nonexistent key: {key}: {MISSING}")),
            Parent::List(items) => {
                let index = index_of(key, items.len())?;
                Ok(&mut items[index])
            }
        }
    }

    fn add(self, key: &str, value: Value) -> Outcome<()> {
        match self {
            Parent::Map(fields) => {
                fields.insert(key.to_string(), value);
            }
            Parent::List(items) if key == "-" => items.push(value),
            Parent::List(items) => {
                let index = index_of(key, items.len() + 1).map_err(|error| match error {
                    error if error.starts_with("strconv") => {
                        format!("value was not a proper array index: '{key}': {error}")
                    }
                    error => error,
                })?;
                items.insert(index, value);
            }
        }
        Ok(())
    }

    fn remove(&mut self, key: &str) -> Outcome<Value> {
        match self {
            Parent::Map(fields) => fields
                .remove(key)
                .ok_or_else(|| format!("unable to remove nonexistent key: {key}: {MISSING}")),
            Parent::List(items) => {
                let index = index_of(key, items.len())?;
                Ok(items.remove(index))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    //! Ported from github.com/evanphx/json-patch, patch_test.go.
    use super::*;
    use serde_json::json;

    fn check<const N: usize>(cases: [(Value, Value, Value); N]) {
        for (document, patch, want) in cases {
            assert_eq!(apply(document, &patch).unwrap(), want, "{patch}");
        }
    }

    #[test]
    fn operations_add_remove_and_replace() {
        check([
            (
                json!({"foo": "bar"}),
                json!([{"op": "add", "path": "/baz", "value": "qux"}]),
                json!({"baz": "qux", "foo": "bar"}),
            ),
            (
                json!({"foo": ["bar", "baz"]}),
                json!([{"op": "add", "path": "/foo/1", "value": "qux"}]),
                json!({"foo": ["bar", "qux", "baz"]}),
            ),
            (
                json!({"foo": ["bar", "baz"]}),
                json!([{"op": "add", "path": "/foo/-1", "value": "qux"}]),
                json!({"foo": ["bar", "baz", "qux"]}),
            ),
            (
                json!({"baz": "qux", "foo": "bar"}),
                json!([{"op": "remove", "path": "/baz"}]),
                json!({"foo": "bar"}),
            ),
            (
                json!({"foo": ["bar", "qux", "baz"]}),
                json!([{"op": "remove", "path": "/foo/1"}]),
                json!({"foo": ["bar", "baz"]}),
            ),
            (
                json!({"foo": [1, 2, 3]}),
                json!([{"op": "remove", "path": "/foo/-1"}]),
                json!({"foo": [1, 2]}),
            ),
            (
                json!({"baz": "qux", "foo": "bar"}),
                json!([{"op": "replace", "path": "/baz", "value": "boo"}]),
                json!({"baz": "boo", "foo": "bar"}),
            ),
        ]);
    }

    #[test]
    fn operations_move_copy_and_test() {
        check([
            (
                json!({"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}}),
                json!([{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}]),
                json!({"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}}),
            ),
            (
                json!({"foo": ["all", "grass", "cows", "eat"]}),
                json!([{"op": "move", "from": "/foo/1", "path": "/foo/3"}]),
                json!({"foo": ["all", "cows", "eat", "grass"]}),
            ),
            (
                json!({"foo": "bar"}),
                json!([{"op": "add", "path": "/child", "value": {"grandchild": {}}}]),
                json!({"foo": "bar", "child": {"grandchild": {}}}),
            ),
            (
                json!({"foo": ["bar"]}),
                json!([{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}]),
                json!({"foo": ["bar", ["abc", "def"]]}),
            ),
            (
                json!({"foo": "bar", "qux": {"baz": 1, "bar": null}}),
                json!([{"op": "remove", "path": "/qux/bar"}]),
                json!({"foo": "bar", "qux": {"baz": 1}}),
            ),
            (
                json!({"foo": "bar"}),
                json!([{"op": "add", "path": "/baz", "value": null}]),
                json!({"baz": null, "foo": "bar"}),
            ),
            (
                json!({"foo": [{"bar": ["baz", "qux"]}]}),
                json!([{"op": "replace", "path": "/foo/0/bar/0", "value": "bum"}]),
                json!({"foo": [{"bar": ["bum", "qux"]}]}),
            ),
            (
                json!({"a/b": 1, "m~n": 2}),
                json!([
                    {"op": "test", "path": "/a~1b", "value": 1},
                    {"op": "replace", "path": "/m~0n", "value": 3},
                ]),
                json!({"a/b": 1, "m~n": 3}),
            ),
            (
                json!({"foo": "bar"}),
                json!([{"op": "copy", "from": "/foo", "path": "/baz"}]),
                json!({"foo": "bar", "baz": "bar"}),
            ),
            (
                json!({"a": 1}),
                json!([{"op": "replace", "path": "", "value": {"b": 2}}]),
                json!({"b": 2}),
            ),
            (
                json!({"a": 1}),
                json!([{"op": "test", "path": "/b", "value": null}]),
                json!({"a": 1}),
            ),
            (json!({"a": 1}), json!([]), json!({"a": 1})),
        ]);
    }

    #[test]
    fn what_does_not_apply_is_refused_in_the_librarys_words() {
        let document = json!({"foo": "bar", "list": [1, 2], "deep": {"a": 1}});
        for (operation, want) in [
            (
                json!({"op": "add", "path": "/baz/bat", "value": "qux"}),
                "add operation does not apply: doc is missing path: \"/baz/bat\": missing value",
            ),
            (
                json!({"op": "remove", "path": "/baz"}),
                "error in remove for path: '/baz': unable to remove nonexistent key: baz: missing \
                 value",
            ),
            (
                json!({"op": "remove", "path": "/list/2"}),
                "error in remove for path: '/list/2': Unable to access invalid index: 2: invalid \
                 index referenced",
            ),
            (
                json!({"op": "add", "path": "/list/-4", "value": 1}),
                "error in add for path: '/list/-4': Unable to access invalid index: -4: invalid \
                 index referenced",
            ),
            (
                json!({"op": "add", "path": "/list/x", "value": 1}),
                "error in add for path: '/list/x': value was not a proper array index: 'x': \
                 strconv.Atoi: parsing \"x\": invalid syntax",
            ),
            (
                json!({"op": "replace", "path": "/baz", "value": 1}),
                "replace operation does not apply: doc is missing key: /baz: missing value",
            ),
            (
                json!({"op": "replace", "path": "/foo/a", "value": 1}),
                "replace operation does not apply: doc is missing path: /foo/a: missing value",
            ),
            (
                json!({"op": "test", "path": "/foo", "value": "baz"}),
                "testing value /foo failed: test failed",
            ),
            (
                json!({"op": "test", "path": "/deep/b/c", "value": "baz"}),
                "test operation does not apply: is missing path: /deep/b/c: missing value",
            ),
            (
                json!({"op": "move", "from": "/baz", "path": "/foo"}),
                "error in move for path: 'baz': unable to remove nonexistent key: baz: missing \
                 value",
            ),
            (
                json!({"op": "copy", "from": "/baz", "path": "/foo"}),
                "error in copy for from: '/baz': unable to get nonexistent key: baz: missing value",
            ),
            (json!({"op": "what", "path": "/baz"}), "Unexpected kind: what"),
            (json!({"path": "/baz"}), "Unexpected kind: unknown"),
            (json!({"op": "add"}), "add operation failed to decode path: missing value"),
        ] {
            let error = apply(document.clone(), &json!([operation])).unwrap_err();
            assert_eq!(error, PatchError::Unprocessable(want.to_string()));
        }
    }

    #[test]
    fn malformed_and_excessive_patches_are_refused() {
        for (patch, want) in [
            (json!({}), "json: cannot unmarshal object into Go value of type jsonpatch.Patch"),
            (json!([1]), "json: cannot unmarshal number into Go value of type jsonpatch.Operation"),
        ] {
            let error = apply(json!({}), &patch).unwrap_err();
            assert_eq!(error, PatchError::Malformed(want.to_string()));
        }
        let operation = json!({"op": "add", "path": "/a", "value": 1});
        let many = Value::Array(vec![operation; 10_001]);
        assert_eq!(
            apply(json!({}), &many).unwrap_err().to_string(),
            "The allowed maximum operations in a JSON patch is 10000, got 10001"
        );
        // Each copy doubles what it copies, and makes it deeper.
        let doubling = json!({"op": "copy", "from": "/a", "path": "/a/-"});
        let doubling = Value::Array(vec![doubling; 100]);
        assert!(apply(json!({"a": ["text"]}), &doubling).is_err());
        let deeper = json!({"op": "copy", "from": "/a", "path": "/a/b"});
        let deeper = Value::Array(vec![deeper; 1000]);
        let result = apply(json!({"a": {}}), &deeper);
        assert!(result.is_err() || depth_of(&result.unwrap()) <= MAX_DEPTH);
    }
}
