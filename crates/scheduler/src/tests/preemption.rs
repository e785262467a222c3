//! Pods of higher priority take the place of others. The classes are those that every cluster
//! has.

use std::sync::Arc;

use api::openapi::api::core::v1::Pod;
use sim::{Duration, Stream};

use super::cluster::{Cluster, node, pod, with_spec};
use crate::framework::{CycleState, Framework, NodeInfo, PodInfo};
use crate::plugins::in_tree;
use crate::preemption::select_victims;
use crate::queue::Nominator;

fn critical(name: &str, class: &str, cpu: &str) -> Pod {
    with_spec(pod(name, &[("cpu", cpu)]), |spec| spec.priority_class_name = Some(class.into()))
}

#[test]
fn a_pod_of_higher_priority_takes_the_place_of_the_fewest_pods() {
    let sizes = [("cpu", "2"), ("memory", "8Gi")];
    let mut cluster = Cluster::new(vec![node("node-1", &sizes), node("node-2", &sizes)]);
    for (name, cpu) in [("a", "1500m"), ("b", "700m"), ("c", "700m")] {
        cluster.create(pod(name, &[("cpu", cpu)]));
        cluster.settle();
    }
    cluster.create(critical("urgent", "system-cluster-critical", "1500m"));
    cluster.settle();
    let lonely = cluster.node_of("a").expect("placed");
    let status = cluster.pod("urgent").status.unwrap_or_default();
    assert_eq!(status.nominated_node_name, Some(lonely.clone()));
    let message = cluster.condition("urgent").message;
    assert_eq!(message.as_deref(), Some("0/2 nodes are available: 2 Insufficient cpu."));
    let victim = cluster.pod("a");
    assert!(victim.metadata.deletion_timestamp.is_some());
    let conditions = victim.status.and_then(|status| status.conditions).unwrap_or_default();
    let target = conditions.iter().find(|condition| condition.type_ == "DisruptionTarget");
    let target = target.expect("present");
    assert_eq!(target.reason.as_deref(), Some("PreemptionByScheduler"));
    assert_eq!(
        target.message.as_deref(),
        Some("default-scheduler: preempting to accommodate a higher priority pod")
    );
    for spared in ["b", "c"] {
        assert!(cluster.pod(spared).metadata.deletion_timestamp.is_none(), "{spared}");
    }
    let uid = cluster.pod("urgent").metadata.uid.unwrap_or_default();
    let event = format!("Normal Preempted 1 Preempted by pod {uid} on node {lonely}");
    assert!(cluster.events().contains(&event), "{:?}", cluster.events());
    // The kubelet lets the victim end.
    cluster.delete_now("a");
    cluster.run(Duration::from_secs(3));
    assert_eq!(cluster.node_of("urgent"), Some(lonely));
    assert_eq!(cluster.pod("urgent").status.unwrap_or_default().nominated_node_name, None);
}

#[test]
fn the_place_that_is_being_made_is_kept_from_pods_of_lower_priority() {
    let mut cluster = Cluster::new(vec![node("node-1", &[("cpu", "2"), ("memory", "8Gi")])]);
    cluster.create(pod("a", &[("cpu", "1500m")]));
    cluster.settle();
    cluster.create(critical("urgent", "system-node-critical", "1800m"));
    cluster.settle();
    cluster.create(pod("sneaky", &[("cpu", "400m")]));
    cluster.settle();
    assert_eq!(cluster.node_of("sneaky"), None, "it would fit, but the place is promised");
    cluster.create(critical("patient", "system-cluster-critical", "400m"));
    cluster.settle();
    assert!(
        cluster.condition("patient").message.unwrap_or_default().contains("Insufficient cpu"),
        "of lower priority than the pod that was promised the node"
    );
}

#[test]
fn nobody_is_preempted_where_that_would_not_help() {
    let mut cluster = Cluster::new(vec![node("node-1", &[("cpu", "2"), ("memory", "8Gi")])]);
    cluster.create(pod("a", &[("cpu", "1500m")]));
    cluster.settle();
    cluster.create(critical("huge", "system-node-critical", "3"));
    cluster.settle();
    assert!(cluster.pod("a").metadata.deletion_timestamp.is_none());
    assert_eq!(
        cluster.condition("huge").message.as_deref(),
        Some(
            "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: \
             0/1 nodes are available: 1 Preemption is not helpful for scheduling."
        )
    );
}

/// Whatever the nodes and the pods on them: victims are of lower priority, the pod fits when
/// they are gone, and not when any one of them stays.
#[test]
fn victims_are_of_lower_priority_and_none_of_them_could_stay() {
    let mut stream = Stream::new(7, "preemption");
    let mut draw = |bound: u64| i64::try_from(stream.below(bound)).expect("small");
    let framework = Framework::new(in_tree());
    let mut preempted = 0;
    for _ in 0..200 {
        let mut info = NodeInfo::new("node-1");
        info.set_node(Arc::new(node("node-1", &[("cpu", "4"), ("memory", "8Gi")])));
        for index in 0..8 {
            let (cpu, priority) = (format!("{}m", 100 + 100 * draw(8)), draw(4));
            let other = with_spec(pod(&format!("pod-{index}"), &[("cpu", &cpu)]), |spec| {
                spec.priority = i32::try_from(priority).ok();
            });
            info.add_pod(PodInfo::new(Arc::new(other)));
        }
        let cpu = format!("{}m", 500 + 100 * draw(20));
        let urgent = with_spec(pod("urgent", &[("cpu", &cpu)]), |spec| spec.priority = Some(3));
        let urgent = PodInfo::new(Arc::new(urgent));
        let state = CycleState::default();
        let fits = |node: &NodeInfo| framework.run_filters(&state, &urgent, node).is_success();
        let Ok(victims) = select_victims(&framework, &Nominator::default(), &state, &urgent, &info)
        else {
            continue;
        };
        preempted += victims.len();
        let mut left = info.clone();
        for victim in &victims {
            assert!(victim.priority() < 3);
            left.remove_pod(&victim.key);
        }
        assert!(fits(&left));
        for victim in &victims {
            let mut crowded = left.clone();
            crowded.add_pod((**victim).clone());
            assert!(!fits(&crowded), "{} could have stayed", victim.key);
        }
    }
    assert!(preempted > 100, "the cases say something: {preempted}");
}
