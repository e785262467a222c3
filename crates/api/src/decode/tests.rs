use serde_json::json;

use super::*;
use crate::yaml;

fn deployment(spec: Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": spec,
    })
}

fn pod_spec(spec: Value) -> Value {
    deployment(json!({"template": {"spec": spec}}))
}

fn container(container: Value) -> Value {
    pod_spec(json!({"containers": [{"name": "ok"}, container]}))
}

fn strict(value: Value) -> DecodeError {
    decode(value, FieldValidation::Strict).unwrap_err()
}

fn metadata(metadata: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
}

fn check_type_errors<const N: usize>(cases: [(Value, &str, &str); N]) {
    for (value, want, path) in cases {
        let error = strict(value);
        assert_eq!(error.to_string(), format!("json: cannot unmarshal {want}"));
        assert_eq!(error.paths, [path]);
    }
}

#[test]
fn scalars_of_a_wrong_type_read_as_gos() {
    check_type_errors([
        (
            deployment(json!({"replicas": "3"})),
            "string into Go struct field DeploymentSpec.spec.replicas of type int32",
            "spec.replicas",
        ),
        (
            deployment(json!({"replicas": 1.5})),
            "number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
            "spec.replicas",
        ),
        (
            deployment(json!({"replicas": 3_000_000_000_u64})),
            "number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32",
            "spec.replicas",
        ),
        (
            deployment(json!("x")),
            "string into Go struct field Deployment.spec of type v1.DeploymentSpec",
            "spec",
        ),
        (
            container(json!({"image": 5})),
            "number into Go struct field Container.spec.template.spec.containers.image of type \
             string",
            "spec.template.spec.containers[1].image",
        ),
        (
            container(json!({"env": [{"name": "a", "value": true}]})),
            "bool into Go struct field EnvVar.spec.template.spec.containers.env.value of type \
             string",
            "spec.template.spec.containers[1].env[0].value",
        ),
        (
            container(json!({"command": "sh"})),
            "string into Go struct field Container.spec.template.spec.containers.command of type \
             []string",
            "spec.template.spec.containers[1].command",
        ),
    ]);
}

#[test]
fn maps_and_lists_of_a_wrong_type_read_as_gos() {
    check_type_errors([
        (
            pod_spec(json!({"containers": {"name": "a"}})),
            "object into Go struct field PodSpec.spec.template.spec.containers of type \
             []v1.Container",
            "spec.template.spec.containers",
        ),
        (
            pod_spec(json!({"restartPolicy": false})),
            "bool into Go struct field PodSpec.spec.template.spec.restartPolicy of type \
             v1.RestartPolicy",
            "spec.template.spec.restartPolicy",
        ),
        (
            container(json!({"securityContext": {"capabilities": {"drop": "ALL"}}})),
            "string into Go struct field Capabilities.spec.template.spec.containers.\
             securityContext.capabilities.drop of type []v1.Capability",
            "spec.template.spec.containers[1].securityContext.capabilities.drop",
        ),
        (
            container(json!({"securityContext": {"capabilities": {"drop": [1]}}})),
            "number into Go struct field Capabilities.spec.template.spec.containers.\
             securityContext.capabilities.drop of type v1.Capability",
            "spec.template.spec.containers[1].securityContext.capabilities.drop[0]",
        ),
        (
            pod_spec(json!({"hostNetwork": "yes"})),
            "string into Go struct field PodSpec.spec.template.spec.hostNetwork of type bool",
            "spec.template.spec.hostNetwork",
        ),
        (
            metadata(json!({"labels": {"a.b/c": 1}})),
            "number into Go struct field ObjectMeta.metadata.labels of type string",
            "metadata.labels.a.b/c",
        ),
        (
            metadata(json!({"labels": []})),
            "array into Go struct field ObjectMeta.metadata.labels of type map[string]string",
            "metadata.labels",
        ),
        (
            metadata(json!("a")),
            "string into Go struct field Pod.metadata of type v1.ObjectMeta",
            "metadata",
        ),
        (
            container(json!({"ports": [{"containerPort": "80"}]})),
            "string into Go struct field ContainerPort.spec.template.spec.containers.ports.\
             containerPort of type int32",
            "spec.template.spec.containers[1].ports[0].containerPort",
        ),
        (
            deployment(json!({"strategy": {"rollingUpdate": {"maxSurge": true}}})),
            "bool into Go value of type int32",
            "spec.strategy.rollingUpdate.maxSurge",
        ),
        (
            container(json!({"resources": {"limits": "1Gi"}})),
            "string into Go struct field ResourceRequirements.spec.template.spec.containers.\
             resources.limits of type v1.ResourceList",
            "spec.template.spec.containers[1].resources.limits",
        ),
    ]);
}

#[test]
fn malformed_texts_read_as_gos() {
    let kind = |kind: &str, fields: Value| {
        let mut value = json!({"apiVersion": "v1", "kind": kind});
        value.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        value
    };
    for (value, want, path) in [
        (
            kind("Secret", json!({"data": {"a": "a$=="}})),
            "illegal base64 data at input byte 1",
            "data.a",
        ),
        (
            kind("Secret", json!({"data": {"a": "YWJjZA"}})),
            "illegal base64 data at input byte 4",
            "data.a",
        ),
        (
            kind("Pod", json!({"metadata": {"creationTimestamp": "now"}})),
            "parsing time \"now\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"now\" as \
             \"2006\"",
            "metadata.creationTimestamp",
        ),
        (
            kind("Pod", json!({"metadata": {"creationTimestamp": 5}})),
            "json: cannot unmarshal number into Go value of type string",
            "metadata.creationTimestamp",
        ),
    ] {
        let error = strict(value);
        assert_eq!(error.to_string(), want);
        assert_eq!(error.paths, [path]);
    }
}

#[test]
fn quantities_are_checked_and_made_canonical() {
    let limits = |cpu: Value| container(json!({"resources": {"limits": {"cpu": cpu}}}));
    for (cpu, want) in [
        (
            json!("1 core"),
            "quantities must match the regular expression \
             '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (json!("1ki"), "unable to parse quantity's suffix"),
        (
            json!(true),
            "quantities must match the regular expression \
             '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
    ] {
        let error = strict(limits(cpu));
        assert_eq!(error.to_string(), want);
        assert_eq!(error.paths, ["spec.template.spec.containers[1].resources.limits.cpu"]);
    }
    for (cpu, want) in
        [(json!("0.5"), "500m"), (json!(2), "2"), (json!("1024Mi"), "1Gi"), (json!(0.1), "100m")]
    {
        let decoded = decode(limits(cpu), FieldValidation::Strict).unwrap();
        let value = decoded.object.to_value();
        let path = "/spec/template/spec/containers/1/resources/limits/cpu";
        assert_eq!(value.pointer(path).unwrap(), want);
    }
}

#[test]
fn unknown_fields_are_named_by_path() {
    let value = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "lables": {}, "labels": {"any": "thing"}},
        "spec": {
            "replica": 3,
            "template": {"spec": {"containers": [{"name": "a", "imag": {"deep": []}}]}},
        },
        "extra": null,
    });
    let paths =
        ["extra", "metadata.lables", "spec.replica", "spec.template.spec.containers[0].imag"];
    let error = strict(value.clone());
    assert_eq!(error.paths, paths);
    assert_eq!(
        error.to_status().message(),
        "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: \
         unknown field \"extra\", unknown field \"metadata.lables\", unknown field \
         \"spec.replica\", unknown field \"spec.template.spec.containers[0].imag\""
    );
    let decoded = decode(value.clone(), FieldValidation::Warn).unwrap();
    assert_eq!(decoded.unknown_fields, paths);
    assert_eq!(decoded.warnings().next().unwrap(), "unknown field \"extra\"");
    assert_eq!(decoded.object.name(), "web");
    let ignored = decode(value, FieldValidation::Ignore).unwrap();
    assert_eq!((ignored.object, ignored.unknown_fields), (decoded.object, vec![]));
}

#[test]
fn objects_without_a_kind_we_know_are_refused() {
    for (value, want) in [
        (json!({"a": 1}), "Object 'Kind' is missing in '{\"a\":1}'"),
        (json!({"kind": "Pod"}), "Object 'apiVersion' is missing in '{\"kind\":\"Pod\"}'"),
        (
            json!({"apiVersion": "v1", "kind": "Pot"}),
            "no matches for kind \"Pot\" in version \"v1\"",
        ),
        (
            json!({"apiVersion": "apps/v1beta1", "kind": "Deployment"}),
            "no matches for kind \"Deployment\" in version \"apps/v1beta1\"",
        ),
        (
            json!({"apiVersion": "v1", "kind": 5}),
            "couldn't get version/kind; json parse error: json: cannot unmarshal number into Go \
             struct field .kind of type string",
        ),
        (
            json!("hello"),
            "couldn't get version/kind; json parse error: json: cannot unmarshal string into Go \
             value of type struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind \
             string \"json:\\\"kind,omitempty\\\"\" }",
        ),
    ] {
        let error = strict(value);
        assert_eq!(error.to_string(), want);
        assert_eq!(error.to_status().code(), 400);
    }
    let error = strict(json!({"apiVersion": "v1", "kind": "Pot"}));
    assert_eq!(
        error.for_file("pot.yaml", "a", ""),
        "resource mapping not found for name: \"a\" namespace: \"\" from \"pot.yaml\": no matches \
         for kind \"Pot\" in version \"v1\"\nensure CRDs are installed first"
    );
    for (value, want) in [
        (
            json!(["a"]),
            "unable to decode \"f\": json: cannot unmarshal array into Go value of type \
             unstructured.detector",
        ),
        (json!({"kind": 5}), "unable to decode \"f\": Object 'Kind' is missing in '{\"kind\":5}'"),
        (
            json!({"kind": "Pod"}),
            "error validating \"f\": error validating data: apiVersion not set; if you choose to \
             ignore these errors, turn validation off with --validate=false",
        ),
        (
            json!({"kind": "Pod", "apiVersion": 5}),
            "unable to decode \"f\": json: cannot unmarshal number into Go struct field \
             metadataOnlyObject.TypeMeta.apiVersion of type string",
        ),
        (json!({}), "unable to decode \"f\": Object 'Kind' is missing in '{}'"),
    ] {
        assert_eq!(strict(value).for_file("f", "", ""), want);
    }
}

#[test]
fn null_leaves_a_field_as_it_is() {
    let value = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": null,
        "spec": {
            "containers": [null, {"name": null, "args": [null, "a"], "ports": null, "env": []}],
            "hostNetwork": null,
            "nodeSelector": {"a": null},
        },
    });
    let decoded = decode(value, FieldValidation::Strict).unwrap();
    let pod = decoded.object.get::<k8s_openapi::api::core::v1::Pod>().unwrap();
    let spec = pod.spec.as_ref().unwrap();
    assert_eq!(spec.containers.len(), 2);
    assert_eq!(spec.containers[1].args, Some(vec![String::new(), "a".to_string()]));
    assert_eq!(spec.node_selector.as_ref().unwrap()["a"], "");
}

#[test]
fn errors_are_found_in_the_text() {
    let text = "\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: web
    image: nginx
    prots:
    - containerPort: 80
";
    let document = yaml::documents(text).unwrap().remove(0);
    let error = strict(document.value.clone());
    let place = document.position_of_key(&error.paths[0]);
    assert_eq!((place.line, place.column), (9, 5));
}

#[test]
fn objects_of_every_kind_survive_a_round_trip() {
    let value = container(json!({
        "image": "nginx",
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 5},
        "livenessProbe": {"tcpSocket": {"port": 80}},
        "resources": {"limits": {"cpu": "100m"}},
    }));
    let decoded = decode(value.clone(), FieldValidation::Strict).unwrap();
    let again = decode(decoded.object.to_value(), FieldValidation::Strict).unwrap();
    assert_eq!(again.object, decoded.object);
    for kind in Kind::all() {
        let value = json!({"apiVersion": kind.api_version, "kind": kind.kind});
        let decoded = decode(value.clone(), FieldValidation::Strict).unwrap();
        assert_eq!(decoded.object.kind(), kind);
        let unnamed = decode_as(kind, json!({}), FieldValidation::Strict).unwrap();
        assert_eq!(unnamed.object, decoded.object);
    }
}

/// Replaces one value somewhere in a tree.
fn mutate(value: &mut Value, stream: &mut sim::Stream) {
    let choices = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!("text"),
        json!(["text"]),
        json!({"unknown": {"deep": [1]}}),
    ];
    let count = match value {
        Value::Object(fields) => fields.len(),
        Value::Array(items) => items.len(),
        _ => 0,
    };
    let chosen = usize::try_from(stream.below(count as u64 + 1)).unwrap();
    match value {
        Value::Object(fields) if chosen < count => {
            mutate(fields.values_mut().nth(chosen).unwrap(), stream);
        }
        Value::Array(items) if chosen < count => mutate(&mut items[chosen], stream),
        other => *other = choices[usize::try_from(stream.below(8)).unwrap()].clone(),
    }
}

#[test]
fn whatever_is_wrong_has_a_place() {
    let good = container(json!({
        "image": "nginx",
        "command": ["sh", "-c"],
        "env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 5},
        "resources": {"limits": {"cpu": "100m"}},
        "securityContext": {"capabilities": {"add": ["NET_ADMIN"]}},
    }));
    let mut stream = sim::Stream::new(17, "decode");
    let mut refused = 0;
    for _ in 0..3000 {
        let mut value = good.clone();
        mutate(&mut value["metadata"], &mut stream);
        mutate(&mut value["spec"], &mut stream);
        let text = yaml::to_yaml(&value);
        let Err(error) = decode(value.clone(), FieldValidation::Strict) else { continue };
        refused += 1;
        let document = yaml::documents(&text).unwrap().remove(0);
        for path in &error.paths {
            let place = document.position_of_key(path);
            let line = text.lines().nth(place.line as usize - 1).unwrap();
            let last = path.rsplit(['.', '[']).next().unwrap().trim_end_matches(']');
            let is_item = last.parse::<usize>().is_ok();
            assert!(is_item || line.contains(&format!("{last}:")), "{error}: {path}: {line}");
        }
    }
    assert!(refused > 1000, "only {refused} were refused");
}
