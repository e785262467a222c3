//! A serializer that says to a sink what it meets. The types of all kinds are written through
//! this one type, whatever becomes of them, so each is compiled once; and since writing them
//! cannot fail, no field's code asks whether it did.

mod serializer;
mod sinks;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::Value;
use sim::Digest;

use serializer::Encoder;
use sinks::{DigestSink, Sink, ValueSink};

/// The value as JSON. Its maps must have texts as keys, as those of the typed kinds have.
#[must_use]
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Value {
    let mut sink = ValueSink::default();
    write(value, &mut sink);
    sink.into_value()
}

/// Adds the value to a digest.
pub(crate) fn digest<T: Serialize + ?Sized>(value: &T, digest: &mut Digest) {
    write(value, &mut DigestSink(digest));
}

fn write<T: Serialize + ?Sized>(value: &T, sink: &mut dyn Sink) {
    match value.serialize(&mut Encoder::new(sink)) {
        Ok(()) => {}
        Err(never) => match never {},
    }
}
