//! A deserializer over JSON values that knows where it is: it names every field that a type
//! skips, and its errors are those of Go's decoder. All typed kinds are read through this one
//! type, so each is compiled once. What does not fit is noted with its place, once, and reading
//! goes on with a zero in its stead: so no field's code asks whether reading it failed.
//!
//! Upstream: sigs.k8s.io/json, internal/golang/encoding/json/decode.go

use std::any::type_name;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Number, Value};

use super::DecodeError;
use super::place::Place;
use crate::Object;
use crate::kinds::Kinded;

/// Reads a typed kind, and adds the paths of the fields that it does not know.
pub(crate) fn decode_typed<T: Kinded>(
    value: Value,
    unknown_fields: &mut Vec<String>,
) -> Result<Object, DecodeError> {
    let mut place = Place::new(T::ID.get(), value, unknown_fields);
    let typed = match T::deserialize(PathDeserializer(&mut place)) {
        Ok(typed) => typed,
        Err(never) => match never {},
    };
    match place.failure {
        None => Ok(Object::new(typed)),
        Some(failure) => Err(failure),
    }
}

/// The error of what cannot fail.
#[derive(Debug)]
enum Never {}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for Never {}

impl de::Error for Never {
    fn custom<T: fmt::Display>(_: T) -> Self {
        unreachable!("a type is given only what it takes")
    }
}

struct PathDeserializer<'p, 'u>(&'p mut Place<'u>);

fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, Never> {
    if let Some(number) = number.as_i64() {
        visitor.visit_i64(number)
    } else if let Some(number) = number.as_u64() {
        visitor.visit_u64(number)
    } else {
        visitor.visit_f64(number.as_f64().unwrap_or_default())
    }
}

impl<'de> Deserializer<'de> for PathDeserializer<'_, '_> {
    type Error = Never;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        match self.0.any(type_name::<V::Value>()) {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(truth),
            Value::Number(number) => visit_number(&number, visitor),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => {
                self.0.begin_items(items);
                let found = visitor.visit_seq(Items(&mut *self.0))?;
                self.0.end();
                Ok(found)
            }
            Value::Object(fields) => {
                self.0.begin_fields(fields, false);
                let found = visitor.visit_map(Fields(&mut *self.0))?;
                self.0.end();
                Ok(found)
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        self.0.unknown_field();
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        visitor.visit_bool(self.0.bool())
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        visitor.visit_i32(self.0.integer("int32", |number| i32::try_from(number).ok()))
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        visitor.visit_i64(self.0.integer("int64", Some))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        visitor.visit_f64(self.0.float())
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        visitor.visit_string(self.0.text(type_name::<V::Value>()))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        self.0.begin_list(type_name::<V::Value>());
        let found = visitor.visit_seq(Items(&mut *self.0))?;
        self.0.end();
        Ok(found)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        self.0.begin_map(type_name::<V::Value>());
        let found = visitor.visit_map(Fields(&mut *self.0))?;
        self.0.end();
        Ok(found)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Never> {
        self.0.begin_struct(name, type_name::<V::Value>());
        let found = visitor.visit_map(Fields(&mut *self.0))?;
        self.0.end_struct();
        Ok(found)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Never> {
        self.0.newtype(name);
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 char bytes byte_buf unit unit_struct tuple
        tuple_struct enum identifier
    }
}

/// The items of the list that the place is in.
struct Items<'p, 'u>(&'p mut Place<'u>);

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Never;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Never> {
        if !self.0.next_item() {
            return Ok(None);
        }
        seed.deserialize(PathDeserializer(&mut *self.0)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.items_left())
    }
}

/// The fields of the struct or the entries of the map that the place is in.
struct Fields<'p, 'u>(&'p mut Place<'u>);

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Never;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Never> {
        let Some(name) = self.0.next_field() else {
            return Ok(None);
        };
        let name: StrDeserializer<'_, Never> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Never> {
        seed.deserialize(PathDeserializer(&mut *self.0))
    }
}
