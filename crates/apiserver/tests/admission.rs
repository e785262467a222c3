//! What admission adds and refuses.
//! Upstream: plugin/pkg/admission/*/admission_test.go

mod common;

use api::KindId;
use api::openapi::api::core::v1::{Node, Pod, PodSpec};
use apiserver::{DeleteOptions, Identity, Subresource};
use common::{Server, config_map, grace, pod};
use serde_json::{Value, json};

fn spec(object: &api::Object) -> PodSpec {
    object.get::<Pod>().and_then(|pod| pod.spec.clone()).expect("a pod with a spec")
}

fn refusal<T: std::fmt::Debug>(result: Result<T, api::Status>) -> (i32, String) {
    let status = result.expect_err("refused");
    (status.code(), status.message().to_string())
}

#[test]
fn nothing_is_created_where_there_is_no_namespace() {
    let mut server = Server::new();
    let mut given = config_map("a");
    given["metadata"]["namespace"] = json!("nowhere");
    assert_eq!(refusal(server.create(given)), (404, "namespaces \"nowhere\" not found".into()));
}

#[test]
fn the_namespaces_that_the_cluster_needs_stay() {
    let mut server = Server::new();
    server.namespace("kube-system");
    for name in ["default", "kube-system"] {
        let refused = refusal(server.delete(KindId::NAMESPACE, name, DeleteOptions::default()));
        let words = format!("namespaces {name:?} is forbidden: this namespace may not be deleted");
        assert_eq!(refused, (403, words));
    }
}

#[test]
fn a_pod_runs_as_an_account_and_finds_its_token() {
    let mut server = Server::new();
    let mut given = pod("a");
    given["spec"]["initContainers"] = json!([{"name": "init", "image": "busybox"}]);
    let spec = spec(&server.create(given).expect("created"));
    assert_eq!(spec.service_account_name.as_deref(), Some("default"));
    assert_eq!(spec.service_account.as_deref(), Some("default"));
    let volumes = serde_json::to_value(spec.volumes).expect("serialises");
    let name = volumes[0]["name"].as_str().expect("a name").to_string();
    let suffix = name.strip_prefix("kube-api-access-").expect("the prefix");
    assert_eq!(suffix.len(), 5);
    let want = json!([{"name": name, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {
            "items": [{"key": "ca.crt", "path": "ca.crt"}], "name": "kube-root-ca.crt"}},
        {"downwardAPI": {"items": [
            {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
             "path": "namespace"}]}},
    ]}}]);
    assert_eq!(volumes, want);
    let want = json!([{
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
        "name": name, "readOnly": true,
    }]);
    for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
        let mounts = serde_json::to_value(&container.volume_mounts).expect("serialises");
        assert_eq!(mounts, want, "{}", container.name);
    }
}

#[test]
fn a_token_is_mounted_unless_somebody_says_no() {
    let mut server = Server::new();
    let account = |name: &str, automount: Option<bool>| {
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": "default"},
            "automountServiceAccountToken": automount,
            "imagePullSecrets": [{"name": "registry"}],
        })
    };
    server.create(account("quiet", Some(false))).expect("created");
    server.create(account("open", None)).expect("created");
    for (account, of_pod, mounted) in [
        ("quiet", Value::Null, false),
        ("quiet", json!(true), true),
        ("open", Value::Null, true),
        ("open", json!(false), false),
    ] {
        let mut given = pod("");
        given["metadata"]["generateName"] = json!("a-");
        given["spec"]["serviceAccountName"] = json!(account);
        given["spec"]["automountServiceAccountToken"] = of_pod.clone();
        let spec = spec(&server.create(given).expect("created"));
        assert_eq!(spec.volumes.is_some_and(|all| !all.is_empty()), mounted, "{account} {of_pod}");
        assert_eq!(spec.image_pull_secrets.map(|all| all[0].name.clone()), Some("registry".into()));
    }
}

#[test]
fn a_pod_of_an_unknown_account_is_refused() {
    let mut server = Server::new();
    let mut given = pod("");
    given["metadata"]["generateName"] = json!("web-5d8f7-");
    given["spec"]["serviceAccountName"] = json!("nobody");
    let words = "pods \"web-5d8f7-\" is forbidden: error looking up service account \
                 default/nobody: serviceaccount \"nobody\" not found";
    assert_eq!(refusal(server.create(given)), (403, words.into()));
}

#[test]
fn a_pod_may_come_with_its_namespace() {
    let mut server = Server::new();
    server
        .create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}))
        .expect("created");
    let in_team = |name: &str| {
        let mut given = pod(name);
        given["metadata"]["namespace"] = json!("team");
        given
    };
    let spec = spec(&server.create(in_team("a")).expect("the account is on its way"));
    assert_eq!(spec.service_account_name.as_deref(), Some("default"));
    let mut other = in_team("b");
    other["spec"]["serviceAccountName"] = json!("builder");
    server.create(other).expect_err("nobody makes this one");
    server.advance(2);
    let words = "pods \"c\" is forbidden: error looking up service account team/default: \
                 serviceaccount \"default\" not found";
    assert_eq!(refusal(server.create(in_team("c"))), (403, words.into()));
}

#[test]
fn a_pod_has_the_priority_of_its_class() {
    let mut server = Server::new();
    server.server.add_system_priority_classes(server.now);
    for (name, class, priority) in [
        ("a", Value::Null, 0),
        ("b", json!("system-cluster-critical"), 2_000_000_000),
        ("c", json!("system-node-critical"), 2_000_001_000),
    ] {
        let mut given = pod(name);
        given["spec"]["priorityClassName"] = class;
        let spec = spec(&server.create(given).expect("created"));
        assert_eq!(spec.priority, Some(priority));
        assert_eq!(spec.preemption_policy.as_deref(), Some("PreemptLowerPriority"));
    }
    let mut given = pod("d");
    given["spec"]["priorityClassName"] = json!("gold");
    let words = "pods \"d\" is forbidden: no PriorityClass with name gold was found";
    assert_eq!(refusal(server.create(given)), (403, words.into()));
    let mut given = pod("e");
    given["spec"]["priority"] = json!(7);
    let words = "pods \"e\" is forbidden: the integer value of priority (7) must not be provided \
                 in pod spec; priority admission controller computed 0 from the given \
                 PriorityClass name";
    assert_eq!(refusal(server.create(given)), (403, words.into()));
}

/// Upstream: plugin/pkg/admission/priority/admission_test.go
#[test]
fn classes_say_what_pods_without_a_class_get_and_whether_they_preempt() {
    let mut server = Server::new();
    server.server.add_system_priority_classes(server.now);
    let class = |name: &str, value: i32, is_default: bool, policy: &str| {
        json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
            "metadata": {"name": name}, "value": value, "globalDefault": is_default,
            "preemptionPolicy": policy})
    };
    server.create(class("gentle", 50, false, "Never")).expect("created");
    server.create(class("usual", 1000, true, "PreemptLowerPriority")).expect("created");
    let words = "priorityclasses.scheduling.k8s.io \"other\" is forbidden: PriorityClass usual is \
                 already marked as default. Only one default can exist";
    let other = class("other", 1, true, "PreemptLowerPriority");
    assert_eq!(refusal(server.create(other)), (403, words.into()));
    let spec_of = |server: &mut Server, name: &str, fields: Value| {
        let mut given = pod(name);
        for (field, value) in fields.as_object().expect("fields") {
            given["spec"][field] = value.clone();
        }
        server.create(given)
    };
    let usual = spec(&spec_of(&mut server, "a", json!({})).expect("created"));
    assert_eq!((usual.priority_class_name.as_deref(), usual.priority), (Some("usual"), Some(1000)));
    let gentle = json!({"priorityClassName": "gentle"});
    let gentle = spec(&spec_of(&mut server, "b", gentle).expect("created"));
    assert_eq!((gentle.priority, gentle.preemption_policy.as_deref()), (Some(50), Some("Never")));
    let eager = json!({"priorityClassName": "gentle", "preemptionPolicy": "PreemptLowerPriority"});
    let words = "pods \"c\" is forbidden: the string value of PreemptionPolicy \
                 (PreemptLowerPriority) must not be provided in pod spec; priority admission \
                 controller computed Never from the given PriorityClass name";
    assert_eq!(refusal(spec_of(&mut server, "c", eager)), (403, words.into()));
    let deleted =
        server.delete(KindId::PRIORITY_CLASS, "system-node-critical", DeleteOptions::default());
    let words = "priorityclasses.scheduling.k8s.io \"system-node-critical\" is forbidden: this is \
                 a system priority class and cannot be deleted";
    assert_eq!(deleted.expect_err("refused").message(), words);
}

#[test]
fn a_pod_tolerates_a_lost_node_for_five_minutes_unless_it_says_otherwise() {
    let mut server = Server::new();
    let default = |taint: &str| json!({"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
    let not_ready = default("node.kubernetes.io/not-ready");
    let unreachable = default("node.kubernetes.io/unreachable");
    let own = json!({
        "key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
        "tolerationSeconds": 700,
    });
    let of_schedule = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule",
        "operator": "Exists"});
    let all = json!({"operator": "Exists"});
    for (name, given, want) in [
        ("a", json!([]), json!([not_ready, unreachable])),
        ("b", json!([own]), json!([own, unreachable])),
        ("c", json!([of_schedule]), json!([of_schedule, not_ready, unreachable])),
        ("d", json!([all]), json!([all])),
    ] {
        let mut value = pod(name);
        value["spec"]["tolerations"] = given;
        let spec = spec(&server.create(value).expect("created"));
        let tolerations = serde_json::to_value(spec.tolerations).expect("serialises");
        assert_eq!(tolerations, want, "{name}");
    }
}

fn node(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
}

#[test]
fn a_new_node_is_tainted_once() {
    let mut server = Server::new();
    let taint = json!([{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]);
    let mut tainted = node("node-2");
    tainted["spec"] = json!({"taints": taint});
    for given in [node("node-1"), tainted] {
        let created = server.create(given).expect("created");
        let spec = created.get::<Node>().and_then(|node| node.spec.clone());
        let taints = spec.and_then(|spec| spec.taints);
        assert_eq!(serde_json::to_value(taints).expect("serialises"), taint);
    }
}

#[test]
fn a_kubelet_keeps_to_its_own() {
    let mut server = Server::new();
    let mut own = pod("own");
    own["spec"]["nodeName"] = json!("node-1");
    let own = server.create(own).expect("created");
    let mut other = pod("other");
    other["spec"]["nodeName"] = json!("node-2");
    let other = server.create(other).expect("created");
    server.identity = Identity::node("node-1");
    let failed = |object: &mut api::Object| {
        let status = &mut object.get_mut::<Pod>().expect("a pod").status;
        status.get_or_insert_default().phase = Some("Failed".into());
    };
    server.change(&own, Subresource::Status, failed).expect("its own pod");
    let words = "node \"node-1\" can only update pod status for pods with spec.nodeName set to \
                 itself";
    let refused = refusal(server.change(&other, Subresource::Status, failed));
    assert_eq!(refused, (403, format!("pods \"other\" is forbidden: {words}")));
    let refused = refusal(server.delete(KindId::POD, "other", grace(0)));
    let words = "node \"node-1\" can only delete pods with spec.nodeName set to itself";
    assert_eq!(refused, (403, format!("pods \"other\" is forbidden: {words}")));
    server.delete(KindId::POD, "own", grace(0)).expect("its own pod");
    let words = "pod does not have \"kubernetes.io/config.mirror\" annotation, node \"node-1\" can \
                 only create mirror pods";
    let refused = refusal(server.create(pod("new")));
    assert_eq!(refused, (403, format!("pods \"new\" is forbidden: {words}")));
}

#[test]
fn a_kubelet_registers_itself_with_labels_it_may_set() {
    let mut server = Server::new();
    server.identity = Identity::node("node-1");
    let words = "nodes \"node-2\" is forbidden: node \"node-1\" is not allowed to modify node \
                 \"node-2\"";
    assert_eq!(refusal(server.create(node("node-2"))), (403, words.into()));
    let mut given = node("node-1");
    given["metadata"]["labels"] = json!({
        "kubernetes.io/hostname": "node-1", "example.com/rack": "r1",
        "node-role.kubernetes.io/control-plane": "",
    });
    let words = "nodes \"node-1\" is forbidden: node \"node-1\" is not allowed to set the \
                 following labels: node-role.kubernetes.io/control-plane";
    assert_eq!(refusal(server.create(given.clone())), (403, words.into()));
    given["metadata"]["labels"] = json!({"kubernetes.io/hostname": "node-1"});
    let created = server.create(given).expect("created");
    let untaint = |object: &mut api::Object| {
        object.get_mut::<Node>().expect("a node").spec.get_or_insert_default().taints = None;
    };
    let words = "nodes \"node-1\" is forbidden: node \"node-1\" is not allowed to modify taints";
    let refused = refusal(server.change(&created, Subresource::None, untaint));
    assert_eq!(refused, (403, words.into()));
    let lease = |name: &str, namespace: &str| {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"holderIdentity": name, "leaseDurationSeconds": 40},
        })
    };
    server.create(lease("node-1", "kube-node-lease")).expect("its own lease");
    let words = "can only access node lease with the same name as the requesting node";
    let (_, refused) = refusal(server.create(lease("node-2", "kube-node-lease")));
    assert!(refused.ends_with(words), "{refused}");
    let words = "can only access leases in the \"kube-node-lease\" system namespace";
    let (_, refused) = refusal(server.create(lease("node-1", "default")));
    assert!(refused.ends_with(words), "{refused}");
}

fn limit_range(limits: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "LimitRange",
        "metadata": {"name": "limits", "namespace": "default"}, "spec": {"limits": [limits]}})
}

fn pod_with(name: &str, resources: Value) -> Value {
    let mut given = pod(name);
    given["spec"]["containers"][0]["resources"] = resources;
    given
}

/// Upstream: plugin/pkg/admission/limitranger/admission_test.go, TestMergePodResourceRequirements
/// and TestLimitRangerAdmitPod.
#[test]
fn a_limit_range_says_what_containers_do_not() {
    let mut server = Server::new();
    let limits = json!({"type": "Container", "default": {"cpu": "500m", "memory": "1Gi"},
        "defaultRequest": {"cpu": "100m"}});
    server.create(limit_range(limits)).expect("created");
    let created = server.create(pod("a")).expect("created");
    let annotations = created.meta().annotations.clone().unwrap_or_default();
    assert_eq!(
        annotations["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: cpu, memory request for container main; cpu, memory limit for \
         container main"
    );
    let resources = serde_json::to_value(&spec(&created).containers[0].resources).expect("JSON");
    assert_eq!(
        resources,
        json!({"requests": {"cpu": "100m", "memory": "1Gi"},
            "limits": {"cpu": "500m", "memory": "1Gi"}})
    );
}

/// Upstream: TestPodLimitFunc and TestPersistentVolumeClaimLimitFunc.
#[test]
fn a_limit_range_refuses_what_is_outside() {
    let refused = "pods \"a\" is forbidden: ";
    for (limits, resources, want) in [
        (
            json!({"type": "Container", "min": {"cpu": "50m"}, "max": {"cpu": "2"}}),
            json!({"requests": {"cpu": "40m"}, "limits": {"cpu": "100m"}}),
            "minimum cpu usage per Container is 50m, but request is 40m",
        ),
        (
            json!({"type": "Container", "max": {"memory": "1Gi"}}),
            json!({"limits": {"memory": "2Gi"}}),
            "maximum memory usage per Container is 1Gi, but limit is 2Gi",
        ),
        (
            json!({"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}}),
            json!({"requests": {"cpu": "1"}, "limits": {"cpu": "3"}}),
            "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
        ),
        (
            json!({"type": "Pod", "max": {"cpu": "1", "memory": "1Gi"}}),
            json!({}),
            "[maximum cpu usage per Pod is 1.  No limit is specified, maximum memory usage per \
             Pod is 1Gi.  No limit is specified]",
        ),
        (
            json!({"type": "Pod", "max": {"memory": "1Gi"}}),
            json!({"limits": {"memory": "1536Mi"}}),
            "maximum memory usage per Pod is 1Gi, but limit is 1536Mi",
        ),
    ] {
        let mut server = Server::new();
        server.create(limit_range(limits)).expect("created");
        let found = refusal(server.create(pod_with("a", resources)));
        assert_eq!(found, (403, format!("{refused}{want}")));
    }
    let mut server = Server::new();
    let limits = json!({"type": "PersistentVolumeClaim", "max": {"storage": "5Gi"}});
    server.create(limit_range(limits)).expect("created");
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "c", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "10Gi"}}}});
    let want = "persistentvolumeclaims \"c\" is forbidden: maximum storage usage per \
                PersistentVolumeClaim is 5Gi, but request is 10Gi";
    assert_eq!(refusal(server.create(claim)), (403, want.to_string()));
}

/// A quota as its controller has counted it.
fn with_quota(server: &mut Server, spec: Value, used: Value) {
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "quota", "namespace": "default"}, "spec": spec});
    let created = server.create(quota).expect("created");
    let counted = server.change(&created, Subresource::Status, move |object| {
        let quota = object.get_mut::<api::openapi::api::core::v1::ResourceQuota>().expect("one");
        let hard = quota.spec.as_ref().and_then(|spec| spec.hard.clone());
        let status = quota.status.get_or_insert_default();
        status.hard = hard;
        status.used = serde_json::from_value(used).expect("a list");
    });
    counted.expect("counted");
}

fn used(server: &mut Server) -> Value {
    let quota = server.get(KindId::RESOURCE_QUOTA, "quota").expect("found");
    quota.to_value()["status"]["used"].clone()
}

/// Upstream: staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/admission_test.go,
/// TestAdmitBelowQuotaLimit, TestAdmitExceedQuotaLimit and TestAdmitEnforceQuotaConstraints.
#[test]
fn a_quota_is_charged_until_it_is_used_up() {
    let mut server = Server::new();
    let hard = json!({"hard": {"requests.cpu": "3", "limits.memory": "4Gi", "pods": "5"}});
    let counted = json!({"requests.cpu": "1", "limits.memory": "1Gi", "pods": "3"});
    with_quota(&mut server, hard, counted);
    let resources =
        |cpu: &str, memory: &str| json!({"requests": {"cpu": cpu}, "limits": {"memory": memory}});
    server.create(pod_with("a", resources("500m", "1Gi"))).expect("created");
    let after = json!({"requests.cpu": "1500m", "limits.memory": "2Gi", "pods": "4"});
    assert_eq!(used(&mut server), after);
    let found = refusal(server.create(pod_with("b", resources("2", "3Gi"))));
    let want = "pods \"b\" is forbidden: exceeded quota: quota, requested: \
                limits.memory=3Gi,requests.cpu=2, used: limits.memory=2Gi,requests.cpu=1500m, \
                limited: limits.memory=4Gi,requests.cpu=3";
    assert_eq!(found, (403, want.to_string()));
    let found = refusal(server.create(pod("c")));
    let want = "pods \"c\" is forbidden: failed quota: quota: must specify limits.memory for: \
                main; requests.cpu for: main";
    assert_eq!(found, (403, want.to_string()));
    server.dry_run = true;
    server.create(pod_with("d", resources("1", "1Gi"))).expect("created");
    assert_eq!(used(&mut server), after);
}

/// Upstream: TestAdmissionIgnoresSubresources, TestAdmitWhenUnrelatedResourceExceedsQuota and
/// TestAdmitBelowTerminatingQuotaLimit; the words where nothing was counted yet.
#[test]
fn quotas_are_about_what_they_say() {
    let mut server = Server::new();
    let hard = json!({"hard": {"pods": "0"}, "scopes": ["Terminating"]});
    with_quota(&mut server, hard, json!({"pods": "0"}));
    server.create(pod("a")).expect("created");
    server.create(config_map("a")).expect("created");
    let mut ends = pod("b");
    ends["spec"]["activeDeadlineSeconds"] = json!(10);
    let want = "pods \"b\" is forbidden: exceeded quota: quota, requested: pods=1, used: pods=0, \
                limited: pods=0";
    assert_eq!(refusal(server.create(ends)), (403, want.to_string()));
    let mut server = Server::new();
    with_quota(&mut server, json!({"hard": {"configmaps": "1", "count/services": "0"}}), json!({}));
    let want = "configmaps \"a\" is forbidden: status unknown for quota: quota, resources: \
                configmaps";
    assert_eq!(refusal(server.create(config_map("a"))), (403, want.to_string()));
}
