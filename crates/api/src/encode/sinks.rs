//! What becomes of a value that is written: JSON, or a part of a digest.

use serde_json::{Map, Value};
use sim::Digest;

/// What is made of a value.
pub(super) trait Sink {
    fn value(&mut self, value: Scalar<'_>);
    fn begin_list(&mut self);
    fn end_list(&mut self);
    fn begin_map(&mut self);
    fn key(&mut self, key: &str);
    fn end_map(&mut self);
}

/// A value without parts.
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(&'a str),
}

/// Builds JSON.
#[derive(Default)]
pub(super) struct ValueSink {
    root: Value,
    /// The lists and maps around, outermost first, and the key of each within its parent.
    open: Vec<(String, Value)>,
    key: String,
}

impl ValueSink {
    /// What was built.
    pub(super) fn into_value(self) -> Value {
        self.root
    }

    fn put(&mut self, key: String, value: Value) {
        match self.open.last_mut() {
            Some((_, Value::Array(items))) => items.push(value),
            Some((_, Value::Object(fields))) => {
                fields.insert(key, value);
            }
            _ => self.root = value,
        }
    }

    fn begin(&mut self, value: Value) {
        let key = std::mem::take(&mut self.key);
        self.open.push((key, value));
    }

    fn end(&mut self) {
        if let Some((key, value)) = self.open.pop() {
            self.put(key, value);
        }
    }
}

impl Sink for ValueSink {
    fn value(&mut self, value: Scalar<'_>) {
        let value = match value {
            Scalar::Null => Value::Null,
            Scalar::Bool(truth) => Value::Bool(truth),
            Scalar::Signed(number) => Value::from(number),
            Scalar::Unsigned(number) => Value::from(number),
            Scalar::Float(number) => Value::from(number),
            Scalar::Text(text) => Value::from(text),
        };
        let key = std::mem::take(&mut self.key);
        self.put(key, value);
    }

    fn begin_list(&mut self) {
        self.begin(Value::Array(Vec::new()));
    }

    fn end_list(&mut self) {
        self.end();
    }

    fn begin_map(&mut self) {
        self.begin(Value::Object(Map::new()));
    }

    fn key(&mut self, key: &str) {
        key.clone_into(&mut self.key);
    }

    fn end_map(&mut self) {
        self.end();
    }
}

/// Adds each part to a digest under a number that says what it is.
pub(super) struct DigestSink<'d>(pub(super) &'d mut Digest);

impl Sink for DigestSink<'_> {
    fn value(&mut self, value: Scalar<'_>) {
        match value {
            Scalar::Null => self.0.u64(0),
            Scalar::Bool(truth) => {
                self.0.u64(1);
                self.0.bool(truth);
            }
            Scalar::Signed(number) => {
                self.0.u64(2);
                self.0.i64(number);
            }
            Scalar::Unsigned(number) => {
                self.0.u64(3);
                self.0.u64(number);
            }
            Scalar::Float(number) => {
                self.0.u64(4);
                self.0.u64(number.to_bits());
            }
            Scalar::Text(text) => {
                self.0.u64(5);
                self.0.str(text);
            }
        }
    }

    fn begin_list(&mut self) {
        self.0.u64(6);
    }

    fn end_list(&mut self) {
        self.0.u64(7);
    }

    fn begin_map(&mut self) {
        self.0.u64(8);
    }

    fn key(&mut self, key: &str) {
        self.0.str(key);
    }

    fn end_map(&mut self) {
        self.0.u64(9);
    }
}
