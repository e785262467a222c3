//! What the page knows of the cluster: rows by id, as the worker's batches leave them. Pure.
//!
//! Each table is an `Rc` of its own, so that a view which shows one table is drawn again only
//! when that table changed: its properties compare by pointer.

mod journal;
mod requests;
mod sorted;
mod table;
#[cfg(test)]
pub mod testing;
mod traffic;

use std::rc::Rc;

use protocol::{
    Batch, Booted, ComponentRow, Delta, EventRow, GeneratorRow, HopRow, KindRow, NodeRow,
    ObjectRef, ObjectRow, PacketRow, PodRow, PodState, ServiceRow, WorkloadRow,
};

pub use journal::{Journal, Origin};
pub use requests::{Address, RequestTarget, generators_of, ports_of, senders, targets};
pub use sorted::{Sorted, ordered};
pub use table::{Column, Entry, Filter, Tab, columns, entries, namespaces, tabs};
pub use traffic::{Traffic, Waiting};

/// Rows of one sort by their id.
pub type Rows<T> = Sorted<Rc<T>>;

/// A table that compares by pointer.
#[derive(Debug)]
pub struct Table<T>(Rc<Rows<T>>);

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Table(Rc::clone(&self.0))
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table(Rc::default())
    }
}

impl<T> PartialEq for Table<T> {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> std::ops::Deref for Table<T> {
    type Target = Rows<T>;

    fn deref(&self) -> &Rows<T> {
        &self.0
    }
}

impl<T> Table<T> {
    fn put(&mut self, id: &str, row: T) {
        Rc::make_mut(&mut self.0).put(Rc::from(id), Rc::new(row));
    }

    fn remove(&mut self, id: &str) {
        if self.0.contains(id) {
            Rc::make_mut(&mut self.0).remove(id);
        }
    }
}

/// The clock and the engine's pace, as of the last batch.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Pace {
    /// The virtual clock.
    pub now_ms: i64,
    /// Whether virtual time flows.
    pub running: bool,
    /// Virtual seconds per wall second.
    pub speed_achieved: f64,
    /// Whether the engine cannot keep up.
    pub behind: bool,
    /// Whether nothing is on its way.
    pub quiet: bool,
    /// Events handled since boot.
    pub events_handled: u64,
}

/// Everything that the worker told.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct World {
    /// Facts of this cluster; none before it exists.
    pub booted: Option<Booted>,
    /// The clock.
    pub pace: Pace,
    /// The rows.
    pub tables: Tables,
    /// The latest packets and the hops of one, while somebody looks at them.
    pub packets: Packets,
    /// Packets and probes that nobody has shown yet.
    pub traffic: Traffic,
    /// While virtual time stands: the packet that was the last to go.
    pub last_packet: Option<PacketRow>,
    sequence: Option<u64>,
}

/// The latest packets, oldest first, and the hops of one. Cheap to clone.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Packets {
    /// The packets.
    pub rows: Rc<Vec<PacketRow>>,
    /// A packet and its hops.
    pub hops: (Option<u64>, Rc<Vec<HopRow>>),
}

/// Every table. Cheap to clone and to compare.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Tables {
    /// Kinds without rows of their own sort, by `apiVersion/kind`.
    pub kinds: Table<KindRow>,
    /// Nodes by name.
    pub nodes: Table<NodeRow>,
    /// Pods by uid.
    pub pods: Table<PodRow>,
    /// Deployments and ReplicaSets by uid.
    pub workloads: Table<WorkloadRow>,
    /// Services by uid.
    pub services: Table<ServiceRow>,
    /// Other objects by uid.
    pub objects: Table<ObjectRow>,
    /// Components of the control plane by name.
    pub components: Table<ComponentRow>,
    /// Generators of traffic by name.
    pub generators: Table<GeneratorRow>,
    /// Events by uid.
    pub events: Table<EventRow>,
}

/// A batch is missing: what the page holds is not to be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap;

impl World {
    /// A fresh cluster: forgets the one before.
    pub fn boot(&mut self, booted: Booted) {
        let now_ms = booted.epoch_ms;
        let traffic = self.traffic.clone();
        *self = World { booted: Some(booted), traffic, ..World::default() };
        self.pace.now_ms = now_ms;
    }

    /// Takes a batch in. After a gap nothing is taken until one with `reset` comes.
    pub fn apply(&mut self, batch: Batch) -> Result<(), Gap> {
        if batch.reset {
            let traffic = self.traffic.clone();
            *self = World { booted: self.booted.take(), traffic, ..World::default() };
        } else if self.sequence.is_some_and(|last| last + 1 != batch.sequence) {
            return Err(Gap);
        }
        self.sequence = Some(batch.sequence);
        self.pace = Pace {
            now_ms: batch.now_ms,
            running: batch.running,
            speed_achieved: batch.speed_achieved,
            behind: batch.behind,
            quiet: batch.quiet,
            events_handled: batch.events_handled,
        };
        self.last_packet = match batch.packets.last() {
            _ if batch.running => None,
            Some(packet) => Some(packet.clone()),
            None => self.last_packet.take(),
        };
        self.traffic.add(batch.packets, batch.lanes, batch.probes);
        for delta in batch.deltas {
            self.tables.take(delta);
        }
        Ok(())
    }

    /// Virtual time since boot.
    pub fn elapsed_ms(&self) -> i64 {
        self.booted.as_ref().map_or(0, |booted| self.pace.now_ms - booted.epoch_ms)
    }
}

impl Tables {
    fn take(&mut self, delta: Delta) {
        match delta {
            Delta::Kind(row) => {
                let id = format!("{}/{}", row.api_version, row.kind);
                self.kinds.put(&id, row);
            }
            Delta::Node(row) => self.nodes.put(&row.name.clone(), row),
            Delta::NodeRemoved(name) => self.nodes.remove(&name),
            Delta::Pod(row) => self.pods.put(&row.uid.clone(), *row),
            Delta::PodRemoved(uid) => self.pods.remove(&uid),
            Delta::Workload(row) => self.workloads.put(&row.uid.clone(), row),
            Delta::WorkloadRemoved(uid) => self.workloads.remove(&uid),
            Delta::Service(row) => self.services.put(&row.uid.clone(), *row),
            Delta::ServiceRemoved(uid) => self.services.remove(&uid),
            Delta::Object(row) => self.objects.put(&row.uid.clone(), row),
            Delta::ObjectRemoved(uid) => self.objects.remove(&uid),
            Delta::Component(row) => self.components.put(&row.name.clone(), row),
            Delta::Generator(row) => self.generators.put(&row.name.clone(), *row),
            Delta::GeneratorRemoved(name) => self.generators.remove(&name),
            Delta::Event(row) => self.events.put(&row.uid.clone(), row),
            Delta::EventRemoved(uid) => self.events.remove(&uid),
        }
    }

    /// The pod of this name.
    pub fn pod(&self, object: &ObjectRef) -> Option<&Rc<PodRow>> {
        if object.kind != "Pod" {
            return None;
        }
        self.pods.values().find(|pod| pod.name == object.name && pod.namespace == object.namespace)
    }

    /// The Service of this name.
    pub fn service(&self, object: &ObjectRef) -> Option<(&Rc<str>, &Rc<ServiceRow>)> {
        if object.kind != "Service" {
            return None;
        }
        let same = |row: &ServiceRow| row.name == object.name && row.namespace == object.namespace;
        self.services.iter().find(|(_, row)| same(row))
    }

    /// The workload of this name.
    pub fn workload(&self, object: &ObjectRef) -> Option<&Rc<WorkloadRow>> {
        self.workloads.values().find(|row| row.object == *object)
    }
}

/// The reference of a Service's row.
pub fn service_ref(service: &ServiceRow) -> ObjectRef {
    ObjectRef {
        api_version: "v1".into(),
        kind: "Service".into(),
        namespace: service.namespace.clone(),
        name: service.name.clone(),
    }
}

/// How many pods are in which state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// All of them.
    pub total: usize,
    /// Without a node.
    pub unscheduled: usize,
    /// Ready.
    pub ready: usize,
    /// Done.
    pub succeeded: usize,
    /// Failed, crash-looping or unknown.
    pub troubled: usize,
}

impl Counts {
    /// Counts pods.
    pub fn of<'a>(pods: impl Iterator<Item = &'a Rc<PodRow>>) -> Counts {
        let mut counts = Counts::default();
        for pod in pods {
            counts.total += 1;
            match pod.state {
                PodState::Unscheduled => counts.unscheduled += 1,
                PodState::Ready => counts.ready += 1,
                PodState::Succeeded => counts.succeeded += 1,
                PodState::Failed | PodState::CrashLooping | PodState::Unknown => {
                    counts.troubled += 1;
                }
                PodState::Creating | PodState::RunningNotReady | PodState::Terminating => {}
            }
        }
        counts
    }
}

/// Whether a pod is the cluster's own: its namespace is one of those that Kubernetes keeps for
/// itself. Upstream: names that begin with `kube-` are reserved for Kubernetes' namespaces.
pub fn is_of_the_system(pod: &PodRow) -> bool {
    is_namespace_of_the_system(&pod.namespace)
}

/// Whether a namespace is one of those.
pub fn is_namespace_of_the_system(namespace: &str) -> bool {
    namespace.starts_with("kube-")
}

/// The reference of a pod's row.
pub fn pod_ref(pod: &PodRow) -> ObjectRef {
    ObjectRef {
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
    }
}

/// The reference of a node's row.
pub fn node_ref(name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "v1".into(),
        kind: "Node".into(),
        namespace: String::new(),
        name: name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{batch, node, pod};
    use super::*;

    #[test]
    fn a_later_row_replaces_an_earlier_one() {
        let mut world = World::default();
        let mut row = pod("a", Some("node-1"), PodState::Creating);
        world.apply(batch(1, vec![Delta::Pod(Box::new(row.clone()))])).unwrap();
        row.state = PodState::Ready;
        world.apply(batch(2, vec![Delta::Pod(Box::new(row))])).unwrap();
        assert_eq!(
            Counts::of(world.tables.pods.values()),
            Counts { total: 1, ready: 1, ..Counts::default() }
        );
        world.apply(batch(3, vec![Delta::PodRemoved("a".into())])).unwrap();
        assert_eq!(Counts::of(world.tables.pods.values()).total, 0);
    }

    #[test]
    fn a_gap_is_noticed_and_changes_nothing_until_a_reset() {
        let mut world = World::default();
        world.apply(batch(1, vec![Delta::Node(node("node-1"))])).unwrap();
        assert_eq!(world.apply(batch(3, vec![Delta::NodeRemoved("node-1".into())])), Err(Gap));
        assert_eq!(world.tables.nodes.len(), 1);
        let mut fresh = batch(9, vec![Delta::Node(node("node-2"))]);
        fresh.reset = true;
        world.apply(fresh).unwrap();
        assert_eq!(world.tables.nodes.keys().map(|name| &**name).collect::<Vec<_>>(), ["node-2"]);
        world.apply(batch(10, vec![])).unwrap();
    }

    #[test]
    fn tables_that_did_not_change_stay_equal_by_pointer() {
        let mut world = World::default();
        world.apply(batch(1, vec![Delta::Node(node("node-1"))])).unwrap();
        let before = world.clone();
        let delta = Delta::Pod(Box::new(pod("a", None, PodState::Unscheduled)));
        world.apply(batch(2, vec![delta, Delta::PodRemoved("unheard-of".into())])).unwrap();
        assert!(before.tables.nodes == world.tables.nodes);
        assert!(before.tables.pods != world.tables.pods);
    }
}
