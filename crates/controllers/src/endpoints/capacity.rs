//! How many addresses one object lists at most, and the annotation of one that lists fewer than
//! there are.
//!
//! Upstream: pkg/controller/endpoint/endpoints_controller.go, truncateEndpoints

use api::openapi::api::core::v1::{EndpointAddress, EndpointSubset, Endpoints};

/// Upstream: maxCapacity.
const MAX_CAPACITY: usize = 1000;
/// Upstream: v1.EndpointsOverCapacity.
const ANNOTATION: &str = "endpoints.kubernetes.io/over-capacity";

fn count(list: &Option<Vec<EndpointAddress>>) -> usize {
    list.as_ref().map_or(0, Vec::len)
}

fn total(endpoints: &Endpoints, of: fn(&EndpointSubset) -> usize) -> usize {
    endpoints.subsets.iter().flatten().map(of).sum()
}

/// Whether an object says that it is cut exactly if it has been, and is none too long.
/// Upstream: capacityAnnotationSetCorrectly.
pub(super) fn is_marked_correctly(endpoints: &Endpoints) -> bool {
    let all = total(endpoints, |it| count(&it.addresses) + count(&it.not_ready_addresses));
    let annotations = endpoints.metadata.annotations.as_ref();
    all <= MAX_CAPACITY && annotations.is_none_or(|it| !it.contains_key(ANNOTATION))
}

/// Cuts the addresses that are too many: those that are not ready first, from every subset in
/// proportion. Marks the object accordingly.
pub(super) fn truncate(endpoints: &mut Endpoints) {
    let ready = total(endpoints, |subset| count(&subset.addresses));
    let not_ready = total(endpoints, |subset| count(&subset.not_ready_addresses));
    let annotations = endpoints.metadata.annotations.get_or_insert_default();
    if ready + not_ready <= MAX_CAPACITY {
        annotations.remove(ANNOTATION);
        return;
    }
    annotations.insert(ANNOTATION.to_string(), "truncated".to_string());
    let cuts_ready = ready > MAX_CAPACITY;
    let (most, all) =
        if cuts_ready { (MAX_CAPACITY, ready) } else { (MAX_CAPACITY - ready, not_ready) };
    let mut left = most;
    for subset in endpoints.subsets.iter_mut().flatten() {
        if cuts_ready {
            subset.not_ready_addresses = None;
        }
        let list = if cuts_ready { &mut subset.addresses } else { &mut subset.not_ready_addresses };
        let share = (count(list) * most).div_ceil(all.max(1)).min(left);
        if let Some(addresses) = list {
            addresses.truncate(share);
            left -= addresses.len();
        }
        list.take_if(|addresses| addresses.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(count: usize) -> Option<Vec<EndpointAddress>> {
        let address = |number: usize| EndpointAddress {
            ip: format!("10.0.{}.{}", number / 256, number % 256),
            ..EndpointAddress::default()
        };
        (count > 0).then(|| (0..count).map(address).collect())
    }

    /// Upstream: endpoints_controller_test.go, TestTruncateEndpoints.
    #[test]
    fn truncate_endpoints() {
        for (name, given, want) in [
            ("empty", vec![(0, 0)], vec![(0, 0)]),
            (
                "total endpoints < max capacity",
                vec![(50, 100), (100, 100)],
                vec![(50, 100), (100, 100)],
            ),
            ("total endpoints == max capacity", vec![(500, 500)], vec![(500, 500)]),
            ("total > max capacity, no not ready", vec![(1500, 0)], vec![(1000, 0)]),
            (
                "total > max capacity, ready < max",
                vec![(50, 600), (500, 1000)],
                vec![(50, 169), (500, 281)],
            ),
            (
                "total > max capacity, one subset with many",
                vec![(50, 400), (100, 0), (100, 600)],
                vec![(50, 300), (100, 0), (100, 450)],
            ),
            ("ready > max capacity", vec![(2000, 400), (1000, 600)], vec![(667, 0), (333, 0)]),
        ] {
            let subset = |(ready, not_ready)| EndpointSubset {
                addresses: addresses(ready),
                not_ready_addresses: addresses(not_ready),
                ports: None,
            };
            let is_cut = given != want;
            let subsets = Some(given.into_iter().map(subset).collect());
            let mut endpoints = Endpoints { subsets, ..Endpoints::default() };
            truncate(&mut endpoints);
            let found: Vec<(usize, usize)> = endpoints
                .subsets
                .iter()
                .flatten()
                .map(|subset| (count(&subset.addresses), count(&subset.not_ready_addresses)))
                .collect();
            assert_eq!(found, want, "{name}");
            let annotations = endpoints.metadata.annotations.clone().unwrap_or_default();
            assert_eq!(
                annotations.get(ANNOTATION).map(String::as_str),
                is_cut.then_some("truncated")
            );
            assert_eq!(is_marked_correctly(&endpoints), !is_cut, "{name}");
        }
    }
}
