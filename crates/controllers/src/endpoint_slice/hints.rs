//! Hints: which zones and nodes a ready endpoint is meant for, where the Service asks for traffic
//! that stays near.
//!
//! Upstream: staging/src/k8s.io/endpointslice/trafficdist/trafficdist.go

use api::openapi::api::core::v1::Service;
use api::openapi::api::discovery::v1::{Endpoint, EndpointHints, EndpointSlice, ForNode, ForZone};

/// What the endpoints of a Service have for hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Distribution {
    /// None.
    Anywhere,
    /// The zone that the endpoint is in.
    SameZone,
    /// The zone and the node that the endpoint is in.
    SameNode,
}

impl Distribution {
    pub(super) fn of(service: &Service) -> Self {
        let wanted = service.spec.as_ref().and_then(|spec| spec.traffic_distribution.as_deref());
        match wanted {
            Some("PreferClose" | "PreferSameZone") => Distribution::SameZone,
            Some("PreferSameNode") => Distribution::SameNode,
            _ => Distribution::Anywhere,
        }
    }

    /// The hints of an endpoint.
    fn hints(self, endpoint: &Endpoint) -> Option<EndpointHints> {
        if self == Distribution::Anywhere {
            return None;
        }
        let zone = endpoint.zone.clone().map(|name| vec![ForZone { name }]);
        let node = endpoint.node_name.clone().filter(|_| self == Distribution::SameNode);
        let for_nodes = node.map(|name| vec![ForNode { name }]);
        if zone.is_none() && for_nodes.is_none() {
            return None;
        }
        Some(EndpointHints { for_zones: zone, for_nodes })
    }

    /// Whether an endpoint that is not ready keeps whatever hints it has.
    fn passes_over(self, endpoint: &Endpoint) -> bool {
        let ready = endpoint.conditions.as_ref().and_then(|conditions| conditions.ready);
        self != Distribution::Anywhere && ready != Some(true)
    }

    /// Whether a slice has hints that it should not have, or lacks some.
    pub(super) fn needs_update(self, slice: &EndpointSlice) -> bool {
        let mut endpoints = slice.endpoints.iter().flatten();
        endpoints.any(|it| !self.passes_over(it) && it.hints != self.hints(it))
    }

    /// Gives the endpoints of a slice their hints.
    pub(super) fn update(self, slice: &mut EndpointSlice) {
        for endpoint in slice.endpoints.iter_mut().flatten() {
            if !self.passes_over(endpoint) {
                endpoint.hints = self.hints(endpoint);
            }
        }
    }
}
