//! Reading what a person wrote: documents of a text, each with the kind it names.
//!
//! Upstream: staging/src/k8s.io/cli-runtime/pkg/resource/{builder.go,visitor.go,mapper.go}

use api::decode::{DecodeError, FieldValidation, Problem, decode};
use api::yaml::{self, Document, Position};
use api::{Kind, Status};
use serde_json::Value;

use crate::{DocumentResult, Mark, Refusal, title};

/// How kubectl names a text that comes from no file.
pub(crate) const SOURCE: &str = "STDIN";
const DEFAULT_NAMESPACE: &str = "default";

/// One object that a person described.
pub(crate) struct Manifest {
    /// Which document it is, from 0.
    pub(crate) index: u32,
    /// Its kind.
    pub(crate) kind: &'static Kind,
    /// Its name, never empty.
    pub(crate) name: String,
    /// Its namespace, `default` when it names none; empty for a cluster-scoped kind.
    pub(crate) namespace: String,
    /// What it says, with the namespace.
    pub(crate) value: Value,
    document: Document,
}

/// Whether a command takes what a document says, or only the object that it names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Everything must be understood.
    Whole,
    /// Kind and name are enough.
    NameOnly,
}

/// All manifests of a text, or everything that is wrong with it.
pub(crate) fn read(text: &str, reading: Reading) -> Result<Vec<Manifest>, Vec<DocumentResult>> {
    let documents = yaml::documents(text).map_err(|error| {
        let mark = Mark {
            field: String::new(),
            message: error.message.clone(),
            line: error.line,
            column: error.column,
        };
        let mut refusal = Refusal::own(&format!("error parsing {SOURCE}: {error}"));
        refusal.marks.push(mark);
        vec![DocumentResult { document: None, title: String::new(), outcome: Err(refusal) }]
    })?;
    let mut manifests = Vec::new();
    let mut refused = Vec::new();
    let indexed = (0_u32..).zip(documents);
    let flattened = indexed.flat_map(|(index, document)| {
        document.flatten().into_iter().map(move |document| (index, document))
    });
    for (index, document) in flattened {
        match manifest(index, document, reading) {
            Ok(manifest) => manifests.push(manifest),
            Err(result) => refused.push(*result),
        }
    }
    if refused.is_empty() { Ok(manifests) } else { Err(refused) }
}

fn text_at(value: &Value, path: &[&str]) -> String {
    let found = path.iter().try_fold(value, |value, name| value.get(name));
    found.and_then(Value::as_str).unwrap_or_default().to_string()
}

fn manifest(
    index: u32,
    document: Document,
    reading: Reading,
) -> Result<Manifest, Box<DocumentResult>> {
    let name = text_at(&document.value, &["metadata", "name"]);
    let named = Kind::named(
        &text_at(&document.value, &["apiVersion"]),
        &text_at(&document.value, &["kind"]),
    );
    let refused = |refusal: Refusal| {
        let title = named.map(|kind| title(kind, &name)).unwrap_or_default();
        Box::new(DocumentResult { document: Some(index), title, outcome: Err(refusal) })
    };
    let kind = match (decode(document.value.clone(), FieldValidation::Strict), named) {
        (Ok(decoded), _) => decoded.object.kind(),
        (Err(_), Some(kind)) if reading == Reading::NameOnly => kind,
        (Err(error), _) => return Err(refused(undecodable(&document, &error))),
    };
    let mut namespace = text_at(&document.value, &["metadata", "namespace"]);
    if namespace.is_empty() && kind.is_namespaced() {
        namespace = DEFAULT_NAMESPACE.to_string();
    }
    if name.is_empty() {
        let base = text_at(&document.value, &["metadata", "generateName"]);
        return Err(refused(nameless(&document, kind, &namespace, &base)));
    }
    let mut value = document.value.clone();
    if kind.is_namespaced() {
        set_namespace(&mut value, &namespace);
    } else {
        namespace.clear();
    }
    Ok(Manifest { index, kind, name, namespace, value, document })
}

fn set_namespace(value: &mut Value, namespace: &str) {
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("namespace".to_string(), namespace.into());
    }
}

fn undecodable(document: &Document, error: &DecodeError) -> Refusal {
    let name = text_at(&document.value, &["metadata", "name"]);
    let namespace = text_at(&document.value, &["metadata", "namespace"]);
    let is_strict = matches!(error.problem, Problem::Strict { .. });
    let mut refusal = match &error.problem {
        Problem::Malformed { .. } | Problem::Strict { .. } => {
            // These the API server finds, when kubectl asks it to create the object.
            Refusal::of(&sourced(error.to_status(), "creating"))
        }
        _ => Refusal::own(&error.for_file(SOURCE, &name, &namespace)),
    };
    for path in &error.paths {
        let position = if is_strict {
            document.position_of_key(path)
        } else {
            document.position_of_value(path)
        };
        let message = if is_strict { format!("unknown field {path:?}") } else { error.to_string() };
        refusal.marks.push(mark(path, message, position));
    }
    refusal
}

/// Upstream: staging/src/k8s.io/kubectl/pkg/cmd/apply/apply.go, applyOneObject
fn nameless(document: &Document, kind: &Kind, namespace: &str, base: &str) -> Refusal {
    let words = if base.is_empty() {
        format!(
            "error when retrieving current configuration of:\n{}\nfrom server for: {SOURCE:?}: \
             resource name may not be empty",
            info(kind, "", namespace)
        )
    } else {
        format!("from {base}: cannot use generate name with apply")
    };
    let field = if base.is_empty() { "metadata" } else { "metadata.generateName" };
    let mut refusal = Refusal::own(&words);
    let message = "resource name may not be empty".to_string();
    refusal.marks.push(mark(field, message, document.position_of_key(field)));
    refusal
}

fn mark(field: &str, message: String, position: Position) -> Mark {
    Mark { field: field.to_string(), message, line: position.line, column: position.column }
}

/// An object as kubectl names it where it says everything.
/// Upstream: staging/src/k8s.io/cli-runtime/pkg/resource/visitor.go, Info.String
fn info(kind: &Kind, name: &str, namespace: &str) -> String {
    let (group, version, resource) = (kind.group, kind.version, kind.plural);
    format!(
        "Resource: \"{group}/{version}, Resource={resource}\", GroupVersionKind: \
         \"{group}/{version}, Kind={}\"\nName: {name:?}, Namespace: {namespace:?}",
        kind.kind
    )
}

/// The same Status, saying what kubectl was about.
/// Upstream: staging/src/k8s.io/kubectl/pkg/cmd/util/helpers.go, AddSourceToErr
fn sourced(status: Status, verb: &str) -> Status {
    status.prefixed(&format!("error when {verb} {SOURCE:?}: "))
}

impl Manifest {
    /// The object as kubectl names it.
    pub(crate) fn title(&self) -> String {
        title(self.kind, &self.name)
    }

    /// The object as kubectl names it where it says everything.
    pub(crate) fn info(&self) -> String {
        info(self.kind, &self.name, &self.namespace)
    }

    /// A refusal of the API server, met while kubectl was `verb` the object, with the places in
    /// the text that it is about.
    pub(crate) fn refusal(&self, status: Status, verb: &str) -> Refusal {
        let details = status.as_meta().details.clone().unwrap_or_default();
        let causes = details.causes.unwrap_or_default();
        let mut marks: Vec<Mark> = causes
            .into_iter()
            .filter_map(|cause| cause.field.zip(cause.message))
            .map(|(field, message)| {
                let position = self.document.position_of_value(&field);
                mark(&field, message, position)
            })
            .collect();
        if marks.is_empty() {
            let is_about_namespace = details.kind.as_deref() == Some("namespaces");
            let field = match self.namespace.as_str() {
                namespace if !namespace.is_empty() && is_about_namespace => "metadata.namespace",
                _ => "metadata.name",
            };
            let position = self.document.position_of_value(field);
            marks.push(mark(field, status.message().to_string(), position));
        }
        Refusal { marks, ..Refusal::of(&sourced(status, verb)) }
    }
}
