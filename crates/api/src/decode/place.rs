//! Where the deserializer is in an object, and what it meets there.

use std::mem;
use std::str::FromStr;

use k8s_openapi::ByteString;
use serde_json::{Map, Value};

use super::go::{named_type, type_word, value_word};
use super::{DecodeError, Problem};
use crate::Kind;
use crate::quantity::Quantity;

/// The fields that a type refuses to be without: `k8s-openapi` gives a zero to all but times.
const REQUIRED_TIMES: [(&str, &str); 2] = [
    ("::meta::v1::condition::Condition", "lastTransitionTime"),
    ("::events::v1::event_series::EventSeries", "lastObservedTime"),
];

/// A time in the place of one that is missing or wrong.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// Where the deserializer is. What it does there is in functions of its own that are compiled
/// once, while the deserializer's are compiled for every type of every field.
pub(super) struct Place<'u> {
    kind: &'static Kind,
    /// The value to read next.
    value: Value,
    /// The lists, maps and structs around, outermost first.
    open: Vec<Open>,
    /// The names of the structs around, outermost first.
    structs: Vec<&'static str>,
    path: Vec<Segment>,
    unknown_fields: &'u mut Vec<String>,
    /// The first that did not fit.
    pub(super) failure: Option<DecodeError>,
}

/// What is left of a list, a map or a struct.
struct Open {
    parts: Parts,
    /// How long the path to it is.
    depth: usize,
}

enum Parts {
    Items { items: std::vec::IntoIter<Value>, next: usize },
    Fields { fields: serde_json::map::IntoIter, is_struct: bool },
}

enum Segment {
    /// A field of a struct.
    Field(String),
    /// A key of a map.
    Key(String),
    /// An item of a list.
    Index(usize),
}

impl<'u> Place<'u> {
    pub(super) fn new(
        kind: &'static Kind,
        value: Value,
        unknown_fields: &'u mut Vec<String>,
    ) -> Self {
        let (open, structs, path) = (Vec::new(), Vec::new(), Vec::new());
        Place { kind, value, open, structs, path, unknown_fields, failure: None }
    }

    /// The path as strict errors say it: `spec.containers[0].image`.
    fn path(&self) -> String {
        let mut text = String::new();
        for segment in &self.path {
            match segment {
                Segment::Field(name) | Segment::Key(name) if text.is_empty() => text.push_str(name),
                Segment::Field(name) | Segment::Key(name) => {
                    text.push('.');
                    text.push_str(name);
                }
                Segment::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        text
    }

    /// Notes, in the words of Go's decoder, that what is here does not fit.
    fn fail(&mut self, reason: String) {
        if self.failure.is_none() {
            let Kind { kind, version, .. } = *self.kind;
            let problem = Problem::Malformed { kind, version, reason };
            self.failure = Some(DecodeError { problem, paths: vec![self.path()] });
        }
    }

    /// Notes that a value is no such type.
    fn mismatch(&mut self, value: &str, wanted: &str) {
        let names = self.path.iter().filter_map(|segment| match segment {
            Segment::Field(name) => Some(name.as_str()),
            Segment::Key(_) | Segment::Index(_) => None,
        });
        let names: Vec<&str> = names.collect();
        let reason = match (self.structs.last(), names.last()) {
            (Some(owner), Some(field)) => {
                let wanted = named_type(owner, field, wanted).unwrap_or_else(|| wanted.to_string());
                let path = names.join(".");
                format!(
                    "json: cannot unmarshal {value} into Go struct field {owner}.{path} of type \
                     {wanted}"
                )
            }
            _ => format!("json: cannot unmarshal {value} into Go value of type {wanted}"),
        };
        self.fail(reason);
    }

    #[inline(never)]
    pub(super) fn is_null(&self) -> bool {
        self.value.is_null()
    }

    pub(super) fn bool(&mut self) -> bool {
        match mem::take(&mut self.value) {
            Value::Null => false,
            Value::Bool(truth) => truth,
            other => {
                self.mismatch(value_word(&other), "bool");
                false
            }
        }
    }

    /// A whole number that `fits`. Null leaves the zero that was there.
    pub(super) fn integer<T: Default>(&mut self, wanted: &str, fits: fn(i64) -> Option<T>) -> T {
        match mem::take(&mut self.value) {
            Value::Null => return T::default(),
            Value::Number(number) => match number.as_i64().and_then(fits) {
                Some(number) => return number,
                None => self.mismatch(&format!("number {number}"), wanted),
            },
            other => self.mismatch(value_word(&other), wanted),
        }
        T::default()
    }

    pub(super) fn float(&mut self) -> f64 {
        match mem::take(&mut self.value) {
            Value::Null => 0.0,
            Value::Number(number) => number.as_f64().unwrap_or_default(),
            other => {
                self.mismatch(value_word(&other), "float64");
                0.0
            }
        }
    }

    /// A text, for a value of the type.
    pub(super) fn text(&mut self, type_name: &str) -> String {
        let is_base64 = type_name.ends_with("::ByteString");
        match mem::take(&mut self.value) {
            Value::Null => return String::new(),
            Value::String(text) if is_base64 => match base64_failure(&text) {
                Some(reason) => self.fail(reason),
                None => return text,
            },
            Value::String(text) => return text,
            other => {
                let wanted = if is_base64 { "[]uint8" } else { "string" };
                self.mismatch(value_word(&other), wanted);
            }
        }
        String::new()
    }

    /// Makes a quantity canonical, as upstream stores it.
    fn quantity(&mut self) {
        let text = match &self.value {
            Value::Null => "0".to_string(),
            Value::String(text) => text.trim().to_string(),
            other => other.to_string(),
        };
        let text = match Quantity::parse(&text) {
            Ok(quantity) => quantity.to_text().0,
            Err(error) => {
                self.fail(error.to_string());
                "0".to_string()
            }
        };
        self.value = Value::String(text);
    }

    /// Refuses what is not a time in RFC 3339.
    fn time(&mut self, layout: &str) {
        let reason = match &self.value {
            Value::String(text) => match jiff::Timestamp::from_str(text) {
                Ok(_) => return,
                Err(_) => format!(
                    "parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\""
                ),
            },
            other => {
                let value = value_word(other);
                format!("json: cannot unmarshal {value} into Go value of type string")
            }
        };
        self.fail(reason);
        self.value = Value::from(EPOCH);
    }

    /// Prepares what a type named `name` that the place itself knows is read from.
    pub(super) fn newtype(&mut self, name: &str) {
        match name {
            "Quantity" => self.quantity(),
            "Time" => self.time("2006-01-02T15:04:05Z07:00"),
            "MicroTime" => self.time("2006-01-02T15:04:05.000000Z07:00"),
            _ => {}
        }
    }

    /// Any value, for a value of the type. Refuses what is neither a text nor a small whole
    /// number where these are wanted.
    pub(super) fn any(&mut self, type_name: &str) -> Value {
        let value = mem::take(&mut self.value);
        if !type_name.ends_with("::IntOrString") {
            return value;
        }
        let word = match &value {
            Value::Null => return Value::from(0),
            Value::String(_) => return value,
            Value::Number(number) => match number.as_i64().map(i32::try_from) {
                Some(Ok(_)) => return value,
                _ => format!("number {number}"),
            },
            other => value_word(other).to_string(),
        };
        self.fail(format!("json: cannot unmarshal {word} into Go value of type int32"));
        Value::from(0)
    }

    pub(super) fn unknown_field(&mut self) {
        let path = self.path();
        self.unknown_fields.push(path);
    }

    fn begin(&mut self, parts: Parts) {
        let depth = self.path.len();
        self.open.push(Open { parts, depth });
    }

    pub(super) fn begin_items(&mut self, items: Vec<Value>) {
        self.begin(Parts::Items { items: items.into_iter(), next: 0 });
    }

    pub(super) fn begin_fields(&mut self, fields: Map<String, Value>, is_struct: bool) {
        self.begin(Parts::Fields { fields: fields.into_iter(), is_struct });
    }

    pub(super) fn begin_list(&mut self, type_name: &str) {
        let items = match mem::take(&mut self.value) {
            Value::Null => Vec::new(),
            Value::Array(items) => items,
            other => {
                self.mismatch(value_word(&other), &type_word(type_name));
                Vec::new()
            }
        };
        self.begin_items(items);
    }

    fn fields(&mut self, type_name: &str) -> Map<String, Value> {
        match mem::take(&mut self.value) {
            Value::Null => Map::new(),
            Value::Object(fields) => fields,
            other => {
                self.mismatch(value_word(&other), &type_word(type_name));
                Map::new()
            }
        }
    }

    pub(super) fn begin_map(&mut self, type_name: &str) {
        let fields = self.fields(type_name);
        self.begin_fields(fields, false);
    }

    #[inline(never)]
    pub(super) fn begin_struct(&mut self, name: &'static str, type_name: &str) {
        let mut fields = self.fields(type_name);
        let required = REQUIRED_TIMES.iter().find(|(suffix, _)| type_name.ends_with(suffix));
        if let Some((_, field)) = required
            && fields.get(*field).is_none_or(Value::is_null)
        {
            fields.insert((*field).to_string(), Value::from(EPOCH));
            self.fail(format!("missing field `{field}`"));
        }
        self.begin_fields(fields, true);
        self.structs.push(name);
    }

    #[inline(never)]
    pub(super) fn end_struct(&mut self) {
        self.structs.pop();
        self.end();
    }

    /// Leaves a list, a map or a struct.
    #[inline(never)]
    pub(super) fn end(&mut self) {
        if let Some(open) = self.open.pop() {
            self.path.truncate(open.depth);
        }
    }

    /// How many items the list still has.
    pub(super) fn items_left(&self) -> usize {
        match self.open.last() {
            Some(Open { parts: Parts::Items { items, .. }, .. }) => items.len(),
            _ => 0,
        }
    }

    /// Goes to the next item of the list; false when there is none.
    #[inline(never)]
    pub(super) fn next_item(&mut self) -> bool {
        let Some(Open { parts: Parts::Items { items, next }, depth }) = self.open.last_mut() else {
            return false;
        };
        self.path.truncate(*depth);
        let Some(value) = items.next() else {
            return false;
        };
        self.path.push(Segment::Index(*next));
        *next += 1;
        self.value = value;
        true
    }

    /// Goes to the next field of the map or struct, and gives its name.
    #[inline(never)]
    pub(super) fn next_field(&mut self) -> Option<&str> {
        let Some(Open { parts: Parts::Fields { fields, is_struct }, depth }) = self.open.last_mut()
        else {
            return None;
        };
        self.path.truncate(*depth);
        let (name, value) = fields.next()?;
        self.value = value;
        if *is_struct && matches!(name.as_str(), "apiVersion" | "kind") {
            let names_kind = name == "kind";
            self.path.push(Segment::Field(name));
            self.type_meta(names_kind);
        } else {
            self.path.push(if *is_struct { Segment::Field(name) } else { Segment::Key(name) });
        }
        match self.path.last() {
            Some(Segment::Field(name) | Segment::Key(name)) => Some(name),
            _ => None,
        }
    }

    /// Refuses a kind or version that is not the one of the object around: its type does not
    /// take it.
    fn type_meta(&mut self, names_kind: bool) {
        let kind = match self.structs.as_slice() {
            [] => None,
            [_] => Some(self.kind),
            [.., name] => Kind::all().find(|kind| kind.kind == *name),
        };
        let Some(kind) = kind else { return };
        let wanted = if names_kind { kind.kind } else { kind.api_version };
        let found = match &self.value {
            Value::String(text) if text == wanted => return,
            Value::String(text) => Some(text.clone()),
            Value::Null => Some(String::new()),
            _ => None,
        };
        match found {
            Some(text) => self.fail(format!("invalid value: string {text:?}, expected {wanted}")),
            None => {
                let word = value_word(&self.value);
                self.mismatch(word, "string");
            }
        }
        self.value = Value::from(wanted);
    }
}

/// The error of a text that is not base 64, in Go's words.
fn base64_failure(text: &str) -> Option<String> {
    let reason = match serde_json::from_value::<ByteString>(Value::from(text)) {
        Ok(_) => return None,
        Err(error) => error.to_string(),
    };
    let offset = match reason.rsplit_once("offset ") {
        Some((_, offset)) => offset.trim_end_matches('.').parse().unwrap_or(0),
        // Too short: Go names the beginning of the last group of four.
        None => text.len() / 4 * 4,
    };
    Some(format!("illegal base64 data at input byte {offset}"))
}
