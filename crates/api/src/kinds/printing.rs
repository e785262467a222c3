//! What the tables of several kinds share: ages, containers and selectors in a cell.
//!
//! Upstream: pkg/printers/internalversion/printers.go

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use crate::Cell;
use crate::duration::human_duration;
use crate::labels::Selector;

/// How long ago that was, `<unknown>` when it never was.
pub(super) fn since(then: Option<Timestamp>, now: Timestamp) -> String {
    match then {
        Some(then) => human_duration(now.duration_since(then)),
        None => "<unknown>".to_string(),
    }
}

/// The cell of the object's name.
pub(super) fn name(meta: &ObjectMeta) -> Cell {
    meta.name.clone().unwrap_or_default().into()
}

/// The cell of the object's age.
pub(super) fn age(meta: &ObjectMeta, now: Timestamp) -> Cell {
    since(meta.creation_timestamp.as_ref().map(|time| time.0), now).into()
}

/// The text, or `<none>` when it is not set or empty.
pub(super) fn or_none(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("<none>").to_string()
}

/// Names and images of containers, each in one cell.
pub(super) fn container_cells(containers: &[Container]) -> [Cell; 2] {
    let names: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
    let images: Vec<&str> =
        containers.iter().map(|container| container.image.as_deref().unwrap_or_default()).collect();
    [names.join(",").into(), images.join(",").into()]
}

/// Labels as `key=value`, or `<none>`. Upstream: labels.FormatLabels.
pub(super) fn labels(labels: Option<&BTreeMap<String, String>>) -> String {
    let pairs = labels.into_iter().flatten().map(|(key, value)| format!("{key}={value}"));
    or_none(Some(&pairs.collect::<Vec<_>>().join(",")))
}

/// Upstream: metav1.FormatLabelSelector.
pub(super) fn label_selector(selector: &LabelSelector) -> String {
    match Selector::from_label_selector(Some(selector)) {
        Ok(selector) => or_none(Some(&selector.to_string())),
        Err(_) => "<error>".to_string(),
    }
}

/// Access modes in their short forms and their order. Upstream: GetAccessModesAsString in
/// pkg/apis/core/v1/helper/helpers.go
pub(super) fn access_modes(modes: &[String]) -> String {
    let known = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let named = known.into_iter().filter(|(name, _)| modes.iter().any(|mode| mode == name));
    named.map(|(_, short)| short).collect::<Vec<_>>().join(",")
}

/// The phase, or that the object is on its way out.
pub(super) fn phase(meta: &ObjectMeta, phase: Option<&str>) -> String {
    let phase = phase.unwrap_or_default();
    if meta.deletion_timestamp.is_some() { "Terminating" } else { phase }.to_string()
}

/// The text, or that it is not set.
pub(super) fn or_unset(text: Option<String>) -> String {
    text.unwrap_or_else(|| "<unset>".to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Kind;

    fn row(object: Value) -> Vec<String> {
        let (version, kind) = (object["apiVersion"].clone(), object["kind"].clone());
        let kind = Kind::named(version.as_str().unwrap(), kind.as_str().unwrap()).unwrap();
        let object = kind.decode(object).unwrap();
        let cells = (object.behaviour().row)(&object, Timestamp::UNIX_EPOCH);
        assert_eq!(cells.len(), (kind.columns)().len());
        cells.iter().map(ToString::to_string).collect()
    }

    /// Upstream: printers_test.go, TestPrintStatefulSet, TestPrintCronJob,
    /// TestPrintPodDisruptionBudget, TestPrintResourceQuota, TestPrintPersistentVolume,
    /// TestPrintPersistentVolumeClaim and TestPrintStorageClass.
    #[test]
    #[expect(clippy::too_many_lines, reason = "one table")]
    fn rows_of_batch_and_storage() {
        let template = json!({"spec": {"containers": [{"name": "c1", "image": "i1"}]}});
        for (object, want) in [
            (
                json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
                    "metadata": {"name": "test1"},
                    "spec": {"selector": {}, "replicas": 5, "template": template},
                    "status": {"replicas": 5, "readyReplicas": 2}}),
                vec!["test1", "2/5", "<unknown>", "c1", "i1"],
            ),
            (
                json!({"apiVersion": "batch/v1", "kind": "CronJob",
                    "metadata": {"name": "cronjob1"},
                    "spec": {"schedule": "0/5 * * * ?", "suspend": false,
                        "jobTemplate": {"spec": {"template": template}}}}),
                vec![
                    "cronjob1",
                    "0/5 * * * ?",
                    "<none>",
                    "False",
                    "0",
                    "<none>",
                    "<unknown>",
                    "c1",
                    "i1",
                    "<none>",
                ],
            ),
            (
                json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                    "metadata": {"name": "pdb1"}, "spec": {"minAvailable": 22},
                    "status": {"disruptionsAllowed": 5}}),
                vec!["pdb1", "22", "N/A", "5", "<unknown>"],
            ),
            (
                json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"},
                    "status": {"hard": {"limits.cpu": "3", "pods": "100", "requests.cpu": "2"},
                        "used": {"limits.cpu": "1", "requests.cpu": "1500m"}}}),
                vec!["q", "pods: 0/100, requests.cpu: 1500m/2", "limits.cpu: 1/3", "<unknown>"],
            ),
            (
                json!({"apiVersion": "v1", "kind": "PersistentVolume",
                    "metadata": {"name": "test1"},
                    "spec": {"accessModes": ["ReadOnlyMany", "ReadWriteOnce"],
                        "capacity": {"storage": "4Gi"}, "claimRef": {"namespace": "n", "name": "c"},
                        "persistentVolumeReclaimPolicy": "Retain"},
                    "status": {"phase": "Bound"}}),
                vec![
                    "test1",
                    "4Gi",
                    "RWO,ROX",
                    "Retain",
                    "Bound",
                    "n/c",
                    "",
                    "<unset>",
                    "",
                    "<unknown>",
                    "<unset>",
                ],
            ),
            (
                json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                    "metadata": {"name": "test1"},
                    "spec": {"volumeName": "my-volume", "volumeMode": "Filesystem"},
                    "status": {"phase": "Bound", "accessModes": ["ReadOnlyMany"],
                        "capacity": {"storage": "4Gi"}}}),
                vec![
                    "test1",
                    "Bound",
                    "my-volume",
                    "4Gi",
                    "ROX",
                    "",
                    "<unset>",
                    "<unknown>",
                    "Filesystem",
                ],
            ),
            (
                json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                    "metadata": {"name": "sc1", "annotations":
                        {"storageclass.kubernetes.io/is-default-class": "true"}},
                    "provisioner": "p", "reclaimPolicy": "Delete",
                    "volumeBindingMode": "Immediate", "allowVolumeExpansion": true}),
                vec!["sc1 (default)", "p", "Delete", "Immediate", "true", "<unknown>"],
            ),
        ] {
            assert_eq!(row(object), want);
        }
    }
}
