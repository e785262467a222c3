use api::openapi::api::core::v1::{Pod, PodCondition, PodStatus};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::*;
use crate::testing::{World, in_sync, labels, replica_set};

const SOME: &[(&str, &str)] = &[("app", "foo")];
const ALL: &[(&str, &str)] = &[("app", "foo"), ("type", "production")];

/// A ReplicaSet whose template has the labels given.
fn set(replicas: i32, pairs: &[(&str, &str)], min_ready_seconds: i32) -> ReplicaSet {
    let mut set = replica_set("foo", replicas);
    set.spec.min_ready_seconds = Some(min_ready_seconds);
    let meta = set.spec.template.as_mut().and_then(|template| template.metadata.as_mut());
    meta.expect("template").labels = labels(pairs);
    set
}

fn pod(pairs: &[(&str, &str)], ready: bool, cx: &SyncContext<'_, '_>) -> Pod {
    let condition = PodCondition {
        type_: "Ready".into(),
        status: "True".into(),
        last_transition_time: Some(cx.timestamp()),
        ..PodCondition::default()
    };
    Pod {
        metadata: ObjectMeta { labels: labels(pairs), ..ObjectMeta::default() },
        spec: None,
        status: Some(PodStatus {
            phase: Some(if ready { "Running" } else { "Pending" }.into()),
            conditions: ready.then(|| vec![condition]),
            ..PodStatus::default()
        }),
    }
}

/// Replicas, fully labeled, ready, available and terminating.
fn counters(status: &ReplicaSetStatus) -> (i32, i32, i32, i32, Option<i32>) {
    let count = |counter: Option<i32>| counter.unwrap_or(0);
    (
        status.replicas,
        count(status.fully_labeled_replicas),
        count(status.ready_replicas),
        count(status.available_replicas),
        status.terminating_replicas,
    )
}

/// Upstream: replica_set_utils_test.go, TestCalculateStatus.
#[test]
fn calculate_status() {
    let (fully, not_fully, patient) = (set(2, SOME, 0), set(1, ALL, 0), set(1, SOME, 3600));
    let cases = [
        ("1 fully labelled pod", &fully, vec![(SOME, true)], 0, (1, 1, 1, 1, Some(0))),
        ("1 not fully labelled pod", &not_fully, vec![(SOME, true)], 0, (1, 0, 1, 1, Some(0))),
        ("2 fully labelled pods", &fully, vec![(ALL, true); 2], 0, (2, 2, 2, 2, Some(0))),
        ("2 not fully labelled pods", &not_fully, vec![(SOME, true); 2], 0, (2, 0, 2, 2, Some(0))),
        (
            "1 fully labelled pod, 1 not fully labelled pod",
            &not_fully,
            vec![(SOME, true), (ALL, true)],
            0,
            (2, 1, 2, 2, Some(0)),
        ),
        ("1 non-ready pod", &fully, vec![(SOME, false)], 0, (1, 1, 0, 0, Some(0))),
        ("1 ready but non-available pod", &patient, vec![(SOME, true)], 0, (1, 1, 1, 0, Some(0))),
        (
            "1 fully labelled pods and 2 terminating",
            &fully,
            vec![(SOME, true)],
            2,
            (1, 1, 1, 1, Some(2)),
        ),
    ];
    let mut world = World::new();
    for (name, set, pods, terminating, want) in cases {
        in_sync(&mut world, |cx| {
            let mut tally = Tally::new(set, cx.now_on_calendar());
            pods.iter().for_each(|(pairs, ready)| tally.add(&pod(pairs, *ready, cx)));
            tally.terminating = terminating;
            assert_eq!(counters(&calculate(set, &tally, None, cx)), want, "{name}");
        });
    }
}

/// Upstream: replica_set_utils_test.go, TestCalculateStatusConditions.
#[test]
fn calculate_status_conditions() {
    let failing = |replicas| {
        let condition = ReplicaSetCondition {
            type_: Some(REPLICA_FAILURE.into()),
            status: Some("True".into()),
            ..ReplicaSetCondition::default()
        };
        let conditions = Some(vec![condition]);
        let status = Some(ReplicaSetStatus { conditions, ..ReplicaSetStatus::default() });
        ReplicaSet { status, ..set(replicas, SOME, 0) }
    };
    let error = Error::Other("fake manageReplicasErr".into());
    let fine = set(2, SOME, 0);
    let message = Some("fake manageReplicasErr");
    let cases = [
        ("failed, no condition, too few", &fine, 1, true, Some((Some("FailedCreate"), message))),
        ("failed, no condition, too many", &fine, 3, true, Some((Some("FailedDelete"), message))),
        ("not failed, condition", &failing(10), 1, false, None),
        ("failed, condition", &failing(10), 1, true, Some((None, None))),
        ("not failed, no condition", &fine, 1, false, None),
    ];
    let mut world = World::new();
    for (name, set, active, failed, want) in cases {
        in_sync(&mut world, |cx| {
            let mut tally = Tally::new(set, cx.now_on_calendar());
            tally.active = active;
            let status = calculate(set, &tally, failed.then_some(&error), cx);
            let conditions = status.conditions.unwrap_or_default();
            let found = conditions.first();
            let words = found.map(|found| (found.reason.as_deref(), found.message.as_deref()));
            assert_eq!(words, want, "{name}");
        });
    }
}
