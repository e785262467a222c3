//! Which taints of a node a pod tolerates.
//!
//! Upstream: staging/src/k8s.io/api/core/v1/toleration.go and
//! staging/src/k8s.io/component-helpers/scheduling/corev1/helpers.go

use api::openapi::api::core::v1::{Taint, Toleration};

/// The effect that keeps new pods away.
pub const NO_SCHEDULE: &str = "NoSchedule";
/// The effect that keeps new pods away as long as there is another node.
pub const PREFER_NO_SCHEDULE: &str = "PreferNoSchedule";
/// The effect that keeps new pods away and evicts those that run.
pub const NO_EXECUTE: &str = "NoExecute";

/// Whether a toleration tolerates a taint. Upstream: Toleration.ToleratesTaint.
#[must_use]
pub fn tolerates_taint(toleration: &Toleration, taint: &Taint) -> bool {
    let text = |field: &'_ Option<String>| field.clone().unwrap_or_default();
    let effect = text(&toleration.effect);
    if !effect.is_empty() && effect != taint.effect {
        return false;
    }
    let key = text(&toleration.key);
    if !key.is_empty() && key != taint.key {
        return false;
    }
    let taint_value = taint.value.as_deref().unwrap_or_default();
    let value = toleration.value.as_deref().unwrap_or_default();
    match toleration.operator.as_deref().unwrap_or_default() {
        "" | "Equal" => value == taint_value,
        "Exists" => true,
        "Lt" => compares(taint_value, value, |taint, bound| taint < bound),
        "Gt" => compares(taint_value, value, |taint, bound| taint > bound),
        _ => false,
    }
}

fn compares(taint: &str, bound: &str, holds: fn(i64, i64) -> bool) -> bool {
    let numbers = taint.parse::<i64>().ok().zip(bound.parse::<i64>().ok());
    numbers.is_some_and(|(taint, bound)| holds(taint, bound))
}

/// Whether any of the tolerations tolerates the taint.
#[must_use]
pub fn tolerations_tolerate_taint(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations.iter().any(|toleration| tolerates_taint(toleration, taint))
}

/// The first taint that passes the filter and is not tolerated.
/// Upstream: FindMatchingUntoleratedTaint.
pub fn find_untolerated_taint<'t>(
    taints: &'t [Taint],
    tolerations: &[Toleration],
    filter: impl Fn(&Taint) -> bool,
) -> Option<&'t Taint> {
    taints
        .iter()
        .filter(|taint| filter(taint))
        .find(|taint| !tolerations_tolerate_taint(tolerations, taint))
}

/// Whether a taint keeps new pods away: `NoSchedule` or `NoExecute`.
/// Upstream: pkg/scheduler/framework/plugins/helper/taint.go, DoNotScheduleTaintsFilterFunc.
#[must_use]
pub fn keeps_new_pods_away(taint: &Taint) -> bool {
    taint.effect == NO_SCHEDULE || taint.effect == NO_EXECUTE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toleration(key: &str, operator: &str, value: &str, effect: &str) -> Toleration {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_string());
        Toleration {
            key: some(key),
            operator: some(operator),
            value: some(value),
            effect: some(effect),
            toleration_seconds: None,
        }
    }

    fn taint(key: &str, value: &str, effect: &str) -> Taint {
        Taint {
            key: key.into(),
            value: (!value.is_empty()).then(|| value.to_string()),
            effect: effect.into(),
            time_added: None,
        }
    }

    // Upstream: TestTolerationToleratesTaint.
    #[test]
    fn a_toleration_needs_the_key_the_effect_and_the_value() {
        let foo = |value| taint("foo", value, "NoSchedule");
        for (name, toleration, taint, want) in [
            (
                "same key, Exists, same effect",
                ("foo", "Exists", "", "NoSchedule"),
                foo("bar"),
                true,
            ),
            ("same key, Exists, any effect", ("foo", "Exists", "", ""), foo("bar"), true),
            ("any key, Exists", ("", "Exists", "", "NoSchedule"), foo("bar"), true),
            (
                "same key, Exists, other effect",
                ("foo", "Exists", "", "NoExecute"),
                foo("bar"),
                false,
            ),
            ("same key and value, Equal", ("foo", "Equal", "bar", "NoSchedule"), foo("bar"), true),
            ("no operator means Equal", ("foo", "", "bar", "NoSchedule"), foo("bar"), true),
            ("same key, other value", ("foo", "Equal", "value1", "NoSchedule"), foo("bar"), false),
            ("other key", ("baz", "Exists", "", ""), foo("bar"), false),
            ("unknown operator", ("foo", "Like", "bar", ""), foo("bar"), false),
            ("greater than", ("foo", "Gt", "750", ""), foo("800"), true),
            ("not greater than", ("foo", "Gt", "900", ""), foo("800"), false),
            ("less than", ("foo", "Lt", "900", ""), foo("800"), true),
            ("less than what is no number", ("foo", "Lt", "900", ""), foo("cheap"), false),
        ] {
            let (key, operator, value, effect) = toleration;
            let toleration = self::toleration(key, operator, value, effect);
            assert_eq!(tolerates_taint(&toleration, &taint), want, "{name}");
        }
    }

    #[test]
    fn the_first_untolerated_taint_that_the_filter_passes_is_found() {
        let taints = [
            taint("a", "", "PreferNoSchedule"),
            taint("b", "", "NoSchedule"),
            taint("c", "", "NoExecute"),
        ];
        let tolerations = [toleration("b", "Exists", "", "")];
        let found = find_untolerated_taint(&taints, &tolerations, keeps_new_pods_away);
        assert_eq!(found.map(|taint| taint.key.as_str()), Some("c"));
    }
}
