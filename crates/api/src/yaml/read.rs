//! Builds documents from a parser's events. Nothing here recurses: open maps and lists are on
//! a stack of bounded depth.

use k8s_openapi::ByteString;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};
use serde_json::{Map, Value};
use sim::{OrdMap, SmallMap};

use crate::field::go_quote;

use super::scalar::{Scalar, resolve};
use super::span::{MapEntry, Parts, Position, Span, number};
use super::{Document, MAX_ALIAS_NODES, MAX_BYTES, MAX_DEPTH, MAX_DOCUMENTS, YamlError};

/// The most nodes below anchors, all anchors together: each is copied once.
const MAX_ANCHORED_NODES: u32 = 4 * MAX_ALIAS_NODES;
/// The most bytes of text that aliases stand for, and that anchors keep.
const MAX_ALIAS_BYTES: usize = MAX_BYTES;

/// Reads all documents that are not empty.
pub(super) fn documents(text: &str) -> Result<Vec<Document>, YamlError> {
    let mut parser = Parser::new_from_str(text);
    let mut builder = Builder { text, ..Builder::default() };
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| builder.scan_error(&error))?;
        builder.event(event, position_of(&span.start), span.start.index())?;
    }
    Ok(builder.documents)
}

fn position_of(marker: &Marker) -> Position {
    Position { line: number(marker.line().max(1)), column: number(marker.col() + 1) }
}

/// What counts against the limits of a finished value.
#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    nodes: u32,
    bytes: usize,
    /// How deep it nests; a scalar does not.
    depth: u32,
}

/// A finished value with its place.
struct Node {
    value: Value,
    span: Span,
    weight: Weight,
    /// Whether it is the plain text `<<`, which as a key merges maps.
    is_merge: bool,
}

/// A map or list that is not finished.
struct Frame {
    position: Position,
    anchor: usize,
    weight: Weight,
    content: Content,
}

enum Content {
    Map(OpenMap),
    List { values: Vec<Value>, spans: Vec<Span> },
}

#[derive(Default)]
struct OpenMap {
    fields: Map<String, Value>,
    /// Where each key was defined.
    lines: OrdMap<String, u32>,
    entries: Vec<MapEntry>,
    key: Option<Key>,
    /// Maps to merge, the most important first.
    merges: Vec<Map<String, Value>>,
}

enum Key {
    Named(String, Position),
    Merge(Position),
    /// Not allowed, but the error names the value too.
    Null(Position),
}

#[derive(Default)]
struct Builder<'text> {
    text: &'text str,
    documents: Vec<Document>,
    opened_documents: usize,
    frames: Vec<Frame>,
    anchors: SmallMap<usize, (Value, Weight)>,
    open_anchors: Vec<usize>,
    anchored: Weight,
    aliased: Weight,
}

impl Builder<'_> {
    fn event(
        &mut self,
        event: Event<'_>,
        position: Position,
        index: usize,
    ) -> Result<(), YamlError> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.opened_documents += 1;
                self.anchors.clear();
                if self.opened_documents > MAX_DOCUMENTS {
                    let message = format!("more than {MAX_DOCUMENTS} documents");
                    return Err(YamlError::new(position, message));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let node = scalar_node(&text, style, tag.as_deref(), position)?;
                self.finish(node, anchor)
            }
            Event::Alias(anchor) => {
                let node = self.alias(anchor, position, index)?;
                self.finish(node, 0)
            }
            Event::SequenceStart(anchor, _) => {
                let content = Content::List { values: Vec::new(), spans: Vec::new() };
                self.open(content, anchor, position)
            }
            Event::MappingStart(anchor, _) => {
                self.open(Content::Map(OpenMap::default()), anchor, position)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
        }
    }

    fn open(
        &mut self,
        content: Content,
        anchor: usize,
        position: Position,
    ) -> Result<(), YamlError> {
        if number(self.frames.len()) >= MAX_DEPTH {
            return Err(too_deep(position));
        }
        self.open_anchors.extend((anchor != 0).then_some(anchor));
        self.frames.push(Frame { position, anchor, weight: Weight::default(), content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), YamlError> {
        let Some(frame) = self.frames.pop() else {
            return Ok(());
        };
        let (value, parts) = match frame.content {
            Content::List { values, spans } => (Value::Array(values), Parts::List(spans)),
            Content::Map(map) => map.finish(),
        };
        self.open_anchors.retain(|open| *open != frame.anchor);
        let weight = Weight {
            nodes: frame.weight.nodes.saturating_add(1),
            depth: frame.weight.depth + 1,
            ..frame.weight
        };
        let span = Span { position: frame.position, parts };
        self.finish(Node { value, span, weight, is_merge: false }, frame.anchor)
    }

    /// Puts a finished value where it belongs, and remembers it if it has an anchor.
    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), YamlError> {
        if anchor != 0 {
            let limit = Weight { nodes: MAX_ANCHORED_NODES, bytes: MAX_ALIAS_BYTES, depth: 0 };
            self.anchored.charge(node.weight, limit, node.span.position)?;
            self.anchors.insert(anchor, (node.value.clone(), node.weight));
        }
        let Some(frame) = self.frames.last_mut() else {
            if !node.value.is_null() {
                self.documents.push(Document { value: node.value, root: node.span });
            }
            return Ok(());
        };
        frame.weight.add(node.weight);
        match &mut frame.content {
            Content::List { values, spans } => {
                values.push(node.value);
                spans.push(node.span);
                Ok(())
            }
            Content::Map(map) => map.push(node),
        }
    }

    fn alias(&mut self, anchor: usize, at: Position, index: usize) -> Result<Node, YamlError> {
        let Some((value, weight)) = self.anchors.get(&anchor) else {
            let name = self.name_at(index);
            let message = if self.open_anchors.contains(&anchor) {
                format!("anchor '{name}' value contains itself")
            } else {
                format!("unknown anchor '{name}' referenced")
            };
            return Err(YamlError::decoder(at, message));
        };
        let limit = Weight { nodes: MAX_ALIAS_NODES, bytes: MAX_ALIAS_BYTES, depth: 0 };
        self.aliased.charge(*weight, limit, at)?;
        if number(self.frames.len()) + weight.depth > MAX_DEPTH {
            return Err(too_deep(at));
        }
        let span = Span { position: at, parts: Parts::None };
        Ok(Node { value: value.clone(), span, weight: *weight, is_merge: false })
    }

    /// The name that stands after the `*` at a character of the text.
    fn name_at(&self, index: usize) -> String {
        let ends = |character: &char| {
            character.is_whitespace() || matches!(character, ',' | '[' | ']' | '{' | '}')
        };
        let after = self.text.chars().skip(index).skip_while(|character| *character == '*');
        after.take_while(|character| !ends(character)).collect()
    }

    /// The place of the first tab that indents a line after a mark.
    fn tab_after(&self, mark: &Marker) -> Position {
        let lines = self.text.split('\n').enumerate().skip(mark.line());
        let mut tabs = lines.filter_map(|(index, line)| {
            let blanks = line.chars().take_while(|character| matches!(character, ' ' | '\t'));
            let column = blanks.into_iter().position(|character| character == '\t')?;
            Some(Position { line: number(index + 1), column: number(column + 1) })
        });
        tabs.next().unwrap_or_else(|| position_of(mark))
    }

    /// The parser's error, in the words of upstream's parser where it has other words.
    fn scan_error(&self, error: &ScanError) -> YamlError {
        let position = position_of(error.marker());
        let info = error.info();
        let problem = match info.strip_prefix("while ").and_then(|info| info.split_once(", ")) {
            Some((_, problem)) => problem,
            None => info,
        };
        let message = match problem {
            "found unknown anchor" => {
                let name = self.name_at(error.marker().index());
                let message = format!("unknown anchor '{name}' referenced");
                return YamlError::decoder(position, message);
            }
            "found a tab" => {
                let message = "found a tab character that violates indentation";
                return YamlError::new(self.tab_after(error.marker()), message);
            }
            "misplaced bracket" => "did not find expected node content".to_string(),
            "illegal placement of ':' indicator" | "invalid indentation in flow construct" => {
                let in_list = self
                    .frames
                    .last()
                    .is_some_and(|frame| matches!(frame.content, Content::List { .. }));
                format!("did not find expected ',' or '{}'", if in_list { ']' } else { '}' })
            }
            "recursion limit exceeded" => return too_deep(position),
            "simple key expected" | "simple key expect ':'" => {
                "could not find expected ':'".to_string()
            }
            "expected ',' or ']'" => "did not find expected ',' or ']'".to_string(),
            "invalid trailing content after double-quoted scalar" => {
                "did not find expected key".to_string()
            }
            other if other.starts_with("tab") || other.starts_with("unexpected character") => {
                "found character that cannot start any token".to_string()
            }
            other => other.to_string(),
        };
        YamlError::new(position, message)
    }
}

fn too_deep(position: Position) -> YamlError {
    YamlError::decoder(position, format!("exceeded max depth of {MAX_DEPTH}"))
}

impl Weight {
    /// Adds a part's weight to that of the whole.
    fn add(&mut self, part: Weight) {
        self.nodes = self.nodes.saturating_add(part.nodes);
        self.bytes = self.bytes.saturating_add(part.bytes);
        self.depth = self.depth.max(part.depth);
    }

    /// Adds a weight, which must not make the sum greater than the limit.
    fn charge(&mut self, part: Weight, limit: Weight, at: Position) -> Result<(), YamlError> {
        self.add(part);
        if self.nodes > limit.nodes || self.bytes > limit.bytes {
            return Err(YamlError::decoder(at, "document contains excessive aliasing"));
        }
        Ok(())
    }
}

impl OpenMap {
    fn push(&mut self, node: Node) -> Result<(), YamlError> {
        match self.key.take() {
            None => self.key = Some(self.key_of(node)?),
            Some(Key::Null(at)) => {
                let value = go_syntax(&node.value);
                return Err(YamlError::converter(
                    at,
                    format!("unsupported map key of type: %!s(<nil>), key: <nil>, value: {value}"),
                ));
            }
            Some(Key::Merge(at)) => self.merge(node.value, at)?,
            Some(Key::Named(key, key_position)) => {
                self.fields.insert(key.clone(), node.value);
                self.entries.push(MapEntry { key, key_position, value: node.span });
            }
        }
        Ok(())
    }

    fn key_of(&mut self, node: Node) -> Result<Key, YamlError> {
        let position = node.span.position;
        if node.is_merge {
            return Ok(Key::Merge(position));
        }
        let key = match node.value {
            Value::String(text) => text,
            Value::Bool(truth) => truth.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Null => return Ok(Key::Null(position)),
            key @ (Value::Array(_) | Value::Object(_)) => {
                let message = format!("invalid map key: {}", go_syntax(&key));
                return Err(YamlError::decoder(position, message));
            }
        };
        if let Some(line) = self.lines.get(&key) {
            let key = go_quote(&key);
            let message = format!("mapping key {key} already defined at line {line}");
            return Err(YamlError::new(position, message));
        }
        self.lines.insert(key.clone(), position.line);
        Ok(Key::Named(key, position))
    }

    /// Notes the maps that a `<<` merges.
    fn merge(&mut self, value: Value, at: Position) -> Result<(), YamlError> {
        let maps = match value {
            Value::Array(items) => items,
            other => vec![other],
        };
        for map in maps {
            let Value::Object(fields) = map else {
                let message = "map merge requires map or sequence of maps as the value";
                return Err(YamlError::decoder(at, message));
            };
            self.merges.push(fields);
        }
        Ok(())
    }

    fn finish(self) -> (Value, Parts) {
        let mut fields = self.fields;
        for (key, value) in self.merges.into_iter().flatten() {
            fields.entry(key).or_insert(value);
        }
        (Value::Object(fields), Parts::Map(self.entries))
    }
}

/// A value in Go's syntax, as `%#v` prints it.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => go_quote(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(fields) => {
            let field =
                |(key, value): (&String, &Value)| format!("{}:{}", go_quote(key), go_syntax(value));
            let fields: Vec<String> = fields.iter().map(field).collect();
            format!("map[interface {{}}]interface {{}}{{{}}}", fields.join(", "))
        }
    }
}

fn scalar_node(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    position: Position,
) -> Result<Node, YamlError> {
    let is_plain = style == ScalarStyle::Plain;
    let core_tag = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
    let value = match (core_tag, tag) {
        (Some("binary"), _) => binary(text, position)?,
        (Some(wanted @ ("bool" | "int" | "float" | "null" | "timestamp")), _) => {
            tagged(text, wanted, position)?
        }
        (None, None) if is_plain => value_of(resolve(text), text, position)?,
        _ => Value::from(text),
    };
    let is_merge = is_plain && tag.is_none() && text == "<<";
    let weight = Weight { nodes: 1, bytes: text.len(), depth: 0 };
    Ok(Node { value, span: Span { position, parts: Parts::None }, weight, is_merge })
}

fn value_of(scalar: Scalar, text: &str, position: Position) -> Result<Value, YamlError> {
    scalar.to_value(text).ok_or_else(|| {
        let value = match scalar {
            Scalar::Float(number) if number.is_nan() => "NaN",
            Scalar::Float(number) if number < 0.0 => "-Inf",
            _ => "+Inf",
        };
        YamlError::converter(position, format!("json: unsupported value: {value}"))
    })
}

/// A scalar whose tag says what it must be.
fn tagged(text: &str, wanted: &str, position: Position) -> Result<Value, YamlError> {
    let scalar = resolve(text);
    let found = scalar.tag();
    if found == wanted || (wanted == "float" && found == "int") {
        return value_of(scalar, text, position);
    }
    let message = format!("cannot decode !!{found} `{text}` as a !!{wanted}");
    Err(YamlError::decoder(position, message))
}

/// Text that stands in base 64.
fn binary(text: &str, position: Position) -> Result<Value, YamlError> {
    let joined: String = text.split_whitespace().collect();
    match serde_json::from_value::<ByteString>(Value::String(joined)) {
        Ok(ByteString(bytes)) => Ok(Value::from(String::from_utf8_lossy(&bytes))),
        Err(_) => Err(YamlError::decoder(position, "!!binary value contains invalid base64 data")),
    }
}
