//! What a Job says of pods that fail, and of when it has succeeded.
//!
//! Upstream: pkg/apis/batch/validation/validation.go

use k8s_openapi::api::batch::v1::{
    JobSpec, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule, SuccessPolicyRule,
};

use super::{job, json, list, non_negative, qualified_name, supported, text};
use crate::field::{Error, ErrorList, Path};
use crate::job_indexes::Indexes;

const MOST_RULES: usize = 20;
const MOST_EXIT_CODES: usize = 255;
const MOST_PATTERNS: usize = 20;
const MOST_INDEXES_BYTES: usize = 64 * 1024;

fn at_most(count: usize, most: usize, path: &Path, errors: &mut ErrorList) {
    if count > most {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        errors.push(Error::too_many(path, number(count), number(most)));
    }
}

/// Sorted, as Go prints a list of texts in quotes.
fn valid_values(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
    format!("valid values: [{}]", quoted.join(" "))
}

/// An error unless the text is set and one of those known.
fn required_of(value: &str, known: &[&str], path: &Path, errors: &mut ErrorList) {
    if value.is_empty() {
        errors.push(Error::required(path, &valid_values(known)));
    } else {
        supported(value, known, path, errors);
    }
}

/// Upstream: validatePodFailurePolicy.
pub(super) fn pod_failure_policy(spec: &JobSpec, path: &Path, errors: &mut ErrorList) {
    let Some(policy) = &spec.pod_failure_policy else { return };
    let path = path.child("rules");
    at_most(policy.rules.len(), MOST_RULES, &path, errors);
    let pod = spec.template.spec.as_ref();
    let inits = pod.iter().flat_map(|pod| list(&pod.init_containers));
    let containers = pod.iter().flat_map(|pod| &pod.containers).chain(inits);
    let names: Vec<&str> = containers.map(|container| container.name.as_str()).collect();
    for (index, rule) in policy.rules.iter().enumerate() {
        failure_rule(spec, rule, &names, &path.index(index), errors);
    }
}

/// Upstream: validatePodFailurePolicyRule.
fn failure_rule(
    spec: &JobSpec,
    rule: &PodFailurePolicyRule,
    containers: &[&str],
    path: &Path,
    errors: &mut ErrorList,
) {
    let action_path = path.child("action");
    if rule.action == "FailIndex" {
        if spec.backoff_limit_per_index.is_none() {
            let message = "requires the backoffLimitPerIndex to be set";
            errors.push(Error::invalid(&action_path, "FailIndex", message));
        }
    } else {
        let known = ["Count", "FailIndex", "FailJob", "Ignore"];
        required_of(&rule.action, &known, &action_path, errors);
    }
    let patterns = list(&rule.on_pod_conditions);
    if let Some(requirement) = &rule.on_exit_codes {
        on_exit_codes(requirement, containers, &path.child("onExitCodes"), errors);
    }
    on_pod_conditions(patterns, &path.child("onPodConditions"), errors);
    let message = match (rule.on_exit_codes.is_some(), patterns.is_empty()) {
        (true, false) => "specifying both OnExitCodes and OnPodConditions is not supported",
        (false, true) => "specifying one of OnExitCodes and OnPodConditions is required",
        _ => return,
    };
    errors.push(Error::invalid_unshown(path, message));
}

/// Upstream: validatePodFailurePolicyRuleOnPodConditions.
fn on_pod_conditions(
    patterns: &[PodFailurePolicyOnPodConditionsPattern],
    path: &Path,
    errors: &mut ErrorList,
) {
    at_most(patterns.len(), MOST_PATTERNS, path, errors);
    for (index, pattern) in patterns.iter().enumerate() {
        let path = path.index(index);
        qualified_name(&pattern.type_, &path.child("type"), errors);
        let known = ["False", "True", "Unknown"];
        required_of(text(&pattern.status), &known, &path.child("status"), errors);
    }
}

/// Upstream: validatePodFailurePolicyRuleOnExitCodes.
fn on_exit_codes(
    requirement: &PodFailurePolicyOnExitCodesRequirement,
    containers: &[&str],
    path: &Path,
    errors: &mut ErrorList,
) {
    required_of(&requirement.operator, &["In", "NotIn"], &path.child("operator"), errors);
    let name = requirement.container_name.as_deref();
    if let Some(name) = name.filter(|name| !containers.contains(name)) {
        let message = "must be one of the container or initContainer names in the pod template";
        errors.push(Error::invalid(&path.child("containerName"), name, message));
    }
    let values = &requirement.values;
    let path = path.child("values");
    if values.is_empty() {
        errors.push(Error::invalid(&path, json(values), "at least one value is required"));
    }
    at_most(values.len(), MOST_EXIT_CODES, &path, errors);
    for (index, value) in values.iter().enumerate() {
        let path = path.index(index);
        if requirement.operator == "In" && *value == 0 {
            errors.push(Error::invalid(&path, *value, "must not be 0 for the In operator"));
        }
        if values.iter().take(index).any(|other| other == value) {
            errors.push(Error::duplicate(&path, *value));
        }
    }
    if !values.is_sorted() {
        errors.push(Error::invalid(&path, json(values), "must be ordered"));
    }
}

/// Upstream: validateSuccessPolicy.
pub(super) fn success_policy(spec: &JobSpec, path: &Path, errors: &mut ErrorList) {
    let Some(policy) = &spec.success_policy else { return };
    if !job::is_indexed(spec) {
        errors.push(Error::invalid(path, json(policy), "requires indexed completion mode"));
        return;
    }
    let path = path.child("rules");
    if policy.rules.is_empty() {
        let message = "at least one rules must be specified when the successPolicy is specified";
        errors.push(Error::required(&path, message));
    }
    at_most(policy.rules.len(), MOST_RULES, &path, errors);
    for (index, rule) in policy.rules.iter().enumerate() {
        success_rule(spec.completions.unwrap_or(0), rule, &path.index(index), errors);
    }
}

/// Upstream: validateSuccessPolicyRule.
fn success_rule(completions: i32, rule: &SuccessPolicyRule, path: &Path, errors: &mut ErrorList) {
    if rule.succeeded_count.is_none() && rule.succeeded_indexes.is_none() {
        let message = "at least one of succeededCount or succeededIndexes must be specified";
        errors.push(Error::required(path, message));
    }
    let mut total = None;
    if let Some(indexes) = &rule.succeeded_indexes {
        let path = path.child("succeededIndexes");
        if indexes.len() > MOST_INDEXES_BYTES {
            let most = i64::try_from(MOST_INDEXES_BYTES).unwrap_or(i64::MAX);
            errors.push(Error::too_long(&path, most));
        }
        match Indexes::parse(indexes, completions) {
            Ok(indexes) => total = Some(indexes.total()),
            Err(error) => {
                total = Some(0);
                let message = format!("error parsing succeededIndexes: {error}");
                errors.push(Error::invalid(&path, indexes.as_str(), message));
            }
        }
    }
    let Some(count) = rule.succeeded_count else { return };
    let path = path.child("succeededCount");
    non_negative(i64::from(count), &path, errors);
    if count > completions {
        let message = format!(
            "must be less than or equal to {completions} (the number of specified completions)"
        );
        errors.push(Error::invalid(&path, count, message));
    }
    if let Some(total) = total.filter(|total| count > *total) {
        let message = format!(
            "must be less than or equal to {total} (the number of indexes in the specified \
             succeededIndexes field)"
        );
        errors.push(Error::invalid(&path, count, message));
    }
}
