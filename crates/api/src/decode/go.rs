//! What Go's decoder calls things, so that errors read as upstream's do.

use serde_json::Value;

/// What Go calls a JSON value that does not fit: `string`, `number 1.5`, `object`.
pub(crate) fn value_word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Go's name for a type that Rust names in full, such as
/// `alloc::vec::Vec<k8s_openapi::v1_37::api::core::v1::container::Container>`.
pub(super) fn type_word(rust_name: &str) -> String {
    let (outer, inner) = match rust_name.split_once('<') {
        Some((outer, inner)) => (outer, inner.strip_suffix('>').unwrap_or(inner)),
        None => (rust_name, ""),
    };
    let mut segments = outer.rsplit("::");
    let name = segments.next().unwrap_or_default();
    match name {
        "Option" | "Box" => type_word(inner),
        "Vec" => format!("[]{}", type_word(inner)),
        "BTreeMap" => match inner.split_once(", ") {
            Some((_, value)) if value.ends_with("Quantity") => "v1.ResourceList".to_string(),
            Some((key, value)) => format!("map[{}]{}", type_word(key), type_word(value)),
            None => "map".to_string(),
        },
        "String" => "string".to_string(),
        "i32" => "int32".to_string(),
        "i64" => "int64".to_string(),
        "f64" => "float64".to_string(),
        "bool" => "bool".to_string(),
        "ByteString" => "[]uint8".to_string(),
        "Quantity" => "resource.Quantity".to_string(),
        // A type stands in a module of its own within Go's package.
        _ => match segments.nth(1) {
            Some(package) => format!("{package}.{name}"),
            None => name.to_string(),
        },
    }
}

/// Go's name for the type of a field that is a text with a type of its own, or a list of such:
/// facts of upstream's types.go, for the fields that a manifest may set.
const NAMED_TEXTS: &[(&str, &str, &str)] = &[
    ("ObjectMeta", "uid", "types.UID"),
    ("OwnerReference", "uid", "types.UID"),
    ("ManagedFieldsEntry", "operation", "v1.ManagedFieldsOperationType"),
    ("ObjectReference", "uid", "types.UID"),
    ("NamespaceSpec", "finalizers", "v1.FinalizerName"),
    ("Taint", "effect", "v1.TaintEffect"),
    ("ConfigMapNodeConfigSource", "uid", "types.UID"),
    ("HostPathVolumeSource", "type", "v1.HostPathType"),
    ("EmptyDirVolumeSource", "medium", "v1.StorageMedium"),
    ("LabelSelectorRequirement", "operator", "v1.LabelSelectorOperator"),
    ("PersistentVolumeClaimSpec", "accessModes", "v1.PersistentVolumeAccessMode"),
    ("PersistentVolumeClaimSpec", "volumeMode", "v1.PersistentVolumeMode"),
    ("ImageVolumeSource", "pullPolicy", "v1.PullPolicy"),
    ("ContainerPort", "protocol", "v1.Protocol"),
    ("ContainerResizePolicy", "resourceName", "v1.ResourceName"),
    ("ContainerResizePolicy", "restartPolicy", "v1.ResourceResizeRestartPolicy"),
    ("Container", "restartPolicy", "v1.ContainerRestartPolicy"),
    ("ContainerRestartRule", "action", "v1.ContainerRestartRuleAction"),
    ("ContainerRestartRuleOnExitCodes", "operator", "v1.ContainerRestartRuleOnExitCodesOperator"),
    ("VolumeMount", "recursiveReadOnly", "v1.RecursiveReadOnlyMode"),
    ("VolumeMount", "mountPropagation", "v1.MountPropagationMode"),
    ("HTTPGetAction", "scheme", "v1.URIScheme"),
    ("HTTPGetAction", "protocol", "v1.HTTPProtocol"),
    ("GRPCAction", "mode", "v1.GRPCProbeMode"),
    ("Lifecycle", "stopSignal", "v1.Signal"),
    ("Container", "terminationMessagePolicy", "v1.TerminationMessagePolicy"),
    ("Container", "imagePullPolicy", "v1.PullPolicy"),
    ("Capabilities", "add", "v1.Capability"),
    ("Capabilities", "drop", "v1.Capability"),
    ("SecurityContext", "procMount", "v1.ProcMountType"),
    ("SeccompProfile", "type", "v1.SeccompProfileType"),
    ("AppArmorProfile", "type", "v1.AppArmorProfileType"),
    ("PodSpec", "restartPolicy", "v1.RestartPolicy"),
    ("PodSpec", "dnsPolicy", "v1.DNSPolicy"),
    ("PodSecurityContext", "supplementalGroupsPolicy", "v1.SupplementalGroupsPolicy"),
    ("PodSecurityContext", "fsGroupChangePolicy", "v1.PodFSGroupChangePolicy"),
    ("PodSecurityContext", "seLinuxChangePolicy", "v1.PodSELinuxChangePolicy"),
    ("NodeSelectorRequirement", "operator", "v1.NodeSelectorOperator"),
    ("Toleration", "operator", "v1.TolerationOperator"),
    ("Toleration", "effect", "v1.TaintEffect"),
    ("PodReadinessGate", "conditionType", "v1.PodConditionType"),
    ("PodSpec", "preemptionPolicy", "v1.PreemptionPolicy"),
    ("TopologySpreadConstraint", "whenUnsatisfiable", "v1.UnsatisfiableConstraintAction"),
    ("TopologySpreadConstraint", "nodeAffinityPolicy", "v1.NodeInclusionPolicy"),
    ("TopologySpreadConstraint", "nodeTaintsPolicy", "v1.NodeInclusionPolicy"),
    ("PodOS", "name", "v1.OSName"),
    ("Secret", "type", "v1.SecretType"),
    ("DeploymentStrategy", "type", "v1.DeploymentStrategyType"),
    ("LeaseSpec", "strategy", "v1.CoordinatedLeaseStrategy"),
];

/// The name of a field's type, where that is more than a text or a list of texts.
pub(super) fn named_type(struct_name: &str, field: &str, type_word: &str) -> Option<String> {
    let list = match type_word {
        "string" => "",
        "[]string" => "[]",
        _ => return None,
    };
    let row = NAMED_TEXTS.iter().find(|(owner, name, _)| *owner == struct_name && *name == field);
    row.map(|(_, _, name)| format!("{list}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::Container;
    use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
    use std::any::type_name;
    use std::collections::BTreeMap;

    #[test]
    fn types_have_the_names_that_go_gives_them() {
        for (rust_name, want) in [
            (type_name::<String>(), "string"),
            (type_name::<Option<i32>>(), "int32"),
            (type_name::<Vec<Container>>(), "[]v1.Container"),
            (type_name::<BTreeMap<String, String>>(), "map[string]string"),
            (type_name::<BTreeMap<String, Quantity>>(), "v1.ResourceList"),
            (type_name::<BTreeMap<String, ByteString>>(), "map[string][]uint8"),
            (type_name::<ObjectMeta>(), "v1.ObjectMeta"),
            (type_name::<IntOrString>(), "intstr.IntOrString"),
        ] {
            assert_eq!(type_word(rust_name), want, "{rust_name}");
        }
    }
}
