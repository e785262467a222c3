//! Endpoints in their canonical form: every address once for each set of ports, every set of
//! addresses once with all its ports, and everything sorted.
//!
//! Upstream: pkg/api/endpoints/util.go and pkg/api/v1/endpoints/util.go

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset};
use sim::{OrdMap, OrdSet, SmallMap, SmallSet, Sort};

/// What makes one address differ from another: the address and the object behind it.
type AddressKey = (String, String);
/// What makes one port differ from another.
type PortKey = (String, i32, String, Option<String>);

fn address_key(address: &EndpointAddress) -> AddressKey {
    let (ip, uid) = address_order(address);
    (ip.to_string(), uid.to_string())
}

fn port_key(port: &EndpointPort) -> PortKey {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    (text(&port.name), port.port, text(&port.protocol), port.app_protocol.clone())
}

#[derive(Default)]
struct Addresses {
    /// The address as it is given, and whether it is ready for every port seen.
    by_key: OrdMap<AddressKey, (EndpointAddress, SmallMap<Option<PortKey>, bool>)>,
    ports: SmallMap<PortKey, EndpointPort>,
}

impl Addresses {
    fn take(&mut self, address: EndpointAddress, is_ready: bool, ports: &[Option<PortKey>]) {
        let key = address_key(&address);
        let (_, ready) = self.by_key.entry(key).or_insert_with(|| (address, SmallMap::new()));
        for port in ports {
            // An address that is not ready once is not ready, whatever else is said of it.
            let known = ready.entry(port.clone()).or_insert(is_ready);
            *known = *known && is_ready;
        }
    }
}

/// Sorts a subset in place. Says whether it is in its canonical form then: it is unless it lists
/// an address or a port twice, or nothing at all. Most Services have one subset, and the general
/// way copies every address.
fn sort_subset(subset: &mut EndpointSubset) -> bool {
    let lists = [&mut subset.addresses, &mut subset.not_ready_addresses];
    for list in lists.into_iter().flatten() {
        list.order_by(|a, b| address_order(a).cmp(&address_order(b)));
    }
    let ports = subset.ports.get_or_insert_default();
    ports.order_by_key(port_key);
    let is_repeated = ports.windows(2).any(|pair| port_key(&pair[0]) == port_key(&pair[1]));
    subset.ports.take_if(|ports| ports.is_empty());
    subset.addresses.take_if(|list| list.is_empty());
    subset.not_ready_addresses.take_if(|list| list.is_empty());
    let ready = subset.addresses.iter().flatten();
    let all: OrdSet<_> =
        ready.chain(subset.not_ready_addresses.iter().flatten()).map(address_order).collect();
    let count = |list: &Option<Vec<EndpointAddress>>| list.as_ref().map_or(0, Vec::len);
    let listed = count(&subset.addresses) + count(&subset.not_ready_addresses);
    listed > 0 && !is_repeated && all.len() == listed
}

fn address_order(address: &EndpointAddress) -> (&str, &str) {
    let uid = address.target_ref.as_ref().and_then(|target| target.uid.as_deref());
    (&address.ip, uid.unwrap_or_default())
}

/// Packs subsets so that each set of addresses stands once, with all the ports that they have in
/// common. Upstream: RepackSubsets.
#[must_use]
pub fn repack_subsets(mut subsets: Vec<EndpointSubset>) -> Vec<EndpointSubset> {
    if let [only] = subsets.as_mut_slice()
        && sort_subset(only)
    {
        return subsets;
    }
    let mut all = Addresses::default();
    for subset in subsets {
        let ports: Vec<EndpointPort> = subset.ports.unwrap_or_default();
        let mut keys: Vec<Option<PortKey>> = ports.iter().map(|it| Some(port_key(it))).collect();
        if keys.is_empty() {
            // Headless Services may have addresses without ports.
            keys.push(None);
        }
        all.ports.extend(ports.into_iter().map(|port| (port_key(&port), port)));
        for address in subset.addresses.into_iter().flatten() {
            all.take(address, true, &keys);
        }
        for address in subset.not_ready_addresses.into_iter().flatten() {
            all.take(address, false, &keys);
        }
    }
    packed(all)
}

fn packed(all: Addresses) -> Vec<EndpointSubset> {
    // Which addresses, ready or not, each port has.
    let mut by_port: SmallMap<Option<PortKey>, OrdMap<AddressKey, bool>> = SmallMap::new();
    for (key, (_, ready)) in &all.by_key {
        for (port, is_ready) in ready {
            by_port.entry(port.clone()).or_default().insert(key.clone(), *is_ready);
        }
    }
    // Which ports each set of addresses has.
    let mut by_addresses: SmallMap<Vec<(AddressKey, bool)>, SmallSet<PortKey>> = SmallMap::new();
    for (port, addresses) in by_port {
        by_addresses.entry(addresses.into_iter().collect()).or_default().extend(port);
    }
    let subset = |(addresses, ports): (Vec<(AddressKey, bool)>, SmallSet<PortKey>)| {
        let of = |wanted: bool| {
            let chosen = addresses.iter().filter(|(_, is_ready)| *is_ready == wanted);
            let chosen = chosen.filter_map(|(key, _)| all.by_key.get(key));
            let list: Vec<EndpointAddress> = chosen.map(|(address, _)| address.clone()).collect();
            (!list.is_empty()).then_some(list)
        };
        let ports: Vec<EndpointPort> =
            ports.iter().filter_map(|key| all.ports.get(key).cloned()).collect();
        EndpointSubset {
            addresses: of(true),
            not_ready_addresses: of(false),
            ports: (!ports.is_empty()).then_some(ports),
        }
    };
    by_addresses.into_iter().map(subset).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn repacked(given: Value) -> Value {
        let subsets: Vec<EndpointSubset> = serde_json::from_value(given).expect("subsets");
        let again = repack_subsets(repack_subsets(subsets.clone()));
        let once = repack_subsets(subsets);
        assert_eq!(once, again);
        serde_json::to_value(once).expect("JSON")
    }

    /// Upstream: pkg/api/endpoints/util_test.go, TestPackSubsets.
    #[test]
    fn pack_subsets() {
        let ip = |ip: &str| json!({ "ip": ip });
        let with_uid = |ip: &str, uid: &str| json!({"ip": ip, "targetRef": {"uid": uid}});
        let p111 = || json!({"port": 111});
        let p222 = || json!({"port": 222});
        for (name, given, want) in [
            ("empty everything", json!([{}]), json!([])),
            ("empty ports", json!([{"ports": [p111()]}]), json!([])),
            (
                "one set, one ip, one port",
                json!([{"addresses": [ip("1.2.3.4")], "ports": [p111()]}]),
                json!([{"addresses": [ip("1.2.3.4")], "ports": [p111()]}]),
            ),
            (
                "one set, one ip, no ports",
                json!([{"addresses": [ip("1.2.3.4")]}]),
                json!([{"addresses": [ip("1.2.3.4")]}]),
            ),
            (
                "one set, one notReady ip, one port",
                json!([{"notReadyAddresses": [ip("1.2.3.4")], "ports": [p111()]}]),
                json!([{"notReadyAddresses": [ip("1.2.3.4")], "ports": [p111()]}]),
            ),
            (
                "one set, one ip, two ports",
                json!([{"addresses": [ip("1.2.3.4")], "ports": [p222(), p111()]}]),
                json!([{"addresses": [ip("1.2.3.4")], "ports": [p111(), p222()]}]),
            ),
            (
                "two sets, dup ip, dup port",
                json!([{"addresses": [ip("1.2.3.4")], "ports": [p111()]},
                    {"addresses": [ip("1.2.3.4")], "ports": [p111()]}]),
                json!([{"addresses": [ip("1.2.3.4")], "ports": [p111()]}]),
            ),
            (
                "two sets, dup ip with target ref",
                json!([{"addresses": [with_uid("1.2.3.4", "uid-1")], "ports": [p111()]},
                    {"addresses": [with_uid("1.2.3.4", "uid-2")], "ports": [p222()]}]),
                json!([{"addresses": [with_uid("1.2.3.4", "uid-1")], "ports": [p111()]},
                    {"addresses": [with_uid("1.2.3.4", "uid-2")], "ports": [p222()]}]),
            ),
            (
                "two sets, dup ip, two ports (dup ip, readiness)",
                json!([{"addresses": [ip("1.2.3.4")], "ports": [p111()]},
                    {"notReadyAddresses": [ip("1.2.3.4")], "ports": [p111()]}]),
                json!([{"notReadyAddresses": [ip("1.2.3.4")], "ports": [p111()]}]),
            ),
            (
                "two sets, two ips, dup port",
                json!([{"addresses": [ip("5.6.7.8")], "ports": [p111()]},
                    {"addresses": [ip("1.2.3.4")], "ports": [p111()]}]),
                json!([{"addresses": [ip("1.2.3.4"), ip("5.6.7.8")], "ports": [p111()]}]),
            ),
            (
                "two sets, two ips, two ports",
                json!([{"addresses": [ip("1.2.3.4")], "ports": [p111()]},
                    {"addresses": [ip("5.6.7.8")], "ports": [p222()]}]),
                json!([{"addresses": [ip("1.2.3.4")], "ports": [p111()]},
                    {"addresses": [ip("5.6.7.8")], "ports": [p222()]}]),
            ),
        ] {
            assert_eq!(repacked(given), want, "{name}");
        }
    }
}
