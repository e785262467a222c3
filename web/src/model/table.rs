//! The object lists: which tabs there are, which rows a tab shows in which order, and their
//! cells. Pure. Headings and cells are kubectl's, so they stay English in every language.

use std::rc::Rc;

use protocol::{EventKind, EventRow, KindRow, NodeRow, ObjectRef, ObjectRow, PodRow, WorkloadRow};

use super::{Tables, node_ref, ordered, pod_ref};
use crate::format::human_duration;

/// One list.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Tab {
    /// Pods.
    Pods,
    /// Deployments.
    Deployments,
    /// ReplicaSets.
    ReplicaSets,
    /// Nodes.
    Nodes,
    /// Events.
    Events,
    /// Any other kind, by `apiVersion/kind`.
    Other(Rc<str>),
}

impl Tab {
    /// A name for test ids and saved settings.
    pub fn id(&self) -> String {
        match self {
            Tab::Pods => "pods".into(),
            Tab::Deployments => "deployments".into(),
            Tab::ReplicaSets => "replicasets".into(),
            Tab::Nodes => "nodes".into(),
            Tab::Events => "events".into(),
            Tab::Other(key) => key.rsplit('/').next().unwrap_or(key).to_ascii_lowercase(),
        }
    }

    /// The kind's plural, as it is spoken of.
    pub fn title(&self) -> String {
        match self {
            Tab::Pods => "Pods".into(),
            Tab::Deployments => "Deployments".into(),
            Tab::ReplicaSets => "ReplicaSets".into(),
            Tab::Nodes => "Nodes".into(),
            Tab::Events => "Events".into(),
            Tab::Other(key) => key.rsplit('/').next().unwrap_or(key).to_owned(),
        }
    }
}

/// What the person wants to see of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only this namespace; all when none.
    pub namespace: Option<String>,
    /// Only rows whose name (or, for Events, reason or message) contains this.
    pub text: String,
}

/// A heading and how wide its column is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// As kubectl has it.
    pub title: String,
    /// A class of app.css: `name`, `wide`, `text`, `short` or `number`.
    pub width: &'static str,
}

/// A row of a list.
#[derive(Clone, PartialEq, Debug)]
pub enum Entry {
    /// A pod.
    Pod(Rc<PodRow>),
    /// A Deployment or ReplicaSet.
    Workload(Rc<WorkloadRow>),
    /// A node.
    Node(Rc<NodeRow>),
    /// An Event.
    Event(Rc<EventRow>),
    /// Anything else.
    Object(Rc<ObjectRow>),
}

impl Entry {
    /// Its id, for keyed lists.
    pub fn id(&self) -> &str {
        match self {
            Entry::Pod(row) => &row.uid,
            Entry::Workload(row) => &row.uid,
            Entry::Node(row) => &row.name,
            Entry::Event(row) => &row.uid,
            Entry::Object(row) => &row.uid,
        }
    }

    /// The object that a click on the row selects: for an Event, what it is about.
    pub fn object(&self) -> ObjectRef {
        match self {
            Entry::Pod(row) => pod_ref(row),
            Entry::Workload(row) => row.object.clone(),
            Entry::Node(row) => node_ref(&row.name),
            Entry::Event(row) => row.object.clone(),
            Entry::Object(row) => row.object.clone(),
        }
    }

    /// Text of each column.
    pub fn cells(&self, now_ms: i64) -> Vec<String> {
        let age = |since_ms: i64| human_duration(now_ms - since_ms);
        match self {
            Entry::Pod(row) => vec![
                row.namespace.clone(),
                row.name.clone(),
                format!("{}/{}", row.ready_containers, row.total_containers),
                row.status.clone(),
                row.restarts.to_string(),
                age(row.created_ms),
                or_none(&row.ip),
                or_none(row.node.as_deref().unwrap_or_default()),
            ],
            Entry::Workload(row) if row.object.kind == "Deployment" => vec![
                row.object.namespace.clone(),
                row.object.name.clone(),
                format!("{}/{}", row.ready, row.desired),
                row.updated.to_string(),
                row.available.to_string(),
                age(row.created_ms),
                row.images.join(","),
            ],
            Entry::Workload(row) => vec![
                row.object.namespace.clone(),
                row.object.name.clone(),
                row.desired.to_string(),
                row.current.to_string(),
                row.ready.to_string(),
                age(row.created_ms),
                row.images.join(","),
            ],
            Entry::Node(row) => vec![
                row.name.clone(),
                row.status.clone(),
                row.roles.clone(),
                age(row.created_ms),
                row.version.clone(),
                or_none(&row.internal_ip),
            ],
            Entry::Event(row) => event_cells(row, age(row.last_ms)),
            Entry::Object(row) => object_cells(row, age(row.created_ms)),
        }
    }

    fn namespace(&self) -> &str {
        match self {
            Entry::Pod(row) => &row.namespace,
            Entry::Workload(row) => &row.object.namespace,
            Entry::Node(_) => "",
            Entry::Event(row) => &row.namespace,
            Entry::Object(row) => &row.object.namespace,
        }
    }

    fn matches(&self, filter: &Filter) -> bool {
        let in_namespace = match &filter.namespace {
            Some(wanted) => self.namespace().is_empty() || self.namespace() == wanted,
            None => true,
        };
        let wanted = filter.text.to_ascii_lowercase();
        let has = |text: &str| text.to_ascii_lowercase().contains(&wanted);
        in_namespace
            && (filter.text.is_empty()
                || match self {
                    Entry::Pod(row) => has(&row.name) || has(&row.status),
                    Entry::Workload(row) => has(&row.object.name),
                    Entry::Node(row) => has(&row.name),
                    Entry::Event(row) => {
                        has(&row.reason) || has(&row.message) || has(&row.object.name)
                    }
                    Entry::Object(row) => has(&row.object.name),
                })
    }
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "<none>".into() } else { text.into() }
}

fn event_cells(row: &EventRow, age: String) -> Vec<String> {
    let kind = match row.kind {
        EventKind::Normal => "Normal",
        EventKind::Warning => "Warning",
    };
    vec![
        if row.count > 1 { format!("{age} (x{})", row.count) } else { age },
        kind.into(),
        row.reason.clone(),
        format!("{}/{}", row.object.kind.to_ascii_lowercase(), row.object.name),
        row.message.clone(),
        row.namespace.clone(),
    ]
}

fn object_cells(row: &ObjectRow, age: String) -> Vec<String> {
    let mut cells = Vec::with_capacity(row.cells.len() + 3);
    if !row.object.namespace.is_empty() {
        cells.push(row.object.namespace.clone());
    }
    cells.push(row.object.name.clone());
    cells.extend(row.cells.iter().cloned());
    cells.push(age);
    cells
}

/// Kinds that have lists of our own.
const OWN: [&str; 5] = ["Pod", "Deployment", "ReplicaSet", "Node", "Event"];

/// The lists there are: five of our own, then every other kind that the server told of.
pub fn tabs(tables: &Tables) -> Vec<Tab> {
    let own = [Tab::Pods, Tab::Deployments, Tab::ReplicaSets, Tab::Nodes, Tab::Events];
    let others = tables.kinds.iter().filter(|(_, kind)| !OWN.contains(&kind.kind.as_str()));
    own.into_iter().chain(others.map(|(key, _)| Tab::Other(Rc::clone(key)))).collect()
}

/// Headings of a list.
pub fn columns(tables: &Tables, tab: &Tab) -> Vec<Column> {
    let of = |list: &[(&str, &'static str)]| {
        list.iter().map(|&(title, width)| Column { title: title.into(), width }).collect()
    };
    match tab {
        Tab::Pods => of(&[
            ("Namespace", "short"),
            ("Name", "name"),
            ("Ready", "number"),
            ("Status", "text"),
            ("Restarts", "number"),
            ("Age", "number"),
            ("IP", "short"),
            ("Node", "short"),
        ]),
        Tab::Deployments => of(&[
            ("Namespace", "short"),
            ("Name", "name"),
            ("Ready", "number"),
            ("Up-to-date", "number"),
            ("Available", "number"),
            ("Age", "number"),
            ("Images", "wide"),
        ]),
        Tab::ReplicaSets => of(&[
            ("Namespace", "short"),
            ("Name", "name"),
            ("Desired", "number"),
            ("Current", "number"),
            ("Ready", "number"),
            ("Age", "number"),
            ("Images", "wide"),
        ]),
        Tab::Nodes => of(&[
            ("Name", "name"),
            ("Status", "text"),
            ("Roles", "text"),
            ("Age", "number"),
            ("Version", "short"),
            ("Internal-IP", "short"),
        ]),
        Tab::Events => of(&[
            ("Last Seen", "short"),
            ("Type", "number"),
            ("Reason", "text"),
            ("Object", "name"),
            ("Message", "wide"),
            ("Namespace", "short"),
        ]),
        Tab::Other(key) => tables.kinds.get(key).map(|kind| kind_columns(kind)).unwrap_or_default(),
    }
}

fn kind_columns(kind: &KindRow) -> Vec<Column> {
    let column = |title: &str, width| Column { title: title.into(), width };
    let mut columns = Vec::with_capacity(kind.columns.len() + 3);
    if kind.namespaced {
        columns.push(column("Namespace", "short"));
    }
    columns.push(column("Name", "name"));
    columns.extend(kind.columns.iter().map(|title| column(title, "text")));
    columns.push(column("Age", "number"));
    columns
}

/// Rows of a list: by namespace and name, Events with the latest first.
pub fn entries(tables: &Tables, tab: &Tab, filter: &Filter) -> Vec<Entry> {
    let mut rows: Vec<Entry> = match tab {
        Tab::Pods => tables.pods.values().cloned().map(Entry::Pod).collect(),
        Tab::Nodes => tables.nodes.values().cloned().map(Entry::Node).collect(),
        Tab::Events => tables.events.values().cloned().map(Entry::Event).collect(),
        Tab::Deployments => workloads(tables, "Deployment"),
        Tab::ReplicaSets => workloads(tables, "ReplicaSet"),
        Tab::Other(key) => tables
            .objects
            .values()
            .filter(|row| is_of_kind(&row.object, key))
            .cloned()
            .map(Entry::Object)
            .collect(),
    };
    rows.retain(|row| row.matches(filter));
    ordered(rows, |row| match row {
        Entry::Event(row) => format!("{:020} {}", i64::MAX - row.last_ms, row.uid),
        row => format!("{}/{}", row.namespace(), name(row)),
    })
}

fn is_of_kind(object: &ObjectRef, key: &str) -> bool {
    key.strip_suffix(object.kind.as_str())
        .and_then(|rest| rest.strip_suffix('/'))
        .is_some_and(|api_version| api_version == object.api_version)
}

fn workloads(tables: &Tables, kind: &str) -> Vec<Entry> {
    let of_kind = tables.workloads.values().filter(|row| row.object.kind == kind);
    of_kind.cloned().map(Entry::Workload).collect()
}

fn name(entry: &Entry) -> &str {
    match entry {
        Entry::Pod(row) => &row.name,
        Entry::Workload(row) => &row.object.name,
        Entry::Node(row) => &row.name,
        Entry::Event(row) => &row.object.name,
        Entry::Object(row) => &row.object.name,
    }
}

/// Namespaces in which there is anything to list.
pub fn namespaces(tables: &Tables) -> Vec<String> {
    let named = tables.objects.values().filter(|row| row.object.kind == "Namespace");
    let all = named
        .map(|row| row.object.name.clone())
        .chain(tables.pods.values().map(|pod| pod.namespace.clone()))
        .collect();
    let mut all = ordered(all, String::clone);
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::super::testing::{batch, event, node, pod};
    use super::*;
    use protocol::{Delta, PodState};

    fn tables() -> Tables {
        let mut other = pod("c", None, PodState::Unscheduled);
        other.namespace = "shop".into();
        let kind = KindRow {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            resource: "configmaps".into(),
            namespaced: true,
            columns: vec!["Data".into()],
        };
        let config = ObjectRow {
            uid: "m".into(),
            object: ObjectRef {
                api_version: "v1".into(),
                kind: "ConfigMap".into(),
                namespace: "shop".into(),
                name: "colours".into(),
            },
            cells: vec!["2".into()],
            created_ms: 0,
        };
        let mut world = crate::model::World::default();
        let deltas = vec![
            Delta::Pod(Box::new(other)),
            Delta::Pod(Box::new(pod("b", Some("node-1"), PodState::Ready))),
            Delta::Pod(Box::new(pod("a", Some("node-1"), PodState::Ready))),
            Delta::Node(node("node-1")),
            Delta::Kind(KindRow { kind: "Pod".into(), ..kind.clone() }),
            Delta::Kind(kind),
            Delta::Object(config),
            Delta::Event(event("old", 1000)),
            Delta::Event(event("new", 9000)),
        ];
        world.apply(batch(1, deltas)).unwrap();
        world.tables
    }

    fn ids(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(Entry::id).collect()
    }

    #[test]
    fn rows_are_ordered_by_namespace_and_name_and_events_by_time() {
        let tables = tables();
        let filter = Filter::default();
        assert_eq!(ids(&entries(&tables, &Tab::Pods, &filter)), ["a", "b", "c"]);
        assert_eq!(ids(&entries(&tables, &Tab::Events, &filter)), ["new", "old"]);
    }

    #[test]
    fn filters_narrow_by_namespace_and_text() {
        let tables = tables();
        let shop = Filter { namespace: Some("shop".into()), text: String::new() };
        assert_eq!(ids(&entries(&tables, &Tab::Pods, &shop)), ["c"]);
        assert_eq!(ids(&entries(&tables, &Tab::Nodes, &shop)), ["node-1"], "cluster-scoped");
        let text = Filter { namespace: None, text: "SUCCESSFULLY".into() };
        assert_eq!(entries(&tables, &Tab::Events, &text).len(), 2);
    }

    #[test]
    fn every_row_has_a_cell_for_each_heading() {
        let tables = tables();
        for tab in super::tabs(&tables) {
            let headings = columns(&tables, &tab).len();
            for entry in entries(&tables, &tab, &Filter::default()) {
                assert_eq!(entry.cells(10_000).len(), headings, "{tab:?} {entry:?}");
            }
        }
    }

    #[test]
    fn a_kind_that_the_server_tells_of_gets_a_list() {
        let tables = tables();
        assert_eq!(super::tabs(&tables).len(), 6, "Pods have one already");
        let tab = super::tabs(&tables).pop().unwrap();
        assert_eq!((tab.title().as_str(), tab.id().as_str()), ("ConfigMap", "configmap"));
        let rows = entries(&tables, &tab, &Filter::default());
        assert_eq!(rows[0].cells(5_000), ["shop", "colours", "2", "5s"]);
    }

    #[test]
    fn namespaces_are_listed_once() {
        assert_eq!(namespaces(&tables()), ["default", "shop"]);
    }
}
