//! The token with which a list goes on: unpadded URL-safe base64 of a small JSON object.
//!
//! Upstream: staging/src/k8s.io/apiserver/pkg/storage/continue.go

use api::Status;
use serde_json::{Value, json};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Where a list goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The revision of the list, or `None` for a list that goes on at whatever is newest.
    pub(super) revision: Option<u64>,
    /// The key of the last object that was listed, as it is below the list's root:
    /// `namespace/name`, or `name` alone.
    pub(super) last: String,
}

impl Position {
    /// The token that says this.
    pub(super) fn token(&self) -> String {
        let revision = match self.revision {
            Some(revision) => json!(revision),
            None => json!(-1),
        };
        // The key behind the last one is that key with a zero byte.
        let start = Value::String(format!("{}\0", self.last));
        let text = format!("{{\"v\":\"meta.k8s.io/v1\",\"rv\":{revision},\"start\":{start}}}");
        encode(text.as_bytes())
    }

    /// What a token says.
    pub(super) fn parse(token: &str) -> Result<Position, Status> {
        let invalid = |why: &str| Status::bad_request(format!("continue key is not valid: {why}"));
        let bytes = decode(token).ok_or_else(|| invalid("illegal base64 data"))?;
        let value: Value =
            serde_json::from_slice(&bytes).map_err(|error| invalid(&error.to_string()))?;
        match value.get("v").and_then(Value::as_str) {
            Some("meta.k8s.io/v1") => {}
            version => {
                let version = version.unwrap_or_default();
                let words = format!("server does not recognize this encoded version {version:?}");
                return Err(invalid(&words));
            }
        }
        let revision = value.get("rv").and_then(Value::as_i64).unwrap_or(0);
        if revision == 0 {
            return Err(invalid(
                "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
            ));
        }
        let start = value.get("start").and_then(Value::as_str).unwrap_or_default();
        if start.is_empty() {
            return Err(invalid("encoded start key empty (version meta.k8s.io/v1)"));
        }
        let last = start.strip_suffix('\0').unwrap_or(start).to_string();
        Ok(Position { revision: u64::try_from(revision).ok(), last })
    }
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=chunk.len() {
            let index = (group >> (18 - 6 * digit)) & 0x3f;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text
        .bytes()
        .map(|byte| ALPHABET.iter().position(|letter| *letter == byte))
        .map(|index| index.and_then(|index| u32::try_from(index).ok()))
        .collect::<Option<_>>()?;
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for chunk in digits.chunks(4) {
        if chunk.len() == 1 {
            return None;
        }
        let group =
            (0..4).fold(0, |group, index| group << 6 | chunk.get(index).copied().unwrap_or(0));
        bytes.extend(group.to_be_bytes().into_iter().skip(1).take(chunk.len() - 1));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back_as_they_were_written() {
        for revision in [Some(1), Some(u64::from(u32::MAX)), None] {
            for last in ["web", "default/web-1", "kube-system/ä"] {
                let position = Position { revision, last: last.to_string() };
                assert_eq!(Position::parse(&position.token()), Ok(position));
            }
        }
    }

    #[test]
    fn a_token_is_what_upstream_writes() {
        // base64url of {"v":"meta.k8s.io/v1","rv":1,"start":"key\u0000"}
        let position = Position { revision: Some(1), last: "key".to_string() };
        let want = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJrZXlcdTAwMDAifQ";
        assert_eq!(position.token(), want);
    }

    #[test]
    fn other_texts_are_no_tokens() {
        for text in ["", "A", "?", "e30", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MH0"] {
            assert!(Position::parse(text).is_err(), "{text:?}");
        }
    }
}
