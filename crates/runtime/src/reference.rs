//! Names of images: `nginx`, `quay.io/org/name:tag`, `name@sha256:…`.
//!
//! Upstream: github.com/distribution/reference (normalize.go, reference.go) and
//! pkg/util/parsers/parsers.go.

use std::fmt;

const DEFAULT_REGISTRY: &str = "docker.io";
const LEGACY_REGISTRY: &str = "index.docker.io";
const OFFICIAL_PREFIX: &str = "library/";
const DEFAULT_TAG: &str = "latest";
const LONGEST_NAME_BYTES: usize = 255;

/// A parsed image name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageReference {
    /// The registry: `docker.io`.
    pub registry: String,
    /// The repository within it: `library/nginx`.
    pub path: String,
    /// The tag; `latest` when neither tag nor digest is given.
    pub tag: Option<String>,
    /// The digest, when one is given.
    pub digest: Option<String>,
    /// The name as it was written, with the default tag where neither tag nor digest was given.
    pub familiar: String,
}

/// Why a name is no image name, in the words of the reference parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidReference(pub String);

impl fmt::Display for InvalidReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ImageReference {
    /// Parses a name as people write it.
    ///
    /// # Errors
    /// The parser's words, when the name is malformed.
    pub fn parse(name: &str) -> Result<Self, InvalidReference> {
        parse(name)
            .map_err(|why| InvalidReference(format!("couldn't parse image name {name:?}: {why}")))
    }

    /// The repository with its registry: `docker.io/library/nginx`.
    #[must_use]
    pub fn repository(&self) -> String {
        format!("{}/{}", self.registry, self.path)
    }
}

impl fmt::Display for ImageReference {
    /// The whole name, as a container runtime reports it: `docker.io/library/nginx:latest`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)?;
        match (&self.tag, &self.digest) {
            (_, Some(digest)) => write!(f, "@{digest}"),
            (Some(tag), None) => write!(f, ":{tag}"),
            (None, None) => Ok(()),
        }
    }
}

const MALFORMED: &str = "invalid reference format";

fn parse(name: &str) -> Result<ImageReference, String> {
    if is_identifier(name) {
        return Err(format!(
            "invalid repository name ({name}), cannot specify 64-byte hexadecimal strings"
        ));
    }
    let (registry, remainder) = split_registry(name);
    let remote_name = remainder.split([':', '@']).next().unwrap_or_default();
    if remote_name.chars().any(|letter| letter.is_ascii_uppercase()) {
        return Err(format!("{MALFORMED}: repository name ({remote_name}) must be lowercase"));
    }
    let (named, digest) = match remainder.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (remainder.as_str(), None),
    };
    let (path, tag) = match named.rsplit_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (named, None),
    };
    let well_formed = is_registry(&registry)
        && path.split('/').all(is_path_component)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest);
    if !well_formed {
        return Err(MALFORMED.to_string());
    }
    if registry.len() + 1 + path.len() > LONGEST_NAME_BYTES {
        return Err("repository name must not be more than 255 characters".to_string());
    }
    let implied = tag.is_none() && digest.is_none();
    Ok(ImageReference {
        path: path.to_string(),
        tag: tag.map(str::to_string).or_else(|| implied.then(|| DEFAULT_TAG.to_string())),
        digest: digest.map(str::to_string),
        familiar: if implied { format!("{name}:{DEFAULT_TAG}") } else { name.to_string() },
        registry,
    })
}

/// The registry and what remains, with the parts that a short name leaves out.
fn split_registry(name: &str) -> (String, String) {
    let (registry, remainder) = match name.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first.chars().any(|letter| letter.is_ascii_uppercase()) =>
        {
            (first, rest)
        }
        _ => (DEFAULT_REGISTRY, name),
    };
    let registry = if registry == LEGACY_REGISTRY { DEFAULT_REGISTRY } else { registry };
    let official = registry == DEFAULT_REGISTRY && !remainder.contains('/');
    let prefix = if official { OFFICIAL_PREFIX } else { "" };
    (registry.to_string(), format!("{prefix}{remainder}"))
}

fn is_identifier(name: &str) -> bool {
    name.len() == 64 && name.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f'))
}

fn is_registry(registry: &str) -> bool {
    let (host, port) = match registry.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (registry, None),
    };
    let digits = |port: &str| !port.is_empty() && port.chars().all(|digit| digit.is_ascii_digit());
    host.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
    }) && port.is_none_or(digits)
}

/// Lower-case letters and digits, with single dots, one or two underscores, or any number of
/// hyphens between them.
fn is_path_component(component: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    if !component.starts_with(plain) || !component.ends_with(plain) {
        return false;
    }
    component.split(plain).all(|separator| {
        matches!(separator, "" | "." | "_" | "__") || separator.chars().all(|letter| letter == '-')
    })
}

fn is_tag(tag: &str) -> bool {
    let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    tag.starts_with(word)
        && tag.len() <= 128
        && tag.chars().all(|letter| word(letter) || matches!(letter, '.' | '-'))
}

fn is_digest(digest: &str) -> bool {
    digest.strip_prefix("sha256:").is_some_and(is_identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upstream: pkg/util/parsers/parsers_test.go, TestParseImageName, and the normalisation
    /// table of distribution/reference.
    #[test]
    fn names_are_completed_as_the_container_runtime_completes_them() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let with_digest = format!("root@{digest}");
        for (name, want) in [
            ("root", "docker.io/library/root:latest"),
            ("root:tag", "docker.io/library/root:tag"),
            (with_digest.as_str(), &format!("docker.io/library/root@{digest}")),
            ("user/repo", "docker.io/user/repo:latest"),
            ("user/repo:v1.2", "docker.io/user/repo:v1.2"),
            ("index.docker.io/library/nginx", "docker.io/library/nginx:latest"),
            ("docker.io/nginx:1", "docker.io/library/nginx:1"),
            ("registry.k8s.io/pause:3.10.1", "registry.k8s.io/pause:3.10.1"),
            ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
            ("quay.io/org/a--b__c.d:x", "quay.io/org/a--b__c.d:x"),
        ] {
            let reference = ImageReference::parse(name).expect(name);
            assert_eq!(reference.to_string(), want);
        }
    }

    #[test]
    fn malformed_names_are_refused_in_the_parsers_words() {
        for (name, want) in [
            ("ROOT", "invalid reference format: repository name (library/ROOT) must be lowercase"),
            ("nginx:", "invalid reference format"),
            ("nginx latest", "invalid reference format"),
            ("/nginx", "invalid reference format"),
            ("nginx:1.0:2", "invalid reference format"),
            ("nginx@sha256:short", "invalid reference format"),
            ("", "invalid reference format"),
        ] {
            let error = ImageReference::parse(name).expect_err(name);
            assert_eq!(error.0, format!("couldn't parse image name {name:?}: {want}"));
        }
    }
}
