//! What a Job says of pods that fail, and of when it has succeeded.
//!
//! Upstream: pkg/controller/job/pod_failure_policy.go and success_policy.go

use api::job_indexes::Indexes;
use api::openapi::api::batch::v1::{
    JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, SuccessPolicy,
};
use api::openapi::api::core::v1::{ContainerStatus, Pod};
use component_helpers::pod_status::phase;

/// What a policy makes of a failed pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No rule is about it: it counts.
    None,
    /// It counts.
    Count,
    /// It does not count.
    Ignore,
    /// Its index has failed.
    FailIndex,
    /// The Job has failed, and why.
    FailJob(String),
}

impl Verdict {
    /// Whether the failure counts.
    pub(super) fn counts(&self) -> bool {
        *self != Verdict::Ignore
    }
}

/// Whether pods are replaced only when they have ended. Upstream: onlyReplaceFailedPods.
pub(super) fn only_replaces_failed(spec: &JobSpec) -> bool {
    spec.pod_replacement_policy.as_deref() == Some("Failed") || spec.pod_failure_policy.is_some()
}

/// Whether the pod counts as failed. Upstream: isPodFailed.
pub(super) fn is_pod_failed(spec: &JobSpec, pod: &Pod) -> bool {
    match phase(pod) {
        "Failed" => true,
        "Succeeded" => false,
        // One that was deleted may never come to fail.
        _ => pod.metadata.deletion_timestamp.is_some() && !only_replaces_failed(spec),
    }
}

/// Upstream: matchPodFailurePolicy.
pub(super) fn verdict(spec: &JobSpec, pod: &Pod) -> Verdict {
    let Some(PodFailurePolicy { rules }) = &spec.pod_failure_policy else { return Verdict::None };
    let name = |text: &Option<String>| text.clone().unwrap_or_default();
    let (namespace, pod_name) = (name(&pod.metadata.namespace), name(&pod.metadata.name));
    for (index, rule) in rules.iter().enumerate() {
        let why = if let Some(requirement) = &rule.on_exit_codes {
            matching_exit(pod, requirement).map(|(container, code)| {
                format!(
                    "Container {container} for pod {namespace}/{pod_name} failed with exit code \
                     {code} matching {} rule at index {index}",
                    rule.action
                )
            })
        } else {
            let patterns = rule.on_pod_conditions.as_deref().unwrap_or_default();
            matching_condition(pod, patterns).map(|condition| {
                format!(
                    "Pod {namespace}/{pod_name} has condition {condition} matching {} rule at \
                     index {index}",
                    rule.action
                )
            })
        };
        match (rule.action.as_str(), why) {
            (_, None) => {}
            ("Ignore", _) => return Verdict::Ignore,
            ("FailIndex", _) => return Verdict::FailIndex,
            ("Count", _) => return Verdict::Count,
            ("FailJob", Some(why)) => return Verdict::FailJob(why),
            _ => {}
        }
    }
    Verdict::None
}

/// The container whose exit a requirement matches. Upstream: matchOnExitCodes.
fn matching_exit<'p>(
    pod: &'p Pod,
    requirement: &PodFailurePolicyOnExitCodesRequirement,
) -> Option<(&'p str, i32)> {
    let status = pod.status.as_ref()?;
    let containers = status.container_statuses.iter().flatten();
    let all = containers.chain(status.init_container_statuses.iter().flatten());
    let exit = |container: &'p ContainerStatus| {
        let code = container.state.as_ref()?.terminated.as_ref()?.exit_code;
        let is_meant = requirement.container_name.as_ref().is_none_or(|it| *it == container.name);
        let is_listed = requirement.values.contains(&code);
        let matches = match requirement.operator.as_str() {
            "In" => is_listed,
            "NotIn" => !is_listed,
            _ => false,
        };
        (code != 0 && is_meant && matches).then_some((container.name.as_str(), code))
    };
    all.filter_map(exit).next()
}

/// Upstream: matchOnPodConditions.
fn matching_condition<'p>(
    pod: &'p Pod,
    patterns: &[PodFailurePolicyOnPodConditionsPattern],
) -> Option<&'p str> {
    let mut conditions = pod.status.as_ref()?.conditions.iter().flatten();
    let matches = |type_: &str, status: &str| {
        patterns
            .iter()
            .any(|it| it.type_ == type_ && it.status.as_deref().unwrap_or("True") == status)
    };
    let found = conditions.find(|it| matches(&it.type_, &it.status))?;
    Some(found.type_.as_str())
}

/// Which rule says that the Job has succeeded. Upstream: matchSuccessPolicy.
pub(super) fn met_rule(
    policy: Option<&SuccessPolicy>,
    completions: i32,
    succeeded: &Indexes,
) -> Option<String> {
    let rules = policy.map_or(&[][..], |policy| &policy.rules);
    if succeeded.is_empty() {
        return None;
    }
    let is_met = |rule: &api::openapi::api::batch::v1::SuccessPolicyRule| {
        let Some(required) = &rule.succeeded_indexes else {
            return rule.succeeded_count.is_some_and(|count| succeeded.total() >= count);
        };
        let required = Indexes::parse_below(required, completions);
        let met = required.common(succeeded);
        met >= rule.succeeded_count.unwrap_or_else(|| required.total())
    };
    let index = rules.iter().position(is_met)?;
    Some(format!("Matched rules at index {index}"))
}
