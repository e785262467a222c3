//! From JSON to typed objects, at the edge. What comes in is a value that a person or a client
//! wrote; what goes out is an object and the fields that its kind does not know, or an error
//! that says, in the API server's words, what is wrong and at which path.

use std::fmt;

use serde_json::Value;

use crate::{Kind, Object, Status};

mod deserializer;
mod go;
mod place;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod whole;

pub(crate) use deserializer::decode_typed;
pub(crate) use go::value_word;

/// What becomes of fields that the kind does not know. Upstream: metav1.FieldValidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValidation {
    /// They are dropped.
    Ignore,
    /// They are dropped, and the answer warns of them.
    Warn,
    /// They are an error.
    Strict,
}

/// An object that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The object.
    pub object: Object,
    /// The paths of fields that its kind does not know, which were dropped:
    /// `spec.template.spec.containers[0].imag`. Never with [`FieldValidation::Strict`], and not
    /// told with [`FieldValidation::Ignore`].
    pub unknown_fields: Vec<String>,
}

impl Decoded {
    /// The warnings that the API server sends with its answer.
    pub fn warnings(&self) -> impl Iterator<Item = String> + '_ {
        self.unknown_fields.iter().map(|path| unknown_field(path))
    }
}

/// Why a value is not an object. Prints as upstream's decoder says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub problem: Problem,
    /// The paths of the fields that are wrong, to find them in the text; never empty. The empty
    /// path is the whole object.
    pub paths: Vec<String>,
}

/// What is wrong with a value that is not an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It names no kind.
    MissingKind {
        /// The value as JSON.
        data: String,
    },
    /// It names no version.
    MissingVersion {
        /// The value as JSON.
        data: String,
    },
    /// It is no object, or its kind or version is not a text.
    NoTypeMeta {
        /// What it is: `string`, `array` …
        found: &'static str,
        /// The field that is not a text; `None` when the whole is no object.
        field: Option<&'static str>,
        /// The value as JSON.
        data: String,
    },
    /// There is no such kind.
    NoMatch {
        /// The kind it names.
        kind: String,
        /// The version it names: `apps/v1`.
        api_version: String,
    },
    /// A field has the wrong type or is malformed.
    Malformed {
        /// The kind that it is read as.
        kind: &'static str,
        /// The version of the kind, without the group.
        version: &'static str,
        /// Why, in the words of Go's decoder.
        reason: String,
    },
    /// Strict reading found fields that the kind does not know.
    Strict {
        /// The kind that it is read as.
        kind: &'static str,
        /// The version of the kind, without the group.
        version: &'static str,
        /// One text for each field.
        reasons: Vec<String>,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Upstream: staging/src/k8s.io/apimachinery/pkg/runtime/error.go
            Problem::MissingKind { data } => write!(f, "Object 'Kind' is missing in '{data}'"),
            Problem::MissingVersion { data } => {
                write!(f, "Object 'apiVersion' is missing in '{data}'")
            }
            Problem::NoTypeMeta { found, field, .. } => {
                let place = match field {
                    None => format!("value of type {TYPE_META}"),
                    Some(field) => format!("struct field .{field} of type string"),
                };
                let prefix = "couldn't get version/kind; json parse error";
                write!(f, "{prefix}: json: cannot unmarshal {found} into Go {place}")
            }
            // Upstream: staging/src/k8s.io/apimachinery/pkg/api/meta/errors.go
            Problem::NoMatch { kind, api_version } => {
                write!(f, "no matches for kind {kind:?} in version {api_version:?}")
            }
            Problem::Malformed { reason, .. } => f.write_str(reason),
            Problem::Strict { reasons, .. } => {
                write!(f, "strict decoding error: {}", reasons.join(", "))
            }
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for DecodeError {}

impl DecodeError {
    fn whole(problem: Problem) -> Self {
        DecodeError { problem, paths: vec![String::new()] }
    }

    /// The error as the API server answers it.
    ///
    /// Upstream: staging/src/k8s.io/apiserver/pkg/endpoints/handlers/rest.go
    #[must_use]
    pub fn to_status(&self) -> Status {
        match &self.problem {
            Problem::Malformed { kind, version, .. } | Problem::Strict { kind, version, .. } => {
                Status::bad_request(format!(
                    "{kind} in version {version:?} cannot be handled as a {kind}: {self}"
                ))
            }
            problem => Status::bad_request(problem.to_string()),
        }
    }

    /// The error as kubectl prints it for a file, where it does not come from the API server.
    ///
    /// Upstream: staging/src/k8s.io/cli-runtime/pkg/resource/builder.go, mapper.go
    #[must_use]
    pub fn for_file(&self, file: &str, name: &str, namespace: &str) -> String {
        match &self.problem {
            Problem::NoMatch { .. } => format!(
                "resource mapping not found for name: {name:?} namespace: {namespace:?} from \
                 {file:?}: {self}\nensure CRDs are installed first"
            ),
            Problem::MissingVersion { .. } => format!(
                "error validating {file:?}: error validating data: apiVersion not set; if you \
                 choose to ignore these errors, turn validation off with --validate=false"
            ),
            // kubectl takes a kind that is no text for missing.
            Problem::NoTypeMeta { field: Some("kind"), data, .. } => {
                format!("unable to decode {file:?}: Object 'Kind' is missing in '{data}'")
            }
            Problem::NoTypeMeta { found, field, .. } => {
                let place = match field {
                    None => "value of type unstructured.detector",
                    Some(_) => "struct field metadataOnlyObject.TypeMeta.apiVersion of type string",
                };
                format!("unable to decode {file:?}: json: cannot unmarshal {found} into Go {place}")
            }
            _ => format!("unable to decode {file:?}: {self}"),
        }
    }
}

/// Reads an object of whatever kind the value names.
pub fn decode(value: Value, validation: FieldValidation) -> Result<Decoded, DecodeError> {
    let (api_version, kind) = type_meta(&value)?;
    if kind.is_empty() {
        return Err(DecodeError::whole(Problem::MissingKind { data: value.to_string() }));
    }
    if api_version.is_empty() {
        return Err(DecodeError::whole(Problem::MissingVersion { data: value.to_string() }));
    }
    let Some(found) = Kind::named(api_version, kind) else {
        let (kind, api_version) = (kind.to_string(), api_version.to_string());
        let paths = vec!["kind".to_string(), "apiVersion".to_string()];
        return Err(DecodeError { problem: Problem::NoMatch { kind, api_version }, paths });
    };
    decode_as(found, value, validation)
}

/// Reads an object of a known kind, which the value need not name.
pub fn decode_as(
    kind: &'static Kind,
    value: Value,
    validation: FieldValidation,
) -> Result<Decoded, DecodeError> {
    let mut unknown_fields = Vec::new();
    let object = kind.decode_fields(value, &mut unknown_fields)?;
    match validation {
        FieldValidation::Strict if !unknown_fields.is_empty() => {
            let reasons = unknown_fields.iter().map(|path| unknown_field(path)).collect();
            let problem = Problem::Strict { kind: kind.kind, version: kind.version, reasons };
            return Err(DecodeError { problem, paths: unknown_fields });
        }
        FieldValidation::Strict | FieldValidation::Warn => {}
        FieldValidation::Ignore => unknown_fields.clear(),
    }
    Ok(Decoded { object, unknown_fields })
}

/// Upstream: sigs.k8s.io/json, internal/golang/encoding/json/kubernetes_patch.go
fn unknown_field(path: &str) -> String {
    format!("unknown field {path:?}")
}

/// The type that the API server reads kind and version into.
const TYPE_META: &str = "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind \
                         string \"json:\\\"kind,omitempty\\\"\" }";

/// The `apiVersion` and `kind` that a value names, each empty where it names none.
fn type_meta(value: &Value) -> Result<(&str, &str), DecodeError> {
    let refuse = |part: &Value, field: Option<&'static str>| {
        let (found, data) = (go::value_word(part), value.to_string());
        let paths = vec![field.unwrap_or_default().to_string()];
        DecodeError { problem: Problem::NoTypeMeta { found, field, data }, paths }
    };
    let Value::Object(fields) = value else {
        return Err(refuse(value, None));
    };
    let text = |name: &'static str| match fields.get(name) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(other) => Err(refuse(other, Some(name))),
    };
    Ok((text("apiVersion")?, text("kind")?))
}
