//! Field paths and the errors that validation finds at them.
//!
//! Upstream: staging/src/k8s.io/apimachinery/pkg/util/validation/field

use std::fmt;

use serde_json::Value;

/// Where in an object a field is: `spec.containers[0].image`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// A path of one field.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Path(name.to_string())
    }

    /// The field `name` below this path.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() {
            return Path::new(name);
        }
        Path(format!("{}.{name}", self.0))
    }

    /// The element `index` of the list at this path.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Path(format!("{}[{index}]", self.0))
    }

    /// The entry `key` of the map at this path.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Path(format!("{}[{key}]", self.0))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    /// The value names something that does not exist.
    NotFound,
    /// A value that must be set is not.
    Required,
    /// A value that must be unique is not.
    Duplicate,
    /// The value is malformed.
    Invalid,
    /// The value is malformed, and errors do not show it.
    InvalidUnshown,
    /// The value is none of those allowed.
    NotSupported,
    /// The value is well formed but not allowed here.
    Forbidden,
    /// The text is too long.
    TooLong,
    /// The list has too many items.
    TooMany,
    /// Something that should not happen.
    Internal,
    /// The value is of the wrong type.
    TypeInvalid,
}

impl ErrorType {
    /// The `reason` of a `StatusCause`.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            ErrorType::NotFound => "FieldValueNotFound",
            ErrorType::Required => "FieldValueRequired",
            ErrorType::Duplicate => "FieldValueDuplicate",
            ErrorType::Invalid | ErrorType::InvalidUnshown => "FieldValueInvalid",
            ErrorType::NotSupported => "FieldValueNotSupported",
            ErrorType::Forbidden => "FieldValueForbidden",
            ErrorType::TooLong => "FieldValueTooLong",
            ErrorType::TooMany => "FieldValueTooMany",
            ErrorType::Internal => "InternalError",
            ErrorType::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    fn words(self) -> &'static str {
        match self {
            ErrorType::NotFound => "Not found",
            ErrorType::Required => "Required value",
            ErrorType::Duplicate => "Duplicate value",
            ErrorType::Invalid | ErrorType::InvalidUnshown | ErrorType::TypeInvalid => {
                "Invalid value"
            }
            ErrorType::NotSupported => "Unsupported value",
            ErrorType::Forbidden => "Forbidden",
            ErrorType::TooLong => "Too long",
            ErrorType::TooMany => "Too many",
            ErrorType::Internal => "Internal error",
        }
    }
}

/// One error that validation found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub error_type: ErrorType,
    /// Where.
    pub field: String,
    /// The offending value.
    pub bad_value: Value,
    /// Why, in words.
    pub detail: String,
}

/// All errors of an object, in the order in which they were found.
pub type ErrorList = Vec<Error>;

impl Error {
    fn new(error_type: ErrorType, field: &Path, bad_value: Value, detail: String) -> Self {
        Error { error_type, field: field.to_string(), bad_value, detail }
    }

    /// A value that must be set is not.
    #[must_use]
    pub fn required(field: &Path, detail: &str) -> Self {
        Error::new(ErrorType::Required, field, Value::String(String::new()), detail.to_string())
    }

    /// A malformed value.
    pub fn invalid(field: &Path, bad_value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Error::new(ErrorType::Invalid, field, bad_value.into(), detail.into())
    }

    /// A malformed value that is not shown. Upstream: field.OmitValueType.
    #[must_use]
    pub fn invalid_unshown(field: &Path, detail: &str) -> Self {
        Error::new(ErrorType::InvalidUnshown, field, Value::Null, detail.to_string())
    }

    /// A value of the wrong type.
    pub fn type_invalid(
        field: &Path,
        bad_value: impl Into<Value>,
        detail: impl Into<String>,
    ) -> Self {
        Error::new(ErrorType::TypeInvalid, field, bad_value.into(), detail.into())
    }

    /// A value that stands twice in a list of unique values.
    pub fn duplicate(field: &Path, bad_value: impl Into<Value>) -> Self {
        Error::new(ErrorType::Duplicate, field, bad_value.into(), String::new())
    }

    /// A value that names something that does not exist.
    pub fn not_found(field: &Path, bad_value: impl Into<Value>) -> Self {
        Error::new(ErrorType::NotFound, field, bad_value.into(), String::new())
    }

    /// A value that may not be set here.
    #[must_use]
    pub fn forbidden(field: &Path, detail: &str) -> Self {
        Error::new(ErrorType::Forbidden, field, Value::String(String::new()), detail.to_string())
    }

    /// A value that is none of `valid_values`, which are listed as given.
    #[must_use]
    pub fn not_supported(field: &Path, bad_value: &str, valid_values: &[&str]) -> Self {
        let quoted: Vec<String> = valid_values.iter().map(|value| format!("{value:?}")).collect();
        let detail = if quoted.is_empty() {
            String::new()
        } else {
            format!("supported values: {}", quoted.join(", "))
        };
        Error::new(ErrorType::NotSupported, field, bad_value.into(), detail)
    }

    /// A text of more than `max_length` bytes. The value itself is not repeated.
    #[must_use]
    pub fn too_long(field: &Path, max_length: i64) -> Self {
        let detail = if max_length >= 0 {
            let bytes = if max_length == 1 { "byte" } else { "bytes" };
            format!("may not be more than {max_length} {bytes}")
        } else {
            "value is too long".to_string()
        };
        Error::new(ErrorType::TooLong, field, "<value omitted>".into(), detail)
    }

    /// A list of more than `max` items.
    #[must_use]
    pub fn too_many(field: &Path, actual: i64, max: i64) -> Self {
        let items = if max == 1 { "item" } else { "items" };
        let detail = format!("must have at most {max} {items}");
        Error::new(ErrorType::TooMany, field, actual.into(), detail)
    }

    /// The error without the field's path, as a `StatusCause` carries it.
    #[must_use]
    pub fn error_body(&self) -> String {
        let words = self.error_type.words();
        let body = match self.error_type {
            ErrorType::Required
            | ErrorType::Forbidden
            | ErrorType::TooLong
            | ErrorType::InvalidUnshown
            | ErrorType::Internal => words.to_string(),
            _ => format!("{words}: {}", printed(&self.bad_value)),
        };
        if self.detail.is_empty() { body } else { format!("{body}: {}", self.detail) }
    }
}

/// A value as upstream prints it in an error: texts quoted as Go quotes them, composite values
/// as JSON.
fn printed(value: &Value) -> String {
    match value {
        Value::Null => "null".to_string(),
        Value::String(text) => go_quote(text),
        other => other.to_string(),
    }
}

/// Quotes a text as Go's `%q` does.
#[must_use]
pub fn go_quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            other if (other as u32) < 0x20 || other as u32 == 0x7f => {
                quoted.push_str(&format!("\\x{:02x}", other as u32));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.error_body())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_upstream_prints_them() {
        let path = Path::new("spec").child("containers").index(0).child("name");
        for (error, want) in [
            (Error::required(&path, ""), "spec.containers[0].name: Required value"),
            (
                Error::invalid(&path, "A b", "must be lower case"),
                "spec.containers[0].name: Invalid value: \"A b\": must be lower case",
            ),
            (
                Error::invalid(&path, -1, "must be greater than or equal to 0"),
                "spec.containers[0].name: Invalid value: -1: must be greater than or equal to 0",
            ),
            (Error::duplicate(&path, "a"), "spec.containers[0].name: Duplicate value: \"a\""),
            (
                Error::not_supported(&path, "x", &["Always", "Never"]),
                "spec.containers[0].name: Unsupported value: \"x\": \
                 supported values: \"Always\", \"Never\"",
            ),
            (
                Error::too_long(&path, 63),
                "spec.containers[0].name: Too long: may not be more than 63 bytes",
            ),
            (
                Error::too_many(&path, 3, 2),
                "spec.containers[0].name: Too many: 3: must have at most 2 items",
            ),
        ] {
            assert_eq!(error.to_string(), want);
        }
    }
}
