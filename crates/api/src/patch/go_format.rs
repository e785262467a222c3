//! Values and types as Go's `%v` prints them, which upstream's errors and orders rest on.

use serde_json::{Map, Value};

/// A value as `%v` prints it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => list(items),
        Value::Object(fields) => map(fields),
    }
}

/// A list as `%v` prints it.
pub(super) fn list(items: &[Value]) -> String {
    let items: Vec<String> = items.iter().map(plain).collect();
    format!("[{}]", items.join(" "))
}

/// A map as `%v` prints it.
pub(super) fn map(fields: &Map<String, Value>) -> String {
    let fields: Vec<String> =
        fields.iter().map(|(key, value)| format!("{key}:{}", plain(value))).collect();
    format!("map[{}]", fields.join(" "))
}

/// The type that Go's decoder gives a value.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => LIST,
        Value::Object(_) => MAP,
    }
}

/// The type of maps.
pub(super) const MAP: &str = "map[string]interface {}";
/// The type of lists.
pub(super) const LIST: &str = "[]interface {}";
