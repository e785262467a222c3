//! EndpointSlices: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::discovery::v1::{EndpointPort, EndpointSlice};

use super::printing;
use crate::field::ErrorList;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of EndpointSlices. Upstream: pkg/registry/discovery/endpointslice/strategy.go
pub struct EndpointSlices;

const COLUMNS: &[Column] = &[
    Column::NAME,
    Column::string("AddressType"),
    Column::string("Ports"),
    Column::string("Endpoints"),
    Column::AGE,
];

/// How many ports or addresses a cell shows.
const MOST_SHOWN: usize = 3;

impl Strategy for EndpointSlices {
    type Object = EndpointSlice;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "endpointslice";
    const HAS_GENERATION: bool = true;

    fn default(object: &mut EndpointSlice) {
        defaults::endpoint_slice(object);
    }

    fn prepare_for_create(object: &mut EndpointSlice) {
        drop_topology(object);
    }

    fn prepare_for_update(new: &mut EndpointSlice, _: &EndpointSlice) {
        drop_topology(new);
    }

    /// Labels count too: proxies select by them.
    fn spec_changed(new: &EndpointSlice, old: &EndpointSlice) -> bool {
        new.endpoints != old.endpoints
            || new.ports != old.ports
            || new.address_type != old.address_type
            || new.metadata.labels != old.metadata.labels
    }

    fn validate(object: &EndpointSlice) -> ErrorList {
        validation::endpoint_slice(object)
    }

    fn validate_update(new: &EndpointSlice, old: &EndpointSlice) -> ErrorList {
        validation::endpoint_slice_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &EndpointSlice, now: Timestamp) -> Vec<Cell> {
        let ports = object.ports.iter().flatten().map(port_text);
        let addresses =
            object.endpoints.iter().flatten().flat_map(|endpoint| endpoint.addresses.clone());
        vec![
            printing::name(&object.metadata),
            object.address_type.clone().into(),
            list_with_more(ports).into(),
            list_with_more(addresses).into(),
            printing::age(&object.metadata, now),
        ]
    }
}

/// The field of v1beta1 has no meaning in v1. Upstream: dropTopologyOnV1.
fn drop_topology(slice: &mut EndpointSlice) {
    for endpoint in slice.endpoints.iter_mut().flatten() {
        endpoint.deprecated_topology = None;
    }
}

fn port_text(port: &EndpointPort) -> String {
    match (port.port, &port.name) {
        (Some(number), _) => number.to_string(),
        (None, Some(name)) => name.clone(),
        (None, None) => "*".to_string(),
    }
}

/// Upstream: listWithMoreString.
fn list_with_more(items: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = items.collect();
    let Some(first) = all.get(..MOST_SHOWN).filter(|first| first.len() < all.len()) else {
        return if all.is_empty() { "<unset>".to_string() } else { all.join(",") };
    };
    format!("{} + {} more...", first.join(","), all.len() - MOST_SHOWN)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Upstream: pkg/printers/internalversion/printers_test.go, TestPrintEndpointSlice.
    #[test]
    fn print_endpoint_slice() {
        let row = |ports: Value, endpoints: Value| -> Vec<String> {
            let object = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"name": "abcslice.123"}, "addressType": "IPv4", "ports": ports,
                "endpoints": endpoints});
            let slice = serde_json::from_value(object).expect("an EndpointSlice");
            let cells = EndpointSlices::row(&slice, Timestamp::UNIX_EPOCH);
            cells.iter().map(ToString::to_string).collect()
        };
        let at = |addresses: &[&str]| json!({ "addresses": addresses });
        for (ports, endpoints, want) in [
            (
                json!([{"name": "http", "port": 80, "protocol": "TCP"}]),
                json!([at(&["10.1.2.3", "2001:db8::1234:5678"])]),
                ["80", "10.1.2.3,2001:db8::1234:5678"],
            ),
            (
                json!([{"name": "http", "port": 80}, {"name": "https", "port": 443}]),
                json!([at(&["10.1.2.3"]), at(&["10.2.3.4"])]),
                ["80,443", "10.1.2.3,10.2.3.4"],
            ),
            (
                json!([{"port": 80}, {"port": 443}, {"port": 3000}, {"port": 1}]),
                json!([at(&["10.1.2.3", "10.2.3.4", "10.3.4.5"]), at(&["10.4.5.6", "10.5.6.7"])]),
                ["80,443,3000 + 1 more...", "10.1.2.3,10.2.3.4,10.3.4.5 + 2 more..."],
            ),
            (json!([{}]), json!([]), ["*", "<unset>"]),
            (json!([]), json!([]), ["<unset>", "<unset>"]),
        ] {
            assert_eq!(row(ports, endpoints)[2..4], want);
        }
    }
}
