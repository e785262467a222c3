//! What the page is shown of the engine: compact rows of every object, as they are stored, and
//! the details of one.
//!
//! It reads the cluster without lag and may know everything in it. It must never change the
//! cluster, nor be asked by anything inside it.

mod detail;
mod generators;
mod hops;
mod places;
mod pod;
mod rows;
mod service;
mod traffic;

use api::openapi::api::core::v1::Pod;
use api::{Key, Kind, KindId, Object};
use cluster::Cluster;
use protocol::{ComponentRow, Delta, PacketRow};
use sim::{OrdMap, OrdSet};

pub use detail::{detail, reference};
pub use hops::hops;
pub use traffic::Traffic;

/// Follows a cluster and says what changed, row by row.
#[derive(Clone, Debug, Default)]
pub struct Projection {
    /// The UIDs of the rows that the page has.
    shown: OrdMap<(KindId, Key), String>,
    faults: OrdSet<NodeFault>,
    components: Vec<ComponentRow>,
    /// The UIDs of the Services that the page has.
    services: OrdMap<Key, String>,
    /// The Service of each EndpointSlice.
    slices: OrdMap<Key, Key>,
    follower: traffic::Follower,
    meter: generators::Meter,
}

impl Projection {
    /// Follows the cluster from now on, and returns everything there is.
    pub fn reset(&mut self, cluster: &mut Cluster) -> Vec<Delta> {
        cluster.follow();
        cluster.take_changed();
        let faults = faults(cluster);
        *self = Projection { faults, ..Projection::default() };
        self.follower.skip(cluster);
        let mut deltas: Vec<Delta> = Kind::all().map(rows::kind).map(Delta::Kind).collect();
        self.add_components(cluster, &mut deltas);
        for kind in Kind::all() {
            for object in cluster.snapshot(kind.id).iter() {
                self.shown.insert((kind.id, object.key()), object.uid().to_string());
                deltas.push(rows::delta(cluster, object, &self.faults));
            }
        }
        let slices = cluster.snapshot(KindId::ENDPOINT_SLICE);
        let services = cluster.snapshot(KindId::SERVICE);
        let all = slices.iter().map(|slice| (KindId::ENDPOINT_SLICE, slice.key()));
        let all = all.chain(services.iter().map(|service| (KindId::SERVICE, service.key())));
        self.add_services(cluster, &all.collect(), &mut deltas);
        deltas
    }

    /// A sample of the packets and probes since this or [`Projection::reset`] was last called.
    /// With `by_machine` a packet is shown from machine to machine.
    pub fn traffic(&mut self, cluster: &Cluster, by_machine: bool) -> Traffic {
        self.follower.take(cluster, by_machine)
    }

    /// Begins or ends to keep the latest packets.
    pub fn keep_packets(&mut self, keep: bool) {
        self.follower.keep(keep);
    }

    /// The latest packets, oldest first, if they are kept.
    pub fn packets(&self) -> impl Iterator<Item = &PacketRow> {
        self.follower.kept()
    }

    /// The generators of traffic that are new, have done something, or are gone, since this or
    /// [`Projection::reset`] was last called.
    pub fn generators(&mut self, cluster: &Cluster) -> Vec<Delta> {
        self.meter.changes(cluster)
    }

    /// The rows of Services that changed, or one of whose EndpointSlices did.
    fn add_services(
        &mut self,
        cluster: &Cluster,
        changed: &OrdSet<(KindId, Key)>,
        deltas: &mut Vec<Delta>,
    ) {
        let slices = cluster.snapshot(KindId::ENDPOINT_SLICE);
        let mut keys = OrdSet::new();
        for (kind, key) in changed {
            if *kind == KindId::SERVICE {
                keys.insert(key.clone());
            } else if *kind == KindId::ENDPOINT_SLICE {
                keys.extend(self.slices.remove(key));
                let owner = slices.get(key).and_then(service::of_slice);
                if let Some(owner) = owner {
                    self.slices.insert(key.clone(), owner.clone());
                    keys.insert(owner);
                }
            }
        }
        for key in keys {
            let row = service::row(cluster, &key);
            let shown = self.services.remove(&key);
            if let Some(uid) = shown
                && row.as_ref().is_none_or(|row| row.uid != uid)
            {
                deltas.push(Delta::ServiceRemoved(uid));
            }
            if let Some(row) = row {
                self.services.insert(key, row.uid.clone());
                deltas.push(Delta::Service(Box::new(row)));
            }
        }
    }

    /// What changed since this or [`Projection::reset`] was last called.
    pub fn changes(&mut self, cluster: &mut Cluster) -> Vec<Delta> {
        let mut changed = cluster.take_changed();
        let faults = faults(cluster);
        let appeared = faults.iter().filter(|fault| !self.faults.contains(*fault));
        let gone = self.faults.iter().filter(|fault| !faults.contains(*fault));
        changed
            .extend(appeared.chain(gone).map(|fault| (KindId::NODE, Key::cluster(fault.node()))));
        self.faults = faults;
        self.add_dependents(cluster, &mut changed);
        let mut deltas = Vec::with_capacity(changed.len());
        self.add_components(cluster, &mut deltas);
        let services = changed.clone();
        for (kind, key) in changed {
            self.change(cluster, kind, key, &mut deltas);
        }
        self.add_services(cluster, &services, &mut deltas);
        deltas
    }

    fn add_components(&mut self, cluster: &Cluster, deltas: &mut Vec<Delta>) {
        let row = |(name, running): (&str, bool)| ComponentRow { name: name.into(), running };
        let components: Vec<ComponentRow> = cluster.components().map(row).collect();
        let changed = components.iter().filter(|row| !self.components.contains(row));
        deltas.extend(changed.cloned().map(Delta::Component));
        self.components = components;
    }

    /// A node's row counts what its pods ask for, and a pod's row says whether its node
    /// reports: a change of the one is a change of the other.
    fn add_dependents(&self, cluster: &Cluster, changed: &mut OrdSet<(KindId, Key)>) {
        let pods = cluster.snapshot(KindId::POD);
        let mut more = Vec::new();
        for (kind, key) in changed.iter() {
            match *kind {
                KindId::POD => {
                    let pod = pods.get(key).and_then(Object::get::<Pod>);
                    let node = pod.and_then(|pod| pod.spec.as_ref()?.node_name.as_deref());
                    match node {
                        Some(node) => more.push((KindId::NODE, Key::cluster(node))),
                        None if pods.get(key).is_none() => more.extend(self.node_rows()),
                        None => {}
                    }
                }
                KindId::NODE => {
                    more.extend(pods.on_node(&key.name).map(|pod| (KindId::POD, pod.key())));
                }
                _ => {}
            }
        }
        changed.extend(more);
    }

    fn node_rows(&self) -> impl Iterator<Item = (KindId, Key)> {
        self.shown.keys().filter(|(kind, _)| *kind == KindId::NODE).cloned()
    }

    fn change(&mut self, cluster: &Cluster, kind: KindId, key: Key, deltas: &mut Vec<Delta>) {
        let snapshot = cluster.snapshot(kind);
        let object = snapshot.get(&key);
        let place = (kind, key);
        self.follower.note(kind);
        let uid = object.map(Object::uid);
        if let Some(shown) = self.shown.get(&place)
            && Some(shown.as_str()) != uid
        {
            deltas.push(rows::removed(kind, &place.1, shown.clone()));
            self.shown.remove(&place);
        }
        if let Some(object) = object {
            deltas.push(rows::delta(cluster, object, &self.faults));
            self.shown.insert(place, object.uid().to_string());
        }
    }
}

/// Looks at a cluster as a page does, whenever it is called: what a benchmark includes that.
pub fn onlooker() -> impl FnMut(&mut Cluster) {
    let mut shown: Option<Projection> = None;
    move |cluster| {
        match &mut shown {
            Some(projection) => std::hint::black_box(projection.changes(cluster)),
            None => shown.insert(Projection::default()).reset(cluster),
        };
        let projection = shown.get_or_insert_default();
        std::hint::black_box(projection.traffic(cluster, false));
    }
}

/// What is wrong with a node, on purpose.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum NodeFault {
    /// Its machine is off.
    Off(String),
    /// Its kubelet does not run.
    KubeletStopped(String),
}

impl NodeFault {
    fn node(&self) -> &str {
        match self {
            NodeFault::Off(node) | NodeFault::KubeletStopped(node) => node,
        }
    }
}

fn faults(cluster: &Cluster) -> OrdSet<NodeFault> {
    let faults = cluster.kubelets().filter_map(|kubelet| {
        let name = kubelet.node_name().to_string();
        match (kubelet.has_power(), kubelet.is_running()) {
            (false, _) => Some(NodeFault::Off(name)),
            (true, false) => Some(NodeFault::KubeletStopped(name)),
            _ => None,
        }
    });
    faults.collect()
}
