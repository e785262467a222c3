//! kube-proxy in its iptables mode: watches Services and EndpointSlices and programs the rules of
//! its node.
//!
//! Upstream: pkg/proxy/iptables/proxier.go.

use std::sync::Arc;

use api::Key;
use api::openapi::api::core::v1::{Node, Service};
use api::openapi::api::discovery::v1::EndpointSlice;
use apiserver::{Identity, WatchSelector};
use client::{Context, Informer};
use network::{NamespaceId, Payload};
use runtime::{Environment, Flow, Io, Process, ProcessEvent, Signal};
use sim::{Digest, Duration, OrdMap, OrdSet, SmallMap, SmallSet, Time};

mod hash;
mod model;
mod rules;
#[cfg(test)]
mod tests;

use model::{Endpoint, Place, ports_of};
use rules::{Rules, foundation, service_chains};

use crate::apps::{PLAIN, flag};
use crate::catalogue::ImageDefinition;
use crate::net::{Listener, text};
use crate::tags::Tags;
use crate::userland::{Invocation, show};

/// `registry.k8s.io/kube-proxy`.
pub(crate) static IMAGE: ImageDefinition = ImageDefinition {
    repository: "registry.k8s.io/kube-proxy",
    tags: Tags::Released { newest: &[(1, 37)], words: &[], variants: &[] },
    sizes: &[("", 26_000_000)],
    entrypoint: &["/usr/local/bin/kube-proxy"],
    has_userland: false,
    program,
    ..PLAIN
};

/// Upstream: the default of `iptables.minSyncPeriod`.
const MIN_SYNC_PERIOD: Duration = Duration::from_secs(1);
/// Upstream: pkg/proxy/util, FullSyncPeriod.
const FULL_SYNC_PERIOD: Duration = Duration::from_secs(3600);
/// How long it waits after rules that were not taken.
const RETRY: Duration = Duration::from_secs(30);
const HEALTH_PORT: u16 = 10256;
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// A Service with this label is another proxy's.
const PROXY_NAME: &str = "service.kubernetes.io/service-proxy-name";

fn program(name: &str, environment: &Environment) -> Option<Box<dyn Process>> {
    if matches!(name, "iptables-save" | "conntrack") {
        return Some(Box::new(Tool));
    }
    let identity = Identity::service_account("kube-system", "kube-proxy");
    let node = flag(environment, "hostname-override").filter(|name| !name.is_empty());
    let node = node.unwrap_or(&environment.hostname).to_string();
    let own_node = WatchSelector::Name(Key::cluster(&node));
    (name == "kube-proxy").then(|| {
        Box::new(KubeProxy {
            services: Informer::new(identity.clone(), WatchSelector::Everything),
            slices: Informer::new(identity.clone(), WatchSelector::Everything),
            nodes: Informer::new(identity, own_node),
            place: Place { node, zone: String::new() },
            pod_range: String::new(),
            changed: OrdSet::new(),
            full: true,
            pending: true,
            last_sync: None,
            last_full: Time::ZERO,
            retry_at: None,
            chains: OrdSet::new(),
            endpoints: OrdMap::new(),
            udp: OrdMap::new(),
            listener: Listener::default(),
        }) as _
    })
}

/// The tools that the image has for those who want to see what the proxy did.
#[derive(Clone, Debug)]
struct Tool;

impl Process for Tool {
    fn on(&mut self, _event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        let words = io.environment.argv.clone();
        let command = words.first().map(String::as_str).unwrap_or_default();
        let name = command.rsplit('/').next().unwrap_or_default().to_string();
        let mut invocation = Invocation {
            words: Vec::new(),
            input: String::new(),
            out: String::new(),
            err: String::new(),
        };
        let args = words.get(1..).unwrap_or_default();
        show(&name, args, &mut invocation, io);
        io.stdout(&invocation.out);
        Flow::Exit(0)
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("tool");
    }
}

/// The proxy.
#[derive(Clone, Debug)]
struct KubeProxy {
    services: Informer<Service>,
    slices: Informer<EndpointSlice>,
    nodes: Informer<Node>,
    place: Place,
    pod_range: String,
    /// The Services (`namespace/name`) whose chains must be written anew.
    changed: OrdSet<String>,
    full: bool,
    pending: bool,
    last_sync: Option<Time>,
    last_full: Time,
    retry_at: Option<Time>,
    /// The chains of Services that are in the kernel.
    chains: OrdSet<Arc<str>>,
    /// The endpoints of each Service port, by its hash, as they were written last.
    endpoints: OrdMap<String, Arc<[Endpoint]>>,
    /// What UDP traffic to each address and port was sent to.
    udp: OrdMap<(String, i32), SmallSet<String>>,
    listener: Listener,
}

fn name_of(namespace: Option<&String>, name: Option<&String>) -> String {
    let (namespace, name) = (namespace.cloned(), name.cloned());
    format!("{}/{}", namespace.unwrap_or_default(), name.unwrap_or_default())
}

fn owner_of(slice: &EndpointSlice) -> Option<String> {
    let owner = slice.metadata.labels.as_ref()?.get(SERVICE_NAME);
    owner.map(|_| name_of(slice.metadata.namespace.as_ref(), owner))
}

impl KubeProxy {
    fn begin(&mut self, io: &mut Io<'_>) -> Flow {
        self.pod_range = pod_range(io);
        if !self.listener.listen(HEALTH_PORT, io) {
            io.stderr(&format!("listen tcp :{HEALTH_PORT}: bind: address already in use\n"));
        }
        io.stderr("\"Using iptables Proxier\"\n");
        io.network.machine.set_route_localnet(NamespaceId::HOST, true);
        // What an earlier run left is found by what the kernel has.
        let present = io.network.machine.save(NamespaceId::HOST, None, false);
        self.chains = service_chains(&present);
        let text = foundation(&present);
        if let Err(why) = io.network.machine.restore(NamespaceId::HOST, &text, true) {
            io.stderr(&format!("\"Failed to ensure chains\" err=\"{why}\"\n"));
            return Flow::Exit(1);
        }
        self.take_deliveries(io);
        self.pending = true;
        self.act(io)
    }

    fn take_deliveries(&mut self, io: &mut Io<'_>) {
        for change in self.services.sync(&mut io.cx) {
            self.changed.insert(format!("{}/{}", change.key.namespace, change.key.name));
        }
        for change in self.slices.sync(&mut io.cx) {
            let both = [change.old, change.new];
            self.changed.extend(both.iter().flatten().filter_map(|slice| owner_of(slice)));
        }
        if !self.nodes.sync(&mut io.cx).is_empty() {
            let node = self.nodes.get_ref(&Key::cluster(&self.place.node));
            let labels = node.and_then(|node| node.metadata.labels.as_ref());
            let zone = labels.and_then(|labels| labels.get("topology.kubernetes.io/zone"));
            let zone = zone.cloned().unwrap_or_default();
            // Another zone may change which endpoints any Service uses.
            if zone != self.place.zone {
                self.full = true;
                self.place.zone = zone;
            }
        }
        self.pending |= !self.changed.is_empty() || self.full;
    }

    /// Syncs if it is time, and says when it wants to be woken.
    fn act(&mut self, io: &mut Io<'_>) -> Flow {
        let now = io.now;
        if now - self.last_full >= FULL_SYNC_PERIOD || self.retry_at.is_some_and(|at| at <= now) {
            (self.full, self.pending) = (true, true);
        }
        let earliest = self.last_sync.map(|last| last + MIN_SYNC_PERIOD);
        if self.pending && earliest.is_none_or(|time| time <= now) {
            self.sync(io);
        }
        let next = match (self.pending, self.last_sync) {
            (true, Some(last)) => last + MIN_SYNC_PERIOD,
            _ => self.last_full + FULL_SYNC_PERIOD,
        };
        Flow::WaitUntil(self.retry_at.map_or(next, |at| at.min(next)))
    }

    fn sync(&mut self, io: &mut Io<'_>) {
        let full = std::mem::take(&mut self.full);
        let changed = std::mem::take(&mut self.changed);
        (self.pending, self.last_sync, self.retry_at) = (false, Some(io.now), None);
        let mut slices: SmallMap<String, Vec<&EndpointSlice>> = SmallMap::new();
        for slice in self.slices.iter() {
            if let Some(owner) = owner_of(slice).filter(|owner| full || changed.contains(owner)) {
                slices.entry(owner).or_default().push(slice);
            }
        }
        let before = std::mem::take(&mut self.endpoints);
        let mut rules = Rules::new(&self.pod_range);
        let mut udp = OrdMap::new();
        for service in self.services.iter() {
            let meta = &service.metadata;
            if meta.labels.as_ref().is_some_and(|labels| labels.contains_key(PROXY_NAME)) {
                continue;
            }
            let name = name_of(meta.namespace.as_ref(), meta.name.as_ref());
            let own = slices.get(&name).map(Vec::as_slice).unwrap_or_default();
            for port in ports_of(service) {
                let known = before.get(&port.hash);
                let endpoints: Arc<[Endpoint]> = match known {
                    Some(known) if !full && !changed.contains(&name) => known.clone(),
                    _ => {
                        let known = known.map(|known| &known[..]).unwrap_or_default();
                        port.endpoints(own.iter().copied(), &self.place, known).into()
                    }
                };
                let found = port.categorize(&endpoints, &self.place);
                self.endpoints.insert(port.hash.clone(), endpoints);
                if port.protocol == "udp" {
                    let targets = found.reachable.iter().map(|e| e.address.clone()).collect();
                    udp.insert((port.cluster_ip.clone(), port.port), targets);
                }
                rules.add(&port, &found, full || changed.contains(&name));
            }
        }
        let active = std::mem::take(&mut rules.active);
        let stale: Vec<Arc<str>> =
            self.chains.iter().filter(|chain| !active.contains(*chain)).cloned().collect();
        let text = rules.finish(&stale);
        match io.network.machine.restore(NamespaceId::HOST, &text, true) {
            Ok(()) => {
                self.chains = active;
                if full {
                    self.last_full = io.now;
                }
                self.forget_stale_flows(udp, io);
            }
            Err(why) => {
                io.stderr(&format!("\"Failed to execute iptables-restore\" err=\"{why}\"\n"));
                self.retry_at = Some(io.now + RETRY);
            }
        }
    }

    /// Connections have an end, flows of datagrams do not: those to endpoints that are gone
    /// would go on. Upstream: pkg/proxy/conntrack/cleanup.go.
    fn forget_stale_flows(
        &mut self,
        udp: OrdMap<(String, i32), SmallSet<String>>,
        io: &mut Io<'_>,
    ) {
        let before = std::mem::replace(&mut self.udp, udp);
        for ((address, port), targets) in before {
            let now = self.udp.get(&(address.clone(), port));
            let gone = targets.iter().any(|target| !now.is_some_and(|now| now.contains(target)));
            // What found no endpoint before must be looked at anew, too.
            let appeared = targets.is_empty() && now.is_some_and(|now| !now.is_empty());
            if let (true, Ok(address), Ok(port)) =
                (gone || appeared, address.parse(), u16::try_from(port))
            {
                const UDP: u8 = 17;
                let to: (std::net::Ipv4Addr, u16) = (address, port);
                io.network.machine.delete_flows(NamespaceId::HOST, io.now, |flow| {
                    flow.protocol == UDP && flow.destination == to
                });
            }
        }
    }
}

/// Where pods are: by flag, or by the configuration file that a flag names.
fn pod_range(io: &Io<'_>) -> String {
    if let Some(range) = flag(io.environment, "cluster-cidr") {
        return range.to_string();
    }
    let path = flag(io.environment, "config").unwrap_or_default();
    let content = io.files.read(path).unwrap_or_default();
    let content = String::from_utf8_lossy(content);
    let line = content.lines().find_map(|line| line.strip_prefix("clusterCIDR:"));
    line.map(|value| value.trim().trim_matches('"').to_string()).unwrap_or_default()
}

impl Process for KubeProxy {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        match &event {
            ProcessEvent::Started => return self.begin(io),
            ProcessEvent::Delivered => self.take_deliveries(io),
            ProcessEvent::Timer => {}
            ProcessEvent::Signal(Signal::Term | Signal::Int) => {
                self.disconnect(&mut io.cx);
                self.listener.close_all(io);
                return Flow::Exit(0);
            }
            _ => {
                if let Some(arrived) = self.listener.take(&event, io)
                    && matches!(arrived.payload, Payload::HttpRequest(_))
                {
                    self.listener.send(arrived.connection, text(200, "{\"status\":\"ok\"}"), io);
                }
            }
        }
        self.act(io)
    }

    fn watches(&self) -> bool {
        true
    }

    fn disconnect(&mut self, cx: &mut Context<'_>) {
        self.services.stop(cx.server);
        self.slices.stop(cx.server);
        self.nodes.stop(cx.server);
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("kube-proxy");
        digest.add(&self.services);
        digest.add(&self.slices);
        digest.add(&self.nodes);
        digest.str(&self.place.zone);
        digest.u64(self.changed.len() as u64);
        self.changed.iter().for_each(|name| digest.str(name));
        digest.bool(self.full);
        digest.bool(self.pending);
        digest.add(&self.last_sync);
        digest.add(&self.last_full);
        digest.add(&self.retry_at);
        digest.u64(self.chains.len() as u64);
        self.chains.iter().for_each(|name| digest.str(name));
        for ((address, port), targets) in &self.udp {
            digest.str(address);
            digest.add(port);
            targets.iter().for_each(|target| digest.str(target));
        }
        digest.add(&self.listener);
    }
}
