//! Volumes and their sources.

use serde_json::{Value, json};

use super::{errors, merged, pod};

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn validate_volumes() {
    let mode = "must be a number between 0 and 0777 (octal), both inclusive";
    let table: Vec<(Value, Vec<String>)> = vec![
        (json!({"emptyDir": {}}), vec![]),
        (json!({"hostPath": {"path": "/mnt", "type": "Directory"}}), vec![]),
        (json!({"hostPath": {"path": ""}}), vec!["hostPath.path: Required value".into()]),
        (
            json!({"hostPath": {"path": "/a/../b"}}),
            vec!["hostPath.path: Invalid value: \"/a/../b\": must not contain '..'".into()],
        ),
        (
            json!({"hostPath": {"path": "/a", "type": "Invalid"}}),
            vec![
                "hostPath.type: Unsupported value: \"Invalid\": supported values: \"\", \
                 \"BlockDevice\", \"CharDevice\", \"Directory\", \"DirectoryOrCreate\", \
                 \"File\", \"FileOrCreate\", \"Socket\""
                    .into(),
            ],
        ),
        (
            json!({"emptyDir": {}, "hostPath": {"path": "/a"}}),
            vec!["hostPath: Forbidden: may not specify more than 1 volume type".into()],
        ),
        (json!({"secret": {}}), vec!["secret.secretName: Required value".into()]),
        (
            json!({"secret": {"secretName": "s", "defaultMode": 512}}),
            vec![format!("secret.defaultMode: Invalid value: 512: {mode}")],
        ),
        (
            json!({"secret": {"secretName": "s", "items": [{"key": "k", "path": "../p"}]}}),
            vec!["secret.items[0].path: Invalid value: \"../p\": must not contain '..'".into()],
        ),
        (
            json!({"configMap": {"name": "c", "items": [{"key": "k", "path": "..p"}]}}),
            vec![
                "configMap.items[0].path: Invalid value: \"..p\": must not start with '..'".into(),
            ],
        ),
        (json!({"configMap": {"name": ""}}), vec!["configMap.name: Required value".into()]),
        (
            json!({"persistentVolumeClaim": {"claimName": ""}}),
            vec!["persistentVolumeClaim.claimName: Required value".into()],
        ),
        (
            json!({"nfs": {"server": "s", "path": "relative"}}),
            vec!["nfs.path: Invalid value: \"relative\": must be an absolute path".into()],
        ),
        (
            json!({"downwardAPI": {"items": [{"path": "p"}]}}),
            vec![
                "downwardAPI: Required value: one of fieldRef and resourceFieldRef is required"
                    .into(),
            ],
        ),
        (
            json!({"downwardAPI": {"items": [
                {"path": "p", "resourceFieldRef": {"resource": "limits.cpu"}}]}}),
            vec!["downwardAPI.resourceFieldRef.containerName: Required value".into()],
        ),
        (
            json!({"projected": {"sources": [
                {"secret": {"name": "s", "items": [{"key": "k", "path": "p"}]}},
                {"configMap": {"name": "c", "items": [{"key": "k", "path": "p"}]}}]}}),
            vec!["projected: Invalid value: \"c\": conflicting duplicate paths".into()],
        ),
        (
            json!({"projected": {"sources": [
                {"secret": {"name": "s"}, "configMap": {"name": "c"}}]}}),
            vec![
                "projected.sources[0]: Forbidden: may not specify more than 1 volume type per \
                 source"
                    .into(),
            ],
        ),
        (
            json!({"projected": {"sources": [
                {"serviceAccountToken": {"path": "t", "expirationSeconds": 1}}]}}),
            vec![
                "projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 1: \
                 may not specify a duration less than 10 minutes"
                    .into(),
            ],
        ),
        (
            json!({"ephemeral": {"volumeClaimTemplate": {"spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}}),
            vec![],
        ),
        (json!({"ephemeral": {}}), vec!["ephemeral.volumeClaimTemplate: Required value".into()]),
        (
            json!({"csi": {"driver": ""}}),
            vec![
                "csi.driver: Required value".into(),
                "csi.driver: Invalid value: \"\": a lowercase RFC 1123 subdomain must consist of \
                 lower case alphanumeric characters, '-' or '.', and must start and end with an \
                 alphanumeric character (e.g. 'example.com', regex used for validation is \
                 '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                    .into(),
            ],
        ),
        (
            json!({"iscsi": {
                "targetPortal": "127.0.0.1", "iqn": "iqn.2015-02.example.com:test", "lun": 256}}),
            vec!["iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive".into()],
        ),
        (
            json!({"iscsi": {"targetPortal": "127.0.0.1", "iqn": "iqn.15-02", "lun": 1}}),
            vec!["iscsi.iqn: Invalid value: \"iqn.15-02\": must be valid format".into()],
        ),
        (
            json!({"fc": {}}),
            vec![
                "fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not \
                 both"
                    .into(),
            ],
        ),
        (
            json!({"flexVolume": {"driver": "d", "options": {"k8s.io/a": "b"}}}),
            vec![
                "flexVolume.options[k8s.io/a]: Invalid value: \"k8s.io/a\": kubernetes.io and \
                 k8s.io namespaces are reserved"
                    .into(),
            ],
        ),
        (json!({"image": {}}), vec!["image.reference: Required value".into()]),
    ];
    for (source, want) in table {
        let volume = merged(json!({"name": "v"}), source.clone());
        let spec = json!({"serviceAccountName": "a", "volumes": [volume]});
        let want: Vec<String> = want.iter().map(|want| format!("spec.volumes[0].{want}")).collect();
        assert_eq!(errors(pod(spec)), want, "{source}");
    }
}

#[test]
fn names_of_volumes() {
    let dir = json!({"emptyDir": {}});
    let named = |name: &str| merged(dir.clone(), json!({ "name": name }));
    for (volumes, want) in [
        (json!([named("")]), vec!["spec.volumes[0].name: Required value"]),
        (
            json!([named("a.b.c")]),
            vec!["spec.volumes[0].name: Invalid value: \"a.b.c\": must not contain dots"],
        ),
        (
            json!([named("abc"), named("abc")]),
            vec!["spec.volumes[1].name: Duplicate value: \"abc\""],
        ),
    ] {
        assert_eq!(errors(pod(json!({ "volumes": volumes }))), want);
    }
}

#[test]
fn a_token_needs_a_service_account() {
    let volume = json!({"name": "v", "projected": {"sources": [
        {"serviceAccountToken": {"path": "t"}}]}});
    assert_eq!(
        errors(pod(json!({"volumes": [volume]}))),
        ["spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be \
          specified when serviceAccountName is not set"]
    );
}
