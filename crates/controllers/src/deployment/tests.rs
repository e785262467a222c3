use api::openapi::api::apps::v1::{Deployment, DeploymentCondition, ReplicaSet};
use api::openapi::api::core::v1::Pod;
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use component_helpers::pod_template::POD_TEMPLATE_HASH;

use super::replica_sets::revision;
use crate::testing::{World, deployment};

fn condition(world: &mut World, name: &str, condition_type: &str) -> DeploymentCondition {
    let conditions = world.get::<Deployment>(name).status.clone().and_then(|s| s.conditions);
    let mut conditions = conditions.into_iter().flatten();
    conditions
        .find(|condition| condition.type_.as_deref() == Some(condition_type))
        .unwrap_or_else(|| panic!("no condition {condition_type}"))
}

fn set_image(world: &mut World, name: &str, image: &'static str) {
    world.change::<Deployment>(name, move |deployment| {
        let spec = deployment.spec.template.spec.as_mut().expect("spec");
        spec.containers[0].image = Some(image.into());
    });
}

fn name(meta: &ObjectMeta) -> String {
    meta.name.clone().expect("named")
}

/// The ReplicaSets by revision, with the replicas they want.
fn sizes(world: &mut World) -> Vec<(i64, i32)> {
    let sets = world.list::<ReplicaSet>();
    let mut sizes: Vec<(i64, i32)> =
        sets.iter().map(|set| (revision(set), set.spec.replicas.expect("replicas"))).collect();
    sizes.sort_unstable();
    sizes
}

#[test]
fn a_deployment_makes_a_replica_set_and_completes() {
    let mut world = World::new();
    world.create(deployment("web", 3, "25%", "25%"));
    world.settle();
    let sets = world.list::<ReplicaSet>();
    assert_eq!(sets.len(), 1);
    let hash = sets[0].metadata.labels.as_ref().expect("labels")[POD_TEMPLATE_HASH].clone();
    assert_eq!(name(&sets[0].metadata), format!("web-{hash}"));
    let annotations = sets[0].metadata.annotations.clone().expect("annotations");
    assert_eq!(annotations["deployment.kubernetes.io/desired-replicas"], "3");
    assert_eq!(annotations["deployment.kubernetes.io/max-replicas"], "4");
    assert_eq!(annotations["deployment.kubernetes.io/revision"], "1");
    let stored = world.get::<Deployment>("web");
    let annotations = stored.metadata.annotations.clone().expect("annotations");
    assert_eq!(annotations["deployment.kubernetes.io/revision"], "1");
    let status = stored.status.clone().expect("status");
    assert_eq!((status.replicas, status.updated_replicas), (Some(3), Some(3)));
    assert_eq!((status.ready_replicas, status.available_replicas), (Some(3), Some(3)));
    assert_eq!((status.unavailable_replicas, status.terminating_replicas), (None, Some(0)));
    let progressing = condition(&mut world, "web", "Progressing");
    assert_eq!(progressing.reason.as_deref(), Some("NewReplicaSetAvailable"));
    let message = format!("ReplicaSet \"web-{hash}\" has successfully progressed.");
    assert_eq!(progressing.message, Some(message));
    let available = condition(&mut world, "web", "Available");
    assert_eq!(available.reason.as_deref(), Some("MinimumReplicasAvailable"));
    assert_eq!(available.message.as_deref(), Some("Deployment has minimum availability."));
    let messages = world.messages("ScalingReplicaSet");
    assert_eq!(messages, [format!("Scaled up replica set web-{hash} from 0 to 3")]);
}

#[test]
fn a_steady_deployment_writes_nothing() {
    let mut world = World::new();
    world.create(deployment("web", 3, "25%", "25%"));
    world.settle();
    let revision = world.cluster.server.revision();
    world.skip_seconds(700);
    assert_eq!(world.cluster.server.revision(), revision);
}

#[test]
fn an_image_update_rolls_within_surge_and_availability() {
    let mut world = World::new();
    world.create(deployment("web", 4, "1", "1"));
    world.settle();
    set_image(&mut world, "web", "nginx:2");
    for _ in 0..100 {
        world.run(5);
        let pods = world.list::<Pod>();
        let alive = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
        assert!(alive.count() <= 5, "never more than replicas and surge");
        let available: i32 = world
            .list::<ReplicaSet>()
            .iter()
            .filter_map(|set| set.status.as_ref()?.available_replicas)
            .sum();
        assert!(available >= 3, "never fewer available than replicas less maxUnavailable");
        if world.cluster.now.as_millis().is_multiple_of(20) {
            world.make_pods_ready();
        }
    }
    world.settle();
    assert_eq!(sizes(&mut world), [(1, 0), (2, 4)]);
    let progressing = condition(&mut world, "web", "Progressing");
    assert_eq!(progressing.reason.as_deref(), Some("NewReplicaSetAvailable"));
    let messages = world.messages("ScalingReplicaSet");
    let moves: Vec<&str> = messages
        .iter()
        .filter_map(|message| message.split_once(" from "))
        .map(|(_, sizes)| sizes)
        .collect();
    assert_eq!(moves[..4], ["0 to 4", "0 to 1", "4 to 3", "1 to 2"], "{messages:?}");
}

#[test]
fn a_rollback_gives_the_old_replica_set_a_new_revision() {
    let mut world = World::new();
    world.create(deployment("web", 1, "25%", "25%"));
    world.settle();
    set_image(&mut world, "web", "nginx:2");
    world.settle();
    set_image(&mut world, "web", "nginx:1");
    world.settle();
    assert_eq!(sizes(&mut world), [(2, 0), (3, 1)]);
    let sets = world.list::<ReplicaSet>();
    let newest = sets.iter().max_by_key(|set| revision(set)).expect("one");
    let annotations = newest.metadata.annotations.clone().expect("annotations");
    assert_eq!(annotations["deployment.kubernetes.io/revision-history"], "1");
}

/// Asks for a revision by the annotation, once the Deployment had an image and another.
fn ask_for_revision(wanted: &'static str) -> World {
    let mut world = World::new();
    world.create(deployment("web", 1, "25%", "25%"));
    world.settle();
    world.change::<Deployment>("web", |deployment| {
        let annotations = deployment.metadata.annotations.get_or_insert_default();
        annotations.insert("cause".into(), "edit".into());
        let spec = deployment.spec.template.spec.as_mut().expect("spec");
        spec.containers[0].image = Some("nginx:2".into());
    });
    world.settle();
    world.change::<Deployment>("web", move |deployment| {
        let annotations = deployment.metadata.annotations.get_or_insert_default();
        annotations.insert("deprecated.deployment.rollback.to".into(), wanted.into());
    });
    world.settle();
    world
}

/// Upstream: pkg/controller/deployment/rollback.go
#[test]
fn an_annotation_asks_for_an_earlier_revision() {
    let rolled_back = "Rolled back deployment \"web\" to revision 1";
    let same = "The rollback revision contains the same template as current deployment \"web\"";
    let missing = "Unable to find the revision to rollback to.";
    for (wanted, reason, message, want) in [
        ("0", "DeploymentRollback", rolled_back, [(2, 0), (3, 1)]),
        ("1", "DeploymentRollback", rolled_back, [(2, 0), (3, 1)]),
        ("2", "DeploymentRollbackTemplateUnchanged", same, [(1, 0), (2, 1)]),
        ("7", "DeploymentRollbackRevisionNotFound", missing, [(1, 0), (2, 1)]),
    ] {
        let mut world = ask_for_revision(wanted);
        assert_eq!(world.messages(reason), [message], "{wanted}");
        assert_eq!(sizes(&mut world), want, "{wanted}");
        let annotations = world.get::<Deployment>("web").metadata.annotations.clone();
        let annotations = annotations.expect("annotations");
        assert!(!annotations.contains_key("deprecated.deployment.rollback.to"), "{wanted}");
        // The annotations of the old revision come back with its template.
        assert_eq!(annotations.contains_key("cause"), reason != "DeploymentRollback", "{wanted}");
    }
    let mut world = ask_for_revision("no number");
    assert_eq!(sizes(&mut world), [(1, 0), (2, 1)]);
}

#[test]
fn without_an_earlier_revision_there_is_no_way_back() {
    let mut world = World::new();
    world.create(deployment("web", 1, "25%", "25%"));
    world.settle();
    world.change::<Deployment>("web", |deployment| {
        let annotations = deployment.metadata.annotations.get_or_insert_default();
        annotations.insert("deprecated.deployment.rollback.to".into(), "0".into());
    });
    world.settle();
    let messages = world.messages("DeploymentRollbackRevisionNotFound");
    assert_eq!(messages, ["Unable to find last revision."]);
}

#[test]
fn recreate_ends_all_old_pods_before_it_makes_new_ones() {
    let mut world = World::new();
    let mut wanted = deployment("web", 3, "25%", "25%");
    let strategy = wanted.spec.strategy.as_mut().expect("strategy");
    strategy.type_ = Some("Recreate".into());
    strategy.rolling_update = None;
    world.create(wanted);
    world.settle();
    set_image(&mut world, "web", "nginx:2");
    for _ in 0..60 {
        world.run(5);
        let pods = world.list::<Pod>();
        let mut images: Vec<_> =
            pods.iter().filter_map(|pod| pod.spec.as_ref()?.containers[0].image.clone()).collect();
        images.dedup();
        assert!(images.len() < 2, "old and new pods at once");
    }
    world.settle();
    assert_eq!(sizes(&mut world), [(1, 0), (2, 3)]);
}

#[test]
fn a_paused_deployment_scales_in_proportion_and_does_not_roll() {
    let mut world = World::new();
    world.create(deployment("web", 10, "3", "2"));
    world.settle();
    // The new pods never become ready, so the rollout stops half way.
    set_image(&mut world, "web", "nginx:2");
    world.run(200);
    assert_eq!(sizes(&mut world), [(1, 8), (2, 5)]);
    world.change::<Deployment>("web", |deployment| deployment.spec.paused = Some(true));
    world.run(50);
    let progressing = condition(&mut world, "web", "Progressing");
    assert_eq!(progressing.reason.as_deref(), Some("DeploymentPaused"));
    assert_eq!(progressing.message.as_deref(), Some("Deployment is paused"));
    world.change::<Deployment>("web", |deployment| deployment.spec.replicas = Some(15));
    world.run(50);
    // 18 may be: 5 more for 8 and 5, so 3 and 2.
    assert_eq!(sizes(&mut world), [(1, 11), (2, 7)]);
    world.change::<Deployment>("web", |deployment| deployment.spec.paused = None);
    world.run(5);
    let progressing = condition(&mut world, "web", "Progressing");
    assert_ne!(progressing.reason.as_deref(), Some("DeploymentPaused"));
    world.settle();
    assert_eq!(sizes(&mut world), [(1, 0), (2, 15)]);
}

#[test]
fn history_is_cleaned_up_beyond_its_limit() {
    let mut world = World::new();
    let mut wanted = deployment("web", 1, "25%", "25%");
    wanted.spec.revision_history_limit = Some(1);
    world.create(wanted);
    world.settle();
    for image in ["nginx:2", "nginx:3", "nginx:4"] {
        set_image(&mut world, "web", image);
        world.settle();
    }
    assert_eq!(sizes(&mut world), [(3, 0), (4, 1)]);
}

#[test]
fn a_rollout_that_gets_nowhere_exceeds_its_deadline() {
    let mut world = World::new();
    let mut wanted = deployment("web", 1, "25%", "25%");
    wanted.spec.progress_deadline_seconds = Some(30);
    world.create(wanted);
    world.run(50);
    let hash = name(&world.list::<ReplicaSet>()[0].metadata);
    world.skip_seconds(29);
    let progressing = condition(&mut world, "web", "Progressing");
    assert_eq!(progressing.reason.as_deref(), Some("ReplicaSetUpdated"));
    world.skip_seconds(4);
    let progressing = condition(&mut world, "web", "Progressing");
    assert_eq!(progressing.status.as_deref(), Some("False"));
    assert_eq!(progressing.reason.as_deref(), Some("ProgressDeadlineExceeded"));
    assert_eq!(
        progressing.message,
        Some(format!("ReplicaSet \"{hash}\" has timed out progressing."))
    );
    world.make_pods_ready();
    world.settle();
    let progressing = condition(&mut world, "web", "Progressing");
    assert_eq!(progressing.reason.as_deref(), Some("NewReplicaSetAvailable"));
}

#[test]
fn a_replica_set_that_matches_is_adopted() {
    let mut world = World::new();
    let mut orphan = crate::testing::replica_set("before", 1);
    orphan.metadata.labels = crate::testing::labels(&[("app", "web")]);
    orphan.spec.selector = crate::testing::selector(&[("app", "web")]);
    orphan.spec.template = Some(crate::testing::template("nginx:1", &[("app", "web")]));
    world.create(orphan);
    let created = world.create(deployment("web", 2, "25%", "25%"));
    world.settle();
    let sets = world.list::<ReplicaSet>();
    assert_eq!(sets.len(), 1, "the one with the same template is the new one");
    let owner = sets[0].metadata.owner_references.as_ref().expect("owned")[0].clone();
    assert_eq!(Some(owner.uid), created.metadata.uid);
    assert_eq!(sizes(&mut world), [(1, 2)]);
}
