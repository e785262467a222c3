//! What `kubectl apply -f` and `kubectl delete -f` do and print.

use api::KindId;
use api::openapi::api::apps::v1::Deployment;
use apiserver::Identity;
use client::testing::TestCluster;
use kubectl::{DocumentResult, Refusal};

const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
      - name: nginx
        image: nginx:1.14.2
";

fn cluster() -> TestCluster {
    let mut cluster = TestCluster::new();
    cluster.create_namespace("default");
    cluster
}

fn apply(cluster: &mut TestCluster, text: &str) -> Vec<DocumentResult> {
    kubectl::apply(&mut cluster.context(0), &Identity::administrator(), text)
}

fn delete(cluster: &mut TestCluster, text: &str) -> Vec<DocumentResult> {
    kubectl::delete(&mut cluster.context(0), &Identity::administrator(), text)
}

fn printed(results: &[DocumentResult]) -> Vec<String> {
    results.iter().map(ToString::to_string).collect()
}

fn web(cluster: &mut TestCluster) -> Deployment {
    (*cluster.api::<Deployment>("default").get("web").expect("there is one")).clone()
}

fn refusal(results: &[DocumentResult]) -> &Refusal {
    let refused = results.iter().find_map(|result| result.outcome.as_ref().err());
    refused.expect("something was refused")
}

#[test]
fn apply_creates_then_finds_nothing_to_do_then_changes() {
    let mut cluster = cluster();
    assert_eq!(printed(&apply(&mut cluster, WEB)), ["deployment.apps/web created"]);
    let revision = cluster.server.revision();
    assert_eq!(printed(&apply(&mut cluster, WEB)), ["deployment.apps/web unchanged"]);
    assert_eq!(cluster.server.revision(), revision);
    let newer = WEB.replace("1.14.2", "1.16.1");
    assert_eq!(printed(&apply(&mut cluster, &newer)), ["deployment.apps/web configured"]);
    let annotations = web(&mut cluster).metadata.annotations.expect("set");
    let applied = &annotations["kubectl.kubernetes.io/last-applied-configuration"];
    assert!(applied.contains("nginx:1.16.1") && applied.contains("\"namespace\":\"default\""));
    assert!(applied.ends_with("}\n"), "{applied}");
}

#[test]
fn apply_takes_back_what_it_said_and_leaves_what_others_said() {
    let mut cluster = cluster();
    let more = WEB.replace("spec:\n  selector", "spec:\n  minReadySeconds: 5\n  selector");
    apply(&mut cluster, &more);
    cluster
        .api::<Deployment>("default")
        .patch("web", |deployment| deployment.spec.replicas = Some(7))
        .expect("scaled by somebody else");
    assert_eq!(printed(&apply(&mut cluster, WEB)), ["deployment.apps/web configured"]);
    let spec = web(&mut cluster).spec;
    assert_eq!((spec.replicas, spec.min_ready_seconds), (Some(7), None));
}

#[test]
fn documents_are_applied_in_their_order_and_lists_item_by_item() {
    let mut cluster = cluster();
    let text = "\
apiVersion: v1
kind: Namespace
metadata: {name: team}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: a, namespace: team}
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: b}
";
    let results = apply(&mut cluster, text);
    let want = ["namespace/team created", "configmap/a created", "configmap/b created"];
    assert_eq!(printed(&results), want);
    let documents: Vec<Option<u32>> = results.iter().map(|result| result.document).collect();
    assert_eq!(documents, [Some(0), Some(1), Some(1)]);
    let found = cluster.server.snapshot(KindId::CONFIG_MAP);
    let keys: Vec<String> = found.iter().map(|object| object.key().to_string()).collect();
    assert_eq!(keys, ["default/b", "team/a"]);
}

#[test]
fn a_text_that_is_wrong_in_one_place_changes_nothing() {
    for (text, line, column, words) in [
        (
            format!("{WEB}---\nkind: Pod\n  name: a\n"),
            19,
            None,
            "error: error parsing STDIN: error converting YAML to JSON: yaml: line 19: ",
        ),
        (
            format!("{WEB}---\napiVersion: v1\nkind: Pot\nmetadata: {{name: a}}\n"),
            19,
            Some(7),
            "error: resource mapping not found for name: \"a\" namespace: \"\" from \"STDIN\": no \
             matches for kind \"Pot\" in version \"v1\"\nensure CRDs are installed first",
        ),
        (
            format!("{WEB}---\napiVersion: v1\nmetadata: {{name: a}}\n"),
            18,
            Some(1),
            "error: unable to decode \"STDIN\": Object 'Kind' is missing in \
             '{\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"}}'",
        ),
        (
            WEB.replace("        image:", "        imag:"),
            16,
            Some(9),
            "Error from server (BadRequest): error when creating \"STDIN\": Deployment in version \
             \"v1\" cannot be handled as a Deployment: strict decoding error: unknown field \
             \"spec.template.spec.containers[0].imag\"",
        ),
        (
            WEB.replace("spec:\n  selector", "spec:\n  replicas: three\n  selector"),
            6,
            Some(13),
            "Error from server (BadRequest): error when creating \"STDIN\": Deployment in version \
             \"v1\" cannot be handled as a Deployment: json: cannot unmarshal string into Go \
             struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            format!("{WEB}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{}}\n"),
            20,
            Some(1),
            "error: error when retrieving current configuration of:\nResource: \"/v1, \
             Resource=configmaps\", GroupVersionKind: \"/v1, Kind=ConfigMap\"\nName: \"\", \
             Namespace: \"default\"\nfrom server for: \"STDIN\": resource name may not be empty",
        ),
        (String::new(), 0, None, "error: no objects passed to apply"),
    ] {
        let mut cluster = cluster();
        let before = cluster.server.fingerprint();
        let results = apply(&mut cluster, &text);
        assert_eq!(cluster.server.fingerprint(), before, "{words}");
        let refusal = refusal(&results);
        assert!(refusal.message.starts_with(words), "{}\n{words}", refusal.message);
        let place = refusal.marks.first().map(|mark| (mark.line, mark.column));
        assert_eq!(place.map_or(0, |(line, _)| line), line, "{words}");
        if column.is_some() {
            assert_eq!(place.map(|(_, column)| column), column, "{words}");
        }
    }
}

#[test]
fn what_the_api_server_refuses_is_marked_in_the_text() {
    let mut cluster = cluster();
    let text = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  namespace: nowhere
";
    let results = apply(&mut cluster, text);
    let refused = refusal(&results);
    let words = "Error from server (NotFound): error when creating \"STDIN\": namespaces \
                 \"nowhere\" not found";
    assert_eq!((refused.reason.as_str(), refused.message.as_str()), ("NotFound", words));
    let mark = &refused.marks[0];
    assert_eq!((mark.field.as_str(), mark.line, mark.column), ("metadata.namespace", 5, 14));
    assert_eq!(results[0].title, "configmap/a");
}

#[test]
fn a_field_that_validation_refuses_is_marked() {
    let mut cluster = cluster();
    let text = WEB.replace("spec:\n  selector", "spec:\n  replicas: -3\n  selector");
    let results = apply(&mut cluster, &text);
    let refused = refusal(&results);
    let words = "The Deployment \"web\" is invalid: spec.replicas: Invalid value: -3: must be \
                 greater than or equal to 0";
    assert_eq!((refused.reason.as_str(), refused.message.as_str()), ("Invalid", words));
    let mark = &refused.marks[0];
    assert_eq!((mark.field.as_str(), mark.line, mark.column), ("spec.replicas", 6, 13));
    assert_eq!(mark.message, "Invalid value: -3: must be greater than or equal to 0");
}

#[test]
fn apply_warns_of_objects_it_did_not_make() {
    let mut cluster = cluster();
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: \"1\"}\n";
    let map = api::openapi::api::core::v1::ConfigMap {
        metadata: api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
            name: Some("a".into()),
            ..Default::default()
        },
        ..Default::default()
    };
    cluster.api("default").create(map).expect("created");
    let results = apply(&mut cluster, text);
    assert_eq!(printed(&results), ["configmap/a configured"]);
    let done = results[0].outcome.as_ref().expect("done");
    assert!(done.warnings[0].starts_with("resource configmaps/a is missing the kubectl"));
    assert!(apply(&mut cluster, text)[0].outcome.as_ref().expect("done").warnings.is_empty());
}

#[test]
fn delete_deletes_what_the_text_names() {
    let mut cluster = cluster();
    apply(&mut cluster, WEB);
    let text = format!("{WEB}---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: team}}\n");
    let want = [
        "deployment.apps \"web\" deleted from default namespace",
        "Error from server (NotFound): error when deleting \"STDIN\": namespaces \"team\" not found",
    ];
    assert_eq!(printed(&delete(&mut cluster, &text)), want);
    assert!(cluster.server.snapshot(KindId::DEPLOYMENT).is_empty());
    assert!(delete(&mut cluster, "").is_empty());
}
