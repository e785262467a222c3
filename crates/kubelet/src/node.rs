//! The node itself: its object, its lease, its clock of looking at things, and what its pods
//! share.
//!
//! Upstream: pkg/kubelet/kubelet_node_status.go, pkg/kubelet/nodestatus/setters.go,
//! staging/src/k8s.io/component-helpers/apimachinery/lease/controller.go.

use std::net::Ipv4Addr;
use std::sync::Arc;

use api::openapi::api::coordination::v1::{Lease, LeaseSpec};
use api::openapi::api::core::v1::{Node as NodeObject, ObjectReference, Service};
use api::openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use apiserver::{Identity, WatchSelector};
use client::{Context, EventRecorder, EventType, Informer};
use network::{Cidr, Machine, MachineOptions, NamespaceId, PortMapping, Route};
use runtime::{ImageCatalogue, ImageReference, Volume};
use sim::{Digest, Digestible, Duration, SmallSet, Stream, Time};

use crate::dns::HOST_DNS;
use crate::image_service::{ImageService, Pull};
use crate::node_spec::NodeSpec;
use crate::node_status::{self, Facts};
use crate::owners::Owners;
use crate::resources::amounts;
use crate::task::World;
use crate::volumes::VolumeState;

const LEASE_NAMESPACE: &str = "kube-node-lease";
/// Upstream: KubeletConfiguration.nodeLeaseDurationSeconds; renewed at a quarter of it.
const LEASE_DURATION_SECONDS: i32 = 40;
const LEASE_RENEW_INTERVAL: Duration = Duration::from_secs(10);
/// Upstream: KubeletConfiguration.nodeStatusReportFrequency and nodeStatusUpdateFrequency.
const STATUS_REPORT_INTERVAL: Duration = Duration::from_secs(300);
const STATUS_UPDATE_INTERVAL: Duration = Duration::from_secs(10);
/// The nodes share one link.
const LINK_PREFIX: u8 = 16;
/// Upstream: pkg/kubelet/kubelet.go, genericPlegRelistPeriod.
const RELIST_PERIOD: Duration = Duration::from_secs(1);
/// How often a node that is not ready is looked at. Upstream: pkg/kubelet/kubelet.go,
/// fastStatusUpdateOnce.
const FAST_STATUS_INTERVAL: Duration = Duration::from_millis(100);
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LONGEST_RETRY: Duration = Duration::from_secs(7);
/// How long the network plugin takes to be ready after the kubelet began.
const NETWORK_SETUP: (Duration, Duration) =
    (Duration::from_millis(400), Duration::from_millis(900));

/// What the pods of a node share, and the node's own bookkeeping.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) spec: Arc<NodeSpec>,
    pub(crate) identity: Identity,
    pub(crate) recorder: EventRecorder,
    pub(crate) images: ImageService,
    /// The Services that programs are told of.
    pub(crate) services: Informer<Service>,
    /// The machine's network.
    pub(crate) network: Machine,
    /// The processes that run on it.
    pub(crate) owners: Owners,
    /// Its files, and the directories that were made in it.
    pub(crate) host: Volume,
    pub(crate) host_directories: SmallSet<String>,
    /// Whether images came or went since the last report.
    pub(crate) images_changed: bool,
    /// The object as the kubelet knows it.
    pub(crate) object: Option<Arc<NodeObject>>,
    pub(crate) stream: String,
    /// When the kubelet began to run.
    pub(crate) started_at: Time,
    facts: Option<Facts>,
    relist_offset: Duration,
    network_ready_at: Time,
    is_ready: bool,
    next_registration: Option<Time>,
    next_status: Option<Time>,
    lease: Option<Arc<Lease>>,
    next_lease: Time,
    retry: Duration,
}

impl Node {
    pub(crate) fn new(spec: Arc<NodeSpec>, catalogue: Arc<dyn ImageCatalogue>) -> Self {
        let identity = Identity::node(&spec.name);
        let mut images = ImageService::new(catalogue);
        spec.images.iter().for_each(|name| images.preload(name));
        Node {
            services: Informer::new(identity.clone(), WatchSelector::Everything),
            recorder: EventRecorder::new(identity.clone(), "kubelet", Some(&spec.name)),
            network: machine(&spec),
            owners: Owners::new(),
            host: host_files(&spec),
            host_directories: SmallSet::new(),
            images,
            stream: format!("kubelet/{}", spec.name),
            images_changed: false,
            object: None,
            started_at: Time::ZERO,
            facts: None,
            relist_offset: Duration::ZERO,
            network_ready_at: Time::MAX,
            is_ready: false,
            next_registration: None,
            next_status: None,
            lease: None,
            next_lease: Time::ZERO,
            retry: FIRST_RETRY,
            identity,
            spec,
        }
    }

    /// The kubelet begins to run.
    pub(crate) fn start(&mut self, cx: &mut Context<'_>) {
        let stream = cx.streams.named(&self.stream);
        if self.facts.is_none() {
            self.facts = Some(Facts::draw(stream));
            self.relist_offset = Duration::from_nanos(stream.below(RELIST_PERIOD.as_nanos()));
        }
        self.started_at = cx.now;
        self.network.set_seed(stream.next_u64());
        self.network_ready_at = cx.now + stream.between(NETWORK_SETUP.0, NETWORK_SETUP.1);
        self.is_ready = false;
        self.next_registration = Some(cx.now);
        self.next_status = None;
        self.next_lease = cx.now;
        self.lease = None;
        self.event(cx, "Starting", "Starting kubelet.");
    }

    /// Makes the network namespace of a sandbox: CNI ADD.
    ///
    /// # Errors
    /// The plugin's words.
    pub(crate) fn add_pod_network(
        &mut self,
        id: &str,
        ports: &[PortMapping],
        now: Time,
    ) -> Result<(NamespaceId, String), String> {
        let (namespace, address) = self.network.add_pod(id)?;
        if let Err(why) = self.network.add_port_mappings(id, address, ports) {
            self.network.remove_pod(namespace, now);
            return Err(format!("plugin type=\"portmap\" failed (add): {why}"));
        }
        Ok((namespace, address.to_string()))
    }

    /// Takes the network namespace of a sandbox away: CNI DEL.
    pub(crate) fn remove_pod_network(
        &mut self,
        (id, namespace): (&str, NamespaceId),
        ports: &[PortMapping],
        now: Time,
    ) {
        if namespace != NamespaceId::HOST {
            self.network.remove_port_mappings(id, ports, now);
            self.network.remove_pod(namespace, now);
        }
    }

    /// The machine was switched off: its network holds nothing any more.
    pub(crate) fn power_off(&mut self) {
        self.network = machine(&self.spec);
        for path in self.host.paths() {
            if VOLATILE.iter().any(|prefix| path.starts_with(prefix)) {
                self.host.remove(&path);
            }
        }
    }

    /// The machine was switched on again.
    pub(crate) fn reboot(&mut self, cx: &mut Context<'_>) {
        let stream = cx.streams.named(&self.stream);
        let facts = Facts::draw(stream);
        self.network.set_seed(stream.next_u64());
        let boot_id = self.facts.as_mut().map(|known| known.reboot(facts)).unwrap_or_default();
        let message = format!("Node {} has been rebooted, boot id: {boot_id}", self.spec.name);
        self.event_of(cx, EventType::Warning, "Rebooted", &message);
    }

    /// Records an Event about the node. Its UID is the node's name, as upstream.
    fn event(&mut self, cx: &mut Context<'_>, reason: &str, message: &str) {
        self.event_of(cx, EventType::Normal, reason, message);
    }

    fn event_of(
        &mut self,
        cx: &mut Context<'_>,
        event_type: EventType,
        reason: &str,
        message: &str,
    ) {
        let reference = ObjectReference {
            kind: Some("Node".to_string()),
            name: Some(self.spec.name.clone()),
            uid: Some(self.spec.name.clone()),
            ..ObjectReference::default()
        };
        self.recorder.event(cx, &reference, event_type, reason, message);
    }

    fn status_event(&mut self, cx: &mut Context<'_>, reason: &str) {
        let message = format!("Node {} status is now: {reason}", self.spec.name);
        self.event(cx, reason, &message);
    }

    /// Does what is due for the node.
    pub(crate) fn advance(&mut self, cx: &mut Context<'_>) {
        if self.next_registration.is_some_and(|time| time <= cx.now) {
            self.register(cx);
        }
        if self.next_registration.is_some() {
            return;
        }
        if !self.is_ready && self.network_ready_at <= cx.now {
            let has_range = self.network.pod_range().is_some() || !self.spec.has_network_plugin;
            self.is_ready = has_range && self.has_plugin();
            if self.is_ready {
                self.next_status = Some(cx.now);
                self.status_event(cx, "NodeReady");
            } else {
                self.network_ready_at = cx.now + FAST_STATUS_INTERVAL;
            }
        }
        if std::mem::take(&mut self.images_changed) && self.object.is_some() {
            let tick = next_tick(cx.now, self.relist_offset, STATUS_UPDATE_INTERVAL);
            self.next_status = Some(self.next_status.map_or(tick, |time| time.min(tick)));
        }
        if self.next_status.is_some_and(|time| time <= cx.now) {
            self.report_status(cx);
        }
        if self.next_lease <= cx.now {
            self.renew_lease(cx);
        }
    }

    /// Whether the container runtime has found the configuration of a network plugin.
    fn has_plugin(&self) -> bool {
        let names = self.host.names_in(PLUGIN_DIRECTORY);
        names.iter().any(|name| PLUGIN_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)))
    }

    /// When the node has something to do.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        if let Some(time) = self.next_registration {
            return Some(time);
        }
        let ready = (!self.is_ready).then_some(self.network_ready_at);
        [ready, self.next_status, Some(self.next_lease)].into_iter().flatten().min()
    }

    pub(crate) fn is_registered(&self) -> bool {
        self.next_registration.is_none() && self.object.is_some()
    }

    /// Whether pods with a network of their own may be started.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready
    }

    fn register(&mut self, cx: &mut Context<'_>) {
        let object = node_status::initial_node(&self.spec);
        let created = cx.api::<NodeObject>(&self.identity, "").create(object);
        let known = match created {
            Ok(_) => true,
            Err(_) => {
                let labels = node_status::labels(&self.spec);
                let reconciled =
                    cx.api::<NodeObject>(&self.identity, "").patch(&self.spec.name, move |node| {
                        node.metadata.labels.get_or_insert_default().extend(labels);
                    });
                reconciled.is_ok()
            }
        };
        if !known {
            self.next_registration = Some(cx.now + self.retry);
            self.retry = (self.retry * 2).min(LONGEST_RETRY);
            return;
        }
        self.retry = FIRST_RETRY;
        self.next_registration = None;
        self.report_status(cx);
        self.event(cx, "NodeAllocatableEnforced", "Updated Node Allocatable limit across pods");
        for reason in ["NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"] {
            self.status_event(cx, reason);
        }
    }

    fn report_status(&mut self, cx: &mut Context<'_>) {
        let timestamp = cx.timestamp();
        let facts = self.facts.clone().unwrap_or_default();
        let images = self.images.report(cx.now);
        let (spec, is_ready) = (self.spec.clone(), self.is_ready);
        let reported =
            cx.api::<NodeObject>(&self.identity, "").patch_status(&self.spec.name, move |node| {
                node_status::set(node, &spec, &facts, images, is_ready, &timestamp);
            });
        match reported {
            Ok(object) => {
                self.object = Some(object);
                self.next_status = Some(cx.now + STATUS_REPORT_INTERVAL);
            }
            Err(status) if status.code() == 404 => self.forget_object(),
            Err(_) => self.next_status = Some(cx.now + STATUS_UPDATE_INTERVAL),
        }
    }

    /// Takes in how the API server has the node now. What it says wrongly is corrected when the
    /// kubelet looks next.
    pub(crate) fn observe(&mut self, cx: &mut Context<'_>, object: Option<Arc<NodeObject>>) {
        let now = cx.now;
        let Some(object) = object else { return self.forget_object() };
        let conditions = object.status.as_ref().and_then(|status| status.conditions.as_ref());
        let unknown = conditions.into_iter().flatten().any(|c| c.status == "Unknown");
        if unknown {
            let tick = next_tick(now, self.relist_offset, STATUS_UPDATE_INTERVAL);
            self.next_status = Some(self.next_status.map_or(tick, |time| time.min(tick)));
        }
        // Upstream: pkg/kubelet/kubelet_network.go, updatePodCIDR.
        let range = object.spec.as_ref().and_then(|spec| spec.pod_cidr.as_deref());
        if let Some(range) = range.and_then(|range| range.parse().ok())
            && self.network.pod_range().is_none()
            && self.spec.has_network_plugin
        {
            self.network.set_pod_range(range);
        }
        let before = self.object.as_deref().map(is_unschedulable);
        let unschedulable = is_unschedulable(&object);
        if before.is_some_and(|before| before != unschedulable) {
            let reason = if unschedulable { "NodeNotSchedulable" } else { "NodeSchedulable" };
            self.status_event(cx, reason);
        }
        self.object = Some(object);
    }

    /// Somebody deleted the object. A kubelet registers when it starts, and not again.
    fn forget_object(&mut self) {
        self.object = None;
        self.next_status = None;
        self.lease = None;
    }

    fn renew_lease(&mut self, cx: &mut Context<'_>) {
        self.next_lease = cx.now + LEASE_RENEW_INTERVAL;
        if self.object.is_none() {
            return;
        }
        let renew_time = cx.micro_timestamp();
        let name = self.spec.name.clone();
        if let Some(lease) = &self.lease {
            let mut renewed = Lease::clone(lease);
            renewed.spec.get_or_insert_default().renew_time = Some(renew_time.clone());
            match cx.api::<Lease>(&self.identity, LEASE_NAMESPACE).update(renewed) {
                Ok(lease) => {
                    self.lease = Some(lease);
                    return;
                }
                Err(_) => self.lease = None,
            }
        }
        let mut lease = match cx.api::<Lease>(&self.identity, LEASE_NAMESPACE).get(&name) {
            Ok(lease) => Lease::clone(&lease),
            Err(_) => Lease::default(),
        };
        let spec: &mut LeaseSpec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(name.clone());
        spec.lease_duration_seconds = Some(LEASE_DURATION_SECONDS);
        spec.renew_time = Some(renew_time);
        let exists = lease.metadata.name.is_some();
        if !exists {
            lease.metadata = ObjectMeta {
                name: Some(name),
                namespace: Some(LEASE_NAMESPACE.to_string()),
                owner_references: self.owner_reference().map(|owner| vec![owner]),
                ..ObjectMeta::default()
            };
        }
        let mut api = cx.api::<Lease>(&self.identity, LEASE_NAMESPACE);
        let written = if exists { api.update(lease) } else { api.create(lease) };
        match written {
            Ok(lease) => {
                self.lease = Some(lease);
                self.retry = FIRST_RETRY;
            }
            Err(_) => {
                self.next_lease = cx.now + self.retry;
                self.retry = (self.retry * 2).min(LONGEST_RETRY);
            }
        }
    }

    /// The node as the owner of its lease and its mirror pods.
    pub(crate) fn owner_reference(&self) -> Option<OwnerReference> {
        let object = self.object.as_ref()?;
        Some(OwnerReference {
            api_version: "v1".to_string(),
            kind: "Node".to_string(),
            name: self.spec.name.clone(),
            uid: object.metadata.uid.clone()?,
            ..OwnerReference::default()
        })
    }

    /// How much of a resource the node offers to pods.
    pub(crate) fn allocatable(&self, name: &str) -> u64 {
        let status = self.object.as_ref().and_then(|object| object.status.as_ref());
        let list = status.and_then(|status| status.allocatable.as_ref());
        amounts(list).get(name).copied().unwrap_or(0)
    }

    /// When the kubelet looks at its containers next.
    pub(crate) fn next_relist(&self, now: Time) -> Time {
        next_tick(now, self.relist_offset, RELIST_PERIOD)
    }

    /// The node's random numbers.
    pub(crate) fn random<'c>(&self, cx: &'c mut Context<'_>) -> &'c mut Stream {
        cx.streams.named(&self.stream)
    }

    /// What a program sees of the world.
    pub(crate) fn world<'c>(
        &'c mut self,
        cx: &'c mut Context<'_>,
        volumes: &'c mut VolumeState,
    ) -> World<'c> {
        World {
            now: cx.now,
            cx: cx.reborrow(),
            stream: &self.stream,
            machine: &mut self.network,
            owners: &mut self.owners,
            volumes: &mut volumes.mounted,
            host: &mut self.host,
        }
    }

    /// A new id of a container or sandbox: 64 hexadecimal digits.
    pub(crate) fn container_id(&self, cx: &mut Context<'_>) -> String {
        let random = self.random(cx);
        (0..4).map(|_| format!("{:016x}", random.next_u64())).collect()
    }

    pub(crate) fn pull(&mut self, cx: &mut Context<'_>, reference: &ImageReference) -> Pull {
        let pull = self.images.pull(reference, cx.now, cx.streams.named(&self.stream));
        if pull.result.as_ref().is_err_and(|error| error.is_undecided) {
            cx.lack(format!("the image {reference}"));
        }
        pull
    }
}

/// Where the container runtime looks for the configuration of the network's plugins.
const PLUGIN_DIRECTORY: &str = "etc/cni/net.d";
/// Upstream: github.com/containerd/go-cni, loadFromConfDir.
const PLUGIN_SUFFIXES: [&str; 3] = [".conf", ".conflist", ".json"];
/// What survives no reboot.
const VOLATILE: [&str; 2] = ["run/", "tmp/"];

/// The machine's files as it is set up.
fn host_files(spec: &NodeSpec) -> Volume {
    let mut files = Volume::new();
    if spec.has_network_plugin {
        let plugin = br#"{"cniVersion":"1.0.0","name":"bridge","plugins":[{"type":"bridge"}]}"#;
        files.write(&format!("{PLUGIN_DIRECTORY}/10-bridge.conflist"), plugin);
    }
    files
}

/// The machine's network as it is when the machine is switched on.
fn machine(spec: &NodeSpec) -> Machine {
    let address = spec.address.parse().unwrap_or(Ipv4Addr::LOCALHOST);
    let address = Cidr { address, prefix: LINK_PREFIX };
    let mut machine = Machine::new(MachineOptions { name: spec.name.clone(), address });
    // Without a way to everywhere, packets for the addresses of Services would be turned away
    // before any rule has seen them.
    let added = machine.add_route(
        NamespaceId::HOST,
        Route {
            destination: Cidr { address: Ipv4Addr::UNSPECIFIED, prefix: 0 },
            gateway: HOST_DNS.parse().ok(),
            device: "eth0".into(),
            onlink: false,
            source: None,
        },
    );
    debug_assert!(added.is_ok(), "every machine has eth0");
    if let Some(range) = spec.pod_cidr.parse().ok().filter(|_| spec.has_network_plugin) {
        machine.set_pod_range(range);
    }
    machine
}

fn is_unschedulable(node: &NodeObject) -> bool {
    node.spec.as_ref().is_some_and(|spec| spec.unschedulable == Some(true))
}

/// The first instant after `now` of a clock that ticks every `period`.
fn next_tick(now: Time, offset: Duration, period: Duration) -> Time {
    let into = (now + period).since(Time::ZERO + offset).as_nanos() % period.as_nanos();
    now + period.saturating_sub(Duration::from_nanos(into))
}

impl Digestible for Node {
    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.spec.name);
        digest.add(&self.recorder);
        digest.add(&self.images);
        digest.add(&self.network);
        digest.add(&self.owners);
        digest.add(&self.host);
        digest.add(&self.host_directories);
        digest.bool(self.images_changed);
        let version = self.object.as_ref().and_then(|o| o.metadata.resource_version.clone());
        digest.add(&version);
        digest.add(&self.started_at);
        digest.add(&self.relist_offset);
        digest.add(&self.network_ready_at);
        digest.bool(self.is_ready);
        digest.add(&self.next_registration);
        digest.add(&self.next_status);
        let version = self.lease.as_ref().and_then(|l| l.metadata.resource_version.clone());
        digest.add(&version);
        digest.add(&self.next_lease);
        digest.add(&self.retry);
    }
}
