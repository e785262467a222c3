//! Tables as `kubectl get` prints them.

use api::{Kind, KindId, Object};
use serde_json::{Value, json};

fn object(value: Value) -> Object {
    let text = |field: &str| value[field].as_str().expect("a text");
    let kind = Kind::named(text("apiVersion"), text("kind")).expect("a known kind");
    kind.decode(value).expect("decodes")
}

fn config_map(namespace: &str, name: &str, keys: usize) -> Object {
    let data: Value = (0..keys)
        .map(|index| (format!("key-{index}"), Value::from("x")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    object(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": data,
        "metadata": {
            "name": name, "namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z"},
    }))
}

fn now() -> jiff::Timestamp {
    "2026-01-01T00:05:30Z".parse().expect("a time")
}

#[test]
fn columns_are_three_spaces_apart_and_headings_are_capitals() {
    let objects = [config_map("default", "a", 1), config_map("default", "a-longer-name", 12)];
    let printed = kubectl::table(KindId::CONFIG_MAP.get(), &objects, now(), false);
    let want = "\
NAME            DATA   AGE
a               1      5m30s
a-longer-name   12     5m30s
";
    assert_eq!(printed, want);
}

#[test]
fn all_namespaces_come_with_a_column_of_their_own() {
    let objects = [config_map("default", "a", 0), config_map("kube-system", "b", 2)];
    let printed = kubectl::table_of_namespaces(KindId::CONFIG_MAP.get(), &objects, now(), false);
    let want = "\
NAMESPACE     NAME   DATA   AGE
default       a      0      5m30s
kube-system   b      2      5m30s
";
    assert_eq!(printed, want);
}

#[test]
fn wide_shows_the_columns_of_low_priority() {
    let pod = object(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "web-1", "namespace": "default", "creationTimestamp": "2026-01-01T00:05:00Z"},
        "spec": {"nodeName": "node-1", "containers": [{"name": "main", "image": "nginx"}]},
        "status": {
            "phase": "Running", "podIP": "10.244.1.2", "podIPs": [{"ip": "10.244.1.2"}],
            "containerStatuses": [{
                "name": "main", "image": "nginx", "imageID": "", "ready": true, "started": true,
                "restartCount": 0, "state": {"running": {"startedAt": "2026-01-01T00:05:01Z"}}}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }));
    let kind = KindId::POD.get();
    let narrow = kubectl::table(kind, std::slice::from_ref(&pod), now(), false);
    let want = "\
NAME    READY   STATUS    RESTARTS   AGE
web-1   1/1     Running   0          30s
";
    assert_eq!(narrow, want);
    let wide = kubectl::table(kind, &[pod], now(), true);
    let want = "\
NAME    READY   STATUS    RESTARTS   AGE   IP           NODE     NOMINATED NODE   READINESS GATES
web-1   1/1     Running   0          30s   10.244.1.2   node-1   <none>           <none>
";
    assert_eq!(wide, want);
}

#[test]
fn nothing_prints_nothing() {
    assert_eq!(kubectl::table(KindId::POD.get(), &[], now(), true), "");
}

#[test]
fn a_cell_ends_at_its_first_line_break() {
    let event = object(json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": "a", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "web"},
        "type": "Warning", "reason": "Failed", "message": "first\nsecond \u{1b}[31m",
        "lastTimestamp": "2026-01-01T00:05:00Z", "count": 1,
    }));
    let printed = kubectl::table(KindId::EVENT.get(), &[event], now(), false);
    assert!(printed.ends_with("   first...\n"), "{printed}");
}
