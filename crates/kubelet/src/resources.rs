//! What pods ask for and what nodes offer, in whole units.
//!
//! Upstream: staging/src/k8s.io/component-helpers/resource/helpers.go, PodRequests.

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{Container, Pod};
use api::openapi::apimachinery::pkg::api::resource::Quantity;
use sim::SmallMap;

/// Amounts by resource name: thousandths for `cpu`, whole units for everything else.
pub(crate) type Amounts = SmallMap<String, u64>;

/// A quantity in thousandths, rounded up. A malformed one, which the API server does not let
/// in, is nothing.
pub(crate) fn milli_value(quantity: &Quantity) -> u128 {
    let text = quantity.0.trim();
    let end = text
        .char_indices()
        .find(|(_, letter)| !letter.is_ascii_digit() && !matches!(letter, '.' | '+'))
        .map_or(text.len(), |(at, _)| at);
    let (number, suffix) = text.split_at(end);
    let Some((digits, decimals)) = parse_number(number) else { return 0 };
    let (factor, divisor) = scale(suffix);
    let denominator = 10_u128.saturating_pow(decimals).saturating_mul(divisor).max(1);
    digits.saturating_mul(1000).saturating_mul(factor).div_ceil(denominator)
}

/// A quantity in whole units, rounded up.
pub(crate) fn value(quantity: &Quantity) -> u64 {
    u64::try_from(milli_value(quantity).div_ceil(1000)).unwrap_or(u64::MAX)
}

fn parse_number(number: &str) -> Option<(u128, u32)> {
    let number = number.trim_start_matches('+');
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}").parse().ok()?;
    Some((digits, u32::try_from(fraction.len()).ok()?))
}

/// What a suffix multiplies and divides by.
fn scale(suffix: &str) -> (u128, u128) {
    const STEPS: [&str; 6] = ["k", "M", "G", "T", "P", "E"];
    let power = |steps: &[&str], name: &str| {
        steps.iter().position(|step| *step == name).and_then(|at| u32::try_from(at + 1).ok())
    };
    if let Some(name) = suffix.strip_suffix('i') {
        let name = if name == "K" { "k" } else { name };
        return (1024_u128.saturating_pow(power(&STEPS, name).unwrap_or(0)), 1);
    }
    if let Some(power) = power(&STEPS, suffix) {
        return (1000_u128.saturating_pow(power), 1);
    }
    match suffix {
        "m" => (1, 1000),
        "u" => (1, 1_000_000),
        "n" => (1, 1_000_000_000),
        _ => match suffix.trim_start_matches(['e', 'E']).parse::<i32>() {
            Ok(exponent) if exponent >= 0 => (10_u128.saturating_pow(exponent.unsigned_abs()), 1),
            Ok(exponent) => (1, 10_u128.saturating_pow(exponent.unsigned_abs())),
            Err(_) => (1, 1),
        },
    }
}

fn amount(name: &str, quantity: &Quantity) -> u64 {
    match name {
        "cpu" => u64::try_from(milli_value(quantity)).unwrap_or(u64::MAX),
        _ => value(quantity),
    }
}

/// A list of quantities as amounts.
pub(crate) fn amounts(list: Option<&BTreeMap<String, Quantity>>) -> Amounts {
    list.into_iter().flatten().map(|(name, q)| (name.clone(), amount(name, q))).collect()
}

fn add(total: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        *total.entry(name.clone()).or_default() += amount;
    }
}

fn raise(total: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        let entry = total.entry(name.clone()).or_default();
        *entry = (*entry).max(*amount);
    }
}

fn container_requests(container: &Container) -> Amounts {
    amounts(container.resources.as_ref().and_then(|resources| resources.requests.as_ref()))
}

/// What a pod asks for: its containers and sidecars together, or the largest moment of its
/// initialisation if that is more, and the overhead; pod-level requests take their place.
pub(crate) fn pod_requests(pod: &Pod) -> Amounts {
    let Some(spec) = &pod.spec else { return Amounts::new() };
    let mut total = Amounts::new();
    for container in &spec.containers {
        add(&mut total, &container_requests(container));
    }
    let (mut sidecars, mut initial) = (Amounts::new(), Amounts::new());
    for container in spec.init_containers.iter().flatten() {
        let mut moment = container_requests(container);
        if container.restart_policy.as_deref() == Some("Always") {
            add(&mut total, &moment);
            add(&mut sidecars, &moment);
            moment.clone_from(&sidecars);
        } else {
            add(&mut moment, &sidecars);
        }
        raise(&mut initial, &moment);
    }
    raise(&mut total, &initial);
    let pod_level = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    total.extend(amounts(pod_level));
    add(&mut total, &amounts(spec.overhead.as_ref()));
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_their_values() {
        for (text, want) in [
            ("100m", 100),
            ("0.5", 500),
            ("2", 2000),
            ("1.5Gi", 1_610_612_736_000),
            ("1k", 1_000_000),
            ("1e3", 1_000_000),
            ("5u", 1),
            ("64Ki", 65_536_000),
        ] {
            assert_eq!(milli_value(&Quantity(text.to_string())), want, "{text}");
        }
    }

    fn pod(init: &str, main: &str) -> Pod {
        let container = |(place, word): (usize, &str)| {
            let (policy, amounts) = match word.strip_prefix('~') {
                Some(amounts) => (r#","restartPolicy":"Always""#, amounts),
                None => ("", word),
            };
            let (requests, limits) = amounts.split_once('/').unwrap_or((amounts, ""));
            let list = |cpu: &str| match cpu {
                "" => String::new(),
                cpu => format!(r#""cpu":"{cpu}m","memory":"{cpu}Mi""#),
            };
            format!(
                r#"{{"name":"c{place}","resources":{{"requests":{{{}}},"limits":{{{}}}}}{policy}}}"#,
                list(requests),
                list(limits)
            )
        };
        let containers = |words: &str| {
            words.split_ascii_whitespace().enumerate().map(container).collect::<Vec<_>>().join(",")
        };
        let manifest = format!(
            r#"{{"spec":{{"initContainers":[{}],"containers":[{}]}}}}"#,
            containers(init),
            containers(main)
        );
        serde_json::from_str(&manifest).expect("a pod")
    }

    /// Upstream: component-helpers/resource/helpers_test.go, TestPodResourceRequests.
    #[test]
    fn a_pod_asks_for_its_greatest_moment() {
        for (init, main, want) in [
            ("", "1 2", 3),
            ("5", "1 2", 5),
            ("2", "1 2", 3),
            ("~3", "1 2", 6),
            ("~3 4", "1 2", 7),
            ("4 ~3", "1 2", 6),
            ("~1 ~2 5", "1", 8),
        ] {
            let requests = pod_requests(&pod(init, main));
            assert_eq!(requests.get("cpu"), Some(&want), "{init} | {main}");
        }
    }
}
