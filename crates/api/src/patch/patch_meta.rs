//! How strategic merge patches treat the fields of the built-in types: which lists merge by
//! which key, which maps keep only the keys that a patch names. Facts of upstream's struct
//! tags; a field that is not listed is replaced when it is a list, and merged when it is a map.
//!
//! Upstream: `patchStrategy` and `patchMergeKey` in staging/src/k8s.io/api/*/*/types.go and
//! staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/types.go

use crate::Kind;

/// How a field is patched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Field {
    name: &'static str,
    /// The type of the field, or of the items of the list.
    pub meta: PatchMeta,
    /// Whether items of the list are merged rather than the list replaced.
    pub merge: bool,
    /// The key that identifies items, empty for lists of texts.
    pub merge_key: &'static str,
    /// Whether a patch says which keys of the map, or of an item, are to stay.
    pub retain_keys: bool,
    /// Whether the map is replaced rather than merged.
    pub replace: bool,
}

/// What is known of a type's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchMeta {
    type_name: &'static str,
}

impl Default for PatchMeta {
    /// A type of which nothing is known.
    fn default() -> Self {
        PatchMeta { type_name: "" }
    }
}

impl PatchMeta {
    /// The type of a kind's objects.
    #[must_use]
    pub fn of(kind: &Kind) -> Self {
        let listed = TYPES.iter().find(|(name, _)| *name == kind.kind);
        // Every object has metadata, whatever else it has.
        PatchMeta { type_name: listed.map_or("Object", |(name, _)| *name) }
    }

    /// How a field is patched.
    pub(super) fn field(self, name: &str) -> Field {
        let types = TYPES.iter().chain(TEST_TYPES);
        let mut rows = types.filter(|(type_name, _)| *type_name == self.type_name);
        let row = rows.find_map(|(_, rows)| rows.iter().find(|row| row.name == name));
        row.copied().unwrap_or_default()
    }
}

const fn of(name: &'static str, type_name: &'static str) -> Field {
    Field {
        name,
        meta: PatchMeta { type_name },
        merge: false,
        merge_key: "",
        retain_keys: false,
        replace: false,
    }
}

/// A list whose items merge by a key.
const fn merge(name: &'static str, merge_key: &'static str) -> Field {
    Field { merge: true, merge_key, ..of(name, "") }
}

/// A list of texts that merges.
const fn merge_texts(name: &'static str) -> Field {
    merge(name, "")
}

/// A list whose items have fields that are listed, and merge by a key.
const fn merge_of(name: &'static str, merge_key: &'static str, type_name: &'static str) -> Field {
    Field { merge: true, merge_key, ..of(name, type_name) }
}

const fn retaining(field: Field) -> Field {
    Field { retain_keys: true, ..field }
}

const METADATA: Field = of("metadata", "ObjectMeta");
const CONDITIONS: Field = merge("conditions", "type");
const POD_TEMPLATE: Field = of("template", "PodTemplateSpec");

const WORKLOAD: &[Field] = &[METADATA, of("spec", "WorkloadSpec"), of("status", "Conditioned")];
const CONTAINER: &[Field] = &[
    merge("ports", "containerPort"),
    merge("env", "name"),
    merge("volumeMounts", "mountPath"),
    merge("volumeDevices", "devicePath"),
];

/// Types by name. `WorkloadSpec` and `Conditioned` stand for all types that look the same.
const TYPES: &[(&str, &[Field])] = &[
    ("Object", &[METADATA]),
    ("ObjectMeta", &[merge("ownerReferences", "uid"), merge_texts("finalizers")]),
    ("Conditioned", &[CONDITIONS]),
    ("CronJob", &[METADATA, of("spec", "CronJobSpec")]),
    ("CronJobSpec", &[of("jobTemplate", "JobTemplateSpec")]),
    ("DaemonSet", WORKLOAD),
    ("Deployment", &[METADATA, of("spec", "DeploymentSpec"), of("status", "Conditioned")]),
    ("DeploymentSpec", &[POD_TEMPLATE, retaining(of("strategy", ""))]),
    ("Job", WORKLOAD),
    ("JobTemplateSpec", &[METADATA, of("spec", "WorkloadSpec")]),
    ("Namespace", &[METADATA, of("status", "Conditioned")]),
    ("Node", &[METADATA, of("spec", "NodeSpec"), of("status", "NodeStatus")]),
    ("NodeSpec", &[merge_texts("podCIDRs")]),
    ("NodeStatus", &[CONDITIONS, merge("addresses", "type")]),
    ("PersistentVolumeClaim", &[METADATA, of("status", "Conditioned")]),
    ("Pod", &[METADATA, of("spec", "PodSpec"), of("status", "PodStatus")]),
    (
        "PodDisruptionBudget",
        &[METADATA, of("spec", "PodDisruptionBudgetSpec"), of("status", "Conditioned")],
    ),
    ("PodDisruptionBudgetSpec", &[Field { replace: true, ..of("selector", "") }]),
    ("PodTemplateSpec", &[METADATA, of("spec", "PodSpec")]),
    (
        "PodSpec",
        &[
            retaining(merge_of("volumes", "name", "Volume")),
            merge_of("initContainers", "name", "Container"),
            merge_of("containers", "name", "Container"),
            merge_of("ephemeralContainers", "name", "Container"),
            merge("imagePullSecrets", "name"),
            merge("hostAliases", "ip"),
            merge("topologySpreadConstraints", "topologyKey"),
            merge("schedulingGates", "name"),
            retaining(merge("resourceClaims", "name")),
            merge("evictionResponders", "name"),
        ],
    ),
    ("Container", CONTAINER),
    ("Volume", &[of("ephemeral", "EphemeralVolumeSource")]),
    ("EphemeralVolumeSource", &[of("volumeClaimTemplate", "Object")]),
    (
        "PodStatus",
        &[
            CONDITIONS,
            merge("hostIPs", "ip"),
            merge("podIPs", "ip"),
            of("initContainerStatuses", "ContainerStatus"),
            of("containerStatuses", "ContainerStatus"),
            of("ephemeralContainerStatuses", "ContainerStatus"),
            retaining(merge("resourceClaimStatuses", "name")),
        ],
    ),
    (
        "ContainerStatus",
        &[merge("volumeMounts", "mountPath"), merge("allocatedResourcesStatus", "name")],
    ),
    ("ReplicaSet", WORKLOAD),
    ("ReplicationController", WORKLOAD),
    ("Service", &[METADATA, of("spec", "ServiceSpec"), of("status", "Conditioned")]),
    ("ServiceSpec", &[merge("ports", "port")]),
    ("ServiceAccount", &[METADATA, merge("secrets", "name")]),
    ("StatefulSet", WORKLOAD),
    ("WorkloadSpec", &[POD_TEMPLATE]),
];

#[cfg(not(test))]
const TEST_TYPES: &[(&str, &[Field])] = &[];

/// The types of upstream's tests.
#[cfg(test)]
const TEST_TYPES: &[(&str, &[Field])] = &[
    (
        "MergeItem",
        &[
            merge_of("mergingList", "name", "MergeItem"),
            of("nonMergingList", "MergeItem"),
            merge_texts("mergingIntList"),
            merge_of("mergeItemPtr", "name", "MergeItem"),
            Field { replace: true, ..of("replacingItem", "") },
            retaining(of("retainKeysMap", "RetainKeysMergeItem")),
            retaining(merge_of("retainKeysMergingList", "name", "MergeItem")),
        ],
    ),
    (
        "RetainKeysMergeItem",
        &[
            merge_texts("mergingIntList"),
            merge_of("mergingList", "name", "MergeItem"),
            of("nonMergingList", "MergeItem"),
        ],
    ),
];

#[cfg(test)]
impl PatchMeta {
    /// The type that upstream's tests patch.
    pub(super) fn merge_item() -> Self {
        PatchMeta { type_name: "MergeItem" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_a_field_names_is_listed_once() {
        for (name, fields) in TYPES {
            let count = TYPES.iter().filter(|(other, _)| other == name).count();
            assert_eq!(count, 1, "{name}");
            for field in *fields {
                let wanted = field.meta.type_name;
                let listed = TYPES.iter().any(|(name, _)| *name == wanted);
                assert!(wanted.is_empty() || listed, "{name}.{}: {wanted}", field.name);
            }
        }
    }

    #[test]
    fn paths_lead_to_the_merge_keys() {
        let path = |kind, path: &str| {
            let mut meta = PatchMeta::of(kind);
            let mut field = Field::default();
            for name in path.split('.') {
                field = meta.field(name);
                meta = field.meta;
            }
            (field.merge, field.merge_key, field.retain_keys)
        };
        let deployment = Kind::named("apps/v1", "Deployment").unwrap();
        let config_map = Kind::named("v1", "ConfigMap").unwrap();
        let cron_job = Kind::named("batch/v1", "CronJob").unwrap();
        for (kind, name, want) in [
            (deployment, "spec.template.spec.containers", (true, "name", false)),
            (deployment, "spec.template.spec.containers.env", (true, "name", false)),
            (deployment, "spec.template.spec.containers.command", (false, "", false)),
            (deployment, "spec.template.spec.tolerations", (false, "", false)),
            (deployment, "spec.template.spec.volumes", (true, "name", true)),
            (deployment, "spec.template.metadata.finalizers", (true, "", false)),
            (deployment, "spec.strategy", (false, "", true)),
            (deployment, "status.conditions", (true, "type", false)),
            (cron_job, "spec.jobTemplate.spec.template.spec.containers", (true, "name", false)),
            (config_map, "metadata.ownerReferences", (true, "uid", false)),
            (config_map, "data", (false, "", false)),
        ] {
            assert_eq!(path(kind, name), want, "{name}");
        }
    }
}
