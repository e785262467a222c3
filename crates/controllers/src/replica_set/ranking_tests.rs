use api::openapi::api::core::v1::{PodCondition, PodSpec, PodStatus};
use api::openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use super::*;

const NOW: i64 = 1_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("in range")
}

struct Wanted {
    node: &'static str,
    phase: &'static str,
    ready_since: Option<i64>,
    restarts: i32,
    created: Option<i64>,
    cost: Option<&'static str>,
    rank: u32,
}

const RUNNING: Wanted = Wanted {
    node: "node",
    phase: "Running",
    ready_since: Some(NOW - 10),
    restarts: 0,
    created: Some(NOW - 100),
    cost: None,
    rank: 0,
};

fn pod(name: &str, wanted: Wanted) -> RankedPod {
    let condition = |since| PodCondition {
        type_: "Ready".into(),
        status: "True".into(),
        last_transition_time: Some(Time(at(since))),
        ..PodCondition::default()
    };
    let containers =
        vec![ContainerStatus { restart_count: wanted.restarts, ..ContainerStatus::default() }];
    let status = PodStatus {
        phase: Some(wanted.phase.into()),
        conditions: wanted.ready_since.map(|since| vec![condition(since)]),
        container_statuses: Some(containers),
        ..PodStatus::default()
    };
    let annotations =
        wanted.cost.map(|cost| [(POD_DELETION_COST.to_string(), cost.to_string())].into());
    let metadata = ObjectMeta {
        name: Some(name.into()),
        uid: Some(name.into()),
        creation_timestamp: wanted.created.map(|created| Time(at(created))),
        annotations,
        ..ObjectMeta::default()
    };
    let spec = PodSpec {
        node_name: (!wanted.node.is_empty()).then(|| wanted.node.into()),
        ..PodSpec::default()
    };
    RankedPod {
        pod: Arc::new(Pod { metadata, spec: Some(spec), status: Some(status) }),
        rank: wanted.rank,
    }
}

/// Upstream: controller_utils_test.go, TestSortingActivePodsWithRanks: each pod is deleted
/// before the next.
#[test]
fn pods_less_worth_keeping_are_deleted_first() {
    let pods = vec![
        pod("unscheduled", Wanted { node: "", phase: "Pending", ready_since: None, ..RUNNING }),
        pod("scheduled but pending", Wanted { phase: "Pending", ready_since: None, ..RUNNING }),
        pod("unknown phase", Wanted { phase: "Unknown", ready_since: None, ..RUNNING }),
        pod("running but not ready", Wanted { ready_since: None, ..RUNNING }),
        pod("ready, cheap", Wanted { cost: Some("-5"), ..RUNNING }),
        pod("ready, doubled up", Wanted { rank: 2, ..RUNNING }),
        pod("ready just now", Wanted { ready_since: Some(NOW - 1), ..RUNNING }),
        pod("ready, restarted", Wanted { restarts: 3, ..RUNNING }),
        pod("ready, created later", Wanted { created: Some(NOW - 50), ..RUNNING }),
        pod("ready, created before", Wanted { created: Some(NOW - 200), ..RUNNING }),
        pod("ready for long", Wanted { ready_since: Some(NOW - 1000), ..RUNNING }),
        pod("ready, dear", Wanted { cost: Some("100"), ..RUNNING }),
    ];
    let names = |pods: &[RankedPod]| {
        pods.iter().filter_map(|ranked| ranked.pod.metadata.name.clone()).collect::<Vec<_>>()
    };
    let wanted = names(&pods);
    for shift in 0..pods.len() {
        let mut shuffled = pods.clone();
        shuffled.rotate_left(shift);
        shuffled.reverse();
        sort(&mut shuffled, at(NOW));
        assert_eq!(names(&shuffled), wanted, "rotated by {shift}");
    }
}

#[test]
fn ages_of_the_same_bucket_go_by_uid() {
    let older = pod("a", Wanted { ready_since: Some(NOW - 1030), ..RUNNING });
    let younger = pod("b", Wanted { ready_since: Some(NOW - 1020), ..RUNNING });
    assert_eq!(compare(&older, &younger, at(NOW)), Ordering::Less);
    assert_eq!(compare(&younger, &older, at(NOW)), Ordering::Greater);
}
