//! JSON merge patch (RFC 7386), with the ways of the library that upstream uses.
//!
//! Upstream: gopkg.in/evanphx/json-patch.v4, merge.go

use serde_json::Value;

use super::PatchError;

/// Applies a merge patch.
pub fn apply(document: Value, patch: Value) -> Result<Value, PatchError> {
    if !patch.is_object() {
        return Err(PatchError::Malformed("Invalid JSON Patch".to_string()));
    }
    Ok(merged(document, patch))
}

fn merged(document: Value, patch: Value) -> Value {
    let Value::Object(changes) = patch else {
        return without_nulls(patch);
    };
    let Value::Object(mut fields) = document else {
        return without_nulls(Value::Object(changes));
    };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(&name);
            continue;
        }
        let change = match fields.remove(&name) {
            Some(before) => merged(before, change),
            None => without_nulls(change),
        };
        fields.insert(name, change);
    }
    Value::Object(fields)
}

/// A new value: nulls in it delete what is not there, also within lists.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_examples_of_rfc_7386_hold() {
        // Upstream's library keeps nulls out of new values also where they are items' fields.
        for (document, patch, want) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
            (json!({}), json!({"a": [{"b": null, "c": 1}]}), json!({"a": [{"c": 1}]})),
        ] {
            assert_eq!(apply(document, patch.clone()).unwrap(), want, "{patch}");
        }
    }

    #[test]
    fn a_patch_must_be_an_object() {
        for patch in [json!([]), json!("a"), json!(null), json!(1)] {
            let error = apply(json!({}), patch).unwrap_err();
            assert_eq!(error, PatchError::Malformed("Invalid JSON Patch".to_string()));
        }
    }
}
