use api::openapi::api::apps::v1::DeploymentStatus;

use super::*;
use crate::testing::{deployment, replica_set};

fn sized(name: &str, replicas: i32, annotations: &[(&str, &str)]) -> Arc<ReplicaSet> {
    let mut set = replica_set(name, replicas);
    for (name, value) in annotations {
        set_annotation(&mut set, name, (*value).into());
    }
    Arc::new(set)
}

/// Upstream: deployment_util_test.go, TestNewRSNewReplicas.
#[test]
fn new_rs_new_replicas() {
    let cases = [
        ("can not scale up - to newRSReplicas", false, 1, 5, 5, 5),
        ("scale up - to depReplicas", false, 6, 2, 10, 6),
        ("recreate - to depReplicas", true, 3, 1, 1, 3),
    ];
    for (name, recreate, desired, new_wanted, surge, want) in cases {
        let mut deployment = deployment("web", desired, &surge.to_string(), "1");
        if recreate {
            let strategy = deployment.spec.strategy.as_mut().expect("strategy");
            strategy.type_ = Some("Recreate".into());
        }
        let others = if name.starts_with("can not") { desired + surge } else { 0 };
        let found = new_replicas(&deployment, others + new_wanted, new_wanted);
        assert_eq!(found, want, "{name}");
    }
}

/// Upstream: deployment_util_test.go, TestMaxUnavailable.
#[test]
fn max_unavailable_is_never_more_than_there_are_pods() {
    let cases = [
        ("maxUnavailable less than replicas", 10, "5", 5),
        ("maxUnavailable equal replicas", 10, "10", 10),
        ("maxUnavailable greater than replicas", 5, "10", 5),
        ("maxUnavailable with replicas is 0", 0, "10", 0),
        ("maxUnavailable less than replicas with percents", 10, "50%", 5),
        ("maxUnavailable equal replicas with percents", 10, "100%", 10),
        ("maxUnavailable greater than replicas with percents", 5, "100%", 5),
    ];
    for (name, desired, unavailable, want) in cases {
        assert_eq!(max_unavailable(&deployment("web", desired, "0", unavailable)), want, "{name}");
    }
}

/// Upstream: deployment_util_test.go, TestReplicasAnnotationsNeedUpdate.
#[test]
fn replicas_annotations_change_only_when_they_must() {
    let wanted = deployment("web", 10, "10", "0");
    let desired = ("deployment.kubernetes.io/desired-replicas", "10");
    let max = ("deployment.kubernetes.io/max-replicas", "20");
    let cases = [
        ("test Annotations nil", sized("a", 1, &[]), true),
        (
            "test desiredReplicas update",
            sized("a", 1, &[("deployment.kubernetes.io/desired-replicas", "8"), max]),
            true,
        ),
        (
            "test maxReplicas update",
            sized("a", 1, &[desired, ("deployment.kubernetes.io/max-replicas", "16")]),
            true,
        ),
        ("test needn't update", sized("a", 1, &[desired, max]), false),
    ];
    for (name, set, want) in cases {
        assert_eq!(set_replicas_annotations(&wanted, &mut (*set).clone()), want, "{name}");
    }
}

/// Upstream: deployment_util_test.go, TestFindActiveOrLatest via deployment_controller's scale.
#[test]
fn the_only_active_one_is_scaled_or_the_latest() {
    let (active, idle) = (sized("active", 1, &[]), sized("idle", 0, &[]));
    let split = |new: Option<&Arc<ReplicaSet>>, old: &[&Arc<ReplicaSet>]| Split {
        new: new.cloned(),
        old: old.iter().map(|set| (*set).clone()).collect(),
    };
    let name = |split: &Split| active_or_latest(split).and_then(|set| set.metadata.name.clone());
    assert_eq!(name(&split(None, &[])), None);
    assert_eq!(name(&split(Some(&idle), &[&active])).as_deref(), Some("active"));
    assert_eq!(name(&split(Some(&active), &[&active])), None);
    assert_eq!(name(&split(Some(&idle), &[&idle])).as_deref(), Some("idle"));
}

#[test]
fn shares_keep_their_proportion_and_stay_within_what_is_allowed() {
    let mut wanted = deployment("web", 15, "3", "2");
    wanted.status = Some(DeploymentStatus { replicas: Some(13), ..DeploymentStatus::default() });
    let max = [("deployment.kubernetes.io/max-replicas", "13")];
    // 8 × 18 / 13 = 11.08 and 5 × 18 / 13 = 6.92.
    assert_eq!(proportion(&sized("a", 8, &max), &wanted, 5, 0), 3);
    assert_eq!(proportion(&sized("b", 5, &max), &wanted, 5, 3), 2);
    assert_eq!(proportion(&sized("b", 5, &[]), &wanted, 5, 4), 1, "no more than is left");
    assert_eq!(proportion(&sized("c", 0, &max), &wanted, 5, 0), 0, "never up from nothing");
}

#[test]
fn former_revisions_are_remembered_up_to_a_length() {
    let wanted = deployment("web", 1, "1", "0");
    let mut set = (*sized("a", 1, &[(REVISION, "1")])).clone();
    for revision in [3, 5] {
        assert!(set_new_annotations(&wanted, &mut set, revision, true));
    }
    assert_eq!(annotation(&set, REVISION), Some("5"));
    assert_eq!(annotation(&set, REVISION_HISTORY), Some("1,3"));
    assert!(!set_new_annotations(&wanted, &mut set, 4, true), "revisions never go back");
    set_annotation(&mut set, REVISION_HISTORY, "7".repeat(MAX_REVISION_HISTORY_LENGTH - 2) + ",9");
    assert!(set_new_annotations(&wanted, &mut set, 6, true));
    assert_eq!(annotation(&set, REVISION_HISTORY), Some("9,5"));
}
