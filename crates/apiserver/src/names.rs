//! UIDs and generated names.

use sim::Stream;

/// A random UID in the form of a version 4 UUID. Upstream: apimachinery/pkg/util/uuid
pub(crate) fn uid(stream: &mut Stream) -> String {
    let (high, low) = (stream.next_u64(), stream.next_u64());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff,
    )
}

const MAX_GENERATED_LENGTH: usize = 63;
const RANDOM_LENGTH: usize = 5;
/// Without vowels and look-alikes. Upstream: apimachinery/pkg/util/rand
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// A name that begins with `base`. Upstream: apiserver/pkg/storage/names/generate.go
pub(crate) fn generate(base: &str, stream: &mut Stream) -> String {
    let longest = MAX_GENERATED_LENGTH - RANDOM_LENGTH;
    let end = (0..=base.len().min(longest)).rev().find(|end| base.is_char_boundary(*end));
    let mut name = base[..end.unwrap_or(0)].to_string();
    for _ in 0..RANDOM_LENGTH {
        let index = stream.below(ALPHABET.len() as u64);
        let letter = usize::try_from(index).ok().and_then(|index| ALPHABET.get(index));
        name.push(char::from(*letter.unwrap_or(&b'x')));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_keep_their_base_and_fit_a_label() {
        let mut stream = Stream::new(1, "names");
        let short = generate("web-", &mut stream);
        assert!(short.starts_with("web-") && short.len() == 9, "{short}");
        assert_eq!(generate(&"x".repeat(80), &mut stream).len(), MAX_GENERATED_LENGTH);
    }

    #[test]
    fn uids_are_version_4_uuids() {
        let uid = uid(&mut Stream::new(1, "uids"));
        assert_eq!(uid.len(), 36);
        assert_eq!(uid.as_bytes()[14], b'4');
        assert!("89ab".contains(char::from(uid.as_bytes()[19])));
    }
}
