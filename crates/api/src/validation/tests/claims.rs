//! Upstream: pkg/apis/core/validation/validation_test.go, TestValidatePersistentVolumes,
//! TestValidatePersistentVolumeClaim, TestValidatePersistentVolumeClaimUpdate; and
//! pkg/apis/storage/validation/validation_test.go

use serde_json::{Value, json};

use super::{errors, merged, update_errors};

fn volume(spec: Value) -> Value {
    let valid = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "foo"},
        "spec": {"capacity": {"storage": "10G"}, "accessModes": ["ReadWriteOnce"]}});
    merged(valid, json!({ "spec": spec }))
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn validate_persistent_volumes() {
    let host_path = json!({"hostPath": {"path": "/foo"}});
    let with = |spec: Value| merged(host_path.clone(), spec);
    for (name, spec, want) in [
        ("good-volume", with(json!({})), vec![]),
        ("csi", json!({"csi": {"driver": "test-driver", "volumeHandle": "test-123"}}), vec![]),
        (
            "missing-capacity",
            json!({"hostPath": {"path": "/foo"}, "capacity": null}),
            vec![
                "spec.capacity: Required value",
                "spec.capacity: Unsupported value: {}: supported values: \"storage\"",
            ],
        ),
        (
            "missing-accessmodes",
            json!({"hostPath": {"path": "/foo"}, "accessModes": null}),
            vec!["spec.accessModes: Required value"],
        ),
        (
            "single with others",
            with(json!({"accessModes": ["ReadWriteOncePod", "ReadWriteMany"]})),
            vec![
                "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
            ],
        ),
        (
            "too-many-sources",
            with(json!({"nfs": {"server": "s", "path": "/p"}})),
            vec!["spec.nfs: Forbidden: may not specify more than one volume type"],
        ),
        ("no source", json!({}), vec!["spec: Required value: must specify a volume type"]),
        (
            "host mount of / with recycle reclaim policy",
            json!({"hostPath": {"path": "/"}, "persistentVolumeReclaimPolicy": "Recycle"}),
            vec![
                "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a \
                 hostPath mount of '/'",
            ],
        ),
        (
            "local without affinity",
            json!({"local": {"path": "/foo"}}),
            vec!["spec.nodeAffinity: Required value: Local volume requires node affinity"],
        ),
        (
            "invalid names",
            with(json!({"storageClassName": "-x-", "volumeMode": "fake",
                "persistentVolumeReclaimPolicy": "Other"})),
            vec![
                "spec.persistentVolumeReclaimPolicy: Unsupported value: \"Other\": supported \
                 values: \"Delete\", \"Recycle\", \"Retain\"",
                "spec.storageClassName: Invalid value: \"-x-\": a lowercase RFC 1123 subdomain \
                 must consist of lower case alphanumeric characters, '-' or '.', and must start \
                 and end with an alphanumeric character (e.g. 'example.com', regex used for \
                 validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
                "spec.volumeMode: Unsupported value: \"fake\": supported values: \"Block\", \
                 \"Filesystem\"",
            ],
        ),
    ] {
        assert_eq!(errors(volume(spec)), want, "{name}");
    }
    let found = update_errors(
        volume(host_path.clone()),
        volume(json!({"hostPath": {"path": "/bar"}, "accessModes": ["ReadOnlyMany"]})),
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with(
            "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable \
             after creation\n  core.PersistentVolumeSource{"
        ),
        "{found:?}"
    );
}

fn claim(spec: Value, status: Value) -> Value {
    let valid = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "foo", "namespace": "ns"},
        "spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "10G"}}}});
    merged(valid, json!({ "spec": spec, "status": status }))
}

#[test]
fn validate_persistent_volume_claim() {
    for (spec, want) in [
        (json!({"selector": {"matchLabels": {"a": "b"}}, "storageClassName": ""}), vec![]),
        (
            json!({"accessModes": []}),
            vec!["spec.accessModes: Required value: at least 1 access mode is required"],
        ),
        (
            json!({"resources": {"requests": {"storage": "-10G"}}}),
            vec!["spec.resources[storage]: Invalid value: \"-10G\": must be greater than zero"],
        ),
        (json!({"resources": null}), vec!["spec.resources[storage]: Required value"]),
    ] {
        assert_eq!(errors(claim(spec, json!({}))), want);
    }
}

#[test]
fn validate_persistent_volume_claim_update() {
    let size = |size: &str| json!({"resources": {"requests": {"storage": size}}});
    let bound = || json!({"phase": "Bound", "capacity": {"storage": "8G"}});
    let pending = || json!({"phase": "Pending"});
    for (name, old, new, want) in [
        ("bind", claim(json!({}), pending()), claim(json!({"volumeName": "v"}), pending()), None),
        (
            "class that was not set",
            claim(json!({}), pending()),
            claim(json!({"storageClassName": "fast"}), pending()),
            None,
        ),
        ("grow", claim(json!({}), bound()), claim(size("12G"), bound()), None),
        ("recover", claim(json!({}), bound()), claim(size("9G"), bound()), None),
        (
            "shrink",
            claim(json!({}), bound()),
            claim(size("8G"), bound()),
            Some(
                "spec.resources.requests.storage: Forbidden: field can not be less than \
                  status.capacity",
            ),
        ),
        (
            "grow before it is bound",
            claim(json!({}), pending()),
            claim(size("12G"), pending()),
            Some(
                "spec: Forbidden: spec is immutable after creation except resources.requests \
                  and volumeAttributesClassName for bound claims\n",
            ),
        ),
        (
            "another volume",
            claim(json!({"volumeName": "v"}), bound()),
            claim(json!({"volumeName": "w"}), bound()),
            Some(
                "spec: Forbidden: spec is immutable after creation except resources.requests \
                  and volumeAttributesClassName for bound claims\n  core.PersistentVolumeClaimSpec{",
            ),
        ),
    ] {
        let found = update_errors(old, new);
        assert_eq!(found.len(), usize::from(want.is_some()), "{name}: {found:?}");
        assert!(found.iter().all(|it| it.starts_with(want.unwrap_or_default())), "{found:?}");
    }
}

#[test]
fn validate_storage_class() {
    let class = |fields: Value| {
        let valid = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"name": "foo"}, "provisioner": "kubernetes.io/foo-provisioner"});
        merged(valid, fields)
    };
    for (fields, want) in [
        (json!({"parameters": {"foo": "bar"}}), vec![]),
        (json!({"provisioner": ""}), vec!["provisioner: Required value"]),
        (
            json!({"reclaimPolicy": "Recycle", "volumeBindingMode": "foo"}),
            vec![
                "reclaimPolicy: Unsupported value: \"Recycle\": supported values: \"Delete\", \
                 \"Retain\"",
                "volumeBindingMode: Unsupported value: \"foo\": supported values: \
                 \"Immediate\", \"WaitForFirstConsumer\"",
            ],
        ),
    ] {
        assert_eq!(errors(class(fields)), want);
    }
    assert_eq!(
        update_errors(class(json!({})), class(json!({"parameters": {"a": "b"}}))),
        ["parameters: Forbidden: updates to parameters are forbidden."]
    );
}
