//! Endpoints: what the API server knows of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Endpoints;

use super::printing;
use crate::endpoints::repack_subsets;
use crate::field::ErrorList;
use crate::{Cell, Column, Scope, Strategy, defaults, validation};

/// The strategy of Endpoints. Upstream: pkg/registry/core/endpoint/strategy.go
pub struct EndpointsKind;

const COLUMNS: &[Column] = &[Column::NAME, Column::string("Endpoints"), Column::AGE];

/// How many addresses a cell shows.
const MOST_SHOWN: usize = 3;

impl Strategy for EndpointsKind {
    type Object = Endpoints;
    const SCOPE: Scope = Scope::Namespaced;
    const SINGULAR: &'static str = "endpoints";
    const SHORT_NAMES: &'static [&'static str] = &["ep"];

    fn default(object: &mut Endpoints) {
        defaults::endpoints(object);
    }

    fn prepare_for_create(object: &mut Endpoints) {
        canonicalize(object);
    }

    fn prepare_for_update(new: &mut Endpoints, old: &Endpoints) {
        if new.subsets != old.subsets {
            canonicalize(new);
        }
    }

    fn validate(object: &Endpoints) -> ErrorList {
        validation::endpoints(object)
    }

    fn validate_update(new: &Endpoints, old: &Endpoints) -> ErrorList {
        validation::endpoints_update(new, old)
    }

    fn columns() -> &'static [Column] {
        COLUMNS
    }

    fn row(object: &Endpoints, now: Timestamp) -> Vec<Cell> {
        vec![
            printing::name(&object.metadata),
            endpoints_text(object).into(),
            printing::age(&object.metadata, now),
        ]
    }
}

/// Subsets without any address stay as they are, for validation to refuse them.
fn canonicalize(object: &mut Endpoints) {
    let subsets = object.subsets.as_deref().unwrap_or_default();
    let is_whole = |list: &Option<Vec<_>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let all_addressed = subsets
        .iter()
        .all(|subset| is_whole(&subset.addresses) || is_whole(&subset.not_ready_addresses));
    if all_addressed && !subsets.is_empty() {
        object.subsets = object.subsets.take().map(repack_subsets);
    }
}

/// Upstream: formatEndpoints.
fn endpoints_text(object: &Endpoints) -> String {
    let subsets = object.subsets.as_deref().unwrap_or_default();
    if subsets.is_empty() {
        return "<none>".to_string();
    }
    let (mut shown, mut count) = (Vec::new(), 0);
    for subset in subsets {
        let ports = subset.ports.as_deref().unwrap_or_default();
        let addresses = subset.addresses.as_deref().unwrap_or_default();
        count += addresses.len() * ports.len().max(1);
        let first = addresses.iter().take(MOST_SHOWN);
        if ports.is_empty() {
            shown.extend(first.map(|address| address.ip.clone()));
            continue;
        }
        for port in ports {
            shown.extend(first.clone().map(|it| match it.ip.contains(':') {
                true => format!("[{}]:{}", it.ip, port.port),
                false => format!("{}:{}", it.ip, port.port),
            }));
        }
    }
    shown.truncate(MOST_SHOWN);
    let text = shown.join(",");
    if count > MOST_SHOWN { format!("{text} + {} more...", count - MOST_SHOWN) } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn text(subsets: Value) -> String {
        let object = json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {},
            "subsets": subsets});
        endpoints_text(&serde_json::from_value(object).expect("Endpoints"))
    }

    /// Upstream: pkg/printers/internalversion/printers_test.go, TestPrintEndpoints.
    #[test]
    fn print_endpoints() {
        let ip = |ip: &str| json!({ "ip": ip });
        for (subsets, want) in [
            (json!([]), "<none>"),
            (
                json!([{"addresses": [ip("1.2.3.4"), ip("5.6.7.8")], "ports": [{"port": 8001}]}]),
                "1.2.3.4:8001,5.6.7.8:8001",
            ),
            (json!([{"addresses": [ip("1.2.3.4"), ip("5.6.7.8")]}]), "1.2.3.4,5.6.7.8"),
            (
                json!([{"addresses": [ip("1.2.3.4"), ip("5.6.7.8")],
                    "ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "b"}]}]),
                "1.2.3.4:1,5.6.7.8:1,1.2.3.4:2 + 1 more...",
            ),
            (json!([{"notReadyAddresses": [ip("1.2.3.4")], "ports": [{"port": 1}]}]), ""),
            (
                json!([{"addresses": [ip("2001:db8::1")], "ports": [{"port": 1}]}]),
                "[2001:db8::1]:1",
            ),
        ] {
            assert_eq!(text(subsets), want);
        }
    }
}
