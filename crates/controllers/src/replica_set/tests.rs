use api::openapi::api::apps::v1::ReplicaSet;
use api::openapi::api::core::v1::Pod;
use component_helpers::controller_ref::{controller_of, is_controlled_by};

use crate::Error;
use crate::pod_control::slow_start_batch;
use crate::testing::{NAMESPACE, World, labels, pod, replica_set};

fn uid(replica_set: &ReplicaSet) -> &str {
    replica_set.metadata.uid.as_deref().expect("stored")
}

#[test]
fn pods_are_created_and_counted_until_they_are_as_many_as_wanted() {
    let mut world = World::new();
    let created = world.create(replica_set("web", 3));
    world.run(50);
    let pods = world.list::<Pod>();
    assert_eq!(pods.len(), 3);
    for pod in &pods {
        assert!(is_controlled_by(&pod.metadata, uid(&created)));
        assert!(pod.metadata.name.as_deref().expect("named").starts_with("web-"));
        assert_eq!(pod.metadata.labels, labels(&[("app", "web")]));
    }
    let status = world.get::<ReplicaSet>("web").status.clone().expect("status");
    assert_eq!((status.replicas, status.fully_labeled_replicas), (3, Some(3)));
    assert_eq!((status.ready_replicas, status.available_replicas), (None, None));
    assert_eq!(status.terminating_replicas, Some(0));
    world.make_pods_ready();
    world.run(50);
    let status = world.get::<ReplicaSet>("web").status.clone().expect("status");
    assert_eq!((status.ready_replicas, status.available_replicas), (Some(3), Some(3)));
    let mut messages = world.messages("SuccessfulCreate");
    messages.sort();
    let mut wanted: Vec<String> = pods
        .iter()
        .map(|pod| format!("Created pod: {}", pod.metadata.name.as_deref().expect("named")))
        .collect();
    wanted.sort();
    assert_eq!(messages, wanted);
}

#[test]
fn a_pod_that_goes_is_replaced_and_a_steady_set_writes_nothing() {
    let mut world = World::new();
    world.create(replica_set("web", 2));
    world.settle();
    let revision = world.cluster.server.revision();
    world.run_seconds(5);
    assert_eq!(world.cluster.server.revision(), revision, "a steady cluster is quiet");
    let first = world.list::<Pod>()[0].metadata.name.clone().expect("named");
    world.cluster.api::<Pod>(NAMESPACE).delete(&first, Default::default()).expect("deleted");
    world.settle();
    let pods = world.list::<Pod>();
    assert_eq!(pods.len(), 2);
    assert!(pods.iter().all(|pod| pod.metadata.name.as_deref() != Some(&first)));
}

#[test]
fn scaling_down_deletes_pods_that_are_not_ready_first() {
    let mut world = World::new();
    world.create(replica_set("web", 3));
    world.run(50);
    let names: Vec<String> =
        world.list::<Pod>().iter().filter_map(|pod| pod.metadata.name.clone()).collect();
    world.set_pod(&names[1], "Running", true);
    world.run(50);
    world.change::<ReplicaSet>("web", |set| set.spec.replicas = Some(1));
    world.run(50);
    let left = world.list::<Pod>();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].metadata.name.as_ref(), Some(&names[1]));
    assert_eq!(world.messages("SuccessfulDelete").len(), 2);
}

/// Upstream: replica_set_test.go, TestPatchPodWithOtherOwnerRef, TestPatchPodFails and
/// test/integration/replicaset, TestAdoption and TestOverlappingRSs.
#[test]
fn orphans_are_adopted_and_strangers_are_let_go() {
    let mut world = World::new();
    world.create(pod("orphan", &[("app", "web")]));
    world.create(pod("other", &[("app", "other")]));
    let created = world.create(replica_set("web", 1));
    world.run(50);
    let pods = world.list::<Pod>();
    assert_eq!(pods.len(), 2, "the orphan was taken and none was made");
    assert!(is_controlled_by(&world.get::<Pod>("orphan").metadata, uid(&created)));
    assert!(controller_of(&world.get::<Pod>("other").metadata).is_none());
    world.change::<Pod>("orphan", |pod| pod.metadata.labels = labels(&[("app", "free")]));
    world.run(50);
    assert!(controller_of(&world.get::<Pod>("orphan").metadata).is_none());
    assert_eq!(world.list::<Pod>().len(), 3, "another was made in its place");
}

#[test]
fn a_pod_is_available_only_after_min_ready_seconds() {
    let mut world = World::new();
    let mut set = replica_set("web", 1);
    set.spec.min_ready_seconds = Some(10);
    world.create(set);
    world.run(50);
    world.make_pods_ready();
    world.skip_seconds(9);
    let status = world.get::<ReplicaSet>("web").status.clone().expect("status");
    assert_eq!((status.ready_replicas, status.available_replicas), (Some(1), None));
    world.skip_seconds(2);
    let status = world.get::<ReplicaSet>("web").status.clone().expect("status");
    assert_eq!(status.available_replicas, Some(1));
}

#[test]
fn creations_that_fail_are_told_in_the_status_and_tried_again() {
    let mut world = World::new();
    let mut set = replica_set("web", 2);
    let pod = set.spec.template.as_mut().expect("template").spec.as_mut().expect("spec");
    pod.service_account_name = Some("missing".to_string());
    world.create(set);
    world.run(20);
    let Some(conditions) = world.get::<ReplicaSet>("web").status.clone().and_then(|s| s.conditions)
    else {
        panic!("no condition");
    };
    assert_eq!(conditions[0].type_.as_deref(), Some("ReplicaFailure"));
    assert_eq!(conditions[0].reason.as_deref(), Some("FailedCreate"));
    let message = conditions[0].message.as_deref().expect("a message");
    assert!(message.contains("error looking up service account default/missing"), "{message}");
}

/// A controller that ends right after it created pods, and starts anew, creates no second ones;
/// nor does one whose cache has not caught up.
#[test]
fn no_pod_is_created_twice_after_a_crash() {
    for crash_after in 1..40 {
        let mut world = World::new();
        world.create(replica_set("web", 5));
        world.run(crash_after);
        world.manager.stop(&mut world.cluster.server);
        world.settle();
        assert_eq!(world.list::<Pod>().len(), 5, "crashed after {crash_after} ms");
    }
}

/// Upstream: replica_set_test.go, TestSlowStartBatch.
#[test]
fn slow_start_batches_double_until_one_fails() {
    let fake = || Error::Other("fake error".into());
    let cases = [
        ("callLimit = 0 (all fail)", 10, 0, 0, true, 1),
        ("callLimit = count (all succeed)", 10, 10, 10, false, 10),
        ("callLimit < count (some succeed)", 10, 5, 5, true, 7),
    ];
    for (name, count, call_limit, successes, fails, calls) in cases {
        let mut called = 0;
        let (found, outcome) = slow_start_batch(count, || {
            called += 1;
            if called <= call_limit { Ok(()) } else { Err(fake()) }
        });
        assert_eq!((found, outcome.is_err(), called), (successes, fails, calls), "{name}");
    }
}
