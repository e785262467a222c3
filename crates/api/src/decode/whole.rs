//! Every field of every kind, set to what it does not take: reading says so, and never fails in
//! another way. The objects with all fields are made from what the types ask of a deserializer.

use std::any::type_name;

use serde::de::value::{Error, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Value, json};

use super::{FieldValidation, decode_as};
use crate::encode::to_value;
use crate::{Kind, kinds};

/// Gives a type one of everything that it asks for.
#[derive(Clone, Copy, Default)]
struct Whole {
    newtype: &'static str,
}

impl<'de> Deserializer<'de> for Whole {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i64(1)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(true)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match (type_name::<V::Value>().rsplit("::").next(), self.newtype) {
            (Some("Timestamp"), _) => visitor.visit_str("1970-01-01T00:00:00Z"),
            (Some("ByteString"), _) => visitor.visit_str("YQ=="),
            (_, "Quantity") => visitor.visit_str("1"),
            _ => visitor.visit_str("text"),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Once(true))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Names(["key"].iter()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        // A kind gives its own version and kind.
        let fields = fields.strip_prefix(&["apiVersion", "kind"]).unwrap_or(fields);
        visitor.visit_map(Names(fields.iter()))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        newtype: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(Whole { newtype })
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple
        tuple_struct enum identifier ignored_any
    }
}

struct Once(bool);

impl<'de> SeqAccess<'de> for Once {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if std::mem::take(&mut self.0) {
            seed.deserialize(Whole::default()).map(Some)
        } else {
            Ok(None)
        }
    }
}

struct Names(std::slice::Iter<'static, &'static str>);

impl<'de> MapAccess<'de> for Names {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some(name) = self.0.next() else { return Ok(None) };
        let name: StrDeserializer<'_, Error> = (*name).into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(Whole::default())
    }
}

/// An object of the type with all its fields.
pub(crate) fn whole<T: DeserializeOwned + serde::Serialize>() -> Value {
    to_value(&T::deserialize(Whole::default()).unwrap())
}

/// Gives a whole in which a value stands at some place.
type Replaced<'a> = dyn Fn(Value) -> Value + 'a;

/// Calls `visit` for every value within a value, with a function that gives the whole where
/// another value stands there, and nothing beside it or beside what is around it.
fn visit_places(value: &Value, around: &Replaced<'_>, visit: &mut dyn FnMut(&Replaced<'_>)) {
    visit(around);
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                visit_places(field, &|value| around(json!({ name: value })), visit);
            }
        }
        Value::Array(items) => {
            for item in items {
                visit_places(item, &|value| around(json!([value])), visit);
            }
        }
        _ => {}
    }
}

fn check(kind: &'static Kind, whole: &Value) {
    let read = |value: Value| decode_as(kind, value, FieldValidation::Strict);
    assert_eq!(read(whole.clone()).unwrap().object.to_value(), *whole, "{}", kind.kind);
    let others = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(""),
        json!("=text"),
        json!([]),
        json!(["text"]),
        json!([[null]]),
        json!({}),
        json!({"unknown": {"deep": [1]}}),
        json!({"apiVersion": "v0", "kind": 1}),
        json!({"kind": "None", "metadata": null}),
    ];
    let (mut tried, mut refused) = (0, 0);
    visit_places(whole, &|value| value, &mut |replaced| {
        for other in &others {
            tried += 1;
            if let Err(error) = read(replaced(other.clone())) {
                assert_ne!(error.paths, Vec::<String>::new());
                refused += 1;
            }
        }
    });
    assert!(refused > tried / 3 && refused < tried, "{}: {refused} of {tried}", kind.kind);
}

#[test]
fn no_field_of_a_kind_takes_more_than_it_says() {
    for (kind, whole) in kinds::whole() {
        check(kind, &whole);
    }
}
