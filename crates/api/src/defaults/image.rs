//! Names of images: which tag a name has, as far as the default pull policy depends on it.
//!
//! Upstream: pkg/util/parsers/parsers.go and github.com/distribution/reference

/// The pull policy of an image whose container names none: always for the tag `latest`, which
/// is also what a name without tag and digest means.
pub(super) fn default_pull_policy(image: &str) -> &'static str {
    if tag(image) == Some("latest") { "Always" } else { "IfNotPresent" }
}

/// The tag of an image's name; `None` when it has a digest only, or is no name of an image.
fn tag(image: &str) -> Option<&str> {
    let (rest, has_digest) = match image.split_once('@') {
        Some((rest, digest)) if is_digest(digest) => (rest, true),
        Some(_) => return None,
        None => (image, false),
    };
    let path_start = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[path_start..].split_once(':') {
        Some((path, tag)) => (&rest[..path_start + path.len()], Some(tag)),
        None => (rest, None),
    };
    if !is_name(name) || tag.is_some_and(|tag| !is_tag(tag)) {
        return None;
    }
    tag.or(if has_digest { None } else { Some("latest") })
}

/// `sha256:` and at least 32 hexadecimal digits.
fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    algorithm.starts_with(|first: char| first.is_ascii_alphabetic())
        && hex.len() >= 32
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

/// A registry, if the first part looks like one, and a path in lower case.
fn is_name(name: &str) -> bool {
    let is_identifier = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if name.is_empty() || is_identifier {
        return false;
    }
    let path = match name.split_once('/') {
        Some((first, rest)) if is_registry(first) => rest,
        _ => name,
    };
    path.split('/').all(is_path_component)
}

fn is_registry(text: &str) -> bool {
    text == "localhost"
        || text.contains(['.', ':'])
        || text.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Lower case letters and digits, with separators only between them.
fn is_path_component(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().copied().is_some_and(alphanumeric)
        && bytes.last().copied().is_some_and(alphanumeric)
        && bytes.iter().all(|byte| alphanumeric(*byte) || matches!(byte, b'.' | b'_' | b'-'))
        && !text.contains("..")
        && !text.contains("___")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upstream: pkg/util/parsers/parsers_test.go
    #[test]
    fn parse_image_name() {
        let digest = "sha256:ca1ba9ca4d2d69ecfcc5d0cba3c5b0f1dc0e0f3d5a7bd2b2a6a4d0f5f3a4c9a3";
        for (image, want) in [
            ("root", Some("latest")),
            ("root:tag", Some("tag")),
            ("user/repository", Some("latest")),
            ("user/repository:tag", Some("tag")),
            ("hostname.org:5000/user/repository", Some("latest")),
            ("hostname.org:5000/user/repository:1.27-alpine", Some("1.27-alpine")),
            ("registry.k8s.io/pause:3.10", Some("3.10")),
            ("nginx:LATEST", Some("LATEST")),
            ("Nginx", None),
            ("nginx:", None),
            ("", None),
            ("a/b/", None),
        ] {
            assert_eq!(tag(image), want, "{image}");
        }
        assert_eq!(tag(&format!("root@{digest}")), None);
        assert_eq!(tag(&format!("root:v1@{digest}")), Some("v1"));
        assert_eq!(tag("root@sha256:short"), None);
    }
}
