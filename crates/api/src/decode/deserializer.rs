//! A deserializer over JSON values that knows where it is: it names every field that a type
//! skips, and its errors are those of Go's decoder. All typed kinds are read through this one
//! type, so each is compiled once.
//!
//! Upstream: sigs.k8s.io/json, internal/golang/encoding/json/decode.go

use std::any::type_name;
use std::fmt;
use std::str::FromStr;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Number, Value};

use super::go::{named_type, type_word, value_word};
use super::{DecodeError, Problem};
use crate::kinds::Kinded;
use crate::quantity::Quantity;
use crate::{Kind, Object};

/// Reads a typed kind, and adds the paths of the fields that it does not know.
pub(crate) fn decode_typed<T: Kinded>(
    value: Value,
    unknown_fields: &mut Vec<String>,
) -> Result<Object, DecodeError> {
    let mut place = Place::new(T::ID.get(), unknown_fields);
    match T::deserialize(PathDeserializer { value, place: &mut place }) {
        Ok(typed) => Ok(Object::new(typed)),
        Err(failure) => Err(place.error(failure)),
    }
}

/// Where the deserializer is.
struct Place<'a> {
    kind: &'static Kind,
    /// The names of the structs around, outermost first.
    structs: Vec<&'static str>,
    path: Vec<Segment>,
    unknown_fields: &'a mut Vec<String>,
}

enum Segment {
    /// A field of a struct.
    Field(String),
    /// A key of a map.
    Key(String),
    /// An item of a list.
    Index(usize),
}

impl<'a> Place<'a> {
    fn new(kind: &'static Kind, unknown_fields: &'a mut Vec<String>) -> Self {
        Place { kind, structs: Vec::new(), path: Vec::new(), unknown_fields }
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

    /// The error of a value that is no such type.
    fn mismatch(&self, value: &str, wanted: &str) -> Failure {
        let names = self.path.iter().filter_map(|segment| match segment {
            Segment::Field(name) => Some(name.as_str()),
            Segment::Key(_) | Segment::Index(_) => None,
        });
        let names: Vec<&str> = names.collect();
        let (Some(owner), Some(field)) = (self.structs.last(), names.last()) else {
            let text = format!("json: cannot unmarshal {value} into Go value of type {wanted}");
            return Failure(text);
        };
        let wanted = named_type(owner, field, wanted).unwrap_or_else(|| wanted.to_string());
        let path = names.join(".");
        Failure(format!(
            "json: cannot unmarshal {value} into Go struct field {owner}.{path} of type {wanted}"
        ))
    }

    /// An error at the place where the deserializer stopped.
    fn error(&self, failure: Failure) -> DecodeError {
        let Kind { kind, version, .. } = *self.kind;
        let problem = Problem::Malformed { kind, version, reason: failure.0 };
        DecodeError { problem, paths: vec![self.path()] }
    }
}

/// Why reading stopped, in the words of Go's decoder.
#[derive(Debug)]
struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl de::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Failure(message.to_string())
    }
}

struct PathDeserializer<'p, 'u> {
    value: Value,
    place: &'p mut Place<'u>,
}

impl PathDeserializer<'_, '_> {
    fn mismatch(&self, wanted: &str) -> Failure {
        self.place.mismatch(value_word(&self.value), wanted)
    }

    /// A whole number, which `fits` may refuse. Null leaves the zero that was there.
    fn integer<T: Default>(&self, wanted: &str, fits: fn(i64) -> Option<T>) -> Result<T, Failure> {
        match &self.value {
            Value::Null => Ok(T::default()),
            Value::Number(number) => number
                .as_i64()
                .and_then(fits)
                .ok_or_else(|| self.place.mismatch(&format!("number {number}"), wanted)),
            _ => Err(self.mismatch(wanted)),
        }
    }

    /// A quantity in its canonical form, as upstream stores it.
    fn quantity(self) -> Result<Self, Failure> {
        let text = match &self.value {
            Value::Null => "0".to_string(),
            Value::String(text) => text.trim().to_string(),
            other => other.to_string(),
        };
        let quantity = Quantity::parse(&text).map_err(|error| Failure(error.to_string()))?;
        Ok(PathDeserializer { value: Value::String(quantity.to_text().0), ..self })
    }

    /// Refuses what is not a time in RFC 3339.
    fn time(&self, layout: &str) -> Result<(), Failure> {
        let Value::String(text) = &self.value else {
            let value = value_word(&self.value);
            let text = format!("json: cannot unmarshal {value} into Go value of type string");
            return Err(Failure(text));
        };
        match jiff::Timestamp::from_str(text) {
            Ok(_) => Ok(()),
            Err(_) => Err(Failure(format!(
                "parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\""
            ))),
        }
    }

    /// Refuses what is neither a text nor a small whole number.
    fn int_or_string(&self) -> Result<(), Failure> {
        let value = match &self.value {
            Value::String(_) => return Ok(()),
            Value::Number(number) => match number.as_i64().map(i32::try_from) {
                Some(Ok(_)) => return Ok(()),
                _ => format!("number {number}"),
            },
            other => value_word(other).to_string(),
        };
        let text = format!("json: cannot unmarshal {value} into Go value of type int32");
        Err(Failure(text))
    }
}

/// The error of a text that is not base 64, in Go's words.
fn base64_failure(failure: Failure, length: usize) -> Failure {
    let offset = match failure.0.rsplit_once("offset ") {
        Some((_, offset)) => offset.trim_end_matches('.').parse().unwrap_or(0),
        // Too short: Go names the beginning of the last group of four.
        None => length / 4 * 4,
    };
    Failure(format!("illegal base64 data at input byte {offset}"))
}

fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, Failure> {
    if let Some(number) = number.as_i64() {
        visitor.visit_i64(number)
    } else if let Some(number) = number.as_u64() {
        visitor.visit_u64(number)
    } else {
        visitor.visit_f64(number.as_f64().unwrap_or_default())
    }
}

impl<'de> Deserializer<'de> for PathDeserializer<'_, '_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        if type_name::<V::Value>().ends_with("::IntOrString") {
            if self.value.is_null() {
                return visitor.visit_i32(0);
            }
            self.int_or_string()?;
        }
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(truth),
            Value::Number(number) => visit_number(&number, visitor),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => visitor.visit_seq(Items::new(items, self.place)),
            Value::Object(fields) => visitor.visit_map(Fields::new(fields, self.place, false)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let path = self.place.path();
        self.place.unknown_fields.push(path);
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.value {
            Value::Null => visitor.visit_bool(false),
            Value::Bool(truth) => visitor.visit_bool(truth),
            _ => Err(self.mismatch("bool")),
        }
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_i32(self.integer("int32", |number| i32::try_from(number).ok())?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_i64(self.integer("int64", Some)?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.value {
            Value::Null => visitor.visit_f64(0.0),
            Value::Number(number) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            _ => Err(self.mismatch("float64")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let is_base64 = type_name::<V::Value>().ends_with("::ByteString");
        match self.value {
            Value::Null => visitor.visit_str(""),
            Value::String(text) if is_base64 => {
                let length = text.len();
                visitor.visit_string(text).map_err(|failure| base64_failure(failure, length))
            }
            Value::String(text) => visitor.visit_string(text),
            _ if is_base64 => Err(self.mismatch("[]uint8")),
            _ => Err(self.mismatch("string")),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.value {
            Value::Null => visitor.visit_seq(Items::new(Vec::new(), self.place)),
            Value::Array(items) => visitor.visit_seq(Items::new(items, self.place)),
            _ => Err(self.mismatch(&type_word(type_name::<V::Value>()))),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.value {
            Value::Null => visitor.visit_map(Fields::new(Map::new(), self.place, false)),
            Value::Object(fields) => visitor.visit_map(Fields::new(fields, self.place, false)),
            _ => Err(self.mismatch(&type_word(type_name::<V::Value>()))),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let fields = match self.value {
            Value::Null => Map::new(),
            Value::Object(fields) => fields,
            _ => return Err(self.mismatch(&type_word(type_name::<V::Value>()))),
        };
        self.place.structs.push(name);
        let found = visitor.visit_map(Fields::new(fields, self.place, true))?;
        self.place.structs.pop();
        Ok(found)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match name {
            "Quantity" => visitor.visit_newtype_struct(self.quantity()?),
            "Time" => {
                self.time("2006-01-02T15:04:05Z07:00")?;
                visitor.visit_newtype_struct(self)
            }
            "MicroTime" => {
                self.time("2006-01-02T15:04:05.000000Z07:00")?;
                visitor.visit_newtype_struct(self)
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 char bytes byte_buf unit unit_struct tuple
        tuple_struct enum identifier
    }
}

/// The items of a list, each at its index.
struct Items<'p, 'u> {
    items: std::vec::IntoIter<Value>,
    index: usize,
    place: &'p mut Place<'u>,
}

impl<'p, 'u> Items<'p, 'u> {
    fn new(items: Vec<Value>, place: &'p mut Place<'u>) -> Self {
        Items { items: items.into_iter(), index: 0, place }
    }
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Failure> {
        let Some(value) = self.items.next() else {
            return Ok(None);
        };
        self.place.path.push(Segment::Index(self.index));
        self.index += 1;
        let found = seed.deserialize(PathDeserializer { value, place: self.place })?;
        self.place.path.pop();
        Ok(Some(found))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// The fields of a struct or the entries of a map, each under its name.
struct Fields<'p, 'u> {
    fields: serde_json::map::IntoIter,
    value: Option<Value>,
    is_struct: bool,
    place: &'p mut Place<'u>,
}

impl<'p, 'u> Fields<'p, 'u> {
    fn new(fields: Map<String, Value>, place: &'p mut Place<'u>, is_struct: bool) -> Self {
        Fields { fields: fields.into_iter(), value: None, is_struct, place }
    }
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Failure> {
        let Some((name, value)) = self.fields.next() else {
            return Ok(None);
        };
        let deserializer: StrDeserializer<'_, Failure> = name.as_str().into_deserializer();
        let key = seed.deserialize(deserializer)?;
        let segment = if self.is_struct { Segment::Field(name) } else { Segment::Key(name) };
        self.place.path.push(segment);
        self.value = Some(value);
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        let value = self.value.take().unwrap_or_default();
        let found = seed.deserialize(PathDeserializer { value, place: self.place })?;
        self.place.path.pop();
        Ok(found)
    }
}
