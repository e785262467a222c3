//! Upstream: pkg/controller/statefulset/stateful_set_control_test.go and
//! stateful_set_utils_test.go

use api::openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use api::openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use crate::testing::World;

fn stateful_set(spec: Value) -> StatefulSet {
    let mut whole = json!({
        "serviceName": "web", "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "main", "image": "nginx:1"}]}},
    });
    for (field, value) in spec.as_object().expect("fields") {
        whole[field] = value.clone();
    }
    serde_json::from_value(json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "web"}, "spec": whole}))
    .expect("a StatefulSet")
}

fn claimed(spec: Value) -> StatefulSet {
    let mut spec = spec;
    spec["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]);
    stateful_set(spec)
}

fn revision(pod: &Pod) -> String {
    pod.metadata.labels.clone().unwrap_or_default()["controller-revision-hash"].clone()
}

impl World {
    /// The pods by name, each with a mark: `+` is ready, `-` is on its way out.
    fn stateful_pods(&mut self) -> Vec<String> {
        let mut pods = self.list::<Pod>();
        pods.sort_by_key(|pod| pod.metadata.name.clone());
        let mark = |pod: &Pod| {
            let is_ready = component_helpers::pod_status::is_pod_ready(pod);
            let name = pod.metadata.name.clone().unwrap_or_default();
            match (pod.metadata.deletion_timestamp.is_some(), is_ready) {
                (true, _) => format!("{name}-"),
                (_, true) => format!("{name}+"),
                _ => name,
            }
        };
        pods.iter().map(|pod| mark(pod)).collect()
    }

    fn image(&mut self, image: &'static str) {
        self.change::<StatefulSet>("web", move |set| {
            let spec = set.spec.template.spec.as_mut().expect("a specification");
            spec.containers[0].image = Some(image.to_string());
        });
    }

    fn images(&mut self) -> Vec<String> {
        let mut pods = self.list::<Pod>();
        pods.sort_by_key(|pod| pod.metadata.name.clone());
        let image = |pod: &Pod| pod.spec.as_ref()?.containers[0].image.clone();
        pods.iter().filter_map(|pod| image(pod)).collect()
    }

    fn scale(&mut self, replicas: i32) {
        self.change::<StatefulSet>("web", move |set| set.spec.replicas = Some(replicas));
    }

    /// replicas, ready, available, current, updated.
    fn counts(&mut self) -> [i32; 5] {
        let status = self.get::<StatefulSet>("web").status.clone().unwrap_or_default();
        [
            status.replicas,
            status.ready_replicas.unwrap_or(0),
            status.available_replicas.unwrap_or(0),
            status.current_replicas.unwrap_or(0),
            status.updated_replicas.unwrap_or(0),
        ]
    }

    fn claims(&mut self) -> Vec<(String, Vec<String>)> {
        let owners = |meta: &ObjectMeta| {
            meta.owner_references.iter().flatten().map(|owner| owner.kind.clone()).collect()
        };
        let claims = self.list::<PersistentVolumeClaim>();
        let of = |claim: &PersistentVolumeClaim| {
            (claim.metadata.name.clone().unwrap_or_default(), owners(&claim.metadata))
        };
        claims.iter().map(|claim| of(claim)).collect()
    }
}

/// Upstream: CreatesPods, in order and each when the one before it is ready.
#[test]
fn pods_come_one_after_the_other() {
    let mut world = World::new();
    world.create(stateful_set(json!({"replicas": 3})));
    world.run(100);
    assert_eq!(world.stateful_pods(), ["web-0"]);
    world.run(100);
    assert_eq!(world.stateful_pods(), ["web-0"]);
    world.make_pods_ready();
    world.run(100);
    assert_eq!(world.stateful_pods(), ["web-0+", "web-1"]);
    world.settle();
    assert_eq!(world.stateful_pods(), ["web-0+", "web-1+", "web-2+"]);
    assert_eq!(world.counts(), [3, 3, 3, 3, 3]);
    let pod = world.get::<Pod>("web-1");
    let labels = pod.metadata.labels.clone().unwrap_or_default();
    assert_eq!(labels["statefulset.kubernetes.io/pod-name"], "web-1");
    assert_eq!(labels["apps.kubernetes.io/pod-index"], "1");
    let spec = pod.spec.clone().unwrap_or_default();
    assert_eq!((spec.hostname.as_deref(), spec.subdomain.as_deref()), (Some("web-1"), Some("web")));
    let revisions = world.list::<ControllerRevision>();
    assert_eq!(revisions.len(), 1);
    let status = world.get::<StatefulSet>("web").status.clone().unwrap_or_default();
    let name = revisions[0].metadata.name.clone();
    assert_eq!((&status.current_revision, &status.update_revision), (&name, &name));
    assert_eq!(Some(revision(&pod)), name);
    let want: Vec<String> =
        (0..3).map(|it| format!("create Pod web-{it} in StatefulSet web successful")).collect();
    assert_eq!(world.messages("SuccessfulCreate"), want);
}

/// Upstream: ScalesUp, ScalesDown and ReplacesPods.
#[test]
fn pods_go_from_the_last_and_come_back_under_their_names() {
    let mut world = World::new();
    world.create(stateful_set(json!({"replicas": 3, "ordinals": {"start": 4}})));
    world.settle();
    assert_eq!(world.stateful_pods(), ["web-4+", "web-5+", "web-6+"]);
    world.delete_with::<Pod>("web-5", None, Some(0));
    world.run(100);
    assert_eq!(world.stateful_pods(), ["web-4+", "web-5", "web-6+"]);
    // Nothing is taken away while one of those that stay is not ready.
    world.scale(2);
    world.run(100);
    assert_eq!(world.stateful_pods(), ["web-4+", "web-5", "web-6+"]);
    world.settle();
    assert_eq!(world.stateful_pods(), ["web-4+", "web-5+"]);
    world.scale(1);
    world.settle();
    assert_eq!(world.stateful_pods(), ["web-4+"]);
    assert_eq!(world.counts(), [1, 1, 1, 1, 1]);
    // One that has ended makes way.
    world.set_pod("web-4", "Failed", false);
    world.run(100);
    world.settle();
    assert_eq!(world.stateful_pods(), ["web-4+"]);
    let deleted = world.messages("SuccessfulDelete");
    assert_eq!(deleted.len(), 3, "{deleted:?}");
}

/// Upstream: BurstCreatesPods and the policy Parallel.
#[test]
fn parallel_pods_do_not_wait() {
    let mut world = World::new();
    world.create(stateful_set(json!({"replicas": 4, "podManagementPolicy": "Parallel"})));
    world.run(100);
    assert_eq!(world.stateful_pods(), ["web-0", "web-1", "web-2", "web-3"]);
    world.scale(1);
    world.run(100);
    assert_eq!(world.stateful_pods(), ["web-0"]);
}

/// Upstream: TestStatefulSetControlRollingUpdate and
/// TestStatefulSetControlRollingUpdateWithPartition.
#[test]
fn a_rolling_update_goes_from_the_last_to_the_partition() {
    let mut world = World::new();
    let partition = json!({"rollingUpdate": {"partition": 2}});
    world.create(stateful_set(json!({"replicas": 3, "updateStrategy": partition})));
    world.settle();
    world.image("nginx:2");
    world.settle();
    assert_eq!(world.images(), ["nginx:1", "nginx:1", "nginx:2"]);
    assert_eq!(world.counts(), [3, 3, 3, 2, 1]);
    // A pod below the partition comes back as it was.
    world.delete_with::<Pod>("web-0", None, Some(0));
    world.settle();
    assert_eq!(world.images(), ["nginx:1", "nginx:1", "nginx:2"]);
    world.change::<StatefulSet>("web", |set| {
        let strategy = set.spec.update_strategy.get_or_insert_default();
        strategy.rolling_update.get_or_insert_default().partition = Some(0);
    });
    world.run(100);
    // One at a time; a pod that runs nowhere goes at once, so that its successor is there.
    assert_eq!(world.stateful_pods(), ["web-0+", "web-1", "web-2+"]);
    world.settle();
    assert_eq!(world.images(), ["nginx:2", "nginx:2", "nginx:2"]);
    assert_eq!(world.counts(), [3, 3, 3, 3, 3]);
    let status = world.get::<StatefulSet>("web").status.clone().unwrap_or_default();
    assert_eq!(status.current_revision, status.update_revision);
    // Going back makes the first revision the newest.
    world.image("nginx:1");
    world.settle();
    let mut numbers: Vec<Option<i64>> =
        world.list::<ControllerRevision>().iter().map(|it| it.revision).collect();
    numbers.sort();
    assert_eq!(numbers, [Some(2), Some(3)]);
}

/// Upstream: TestStatefulSetControlOnDeleteUpdate and
/// TestStatefulSetControlRollingUpdateWithMaxUnavailable.
#[test]
fn updates_wait_for_the_user_or_take_several_at_once() {
    let mut world = World::new();
    world.create(stateful_set(json!({"replicas": 2, "updateStrategy": {"type": "OnDelete"}})));
    world.settle();
    world.image("nginx:2");
    world.settle();
    assert_eq!(world.images(), ["nginx:1", "nginx:1"]);
    world.delete_with::<Pod>("web-0", None, Some(0));
    world.settle();
    assert_eq!(world.images(), ["nginx:2", "nginx:1"]);

    let mut world = World::new();
    world.create(stateful_set(json!({"replicas": 4, "podManagementPolicy": "Parallel",
        "updateStrategy": {"rollingUpdate": {"maxUnavailable": "50%"}}})));
    world.settle();
    world.image("nginx:2");
    world.run(100);
    assert_eq!(world.stateful_pods(), ["web-0+", "web-1+", "web-2", "web-3"]);
    world.settle();
    assert_eq!(world.images(), ["nginx:2"; 4]);
}

/// Upstream: the pods' claims, TestGetPersistentVolumeClaims.
#[test]
fn every_pod_has_its_own_claims() {
    let mut world = World::new();
    world.create(claimed(json!({"replicas": 2})));
    world.settle();
    let name = |ordinal: i32| (format!("data-web-{ordinal}"), Vec::<String>::new());
    assert_eq!(world.claims(), [name(0), name(1)]);
    let pod = world.get::<Pod>("web-1");
    let volumes = pod.spec.clone().and_then(|spec| spec.volumes).unwrap_or_default();
    let claim = volumes[0].persistent_volume_claim.clone().unwrap_or_default();
    assert_eq!((volumes[0].name.as_str(), claim.claim_name.as_str()), ("data", "data-web-1"));
    let labels = world.get::<PersistentVolumeClaim>("data-web-0").metadata.labels.clone();
    assert_eq!(labels.unwrap_or_default()["app"], "web");
    assert!(
        world
            .messages("SuccessfulCreate")
            .contains(&"create Claim data-web-0 Pod web-0 in StatefulSet web success".to_string())
    );
    // The claims stay, and their pods find them again.
    world.scale(0);
    world.settle();
    assert_eq!(world.claims(), [name(0), name(1)]);
    world.scale(1);
    world.settle();
    assert_eq!(world.stateful_pods(), ["web-0+"]);
}

/// Upstream: TestStatefulSetControl… with StatefulSetAutoDeletePVC.
#[test]
fn claims_are_deleted_as_the_policy_says() {
    let mut world = World::new();
    let policy = json!({"whenDeleted": "Delete", "whenScaled": "Delete"});
    world.create(claimed(json!({"replicas": 2,
        "persistentVolumeClaimRetentionPolicy": policy})));
    world.settle();
    let owned =
        |ordinal: i32, owner: &str| (format!("data-web-{ordinal}"), vec![owner.to_string()]);
    assert_eq!(world.claims(), [owned(0, "StatefulSet"), owned(1, "StatefulSet")]);
    world.scale(1);
    world.settle();
    world.run_seconds(2);
    assert_eq!(world.claims(), [owned(0, "StatefulSet")]);
    world.delete::<StatefulSet>("web", None);
    world.run_seconds(2);
    world.settle();
    assert_eq!(world.claims(), []);
    assert_eq!(world.stateful_pods(), [""; 0]);
}

/// Upstream: TestStatefulSetAvailability.
#[test]
fn pods_are_available_after_they_were_ready_long_enough() {
    let mut world = World::new();
    world.create(stateful_set(json!({"replicas": 2, "minReadySeconds": 10})));
    world.run(100);
    world.make_pods_ready();
    world.run(100);
    assert_eq!((world.stateful_pods(), world.counts()), (vec!["web-0+".into()], [1, 1, 0, 1, 1]));
    world.skip_seconds(12);
    assert_eq!(world.stateful_pods(), ["web-0+", "web-1"]);
    assert_eq!(world.counts()[..3], [2, 1, 1]);
}

/// Upstream: UpdatePodFailure, a pod that lost its identity.
#[test]
fn a_pod_gets_its_identity_back() {
    let mut world = World::new();
    world.create(stateful_set(json!({"replicas": 1})));
    world.settle();
    world.change::<Pod>("web-0", |pod| {
        pod.metadata.labels.get_or_insert_default().remove("statefulset.kubernetes.io/pod-name");
    });
    world.run(100);
    let labels = world.get::<Pod>("web-0").metadata.labels.clone().unwrap_or_default();
    assert_eq!(labels["statefulset.kubernetes.io/pod-name"], "web-0");
    assert_eq!(
        world.messages("SuccessfulUpdate"),
        ["update Pod web-0 in StatefulSet web successful"]
    );
}

/// Upstream: TestStatefulSetControl_getSetRevisions, the limit of the history.
#[test]
fn old_revisions_that_no_pod_is_of_are_deleted() {
    let mut world = World::new();
    world.create(stateful_set(json!({"replicas": 1, "revisionHistoryLimit": 1})));
    for image in ["a:1", "a:2", "a:3"] {
        world.settle();
        world.image(image);
    }
    world.settle();
    let mut numbers: Vec<Option<i64>> =
        world.list::<ControllerRevision>().iter().map(|it| it.revision).collect();
    numbers.sort();
    assert_eq!(numbers, [Some(3), Some(4)]);
}
