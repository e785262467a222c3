//! What a pod's status says of it.
//!
//! Upstream: pkg/api/v1/pod/util.go and pkg/controller/controller_utils.go

use api::openapi::api::core::v1::{Pod, PodCondition, PodStatus};
use api::openapi::apimachinery::pkg::apis::meta::v1::Time;
use jiff::{SignedDuration, Timestamp};

/// The phase as the status names it; empty when it names none.
#[must_use]
pub fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// The condition of that type.
#[must_use]
pub fn condition<'p>(status: &'p PodStatus, condition_type: &str) -> Option<&'p PodCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == condition_type)
}

/// Puts a condition in place of the one of its type. The time of the transition is `now`, unless
/// the status stays what it was. Whether anything changed. Upstream: UpdatePodCondition.
pub fn update_condition(status: &mut PodStatus, mut condition: PodCondition, now: &Time) -> bool {
    condition.last_transition_time = Some(now.clone());
    let conditions = status.conditions.get_or_insert_default();
    let Some(old) = conditions.iter_mut().find(|old| old.type_ == condition.type_) else {
        conditions.push(condition);
        return true;
    };
    if old.status == condition.status {
        condition.last_transition_time.clone_from(&old.last_transition_time);
    }
    let changed = *old != condition;
    *old = condition;
    changed
}

/// The condition Ready.
#[must_use]
pub fn ready_condition(pod: &Pod) -> Option<&PodCondition> {
    pod.status.as_ref().and_then(|status| condition(status, "Ready"))
}

/// Whether the pod is ready.
#[must_use]
pub fn is_pod_ready(pod: &Pod) -> bool {
    ready_condition(pod).is_some_and(|condition| condition.status == "True")
}

/// Since when the pod is ready.
#[must_use]
pub fn ready_since(pod: &Pod) -> Option<Timestamp> {
    let condition = ready_condition(pod).filter(|condition| condition.status == "True")?;
    condition.last_transition_time.as_ref().map(|time| time.0)
}

/// Whether the pod has been ready for at least that long.
#[must_use]
pub fn is_pod_available(pod: &Pod, min_ready_seconds: i32, now: Timestamp) -> bool {
    if min_ready_seconds == 0 {
        return is_pod_ready(pod);
    }
    available_from(pod, min_ready_seconds).is_some_and(|instant| instant <= now)
}

/// When a ready pod will have been ready for that long.
#[must_use]
pub fn available_from(pod: &Pod, min_ready_seconds: i32) -> Option<Timestamp> {
    let since = ready_since(pod)?;
    since.checked_add(SignedDuration::from_secs(i64::from(min_ready_seconds))).ok()
}

/// Whether all containers of the pod have ended for good.
#[must_use]
pub fn is_pod_terminal(pod: &Pod) -> bool {
    matches!(phase(pod), "Failed" | "Succeeded")
}

/// Whether the pod counts for the controller that owns it: it has neither ended nor been told
/// to.
#[must_use]
pub fn is_pod_active(pod: &Pod) -> bool {
    !is_pod_terminal(pod) && pod.metadata.deletion_timestamp.is_none()
}

/// Whether the pod was told to end and has not ended yet.
#[must_use]
pub fn is_pod_terminating(pod: &Pod) -> bool {
    !is_pod_terminal(pod) && pod.metadata.deletion_timestamp.is_some()
}

/// The node the pod is bound to; empty when it is bound to none.
#[must_use]
pub fn node_name(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("in range")
    }

    fn pod(ready: &str, since: i64) -> Pod {
        let condition = PodCondition {
            type_: "Ready".into(),
            status: ready.into(),
            last_transition_time: Some(Time(at(since))),
            ..PodCondition::default()
        };
        let status = PodStatus { conditions: Some(vec![condition]), ..PodStatus::default() };
        Pod { status: Some(status), ..Pod::default() }
    }

    /// Upstream: pkg/api/v1/pod/util_test.go, TestIsPodAvailable.
    #[test]
    fn a_pod_is_available_once_it_was_ready_long_enough() {
        let cases = [
            ("not ready", pod("False", 0), 0, 0, false),
            ("ready", pod("True", 0), 0, 0, true),
            ("not ready long enough", pod("True", 100), 30, 129, false),
            ("ready long enough", pod("True", 100), 30, 130, true),
            ("no condition", Pod::default(), 0, 0, false),
        ];
        for (name, pod, min_ready_seconds, now, want) in cases {
            assert_eq!(is_pod_available(&pod, min_ready_seconds, at(now)), want, "{name}");
        }
    }
}
