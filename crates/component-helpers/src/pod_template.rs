//! Pod templates: comparing them, naming them, and making pods of them.
//!
//! Upstream: pkg/controller/controller_utils.go and
//! pkg/controller/deployment/util/deployment_util.go

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{Pod, PodTemplateSpec};
use api::openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

/// The label that tells the pods of one ReplicaSet of a Deployment from those of another.
pub const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// The labels of a template.
#[must_use]
pub fn labels(template: &PodTemplateSpec) -> Option<&BTreeMap<String, String>> {
    template.metadata.as_ref().and_then(|meta| meta.labels.as_ref())
}

/// Whether two templates make the same pods, the label of the hash aside.
#[must_use]
pub fn equal_ignoring_hash(one: &PodTemplateSpec, other: &PodTemplateSpec) -> bool {
    let labels_of = |template| {
        labels(template).into_iter().flatten().filter(|(key, _)| key.as_str() != POD_TEMPLATE_HASH)
    };
    let none = ObjectMeta::default();
    let one_meta = one.metadata.as_ref().unwrap_or(&none);
    let other_meta = other.metadata.as_ref().unwrap_or(&none);
    let (one_notes, other_notes) = (&one_meta.annotations, &other_meta.annotations);
    labels_of(one).eq(labels_of(other))
        && one_notes.iter().flatten().eq(other_notes.iter().flatten())
        && is_alike(one_meta, other_meta)
        && one.spec == other.spec
}

/// Whether two metadata are the same, labels and annotations aside.
fn is_alike(one: &ObjectMeta, other: &ObjectMeta) -> bool {
    let ObjectMeta {
        annotations: _,
        labels: _,
        creation_timestamp,
        deletion_grace_period_seconds,
        deletion_timestamp,
        finalizers,
        generate_name,
        generation,
        managed_fields,
        name,
        namespace,
        owner_references,
        resource_version,
        self_link,
        uid,
    } = one;
    *creation_timestamp == other.creation_timestamp
        && *deletion_grace_period_seconds == other.deletion_grace_period_seconds
        && *deletion_timestamp == other.deletion_timestamp
        && *finalizers == other.finalizers
        && *generate_name == other.generate_name
        && *generation == other.generation
        && *managed_fields == other.managed_fields
        && *name == other.name
        && *namespace == other.namespace
        && *owner_references == other.owner_references
        && *resource_version == other.resource_version
        && *self_link == other.self_link
        && *uid == other.uid
}

/// The hash of a template, as the label carries it. A collision changes the count and with it
/// the hash. The digits are upstream's for no template: upstream hashes Go's own dump of it.
#[must_use]
pub fn compute_hash(template: &PodTemplateSpec, collision_count: Option<i32>) -> String {
    // Through the one format that objects have at the edge: it always succeeds, since all maps
    // have text keys, and it names fields in the order of their names.
    let value = api::encode::to_value(template);
    let mut bytes = value.to_string().into_bytes();
    if let Some(count) = collision_count {
        bytes.extend(count.to_le_bytes());
        bytes.extend([0; 4]);
    }
    safe_encode(&fnv_1a(&bytes).to_string())
}

fn fnv_1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// The same text in letters that make no words. Upstream: apimachinery/pkg/util/rand,
/// SafeEncodeString.
fn safe_encode(text: &str) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    text.bytes().map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])).collect()
}

/// The pod that a controller makes of its template: the API server completes the name.
/// Upstream: GetPodFromTemplate.
#[must_use]
pub fn pod_of(template: &PodTemplateSpec, owner: &OwnerReference, namespace: &str) -> Pod {
    let meta = template.metadata.as_ref();
    let metadata = ObjectMeta {
        namespace: Some(namespace.to_string()),
        generate_name: Some(format!("{}-", owner.name)),
        labels: meta.and_then(|meta| meta.labels.clone()),
        annotations: meta.and_then(|meta| meta.annotations.clone()),
        finalizers: meta.and_then(|meta| meta.finalizers.clone()),
        owner_references: Some(vec![owner.clone()]),
        ..ObjectMeta::default()
    };
    Pod { metadata, spec: template.spec.clone(), status: None }
}

#[cfg(test)]
mod tests {
    use api::openapi::api::core::v1::{Container, PodSpec};

    use super::*;

    fn template(image: &str, labels: &[(&str, &str)]) -> PodTemplateSpec {
        let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let container = Container { image: Some(image.into()), ..Container::default() };
        PodTemplateSpec {
            metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
            spec: Some(PodSpec { containers: vec![container], ..PodSpec::default() }),
        }
    }

    /// Upstream: deployment_util_test.go, TestEqualIgnoreHash.
    #[test]
    fn templates_are_compared_without_their_hash() {
        let cases = [
            (
                "Same spec, same labels",
                template("a", &[(POD_TEMPLATE_HASH, "value-1"), ("something", "else")]),
                template("a", &[(POD_TEMPLATE_HASH, "value-1"), ("something", "else")]),
                true,
            ),
            (
                "Same spec, only pod-template-hash label value is different",
                template("a", &[(POD_TEMPLATE_HASH, "value-1"), ("something", "else")]),
                template("a", &[(POD_TEMPLATE_HASH, "value-2"), ("something", "else")]),
                true,
            ),
            (
                "Same spec, the former doesn't have pod-template-hash label",
                template("a", &[("something", "else")]),
                template("a", &[(POD_TEMPLATE_HASH, "value-2"), ("something", "else")]),
                true,
            ),
            (
                "Same spec, the label is different, the former doesn't have pod-template-hash label, same number of labels",
                template("a", &[("something", "else")]),
                template("a", &[(POD_TEMPLATE_HASH, "value-2")]),
                false,
            ),
            (
                "Same spec, the label is different, the latter doesn't have pod-template-hash label, same number of labels",
                template("a", &[(POD_TEMPLATE_HASH, "value-1")]),
                template("a", &[("something", "else")]),
                false,
            ),
            (
                "Same spec, the label is different, and the pod-template-hash label value is the same",
                template("a", &[(POD_TEMPLATE_HASH, "value-1")]),
                template("a", &[(POD_TEMPLATE_HASH, "value-1"), ("something", "else")]),
                false,
            ),
            (
                "Different spec, same labels",
                template("a", &[("former", "value")]),
                template("b", &[("former", "value")]),
                false,
            ),
        ];
        for (name, one, other, want) in cases {
            assert_eq!(equal_ignoring_hash(&one, &other), want, "{name}");
            assert_eq!(equal_ignoring_hash(&other, &one), want, "{name}, swapped");
        }
    }

    #[test]
    fn the_hash_follows_the_template_and_the_collisions() {
        let one = compute_hash(&template("a", &[]), None);
        assert_eq!(one, compute_hash(&template("a", &[]), None));
        assert_ne!(one, compute_hash(&template("b", &[]), None));
        assert_ne!(one, compute_hash(&template("a", &[]), Some(1)));
        assert!(one.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte)), "{one}");
    }

    #[test]
    fn encoding_is_that_of_upstream() {
        // Upstream: apimachinery/pkg/util/rand/rand.go; '0' is 48, and 48 % 27 = 21.
        assert_eq!(safe_encode("0123456789"), "456789bcdf");
    }
}
