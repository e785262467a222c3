//! Upstream's tables of single steps of a rollout.

use api::openapi::api::apps::v1::{
    DeploymentCondition, DeploymentStatus, ReplicaSetCondition, ReplicaSetStatus,
};
use api::openapi::apimachinery::pkg::apis::meta::v1::Time;
use jiff::{SignedDuration, Timestamp};
use sim::Duration;

use super::progress::{is_complete, is_progressing, is_timed_out};
use super::replica_sets::set_replicas_annotations;
use super::*;
use crate::testing::{World, deployment, in_sync, replica_set, template};

const NAME: &str = "foo";

/// How large a ReplicaSet is, and how many of its pods are available.
#[derive(Clone, Copy)]
struct Size {
    name: &'static str,
    replicas: i32,
    available: i32,
}

fn size(name: &'static str, replicas: i32) -> Size {
    Size { name, replicas, available: replicas }
}

/// Stores a ReplicaSet with that size and status, made a minute after the one before.
fn store(world: &mut World, size: Size, of: Option<&Deployment>) -> Arc<ReplicaSet> {
    world.cluster.now += Duration::from_secs(60);
    let mut set = replica_set(size.name, size.replicas);
    set.spec.template = Some(template("nginx:1", &[("app", size.name)]));
    if let Some(deployment) = of {
        set_replicas_annotations(deployment, &mut set);
    }
    world.create(set);
    world
        .cluster
        .api::<ReplicaSet>("default")
        .patch_status(size.name, move |set| {
            set.status = Some(ReplicaSetStatus {
                replicas: size.replicas,
                ready_replicas: Some(size.available).filter(|ready| *ready > 0),
                available_replicas: Some(size.available).filter(|available| *available > 0),
                observed_generation: Some(1),
                ..ReplicaSetStatus::default()
            });
        })
        .expect("patched")
}

/// The sizes of all ReplicaSets, by name.
fn sizes(world: &mut World) -> Vec<(String, i32)> {
    let sets = world.list::<ReplicaSet>();
    let size = |set: &Arc<ReplicaSet>| {
        (set.metadata.name.clone().unwrap_or_default(), set.spec.replicas.unwrap_or(1))
    };
    sets.iter().map(size).collect()
}

/// A cluster in which no controller runs.
fn idle() -> World {
    let mut world = World::new();
    world.manager.stop(&mut world.cluster.server);
    world
}

struct Scale {
    name: &'static str,
    from: Deployment,
    to: Deployment,
    new: Option<Size>,
    old: Vec<Size>,
    want: Vec<(&'static str, i32)>,
}

fn of(replicas: i32, surge: &str) -> Deployment {
    deployment(NAME, replicas, surge, "1")
}

fn scale_cases() -> Vec<Scale> {
    let case = |name, (from, to), new: Option<i32>, old: &[i32], want: &[i32]| {
        let names = ["v1", "v2", "v3"];
        // The old ones are listed newest first.
        let count = old.len() + usize::from(new.is_some());
        let old_names = names[..old.len()].iter().rev();
        Scale {
            name,
            from: of(from, "0"),
            to: of(to, "0"),
            new: new.map(|replicas| size(names[old.len()], replicas)),
            old: old_names.zip(old).map(|(name, replicas)| size(name, *replicas)).collect(),
            want: names[..count].iter().copied().zip(want.iter().copied()).collect(),
        }
    };
    let mut cases = vec![
        case("normal scaling event: 10 -> 12", (10, 12), Some(10), &[], &[12]),
        case("normal scaling event: 10 -> 5", (10, 5), Some(10), &[], &[5]),
        case("proportional scaling: 5 -> 10", (5, 10), Some(2), &[3], &[6, 4]),
        case("proportional scaling: 5 -> 3", (5, 3), Some(2), &[3], &[2, 1]),
        case("proportional scaling: 9 -> 4", (9, 4), Some(8), &[1], &[0, 4]),
        case("proportional scaling: 7 -> 10", (7, 10), Some(2), &[3, 2], &[3, 4, 3]),
        case("proportional scaling: 13 -> 8", (13, 8), Some(2), &[8, 3], &[2, 5, 1]),
        case("leftover distribution: 3 -> 4", (3, 4), Some(1), &[1, 1], &[1, 1, 2]),
        case("leftover distribution: 3 -> 2", (3, 2), Some(1), &[1, 1], &[0, 1, 1]),
        case("proportional scaling (no new rs): 4 -> 5", (4, 5), None, &[2, 2], &[2, 3]),
        case("proportional scaling: 6 -> 0", (6, 0), Some(3), &[2, 1], &[0, 0, 0]),
        case("proportional scaling: 0 -> 6", (6, 6), Some(0), &[0, 0], &[0, 0, 6]),
        case("change both size and template", (10, 14), None, &[7, 3], &[4, 10]),
    ];
    let surge = case("deployment with surge pods", (10, 20), Some(6), &[6], &[11, 11]);
    cases.push(Scale { from: of(10, "2"), to: of(20, "2"), ..surge });
    let both = case("change both surge and size", (10, 50), Some(5), &[8], &[34, 22]);
    cases.push(Scale { from: of(10, "3"), to: of(50, "6"), ..both });
    let name = "saturated but broken new replica set does not affect old pods";
    let broken = case(name, (2, 2), Some(2), &[1], &[1, 2]);
    let new = Some(Size { available: 0, ..size("v2", 2) });
    cases.push(Scale { from: of(2, "1"), to: of(2, "1"), new, ..broken });
    cases
}

/// Upstream: sync_test.go, TestScale.
#[test]
fn scale() {
    for case in scale_cases() {
        let mut world = idle();
        let mut split = Split::default();
        let old: Vec<_> =
            case.old.iter().rev().map(|size| store(&mut world, *size, Some(&case.from))).collect();
        split.old = old.into_iter().rev().collect();
        split.new = case.new.map(|size| store(&mut world, size, Some(&case.from)));
        in_sync(&mut world, |cx| {
            let mut rollout = Rollout { cx, deployment: case.to.clone(), replica_sets: vec![] };
            rollout.scale(&split).expect("scaled");
        });
        let want: Vec<(String, i32)> =
            case.want.iter().map(|(name, replicas)| ((*name).to_string(), *replicas)).collect();
        assert_eq!(sizes(&mut world), want, "{}", case.name);
    }
}

/// Upstream: sync_test.go, TestDeploymentController_cleanupDeployment.
#[test]
fn cleanup_deployment() {
    let spec_and_status =
        |name, spec, status| (Size { name, replicas: spec, available: 0 }, status);
    let cases = [
        (
            vec![
                spec_and_status("foo-1", 0, 0),
                spec_and_status("foo-2", 0, 0),
                spec_and_status("foo-3", 0, 0),
            ],
            1,
            2,
        ),
        (
            vec![
                spec_and_status("foo-1", 0, 0),
                spec_and_status("foo-2", 0, 1),
                spec_and_status("foo-3", 1, 0),
                spec_and_status("foo-4", 1, 1),
            ],
            0,
            1,
        ),
        (vec![spec_and_status("foo-1", 0, 0), spec_and_status("foo-2", 0, 0)], 0, 2),
        (vec![spec_and_status("foo-1", 1, 1), spec_and_status("foo-2", 1, 1)], 0, 0),
        (vec![spec_and_status("foo-1", 0, 0), spec_and_status("foo-2", 0, 0)], i32::MAX, 0),
    ];
    for (index, (sets, limit, deletions)) in cases.into_iter().enumerate() {
        let mut world = idle();
        let count = sets.len();
        let mut old = Vec::new();
        for (size, replicas) in sets {
            store(&mut world, size, None);
            let patched =
                world.cluster.api::<ReplicaSet>("default").patch_status(size.name, move |set| {
                    set.status.get_or_insert_default().replicas = replicas;
                });
            old.push(patched.expect("patched"));
        }
        let mut wanted = of(1, "0");
        wanted.spec.revision_history_limit = Some(limit);
        in_sync(&mut world, |cx| {
            let mut rollout = Rollout { cx, deployment: wanted, replica_sets: vec![] };
            rollout.clean_up(&old).expect("cleaned up");
        });
        assert_eq!(count - world.list::<ReplicaSet>().len(), deletions, "scenario {index}");
    }
}

/// One look at a rolling update: the sizes that the two ReplicaSets have afterwards.
fn roll(wanted: &Deployment, old: Size, new: Option<Size>) -> Vec<(String, i32)> {
    let mut world = idle();
    let old = store(&mut world, old, None);
    let new = new.map(|size| store(&mut world, size, None));
    let split = Split { new, old: vec![old] };
    in_sync(&mut world, |cx| {
        let deployment = wanted.clone();
        let mut rollout = Rollout { cx, deployment, replica_sets: vec![] };
        if !rollout.reconcile_new(&split).expect("reconciled") {
            rollout.reconcile_old(&split).expect("reconciled");
        }
    });
    sizes(&mut world)
}

/// Upstream: rolling_test.go, TestDeploymentController_reconcileNewReplicaSet.
#[test]
fn reconcile_new_replica_set() {
    // Desired, surge, old, new, and how many the new one has then.
    let cases = [
        (10, "0", 10, 0, 0),
        (10, "2", 10, 0, 2),
        (10, "2", 5, 0, 7),
        (10, "2", 10, 2, 2),
        (10, "2", 2, 11, 10),
    ];
    for (desired, surge, old, new, want) in cases {
        let wanted = deployment(NAME, desired, surge, "0");
        // None of the old pods may go, whichever are available.
        let old = Size { available: 0, ..size("old", old) };
        let found = roll(
            &wanted,
            Size { available: old.replicas.min(desired), ..old },
            Some(Size { available: 0, ..size("new", new) }),
        );
        assert_eq!(found[0], ("new".to_string(), want), "{desired} {surge} {new}");
    }
}

/// Upstream: rolling_test.go, TestDeploymentController_reconcileOldReplicaSets and
/// TestDeploymentController_scaleDownOldReplicaSetsForRollingUpdate.
#[test]
fn reconcile_old_replica_sets() {
    // Unavailable allowed, old, new, available of old, available of new, and what is left of
    // the old one.
    let cases = [
        ("0", 10, 0, 10, 0, 9),
        ("2", 10, 0, 10, 0, 8),
        ("2", 10, 0, 8, 0, 8),
        ("2", 10, 0, 9, 0, 8),
        ("2", 8, 2, 8, 0, 8),
    ];
    for (unavailable, old, new, old_available, new_available, want) in cases {
        let wanted = deployment(NAME, 10, "0", unavailable);
        let old = Size { available: old_available, ..size("old", old) };
        let new = Size { available: new_available, ..size("new", new) };
        let found = roll(&wanted, old, Some(new));
        let left = found.iter().find(|(name, _)| name == "old").map(|(_, replicas)| *replicas);
        assert_eq!(left, Some(want), "{unavailable} {old_available}");
    }
}

fn status(current: i32, updated: i32, ready: i32, available: i32) -> DeploymentStatus {
    DeploymentStatus {
        replicas: Some(current),
        updated_replicas: Some(updated),
        ready_replicas: Some(ready),
        available_replicas: Some(available),
        ..DeploymentStatus::default()
    }
}

/// Upstream: deployment_util_test.go, TestDeploymentComplete.
#[test]
fn deployment_complete() {
    let cases = [
        ("not complete: min but not all pods become available", (5, 5, 5, 4), false),
        ("not complete: min availability is not honored", (5, 5, 5, 3), false),
        ("complete", (5, 5, 5, 5), true),
        ("not complete: all pods are available but not updated", (5, 5, 4, 5), false),
        ("not complete: still running old pods", (1, 2, 1, 1), false),
        ("not complete: one replica deployment never comes up", (1, 1, 1, 0), false),
    ];
    for (name, (desired, current, updated, available), want) in cases {
        let found = is_complete(&of(desired, "1"), &status(current, updated, 0, available));
        assert_eq!(found, want, "{name}");
    }
}

/// Upstream: deployment_util_test.go, TestDeploymentProgressing.
#[test]
fn deployment_progressing() {
    let cases = [
        ("progressing: updated pods", (10, 4, 4, 4), (10, 6, 4, 4), true),
        ("not progressing", (10, 4, 4, 4), (10, 4, 4, 4), false),
        ("progressing: old pods removed", (10, 4, 6, 6), (8, 4, 6, 6), true),
        ("not progressing: less new pods", (10, 7, 3, 3), (10, 6, 3, 3), false),
        ("progressing: less overall but more new pods", (10, 4, 7, 7), (8, 8, 5, 5), true),
        ("progressing: more ready pods", (10, 10, 9, 8), (10, 10, 10, 8), true),
        ("progressing: more available pods", (10, 10, 10, 9), (10, 10, 10, 10), true),
    ];
    let of = |(current, updated, ready, available)| status(current, updated, ready, available);
    for (name, old, new, want) in cases {
        assert_eq!(is_progressing(&of(old), &of(new)), want, "{name}");
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("in range")
}

fn progressing(status: &str, reason: &str, updated: i64) -> DeploymentCondition {
    DeploymentCondition {
        type_: Some(conditions::PROGRESSING.into()),
        status: Some(status.into()),
        reason: Some(reason.into()),
        last_update_time: Some(Time(at(updated))),
        last_transition_time: Some(Time(at(updated))),
        message: None,
    }
}

/// Upstream: deployment_util_test.go, TestDeploymentTimedOut.
#[test]
fn deployment_timed_out() {
    let cases = [
        ("nil progressDeadlineSeconds specified - no timeout", "", None, 9, 20, false),
        (
            "infinite progressDeadlineSeconds specified - no timeout",
            "",
            Some(i32::MAX),
            9,
            20,
            false,
        ),
        (
            "progressDeadlineSeconds: 10s, now - started => 00:01:20 - 00:01:09 => 11s",
            "",
            Some(10),
            9,
            20,
            true,
        ),
        (
            "progressDeadlineSeconds: 10s, now - started => 00:01:20 - 00:01:11 => 9s",
            "",
            Some(10),
            11,
            20,
            false,
        ),
        (
            "previous status was a complete deployment",
            "NewReplicaSetAvailable",
            Some(10),
            9,
            200,
            false,
        ),
        ("already timed out", "ProgressDeadlineExceeded", Some(10), 19, 20, true),
    ];
    for (name, reason, deadline, updated, now, want) in cases {
        let mut wanted = of(1, "1");
        wanted.spec.progress_deadline_seconds = deadline;
        let mut status = status(1, 1, 0, 0);
        status.conditions = Some(vec![progressing("True", reason, updated)]);
        assert_eq!(is_timed_out(&wanted, &status, at(now)), want, "{name}");
    }
}

/// What a rollout's status says of its progress, and since when.
struct Progress {
    name: &'static str,
    deadline: Option<i32>,
    /// Replicas wanted, and the status: current, updated, available.
    deployment: (i32, i32, i32, i32),
    condition: Option<DeploymentCondition>,
    /// Wanted, current and available of an old and of the new ReplicaSet.
    old: Option<(i32, i32, i32)>,
    new: Option<(i32, i32, i32)>,
    want: Option<(&'static str, &'static str)>,
    keeps_transition: bool,
}

impl Progress {
    /// What is wanted of the condition: its status, its reason, and whether the time of its
    /// transition stays.
    fn want(self, status: &'static str, reason: &'static str, keeps_transition: bool) -> Self {
        Progress { want: Some((status, reason)), keeps_transition, ..self }
    }

    /// The sizes that the ReplicaSets have.
    fn sizes(self, old: Option<(i32, i32, i32)>, new: Option<(i32, i32, i32)>) -> Self {
        Progress { old, new, ..self }
    }
}

fn progress_cases(now: i64) -> Vec<Progress> {
    use conditions::{NEW_REPLICA_SET_AVAILABLE, REPLICA_SET_UPDATED, TIMED_OUT};
    let condition = |status, reason| Some(progressing(status, reason, now - 1000));
    let failed = || condition("False", TIMED_OUT);
    let updated = || condition("True", REPLICA_SET_UPDATED);
    let case = |name, deployment, condition| Progress {
        name,
        deadline: Some(60),
        deployment,
        condition,
        old: None,
        new: Some((3, 3, 3)),
        want: None,
        keeps_transition: false,
    };
    let (two, three) = ((3, 2, 2, 2), (3, 3, 3, 3));
    let (bar, foo) = (Some((0, 1, 1)), Some((3, 2, 2)));
    let no_deadline = case("General: no Progress Deadline", two, updated()).sizes(bar, foo);
    vec![
        Progress { deadline: None, ..no_deadline },
        case(
            "General: only one active ReplicaSet",
            three,
            condition("True", NEW_REPLICA_SET_AVAILABLE),
        )
        .want("True", NEW_REPLICA_SET_AVAILABLE, true),
        case("DeploymentProgressing: already Progressing=True", two, updated())
            .sizes(bar, foo)
            .want("True", REPLICA_SET_UPDATED, true),
        case("DeploymentProgressing: Progressing=False", two, failed()).sizes(bar, foo).want(
            "True",
            REPLICA_SET_UPDATED,
            false,
        ),
        case("DeploymentProgressing: no condition", two, None).sizes(bar, foo).want(
            "True",
            REPLICA_SET_UPDATED,
            false,
        ),
        case("DeploymentComplete: already Progressing=True", three, updated()).want(
            "True",
            NEW_REPLICA_SET_AVAILABLE,
            true,
        ),
        case("DeploymentComplete: Progressing=False", three, failed()).want(
            "True",
            NEW_REPLICA_SET_AVAILABLE,
            false,
        ),
        case("DeploymentComplete: no condition", three, None).want(
            "True",
            NEW_REPLICA_SET_AVAILABLE,
            false,
        ),
        case("DeploymentComplete: newRS=nil", (0, 3, 3, 3), updated())
            .sizes(Some((0, 0, 0)), None)
            .want("True", NEW_REPLICA_SET_AVAILABLE, true),
        case("DeploymentTimedOut: rollout exceeds Progress Deadline", two, updated())
            .sizes(None, foo)
            .want("False", TIMED_OUT, false),
        case("DeploymentTimedOut: existing timedOut condition", two, failed())
            .sizes(None, foo)
            .want("False", TIMED_OUT, true),
    ]
}

/// Upstream: progress_test.go, TestSyncRolloutStatus.
#[test]
fn sync_rollout_status() {
    let mut world = idle();
    let now = world.cluster.context(0).timestamp().0;
    for case in progress_cases(now.as_second()) {
        let mut wanted = of(case.deployment.0, "0");
        wanted.metadata.name = Some("progress-test".into());
        wanted.spec.progress_deadline_seconds = case.deadline;
        let (_, current, updated, available) = case.deployment;
        let mut stored_status = status(current, updated, available, available);
        stored_status.conditions = case.condition.clone().map(|condition| vec![condition]);
        let stored = world.create(wanted);
        let set = |name: &'static str, (replicas, current, available): (i32, i32, i32)| {
            let mut set = replica_set(name, replicas);
            set.status = Some(ReplicaSetStatus {
                replicas: current,
                ready_replicas: Some(available),
                available_replicas: Some(available),
                ..ReplicaSetStatus::default()
            });
            Arc::new(set)
        };
        let split = Split {
            new: case.new.map(|size| set("foo", size)),
            old: case.old.map(|size| set("bar", size)).into_iter().collect(),
        };
        in_sync(&mut world, |cx| {
            let mut deployment = (*stored).clone();
            deployment.spec.progress_deadline_seconds = case.deadline;
            deployment.metadata.generation = None;
            deployment.status = Some(stored_status);
            let mut rollout = Rollout { cx, deployment, replica_sets: vec![] };
            rollout.sync_rollout_status(&split).expect("synced");
        });
        let found = world.get::<Deployment>("progress-test");
        let found = conditions::progressing(&found).cloned();
        let words = found.as_ref().map(|condition| {
            (condition.status.as_deref().unwrap_or(""), condition.reason.as_deref().unwrap_or(""))
        });
        assert_eq!(words, case.want, "{}", case.name);
        if let (Some(found), Some(before)) = (&found, &case.condition) {
            let kept = found.last_transition_time == before.last_transition_time;
            assert_eq!(kept, case.keeps_transition, "{}", case.name);
        }
        world.delete::<Deployment>("progress-test", None);
    }
}

/// Upstream: progress_test.go, TestRequeueStuckDeployment.
#[test]
fn requeue_stuck_deployment() {
    let mut world = idle();
    let now = world.cluster.context(0).timestamp().0;
    let ago = |seconds| {
        now.saturating_sub(SignedDuration::from_secs(seconds)).expect("in range").as_second()
    };
    let stuck = |seconds| Some(progressing("True", "", ago(seconds)));
    let failed = Some(progressing("False", conditions::TIMED_OUT, ago(0)));
    let after = |seconds| Action::RequeueAfter(Duration::from_secs(seconds));
    let cases = [
        ("nil progressDeadlineSeconds specified", None, (4, 3, 3, 2), None, Action::Done),
        (
            "infinite progressDeadlineSeconds specified",
            Some(i32::MAX),
            (4, 3, 3, 2),
            None,
            Action::Done,
        ),
        ("no progressing condition found", Some(60), (4, 3, 3, 2), None, Action::Done),
        (
            "complete deployment does not need to be requeued",
            Some(60),
            (3, 3, 3, 3),
            None,
            Action::Done,
        ),
        (
            "already failed deployment does not need to be requeued",
            Some(60),
            (3, 3, 3, 0),
            failed,
            Action::Done,
        ),
        ("stuck deployment - 30s", Some(60), (3, 3, 3, 1), stuck(30), after(31)),
        ("stuck deployment - 1s", Some(60), (3, 3, 3, 1), stuck(59), after(2)),
        ("failed deployment - now", Some(60), (3, 3, 3, 1), stuck(60), Action::RequeueRateLimited),
        (
            "failed deployment - 60s after deadline",
            Some(60),
            (3, 3, 3, 1),
            stuck(120),
            Action::RequeueRateLimited,
        ),
    ];
    // Conditions carry whole seconds.
    world.cluster.now = sim::Time::ZERO + Duration::from_secs(world.cluster.now.as_millis() / 1000);
    for (name, deadline, (desired, current, updated, available), condition, want) in cases {
        let mut deployment = of(desired, "0");
        deployment.spec.progress_deadline_seconds = deadline;
        let status = status(current, updated, 0, available);
        let stored = DeploymentStatus {
            conditions: condition.map(|condition| vec![condition]),
            ..status.clone()
        };
        deployment.status = Some(stored);
        let found = in_sync(&mut world, |cx| {
            Rollout { cx, deployment, replica_sets: vec![] }.requeue_stuck(&status)
        });
        assert_eq!(found, want, "{name}");
    }
}

/// Upstream: getReplicaFailures, tested through the status.
#[test]
fn failures_of_the_new_replica_set_go_first() {
    let mut world = idle();
    let stored = world.create(of(1, "0"));
    let failing = |name: &str, message: &str| {
        let mut set = replica_set(name, 1);
        set.status = Some(ReplicaSetStatus {
            conditions: Some(vec![ReplicaSetCondition {
                type_: Some("ReplicaFailure".into()),
                status: Some("True".into()),
                reason: Some("FailedCreate".into()),
                message: Some(message.into()),
                ..ReplicaSetCondition::default()
            }]),
            ..ReplicaSetStatus::default()
        });
        Arc::new(set)
    };
    let split = Split { new: Some(failing("new", "no")), old: vec![failing("old", "never")] };
    in_sync(&mut world, |cx| {
        let deployment = (*stored).clone();
        let mut rollout = Rollout { cx, deployment, replica_sets: vec![] };
        rollout.sync_rollout_status(&split).expect("synced");
    });
    let status = world.get::<Deployment>(NAME).status.clone().expect("status");
    let failure = conditions::get(&status, conditions::REPLICA_FAILURE).expect("condition");
    assert_eq!(failure.message.as_deref(), Some("no"));
}
