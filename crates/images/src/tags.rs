//! Which tags a repository has.

/// The rule that says which tags exist.
#[derive(Clone, Copy, Debug)]
pub enum Tags {
    /// Any.
    Any,
    /// Versions `major.minor` and `major.minor.patch` up to the newest minor version of each
    /// major version listed, and the words listed, each alone or followed by a variant:
    /// `1.25`, `1.25.3-alpine`, `latest`, `stable-alpine`.
    Released {
        /// Major versions with their newest minor version.
        newest: &'static [(u32, u32)],
        /// What is no version.
        words: &'static [&'static str],
        /// What can follow, after a hyphen, in any combination.
        variants: &'static [&'static str],
    },
}

/// No project has made that many patch releases of one minor version.
const MAX_PATCH: u32 = 40;

impl Tags {
    /// Whether the tag exists.
    #[must_use]
    pub fn contain(&self, tag: &str) -> bool {
        let Tags::Released { newest, words, variants } = self else { return true };
        let mut parts = tag.split('-');
        let head = parts.next().unwrap_or_default();
        let head_exists =
            words.contains(&head) || variants.contains(&head) || is_released(newest, head);
        head_exists && parts.all(|part| words.contains(&part) || is_variant(variants, part))
    }
}

fn is_released(newest: &[(u32, u32)], version: &str) -> bool {
    let version = version.strip_prefix('v').unwrap_or(version);
    let numbers: Option<Vec<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
    match numbers.as_deref() {
        Some([major]) => newest.iter().any(|(known, _)| known == major),
        Some([major, minor]) => is_minor(newest, *major, *minor),
        Some([major, minor, patch]) => is_minor(newest, *major, *minor) && *patch <= MAX_PATCH,
        _ => false,
    }
}

fn is_minor(newest: &[(u32, u32)], major: u32, minor: u32) -> bool {
    newest.iter().any(|(known, last)| *known == major && minor <= *last)
}

/// A variant, or one with a version of its own: `alpine3.20`.
fn is_variant(variants: &[&str], part: &str) -> bool {
    let name = part.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    variants.contains(&name) || variants.contains(&part)
}

#[cfg(test)]
mod tests {
    use runtime::{ImageCatalogue, ImageReference};

    use crate::Catalogue;

    #[test]
    fn images_exist_or_say_why_not() {
        for (name, want) in [
            ("nginx", ""),
            ("nginx:1.14.2", ""),
            ("nginx:1.25-alpine", ""),
            ("nginx:stable-alpine3.20-slim", ""),
            ("nginx:alpine", ""),
            ("nginx:1.161", "docker.io/library/nginx:1.161: not found"),
            ("nginx:nosuch", "docker.io/library/nginx:nosuch: not found"),
            ("busybox:1.28", ""),
            ("busybox:1.36.1-glibc", ""),
            ("redis:7-alpine", ""),
            ("ngnix", "pull access denied, repository does not exist or may require authorization"),
            ("team/app:v1", ""),
            ("ghcr.io/team/app", ""),
            ("registry.k8s.io/pause:3.10.1", ""),
            ("registry.k8s.io/etcd:3.6.5-0", ""),
            ("registry.k8s.io/kube-scheduler:v1.37.0", ""),
            ("registry.invalid/app:1", "lookup registry.invalid: no such host"),
            ("localhost:5000/app", "dial tcp 127.0.0.1:5000: connect: connection refused"),
        ] {
            let reference = ImageReference::parse(name).expect("a name");
            let message = Catalogue.resolve(&reference).err().map(|error| error.message);
            match message {
                None => assert_eq!(want, "", "{name}"),
                Some(message) => {
                    assert!(!want.is_empty() && message.contains(want), "{name}: {message}");
                }
            }
        }
    }

    #[test]
    fn two_names_of_one_image_have_one_digest() {
        let digest = |name: &str| {
            let reference = ImageReference::parse(name).expect("a name");
            Catalogue.resolve(&reference).expect("an image").digest
        };
        assert_eq!(digest("nginx:1.25"), digest("docker.io/library/nginx:1.25"));
        assert_ne!(digest("nginx:1.25"), digest("nginx:1.26"));
        assert_eq!(digest("nginx").len(), "sha256:".len() + 64);
    }
}
