//! One row per object.

use api::openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet};
use api::openapi::api::core::v1::{Event, Node, PodTemplateSpec};
use api::openapi::apimachinery::pkg::api::resource::Quantity;
use api::openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use api::quantity::Amount;
use api::{Key, Kind, KindId, Object};
use cluster::Cluster;
use protocol::{
    ConditionRow, ConditionStatus, Delta, EventKind, EventRow, KindRow, NodeRow, ObjectRow, Owner,
    Resources, WorkloadRow,
};
use sim::OrdSet;

use crate::{NodeFault, pod, reference};

/// The row of an object, whatever its kind.
pub(crate) fn delta(cluster: &Cluster, object: &Object, faults: &OrdSet<NodeFault>) -> Delta {
    if let Some(node) = object.get::<Node>() {
        return Delta::Node(node_row(cluster, object, node, faults));
    }
    if let Some(deployment) = object.get::<Deployment>() {
        return Delta::Workload(deployment_row(object, deployment));
    }
    if let Some(replica_set) = object.get::<ReplicaSet>() {
        return Delta::Workload(replica_set_row(object, replica_set));
    }
    if let Some(daemon_set) = object.get::<DaemonSet>() {
        return Delta::Workload(daemon_set_row(object, daemon_set));
    }
    if let Some(event) = object.get::<Event>() {
        return Delta::Event(event_row(event));
    }
    match pod::row(cluster, object) {
        Some(row) => Delta::Pod(Box::new(row)),
        None => Delta::Object(object_row(cluster, object)),
    }
}

/// That a row is gone.
pub(crate) fn removed(kind: KindId, key: &Key, uid: String) -> Delta {
    match kind {
        KindId::NODE => Delta::NodeRemoved(key.name.to_string()),
        KindId::POD => Delta::PodRemoved(uid),
        KindId::DEPLOYMENT | KindId::REPLICA_SET | KindId::DAEMON_SET => {
            Delta::WorkloadRemoved(uid)
        }
        KindId::EVENT => Delta::EventRemoved(uid),
        _ => Delta::ObjectRemoved(uid),
    }
}

/// A kind with the columns that the page prints from [`ObjectRow::cells`].
pub(crate) fn kind(kind: &Kind) -> KindRow {
    KindRow {
        api_version: kind.api_version.to_string(),
        kind: kind.kind.to_string(),
        resource: kind.plural.to_string(),
        namespaced: kind.is_namespaced(),
        columns: own_columns(kind).map(|(_, name)| name.to_string()).collect(),
    }
}

/// The positions and headings of the columns that are always shown, without Name and Age.
fn own_columns(kind: &Kind) -> impl Iterator<Item = (usize, &'static str)> {
    (kind.columns)()
        .iter()
        .enumerate()
        .filter(|(_, column)| column.priority == 0 && !matches!(column.name, "Name" | "Age"))
        .map(|(index, column)| (index, column.name))
}

/// A point in time as the protocol says it.
pub(crate) fn milliseconds(time: Option<&Time>) -> i64 {
    time.map_or(0, |time| time.0.as_millisecond())
}

/// When the object came into being.
pub(crate) fn created(meta: &ObjectMeta) -> i64 {
    milliseconds(meta.creation_timestamp.as_ref())
}

/// The object's controller.
pub(crate) fn owner(meta: &ObjectMeta) -> Option<Owner> {
    let mut owners = meta.owner_references.iter().flatten();
    let owner = owners.find(|owner| owner.controller == Some(true))?;
    Some(Owner {
        api_version: owner.api_version.clone(),
        kind: owner.kind.clone(),
        name: owner.name.clone(),
    })
}

/// A count of the API as the protocol says it.
pub(crate) fn count(number: Option<i32>) -> u32 {
    u32::try_from(number.unwrap_or(0)).unwrap_or(0)
}

/// A condition of any kind, from its five parts.
pub(crate) fn condition(
    (kind, status): (&str, &str),
    (reason, message): (Option<&String>, Option<&String>),
    since: Option<&Time>,
) -> ConditionRow {
    ConditionRow {
        kind: kind.to_string(),
        status: condition_status(status),
        reason: reason.cloned().unwrap_or_default(),
        message: message.cloned().unwrap_or_default(),
        since_ms: milliseconds(since),
    }
}

fn condition_status(status: &str) -> ConditionStatus {
    match status {
        "True" => ConditionStatus::True,
        "False" => ConditionStatus::False,
        _ => ConditionStatus::Unknown,
    }
}

fn object_row(cluster: &Cluster, object: &Object) -> ObjectRow {
    let kind = object.kind();
    let cells = (object.behaviour().row)(object, cluster.clock().timestamp(cluster.now()));
    let own = own_columns(kind);
    ObjectRow {
        uid: object.uid().to_string(),
        object: reference(object),
        cells: own
            .map(|(index, _)| cells.get(index).map(ToString::to_string).unwrap_or_default())
            .collect(),
        created_ms: created(object.meta()),
    }
}

fn node_row(
    cluster: &Cluster,
    object: &Object,
    node: &Node,
    faults: &OrdSet<NodeFault>,
) -> NodeRow {
    let name = object.name();
    let spec = node.spec.clone().unwrap_or_default();
    let status = node.status.clone().unwrap_or_default();
    let cells = pod::cells_by_name(object, cluster);
    let conditions: Vec<ConditionRow> = status
        .conditions
        .iter()
        .flatten()
        .map(|c| {
            let words = (c.reason.as_ref(), c.message.as_ref());
            condition((&c.type_, &c.status), words, c.last_transition_time.as_ref())
        })
        .collect();
    let ready = conditions.iter().find(|condition| condition.kind == "Ready");
    let address = status.addresses.iter().flatten().find(|a| a.type_ == "InternalIP");
    let quantity = |name: &str| status.allocatable.as_ref()?.get(name);
    let mut requested = Resources::default();
    for pod in cluster.snapshot(KindId::POD).on_node(name) {
        pod::add_requests(pod, &mut requested);
    }
    NodeRow {
        name: name.to_string(),
        uid: object.uid().to_string(),
        status: cells.get("Status").cloned().unwrap_or_default(),
        ready: ready.map_or(ConditionStatus::Unknown, |condition| condition.status),
        unschedulable: spec.unschedulable.unwrap_or(false),
        failed: faults.contains(&NodeFault::Off(name.to_string())),
        kubelet_stopped: faults.contains(&NodeFault::KubeletStopped(name.to_string())),
        roles: cells.get("Roles").cloned().unwrap_or_default(),
        version: status.node_info.map(|info| info.kubelet_version).unwrap_or_default(),
        internal_ip: address.map(|address| address.address.clone()).unwrap_or_default(),
        allocatable: Resources {
            cpu_milli: amount(quantity("cpu"), true),
            memory_bytes: amount(quantity("memory"), false),
            pods: amount(quantity("pods"), false),
        },
        requested,
        conditions,
        taints: spec.taints.iter().flatten().map(taint).collect(),
        created_ms: created(object.meta()),
    }
}

fn amount(quantity: Option<&Quantity>, milli: bool) -> i64 {
    let amount = quantity.map(Amount::of).unwrap_or_default();
    if milli { amount.milli_value() } else { amount.value() }
}

fn taint(taint: &api::openapi::api::core::v1::Taint) -> String {
    match taint.value.as_deref() {
        None | Some("") => format!("{}:{}", taint.key, taint.effect),
        Some(value) => format!("{}={value}:{}", taint.key, taint.effect),
    }
}

fn images(template: Option<&PodTemplateSpec>) -> Vec<String> {
    let spec = template.and_then(|template| template.spec.as_ref());
    let containers = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
    containers.iter().filter_map(|container| container.image.clone()).collect()
}

fn deployment_row(object: &Object, deployment: &Deployment) -> WorkloadRow {
    let spec = &deployment.spec;
    let status = deployment.status.clone().unwrap_or_default();
    WorkloadRow {
        uid: object.uid().to_string(),
        object: reference(object),
        owner: owner(object.meta()),
        desired: count(spec.replicas),
        current: count(status.replicas),
        updated: count(status.updated_replicas),
        ready: count(status.ready_replicas),
        available: count(status.available_replicas),
        images: images(Some(&spec.template)),
        terminating: object.meta().deletion_timestamp.is_some(),
        created_ms: created(object.meta()),
    }
}

fn replica_set_row(object: &Object, replica_set: &ReplicaSet) -> WorkloadRow {
    let spec = &replica_set.spec;
    let status = replica_set.status.clone().unwrap_or_default();
    let current = count(Some(status.replicas));
    WorkloadRow {
        uid: object.uid().to_string(),
        object: reference(object),
        owner: owner(object.meta()),
        desired: count(spec.replicas),
        current,
        updated: current,
        ready: count(status.ready_replicas),
        available: count(status.available_replicas),
        images: images(spec.template.as_ref()),
        terminating: object.meta().deletion_timestamp.is_some(),
        created_ms: created(object.meta()),
    }
}

fn daemon_set_row(object: &Object, daemon_set: &DaemonSet) -> WorkloadRow {
    let status = daemon_set.status.clone().unwrap_or_default();
    WorkloadRow {
        uid: object.uid().to_string(),
        object: reference(object),
        owner: owner(object.meta()),
        desired: count(Some(status.desired_number_scheduled)),
        current: count(Some(status.current_number_scheduled)),
        updated: count(status.updated_number_scheduled),
        ready: count(Some(status.number_ready)),
        available: count(status.number_available),
        images: images(Some(&daemon_set.spec.template)),
        terminating: object.meta().deletion_timestamp.is_some(),
        created_ms: created(object.meta()),
    }
}

/// The row of an Event.
pub(crate) fn event_row(event: &Event) -> EventRow {
    let about = &event.involved_object;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let source = event.source.clone().unwrap_or_default();
    let component = text(&source.component);
    EventRow {
        uid: text(&event.metadata.uid),
        namespace: text(&event.metadata.namespace),
        object: protocol::ObjectRef {
            api_version: text(&about.api_version),
            kind: text(&about.kind),
            namespace: text(&about.namespace),
            name: text(&about.name),
        },
        kind: match event.type_.as_deref() {
            Some("Warning") => EventKind::Warning,
            _ => EventKind::Normal,
        },
        reason: text(&event.reason),
        message: text(&event.message),
        count: count(event.count).max(1),
        source: match source.host {
            Some(host) => format!("{component}, {host}"),
            None => component,
        },
        first_ms: milliseconds(event.first_timestamp.as_ref()),
        last_ms: milliseconds(event.last_timestamp.as_ref()),
    }
}
