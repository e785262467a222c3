//! What the scenario tests share: manifests of our own writing, and ways to look at a cluster.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use api::openapi::api::core::v1::Pod;
use api::{KindId, Object};
use cluster::{Cluster, Command, Options};
use sim::Duration;

/// A Deployment of three web servers.
pub const NGINX: &str = "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: nginx
  labels: {app: nginx}
spec:
  replicas: 3
  selector:
    matchLabels: {app: nginx}
  template:
    metadata:
      labels: {app: nginx}
    spec:
      containers:
      - name: nginx
        image: nginx:1.28
        ports:
        - containerPort: 80
";

/// A pod whose container ends with an error again and again.
pub const CRASHING: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: crashing
spec:
  containers:
  - name: main
    image: busybox:1.37
    command: [sh, -c, 'echo going down; sleep 2; exit 3']
";

/// A pod that asks for more than any node has.
pub const TOO_LARGE: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: too-large
spec:
  containers:
  - name: main
    image: nginx:1.28
    resources:
      requests:
        cpu: '64'
";

/// A DaemonSet: an agent on every node without taints.
pub const AGENT: &str = "
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: agent
spec:
  selector:
    matchLabels: {app: agent}
  template:
    metadata:
      labels: {app: agent}
    spec:
      containers:
      - name: agent
        image: nginx:1.28
";

/// A cluster of three nodes that have joined.
pub fn booted() -> Cluster {
    let mut cluster = Cluster::new(Options::new(1, 3));
    cluster.run(Duration::from_secs(30));
    cluster
}

/// Applies manifests, none of which may be refused.
pub fn apply(cluster: &mut Cluster, text: &str) {
    let outcome = cluster.execute(Command::Apply { text: text.to_string() });
    for result in &outcome.results {
        assert!(result.is_done(), "{result:?}");
    }
}

/// The pods of the namespace default.
pub fn pods(cluster: &Cluster) -> Vec<Pod> {
    let snapshot = cluster.snapshot(KindId::POD);
    snapshot.in_namespace("default").filter_map(Object::get::<Pod>).cloned().collect()
}

/// Whether a pod's condition holds.
pub fn condition(pod: &Pod, kind: &str) -> bool {
    let conditions = pod.status.iter().flat_map(|status| &status.conditions).flatten();
    conditions.into_iter().any(|condition| condition.type_ == kind && condition.status == "True")
}

/// How many pods of the namespace default are ready.
pub fn ready(cluster: &Cluster) -> usize {
    pods(cluster).iter().filter(|pod| condition(pod, "Ready")).count()
}
