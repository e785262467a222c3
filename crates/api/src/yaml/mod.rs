//! YAML at the edge. In comes text that a person wrote, out go JSON values with the place of
//! every field, or an error with its line and column; and the other way, a JSON value becomes
//! text as kubectl prints it.
//!
//! Scalars are read by the rules of YAML 1.1, as kubectl reads them. Every limit is an error:
//! no text makes this module hang, overflow its stack or exhaust memory.

use std::fmt;

use serde_json::Value;

mod read;
mod scalar;
mod span;
#[cfg(test)]
mod tests;
mod write;

pub use span::Position;
pub use write::to_yaml;

use span::Span;

/// The longest text that is read, in bytes.
pub const MAX_BYTES: usize = 3 << 20;
/// The deepest nesting of maps and lists.
pub const MAX_DEPTH: u32 = 64;
/// The most nodes that all aliases of a text may stand for.
pub const MAX_ALIAS_NODES: u32 = 100_000;
/// The most documents of a text.
pub const MAX_DOCUMENTS: usize = 500;

/// Why a text cannot be read, and where. Prints as kubectl says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong, without the place.
    pub message: String,
    origin: Origin,
}

/// What finds an error upstream, which decides how the error prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The parser, which names a line.
    Parser,
    /// The decoder, which does not.
    Decoder,
    /// The conversion to JSON.
    Converter,
}

impl YamlError {
    fn new(position: Position, message: impl Into<String>) -> Self {
        let Position { line, column } = position;
        YamlError { line, column, message: message.into(), origin: Origin::Parser }
    }

    fn decoder(position: Position, message: impl Into<String>) -> Self {
        YamlError { origin: Origin::Decoder, ..YamlError::new(position, message) }
    }

    fn converter(position: Position, message: impl Into<String>) -> Self {
        YamlError { origin: Origin::Converter, ..YamlError::new(position, message) }
    }
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, message) = (self.line, &self.message);
        f.write_str("error converting YAML to JSON: ")?;
        match self.origin {
            Origin::Parser => write!(f, "yaml: line {line}: {message}"),
            Origin::Decoder => write!(f, "yaml: {message}"),
            Origin::Converter => f.write_str(message),
        }
    }
}

impl std::error::Error for YamlError {}

/// One document of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What it says.
    pub value: Value,
    root: Span,
}

impl Document {
    /// The line on which the document's content begins, from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.root.position.line
    }

    /// Where the value at a path such as `spec.template.spec.containers[0].image` begins, or
    /// the nearest thing around it that is in the text.
    #[must_use]
    pub fn position_of_value(&self, path: &str) -> Position {
        self.root.find(path).value
    }

    /// Where the key at the end of a path begins; for an item of a list, the item.
    #[must_use]
    pub fn position_of_key(&self, path: &str) -> Position {
        self.root.find(path).key
    }

    /// The objects of a document: the document itself, or the items of a list. Items of a
    /// typed list such as `PodList` inherit the kind that the list names.
    ///
    /// Upstream: staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/unstructured/helpers.go
    #[must_use]
    pub fn flatten(self) -> Vec<Document> {
        let Document { value, root } = self;
        let list_kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
        let Some(item_kind) = list_kind.strip_suffix("List").map(str::to_string) else {
            return vec![Document { value, root }];
        };
        let Value::Object(mut fields) = value else {
            return vec![Document { value, root }];
        };
        let Some(Value::Array(items)) = fields.remove("items") else {
            return vec![Document { value: Value::Object(fields), root }];
        };
        let api_version = fields.remove("apiVersion").unwrap_or_default();
        let mut spans = root.into_items("items").into_iter();
        let mut documents = Vec::with_capacity(items.len());
        for mut value in items {
            if let (Value::Object(item), false) = (&mut value, item_kind.is_empty()) {
                item.entry("kind").or_insert_with(|| item_kind.as_str().into());
                item.entry("apiVersion").or_insert_with(|| api_version.clone());
            }
            let root = spans.next().unwrap_or_default();
            documents.extend(Document { value, root }.flatten());
        }
        documents
    }
}

/// Reads all documents of a text. Empty documents are left out, as kubectl leaves them out.
pub fn documents(text: &str) -> Result<Vec<Document>, YamlError> {
    if text.len() > MAX_BYTES {
        let message = format!("the text has {} bytes, at most {MAX_BYTES} are read", text.len());
        return Err(YamlError::new(Position::START, message));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    refuse_control_characters(text)?;
    match read::documents(text) {
        Ok(documents) => Ok(documents),
        // JSON allows a few things that YAML does not, such as tabs for indentation.
        Err(error) => json_documents(text).ok_or(error),
    }
}

/// The text in `bytes`, which must be UTF-8.
pub fn text_of(bytes: &[u8]) -> Result<&str, YamlError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        YamlError::decoder(Position::after(&before), "invalid leading UTF-8 octet")
    })
}

fn refuse_control_characters(text: &str) -> Result<(), YamlError> {
    let is_refused = |character: char| {
        let allowed = matches!(character,
            '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}'
            | '\u{10000}'..='\u{10ffff}');
        !allowed
    };
    match text.find(is_refused) {
        None => Ok(()),
        Some(index) => {
            let position = Position::after(&text[..index]);
            Err(YamlError::decoder(position, "control characters are not allowed"))
        }
    }
}

/// A stream of JSON objects, without the places of their fields.
fn json_documents(text: &str) -> Option<Vec<Document>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let mut documents = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let value = value.ok()?;
        if documents.len() == MAX_DOCUMENTS || depth_of(&value) > MAX_DEPTH {
            return None;
        }
        documents.push(Document { value, root: Span::default() });
    }
    Some(documents)
}

/// How deep a value nests. The reader of JSON has refused what is too deep to recurse into.
fn depth_of(value: &Value) -> u32 {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth_of).max().unwrap_or(0),
        _ => 0,
    }
}
