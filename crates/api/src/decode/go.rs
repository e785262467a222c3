//! What Go's decoder calls things, so that errors read as upstream's do.

use serde_json::Value;

/// What Go calls a JSON value that does not fit: `string`, `number 1.5`, `object`.
pub(crate) fn value_word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Go's name for a type that Rust names in full, such as
/// `alloc::vec::Vec<k8s_openapi::v1_37::api::core::v1::container::Container>`.
pub(super) fn type_word(rust_name: &str) -> String {
    let (outer, inner) = match rust_name.split_once('<') {
        Some((outer, inner)) => (outer, inner.strip_suffix('>').unwrap_or(inner)),
        None => (rust_name, ""),
    };
    let mut segments = outer.rsplit("::");
    let name = segments.next().unwrap_or_default();
    match name {
        "Option" | "Box" => type_word(inner),
        "Vec" => format!("[]{}", type_word(inner)),
        "BTreeMap" => match inner.split_once(", ") {
            Some((_, value)) if value.ends_with("Quantity") => "v1.ResourceList".to_string(),
            Some((key, value)) => format!("map[{}]{}", type_word(key), type_word(value)),
            None => "map".to_string(),
        },
        "String" => "string".to_string(),
        "i32" => "int32".to_string(),
        "i64" => "int64".to_string(),
        "f64" => "float64".to_string(),
        "bool" => "bool".to_string(),
        "ByteString" => "[]uint8".to_string(),
        "Quantity" => "resource.Quantity".to_string(),
        // A type stands in a module of its own within Go's package.
        _ => match segments.nth(1) {
            Some(package) => format!("{package}.{name}"),
            None => name.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::Container;
    use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
    use std::any::type_name;
    use std::collections::BTreeMap;

    #[test]
    fn types_have_the_names_that_go_gives_them() {
        for (rust_name, want) in [
            (type_name::<String>(), "string"),
            (type_name::<Option<i32>>(), "int32"),
            (type_name::<Vec<Container>>(), "[]v1.Container"),
            (type_name::<BTreeMap<String, String>>(), "map[string]string"),
            (type_name::<BTreeMap<String, Quantity>>(), "v1.ResourceList"),
            (type_name::<BTreeMap<String, ByteString>>(), "map[string][]uint8"),
            (type_name::<ObjectMeta>(), "v1.ObjectMeta"),
            (type_name::<IntOrString>(), "intstr.IntOrString"),
        ] {
            assert_eq!(type_word(rust_name), want, "{rust_name}");
        }
    }
}
