//! The configuration that `kubectl apply` applied last, which it keeps in an annotation of the
//! object so that the next apply knows what was taken out.
//!
//! Upstream: staging/src/k8s.io/kubectl/pkg/util/apply.go

use serde_json::{Map, Value};

/// The annotation.
pub const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The configuration applied last to a live object, or null when there is none.
#[must_use]
pub fn original_configuration(live: &Value) -> Option<Value> {
    let text = live.get("metadata")?.get("annotations")?.get(ANNOTATION)?.as_str()?;
    serde_json::from_str(text).ok()
}

/// The configuration with itself in the annotation, which is what apply makes of the object.
#[must_use]
pub fn modified_configuration(configuration: &Value) -> Value {
    let mut modified = configuration.clone();
    let Some(annotations) = annotations_of(&mut modified) else {
        return modified;
    };
    annotations.remove(ANNOTATION);
    let text = printed(&modified);
    if let Some(annotations) = annotations_of(&mut modified) {
        annotations.insert(ANNOTATION.to_string(), text.into());
    }
    modified
}

/// What apply writes into the annotation of an object that has none yet.
#[must_use]
pub fn annotation(configuration: &Value) -> String {
    let mut configuration = configuration.clone();
    // Made if there are none, as `modified_configuration` makes them.
    let _ = annotations_of(&mut configuration);
    printed(&configuration)
}

fn printed(configuration: &Value) -> String {
    // Upstream's encoder ends with a line break.
    format!("{configuration}\n")
}

/// The annotations of an object, made if there are none.
fn annotations_of(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let metadata = object.as_object_mut()?.entry("metadata").or_insert_with(empty);
    let annotations = metadata.as_object_mut()?.entry("annotations").or_insert_with(empty);
    if annotations.is_null() {
        *annotations = empty();
    }
    annotations.as_object_mut()
}

fn empty() -> Value {
    Value::Object(Map::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_annotation_holds_the_configuration_without_itself() {
        let configuration = json!({
            "kind": "Pod",
            "metadata": {"name": "a", "annotations": {ANNOTATION: "old", "other": "b"}},
        });
        let modified = modified_configuration(&configuration);
        let text = "{\"kind\":\"Pod\",\"metadata\":{\"annotations\":{\"other\":\"b\"},\
                    \"name\":\"a\"}}\n";
        assert_eq!(modified["metadata"]["annotations"][ANNOTATION], text);
        let original = original_configuration(&modified).unwrap();
        assert_eq!(original["metadata"]["annotations"], json!({"other": "b"}));
        // A configuration without annotations is kept with empty ones, as upstream keeps it.
        let bare = modified_configuration(&json!({"kind": "Pod"}));
        let original = original_configuration(&bare).unwrap();
        assert_eq!(original, json!({"kind": "Pod", "metadata": {"annotations": {}}}));
        assert_eq!(original_configuration(&json!({"kind": "Pod"})), None);
    }
}
