//! The one place that knows how requests and messages look on the wire: JSON text today.

use thiserror::Error;

use crate::{Message, Request};

/// A text that is not what the other side should have sent, or a value that has no text.
#[derive(Debug, Error)]
#[error("protocol: {0}")]
pub struct CodecError(#[from] serde_json::Error);

/// Messages of the worker as text.
pub fn encode(messages: &[Message]) -> Result<String, CodecError> {
    Ok(serde_json::to_string(messages)?)
}

/// The other way of [`encode`].
pub fn decode(text: &str) -> Result<Vec<Message>, CodecError> {
    Ok(serde_json::from_str(text)?)
}

/// A request of the page as text.
pub fn encode_request(request: &Request) -> Result<String, CodecError> {
    Ok(serde_json::to_string(request)?)
}

/// The other way of [`encode_request`].
pub fn decode_request(text: &str) -> Result<Request, CodecError> {
    Ok(serde_json::from_str(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Command, Delta, ObjectRef, WorkloadRow};

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
            Command::SetSpeed(0.1),
            Command::Step,
        ];
        for (id, command) in (1..).zip(commands) {
            let request = Request { id, command };
            let text = encode_request(&request).unwrap();
            assert_eq!(decode_request(&text).unwrap(), request, "{text}");
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
            }),
        ];
        assert_eq!(decode(&encode(&messages).unwrap()).unwrap(), messages);
    }

    #[test]
    fn a_text_of_another_shape_is_an_error() {
        assert!(decode("{}").is_err());
        assert!(decode("[{\"unheard_of\":1}]").is_err());
        assert!(decode_request("").is_err());
    }
}
