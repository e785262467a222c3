//! The arithmetic of rolling updates.
//!
//! Upstream: pkg/controller/deployment/util/deployment_util.go and
//! staging/src/k8s.io/apimachinery/pkg/util/intstr/intstr.go

use api::openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Which way a percentage is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// To the next greater number.
    Up,
    /// To the next smaller number.
    Down,
}

/// The number that `value` means of `total`; `None` when it is neither a number nor a
/// percentage. Upstream: GetScaledValueFromIntOrPercent.
#[must_use]
pub fn scaled_value(value: &IntOrString, total: i32, round: Round) -> Option<i32> {
    let percent = match value {
        IntOrString::Int(number) => return Some(*number),
        IntOrString::String(text) => i64::from(text.strip_suffix('%')?.parse::<i32>().ok()?),
    };
    let hundredfold = percent * i64::from(total);
    let scaled = match round {
        Round::Up => hundredfold.div_euclid(100) + i64::from(hundredfold.rem_euclid(100) > 0),
        Round::Down => hundredfold.div_euclid(100),
    };
    i32::try_from(scaled).ok()
}

/// How many pods may surge, and how many may be unavailable, when `desired` pods are wanted.
/// A value that is missing is 0. Both would stop the rollout, so one may then be unavailable.
/// Upstream: ResolveFenceposts.
#[must_use]
pub fn resolve_fenceposts(
    max_surge: Option<&IntOrString>,
    max_unavailable: Option<&IntOrString>,
    desired: i32,
) -> Option<(i32, i32)> {
    let zero = IntOrString::Int(0);
    let surge = scaled_value(max_surge.unwrap_or(&zero), desired, Round::Up)?;
    let unavailable = scaled_value(max_unavailable.unwrap_or(&zero), desired, Round::Down)?;
    if surge == 0 && unavailable == 0 {
        return Some((0, 1));
    }
    Some((surge, unavailable))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> IntOrString {
        text.parse().map_or_else(|_| IntOrString::String(text.into()), IntOrString::Int)
    }

    /// Upstream: deployment_util_test.go, TestResolveFenceposts.
    #[test]
    fn fenceposts() {
        let cases = [
            (Some("0%"), Some("0%"), 0, Some((0, 1))),
            (Some("39%"), Some("39%"), 10, Some((4, 3))),
            (Some("oops"), Some("39%"), 10, None),
            (Some("55%"), Some("urg"), 10, None),
            (None, Some("39%"), 10, Some((0, 3))),
            (Some("39%"), None, 10, Some((4, 0))),
            (None, None, 10, Some((0, 1))),
        ];
        for (surge, unavailable, desired, want) in cases {
            let (surge, unavailable) = (surge.map(value), unavailable.map(value));
            let found = resolve_fenceposts(surge.as_ref(), unavailable.as_ref(), desired);
            assert_eq!(found, want, "{surge:?} {unavailable:?}");
        }
    }

    /// Upstream: intstr_test.go, TestGetScaledValueFromIntOrPercent.
    #[test]
    fn values_are_numbers_or_percentages() {
        let cases = [
            ("123", Round::Up, Some(123)),
            ("90%", Round::Up, Some(90)),
            ("90%", Round::Down, Some(90)),
            ("95%", Round::Up, Some(95)),
            ("%", Round::Down, None),
            ("90#", Round::Down, None),
            ("#%", Round::Down, None),
        ];
        for (text, round, want) in cases {
            assert_eq!(scaled_value(&value(text), 100, round), want, "{text}");
        }
        assert_eq!(scaled_value(&value("25%"), 3, Round::Up), Some(1));
        assert_eq!(scaled_value(&value("25%"), 3, Round::Down), Some(0));
    }
}
