//! Metadata, and the kinds that are not pods and make none.

use serde_json::{Value, json};

use super::{errors, merged, status_errors, update_errors};

fn config_map(changes: Value) -> Value {
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "ns"},
    });
    merged(object, changes)
}

fn with_meta(meta: Value) -> Value {
    config_map(json!({ "metadata": meta }))
}

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
    characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
    'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn validate_object_meta() {
    let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "1"});
    let controller = merged(owner.clone(), json!({"controller": true}));
    let too_long = "x".repeat(254);
    for (meta, want) in [
        (json!({"labels": {"a": "b"}, "ownerReferences": [controller]}), vec![]),
        (
            json!({"name": "My_Map"}),
            vec![format!("metadata.name: Invalid value: \"My_Map\": {SUBDOMAIN}")],
        ),
        (
            json!({"name": too_long}),
            vec![format!(
                "metadata.name: Invalid value: {too_long:?}: must be no more than 253 characters"
            )],
        ),
        (
            json!({"name": null}),
            vec!["metadata.name: Required value: name or generateName is required".into()],
        ),
        (json!({"generateName": "web-"}), vec![]),
        (
            json!({"generateName": "Web-"}),
            vec![format!("metadata.generateName: Invalid value: \"Web-\": {SUBDOMAIN}")],
        ),
        (json!({"namespace": null}), vec!["metadata.namespace: Required value".into()]),
        (
            json!({"labels": {"a": "b c"}}),
            vec![
                "metadata.labels: Invalid value: \"b c\": a valid label must be an empty string \
                 or consist of alphanumeric characters, '-', '_' or '.', and must start and end \
                 with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', \
                 regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
                    .into(),
            ],
        ),
        (
            json!({"annotations": {"a": "b".repeat(256 * 1024)}}),
            vec!["metadata.annotations: Too long: may not be more than 262144 bytes".into()],
        ),
        (
            json!({"ownerReferences": [{"apiVersion": "v1", "kind": "", "name": "", "uid": ""}]}),
            vec![
                "metadata.ownerReferences[0].kind: Required value: must not be empty".into(),
                "metadata.ownerReferences[0].name: Required value: must not be empty".into(),
                "metadata.ownerReferences[0].uid: Required value: must not be empty".into(),
            ],
        ),
        (
            json!({"finalizers": ["unknown"]}),
            vec![
                "metadata.finalizers[0]: Invalid value: \"unknown\": name is neither a standard \
                 finalizer name nor is it fully qualified"
                    .into(),
            ],
        ),
        (
            json!({"finalizers": ["orphan", "foregroundDeletion"]}),
            vec![
                "metadata.finalizers: Invalid value: [\"orphan\",\"foregroundDeletion\"]: \
                 finalizer orphan and foregroundDeletion cannot be both set"
                    .into(),
            ],
        ),
    ] {
        assert_eq!(errors(with_meta(meta)), want);
    }
    let two =
        json!({"ownerReferences": [controller, merged(controller.clone(), json!({"name": "q"}))]});
    let found = errors(with_meta(two));
    assert!(
        found[0].ends_with(
            "Only one reference can have Controller set to true. Found \"true\" in references \
             for Pod/p and Pod/q"
        ),
        "{found:?}"
    );
}

#[test]
fn validate_object_meta_update() {
    let deleted = json!({
        "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["example.com/a"],
    });
    for (old, new, want) in [
        (
            json!({"uid": "1"}),
            json!({"uid": "2"}),
            "metadata.uid: Invalid value: \"2\": field is immutable",
        ),
        (
            json!({"generation": 2}),
            json!({"generation": 1}),
            "metadata.generation: Invalid value: 1: must not be decremented",
        ),
        (
            json!({"creationTimestamp": "2026-01-01T00:00:00Z"}),
            json!({"creationTimestamp": "2026-01-02T00:00:00Z"}),
            "metadata.creationTimestamp: Invalid value: \"2026-01-02T00:00:00Z\": field is immutable",
        ),
        (
            deleted.clone(),
            merged(deleted, json!({"finalizers": ["example.com/a", "example.com/b"]})),
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is \
             being deleted, found new finalizers []string{\"example.com/b\"}",
        ),
    ] {
        assert_eq!(update_errors(with_meta(old), with_meta(new)), [want]);
    }
}

#[test]
fn validate_config_map() {
    let large = "a".repeat(1024 * 1024 + 1);
    for (changes, want) in [
        (json!({"data": {"a.b_c-1": ""}, "binaryData": {"d": "AA=="}}), vec![]),
        (
            json!({"data": {"a": "1"}, "binaryData": {"a": "AA=="}}),
            vec!["data[a]: Invalid value: \"a\": duplicate of key present in binaryData"],
        ),
        (json!({"data": {"..": ""}}), vec!["data[..]: Invalid value: \"..\": must not be '..'"]),
        (json!({"data": {"a": large}}), vec![": Too long: may not be more than 1048576 bytes"]),
    ] {
        assert_eq!(errors(config_map(changes)), want);
    }
    let old = config_map(json!({"immutable": true, "data": {"a": "1"}}));
    for (new, want) in [
        (json!({"immutable": true, "data": {"a": "2"}}), vec!["data"]),
        (json!({"data": {"a": "1"}}), vec!["immutable"]),
        (json!({"immutable": true, "data": {"a": "1"}}), vec![]),
    ] {
        let want: Vec<String> = want
            .iter()
            .map(|name| format!("{name}: Forbidden: field is immutable when `immutable` is set"))
            .collect();
        assert_eq!(update_errors(old.clone(), config_map(new)), want);
    }
}

#[test]
fn validate_secret() {
    let secret = |changes: Value| {
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ns"},
        });
        merged(object, changes)
    };
    for (changes, want) in [
        (json!({"stringData": {"a": "b"}}), vec![]),
        (
            json!({"type": "kubernetes.io/service-account-token"}),
            vec!["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
        ),
        (
            json!({"type": "kubernetes.io/dockerconfigjson"}),
            vec!["data[.dockerconfigjson]: Required value"],
        ),
        (
            json!({"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "{}"}}),
            vec![],
        ),
        (
            json!({"type": "kubernetes.io/tls"}),
            vec!["data[tls.crt]: Required value", "data[tls.key]: Required value"],
        ),
        (
            json!({"type": "kubernetes.io/basic-auth"}),
            vec!["data[username]: Required value", "data[password]: Required value"],
        ),
        (
            json!({"type": "kubernetes.io/ssh-auth", "stringData": {"ssh-privatekey": ""}}),
            vec!["data[ssh-privatekey]: Required value"],
        ),
    ] {
        assert_eq!(errors(secret(changes.clone())), want, "{changes}");
    }
    assert_eq!(
        update_errors(secret(json!({"type": "a"})), secret(json!({"type": "b"}))),
        ["type: Invalid value: \"b\": field is immutable"]
    );
}

#[test]
fn validate_namespace() {
    let namespace = |changes: Value| {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "abc"}});
        merged(object, changes)
    };
    assert_eq!(errors(namespace(json!({}))), [""; 0]);
    assert_eq!(
        errors(namespace(json!({"metadata": {"name": "a.b"}}))),
        ["metadata.name: Invalid value: \"a.b\": must not contain dots"]
    );
    assert_eq!(
        errors(namespace(json!({"metadata": {"namespace": "x"}}))),
        ["metadata.namespace: Forbidden: not allowed on this type"]
    );
    let phase = |phase: &str| namespace(json!({"status": {"phase": phase}}));
    assert_eq!(
        status_errors(phase("Active"), phase("Terminating")),
        ["status.Phase: Invalid value: \"Terminating\": may only be 'Active' if \
          `deletionTimestamp` is empty"]
    );
}

#[test]
fn validate_node() {
    let node = |changes: Value| {
        let object = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "abc"}});
        merged(object, changes)
    };
    let taint = json!({"key": "a", "value": "b", "effect": "NoSchedule"});
    for (changes, want) in [
        (json!({"spec": {"podCIDRs": ["10.0.0.0/24", "fd00::/64"], "taints": [taint]}}), vec![]),
        (
            json!({"spec": {"taints": [{"key": "a", "effect": "Never"}]}}),
            vec![
                "metadata.taints[0].effect: Unsupported value: \"Never\": supported values: \
                 \"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\"",
            ],
        ),
        (
            json!({"spec": {"taints": [taint, taint]}}),
            vec![
                "metadata.taints[1]: Duplicate value: \
                 {\"effect\":\"NoSchedule\",\"key\":\"a\",\"value\":\"b\"}: taints must be unique \
                 by key and effect pair",
            ],
        ),
        (
            json!({"spec": {"podCIDRs": ["10.0.0.0"]}}),
            vec![
                "spec.podCIDRs[0]: Invalid value: \"10.0.0.0\": must be a valid CIDR value, (e.g. \
                 10.9.8.0/24 or 2001:db8::/64)",
            ],
        ),
        (
            json!({"spec": {"podCIDRs": ["10.0.0.0/24", "10.0.1.0/24"]}}),
            vec![
                "spec.podCIDRs: Invalid value: [\"10.0.0.0/24\",\"10.0.1.0/24\"]: may specify no \
                 more than one CIDR for each IP family",
            ],
        ),
        (
            json!({"status": {"capacity": {"cpu": "-1"}, "allocatable": {"cpu": "1"}}}),
            vec!["status.capacity.cpu: Invalid value: \"-1\": must be greater than or equal to 0"],
        ),
    ] {
        assert_eq!(errors(node(changes.clone())), want, "{changes}");
    }
    let spec = |spec: Value| node(json!({ "spec": spec }));
    assert_eq!(
        update_errors(
            spec(json!({"podCIDRs": ["10.0.0.0/24"], "providerID": "a"})),
            spec(json!({"podCIDRs": ["10.0.1.0/24"], "providerID": "b"})),
        ),
        [
            "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to \
             valid",
            "spec.providerID: Forbidden: node updates may not change providerID except from \"\" \
             to valid",
        ]
    );
}

#[test]
fn validate_lease() {
    let lease = |spec: Value| {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "l", "namespace": "ns"}, "spec": spec,
        })
    };
    for (spec, want) in [
        (json!({"holderIdentity": "a", "leaseDurationSeconds": 15}), vec![]),
        (
            json!({"leaseDurationSeconds": 0, "leaseTransitions": -1}),
            vec![
                "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
                "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
            ],
        ),
    ] {
        assert_eq!(errors(lease(spec)), want);
    }
}

#[test]
fn validate_event() {
    let event = |namespace: &str, changes: Value| {
        let object = json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": "e", "namespace": namespace},
            "involvedObject": {"kind": "Pod", "namespace": "foo"},
        });
        merged(object, changes)
    };
    assert_eq!(errors(event("foo", json!({}))), [""; 0]);
    assert_eq!(
        errors(event("bar", json!({}))),
        ["involvedObject.namespace: Invalid value: \"foo\": does not match event.namespace"]
    );
    let node = json!({"involvedObject": {"kind": "Node", "namespace": null}});
    assert_eq!(errors(event("default", node.clone())), [""; 0]);
    let new = json!({"eventTime": "2026-01-01T00:00:00.000000Z", "reason": "Started"});
    assert_eq!(
        errors(event("foo", merged(new, json!({"reportingComponent": "kubelet"})))),
        ["reportingInstance: Required value", "action: Required value"]
    );
}
