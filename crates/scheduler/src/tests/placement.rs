use api::openapi::api::core::v1::{Pod, PodSchedulingGate};
use client::Component as _;
use sim::{Duration, Time};

use super::cluster::{Cluster, node, pod, tainted, with_spec};

#[test]
fn a_pod_is_bound_and_an_event_says_where() {
    let mut cluster = Cluster::new(vec![node("node-1", &[("cpu", "4"), ("memory", "8Gi")])]);
    cluster.create(pod("web", &[("cpu", "100m")]));
    cluster.settle();
    assert_eq!(cluster.node_of("web").as_deref(), Some("node-1"));
    assert_eq!(cluster.condition("web").status, "True");
    assert_eq!(
        cluster.events(),
        ["Normal Scheduled 1 Successfully assigned default/web to node-1"]
    );
}

#[test]
fn a_pod_that_fits_nowhere_says_why_in_upstreams_words() {
    let small = [("cpu", "1"), ("memory", "8Gi")];
    let mut cluster = Cluster::new(vec![
        tainted(
            node("control-plane", &small),
            "node-role.kubernetes.io/control-plane",
            "NoSchedule",
        ),
        node("node-1", &small),
        node("node-2", &small),
    ]);
    cluster.create(pod("huge", &[("cpu", "2")]));
    cluster.settle();
    let message = "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient \
                   cpu. no new claims to deallocate, preemption: 0/3 nodes are available: 3 \
                   Preemption is not helpful for scheduling.";
    let condition = cluster.condition("huge");
    assert_eq!(condition.status, "False");
    assert_eq!(condition.reason.as_deref(), Some("Unschedulable"));
    assert_eq!(condition.message.as_deref(), Some(message));
    assert_eq!(cluster.events(), [format!("Warning FailedScheduling 1 {message}")]);
}

#[test]
fn a_full_node_offers_no_victims_to_a_pod_of_the_same_priority() {
    let mut cluster = Cluster::new(vec![node("node-1", &[("cpu", "1"), ("memory", "8Gi")])]);
    cluster.create(pod("first", &[("cpu", "800m")]));
    cluster.settle();
    cluster.create(pod("second", &[("cpu", "800m")]));
    cluster.settle();
    assert_eq!(
        cluster.condition("second").message.as_deref(),
        Some(
            "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: \
             0/1 nodes are available: 1 No preemption victims found for incoming pod."
        )
    );
}

#[test]
fn without_nodes_a_pod_waits_for_one() {
    let mut cluster = Cluster::new(vec![]);
    cluster.create(pod("web", &[]));
    cluster.settle();
    let message = cluster.condition("web").message;
    assert_eq!(message.as_deref(), Some("no nodes available to schedule pods"));
    cluster.run(Duration::from_secs(2));
    cluster.add_node(node("node-1", &[("cpu", "1")]));
    cluster.run(Duration::from_secs(12));
    assert_eq!(cluster.node_of("web").as_deref(), Some("node-1"));
}

#[test]
fn a_pod_that_goes_makes_room_for_one_that_waits() {
    let mut cluster = Cluster::new(vec![node("node-1", &[("cpu", "1"), ("memory", "8Gi")])]);
    cluster.create(pod("first", &[("cpu", "800m")]));
    cluster.settle();
    cluster.create(pod("second", &[("cpu", "800m")]));
    cluster.run(Duration::from_secs(3));
    assert_eq!(cluster.node_of("second"), None);
    assert_eq!(cluster.scheduler.busy(cluster.api.now), None, "it waits for an event");
    cluster.delete_now("first");
    cluster.settle();
    assert_eq!(cluster.node_of("second").as_deref(), Some("node-1"));
}

#[test]
fn a_gated_pod_is_not_looked_at_until_its_gates_are_gone() {
    let mut cluster = Cluster::new(vec![node("node-1", &[("cpu", "1")])]);
    let gates = vec![PodSchedulingGate { name: "example.com/hold".into() }];
    cluster.create(with_spec(pod("web", &[]), |spec| spec.scheduling_gates = Some(gates)));
    cluster.run(Duration::from_secs(1));
    assert_eq!(cluster.node_of("web"), None);
    assert!(cluster.events().is_empty());
    let ungate = |pod: &mut Pod| pod.spec.get_or_insert_default().scheduling_gates = None;
    cluster.api.api::<Pod>("default").patch("web", ungate).expect("patched");
    cluster.settle();
    assert_eq!(cluster.node_of("web").as_deref(), Some("node-1"));
}

#[test]
fn a_scheduler_with_nothing_to_do_asks_for_no_wake() {
    let mut cluster = Cluster::new(vec![node("node-1", &[("cpu", "1")])]);
    assert_eq!(cluster.scheduler.next_wake(), Some(Time::ZERO));
    cluster.create(pod("web", &[]));
    cluster.settle();
    assert_eq!(cluster.scheduler.next_wake(), None);
    cluster.create(pod("huge", &[("cpu", "2")]));
    cluster.settle();
    let flush = Time::ZERO + Duration::from_secs(330);
    assert_eq!(cluster.scheduler.next_wake(), Some(flush));
}

// Upstream: dynamicresources_test.go, the cases of TestPlugin whose claim is missing.
#[test]
fn a_pod_waits_for_a_claim_that_does_not_exist() {
    use api::openapi::api::core::v1::PodResourceClaim;
    let mut cluster = Cluster::new(vec![node("node-1", &[("cpu", "4"), ("memory", "8Gi")])]);
    let claim = PodResourceClaim {
        name: "gpu".into(),
        resource_claim_name: Some("my-gpu".into()),
        ..PodResourceClaim::default()
    };
    let claiming = with_spec(pod("claiming", &[]), |spec| spec.resource_claims = Some(vec![claim]));
    cluster.create(claiming);
    cluster.settle();
    assert_eq!(cluster.node_of("claiming"), None);
    let waiting = cluster.pod("claiming");
    assert_eq!(cluster.scheduler.explain(&waiting).gated_by, Some("DynamicResources"));
}
