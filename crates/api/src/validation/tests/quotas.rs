//! Upstream: pkg/apis/core/validation/validation_test.go, TestValidateLimitRange and
//! TestValidateResourceQuota; pkg/apis/policy/validation/validation_test.go

use serde_json::{Value, json};

use super::{errors, merged, update_errors};

fn quota(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "abc", "namespace": "foo"}, "spec": spec})
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn validate_resource_quota() {
    let scoped =
        |scopes: &[&str], resource: &str| json!({"hard": {resource: "1"}, "scopes": scopes});
    for (name, spec, want) in [
        (
            "valid",
            json!({"hard": {"cpu": "100", "requests.memory": "1Gi", "pods": "10",
                "count/deployments.apps": "3", "persistentvolumeclaims": "0"}}),
            vec![],
        ),
        ("scopes", scoped(&["NotBestEffort", "Terminating"], "limits.cpu"), vec![]),
        (
            "negative",
            json!({"hard": {"pods": "-1"}}),
            vec!["spec.hard[pods]: Invalid value: \"-1\": must be greater than or equal to 0"],
        ),
        (
            "fractional pods",
            json!({"hard": {"pods": "500m"}}),
            vec!["spec.hard[pods]: Invalid value: \"500m\": must be an integer"],
        ),
        (
            "unknown resource",
            json!({"hard": {"unknown": "1"}}),
            vec![
                "spec.hard[unknown]: Invalid value: \"unknown\": must be a standard resource \
                 type or fully qualified",
                "spec.hard[unknown]: Invalid value: \"unknown\": must be a standard resource \
                 for quota",
            ],
        ),
        (
            "scope that does not fit",
            scoped(&["BestEffort"], "cpu"),
            vec![
                "spec.scopes: Invalid value: [\"BestEffort\"]: unsupported scope applied to \
                 resource",
            ],
        ),
        (
            "conflict",
            scoped(&["Terminating", "NotTerminating"], "pods"),
            vec![
                "spec.scopes: Invalid value: [\"Terminating\",\"NotTerminating\"]: conflicting \
                 scopes",
            ],
        ),
        (
            "unknown scope",
            scoped(&["Other"], "pods"),
            vec!["spec.scopes: Invalid value: [\"Other\"]: unsupported scope"],
        ),
        (
            "selector",
            json!({"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions": [
                {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}}),
            vec![],
        ),
        (
            "selector without values",
            json!({"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions": [
                {"scopeName": "PriorityClass", "operator": "In"}]}}),
            vec![
                "spec.scopeSelector.matchExpressions.values: Required value: must be at least \
                 one value when `operator` is 'In' or 'NotIn' for scope selector",
            ],
        ),
    ] {
        assert_eq!(errors(quota(spec)), want, "{name}");
    }
    let old = quota(scoped(&["BestEffort"], "pods"));
    assert_eq!(
        update_errors(old, quota(json!({"hard": {"pods": "1"}}))),
        ["spec.scopes: Invalid value: null: field is immutable"]
    );
}

fn range(limit: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "LimitRange",
        "metadata": {"name": "abc", "namespace": "foo"}, "spec": {"limits": [limit]}})
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn validate_limit_range() {
    let container = |fields: Value| merged(json!({"type": "Container"}), fields);
    let at = "spec.limits[0]";
    for (name, limit, want) in [
        (
            "all-fields-valid",
            container(json!({"max": {"cpu": "100m", "memory": "10000Mi"},
                "min": {"cpu": "5m", "memory": "100Mi"}, "default": {"cpu": "50m"},
                "defaultRequest": {"cpu": "10m"}, "maxLimitRequestRatio": {"cpu": "10"}})),
            vec![],
        ),
        ("claims", json!({"type": "PersistentVolumeClaim", "min": {"storage": "5Gi"}}), vec![]),
        ("thirdparty", json!({"type": "thirdparty.com/foo", "max": {"cpu": "1"}}), vec![]),
        (
            "invalid-type",
            json!({"type": "foo", "max": {"cpu": "1"}}),
            vec![format!(
                "{at}.type: Invalid value: \"foo\": must be a standard limit type or fully \
                 qualified"
            )],
        ),
        (
            "default-limit-range-requests of pods",
            json!({"type": "Pod", "max": {"cpu": "100m"}, "default": {"cpu": "50m"},
                "defaultRequest": {"cpu": "50m"}}),
            vec![
                format!("{at}.default: Forbidden: may not be specified when `type` is 'Pod'"),
                format!(
                    "{at}.defaultRequest: Forbidden: may not be specified when `type` is 'Pod'"
                ),
            ],
        ),
        (
            "max is less than min",
            container(json!({"max": {"cpu": "1"}, "min": {"cpu": "2"}, "default": {"cpu": "1"},
                "defaultRequest": {"cpu": "1"}})),
            vec![
                format!(
                    "{at}.min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 1"
                ),
                format!(
                    "{at}.defaultRequest[cpu]: Invalid value: \"1\": min value 2 is greater than \
                     default request value 1"
                ),
                format!(
                    "{at}.default[cpu]: Invalid value: \"2\": min value 2 is greater than \
                     default value 1"
                ),
            ],
        ),
        (
            "default request above default",
            container(json!({"default": {"cpu": "500m"}, "defaultRequest": {"cpu": "800m"}})),
            vec![format!(
                "{at}.defaultRequest[cpu]: Invalid value: \"800m\": default request value 800m \
                 is greater than default limit value 500m"
            )],
        ),
        (
            "ratio less than 1",
            json!({"type": "Pod", "maxLimitRequestRatio": {"cpu": "800m"}}),
            vec![format!(
                "{at}.maxLimitRequestRatio[cpu]: Invalid value: \"800m\": ratio 800m is less \
                 than 1"
            )],
        ),
        (
            "ratio greater than max/min",
            json!({"type": "Pod", "max": {"memory": "2Gi"}, "min": {"memory": "512Mi"},
                "maxLimitRequestRatio": {"memory": "10"}}),
            vec![format!(
                "{at}.maxLimitRequestRatio[memory]: Invalid value: \"10\": ratio 10 is greater \
                 than max/min = 4.000000"
            )],
        ),
        (
            "claims without storage",
            json!({"type": "PersistentVolumeClaim"}),
            vec![format!(
                "{at}.limits: Required value: either minimum or maximum storage value is \
                 required, but neither was provided"
            )],
        ),
        (
            "resource of no container",
            container(json!({"max": {"storage": "1"}})),
            vec![
                format!(
                    "{at}.max[storage]: Invalid value: \"storage\": must be a standard resource \
                     for containers"
                ),
                format!(
                    "{at}.default[storage]: Invalid value: \"storage\": must be a standard \
                     resource for containers"
                ),
                format!(
                    "{at}.defaultRequest[storage]: Invalid value: \"storage\": must be a \
                     standard resource for containers"
                ),
            ],
        ),
    ] {
        assert_eq!(errors(range(limit)), want, "{name}");
    }
}

#[test]
fn validate_pod_disruption_budget() {
    let budget = |spec: Value| {
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": "Any_Name", "namespace": "foo"}, "spec": spec})
    };
    for (spec, want) in [
        (json!({"minAvailable": "10%", "selector": {}}), vec![]),
        (json!({"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"}), vec![]),
        (
            json!({"minAvailable": 1, "maxUnavailable": 1}),
            vec![
                "spec: Invalid value: {\"maxUnavailable\":1,\"minAvailable\":1}: minAvailable and \
                 maxUnavailable cannot be both set",
            ],
        ),
        (
            json!({"minAvailable": "101%", "unhealthyPodEvictionPolicy": "Never"}),
            vec![
                "spec.minAvailable: Invalid value: \"101%\": must not be greater than 100%",
                "spec.unhealthyPodEvictionPolicy: Unsupported value: \"Never\": supported \
                 values: \"AlwaysAllow\", \"IfHealthyBudget\"",
            ],
        ),
        (
            json!({"maxUnavailable": -1}),
            vec!["spec.maxUnavailable: Invalid value: -1: must be greater than or equal to 0"],
        ),
    ] {
        assert_eq!(errors(budget(spec)), want);
    }
}
