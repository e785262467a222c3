//! What every component uses of the API, as a snapshot. A component that needs more than
//! upstream's role grants is the defect.
//!
//! Upstream: plugin/pkg/auth/authorizer/rbac/bootstrappolicy/{policy,controller_policy}.go

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use cluster::Command;
use sim::Duration;
use support::{AGENT, CRASHING, NGINX, TOO_LARGE, apply, booted};

/// A Service before the pods of [`NGINX`].
const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata:
  name: nginx
spec:
  selector:
    app: nginx
  ports:
  - port: 80
";

/// A StatefulSet, Jobs by the minute, one that goes by itself, a budget and a quota.
const BATCH: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: member
spec:
  serviceName: member
  replicas: 2
  selector:
    matchLabels:
      app: member
  template:
    metadata:
      labels:
        app: member
    spec:
      containers:
      - name: member
        image: nginx:1.28
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: minutely
spec:
  schedule: '* * * * *'
  successfulJobsHistoryLimit: 1
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
          - name: main
            image: busybox
            command: [echo, done]
---
apiVersion: batch/v1
kind: Job
metadata:
  name: brief
spec:
  ttlSecondsAfterFinished: 5
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: busybox
        command: [echo, done]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: member
spec:
  minAvailable: 1
  selector:
    matchLabels:
      app: member
---
apiVersion: v1
kind: ResourceQuota
metadata:
  name: some
spec:
  hard:
    pods: 50
";

/// Everything that the components of this version do: a rollout behind a Service, a DaemonSet, a
/// crash loop, a StatefulSet and Jobs, a node that fails for longer than its pods tolerate, a
/// namespace and a Deployment that are deleted.
fn used() -> String {
    let mut cluster = booted();
    apply(&mut cluster, NGINX);
    apply(&mut cluster, SERVICE);
    apply(&mut cluster, AGENT);
    apply(&mut cluster, CRASHING);
    apply(&mut cluster, TOO_LARGE);
    apply(&mut cluster, BATCH);
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: other\n";
    let inside =
        NGINX.replace("name: nginx\n  labels", "name: nginx\n  namespace: other\n  labels");
    apply(&mut cluster, &format!("{namespace}---{inside}"));
    cluster.run(Duration::from_secs(60));
    apply(&mut cluster, &NGINX.replace("1.28", "1.29"));
    apply(&mut cluster, &AGENT.replace("1.28", "1.29"));
    apply(&mut cluster, &BATCH.replace("1.28", "1.29"));
    cluster.execute(Command::FailNode { name: "node-3".into() });
    cluster.run(Duration::from_secs(600));
    cluster.execute(Command::RecoverNode { name: "node-3".into() });
    cluster.execute(Command::Delete { text: namespace.to_string() });
    cluster.execute(Command::Delete { text: NGINX.to_string() });
    cluster.execute(Command::Delete { text: SERVICE.to_string() });
    cluster.execute(Command::Delete { text: AGENT.to_string() });
    cluster.execute(Command::Delete { text: BATCH.to_string() });
    cluster.run(Duration::from_secs(600));
    let mut resources: BTreeMap<(String, String), BTreeSet<&str>> = BTreeMap::new();
    for usage in cluster.server().usages() {
        // All nodes do the same: one line stands for them.
        let user = match usage.user.strip_prefix("system:node:") {
            Some(_) => "system:node".to_string(),
            None => usage.user.to_string(),
        };
        resources.entry((user, usage.resource.clone())).or_default().insert(usage.verb);
    }
    let mut text = String::new();
    for ((user, resource), verbs) in &resources {
        let verbs: Vec<&str> = verbs.iter().copied().collect();
        let _ = writeln!(text, "{user} {resource} {}", verbs.join(","));
    }
    text
}

#[test]
fn components_use_what_their_roles_grant() {
    let used = used();
    let expected = include_str!("usages.txt");
    for line in used.lines() {
        assert!(expected.lines().any(|known| known == line), "not in usages.txt: {line}\n{used}");
    }
    for line in expected.lines() {
        assert!(used.lines().any(|known| known == line), "no longer used: {line}\n{used}");
    }
}
