//! What the tests of one pod `app` in a whole cluster share.

use api::openapi::api::core::v1::{Event, Pod};
use api::{Key, KindId, Object};
use cluster::{Cluster, Command, Options};
use sim::Duration;

/// A cluster of which all nodes are ready.
pub fn booted() -> Cluster {
    let mut cluster = Cluster::new(Options::default());
    cluster.run(Duration::from_secs(15));
    cluster
}

/// Applies a manifest that is taken.
pub fn apply(cluster: &mut Cluster, text: &str) {
    let outcome = cluster.execute(Command::Apply { text: text.to_string() });
    assert!(outcome.results.iter().all(kubectl::DocumentResult::is_done), "{outcome:?}");
}

/// Deletes the pod.
pub fn delete(cluster: &mut Cluster) {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\n".to_string();
    cluster.execute(Command::Delete { text });
}

/// The pod as it is stored.
pub fn pod(cluster: &Cluster) -> Option<Pod> {
    let pods = cluster.snapshot(KindId::POD);
    pods.get(&Key::new("default", "app")).and_then(Object::get::<Pod>).cloned()
}

/// The Events about the pod: their reasons and messages.
pub fn events(cluster: &Cluster) -> Vec<(String, String)> {
    let snapshot = cluster.snapshot(KindId::EVENT);
    let about = snapshot.in_namespace("default").filter_map(Object::get::<Event>);
    let about = about.filter(|event| event.involved_object.name.as_deref() == Some("app"));
    about
        .map(|e| (e.reason.clone().unwrap_or_default(), e.message.clone().unwrap_or_default()))
        .collect()
}

/// What the pod's container `main` printed.
pub fn log(cluster: &Cluster) -> String {
    let logs = |kubelet: &kubelet::Kubelet| {
        kubelet.logs("default", "app", "main", false).map(runtime::ContainerLog::text)
    };
    cluster.kubelets().find_map(logs).expect("a log")
}
