//! The one place that knows how requests and messages look on the wire: postcard, a compact
//! binary form. Both sides are always of one build, so the form needs no names and no versions,
//! and the page needs far less code to read it than it would for JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::{Message, Request};

/// Bytes that are not what the other side should have sent, or a value that has no bytes.
#[derive(Debug, Error)]
#[error("protocol: {0}")]
pub struct CodecError(postcard::Error);

/// Messages of the worker as bytes.
pub fn encode(messages: &[Message]) -> Result<Vec<u8>, CodecError> {
    write(messages)
}

/// The other way of [`encode`].
pub fn decode(bytes: &[u8]) -> Result<Vec<Message>, CodecError> {
    read(bytes)
}

/// A request of the page as bytes.
pub fn encode_request(request: &Request) -> Result<Vec<u8>, CodecError> {
    write(request)
}

/// The other way of [`encode_request`].
pub fn decode_request(bytes: &[u8]) -> Result<Request, CodecError> {
    read(bytes)
}

fn write<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    postcard::to_allocvec(value).map_err(CodecError)
}

/// Reads a value; bytes left over are as wrong as bytes that are missing.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(CodecError(postcard::Error::DeserializeBadEncoding)),
        Err(error) => Err(CodecError(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Command, Delta, ObjectRef, ProbeRow, WorkloadRow};

    fn deployment() -> ObjectRef {
        ObjectRef {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: "default".into(),
            name: "web".into(),
        }
    }

    #[test]
    fn a_request_survives_the_wire() {
        let commands = [
            Command::Boot { seed: u64::MAX, nodes: 3 },
            Command::Apply { text: "kind: Pod\n---\n# \"quoted\" 中文\n".into() },
            Command::ScaleObject { object: deployment(), replicas: 10 },
            Command::StopTraffic { name: "web".into() },
            Command::SetSpeed(0.1),
            Command::Step,
        ];
        for (id, command) in (1..).zip(commands) {
            let request = Request { id, command };
            let bytes = encode_request(&request).unwrap();
            assert_eq!(decode_request(&bytes).unwrap(), request);
        }
    }

    #[test]
    fn messages_survive_the_wire_in_order() {
        let row = WorkloadRow {
            uid: "1".into(),
            object: deployment(),
            owner: None,
            desired: 3,
            current: 3,
            updated: 3,
            ready: 1,
            available: 1,
            images: vec!["nginx:1.14.2".into()],
            terminating: false,
            created_ms: 1_700_000_000_123,
        };
        let messages = vec![
            Message::Fatal { message: "line\nbreak".into() },
            Message::Batch(Batch {
                sequence: 7,
                reset: false,
                now_ms: 1_700_000_000_123,
                running: true,
                speed_achieved: 1.5,
                behind: false,
                quiet: false,
                events_handled: 12,
                deltas: vec![Delta::Workload(row), Delta::PodRemoved("2".into())],
                packets: vec![],
                packets_left_off: 3,
                lanes: vec![],
                probes: vec![ProbeRow { pod: "2".into(), kind: 1, success: true }],
            }),
        ];
        assert_eq!(decode(&encode(&messages).unwrap()).unwrap(), messages);
    }

    #[test]
    fn bytes_of_another_shape_are_an_error() {
        let request = Request { id: 1, command: Command::Pause };
        let mut bytes = encode_request(&request).unwrap();
        assert!(decode_request(&bytes[..bytes.len() - 1]).is_err(), "too short");
        bytes.push(0);
        assert!(decode_request(&bytes).is_err(), "too long");
        assert!(decode_request(&[1, 250]).is_err(), "no such command");
        assert!(decode(b"[{}]").is_err());
    }
}
