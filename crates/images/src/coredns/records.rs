//! Names of the cluster: which records Services, EndpointSlices and pods make.
//!
//! Upstream: coredns/coredns, plugin/kubernetes/{kubernetes,parse,reverse}.go and
//! plugin/backend_lookup.go.

use std::net::Ipv4Addr;

use api::Key;
use api::openapi::api::core::v1::{Namespace, Pod, Service};
use api::openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use client::Informer;
use network::DnsRecord;
use sim::Sort;

use super::corefile::{Kubernetes, Pods, within};

/// How far one alias may lead to the next.
const MAX_ALIASES: u32 = 8;

/// What the API server has delivered.
#[derive(Clone, Debug)]
pub(super) struct Objects {
    pub(super) services: Informer<Service>,
    pub(super) slices: Informer<EndpointSlice>,
    pub(super) namespaces: Informer<Namespace>,
    pub(super) pods: Informer<Pod>,
}

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Its records of the type asked for, possibly none.
    Records(Vec<DnsRecord>),
    /// Its alias outside the cluster, which others must resolve.
    Alias(Vec<DnsRecord>, String),
    /// There is no such name.
    NoName,
}

/// What one name of a service stands for.
struct Entry {
    host: Host,
    /// -1 for an endpoint without ports.
    port: i32,
    /// The name that an SRV record leads to.
    name: String,
}

enum Host {
    Address(Ipv4Addr),
    Name(String),
}

/// A name below `svc` taken apart.
#[derive(Default)]
struct Asked<'a> {
    service: &'a str,
    namespace: &'a str,
    endpoint: &'a str,
    port: &'a str,
    protocol: &'a str,
}

/// Answers from what has been delivered.
pub(super) struct Records<'a> {
    pub(super) objects: &'a Objects,
    pub(super) config: &'a Kubernetes,
}

fn is_headless(service: &Service) -> bool {
    let address = service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref());
    address == Some("None")
}

/// Upstream: kubernetes.go, endpointHostname.
fn endpoint_name(endpoint: &Endpoint, address: &str) -> String {
    match &endpoint.hostname {
        Some(hostname) if !hostname.is_empty() => hostname.clone(),
        _ => address.replace(['.', ':'], "-"),
    }
}

/// Upstream: kubernetes.go, matchPortAndProtocol.
fn matches_port(asked: &Asked<'_>, name: Option<&str>, protocol: Option<&str>) -> bool {
    let same = |asked: &str, own: &str| asked.is_empty() || asked.eq_ignore_ascii_case(own);
    same(asked.port, name.unwrap_or_default()) && same(asked.protocol, protocol.unwrap_or("TCP"))
}

impl Records<'_> {
    /// The zone of the plugin that the name lies in.
    pub(super) fn zone(&self, name: &str) -> Option<&str> {
        let zones = self.config.zones.iter().filter(|zone| within(name, zone));
        zones.max_by_key(|zone| zone.len()).map(String::as_str)
    }

    /// Answers a question about a name of one of the zones.
    pub(super) fn answer(&self, name: &str, zone: &str, record_type: &str) -> Answer {
        if zone.ends_with("in-addr.arpa.") || zone.ends_with("ip6.arpa.") {
            return self.reverse(name, record_type);
        }
        self.forward(name, zone, record_type, 0)
    }

    fn forward(&self, name: &str, zone: &str, record_type: &str, depth: u32) -> Answer {
        let rest = name.strip_suffix(zone).unwrap_or_default().trim_end_matches('.');
        let mut labels: Vec<&str> = rest.split('.').filter(|label| !label.is_empty()).collect();
        let entries = match labels.pop() {
            None => return Answer::Records(Vec::new()),
            Some("svc") => self.services(&mut labels, zone),
            Some("pod") => self.pods(&mut labels),
            Some(_) => None,
        };
        let Some(entries) = entries else { return Answer::NoName };
        match record_type {
            "A" => self.addresses(name, entries, zone, depth),
            "CNAME" => {
                let aliases = entries.iter().filter_map(|entry| self.alias(name, &entry.host));
                Answer::Records(aliases.collect())
            }
            "SRV" => Answer::Records(self.srv(name, &entries)),
            _ => Answer::Records(Vec::new()),
        }
    }

    fn alias(&self, name: &str, host: &Host) -> Option<DnsRecord> {
        match host {
            Host::Name(target) => Some(DnsRecord::Cname {
                name: name.to_string(),
                ttl: self.config.ttl,
                target: target.clone(),
            }),
            Host::Address(_) => None,
        }
    }

    /// Upstream: backend_lookup.go, A.
    fn addresses(&self, name: &str, entries: Vec<Entry>, zone: &str, depth: u32) -> Answer {
        let mut records: Vec<DnsRecord> = Vec::new();
        for entry in entries {
            match entry.host {
                Host::Address(address) => {
                    let record = DnsRecord::A { name: name.into(), ttl: self.config.ttl, address };
                    if !records.contains(&record) {
                        records.push(record);
                    }
                }
                Host::Name(target) if target == name || depth >= MAX_ALIASES => {}
                Host::Name(target) => {
                    records.extend(self.alias(name, &Host::Name(target.clone())));
                    if !within(&target, zone) {
                        return Answer::Alias(records, target);
                    }
                    match self.forward(&target, zone, "A", depth + 1) {
                        Answer::Records(more) => records.extend(more),
                        Answer::Alias(more, target) => {
                            records.extend(more);
                            return Answer::Alias(records, target);
                        }
                        Answer::NoName => {}
                    }
                }
            }
        }
        Answer::Records(records)
    }

    /// Upstream: backend_lookup.go, SRV: all have the same priority and share a weight of 100.
    fn srv(&self, name: &str, entries: &[Entry]) -> Vec<DnsRecord> {
        let share = u16::try_from(100 / entries.len().max(1)).unwrap_or(0).max(1);
        let mut records: Vec<DnsRecord> = Vec::new();
        for entry in entries {
            let Ok(port) = u16::try_from(entry.port) else { continue };
            let target = match &entry.host {
                Host::Name(target) => target.clone(),
                Host::Address(_) => entry.name.clone(),
            };
            let record = DnsRecord::Srv {
                name: name.to_string(),
                ttl: self.config.ttl,
                priority: 0,
                weight: share,
                port,
                target,
            };
            if !records.contains(&record) {
                records.push(record);
            }
        }
        records
    }

    fn has_namespace(&self, namespace: &str) -> bool {
        self.objects.namespaces.get_ref(&Key::cluster(namespace)).is_some()
    }

    /// Upstream: parse.go, parseRequest, and kubernetes.go, findServices.
    fn services(&self, labels: &mut Vec<&str>, zone: &str) -> Option<Vec<Entry>> {
        let mut asked = Asked::default();
        let Some(namespace) = labels.pop() else { return Some(Vec::new()) };
        asked.namespace = namespace;
        let Some(service) = labels.pop() else {
            return self.has_namespace(namespace).then(Vec::new);
        };
        asked.service = service;
        match labels.as_slice() {
            [] => {}
            [endpoint] => asked.endpoint = endpoint,
            [port, protocol] => {
                asked.port = port.strip_prefix('_').unwrap_or(port);
                asked.protocol = protocol.strip_prefix('_').unwrap_or(protocol);
            }
            _ => return None,
        }
        if !self.has_namespace(namespace) {
            return None;
        }
        let object = self.objects.services.get_ref(&Key::new(namespace, service))?;
        self.entries(object, &asked, zone)
    }

    fn entries(&self, service: &Service, asked: &Asked<'_>, zone: &str) -> Option<Vec<Entry>> {
        let spec = service.spec.as_ref()?;
        let base = format!("{}.{}.svc.{zone}", asked.service, asked.namespace);
        if spec.type_.as_deref() == Some("ExternalName") {
            let bare = [asked.endpoint, asked.port, asked.protocol].concat().is_empty();
            let target = spec.external_name.as_ref().filter(|_| bare)?.to_ascii_lowercase();
            let host = match target.parse() {
                Ok(address) => Host::Address(address),
                Err(_) => Host::Name(format!("{}.", target.trim_end_matches('.'))),
            };
            return Some(vec![Entry { host, port: -1, name: base }]);
        }
        let mut entries = Vec::new();
        if is_headless(service) || !asked.endpoint.is_empty() {
            for slice in self.slices_of(asked.namespace, asked.service) {
                self.endpoints(slice, asked, &base, &mut entries);
            }
        } else {
            for port in spec.ports.iter().flatten() {
                if !matches_port(asked, port.name.as_deref(), port.protocol.as_deref()) {
                    continue;
                }
                let addresses = spec.cluster_ips.iter().flatten();
                entries.extend(addresses.filter_map(|address| address.parse().ok()).map(
                    |address| Entry {
                        host: Host::Address(address),
                        port: port.port,
                        name: base.clone(),
                    },
                ));
            }
        }
        (!entries.is_empty()).then_some(entries)
    }

    fn slices_of<'a>(
        &'a self,
        namespace: &'a str,
        service: &'a str,
    ) -> impl Iterator<Item = &'a EndpointSlice> {
        self.objects.slices.in_namespace(namespace).filter(move |slice| {
            let labels = slice.metadata.labels.as_ref();
            labels.and_then(|labels| labels.get("kubernetes.io/service-name")).map(String::as_str)
                == Some(service)
        })
    }

    fn endpoints(
        &self,
        slice: &EndpointSlice,
        asked: &Asked<'_>,
        base: &str,
        entries: &mut Vec<Entry>,
    ) {
        let ports = slice.ports.as_deref().unwrap_or_default();
        let matching: Vec<i32> = if ports.is_empty() {
            if matches_port(asked, None, Some("")) { vec![-1] } else { Vec::new() }
        } else {
            let own = ports
                .iter()
                .filter(|port| matches_port(asked, port.name.as_deref(), port.protocol.as_deref()));
            own.map(|port| port.port.unwrap_or(-1)).collect()
        };
        for (endpoint, address) in ready_addresses(slice) {
            let own = endpoint_name(endpoint, address);
            if !asked.endpoint.is_empty() && asked.endpoint != own {
                continue;
            }
            let Ok(parsed) = address.parse() else { continue };
            entries.extend(matching.iter().map(|port| Entry {
                host: Host::Address(parsed),
                port: *port,
                name: format!("{own}.{base}"),
            }));
        }
    }

    /// Upstream: kubernetes.go, findPods.
    fn pods(&self, labels: &mut Vec<&str>) -> Option<Vec<Entry>> {
        let Some(namespace) = labels.pop() else { return Some(Vec::new()) };
        let known = self.has_namespace(namespace);
        let Some(name) = labels.pop() else { return known.then(Vec::new) };
        if !labels.is_empty() || self.config.pods == Pods::Disabled || !known {
            return None;
        }
        let address: Ipv4Addr = name.replace('-', ".").parse().ok()?;
        let text = address.to_string();
        let own = |pod: &Pod| {
            pod.status.as_ref().and_then(|status| status.pod_ip.as_deref()) == Some(text.as_str())
        };
        let found = self.config.pods == Pods::Insecure
            || self.objects.pods.in_namespace(namespace).any(own);
        let entry = Entry { host: Host::Address(address), port: -1, name: String::new() };
        found.then(|| vec![entry])
    }

    /// Upstream: reverse.go, serviceRecordForIP.
    fn reverse(&self, name: &str, record_type: &str) -> Answer {
        let labels = name.strip_suffix(".in-addr.arpa.").unwrap_or_default();
        let mut parts: Vec<&str> = labels.split('.').collect();
        parts.reverse();
        let address = parts.join(".");
        if address.parse::<Ipv4Addr>().is_err() {
            return Answer::NoName;
        }
        let zone = self.config.zones.iter().find(|zone| !zone.ends_with("arpa."));
        let zone = zone.map_or(".", String::as_str);
        let targets = self.names_of(&address, zone);
        if targets.is_empty() {
            return Answer::NoName;
        }
        let record = |target: String| DnsRecord::Ptr {
            name: name.to_string(),
            ttl: self.config.ttl,
            target,
        };
        let records = if record_type == "PTR" { targets } else { Vec::new() };
        Answer::Records(records.into_iter().map(record).collect())
    }

    fn names_of(&self, address: &str, zone: &str) -> Vec<String> {
        let full = |namespace: Option<&String>, name: Option<&String>| {
            let (namespace, name) = (namespace.cloned(), name.cloned());
            format!("{}.{}.svc.{zone}", name.unwrap_or_default(), namespace.unwrap_or_default())
        };
        let has = |service: &&Service| {
            let spec = service.spec.as_ref();
            spec.and_then(|spec| spec.cluster_ips.as_ref())
                .is_some_and(|addresses| addresses.iter().any(|own| own == address))
        };
        if let Some(service) = self.objects.services.iter().find(has) {
            return vec![full(service.metadata.namespace.as_ref(), service.metadata.name.as_ref())];
        }
        let mut names = Vec::new();
        for slice in self.objects.slices.iter() {
            let labels = slice.metadata.labels.as_ref();
            let owner = labels.and_then(|labels| labels.get("kubernetes.io/service-name"));
            for (endpoint, own) in ready_addresses(slice).filter(|(_, own)| *own == address) {
                let base = full(slice.metadata.namespace.as_ref(), owner);
                names.push(format!("{}.{base}", endpoint_name(endpoint, own)));
            }
        }
        names.order();
        names.dedup();
        names
    }
}

/// The addresses of the endpoints that are ready.
fn ready_addresses(slice: &EndpointSlice) -> impl Iterator<Item = (&Endpoint, &str)> {
    let ready = slice.endpoints.iter().flatten().filter(|endpoint| {
        let ready = endpoint.conditions.as_ref().and_then(|conditions| conditions.ready);
        ready != Some(false)
    });
    ready.flat_map(|endpoint| {
        endpoint.addresses.iter().map(move |address| (endpoint, address.as_str()))
    })
}
